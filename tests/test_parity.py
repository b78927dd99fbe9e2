"""Agreement with what upstream's code computes, recorded with TensorFlow 1.14 (../shared/parity)."""
import shutil

import numpy as np
import pytest

import data_process_i2b2
import parity
from helpers import corpus_of, run
from inputs import reading
from inputs.head_of_note import make_features
from inputs.labels import LABELS
from network.runtime import tf
from settings import Settings
from support import paths
from tokenization import FullTokenizer


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "parity"


@pytest.fixture(scope="module")
def recorded(folder):
    return {name: np.load(str(folder / f"{name}.npz")) for name in ("features", "model", "predictions")}


@pytest.fixture(scope="module")
def examples(folder):
    """Examples in the order of the recorded rows: that of the sorted lines."""
    rows = [example for document in data_process_i2b2.read_folder(folder / "xml")
            for example in data_process_i2b2.examples(document)]
    return sorted(rows, key=lambda row: "".join(data_process_i2b2.tsv_lines([row])))


@pytest.fixture(scope="module")
def bert(folder):
    return reading.read_bert(paths.BertFolder(str(folder / "tiny_bert")), Settings())


@pytest.fixture(scope="module")
def made(examples, bert):
    return make_features(examples, FullTokenizer(bert.vocab, do_lower_case=False), Settings().seq_length, LABELS)


def test_data_equal_upstreams_to_the_byte(folder, examples):
    recorded_lines = (folder / "upstream.txt").read_bytes()
    assert "".join(data_process_i2b2.tsv_lines(examples)).encode("utf-8") == recorded_lines


def test_features_equal_upstreams(made, examples, recorded):
    assert [example.guid for example in examples] == recorded["features"]["guid"].tolist()
    parity.check_features(made, recorded["features"])


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "xla"])
def model(bert, recorded, request):
    with tf.Graph().as_default():
        yield parity.Model(bert, recorded, Settings(), len(LABELS), request.param)


def test_logits_loss_accuracy_and_gradient_norm(model, made, recorded):
    parity.check_one_pass(model, made, recorded["model"])


def test_three_training_steps(model, made, recorded):
    parity.check_three_steps(model, made, recorded["model"], 26)


def test_upstreams_saver_restores_our_best_model(folder, bert, tmp_path):
    """A Saver over exactly upstream's variables, Adam's included, in upstream's types reads best_validation."""
    corpus = corpus_of(tmp_path / "corpus", folder / "xml", folder / "xml")
    run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result",
        "--set", "max_steps=2", "--set", "evaluate_every=1")
    parity.check_readable_by_upstream(str(tmp_path / "result/checkpoints/i2b2/best_validation"),
                                      str(folder / "upstream_checkpoint" / "best_validation"))


def test_upstreams_model_predicts_what_it_predicted(folder, recorded, bert, tmp_path):
    corpus = corpus_of(tmp_path / "corpus", folder / "xml", folder / "xml")
    checkpoints = tmp_path / "result" / "checkpoints" / "i2b2"
    checkpoints.parent.mkdir(parents=True)
    shutil.copytree(str(folder / "upstream_checkpoint"), str(checkpoints))
    run("run_i2b2.py", "test", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result")
    parity.check_predictions(tmp_path / "result" / "predictions.tsv", LABELS, recorded["predictions"])
