"""A result folder has one writer at a time: its record, its locks, and what a test or a restart finds there at its end."""
import json
import os
import re
import shutil
import tempfile
import threading
import time

import numpy as np
import pytest

from evaluation import results, seeds
from helpers import files_below, run, settings, write_corpus
from support import locks
from support.errors import InputError
from support.paths import ResultFolder
from training import checkpoints, runs
from training.outcome import Outcome

ENDED = Outcome("epochs", 9, 3, 0.5)
RECORD = {"recipe": "paper", "settings": {"batch_size": 4}, "corpus": {"train": "a"}, "bert": {}, "model": {}}


@pytest.fixture
def result(tmp_path):
    """A result folder in which a run has begun: with stand-ins for a best model's files, and a record."""
    found = ResultFolder(str(tmp_path / "result"))
    os.makedirs(found.checkpoints)
    write_best(found, "first")
    with runs.recorded(found, RECORD, 0.0):
        pass
    return found


def write_best(result, text):
    """Write stand-ins for the files of a best model as a training does: whole, under names of their own first."""
    def write(prefix):
        for suffix in (".index", ".data-00000-of-00001"):
            with open(prefix + suffix, "w") as out:
                out.write(text)
    checkpoints.save_whole(write, result.best)


def test_nobody_loses_what_others_write(result):
    """Eight that change run.json and seeds.json at once; each change is still there at the end."""
    def work(number):
        for turn in range(10):
            with results.changing(result) as record:
                record[f"{number}-{turn}"] = turn
        seeds.write_summary(result, f"command {number}", [{"score": number}])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = results.read_run(result)
    assert all(record[f"{number}-{turn}"] == turn for number in range(8) for turn in range(10))
    with open(result.seeds) as source:
        assert sorted(json.load(source)) == [f"command {number}" for number in range(8)]


def test_train_and_test_side_by_side_keep_each_others_entries(result):
    before = results.read_run(result)
    with runs.recorded(result, RECORD, 0.0) as train:
        with runs.changing_run(result, runs.run_of(before), checkpoints.files_of(result.best)) as record:
            record["test"] = {"ended": "now"}
        train.update(ENDED._asdict())
    after = results.read_run(result)
    assert after["test"] == {"ended": "now"} and after["train"]["step"] == 9
    assert after["train"]["started"] == before["train"]["started"] and after["settings"] == RECORD["settings"]


def test_what_a_restart_has_set_aside_meanwhile_gets_no_results(result, monkeypatch):
    seen, model = runs.run_of(results.read_run(result)), checkpoints.files_of(result.best)
    runs.set_aside(result)
    with pytest.raises(InputError, match="holds another run than when this test began"):
        with runs.changing_run(result, seen, model):
            pytest.fail("there is no run")
    # The new run is of the same settings, and a second later.
    monkeypatch.setattr(runs, "now", lambda: "2001-03-02T08:00:00Z")
    write_best(result, "second")
    with runs.recorded(result, RECORD, 0.0):
        pass
    with pytest.raises(InputError, match="holds another run than when this test began"):
        with runs.changing_run(result, seen):
            pytest.fail("this is another run")
    assert "test" not in results.read_run(result)


def test_a_best_model_replaced_meanwhile_gets_no_results_of_the_one_before(result):
    seen, model = runs.run_of(results.read_run(result)), checkpoints.files_of(result.best)
    with runs.changing_run(result, seen, model) as record:
        record["test"] = {"of": "the first"}
    write_best(result, "later")
    with pytest.raises(InputError, match="was replaced while it was tested"):
        with runs.changing_run(result, seen, model):
            pytest.fail("this is another model")
    with runs.changing_run(result, seen) as record:
        assert record["test"] == {"of": "the first"}


def test_a_record_whose_run_is_gone_is_not_taken_over(result):
    with results.changing(result) as record:
        record.update(test={"ended": "then"}, train=dict(record["train"], **ENDED._asdict()))
    shutil.rmtree(result.all_checkpoints)
    with runs.recorded(result, RECORD, 0.0):
        pass
    record = results.read_run(result)
    assert "test" not in record and "reason" not in record["train"]


