"""BERT's tokenization (Devlin et al. 2019, 3.1): words and punctuation, then WordPiece, with the interface of Google's release.

    Basic      "The pain's  gone" -> the, pain, ', s, gone       white space, punctuation, CJK ideographs; case and accents
    WordPiece  "painful"          -> pain, ##ful                 the longest piece of the vocabulary, again and again

The tokens are those of the release of 2018, to the character: the classes of characters are those of the running Python's
`unicodedata`. It differs in what it does besides: a word that was met before is looked up, which makes it several times
faster; `FullTokenizer` also takes a vocabulary that is in memory already, and tells where each piece stands in the text;
`load_vocab` reads local files without TensorFlow.
"""
import collections
import functools
import io
import re
import unicodedata
from typing import NamedTuple

import numpy as np

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
# Of so many different words the outcome is kept; a text of a million words has fewer.
KEPT_WORDS = 2 ** 16
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
              (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
ASCII_PUNCTUATION = ((33, 47), (58, 64), (91, 96), (123, 126))
ASCII_WORDS = re.compile("[A-Za-z0-9]+|[^A-Za-z0-9]")

# Folders of the models that Google released, by whether their text is to be lower-cased.
SMALL = {f"uncased_L-{layers}_H-{64 * heads}_A-{heads}" for layers in (2, 4, 6, 8, 10, 12) for heads in (2, 4, 8, 12)}
RELEASED = {
    True: SMALL | {"uncased_L-24_H-1024_A-16", "wwm_uncased_L-24_H-1024_A-16", "multilingual_L-12_H-768_A-12",
                   "chinese_L-12_H-768_A-12"},
    False: {"cased_L-12_H-768_A-12", "cased_L-24_H-1024_A-16", "wwm_cased_L-24_H-1024_A-16", "multi_cased_L-12_H-768_A-12"}}


class FullTokenizer:
    """Text to word pieces: basic tokenization, then WordPiece on each word.

    Special pieces in a text are text: "[SEP]" gives `[`, `sep`, `]`.

    Parameters
    ----------
    vocab_file : path of a vocabulary (see `load_vocab`), or the vocabulary itself, a dict of word piece -> id.
    do_lower_case : lower-case and strip accents first, as uncased models expect.

    Attributes
    ----------
    vocab, inv_vocab : dict of word piece -> id, and of id -> word piece.
    basic_tokenizer : BasicTokenizer
    wordpiece_tokenizer : WordpieceTokenizer
    """

    def __init__(self, vocab_file, do_lower_case=True):
        self.vocab = vocab_file if isinstance(vocab_file, dict) else load_vocab(vocab_file)
        self.inv_vocab = {number: piece for piece, number in self.vocab.items()}
        self.basic_tokenizer = BasicTokenizer(do_lower_case)
        self.wordpiece_tokenizer = WordpieceTokenizer(self.vocab)
        self._kept, self._kept_for = {}, None

    def tokenize(self, text):
        """Word pieces of a text (str, or bytes in UTF-8): list of str."""
        return [piece for word in self.basic_tokenizer.tokenize(text) for piece in self.wordpiece_tokenizer.tokenize(word)]

    def convert_tokens_to_ids(self, tokens):
        """Ids of word pieces: list of int. A piece that the vocabulary lacks is a KeyError."""
        return convert_by_vocab(self.vocab, tokens)

    def convert_ids_to_tokens(self, ids):
        """Word pieces of ids: list of str. An id that the vocabulary lacks is a KeyError."""
        return convert_by_vocab(self.inv_vocab, ids)

    def encode(self, texts):
        """Word-piece ids of each text, without special pieces: list of lists of int."""
        kept = self._known()
        return [[number for run in runs(text) for number in (kept.get(run) or self._add(kept, run))[0]] for text in texts]

    def spans(self, text):
        """Word pieces of one text and where each stands in it.

        Returns
        -------
        (ids, spans) : int32 [pieces], int32 [pieces, 2]; a span is (begin, end) in characters, end exclusive. That of
        an unknown word is the whole word's.
        """
        cleaned, kept = text.translate(CLEANED), self._known()
        ids, begins, ends = [], [], []
        for match in re.finditer(r"\S+", cleaned):
            start, run = match.start(), match.group()
            of_run, first, last = kept.get(run) or self._add(kept, run)
            ids += of_run
            begins += [start + number for number in first]
            ends += [start + number for number in last]
        places = origins_of_cleaned(text)
        spans = np.stack([places[begins], places[ends] + 1], axis=1) if ids else np.zeros([0, 2], np.int32)
        return np.array(ids, np.int32), spans

    def _known(self):
        """The runs of characters met before: dict of run -> what `_add` says of it."""
        wordpiece = self.wordpiece_tokenizer
        depends_on = (self.basic_tokenizer.do_lower_case, wordpiece, *wordpiece.state())
        if depends_on != self._kept_for or len(self._kept) >= KEPT_WORDS:
            self._kept, self._kept_for = {}, depends_on
        return self._kept

    def _add(self, kept, run):
        """Find a run's pieces and keep them: (ids, numbers in the run of each piece's first character, and of its last)."""
        ids, first, last = [], [], []
        for word, origins in words_of_run(run, self.basic_tokenizer.do_lower_case):
            pieces, begin = self.wordpiece_tokenizer.match(word), 0
            for piece in pieces:
                # One piece, which may be the unknown one, is the whole word.
                end = len(word) if len(pieces) == 1 else begin + len(piece) - len("##" if begin else "")
                ids.append(self.vocab[piece])
                first.append(origins[begin])
                last.append(origins[end - 1])
                begin = end
        kept[run] = tuple(ids), tuple(first), tuple(last)
        return kept[run]


class BasicTokenizer:
    """Text to words: punctuation characters and CJK ideographs are words of their own, control characters go.

    Parameters
    ----------
    do_lower_case : lower-case the words and strip their accents, too.
    """

    def __init__(self, do_lower_case=True):
        self.do_lower_case = do_lower_case

    def tokenize(self, text):
        """Words of a text (str, or bytes in UTF-8): list of str."""
        return [word for run in runs(text) for word in kept_words(run, self.do_lower_case)]


class Known(NamedTuple):
    """What a WordpieceTokenizer has found so far."""

    state: tuple   # what it hangs on, see WordpieceTokenizer.state
    longest: int   # characters of the longest piece
    pieces: dict   # word -> tuple of its pieces


class WordpieceTokenizer:
    """Words to word pieces, by the longest match from the left; a piece that continues a word begins with `##`.

    Parameters
    ----------
    vocab : dict (or another container) of the word pieces.
    unk_token : what becomes of a word that cannot be matched whole.
    max_input_chars_per_word : a longer word becomes `unk_token`, too.
    """

    def __init__(self, vocab, unk_token=UNK, max_input_chars_per_word=200):
        self.vocab = vocab
        self.unk_token = unk_token
        self.max_input_chars_per_word = max_input_chars_per_word
        self._known = None

    def tokenize(self, text):
        """Word pieces of words with white space between them: list of str."""
        return [piece for word in whitespace_tokenize(convert_to_unicode(text)) for piece in self.match(word)]

    def match(self, word):
        """The pieces of one word: tuple of str."""
        state = self.state()
        # One tuple, so that another thread meets all of it or nothing.
        known = self._known
        if known is None or known.state != state or len(known.pieces) >= KEPT_WORDS:
            known = self._known = Known(state, max(map(len, self.vocab), default=0), {})
        if word not in known.pieces:
            known.pieces[word] = self._match(word, known.longest)
        return known.pieces[word]

    def state(self):
        """What the pieces depend on, as far as a script may change it."""
        return len(self.vocab), self.unk_token, self.max_input_chars_per_word

    def _match(self, word, longest):
        if len(word) > self.max_input_chars_per_word:
            return (self.unk_token,)
        pieces, begin = [], 0
        while begin < len(word):
            prefix = "##" if begin else ""
            for end in range(min(len(word), begin + longest), begin, -1):
                if prefix + word[begin:end] in self.vocab:
                    break
            else:
                return (self.unk_token,)
            pieces.append(prefix + word[begin:end])
            begin = end
        return tuple(pieces)


# ------------------------------------------------------------------------------------------------------- vocabulary

def load_vocab(vocab_file):
    """Read a vocabulary: one word piece a line, the line's number (from 0) is its id.

    White space around a piece is stripped, Windows line ends with it; of a piece that comes twice the last line counts.
    Our own commands read theirs with inputs.vocabulary, which refuses what is not a BERT's vocabulary as released.

    Parameters
    ----------
    vocab_file : path of a local file in UTF-8; the release reads what TensorFlow can open, such as gs://, too.

    Returns
    -------
    OrderedDict of word piece -> id.

    Raises
    ------
    OSError : no such file, or it cannot be read.
    UnicodeDecodeError : not UTF-8.
    """
    # newline="\n": in multilingual vocabularies other characters that end a line are pieces.
    with io.open(vocab_file, encoding="utf-8", newline="\n") as lines:
        return collections.OrderedDict((line.strip(), number) for number, line in enumerate(lines))


def convert_by_vocab(vocab, items):
    """`vocab[item]` of each item: list. An item that the vocabulary lacks is a KeyError."""
    return [vocab[item] for item in items]


def convert_tokens_to_ids(vocab, tokens):
    """Ids of word pieces; vocab : dict of word piece -> id."""
    return convert_by_vocab(vocab, tokens)


def convert_ids_to_tokens(inv_vocab, ids):
    """Word pieces of ids; inv_vocab : dict of id -> word piece."""
    return convert_by_vocab(inv_vocab, ids)


def validate_case_matches_checkpoint(do_lower_case, init_checkpoint):
    """Check the case against a released model's name.

    Parameters
    ----------
    do_lower_case : whether text is to be lower-cased.
    init_checkpoint : path that ends in FOLDER/bert_model.ckpt; any other path, and None, says nothing of the case.

    Raises
    ------
    ValueError : FOLDER is the name of one of Google's releases, and the model is of the other case.
    """
    named = re.search(r"([^/\\]+)[/\\]bert_model\.ckpt", init_checkpoint or "")
    if named and named.group(1) in RELEASED[not do_lower_case]:
        kind, value = ("a cased", False) if do_lower_case else ("an uncased", True)
        raise ValueError(f"{init_checkpoint} is {kind} model, but do_lower_case is {do_lower_case}: the text would not be what "
                         f"the model was trained with. Use do_lower_case={value}, or the model of the other case.")


# ------------------------------------------------------------------------------------------------------------- text

def convert_to_unicode(text):
    """A str as it is, bytes decoded as UTF-8, what is not UTF-8 left out; a ValueError for anything else."""
    if isinstance(text, str):
        return text
    if isinstance(text, bytes):
        return text.decode("utf-8", "ignore")
    raise ValueError(f"text must be str or bytes, not {type(text).__name__}.")


def printable_text(text):
    """A text as `print` takes it: what `convert_to_unicode` gives."""
    return convert_to_unicode(text)


def whitespace_tokenize(text):
    """The parts of a text between white space: list of str."""
    return text.split()


def runs(text):
    """The runs of characters between white space, cleaned: list of str."""
    return convert_to_unicode(text).translate(CLEANED).split()


def origins_of_cleaned(text):
    """For each character of a cleaned text the number of the text's character that it comes from: int32 [characters]."""
    if all(len(CLEANED[ord(character)]) == 1 for character in set(text)):
        return np.arange(len(text), dtype=np.int32)
    return np.array([number for number, character in enumerate(text) for _ in CLEANED[ord(character)]], np.int32)


@functools.lru_cache(maxsize=KEPT_WORDS)
def kept_words(run, do_lower_case):
    """The words of a run of cleaned characters without white space: tuple of str."""
    return tuple(word for word, _ in words_of_run(run, do_lower_case))


def words_of_run(run, do_lower_case):
    """The words of a run: list of (word, numbers of the run's characters that the word's characters come from)."""
    origins = range(len(run))
    if len(run) == len(run.encode("utf-8", "surrogatepass")):  # ASCII, by far the most runs: the same, faster
        run = run.lower() if do_lower_case else run
        return [(match.group(), origins[match.start():match.end()]) for match in ASCII_WORDS.finditer(run)]
    if do_lower_case:
        # Decomposing reorders marks, but those are dropped: what is left stands in the order of the run.
        origins = [number for number, character in enumerate(run) for _ in without_accents(character.lower())]
        # As a whole: the lower case of a sigma depends on its neighbours.
        run = without_accents(run.lower())
    words, begin = [], 0
    for end, character in enumerate(run + " "):
        if character == " " or _is_punctuation(character):
            words += [(run[first:last], origins[first:last]) for first, last in ((begin, end), (end, end + 1))]
            begin = end + 1
    return [(word, numbers) for word, numbers in words if word]


def without_accents(text):
    """A text decomposed (NFD) and without the non-spacing marks."""
    return "".join(character for character in unicodedata.normalize("NFD", text) if unicodedata.category(character) != "Mn")


def _is_whitespace(char):
    """Whether a character is a tab, a line end, a space or one of category Zs."""
    return char in " \t\n\r" or unicodedata.category(char) == "Zs"


def _is_control(char):
    """Whether a character is of a category C* (control, format, private, unassigned), tabs and line ends apart."""
    return char not in "\t\n\r" and unicodedata.category(char).startswith("C")


@functools.lru_cache(maxsize=None)
def _is_punctuation(char):
    """Whether a character is of a category P*, or ASCII and neither letter, digit, space nor control character."""
    return within(ord(char), ASCII_PUNCTUATION) or unicodedata.category(char).startswith("P")


def within(number, ranges):
    """Whether a number is in one of several ranges, given as (first, last)."""
    return any(first <= number <= last for first, last in ranges)


class Cleaned(dict):
    """What BERT's cleaning makes of a character, by its number, worked out at first use; for `str.translate`."""

    def __missing__(self, number):
        character = chr(number)
        if number in (0, 0xFFFD) or _is_control(character):
            made = ""
        elif _is_whitespace(character):
            made = " "
        else:
            made = f" {character} " if within(number, IDEOGRAPHS) else character
        self[number] = made
        return made


CLEANED = Cleaned()
