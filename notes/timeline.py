"""The order that a document's links imply among its events and times, along the dates of its times."""
import collections
import re
from typing import NamedTuple

from evaluation.temporal_graph import BEFORE, OVERLAP, reduce_links
from inputs.labels import MERGE

# A year, month, day or a time of a day, as values of times have them; durations and frequencies are none.
DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\S*)?)?)?\Z")


class Group(NamedTuple):
    """Events and times that the links make one interval."""
    ids: list
    dates: list   # those of its times, sorted
    after: str    # the last date that it is after, "" where none is known
    before: str   # the first date that it is before


class Timeline(NamedTuple):
    """Groups in the order of time.

    Both fields are lists of steps, a step is a list of Group: a group is after all groups of earlier steps that the
    links order it with, and in no known order with those of its own step.
    """
    dated: list     # a group with a date is alone in its step; the others are where the dates they are between allow
    undated: list   # groups that no chain of links ties to a date
    omitted: int    # links that contradict dates or surer links
    unlinked: list  # ids of the events and times that nothing orders


def implied(document, confidences):
    """The Timeline of a document: of the dates, then of the links, the surest first, as far as they do not contradict.

    Parameters
    ----------
    document : data_process_i2b2.Document, every TLINK with a type.
    confidences : of its TLINKs, None for one that was annotated.
    """
    dates = dates_of(document)
    surest_first = sorted(zip(document.tlinks, confidences), key=lambda pair: -1.0 if pair[1] is None else -pair[1])
    links = [(tlink.from_id, tlink.to_id, MERGE[tlink.type]) for tlink, _ in surest_first]
    graph = reduce_links(dated_links(dates) + links)[1]
    known = dict.fromkeys([mention.id for mention in document.mentions]
                          + [identifier for link in links for identifier in link[:2]])
    groups, earlier, ordered = grouped(known, dates, graph.closure())
    dated, undated = along_dates(groups, earlier)
    return Timeline(dated, undated, sum(not graph.entails(link) for link in links),
                    [identifier for identifier in known if identifier not in ordered])


def dates_of(document):
    """{id: date} of the times whose value is a date."""
    values = {mention.id: mention.attributes.get("val" if mention.tag == "TIMEX3" else "dvalue", "").strip()
              for mention in document.mentions if mention.tag != "EVENT"}
    return {identifier: value for identifier, value in values.items() if DATE.match(value)}


def dated_links(dates):
    """What dates say of one another: [(id, id, BEFORE or OVERLAP)]; nothing where one is within the other."""
    ordered = sorted(dates, key=dates.get)
    found = []
    for number, first in enumerate(ordered):
        for second in ordered[number + 1:]:
            if dates[first] == dates[second]:
                found.append((first, second, OVERLAP))
            elif not dates[second].startswith(dates[first]):
                found.append((first, second, BEFORE))
    return found


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
        groups.append(Group(ids, sorted({dates[other] for other in ids if other in dates}),
                            max((dates[other] for other in before[identifier] if other in dates), default=""),
                            min((dates[other] for other in after[identifier] if other in dates), default="")))
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
    spine = sorted(with_date, key=lambda number: (len(earlier[number] & with_date), groups[number].dates))
    rank = {number: 2 * place + 1 for place, number in enumerate(spine)}  # the places between them are even
    later = [{other for other in range(len(groups)) if number in earlier[other]} for number in range(len(groups))]
    place, placed = dict(rank), None
    # Each round reaches what hangs on the groups that the one before has placed.
    while placed != len(place):
        placed = len(place)
        for number in range(len(groups)):
            preceding = [place[other] for other in earlier[number] if other in place]
            dates_before = [rank[other] + 1 for other in earlier[number] if other in rank]
            dates_after = [rank[other] - 1 for other in later[number] if other in rank]
            if number not in place and (dates_after or preceding):
                wish = min(dates_after) if dates_after else max(dates_before, default=0)
                place[number] = max([wish] + [other + other % 2 for other in preceding])
        for number in reversed(range(len(groups))):
            following = [place[other] for other in later[number] if other in place]
            if number not in place and following:
                place[number] = min(other - other % 2 for other in following)
    of_place = collections.defaultdict(list)
    for number in range(len(groups)):
        of_place[place.get(number)].append(number)
    undated = steps(of_place.pop(None, []), groups, earlier)
    return [step for _, numbers in sorted(of_place.items()) for step in steps(numbers, groups, earlier)], undated


def steps(numbers, groups, earlier):
    """Some groups, in the order of their numbers, as steps: each group in the first that is after all before it."""
    found, step_of = [], {}
    for number in numbers:
        step_of[number] = 1 + max((step_of[other] for other in earlier[number] if other in step_of), default=-1)
        found.extend([] for _ in range(step_of[number] + 1 - len(found)))
        found[step_of[number]].append(groups[number])
    return found
