"""What is wrong with the inputs is told before anything slow starts; `check` tells what training needs."""
import functools
import json
import re
import shutil

import pytest

from helpers import files_below, run, settings, write_corpus
from inputs.labels import LABELS
from support import files
from support.errors import InputError
from support.paths import ResultFolder
from training import resources

SMALL = settings(batch_size=4, seq_length=32, num_epochs=5)
TRAIN, TEST = "2012-07-15.original-annotation.release", "ground_truth/merged_xml"


def empty_training(corpus, bert):
    shutil.rmtree(str(corpus / TRAIN))
    (corpus / TRAIN).mkdir()


def no_known_label(corpus, bert):
    for path in (corpus / TEST).glob("*.xml"):
        path.write_text(re.sub(r' type="\w+"', ' type=""', path.read_text()))


def other_vocabulary(corpus, bert):
    with open(str(bert / "vocab.txt"), "a") as vocab:
        vocab.write("onemore\n")


def windows_line_ends(corpus, bert):
    path = bert / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def short_positions(corpus, bert):
    configure(bert, max_position_embeddings=16)


def more_layers(corpus, bert):
    configure(bert, num_hidden_layers=3)


def configure(bert, **changes):
    path = bert / "bert_config.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), **changes)))


@pytest.mark.parametrize("damage, words", [
    (empty_training, ["2012-07-15.original-annotation.release", "no XML file", "n2c2"]),
    (no_known_label, ["merged_xml", "no TLINK with a type"]),
    (other_vocabulary, ["vocab.txt", "587", "586", "vocab_size"]),
    (windows_line_ends, ["vocab.txt", "Windows line ends", "sed"]),
    (short_positions, ["seq_length 32", "16 positions", "--set seq_length=16"]),
    (more_layers, ["bert_model.ckpt", "layer_1", "missing"]),
])
def test_what_is_wrong_is_told_before_features_are_made(damage, words, bert, tmp_path, capsys):
    """In this process: each of them is a refusal that needs no start of its own."""
    from commands.main import function_of
    from commands.options import parse_arguments
    from support.errors import InputError
    corpus, own_bert = write_corpus(tmp_path / "corpus"), tmp_path / "bert"
    shutil.copytree(str(bert), str(own_bert))
    damage(corpus, own_bert)
    for command in ("check", "train"):
        arguments = [command, "--corpus", str(corpus), "--bert", str(own_bert), "--result", str(tmp_path / "result"), *SMALL]
        with pytest.raises(InputError) as refusal:
            function_of(command)(parse_arguments(arguments))
        for word in words:
            assert word in str(refusal.value)
        assert "\n" not in str(refusal.value)
    assert not (corpus / "features").exists() and "fine-tuning" not in capsys.readouterr().out


