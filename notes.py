"""Notes to label: reading them, what the model says of them, and the files that come of it. Needs no TensorFlow.

TLINKs that have a type keep it; those without one get one; a note without any TLINK gets candidates.
"""
import os
import time
from typing import NamedTuple

import numpy as np

import candidates
import consistency
import results
import system_xml
import timeline_page
from console import Progress, say
from data_process_i2b2 import Document, examples, parse_document, read_utf8
from errors import InputError
from files import write_atomically
from labels import LABELS

# Notes are classified together until they have this many batches, so that few batches are not full.
BATCHES_AT_ONCE = 8


class Relation(NamedTuple):
    """A TLINK and what the model makes of it."""
    tlink: str
    from_id: str
    from_text: str
    to_id: str
    to_text: str
    type: str             # one of LABELS
    confidence: float     # the model's probability of that type
    probabilities: tuple  # float [8], of LABELS in order


class Note(NamedTuple):
    """A note read twice, as settings.entities says how; of equal TLINKs."""
    upstream: Document
    whole: Document  # entities decoded: the text as it is, for writing it out again

    def wanted(self):
        """Numbers of the TLINKs that have no type yet."""
        return [number for number, tlink in enumerate(self.whole.tlinks) if not tlink.type]

    def seen(self, entities):
        """The note as a model reads it that was trained with this setting."""
        return self.whole if entities == "decoded" else self.upstream

    def examples(self, entities="decoded"):
        """The TLINKs without a type as the classifier sees them: list of data_process_i2b2.Example."""
        seen = self.seen(entities)
        return examples(seen, [seen.tlinks[number] for number in self.wanted()])


class Answer(NamedTuple):
    """A note with a type for each TLINK."""
    note: Note
    log_probabilities: np.ndarray  # float [TLINKs that had no type, 8]
    predicted: np.ndarray          # int [those], index into LABELS
    changed: int                   # merged labels changed to remove contradictions
    gap: float                     # see consistency.Solution

    def relations(self):
        """The TLINKs that had no type, in order: list of Relation."""
        probabilities = np.exp(self.log_probabilities)
        return [Relation(*self.note.whole.tlinks[number][:5], LABELS[label], float(row[label]), tuple(map(float, row)))
                for number, label, row in zip(self.note.wanted(), self.predicted, probabilities)]

    def document(self):
        """The whole note, every TLINK typed: data_process_i2b2.Document."""
        tlinks = list(self.note.whole.tlinks)
        for number, label in zip(self.note.wanted(), self.predicted):
            tlinks[number] = tlinks[number]._replace(type=LABELS[label])
        return self.note.whole._replace(tlinks=tuple(tlinks))

    def confidences(self):
        """The model's probability of each TLINK's type, None for those that had one before."""
        found = dict(zip(self.note.wanted(), self.relations()))
        return [found[number].confidence if number in found else None for number in range(len(self.note.whole.tlinks))]


def read_note(source, name="note", kind=candidates.ALL, where=None):
    """A Note from i2b2 XML, with candidates of a kind (see candidates.pairs) if it has no TLINKs.

    Parameters
    ----------
    source : str, the XML.
    name : str, the document's.
    kind : one of candidates.KINDS.
    where : how messages call it.

    Raises
    ------
    InputError : see data_process_i2b2.parse_document.
    """
    upstream, whole = (parse_document(source, name, entities, where=where) for entities in ("upstream", "decoded"))
    if not whole.tlinks:
        chosen = candidates.pairs(whole, kind)
        upstream, whole = candidates.linked(upstream, chosen), candidates.linked(whole, chosen)
    return Note(upstream, whole)


def answer(note, log_probabilities, consistent):
    """The Answer for a note from the log probabilities of its TLINKs without a type, float [those, 8]."""
    predicted = log_probabilities.argmax(axis=1)
    if not consistent or not len(predicted):
        return Answer(note, log_probabilities, predicted, 0, 0.0)
    wanted = [note.whole.tlinks[number] for number in note.wanted()]
    known = [(tlink.from_id, tlink.to_id, tlink.type) for tlink in note.whole.tlinks if tlink.type]
    revision = consistency.revise([(tlink.from_id, tlink.to_id) for tlink in wanted], log_probabilities, known)
    return Answer(note, log_probabilities, revision.consistent, revision.changed, revision.gap)