def test_two_restarts_within_a_second_keep_both_runs(result, monkeypatch):
    monkeypatch.setattr(runs.time, "strftime", lambda form: "before-then")
    for text in ("first", "second"):
        write_best(result, text)
        runs.set_aside(result)
    kept = [os.path.join(result.root, name, "checkpoints", "i2b2", "best_validation.index")
            for name in ("before-then", "before-then-2")]
    assert [open(path).read() for path in kept] == ["first", "second"]
    runs.set_aside(result)
    assert sorted(name for name in os.listdir(result.root) if name.startswith("before")) == ["before-then", "before-then-2"]


def test_a_finished_run_with_a_damaged_best_model_is_no_finished_run(result):
    with open(result.outcome, "w") as out:
        json.dump(ENDED._asdict(), out)
    with pytest.raises(InputError, match="best_validation.*: the checkpoint is damaged"):
        runs.examine(result, results.read_run(result))


def claim(result):
    with runs.claimed(result):
        pass


@pytest.mark.parametrize("ask", [claim, lambda result: locks.holder_of(result.lock)])
def test_a_training_that_was_killed_a_moment_ago_is_no_obstacle(ask, result):
    with locks.open_lock(result.lock) as lock:
        locks.try_lock(lock.fileno())
        gone = threading.Timer(0.3, lock.close)
        gone.start()
        assert not ask(result)
        gone.join()


def test_one_training_and_one_test_at_a_time(result, capsys, monkeypatch):
    monkeypatch.setattr(locks, "LAST_MOMENT", 0.1)
    with runs.claimed(result):
        with pytest.raises(InputError, match=f"another training is at work in .*: process {os.getpid()} on"):
            with runs.claimed(result):
                pytest.fail("two train")
        order = []

        def second():
            with runs.testing(result):
                order.append("second")
        with runs.testing(result):
            thread = threading.Thread(target=second)
            thread.start()
            thread.join(0.3)
            order.append("first")
        thread.join()
    assert order == ["first", "second"]
    assert f"another test is at work in {result.root}: process {os.getpid()}" in capsys.readouterr().out


def test_what_killed_commands_left_is_removed_by_the_next(result):
    left = [os.path.join(folder, ".figure.png.0a1b2c3d.tmp") for folder in (result.figures, result.system_xml, result.root)]
    for path in left:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
    with runs.testing(result):
        assert not any(map(os.path.exists, left))


def here(command, *words):
    """A command in this process."""
    from commands.main import function_of
    from commands.options import parse_arguments
    return function_of(command)(parse_arguments([command] + [str(word) for word in words]))


def lock(result, corpus, monkeypatch):
    """Another process trains there."""
    monkeypatch.setattr(locks, "LAST_MOMENT", 0.1)
    held = locks.open_lock(result.lock)
    locks.try_lock(held.fileno())
    return held


def file_in_the_way(result, corpus, monkeypatch):
    (corpus / "features").write_text("not a folder")


def broken_cluster(result, corpus, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")


def cluster_without_secret(result, corpus, monkeypatch):
    monkeypatch.delenv("CLUSTER_SECRET", raising=False)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                                                "task": {"type": "worker", "index": 0}}))


def dangling_result(result, corpus, monkeypatch):
    os.rmdir(result.root)
    os.symlink(result.root + "-nowhere", result.root)


def linked_figures(result, corpus, monkeypatch):
    os.symlink(str(corpus), result.figures)


def nothing(result, corpus, monkeypatch):
    pass


@pytest.mark.parametrize("prepare, more, words", [
    (lock, (), "another training is at work"), (file_in_the_way, (), "features cannot be written.*in the way"),
    (nothing, settings(devices=10 ** 4), "processors cannot be divided"), (broken_cluster, (), "TF_CONFIG is not usable"),
    (cluster_without_secret, (), "CLUSTER_SECRET is not set"), (dangling_result, (), "is a link that leads nowhere"),
    (linked_figures, (), "figures is a link")])
