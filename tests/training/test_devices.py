"""Several devices and machines train as one does: the same weights, and a machine that is lost ends the others.

The machines are processes on the loopback, the devices parts of the processor. Dropout is on: its masks are a function of
the place in the whole batch, so that it does not depend on who computes what.
"""
import contextlib
import json
import signal
import socket
import threading
import time

import numpy as np
import pytest

from commands.main import function_of
from commands.options import parse_arguments
from commands.train import cluster_of
from helpers import Background, corpus_of, run, settings
from inputs import batching
from inputs.reading import read_bert, read_corpus, train_and_dev
from settings import settings_for
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder
from training import checkpoints, machines

STEPS = 10
COMMON = dict(max_steps=STEPS, evaluate_every=5, seq_length=48, eval_batch_size=64, save_every_minutes=0, threads=1)
# Batches that the devices cannot share evenly, and of context's a smaller last one: shares may be empty.
RUNS = {"paper": settings(batch_size=7, learning_rate=1e-3, **COMMON),
        "context": settings(batch_size=5, dev=0.4, num_epochs=2, marker_layers=1, **COMMON)}


@pytest.fixture(scope="module")
def inputs(project, bert, tmp_path_factory):
    """(corpus folder, BERT folder): a part of the sample corpus."""
    folder = tmp_path_factory.mktemp("several devices")
    sample = project / "corpus" / "sample"
    corpus = corpus_of(folder / "corpus", *(sorted((sample / place).glob("*.xml"))[:count] for place, count in (
        ("2012-07-15.original-annotation.release", 3), ("ground_truth/merged_xml", 1))))
    return corpus, bert


@pytest.fixture(scope="module")
def arguments(inputs):
    """A function of a recipe and a result folder: the words after `train`."""
    def words(recipe, result):
        return ["--recipe", recipe, "--corpus", inputs[0], "--bert", inputs[1], "--result", result, *RUNS[recipe]]
    return words


@pytest.fixture(scope="module")
def single(arguments, tmp_path_factory):
    """{recipe: result folder} of runs on one device."""
    folder = tmp_path_factory.mktemp("one device")
    for recipe in RUNS:
        here("train", *arguments(recipe, folder / recipe))
    return {recipe: folder / recipe for recipe in RUNS}


def here(command, *words):
    """A command in this process, which need not load TensorFlow again."""
    return function_of(command)(parse_arguments([command] + [str(word) for word in words]))


def newest(result):
    """The newest state below a result folder, or None."""
    found = checkpoints.states(str(result / "checkpoints" / "i2b2"))
    return found[0] if found else None


def assert_same(result, other):
    """The last states and the outcomes of two runs agree."""
    from network.runtime import tf
    assert newest(result).step == newest(other).step == STEPS
    one, two = (tf.train.load_checkpoint(newest(folder).prefix) for folder in (result, other))
    assert one.get_variable_to_shape_map() == two.get_variable_to_shape_map()
    for name in one.get_variable_to_shape_map():
        np.testing.assert_allclose(one.get_tensor(name), two.get_tensor(name), rtol=0, atol=1e-4, err_msg=name)
    ends = [json.loads((folder / "checkpoints/i2b2/outcome.json").read_text()) for folder in (result, other)]
    assert ends[0].pop("best_score") == pytest.approx(ends[1].pop("best_score"), abs=1e-4) and ends[0] == ends[1]


def free_ports():
    """Two ports for machines, the first with a free one after it."""
    while True:
        with contextlib.ExitStack() as held:
            doors = [held.enter_context(contextlib.closing(socket.socket())) for _ in range(3)]
            try:
                doors[0].bind(("127.0.0.1", 0))
                first = doors[0].getsockname()[1]
                doors[1].bind(("127.0.0.1", first + 1))
                doors[2].bind(("127.0.0.1", 0))
            except (OSError, OverflowError):
                continue
            return first, doors[2].getsockname()[1]


