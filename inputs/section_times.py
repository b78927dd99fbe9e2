"""The section times of a note, and the links to them.

In i2b2 2012 each EVENT has a link to the time of its section: the date of admission for the history, the date of
discharge for the hospital course. Three things stand for such a time: a SECTIME tag, the TIMEX3 on the same words, and
the literal "Admission" or "Discharge". A section link goes to the TIMEX3, and to the literal where there is none. Other
links go to the same TIMEX3, so only the link's id, `Sectime12` or `SECTIME12`, tells that it is a section link.
"""
import re
from typing import NamedTuple

from inputs import mentions

ADMISSION, DISCHARGE = TYPES = mentions.TYPES["SECTIME"]
LINK_PREFIX = "sectime"

# What a link connects.
SECTION, EVENT_EVENT, EVENT_TIME, TIME_TIME, OTHER = KINDS = (
    "to a section time", "event\N{EN DASH}event", "event\N{EN DASH}time", "time\N{EN DASH}time", "other")

# "Admission Date :", "DATE OF DISCHARGE:". A line begins with it; both may stand on one line.
HEADING = re.compile(r"\b(?:(admission|discharge)[^\S\n]+date|date[^\S\n]+of[^\S\n]+(admission|discharge))[^\S\n]*(?::|$)",
                     re.IGNORECASE | re.MULTILINE)
HEADING_LINE = re.compile(rf"^[^\S\n]*{HEADING.pattern}.*$", re.IGNORECASE | re.MULTILINE)
NOT_BLANK = re.compile(r"\S")


class SectionTime(NamedTuple):
    """The time of admission or discharge of a note, and what stands for it."""
    type: str     # one of TYPES
    sectime: str  # id of the SECTIME, "" where there is none
    timex: str    # id of the TIMEX3 on its words, "" where there is none

    @property
    def literal(self):
        """What a link calls the time that has no tag: "Admission" or "Discharge"."""
        return self.type.capitalize()

    @property
    def target(self):
        """The id that section links go to."""
        return self.timex or self.literal

    @property
    def node(self):
        """The one id that stands for the time wherever its different names must be one."""
        return self.sectime or self.timex or self.literal


class DateHeading(NamedTuple):
    """A heading of the date of admission or discharge; spans are (begin, end) in the text, end exclusive."""
    type: str    # one of TYPES
    word: tuple  # span of its word "Admission" or "Discharge"
    date: tuple  # span of the rest of its line or, where that is blank, of the next line; empty before another heading


def literal_type(identifier):
    """The one of TYPES that a literal end of a link names, "" for an id that is no literal."""
    name = identifier.strip().upper()
    return name if name in TYPES else ""


def is_section_link(tlink_id, from_id, to_id, tags):
    """Whether a TLINK is a section link.

    Parameters
    ----------
    tlink_id, from_id, to_id : str
    tags : dict of id -> tag, of the document's mentions. A literal end and, in other corpora, a SECTIME tell too.
    """
    return (tlink_id.lower().startswith(LINK_PREFIX)
            or any(tags[end] == "SECTIME" if end in tags else literal_type(end) for end in (from_id, to_id)))


def kind(tlink_id, from_id, to_id, tags):
    """What a TLINK connects, one of KINDS; OTHER where an end is no mention. Parameters as for `is_section_link`."""
    if is_section_link(tlink_id, from_id, to_id, tags):
        return SECTION
    return {("EVENT", "EVENT"): EVENT_EVENT, ("EVENT", "TIMEX3"): EVENT_TIME, ("TIMEX3", "EVENT"): EVENT_TIME,
            ("TIMEX3", "TIMEX3"): TIME_TIME}.get((tags.get(from_id), tags.get(to_id)), OTHER)


def section_times(document):
    """Both section times of a document: dict of type -> SectionTime."""
    spans = mentions.spans(document)
    first = first_mentions(document)
    dates = {heading.type: heading.date for heading in date_headings(document.text)}
    timexes = [mention for mention in first.values() if mention.tag == "TIMEX3" and mention.id]
    sectimes = {}
    for mention in first.values():
        if mention.tag == "SECTIME" and mention.id:
            sectimes.setdefault(mention.type.strip().upper(), mention)
    found = {}
    for kind in TYPES:
        taken = {time.timex for time in found.values()}
        free = [timex for timex in timexes if timex.id not in taken]
        sectime = sectimes.get(kind)
        timex = timex_on_words(document.text, sectime, dates.get(kind), free, spans)
        found[kind] = SectionTime(kind, sectime.id if sectime else "", timex)
    return found