def test_check_refuses_what_train_refuses(prepare, more, words, bert, tmp_path, monkeypatch):
    corpus, result = write_corpus(tmp_path / "corpus"), ResultFolder(str(tmp_path / "result"))
    os.mkdir(result.root)
    kept = prepare(result, corpus, monkeypatch)
    messages = []
    for command in ("check", "train"):
        with pytest.raises(InputError, match=words) as refusal:
            here(command, "--corpus", corpus, "--bert", bert, "--result", result.root, *settings(seq_length=32), *more)
        messages.append(str(refusal.value))
    assert messages[0] == messages[1] and "\n" not in messages[0]
    del kept


def test_a_restart_that_is_refused_leaves_the_old_run_where_it_is(bert, tmp_path):
    corpus, own_bert, result = write_corpus(tmp_path / "corpus"), tmp_path / "bert", ResultFolder(str(tmp_path / "result"))
    shutil.copytree(str(bert), str(own_bert))
    config = own_bert / "bert_config.json"
    config.write_text(json.dumps(dict(json.loads(config.read_text()), num_hidden_layers=3)))
    os.makedirs(result.checkpoints)
    write_best(result, "good")
    with pytest.raises(InputError, match="layer_1"):
        here("train", "--corpus", corpus, "--bert", own_bert, "--result", result.root, "--restart", *settings(seq_length=32))
    assert checkpoints.exists(result.best) and not [name for name in os.listdir(result.root) if name.startswith("before")]


# ----------------------------------------------------------------------------------------- what is not finite, or not whole

def altered(prefix, change):
    """Write a checkpoint anew, under its own name, with `change` applied to the arrays of it that `change` takes."""
    from network.runtime import tf
    reader = tf.train.load_checkpoint(prefix)
    arrays = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    arrays = {name: change(name, array) for name, array in arrays.items()}
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {name: tf.get_variable(name, array.shape, array.dtype, trainable=False) for name, array in arrays.items()}
        for name, array in arrays.items():
            variables[name].load(array, session)
        tf.train.Saver(variables).save(session, prefix, write_meta_graph=False, write_state=False)


@pytest.fixture
def own_model(model, tmp_path):
    """(corpus folder, a copy of the result folder) of a trained and tested model."""
    shutil.copytree(str(model[1]), str(tmp_path / "result"))
    return model[0], ResultFolder(str(tmp_path / "result"))


def infinite(name, array):
    return array * np.float32(3e38) if name.endswith("kernel") and array.shape[-1] == 8 else array


def not_a_number(name, array):
    return np.full_like(array, np.nan) if name == "bert/embeddings/LayerNorm/beta" else array


@pytest.mark.trains
@pytest.mark.parametrize("change, words", [
    (not_a_number, "not finite .NaN or infinity., in bert/embeddings/LayerNorm/beta"),
    (infinite, "the model's answers are not finite numbers")])
def test_a_model_that_has_gone_wrong_answers_nothing(change, words, own_model, tmp_path):
    corpus, result = own_model
    altered(result.best, change)
    before = {path: os.stat(path).st_mtime for path in files_below(result.root) if "lock" not in path}
    note, = list((corpus / "ground_truth" / "merged_xml").glob("*.xml"))[:1]
    (tmp_path / "new.xml").write_text(re.sub(r' type="\w+" />\n(?=<TLINK|</TAGS)', ' type="" />\n', note.read_text()))
    commands = [("test", "--corpus", corpus), ("predict", tmp_path / "new.xml", "--out", tmp_path / "out")]
    if change is not_a_number:
        commands.append(("export", "--out", tmp_path / "exported"))
    for command in commands:
        with pytest.raises(InputError, match=f"best_validation.*{words}"):
            here(*command, "--result", result.root)
    assert {path: os.stat(path).st_mtime for path in files_below(result.root) if "lock" not in path} == before
    assert not os.path.exists(str(tmp_path / "exported")) and not files_below(tmp_path / "out")


