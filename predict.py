"""Types for the TLINKs of notes that nobody has labelled, with the model of a result folder.

    from predict import RelationClassifier
    classifier = RelationClassifier("result")
    for relation in classifier.relations(open("note.xml", encoding="utf-8").read()):
        print(relation.from_text, relation.type, relation.to_text, relation.confidence)

`python3 run_i2b2.py predict` does it for files. TLINKs that have a type keep it; those without one get one; a note
without any TLINK gets candidates (see `candidates`).
"""
import os
import time
from typing import NamedTuple

import numpy as np

import candidates
import consistency
import inputs
import paths
import results
import runs
import system_xml
import text_model
import timeline_page
import training
from console import Progress, say
from data_process_i2b2 import Document, examples, parse_document, read_utf8
from errors import InputError
from features import unique_rows
from files import write_atomically
from labels import LABELS
from runtime import session_config, tf

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
    """A note read twice: as the model's training documents were, and for writing it out again; of equal TLINKs."""
    seen: Document
    whole: Document

    def wanted(self):
        """Numbers of the TLINKs that have no type yet."""
        return [number for number, tlink in enumerate(self.whole.tlinks) if not tlink.type]

    def examples(self):
        """The TLINKs without a type as the classifier sees them: list of data_process_i2b2.Example."""
        return examples(self.seen, [self.seen.tlinks[number] for number in self.wanted()])


class Answer(NamedTuple):
    """A note with a type for each TLINK."""
    note: Note
    log_probabilities: np.ndarray  # float [TLINKs that had no type, 8]
    predicted: np.ndarray          # int [those], index into LABELS
    changed: int                   # merged labels changed for the sake of consistency
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
    seen, whole = (parse_document(source, name, entities, where=where) for entities in ("upstream", "decoded"))
    if not whole.tlinks:
        chosen = candidates.pairs(whole, kind)
        seen, whole = candidates.linked(seen, chosen), candidates.linked(whole, chosen)
    return Note(seen, whole)


class RelationClassifier:
    """The trained model of a result folder, ready to classify: the graph is built and the weights are read once.

    Any number of threads may use one classifier at the same time. Importing this module switches TensorFlow 2 to the
    behaviour of TensorFlow 1 in the whole process.

    Parameters
    ----------
    result : path of the result folder.
    bert : path of the BERT folder the model was made from; only needed where the result folder has no vocabulary, as
        with a checkpoint of upstream's.
    recipe, assignments : settings that differ from those the model was trained with, as --recipe and --set take them.

    Raises
    ------
    InputError : there is no model, or it is damaged or does not fit its vocabulary or settings.
    """

    def __init__(self, result=paths.DEFAULT_RESULT, bert=None, recipe=None, assignments=()):
        folder = paths.ResultFolder(result)
        runs.require_model(folder)
        record = results.read_run(folder)
        self.settings = runs.settings_of_model(folder, record, recipe, assignments)
        training.check_precision(self.settings)
        self.bert = inputs.bert_of_model(folder, record, self.settings, bert and paths.BertFolder(bert))
        with tf.Graph().as_default():
            self._graph = training.evaluation_graph(self.bert.config, self.settings, self.settings.seq_length, reuse=False)
            training.check_checkpoint(folder.best)
            self._session = tf.Session(config=session_config(self.settings.threads))
            tf.train.Saver(tf.global_variables()).restore(self._session, folder.best)

    def relations(self, xml_text, kind=candidates.ALL, consistent=False):
        """Classify the TLINKs without a type of one note.

        Parameters
        ----------
        xml_text : str, i2b2 XML.
        kind : which candidates a note without TLINKs gets, one of candidates.KINDS.
        consistent : take the most probable types that do not contradict each other (see `consistency`).

        Returns
        -------
        list of Relation, in the order of the file

        Raises
        ------
        InputError : the XML is not that of an annotated note.
        """
        return self.answers([read_note(xml_text, kind=kind)], consistent)[0].relations()

    def answers(self, notes, consistent=False):
        """Classify several notes in common batches: list of Answer, for a list of Note."""
        of_notes = [note.examples() for note in notes]
        log_probabilities = self._log_probabilities([note.seen for note in notes], sum(of_notes, []))
        ends = np.cumsum([len(of_note) for of_note in of_notes])
        return [answer(note, rows, consistent) for note, rows in zip(notes, np.split(log_probabilities, ends[:-1]))]

    def _log_probabilities(self, documents, wanted):
        """Log probabilities of examples of some documents: float [examples, 8]."""
        if not wanted:
            return np.zeros((0, len(LABELS)))
        features, where = unique_rows(inputs.features_of(documents, wanted, self.bert, self.settings))
        total, size = len(features.label_ids), self.settings.eval_batch_size
        # The last batch is filled up with rows that were classified already: XLA would compile anew for another size.
        logits = [self._graph.logits(self._session, features.rows(np.arange(begin, begin + size) % total))
                  for begin in range(0, total, size)]
        return text_model.log_probabilities(np.concatenate(logits)[:total][where])


def answer(note, log_probabilities, consistent):
    """The Answer for a note from the log probabilities of its TLINKs without a type, float [those, 8]."""
    predicted = log_probabilities.argmax(axis=1)
    if not consistent or not len(predicted):
        return Answer(note, log_probabilities, predicted, 0, 0.0)
    wanted = [note.whole.tlinks[number] for number in note.wanted()]
    known = [(tlink.from_id, tlink.to_id, tlink.type) for tlink in note.whole.tlinks if tlink.type]
    revision = consistency.revise([(tlink.from_id, tlink.to_id) for tlink in wanted], log_probabilities, known)
    return Answer(note, log_probabilities, revision.predicted, revision.changed, revision.gap)


# -------------------------------------------------------------------------------------------------------- command

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
    done, found = 0, []
    for group in groups(notes, BATCHES_AT_ONCE * classifier.settings.eval_batch_size):
        for one in classifier.answers(group, consistent):
            write_answer(out, one, page)
            done += len(one.predicted)
            found.append((one.changed, one.gap))
            progress.update(done)
    progress.close()
    seconds = time.time() - began
    say(f"{len(notes)} notes, {total} TLINKs in {seconds:.1f} s: {60 * len(notes) / seconds:.1f} notes/min, {total / seconds:.1f} TLINKs/s")
    if consistent:
        changed = [number for number, _ in found if number]
        say(f"consistent: {sum(changed)} of {total} labels changed, in {len(changed)} notes; "
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
            raise InputError(f"{name} and {chosen[document]} have the same name, so one would overwrite the other in {out}; give them "
                             "to two commands with two --out folders.")
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
    write_atomically(path + ".xml", system_xml.system_document(document, [tlink.type for tlink in document.tlinks], with_text=True))
    if page:
        write_atomically(path + ".html", timeline_page.page(document, one.confidences()))
