"""Scores of BC5CDR from the predictions: those of scores.json, their intervals, and what is answered without a model."""
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from data_process_BC5CDR import Document, Example, Split, all_negatives, examples
from evaluation import bootstrap, cdr_scores, cid, headline, predictions, seeds
from evaluation.results import predictions_tsv
from support.errors import InputError


def abstracts(count=8, repeated=True):
    """Documents of three chemicals and two diseases, the first with no relation, and the second with one stated twice."""
    found = []
    for number in range(count):
        relations = (("C0", "D0"),) * 2 if number == 1 and repeated else tuple(
            (f"C{place}", f"D{number % 2}") for place in range(number % 3))
        found.append(Document(str(number), "Title.", "Text.", {f"C{place}": f"chemical {place}" for place in range(3)},
                              {f"D{place}": f"disease {place}" for place in range(2)}, relations))
    return found


def answered(documents, seed=0, skill=1.0):
    """A Split of all pairs, and log probabilities of a classifier of some skill."""
    split = Split(documents, [row for one in documents for row in examples(one, all_negatives(one))])
    logits = np.random.RandomState(seed).normal(size=(len(split.examples), 2))
    logits[np.arange(len(logits)), [int(row.label) for row in split.examples]] += skill
    return split, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def table_of(split, log_probabilities, kind=predictions.AllPairPredictions):
    return predictions.of_examples(split.examples, log_probabilities, kind)


def at(scores, key):
    """The value at a dotted key."""
    for part in key.split("."):
        scores = scores[part]
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_that_are_resampled_are_those_of_scores_json(seed):
    split, log_probabilities = answered(abstracts(), seed)
    rows = table_of(split, log_probabilities)
    scores = cdr_scores.score(split, log_probabilities, "all")
    found = bootstrap.scores(bootstrap.total(rows.counts()))
    assert list(found) == [score.key for score in cdr_scores.AllCounts.SCORES]
    for key, value in found.items():
        assert float(value) == pytest.approx(at(scores, key)), key
    expected = precision_recall_fscore_support(rows.gold, rows.predicted, labels=[1], zero_division=0)
    assert [float(found[f"pairs.labels.1.{name}"]) for name in cdr_scores.METRICS] == pytest.approx(
        [float(value[0]) for value in expected[:3]])
    gold = [int(row.label) for row in split.examples]
    assert scores["pairs"]["loss"] == pytest.approx(-log_probabilities[np.arange(len(gold)), gold].mean())


def test_a_relation_counts_once_in_its_abstract_however_often_it_is_stated():
    split, log_probabilities = answered(abstracts(), skill=50.0)
    rows = table_of(split, log_probabilities)
    twice = [row for row in split.examples if row.document == "1" and row.label == "1"]
    assert len(twice) == 2 and twice[0].target == twice[1].target
    assert rows.counts().relations[1].tolist() == [1, 1, 1]
    assert rows.counts().relations[0].tolist() == [0, 0, 0], "an abstract without a relation"
    assert cdr_scores.score(split, log_probabilities, "all")["cid"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert bootstrap.intervals(rows.counts())["cid.f1"] == (1, 1, 1)


def test_a_sample_of_the_pairs_has_no_score_of_the_relations():
    split, log_probabilities = answered(abstracts())
    rows = table_of(split, log_probabilities, predictions.PairPredictions)
    assert set(cdr_scores.score(split, log_probabilities, "sampled")) == {"pairs"}
    head = headline.of_predictions(rows, [5, 7])
    assert not any(key.startswith("cid") for key in head.intervals) and "CID" not in headline.as_text(head)
    assert "cid" not in cdr_scores.format_scores(cdr_scores.score(split, log_probabilities, "sampled"))


def test_the_baselines():
    split, log_probabilities = answered(abstracts())
    rows = table_of(split, log_probabilities)
    head = headline.of_predictions(rows, [9, 4])
    gold = cid.gold_relations(split.documents)
    everything = cid.cid_scores(gold, cid.predicted_relations(split.examples, ["1"] * len(split.examples)))
    assert head.baseline["pairs.accuracy"] == pytest.approx(np.mean(rows.gold == 0))
    assert head.baseline["pairs.labels.1.f1"] == 0
    assert {key: float(head.baseline[f"cid.{key}"]) for key in everything} == pytest.approx(everything)
    assert everything["recall"] == 1 and "of the relations always 1" in headline.as_text(head)
    sampled = headline.of_predictions(table_of(split, log_probabilities, predictions.PairPredictions), [4, 9])
    assert sampled.baseline["pairs.accuracy"] == pytest.approx(np.mean(rows.gold == 1))
    assert "always 1, the commonest in training" in headline.as_text(sampled)


def test_a_better_model_is_told_from_a_worse_one_and_from_itself():
    documents = abstracts(40)
    worse, better = (table_of(*answered(documents, 1, skill)).counts() for skill in (0.0, 3.0))
    assert bootstrap.p_values(worse, better)["cid.f1"] < 0.01
    assert set(bootstrap.p_values(better, better).values()) == {1.0}


def test_the_models_of_all_seeds_together():
    tables = [table_of(*answered(abstracts(30), seed)) for seed in range(5)]
    single = np.mean([float(bootstrap.scores(bootstrap.total(rows.counts()))["cid.f1"]) for rows in tables])
    assert seeds.together(tables)["cid.f1"] > single


@pytest.mark.parametrize("kind", [predictions.PairPredictions, predictions.AllPairPredictions])
def test_predictions_are_read_as_they_were_written(kind, tmp_path):
    split, log_probabilities = answered(abstracts())
    path = tmp_path / "predictions.tsv"
    path.write_text(predictions_tsv(split.examples, log_probabilities, kind=kind), encoding="utf-8")
    read, expected = predictions.read(str(path), kind), table_of(split, log_probabilities, kind)
    assert type(read) is type(expected) is kind and read[:4] == expected[:4]
    assert (read.gold == expected.gold).all() and (read.predicted == expected.predicted).all()
    np.testing.assert_allclose(read.probabilities, expected.probabilities, rtol=1e-8)
    taken = read.take([3, 1])
    assert type(taken) is kind and taken.keys() == [read.keys()[3], read.keys()[1]]


@pytest.mark.parametrize("change, words", [
    (lambda text: text.replace("chemical", "drug"), "run_BC5CDR.py"),
    (lambda text: text.replace("\t1\t0\t", "\t2\t0\t"), "damaged"),
    (lambda text: text.replace("D1\t", "", 1), "line")])
def test_a_damaged_predictions_file_is_refused(change, words, tmp_path):
    split, log_probabilities = answered(abstracts(), skill=0.0)
    path = tmp_path / "predictions.tsv"
    text = predictions_tsv(split.examples, log_probabilities, kind=predictions.PairPredictions)
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        predictions.read(str(path), predictions.PairPredictions)


def test_examples_have_the_columns_of_the_table():
    assert set(predictions.PairPredictions.ID_COLUMNS) <= set(Example._fields)
