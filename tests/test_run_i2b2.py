"""`train`, `test` and `demo` as a user runs them."""
import json
import shutil

import pytest

from evaluation.curves import read_curves
from helpers import files_below, run, settings
from inputs.labels import LABELS


@pytest.fixture(scope="module")
def trained(corpus, bert, tmp_path_factory):
    """A result folder after `train` and `test`, and what the two printed."""
    result = tmp_path_factory.mktemp("out") / "my result"
    common = ("--corpus", corpus, "--bert", bert, "--result", result)
    small = settings(batch_size=4, max_steps=6, evaluate_every=2)
    # From another folder, with a relative path.
    first = run("run_i2b2.py", "train", "--corpus", corpus.name, *common[2:], *small, cwd=corpus.parent)
    second = run("run_i2b2.py", "test", *common)
    return result, first, second


def test_train_and_test_leave_what_the_contract_names(trained):
    result, _, _ = trained
    names = {path[len(str(result)) + 1:] for path in files_below(result)}
    assert {"predictions.tsv", "scores.json", "scores.txt", "run.json", "checkpoints/i2b2/best_validation.index",
            "checkpoints/i2b2/best_validation.data-00000-of-00001"} <= names
    for curve in ("training", "validation"):
        assert any(name.startswith(f"tensorboard/i2b2/{curve}/events") for name in names)


def test_tensorboard_shows_the_training(trained):
    curves = read_curves(str(trained[0] / "tensorboard" / "i2b2"))
    assert set(curves["training"]) == {"loss", "accuracy", "learning_rate", "gradient_norm", "examples_per_second"}
    assert set(curves["validation"]) == {"loss", "accuracy", "macro_f1", "score"}
    assert list(curves["training"]["loss"][0]) == [1, 2, 3, 4, 5, 6] and list(curves["validation"]["score"][0]) == [2, 4, 6]
    events = b"".join(open(path, "rb").read() for path in files_below(trained[0] / "tensorboard" / "i2b2" / "validation"))
    assert events.count(b"confusion_matrix") == 3 and events.count(b"\x89PNG") == 3


def test_nothing_unasked_is_printed(trained):
    """No library warning, no text of a note, nothing on standard error."""
    for finished in trained[1:]:
        assert finished.stderr == ""
        for unwanted in ("Warning", "WARNING", "deprecated", "syncope", "fracture", "Traceback"):
            assert unwanted not in finished.stdout


def test_predictions_are_one_row_a_tlink_in_order(trained):
    lines = (trained[0] / "predictions.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0].split("\t") == ["document", "tlink", "from_id", "to_id", "gold", "predicted"] + [
        f"p_{label}" for label in LABELS]
    rows = [line.split("\t") for line in lines[1:-1]]
    assert [row[:5] for row in rows] == [
        [document, *rest] for document in "01" for rest in (
            ["TL0", "E0", "E1", "BEFORE"], ["TL1", "E1", "E2", "DURING"],
            ["SECTIME3", "E2", "Admission", "AFTER"], ["SECTIME3", "E2", "Admission", "AFTER"])]
    for row in rows:
        probabilities = [float(cell) for cell in row[6:]]
        assert abs(sum(probabilities) - 1) < 1e-5
        assert row[5] == LABELS[probabilities.index(max(probabilities))]