@pytest.mark.trains
def test_weights_too_large_for_float16_are_not_exported_as_infinite(own_model, tmp_path):
    altered(own_model[1].best, lambda name, array: array + np.float32(7e4) if name == "bert/embeddings/LayerNorm/beta" else array)
    with pytest.raises(InputError, match="LayerNorm/beta holds numbers that are too large for float16"):
        here("export", "--result", own_model[1].root, "--out", tmp_path / "out", "--float16")
    assert not (tmp_path / "out").exists()


class Quiet:
    """Stands in for the progress and the curves."""
    def close(self):
        """Nothing to do."""


def protocol_at_step_3(folder):
    """The training protocol of a run without a model yet, after the third step."""
    from inputs.head_of_note import Features
    from settings import Settings
    from training.protocol import NEVER, TrainingProtocol
    rows = np.zeros([2, 5], np.int32)
    one = TrainingProtocol(None, Features(rows, rows, rows, rows[:, 0]), ["AFTER", "BEFORE"], Settings(), ResultFolder(str(folder)),
                           None)
    # pylint: disable=protected-access
    one._step, one._best_score, one._progress, one._curves, one._last_save = 3, NEVER, Quiet(), Quiet(), time.time()
    return one


@pytest.mark.trains
def test_the_score_costs_no_evaluation_of_the_batch(tmp_path):
    """The training step has reported its accuracy already."""
    from training.protocol import DevMetrics
    one = protocol_at_step_3(tmp_path)
    one.evaluation = one._batches = None  # pylint: disable=protected-access
    one._batch_accuracy = 0.25  # pylint: disable=protected-access
    dev = DevMetrics(*(0.75 if name == "accuracy" else 9.0 for name in DevMetrics._fields))
    assert one._score(None, dev) == 0.5  # pylint: disable=protected-access


@pytest.mark.trains
def test_a_state_whose_weights_are_not_finite_is_not_continued_from(tmp_path):
    """As an earlier version may have left it."""
    from network.runtime import tf

    def of_weight(value):
        def write(prefix):
            with tf.Graph().as_default(), tf.Session() as session:
                tf.get_variable("weight", [2]).load(np.array([0.0, value], np.float32), session)
                tf.train.Saver().save(session, prefix, write_meta_graph=False, write_state=False)
        return write
    for step, value in ((2, 1.0), (3, np.nan)):
        checkpoints.save_state(of_weight(value), str(tmp_path), step, False)
    told = []
    assert checkpoints.newest_good_state(str(tmp_path), told.append).step == 2
    assert "state-3" in told[0] and "not finite" in told[0]


@pytest.mark.trains
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_model_is_chosen_whose_answers_are_not_finite(value, tmp_path):
    class Evaluation:
        """Answers with one number that is none."""
        @staticmethod
        def logits(_, batch, *masks):
            """As EvaluationGraph's."""
            return np.array([[1.0, value], [0.0, 1.0]], np.float32)[:len(batch.label_ids)]
    one = protocol_at_step_3(tmp_path)
    one.evaluation = Evaluation
    with pytest.raises(InputError, match="at step 3 the largest dev logit is (nan|inf), not a finite number. There is no model to"):
        one._evaluate(None)  # pylint: disable=protected-access
    assert files_below(tmp_path) == []


@pytest.mark.trains
@pytest.mark.parametrize("value, words", [(np.nan, "at step 3 the largest weight is nan"), (np.inf, "the largest weight is nan"),
                                          (None, "reads back damaged"), (1.0, None)])
