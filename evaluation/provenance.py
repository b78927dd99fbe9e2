"""What a model was trained on beside what it is tested on: kept in run.json, and told where the two do not belong together.

Documents are known by digests of their text, so that a note is recognised under another name; no text is kept.
"""
import hashlib

import numpy as np

from inputs.labels import LABELS

MOST_NAMES = 5  # of documents in a remark


def of_training(split, labels=LABELS):
    """What run.json keeps of the training documents.

    Parameters
    ----------
    split : data_process_i2b2.Split, or that of another corpus.
    labels : the labels there are.

    Returns
    -------
    dict, ready for JSON: "labels", {label: how many examples have it}, and "documents", {name: digest of the text}.
    """
    found = [example.label for example in split.examples]
    return {"labels": {label: found.count(label) for label in labels},
            "documents": {document.name: text_digest(document) for document in split.documents}}


def text_digest(document):
    """The first half of the SHA-256 of a document's text, hexadecimal."""
    return hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def label_counts(record, split, labels=LABELS):
    """How often each label occurs in training.

    Parameters
    ----------
    record : dict, what run.json holds.
    split : data_process_i2b2.Split, the training documents of the corpus tested on; counted where the record tells nothing.
    labels : the labels there are.

    Returns
    -------
    int [labels], in the order of `labels`; whether the record has them.
    """
    recorded = record.get("trained_on", {}).get("labels")
    counts = recorded or of_training(split, labels)["labels"]
    return np.array([counts.get(label, 0) for label in labels], int), recorded is not None


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
    same_gold = getattr(corpus.folder, "test_gold", gold) == gold
    changed = [name for name in corpus.splits()
               if (same_gold or name != "test") and is_another(record.get("corpus", {}), corpus.fingerprint, name)]
    if changed:
        parts = " and ".join({"train": "training", "dev": "development", "test": "test"}[name] for name in changed)
        found.append(f"The corpus tested on is not as it was in training: it has other {parts} documents or links.")
    trained_on = record.get("trained_on", {}).get("documents") or of_training(corpus.train, corpus.labels)["documents"]
    digests = set(trained_on.values())
    seen = sorted(document.name for document in corpus.test.documents if text_digest(document) in digests)
    if seen:
        more = ", ..." if len(seen) > MOST_NAMES else ""
        found.append(f"The model was trained on {len(seen)} of the {len(corpus.test.documents)} test documents "
                     f"({', '.join(seen[:MOST_NAMES])}{more}): the scores say little about new notes.")
    if not label_counts(record, corpus.train, corpus.labels)[1]:
        found.append("run.json does not tell the labels of training: the baseline's are those of the training documents of the "
                     "corpus tested on.")
    return found


def is_another(recorded, found, split):
    """Whether a split is not that of the training.

    recorded, found : fingerprints of the corpus, then and now, see inputs.reading.Corpus. The digest of the documents decides; what
        examples are made of them depends on settings, too, and is all that earlier versions recorded.
    """
    part = f"{split} documents" if f"{split} documents" in recorded and f"{split} documents" in found else split
    return recorded.get(part, found.get(part)) != found.get(part)
