"""What a model was trained on beside what it is tested on: kept in run.json, and told where the two do not belong together.

Documents are known by digests of their text, so that a note is recognised under another name; no text is kept.
"""
import hashlib

import numpy as np

from inputs.labels import LABELS

MOST_NAMES = 5  # of documents in a remark


def of_training(split):
    """What run.json keeps of the training documents.

    Parameters
    ----------
    split : data_process_i2b2.Split

    Returns
    -------
    dict, ready for JSON: "labels", {label: how many examples have it}, and "documents", {name: digest of the text}.
    """
    labels = [example.label for example in split.examples]
    return {"labels": {label: labels.count(label) for label in LABELS},
            "documents": {document.name: text_digest(document) for document in split.documents}}


def text_digest(document):
    """The first half of the SHA-256 of a document's text, hexadecimal."""
    return hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def label_counts(record, split):
    """How often each label occurs in training.

    Parameters
    ----------
    record : dict, what run.json holds.
    split : data_process_i2b2.Split, the training documents of the corpus tested on; counted where the record tells nothing.

    Returns
    -------
    int [8], in the order of LABELS; whether the record has them.
    """
    recorded = record.get("trained_on", {}).get("labels")
    labels = recorded or of_training(split)["labels"]
    return np.array([labels.get(label, 0) for label in LABELS], int), recorded is not None


def remarks(record, corpus):
    """Sentences on what a reader of a test's scores must know of the corpus tested on.

    Parameters
    ----------
    record : dict, what run.json holds of the training; {} without one.
    corpus : inputs.reading.Corpus, the one tested on.

    Returns
    -------
    list of str: that it is not the corpus trained on, that test documents were trained on, that the labels of training are not
    known; [] where all is as it should be.
    """
    found = []
    gold = record.get("settings", {}).get("test_gold", "merged")
    # Other test documents that were asked for are told with the settings.
    same_gold = corpus.folder is None or corpus.folder.test_gold == gold
    changed = [name for name in (("train", "test") if same_gold else ("train",))
               if any(digest != record.get("corpus", {}).get(part, digest)
                      for part, digest in corpus.fingerprint.items() if part.split()[0] == name)]
    if changed:
        parts = " and ".join({"train": "training", "test": "test"}[name] for name in changed)
        found.append(f"The corpus tested on is not as it was in training: it has other {parts} documents or links.")
    trained_on = record.get("trained_on", {}).get("documents") or of_training(corpus.train)["documents"]
    digests = set(trained_on.values())
    seen = sorted(document.name for document in corpus.test.documents if text_digest(document) in digests)
    if seen:
        more = ", ..." if len(seen) > MOST_NAMES else ""
        found.append(f"The model was trained on {len(seen)} of the {len(corpus.test.documents)} test documents "
                     f"({', '.join(seen[:MOST_NAMES])}{more}): the scores say little about new notes.")
    if not label_counts(record, corpus.train)[1]:
        found.append("run.json does not tell the labels of training: the baseline's are those of the training documents of the "
                     "corpus tested on.")
    return found
