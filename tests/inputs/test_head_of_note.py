"""BERT's input arrays and their cache; agreement with upstream's features is in test_parity.py."""
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_process_i2b2 import Example
from inputs import head_of_note
from inputs.features import cached, unique_rows
from inputs.labels import LABELS
from inputs.views import view_of
from settings import Settings
from tokenization import FullTokenizer

WORDS = "abcdefghij"
VOCAB = {piece: number for number, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
CLS, SEP = VOCAB["[CLS]"], VOCAB["[SEP]"]


class CountingTokenizer(FullTokenizer):
    """Counts the texts it gets."""
    texts = 0

    def encode(self, texts):
        texts = list(texts)
        self.texts += len(texts)
        return super().encode(texts)


@pytest.fixture
def tokenizer():
    return CountingTokenizer(VOCAB, False)


def cached_features(rows, tokenizer, settings, folder, split):
    """Features of some examples through the cache: (features, whether they came from it)."""
    view = view_of(settings)
    return cached(view, view.fingerprint((), rows, tokenizer, LABELS), lambda: view.make((), rows, tokenizer, LABELS), folder,
                  split)


def example(target, context, label="BEFORE", document="1", tlink="TL0"):
    return Example(f"{document}_{tlink}", target, context, label, document, tlink, "E0", "E1")


def test_a_pair_as_bert_reads_it(tokenizer):
    made = head_of_note.make_features([example("a b", "c d e", "AFTER")], tokenizer, 10)
    a, b, c, d, e = (VOCAB[word] for word in "abcde")
    np.testing.assert_array_equal(made.input_ids, [[CLS, a, b, SEP, c, d, e, SEP, 0, 0]])
    np.testing.assert_array_equal(made.input_mask, [[1] * 8 + [0] * 2])
    np.testing.assert_array_equal(made.token_type_ids, [[0] * 4 + [1] * 4 + [0] * 2])
    np.testing.assert_array_equal(made.label_ids, [LABELS.index("AFTER")])
    assert {array.dtype for array in made} == {np.dtype(np.int32)}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 60))
def test_truncation_is_that_of_the_loop(target, context, room):
    """Dropping one piece at a time from the longer side, from the context where both are equal."""
    left, right = target, context
    while left + right > room:
        if left > right:
            left -= 1
        else:
            right -= 1
    assert head_of_note.truncated_lengths(target, context, room) == (left, right)


@given(st.lists(st.tuples(st.text(WORDS, max_size=8), st.text(WORDS, max_size=30)), min_size=1, max_size=6),
       st.integers(5, 30))
def test_rows_are_well_formed(pairs, length):
    made = head_of_note.make_features([example(" ".join(target), " ".join(context)) for target, context in pairs],
                                  FullTokenizer(VOCAB, False), length)
    assert made.input_ids.shape == (len(pairs), length)
    for ids, mask, segments in zip(made.input_ids, made.input_mask, made.token_type_ids):
        used = mask.sum()
        assert (mask[:used] == 1).all() and (ids[used:] == 0).all() and (segments[used:] == 0).all()
        assert ids[0] == CLS and ids[used - 1] == SEP and (ids == SEP).sum() == 2
        assert (np.diff(segments[:used]) >= 0).all() and segments[used - 1] == 1 and segments[0] == 0


def test_a_note_is_tokenized_once(tokenizer):
    rows = [example(f"{WORDS[number % 3]}", f"{WORDS[number % 2]} a b") for number in range(100)]
    head_of_note.make_features(rows, tokenizer, 8)
    assert tokenizer.texts == 3 + 2


def test_cache_is_used_only_for_the_same_data(tokenizer, tmp_path, capsys):
    folder, rows = str(tmp_path / "features"), [example("a b", "c d"), example("b", "c d")]
    first, cached = cached_features(rows, tokenizer, Settings(), folder, "train")
    assert not cached
    before = tokenizer.texts
    again, cached = cached_features(rows, tokenizer, Settings(), folder, "train")
    assert cached and tokenizer.texts == before
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)
    lowered = CountingTokenizer(VOCAB, True)
    other_vocab = CountingTokenizer(dict(VOCAB, more=len(VOCAB)), False)
    for changed in ((rows[:1], tokenizer, Settings()), ([example("a b", "c d", "AFTER"), rows[1]], tokenizer, Settings()),
                    (rows, tokenizer, Settings(seq_length=20)), (rows, lowered, Settings(do_lower_case=True)),
                    (rows, other_vocab, Settings())):
        assert not cached_features(*changed, folder, "train")[1]
        assert len(os.listdir(folder)) == 1, "an older cache of the split is removed"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", [
    lambda data: data[:-20], lambda data: data[:50], lambda data: b"",
    lambda data: data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]])
def test_a_damaged_cache_is_told_and_made_again(damage, tokenizer, tmp_path, capsys):
    rows = [example("a b", "c d e"), example("d", "c d e")]
    expected, _ = cached_features(rows, tokenizer, Settings(), str(tmp_path), "test")
    path, = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    made, cached = cached_features(rows, tokenizer, Settings(), str(tmp_path), "test")
    assert not cached and path.name in capsys.readouterr().out
    for one, other in zip(made, expected):
        np.testing.assert_array_equal(one, other)
    assert cached_features(rows, tokenizer, Settings(), str(tmp_path), "test")[1]


@given(st.lists(st.tuples(st.sampled_from(["a", "a b", "c"]), st.sampled_from(["d", "e f"])), min_size=1, max_size=30))
def test_identical_rows_are_found(pairs):
    made = head_of_note.make_features([example(*pair) for pair in pairs], FullTokenizer(VOCAB, False), 8)
    different, where = unique_rows(made)
    assert len(different.input_ids) == len({head_of_note.HeadOfNote.read_of(example(*pair)) for pair in pairs})
    np.testing.assert_array_equal(different.input_ids[where], made.input_ids)
    np.testing.assert_array_equal(different.token_type_ids[where], made.token_type_ids)
