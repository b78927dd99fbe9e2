"""How far the scores of a run depend on which documents happened to be in the test set.

The links of a note are not independent of one another, so whole documents are drawn, with replacement (Efron
and Tibshirani 1993, An Introduction to the Bootstrap: the unit drawn is the one that is independent). Every
score is a function of sums over documents - confusion matrices and closure counts - so a resample is a
weighted sum of these and touches no row.
"""
from typing import NamedTuple

import numpy as np

from evaluation.predictions import MERGING
from inputs.labels import LABELS, MERGED_LABELS
from scoring import closure_counts

RESAMPLES = 1000
LEVEL = 95  # per cent


class Score(NamedTuple):
    """One of the scores a run is reported by."""
    key: str    # as in scores.json, with dots
    group: str  # how it is scored
    name: str


EIGHT, THREE, CLOSURE = "Eight labels, per link", "Three labels, per link", "Temporal closure (three labels)"
SCORES = (
    Score("pairs.accuracy", EIGHT, "accuracy"),
    Score("pairs.macro.f1", EIGHT, "macro F1"),
    Score("pairs.weighted.f1", EIGHT, "weighted F1"),
    Score("merged.accuracy", THREE, "accuracy"),
    Score("merged.macro.f1", THREE, "macro F1"),
    Score("merged.weighted.f1", THREE, "weighted F1"),
    Score("merged.labels.BEFORE.f1", THREE, "F1 of BEFORE"),
    Score("merged.labels.AFTER.f1", THREE, "F1 of AFTER"),
    Score("merged.labels.OVERLAP.f1", THREE, "F1 of OVERLAP"),
    Score("tempeval.precision", CLOSURE, "precision"),
    Score("tempeval.recall", CLOSURE, "recall"),
    Score("tempeval.f1", CLOSURE, "F1"),
)


class Counts(NamedTuple):
    """What the scores of each document are made of; the first axis may be documents or resamples."""
    pairs: np.ndarray    # int [documents, 8, 8], rows gold, columns predicted
    merged: np.ndarray   # int [documents, 3, 3]
    closure: np.ndarray  # int [documents, 4], scoring.ClosureCounts


class Interval(NamedTuple):
    """A score, and the range that holds it in 95 of 100 resamples of the documents."""
    value: float
    low: float
    high: float


# --------------------------------------------------------------------------------------------------- counting

def counts(predictions, pairs=None, merged=None):
    """Counts per document of a predictions.Predictions.

    Parameters
    ----------
    predictions : Predictions
    pairs, merged : int [rows]
        Other answers than the predicted ones, over LABELS and MERGED_LABELS; a baseline's, say.
    """
    pairs = predictions.predicted if pairs is None else pairs
    merged = predictions.merged_predicted() if merged is None else merged
    names, of_row = predictions.document_rows()
    pair_counts = np.zeros((len(names), len(LABELS), len(LABELS)), int)
    merged_counts = np.zeros((len(names), len(MERGED_LABELS), len(MERGED_LABELS)), int)
    merged_gold = predictions.merged_gold()
    np.add.at(pair_counts, (of_row, predictions.gold, pairs), 1)
    np.add.at(merged_counts, (of_row, merged_gold, merged), 1)
    links = [([], []) for _ in names]
    for row, document in enumerate(of_row):
        ids = predictions.from_ids[row], predictions.to_ids[row]
        links[document][0].append((*ids, MERGED_LABELS[merged_gold[row]]))
        links[document][1].append((*ids, MERGED_LABELS[merged[row]]))
    return Counts(pair_counts, merged_counts,
                  np.array([closure_counts(gold, system) for gold, system in links]))


def majority_counts(predictions, label_counts):
    """Counts of always answering the commonest label, of eight and of three.

    Parameters
    ----------
    predictions : Predictions, for the gold labels.
    label_counts : int [8], how often each of LABELS occurs in training.

    Returns
    -------
    Counts, label (one of LABELS), merged label (one of MERGED_LABELS)
    """
    label = int(np.argmax(label_counts))
    merged = int(np.argmax(np.bincount(MERGING, label_counts)))
    rows = len(predictions.gold)
    of = counts(predictions, np.full(rows, label), np.full(rows, merged))
    return of, LABELS[label], MERGED_LABELS[merged]


