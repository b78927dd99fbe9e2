"""Where the mentions of a note stand in its text, and the type of each.

Offsets are the corpus' weak side: they are counted from 1, some files count the line break after `<![CDATA[` and some
do not, and annotators' slips shift more (see data_process_i2b2.Mention). So each offset is checked against the words
of its mention, and where they are not there, the nearest place that has them is taken.

The words are compared white space and entities aside: in the corpus' notes `&apos;` and `&quot;` stand as they are, while
an attribute with them is read as a quotation mark; and a mention that is broken over two lines has a space there.
"""
import bisect
import re
from typing import NamedTuple, Optional
from xml.sax.saxutils import unescape

import numpy as np

# The types of EVENT, TIMEX3 and SECTIME in i2b2 2012 and, the last line, the further TIMEX3 types of E3C.
TYPES = {"EVENT": ("PROBLEM", "TEST", "TREATMENT", "OCCURRENCE", "EVIDENTIAL", "CLINICAL_DEPT"),
         "SECTIME": ("ADMISSION", "DISCHARGE"),
         "TIMEX3": ("DATE", "TIME", "DURATION", "FREQUENCY",
                    "SET", "QUANTIFIER", "PREPOSTEXP")}

# What a marker can say of a mention; a type that is not listed counts as its tag alone, an unknown id as UNKNOWN.
UNKNOWN = ("UNKNOWN", "")
MENTION_TYPES = (UNKNOWN,) + tuple((tag, kind) for tag, kinds in sorted(TYPES.items()) for kind in ("",) + kinds)

# XML's own entities besides &amp;, &lt; and &gt;, and what each character can be in a note.
QUOTES = {"&apos;": "'", "&quot;": '"'}
WRITTEN = {character: f"(?:{entity}|{re.escape(character)})"
           for entity, character in dict(QUOTES, **{"&amp;": "&", "&lt;": "<", "&gt;": ">"}).items()}


class Located(NamedTuple):
    """A mention as the model is told of it."""

    type: int                     # index into MENTION_TYPES
    span: Optional[tuple] = None  # (begin, end) in Document.text, from 0, end exclusive; None: nowhere in the text


def located(document):
    """The Located of every mention of a document: dict of id -> Located.

    Of mentions with one id the first in the file counts, as for the challenge's scorer. A section time answers to its type
    in lower case, too: the corpus has TLINKs to "Discharge".
    """
    placed, drift, search = {}, 0, Search(document)
    for number, mention in sorted(enumerate(document.mentions), key=lambda pair: -1 if pair[1].start is None else pair[1].start):
        span, own_drift = locate(document.text, mention, drift, search)
        placed[number] = Located(type_id(mention.tag, mention.type), span)
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
    found = located(document)
    ids = {mention.id for mention in document.mentions}
    return {identifier: place.span for identifier, place in found.items() if identifier in ids and place.span}


def end_of(identifier, found):
    """The Located of a TLINK's side, among those `located` found; one without a span where the document has no such mention."""
    name = identifier.strip().lower()
    return found.get(identifier) or found.get(name) or Located(type_id("SECTIME", name) if name.upper() in TYPES["SECTIME"]
                                                             else MENTION_TYPES.index(UNKNOWN))


def type_id(tag, kind):
    """Index into MENTION_TYPES of a mention's tag and type, whatever the type's case."""
    kind = kind.strip().upper()
    return MENTION_TYPES.index((tag, kind if kind in TYPES[tag] else ""))


def locate(text, mention, drift=0, search=None):
    """Find a mention in its note.

    Parameters
    ----------
    text : Document.text
    mention : data_process_i2b2.Mention
    drift : by how many characters the offsets of the mention before were wrong.
    search : Search of the document, where many of its mentions are located.

    Returns
    -------
    ((begin, end) or None, drift) : where the mention's words stand, white space and entities aside; where they stand
        nowhere, what the offsets say, shifted as the mention before, unless that is no text at all. The drift is the
        mention's own where its words were found.
    """
    stated = None if mention.start is None else mention.start - 1
    if stated is not None and stated + drift >= 0 and stands_at(text, stated + drift, mention.text):
        return (stated + drift, stated + drift + len(mention.text)), drift
    words = ["".join(WRITTEN.get(character) or re.escape(character) for character in word)
             for word in words_of(mention.text)]
    if words:
        pattern = re.compile(r"\s+".join(words), re.IGNORECASE)
        match = nearest(pattern, text, (stated + drift, stated) if stated is not None else (0,), mention.text, search)
        if match:
            return match.span(), match.start() - stated if stated is not None else drift
    if stated is None or mention.end is None:
        return None, drift
    begin, end = max(stated + drift, 0), min(mention.end - 1 + drift, len(text))
    return ((begin, end) if text[begin:end].strip() else None), drift