def test_no_state_is_kept_that_could_not_be_used(value, words, tmp_path):
    class Saver:
        """Writes a weight of some value, or a file that is no checkpoint."""
        def save(self, _, prefix, **how):
            """As tf.train.Saver's."""
            from network.runtime import tf
            if value is None:
                with open(prefix + ".index", "w") as out:
                    out.write("no checkpoint")
                return
            with tf.Graph().as_default(), tf.Session() as session:
                tf.get_variable("weight", [2]).load(np.array([0.0, value], np.float32), session)
                tf.train.Saver().save(session, prefix, **how)

    one = protocol_at_step_3(tmp_path)

    def save():
        checkpoints.save_state(lambda prefix: one._write(Saver(), None, prefix),  # pylint: disable=protected-access
                               str(tmp_path), 3, False)
    if words is None:
        save()
        assert os.listdir(str(tmp_path)) == ["state-3"]
    else:
        with pytest.raises(InputError, match=words):
            save()
        assert os.listdir(str(tmp_path)) == []


@pytest.mark.trains
def test_a_continued_run_notices_that_its_best_model_is_damaged(corpus, bert, tmp_path):
    result = ResultFolder(str(tmp_path / "result"))
    words = ("train", "--corpus", corpus, "--bert", bert, "--result", result.root,
             *settings(seq_length=32, batch_size=4, max_steps=4, evaluate_every=2, eval_batch_size=8))
    run("run_i2b2.py", *words)
    data = result.best + ".data-00000-of-00001"
    with open(data, "r+b") as out:
        out.truncate(os.path.getsize(data) // 2)
    finished = run("run_i2b2.py", *words, check=False)
    assert finished.returncode == 1 and "best_validation.*: the checkpoint is damaged" in finished.stderr
    os.remove(result.outcome)  # as a kill before the end leaves it
    continued = run("run_i2b2.py", *words, check=False)
    assert continued.returncode == 1 and "best_validation.*: the checkpoint is damaged" in continued.stderr
    assert "finished" not in continued.stdout and len(continued.stderr.splitlines()) == 1


@pytest.mark.trains
def test_test_and_train_leave_nothing_in_the_temporary_folder(own_model, bert, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    here("test", "--corpus", own_model[0], "--result", own_model[1].root)
    assert os.listdir(str(temporary)) == []


@pytest.mark.parametrize("told", [
    "/disk: No space left on device\n\t [[node save/SaveV2 (defined at x.py:8) ]]\n\nOriginal stack trace",
    "Graph execution error:\n\nDetected at node 'save/SaveV2' defined at (most recent call last):\n    File \"x.py\", line 8\n"
    "Node: 'save/SaveV2'\n/disk: No space left on device\n\t [[{{node save/SaveV2}}]]\n\nOriginal stack trace"])
def test_why_tensorflow_failed_is_told_in_the_systems_words(told):
    assert checkpoints.reason_of(Exception(told)) == "/disk: No space left on device"
    assert checkpoints.reason_of(KeyError()) == "KeyError"


@pytest.mark.trains
def test_a_test_during_which_the_run_is_restarted_writes_nothing(own_model, bert, monkeypatch):
    """Between the two, in the middle of `test`, a whole `train --restart` in the same folder."""
    from training import estimator
    corpus, result = own_model
    of_old = {path: open(path, "rb").read() for path in (result.predictions, result.scores_json)}
    predict = estimator.predict

    def meanwhile(*arguments):
        run("run_i2b2.py", "train", "--recipe", "demo", "--corpus", corpus, "--result", result.root, "--bert", bert, "--restart",
            *settings(max_steps=1, evaluate_every=1, seq_length=60))
        monkeypatch.setattr(estimator, "predict", predict)
        return predict(*arguments)

    monkeypatch.setattr(estimator, "predict", meanwhile)
    with pytest.raises(InputError, match="holds another run than when this test began"):
        here("test", "--corpus", corpus, "--result", result.root)
    kept, = (name for name in os.listdir(result.root) if name.startswith("before-"))
    for path, content in of_old.items():
        assert not os.path.exists(path)
        assert open(os.path.join(result.root, kept, os.path.basename(path)), "rb").read() == content
    record = results.read_run(result)
    assert record["train"]["step"] == 1 and "test" not in record
    # What is there is a whole run, which the same command tests.
    here("test", "--corpus", corpus, "--result", result.root)
    assert results.read_run(result)["test"]["files"]["figures"]
