"""Small input that would do large harm, files that are not what they seem, readers that go away, and what messages say then."""
import copy
import gc
import hashlib
import os
import random
import re
import shlex
import subprocess
import time
import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from terminal import close_terminal, hang_up, in_a_terminal

import data_process_E3C
import data_process_i2b2
from data_process_i2b2 import Document, Mention, parse_document
from evaluation import curves, predictions, results
from fuzz_inputs import RUN, as_json, event_file, limited, write
from helpers import command_of, run, settings, write_corpus
from inputs import batching, mentions, reading, sentences
from inputs.labels import LABELS
from inputs.vocabulary import read_vocab
from network.config import load_config
from network.pretrained import check_bert_folder
from notes import answering, brat, candidates
from settings import CHOICES, RANGES, Settings, settings_for
from support import schema
from support.arrays import read_arrays
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder, ResultFolder
from training import outcome, runs

TRAIN, TEST = "2012-07-15.original-annotation.release", "ground_truth/merged_xml"
WORDS = "The patient had a fall , then pain . "


def xml(text, tags):
    """A document of i2b2."""
    return f"<r><TEXT><![CDATA[{text}]]></TEXT><TAGS>{tags}</TAGS></r>"


def tlinks(count):
    """So many TLINKs, as XML."""
    return "".join(f'<TLINK id="TL{number}" fromID="E0" fromText="fall" toID="E1" toText="pain" type="AFTER"/>'
                   for number in range(count))


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
    (corpus / TRAIN / "large.xml").write_text(xml(WORDS * 13600, tlinks(6000)))
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
    (corpus / TRAIN / "long.xml").write_text(xml(WORDS * 5000, tlinks(500)))
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
        answering.read_note(xml(WORDS, tags), "longish")


MEMORY = {
    "text": xml(WORDS * 30000, ""), "wide text": xml(WORDS * 30000 + "\U0001F600", ""),
    "mentions": xml("a", "<EVENT/>" * 50000),
    "attributes": xml("a", "<EVENT " + " ".join(f'a{number}=""' for number in range(100000)) + "/>"),
    "links": xml("a b", tlinks(20000)),
    "empty links": xml("a", '<TLINK id="" fromID="" fromText="" toID="" toText="" type="AFTER"/>' * 20000)}


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
    document = parse_document(xml("The  patient&apos;s\n x-ray , x", event), "n", "decoded")
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


# --------------------------------------------------------------------------------------------------- terminals and names

def shell(line, **environment):
    """Run a line of bash; returns the finished process."""
    return subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, **environment), timeout=300)


