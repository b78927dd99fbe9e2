"""Which stretches of a note the model reads, and which TLINKs it reads them for.

A TLINK needs `context` word pieces on each side of its two mentions: one stretch of text, or two where the mentions are
far apart; with `headings`, those above the mentions besides. TLINKs whose stretches fit into `seq_length` pieces
together share a pass, `links_per_pass` at most. With `markers=inserted` there is one TLINK to a pass, its markers stand
in the text:

    piece       [CLS] ... ( pain ) on [SEP] ... [ admission ] ... [SEP] [PAD]
    group_ids     0    0  0   0  0  0    0   0  0      0      0  0    0    -1

With `markers=attached` the markers follow the text. Each takes the position of the first piece of its mention, sees
the text and the other marker of its TLINK, and is seen by that alone, so the text's states are the same for all TLINKs
(Zhong and Chen 2021, "approximation model"; Ye et al. 2022, "levitated markers"). A marker is that first piece once
more: BERT knows what to make of it from the first step, as it does not of an unused piece. Its segment tells `from`, 0,
and `to`, 1:

    piece        [CLS]  the  pain  on  admission  [SEP]  pain  admission  admission  pain  [PAD]
    position_ids   0     1    2    3      4         5     2        4          4       2      0
    group_ids      0     0    0    0      0         0     1        1          2       2     -1
    segment_ids    0     0    0    0      0         0     0        1          0       1      0
"""
from typing import NamedTuple

import numpy as np

FARTHEST = 8
DISTANCES = 2 + 2 * FARTHEST
HEADING_PIECES = 8  # of a heading, from its beginning
UNITS = 3  # of distance: word pieces, sentences, mentions
MULTIPLE = 8  # lengths are rounded up to a multiple of this: XLA compiles anew for every length


class Pass(NamedTuple):
    """What one row of a batch shows, and for which examples."""

    note: int
    stretches: list  # (begin, end) in the note's pieces, in order, apart from each other
    rows: list       # numbers of the examples


class Batch(NamedTuple):
    """Model input for several passes; all int32. The examples are in the order of the passes' rows."""

    input_ids: np.ndarray      # [passes, length] word-piece ids
    input_mask: np.ndarray     # [passes, length] 1 for a word piece or marker, 0 for padding
    segment_ids: np.ndarray    # [passes, length] 1 for the attached marker of a `to`, else 0
    position_ids: np.ndarray   # [passes, length] number of the position embedding
    group_ids: np.ndarray      # [passes, length] 0 is seen by all; others see those of their number and 0
    link_passes: np.ndarray    # [examples] the pass
    link_markers: np.ndarray   # [examples, 2] where the (opening) markers of `from` and `to` stand in it
    link_kinds: np.ndarray     # [examples, 2] index into mentions.KINDS
    link_distances: np.ndarray  # [examples, 3] from `from` to `to` in word pieces, sentences and mentions, see `distances`
    link_stretches: np.ndarray  # [examples, 2] the part of it around the mentions: the convolutions are pooled over it
    label_ids: np.ndarray      # [examples] index into LABELS


# --------------------------------------------------------------------------------------------------------- choosing

def pack(features, settings):
    """Passes for all examples of `features` (context.NotePlaces): list of Pass.

    Examples are taken in the order of their places, so that those of one stretch meet; a pass is closed when the next
    example does not fit.
    """
    lengths = np.diff(features.notes)
    passes = []
    # A section time stands at a note's head, its event anywhere: it is the later place that brings neighbours together.
    last = features.ranges.max(axis=(1, 2))
    for row in np.lexsort((np.arange(len(last)), last, features.note)):
        note = int(features.note[row])
        own = with_headings(stretches_of(features.ranges[row], int(lengths[note]), settings), features.headings[row], settings)
        if passes and passes[-1].note == note and len(passes[-1].rows) < settings.links_per_pass:
            joined = merged(passes[-1].stretches + own)
            if size(joined, len(passes[-1].rows) + 1, settings) <= settings.seq_length:
                passes[-1] = Pass(note, joined, passes[-1].rows + [int(row)])
                continue
        passes.append(Pass(note, own, [int(row)]))
    return passes


