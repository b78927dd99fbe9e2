"""The scores a run is reported by: with intervals, and beside always guessing the commonest label."""
from typing import NamedTuple

from evaluation import bootstrap, metrics
from inputs.labels import LABELS
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
    absent: tuple    # those of LABELS that are neither gold nor predicted, which macro F1 leaves out
    merged_gold: bool  # the gold has no labels but the three merged ones


def of_predictions(predictions, label_counts):
    """The Headline of some predictions.

    Parameters
    ----------
    predictions : predictions.Predictions
    label_counts : int [8], how often each of LABELS occurs in training.
    """
    of_documents = bootstrap.counts(predictions)
    baseline, commonest, merged = bootstrap.majority_counts(predictions, label_counts)
    occurring = metrics.occurring(bootstrap.total(of_documents).pairs)
    return Headline(bootstrap.intervals(of_documents), bootstrap.scores(bootstrap.total(baseline)),
                    commonest, merged, len(of_documents.pairs), len(predictions.gold),
                    tuple(label for label, occurs in zip(LABELS, occurring) if not occurs), predictions.has_merged_gold())


def range_text(interval):
    """An interval for a terminal; a dash where there is none."""
    return "-" if interval.low != interval.low else f"{interval.low:.4f} to {interval.high:.4f}"


def about_intervals(documents):
    """A sentence on where the intervals come from, or why there are none."""
    if documents < bootstrap.FEWEST_DOCUMENTS:
        return (f"No intervals: {documents} test documents are too few to tell what others would give; at least "
                f"{bootstrap.FEWEST_DOCUMENTS} are needed.")
    few = ", a rough guide with so few" if documents < FEW_DOCUMENTS else ""
    return (f"Intervals: {bootstrap.LEVEL} %, bootstrap over {documents} documents{few}, {bootstrap.RESAMPLES:,} resamples.")


def about_macro(head):
    """A sentence on the labels that a Headline's macro F1 leaves out; "" if it leaves out none."""
    if not head.absent:
        return ""
    return (f"Macro F1 leaves out what is neither gold nor predicted here ({', '.join(head.absent)}); scores.json and scores.txt "
            "count it as 0.")


def as_text(head):
    """A Headline for a terminal."""
    rows, group = [], None
    for score in bootstrap.scores_in_order(head.merged_gold):
        if score.group != group:
            group = score.group
            rows.append([group, "", "", ""])
        interval = head.intervals[score.key]
        rows.append([f"  {score.name}", f"{interval.value:.4f}", range_text(interval), f"{head.baseline[score.key]:.4f}"])
    baseline = head.commonest + ("" if head.merged == head.commonest else f" (eight labels) or {head.merged} (three)")
    return (format_table(["", "score", f"{bootstrap.LEVEL} % interval", "baseline"], rows)
            + f"\n\n{about_intervals(head.documents)} Baseline: always {baseline}, the commonest in training."
            + (f"\n{about_macro(head)}" if head.absent else ""))
