"""Kills, signals, full and read-only disks, altered and missing files: nothing is lost, and everything is told."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from helpers import Background, command_of, files_below, run, settings, write_corpus
from inputs.head_of_note import Features
from inputs.labels import LABELS
from settings import Settings
from support.paths import ResultFolder
from training import checkpoints, protocol

# Every run builds its graph, which is smaller with filters of one width.
SMALL = dict(batch_size=4, save_every_minutes=0, seq_length=32, filter_sizes=2)
# A run that ends only when something ends it, and saves after every step.
ENDLESS = settings(num_epochs=10 ** 4, evaluate_every=10 ** 6, **SMALL)
SHORT = settings(eval_batch_size=2, max_steps=12, evaluate_every=3, **SMALL)


@pytest.fixture
def own_corpus(tmp_path):
    """A corpus that the test may damage."""
    return write_corpus(tmp_path / "corpus")


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many kB and returns its folder; skips where mounting is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(folder)],
                              stderr=subprocess.DEVNULL).returncode == 0

    with contextlib.ExitStack() as mounted:
        def disk(kilobytes):
            if shutil.which("mount") is None or not mount(f"size={kilobytes}k"):
                pytest.skip("mounting a small disk takes Linux and a root who may")
            mounted.callback(subprocess.run, ["umount", str(folder)], check=True)
            return folder
        yield disk


class Training(Background):
    """A `train` at work in the background; its output is read from a file."""

    def __init__(self, log, *arguments):
        self._log = log
        with open(str(log), "w") as out:
            super().__init__("run_i2b2.py", "train", *arguments, out=out, errors=out)

    def output(self):
        return self._log.read_text()

    def wait_until(self, condition):
        """Wait until `condition()`, which must come while the training is at work."""
        for _ in range(6000):
            if condition():
                return
            assert self.poll() is None, self.output()
            time.sleep(0.05)
        pytest.fail(f"nothing came of it\n{self.output()}")

    def end(self, *signals):
        """Send signals; returns (exit status, output)."""
        for number in signals:
            self.send_signal(number)
        return self.wait(timeout=300), self.output()


def newest_step(result):
    """The step of the newest state, 0 where there is none."""
    found = checkpoints.states(str(result / "checkpoints" / "i2b2"))
    return found[0].step if found else 0


def flip(path):
    """Alter one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def state_data(result):
    """The data files of the saved states, the newest first, as paths."""
    folders = [state.folder for state in checkpoints.states(str(result / "checkpoints" / "i2b2"))]
    return [result.joinpath(folder, "state.data-00000-of-00001") for folder in folders]


def test_a_run_killed_at_any_moment_becomes_the_uninterrupted_one(corpus, bert, tmp_path):
    """Killed inside each writing of its files, and at 10 random moments, with a `test` at work in its folder; see crash.py."""
    if not hasattr(os, "fork") or not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs Linux")
    finished = run("tests/crash.py", tmp_path, 10, 0, "--corpus", corpus, "--bert", bert, *SHORT, timeout=3000)
    report = json.loads(finished.stdout)
    from crash import POINTS
    assert report["killed at"] == list(POINTS) and report["killed at random"] == 10 and report["beside a test"] > 1
    assert {"train", "test"} < set(report["recorded"])
    for difference in report["differences"]:
        assert difference["best model"] <= 1e-5 and difference["last state"] <= 1e-5
        assert [difference[key] for key in ("outcome", "curves", "left over", "bytes more")] == [False, False, 0, 0]


@pytest.mark.parametrize("done", [0, 3, 4, 7])
def test_an_evaluation_goes_on_in_batches_of_another_size(done, tmp_path):
    """`done` examples were evaluated when it was cut off: with batches of 2 from here on, the last may be half done."""
    random = np.random.RandomState(0)
    dev = Features(*(random.randint(0, 9, [7, 5]).astype(np.int32) for _ in range(3)), label_ids=np.zeros(7, np.int32))
    result = ResultFolder(str(tmp_path))

    class Graph:
        """Answers with what it was asked."""
        seen = 0

        def logits(self, _, batch, *masks):
            self.seen += len(batch.label_ids)
            return np.concatenate([batch.input_ids, batch.input_mask[:, :3]], axis=1).astype(np.float32)

    def evaluate():
        one = protocol.TrainingProtocol(None, dev, LABELS, Settings(eval_batch_size=2), result, None)
        one.evaluation, one._step, one._last_save = Graph(), 3, time.time()  # pylint: disable=protected-access
        return one._dev_logits(None), one.evaluation.seen  # pylint: disable=protected-access

    whole, _ = evaluate()
    protocol.write_partial(result.evaluation, 3, whole[:done])
    continued, seen = evaluate()
    assert (continued == whole).all() and seen == 7 - done + (done == 3)


