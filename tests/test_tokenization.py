"""BERT's tokenization: the tokens recorded from the release, its interface, what is ours; upstream's features: test_parity.py."""
import json
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokenization
from tokenization import BasicTokenizer, FullTokenizer, WordpieceTokenizer

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "pain", "##ful", "Pain", "cafe", "café", ".", ",", "-",
          "x", "##x", "中", "2"]


def tokenizer(do_lower_case=True):
    return FullTokenizer({piece: number for number, piece in enumerate(PIECES)}, do_lower_case)


@pytest.fixture(scope="module")
def vocab_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_bytes("".join(f"{piece}\r\n" for piece in PIECES).encode("utf-8"))
    return str(path)


# ----------------------------------------------------------------------------------------------------- the release

@pytest.fixture(scope="module")
def recorded(shared):
    folder = shared / "bert_interface"
    return str(folder / "vocab.txt"), json.loads((folder / "tokens.json").read_text(encoding="utf-8"))


def test_tokens_equal_the_releases(recorded):
    vocab_file, rows = recorded
    assert len(rows) == 329
    for kind, made in (("basic", BasicTokenizer(do_lower_case=False)), ("basic_lower", BasicTokenizer()),
                       ("cased", FullTokenizer(vocab_file, do_lower_case=False)), ("lower", FullTokenizer(vocab_file))):
        wrong = {row["text"]: made.tokenize(row["text"]) for row in rows if made.tokenize(row["text"]) != row[kind]}
        assert not wrong, kind


def test_ids_and_spans_are_those_of_the_tokens(recorded):
    vocab_file, rows = recorded
    for lower in (False, True):
        made = FullTokenizer(vocab_file, lower)
        texts = [row["text"] for row in rows]
        for text, ids in zip(texts, made.encode(texts)):
            pieces = made.tokenize(text)
            assert made.convert_ids_to_tokens(ids) == pieces
            of_spans, spans = made.spans(text)
            assert of_spans.tolist() == ids and spans.dtype == of_spans.dtype == np.int32
            assert (np.diff(spans[:, 0]) >= 0).all() and (spans[:, 0] < spans[:, 1]).all() and (spans <= len(text)).all()


def test_the_tokenizers_of_the_interface(vocab_file):
    made = FullTokenizer(vocab_file)
    assert made.tokenize("The painful, [SEP] pain") == ["the", "pain", "##ful", ",", "[UNK]", "[UNK]", "[UNK]", "pain"]
    assert made.convert_tokens_to_ids(["pain", "##ful"]) == [6, 7] and made.convert_ids_to_tokens([6, 7]) == ["pain", "##ful"]
    assert list(made.vocab.items())[5:7] == [("the", 5), ("pain", 6)] and made.inv_vocab[5] == "the"
    assert made.basic_tokenizer.tokenize(b"Caf\xc3\xa9\xff!") == ["cafe", "!"]
    assert made.wordpiece_tokenizer.tokenize(" painful\tthe ") == ["pain", "##ful", "the"]
    with pytest.raises(KeyError):
        made.convert_tokens_to_ids(["unheard"])
    short = WordpieceTokenizer({"x", "##x"}, "?", 3)
    assert short.tokenize("xxx xxxx xy") == ["x", "##x", "##x", "?", "?"] and short.tokenize("") == []


def test_changes_to_a_tokenizer_are_heeded():
    """Scripts add pieces of their own, for the markers of relations for example."""
    made = tokenizer()
    made.tokenize("fever"), made.encode(["fever"])
    made.vocab["fever"] = 18
    assert made.tokenize("fever") == ["fever"] and made.encode(["fever"]) == [[18]]
    made.basic_tokenizer.do_lower_case = False
    assert made.tokenize("Pain") == ["Pain"] and made.encode(["Pain"]) == [[PIECES.index("Pain")]]
    made.wordpiece_tokenizer.max_input_chars_per_word = 4
    assert made.tokenize("fever") == ["[UNK]"] and made.encode(["fever"]) == [[1]]


def test_the_vocabulary_is_the_lines_whatever_ends_them(vocab_file, tmp_path):
    vocab = tokenization.load_vocab(vocab_file)
    assert list(vocab) == PIECES and list(vocab.values()) == list(range(len(PIECES)))
    path = tmp_path / "vocab.txt"
    path.write_bytes(" the\t\n\nx\x0cy\nthe".encode("utf-8"))
    assert dict(tokenization.load_vocab(str(path))) == {"the": 3, "": 1, "x\x0cy": 2}
    with pytest.raises(OSError):
        tokenization.load_vocab(str(tmp_path / "none"))


def test_the_functions_of_the_interface():
    vocab = {"a": 0, "b": 1}
    assert tokenization.convert_by_vocab(vocab, "ba") == tokenization.convert_tokens_to_ids(vocab, ["b", "a"]) == [1, 0]
    assert tokenization.convert_ids_to_tokens({0: "a"}, [0, 0]) == ["a", "a"]
    assert tokenization.whitespace_tokenize("  a\u2003b \n") == ["a", "b"] and tokenization.whitespace_tokenize(" ") == []
    for function in (tokenization.convert_to_unicode, tokenization.printable_text):
        assert function("é") == function("é".encode("utf-8")) == function(b"\xc3\xa9\xff") == "é"
        with pytest.raises(ValueError):
            function(1)
    assert [tokenization._is_whitespace(char) for char in "\t\n\r \u00a0\u3000\u200bx"] == [True] * 6 + [False] * 2
    assert [tokenization._is_control(char) for char in "\u0005\u200d\ue000\u0378\t\nx"] == [True] * 4 + [False] * 3
    assert [tokenization._is_punctuation(char) for char in "$^`~[«。x\u0301+ "] == [True] * 7 + [False] * 2 + [True, False]


