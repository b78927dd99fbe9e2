"""BERT's tokenization on a small vocabulary; agreement with upstream's features is in test_parity.py."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.errors import InputError
from tokenization import WordPieceTokenizer, load_vocab

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "pain", "##ful", "Pain", "cafe", "café", ".", ",", "-",
          "x", "##x", "中", "2"]


def tokenizer(do_lower_case=True):
    return WordPieceTokenizer({piece: number for number, piece in enumerate(PIECES)}, do_lower_case)


@pytest.mark.parametrize("text, lower, pieces", [
    ("The painful pain.", True, ["the", "pain", "##ful", "pain", "."]),
    ("The Pain", False, ["[UNK]", "Pain"]),
    ("Café", True, ["cafe"]),
    ("café", False, ["café"]),
    ("pain-pain,2", True, ["pain", "-", "pain", ",", "2"]),
    ("pain中pain", True, ["pain", "中", "pain"]),
    ("pain\t\r\n pain\u00a0pain", True, ["pain"] * 3),
    ("pa\u0000in pa\u200bin", True, ["pain", "pain"]),
    ("unheard", True, ["[UNK]"]),
    ("x" * 200, True, ["x"] + ["##x"] * 199),
    ("x" * 201, True, ["[UNK]"]),
    ("", True, []),
])
def test_word_pieces(text, lower, pieces):
    assert tokenizer(lower).pieces(text) == pieces


def test_ids_are_line_numbers():
    assert tokenizer().encode(["the pain", ""]) == [[5, 6], []]


@given(st.text())
def test_any_text_has_pieces_of_the_vocabulary_alone(text):
    assert set(tokenizer().pieces(text)) <= set(PIECES)


@given(st.lists(st.sampled_from(["the", "pain", "painful", "x", ".", "2"]), max_size=20))
def test_words_do_not_depend_on_their_neighbours(words):
    each = tokenizer()
    assert each.pieces(" ".join(words)) == [piece for word in words for piece in each.pieces(word)]


def test_vocabulary_is_read_in_order(tmp_path):
    path = tmp_path / "vocab.txt"
    # Such characters end a line for str.splitlines, and are pieces of multilingual vocabularies.
    path.write_bytes(("\n".join(PIECES + ["\u2028", "\x85"]) + "\n").encode("utf-8"))
    vocab = load_vocab(str(path))
    assert list(vocab) == PIECES + ["\u2028", "\x85"] and list(vocab.values()) == list(range(len(PIECES) + 2))


@pytest.mark.parametrize("data, words", [
    ("\r\n".join(PIECES).encode("utf-8"), "Windows line ends"),
    ("\n".join(PIECES + ["the"]).encode("utf-8"), "line 19 repeats the word piece of line 6"),
    ("\n".join(PIECES[5:]).encode("utf-8"), r"\[CLS\]"),
    ("\n".join(PIECES).encode("utf-16"), "UTF-8"),
])
def test_what_is_not_a_vocabulary_is_refused(data, words, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        load_vocab(str(path))
