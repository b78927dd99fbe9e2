"""Agreement with what upstream's code computes on BC5CDR, recorded with TensorFlow 1.14 (../shared/bc5cdr/parity)."""
import gzip
import shutil

import numpy as np
import pytest

import data_process_BC5CDR as data
import parity
from helpers import cut_bc5cdr, run
from inputs import reading
from inputs.head_of_note import make_features
from network.runtime import tf
from support import paths
from tasks.bc5cdr import BC5CDR
from tokenization import FullTokenizer

PAPER = BC5CDR.recipes["paper"]


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "bc5cdr" / "parity"


@pytest.fixture(scope="module")
def recorded(folder):
    return {name: np.load(str(folder / f"{name}.npz")) for name in ("features", "model", "predictions")}


@pytest.fixture(scope="module")
def examples(shared):
    return data.read_split(shared / "bc5cdr" / "CDR_TestSet.BioC.xml").examples


@pytest.fixture(scope="module")
def bert(folder):
    return reading.read_bert(paths.BertFolder(str(folder / "tiny_bert")), PAPER)


@pytest.fixture(scope="module")
def made(examples, bert):
    return make_features(examples, FullTokenizer(bert.vocab, do_lower_case=False), PAPER.seq_length, data.LABELS)


def test_the_papers_settings():
    assert (PAPER.seq_length, PAPER.batch_size, PAPER.dev, PAPER.negatives) == (170, 32, "development", "sampled")


def test_data_equal_upstreams_to_the_byte(shared, examples):
    with gzip.open(str(shared / "bc5cdr" / "upstream_test.txt.gz")) as source:
        assert "".join(data.tsv_lines(examples)).encode("utf-8") == source.read()


def test_features_equal_upstreams(made, examples, recorded):
    assert [example.guid for example in examples] == recorded["features"]["guid"].tolist()
    parity.check_features(made, recorded["features"])


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "xla"])
def model(bert, recorded, request):
    with tf.Graph().as_default():
        yield parity.Model(bert, recorded, PAPER, len(data.LABELS), request.param)


def test_logits_loss_accuracy_and_gradient_norm(model, made, recorded):
    parity.check_one_pass(model, made, recorded["model"])


def test_three_training_steps(model, made, recorded):
    parity.check_three_steps(model, made, recorded["model"], 32)


def test_upstreams_saver_restores_our_best_model(shared, folder, bert, tmp_path):
    corpus = cut_bc5cdr(shared, tmp_path / "corpus", train=20, dev=3, test=3)
    run("run_BC5CDR.py", "train", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result",
        "--set", "max_steps=2", "--set", "evaluate_every=1")
    parity.check_readable_by_upstream(str(tmp_path / "result/checkpoints/BC5CDR/best_validation"),
                                      str(folder / "upstream_checkpoint" / "best_validation"))


def test_upstreams_model_predicts_what_it_predicted(shared, folder, recorded, bert, tmp_path):
    """Tested on the whole test set; of the others a part will do."""
    corpus = cut_bc5cdr(shared, tmp_path / "corpus", train=3, dev=3, test=None)
    checkpoints = tmp_path / "result" / "checkpoints" / "BC5CDR"
    checkpoints.parent.mkdir(parents=True)
    shutil.copytree(str(folder / "upstream_checkpoint"), str(checkpoints))
    run("run_BC5CDR.py", "test", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result")
    predictions = tmp_path / "result" / "predictions.tsv"
    parity.check_predictions(predictions, data.LABELS, recorded["predictions"])
    rows = [line.split("\t") for line in predictions.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["document", "relation", "chemical", "disease", "gold", "predicted", "p_0", "p_1"]
    in_file = [line.split("\t")[0] for line in (corpus / "test.txt").read_text(encoding="utf-8").splitlines()]
    assert ["_".join(row[:2]) for row in rows[1:]] == in_file, "in the order of test.txt"
