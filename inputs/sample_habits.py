"""The habits of the i2b2 2012 corpus that a document of the sample shows on purpose; `docs/sample.md` lists them all.

Most habits are in the way every note is written (`sample_corpus.py`, `sample_phrases.py`). Those here are rare in the
corpus, mostly slips, and each has documents of its own (`HABITS`).
"""
import re
from typing import NamedTuple

# Document -> what is special about it: a key of CHANGES, of sample_phrases.SPECIAL or of sample_corpus.LAYOUTS.
HABITS = {
    "811": ("mod with a blank",),
    "817": ("list",),
    "823": ("no discharge date",),
    "838": ("clock", "slips in times"),
    "846": ("parts of a year",),
    "852": ("late admission id", "repeated event"),
    "869": ("ampersand",),
    "877": ("hypothetical", "empty types"),
    "893": ("frequencies", "slips in frequencies"),
    "904": ("broken mention", "repeated link id"),
    "925": ("no course heading",),
    "931": ("quotation",),
    "948": ("frequencies", "slips in types"),
    "957": ("contradictions",),
    "974": ("no section times",),
    "989": ("one section time", "list"),
    "1008": ("late admission id", "no value"),
    "1026": ("fraction", "repeated time"),
    "1034": ("section time off by one",),
    "1041": ("clock", "slips in dates", "empty types"),
    "1066": ("no such mention", "link told twice"),
    "814": ("late admission id", "misplaced spans"),
    "842": ("quotation",),
    "860": ("ampersand", "misplaced spans"),
    "898": ("no discharge date",),
    "953": ("no event type",),
    "981": ("list", "clock"),
    "1037": ("repeated link id",),
}


class Draft(NamedTuple):
    """A document before it is written: its text, its mentions and links in the order of the file."""
    text: str
    mentions: list  # of sample_corpus.Mention
    links: list     # of sample_corpus.Link


def change(name, rng, draft):
    """The draft with all the slips of the document of this name."""
    for habit in HABITS.get(name, ()):
        if habit in CHANGES:
            draft = CHANGES[habit](rng, draft)
    return draft


# ------------------------------------------------------------------------------------------------- section times

def one_section_time(_, draft):
    """Only the admission is marked as SECTIME."""
    return draft._replace(mentions=[each for each in draft.mentions if each.type != "DISCHARGE"])


def no_section_times(_, draft):
    """No date is marked as SECTIME."""
    return draft._replace(mentions=[each for each in draft.mentions if each.tag != "SECTIME"])


def section_time_off_by_one(_, draft):
    """The SECTIMEs begin a character too early."""
    return draft._replace(mentions=[each._replace(start=each.start - 1) if each.tag == "SECTIME" else each
                                    for each in draft.mentions])


# ------------------------------------------------------------------------------------------------------ mentions

def repeated_event(rng, draft):
    """Two EVENTs of one id: the second is the last word of the first."""
    first = rng.choice([each for each in draft.mentions if each.tag == "EVENT" and " " in each.text])
    text = first.text.split()[-1]
    return inserted(draft, first, first._replace(text=text, start=first.end - len(text)))


def repeated_time(rng, draft):
    """Two TIMEX3s of one id on the same words: the second without a value."""
    first = rng.choice([each for each in draft.mentions if each.tag == "TIMEX3" and each.section])
    return inserted(draft, first, first._replace(value=""))


def inserted(draft, before, mention):
    """The draft with a mention after another one."""
    place = draft.mentions.index(before) + 1
    return draft._replace(mentions=draft.mentions[:place] + [mention] + draft.mentions[place:])


def no_event_type(rng, draft):
    """One EVENT has an empty type."""
    return retyped(draft, rng.choice([each for each in draft.mentions if each.tag == "EVENT" and each.section]), type="")


def retyped(draft, mention, **changes):
    """The draft with some fields of a mention changed."""
    return draft._replace(mentions=[each._replace(**changes) if each is mention else each for each in draft.mentions])


def misplaced_spans(rng, draft):
    """The spans of two EVENTs do not fit their words: one begins too late, one ends too early."""
    one, other = rng.sample([each for each in draft.mentions if each.tag == "EVENT" and " " in each.text], 2)
    draft = retyped(draft, one, start=one.start + 2, end=one.end + 2)
    return retyped(draft, other, end=other.end - 3)


# ---------------------------------------------------------------------------------------------- times and values

DAY = r"\d{4}-\d\d-\d\d"
# (type, its right value, the type that is written, how the value is written), each for another TIMEX3 of the document.
TIME_SLIPS = (("TIME", DAY + "T14:30", "TIME", lambda value: value[:7] + value[8:]),           # 1993-0907T14:30
              ("TIME", DAY + "T24:00", "TIME", lambda value: value.replace("T", "T ")),        # 2013-03-25T 24:00
              ("DATE", DAY, "DATE", lambda value: value[:8] + "0" + value[8:]))                # 2017-07-012
