"""The seam: a task is one object. A third one runs without a word of it anywhere else; see third_task.py."""
import json
import re

import pytest

from helpers import run, settings
from network.runtime import tf

LABELS = ("order", "question", "neither")
PROGRAM = "tests/third_task.py"


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """Eight documents of three sentences each to train on, and seven to test on."""
    folder = tmp_path_factory.mktemp("third")
    for name, count, first in (("train", 8, 0), ("test", 7, 100)):
        rows = [f"{first + document}_{number}\tpain {document}\tthe patient has {label} {first + document}\t{label}\n"
                for document in range(count) for number, label in enumerate(LABELS)]
        (folder / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
    return folder


def test_a_third_task_needs_an_object_and_nothing_else(sentences, bert, tmp_path):
    common = ("--corpus", sentences, "--bert", bert, "--result", tmp_path)
    small = settings(batch_size=5, max_steps=4, evaluate_every=2)
    assert "profile: {'train': {'sentences': 24}" in run(PROGRAM, "check", *common, *small).stdout
    run(PROGRAM, "train", *common, *small)
    best = str(tmp_path / "checkpoints/third/best_validation")
    assert tf.train.load_checkpoint(best).get_variable_to_shape_map()["logits/bias"] == [3]
    assert (tmp_path / "tensorboard/third").is_dir()
    output = run(PROGRAM, "test", *common).stdout
    assert "sentences/s" in output and (tmp_path / "figures/labels_3.png").is_file()
    assert "21 sentences in 7 test documents" in (tmp_path / "report.html").read_text(encoding="utf-8")
    header, *rows = (tmp_path / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert header.split("\t") == ["document", "number", "gold", "predicted"] + [f"p_{label}" for label in LABELS]
    assert len(rows) == 21 and {row.split("\t")[3] for row in rows} <= set(LABELS)
    assert list(json.loads((tmp_path / "scores.json").read_text())["pairs"]["labels"]) == list(LABELS)
    run(PROGRAM, "export", "--result", tmp_path, "--out", tmp_path / "model")
    assert json.loads((tmp_path / "model/assets/settings.json").read_text())["labels"] == list(LABELS)
    assert "accuracy" in run(PROGRAM, "compare", tmp_path, cwd=tmp_path).stdout
    refused = run(PROGRAM, "train", *common, "--set", "negatives=all", check=False)
    assert refused.returncode == 1 and "third_task.py does not read the setting negatives" in refused.stderr


def test_training_and_network_know_no_task(project):
    """No labels, no corpus: what differs between tasks is passed in."""
    for folder in ("training", "network"):
        for path in sorted((project / folder).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"TLINK|\bLABELS\b|i2b2|BC5CDR|from tasks|import tasks", text), path
