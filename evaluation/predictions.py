"""The predictions of a run as arrays, and the file `predictions.tsv` they are kept in. Each task has its own kind of table."""
import collections
import hashlib
import os
from typing import NamedTuple

import numpy as np

import data_process_BC5CDR
from evaluation import cdr_scores, system_xml, tlink_scores
from evaluation.tlink_scores import MERGING
from inputs.labels import LABELS, are_merged
from scoring import ABOUT_MERGED_GOLD
from support.errors import InputError
from support.files import open_regular


class Table:
    """What the tables of all tasks have in common: one row for each example, those of a document together.

    A kind of table is a NamedTuple whose fields are the columns with ids, lists of str [rows], the documents' names first;
    `gold` and `predicted`, int [rows], index into LABELS; and `probabilities`, float [rows, labels]. It has, besides:

        LABELS         the labels, in the order of the classifier's outputs
        ID_COLUMNS     names of the columns with ids in the file, which are attributes of an example, too
        UNITS          what the rows are called
        PROGRAM        what writes the file
        ROW            how messages call a row, to be formatted with its ids
        MAIN_SCORES    keys of the few scores that a plot of many runs shows
        counts()       the Counts of each document (see `bootstrap`)
        baseline(label_counts)    the bootstrap.Baseline, given how often each label occurs in training
        scores_in_order()         the scores of the Counts, in the order to show them
    """
    __slots__ = ()

    def remark(self):
        """A sentence on what the scores mean on this gold; "" where there is nothing to say."""
        return ""

    @classmethod
    def columns(cls):
        """The header of the file."""
        return cls.ID_COLUMNS + ("gold", "predicted") + tuple(f"p_{label}" for label in cls.LABELS)

    @classmethod
    def public_ids(cls, ids):
        """The ids of a row, the document's name first, as a result folder may hold them, which holds no text of a note."""
        return tuple(ids)

    def document_rows(self):
        """The documents' names in the order they occur, and the document's index of each row: int [rows]."""
        names = list(dict.fromkeys(self.documents))
        index = {name: number for number, name in enumerate(names)}
        return names, np.array([index[name] for name in self.documents], int)

    def keys(self):
        """What tells rows apart, as far as one value can: list of the ids of each row, the document's name first."""
        return list(zip(*self[:len(self.ID_COLUMNS)]))

    def take(self, rows):
        """The table of some rows, in this order."""
        rows, ids = np.array(rows, int), len(self.ID_COLUMNS)
        return type(self)(*([column[row] for row in rows] for column in self[:ids]), *(array[rows] for array in self[ids:]))

    def in_order(self, keys, name, name_of_keys):
        """These rows in the order of another table.

        Parameters
        ----------
        keys : the other table's `keys()`.
        name, name_of_keys : what this table and the other are called in messages.

        Raises
        ------
        InputError : see `join`.
        """
        return self.take(join(keys, self.keys(), name_of_keys, name, self.ROW))

    def in_file_order(self, result):
        """These rows, each document's in the order of its file where a score hangs on that, even if the table was sorted.

        Parameters
        ----------
        result : paths.ResultFolder that the table was read from.

        Raises
        ------
        InputError : what tells the order is damaged, or not of the same test.
        """
        return self

    def confidences(self):
        """Probability of the predicted label: float [rows]."""
        return self.probabilities[np.arange(len(self.gold)), self.predicted]


class Predictions(Table, NamedTuple("Predictions", [
        ("documents", list),            # str [rows], names of the documents
        ("tlinks", list),               # str [rows], ids
        ("from_ids", list),             # str [rows]
        ("to_ids", list),               # str [rows]
        ("gold", np.ndarray),           # int [rows], index into LABELS
        ("predicted", np.ndarray),      # int [rows], index into LABELS
        ("probabilities", np.ndarray)])):  # float [rows, 8], in the order of LABELS
    """One row per TLINK, in the order of its document's file, as `test` writes them."""
    __slots__ = ()

    LABELS = LABELS
    ID_COLUMNS = ("document", "tlink", "from_id", "to_id")
    UNITS, PROGRAM, ROW = "TLINKs", "run_i2b2.py", "the TLINK {} from {} to {}"
    MAIN_SCORES = ("pairs.accuracy", "pairs.macro.f1", "merged.accuracy", "merged.macro.f1", "tempeval.f1")

    @classmethod
    def public_ids(cls, ids):
        """See Table."""
        return (ids[0], *map(public_id, ids[1:]))

    def counts(self):
        """See Table."""
        return tlink_scores.counts(self)

    def baseline(self, label_counts):
        """See Table."""
        return tlink_scores.baseline(self, label_counts)

    def scores_in_order(self):
        """See Table."""
        return tlink_scores.scores_in_order(self.has_merged_gold())

    def remark(self):
        """See Table."""
        return ABOUT_MERGED_GOLD if self.has_merged_gold() else ""

    def merged_gold(self):
        """Gold labels after merging: int [rows], index into MERGED_LABELS."""
        return MERGING[self.gold]

    def has_merged_gold(self):
        """Whether the gold has no labels but the three merged ones."""
        return are_merged(LABELS[number] for number in set(self.gold.tolist()))

    def merged_predicted(self):
        """Predicted labels after merging: int [rows], index into MERGED_LABELS."""
        return MERGING[self.predicted]

    def in_file_order(self, result):
        """See Table. The temporal closure drops links in the order of the file, which the folder's system XML has.

        Without system XML, of which a run of an earlier version may have none, the rows are taken to be in that order.
        """
        if not os.path.isdir(result.system_xml):
            return self
        keys = system_xml.keys(system_xml.read_documents(result.system_xml).values())
        # System XML has no ids of an unusual form.
        ours = [(document, *map(system_xml.bare_id, ids)) for document, *ids in self.keys()]
        return self.take(join(keys, ours, result.system_xml, result.predictions))


