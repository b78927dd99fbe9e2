"""The predictions of a run as arrays, and the file `predictions.tsv` they are kept in."""
import collections
from typing import NamedTuple

import numpy as np

from inputs.labels import LABELS, MERGED_LABELS, merge
from support.errors import InputError
from support.files import open_regular

COLUMNS = ("document", "tlink", "from_id", "to_id", "gold", "predicted") + tuple(f"p_{label}"
                                                                                 for label in LABELS)

# merged_ids = MERGING[label_ids]: index into LABELS -> index into MERGED_LABELS.
MERGING = np.array([MERGED_LABELS.index(merge(label)) for label in LABELS])


class Predictions(NamedTuple):
    """One row per TLINK, those of a document together and in the order of its file, as `test` writes them."""
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

    def keys(self):
        """What tells rows apart, as far as one value can: list of (document, tlink, from_id, to_id)."""
        return list(zip(self.documents, self.tlinks, self.from_ids, self.to_ids))

    def in_order(self, keys, name, name_of_keys):
        """These rows in the order of another table.

        Parameters
        ----------
        keys : list of (document, tlink, from_id, to_id), the rows of the other table.
        name, name_of_keys : what this table and the other are called in messages.

        Raises
        ------
        InputError : see `join`.
        """
        return self.take(join(keys, self.keys(), name_of_keys, name))

    def take(self, rows):
        """The Predictions of some rows, in this order."""
        rows = np.array(rows, int)
        return Predictions(*([column[row] for row in rows] for column in self[:4]), *(array[rows] for array in self[4:]))


def join(keys, others, name_of_keys, name_of_others):
    """Which row of one table belongs to each row of another.

    Ids repeat in real documents, and so do whole links: the second row with a key belongs to the second with that key.

    Parameters
    ----------
    keys, others : lists of (document, tlink, from_id, to_id), the rows of the two tables.
    name_of_keys, name_of_others : what the two tables are called in messages.

    Returns
    -------
    list of int, for each of `keys` the number of its row in `others`.

    Raises
    ------
    InputError : a row is in one of the tables alone; the message names it.
    """
    numbers = {key: number for number, key in enumerate(_counted(others))}
    wanted = _counted(keys)
    missing = [key for key in wanted if key not in numbers]
    left_over = sorted(set(numbers).difference(wanted), key=numbers.get)
    for having, lacking, rows in ((name_of_keys, name_of_others, missing), (name_of_others, name_of_keys, left_over)):
        if rows:
            document, tlink, from_id, to_id, before = rows[0]
            again = f" {before + 1} times" if before else ""
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise InputError(f"document {document}: {having} has the TLINK {tlink:.40} from {from_id:.40} to {to_id:.40}{again}"
                             f"{more}, which {lacking} lacks. One was changed meanwhile: test again.")
    return [numbers[key] for key in wanted]


def _counted(keys):
    """Each key with how often it occurred before."""
    seen = collections.Counter()
    counted = []
    for key in keys:
        counted.append((*key, seen[key]))
        seen[key] += 1
    return counted


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
        with open_regular(path) as source:
            lines = source.read().decode("utf-8").split("\n")
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
        # A little more than 1 is rounding; NaN fails the comparison.
        if len(probabilities) != len(LABELS) or not all(0 <= value <= 1.0001 for value in probabilities):
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"{path}: line {number} is damaged: expected {len(COLUMNS)} fields, two of them "
                         f"labels and {len(LABELS)} of them probabilities; test again.") from None
    return (*cells[:4], gold, predicted, probabilities)