def test_what_continues_a_restarted_run_is_the_command_without_restart(corpus, bert, tmp_path):
    with Training(tmp_path / "log", "--corpus", corpus, "--bert", bert, "--result", tmp_path / "result", "--restart",
                  *ENDLESS) as training:
        training.wait_until(lambda: newest_step(tmp_path / "result") > 1)
        status, output = training.end(signal.SIGINT)
    assert status == 130 and "but without --restart" in output
    record = json.loads((tmp_path / "result" / "run.json").read_text(encoding="utf-8"))
    assert record["train"]["ended"] and record["train"]["seconds"] > 0


def test_signals_a_twin_and_damaged_files(own_corpus, bert, tmp_path):
    """One run, through everything that may happen to it; the same command continues each time."""
    result = tmp_path / "result"
    arguments = ("--corpus", own_corpus, "--bert", bert, "--result", result, *ENDLESS)

    def training(name):
        return Training(tmp_path / name, *arguments)

    with training("first") as first:
        first.wait_until(lambda: newest_step(result) > 1)
        twin = run("run_i2b2.py", "train", *arguments, check=False)
        assert twin.returncode == 1 and f"process {first.pid} on" in twin.stderr
        assert "another training is at work" in twin.stderr and len(twin.stderr.splitlines()) == 1
        first.end(signal.SIGKILL)

    # The killed twin's lock is no obstacle.
    step = newest_step(result)
    with training("second") as second:
        second.wait_until(lambda: newest_step(result) > step + 1)
        assert f"continued from step {step}" in second.output()
        status, output = second.end(signal.SIGTERM)
    assert status == 143 and f"interrupted at step {newest_step(result)}, the state is saved; the same command" in output
    assert "without --restart" not in output

    # The newest state and a cache have an altered byte: both are named, the state before and a new cache used.
    newest, before = state_data(result)
    cache = next((own_corpus / "features").glob("train-*.npz"))
    flip(newest)
    flip(cache)
    with training("third") as third:
        third.wait_until(lambda: newest_step(result) > step + 1 and "continued from step" in third.output())
        status, output = third.end(signal.SIGINT)
    assert status == 130 and "Traceback" not in output
    assert f"{newest.parent}: this state is damaged" in output and f"continued from step {before.parent.name[6:]}" in output
    assert f"{cache}: damaged" in output and "train: features of 24 examples made" in output

    # No state is whole, and the caches are gone: training begins anew. A second Ctrl-C ends it at once.
    for data in state_data(result):
        flip(data)
    shutil.rmtree(str(own_corpus / "features"))
    with training("fourth") as fourth:
        fourth.wait_until(lambda: "at most" in fourth.output() and newest_step(result) > 2)
        status, output = fourth.end(signal.SIGINT, signal.SIGINT)
    assert status == 130 and "Traceback" not in output
    assert "no other is left, so training begins anew" in output and "train: features of 24 examples made" in output
    state = checkpoints.newest_good_state(str(result / "checkpoints" / "i2b2"), pytest.fail)
    assert state is not None


