"""BERT's tokenization: basic (white space, punctuation, CJK characters) then WordPiece (Devlin et al. 2019, 3.1).

The work is done by the `tokenizers` library; this module fixes the options under which it gives what the
released BERT models were trained with.
"""
import io
import os

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from support.errors import InputError

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
# Said or not, tokenizing uses several threads; said, the library prints no warning when the process starts another one.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
# A longer word becomes one [UNK], as in Google's release.
MAX_CHARACTERS_PER_WORD = 200


def load_vocab(path):
    """Read a BERT vocabulary: one word piece a line, the line's number (from 0) is its id.

    Returns
    -------
    dict of word piece -> id.

    Raises
    ------
    InputError : no such file, not UTF-8, Windows line ends, an empty line, a piece twice or a special piece missing.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path}: the BERT folder has no vocab.txt; it comes with the model's other files.")
    try:
        # newline="\n": a line end of another kind must be seen, it would end up inside every word piece.
        with io.open(path, encoding="utf-8", newline="\n") as lines:
            pieces = lines.read().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); copy it again from the model's release.")
    if pieces[-1] == "":
        pieces.pop()
    if any(piece.endswith("\r") for piece in pieces):
        raise InputError(f"{path}: has Windows line ends, which would make every word unknown; "
                         "convert it (`sed -i 's/\\r$//' vocab.txt`) or copy it again in binary mode.")
    empty = next((number for number, piece in enumerate(pieces) if not piece.strip(" \t")), None)
    if empty is not None:
        raise InputError(f"{path}: line {empty + 1} is empty; each line of a BERT vocabulary holds one word piece. Copy it again "
                         "from the model's release.")
    vocab = {piece: number for number, piece in enumerate(pieces)}
    if len(vocab) < len(pieces):
        first = next(number for number, piece in enumerate(pieces) if vocab[piece] != number)
        raise InputError(f"{path}: line {vocab[pieces[first]] + 1} repeats the word piece of line {first + 1}; the file "
                         "is not a BERT vocabulary as released.")
    missing = [piece for piece in (PAD, UNK, CLS, SEP) if piece not in vocab]
    if missing:
        raise InputError(f"{path}: lacks the special word pieces {', '.join(missing)}; it is not a BERT vocabulary.")
    return vocab


class WordPieceTokenizer:
    """Text to word-piece ids.

    Parameters
    ----------
    vocab : dict of word piece -> id, from `load_vocab`.
    do_lower_case : lower-case and strip accents first, as uncased models expect.
    """

    def __init__(self, vocab, do_lower_case):
        self.vocab, self.do_lower_case = vocab, do_lower_case
        self._tokenizer = Tokenizer(models.WordPiece(
            vocab=vocab, unk_token=UNK, max_input_chars_per_word=MAX_CHARACTERS_PER_WORD))
        self._tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=do_lower_case, lowercase=do_lower_case)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def encode(self, texts):
        """Word-piece ids of each text, without special pieces: list of lists of int."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def pieces(self, text):
        """Word pieces of one text, as strings."""
        return self._tokenizer.encode(text).tokens

    def spans(self, text):
        """Word pieces of one text and where each stands in it.

        Returns
        -------
        (ids, spans) : int32 [pieces], int32 [pieces, 2]; a span is (begin, end) in characters, end exclusive.
        """
        encoding = self._tokenizer.encode(text)
        return np.array(encoding.ids, np.int32), np.array(encoding.offsets, np.int32).reshape(-1, 2)
