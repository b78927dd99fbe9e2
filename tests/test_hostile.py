"""Small input that would do large harm, and files that are not what they seem: what it costs, and what is said of it."""
import copy
import gc
import hashlib
import os
import random
import time
import tracemalloc

import numpy as np
import pytest

import data_process_E3C
import data_process_i2b2
from data_process_i2b2 import Document, Mention, parse_document
from evaluation import curves, predictions, results
from fuzz_inputs import RUN, as_json, event_file, limited, write
from helpers import i2b2_xml, tlinks, write_corpus
from inputs import batching, mentions, reading, sentences
from inputs.vocabulary import read_vocab
from network.config import load_config
from network.pretrained import check_bert_folder
from notes import answering, brat, candidates
from settings import RANGES, Settings, settings_for
from support import schema
from support.arrays import read_arrays
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder, ResultFolder
from training import outcome, runs

TRAIN, TEST = "2012-07-15.original-annotation.release", "ground_truth/merged_xml"
WORDS = "The patient had a fall , then pain . "


def peak_bytes(function):
    """The most memory that Python's objects take at once in a call, and what it gives."""
    gc.collect()
    tracemalloc.start()
    try:
        found = function()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------------------------- how much is asked for

@pytest.fixture
def large(tmp_path):
    """A corpus folder with a document of 1 MB that asks for 3 GB of examples."""
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / TRAIN / "large.xml").write_text(i2b2_xml(WORDS * 13600, tlinks(6000)))
    return corpus


def test_the_size_of_the_examples_is_told_before_any_is_written(large):
    def refused():
        with pytest.raises(InputError, match=r"large\.xml: 6,000 TLINKs, each .* 503,200 .* 3,0\d\d MB .* 100 MB"):
            data_process_i2b2.process_corpus(CorpusFolder(str(large)))
    assert peak_bytes(refused)[0] < 50e6
    assert not (large / "train.txt").exists() and not (large / "test.txt").exists()


def test_a_disk_without_room_is_told_before_any_is_written(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "corpus")
    monkeypatch.setattr(data_process_i2b2, "free_bytes", lambda folder: 1000)
    with pytest.raises(InputError, match="would take .* MB are free"):
        data_process_i2b2.process_corpus(CorpusFolder(str(corpus)))
    assert not (corpus / "train.txt").exists()


def test_examples_go_to_file_and_digest_line_by_line(tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / TRAIN / "long.xml").write_text(i2b2_xml(WORDS * 5000, tlinks(500)))
    peak, read = peak_bytes(lambda: reading.read_corpus(CorpusFolder(str(corpus))))
    assert (corpus / "train.txt").stat().st_size > 90e6 and peak < 30e6
    assert read.fingerprint["train"] == hashlib.sha256((corpus / "train.txt").read_bytes()).hexdigest()


XMI = ('<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:custom="http:///webanno/custom.ecore" '
       'xmlns:cas="http:///uima/cas.ecore">{}<cas:Sofa xmi:id="1" sofaString="{}"/></xmi:XMI>')
EVENT = '<custom:EVENT xmi:id="{}" begin="{}" end="{}" TLINK="{}"/>'
LINK = '<custom:EVENTTLINKLink xmi:id="9" role="BEFORE" target="3"/>'


def test_a_document_of_e3c_that_asks_for_gigabytes_is_refused(tmp_path):
    folder = tmp_path / "e3c" / "data_annotation" / "English" / "layer1"
    folder.mkdir(parents=True)
    (tmp_path / "e3c" / "train_test_split.txt").write_text("EN100001")
    events = EVENT.format(2, 0, 3, "9 " * 6000) + EVENT.format(3, 4, 11, "")
    (folder / "EN100001.xml").write_text(XMI.format(events + LINK, WORDS * 13600))

    def refused():
        with pytest.raises(InputError, match=r"EN100001\.xml: 6,000 TLINKs, .* MB of examples"):
            data_process_E3C.convert(str(tmp_path / "e3c"), str(tmp_path / "out"))
    assert peak_bytes(refused)[0] < 100e6
    assert not (tmp_path / "out").exists()


def test_mentions_that_repeat_the_whole_text_are_refused(tmp_path):
    """A few bytes each, by offsets: in E3C's XMI, and in brat's discontinuous annotations."""
    path = tmp_path / "EN100001.xml"
    path.write_text(XMI.format("".join(EVENT.format(number, 0, 500000, "") for number in range(2, 5000)), WORDS * 14000))
    assert peak_bytes(lambda: pytest.raises(InputError, data_process_E3C.read_xmi, path).match("EN100001"))[0] < 400e6
    text = WORDS * 14000
    lines = "".join(f"T{number}\tPROBLEM 0 3;{len(text) - 2} {len(text) - 1}\tThe .\n" for number in range(5000))
    with pytest.raises(InputError, match=r"note\.ann: its mentions and links"):
        brat.parse(text, lines, "note", "note.ann")


