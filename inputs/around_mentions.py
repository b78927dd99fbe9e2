"""The view of the recipe `context`: the text around both mentions, with typed markers (Zhong and Chen 2021).

A note is tokenized once; an example is then two spans of its word pieces and the typed markers of its two mentions.
Which windows of the note are read is decided by `windows` when a batch is made.
"""
import bisect
from typing import NamedTuple

import numpy as np

from inputs import mentions, windows
from inputs.features import Digest, label_ids
from inputs.labels import LABELS
from inputs.sentences import headings, sentence_starts
from tokenization import CLS, PAD, SEP

# Raised whenever the same documents would give other arrays, so that no older cache is taken for a new one.
FORMAT = 5

NOWHERE = (-1, -1)  # the span of a mention that the text does not hold

SIDES, ENDS = 2, 2  # of a TLINK: from, to; of a mention: what opens and what closes it
UNITS = 3  # of distance: word pieces, sentences, mentions
FARTHEST = 8
DISTANCES = 2 + 2 * FARTHEST

POOL = 8  # batches of examples drawn at random that are then formed by length
MULTIPLE = 8  # lengths below seq_length are rounded up to a multiple of this: XLA compiles anew for every length
INT_BYTES = 4


class Features(NamedTuple):
    """Notes, and one row an example; all int32. `from` and `to` are the sides 0 and 1."""

    pieces: np.ndarray         # [pieces of all notes] word-piece ids
    notes: np.ndarray          # [notes + 1] where each note begins in `pieces`, and the end of the last
    special: np.ndarray        # [3] ids of [CLS], [SEP], [PAD]
    markers: np.ndarray        # [2 sides, MENTION_TYPES, 2 ends] ids of the pieces that open and close a mention
    note: np.ndarray           # [examples] number of the note
    spans: np.ndarray          # [examples, 2 sides, 2] first piece and the one after the last, in the note
    types: np.ndarray          # [examples, 2 sides] index into mentions.MENTION_TYPES
    heading_spans: np.ndarray  # [examples, 2 sides, 2] of the headings above the mentions
    sentences: np.ndarray      # [examples, 2 sides] number of the sentence in the note; -1 without a span
    orders: np.ndarray         # [examples, 2 sides] how many mentions of the note begin before; -1 without a span
    label_ids: np.ndarray      # [examples] index into the labels

    def rows(self, chosen):
        """The features of some examples (a slice or an array of row numbers), in that order, with all the notes."""
        return self._replace(**{name: getattr(self, name)[chosen] for name in self._fields[self._fields.index("note"):]})

    def keys(self):
        """What the model's input depends on, a row an example: int32 [examples, 11]."""
        return np.concatenate([self.note[:, None], self.spans.reshape(-1, 4), self.types, self.sentences, self.orders], axis=1)


class Batch(NamedTuple):
    """Model input, one row an example; all int32."""

    input_ids: np.ndarray       # [examples, length] word-piece ids
    input_mask: np.ndarray      # [examples, length] 1 for a word piece or marker, 0 for padding
    token_type_ids: np.ndarray  # [examples, length] 0
    link_markers: np.ndarray    # [examples, 2 sides] where the opening markers stand
    link_types: np.ndarray      # [examples, 2 sides] index into mentions.MENTION_TYPES
    link_distances: np.ndarray  # [examples, 3] from `from` to `to` in word pieces, sentences and mentions, see `distances`
    link_pooled: np.ndarray     # [examples, 2] begin and end of the part that the convolutions are pooled over
    label_ids: np.ndarray       # [examples] index into the labels

    def rows(self, chosen):
        """Some rows of the batch (a slice or an array of row numbers), at its length."""
        return Batch(*(array[chosen] for array in self))