@pytest.mark.trains
def test_check_tells_what_training_needs_and_trains_nothing(bert, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    # One more test note, whose text is in training too, and one of the name of a training note.
    shutil.copyfile(str(corpus / TRAIN / "5.xml"), str(corpus / TEST / "another.xml"))
    before = sorted(files_below(tmp_path))
    finished = run("run_i2b2.py", "check", "--corpus", corpus, "--bert", bert, "--result", tmp_path / "result", *SMALL)
    assert finished.stderr == "" and sorted(files_below(tmp_path)) == before
    assert "test documents that are in training too: 3 (0, 1, another = 5)" in finished.stdout
    for pattern in (r"^run: begins anew in .*result$", r"^disk: 0\.01 GB more needed at most, [\d.]+ GB free",
                    r"^memory: about [\d.]+ GB needed", r"^time: [\d.]+ s for a training step of 4 examples, .* evaluation of 12",
                    r"^time: about .* for all 30 steps on 24 examples; about .* for 30"):
        assert re.search(pattern, finished.stdout, re.MULTILINE), pattern


def test_disks_are_told_apart_and_what_is_written_counts(tmp_path, monkeypatch):
    """On one disk the needs add up; an earlier part of the run has its share already."""
    from collections import namedtuple

    from inputs.reading import Corpus
    from inputs.views import view_of
    from settings import Settings
    from support.paths import CorpusFolder, ResultFolder
    split = namedtuple("split", "documents examples")((), range(100))
    corpus = Corpus(CorpusFolder(str(tmp_path / "corpus")), split, split, {})
    result = ResultFolder(str(tmp_path / "result"))
    shapes = {"bert/embeddings": [1000, 100], "bert/pooler/dense/kernel": [100, 100]}
    one, = resources.rooms(corpus, Settings(), result, shapes, steps=0)
    checkpoint = resources.checkpoint_bytes(shapes)
    assert checkpoint == pytest.approx(4 * (3 * 100000 + 10000), abs=3000)
    assert one.needed == 4 * checkpoint + 2 * view_of(Settings()).cache_bytes((), range(100))
    assert one.free == pytest.approx(files.free_bytes(str(tmp_path)), rel=0.1)
    (tmp_path / "result/checkpoints/i2b2").mkdir(parents=True)
    (tmp_path / "result/checkpoints/i2b2/best_validation.data-00000-of-00001").write_bytes(bytes(checkpoint))
    begun, = resources.rooms(corpus, Settings(), result, shapes, steps=0)
    assert begun.needed == one.needed - checkpoint
    anew, = resources.rooms(corpus, Settings(), result, shapes, steps=0, restart=True)
    assert anew.needed == one.needed, "the old run is kept"


def test_available_memory_knows_containers(tmp_path, monkeypatch):
    free = resources.available_memory()
    (tmp_path / "limit").write_text("1000000\n")
    (tmp_path / "used").write_text("400000\n")
    monkeypatch.setattr(resources, "CONTAINER_MEMORY", ((*(str(tmp_path / name) for name in ("limit", "used", "stat")), "cache"),))
    assert free is None or free > 10 ** 6
    assert resources.available_memory() == 600000
    # What is used to keep files that were read is given back where it is needed.
    (tmp_path / "stat").write_text("anon 100000\ncache 300000\n")
    assert resources.available_memory() == 900000
    (tmp_path / "stat").write_text("not what it should be\n")
    assert resources.available_memory() == 600000
    (tmp_path / "limit").write_text("max\n")
    assert resources.available_memory() != 600000


@pytest.mark.trains
@pytest.mark.parametrize("layers, width, batch_size, seq_length, measured", [
    (12, 768, 26, 180, 7.55e9), (6, 768, 26, 180, 4.37e9), (6, 384, 26, 180, 2.64e9), (6, 384, 13, 180, 1.99e9),
    (6, 384, 52, 180, 4.05e9), (6, 384, 26, 90, 1.80e9), (6, 384, 26, 360, 5.42e9)])
def test_memory_needed_is_what_was_measured(layers, width, batch_size, seq_length, measured):
    """Against the peak resident memory of runs with TensorFlow 2.15; 1.14 takes up to 8 % more."""
    from modeling import BertConfig
    from settings import Settings
    config = BertConfig(30522, width, layers, 12, 4 * width)
    chosen = Settings(batch_size=batch_size, seq_length=seq_length)
    assert resources.memory_bytes(config, chosen, shapes_of(config)) == pytest.approx(measured, rel=0.1)


@pytest.mark.trains
def test_memory_needed_where_batches_differ_in_length_is_that_of_the_long_ones():
    """Against the peak resident memory of a run of `context` with MiniLM-L6."""
    from modeling import BertConfig
    from settings import RECIPES
    config, chosen = BertConfig(30522, 384, 6, 12, 4 * 384), RECIPES["context"]
    assert resources.memory_bytes(config, chosen, shapes_of(config, chosen)) == pytest.approx(1.78e9, rel=0.15)
    # More is read, more is needed; and no row is longer than seq_length.
    wider, widest = (resources.memory_bytes(config, chosen._replace(context=context), shapes_of(config, chosen))
                     for context in (20, 1000))
    assert wider > resources.memory_bytes(config, chosen, shapes_of(config, chosen)) and wider < widest < 2.8e9


@functools.lru_cache(maxsize=None)
def shapes_of(config, settings=None):
    """Shapes of the model's variables, which building a graph for each case would take long to tell."""
    from settings import Settings
    from training.estimator import model_shapes
    return model_shapes(config, settings or Settings(), len(LABELS))


@pytest.mark.parametrize("every, patience, steps", [(200, 1000, 5000), (200, 100, 5000), (200, 198, 5000), (200, 199, 5000),
                                                    (7, 3, 15), (7, 0, 50), (200, 1000, 30), (10, 9, 20), (10, 8, 18), (5, 10, 16)])
def test_what_is_said_of_patience_is_what_happens(every, patience, steps):
    """Against the protocol's own rule, stepped through with a score that never gets better and with one that always does."""
    from settings import Settings
    from training import checks
    from training.protocol import NEVER, TrainingProtocol

    def last_step(improves):
        one = TrainingProtocol.__new__(TrainingProtocol)
        one._settings, one._batches = chosen, Batches()
        one._best_score, one._best_step = NEVER, 0
        for one._step in range(1, steps + 1):
            if one._is_due() and (improves or one._best_score == NEVER):
                one._best_score, one._best_step = one._best_score + 1, one._step
            if one._end_reason():
                return one._step
        return None

    class Batches:
        """How many steps a run has."""
        total, per_epoch = steps, every

    chosen = Settings(evaluate_every=every, patience=patience)
    fewest, said = checks.shortest(chosen, steps, every)
    assert fewest == last_step(improves=False)
    always = last_step(improves=True)
    assert ("ends every run" in said) == (always < steps) and ("may end" in said) == (fewest < always == steps)
    assert ("no patience" in said) == (not patience)


def test_a_run_of_an_earlier_version_is_the_same_run():
    """Settings that came later have defaults that change nothing."""
    from settings import Settings
    from training import runs
    now = {"settings": Settings()._asdict(), "corpus": {"train": "a"}}
    then = {"settings": {key: value for key, value in now["settings"].items() if key != "smoothing"}, "corpus": {"train": "a"}}
    assert runs.differences(then, now) == []
    assert runs.differences(then, dict(now, settings=Settings(smoothing=0.1)._asdict())) == [
        "setting smoothing is 0.1, was 0.0"]


def test_a_setting_that_is_gone_is_no_matter_where_it_was_off(tmp_path):
    """Models of earlier versions can be used as long as this one does what they were trained with."""
    from settings import Settings
    from support.errors import InputError
    from support.paths import ResultFolder
    from training import runs
    result, settings = ResultFolder(str(tmp_path)), Settings(num_filters=64)
    now = {"recipe": "paper", "settings": settings._asdict()}
    off, on = (dict(now, settings=dict(now["settings"], averaging=value)) for value in (0.0, 0.98))
    assert runs.differences(off, now) == []
    assert runs.settings_of_model(result, off) == settings
    assert runs.differences(on, now) == ["setting averaging is absent, was 0.98"]
    with pytest.raises(InputError, match="another version of this program.*: averaging"):
        runs.settings_of_model(result, on)


# ---------------------------------------------------------------------------- what `check` says of a run is what `train` does

@pytest.fixture
def begun(tmp_path):
    """A function that makes a result folder of a record, and of a stand-in for a best model where one is wanted."""
    def make(record, model=True):
        result = ResultFolder(str(tmp_path / "result"))
        (tmp_path / "result" / "checkpoints" / "i2b2").mkdir(parents=True)
        if model:
            (tmp_path / "result" / "checkpoints" / "i2b2" / "best_validation.index").write_text("")
        (tmp_path / "result" / "run.json").write_text(json.dumps(record))
        return result
    return make


def test_check_tells_what_a_restart_sets_aside(begun, tmp_path):
    from training import checks
    nowhere = ResultFolder(str(tmp_path / "nowhere"))
    assert checks.situation(nowhere, {}, True) == checks.situation(nowhere, {}, False) == f"begins anew in {nowhere.root}"
    # A record alone is set aside, too.
    result = begun({"task": "i2b2"}, model=False)
    assert "kept under a dated name" in checks.situation(result, {}, True)
    assert checks.situation(result, {}, False) == f"begins anew in {result.root}"


def test_check_refuses_a_run_on_another_task_as_train_does(begun):
    from training import checks
    result = begun({"task": "BC5CDR"}, model=False)
    with pytest.raises(InputError, match="another task .BC5CDR, not i2b2"):
        checks.situation(result, {}, False)
    assert "kept under a dated name" in checks.situation(result, {}, True)


def test_on_a_machine_that_is_not_the_chief_check_tells_nothing_of_the_result_folder(begun, bert, tmp_path, monkeypatch, capsys):
    from commands.main import function_of
    from commands.options import parse_arguments
    from training import checks
    cluster = {"worker": ["127.0.0.1:2222", "127.0.0.1:2232"]}
    monkeypatch.setenv("CLUSTER_SECRET", "some words that only these machines know")
    monkeypatch.setattr(checks, "report_time", lambda *_: None)
    result, corpus = begun({"task": "BC5CDR"}, model=False), write_corpus(tmp_path / "corpus")
    words = ["check", "--corpus", str(corpus), "--bert", str(bert), "--result", result.root, *SMALL]
    for number in (0, 1):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}}))
        if number:
            function_of("check")(parse_arguments(words))
        else:
            with pytest.raises(InputError, match="another task"):
                function_of("check")(parse_arguments(words))
    said = capsys.readouterr().out
    assert "run: " not in said and result.root not in said and "machines: 2, of which this is worker 1" in said
    assert re.search(r"^disk: 0\.00 GB more needed at most, .* in .*corpus$", said, re.MULTILINE)


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize("patience, told", [(1, True), (3, False), (0, False)])
def test_a_patience_that_ends_every_run_after_one_evaluation_is_told(command, patience, told, corpus, bert, tmp_path, monkeypatch,
                                                                     capsys):
    from commands.main import function_of
    from commands.options import parse_arguments
    from training import checks

    def end(*_):
        raise InputError("so far")
    monkeypatch.setattr(checks.devices, "choose", end)  # behind it training begins
    monkeypatch.setattr(checks, "report_time", end)
    words = [command, "--corpus", str(corpus), "--bert", str(bert), "--result", str(tmp_path), *SMALL,
             *settings(evaluate_every=4, patience=patience)]
    with pytest.raises(InputError, match="so far"):
        function_of(command)(parse_arguments(words))
    note = "note: patience=1 ends every run after one evaluation, as dev is evaluated after every 4 steps."
    assert (note in capsys.readouterr().out) is told
