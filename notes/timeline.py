"""The order that a document's links imply among its events and times, along the dates of its times."""
import collections
import itertools
from typing import NamedTuple

from evaluation.temporal_graph import BEFORE, reduce_links
from inputs import section_times
from inputs.labels import MERGE
from notes import time_values


class Group(NamedTuple):
    """Events and times that the links make one interval."""
    ids: list     # of the document's mentions; a literal end of a link only where no mention stands for its time
    dates: list   # those of its times, in the order of time
    after: str    # the last date that it is after, "" where none is known
    before: str   # the first date that it is before, "" where none is known


class Timeline(NamedTuple):
    """Groups in the order of time.

    `dated` and `undated` are lists of steps, a step is a list of Group: a group is after all groups of earlier steps that
    the links order it with, and in no known order with those of its own step.
    """
    dated: list     # a group with a date is alone in its step; the others are where the dates they are between allow
    undated: list   # groups that no chain of links ties to a date
    omitted: int    # links that contradict dates or surer links
    unlinked: list  # ids of the events and times that nothing orders


def implied(document, confidences):
    """The Timeline of a document.

    The surer statements come first, and later ones that contradict them are left out: the days of the dates, annotated
    links, times of a day and that the admission is before the discharge, then predicted links, the most probable first.

    Parameters
    ----------
    document : data_process_i2b2.Document, every TLINK with a type.
    confidences : of its TLINKs, None for one that was annotated.
    """
    nodes = section_times.nodes(document)
    dates = dates_of_nodes(document, nodes)
    # A link with an empty end links nothing.
    weighed = [(confidence, (nodes[tlink.from_id], nodes[tlink.to_id], MERGE[tlink.type]))
               for tlink, confidence in zip(document.tlinks, confidences) if tlink.from_id and tlink.to_id]
    annotated = [link for confidence, link in weighed if confidence is None]
    predicted = sorted((pair for pair in weighed if pair[0] is not None), key=lambda pair: -pair[0])
    known = dict.fromkeys(nodes.values())
    graph = reduce_links(dated_links(dates) + annotated + clock_links(dates) + stay_links(document, known)
                         + [link for _, link in predicted])[1]
    groups, earlier, ordered = grouped(known, dates, graph.closure())
    names = names_of_nodes(document, nodes)
    groups = [group._replace(ids=[name for node in group.ids for name in names[node]]) for group in groups]
    dated, undated = along_dates(groups, earlier)
    return Timeline(dated, undated, sum(not graph.entails(link) for _, link in weighed),
                    [name for node in known if node not in ordered for name in names[node]])


def names_of_nodes(document, nodes):
    """{node: the ids of its mentions, or its own where it has none}, for section_times.nodes."""
    names = {}
    for mention in document.mentions:
        names.setdefault(nodes[mention.id], {})[mention.id] = True
    return {node: list(names.get(node, [node])) for node in nodes.values()}


def dates_of_nodes(document, nodes):
    """{node: date} for section_times.nodes; where its tags have several dates, that of the tag with the node's id."""
    found = {}
    for identifier, value in dates_of(document).items():
        if identifier == nodes[identifier] or nodes[identifier] not in found:
            found[nodes[identifier]] = value
    return found


def dates_of(document):
    """{id: date} of the times whose value is a date."""
    values = {}
    for mention in document.mentions:
        if mention.tag != "EVENT":
            values.setdefault(mention.id, mention.attributes.get("val" if mention.tag == "TIMEX3" else "dvalue", "").strip())
    return {identifier: value for identifier, value in values.items() if time_values.parse(value)}


def dated_links(dates):
    """What the days of dates say of one another: [(id, id, BEFORE, AFTER or OVERLAP)]; nothing where one is within the other.

    Parameters
    ----------
    dates : {id: date}
    """
    return links_between(dates, time_values.relation_by_days)


def clock_links(dates):
    """`dated_links` for what only times of a day tell."""
    def by_clock(one, other):
        return None if time_values.relation_by_days(one, other) else time_values.relation(one, other)
    return links_between(dates, by_clock)


def stay_links(document, known):
    """[(admission, discharge, BEFORE)] if both are among the known nodes, else []."""
    admission, discharge = (time.node for time in section_times.section_times(document).values())
    return [(admission, discharge, BEFORE)] if admission in known and discharge in known else []