def quoted(*words):
    return " ".join(shlex.quote(str(word)) for word in command_of(*words))


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("data_process_i2b2.py", "--corpus", "{0}"), ("scoring.py", "{0}/" + TRAIN, "{0}/" + TRAIN)])
def test_a_short_command_whose_reader_goes_away_ends_with_141(words, unbuffered, corpus):
    line = quoted(*(word.format(corpus) for word in words))
    finished = shell(f"{{ sleep 0.3; exec {line}; }} | true; exit ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    assert (finished.returncode, finished.stderr) == (141, "")


def test_a_closed_stream_is_no_place_for_messages(corpus, tmp_path):
    missing = quoted("data_process_i2b2.py", "--corpus", tmp_path / "nowhere")
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        finished = shell(f"{missing} {closed}")
        assert finished.returncode == 1 and "Traceback" not in finished.stderr
    finished = shell(f"{quoted('data_process_i2b2.py', '--corpus', corpus)} <&- >&- 2>&-")
    assert finished.returncode == 0 and (corpus / "train.txt").read_text(encoding="utf-8").startswith("0_TL0\t")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_no_character_of_a_message_fails(encoding, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    for name in ("\xfcn\xef", os.fsdecode(b"caf\xe9")):
        os.rename(str(corpus), str(tmp_path / name))
        corpus = tmp_path / name
        good = shell(quoted("data_process_i2b2.py", "--corpus", corpus), PYTHONIOENCODING=encoding)
        assert good.returncode == 0 and "documents" in good.stdout, good.stderr
        bad = shell(quoted("data_process_i2b2.py", "--corpus", corpus / "nowhere"), PYTHONIOENCODING=encoding)
        assert bad.returncode == 1 and bad.stderr.startswith("error: ") and "Traceback" not in bad.stderr


def test_a_name_that_cannot_be_used_is_refused():
    folder = os.fsdecode(b"/tmp/caf\xe9")
    for use in (BertFolder, lambda folder: runs.require_model(ResultFolder(folder), ""),
                lambda folder: runs.check_folders(ResultFolder(folder), CorpusFolder("corpus"))):
        with pytest.raises(InputError, match="not UTF-8"):
            use(folder)
    with pytest.raises(InputError, match="not UTF-8"):
        answering.output_names([os.fsdecode(b"caf\xe9.xml")], "out")
    for name in ("a\tb", "a\u2028b", "a\nb"):
        with pytest.raises(InputError, match="cannot stand there. Rename the file, for example to 'a_b"):
            answering.output_names([f"notes/{name}.xml"], "out")


@pytest.mark.trains
@pytest.mark.parametrize("ending", ["| head -1", ">&- 2>&-"])
def test_training_and_testing_outlast_their_reader(ending, corpus, bert, tmp_path):
    result = tmp_path / "result"
    common = ("--corpus", corpus, "--bert", bert, "--result", result)
    train = quoted("run_i2b2.py", "train", *common, *settings(batch_size=4, max_steps=2, evaluate_every=2, seq_length=32))
    assert shell(f"{train} {ending}; exit ${{PIPESTATUS[0]}}").returncode == 0
    assert outcome.read_outcome(ResultFolder(str(result))).step == 2
    assert shell(f"{quoted('run_i2b2.py', 'test', *common)} {ending}; exit ${{PIPESTATUS[0]}}").returncode == 0
    assert (result / "scores.json").is_file()


@pytest.mark.trains
@pytest.mark.parametrize("then, status, is_finished", [(close_terminal, 0, True), (hang_up, 129, False)])
def test_training_outlasts_its_terminal_and_obeys_who_hangs_it_up(then, status, is_finished, corpus, bert, tmp_path):
    result = ResultFolder(str(tmp_path / "result"))
    words = command_of("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", result.root, *settings(
        batch_size=4, max_steps=30, evaluate_every=15, seq_length=32))
    ended = in_a_terminal(words, b"fine-tuning: ", then)
    assert os.WIFEXITED(ended) and os.WEXITSTATUS(ended) == status
    assert (outcome.read_outcome(result) is not None) == is_finished


# -------------------------------------------------------------------------------------------------------------- messages

def test_an_empty_name_is_refused(tmp_path):
    for option in ("corpus", "bert", "result"):
        for command in ("train", "test", "check"):
            finished = run("run_i2b2.py", command, f"--{option}", "", check=False, cwd=tmp_path)
            assert finished.returncode == 2 and f"--{option}: the name is empty" in finished.stderr
    with pytest.raises(InputError, match="empty"):
        ResultFolder("")
    with pytest.raises(InputError, match="empty"):
        CorpusFolder("")


def test_the_folder_of_a_seed_is_named(tmp_path):
    for seed in (0, 1):
        write(ResultFolder(str(tmp_path)).of_seed(seed).best + ".index", b"")
    with pytest.raises(InputError, match=r"--result .*seed-0; `test --seeds 2`"):
        runs.require_model(ResultFolder(str(tmp_path)), "")


def test_a_model_without_its_bert_asks_for_it(corpus, tmp_path, monkeypatch):
    from support import paths
    monkeypatch.setattr(paths, "DEFAULT_BERT", str(tmp_path / "no bert"))
    monkeypatch.setattr(paths, "UPSTREAM_BERT", str(tmp_path / "no bert either"))
    from commands.common import read_inputs_of_model
    from commands.options import parse_arguments
    arguments = parse_arguments(["test", "--corpus", str(corpus), "--result", str(tmp_path)])
    with pytest.raises(InputError, match="made from with --bert DIR"):
        read_inputs_of_model(arguments, Settings(), ResultFolder(str(tmp_path)), {})


@pytest.mark.parametrize("archive, command", [("2012-07-15.original-annotation.release.tar.gz", "tar -xf"), ("data.ZIP", "unzip")])
def test_an_archive_that_was_not_unpacked_is_named_with_the_command(archive, command, tmp_path):
    (tmp_path / archive).write_bytes(b"")
    with pytest.raises(InputError) as refusal:
        data_process_i2b2.check_corpus_folder(CorpusFolder(str(tmp_path)))
    assert f"{archive} does. Unpack it: {command}" in str(refusal.value)


def test_notes_without_a_link_to_type_say_why():
    def told(text, tags):
        return answering.nothing_to_type(answering.read_note(xml(text, tags)))
    assert "no EVENT is marked" in told("a", "")
    assert "have a type" in told("fall pain", tlinks(1))
    assert "no candidates" in told("fall", '<EVENT id="E0" start="1" end="5" text="fall" type="PROBLEM"/>')


def test_the_timeline_of_an_earlier_call_does_not_stay(tmp_path):
    note = answering.read_note(xml("fall pain", tlinks(1)), "n")
    answered = answering.answer(note, np.zeros([0, 8]), False)
    answering.write_answer(str(tmp_path), answered, True)
    assert (tmp_path / "n.html").is_file()
    answering.write_answer(str(tmp_path), answered, False)
    assert not (tmp_path / "n.html").exists()
    (tmp_path / "n.html").write_text("the user's own")
    answering.write_answer(str(tmp_path), answered, False)
    assert (tmp_path / "n.html").is_file()


def test_a_model_of_one_label_is_told_with_what_to_try():
    line = outcome.one_label(np.full(5, 2), "dev examples", Settings(), LABELS)
    assert "all 5 dev examples the label BEFORE" in line and "--set learning_rate=1e-05 or --set optimizer=adamw" in line
    assert "adamw" not in outcome.one_label(np.zeros(5, int), "dev examples", Settings(optimizer="adamw"), LABELS)
    assert outcome.one_label(np.array([1, 2]), "dev examples", Settings(), LABELS) is None


@hypothesis.given(rate=strategies.floats(*RANGES["learning_rate"]), clip=strategies.floats(*RANGES["clip"]),
                  optimizer=strategies.sampled_from(CHOICES["optimizer"]))
@hypothesis.example(rate=0.0, clip=RANGES["clip"][0], optimizer="adamw")
def test_what_is_advised_can_be_set_and_is_not_set_already(rate, clip, optimizer):
    chosen = Settings(learning_rate=rate, clip=clip, optimizer=optimizer)
    for told in (outcome.advice_against_overflow(chosen), outcome.one_label(np.zeros(5, int), "dev examples", chosen, LABELS)):
        for assignment in re.findall(r"--set (\S+=[^\s,]+)", told):
            changed = settings_for("paper", [assignment], base=chosen)
            assert changed != chosen and changed.learning_rate <= rate and changed.clip <= clip
        assert ("--set optimizer" in told) == (optimizer == "adam")


@pytest.mark.trains
def test_train_and_test_tell_of_a_model_of_one_label(corpus, bert, tmp_path):
    common = ("--corpus", corpus, "--bert", bert, "--result", tmp_path / "result")
    trained = run("run_i2b2.py", "train", *common,
                  *settings(batch_size=4, max_steps=4, evaluate_every=4, seq_length=32, learning_rate=1.0))
    tested = run("run_i2b2.py", "test", *common)
    for finished, what in ((trained, "dev"), (tested, "test")):
        assert finished.stdout.count("note: the best model gives all") == 1 and f"{what} examples the label" in finished.stdout


def test_a_demo_on_own_data_says_nothing_of_synthetic_notes(tmp_path, monkeypatch, capsys):
    from commands import demo
    from commands.options import parse_arguments
    from evaluation import tlink_scores
    from evaluation.bootstrap import Interval
    from evaluation.headline import Headline
    head = Headline(tlink_scores.SCORES, {"pairs.accuracy": Interval(0.5, 0.4, 0.6)}, {"pairs.accuracy": 0.25},
                    {tlink_scores.EIGHT: "BEFORE"}, "", 7, 70, (), "")
    monkeypatch.setattr(demo, "train", lambda arguments: None)
    monkeypatch.setattr(demo, "test", lambda arguments: head)
    monkeypatch.setattr(demo, "toy_bert", lambda: "toy")
    demo.demo(parse_arguments(["demo", "--corpus", str(tmp_path), "--bert", "b"]))
    own = capsys.readouterr().out
    demo.demo(parse_arguments(["demo"]))
    sample = capsys.readouterr().out
    assert "50.0 % of the test TLINKs" in own and "This is a toy" not in own
    assert "50.0 % of the synthetic TLINKs" in sample and "This is a toy" in sample


def test_an_unknown_runtime_is_refused_with_the_choices(project):
    finished = shell(f"bash {shlex.quote(str(project / 'tools' / 'setup.sh'))} --only tf3")
    assert finished.returncode == 2 and "--only tf3: choose tf1" in finished.stderr and "tf2" in finished.stderr


def test_the_module_of_predictions_says_how_it_is_used():
    finished = run("predict.py", check=False)
    assert finished.returncode == 2
    assert "from predict import RelationClassifier" in finished.stderr and "--out DIR" in finished.stderr