# ---------------------------------------------------------------------------------------------------- scoring

def scores(of):
    """The scores of counts that are sums over documents.

    Parameters
    ----------
    of : Counts, with any leading axes (none for one test set, [resamples] for many).

    Returns
    -------
    dict
        Score.key -> float array of the leading axes. Where a quotient has no cases it is 0, as in `scoring`.
    """
    result = dict(_classification("pairs", of.pairs, LABELS),
                  **_classification("merged", of.merged, MERGED_LABELS))
    system_found, system_links, gold_found, gold_links = np.moveaxis(of.closure, -1, 0)
    precision, recall = _ratio(system_found, system_links), _ratio(gold_found, gold_links)
    result.update({"tempeval.precision": precision, "tempeval.recall": recall,
                   "tempeval.f1": _ratio(2 * precision * recall, precision + recall)})
    return {score.key: result[score.key] for score in SCORES}


def _classification(prefix, confusion, labels):
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, answers = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = support.sum(axis=-1)
    f1 = _ratio(2 * right, support + answers)
    result = {f"{prefix}.accuracy": _ratio(right.sum(axis=-1), total), f"{prefix}.macro.f1": f1.mean(axis=-1),
              f"{prefix}.weighted.f1": _ratio((f1 * support).sum(axis=-1), total)}
    result.update({f"{prefix}.labels.{label}.f1": f1[..., number] for number, label in enumerate(labels)})
    return result


def macro_f1(confusion):
    """Macro F1 of one confusion matrix."""
    return float(_classification("", confusion, range(len(confusion)))[".macro.f1"])


def _ratio(numerator, denominator):
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def total(of):
    """Counts of all documents together."""
    return Counts(*(array.sum(axis=0) for array in of))


# ------------------------------------------------------------------------------------------------- resampling

def weights(documents, resamples=RESAMPLES, seed=0):
    """How often each document is drawn in each resample: int [resamples, documents]."""
    return np.random.RandomState(seed).multinomial(documents, np.full(documents, 1.0 / documents),
                                                   size=resamples)


def resampled(of, drawn):
    """Counts [resamples, ...] of Counts [documents, ...] under `weights`."""
    return Counts(*(np.tensordot(drawn, array, 1) for array in of))


def intervals(of):
    """{Score.key: Interval} of Counts per document."""
    values = scores(total(of))
    samples = scores(resampled(of, weights(len(of.pairs))))
    return {key: interval(values[key], samples[key]) for key in values}


def interval(value, samples):
    """The Interval of a score: the percentiles of its resamples, of those in which it exists (is not nan)."""
    samples = samples[~np.isnan(samples)]
    margin = (100 - LEVEL) / 2
    low, high = np.percentile(samples, [margin, 100 - margin]) if len(samples) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def share_interval(hits, cases):
    """Interval of the share sum(hits) / sum(cases), both per document: int [documents]."""
    drawn = weights(len(cases))
    with np.errstate(invalid="ignore"):
        samples = drawn.dot(hits) / drawn.dot(cases)
        return interval(np.float64(np.sum(hits)) / np.sum(cases), samples)


def p_values(first, second, resamples=10000):
    """Whether two runs on the same documents differ: two-sided p-values from resampling documents jointly.

    The p-value is twice the share of resamples in which the difference has not the sign of most (ties count
    against a difference), that is, one minus the level of the widest percentile interval that excludes 0. It
    is never below 2 / (resamples + 1).

    Parameters
    ----------
    first, second : Counts per document, of the same documents in the same order.

    Returns
    -------
    {Score.key: float}
    """
    drawn = weights(len(first.pairs), resamples)
    one, other = scores(resampled(first, drawn)), scores(resampled(second, drawn))
    return {key: _p_value(other[key] - one[key]) for key in one}


def _p_value(differences):
    # Differences that are 0 but for rounding count as 0.
    below, above = (differences < 1e-12).sum(), (differences > -1e-12).sum()
    return float(min(1.0, 2.0 * (min(below, above) + 1) / (len(differences) + 1)))