def test_candidates_that_repeat_a_mention_as_long_as_a_note_are_refused():
    tags = f'<EVENT id="E0" start="1" end="4" text="{WORDS * 10000}" type="PROBLEM"/>' + "".join(
        f'<EVENT id="E{number}" start="1" end="4" text="The" type="PROBLEM"/>' for number in range(1, 400))
    with pytest.raises(InputError, match="longish: its mentions and links"):
        answering.read_note(i2b2_xml(WORDS, tags), "longish")


MEMORY = {
    "text": i2b2_xml(WORDS * 30000, ""), "wide text": i2b2_xml(WORDS * 30000 + "\U0001F600", ""),
    "mentions": i2b2_xml("a", "<EVENT/>" * 50000),
    "attributes": i2b2_xml("a", "<EVENT " + " ".join(f'a{number}=""' for number in range(100000)) + "/>"),
    "links": i2b2_xml("a b", tlinks(20000)),
    "empty links": i2b2_xml("a", '<TLINK id="" fromID="" fromText="" toID="" toText="" type="AFTER"/>' * 20000)}


@pytest.mark.parametrize("name", sorted(MEMORY))
def test_the_estimate_of_a_documents_memory_is_not_too_low(name):
    gc.collect()
    tracemalloc.start()
    document = parse_document(MEMORY[name], "n", "decoded")
    made = data_process_i2b2.examples(document)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < data_process_i2b2.memory_bytes(document) < 6 * taken and made is not None


def test_a_folder_beyond_its_memory_is_refused_with_the_document(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "corpus")
    monkeypatch.setattr(data_process_i2b2, "MAX_FOLDER_BYTES", 20000)
    with pytest.raises(InputError, match=r"annotation\.release: its documents up to \d need more than"):
        data_process_i2b2.read_split(str(corpus / TRAIN))


def test_a_converted_corpus_beyond_its_memory_is_refused_with_the_document(project, tmp_path, monkeypatch):
    monkeypatch.setattr(data_process_i2b2, "MAX_FOLDER_BYTES", 20000)
    with pytest.raises(InputError, match=r"e3c: its documents up to [A-Z]{2}\d+ need more than"):
        data_process_E3C.convert(project / "tests" / "fixtures" / "e3c", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_both_splits_of_a_corpus_take_less_than_a_gigabyte():
    assert 2 * data_process_i2b2.MAX_FOLDER_BYTES < 10 ** 9


# ------------------------------------------------------------------------------------------------------ how long it takes

def blank_lines(size):
    return lambda: sentences.sentence_starts("a\n" + "\n" * size + "b")


def misplaced_mentions(size):
    """A document all of whose offsets are wrong."""
    rng = random.Random(0)
    words = ["".join(rng.choice("abcdefgh") for _ in range(7)) for _ in range(size)]
    text = "\n" + " ".join(words)
    found = tuple(Mention("EVENT", f"E{number}", 1 + rng.randrange(len(text)), 20, word, "PROBLEM", {})
                  for number, word in enumerate(words[::8]))
    return Document("d", text, found, ())


def places(size):
    document = misplaced_mentions(size)
    return lambda: mentions.located(document)


def times_on_one_line(size):
    words = [f"t{number:07}" for number in range(size)]
    times = tuple(Mention("TIMEX3", f"T{number}", 1 + 9 * number, 9 * number + 9, word, "DATE", {})
                  for number, word in enumerate(words))
    document = Document("d", " ".join(words), times, ())
    return lambda: candidates.near_pairs(document)


def nested_tags(size):
    source = "<r><TEXT>" + "<a>" * size + "</a>" * size + "</TEXT><TAGS></TAGS></r>"
    return lambda: parse_document(source, "n", "decoded")


@pytest.mark.parametrize("make, size", [(blank_lines, 100000), (places, 8000), (times_on_one_line, 2500), (nested_tags, 20000)])
def test_twice_the_input_takes_about_twice_the_time(make, size):
    one, other = make(size), make(2 * size)
    seconds = {}
    for _ in range(3):
        for function in (one, other):
            gc.collect()
            began = time.process_time()
            function()
            seconds.setdefault(function, []).append(time.process_time() - began)
    assert min(seconds[other]) < 2.5 * min(seconds[one]) + 0.02


def test_the_index_finds_what_going_through_the_text_finds(monkeypatch):
    rng = random.Random(0)
    alphabet = ["a", "b", "A", " ", "\n", "  ", "\xe9", "\xc9", "\u017f", "s", "\u212a", "k", "ab"]
    for _ in range(500):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(60)))
        found = []
        for number in range(5):
            begin = rng.randrange(len(text) + 1)
            words = text[begin:begin + rng.randrange(1, 6)] if rng.random() < 0.7 else "".join(rng.sample(alphabet, 2))
            start, end = rng.choice([None, rng.randrange(-5, 70)]), rng.randrange(70)
            found.append(Mention("EVENT", f"E{number}", start, end, words, "", {}))
        document = Document("d", text, tuple(found), ())
        monkeypatch.setattr(mentions, "SCANS", 10 ** 9)
        plain = mentions.located(document)
        monkeypatch.setattr(mentions, "SCANS", 0)
        assert mentions.located(document) == plain


