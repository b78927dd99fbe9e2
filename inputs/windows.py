"""Which windows of a note are read for one TLINK, and how they are laid out.

A TLINK needs `context` word pieces on each side of its two mentions: one window of the text, or two where the mentions are
far apart; with `headings`, those above the mentions, too. With `markers=inserted` the markers stand around the mentions:

    piece       [CLS] ... ( pain ) on [SEP] ... [ admission ] ... [SEP]

Spans below are (begin, end) in the note's word pieces, end exclusive.
"""
from typing import NamedTuple

import numpy as np

HEADING_PIECES = 8  # of a heading, from its beginning
LONG_MENTION = 8  # pieces that few mentions have more than
MARKERS = {"none": 0, "inserted": 4}  # pieces that the markers of a TLINK take


class Row(NamedTuple):
    """One TLINK laid out, without padding."""

    ids: np.ndarray   # int [length] word-piece ids
    markers: list     # where the opening markers of `from` and `to` stand; without markers, the first pieces of the mentions
    pooled: tuple     # (begin, end) of the part that the convolutions are pooled over


# --------------------------------------------------------------------------------------------------------- choosing

def windows_of(spans, length, settings):
    """The windows around the mentions of one TLINK.

    Parameters
    ----------
    spans : int [2, 2], of `from` and `to`; negative for a mention that the text does not hold.
    length : of the note, in word pieces.

    Returns
    -------
    list of (begin, end), one or two, whose size is within seq_length; the head of the note for a TLINK without spans.
    """
    found = [(int(begin), int(end)) for begin, end in spans if begin >= 0] or [(0, 1)]
    for context in range(settings.context, -1, -1):
        windows = merged([(max(begin - context, 0), min(end + context, length)) for begin, end in found])
        if size(windows, settings) <= settings.seq_length:
            return windows
    # Only the first pieces of mentions as long as that.
    room = (settings.seq_length - size([], settings)) // len(found) - 1
    return merged([(begin, min(begin + room, end)) for begin, end in found])


def with_headings(windows, heading_spans, settings):
    """The windows and, where the settings ask for them and they fit, the headings above the mentions.

    heading_spans : int [2, 2], of the headings above `from` and `to`; negative without one.
    """
    if not settings.headings:
        return windows
    headings = [(int(begin), min(int(end), int(begin) + HEADING_PIECES)) for begin, end in heading_spans if begin >= 0]
    joined = merged(windows + headings)
    return joined if size(joined, settings) <= settings.seq_length else windows


def merged(spans):
    """The same pieces as spans that neither overlap nor touch, in order."""
    result = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((begin, end))
    return result


def size(windows, settings):
    """Length of a row: [CLS], the windows, each with its [SEP], and the markers."""
    return 1 + sum(end - begin + 1 for begin, end in windows) + MARKERS[settings.markers]


def usual_length(settings):
    """Length of a row of two single pieces far apart, each with all its context: more than most rows have."""
    return min(size([(0, 2 * settings.context + 1)] * 2, settings), settings.seq_length)


def long_length(settings):
    """Length of a long row: two long mentions far apart, each with all its context and, where they are read, both headings."""
    spans = [(0, 2 * settings.context + LONG_MENTION)] * 2 + [(0, HEADING_PIECES)] * (2 if settings.headings else 0)
    return min(size(spans, settings), settings.seq_length)


# -------------------------------------------------------------------------------------------------------- laying out

def text_of(pieces, windows, cls, sep):
    """A row's text: its pieces' ids, [CLS] and [SEP] included, and for each the piece's number in the note, or -1.

    pieces : int [length of the note], word-piece ids.
    """
    ids, numbers = [[cls]], [[-1]]
    for begin, end in windows:
        ids += [pieces[begin:end], [sep]]
        numbers += [np.arange(begin, end), [-1]]
    return np.concatenate(ids), np.concatenate(numbers)


def place_of(numbers, piece):
    """Where a piece of the note stands in a row; at [CLS] if it is not shown."""
    return int(np.argmax(numbers == piece)) if piece >= 0 and (numbers == piece).any() else 0


def unmarked(ids, numbers, spans, windows):
    """The Row without markers; the convolutions are pooled over the windows around the mentions.

    windows : those of the mentions alone, without headings.
    """
    return Row(ids, [place_of(numbers, begin) for begin, _ in spans],
               (place_of(numbers, windows[0][0]), place_of(numbers, windows[-1][1] - 1) + 1))


def marked(ids, numbers, spans, marker_ids):
    """The Row with markers around the mentions; those of a mention that the text does not hold follow [CLS].

    marker_ids : int [2 sides, 2], the pieces that open and close `from` and `to`.
    """
    insertions = []
    for side, (begin, end) in enumerate(spans):
        opening, closing = marker_ids[side]
        first = place_of(numbers, begin)
        if not first:
            insertions += [(1, 0, side, 0, opening, side), (1, 0, side, 1, closing, None)]
            continue
        # Of a mention longer than its window the marker closes what is shown.
        last = int(np.flatnonzero((numbers >= begin) & (numbers < end))[-1])
        # At one place what closes comes before what opens, and of two mentions the longer one encloses the other.
        insertions += [(first, 2, first - last, side, opening, side), (last + 1, 1, last - first, -side, closing, None)]
    pieces, markers, done, length = [], [0, 0], 0, 0
    for place, _, _, _, piece, opened in sorted(insertions, key=lambda insertion: insertion[:4]):
        pieces += [ids[done:place], [piece]]
        length += place - done + 1
        done = place
        if opened is not None:
            markers[opened] = length - 1
    ids = np.concatenate(pieces + [ids[done:]])
    return Row(ids, markers, (0, len(ids)))