# ---------------------------------------------------------------------------------------------------------- files

def predict_files(names, out, load, kind=candidates.ALL, consistent=False, page=False):
    """Classify the notes in some files and write each with its types into a folder.

    For NOTE.xml there are then NOTE.xml (the note with all TLINKs typed), NOTE.tsv (what was predicted, with
    confidences) and, if wanted, NOTE.html (its timeline). Everything is read and checked before anything is written.

    Parameters
    ----------
    names : paths of i2b2 XML files.
    out : folder, made if need be.
    load : callable without arguments that gives the RelationClassifier.
    kind, consistent : see RelationClassifier.relations.
    page : write the timelines.

    Raises
    ------
    InputError : a file is unusable, or two would be written under one name or over their source.
    """
    targets = output_names(names, out)
    notes = [read_note(read_utf8(name), target, kind, name) for name, target in zip(names, targets)]
    total = sum(len(note.wanted()) for note in notes)
    say(f"{len(notes)} notes, {total} TLINKs without a type")
    classifier = load()
    began = time.time()
    progress = Progress("predicting", total, unit="TLINK")
    done, moved, found = 0, 0, []
    for group in groups(notes, BATCHES_AT_ONCE * classifier.settings.eval_batch_size):
        for one in classifier.answers(group, consistent):
            write_answer(out, one, page)
            done += len(one.predicted)
            moved += int((one.predicted != one.log_probabilities.argmax(axis=1)).sum())
            found.append((one.changed, one.gap))
            progress.update(done)
    progress.close()
    seconds = time.time() - began
    say(f"{len(notes)} notes, {total} TLINKs in {seconds:.1f} s: {60 * len(notes) / seconds:.1f} notes/min, "
        f"{total / seconds:.1f} TLINKs/s")
    if consistent:
        changed = [number for number, _ in found if number]
        say(f"consistent: {moved} labels are not the most probable ones of their links; {sum(changed)} of {total} merged labels "
            f"changed to remove contradictions, in {len(changed)} notes; "
            + consistency.proof([gap for _, gap in found]))
    say(f"-> {os.path.join(os.path.abspath(out), '')}" + ("  (the pages and documents hold the notes' text)" if page else
                                                          "  (the documents hold the notes' text)"))


def output_names(names, out):
    """The document name for each input file; InputError for two of one name, or one that would be overwritten."""
    chosen = {}
    for name in names:
        document = os.path.splitext(os.path.basename(name))[0]
        target = os.path.join(out, f"{document}.xml")
        if document in chosen:
            raise InputError(f"{name} and {chosen[document]} have the same name, so one would overwrite the other in {out}; "
                             "give them to two commands with two --out folders.")
        if os.path.realpath(target) == os.path.realpath(name):
            raise InputError(f"--out {out} is the folder of {name}, which would be overwritten; choose another folder.")
        chosen[document] = name
    return list(chosen)


def groups(notes, size):
    """Split notes into runs of at least `size` TLINKs without a type, the last one excepted."""
    group, count = [], 0
    for note in notes:
        group.append(note)
        count += len(note.wanted())
        if count >= size:
            yield group
            group, count = [], 0
    if group:
        yield group


def write_answer(out, one, page):
    """Write the files of an Answer."""
    document = one.document()
    path = os.path.join(out, system_xml.safe_name(document.name))
    write_atomically(path + ".tsv", results.predictions_tsv(one.note.examples(), one.log_probabilities, one.predicted))
    types = [tlink.type for tlink in document.tlinks]
    write_atomically(path + ".xml", system_xml.system_document(document, types, with_text=True))
    if page:
        write_atomically(path + ".html", timeline_page.page(document, one.confidences()))
