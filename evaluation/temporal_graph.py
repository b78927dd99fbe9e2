"""What a document's TLINKs say about the order of its events and times: entailment and reduction.

BEFORE, AFTER and OVERLAP are read as the 2012 i2b2 challenge's evaluation reads them: "a BEFORE b" puts the
end of a ahead of the start of b, AFTER is its inverse, and "a OVERLAP b" makes the starts equal and the ends
equal.

With these three relations the start and end points need not be kept apart. Every interval starts before it
ends, OVERLAP makes two intervals one and the same, and BEFORE orders whole intervals; so what the points
entail about two intervals is what a partial order over groups of equal intervals entails about them.
"""
BEFORE, AFTER, OVERLAP = "BEFORE", "AFTER", "OVERLAP"

# The links added last are followed one by one; when there are this many, what they entail is worked out for all ids
# at once. Adding a link then costs a fraction of what it costs to bring all ids up to date each time.
MOST_RECENT = 64


def canonical(link):
    """The one of a link's two directions that stands for both.

    Parameters
    ----------
    link : (from_id, to_id, type), the type BEFORE, AFTER or OVERLAP.

    Returns
    -------
    (from_id, to_id, type) with a type of BEFORE or OVERLAP; equal for a link and its inverse.
    """
    from_id, to_id, relation = link
    if relation == AFTER:
        return to_id, from_id, BEFORE
    if relation == OVERLAP:
        return min(from_id, to_id), max(from_id, to_id), OVERLAP
    if relation == BEFORE:
        return from_id, to_id, BEFORE
    raise ValueError(f"a temporal graph knows {BEFORE}, {AFTER} and {OVERLAP}, not {relation!r}")


class TemporalGraph:
    """What consistent links entail, asked and added to link by link.

    A link is an arc, or two: BEFORE leads from its first id to its second, OVERLAP leads both ways. Since the links
    are consistent, no BEFORE is on a cycle. So two ids overlap if each leads to the other, and one is before the
    other if it alone leads there.

    A set of ids is an integer: its bits are the numbers of the ids, in the order in which they were added.
    """

    def __init__(self):
        self._ids = []
        self._numbers = {}  # of the ids
        self._reached = []  # for each id the set of those it leads to, itself included, without the recent arcs
        self._recent = {}   # arcs added since: {number of an id: numbers of those its arcs lead to}
        self._tails = 0     # the ids with recent arcs
        self._count = 0     # how many recent arcs there are

    def __contains__(self, identifier):
        """Whether a link with this id was added."""
        return identifier in self._numbers

    def relation(self, a, b):
        """What the links added entail about `a` and `b`: BEFORE, AFTER, OVERLAP, or None if nothing."""
        if a == b:
            return OVERLAP
        if a not in self or b not in self:
            return None
        first, second = self._numbers[a], self._numbers[b]
        there = self._all_reached(first) >> second & 1
        back = self._all_reached(second) >> first & 1
        if there:
            return OVERLAP if back else BEFORE
        return AFTER if back else None

    def entails(self, link):
        """Whether `link`, (from_id, to_id, type), follows from the links added."""
        from_id, to_id, relation = link
        return self.relation(from_id, to_id) == relation

    def add(self, link):
        """Add a link about two ids of which the graph so far entails nothing; ValueError for any other.

        An id that is new to the graph may also be linked to itself, by OVERLAP.
        """
        if not self.add_if_new(link):
            raise ValueError("the graph already entails or contradicts this link")

    def add_if_new(self, link):
        """Add a link if `add` takes it; returns whether it did. So the links added stay consistent."""
        a, b, relation = canonical(link)
        if a == b:
            new = relation == OVERLAP and a not in self
        else:
            new = self.relation(a, b) is None
        if new:
            first, second = self._number(a), self._number(b)
            self._add_arc(first, second)
            if relation == OVERLAP:
                self._add_arc(second, first)
            if self._count >= MOST_RECENT:
                self._settle()
        return new

    def _number(self, identifier):
        if identifier not in self._numbers:
            self._numbers[identifier] = len(self._ids)
            self._reached.append(1 << len(self._ids))
            self._ids.append(identifier)
        return self._numbers[identifier]

    def _add_arc(self, tail, head):
        self._recent.setdefault(tail, []).append(head)
        self._tails |= 1 << tail
        self._count += 1

    def _all_reached(self, number):
        """The set of the ids that an id leads to, recent arcs included."""
        reached = self._reached[number]
        tails = followed = reached & self._tails
        while tails:
            for tail in elements(tails):
                for head in self._recent[tail]:
                    reached |= self._reached[head]
            tails = reached & self._tails & ~followed
            followed |= tails
        return reached

    def _settle(self):
        """Enter what the recent arcs add into the sets of all ids."""
        added = {tail: self._all_reached(tail) for tail in self._recent}
        for number, reached in enumerate(self._reached):
            tails = reached & self._tails
            while tails:
                more = added[first_element(tails)]
                reached |= more
                tails &= ~more
            self._reached[number] = reached
        self._recent, self._tails, self._count = {}, 0, 0

    def closure(self):
        """Every canonical link that follows from the links added, except those of an id with itself."""
        self._settle()
        links = set()
        for number, reached in enumerate(self._reached):
            for other in elements(reached & ~(1 << number)):
                relation = OVERLAP if self._reached[other] >> number & 1 else BEFORE
                links.add(canonical((self._ids[number], self._ids[other], relation)))
        return links


def first_element(bits):
    """The lowest number in a set that is given as an integer's bits."""
    return (bits & -bits).bit_length() - 1


def elements(bits):
    """The numbers in a set that is given as an integer's bits, in ascending order."""
    while bits:
        number = first_element(bits)
        yield number
        bits ^= 1 << number


def reduce_links(links):
    """A document's links without those that add nothing, and the graph of what they entail.

    In file order, as the challenge does it: a link that follows from the earlier ones is dropped; a link that
    contradicts them is kept but does not enter the graph. A contradiction counts once for each way in which it is
    written: the same words are the same link, the inverse of a link is another. A link of an id with itself is a
    contradiction if it says BEFORE or AFTER; if it says OVERLAP, it is kept only where the graph does not have the
    id yet.

    Parameters
    ----------
    links : iterable of (from_id, to_id, type), the type BEFORE, AFTER or OVERLAP, in file order.

    Returns
    -------
    (reduced, graph) : list of links as they are written, the contradictions last; TemporalGraph.
    """
    graph = TemporalGraph()
    kept, contradictions = [], {}  # an ordered set
    for link in links:
        if graph.add_if_new(link):
            kept.append(link)
        elif not graph.entails(link):
            contradictions[link] = True
    return kept + list(contradictions), graph
