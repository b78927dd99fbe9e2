"""A third task, of three labels, and nothing else: it shows that a task needs no change anywhere but in an object of its own.

    python3 tests/third_task.py train|test|check|export|compare ...

Its corpus is train.txt and test.txt of `guid <TAB> target <TAB> context <TAB> label`; the guid is DOCUMENT_NUMBER.
"""
import os
import sys
from typing import NamedTuple

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import scoring
from commands.main import main
from evaluation import bootstrap, metrics
from evaluation import report_parts as parts
from evaluation.predictions import Table
from inputs import reading
from inputs.features import Digest
from settings import Settings
from support.errors import InputError
from support.main import run_main
from tasks.task import Task

LABELS = ("order", "question", "neither")


class Document(NamedTuple):
    name: str
    text: str


class Example(NamedTuple):
    guid: str
    target: str
    context: str
    label: str
    document: str
    number: str


class Split(NamedTuple):
    documents: list
    examples: list


class Folder:
    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.train, self.test = (os.path.join(self.root, name) for name in ("train.txt", "test.txt"))
        self.features = os.path.join(self.root, "features")

    def outputs(self, result):
        return [self.features]


class Counts(NamedTuple):
    pairs: np.ndarray

    SCORES = (bootstrap.Score("pairs.accuracy", "Sentences", "accuracy"),
              bootstrap.Score("pairs.macro.f1", "Sentences", "macro F1"))

    def scores(self):
        return bootstrap.classification("pairs", self.pairs, LABELS)


class Sentences(Table, NamedTuple("Sentences", [("documents", list), ("numbers", list), ("gold", np.ndarray),
                                                ("predicted", np.ndarray), ("probabilities", np.ndarray)])):
    LABELS = LABELS
    ID_COLUMNS = ("document", "number")
    UNITS, PROGRAM = "sentences", "third_task.py"
    MAIN_SCORES = ("pairs.accuracy",)

    def counts(self, answers=None):
        names, of_row = self.document_rows()
        return Counts(metrics.confusions(of_row, self.gold, self.predicted if answers is None else answers, len(names), 3))

    def baseline(self, label_counts):
        label = int(np.argmax(label_counts))
        return bootstrap.Baseline(self.counts(np.full(len(self.gold), label)), {"Sentences": LABELS[label]}, "Baseline.")

    def scores_in_order(self):
        return Counts.SCORES


class ThirdTask(Task):
    name, program, description = "third", "third_task.py", "Whether a sentence is an order, a question or neither."
    labels, recipes, foreign = LABELS, {"paper": Settings(seq_length=24)}, ("context", "negatives", "test_gold")
    corpus, result, writes = "sentences", "result-third", "report"

    def corpus_folder(self, root, settings):
        return Folder(root)

    def check_corpus_folder(self, folder):
        if not os.path.isfile(folder.train):
            raise InputError(f"{folder.train} does not exist.")

    def read_corpus(self, folder, settings, write=True):
        return reading.checked(reading.Corpus(folder, read_split(folder.train), read_split(folder.test), {}, labels=LABELS),
                               documents_digest)

    def profile(self, corpus):
        return {name: {"sentences": len(split.examples)} for name, split in corpus.splits().items()}

    def tell_profile(self, corpus, counted):
        print("profile:", counted)

    def table(self, settings):
        return Sentences

    def scores(self, corpus, log_probabilities, settings):
        gold = [example.label for example in corpus.test.examples]
        found = {"pairs": scoring.pair_scores(gold, [LABELS[row] for row in log_probabilities.argmax(axis=1)], LABELS)}
        return found, scoring.format_pairs("Sentences", found["pairs"], "sentences")

    def make_report(self, result, corpus, record, table, scores, head):
        drawn, words = parts.Drawn(), parts.Words("sentences", "sentence", "document", "three")
        labels = parts.labels_section(drawn, scores, (("pairs", LABELS, 3, "Three labels"),), "Each label.", words)
        return parts.assemble(drawn, "Sentences", parts.opening(head, record, words), [("labels", "Labels", labels)], "")


def read_split(path):
    with open(path, encoding="utf-8") as source:
        rows = [line.rstrip("\n").split("\t") for line in source]
    examples = [Example(*row, *row[0].split("_")) for row in rows]
    names = dict.fromkeys(example.document for example in examples)
    return Split([Document(name, " ".join(one.target + one.context for one in examples if one.document == name))
                  for name in names], examples)


def documents_digest(documents):
    digest = Digest()
    digest.add(*(part for document in documents for part in document))
    return digest.hexadecimal()


if __name__ == "__main__":
    run_main(lambda: main(task=ThirdTask()))