DATE_SLIPS = (("DATE", DAY, "DATE", lambda value: value[:1] + value[2:]),                      # 210-08-26
              ("TIME", DAY + "T14:30", "TIME", lambda value: value[:10]))                      # of a time, the day alone
FREQUENCY_SLIPS = (("FREQUENCY", "RPT1H", "FREQUENCY", str.lower),                             # rpt1h
                   ("FREQUENCY", "RPT8H", "FREQUENCY", lambda value: "P8H"),
                   ("FREQUENCY", "RPT12H", "FREQUENCY", lambda value: "p12h"),
                   ("DURATION", "PT5S", "DURATION", lambda value: "P5S"),
                   ("DURATION", "P2M", "DURATION", str.lower))                                 # p2m
TYPE_SLIPS = (("DURATION", "P2M", "DATE", str), ("FREQUENCY", "RPT8H", "DATE", str),
              ("FREQUENCY", "RPT12H", "DURATION", str), ("DURATION", "PT5S", "DURATION", lambda value: "PT.5S"))
NO_VALUE = (("DATE|TIME|DURATION", ".+", None, lambda value: ""),)


def slips(edits):
    """A change that writes the types and values of some TIMEX3s as annotators slipped."""
    def changed(_, draft):
        for kind, right, written, rewrite in edits:
            mention = next(each for each in draft.mentions if each.tag == "TIMEX3" and each.section
                           and re.fullmatch(kind, each.type) and re.fullmatch(right, each.value))
            draft = retyped(draft, mention, type=written or mention.type, value=rewrite(mention.value))
        return draft
    return changed


def blank_after_mod(_, draft):
    """The `mod` of the first TIMEX3 ends in a blank."""
    mention = next(each for each in draft.mentions if each.tag == "TIMEX3")
    return retyped(draft, mention, mod=mention.mod + " ")


# --------------------------------------------------------------------------------------------------------- links

def repeated_link_id(rng, draft):
    """Two ordinary links of one id."""
    ordinary = [number for number, link in enumerate(draft.links) if not link.is_section]
    number = rng.choice(ordinary[1:])
    return relinked(draft, number, id=draft.links[number - 1].id)


def relinked(draft, number, **changes):
    """The draft with some fields of a link changed."""
    links = list(draft.links)
    links[number] = links[number]._replace(**changes)
    return draft._replace(links=links)


def empty_types(rng, draft):
    """Two links have no type."""
    for number in rng.sample(range(len(draft.links)), 2):
        draft = relinked(draft, number, label="")
    return draft


def no_such_mention(rng, draft):
    """A link goes to an id that no tag has."""
    number = rng.choice([number for number, link in enumerate(draft.links)
                         if not link.is_section and link.target.tag == "EVENT"])
    return relinked(draft, number, target=draft.links[number].target._replace(id="E199"))


def link_told_twice(rng, draft):
    """Two links with the same ends and type."""
    ordinary = [number for number, link in enumerate(draft.links) if not link.is_section]
    number = rng.choice(ordinary[1:])
    return relinked(draft, number, **{name: getattr(draft.links[number - 1], name) for name in ("source", "target", "label")})


def contradictions(_, draft):
    """Two ordinary links that contradict section links.

    One event overlaps the heading's "Discharge" and yet is BEFORE its date; another is BEFORE an event on the day of
    discharge and yet AFTER the date.
    """
    events = [each for each in draft.mentions if each.tag == "EVENT"]
    heading = next(each for each in events if not each.section and each.identity == "discharge")
    discharged = next(each for each in events if each.section and each.identity == "discharge")
    earlier = [each for each in events if each.section == "course" and each.end < discharged.start][-1]
    told = ({discharged.id, heading.id}, {discharged.id, earlier.id})
    draft = draft._replace(links=[link for link in draft.links if {link.source.id, link.target.id} not in told])
    ordinary = [number for number, link in enumerate(draft.links) if not link.is_section][-2:]
    draft = relinked(draft, ordinary[0], source=discharged, target=heading, label="SIMULTANEOUS")
    draft = relinked(draft, ordinary[1], source=earlier, target=discharged, label="BEFORE")
    for event, label in ((discharged, "BEFORE"), (earlier, "AFTER")):
        number = next(number for number, link in enumerate(draft.links) if link.is_section and link.source is event)
        draft = relinked(draft, number, label=label)
    return draft


CHANGES = {
    "one section time": one_section_time, "no section times": no_section_times,
    "section time off by one": section_time_off_by_one,
    "repeated event": repeated_event, "repeated time": repeated_time, "no event type": no_event_type,
    "misplaced spans": misplaced_spans,
    "slips in times": slips(TIME_SLIPS), "slips in dates": slips(DATE_SLIPS), "slips in frequencies": slips(FREQUENCY_SLIPS),
    "slips in types": slips(TYPE_SLIPS), "no value": slips(NO_VALUE), "mod with a blank": blank_after_mod,
    "repeated link id": repeated_link_id, "empty types": empty_types, "no such mention": no_such_mention,
    "link told twice": link_told_twice, "contradictions": contradictions,
}
