"""A model trained on one TensorFlow gives the same predictions on the other."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import PROJECT
from evaluation import predictions
from helpers import corpus_of, run, settings
from inputs.tiny_bert import make_tiny_bert
from support.paths import SAMPLE_CORPUS, TEST_XML, TRAIN_XML


def test_a_model_moves_between_the_runtimes(tmp_path):
    other = os.environ.get("OTHER_PYTHON")
    if not other:
        pytest.skip("needs the environment of the other TensorFlow: `make test` with both Pythons, or OTHER_PYTHON=python")
    sample = Path(SAMPLE_CORPUS)
    make_tiny_bert(str(tmp_path / "bert"))
    folder = corpus_of(tmp_path / "corpus", sample / TRAIN_XML, sample / TEST_XML)
    common = ["--corpus", folder, "--bert", tmp_path / "bert", "--result", tmp_path / "result"]
    run("run_i2b2.py", "train", *common, *settings(max_steps=20, evaluate_every=20, learning_rate=1e-3))
    run("run_i2b2.py", "test", *common)
    ours = predictions.read(str(tmp_path / "result" / "predictions.tsv"))
    finished = subprocess.run([other, str(PROJECT / "run_i2b2.py"), "test", *map(str, common)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=600)
    assert finished.returncode == 0 and finished.stderr == "", finished.stderr
    theirs = predictions.read(str(tmp_path / "result" / "predictions.tsv"))
    assert theirs[:4] == ours[:4]
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-5)
    assert ours.probabilities.std(axis=0).max() > 1e-3, "the model has learnt to tell links apart"
