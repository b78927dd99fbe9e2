"""Where in a note its mentions are: the character offsets of the tags, brought in line with the text.

The offsets of a file count from 0, 1 or 2 (see data_process_i2b2.Mention), and single ones are off by more. The
origin is taken that most mentions of the document fit; a mention that does not fit then is looked for nearby.
"""
import re

# How far from its offsets a mention is looked for, in characters.
NEARBY = 60


def spans(document):
    """Places of the mentions: {id: (begin, end)}, offsets in `document.text`, begin < end.

    Mentions without offsets, and those whose offsets lie outside the text, have none. Where the text at the offsets
    is not the mention's and the mention's is not nearby either, the offsets stand.

    Parameters
    ----------
    document : data_process_i2b2.Document
    """
    origin = _origin(document)
    found = {}
    for mention in _with_offsets(document):
        begin, end = mention.start + origin, mention.end + origin
        if _words(document.text, begin, end) != mention.text.split():
            begin, end = _nearest(document.text, mention.text, begin) or (begin, end)
        if 0 <= begin < end <= len(document.text):
            found[mention.id] = begin, end
    return found


def _with_offsets(document):
    return [mention for mention in document.mentions if mention.start is not None and mention.end is not None]


def _origin(document):
    """What to add to a document's offsets so that most fit its text."""
    def fitting(origin):
        return sum(_words(document.text, mention.start + origin, mention.end + origin) == mention.text.split()
                   for mention in _with_offsets(document))
    return max((-1, 0, -2), key=fitting)


def _words(text, begin, end):
    return text[max(0, begin):max(0, end)].split()


def _nearest(text, wanted, begin):
    """(begin, end) of the occurrence of `wanted` nearest to `begin`, any white space for its own; None without."""
    words = [re.escape(word) for word in wanted.split()]
    if not words:
        return None
    # A word is not found within another one.
    pattern = re.compile(r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)")
    low, high = max(0, begin - NEARBY), begin + NEARBY + len(wanted)
    places = [match.span() for match in pattern.finditer(text, low, high)]
    return min(places, key=lambda place: abs(place[0] - begin), default=None)