class AroundMentions:
    """See `views`."""

    name = "around_mentions"
    Features = Features

    def __init__(self, settings):
        self._settings = settings

    @staticmethod
    def is_chosen(settings):
        """Whether the settings ask for a window around the mentions."""
        return settings.context > 0

    def fingerprint(self, documents, examples, tokenizer, labels):
        """Digest of notes, mentions, examples, vocabulary, options and format, hexadecimal."""
        digest = Digest()
        digest.add(str(FORMAT), str(tokenizer.basic_tokenizer.do_lower_case), *labels)
        digest.add(*("/".join(kind) for kind in mentions.MENTION_TYPES))
        digest.add(*sorted(tokenizer.vocab, key=tokenizer.vocab.get))
        digest.add(*(part for document in documents for part in (document.name, document.text, *mention_texts(document))))
        digest.add(*(part for example in examples for part in (example.document, example.from_id, example.to_id, example.label)))
        return digest.hexadecimal()

    def about_distance(self):
        """A sentence for the report: what the model is told of how far apart the mentions are."""
        text = f"The model is given the text around both mentions, {self._settings.context} word pieces on each side, "
        if self._settings.mention_types:
            return text + "and how many word pieces, sentences and mentions lie between them, in powers of two, and their order."
        return text + "but not how far apart they are where these two parts of the note do not meet."

    def make(self, documents, examples, tokenizer, labels):
        """Features of the examples; see `make_features`."""
        return make_features(documents, examples, tokenizer, labels)

    @staticmethod
    def read_of(example):
        """What the model reads of an example: its note and its mentions."""
        return example.document, example.from_id, example.to_id

    def cache_bytes(self, documents, examples):
        """Bytes of the features' cache at most: a word piece has a character or more."""
        columns = sum(2 if name in ("types", "sentences", "orders") else 4 if name.endswith("spans") else 1
                      for name in Features._fields[Features._fields.index("note"):])
        return INT_BYTES * (sum(len(document.text) + 1 for document in documents) + columns * len(examples)) + 4000

    def training_order(self, features):
        """Shuffled anew for every epoch; neighbours in that order are put into batches of similar length."""
        size, seed = self._settings.batch_size, self._settings.seed
        units = in_text_order(features)
        lengths = self._lengths(features)[units]

        def order(epoch):
            random = np.random.RandomState([seed, epoch])
            shuffled = random.permutation(len(units))
            pools = [shuffled[begin:begin + POOL * size] for begin in range(0, len(shuffled), POOL * size)]
            shuffled = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
            batches = [units[shuffled[begin:begin + size]] for begin in range(0, len(shuffled), size)]
            return [batches[number] for number in random.permutation(len(batches))]
        return order

    def evaluation_order(self, features):
        """The rows of each evaluation batch: the examples sorted by length."""
        size, units = self._settings.eval_batch_size, in_text_order(features)
        order = units[np.argsort(self._lengths(features)[units], kind="stable")]
        return [order[begin:begin + size] for begin in range(0, len(order), size)]

    def batch(self, features, rows):
        """The Batch of some rows, padded to the longest."""
        laid_out = [self._row(features, row) for row in rows]
        shape = (len(rows), self._rounded(max(max(len(row.ids) for row in laid_out), max(self._settings.filter_sizes))))
        input_ids, input_mask = np.full(shape, features.special[2], np.int32), np.zeros(shape, np.int32)
        for number, row in enumerate(laid_out):
            input_ids[number, :len(row.ids)] = row.ids
            input_mask[number, :len(row.ids)] = 1
        in_units = [distances(places[rows]) for places in (features.spans[:, :, 0], features.sentences, features.orders)]
        return Batch(input_ids, input_mask, np.zeros(shape, np.int32), np.array([row.markers for row in laid_out], np.int32),
                     features.types[rows], np.stack(in_units, axis=1),
                     np.array([row.pooled for row in laid_out], np.int32), features.label_ids[rows])

    def typical_batch(self, count, vocab_size):
        """Random word pieces, as many in each row as is usual: Batch."""
        random, length = np.random.RandomState(self._settings.seed), windows.usual_length(self._settings)
        ids = random.randint(0, vocab_size, [count, length]).astype(np.int32)
        pairs = np.zeros([count, 2], np.int32)
        return Batch(ids, np.ones_like(ids), np.zeros_like(ids), pairs, pairs, np.zeros([count, UNITS], np.int32),
                     pairs + np.array([0, length], np.int32), np.zeros(count, np.int32))

    def long_length(self):
        """The length of the longest batches, but for a few."""
        return self._rounded(windows.long_length(self._settings))

    def input_shapes(self):
        """The shapes of a batch's arrays; batches differ in length."""
        shapes = {name: [None, None] for name in ("input_ids", "input_mask", "token_type_ids")}
        return dict(shapes, link_markers=[None, 2], link_types=[None, 2], link_distances=[None, UNITS], link_pooled=[None, 2])

    def pool(self, layer_outputs, convolved, inputs):
        """What the classifier reads of each example: float32 [batch, any].

        The maxima of the convolutions over the example's part of the text; with `marker_states` the states of its two
        markers in some layers; with `mention_types` the types of its mentions and their distances, one-hot.

        Parameters
        ----------
        layer_outputs : list of float [batch, length, hidden], of all layers.
        convolved : what text_model.convolve made of the last layer.
        inputs : dict of the tensors of Batch.
        """
        from network.runtime import tf
        count, length = tf.unstack(tf.shape(inputs["input_ids"]))
        begin, end = inputs["link_pooled"][:, :1], inputs["link_pooled"][:, 1:]
        parts = []
        for width, (values, bias) in zip(self._settings.filter_sizes, convolved):
            times = tf.range(length - width + 1)[None]
            # A part shorter than the filter still counts with the one time that begins with it.
            first = tf.minimum(begin, length - width)
            inside = tf.logical_and(times >= first, times <= tf.maximum(end - width, first))
            outside = (1.0 - tf.cast(inside, tf.float32))[:, :, None] * -10000.0
            parts.append(tf.reduce_max(values + outside, axis=1) + bias)
        states = chosen_layers(layer_outputs, self._settings.marker_layers) if self._settings.marker_states else []
        for side in range(SIDES):
            places = tf.stack([tf.range(count), inputs["link_markers"][:, side]], axis=1)
            parts += [tf.cast(tf.gather_nd(layer, places), tf.float32) for layer in states]
        if self._settings.mention_types:
            parts += [tf.one_hot(inputs["link_types"][:, side], len(mentions.MENTION_TYPES)) for side in range(SIDES)]
            parts += [tf.one_hot(inputs["link_distances"][:, unit], DISTANCES) for unit in range(UNITS)]
        return tf.concat(parts, axis=1)

    def _rounded(self, length):
        """The length of a batch whose longest row has this one: no more than seq_length, as BERT may have no more positions."""
        return max(length, min(-(-length // MULTIPLE) * MULTIPLE, self._settings.seq_length))

    def _windows(self, features, row):
        """The windows around the mentions of an example, and those with the headings."""
        length = int(features.notes[features.note[row] + 1] - features.notes[features.note[row]])
        own = windows.windows_of(features.spans[row], length, self._settings)
        return own, windows.with_headings(own, features.heading_spans[row], self._settings)

    def _lengths(self, features):
        """Length of each example's row: int [examples]."""
        return np.array([windows.size(self._windows(features, row)[1], self._settings) for row in range(len(features.note))], int)

    def _row(self, features, row):
        """The windows.Row of an example."""
        own, whole = self._windows(features, row)
        cls, sep, _ = features.special
        note = features.note[row]
        ids, numbers = windows.text_of(features.pieces[features.notes[note]:features.notes[note + 1]], whole, cls, sep)
        spans = features.spans[row]
        if self._settings.markers == "none":
            return windows.unmarked(ids, numbers, spans, own)
        return windows.marked(ids, numbers, spans, [features.markers[side, features.types[row, side]] for side in range(SIDES)])


def make_features(documents, examples, tokenizer, labels=LABELS):
    """Features of `examples`.

    Parameters
    ----------
    documents : list of data_process_i2b2.Document, those of the examples among them.
    examples : list of data_process_i2b2.Example.
    tokenizer : tokenization.FullTokenizer
    labels : the labels in the order of their ids.

    Returns
    -------
    Features
    """
    encoded, numbers, found, spans, counters = [], {}, {}, {}, {}
    for document in documents:
        numbers[document.name] = len(encoded)
        ids, spans[document.name] = tokenizer.spans(document.text)
        encoded.append(ids)
        found[document.name] = mentions.located(document)
        begins = sorted(begin for begin, _ in mentions.spans(document).values())
        counters[document.name] = (sentence_starts(document.text), begins, headings(document.text))
    note, of_mentions, types, above, sentences, orders = [], [], [], [], [], []
    for example in examples:
        sides = [mentions.end_of(identifier, found[example.document]) for identifier in (example.from_id, example.to_id)]
        note.append(numbers[example.document])
        of_mentions.append([piece_span(side.span, spans[example.document]) for side in sides])
        types.append([side.type for side in sides])
        starts, begins, of_note = counters[example.document]
        above.append([piece_span(heading_above(side.span, of_note), spans[example.document])
                      for side in sides])
        sentences.append([bisect.bisect_right(starts, side.span[0]) if side.span else -1 for side in sides])
        orders.append([bisect.bisect_left(begins, side.span[0]) if side.span else -1 for side in sides])
    return Features(
        pieces=np.concatenate(encoded + [np.zeros(0, np.int32)]),
        notes=np.cumsum([0] + [len(ids) for ids in encoded]).astype(np.int32),
        special=np.array([tokenizer.vocab[piece] for piece in (CLS, SEP, PAD)], np.int32), markers=marker_ids(tokenizer.vocab),
        note=np.array(note, np.int32), label_ids=label_ids(examples, labels),
        **{name: np.array(values, np.int32).reshape(-1, SIDES, 2)
           for name, values in (("spans", of_mentions), ("heading_spans", above))},
        **{name: np.array(values, np.int32).reshape(-1, SIDES)
           for name, values in (("types", types), ("sentences", sentences), ("orders", orders))})


def in_text_order(features):
    """Rows by note and by the later mention of each TLINK: int [examples]. What a seed draws from; it must not change."""
    return np.lexsort((np.arange(len(features.note)), features.spans.max(axis=(1, 2)), features.note))


def mention_texts(document):
    """All that the features take from a document's mentions, as texts."""
    return [str(part) for mention in document.mentions
            for part in (mention.tag, mention.type, mention.id, mention.start, mention.end, mention.text)]


def heading_above(span, of_note):
    """The last of a note's headings that ends before a span, or None; spans in characters."""
    if span is None:
        return None
    number = bisect.bisect_right([end for _, end in of_note], span[0])
    return of_note[number - 1] if number else None


def piece_span(span, pieces):
    """The word pieces that a span of the text touches: (first, one after the last).

    span : (begin, end) in characters, or None.
    pieces : int32 [pieces, 2], the spans of the note's pieces.
    """
    if span is None:
        return NOWHERE
    begin = int(np.searchsorted(pieces[:, 1], span[0], side="right"))
    end = int(np.searchsorted(pieces[:, 0], span[1], side="left"))
    # A mention of nothing but characters the tokenizer drops touches no piece.
    return (begin, end) if begin < end else NOWHERE


def marker_ids(vocab):
    """Ids of the typed markers: int32 [2 sides, MENTION_TYPES, 2 ends].

    They are the vocabulary's unused pieces, in their order; where it has too few of them,
    its last pieces besides, which are the rarest.
    """
    count = SIDES * len(mentions.MENTION_TYPES) * ENDS
    unused = [number for piece, number in vocab.items() if piece.startswith("[unused")]
    others = [number for piece, number in vocab.items() if piece[0] != "["]
    chosen = sorted(unused)[:count] + sorted(others, reverse=True)
    # A toy vocabulary may be smaller than that; its markers then share pieces.
    return np.resize(np.array(chosen[:count], np.int32), (SIDES, len(mentions.MENTION_TYPES), ENDS))


def distances(places):
    """How far apart the two mentions of each example are, and in which order, in powers of two.

    Parameters
    ----------
    places : int32 [examples, 2 sides], in any unit; negative for a mention that the text does not hold.

    Returns
    -------
    int32 [examples], below DISTANCES: 0 where the text lacks one of them, 1 for the same place, 2 + n for `to` 2^n units or
    more after `from`, and 2 + FARTHEST + n for as many before it.
    """
    apart = places[:, 1] - places[:, 0]
    power = np.minimum(np.log2(np.maximum(np.abs(apart), 1)).astype(np.int32), FARTHEST - 1)
    result = np.where(apart == 0, 1, 2 + power + FARTHEST * (apart < 0))
    return np.where(places.min(axis=1) < 0, 0, result).astype(np.int32)


def chosen_layers(layers, count):
    """So many of the layers, evenly spread, the last one among them; early layers tell more of words and syntax."""
    count = min(count, len(layers))
    return [layers[len(layers) * number // count - 1] for number in range(1, count + 1)]
