"""From the E3C corpus (layer 1, UIMA XMI) to a corpus folder in the i2b2 layout, so that --corpus takes it.

    python3 data_process_E3C.py E3C_DIR [--out DIR] [--language NAME ...] [--split FILE]

E3C_DIR/data_annotation/LANGUAGE/layer1/*.xml, train_test_split.txt
    ->  DIR/2012-07-15.original-annotation.release/*.xml, DIR/ground_truth/merged_xml/*.xml

The corpus: Magnini, Altuna, Lavelli, Speranza, Zanoli 2020, The E3C Project (CLiC-it 2020). Where it is had,
under which licence, and what becomes of what: docs/e3c.md. The part of a document that is used:

    <custom:EVENT xmi:id="40" begin="11" end="15" polarity="POS" TLINK="50 53" ... />
    <custom:TIMEX3 xmi:id="45" begin="19" end="25" timex3Class="DATE" value="2019-05" timexLink="56" ... />
    <custom:EVENTTLINKLink xmi:id="50" role="CONTAINS" target="41"/>      the owner, 40, contains 41
    <custom:TIMEX3TimexLinkLink xmi:id="56" role="BEFORE" target="41"/>
    <cas:Sofa xmi:id="12" sofaString="the note"/>
"""
import argparse
import glob
import os
import re
from typing import NamedTuple

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from data_process_i2b2 import (
    MAX_BYTES,
    Document,
    MemoryLimit,
    Mention,
    Split,
    Tlink,
    check_document_names,
    check_repeated,
    check_size,
    document_name,
    examples,
    one_line,
    read_bytes,
    summary,
    xml_names,
)
from evaluation.system_xml import system_document
from support import schema
from support.errors import InputError
from support.files import for_the_owner, open_regular, remove_leftovers, temporary_folder, to_json
from support.main import run_main
from support.paths import E3C_RECORD, PROJECT, TEST_XML, TRAIN_XML, absolute
from support.places import check_text

DEFAULT_OUT = os.path.join(PROJECT, "corpus", "E3C")
SPLIT_NAME = "train_test_split.txt"
FOLDERS = {"train": TRAIN_XML, "test": TEST_XML}
CONVERSION = schema.record({split: schema.listed(schema.text) for split in FOLDERS}, required=FOLDERS)  # of E3C.json

GETTING_E3C = ("E3C_DIR is the folder of E3C's release 2.0.0 that holds "
               "data_annotation/LANGUAGE/layer1/*.xml; docs/e3c.md says where it is had.")
RESTORE = "Restore it from the release, or take it out of the folder."

# E3C's relation -> (type, are the sides swapped). i2b2 has no label for "A contains B": it is "B during A".
RELATIONS = {
    "BEFORE": ("BEFORE", False),
    "OVERLAP": ("OVERLAP", False),
    "SIMULTANEOUS": ("SIMULTANEOUS", False),
    "BEGINS-ON": ("BEGUN_BY", False),
    "ENDS-ON": ("ENDED_BY", False),
    "CONTAINS": ("DURING", True),
}

_CUSTOM = "{http:///webanno/custom.ecore}"
_SOFA = "{http:///uima/cas.ecore}Sofa"
_ROOT, _ID = "{http://www.omg.org/XMI}XMI", "{http://www.omg.org/XMI}id"


class Converted(NamedTuple):
    """One document of E3C, and how many of its links have no place in it."""
    document: Document
    dangling: int  # links to or from what is not an EVENT or TIMEX3 of the file
    untyped: int  # links with no relation, or with one that is not in RELATIONS


# ----------------------------------------------------------------------------------------------- one document

def read_xmi(path):
    """Read one layer-1 file of E3C as a document of the i2b2 corpus.

    EVENTs are numbered E0, E1, ... and TIMEX3s T0, T1, ... in the order of the file; the links of the EVENTs,
    then those of the TIMEX3s, TL0, TL1, ... without those left out. Offsets count the characters of the text
    from 1.

    Parameters
    ----------
    path : str or path-like; its name without .xml becomes the document's.

    Returns
    -------
    Converted

    Raises
    ------
    InputError
        If the file cannot be read, is not well-formed, has a document type declaration (nothing of it is
        expanded or fetched), exceeds data_process_i2b2.MAX_BYTES, as it is or converted, is not XMI with one text,
        or has an EVENT or TIMEX3 without an id of its own or a place in that text. No message holds text of the note.
    """
    path = os.fspath(path)
    elements = list(_parse(path))
    sofas = [element.get("sofaString") for element in elements if element.tag == _SOFA]
    if len(sofas) != 1 or sofas[0] is None:
        raise InputError(f"{path} has {len(sofas)} Sofa elements, or one without a sofaString. A file of "
                         f"layer 1 has one, with the text. {RESTORE}")
    text = note_text(sofas[0])
    owners = _mentions(path, elements, text, code_points(sofas[0]))
    links = {element.get(_ID): element for element in elements
             if element.tag in (_CUSTOM + "EVENTTLINKLink", _CUSTOM + "TIMEX3TimexLinkLink")}
    mentions = {xmi_id: mention for xmi_id, (mention, _) in owners.items()}
    tlinks, dangling, untyped = _tlinks(path, owners.values(), links, mentions)
    name = document_name(path)
    return Converted(Document(name, text, tuple(mentions.values()), tuple(tlinks)), dangling, untyped)


