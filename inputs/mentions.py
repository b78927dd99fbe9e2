"""Where the mentions of a note stand in its text, and what kind of mention each is.

Offsets are the corpus' weak side: they are counted from 1, some files count the line break after `<![CDATA[` and some
do not, and annotators' slips shift more (see data_process_i2b2.Mention). So each offset is checked against the words
of its mention, and where they are not there, the nearest place that has them is taken.

The words are compared white space and entities aside: in the corpus' notes `&apos;` and `&quot;` stand as they are, while
an attribute with them is read as a quotation mark; and a mention that is broken over two lines has a space there.
"""
import re
from typing import NamedTuple, Optional
from xml.sax.saxutils import unescape

# The types of EVENT, TIMEX3 and SECTIME in i2b2 2012 and, the last line, the further TIMEX3 types of E3C.
TYPES = {"EVENT": ("PROBLEM", "TEST", "TREATMENT", "OCCURRENCE", "EVIDENTIAL", "CLINICAL_DEPT"),
         "SECTIME": ("ADMISSION", "DISCHARGE"),
         "TIMEX3": ("DATE", "TIME", "DURATION", "FREQUENCY",
                    "SET", "QUANTIFIER", "PREPOSTEXP")}

# What a marker can say of a mention; a type that is not listed counts as its tag alone, an unknown id as UNKNOWN.
UNKNOWN = ("UNKNOWN", "")
KINDS = (UNKNOWN,) + tuple((tag, kind) for tag, kinds in sorted(TYPES.items()) for kind in ("",) + kinds)

# XML's own entities besides &amp;, &lt; and &gt;, and what each character can be in a note.
QUOTES = {"&apos;": "'", "&quot;": '"'}
WRITTEN = {character: f"(?:{re.escape(character)}|{entity})"
           for entity, character in dict(QUOTES, **{"&amp;": "&", "&lt;": "<", "&gt;": ">"}).items()}


class Place(NamedTuple):
    """A mention as the model is told of it."""

    kind: int                     # index into KINDS
    span: Optional[tuple] = None  # (begin, end) in Document.text, from 0, end exclusive; None: nowhere in the text


def places(document):
    """The Place of every mention of a document: dict of id -> Place.

    Of mentions with one id the first in the file counts, as for the challenge's scorer. A section time answers to its type
    in lower case, too: the corpus has TLINKs to "Discharge".
    """
    placed, drift = {}, 0
    for number, mention in sorted(enumerate(document.mentions), key=lambda pair: -1 if pair[1].start is None else pair[1].start):
        span, own_drift = locate(document.text, mention, drift)
        placed[number] = Place(kind_of(mention.tag, mention.type), span)
        if mention.tag != "SECTIME":  # whose offsets are wrong by themselves: they take each date to have ten characters
            drift = own_drift
    found = {}
    for number, mention in enumerate(document.mentions):
        for name in (mention.id, mention.type.strip().lower() if mention.tag == "SECTIME" else ""):
            if name:
                found.setdefault(name, placed[number])
    return found


def spans(document):
    """(begin, end) in `document.text` of each mention that has a place there: dict of id -> (int, int), end exclusive."""
    found = places(document)
    ids = {mention.id for mention in document.mentions}
    return {identifier: place.span for identifier, place in found.items() if identifier in ids and place.span}


def place_of(identifier, found):
    """The Place of a TLINK's side, among those `places` found; one without a span where the document has no such mention."""
    name = identifier.strip().lower()
    return found.get(identifier) or found.get(name) or Place(kind_of("SECTIME", name) if name.upper() in TYPES["SECTIME"]
                                                             else KINDS.index(UNKNOWN))


def kind_of(tag, kind):
    """Index into KINDS of a mention's tag and type, whatever the type's case."""
    kind = kind.strip().upper()
    return KINDS.index((tag, kind if kind in TYPES[tag] else ""))


def locate(text, mention, drift=0):
    """Find a mention in its note.

    Parameters
    ----------
    text : Document.text
    mention : data_process_i2b2.Mention
    drift : by how many characters the offsets of the mention before were wrong.

    Returns
    -------
    ((begin, end) or None, drift) : where the mention's words stand, white space and entities aside; where they stand
        nowhere, what the offsets say, shifted as the mention before, unless that is no text at all. The drift is the
        mention's own where its words were found.
    """
    words = ["".join(WRITTEN.get(character) or re.escape(character) for character in word)
             for word in words_of(mention.text)]
    stated = None if mention.start is None else mention.start - 1
    if words:
        pattern = re.compile(r"\s+".join(words), re.IGNORECASE)
        match = nearest(pattern, text, (stated + drift, stated) if stated is not None else (0,))
        if match:
            return match.span(), match.start() - stated if stated is not None else drift
    if stated is None or mention.end is None:
        return None, drift
    begin, end = max(stated + drift, 0), min(mention.end - 1 + drift, len(text))
    return ((begin, end) if text[begin:end].strip() else None), drift


def words_of(text):
    """The words of a note or of an attribute, its entities as the characters that they stand for: list of str."""
    return [unescape(word, QUOTES) for word in text.split()]


def nearest(pattern, text, expected):
    """The match of `pattern` at one of the expected places, else the one nearest to the first of them, or None."""
    for place in expected:
        match = pattern.match(text, place) if place >= 0 else None
        if match:
            return match
    return min(pattern.finditer(text), key=lambda match: abs(match.start() - expected[0]), default=None)
