"""A BERT's vocabulary as our commands read it: whole and as released, or not at all."""
import pytest

from inputs.vocabulary import read_vocab
from support.errors import InputError

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "pain", "##ful", "Pain", "cafe", "café", ".", ",", "-",
          "x", "##x", "中", "2"]


def test_vocabulary_is_read_in_order(tmp_path):
    path = tmp_path / "vocab.txt"
    # Such characters end a line for str.splitlines, and are pieces of multilingual vocabularies.
    path.write_bytes(("\n".join(PIECES + ["\u2028", "\x85"]) + "\n").encode("utf-8"))
    vocab = read_vocab(str(path))
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
        read_vocab(str(path))