class Cluster:
    """Two machines at work on one run; their output is read from files."""

    def __init__(self, folder, words):
        self.logs, self.processes = [], []
        workers = [f"127.0.0.1:{port}" for port in free_ports()]
        for index in range(2):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            self.logs.append(folder / f"{time.time()}-{index}")
            with open(str(self.logs[-1]), "w") as out, open(str(self.logs[-1]) + "-errors", "w") as errors:
                self.processes.append(Background("run_i2b2.py", "train", *words, out=out, errors=errors, environment=dict(
                    TF_CONFIG=json.dumps(config), CLUSTER_SECRET=SECRET)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def errors(self):
        return [open(str(log) + "-errors").read() for log in self.logs]

    def wait_until(self, condition):
        """Wait until `condition()`, which must come while both are at work."""
        for _ in range(3000):
            if condition():
                return
            assert [process.poll() for process in self.processes] == [None, None], self.errors()
            time.sleep(0.05)
        pytest.fail(f"nothing came of it: {self.errors()}")

    def end(self, seconds):
        """Exit statuses, at the latest after so many seconds."""
        until = time.time() + seconds
        return [process.wait(timeout=max(until - time.time(), 0.01)) for process in self.processes]


# ----------------------------------------------------------------------------------------------------------- the same run

@pytest.mark.parametrize("recipe", list(RUNS))
def test_two_devices_of_one_machine(recipe, single, arguments, tmp_path):
    here("train", *arguments(recipe, tmp_path / "result"), *settings(devices=2))
    assert_same(tmp_path / "result", single[recipe])


def test_a_killed_machine_ends_the_other_and_both_continue(single, inputs, arguments, tmp_path):
    result = tmp_path / "result"
    words = arguments("paper", result)
    with Cluster(tmp_path, words) as cluster:
        cluster.wait_until(lambda: newest(result) and newest(result).step > 1)
        cluster.processes[1].send_signal(signal.SIGKILL)
        assert cluster.end(60) == [1, -signal.SIGKILL]
        error, = cluster.errors()[0].splitlines()
    assert error.startswith("error: worker 1 (127.0.0.1:") and "the same commands continue" in error
    assert newest(result).step < STEPS

    with Cluster(tmp_path, words) as cluster:
        assert cluster.end(300) == [0, 0], cluster.errors()
        assert cluster.errors() == ["", ""]
        assert "continued from step" in cluster.logs[0].read_text()
    assert_same(result, single["paper"])
    for folder in (result, single["paper"]):
        here("test", "--corpus", inputs[0], "--bert", inputs[1], "--result", folder)
    tables = [[line.split("\t") for line in (folder / "predictions.tsv").read_text().splitlines()]
              for folder in (result, single["paper"])]
    assert [row[:6] for row in tables[0]] == [row[:6] for row in tables[1]]


def test_ctrl_c_on_one_machine_ends_both_and_one_alone_continues(single, arguments, tmp_path):
    result = tmp_path / "result"
    words = arguments("context", result)
    with Cluster(tmp_path, words) as cluster:
        cluster.wait_until(lambda: newest(result) and newest(result).step > 1)
        cluster.processes[1].send_signal(signal.SIGINT)
        assert cluster.end(120) == [130, 130], cluster.errors()
        for error, state in zip(cluster.errors(), ("the state is saved", "the chief saves its state")):
            assert f"interrupted at step {newest(result).step}, {state}; the same command" in error and "Traceback" not in error
    assert newest(result).step < STEPS
    here("train", *words)
    assert_same(result, single["context"])


# -------------------------------------------------------------------------------------------------------------- the parts

def test_shares_are_the_batch(inputs):
    chosen = settings_for("context", RUNS["context"][1::2])
    bert = read_bert(BertFolder(str(inputs[1])), chosen)
    features, _ = train_and_dev(read_corpus(CorpusFolder(str(inputs[0])), chosen), bert, chosen)
    batches = batching.Batches(features, chosen)
    for count in (1, 2, 3, 5):
        batch = batches.at(1)
        shares = [batching.share(batch, number, count) for number in range(count)]
        for name in batch._fields:
            np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part, _ in shares]), getattr(batch, name))
        assert [before for _, before in shares] == [sum(len(part.label_ids) for part, _ in shares[:number])
                                                    for number in range(count)]


SECRET = "some words that only these machines know"
CLUSTER = {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}


def test_tf_config():
    found = machines.parse(json.dumps({"cluster": dict(CLUSTER, chief=["a:1"]), "task": {"type": "worker", "index": 0}}))
    assert found.addresses == ("a:1", "10.0.0.1:2222", "10.0.0.2:2222") and found.number == 1
    assert found.meeting_place == ("a", 2) and found.names[1] == "worker 0 (10.0.0.1:2222)"
    assert machines.parse("{}") is machines.ALONE
    assert machines.parse('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}') is machines.ALONE


@pytest.mark.parametrize("config, words", [
    ("{", "not JSON"), ("[]", "not an object"), ('{"cluster": []}', "not an object"),
    ({"cluster": dict(CLUSTER, ps=["a:1"])}, "the job ps"), ({"cluster": {"worker": "a:1"}}, "not a list"),
    ({"cluster": {"worker": ["a:1", "b"]}}, "host:port"), ({"cluster": {"worker": ["a:1", "a:1"]}}, "twice"),
    ({"cluster": CLUSTER}, "none of the cluster's machines"),
    ({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}, "none of the cluster's machines")])
def test_a_malformed_tf_config_is_refused(config, words):
    with pytest.raises(InputError, match=words):
        machines.parse(config if isinstance(config, str) else json.dumps(config))


def test_a_malformed_tf_config_ends_the_command(inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    finished = run("run_i2b2.py", "train", "--corpus", inputs[0], "--bert", inputs[1], "--result", tmp_path / "result",
                   check=False)
    assert finished.returncode == 1 and "TF_CONFIG is not usable" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1 and not (tmp_path / "result").exists()


def test_what_several_machines_have_no_use_for_is_refused(monkeypatch):
    from training import devices
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(InputError, match="--seeds"):
        cluster_of(parse_arguments(["train", "--seeds", "2"]))
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES"):
        devices.choose(settings_for("paper", ["devices=2"]), machines.of_environment())


def test_machines_must_train_the_same(monkeypatch):
    """The chief and another, in this process."""
    monkeypatch.setenv("CLUSTER_SECRET", SECRET)
    first, second = free_ports()
    cluster = machines.Cluster(("the chief", "worker 1"), (f"127.0.0.1:{first}", f"127.0.0.1:{second}"), 0)
    refused = []

    def join():
        with pytest.raises(InputError, match="worker 1 is about to train something else than the chief: 1 is not 2"):
            with machines.Machines(cluster._replace(number=1)).joined(1):
                pass
        refused.append(True)

    thread = threading.Thread(target=join)
    thread.start()
    with pytest.raises(InputError, match="1 is not 2"):
        with machines.Machines(cluster).gathered(2, lambda old, new: [f"{old} is not {new}"] if old != new else []):
            pass
    thread.join(10)
    assert refused