def test_a_full_and_a_read_only_disk(corpus, bert, tmp_path, small_disk):
    disk = small_disk(4000)
    result = disk / "result"
    arguments = ("--corpus", corpus, "--bert", bert, "--result", result, *ENDLESS)
    refused = run("run_i2b2.py", "train", *arguments, check=False)
    assert refused.returncode == 1 and "training needs" in refused.stderr and "are free" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and not (result / "checkpoints").exists()

    subprocess.run(["mount", "-o", "remount,size=60000k", str(disk)], check=True)
    with Training(tmp_path / "filled", *arguments) as filled:
        filled.wait_until(lambda: newest_step(result) > 1)
        with open(str(disk / "filler"), "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        assert filled.wait(timeout=300) == 1
    assert "Make room, then give the same command again" in filled.output() and "Traceback" not in filled.output()
    step = newest_step(result)
    assert not [name for name in files_below(result) if ".unfinished" in name or name.endswith(".tmp")]

    (disk / "filler").unlink()
    with Training(tmp_path / "again", *arguments) as again:
        again.wait_until(lambda: newest_step(result) > step)
        assert again.end(signal.SIGINT)[0] == 130
    assert f"continued from step {step}" in again.output()

    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for command in ("train", "check"):
        finished = run("run_i2b2.py", command, *arguments, check=False)
        assert finished.returncode == 1 and "read-only disk" in finished.stderr and len(finished.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def offline(corpus, bert, tmp_path_factory):
    """A short run of `train` and `test` without a network: (result folder, arguments, finished processes)."""
    result = tmp_path_factory.mktemp("out") / "result"
    arguments = ("--corpus", corpus, "--bert", bert, "--result", result, *SHORT)
    environment = dict(os.environ, PYTHONPATH=os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "offline"))
    # A network namespace of its own, where that is permitted, has not even a loopback that is up.
    alone = ["unshare", "-n"]
    if shutil.which("unshare") is None or subprocess.run(alone + ["true"], stderr=subprocess.DEVNULL).returncode:
        alone = []
    finished = [subprocess.run(alone + command_of("run_i2b2.py", command, *arguments), stdout=subprocess.PIPE, env=environment,
                               stderr=subprocess.PIPE, universal_newlines=True) for command in ("train", "test")]
    return result, arguments, finished


def test_no_network_is_needed_or_tried(offline):
    result, _, finished = offline
    assert [(process.returncode, process.stderr) for process in finished] == [(0, ""), (0, "")]
    assert (result / "report.html").is_file()


def test_disk_needed_is_what_is_written(offline, corpus, bert):
    from inputs.reading import read_bert
    from inputs.views import view_of
    from settings import settings_for
    from support.paths import BertFolder
    from training import resources
    from training.estimator import model_shapes
    result = offline[0]
    chosen = settings_for("paper", SHORT[1::2])
    shapes = model_shapes(read_bert(BertFolder(str(bert)), chosen).config, chosen, len(LABELS))
    for prefix in (result / "checkpoints/i2b2/best_validation", result / "checkpoints/i2b2/state-12-evaluated/state"):
        written = sum(os.path.getsize(str(path)) for path in prefix.parent.glob(prefix.name + ".*"))
        assert 0 <= resources.checkpoint_bytes(shapes) - written < 10000
    for split, examples in (("train", 24), ("test", 8)):
        cache, = (corpus / "features").glob(split + "-head_of_note-*.npz")
        assert 0 <= view_of(chosen).cache_bytes((), range(examples)) - cache.stat().st_size < 2000
    for path in files_below(result / "tensorboard"):
        allowed = 12 * resources.STEP_CURVE_BYTES + 4 * resources.EVALUATION_CURVE_BYTES
        assert os.path.getsize(path) < allowed


def test_two_tests_at_once(offline, tmp_path):
    result, arguments, _ = offline
    expected = (result / "predictions.tsv").read_text()
    with contextlib.ExitStack() as at_work:
        outputs = [at_work.enter_context(open(str(tmp_path / str(number)), "w+")) for number in range(2)]
        both = [at_work.enter_context(Background("run_i2b2.py", "test", *arguments, out=out, errors=out)) for out in outputs]
        for process, out in zip(both, outputs):
            assert process.wait(timeout=600) == 0, out.seek(0) or out.read()
    assert (result / "predictions.tsv").read_text() == expected
    assert json.loads((result / "scores.json").read_text())["pairs"]["accuracy"] >= 0


def test_an_altered_best_model_is_named(offline, tmp_path):
    result, arguments, _ = offline
    copy = tmp_path / "copy"
    shutil.copytree(str(result), str(copy))
    flip(copy / "checkpoints/i2b2/best_validation.data-00000-of-00001")
    (copy / "predictions.tsv").unlink()
    finished = run("run_i2b2.py", "test", *arguments, "--result", copy, check=False)
    assert finished.returncode == 1 and "best_validation.*: the checkpoint is damaged" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1 and not (copy / "predictions.tsv").exists()


def test_a_loss_that_is_not_finite_ends_training(corpus, bert, tmp_path):
    arguments = ("--corpus", corpus, "--bert", bert, "--result", tmp_path / "result", *SHORT)
    finished = run("run_i2b2.py", "train", *arguments, *settings(learning_rate=1e10, clip=1e10), check=False)
    assert finished.returncode == 1 and len(finished.stderr.splitlines()) == 1
    for words in ("at step", "not a finite number. There is no model to keep yet", "--set learning_rate=2e+09", "--restart"):
        assert words in finished.stderr
    assert not checkpoints.exists(str(tmp_path / "result" / "checkpoints" / "i2b2" / "best_validation"))
    # The advice works.
    again = run("run_i2b2.py", "train", *arguments, *settings(max_steps=3), "--restart")
    assert "the earlier run is kept in" in again.stdout and "finished at step 3" in again.stdout
    kept, = (tmp_path / "result").glob("before-*")
    assert (kept / "run.json").is_file()