def _parse(path):
    raw = read_bytes(path, RESTORE)
    try:
        root = fromstring(raw, forbid_dtd=True)
    except DefusedXmlException:
        raise InputError(f"{path} has a document type declaration (<!DOCTYPE ...>), which no file of the "
                         "corpus has. It could define entities that grow without bound or read other files, "
                         f"so it is refused. {RESTORE}") from None
    except ParseError as error:
        reason = str(error).split(":")[0]
        raise InputError(f"{path} is not well-formed XML: {reason} at line {error.position[0]}. "
                         f"{RESTORE}") from None
    except (LookupError, ValueError):
        raise InputError(f"{path} declares an encoding that cannot be read; E3C's files are UTF-8. "
                         f"{RESTORE}") from None
    if root.tag != _ROOT:
        raise InputError(f"{path} is XML, but not XMI, which the files of layer 1 are. {RESTORE}")
    return root


def _mentions(path, elements, text, positions):
    """{xmi:id: (Mention, the xmi:ids of the links it owns)}: the EVENTs, then the TIMEX3s."""
    mentions, covered = {}, 0
    for tag, make, references in (("EVENT", _event, "TLINK"), ("TIMEX3", _timex3, "timexLink")):
        for number, element in enumerate(element for element in elements if element.tag == _CUSTOM + tag):
            xmi_id = element.get(_ID)
            if xmi_id is None or xmi_id in mentions:
                raise InputError(f"{path}: {tag} {number} has no xmi:id, or that of another. {RESTORE}")
            place = _place(element, positions)
            if place is None:
                raise InputError(f"{path}: the {tag} with the xmi:id {xmi_id} has no begin and end that lie "
                                 f"in the text. {RESTORE}")
            covered += place[1] - place[0]
            check_repeated(path, len(mentions), covered, RESTORE)
            mentions[xmi_id] = make(element, number, text, *place), element.get(references, "").split()
    return mentions


def _place(element, positions):
    """A mention's start and end in `note_text`, counted from 1; None if they are not in it."""
    begin, end = element.get("begin", ""), element.get("end", "")
    if not (re.match(r"[0-9]{1,9}\Z", begin) and re.match(r"[0-9]{1,9}\Z", end)
            and int(begin) <= int(end) < len(positions)):
        return None
    # Two more than UIMA's: counted from 1, and behind the line break that `note_text` puts first.
    return positions[int(begin)] + 2, positions[int(end)] + 2


def _event(element, number, text, start, end):
    # E3C's contextualModality and eventType are drawn otherwise than i2b2's modality and type, which are not
    # optional: every EVENT gets their commonest values.
    return _mention("EVENT", f"E{number}", text, start, end, modality="FACTUAL",
                    polarity="NEG" if element.get("polarity") == "NEG" else "POS", type="OCCURRENCE")


def _timex3(element, number, text, start, end):
    return _mention("TIMEX3", f"T{number}", text, start, end, type=one_line(element.get("timex3Class", "")),
                    val=one_line(element.get("value", "")), mod="NA")


def _mention(tag, identifier, text, start, end, **others):
    covered = one_line(text[start - 1:end - 1])
    attributes = dict({"id": identifier, "start": str(start), "end": str(end), "text": covered}, **others)
    return Mention(tag, identifier, start, end, covered, others["type"], attributes)


def _tlinks(path, owners, links, mentions):
    """The TLINKs of (Mention, xmi:ids of its links) pairs, and how many links are dangling and untyped."""
    tlinks, dangling, untyped, characters = [], 0, 0, 0
    for source, link in ((mention, links.get(xmi_id)) for mention, xmi_ids in owners for xmi_id in xmi_ids):
        target = None if link is None else mentions.get(link.get("target"))
        if target is None:
            dangling += 1
        elif link.get("role") not in RELATIONS:
            untyped += 1
        else:
            label, swapped = RELATIONS[link.get("role")]
            first, second = (target, source) if swapped else (source, target)
            characters += len(first.text) + len(second.text)
            check_repeated(path, len(tlinks), characters, RESTORE)
            tlinks.append(Tlink(f"TL{len(tlinks)}", first.id, first.text, second.id, second.text, label))
    return tlinks, dangling, untyped


