"""A BERT's vocabulary, read strictly: a damaged one would make words unknown without a message."""
import io
import os

from support.errors import InputError
from tokenization import CLS, PAD, SEP, UNK


def read_vocab(path):
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
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
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
