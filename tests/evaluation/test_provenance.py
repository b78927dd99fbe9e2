"""What a model was trained on beside what it is tested on, from run.json to the report."""
import json
import re
import shutil

import pytest

from data_process_i2b2 import read_split
from evaluation import provenance, results
from helpers import run
from inputs.labels import LABELS
from inputs.reading import Corpus
from support.errors import InputError
from support.paths import TEST_XML, TRAIN_XML, ResultFolder
from tasks.i2b2 import I2B2


def split(corpus, place):
    return read_split(str(corpus / place))


@pytest.fixture(scope="module")
def trained(corpus):
    """(Corpus, what run.json tells of a training on it)."""
    train, test = split(corpus, TRAIN_XML), split(corpus, TEST_XML)
    fingerprint = {"train": "a" * 64, "test": "b" * 64}
    return Corpus(None, train, test, fingerprint), {"corpus": fingerprint, "trained_on": provenance.of_training(train)}


def test_the_corpus_of_the_training_is_nothing_to_remark(trained):
    corpus, record = trained
    assert provenance.remarks(json.loads(json.dumps(record)), corpus) == []
    counts, recorded = provenance.label_counts(record, corpus.test)
    assert recorded and counts.sum() == len(corpus.train.examples)
    assert counts.tolist() == [sum(example.label == label for example in corpus.train.examples) for label in LABELS]


@pytest.mark.parametrize("changed, words", [
    ({"train": "x"}, "other training documents or links"), ({"test": "x"}, "other test documents or links"),
    ({"train": "x", "test": "y"}, "other training and test documents or links")])
def test_another_corpus_than_that_of_the_training_is_told(trained, changed, words):
    corpus, record = trained
    remark, = provenance.remarks(record, corpus._replace(fingerprint=dict(corpus.fingerprint, **changed)))
    assert words in remark


def test_a_training_document_among_the_test_documents_is_told_under_any_name(trained):
    corpus, record = trained
    known = corpus.train.documents[2]._replace(name="new")
    test = corpus.test._replace(documents=corpus.test.documents + [known])
    # The corpus tested on has none of the documents of the training but this one.
    other = corpus._replace(train=corpus.train._replace(documents=[]), test=test)
    remark, = provenance.remarks(record, other)
    assert "trained on 1 of the 3 test documents (new)" in remark


def test_a_record_without_the_labels_of_training_is_told(trained):
    corpus, record = trained
    old = {"corpus": record["corpus"]}
    remark, = provenance.remarks(old, corpus)
    assert "labels of training" in remark
    counts, recorded = provenance.label_counts(old, corpus.train)
    assert not recorded and counts.sum() == len(corpus.train.examples)
    assert len(provenance.remarks({}, corpus)) == 1


def test_test_tells_it_on_the_terminal_in_the_report_and_in_the_comparison(model, bert, tmp_path):
    corpus, result = model
    record = json.loads((result / "run.json").read_text())
    assert sum(record["trained_on"]["labels"].values()) > 0 and record["test"]["remarks"] == []
    other = shutil.copytree(str(corpus), str(tmp_path / "other"))
    train, test = tmp_path / "other" / TRAIN_XML, tmp_path / "other" / TEST_XML
    first, second, *_ = sorted(path.name for path in train.glob("*.xml"))
    shutil.copyfile(str(train / first), str(test / "copy.xml"))
    (train / first).unlink()
    mine = tmp_path / "mine"
    shutil.copytree(str(result), str(mine))
    # As if another label had been the commonest in training.
    labels = dict.fromkeys(LABELS, 1)
    labels["DURING"] = 1000
    (mine / "run.json").write_text(json.dumps(dict(record, trained_on=dict(record["trained_on"], labels=labels))))
    said = run("run_i2b2.py", "test", "--corpus", other, "--bert", bert, "--result", mine).stdout
    remarks = json.loads((mine / "run.json").read_text())["test"]["remarks"]
    assert len(remarks) == 2 and "other training and test documents" in remarks[0] and "(copy)" in remarks[1]
    page = (mine / "report.html").read_text(encoding="utf-8")
    for remark in remarks:
        assert f"note: {remark}" in said and re.sub("'", "&#x27;", remark) in page
    assert "Baseline: always DURING" in said and "answers DURING to everything" in page
    compared = run("run_i2b2.py", "compare", result, mine, "--out", tmp_path / "out.html").stdout
    assert all(f"mine: {remark}" in compared for remark in remarks)
    digests = [json.loads((folder / "run.json").read_text())["test"]["corpus"]["test"][:12] for folder in (result, mine)]
    line, = (line.split() for line in compared.split("\n") if line.startswith("corpus test ("))
    assert line[-2:] == digests and digests[0] != digests[1]
    assert not [line for line in compared.split("\n") if line.startswith("corpus train")], "both were trained on the same"
    del record["trained_on"]
    (mine / "run.json").write_text(json.dumps(record))
    said = run("run_i2b2.py", "test", "--corpus", corpus, "--bert", bert, "--result", mine).stdout
    assert said.count("labels of training") == 1


@pytest.mark.parametrize("part, named", [
    ({"task": 3}, "task"), ({"trained_on": []}, "trained_on"), ({"trained_on": {"labels": {"AFTER": "3"}}}, "AFTER"),
    ({"trained_on": {"labels": {"AFTER": 10 ** 30}}}, "AFTER"), ({"trained_on": {"documents": {"1": ["x"]}}}, "documents"),
    ({"profile": {"train": {"TLINK": None}}}, "TLINK"), ({"test": {"profile": {"TLINK": -1}}}, "TLINK")])
def test_a_record_with_other_things_than_a_run_writes_is_refused_by_name(part, named, tmp_path):
    result = ResultFolder(str(tmp_path))
    (tmp_path / "run.json").write_text(json.dumps(part))
    with pytest.raises(InputError, match=f"run.json: damaged .*\"{named}\""):
        results.read_run(result)


def test_what_a_run_records_is_read(trained, tmp_path):
    corpus, record = trained
    written = dict(record, task="i2b2", profile=I2B2.profile(corpus), test={"profile": I2B2.profile(corpus)["test"]})
    (tmp_path / "run.json").write_text(json.dumps(written))
    assert results.read_run(ResultFolder(str(tmp_path))) == written