def test_the_index_takes_entities_and_white_space_as_they_are_meant(monkeypatch):
    monkeypatch.setattr(mentions, "SCANS", 0)
    event = '<EVENT id="E0" start="30" end="31" text="patient&apos;s X-ray"/>'
    document = parse_document(i2b2_xml("The  patient&apos;s\n x-ray , x", event), "n", "decoded")
    begin, end = mentions.located(document)["E0"].span
    assert document.text[begin:end] == "patient&apos;s\n x-ray"


def test_sentences_begin_as_before():
    def plainly(text):
        starts, begin = [], 0
        for match in sentences.SENTENCE_END.finditer(text):
            if match.group() == "\n" or not sentences.NO_END.search(text[max(0, match.end() - 40):match.end()]):
                if text[begin:match.end()].strip():
                    starts.append(begin)
                    begin = match.end()
        return starts + [begin] * bool(text[begin:].strip() or not starts)

    rng, parts = random.Random(0), ["\n", "\n", " ", "a ", "Dr", ". ", ".", "B", "! ", "1", "\n \n"]
    for _ in range(2000):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(40)))
        assert sentences.sentence_starts(text) == plainly(text)


# -------------------------------------------------------------------------------------------------------------- settings

NUMBERS = sorted(key for key, value in Settings()._asdict().items() if type(value) in (int, float, tuple))


def test_every_setting_that_is_a_number_has_a_range():
    assert sorted(RANGES) == NUMBERS


@pytest.mark.parametrize("value", ["1e400", "-1e400", "10000000000000", "nan"])
@pytest.mark.parametrize("key", NUMBERS)
def test_the_refusal_gives_the_range(key, value):
    low, high = RANGES[key]
    with pytest.raises(InputError) as refusal:
        settings_for("paper", [f"{key}={value}"])
    assert f"from {low} to {high}." in str(refusal.value)


def test_no_run_has_more_steps_than_its_counter_can_count():
    most = settings_for("paper", ["num_epochs=1000000", "batch_size=1"])
    assert batching.steps_of(33800, most) == (33800, 2 ** 31 - 1)


# ------------------------------------------------------------------------------------------------------ what is no file

@pytest.fixture
def pipe(tmp_path):
    """The path of a pipe that nobody writes to."""
    path = tmp_path / "x.xml"
    os.mkfifo(str(path))
    return path


@pytest.mark.parametrize("read", [
    data_process_i2b2.read_document, data_process_E3C.read_xmi, load_config, read_vocab, predictions.read,
    lambda path: data_process_E3C.training_documents(".", path), lambda path: answering.read_file(path, "x", "all"),
    lambda path: schema.read_json(path, schema.anything, "write it again"),
    lambda path: data_process_i2b2.read_folder(os.path.dirname(path))])
def test_only_regular_files_are_read(read, pipe):
    with limited(), pytest.raises(InputError, match="x.xml"):
        read(str(pipe))


def test_arrays_and_weights_that_are_no_files_do_not_hang(tmp_path, capsys):
    os.mkfifo(str(tmp_path / "arrays.npz"))
    for name in ("bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"):
        os.mkfifo(str(tmp_path / name))
    for name, content in (("vocab.txt", b"[PAD]\n"), ("bert_config.json", b"{}")):
        write(str(tmp_path / name), content)
    with limited():
        assert read_arrays(str(tmp_path / "arrays.npz"), "they are made again") is None
        assert "arrays.npz: cannot be read" in capsys.readouterr().out
        with pytest.raises(InputError, match="bert_model.ckpt.index: cannot be read"):
            check_bert_folder(BertFolder(str(tmp_path)))


