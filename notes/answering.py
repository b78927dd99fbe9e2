"""Notes to label: reading them, what the model says of them, and the files that come of it. Needs no TensorFlow.

TLINKs that have a type keep it; those without one get one; a note without any TLINK gets candidates.
"""
import os
import time
from typing import NamedTuple, Optional

import numpy as np

from data_process_i2b2 import Document, check_repeated, document_name, examples, parse_document, read_utf8
from evaluation import results, system_xml
from inputs import section_times
from inputs.labels import LABELS
from notes import brat, candidates, consistency, timeline_page
from support import html_page, places
from support.console import Progress, say
from support.errors import InputError
from support.files import check_writable, remove_leftovers, write_atomically

# Notes are classified together until they have this many batches, so that few batches are not full.
BATCHES_AT_ONCE = 8

ANNOTATIONS = ".ann"
SUFFIXES = (".tsv", ".xml", ".html", ANNOTATIONS)  # of what is written for a note
LONGEST_NAME = 220  # of a note, in bytes; file systems end at 255, and a file that is being written has a longer name


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
    annotated: Optional[brat.Annotated] = None  # where it comes with brat's annotations

    def wanted(self):
        """Numbers of the TLINKs that have no type yet."""
        return [number for number, tlink in enumerate(self.whole.tlinks) if not tlink.type]

    def seen(self, entities):
        """The reading of the note for a model that was trained with this `entities`."""
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
    return with_candidates([parse_document(source, name, entities, where=where) for entities in ("upstream", "decoded")], kind)


def with_candidates(readings, kind, annotated=None):
    """The Note of two readings of a document, with candidates of a kind if it has no TLINKs."""
    whole = readings[1]
    if not whole.tlinks:
        chosen, ids = candidates.pairs(whole, kind), [mention.id for mention in whole.mentions]
        lengths = {mention.id: len(mention.text) for mention in whole.mentions}
        characters = sum(lengths.get(end, 0) for pair in chosen for end in (pair.from_id, pair.to_id))
        check_repeated(whole.name, 0, characters, "Its candidates repeat mentions as long as notes: correct these.")
        readings = [candidates.linked(document, chosen, ids) for document in readings]
    return Note(*readings, annotated)


def answer(note, log_probabilities, consistent):
    """The Answer for a note from the log probabilities of its TLINKs without a type, float [those, 8]."""
    predicted = log_probabilities.argmax(axis=1)
    if not consistent or not len(predicted):
        return Answer(note, log_probabilities, predicted, 0, 0.0)
    nodes = section_times.nodes(note.whole)
    wanted = [note.whole.tlinks[number] for number in note.wanted()]
    known = [(nodes[tlink.from_id], nodes[tlink.to_id], tlink.type) for tlink in note.whole.tlinks if tlink.type]
    revision = consistency.revise([(nodes[tlink.from_id], nodes[tlink.to_id]) for tlink in wanted], log_probabilities, known)
    return Answer(note, log_probabilities, revision.consistent, revision.changed, revision.gap)


# ---------------------------------------------------------------------------------------------------------- files

def predict_files(names, out, result, load, kind=candidates.ALL, consistent=False, page=False):
    """Classify the notes in some files and write each with its types into a folder.

    For NOTE.xml there are then NOTE.xml (the note with all TLINKs typed: all that a data_process_i2b2.Document holds),
    NOTE.tsv (what was predicted, with confidences) and, if wanted, NOTE.html (its timeline); for NOTE.txt also NOTE.ann, its
    annotations with a relation for each answer. Everything is read and checked before anything is written.

    Parameters
    ----------
    names : paths of i2b2 XML files, or of text with brat's annotations beside it.
    out : folder, made if need be; not in the result folder, which holds no text of any note.
    result : paths.ResultFolder of the model.
    load : callable without arguments that gives the RelationClassifier.
    kind, consistent : see RelationClassifier.relations.
    page : write the timelines.

    Raises
    ------
    InputError : a file is unusable, two would be written under one name or over a source, or `out` is no place for them.
    """
    places.check_text(out, "--out")
    targets = output_names(names, out)
    notes = [read_file(name, target, kind) for name, target in zip(names, targets)]
    total = sum(len(note.examples()) for note in notes)
    check_writable(out)
    for name, note in zip(names, notes):
        if not note.wanted():
            say(f"{name}: {nothing_to_type(note)}")
    remove_leftovers(out, SUFFIXES)
    classifier = load()
    say(f"{counted(len(notes), 'note')}, {counted(total, 'TLINK')} without a type")
    began = time.time()
    progress = Progress("predicting", total, unit="TLINK", keep=False)
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
    say(f"{counted(len(notes), 'note')}, {counted(total, 'TLINK')} in {seconds:.1f} s: "
        f"{60 * len(notes) / seconds:.1f} notes/min, {total / seconds:.1f} TLINKs/s")
    if consistent:
        changed = [number for number, _ in found if number]
        say(f"consistent: {sum(changed)} of {total} links got another than their most probable merged label, so that nothing "
            f"contradicts, in {len(changed)} of {counted(len(notes), 'note')}; {consistency.proof([gap for _, gap in found])}. "
            f"{moved} of the types are not the most probable of the eight.")
    say(f"-> {os.path.join(os.path.abspath(out), '')}" + ("  (the pages and documents hold the notes' text)" if page else
                                                          "  (the documents hold the notes' text)"))


