"""Upstream's view: the words of both mentions and the head of the note, whichever link is asked about.

`[CLS] target [SEP] context [SEP]`, padded to one length:

    piece          [CLS] pain admission [SEP] the patient was ... [SEP] [PAD] ...
    token_type_ids   0    0       0       0    1     1     1        1     0
    input_mask       1    1       1       1    1     1     1        1     0
"""
from typing import NamedTuple

import numpy as np

from inputs.features import Digest, label_ids
from inputs.labels import LABELS
from tokenization import CLS, PAD, SEP

# Raised whenever the same examples would give other arrays, so that no older cache is taken for a new one.
FORMAT = 3
INT_BYTES = 4
CACHE_BYTES = 2000  # of an npz file around its arrays, and its digest


class Features(NamedTuple):
    """Model input, one row an example; all int32."""

    input_ids: np.ndarray       # [examples, seq_length] word-piece ids
    input_mask: np.ndarray      # [examples, seq_length] 1 for a word piece, 0 for padding
    token_type_ids: np.ndarray  # [examples, seq_length] 0 for the target, 1 for the context
    label_ids: np.ndarray       # [examples] index into the labels, -1 for an example without a label

    def rows(self, chosen):
        """The features of some rows (a slice or an array of row numbers), in that order."""
        return Features(*(array[chosen] for array in self))

    def keys(self):
        """What the model's input depends on, a row an example: int32 [examples, 2 * seq_length]."""
        return np.concatenate([self.input_ids, self.token_type_ids], axis=1)


class HeadOfNote:
    """See `views`."""

    name = "head_of_note"
    Features = Features

    def __init__(self, settings):
        self._settings = settings

    @staticmethod
    def is_chosen(settings):
        """Whether the settings ask for no window around the mentions."""
        return not settings.context

    def fingerprint(self, documents, examples, tokenizer, labels):
        """Digest of texts, labels, vocabulary, options and format, hexadecimal."""
        digest = Digest()
        digest.add(str(FORMAT), str(self._settings.seq_length), str(tokenizer.basic_tokenizer.do_lower_case), *labels)
        digest.add(*sorted(tokenizer.vocab, key=tokenizer.vocab.get))
        notes = {}
        for example in examples:
            # A note's text is digested once; its examples then name it by number.
            if example.context not in notes:
                notes[example.context] = str(len(notes))
                digest.add(example.context)
            digest.add(example.target, notes[example.context], example.label)
        return digest.hexadecimal()

    @staticmethod
    def about_distance():
        """A sentence for the report: the model is not told where the mentions are."""
        return ("The model is given the words of the mentions and the beginning of the note, up to its sequence length, but not "
                "where in the note the mentions are.")

    def make(self, documents, examples, tokenizer, labels):
        """Features of the examples; see `make_features`."""
        return make_features(examples, tokenizer, self._settings.seq_length, labels)

    @staticmethod
    def read_of(example):
        """What the model reads of an example: the words of its mentions and of its note."""
        return example.target, example.context

    def cache_bytes(self, documents, examples):
        """Bytes that the cache of the features takes."""
        matrices = len(Features._fields) - 1
        return len(examples) * (matrices * self._settings.seq_length + 1) * INT_BYTES + CACHE_BYTES

    def training_order(self, features):
        """Shuffled once, with the run's seed; every epoch goes through the examples in that order, as upstream does."""
        size, count = self._settings.batch_size, len(features.label_ids)
        order = np.random.RandomState(self._settings.seed).permutation(count)
        batches = [order[begin:begin + size] for begin in range(0, count, size)]
        return lambda epoch: batches

    def evaluation_order(self, features):
        """The rows of each evaluation batch: the examples in their own order."""
        size, count = self._settings.eval_batch_size, len(features.label_ids)
        return [np.arange(begin, min(begin + size, count)) for begin in range(0, count, size)]

    def batch(self, features, rows):
        """The rows themselves: Features."""
        return features.rows(rows)

    def typical_batch(self, count, vocab_size):
        """Random word pieces, seq_length of them in each row: Features."""
        random = np.random.RandomState(self._settings.seed)
        ids = random.randint(0, vocab_size, [count, self._settings.seq_length]).astype(np.int32)
        return Features(ids, np.ones_like(ids), np.zeros_like(ids), np.zeros(count, np.int32))

    def long_length(self):
        """The length of every batch."""
        return self._settings.seq_length

    def input_shapes(self):
        """The shapes of a batch's arrays; every row is padded to seq_length."""
        return {name: [None, self._settings.seq_length] for name in ("input_ids", "input_mask", "token_type_ids")}

    def pool(self, layer_outputs, convolved, inputs):
        """The maximum of each convolution over time: float32 [batch, filters of all widths].

        layer_outputs, inputs : not read.
        convolved : what text_model.convolve made of the last layer.
        """
        from network.runtime import tf
        return tf.concat([tf.reduce_max(values, axis=1) + bias for values, bias in convolved], axis=1)


def truncated_lengths(target, context, room):
    """Lengths of a pair after BERT's longest-first truncation.

    One piece at a time is dropped from the end of the longer side, from the context where both are equal, until
    the two fit into `room`; this is that loop's outcome.

    Returns
    -------
    (target length, context length)
    """
    if target + context <= room:
        return target, context
    half = room // 2
    if target <= half:
        return target, room - target
    if context <= half:
        return room - context, context
    return room - half, half


def make_features(examples, tokenizer, seq_length, labels=LABELS):
    """Features of `examples`; a target or note that many examples share is tokenized once.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example, or of anything with `target`, `context` and `label`.
    tokenizer : tokenization.FullTokenizer.
    seq_length : length of every row.
    labels : the labels in the order of their ids.
    """
    targets = tokenize_once((example.target for example in examples), tokenizer)
    contexts = tokenize_once((example.context for example in examples), tokenizer)
    cls, sep, pad = (tokenizer.vocab[piece] for piece in (CLS, SEP, PAD))
    input_ids = np.full((len(examples), seq_length), pad, np.int32)
    input_mask = np.zeros_like(input_ids)
    token_type_ids = np.zeros_like(input_ids)
    for row, example in enumerate(examples):
        target, context = targets[example.target], contexts[example.context]
        of_target, of_context = truncated_lengths(len(target), len(context), seq_length - 3)
        first, end = of_target + 2, of_target + of_context + 3
        input_ids[row, 0] = cls
        input_ids[row, 1:first - 1] = target[:of_target]
        input_ids[row, first - 1] = sep
        input_ids[row, first:end - 1] = context[:of_context]
        input_ids[row, end - 1] = sep
        input_mask[row, :end] = 1
        token_type_ids[row, first:end] = 1
    return Features(input_ids, input_mask, token_type_ids, label_ids(examples, labels))


def tokenize_once(texts, tokenizer):
    """Dict of text -> int32 array of its word-piece ids."""
    different = list(dict.fromkeys(texts))
    return {text: np.array(ids, np.int32) for text, ids in zip(different, tokenizer.encode(different))}