def timex_on_words(text, sectime, date, timexes, spans):
    """The id of the TIMEX3 that stands on the words of a section time, "" if none does.

    Parameters
    ----------
    text : str, the note.
    sectime : data_process_i2b2.Mention or None
    date : span of the date below its heading, or None.
    timexes : list of data_process_i2b2.Mention, the TIMEX3s to choose from.
    spans : from mentions.spans.
    """
    placed = sorted((timex for timex in timexes if timex.id in spans), key=lambda timex: spans[timex.id])
    span = spans.get(sectime.id) if sectime else None
    reliable = bool(span) and same_words(text[slice(*span)], sectime.text)
    for wanted in (span, date) if reliable else (date, span):
        overlaps = {timex.id: overlap(wanted, spans[timex.id]) for timex in placed} if wanted else {}
        if any(overlaps.values()):
            return max(overlaps, key=overlaps.get)
    if sectime and not reliable:
        value = sectime.attributes.get("dvalue", "").strip()
        unplaced = [timex for timex in timexes if timex.id not in spans]
        for timex in placed + unplaced:
            if same_words(timex.text, sectime.text):
                return timex.id
        for timex in placed + unplaced:
            if value and timex.attributes.get("val", "").strip().startswith(value):
                return timex.id
    return ""


def heading_events(document):
    """The EVENTs that are the words "Admission" and "Discharge" of the headings: dict of id -> the one of TYPES."""
    spans = mentions.spans(document)
    headings = date_headings(document.text)
    return {mention.id: heading.type for mention in document.mentions if mention.tag == "EVENT" and mention.id in spans
            for heading in headings if overlap(spans[mention.id], heading.word)}


def nodes(document):
    """One id for each time: dict of id -> id, for every mention and every end of a link.

    The SECTIME, the TIMEX3 on its words and the literal in any spelling get one id, SectionTime.node; any other id is its own,
    and so is such a node.
    """
    tagged = {mention.id for mention in document.mentions}
    times = section_times(document)
    of_time = {identifier: time.node for time in times.values() for identifier in (time.timex, time.sectime) if identifier}
    found = {}
    for identifier in [mention.id for mention in document.mentions] + [end for tlink in document.tlinks
                                                                       for end in (tlink.from_id, tlink.to_id)]:
        literal = "" if identifier in tagged else literal_type(identifier)
        found[identifier] = times[literal].node if literal else of_time.get(identifier, identifier)
    return {**{node: node for node in found.values()}, **found}


def first_mentions(document):
    """dict of id -> Mention; where an id is repeated, the first in the file is meant."""
    found = {}
    for mention in document.mentions:
        found.setdefault(mention.id, mention)
    return found


def date_headings(text):
    """The first heading of each of TYPES in a text, in order: list of DateHeading."""
    found = {}
    for line in HEADING_LINE.finditer(text):
        on_line = list(HEADING.finditer(text, *line.span()))
        ends = [match.start() for match in on_line[1:]] + [line.end()]
        for match, end in zip(on_line, ends):
            kind = (match.group(1) or match.group(2)).upper()
            if kind not in found:
                found[kind] = DateHeading(kind, match.span(match.lastindex), date_below(text, match.end(), end))
        if len(found) == len(TYPES):
            break
    return list(found.values())


def date_below(text, begin, end):
    """The span of the date that follows a heading, whose own line goes on from `begin` to `end`."""
    if text[begin:end].strip():
        return begin, end
    match = NOT_BLANK.search(text, end)
    if not match:
        return end, end
    line = text.rfind("\n", 0, match.start()) + 1
    if HEADING_LINE.match(text, line):
        return end, end
    after = text.find("\n", line)
    return line, len(text) if after < 0 else after


def overlap(span, other):
    """How many characters two spans share."""
    return max(0, min(span[1], other[1]) - max(span[0], other[0]))


def same_words(text, other):
    """Whether two texts have the same words, case, entities and white space aside, and any."""
    words, others = (mentions.words_of(each.lower()) for each in (text, other))
    return bool(words) and words == others