def stands_at(text, place, words):
    """Whether words stand at a place to the letter, nothing in them being an entity: as most mentions do, and soon told."""
    return bool(words) and text.startswith(words, place) and "&" not in words and words == words.strip()


def words_of(text):
    """The words of a note or of an attribute, its entities as the characters that they stand for: list of str."""
    return [unescape(word, QUOTES) for word in text.split()]


def nearest(pattern, text, expected, words="", search=None):
    """The match of `pattern` at one of the expected places, else the one nearest to the first of them, or None."""
    for place in expected:
        match = pattern.match(text, place) if place >= 0 else None
        if match:
            return match
    found = matches(pattern, text) if search is None else search.around(pattern, words, expected[0])
    return min(found, key=lambda match: abs(match.start() - expected[0]), default=None)


def matches(pattern, text):
    """The matches of a pattern, those that overlap too."""
    match = pattern.search(text)
    while match:
        yield match
        match = pattern.search(text, match.start() + 1)


# ------------------------------------------------------------------------------------- many mentions out of place

# The plain way through the text is quicker for this many mentions of a note than an index of it.
SCANS = 30
# What may be written otherwise: white space but for a single space, and XML's entities.
EITHER_WAY = re.compile(r"\s\s+|[^\S ]|&(?:amp|lt|gt|apos|quot);", re.IGNORECASE)


class Search:
    """Finds the words of many mentions in one text.

    Going through the whole text for each would take hours for a file whose offsets are all wrong. After `SCANS` times a
    suffix array of the text is made (Manber and Myers 1993), in which words are found by halving.
    """

    def __init__(self, document):
        self._document = document
        self._scans = 0
        self._folded = self._places = self._order = None  # see _index
        self._known = {}  # folded words -> their offsets in the text, ascending

    def around(self, pattern, words, place):
        """Matches of a pattern: all, or at least the nearest one on each side of a place.

        Parameters
        ----------
        pattern : compiled from `words`, the text of a mention.
        place : offset in the text.
        """
        text = self._document.text
        self._scans += 1
        if self._scans <= SCANS:
            return matches(pattern, text)
        if self._order is None:
            self._index()
        key = folded(words.strip())[0]
        if key not in self._known:
            self._known[key] = self._find(key)
        places = self._known[key]
        middle = int(np.searchsorted(places, place))
        sides = (places[:middle][::-1], places[middle:])
        found = (next(filter(None, (pattern.match(text, int(begin)) for begin in side)), None) for side in sides)
        return [match for match in found if match]

    def _index(self):
        self._folded, self._places = folded(self._document.text)
        longest = max(len(mention.text) for mention in self._document.mentions)
        # Numbers that sort the suffixes by their first `width` characters; each round doubles the width.
        ranks, width = np.unique([ord(character) for character in self._folded], return_inverse=True)[1], 1
        while width < longest and len(ranks):
            following = np.concatenate([ranks[width:] + 1, np.zeros(min(width, len(ranks)), ranks.dtype)])
            ranks = np.unique(ranks * (len(ranks) + 1) + following, return_inverse=True)[1]
            width *= 2
        self._order = np.argsort(ranks, kind="stable")

    def _find(self, key):
        """Offsets in the text at which folded words stand, ascending."""
        begins = Beginnings(self._folded, self._order, len(key))
        first, last = bisect.bisect_left(begins, key), bisect.bisect_right(begins, key)
        return self._places[np.sort(self._order[first:last])]


class Beginnings:
    """The suffixes of a text in order, each cut to a length: a sequence of str."""

    def __init__(self, text, order, length):
        self._text, self._order, self._length = text, order, length

    def __len__(self):
        return len(self._order)

    def __getitem__(self, number):
        begin = self._order[number]
        return self._text[begin:begin + self._length]


def folded(text):
    """A text as mentions are compared with it: (str, int array [its length], the offset of each character in `text`)."""
    pieces, places, end = [], [], 0
    for match in EITHER_WAY.finditer(text):
        pieces += [text[end:match.start()], unescape(match.group().lower(), QUOTES) if match.group().strip() else " "]
        places.append(np.arange(end, match.start() + 1))
        end = match.end()
    pieces.append(text[end:])
    places.append(np.arange(end, len(text)))
    # Upper case first: some lower-case letters have one upper-case letter in common. No character becomes two.
    cases = {character: character.upper().lower() for character in set(text)}
    table = {ord(character): other for character, other in cases.items() if len(other) == 1}
    return "".join(pieces).translate(table), np.concatenate(places)
