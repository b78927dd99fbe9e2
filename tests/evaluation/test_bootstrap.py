"""Macro F1, intervals and p-values: their definitions, few documents, and how often the test is wrong."""
import itertools

import numpy as np
import pytest

import scoring
from evaluation import bootstrap, headline, metrics, predictions, tlink_scores
from helpers import made_up
from inputs.labels import LABELS, MERGED_LABELS

MERGE = np.eye(len(MERGED_LABELS), dtype=int)[tlink_scores.MERGING]  # [8, 3]


def table(**options):
    return predictions.of_examples(*made_up(**options))


# ---------------------------------------------------------------------------------------------------- macro F1

@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_over_the_labels_that_occur_and_in_scores_json_scikit_learns_over_all(seed):
    from sklearn.metrics import f1_score, precision_recall_fscore_support
    random = np.random.RandomState(seed)
    gold, predicted = random.choice([0, 2, 5], 40), random.choice([2, 5, 6], 40)
    matrix = metrics.confusion(gold, predicted, 8)
    assert metrics.occurring(matrix).tolist() == [True, False, True, False, False, True, True, False]
    assert metrics.macro_f1(matrix) == pytest.approx(f1_score(gold, predicted, average="macro"))
    everything = dict(labels=range(8), average="macro", zero_division=0)
    expected = precision_recall_fscore_support(gold, predicted, **everything)[:3]
    macro = scoring.pair_scores([LABELS[label] for label in gold], [LABELS[label] for label in predicted])["macro"]
    assert [macro[name] for name in ("precision", "recall", "f1")] == list(expected), "to the last digit, in scores.json"
    assert metrics.macro_f1(np.zeros((2, 8, 8), int)).tolist() == [0, 0], "no case, no error"


def test_a_model_without_errors_has_100_to_100_whatever_labels_a_resample_lacks():
    """One label is in a single document, which a third of the resamples lack; two are in none."""
    rows = table(rows=200, documents=20, labels=[0, 1, 2, 4, 5])
    gold = np.where(np.array(rows.documents) == "D3", 7, rows.gold)
    found = bootstrap.intervals(tlink_scores.counts(rows._replace(gold=gold, predicted=gold)))
    for key in ("pairs.macro.f1", "merged.macro.f1", "pairs.accuracy", "pairs.weighted.f1", "tempeval.f1"):
        assert found[key] == (1, 1, 1), key


def test_the_headline_says_which_labels_macro_f1_leaves_out():
    rows = table(rows=200, documents=20, labels=[0, 1, 2, 4, 5])
    some = headline.of_predictions(rows._replace(predicted=rows.gold), np.ones(8, int))
    assert some.absent == ("BEGUN_BY", "AFTER", "SIMULTANEOUS")
    assert "leaves out what is neither gold nor predicted here (BEGUN_BY, AFTER, SIMULTANEOUS)" in headline.as_text(some)
    assert "leaves out" not in headline.as_text(headline.of_predictions(table(rows=400), np.ones(8, int)))


# --------------------------------------------------------------------------------------------------- documents

def test_below_six_documents_there_are_no_intervals():
    for documents, known in ((5, False), (6, True)):
        rows = table(rows=120, documents=documents)
        found = bootstrap.intervals(tlink_scores.counts(rows))
        assert all(np.isfinite(interval.low) == np.isfinite(interval.high) == known and np.isfinite(interval.value)
                   for interval in found.values())
        text = headline.as_text(headline.of_predictions(rows, np.ones(8, int)))
        assert ("too few" in text) == (" to 0." not in text) == (not known) and "nan" not in text
    # A group of links may be in few documents of many.
    assert np.isnan(bootstrap.share_interval(np.array([3, 2, 0, 0, 0, 0, 0, 0]), np.array([4, 4, 0, 0, 0, 0, 0, 0])).low)


# ---------------------------------------------------------------------------------------------------- p-values

