"""`export`: a SavedModel that a process which knows TensorFlow alone loads, and gets the same probabilities from."""
import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from data_process_i2b2 import read_split
from helpers import files_below, run, settings
from inputs import head_of_note
from inputs.vocabulary import read_vocab
from tokenization import FullTokenizer

# Knows nothing of the project: TensorFlow's loader, the names of the signature, arrays from a file.
CLIENT = """
import sys
import numpy as np
import tensorflow as tf

features = np.load("features.npz")
for folder in sys.argv[1:]:
    if tf.__version__.startswith("1."):
        with tf.Session(graph=tf.Graph()) as session:
            signature = tf.saved_model.loader.load(session, ["serve"], folder).signature_def["serving_default"]
            fed = {signature.inputs[name].name: features[name] for name in signature.inputs}
            found = session.run({name: tensor.name for name, tensor in signature.outputs.items()}, fed)
    else:
        signature = tf.saved_model.load(folder).signatures["serving_default"]
        found = signature(**{name: tf.constant(features[name]) for name in signature.structured_input_signature[1]})
        found = {name: tensor.numpy() for name, tensor in found.items()}
    np.savez(folder + ".npz", probabilities=found["probabilities"], label=found["label"].astype("S"))
"""


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """A folder with `full` and `half`, exports of the model in float32 and float16."""
    folder = tmp_path_factory.mktemp("exports")
    # XLA's operations stay out of it whatever the settings say.
    full = run("run_i2b2.py", "export", "--result", model[1], "--out", folder / "served" / "full", *settings(xla="on"))
    run("run_i2b2.py", "export", "--result", model[1], "--out", folder / "served" / "half", "--float16")
    assert full.stderr == "" and "serving_default" in full.stdout
    return folder


def test_a_clean_process_with_tensorflow_alone_gets_the_same_probabilities(model, exported):
    corpus, result = model
    served = exported / "served"
    assets = served / "full" / "assets"
    kept = json.loads((assets / "settings.json").read_text())
    # The assets are all that it takes to make the input.
    tokenizer = FullTokenizer(read_vocab(str(assets / "vocab.txt")), kept["do_lower_case"])
    examples = read_split(str(corpus / "ground_truth" / "merged_xml")).examples
    made = head_of_note.make_features(examples, tokenizer, kept["seq_length"])
    np.savez(str(served / "features.npz"), **made._asdict())
    (served / "client.py").write_text(CLIENT)
    # -I: neither the project's folder nor PYTHONPATH is searched.
    subprocess.run([sys.executable, "-I", "client.py", "full", "half"], cwd=str(served), check=True, timeout=300,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(str(result / "predictions.tsv"), encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source, delimiter="\t"))
    expected = np.array([[float(row[f"p_{label}"]) for label in kept["labels"]] for row in rows])
    for name, tolerance in (("full", 1e-6), ("half", 5e-3)):
        found = np.load(str(served / f"{name}.npz"))
        assert len(expected) > 50
        np.testing.assert_allclose(found["probabilities"], expected, atol=tolerance)
        assert [kept["labels"][number] for number in found["probabilities"].argmax(axis=1)] == [
            label.decode() for label in found["label"]]
        if name == "full":
            assert [label.decode() for label in found["label"]] == [row["predicted"] for row in rows]


def test_what_is_in_it(exported):
    served = exported / "served"

    def names(kind):
        return sorted(os.path.relpath(path, str(served / kind)).replace(os.sep, "/") for path in files_below(served / kind))
    assert names("full") == names("half") == [
        "assets/bert_config.json", "assets/settings.json", "assets/vocab.txt", "saved_model.pb",
        "variables/variables.data-00000-of-00001", "variables/variables.index"]
    graph = (served / "full" / "saved_model.pb").read_bytes()
    assert b"tensorflow/serving/predict" in graph
    assert all(name in graph for name in (b"input_ids", b"input_mask", b"token_type_ids"))
    assert b"XlaLaunch" not in graph and b"_XlaMustCompile" not in graph and str(exported).encode() not in graph
    full, half = (os.path.getsize(str(served / kind / "variables" / "variables.data-00000-of-00001"))
                  for kind in ("full", "half"))
    assert half == pytest.approx(full / 2, rel=0.02)


def test_nothing_is_overwritten_and_nothing_is_left_behind(model, exported, tmp_path):
    common = ("run_i2b2.py", "export", "--result", model[1])
    before = sorted(files_below(exported))
    again = run(*common, "--out", exported / "served" / "full", check=False)
    assert again.returncode == 1 and "exists" in again.stderr and len(again.stderr.strip().splitlines()) == 1
    wrong = run(*common, "--out", tmp_path / "new", *settings(num_filters=7), check=False)
    assert wrong.returncode == 1 and "num_filters=7 (it was 128)" in wrong.stderr
    assert sorted(files_below(exported)) == before and not list(tmp_path.iterdir())
