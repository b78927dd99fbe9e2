"""The tiny BERT of the sample corpus."""
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from data_process_i2b2 import read_folder
from inputs.tiny_bert import TINY_CONFIG, tiny_variables
from support.paths import CorpusFolder


@pytest.fixture(scope="module")
def tiny_bert(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny bert") / "new"
    code = "import sys; from inputs.tiny_bert import make_tiny_bert; make_tiny_bert(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=str(project),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b""), done.stdout.decode()
    return folder


def test_tiny_bert_has_the_files_of_googles_layout_and_no_others(tiny_bert):
    assert sorted(path.name for path in tiny_bert.iterdir()) == [
        "bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index", "vocab.txt"]


def test_tiny_vocabulary(tiny_bert, project):
    corpus = CorpusFolder(str(project / "corpus" / "sample"))
    training, test_documents = (read_folder(folder, "decoded") for folder in (corpus.train_xml, corpus.test_xml))
    pieces = (tiny_bert / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert pieces[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(pieces) == len(set(pieces)) <= 2500
    assert json.loads((tiny_bert / "bert_config.json").read_text())["vocab_size"] == len(pieces)
    words = {piece for piece in pieces[5:] if len(piece) > 1 and not piece.startswith("##")}
    assert {"Admission", "Discharge", "HOSPITAL", "emergency"} <= words
    trained_on = {word for document in training for word in re.findall(r"[^\W_]+", document.text)}
    assert words <= trained_on
    # Any word of any note can be written in pieces.
    assert set("".join(document.text for document in test_documents)) - set(" \n") <= set(pieces)


def test_tiny_weights(tiny_bert):
    from network.runtime import tf
    reader = tf.train.load_checkpoint(str(tiny_bert / "bert_model.ckpt"))
    shapes = reader.get_variable_to_shape_map()
    assert shapes["bert/embeddings/position_embeddings"] == [512, 64]
    assert shapes["bert/encoder/layer_1/intermediate/dense/kernel"] == [64, 256]
    for name in shapes:
        value = reader.get_tensor(name)
        if name.endswith("gamma"):
            assert (value == 1).all()
        elif name.endswith(("beta", "bias")):
            assert (value == 0).all()
        else:
            assert 0.014 < value.std() < 0.021 and abs(value).max() <= 0.0400001, name


def test_tiny_weights_have_the_names_of_googles_checkpoints(tiny_bert, shared):
    from network.runtime import tf
    ours, theirs = ([name for name, _ in tf.train.list_variables(str(folder / "bert_model.ckpt"))]
                    for folder in (tiny_bert, shared / "parity" / "tiny_bert"))
    assert ours == theirs


def test_tiny_weights_depend_on_the_seed_alone():
    config = dict(TINY_CONFIG, vocab_size=300)
    first, again, other = (tiny_variables(config, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["bert/pooler/dense/kernel"], other["bert/pooler/dense/kernel"])