def p_by_definition(first, second, key):
    """The p-value from every exchange of documents, one at a time."""
    def difference(exchanged):
        sides = [[pair[::-1] if swap else pair for swap, pair in zip(exchanged, zip(*parts))] for parts in zip(first, second)]
        one, other = (tlink_scores.Counts(*(sum(pair[side] for pair in part) for part in sides)) for side in (0, 1))
        return bootstrap.scores(other)[key] - bootstrap.scores(one)[key]
    documents = len(first.pairs)
    observed = difference([False] * documents)
    found = np.array([difference(exchanged) for exchanged in itertools.product((False, True), repeat=documents)])
    return min(1.0, (np.abs(found) >= abs(observed) - 1e-12).mean())


def test_p_is_the_share_of_the_exchanges_of_documents_with_as_large_a_difference():
    random = np.random.RandomState(4)
    rows = table(rows=90, documents=6)
    others = np.where(random.uniform(size=90) < 0.5, rows.predicted, np.where(random.uniform(size=90) < 0.5, rows.gold, 2))
    first, second = tlink_scores.counts(rows), tlink_scores.counts(rows._replace(predicted=others))
    found = bootstrap.p_values(first, second)
    for score in tlink_scores.SCORES:
        assert found[score.key] == pytest.approx(p_by_definition(first, second, score.key)), score.key
    assert len(set(found.values())) > 3 and min(found.values()) >= 2 / 2 ** 6


def test_random_exchanges_give_about_the_p_of_all():
    first, second = (tlink_scores.counts(table(rows=200, documents=12, skill=skill)) for skill in (1.2, 1.5))
    exact, approximate = bootstrap.p_values(first, second), bootstrap.p_values(first, second, resamples=4000)
    for key in exact:
        assert approximate[key] == pytest.approx(exact[key], abs=0.04), key
    assert exact != approximate


def test_below_six_documents_there_is_no_p():
    first, second = (tlink_scores.counts(table(rows=90, documents=5, skill=skill)) for skill in (1.0, 3.0))
    found = bootstrap.p_values(first, second)
    assert set(found) == {score.key for score in tlink_scores.SCORES} and np.isnan(list(found.values())).all()
    assert {bootstrap.p_text(value) for value in found.values()} == {"-"}


def equally_good(documents, random):
    """Counts of two runs on the same documents, each of which is as likely to do well on a document as the other."""
    of_row = np.repeat(np.arange(documents), random.randint(5, 60, documents))
    gold = random.choice(8, len(of_row), p=np.array([3, 3, 30, 2, 10, 30, 15, 7]) / 100)
    result = []
    for _ in range(2):
        right = random.uniform(size=len(of_row)) < random.beta(6, 4, documents)[of_row]
        predicted = np.where(right, gold, random.randint(8, size=len(of_row)))
        pairs = np.bincount(of_row * 64 + gold * 8 + predicted, minlength=documents * 64).reshape(-1, 8, 8)
        merged = MERGE.T.dot(pairs).transpose(1, 0, 2).dot(MERGE)
        links, found = merged.sum(axis=(1, 2)), merged.trace(axis1=1, axis2=2)
        result.append(tlink_scores.Counts(pairs, merged, np.stack([found, links, found, links], axis=1)))
    return result


@pytest.mark.parametrize("documents", [6, 10, 20])
def test_false_alarms_are_as_rare_as_promised(documents):
    """Two runs of equal quality differ with p < 0.05 in at most 6 of 100 simulated tests, in every kind of score."""
    random = np.random.RandomState(1)
    keys = ("pairs.accuracy", "pairs.macro.f1", "merged.labels.AFTER.f1", "tempeval.f1")
    found = [bootstrap.p_values(*equally_good(documents, random), resamples=1024 if documents == 10 else 500)
             for _ in range(1000)]
    rates = np.mean([[p[key] < 0.05 for key in keys] for p in found], axis=0)
    assert (rates <= 0.06).all() and (rates > 0.01).all(), rates
