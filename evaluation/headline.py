"""The scores a run is reported by: with intervals, and beside always guessing the commonest label."""
from typing import NamedTuple

from evaluation import bootstrap, metrics
from scoring import format_table

# Intervals from fewer documents than this are shown with a warning.
FEW_DOCUMENTS = 20


class Headline(NamedTuple):
    """The scores of a table of predictions."""
    scores: tuple    # bootstrap.Score, in the order to show them
    intervals: dict  # Score.key -> bootstrap.Interval
    baseline: dict   # Score.key -> float
    answers: dict    # what the baseline answers: Score.group -> label
    about: str       # a sentence on the baseline
    documents: int
    examples: int
    absent: tuple    # the labels that are neither gold nor predicted, where a macro F1 leaves them out
    remark: str      # on what the scores mean on this gold, or ""


def of_predictions(predictions, label_counts):
    """The Headline of some predictions.

    Parameters
    ----------
    predictions : predictions.Table
    label_counts : int [labels], how often each label occurs in training.
    """
    of_documents = predictions.counts()
    baseline = predictions.baseline(label_counts)
    occurring = metrics.occurring(bootstrap.total(of_documents).pairs)
    has_macro = any("macro" in score.key for score in of_documents.SCORES)
    absent = tuple(label for label, occurs in zip(predictions.LABELS, occurring) if has_macro and not occurs)
    of_baseline = bootstrap.scores(bootstrap.total(baseline.counts))
    return Headline(predictions.scores_in_order(), bootstrap.intervals(of_documents), of_baseline, baseline.answers,
                    baseline.about, len(of_documents.pairs), len(predictions.gold), absent, predictions.remark())


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
    return (f"Macro F1 leaves out what is neither gold nor predicted here ({', '.join(head.absent)}); scikit-learn's, in "
            "scores.json and scores.txt, counts it as 0.")


def as_text(head):
    """A Headline for a terminal."""
    rows, group = [], None
    for score in head.scores:
        if score.group != group:
            group = score.group
            rows.append([group, "", "", ""])
        interval = head.intervals[score.key]
        rows.append([f"  {score.name}", f"{interval.value:.4f}", range_text(interval), f"{head.baseline[score.key]:.4f}"])
    return (format_table(["", "score", f"{bootstrap.LEVEL} % interval", "baseline"], rows)
            + f"\n\n{about_intervals(head.documents)} {head.about}"
            + (f"\n{about_macro(head)}" if head.absent else ""))
