"""What the predictions on BC5CDR are scored by: each pair of a chemical and a disease by itself, and the relations found.

The relations found (CID, chemical-induced disease) are those of `cid`. They can be scored only where all pairs of a document are
asked about: a sample of the pairs that are no relation says nothing of how many relations would be claimed.
"""
from typing import NamedTuple

import numpy as np

import scoring
from data_process_BC5CDR import LABELS
from evaluation import bootstrap, cid, metrics
from evaluation.bootstrap import Score

PAIRS, CID = "Pairs of a chemical and a disease", "Relations of the documents (CID)"
METRICS = ("precision", "recall", "f1")
SCORES_OF_PAIRS = (
    Score("pairs.accuracy", PAIRS, "accuracy"),
    Score("pairs.labels.1.precision", PAIRS, "precision of label 1"),
    Score("pairs.labels.1.recall", PAIRS, "recall of label 1"),
    Score("pairs.labels.1.f1", PAIRS, "F1 of label 1"))


class SampledCounts(NamedTuple):
    """What the scores of each document are made of, for a sample of its pairs; the first axis may be documents or resamples."""
    pairs: np.ndarray  # int [documents, 2, 2], rows gold, columns predicted

    SCORES = SCORES_OF_PAIRS

    def scores(self):
        """See `bootstrap.scores`; there is no macro average."""
        return scores_of_pairs(self.pairs)


class AllCounts(NamedTuple):
    """The same for all of a document's pairs."""
    pairs: np.ndarray      # int [documents, 2, 2], rows gold, columns predicted
    relations: np.ndarray  # int [documents, 3]: relations that are found, predicted, annotated

    SCORES = SCORES_OF_PAIRS + (
        Score("cid.precision", CID, "precision"),
        Score("cid.recall", CID, "recall"),
        Score("cid.f1", CID, "F1"))

    def scores(self):
        """See `bootstrap.scores`; there is no macro average."""
        found, predicted, gold = np.moveaxis(self.relations, -1, 0)
        return dict(scores_of_pairs(self.pairs), **_figures("cid", found, predicted, gold))


def scores_of_pairs(pairs):
    """{Score.key: float [...]} of confusion matrices [..., 2, 2]."""
    return dict(_figures("pairs.labels.1", pairs[..., 1, 1], pairs[..., :, 1].sum(axis=-1), pairs[..., 1, :].sum(axis=-1)),
                **{"pairs.accuracy": metrics.accuracy(pairs)})


def _figures(prefix, found, predicted, gold):
    values = metrics.ratio(found, predicted), metrics.ratio(found, gold), metrics.ratio(2 * found, predicted + gold)
    return {f"{prefix}.{name}": value for name, value in zip(METRICS, values)}


def sampled_counts(predictions, answers=None):
    """SampledCounts of a predictions.PairPredictions; `answers` instead of the predicted labels: int [rows]."""
    names, of_row = predictions.document_rows()
    answers = predictions.predicted if answers is None else answers
    return SampledCounts(metrics.confusions(of_row, predictions.gold, answers, len(names), len(LABELS)))


def all_counts(predictions, answers=None, relations=None):
    """AllCounts of a predictions.PairPredictions.

    Parameters
    ----------
    predictions : PairPredictions
    answers, relations : int [rows], instead of the predicted labels, for the pairs and for the relations; a baseline's, say.
    """
    relations = predictions.predicted if relations is None else relations
    names, of_row = predictions.document_rows()
    gold, predicted = ([set() for _ in names] for _ in range(2))
    for row, document in enumerate(of_row):
        pair = predictions.chemicals[row], predictions.diseases[row]
        for found, label in ((gold, predictions.gold[row]), (predicted, relations[row])):
            if label:
                found[document].add(pair)
    of_documents = [(len(one & other), len(other), len(one)) for one, other in zip(gold, predicted)]
    return AllCounts(sampled_counts(predictions, answers).pairs, np.array(of_documents, int))


def sampled_baseline(predictions, label_counts):
    """The bootstrap.Baseline of always answering the commonest label.

    Parameters
    ----------
    predictions : predictions.PairPredictions, for the gold labels.
    label_counts : int [2], how often each label occurs in training.
    """
    label = int(np.argmax(label_counts))
    return bootstrap.Baseline(sampled_counts(predictions, np.full(len(predictions.gold), label)), {PAIRS: LABELS[label]},
                              f"Baseline: always {LABELS[label]}, the commonest in training.")


def all_baseline(predictions, label_counts):
    """The bootstrap.Baseline of the commonest label for the pairs, and of taking every pair for a relation; as above."""
    label, rows = int(np.argmax(label_counts)), len(predictions.gold)
    return bootstrap.Baseline(
        all_counts(predictions, np.full(rows, label), np.ones(rows, int)), {PAIRS: LABELS[label], CID: "1"},
        f"Baseline: of the pairs always {LABELS[label]}, the commonest in training; of the relations always 1, as always 0 finds "
        "none and has an F1 of 0.")


def score(split, log_probabilities, negatives):
    """The content of scores.json.

    Parameters
    ----------
    split : data_process_BC5CDR.Split
    log_probabilities : float [examples, 2], from text_model.log_probabilities.
    negatives : "sampled" or "all"; with "all" there is also "cid", see `cid.cid_scores`.
    """
    gold = [example.label for example in split.examples]
    predicted = [LABELS[number] for number in log_probabilities.argmax(axis=1)]
    loss = -log_probabilities[np.arange(len(gold)), [LABELS.index(label) for label in gold]].mean()
    found = {"pairs": scoring.pair_scores(gold, predicted, LABELS, float(loss))}
    if negatives == "all":
        found["cid"] = cid.cid_scores(cid.gold_relations(split.documents), cid.predicted_relations(split.examples, predicted))
    return found


def format_scores(scores):
    """What `score` returns as text for reading, `scores.txt`."""
    parts = [scoring.format_pairs("Each pair of a chemical and a disease by itself", scores["pairs"], "pairs")]
    if "cid" in scores:
        figures = "   ".join(f"{name} {scores['cid'][name]:.4f}" for name in METRICS)
        parts.append(f"Relations of the documents (CID), as BioCreative V counts them, of the annotated mentions\n\n{figures}")
    return "\n\n".join(parts) + "\n"
