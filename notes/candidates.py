"""Which pairs of a note's events and times to link where nobody has: the way the 2012 corpus was annotated.

The guidelines (Sun, Rumshisky, Uzuner 2013, Annotating temporal information in clinical narratives) ask for three
kinds of links: of each event to the time of its section - the admission for what stands before the hospital course,
the discharge for the hospital course and what follows - , and of events and times to each other within a sentence
and across neighbouring sentences.
"""
import bisect
import re
from typing import NamedTuple

from data_process_i2b2 import Tlink
from inputs import mentions
from inputs.sentences import sentence_starts
from support.errors import InputError

ALL, NEAR, SECTIONS = "all", "near", "sections"
KINDS = (ALL, NEAR, SECTIONS)

# Notes of the corpus have at most a few thousand near pairs. The limit bounds the time and memory of a note that is one line.
MOST = 100 * 1000

# The heading of the part that the discharge is the section time of: "HOSPITAL COURSE :", "Brief Hospital Course by
# system :", "COURSE IN HOSPITAL :".
HOSPITAL_COURSE = re.compile(r"^[^:\n]{0,40}\b(?:hospital (?:course|stay)|course (?:in|of|during) (?:the )?hospital\w*)\b"
                             r"[^:\n]{0,40}:", re.IGNORECASE | re.MULTILINE)


class Pair(NamedTuple):
    """Two mentions to link, and the id of their TLINK."""
    tlink: str
    from_id: str
    to_id: str


def pairs(document, kind=ALL):
    """The pairs of a document that the guidelines would have linked.

    Parameters
    ----------
    document : data_process_i2b2.Document, read with entities="decoded", so that the offsets fit.
    kind : NEAR (within a sentence or neighbouring ones), SECTIONS (each event with its section's time) or ALL of these.

    Returns
    -------
    list of Pair, the near ones in the order of the text, then the others; each pair of ids once. An event comes before
    a time, otherwise what stands first in the text; mentions without a place in the text are in no near pair, those
    without an id in none.

    Raises
    ------
    InputError : there are more than MOST of them.
    """
    if kind not in KINDS:
        raise ValueError(f"candidates are {', '.join(KINDS)}, not {kind!r}")
    near = near_pairs(document) if kind != SECTIONS else []
    sections = section_pairs(document) if kind != NEAR else []
    return ([Pair(f"TL{number}", *ids) for number, ids in enumerate(near)]
            + [Pair(f"SECTIME{number}", *ids) for number, ids in enumerate(sections, start=len(near))])


def linked(document, chosen, ids):
    """A document with TLINKs, without type, for the pairs; in place of those it has.

    Parameters
    ----------
    document : data_process_i2b2.Document, read either way.
    chosen : list of Pair
    ids : what the pairs call the document's mentions, in its order; ids that hold ampersands differ with the reading.
    """
    # Of mentions with one id the first is meant, as in `mentions.places`.
    found = dict(reversed(list(zip(ids, document.mentions))))
    sides = [(pair.tlink, found[pair.from_id], found[pair.to_id]) for pair in chosen]
    return document._replace(tlinks=tuple(Tlink(tlink, one.id, one.text, other.id, other.text, "")
                                          for tlink, one, other in sides))


# ---------------------------------------------------------------------------------------------------- near pairs

def near_pairs(document):
    """(from_id, to_id) of events and times in the same and in neighbouring sentences; not of two times."""
    starts = sentence_starts(document.text)
    spans = mentions.spans(document)
    tags = {mention.id: mention.tag for mention in document.mentions
            if mention.tag != "SECTIME" and mention.id and mention.id in spans}
    ordered = sorted(tags, key=lambda identifier: spans[identifier])
    sentence = {identifier: bisect.bisect_right(starts, spans[identifier][0]) for identifier in ordered}
    found = []
    for number, first in enumerate(ordered):
        for second in ordered[number + 1:]:
            if sentence[second] > sentence[first] + 1:
                break
            if tags[first] == "EVENT":
                found.append((first, second))
            elif tags[second] == "EVENT":
                found.append((second, first))
        if len(found) > MOST:
            raise InputError(f"{document.name} has more than {MOST} pairs of events and times in the same and in neighbouring "
                             "sentences, which is more than a note has: are there line breaks in it? Link what is wanted, or "
                             "use --candidates sections.")
    return found


# ------------------------------------------------------------------------------------------------- section times

def section_pairs(document):
    """(event, section time) for each event of a document, () where it has no section time."""
    times = {}
    for mention in document.mentions:
        if mention.tag == "SECTIME" and mention.id:
            times.setdefault(mention.type.upper(), mention.id)
    if not times:
        return []
    only = next(iter(times.values()))
    history, course = times.get("ADMISSION", only), times.get("DISCHARGE", only)
    spans = mentions.spans(document)
    heading = HOSPITAL_COURSE.search(document.text)
    turn = heading.start() if heading else len(document.text)
    events = dict.fromkeys(mention.id for mention in document.mentions if mention.tag == "EVENT" and mention.id)
    return [(identifier, history if spans.get(identifier, (0,))[0] < turn else course) for identifier in events]