def stretches_of(ranges, length, settings):
    """The stretches of a note that one example needs.

    Parameters
    ----------
    ranges : int [2, 2], of `from` and `to`: first piece and the one after the last; negative without a place.
    length : of the note, in pieces.

    Returns
    -------
    list of (begin, end), one or two, whose size is within seq_length; the head of the note for an example without places.
    """
    placed = [(int(begin), int(end)) for begin, end in ranges if begin >= 0] or [(0, 1)]
    for context in range(settings.context, -1, -1):
        stretches = merged([(max(begin - context, 0), min(end + context, length)) for begin, end in placed])
        if size(stretches, 1, settings) <= settings.seq_length:
            return stretches
    # Only the first pieces of mentions as long as that.
    room = (settings.seq_length - size([], 1, settings)) // len(placed) - 1
    return merged([(begin, min(begin + room, end)) for begin, end in placed])


def with_headings(stretches, headings, settings):
    """The stretches of one example and, where the settings ask for them and they fit, the headings above its mentions.

    headings : int [2, 2], of `from` and `to`: first piece and the one after the last; negative without one.
    """
    if not settings.headings:
        return stretches
    heads = [(int(begin), min(int(end), int(begin) + HEADING_PIECES)) for begin, end in headings if begin >= 0]
    joined = merged(stretches + heads)
    return joined if size(joined, 1, settings) <= settings.seq_length else stretches


def merged(stretches):
    """The same places as stretches that neither overlap nor touch, in order."""
    result = []
    for begin, end in sorted(stretches):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((begin, end))
    return result


def size(stretches, links, settings):
    """Length of a pass: [CLS], the stretches, each with its [SEP], and the markers of so many TLINKs."""
    return 1 + sum(end - begin + 1 for begin, end in stretches) + links * MARKERS[settings.markers]


def usual_length(settings):
    """Length of the passes that speed is estimated with.

    With one TLINK to a pass that of two single pieces far apart, each with all its context: more than most passes have.
    """
    if not settings.context or settings.links_per_pass > 1:
        return settings.seq_length
    return min(size([(0, 2 * settings.context + 1)] * 2, 1, settings), settings.seq_length)


def length(one, settings):
    """Length of a Pass."""
    return size(one.stretches, len(one.rows), settings)


MARKERS = {"none": 0, "inserted": 4, "attached": 2}  # of one TLINK


# ----------------------------------------------------------------------------------------------------------- arrays

