#!/usr/bin/env python3
"""How good predicted TLINK types are: per labelled pair, merged to three types, and by temporal closure.

    python3 scoring.py GOLD_DIR SYSTEM_DIR [--documents]

scores the TLINKs of one folder of i2b2 XML against those of another as the 2012 i2b2 challenge does (Sun,
Rumshisky, Uzuner 2013; the measure is that of UzZaman and Allen 2011). Documents are matched by file name,
EVENTs and times by id.

The figures are those of the challenge's script to four decimals for each document, but for an error of the script:
it numbers the start and end points along chains of links, and now and then takes two points for one that the links
do not make one. It then finds a link in one graph that the other does not entail. This happens in 1 or 2 of 100
documents with many links among few ids, and in one of 20 real ones (recall 0.8125 here, 0.8117 there).
"""
import argparse
import os
import sys
import textwrap
from typing import NamedTuple

from data_process_i2b2 import read_document, xml_names
from evaluation.temporal_graph import canonical, reduce_links
from inputs.labels import LABELS, MERGED_LABELS, are_merged, merge
from support.errors import InputError
from support.main import run_main

AVERAGES = ("micro", "macro", "weighted")
METRICS = ("precision", "recall", "f1")
ABOUT_MERGED_GOLD = ("The gold has no types but BEFORE, AFTER and OVERLAP: of eight labels, an answer of the other five is always "
                     "wrong, even where merging makes it right.")


class Prediction(NamedTuple):
    """One row of predictions.tsv as far as scores need it: a TLINK, what it is and what it was taken for."""
    document: str
    tlink: str
    from_id: str
    to_id: str
    gold: str  # one of LABELS
    predicted: str  # one of LABELS


# --------------------------------------------------------------------------------------------------- per pair

def pair_scores(gold, predicted, labels=LABELS, loss=None):
    """Score each pair by itself: is the predicted label the gold one?

    The figures are scikit-learn's. Where a quotient has no cases it is 0: a label that never occurs, in gold
    or prediction, has precision, recall and F1 of 0 and support 0. "micro", "macro" and "weighted" are
    scikit-learn's averages over all of `labels`, such labels included, as its report prints them; the
    program's own macro F1 is over the labels that occur (`evaluation.metrics.macro_f1`).

    Parameters
    ----------
    gold, predicted : sequences of labels, of equal length, in the same order.
    labels : all the labels there are, in the order of the result.
    loss : the mean cross-entropy, if known; passed through.

    Returns
    -------
    dict, ready for JSON
        "accuracy"; "micro", "macro", "weighted", each with "precision", "recall", "f1"; "labels" with these
        and "support" for each label; "confusion_matrix", rows gold, columns predicted, in the order of
        `labels`; "loss".

    Raises
    ------
    InputError
        If there is no pair to score.
    ValueError
        If the two lengths differ or a label is not in `labels`.
    """
    # Slow to import, and the command does without.
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    gold, predicted, labels = list(gold), list(predicted), list(labels)
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels but {len(predicted)} predicted ones")
    unknown = sorted((set(gold) | set(predicted)) - set(labels))
    if unknown:
        raise ValueError(f"labels that are not among {', '.join(labels)}: {', '.join(unknown)}")
    if not gold:
        raise InputError("there is no TLINK to score: none of the documents has one with a type. "
                         "Check that the corpus folder holds the annotated documents.")

    def precision_recall_f1(average):
        return precision_recall_fscore_support(gold, predicted, labels=labels, average=average,
                                               zero_division=0)

    per_label = precision_recall_f1(None)
    matrix = confusion_matrix(gold, predicted, labels=labels)
    return {
        "accuracy": sum(g == p for g, p in zip(gold, predicted)) / len(gold),
        "micro": _figures(*precision_recall_f1("micro")[:3]),
        "macro": _figures(*precision_recall_f1("macro")[:3]),
        "weighted": _figures(*precision_recall_f1("weighted")[:3]),
        "labels": {label: dict(_figures(*figures), support=int(support))
                   for label, *figures, support in zip(labels, *per_label)},
        "confusion_matrix": matrix.tolist(),
        "loss": None if loss is None else float(loss),
    }


def merged_scores(gold, predicted, loss=None):
    """`pair_scores` over BEFORE, AFTER and OVERLAP; `gold` and `predicted` hold any of the eight labels."""
    return pair_scores(map(merge, gold), map(merge, predicted), MERGED_LABELS, loss)


def _figures(precision, recall, f1):
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


# ------------------------------------------------------------------------------------------- temporal closure

class ClosureCounts(NamedTuple):
    """What the closure scores of a document are made of; those of several documents are sums of these."""
    system_found: int  # links of the reduced system graph that the gold document states or entails
    system_links: int  # links of the reduced system graph
    gold_found: int
    gold_links: int


