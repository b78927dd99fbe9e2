"""What a run gets right and wrong: calibration, kinds of link, distance, confident errors."""
import re
from typing import NamedTuple

import numpy as np

from evaluation import bootstrap, metrics
from evaluation.tlink_scores import MERGING
from inputs import mentions, section_times
from inputs.labels import LABELS, MERGED_LABELS

BINS = 10  # of the reliability curve, equally wide

SECTION, EVENT_EVENT, EVENT_TIME, TIME_TIME, OTHER = KINDS = section_times.KINDS

# Lower ends of the classes of distance, in words between the two mentions; the last class is open.
DISTANCES = (0, 5, 10, 25, 50, 100)
UNKNOWN = "unknown"


# ------------------------------------------------------------------------------------------------ calibration

class Calibration(NamedTuple):
    """Whether probabilities mean what they say, in equally wide classes of the predicted label's."""
    cases: np.ndarray       # int [bins]
    confidence: np.ndarray  # float [bins], mean probability of the predicted label; nan without cases
    accuracy: np.ndarray    # float [bins], share of right predictions; nan without cases
    error: float            # expected calibration error


def calibration(confidence, right):
    """Calibration of predictions.

    The expected calibration error is the mean over predictions of the gap between confidence and accuracy of
    their class (Guo, Pleiss, Sun, Weinberger 2017, On Calibration of Modern Neural Networks).

    Parameters
    ----------
    confidence : float [rows], probability given to the predicted label.
    right : bool [rows]
    """
    of_row = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    cases = np.bincount(of_row, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(of_row, confidence, BINS) / cases
        accuracy = np.bincount(of_row, right, BINS) / cases
    error = np.nansum(np.abs(mean_confidence - accuracy) * cases) / len(confidence)
    return Calibration(cases, mean_confidence, accuracy, float(error))


def confidences(predictions):
    """Probability of the predicted label, of eight and merged: two float [rows].

    That of a merged label is the sum over the labels merged into it.
    """
    rows = np.arange(len(predictions.gold))
    merged = predictions.probabilities.dot(np.eye(len(MERGED_LABELS))[MERGING])
    return predictions.confidences(), merged[rows, predictions.merged_predicted()]


# ---------------------------------------------------------------------------------------- kinds and distances

def kinds(predictions, documents):
    """What each row links, one of KINDS: list of str.

    Parameters
    ----------
    predictions : predictions.Predictions
    documents : list of data_process_i2b2.Document, for the tags of the mentions.
    """
    tags = {
        document.name: {mention.id: mention.tag
                        for mention in document.mentions}
        for document in documents
    }
    return [section_times.kind(tlink, from_id, to_id, tags.get(name, {})) for name, tlink, from_id, to_id in zip(
        predictions.documents, predictions.tlinks, predictions.from_ids, predictions.to_ids)]


def distances(predictions, documents):
    """Words between the two mentions of each row: list of int, None where there is no saying.

    Links to section times have no distance, nor have mentions without offsets or with offsets outside the
    note.
    Mentions that overlap or adjoin are 0 words apart.

    Parameters
    ----------
    predictions : predictions.Predictions
    documents : list of data_process_i2b2.Document
    """
    spans = {document.name: _word_spans(document) for document in documents}
    result = []
    for name, from_id, to_id in zip(predictions.documents, predictions.from_ids, predictions.to_ids):
        one, other = (spans.get(name, {}).get(identifier) for identifier in (from_id, to_id))
        if one is None or other is None:
            result.append(None)
        else:
            first, second = sorted((one, other))
            result.append(max(0, second[0] - first[1] - 1))
    return [None if name == SECTION else words for name, words in zip(kinds(predictions, documents), result)]


def _word_spans(document):
    """{id: (number of its first word, of its last)} of the EVENTs and TIMEX3s of a document."""
    ends = np.array([match.end() for match in re.finditer(r"\S+", document.text)], int)
    sections = {mention.id for mention in document.mentions if mention.tag == "SECTIME"}
    spans = {}
    for identifier, (begin, end) in mentions.spans(document).items():
        if identifier not in sections:
            first, last = np.searchsorted(ends, [begin, end - 1], side="right")
            spans[identifier] = (int(first), int(last))
    return spans


def distance_class(words):
    """Name of the class of a distance in words."""
    if words is None:
        return UNKNOWN
    number = int(np.searchsorted(DISTANCES, words, side="right")) - 1
    return DISTANCE_CLASSES[number]


DISTANCE_CLASSES = tuple(f"{low}\N{EN DASH}{high - 1}"
                         for low, high in zip(DISTANCES, DISTANCES[1:])) + (f"{DISTANCES[-1]}+", )


# ----------------------------------------------------------------------------------------------------- groups

class Group(NamedTuple):
    """Scores of some of the links."""
    name: str
    cases: int
    pairs: bootstrap.Interval   # accuracy over eight labels
    merged: bootstrap.Interval  # accuracy over three
    merged_f1: float            # macro F1 over those of the three that occur
    commonest: float            # merged accuracy of always answering the group's own commonest merged label


def groups(predictions, names, order):
    """Scores of each group of rows that has any.

    Parameters
    ----------
    predictions : predictions.Predictions
    names : list of str, the group of each row.
    order : the groups, in the order of the result; rows of other groups are left out.

    Returns
    -------
    list of Group
    """
    documents, of_row = predictions.document_rows()
    names = np.array(names)
    right = predictions.gold == predictions.predicted
    merged_gold, merged_predicted = predictions.merged_gold(), predictions.merged_predicted()
    result = []
    for name in order:
        chosen = names == name
        if not chosen.any():
            continue
        cases, pairs, merged = (np.bincount(of_row[chosen & which], minlength=len(documents))
                                for which in (True, right, merged_gold == merged_predicted))
        confusion = metrics.confusion(merged_gold[chosen], merged_predicted[chosen], len(MERGED_LABELS))
        result.append(Group(name, int(chosen.sum()), bootstrap.share_interval(pairs, cases),
                            bootstrap.share_interval(merged, cases), float(metrics.macro_f1(confusion)),
                            float(confusion.sum(axis=1).max() / chosen.sum())))
    return result


# ----------------------------------------------------------------------------------------------------- errors

class ConfidentError(NamedTuple):
    """A wrong prediction, by ids alone."""
    document: str
    tlink: str
    from_id: str
    to_id: str
    kind: str
    gold: str
    predicted: str
    confidence: float


def sureness(predictions):
    """How sure each row is, and whether it is right: float [rows], bool [rows].

    Where the gold has no labels but the three merged ones, answers count by what they are merged to: BEFORE_OVERLAP is then no
    error for BEFORE.
    """
    eight, three = confidences(predictions)
    if predictions.has_merged_gold():
        return three, predictions.merged_gold() == predictions.merged_predicted()
    return eight, predictions.gold == predictions.predicted


def confident_errors(predictions, kinds_of_rows, most=20):
    """The wrong predictions that had the highest probability, highest first, at most `most` of them; see `sureness`."""
    confidence, right = sureness(predictions)
    wrong = np.flatnonzero(~right)
    rows = wrong[np.argsort(-confidence[wrong], kind="mergesort")][:most]
    return [ConfidentError(predictions.documents[row], predictions.tlinks[row], predictions.from_ids[row],
                           predictions.to_ids[row], kinds_of_rows[row], LABELS[predictions.gold[row]],
                           LABELS[predictions.predicted[row]], float(confidence[row])) for row in rows]
