"""The predictions of a run as arrays, and the file `predictions.tsv` they are kept in."""
from typing import NamedTuple

import numpy as np

from inputs.labels import LABELS, MERGED_LABELS, merge
from support.errors import InputError

COLUMNS = ("document", "tlink", "from_id", "to_id", "gold", "predicted") + tuple(f"p_{label}"
                                                                                 for label in LABELS)

# merged_ids = MERGING[label_ids]: index into LABELS -> index into MERGED_LABELS.
MERGING = np.array([MERGED_LABELS.index(merge(label)) for label in LABELS])


class Predictions(NamedTuple):
    """One row per TLINK, those of a document together and in the order of its file."""
    documents: list            # str [rows], names of the documents
    tlinks: list               # str [rows], ids
    from_ids: list             # str [rows]
    to_ids: list               # str [rows]
    gold: np.ndarray           # int [rows], index into LABELS
    predicted: np.ndarray      # int [rows], index into LABELS
    probabilities: np.ndarray  # float [rows, 8], in the order of LABELS

    def merged_gold(self):
        """Gold labels after merging: int [rows], index into MERGED_LABELS."""
        return MERGING[self.gold]

    def merged_predicted(self):
        """Predicted labels after merging: int [rows], index into MERGED_LABELS."""
        return MERGING[self.predicted]

    def document_rows(self):
        """The documents' names in the order they occur, and the document's index of each row: int [rows]."""
        names = list(dict.fromkeys(self.documents))
        index = {name: number for number, name in enumerate(names)}
        return names, np.array([index[name] for name in self.documents], int)


def of_examples(examples, log_probabilities):
    """Predictions from examples and what the model says of them.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example.
    log_probabilities : float [examples, 8], from text_model.log_probabilities.
    """
    return Predictions([example.document for example in examples], [example.tlink for example in examples],
                       [example.from_id for example in examples], [example.to_id for example in examples],
                       np.array([LABELS.index(example.label) for example in examples], int),
                       log_probabilities.argmax(axis=1), np.exp(log_probabilities))


def read(path):
    """Read a predictions.tsv.

    Returns
    -------
    Predictions

    Raises
    ------
    InputError : the file is missing or not what `test` writes; the message names the line.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as source:
            lines = source.read().split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. `python3 run_i2b2.py test` writes "
                         "it.") from error
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8, so it is not what `python3 run_i2b2.py test` wrote; test "
                         "again.") from None
    if lines[0].split("\t") != list(COLUMNS):
        raise InputError(f"{path}: line 1 is not the header of predictions.tsv ({' '.join(COLUMNS[:7])} "
                         "...); test again.")
    rows = [_row(path, number, line) for number, line in enumerate(lines[1:], start=2) if line]
    if not rows:
        raise InputError(f"{path} holds no predictions; test again.")
    documents, tlinks, from_ids, to_ids, gold, predicted, probabilities = zip(*rows)
    return Predictions(list(documents), list(tlinks), list(from_ids), list(to_ids), np.array(gold, int),
                       np.array(predicted, int), np.array(probabilities, float))


def _row(path, number, line):
    cells = line.split("\t")
    try:
        gold, predicted = LABELS.index(cells[4]), LABELS.index(cells[5])
        probabilities = [float(cell) for cell in cells[6:]]
        if len(probabilities) != len(LABELS) or not np.isfinite(probabilities).all():
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"{path}: line {number} is damaged: expected {len(COLUMNS)} fields, two of them "
                         f"labels and {len(LABELS)} of them probabilities; test again.") from None
    return (*cells[:4], gold, predicted, probabilities)