def closure_counts(gold, system):
    """Compare the TLINKs of one document with those of a system.

    Each side is reduced (`temporal_graph.reduce_links`). A link of one reduced side is found if the other
    side's file states it, in either direction, or its graph entails it. (Whatever a file states and its
    reduction lacks, its graph entails, so the reduction answers for the file.)

    Parameters
    ----------
    gold, system : iterables of (from_id, to_id, type) in file order
        The type is one of the eight labels in any case. Links that lack an end or a type are left out.

    Returns
    -------
    ClosureCounts
    """
    gold_links, gold_graph = reduce_links(_merged_links(gold))
    system_links, system_graph = reduce_links(_merged_links(system))
    return ClosureCounts(_count_found(system_links, gold_links, gold_graph), len(system_links),
                         _count_found(gold_links, system_links, system_graph), len(gold_links))


def _merged_links(links):
    return [(from_id, to_id, merge(label.upper()))
            for from_id, to_id, label in links if from_id and to_id and label]


def _count_found(links, stated, graph):
    stated = set(map(canonical, stated))
    return sum(canonical(link) in stated or graph.entails(link) for link in links)


def closure_figures(counts):
    """Precision, recall and F1 of `ClosureCounts`; a quotient without cases is 0.

    Precision is the share of the reduced system links that are found in gold, recall the share of the reduced
    gold links that are found in the system's, F1 their harmonic mean.
    """
    precision = counts.system_found / counts.system_links if counts.system_links else 0.0
    recall = counts.gold_found / counts.gold_links if counts.gold_links else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return _figures(precision, recall, f1)


def sum_counts(counts):
    """The `ClosureCounts` of several documents together."""
    return ClosureCounts(*(sum(column) for column in zip(ClosureCounts(0, 0, 0, 0), *counts)))


def tempeval_scores(gold_tlinks_by_document, system_tlinks_by_document):
    """The challenge's TLINK precision, recall and F1, with counts summed over the documents.

    Parameters
    ----------
    gold_tlinks_by_document, system_tlinks_by_document : {document: links as in `closure_counts`}
        A gold document the system lacks counts as one without links; one that only the system has is not
        scored.

    Returns
    -------
    dict
        "precision", "recall", "f1", "gold_links", "system_links" (of the reduced graphs), and "documents":
        {document: the same five}.
    """
    counts = {document: closure_counts(links, system_tlinks_by_document.get(document, ()))
              for document, links in gold_tlinks_by_document.items()}
    return dict(_closure_summary(sum_counts(counts.values())),
                documents={document: _closure_summary(of_one) for document, of_one in counts.items()})


def _closure_summary(counts):
    return dict(closure_figures(counts), gold_links=counts.gold_links, system_links=counts.system_links)


# -------------------------------------------------------------------------------------- scores of predictions

def links_by_document(predictions, which):
    """{document: [(from_id, to_id, label)]} of `Prediction`s; `which` label: "gold" or "predicted"."""
    documents = {}
    for row in predictions:
        documents.setdefault(row.document, []).append((row.from_id, row.to_id, getattr(row, which)))
    return documents


def scores(predictions, loss=None, merged_loss=None):
    """What `scores.json` holds.

    Parameters
    ----------
    predictions : sequence of `Prediction`, or of anything with its attributes; each document's in file order.
    loss, merged_loss : mean cross-entropy over the eight labels and over the three, if known.

    Returns
    -------
    dict
        "pairs": see `pair_scores`; "merged": the same over three labels; "tempeval": "precision", "recall",
        "f1".

    Raises
    ------
    InputError
        If there are no predictions.
    """
    predictions = list(predictions)
    gold = [row.gold for row in predictions]
    predicted = [row.predicted for row in predictions]
    closure = tempeval_scores(links_by_document(predictions, "gold"),
                              links_by_document(predictions, "predicted"))
    return {
        "pairs": pair_scores(gold, predicted, LABELS, loss),
        "merged": merged_scores(gold, predicted, merged_loss),
        "tempeval": {figure: closure[figure] for figure in METRICS},
    }


# ----------------------------------------------------------------------------------------------------- tables

def format_scores(result):
    """What `scores()` returns as text for reading, `scores.txt`; 100 columns hold a corpus of this size.

    Where the gold has no others than the three merged labels, these come first.
    """
    eight = [format_pairs("Eight labels, each pair by itself", result["pairs"])]
    three = [format_pairs("Merged to three labels, each pair by itself", result["merged"])]
    closure = ["Temporal closure, as the 2012 challenge scores it (merged labels)",
               "   ".join(f"{name} {result['tempeval'][name]:.4f}" for name in METRICS)]
    if has_merged_gold(result):
        parts = three + closure + [textwrap.fill(ABOUT_MERGED_GOLD, 100)] + eight
    else:
        parts = eight + three + closure
    return "\n\n".join(parts) + "\n"


def has_merged_gold(result):
    """Whether the gold that `scores()` tells of has no labels but the three merged ones."""
    return are_merged(label for label, of in result["pairs"]["labels"].items() if of["support"])