def note_text(sofa_string):
    """A document's text as the content of TEXT: a line break before, as i2b2's files have it, and one after.

    An XML parser reads a CRLF as one character, E3C's offsets count two. So a CRLF becomes a space and a line
    break, and every offset stays true. Those that end the text are kept: no offset points behind them.
    """
    body = sofa_string.rstrip("\r\n")
    return "\n" + body.replace("\r\n", " \n").replace("\r", "\n") + sofa_string[len(body):] + "\n"


def code_points(text):
    """For each UTF-16 code unit of `text`, and for its end, the number of the character it belongs to.

    UIMA counts offsets in Java's code units, of which a character beyond U+FFFF has two; Python counts
    characters.
    """
    units = [number for number, character in enumerate(text)
             for _ in range(2 if character > "\uffff" else 1)]
    return units + [len(text)]


def to_xml(document):
    """A `Document` as a file of the i2b2 corpus, which `read_document(..., "decoded")` reads back."""
    return system_document(document, [tlink.type for tlink in document.tlinks], with_text=True)


# ------------------------------------------------------------------------------------------- the whole corpus

def layer1_folders(e3c):
    """{language: its layer1 folder} of an E3C folder, in order; `InputError` if there is none."""
    if not os.path.isdir(e3c):
        raise InputError(f"the folder {e3c} does not exist. {GETTING_E3C}")
    found = sorted(glob.glob(os.path.join(glob.escape(e3c), "data_annotation", "*", "layer1")))
    folders = {os.path.basename(os.path.dirname(folder)): folder for folder in found if os.path.isdir(folder)}
    if not folders:
        raise InputError(f"the folder {e3c} has no data_annotation/LANGUAGE/layer1. {GETTING_E3C}")
    return folders


def chosen_folders(e3c, languages):
    """The layer1 folders of some languages, named in any case, as `layer1_folders` gives them."""
    folders = layer1_folders(e3c)
    by_lower = {language.lower(): language for language in folders}
    for language in languages:
        if language.lower() not in by_lower:
            raise InputError(f"--language {language}: {os.path.join(e3c, 'data_annotation')} has no such "
                             f"language. There are {', '.join(folders)}.")
    chosen = {by_lower[language.lower()] for language in languages}
    return {language: folder for language, folder in folders.items() if language in chosen}


def layer1_files(folders):
    """{document: path} of the files in some folders, in the order of the documents' names."""
    files = []
    for folder in folders:
        try:
            names = xml_names(folder)
        except OSError as error:
            raise InputError(f"the folder {folder} cannot be read: {error.strerror}. Check its "
                             "permissions.") from error
        if not names:
            raise InputError(f"the folder {folder} holds no XML file. {GETTING_E3C}")
        files += [os.path.join(folder, name) for name in names]
    return dict(sorted(check_document_names(files).items()))


def training_documents(e3c, path=None):
    """The documents that E3C's split file lists: those to train on. All others are to test on.

    Parameters
    ----------
    path : the split file; without it, train_test_split.txt in `e3c` or in a folder of it.
    """
    if path is None:
        inside = glob.escape(e3c)
        found = [place for pattern in (SPLIT_NAME, os.path.join("*", SPLIT_NAME))
                 for place in sorted(glob.glob(os.path.join(inside, pattern)))]
        if not found:
            raise InputError(f"there is no {SPLIT_NAME} in {e3c} or in a folder of it: it says which "
                             "documents are to train on. It is part of E3C's release; name it with "
                             "--split FILE.")
        path = found[0]
    try:
        with open_regular(path) as source:
            text = source.read(MAX_BYTES + 1).decode("utf-8-sig")
        names = set(re.findall(r"\b[A-Z]{2}[0-9]{3,}\b", text))
    except OSError as error:
        raise InputError(f"the split file {path} cannot be read: {error.strerror}. Name another with "
                         "--split FILE.") from error
    except UnicodeDecodeError:
        raise InputError(f"the split file {path} is not a text in UTF-8. Name another with "
                         "--split FILE.") from None
    if not names or len(text) > MAX_BYTES:
        raise InputError(f"the split file {path} names no document, such as EN100017. Name E3C's "
                         f"{SPLIT_NAME} with --split FILE.")
    return names