def test_scores_match_the_predictions(trained):
    scores = json.loads((trained[0] / "scores.json").read_text())
    rows = [line.split("\t") for line in (trained[0] / "predictions.tsv").read_text().splitlines()[1:]]
    assert scores["pairs"]["accuracy"] == pytest.approx(sum(row[4] == row[5] for row in rows) / len(rows))
    assert [[sum(row[4] == gold and row[5] == predicted for row in rows) for predicted in LABELS] for gold in LABELS] == \
        scores["pairs"]["confusion_matrix"]
    assert scores["pairs"]["labels"]["ENDED_BY"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert set(scores) == {"pairs", "merged", "tempeval"}
    assert set(scores["merged"]["labels"]) == {"BEFORE", "AFTER", "OVERLAP"}
    text = (trained[0] / "scores.txt").read_text()
    assert text in trained[2].stdout


def test_run_json_tells_what_ran(trained):
    record = json.loads((trained[0] / "run.json").read_text())
    assert record["settings"]["batch_size"] == 4 and record["settings"]["learning_rate"] == 5e-5
    assert record["train"]["step"] == 6 and record["train"]["best_step"] in (2, 4, 6)
    assert record["versions"]["tensorflow"] and len(record["corpus"]["train"]) == 64 and record["test"]["seconds"] > 0


def test_a_finished_run_says_so_and_another_run_is_refused(trained, corpus, bert):
    common = ("train", "--corpus", corpus, "--bert", bert, "--result", trained[0])
    again = run("run_i2b2.py", *common, *settings(batch_size=4, max_steps=6, evaluate_every=2))
    assert "finished at step 6: max_steps" in again.stdout
    other = run("run_i2b2.py", *common, *settings(batch_size=4, max_steps=6, evaluate_every=2, learning_rate=1e-4), check=False)
    assert other.returncode == 1 and "learning_rate is 0.0001, was 5e-05" in other.stderr and "--restart" in other.stderr


def test_the_same_seed_gives_the_same_model_and_another_does_not(corpus, bert, tmp_path):
    models = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path / name, "--seed", seed,
            *settings(batch_size=4, max_steps=2, evaluate_every=2))
        models.append((tmp_path / name / "checkpoints/i2b2/best_validation.data-00000-of-00001").read_bytes())
    assert models[0] == models[1] != models[2]


def test_continuing_gives_the_uninterrupted_run(corpus, bert, tmp_path):
    """max_steps ends a run early; taking that limit for a cut-off, a longer one goes on from the saved state."""
    common = ("--corpus", corpus, "--bert", bert)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    small = dict(batch_size=4, evaluate_every=2)
    run("run_i2b2.py", "train", *common, "--result", whole, *settings(max_steps=6, **small))
    run("run_i2b2.py", "train", *common, "--result", parts, *settings(max_steps=3, **small))
    (parts / "checkpoints/i2b2/outcome.json").unlink()
    record = json.loads((parts / "run.json").read_text())
    record["settings"]["max_steps"] = 6
    (parts / "run.json").write_text(json.dumps(record))
    continued = run("run_i2b2.py", "train", *common, "--result", parts, *settings(max_steps=6, **small))
    assert "continued from step 3" in continued.stdout
    for name in ("best_validation", "state-6-evaluated/state"):
        models = [(result / "checkpoints/i2b2" / f"{name}.data-00000-of-00001").read_bytes() for result in (whole, parts)]
        assert models[0] == models[1], name