def format_pairs(title, result, units="TLINKs"):
    """What `pair_scores` returns as text, under a title; `units` is what is counted."""
    labels = list(result["labels"])
    support = sum(result["labels"][label]["support"] for label in labels)
    rows = [[label] + _decimals(result["labels"][label]) + [str(result["labels"][label]["support"])]
            for label in labels]
    rows += [[f"{average} average"] + _decimals(result[average]) + [str(support)] for average in AVERAGES]
    matrix = [[label] + [str(count) for count in counts]
              for label, counts in zip(labels, result["confusion_matrix"])]
    overall = f"accuracy {result['accuracy']:.4f}"
    if result["loss"] is not None:
        overall += f"   loss {result['loss']:.4f}"
    return "\n\n".join((
        f"{title} ({support} {units})", overall,
        format_table(["label", "precision", "recall", "F1", "support"], rows),
        "Confusion matrix: a row is a gold label, a column a predicted one",
        format_table([""] + labels, matrix),
    ))


def _decimals(figures):
    return [f"{figures[name]:.4f}" for name in METRICS]


def format_table(header, rows):
    """Rows of strings as aligned text, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(row):
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "  ".join([row[0].ljust(widths[0])] + numbers)
    return "\n".join(map(line, [header] + rows))


# ---------------------------------------------------------------------------------------------------- command

def score_folders(gold_dir, system_dir, warn):
    """`tempeval_scores` of a system's folder of i2b2 XML against the gold one's.

    A system's XML needs no TEXT and no text attributes, and a missing document counts as one without links.

    Parameters
    ----------
    gold_dir, system_dir : paths of folders.
    warn : callable, given a line on each document that only one side has and on ids that cannot match.

    Raises
    ------
    InputError
        If a folder is missing or empty or holds two files of one document, none of the documents is in both, or a
        file is unusable.
    """
    gold_names, system_names = _xml_names("gold", gold_dir), _xml_names("system", system_dir)
    if not set(gold_names) & set(system_names):
        raise InputError(f"no file of {system_dir} has the name of one of {gold_dir}: documents are matched "
                         "by file name. Give the folders of the same documents, the gold one first.")
    for name in sorted(set(gold_names) - set(system_names)):
        warn(f"missing in {system_dir}: {name} (scored as a document without TLINKs)")
    for name in sorted(set(system_names) - set(gold_names)):
        warn(f"missing in {gold_dir}: {name} (not scored)")
    gold, system = {}, {}
    for name in gold_names:
        document = _read(gold_dir, name)
        gold[name] = _links(document)
        if name in system_names:
            system[name] = _links(_read(system_dir, name))
            strangers = _ids(system[name]) - _ids(gold[name]) - {mention.id for mention in document.mentions}
            if strangers:
                warn(f"{name}: the system's TLINKs use {len(strangers)} ids that the gold document does not "
                     "have; EVENTs and times are matched by id, so these TLINKs count as wrong")
    return tempeval_scores(gold, system)


def _xml_names(side, folder):
    try:
        names = xml_names(folder)
    except OSError as error:
        raise InputError(f"the {side} folder {folder} cannot be read: {error.strerror}. "
                         "Give a folder of i2b2 XML documents.") from error
    if not names:
        raise InputError(f"the {side} folder {folder} holds no XML file. "
                         "Give a folder of i2b2 XML documents.")
    return names


def _read(folder, name):
    return read_document(os.path.join(folder, name), entities="decoded", require_text=False)


def _links(document):
    return [(tlink.from_id, tlink.to_id, tlink.type) for tlink in document.tlinks]


def _ids(links):
    return {identifier for link in links for identifier in link[:2] if identifier}


def format_closure(result, documents=False):
    """The table the command prints: a line for the total, preceded by one per document if `documents`."""
    named = sorted(result["documents"].items()) if documents else []
    rows = [[name, str(figures["gold_links"]), str(figures["system_links"])] + _decimals(figures)
            for name, figures in named + [("total", result)]]
    return format_table(["document", "gold links", "system links", "precision", "recall", "F1"], rows)


def main():
    parser = argparse.ArgumentParser(
        description="TLINK precision, recall and F1 by temporal closure, as in the 2012 i2b2 challenge.",
        epilog="A TLINK that follows from the document's other TLINKs is not counted.")
    parser.add_argument("gold_dir", metavar="GOLD_DIR", help="folder of i2b2 XML with the true TLINKs")
    parser.add_argument("system_dir", metavar="SYSTEM_DIR", help="folder of i2b2 XML with a system's TLINKs")
    parser.add_argument("--documents", action="store_true", help="also show each document's scores")
    arguments = parser.parse_args()
    result = score_folders(arguments.gold_dir, arguments.system_dir,
                           warn=lambda line: print(f"warning: {line}", file=sys.stderr))
    print(format_closure(result, arguments.documents))


if __name__ == "__main__":
    run_main(main)
