"""Results and checkpoints of an earlier version go on working.

The fixture holds two small runs (recipes paper and context) on a few synthetic notes, made before the modules got their present
places: each was cut off after its first evaluation, and tested.
"""
import json
import shutil
import tarfile

import numpy as np
import pytest

from evaluation import predictions
from helpers import run, settings

RECIPES = {"paper": dict(batch_size=26, seq_length=64, evaluate_every=5, num_epochs=2, learning_rate=1e-3, num_filters=4,
                         hidden_dim=8),
           "context": dict(dev=0.4, num_epochs=2, batch_size=16, evaluate_every=5, num_filters=4, hidden_dim=8)}
LAST_STEP = {"paper": 16, "context": 14}


@pytest.fixture(scope="module")
def earlier(project, tmp_path_factory):
    """The folder with `corpus`, `bert` and the result folders `paper` and `context`."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(str(project / "tests" / "fixtures" / "earlier_version.tar.xz")) as archive:
        archive.extractall(str(folder))
    return folder


@pytest.fixture
def copy(earlier, tmp_path, request):
    """A copy of one of the result folders, and the words that name corpus and BERT."""
    shutil.copytree(str(earlier / request.param), str(tmp_path / "result"))
    return request.param, tmp_path / "result", ("--corpus", earlier / "corpus", "--bert", earlier / "bert")


both = pytest.mark.parametrize("copy", sorted(RECIPES), indirect=True)


@both
def test_a_model_gives_the_answers_that_it_gave(copy, earlier):
    recipe, result, (_, corpus, *_) = copy
    finished = run("run_i2b2.py", "test", "--corpus", corpus, "--result", result)
    before, now = (predictions.read(str(folder / "predictions.tsv")) for folder in (earlier / recipe, result))
    assert now.tlinks == before.tlinks and now.documents == before.documents
    np.testing.assert_allclose(now.probabilities, before.probabilities, atol=1e-5)
    assert finished.stderr == ""


@both
def test_a_run_that_was_cut_off_goes_on(copy):
    recipe, result, folders = copy
    finished = run("run_i2b2.py", "train", "--recipe", recipe, *folders, "--result", result, *settings(**RECIPES[recipe]))
    assert "continued from step 5" in finished.stdout and "cannot be compared" in finished.stdout
    outcome = json.loads((result / "checkpoints/i2b2/outcome.json").read_text())
    assert outcome["step"] == LAST_STEP[recipe]
    changed = run("run_i2b2.py", "train", "--recipe", recipe, *folders, "--result", result, *settings(**RECIPES[recipe]),
                  *settings(hidden_dim=16), check=False)
    assert changed.returncode == 1 and "hidden_dim is 16, was 8" in changed.stderr


@pytest.mark.parametrize("copy", ["context"], indirect=True)
def test_a_model_labels_new_notes(copy, earlier, tmp_path):
    _, result, _ = copy
    note = sorted((earlier / "corpus/ground_truth/merged_xml").glob("*.xml"))[0]
    before = predictions.read(str(earlier / "context" / "predictions.tsv"))
    types = dict(zip(zip(before.documents, before.tlinks), before.predicted))
    (tmp_path / "in").mkdir()
    text = note.read_text(encoding="utf-8")
    for label in ("BEFORE", "AFTER", "OVERLAP", "SIMULTANEOUS", "DURING", "BEFORE_OVERLAP", "BEGUN_BY", "ENDED_BY"):
        text = text.replace(f'type="{label}" />', 'type="" />')
    (tmp_path / "in" / note.name).write_text(text, encoding="utf-8")
    run("run_i2b2.py", "predict", tmp_path / "in" / note.name, "--result", result, "--out", tmp_path / "out")
    table = (tmp_path / "out" / f"{note.stem}.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.split("\n")[1:] if line]
    assert rows
    for document, tlink, _, _, _, label, *_ in rows:
        if (document, tlink) in types:
            assert predictions.LABELS[types[document, tlink]] == label


@pytest.mark.parametrize("copy", ["context"], indirect=True)
def test_several_links_in_a_pass_are_refused_with_a_word(copy):
    _, result, (_, corpus, *_) = copy
    record = json.loads((result / "run.json").read_text())
    record["settings"].update(markers="attached", links_per_pass=16)
    (result / "run.json").write_text(json.dumps(record))
    finished = run("run_i2b2.py", "test", "--corpus", corpus, "--result", result, check=False)
    assert finished.returncode == 1 and "another version" in finished.stderr and "links_per_pass, markers" in finished.stderr
