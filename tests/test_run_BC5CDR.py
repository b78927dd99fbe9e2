"""`run_BC5CDR.py` from beginning to end, on made-up abstracts and on some of the real corpus."""
import collections
import html
import json
import os
import re
import signal
import time

import pytest

from evaluation import cid
from helpers import BC5CDR_FILES, Background, cut_bc5cdr, files_below, run, settings, write_bc5cdr
from support.paths import BC5CDRFolder
from training import checkpoints

SMALL = dict(batch_size=4, seq_length=40, max_steps=6, evaluate_every=2)
Row = collections.namedtuple("Row", "document relation chemical disease gold predicted")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Made-up abstracts, in a folder with a space in its name."""
    return write_bc5cdr(tmp_path_factory.mktemp("abstracts") / "my corpus")


def train_and_test(corpus, bert, result, **changes):
    """The outputs of `train` and `test`."""
    common = ("--corpus", corpus, "--bert", bert, "--result", result)
    return [run("run_BC5CDR.py", *words, *common).stdout
            for words in (("train", *settings(**dict(SMALL, **changes))), ("test",))]


@pytest.fixture(scope="module")
def tested(corpus, bert, tmp_path_factory):
    """{negatives: (result folder, output of train, output of test)}."""
    folder = tmp_path_factory.mktemp("results")
    return {negatives: (folder / negatives, *train_and_test(corpus, bert, folder / negatives, negatives=negatives))
            for negatives in ("all", "sampled")}


def rows_of(result):
    lines = (result / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["document", "relation", "chemical", "disease", "gold", "predicted", "p_0", "p_1"]
    return [Row(*line.split("\t")[:6]) for line in lines[1:]]


def scores_of(result):
    return json.loads((result / "scores.json").read_text())


# --------------------------------------------------------------------------------------------------- train and test

@pytest.mark.parametrize("negatives", ["sampled", "all"])
def test_the_files_of_a_run(tested, corpus, negatives):
    result, trained, _ = tested[negatives]
    assert {path.name for path in result.iterdir() if not path.name.endswith(".lock")} == {
        "checkpoints", "tensorboard", "predictions.tsv", "scores.json", "scores.txt", "run.json", "report.html", "figures"}
    assert (result / "checkpoints/BC5CDR/best_validation.index").is_file() and (result / "tensorboard/BC5CDR").is_dir()
    pairs = {"sampled": 2, "all": 4}[negatives]
    assert f"{12 * pairs} training and {4 * pairs} dev examples" in trained, "selected on the development set"
    rows = rows_of(result)
    assert len(rows) == 7 * pairs and sum(row.gold == "1" for row in rows) == 7
    record = json.loads((result / "run.json").read_text())
    assert record["task"] == "BC5CDR" and record["settings"]["negatives"] == negatives
    assert record["settings"]["dev"] == "development" and "context" not in record["settings"]
    assert set(record["corpus"]) == {name + rest for name in BC5CDR_FILES for rest in ("", " documents")}
    assert record["test"]["remarks"] == []


def test_predictions_are_in_the_order_of_the_file(tested, corpus, bert, tmp_path):
    result, *_ = tested["sampled"]  # the one that was tested last, so that test.txt is its own
    lines = [line.split("\t") for line in (corpus / "test.txt").read_text(encoding="utf-8").splitlines()]
    assert [(f"{row.document}_{row.relation}", row.gold) for row in rows_of(result)] == [(line[0], line[3]) for line in lines]


@pytest.mark.parametrize("negatives", ["sampled", "all"])
def test_scores_are_those_of_the_predictions(tested, negatives):
    result, _, output = tested[negatives]
    rows, scores = rows_of(result), scores_of(result)
    assert set(scores) == {"pairs"} | ({"cid"} if negatives == "all" else set())
    assert scores["pairs"]["accuracy"] == pytest.approx(sum(row.gold == row.predicted for row in rows) / len(rows))
    assert scores["pairs"]["confusion_matrix"] == [
        [sum((row.gold, row.predicted) == (gold, predicted) for row in rows) for predicted in "01"] for gold in "01"]
    assert list(scores["pairs"]["labels"]) == ["0", "1"] and scores["pairs"]["labels"]["1"]["support"] == 7
    if negatives == "all":
        gold, predicted = ({(row.document, row.chemical, row.disease) for row in rows if label(row) == "1"}
                           for label in (lambda row: row.gold, lambda row: row.predicted))
        assert gold == {(f"{300 + number}", "D1", "D3") for number in range(7)}
        assert scores["cid"] == cid.cid_scores(gold, predicted)
    assert (result / "scores.txt").read_text() in output and f"({len(rows)} pairs)" in output and "TLINK" not in output


@pytest.mark.parametrize("negatives", ["sampled", "all"])
def test_the_report_has_the_sections_that_apply(tested, negatives):
    result, *_ = tested[negatives]
    page = (result / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', page) == [
        "scores", "published", "labels", "confusion", "curves", "calibration", "errors", "settings"]
    assert "57.03" not in page and "not BC5CDR's test set (500 with 1,066)" in html.unescape(page)
    for word in ("TLINK", "link", "eight labels", "note", "nan"):
        assert word not in re.sub(r"<[^>]*>", " ", page.split("<body", 1)[1]), word
    figures = {path.name for path in (result / "figures").iterdir()}
    assert {"scores.png", "labels_2.png", "confusion_2.png", "curve_loss.png", "calibration_2.png", "confidence.png"} <= figures


def test_no_text_of_an_abstract_is_in_the_result_folder(tested):
    for result, *_ in tested.values():
        for path in files_below(result):
            if not path.endswith("vocab.txt"):
                with open(path, "rb") as source:
                    content = source.read().lower()
                assert b"zyxodine" not in content and b"syncope" not in content, path


def test_tested_on_all_pairs_after_a_training_on_a_sample(tested, corpus, bert, tmp_path):
    """What a model that was trained on balanced classes is worth where it counts."""
    _, output = train_and_test(corpus, bert, tmp_path)
    assert "CID" not in output
    output = run("run_BC5CDR.py", "test", "--corpus", corpus, "--result", tmp_path, *settings(negatives="all")).stdout
    assert "setting negatives is all, was sampled" in output and set(scores_of(tmp_path)) == {"pairs", "cid"}
    assert len(rows_of(tmp_path)) == 28


def test_check_says_what_would_be_done(corpus, bert, tmp_path):
    output = run("run_BC5CDR.py", "check", "--corpus", corpus, "--bert", bert, "--result", tmp_path, *settings(**SMALL)).stdout
    assert "dev: 4 documents, 4 relations; label 0: 4 (of 4 tries), label 1: 4" in output and "an evaluation of 8 (" in output
    assert not files_below(tmp_path)


@pytest.mark.parametrize("dev, examples", [("test", "24 training and 14 dev"), ("0.3", "16 training and 8 dev")])
def test_other_dev_examples(corpus, bert, tmp_path, dev, examples):
    output = run("run_BC5CDR.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path,
                 *settings(**dict(SMALL, max_steps=1, dev=dev))).stdout
    assert f"{examples} examples" in output


def test_export_tells_the_labels(tested, tmp_path):
    run("run_BC5CDR.py", "export", "--result", tested["all"][0], "--out", tmp_path / "model")
    assert json.loads((tmp_path / "model/assets/settings.json").read_text())["labels"] == ["0", "1"]


# ------------------------------------------------------------------------------------------- cut off, seeds, comparison

def test_killed_and_continued_it_is_the_uninterrupted_run(corpus, bert, tmp_path):
    words = settings(**dict(SMALL, max_steps=30, evaluate_every=10, save_every_minutes=0))
    common = ("--corpus", corpus, "--bert", bert)
    run("run_BC5CDR.py", "train", *common, "--result", tmp_path / "whole", *words)
    with open(os.devnull, "w") as nothing, Background("run_BC5CDR.py", "train", *common, "--result", tmp_path / "killed", *words,
                                                      out=nothing, errors=nothing) as process:
        while not checkpoints.states(str(tmp_path / "killed/checkpoints/BC5CDR")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed/checkpoints/BC5CDR/outcome.json").exists()
    continued = run("run_BC5CDR.py", "train", *common, "--result", tmp_path / "killed", *words)
    assert re.search(r"continued from step \d+", continued.stdout)
    tables = []
    for name in ("whole", "killed"):
        run("run_BC5CDR.py", "test", *common, "--result", tmp_path / name)
        tables.append((tmp_path / name / "predictions.tsv").read_text())
    assert tables[0] == tables[1]


def test_seeds_are_repeated_on_the_same_examples_and_compared(corpus, bert, tmp_path):
    common = ("--corpus", corpus, "--bert", bert, "--result", tmp_path, "--seeds", 2)
    run("run_BC5CDR.py", "train", *common, *settings(**dict(SMALL, max_steps=2, negatives="all")))
    output = run("run_BC5CDR.py", "test", *common).stdout
    summary = json.loads((tmp_path / "seeds.json").read_text())["test"]["scores"]
    assert {"pairs.accuracy", "pairs.labels.1.f1", "cid.f1"} <= set(summary) and "together" in summary["cid.f1"]
    assert "all models together" in output
    one, other = (rows_of(tmp_path / f"seed-{seed}") for seed in (0, 1))
    assert [row[:5] for row in one] == [row[:5] for row in other], "the seed is not that of the data"
    assert (tmp_path / "seed-0/predictions.tsv").read_text() != (tmp_path / "seed-1/predictions.tsv").read_text()
    compared = run("run_BC5CDR.py", "compare", tmp_path, cwd=tmp_path).stdout
    lines = [line.split() for line in compared.split("\n")]
    for name in ("accuracy", "F1"):
        assert any(line[:len(name.split())] == name.split() for line in lines)
    assert "F1 of label 1" in compared and "Relations of the documents (CID)" in compared and "p: two-sided" in compared
    assert ["seed", "0", "1"] in lines and "28 pairs in 7 documents" in (tmp_path / "compare.html").read_text(encoding="utf-8")


def test_runs_with_other_scores_are_not_compared(tested, model, tmp_path):
    results = [tested[negatives][0] for negatives in ("sampled", "all")]
    finished = run("run_BC5CDR.py", "compare", *results, cwd=tmp_path, check=False)
    assert finished.returncode == 1 and "other scores" in finished.stderr and "negatives" in finished.stderr
    finished = run("run_BC5CDR.py", "compare", results[0], model[1], cwd=tmp_path, check=False)
    assert finished.returncode == 1 and "another task (i2b2, not BC5CDR)" in finished.stderr
    assert not files_below(tmp_path)


# ---------------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("program, assignment", [
    ("run_BC5CDR.py", "context=6"), ("run_BC5CDR.py", "entities=decoded"), ("run_BC5CDR.py", "mention_types=true"),
    ("run_BC5CDR.py", "negatives=none"), ("run_i2b2.py", "negatives=all"), ("run_i2b2.py", "dev=development")])
def test_a_setting_of_another_task_is_refused(program, assignment, tmp_path):
    finished = run(program, "train", "--set", assignment, "--result", tmp_path, check=False)
    assert finished.returncode == 1 and assignment.split("=")[0] in finished.stderr
    assert len(finished.stderr.splitlines()) == 1 and not files_below(tmp_path)


@pytest.mark.parametrize("arguments, status, words", [
    (["train", "--corpus", "nowhere"], 1, ["nowhere", "CDR_Data.zip"]),
    (["train", "--recipe", "context"], 1, ["context", "paper"]),
    (["test", "--result", "nowhere"], 1, ["nowhere", "run_BC5CDR.py train"]),
    (["demo"], 2, ["demo"]), (["predict", "x.xml", "--out", "y"], 2, ["predict"]), (["test", "--with-text"], 2, ["--with-text"])])
def test_what_is_missing_or_wrong_is_told_in_one_message(arguments, status, words, tmp_path):
    finished = run("run_BC5CDR.py", *arguments, cwd=tmp_path, check=False)
    assert finished.returncode == status and all(word in finished.stderr for word in words), finished.stderr
    assert "Traceback" not in finished.stderr and "i2b2" not in finished.stderr and not files_below(tmp_path)


def test_a_result_folder_is_one_tasks(tested, model, corpus, bert, tmp_path):
    """Neither program goes on, tests or writes where the other has run; also where run.json is of an earlier version."""
    for program, folder, words in (("run_i2b2.py", tested["all"][0], ("--corpus", model[0])),
                                   ("run_BC5CDR.py", model[1], ("--corpus", corpus))):
        before = {path: (folder / path).read_bytes() for path in ("run.json", "predictions.tsv")}
        for command in ("train", "test"):
            finished = run(program, command, *words, "--bert", bert, "--result", folder, check=False)
            assert finished.returncode == 1 and str(folder) in finished.stderr
        assert before == {path: (folder / path).read_bytes() for path in before}
    import shutil
    shutil.copytree(str(model[1]), str(tmp_path / "old"))
    record = json.loads((tmp_path / "old/run.json").read_text())
    del record["task"]
    (tmp_path / "old/run.json").write_text(json.dumps(record))
    finished = run("run_BC5CDR.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path / "old", check=False)
    assert finished.returncode == 1 and "on another task (i2b2, not BC5CDR)" in finished.stderr
    begun = run("run_BC5CDR.py", "train", "--corpus", corpus, "--bert", bert, "--result", tmp_path / "old", "--restart",
                *settings(**dict(SMALL, max_steps=1)))
    assert "the earlier run is kept in" in begun.stdout


def test_another_abstract_is_another_run(corpus, bert, tmp_path):
    """Which id a text has is not in train.txt, but what is scored depends on it."""
    changed = write_bc5cdr(tmp_path / "corpus")
    common = ("--corpus", changed, "--bert", bert, "--result", tmp_path / "result", *settings(**dict(SMALL, max_steps=1)))
    run("run_BC5CDR.py", "train", *common)
    path = changed / BC5CDR_FILES["test"]
    path.write_text(path.read_text(encoding="utf-8").replace("D2", "D9"), encoding="utf-8")
    finished = run("run_BC5CDR.py", "train", *common, check=False)
    assert finished.returncode == 1 and "corpus test documents has other content" in finished.stderr


# ------------------------------------------------------------------------------------------------- the real corpus

def test_some_of_the_real_corpus(shared, bert, tmp_path):
    corpus = cut_bc5cdr(shared, tmp_path / "corpus", train=20, dev=8, test=12)
    _, output = train_and_test(corpus, bert, tmp_path / "result", negatives="all", max_steps=2)
    assert "test: 12 documents, 25 relations; label 0: 70, label 1: 25" in output
    scores = scores_of(tmp_path / "result")
    assert scores["pairs"]["labels"]["1"]["support"] == 25
    from data_process_BC5CDR import read_documents
    gold = cid.gold_relations(read_documents(BC5CDRFolder(str(corpus)).test_xml))
    predicted = {(row.document, row.chemical, row.disease) for row in rows_of(tmp_path / "result") if row.predicted == "1"}
    assert scores["cid"] == cid.cid_scores(gold, predicted)