def links_between(dates, relation):
    """[(id, id, label)] for the pairs of dates of which `relation`, of two time_values.Moment, gives a label."""
    moments = [(identifier, time_values.parse(value)) for identifier, value in dates.items()]
    found = [(first, second, relation(one, other)) for (first, one), (second, other) in itertools.combinations(moments, 2)]
    return [link for link in found if link[2]]


def chronological(value):
    """A key that sorts dates by when they begin, then by when they end."""
    return time_values.parse(value)[:2]


def grouped(known, dates, closure):
    """The groups of a closed graph, a linear order of time that fits it, and what precedes each.

    Parameters
    ----------
    known : ids, in the order of the document.
    dates : {id: date}
    closure : from TemporalGraph.closure.

    Returns
    -------
    groups : list of Group, none before one that precedes it.
    earlier : list of sets of numbers of groups, those before each.
    ordered : set of the ids that are in a group.
    """
    equal, before, after = (collections.defaultdict(set) for _ in range(3))
    for a, b, relation in closure:
        if relation == BEFORE:
            before[b].add(a)
            after[a].add(b)
        else:
            equal[a].add(b)
            equal[b].add(a)
    ordered = {identifier for identifier in known
               if identifier in dates or identifier in equal or identifier in before or identifier in after}
    groups, number_of = [], {}
    # Whatever precedes an id has fewer ids before it.
    for identifier in sorted(filter(ordered.__contains__, known), key=lambda identifier: len(before[identifier])):
        if identifier in number_of:
            continue
        ids = [other for other in known if other == identifier or other in equal[identifier]]
        number_of.update(dict.fromkeys(ids, len(groups)))
        own, preceding, following = (sorted({dates[other] for other in others if other in dates}, key=chronological)
                                     for others in (ids, before[identifier], after[identifier]))
        groups.append(Group(ids, own, preceding[-1] if preceding else "", following[0] if following else ""))
    return groups, [{number_of[other] for other in before[group.ids[0]]} for group in groups], ordered


def along_dates(groups, earlier):
    """Steps of groups along the dated ones, and of those that nothing ties to a date.

    An undated group comes right before the first date that it is known to be before, else right after the last one
    that it is after, else with what precedes it, else with what it precedes.

    Parameters
    ----------
    groups, earlier : from `grouped`.

    Returns
    -------
    (dated, undated), see Timeline
    """
    with_date = {number for number, group in enumerate(groups) if group.dates}
    spine = sorted(with_date, key=lambda number: (len(earlier[number] & with_date), chronological(groups[number].dates[0])))
    rank = {number: 2 * index + 1 for index, number in enumerate(spine)}  # the even positions are between them
    later = [{other for other in range(len(groups)) if number in earlier[other]} for number in range(len(groups))]
    position, found = dict(rank), None
    # Each round reaches what hangs on the groups whose position the round before has found.
    while found != len(position):
        found = len(position)
        for number in range(len(groups)):
            preceding = [position[other] for other in earlier[number] if other in position]
            dates_before = [rank[other] + 1 for other in earlier[number] if other in rank]
            dates_after = [rank[other] - 1 for other in later[number] if other in rank]
            if number not in position and (dates_after or preceding):
                wish = min(dates_after) if dates_after else max(dates_before, default=0)
                position[number] = max([wish] + [other + other % 2 for other in preceding])
        for number in reversed(range(len(groups))):
            following = [position[other] for other in later[number] if other in position]
            if number not in position and following:
                position[number] = min(other - other % 2 for other in following)
    at_position = collections.defaultdict(list)
    for number in range(len(groups)):
        at_position[position.get(number)].append(number)
    undated = steps(at_position.pop(None, []), groups, earlier)
    return [step for _, numbers in sorted(at_position.items()) for step in steps(numbers, groups, earlier)], undated


def steps(numbers, groups, earlier):
    """Some groups, in the order of their numbers, as steps: each group in the first that is after all before it."""
    found, step_of = [], {}
    for number in numbers:
        step_of[number] = 1 + max((step_of[other] for other in earlier[number] if other in step_of), default=-1)
        found.extend([] for _ in range(step_of[number] + 1 - len(found)))
        found[step_of[number]].append(groups[number])
    return found