def test_event_files_that_are_none_are_told(tmp_path, capsys):
    (tmp_path / "training").mkdir()
    os.mkfifo(str(tmp_path / "training" / "events.out.tfevents.1"))
    with limited():
        assert curves.read_curves(str(tmp_path)) == {}
    assert "events.out.tfevents.1: cannot be read" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------- damaged files

@pytest.mark.parametrize("path, value", [
    (("settings",), []), (("settings", "seq_length"), "180"), (("settings", "filter_sizes"), 3),
    (("settings", "clip"), float("nan")), (("settings", "batch_size"), 10 ** 12), (("corpus",), "a"),
    (("corpus", "train"), 1), (("train",), None), (("recipe",), {}),
    (("train", "step"), 1.5), (("train", "seconds"), -1), (("test", "versions"), []), (("test", "ended"), 0),
    (("test", "files"), {"figures": ["../x"]})])
def test_a_run_record_of_other_types_is_refused_by_name(tmp_path, path, value):
    result, record = ResultFolder(str(tmp_path)), copy.deepcopy(RUN)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    write(result.run, as_json(record))
    with pytest.raises(InputError, match=r"run\.json: damaged \("):
        results.read_run(result)


def test_a_run_record_whose_settings_cannot_be_together_is_refused_by_name(tmp_path):
    result = ResultFolder(str(tmp_path))
    for changes in ({"headings": True}, {"markers": "xxx"}, {"dev": "7"}):
        write(result.run, as_json(dict(RUN, settings=dict(RUN["settings"], **changes))))
        with pytest.raises(InputError, match=r"run\.json"):
            runs.settings_of_model(result, results.read_run(result))


def test_a_good_run_record_is_read(tmp_path):
    result = ResultFolder(str(tmp_path))
    assert results.read_run(result) == {}
    write(result.run, as_json(RUN))
    assert results.read_run(result)["train"]["best_step"] == 2
    assert runs.settings_of_model(result, results.read_run(result)) == Settings()


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"reason": "epochs", "step": "4", "best_step": 2, "best_score": 0.5}',
                                     b'{"reason": "tired", "step": 4, "best_step": 2, "best_score": 0.5}', b"[" * 5000, b"9" * 5000,
                                     b'{"reason": "epochs", "step": 4, "best_step": 2, "best_score": NaN}', b"\xff"])
def test_a_damaged_outcome_is_told_and_counts_as_none(content, tmp_path, capsys):
    result = ResultFolder(str(tmp_path))
    write(result.outcome, content)
    assert outcome.read_outcome(result) is None and "outcome.json: damaged" in capsys.readouterr().out


def test_a_long_number_takes_no_time():
    with limited(), pytest.raises(ValueError, match="digits"):
        schema.parse("9" * 5000000)


def test_checksums_are_those_of_tensorboard():
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
    rng = np.random.RandomState(0)
    for length in (0, 1, 8, 333):
        records = [rng.bytes(length) for _ in range(4)]
        assert curves.masked_crc32c(records).tolist() == [masked_crc32c(record) for record in records]


def test_a_flipped_bit_of_an_event_file_is_told_and_the_rest_is_read(tmp_path, capsys):
    path = event_file(str(tmp_path / "training" / "events.out.tfevents.1.1"), [("loss",)] * 8)
    with open(path, "rb") as source:
        whole = source.read()
    rng = random.Random(0)
    for _ in range(200):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        write(path, bytes(data))
        points = curves.read_curves(str(tmp_path)).get("training", {}).get("loss", ((), ()))
        # Only an altered length of the last record looks like one that was cut off.
        assert f"{path}: damaged" in capsys.readouterr().out
        assert set(points[1]) <= {0.5} and len(points[0]) <= 7
    write(path, whole)
    assert len(curves.read_curves(str(tmp_path))["training"]["loss"][0]) == 8 and capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["-0.1", "5", "nan", "1e400"])
def test_probabilities_are_probabilities(value, tmp_path):
    path = tmp_path / "predictions.tsv"
    row = ["D", "TL0", "E0", "E1", "BEFORE", "AFTER", value] + ["0"] * 7
    path.write_text("\t".join(predictions.Predictions.columns()) + "\n" + "\t".join(row) + "\n")
    with pytest.raises(InputError, match=r"predictions\.tsv: line 2 is damaged"):
        predictions.read(str(path))
