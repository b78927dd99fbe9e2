"""The scores a run is reported by: with intervals, and beside always guessing the commonest label."""
from typing import NamedTuple

from evaluation import bootstrap
from scoring import format_table

# Intervals from fewer documents than this are shown with a warning.
FEW_DOCUMENTS = 20


class Headline(NamedTuple):
    """The scores of bootstrap.SCORES on one test set."""
    intervals: dict  # Score.key -> bootstrap.Interval
    baseline: dict   # Score.key -> float
    commonest: str   # what the baseline answers: the commonest training label, of eight
    merged: str      # and of three
    documents: int
    tlinks: int


def of_predictions(predictions, label_counts):
    """The Headline of some predictions.

    Parameters
    ----------
    predictions : predictions.Predictions
    label_counts : int [8], how often each of LABELS occurs in training.
    """
    of_documents = bootstrap.counts(predictions)
    baseline, commonest, merged = bootstrap.majority_counts(predictions, label_counts)
    return Headline(bootstrap.intervals(of_documents), bootstrap.scores(bootstrap.total(baseline)),
                    commonest, merged, len(of_documents.pairs), len(predictions.gold))


def as_text(head):
    """A Headline for a terminal."""
    rows, group = [], None
    for score in bootstrap.SCORES:
        if score.group != group:
            group = score.group
            rows.append([group, "", "", ""])
        value, low, high = head.intervals[score.key]
        rows.append([f"  {score.name}", f"{value:.4f}", f"{low:.4f} to {high:.4f}",
                     f"{head.baseline[score.key]:.4f}"])
    few = " (few documents: take them as a rough guide)" if head.documents < FEW_DOCUMENTS else ""
    baseline = head.commonest + ("" if head.merged == head.commonest else f" (eight labels) or {head.merged} (three)")
    return (format_table(["", "score", f"{bootstrap.LEVEL} % interval", "baseline"], rows)
            + f"\n\nIntervals: bootstrap over {head.documents} documents, {bootstrap.RESAMPLES} "
              f"resamples{few}. Baseline: always {baseline}, the commonest in training.")
