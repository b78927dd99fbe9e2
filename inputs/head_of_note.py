"""Examples to BERT's input arrays: `[CLS] target [SEP] context [SEP]`, padded to one length.

    piece       [CLS] pain admission [SEP] the patient was ... [SEP] [PAD] ...
    segment_ids   0    0       0       0    1     1     1        1     0
    input_mask    1    1       1       1    1     1     1        1     0
"""
import contextlib
import hashlib
import os
from typing import NamedTuple

import numpy as np

from inputs.labels import LABELS
from support.arrays import read_arrays, write_arrays
from tokenization import CLS, PAD, SEP

# Raised whenever the same examples would give other arrays, so that no older cache is taken for a new one.
FORMAT = 2


class Features(NamedTuple):
    """Model input, one row an example; all int32."""

    input_ids: np.ndarray    # [examples, seq_length] word-piece ids
    input_mask: np.ndarray   # [examples, seq_length] 1 for a word piece, 0 for padding
    segment_ids: np.ndarray  # [examples, seq_length] 0 for the target, 1 for the context
    label_ids: np.ndarray    # [examples] index into LABELS, -1 for an example without a label

    def rows(self, chosen):
        """The features of some rows (a slice or an array of row numbers), in that order."""
        return Features(*(array[chosen] for array in self))

    def keys(self):
        """What the model's input depends on, a row an example: int32 [examples, 2 * seq_length]."""
        return np.concatenate([self.input_ids, self.segment_ids], axis=1)


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


def make_features(examples, tokenizer, seq_length):
    """Features of `examples`; a target or note that many examples share is tokenized once.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example.
    tokenizer : tokenization.WordPieceTokenizer.
    seq_length : length of every row.
    """
    targets = tokenize_once((example.target for example in examples), tokenizer)
    contexts = tokenize_once((example.context for example in examples), tokenizer)
    cls, sep, pad = (tokenizer.vocab[piece] for piece in (CLS, SEP, PAD))
    input_ids = np.full((len(examples), seq_length), pad, np.int32)
    input_mask = np.zeros_like(input_ids)
    segment_ids = np.zeros_like(input_ids)
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
        segment_ids[row, first:end] = 1
    return Features(input_ids, input_mask, segment_ids, label_ids(examples))


def label_ids(examples):
    """Indices into LABELS, -1 for an example without a label: int32 [examples]."""
    return np.array([LABELS.index(example.label) if example.label else -1 for example in examples], np.int32)


def tokenize_once(texts, tokenizer):
    """Dict of text -> int32 array of its word-piece ids."""
    different = list(dict.fromkeys(texts))
    return {text: np.array(ids, np.int32) for text, ids in zip(different, tokenizer.encode(different))}


def fingerprint(examples, tokenizer, do_lower_case, seq_length):
    """Hexadecimal digest of everything the features depend on: texts, labels, vocabulary, options, format."""
    digest = Digest()
    digest.add(str(FORMAT), str(seq_length), str(do_lower_case), *LABELS)
    digest.add(*sorted(tokenizer.vocab, key=tokenizer.vocab.get))
    notes = {}
    for example in examples:
        # A note's text is digested once; its examples then name it by number.
        if example.context not in notes:
            notes[example.context] = str(len(notes))
            digest.add(example.context)
        digest.add(example.target, notes[example.context], example.label)
    return digest.hexadecimal()


class Digest:
    """SHA-256 of a sequence of texts; where one ends and the next begins counts."""

    def __init__(self):
        self._digest = hashlib.sha256()

    def add(self, *texts):
        """Add texts to the sequence."""
        for text in texts:
            data = text.encode("utf-8")
            self._digest.update(b"%d:" % len(data) + data)

    def hexadecimal(self):
        """The digest so far."""
        return self._digest.hexdigest()


def cached_features(examples, tokenizer, settings, folder, split):
    """`make_features` of `examples`, through the cache in `folder`; see `cached`."""
    return cached(Features, fingerprint(examples, tokenizer, settings.do_lower_case, settings.seq_length),
                  lambda: make_features(examples, tokenizer, settings.seq_length), folder, split)


def cached(kind, key, make, folder, split):
    """Features from the cache in `folder`, or made and put there.

    A cache of other data, or a damaged one, is replaced; there is one file a split and kind, so disk use stays flat.

    Parameters
    ----------
    kind : Features or context.NotePlaces.
    key : digest of everything they depend on.
    make : function without arguments that returns them.
    folder : of the cache.
    split : "train" or "test".

    Returns
    -------
    (features, True if they came from the cache)
    """
    begin = f"{split}-{kind.__name__}-"
    path = os.path.join(folder, f"{begin}{key[:16]}.npz")
    features = read_cache(kind, path)
    if features is not None:
        return features, True
    features = make()
    write_arrays(path, features._asdict())
    for name in os.listdir(folder):
        if name.startswith(begin) and name.endswith(".npz") and name != os.path.basename(path):
            with contextlib.suppress(FileNotFoundError):  # another machine may be at the same work in a shared folder
                os.remove(os.path.join(folder, name))
    return features, False


def read_cache(kind, path):
    """The features stored in `path`, or None where there are none or they are damaged."""
    stored = read_arrays(path, "the features are made again")
    return None if stored is None else kind(**stored)


def unique_rows(features):
    """The different rows of `features`, and for each row of `features` its number among them.

    Many TLINKs link mentions of the same words in the same note: the paper's input is then identical, and one
    evaluation will do for all of them. `features` is Features or context.NotePlaces.

    Returns
    -------
    (features of the different rows in order of appearance, int64 array [rows])
    """
    numbers, first = {}, []
    where = np.empty(len(features.label_ids), np.int64)
    for row, key in enumerate(features.keys()):
        where[row] = numbers.setdefault(key.tobytes(), len(numbers))
        if where[row] == len(first):
            first.append(row)
    return features.rows(np.array(first, np.int64)), where