def test_what_test_was_told_is_on_record_and_what_train_was_told_stays(corpus, bert, tmp_path):
    common = ("--corpus", corpus, "--bert", bert, "--result", tmp_path / "a")
    small = settings(batch_size=4, max_steps=3, evaluate_every=2)
    run("run_i2b2.py", "train", *common, *small)
    shutil.copytree(str(tmp_path / "a"), str(tmp_path / "b"))
    run("run_i2b2.py", "test", *common)
    shorter = run("run_i2b2.py", "test", *common[:4], "--result", tmp_path / "b", *settings(seq_length=20))
    assert "not as the model was trained: setting seq_length is 20, was 180" in shorter.stdout
    compared = run("run_i2b2.py", "compare", tmp_path / "a", tmp_path / "b", cwd=tmp_path)
    assert ["seq_length", "180", "20"] in [line.split() for line in compared.stdout.split("\n")]
    # Cut off after the first evaluation, the run goes on: when it began, and that it was tested, stay on record.
    before = json.loads((tmp_path / "a" / "run.json").read_text())
    (tmp_path / "a" / "checkpoints/i2b2/outcome.json").unlink()
    changed = dict(before, train={"started": "2001-03-02T08:00:00Z", "seconds": 1000.0})
    (tmp_path / "a" / "run.json").write_text(json.dumps(changed))
    run("run_i2b2.py", "train", *common, *small)
    after = json.loads((tmp_path / "a" / "run.json").read_text())
    assert after["train"]["started"] == "2001-03-02T08:00:00Z" and after["train"]["seconds"] > 1000
    assert after["train"]["step"] == 3 and after["test"] == before["test"]
    assert "of a test before training ended" in run("run_i2b2.py", "compare", tmp_path / "a", tmp_path / "b", cwd=tmp_path).stdout


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused(corpus, bert, tmp_path):
    for folders in (("--bert", bert, "--result", tmp_path / "run [1]"), ("--bert", tmp_path / "what?", "--result", tmp_path)):
        finished = run("run_i2b2.py", "train", "--corpus", corpus, *folders, check=False)
        assert finished.returncode == 1 and "rename it" in finished.stderr and not files_below(tmp_path)


def test_more_parts_than_processors_are_refused(corpus, bert, tmp_path):
    finished = run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path, *settings(devices=10 ** 4),
                   check=False)
    assert finished.returncode == 1 and "processors cannot be divided" in finished.stderr


def test_dev_documents_can_be_held_out(corpus, bert, tmp_path):
    finished = run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path, *settings(
        dev=0.3, max_steps=2, evaluate_every=1, selection="macro_f1", optimizer="adamw"))
    assert "dev: 8 examples of 2 training documents, held out" in finished.stdout
    assert "16 training and 8 dev examples" in finished.stdout


@pytest.mark.parametrize("arguments, status, words", [
    (["train", "--set", "keep_prob=yes"], 1, ["keep_prob=yes", "seq_length"]),
    (["train", "--set", "droput=0.1"], 1, ["droput", "keep_prob"]),
    (["train", "--recipe", "papr"], 1, ["papr", "paper"]),
    (["train", "--corpus", "nowhere"], 1, ["nowhere", "n2c2", "demo"]),
    (["train", "--bert", "nowhere"], 1, ["nowhere", "uncased_L-12_H-768_A-12", "demo"]),
    (["test", "--result", "nowhere"], 1, ["nowhere", "train", "demo"]),
    (["train", "--nonsense"], 2, ["--nonsense"]),
    ([], 2, ["train"]),
])
def test_what_is_missing_or_wrong_is_told_in_one_message(arguments, status, words, tmp_path):
    finished = run("run_i2b2.py", *arguments, cwd=tmp_path, check=False)
    assert finished.returncode == status
    assert "Traceback" not in finished.stderr
    for word in words:
        assert word in finished.stderr
    if status == 1:
        assert len(finished.stderr.strip().splitlines()) == 1
    assert not files_below(tmp_path)


def test_a_broken_document_is_named_and_nothing_is_left_behind(corpus, bert, tmp_path):
    shutil.copytree(str(corpus), str(tmp_path / "corpus"))
    broken = tmp_path / "corpus" / "2012-07-15.original-annotation.release" / "3.xml"
    broken.write_text(broken.read_text(encoding="utf-8").replace("</TAGS>", ""), encoding="utf-8")
    before = set(files_below(tmp_path))
    finished = run("run_i2b2.py", "train", "--corpus", tmp_path / "corpus", "--bert", bert, "--result", tmp_path / "result",
                   check=False)
    assert finished.returncode == 1 and "3.xml" in finished.stderr and len(finished.stderr.splitlines()) == 1
    assert set(files_below(tmp_path)) == before


def test_sequence_longer_than_berts_positions_is_refused(corpus, bert, tmp_path):
    finished = run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path,
                   *settings(seq_length=600), check=False)
    assert finished.returncode == 1 and "600" in finished.stderr and "512" in finished.stderr