def arrays(features, passes, settings):
    """The Batch of some passes, padded to the longest."""
    layout = inserted if settings.markers == "inserted" else attached
    laid_out = [layout(features, one, settings) for one in passes]
    longest = max(max(len(row.ids) for row in laid_out), max(settings.filter_sizes))
    shape = (len(passes), -(-longest // MULTIPLE) * MULTIPLE)
    input_ids = np.full(shape, features.special[2], np.int32)
    input_mask, segment_ids, position_ids, group_ids = (np.full(shape, value, np.int32) for value in (0, 0, 0, -1))
    for number, row in enumerate(laid_out):
        length = len(row.ids)
        input_ids[number, :length] = row.ids
        input_mask[number, :length] = 1
        segment_ids[number, :length] = row.segments
        position_ids[number, :length] = row.positions
        group_ids[number, :length] = row.groups
    rows = [row for one in passes for row in one.rows]
    return Batch(input_ids, input_mask, segment_ids, position_ids, group_ids,
                 np.repeat(np.arange(len(passes)), [len(one.rows) for one in passes]).astype(np.int32),
                 np.concatenate([row.markers for row in laid_out]).astype(np.int32),
                 features.kinds[rows], np.stack([distances(places[rows]) for places in (
                     features.ranges[:, :, 0], features.sentences, features.orders)], axis=1),
                 np.concatenate([row.stretches for row in laid_out]).astype(np.int32), features.label_ids[rows])


def passes_of(batch, begin, end):
    """The Batch of passes `begin` to `end` of a batch, at its length, and how many examples of the batch come before."""
    first, last = np.searchsorted(batch.link_passes, [begin, end])
    of_examples = {name for name in Batch._fields if name.startswith("link_") or name == "label_ids"}
    part = Batch(**{name: array[first:last] if name in of_examples else array[begin:end]
                    for name, array in batch._asdict().items()})
    return part._replace(link_passes=part.link_passes - np.int32(begin)), int(first)


def distances(places):
    """How far apart the two mentions of each example are, and in which order, in powers of two.

    Parameters
    ----------
    places : int32 [examples, 2] of `from` and `to`, in any unit; negative without a place.

    Returns
    -------
    int32 [examples], below DISTANCES: 0 where one has no place, 1 for the same place, 2 + n for `to` 2^n units or more
    after `from`, and 2 + FARTHEST + n for as many before it.
    """
    apart = places[:, 1] - places[:, 0]
    power = np.minimum(np.log2(np.maximum(np.abs(apart), 1)).astype(np.int32), FARTHEST - 1)
    result = np.where(apart == 0, 1, 2 + power + FARTHEST * (apart < 0))
    return np.where(places.min(axis=1) < 0, 0, result).astype(np.int32)


class Row(NamedTuple):
    """One pass laid out; the arrays as in Batch, without padding."""

    ids: np.ndarray
    segments: np.ndarray
    positions: np.ndarray
    groups: np.ndarray
    markers: np.ndarray    # [links, 2]
    stretches: np.ndarray  # [links, 2]


def text_of(features, one):
    """A pass' text: its pieces' ids, [CLS] and [SEP] included, and for each the piece's number in the note, or -1."""
    cls, sep, _ = features.special
    begin_of_note = features.notes[one.note]
    ids, numbers = [[cls]], [[-1]]
    for begin, end in one.stretches:
        ids += [features.pieces[begin_of_note + begin:begin_of_note + end], [sep]]
        numbers += [np.arange(begin, end), [-1]]
    return np.concatenate(ids), np.concatenate(numbers)


def where(numbers, piece):
    """Where a piece of the note stands in a pass; at [CLS] if it is not shown."""
    return int(np.argmax(numbers == piece)) if piece >= 0 and (numbers == piece).any() else 0


def attached(features, one, settings):
    """A pass whose markers follow the text; with markers=none the places of the mentions stand for them. Returns Row."""
    ids, numbers = text_of(features, one)
    length, note_length = len(ids), features.notes[one.note + 1] - features.notes[one.note]
    ranges = features.ranges[one.rows]
    firsts = np.array([[where(numbers, begin) for begin in sides] for sides in ranges[:, :, 0]])
    stretches = []
    for sides in ranges:
        own = stretches_of(sides, note_length, settings)
        stretches.append((where(numbers, own[0][0]), where(numbers, own[-1][1] - 1) + 1))
    positions, segments, groups, markers = np.arange(length), np.zeros(length, int), np.zeros(length, int), firsts
    if settings.markers == "attached":
        links = len(one.rows)
        ids = np.concatenate([ids, ids[firsts.reshape(-1)]])
        segments = np.concatenate([segments, np.tile([0, 1], links)])
        positions = np.concatenate([positions, firsts.reshape(-1)])
        groups = np.concatenate([groups, np.repeat(np.arange(1, links + 1), 2)])
        markers = length + np.arange(2 * links).reshape(links, 2)
    return Row(ids, segments, positions, groups, markers, np.array(stretches))


def inserted(features, one, settings):
    """A pass of one example, its markers around the mentions; those of a mention without a place follow [CLS]. Returns Row."""
    ids, numbers = text_of(features, one)
    (row,) = one.rows
    insertions = []
    for side, (begin, end) in enumerate(features.ranges[row]):
        opening, closing = features.markers[side, features.kinds[row, side]]
        first = where(numbers, begin)
        if not first:
            insertions += [(1, 0, side, 0, opening, side), (1, 0, side, 1, closing, None)]
            continue
        # At one place what closes comes before what opens, and of two mentions the longer one encloses the other.
        last = max(first, where(numbers, end - 1))
        insertions += [(first, 2, first - last, side, opening, side), (last + 1, 1, last - first, -side, closing, None)]
    pieces, markers, done, length = [], [0, 0], 0, 0
    for place, _, _, _, piece, opened in sorted(insertions, key=lambda insertion: insertion[:4]):
        pieces += [ids[done:place], [piece]]
        length += place - done + 1
        done = place
        if opened is not None:
            markers[opened] = length - 1
    ids = np.concatenate(pieces + [ids[done:]])
    zeros = np.zeros(len(ids), int)
    return Row(ids, zeros, np.arange(len(ids)), zeros, np.array([markers]), np.array([[0, len(ids)]]))