def convert(e3c, out, languages=("English",), split_path=None):
    """Convert layer 1 of some languages, print a summary line of each split.

    Everything is read before anything is written, and `out` is replaced as a whole: it holds the whole
    conversion, or what it held before.

    Raises
    ------
    InputError
        If a folder, a language, the split file or a document is missing or unusable, or `out` cannot be
        written or holds what no conversion wrote.
    """
    e3c, out = os.fspath(e3c), os.path.realpath(absolute(out))
    sources = chosen_folders(e3c, languages)
    files = layer1_files(sources.values())
    training = training_documents(e3c, split_path)
    check_text(out, "--out")
    check_replaceable(out)
    converted, memory = {}, MemoryLimit(e3c)
    for name, path in files.items():
        converted[name] = read_xmi(path)
        check_size(memory.add(converted[name].document), path)
    splits = {"train": [one for name, one in converted.items() if name in training],
              "test": [one for name, one in converted.items() if name not in training]}
    record = {"corpus": "E3C layer 1, converted", "languages": list(sources)}
    record.update((split, [one.document.name for one in documents]) for split, documents in splits.items())
    contents = {E3C_RECORD: to_json(record)}
    for split, documents in splits.items():
        contents.update((os.path.join(FOLDERS[split], f"{one.document.name}.xml"), to_xml(one.document))
                        for one in documents)
    lines = [f"{_summary(split, documents)} -> {os.path.join(out, FOLDERS[split])}"
             for split, documents in splits.items()]
    try:
        replace_folder(out, contents, FOLDERS.values())
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}. Check the permissions of the folder "
                         "and the space on the disk, or name another with --out DIR.") from error
    print("\n".join(lines + _notes(files, training, splits)))


def _summary(name, documents):
    split = Split([one.document for one in documents],
                  [example for one in documents for example in examples(one.document)])
    dangling, untyped = sum(one.dangling for one in documents), sum(one.untyped for one in documents)
    return f"{summary(name, split)}; not converted: {dangling} dangling links, {untyped} of no known relation"


def _notes(files, training, splits):
    prefixes = {name[:2] for name in files}
    absent = sorted(name for name in training - set(files) if name[:2] in prefixes)
    notes = [f"note: there is no {name} document" for name, documents in splits.items() if not documents]
    if absent:
        notes.append(f"note: {len(absent)} of the training documents that the split file names are absent, "
                     f"{absent[0]} for one")
    return notes


def check_replaceable(out):
    """`InputError` unless `out` is absent, empty, or an earlier conversion with what was made of it."""
    if not os.path.lexists(out) or os.path.isdir(out) and not os.listdir(out):
        return
    others = [os.path.basename(out)]
    if os.path.isdir(out):
        own = {E3C_RECORD, "train.txt", "test.txt"} | _recorded(out)
        files = [os.path.relpath(os.path.join(place, name), out)
                 for place, _, names in os.walk(out) for name in names]
        others = sorted(name for name in files
                        if name not in own and not name.startswith("features" + os.sep))
    if others:
        raise InputError(f"{out} holds something else than an earlier conversion ({others[0]}), and it would "
                         "be replaced as a whole. Move that away, or name another folder with --out DIR.")


def _recorded(out):
    """The documents that an earlier conversion wrote into `out`, as paths in it; none without its record."""
    path = os.path.join(out, E3C_RECORD)
    try:
        record = schema.read_json(path, CONVERSION, f"move {out} away, or name another folder with --out DIR")
    except FileNotFoundError:
        return set()
    return {os.path.join(FOLDERS[split], f"{name}.xml") for split in FOLDERS for name in record[split]}


def replace_folder(out, contents, folders):
    """Put a folder with `folders` and `contents`, {relative path: text}, in the place of `out`.

    What was there before goes when all is written; after an error it is there still.
    """
    remove_leftovers(os.path.dirname(out), (os.path.basename(out),))
    with temporary_folder(out) as temporary:
        new, old = os.path.join(temporary, "new"), os.path.join(temporary, "old")
        for folder in folders:
            os.makedirs(os.path.join(new, folder))
        for path, text in contents.items():
            with open(os.path.join(new, path), "w", encoding="utf-8", newline="", opener=for_the_owner) as part:
                part.write(text)
        try:
            if os.path.isdir(out):
                os.rename(out, old)
            os.rename(new, out)
        except BaseException:
            if os.path.isdir(old) and not os.path.lexists(out):
                os.rename(old, out)
            raise


def main():
    parser = argparse.ArgumentParser(description="Convert E3C's layer 1 to a corpus in the i2b2 layout.")
    parser.add_argument("e3c", metavar="E3C_DIR", help="folder of E3C's release, with data_annotation/ in it")
    parser.add_argument("--out", metavar="DIR", default=DEFAULT_OUT,
                        help="folder to write (default: corpus/E3C in the project)")
    parser.add_argument("--language", metavar="NAME", action="append",
                        help="English (the default), French, Italian, Spanish or Basque; may be repeated")
    parser.add_argument("--split", metavar="FILE",
                        help=f"the documents to train on (default: {SPLIT_NAME} in E3C_DIR or in a folder of it)")
    arguments = parser.parse_args()
    convert(arguments.e3c, arguments.out, arguments.language or ["English"], arguments.split)


if __name__ == "__main__":
    run_main(main)
