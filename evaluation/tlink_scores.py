"""What the predictions on TLINKs are scored by: eight labels and three, each link by itself, and the temporal closure."""
from typing import NamedTuple

import numpy as np

import scoring
from evaluation import bootstrap, metrics
from evaluation.bootstrap import Score
from inputs.labels import LABELS, MERGED_LABELS, merge

# merged_ids = MERGING[label_ids]: index into LABELS -> index into MERGED_LABELS.
MERGING = np.array([MERGED_LABELS.index(merge(label)) for label in LABELS])

EIGHT, THREE, CLOSURE = "Eight labels, per link", "Three labels, per link", "Temporal closure (three labels)"


class Counts(NamedTuple):
    """What the scores of each document are made of; the first axis may be documents or resamples."""
    pairs: np.ndarray    # int [documents, 8, 8], rows gold, columns predicted
    merged: np.ndarray   # int [documents, 3, 3]
    closure: np.ndarray  # int [documents, 4], scoring.ClosureCounts

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
        Score("tempeval.f1", CLOSURE, "F1"))

    def scores(self):
        """See `bootstrap.scores`."""
        result = dict(bootstrap.classification("pairs", self.pairs, LABELS),
                      **bootstrap.classification("merged", self.merged, MERGED_LABELS))
        system_found, system_links, gold_found, gold_links = np.moveaxis(self.closure, -1, 0)
        precision, recall = metrics.ratio(system_found, system_links), metrics.ratio(gold_found, gold_links)
        return dict(result, **{"tempeval.precision": precision, "tempeval.recall": recall,
                               "tempeval.f1": metrics.ratio(2 * precision * recall, precision + recall)})


SCORES = Counts.SCORES


def scores_in_order(merged_gold):
    """SCORES in the order to show them: those of three labels first where the gold has no others."""
    return tuple(sorted(SCORES, key=lambda score: merged_gold and score.group == EIGHT))


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
    merged_gold = predictions.merged_gold()
    links = [([], []) for _ in names]
    for row, document in enumerate(of_row):
        ids = predictions.from_ids[row], predictions.to_ids[row]
        links[document][0].append((*ids, MERGED_LABELS[merged_gold[row]]))
        links[document][1].append((*ids, MERGED_LABELS[merged[row]]))
    return Counts(metrics.confusions(of_row, predictions.gold, pairs, len(names), len(LABELS)),
                  metrics.confusions(of_row, merged_gold, merged, len(names), len(MERGED_LABELS)),
                  np.array([scoring.closure_counts(gold, system) for gold, system in links]))


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


def baseline(predictions, label_counts):
    """The bootstrap.Baseline of always answering the commonest label; parameters as `majority_counts`."""
    of, label, merged = majority_counts(predictions, label_counts)
    answer = label + ("" if merged == label else f" (eight labels) or {merged} (three)")
    return bootstrap.Baseline(of, {EIGHT: label, THREE: merged, CLOSURE: merged},
                              f"Baseline: always {answer}, the commonest in training.")


def score(examples, log_probabilities):
    """The content of scores.json for predictions on `examples`.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example.
    log_probabilities : float [examples, 8], from text_model.log_probabilities.
    """
    predicted = [LABELS[number] for number in log_probabilities.argmax(axis=1)]
    records = [scoring.Prediction(example.document, example.tlink, example.from_id, example.to_id, example.label, label)
               for example, label in zip(examples, predicted)]
    gold = np.array([LABELS.index(example.label) for example in examples])
    loss = -log_probabilities[np.arange(len(gold)), gold].mean()
    # The probability of a merged label is the sum over the labels merged into it.
    of_gold = np.array([[merge(label) == merge(example.label) for label in LABELS] for example in examples])
    # In logarithms, as the probabilities of a very sure model are 0.
    merged_loss = -np.logaddexp.reduce(np.where(of_gold, log_probabilities, -np.inf), axis=1).mean()
    return scoring.scores(records, float(loss), float(merged_loss))
