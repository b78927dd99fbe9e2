"""How far the scores of a run depend on which documents happened to be in the test set, and whether two runs differ.

The links of a note are not independent of one another, so the unit is the document. For intervals, documents are drawn
with replacement (Efron and Tibshirani 1993, An Introduction to the Bootstrap). For p-values, documents exchange their
answers between the two runs (a randomization test: Noreen 1989, Computer-Intensive Methods for Testing Hypotheses; Yeh
2000, More accurate tests for the statistical significance of result differences). Every score is a function of sums over
documents, such as confusion matrices, so a resample is a weighted sum of these and touches no row.

These sums are a task's Counts (`tlink_scores`, `cdr_scores`): a NamedTuple of arrays whose first axis is documents, with `pairs`,
the confusion matrices, among them. It has SCORES, a tuple of Score, and `scores()`, which computes them.
"""
from typing import NamedTuple

import numpy as np

from evaluation import metrics

RESAMPLES = 1000
LEVEL = 95  # per cent
# With fewer documents there are no intervals and p-values. Five documents that all speak for the same run have p = 0.06: no
# difference, however large, could be told from chance.
FEWEST_DOCUMENTS = 6


class Score(NamedTuple):
    """One of the scores a run is reported by."""
    key: str    # as in scores.json, with dots; but macro F1 is over the labels that occur, see `scores`
    group: str  # how it is scored
    name: str


class Baseline(NamedTuple):
    """What is answered without a model."""
    counts: tuple  # Counts of each document
    answers: dict  # Score.group -> label
    about: str     # a sentence


class Interval(NamedTuple):
    """A score, and the range that holds it in 95 of 100 resamples of the documents; nan to nan with too few documents."""
    value: float
    low: float
    high: float


# ---------------------------------------------------------------------------------------------------- scoring

def scores(of):
    """The scores of counts that are sums over documents.

    Parameters
    ----------
    of : Counts, with any leading axes (none for one test set, [resamples] for many).

    Returns
    -------
    dict
        Score.key -> float array of the leading axes. Macro F1 is over the labels that these counts (each resample's own) hold,
        so that a model without errors has an F1 of 1 in every resample. Where a quotient has no cases it is 0, as in `scoring`.
    """
    found = of.scores()
    return {score.key: found[score.key] for score in of.SCORES}


def classification(prefix, confusion, labels):
    """Accuracy, macro, weighted and each label's F1 of confusion matrices: {Score.key: float [...]}."""
    f1 = metrics.label_f1(confusion)
    result = {f"{prefix}.accuracy": metrics.accuracy(confusion),
              f"{prefix}.macro.f1": metrics.macro_f1(confusion),
              f"{prefix}.weighted.f1": metrics.weighted_average(f1, confusion)}
    result.update({f"{prefix}.labels.{label}.f1": f1[..., number] for number, label in enumerate(labels)})
    return result


def total(of):
    """Counts of all documents together."""
    return type(of)(*(array.sum(axis=0) for array in of))


# ------------------------------------------------------------------------------------------------- resampling

def weights(documents, resamples=RESAMPLES, seed=0):
    """How often each document is drawn in each resample: int [resamples, documents]."""
    return np.random.RandomState(seed).multinomial(documents, np.full(documents, 1.0 / documents),
                                                   size=resamples)


def resampled(of, drawn):
    """Counts [resamples, ...] of Counts [documents, ...] under `weights` or `exchanges`."""
    # Products of floats are far faster than those of integers, and exact for counts.
    return type(of)(*(np.tensordot(np.asarray(drawn, float), np.asarray(array, float), 1) for array in of))


def intervals(of):
    """{Score.key: Interval} of Counts per document."""
    values = scores(total(of))
    if len(of.pairs) < FEWEST_DOCUMENTS:
        return {key: Interval(float(value), np.nan, np.nan) for key, value in values.items()}
    samples = scores(resampled(of, weights(len(of.pairs))))
    return {key: interval(values[key], samples[key]) for key in values}


def interval(value, samples):
    """The Interval of a score: the percentiles of its resamples, of those in which it exists (is not nan)."""
    samples = samples[~np.isnan(samples)]
    margin = (100 - LEVEL) / 2
    low, high = np.percentile(samples, [margin, 100 - margin]) if len(samples) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def share_interval(hits, cases):
    """Interval of the share sum(hits) / sum(cases), both per document: int [documents]; documents without cases do not count."""
    drawn = weights(len(cases))
    with np.errstate(invalid="ignore"):
        value = np.float64(np.sum(hits)) / np.sum(cases)
        if np.count_nonzero(cases) < FEWEST_DOCUMENTS:
            return Interval(float(value), np.nan, np.nan)
        return interval(value, drawn.dot(hits) / drawn.dot(cases))


# ------------------------------------------------------------------------------------------------- two runs

def p_values(first, second, resamples=10000):
    """Whether two runs on the same documents differ: two-sided p-values of a paired randomization test.

    If the runs were equally good, each document's answers might as well be the other run's. So documents exchange their counts
    between the runs, and the difference of the whole score is computed anew, for F1 and closure as for accuracy. The p-value
    is twice the share of exchanges in which the difference is as far on its side as the one observed. Up to 13 documents every
    exchange is looked at, and p is exact; with more, `resamples` random ones are, to which the observed one is added, so that
    p is never below 2 / (resamples + 1).

    Parameters
    ----------
    first, second : Counts per document, of the same documents in the same order.

    Returns
    -------
    {Score.key: float}; nan with fewer than FEWEST_DOCUMENTS documents.
    """
    before, after = scores(total(first)), scores(total(second))
    documents = len(first.pairs)
    if documents < FEWEST_DOCUMENTS:
        return dict.fromkeys(before, np.nan)
    exact = 2 ** documents <= resamples
    exchanged = every_exchange(documents) if exact else random_exchanges(documents, resamples)
    made = type(first)
    moved = resampled(made(*(theirs - ours for ours, theirs in zip(first, second))), exchanged)
    one = scores(made(*(ours + gain for ours, gain in zip(total(first), moved))))
    other = scores(made(*(theirs - gain for theirs, gain in zip(total(second), moved))))
    return {key: _p_value(after[key] - before[key], other[key] - one[key], exact) for key in before}


def every_exchange(documents):
    """Every way in which documents may be exchanged or not: int [2 ** documents, documents] of 0 and 1, none exchanged first."""
    return np.arange(2 ** documents)[:, None] >> np.arange(documents) & 1


def random_exchanges(documents, resamples, seed=0):
    """Random ways in which documents are exchanged or not: int [resamples, documents] of 0 and 1."""
    return np.random.RandomState(seed).randint(2, size=(resamples, documents))


def _p_value(observed, differences, exact):
    # Differences that are equal but for rounding count as equal.
    cases = min((differences > observed - 1e-12).sum(), (differences < observed + 1e-12).sum())
    # Among random exchanges the observed one counts as one more; among all of them it is there already.
    share = cases / len(differences) if exact else (cases + 1) / (len(differences) + 1)
    return float(min(1.0, 2.0 * share))


def p_text(value):
    """A p-value as people write it; a dash where there is none."""
    return "-" if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