@pytest.mark.parametrize("name, lower, fits", [
    ("uncased_L-12_H-768_A-12", True, True), ("uncased_L-12_H-768_A-12", False, False),
    ("cased_L-24_H-1024_A-16", False, True), ("cased_L-24_H-1024_A-16", True, False),
    ("multi_cased_L-12_H-768_A-12", True, False), ("multilingual_L-12_H-768_A-12", False, False),
    ("chinese_L-12_H-768_A-12", False, False), ("wwm_uncased_L-24_H-1024_A-16", False, False),
    ("uncased_L-2_H-128_A-2", False, False), ("my_cased_model", True, True)])
def test_the_case_is_that_of_the_released_model(name, lower, fits):
    checkpoint = f"/models/{name}/bert_model.ckpt"
    if fits:
        tokenization.validate_case_matches_checkpoint(lower, checkpoint)
    else:
        with pytest.raises(ValueError, match=f"{name}.*do_lower_case={not lower}"):
            tokenization.validate_case_matches_checkpoint(lower, checkpoint)
    for other in (None, "", f"{name}/model.ckpt-1000"):
        tokenization.validate_case_matches_checkpoint(not lower, other)


def test_the_import_is_silent_and_needs_no_tensorflow(project):
    code = ("import sys; sys.modules['tensorflow'] = None; sys.argv.append('--unknown'); import tokenization; "
            "assert not {'settings', 'commands', 'inputs'} & set(sys.modules)")
    finished = subprocess.run([sys.executable, "-c", code], cwd=str(project), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (finished.returncode, finished.stdout) == (0, b"")


# ------------------------------------------------------------------------------------------------ words and pieces

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
    assert tokenizer(lower).tokenize(text) == pieces


def test_ids_are_line_numbers():
    assert tokenizer().encode(["the pain", ""]) == [[5, 6], []]


@given(st.text())
def test_any_text_has_pieces_of_the_vocabulary_alone(text):
    assert set(tokenizer().tokenize(text)) <= set(PIECES)


@given(st.lists(st.sampled_from(["the", "pain", "painful", "x", ".", "2"]), max_size=20))
def test_words_do_not_depend_on_their_neighbours(words):
    each = tokenizer()
    assert each.tokenize(" ".join(words)) == [piece for word in words for piece in each.tokenize(word)]


@pytest.mark.parametrize("text, lower, spans", [
    ("The painful pain.", True, [(0, 3), (4, 8), (8, 11), (12, 16), (16, 17)]),
    ("a, unheard  x", True, [(0, 1), (1, 2), (3, 10), (12, 13)]),
    ("CAFE\u0301 cafés", True, [(0, 4), (6, 11)]),
    ("x中\u200bx\u0000x", False, [(0, 1), (1, 2), (3, 4), (5, 6)]),
    ("中\u00adpa\u00adin", True, [(0, 1), (2, 7)]),
    ("İ\u2028x\u037ex", True, [(0, 1), (2, 3), (3, 4), (4, 5)]),
    (" \u00ad\u0301 ", True, []),
])
def test_spans_are_those_of_the_text(text, lower, spans):
    assert [tuple(span) for span in tokenizer(lower).spans(text)[1].tolist()] == spans


@given(st.text(st.characters(blacklist_categories=("Cs",))))
def test_the_pieces_of_plain_text_are_what_stands_at_their_spans(text):
    made = FullTokenizer(dict.fromkeys([prefix + character for character in text for prefix in ("", "##")] + ["[UNK]"], 0), False)
    pieces, (_, spans) = made.tokenize(text), made.spans(text)
    assert len(pieces) == len(spans)
    for piece, (begin, end) in zip(pieces, spans.tolist()):
        if piece != "[UNK]":
            assert text[begin:end] == piece[-1]


def test_a_tokenizer_can_be_sent_to_another_process():
    made = tokenizer()
    made.encode(["painful"])
    assert pickle.loads(pickle.dumps(made)).tokenize("painful") == ["pain", "##ful"]


def test_threads_share_one_tokenizer_from_its_first_word():
    """Each start is a race; what one thread has not finished, another must not meet."""
    vocabulary = {piece: number for number, piece in enumerate(["[UNK]", "##s"] + [f"word{number}" for number in range(3000)])}
    failures, interval = [], sys.getswitchinterval()

    def work(tokenizer, barrier):
        barrier.wait()
        try:
            assert tokenizer.tokenize("word7s word8") == ["word7", "##s", "word8"]
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    sys.setswitchinterval(1e-5)
    try:
        for _ in range(60):
            one, barrier = WordpieceTokenizer(vocabulary), threading.Barrier(4)
            threads = [threading.Thread(target=work, args=(one, barrier)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
