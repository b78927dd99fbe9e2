"""A run's predictions as i2b2 XML: what the challenge's script and `scoring.py` take for a system's output.

`result/system_xml` holds ids, offsets, closed-class attributes and predicted types; nothing in it is text of
a note, dates included. With `--with-text` the whole documents are written too, beside the corpus.
"""
import os
import re

import data_process_i2b2
from inputs.labels import MERGED_LABELS
from support.errors import InputError
from support.files import remove_earlier, remove_leftovers, write_atomically

# The attributes of each tag, in the corpus' order, which line patterns rely on.
ATTRIBUTES = {"EVENT": ("id", "start", "end", "text", "modality", "polarity", "type"),
              "TIMEX3": ("id", "start", "end", "text", "type", "val", "mod"),
              "SECTIME": ("id", "start", "end", "text", "type", "dvalue")}
# Attributes that take one of a few words, and so say nothing of the note's text. The others but ids and offsets
# (text, val, dvalue) are text of the note or dates derived from it.
CLOSED_CLASS = {
    ("EVENT", "modality"): ("FACTUAL", "CONDITIONAL", "POSSIBLE", "PROPOSED", "HYPOTHETICAL"),
    ("EVENT", "polarity"): ("POS", "NEG"),
    ("EVENT", "type"): ("PROBLEM", "TEST", "TREATMENT", "CLINICAL_DEPT", "EVIDENTIAL", "OCCURRENCE"),
    ("TIMEX3", "type"): ("DATE", "TIME", "DURATION", "FREQUENCY"),
    ("TIMEX3", "mod"): ("NA", "APPROX", "MORE", "LESS", "START", "END", "MIDDLE"),
    ("SECTIME", "type"): ("ADMISSION", "DISCHARGE")}
# Ids as the corpus has them, and the two words that links name in place of an id.
USUAL_ID = re.compile(r"(?:(?:E|T|S|TL|SECTIME)[0-9]{1,9}|ADMISSION|DISCHARGE)\Z", re.IGNORECASE)


def read_documents(folder):
    """{file name: Document} of a folder, read with entities="decoded", in the examples' order."""
    return {name: data_process_i2b2.read_document(os.path.join(folder, name), entities="decoded")
            for name in data_process_i2b2.xml_names(folder)}


def keys(documents):
    """What tells the typed TLINKs of documents apart, as in `predictions.Predictions.keys`, in the files' order."""
    return [tuple(map(data_process_i2b2.one_line, (document.name, tlink.id, tlink.from_id, tlink.to_id)))
            for document in documents for tlink in document.tlinks if tlink.type]


def write_system_xml(folder, documents, predictions, with_text=False, earlier=()):
    """Write one file per test document, under its file name in the corpus; returns these names.

    Parameters
    ----------
    folder : where to, made if need be.
    documents : {file name: Document} of the test set, from `read_documents`.
    predictions : predictions.Predictions, in any order.
    with_text : write the whole documents. Never into a result folder.
    earlier : names of the files that an earlier test wrote there. Those that this one does not write are removed, and nothing
        else.

    Raises
    ------
    InputError : the documents are not those that were predicted.
    """
    predictions = predictions.in_order(keys(documents.values()), "the run's predictions", "the folder of test documents")
    merged = iter(predictions.merged_predicted())
    written = {}
    for name, document in documents.items():
        types = [MERGED_LABELS[next(merged)] for tlink in document.tlinks if tlink.type]
        written[safe_name(name)] = system_document(document, types, with_text)
    remove_leftovers(folder)
    # The old ones first: a file system may take two names that differ in case for one.
    remove_earlier(folder, set(earlier) - set(written))
    for name, text in written.items():
        write_atomically(os.path.join(folder, name), text, private=with_text)
    return sorted(written)


def safe_name(name):
    """`name` if it is a plain file name; InputError for one that would lead out of its folder."""
    if name != os.path.basename(name) or name in ("", ".", "..") or any(character in name
                                                                        for character in "/\\\0"):
        raise InputError(f"{name!r} cannot be the name of a document; rename the file.")
    return name


def system_document(document, types, with_text=False):
    """The XML of one document.

    Parameters
    ----------
    document : data_process_i2b2.Document, read with entities="decoded".
    types : list of str, one for each TLINK that has a type, in order; the others are left out.
    with_text : keep the note, the mentions' text and every attribute that is not of another namespace than XML's own.
    """
    typed = [tlink for tlink in document.tlinks if tlink.type]
    if len(typed) != len(types):
        raise ValueError(f"{len(types)} types for {len(typed)} TLINKs")
    # Section times only as far as a link refers to them; a system need not have found others.
    used = {identifier for tlink in typed for identifier in (tlink.from_id, tlink.to_id)}
    mentions = [
        mention for mention in document.mentions
        if with_text or mention.tag != "SECTIME" or mention.id in used
    ]
    shown = str if with_text else bare_id
    lines = ['<?xml version="1.0" encoding="UTF-8" ?>', "<ClinicalNarrativeTemporalAnnotation>",
             f"<TEXT>{_cdata(document.text if with_text else '')}</TEXT>", "<TAGS>"]
    lines += [
        _tag(mention.tag,
             _qualified(mention.attributes) if with_text else _bare(mention)) for mention in mentions
    ]
    lines += [
        _tag("TLINK", [("id", shown(tlink.id)), ("fromID", shown(tlink.from_id)),
                       ("fromText", tlink.from_text if with_text else ""), ("toID", shown(tlink.to_id)),
                       ("toText", tlink.to_text if with_text else ""), ("type", label)])
        for tlink, label in zip(typed, types)
    ]
    return "\n".join(lines + ["</TAGS>", "</ClinicalNarrativeTemporalAnnotation>"]) + "\n"


def _qualified(attributes):
    names = [(name.replace("{http://www.w3.org/XML/1998/namespace}", "xml:"), value) for name, value in attributes.items()]
    return [(name, value) for name, value in names if not name.startswith("{")]


def _bare(mention):
    return [(name, _bare_value(mention, name)) for name in ATTRIBUTES[mention.tag]]


def _bare_value(mention, name):
    if name == "id":
        return bare_id(mention.id)
    if name in ("start", "end"):
        offset = getattr(mention, name)
        return "" if offset is None else str(offset)
    value = mention.attributes.get(name, "").strip().upper()
    # Anything else may be text that strayed there.
    return value if value in CLOSED_CLASS.get((mention.tag, name), ()) else ""


def bare_id(identifier):
    """An id of the usual form; of another form, which may hold anything, nothing: scorers leave out a link without ids."""
    return identifier if USUAL_ID.match(identifier) else ""


def _tag(name, attributes):
    return f"<{name} " + " ".join(f'{key}="{_escape(value)}"' for key, value in attributes) + " />"


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


def _escape(value):
    return "".join(_ESCAPES.get(character, character) for character in value)


def _cdata(text):
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
