"""What a document's TLINKs say about the order of its events and times: entailment and reduction.

BEFORE, AFTER and OVERLAP are read as the 2012 i2b2 challenge's evaluation reads them: "a BEFORE b" puts the
end of a ahead of the start of b, AFTER is its inverse, and "a OVERLAP b" makes the starts equal and the ends
equal.

With these three relations the start and end points need not be kept apart. Every interval starts before it
ends, OVERLAP makes two intervals one and the same, and BEFORE orders whole intervals; so what the points
entail about two intervals is what a partial order over groups of equal intervals entails about them.
"""
BEFORE, AFTER, OVERLAP = "BEFORE", "AFTER", "OVERLAP"


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
    """The transitive closure of consistent links, kept up to date link by link."""

    def __init__(self):
        # For each id: the ids simultaneous with it (itself included), those before it, those after it.
        self._equal = {}
        self._earlier = {}
        self._later = {}

    def relation(self, a, b):
        """What the links added entail about `a` and `b`: BEFORE, AFTER, OVERLAP, or None if nothing."""
        if a == b:
            return OVERLAP
        if b in self._later.get(a, ()):
            return BEFORE
        if b in self._earlier.get(a, ()):
            return AFTER
        if b in self._equal.get(a, ()):
            return OVERLAP
        return None

    def entails(self, link):
        """Whether `link`, (from_id, to_id, type), follows from the links added."""
        from_id, to_id, relation = link
        return self.relation(from_id, to_id) == relation

    def add(self, link):
        """Add a canonical link about two ids of which the graph so far entails nothing.

        That condition keeps the order free of cycles: the ids are in different groups, and neither precedes
        the other.
        """
        a, b, relation = link
        if self.relation(a, b) is not None:
            raise ValueError("the graph already entails or contradicts this link")
        for node in (a, b):
            self._equal.setdefault(node, {node})
            self._earlier.setdefault(node, set())
            self._later.setdefault(node, set())
        if relation == BEFORE:
            self._order(self._equal[a] | self._earlier[a], self._equal[b] | self._later[b])
        else:
            self._unite(a, b)

    def _unite(self, a, b):
        group = self._equal[a] | self._equal[b]
        earlier = self._earlier[a] | self._earlier[b]
        later = self._later[a] | self._later[b]
        for node in group:
            self._equal[node] = group
        self._order(earlier, group)
        self._order(group, later)
        self._order(earlier, later)

    def _order(self, earlier, later):
        for node in earlier:
            self._later[node] |= later
        for node in later:
            self._earlier[node] |= earlier

    def closure(self):
        """Every canonical link that follows from the links added, except those of an id with itself."""
        before = {(a, b, BEFORE) for a, later in self._later.items() for b in later}
        overlap = {canonical((a, b, OVERLAP)) for a, group in self._equal.items() for b in group if a != b}
        return before | overlap


def reduce_links(links):
    """A document's links without those that add nothing, and the graph of what they entail.

    In file order, as the challenge does it: a link that an earlier one states or that follows from the
    earlier ones is dropped; a link that contradicts them is kept but does not enter the graph. A link and its
    inverse are the same link. A link of an id with itself is entailed if it says OVERLAP and is a
    contradiction otherwise (what the challenge's script makes of such links is not known here).

    Parameters
    ----------
    links : iterable of (from_id, to_id, type), the type BEFORE, AFTER or OVERLAP, in file order.

    Returns
    -------
    (reduced, graph) : list of canonical links, TemporalGraph.
    """
    graph = TemporalGraph()
    reduced = {}  # an ordered set: a contradiction stated twice stays one link
    for link in map(canonical, links):
        if graph.entails(link):
            continue
        if graph.relation(link[0], link[1]) is None:
            graph.add(link)
        reduced[link] = True
    return list(reduced), graph