def read_file(name, document, kind):
    """The Note in a file; `document` is its name, the others and what is raised as for `read_note`."""
    if is_text(name):
        annotated = brat.read(name, document)
        return with_candidates([brat.upstream(annotated.document), annotated.document], kind, annotated)
    source = read_utf8(name)
    if not source.lstrip().startswith("<"):
        raise InputError(f"{name} is not XML. `predict` reads notes whose events and times are marked: i2b2 XML with EVENT, "
                         "TIMEX3 and SECTIME tags, or NOTE.txt with brat's NOTE.ann beside it.")
    return read_note(source, document, kind, name)


def is_text(name):
    """Whether a file of this name is plain text, which has brat's annotations beside it."""
    return name.lower().endswith(".txt")


def output_names(names, out):
    """The document name for each input file.

    Raises
    ------
    InputError : two files have one name, a name cannot stand in a table or be written, or what is written for one would replace
        an input.
    """
    read = names + [brat.annotations_beside(name) for name in names if is_text(name)]
    chosen, sources = {}, set(map(os.path.realpath, read))
    for name in names:
        if os.path.isdir(name):
            raise InputError(f"{name} is a folder; name the notes in it: {os.path.join(name, '*.xml')}")
        document = document_name(name)
        if document in chosen:
            raise InputError(f"{name} and {chosen[document]} have the same name, so one would overwrite the other in {out}; "
                             "give them to two commands with two --out folders.")
        if len(os.fsencode(document)) > LONGEST_NAME:
            raise InputError(f"{name}: the name is too long to write files under it; use at most {LONGEST_NAME} bytes.")
        path = os.path.join(out, system_xml.safe_name(document))
        if any(os.path.realpath(path + suffix) in sources for suffix in SUFFIXES):
            raise InputError(f"--out {out} is the folder of notes to read, of which {name} would overwrite one; choose another "
                             "folder.")
        chosen[document] = name
    return list(chosen)


def nothing_to_type(note):
    """Why a note has no link to type, and what to do, in words."""
    if note.whole.tlinks:
        return "all of its TLINKs have a type, which they keep; empty the types (type=\"\") of those to predict"
    if not any(mention.tag == "EVENT" for mention in note.whole.mentions):
        return "no EVENT is marked in it, so there is nothing to link; mark its events and times, or put in the TLINKs to predict"
    return ("it has no TLINKs, and no candidates for any: no two of its events and times are near each other, or have a place in "
            "its text, and it has no section times; put in the TLINKs to predict, with empty types")


def counted(number, noun):
    """"1 note", "2 notes"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


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
    path = os.path.join(out, document.name)
    table, text, timeline = (path + suffix for suffix in SUFFIXES[:3])
    write_atomically(table, results.predictions_tsv(one.note.examples(), one.log_probabilities, one.predicted), private=True)
    types = [tlink.type for tlink in document.tlinks]
    write_atomically(text, system_xml.system_document(document, types, with_text=True), private=True)
    if page:
        write_atomically(timeline, timeline_page.page(document, one.confidences()), private=True)
    elif html_page.is_page(timeline):
        # Of an earlier call: it would tell other types than the files beside it.
        os.remove(timeline)
    if one.note.annotated:
        answered = [document.tlinks[number] for number in one.note.wanted()]
        relations, left_out = brat.with_relations(one.note.annotated, answered)
        write_atomically(path + ANNOTATIONS, relations, private=True)
        if left_out:
            say(f"{path + ANNOTATIONS}: {counted(left_out, 'TLINK')} to a time that the annotations do not have "
                f"{'is' if left_out == 1 else 'are'} in {document.name}.xml alone")
