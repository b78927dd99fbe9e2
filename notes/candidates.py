"""Which pairs of a note's events and times to link where nobody has: the way the 2012 corpus was annotated.

The guidelines (Sun, Rumshisky, Uzuner 2013, Annotating temporal information in clinical narratives) ask for three
kinds of links: of each event to the time of its section (the admission for what stands before the hospital course, the
discharge for the hospital course and what follows), and of events and times to each other within a sentence and across
neighbouring sentences.
"""
import bisect
import re
from typing import NamedTuple

from data_process_i2b2 import Tlink
from inputs import mentions, section_times
from inputs.sentences import sentence_starts
from support.errors import InputError

ALL, NEAR, SECTIONS = "all", "near", "sections"
KINDS = (ALL, NEAR, SECTIONS)

# Notes of the corpus have at most a few thousand near pairs. The limit bounds the time and memory of a note that is one line.
MOST = 100 * 1000

# The heading of the part whose section time is the discharge: "HOSPITAL COURSE :", "Brief Hospital Course by
# system :", "COURSE IN HOSPITAL :".
HOSPITAL_COURSE = re.compile(r"^[^:\n]{0,40}\b(?:hospital (?:course|stay)|course (?:in|of|during) (?:the )?hospital\w*)\b"
                             r"[^:\n]{0,40}:", re.IGNORECASE | re.MULTILINE)


class Pair(NamedTuple):
    """Two mentions to link, and the id of their TLINK."""
    tlink: str
    from_id: str
    to_id: str  # a mention's id, or the literal "Admission" or "Discharge"


def pairs(document, kind=ALL):
    """The pairs of a document that the guidelines would have linked.

    Parameters
    ----------
    document : data_process_i2b2.Document, read with entities="decoded", so that the offsets fit.
    kind : NEAR (within a sentence or neighbouring ones), SECTIONS (each event with its section's time) or ALL of these.

    Returns
    -------
    list of Pair, the near ones in the order of the text, then the others; each pair of ids once. An event comes before
    a time, otherwise what stands first in the text. Mentions without a span in the text are in no near pair, those
    without an id in none.

    Raises
    ------
    InputError : there are more than MOST of them.
    """
    if kind not in KINDS:
        raise ValueError(f"candidates are {', '.join(KINDS)}, not {kind!r}")
    sections = section_pairs(document) if kind != NEAR else []
    near = near_pairs(document) if kind != SECTIONS else []
    taken = set(sections)
    return ([Pair(f"TL{number}", *ids) for number, ids in enumerate(ids for ids in near if ids not in taken)]
            + [Pair(f"SECTIME{number}", *ids) for number, ids in enumerate(sections)])


def linked(document, chosen, ids):
    """The document with the pairs as its TLINKs, without types; TLINKs that it has are replaced.

    Parameters
    ----------
    document : data_process_i2b2.Document, read either way.
    chosen : list of Pair
    ids : what the pairs call the document's mentions, in its order; ids that hold ampersands differ with the reading.
    """
    # Of mentions with one id the first is meant, as in `mentions.located`.
    found = dict(reversed(list(zip(ids, document.mentions))))

    def end(identifier):
        mention = found.get(identifier)
        return (mention.id, mention.text) if mention else (identifier, identifier)
    return document._replace(tlinks=tuple(Tlink(pair.tlink, *end(pair.from_id), *end(pair.to_id), "") for pair in chosen))


# ---------------------------------------------------------------------------------------------------- near pairs

def near_pairs(document):
    """(from_id, to_id) of events and times in the same and in neighbouring sentences; not of two times.

    The words "Admission" and "Discharge" of the headings are linked to their own dates alone, as in the corpus.
    """
    starts = sentence_starts(document.text)
    spans = mentions.spans(document)
    tags = {mention.id: mention.tag for mention in document.mentions
            if mention.tag != "SECTIME" and mention.id and mention.id in spans}
    ordered = sorted(tags, key=lambda identifier: spans[identifier])
    sentence = {identifier: bisect.bisect_right(starts, spans[identifier][0]) for identifier in ordered}
    events = [identifier for identifier in ordered if tags[identifier] == "EVENT"]
    times = section_times.section_times(document)
    dates = {identifier: times[kind].timex for identifier, kind in section_times.heading_events(document).items()}
    found, seen = [], 0  # seen: the events up to here
    for number, first in enumerate(ordered):
        seen += tags[first] == "EVENT"
        # Two times make no pair: all that follows an event is looked at, but only the events that follow a time.
        others, begin = (ordered, number + 1) if tags[first] == "EVENT" else (events, seen)
        for place in range(begin, min(len(others), begin + MOST + 1)):
            second = others[place]
            if sentence[second] > sentence[first] + 1:
                break
            if dates.get(first, second) == second and dates.get(second, first) == first:
                found.append((first, second) if tags[first] == "EVENT" else (second, first))
        if len(found) > MOST:
            raise InputError(f"{document.name} has more than {MOST} pairs of events and times in the same and in neighbouring "
                             "sentences, which is more than a note has: are there line breaks in it? Link what is wanted, or "
                             "use --candidates sections.")
    return found


# ------------------------------------------------------------------------------------------------- section times

def section_pairs(document):
    """(event, section time) for each event of a document but the words "Admission" and "Discharge" of its headings.

    The pairs are in the order of the text. They are [] where the document has neither a SECTIME nor a date of admission
    or discharge.
    """
    times = section_times.section_times(document)
    if not any(time.sectime or time.timex for time in times.values()):
        return []
    history, course = (times[kind].target for kind in (section_times.ADMISSION, section_times.DISCHARGE))
    spans = mentions.spans(document)
    heading = HOSPITAL_COURSE.search(document.text)
    turn = heading.start() if heading else len(document.text)
    in_headings = section_times.heading_events(document)
    events = dict.fromkeys(mention.id for mention in document.mentions if mention.tag == "EVENT" and mention.id)
    begins = {identifier: spans.get(identifier, (0,))[0] for identifier in events if identifier not in in_headings}
    return [(identifier, history if begin < turn else course)
            for identifier, begin in sorted(begins.items(), key=lambda item: item[1])]