class PairPredictions(Table, NamedTuple("PairPredictions", [
        ("documents", list),            # str [rows], PMIDs
        ("relations", list),            # str [rows], the k of an example's guid
        ("chemicals", list),            # str [rows], MeSH ids
        ("diseases", list),             # str [rows], MeSH ids
        ("gold", np.ndarray),           # int [rows], 1 for a relation
        ("predicted", np.ndarray),      # int [rows]
        ("probabilities", np.ndarray)])):  # float [rows, 2]
    """One row per pair of BC5CDR, in the order of test.txt: all relations, and a sample of the other pairs."""
    __slots__ = ()

    LABELS = data_process_BC5CDR.LABELS
    ID_COLUMNS = ("document", "relation", "chemical", "disease")
    UNITS, PROGRAM, ROW = "pairs", "run_BC5CDR.py", "the pair {} of {} and {}"
    MAIN_SCORES = ("pairs.accuracy", "pairs.labels.1.f1", "cid.f1")

    def counts(self):
        """See Table."""
        return cdr_scores.sampled_counts(self)

    def baseline(self, label_counts):
        """See Table."""
        return cdr_scores.sampled_baseline(self, label_counts)

    def scores_in_order(self):
        """See Table."""
        return cdr_scores.SampledCounts.SCORES


class AllPairPredictions(PairPredictions):
    """The same of all pairs of each document (negatives=all), so that the relations found can be scored, too."""
    __slots__ = ()

    def counts(self):
        """See Table."""
        return cdr_scores.all_counts(self)

    def baseline(self, label_counts):
        """See Table."""
        return cdr_scores.all_baseline(self, label_counts)

    def scores_in_order(self):
        """See Table."""
        return cdr_scores.AllCounts.SCORES


def public_id(identifier):
    """An id of the usual form, or none, as it is; for one of another form, which may be words of a note, a part of its digest."""
    if not identifier or system_xml.USUAL_ID.match(identifier):
        return identifier
    return f"ID-{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def join(keys, others, name_of_keys, name_of_others, row=Predictions.ROW):
    """Which row of one table belongs to each row of another.

    Ids repeat in real documents, and so do whole links: the second row with a key belongs to the second with that key.

    Parameters
    ----------
    keys, others : lists of (document, tlink, from_id, to_id) or other ids, the rows of the two tables.
    name_of_keys, name_of_others : what the two tables are called in messages.
    row : how messages call a row, to be formatted with the ids behind the document's.

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
            document, *ids, before = rows[0]
            again = f" {before + 1} times" if before else ""
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise InputError(f"document {document}: {having} has {row.format(*(name[:40] for name in ids))}{again}{more}, which "
                             f"{lacking} lacks. One was changed meanwhile: test again.")
    return [numbers[key] for key in wanted]


def _counted(keys):
    """Each key with how often it occurred before."""
    seen = collections.Counter()
    counted = []
    for key in keys:
        counted.append((*key, seen[key]))
        seen[key] += 1
    return counted


def of_examples(examples, log_probabilities, kind=Predictions):
    """Predictions from examples and what the model says of them.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example, or of what the kind of table is of.
    log_probabilities : float [examples, labels], from text_model.log_probabilities.
    kind : a kind of Table.
    """
    return kind(*([getattr(example, column) for example in examples] for column in kind.ID_COLUMNS),
                np.array([kind.LABELS.index(example.label) for example in examples], int),
                log_probabilities.argmax(axis=1), np.exp(log_probabilities))


def read(path, kind=Predictions):
    """Read a predictions.tsv.

    Parameters
    ----------
    path : the file.
    kind : a kind of Table.

    Returns
    -------
    Table of that kind

    Raises
    ------
    InputError : the file is missing or not what `test` writes; the message names the line.
    """
    writer, columns = f"`python3 {kind.PROGRAM} test`", kind.columns()
    try:
        with open_regular(path) as source:
            lines = source.read().decode("utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. {writer} writes it.") from error
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8, so it is not what {writer} wrote; test again.") from None
    if lines[0].split("\t") != list(columns):
        raise InputError(f"{path}: line 1 is not the header of the predictions.tsv that {writer} writes ({' '.join(columns[:7])} "
                         "...); test again.")
    rows = [_row(path, number, line, kind) for number, line in enumerate(lines[1:], start=2) if line]
    if not rows:
        raise InputError(f"{path} holds no predictions; test again.")
    *ids, gold, predicted, probabilities = zip(*rows)
    return kind(*map(list, ids), np.array(gold, int), np.array(predicted, int), np.array(probabilities, float))


def _row(path, number, line, kind):
    cells, ids = line.split("\t"), len(kind.ID_COLUMNS)
    try:
        gold, predicted = (kind.LABELS.index(cell) for cell in cells[ids:ids + 2])
        probabilities = [float(cell) for cell in cells[ids + 2:]]
        # A little more than 1 is rounding; NaN fails the comparison.
        if len(probabilities) != len(kind.LABELS) or not all(0 <= value <= 1.0001 for value in probabilities):
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"{path}: line {number} is damaged: expected {len(kind.columns())} fields, two of them "
                         f"labels and {len(kind.LABELS)} of them probabilities; test again.") from None
    return (*cells[:ids], gold, predicted, probabilities)
