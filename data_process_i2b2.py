"""From the i2b2 2012 XML to one example per TLINK: `train.txt` and `test.txt`.

    python3 data_process_i2b2.py [--corpus DIR]

DIR/2012-07-15.original-annotation.release/*.xml  ->  DIR/train.txt
DIR/ground_truth/merged_xml/*.xml                 ->  DIR/test.txt

Each line is guid <TAB> target <TAB> context <TAB> label. A document of the corpus is

    <ClinicalNarrativeTemporalAnnotation>
    <TEXT><![CDATA[ the note ]]></TEXT>
    <TAGS>
    <EVENT id="E0" start="65" end="73" text="improved" modality="FACTUAL" polarity="POS" type="OCCURRENCE" />
    <SECTIME id="S0" start="18" end="28" text="03/02/2001" type="ADMISSION" dvalue="2001-03-02" />
    <TLINK id="TL0" fromID="E0" fromText="improved" toID="S0" toText="03/02/2001" type="AFTER" />
    </TAGS>
    </ClinicalNarrativeTemporalAnnotation>
"""
import argparse
import os
import re
import shlex
import sys
from collections import Counter
from typing import NamedTuple, Optional

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from inputs.labels import LABELS
from support import paths, places
from support.errors import InputError
from support.files import free_bytes, open_regular, remove_leftovers, replacing
from support.main import run_main

MENTION_TAGS = ("EVENT", "TIMEX3", "SECTIME")
TLINK_ATTRIBUTES = ("fromID", "fromText", "toID", "toText", "type")

# Notes of the corpus are below 100 kB and 1,000 tags. The limits bound the time and the memory that a hostile
# file costs.
MAX_BYTES = 4 * 1000 * 1000
MAX_TAGS = 100 * 1000
# Of a document's examples in train.txt. Each holds the whole note, so that 1 MB of XML can ask for gigabytes.
MAX_TSV_BYTES = 100 * 1000 * 1000
# Of all documents of a folder in memory, by the estimate of `memory_bytes`. A corpus of i2b2's size needs a fifth.
MAX_FOLDER_BYTES = 400 * 1000 * 1000

GETTING_THE_CORPUS = (
    "The corpus is licensed: ask the n2c2 / DBMI data portal for \"2012 Temporal Relations\" and unpack "
    "2012-07-15.original-annotation.release.tar.gz and 2012-08-23.test-data.groundtruth.tar.gz, "
    f"so that the corpus folder holds {paths.TRAIN_XML}/*.xml and {paths.TEST_XML}/*.xml (or name another folder "
    "with --corpus DIR). `python3 run_i2b2.py demo` works without it.")


class Mention(NamedTuple):
    """An EVENT, TIMEX3 or SECTIME tag.

    The offsets are the file's own, counted from 1. Corpora differ in whether the line break after
    `<![CDATA[`, the first character of `Document.text`, is counted, and whether a CRLF counts as one or two;
    annotators' slips and ampersands rewritten by `entities="upstream"` shift more. So compare the text there
    with `text` before relying on them.
    """
    tag: str  # EVENT, TIMEX3 or SECTIME
    id: str
    start: Optional[int]  # None where the attribute is absent or not a number
    end: Optional[int]
    text: str
    type: str
    attributes: dict  # every attribute of the tag, as in the file


class Tlink(NamedTuple):
    """A TLINK tag: what `from` is to `to`."""
    id: str  # not always unique in its document
    from_id: str  # a mention's id, or a literal such as "Admission"
    from_text: str
    to_id: str
    to_text: str
    type: str  # one of LABELS, or "" where the annotators left it empty


class Slips(NamedTuple):
    """What a file has that reading it puts right; `inputs.profile` counts it."""
    stray_ampersand: bool = False  # in a tag: as it stands the file is not well-formed XML
    crlf: bool = False
    types_respelled: int = 0  # TLINKs whose type is not in capitals, or has blanks around it


class Document(NamedTuple):
    """One annotated note; mentions and TLINKs are in the order of the file."""
    name: str  # the file's name without .xml, on one line
    text: str  # the whole content of TEXT
    mentions: tuple
    tlinks: tuple
    slips: Slips = Slips()


class Example(NamedTuple):
    """One TLINK as the classifier sees it; none of the strings holds a tab or a line break."""
    guid: str  # DOCUMENT_TLINKID
    target: str  # fromText toText
    context: str  # the whole note on one line
    label: str  # one of LABELS, or "" for a TLINK without a type
    document: str
    tlink: str
    from_id: str
    to_id: str


class Split(NamedTuple):
    """The documents of one folder and their examples."""
    documents: list
    examples: list


# ----------------------------------------------------------------------------------------------- one document

def read_document(path, entities="upstream", require_text=True):
    """Read one i2b2 XML file; its name without .xml becomes the document's.

    Parameters
    ----------
    path : str or path-like
    entities, require_text : see `parse_document`.

    Returns
    -------
    Document

    Raises
    ------
    InputError
        If the file cannot be read, is not UTF-8 or exceeds `MAX_BYTES`, or as `document_name` and `parse_document`.
    """
    path = os.fspath(path)
    return parse_document(read_utf8(path), document_name(path), entities, require_text, path)


def parse_document(source, name, entities="upstream", require_text=True, where=None):
    """The document that some i2b2 XML holds.

    Parameters
    ----------
    source : str, the XML.
    name : str, the document's; what is no space in it but breaks a line becomes one.
    entities : "upstream": the rule of the published code, applied to the raw file before it is parsed, so
        that entities become words too: ` & ` is one space, any other `&` is ` and `.
        "decoded": XML as XML. An ampersand that begins no entity of XML's own stands for itself.
    require_text : False accepts what holds no text of the note: no TEXT element, TLINKs without fromText and
        toText. All of these are then "".
    where : how messages call the source; by default by the document's name.

    Returns
    -------
    Document

    Raises
    ------
    InputError
        If the source is not well-formed, has a document type declaration (nothing of it is expanded or
        fetched), exceeds `MAX_TAGS`, has no TEXT or no TAGS, or has a TLINK that lacks an attribute or is of
        an unknown type. No message holds text of the note.
    """
    where = name if where is None else where
    treat_ampersands = {"upstream": replace_ampersands, "decoded": escape_stray_ampersands}[entities]
    content = _parse(where, treat_ampersands(source), require_text)
    if content.text is None and require_text:
        raise InputError(f"{where} has no TEXT element: it is not an annotated note of the i2b2 2012 corpus. "
                         "Restore it from the archive, or take it out of the folder.")
    if not content.has_tags:
        raise InputError(f"{where} has no TAGS element, so it carries no annotation. "
                         "Restore it from the archive, or take it out of the folder.")
    return Document(one_line(name), content.text or "", tuple(content.mentions), tuple(content.tlinks),
                    Slips(has_stray_ampersand(source), "\r\n" in source, content.types_respelled))


def replace_ampersands(source):
    """Upstream's rule on the raw file: ` & ` becomes one space, any other `&` becomes ` and `."""
    return source.replace(" & ", " ").replace("&", " and ")


# Comments and CDATA first: in them an ampersand is literal already. `\Z` ends one that is never closed, which
# keeps the search linear in the length of the file.
_AMPERSAND = re.compile(r"(<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z))"
                        r"|&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);)", re.DOTALL)


def escape_stray_ampersands(source):
    """Write every `&` that begins no entity as `&amp;`, so that the parser gives it back as it stands."""
    return _AMPERSAND.sub(lambda match: match.group(1) or "&amp;", source)


def has_stray_ampersand(source):
    """Whether an `&` that begins no entity stands where XML does not allow it."""
    return any(not match.group(1) for match in _AMPERSAND.finditer(source))


def read_bytes(path, remedy, most=None, what="annotated note"):
    """The content of a corpus' file.

    Parameters
    ----------
    path : the file.
    remedy : what helps where it is too large, as a sentence.
    most : its largest size in bytes; None for `MAX_BYTES`.
    what : what is never that large.

    Raises
    ------
    InputError : it cannot be read, or is larger.
    """
    most = most or MAX_BYTES
    try:
        with open_regular(path) as source:
            raw = source.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Check the path and its "
                         "permissions.") from error
    if len(raw) > most:
        raise InputError(f"{path} is larger than {most // 10**6} MB, which no {what} is. {remedy}")
    return raw


def read_utf8(path, remedy=None, most=None, what="annotated note", may_be_blank=False):
    """The text of a corpus' file; `most` and `what` as for `read_bytes`.

    remedy : what helps where the file cannot be used, as a sentence; None for what helps with one note of many.
    may_be_blank : whether a file without text is one.

    Raises
    ------
    InputError : as `read_bytes`, or it is blank or not UTF-8.
    """
    raw = read_bytes(path, remedy or "Take it out of the folder.", most, what)
    if not raw.strip() and not may_be_blank:
        raise InputError(f"{path} is empty. {remedy or 'Restore it from the archive, or take it out of the folder.'}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        # `from None`: the decoding error would carry the bytes of the note along.
        raise InputError(f"{path} is not UTF-8: line {line} has a byte of another encoding. " + (
            remedy or "Convert the file, for example with `iconv -f ISO-8859-1 -t UTF-8`.")) from None


def _parse(path, source, require_text):
    content = _Content(path, require_text)
    parser = DefusedXMLParser(target=content, forbid_dtd=True)
    content.line = lambda: parser.parser.CurrentLineNumber
    try:
        parser.feed(source)
        parser.close()
    except DefusedXmlException:
        raise InputError(f"{path} has a document type declaration (<!DOCTYPE ...>), which no file of the "
                         "corpus has. It could define entities that grow without bound or read other files, "
                         "so it is refused; delete the declaration if you trust the rest.") from None
    except ParseError as error:
        # The line alone: rewritten ampersands move the column.
        reason = str(error).split(":")[0]
        raise InputError(f"{path} is not well-formed XML: {reason} at line {error.position[0]}. Correct the "
                         "file, or restore it from the archive.") from None
    return content


class _Content:
    """Collects TEXT and TAGS from the parser's events.

    Unlike a tree of the whole file, it keeps nothing it has no use for and knows the line of a faulty tag.
    """

    def __init__(self, path, require_text):
        self.path = path
        self.require_text = require_text
        self.line = None  # a function: the line the parser is at; set once there is a parser
        self.text = None
        self.has_tags = False
        self.mentions = []
        self.tlinks = []
        self.types_respelled = 0
        self._open = []  # names of the open elements, the root first
        self._count = 0
        self._pieces = []

    def start(self, tag, attributes):
        self._count += 1
        if self._count > MAX_TAGS:
            raise InputError(f"{self.path} has more than {MAX_TAGS} tags, which no annotated note has. "
                             "Take it out of the folder.")
        self._open.append(tag)
        section = self._open[1] if len(self._open) > 1 else None
        if section == "TEXT" and len(self._open) == 2 and self.text is not None:
            raise InputError(f"{self.path} has a second TEXT element at line {self.line()}: keep one note "
                             "in a file.")
        if section != "TAGS":
            return
        self.has_tags = True
        if tag in MENTION_TAGS:
            self.mentions.append(_mention(tag, attributes))
        elif tag == "TLINK":
            if not self.require_text:
                attributes = dict({"fromText": "", "toText": ""}, **attributes)
            self.tlinks.append(_tlink(self.path, self.line(), attributes))
            self.types_respelled += self.tlinks[-1].type not in ("", attributes["type"])

    def data(self, piece):
        if self._open[1:2] == ["TEXT"]:
            self._pieces.append(piece)

    def end(self, _):
        if len(self._open) == 2 and self._open[1] == "TEXT":
            self.text = "".join(self._pieces)
        self._open.pop()

    def close(self):
        """Part of the parser's protocol; there is nothing left to do."""


def _mention(tag, attributes):
    start, end = _offset(attributes.get("start")), _offset(attributes.get("end"))
    return Mention(tag, attributes.get("id", ""), start, end, attributes.get("text", ""),
                   attributes.get("type", ""), attributes)


def _offset(value):
    # Nine digits are beyond any file that is read at all, and int() is slow on very long ones.
    return int(value) if value and re.match(r"\s*[0-9]{1,9}\s*\Z", value) else None


def _tlink(path, line, attributes):
    if "id" not in attributes:
        raise InputError(f"{path}: the TLINK at line {line} has no id. Correct it, or restore the file.")
    identifier = attributes["id"]
    where = f"{path}: TLINK {shortened(identifier)} at line {line}"
    missing = [name for name in TLINK_ATTRIBUTES if name not in attributes]
    if missing:
        raise InputError(f"{where} has no {', '.join(missing)}. Correct it, or restore the file.")
    label = attributes["type"].strip().upper()
    if label and label not in LABELS:
        raise InputError(f"{where} has the unknown type \"{shortened(attributes['type'])}\". Correct it to "
                         f"one of {', '.join(LABELS)}, or leave it empty to leave the TLINK out.")
    return Tlink(identifier, attributes["fromID"], attributes["fromText"], attributes["toID"],
                 attributes["toText"], label)


def shortened(value, length=40):
    """A value of a file as a message shows it: short, on one line."""
    return one_line(value if len(value) <= length else value[:length] + "...")


# --------------------------------------------------------------------------------------- folders and examples

def read_folder(folder, entities="upstream"):
    """Read the *.xml files of a folder, in the order of the documents' names.

    Files of other kinds, and the `._*.xml` that unpacking on a Mac leaves, are passed over.

    Raises
    ------
    InputError
        If the folder is missing, holds no XML file or two of one document, or a file of it is unusable (see
        `read_document`).
    """
    folder = os.fspath(folder)
    try:
        names = xml_names(folder)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror}. "
                         f"{remedy(folder)}") from error
    if not names:
        raise InputError(f"the folder {folder} holds no XML file. {remedy(folder)}")
    memory = MemoryLimit(folder)
    return [memory.add(read_document(os.path.join(folder, name), entities)) for name in names]


class MemoryLimit:
    """Adds up what the documents of a folder take in memory; InputError once it is more than `MAX_FOLDER_BYTES`."""

    def __init__(self, folder):
        self._folder, self._total = folder, 0

    def add(self, document):
        """Count a document, and return it."""
        self._total += memory_bytes(document)
        if self._total > MAX_FOLDER_BYTES:
            raise InputError(f"{self._folder}: its documents up to {document.name} need more than {MAX_FOLDER_BYTES // 10**6} MB "
                             "of memory, many times what the corpus needs. Take out what does not belong to it, or divide it "
                             "into several corpus folders.")
        return document


def memory_bytes(document):
    """About how many bytes a document and its examples take in memory, rather too many than too few."""
    attributes = sum(len(mention.attributes) for mention in document.mentions)
    # The text, and the examples' context, which they share; then Python's objects for each tag and example.
    return (2 * sys.getsizeof(document.text) + 600 * len(document.mentions) + 150 * attributes + 1200 * len(document.tlinks)
            + sum(len(value) for mention in document.mentions for value in mention.attributes.values())
            + 2 * sum(len(part) for tlink in document.tlinks for part in tlink))


def remedy(folder):
    """How a folder of a corpus gets its documents."""
    for corpus in (folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))):
        if os.path.exists(os.path.join(corpus, paths.E3C_RECORD)):
            return (f"{corpus} was made by data_process_E3C.py: what it was given has no document for this folder. Convert the "
                    "whole of a language; docs/e3c.md says where it is had.")
    return GETTING_THE_CORPUS


def xml_names(folder):
    """The file names of a folder's documents, as `read_folder` takes them.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    InputError
        See `check_document_names`.
    """
    names = sorted(xml_files(folder), key=lambda name: (name[:-len(".xml")], name))
    check_document_names(os.path.join(folder, name) for name in names)
    return names


def xml_files(folder):
    """The names of a folder's XML files, whatever they are called; OSError if it cannot be listed."""
    return [name for name in os.listdir(folder) if name.lower().endswith(".xml") and not name.startswith("._")]


# Tables end a field at a tab and a row at a line end. Other programs take more characters for a line end than
# this one does, and a byte of a name that is not UTF-8 (a surrogate here) cannot be written at all.
_NOT_IN_TABLES = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def document_name(path):
    """The name of the document in a file: the file's without its ending.

    Raises
    ------
    InputError
        If the name cannot stand in a table.
    """
    base = os.path.basename(path)
    if _NOT_IN_TABLES.search(base):
        raise InputError(f"{path!r}: a table names documents by their files, and this name has a tab, a line end, a byte that is "
                         "not UTF-8 or another character that cannot stand there. Rename the file, for example to "
                         f"{_NOT_IN_TABLES.sub('_', base)!r}.")
    return os.path.splitext(base)[0]


def check_document_names(files):
    """The documents' names of some files: {name: path}, in the order of the paths.

    Everything that is made of a document bears its name alone, so two documents of one name would be mixed up.

    Raises
    ------
    InputError
        If two files are of one document, such as a.xml and a.XML, or as `document_name`.
    """
    named = {}
    for path in files:
        name = document_name(path)
        if name in named:
            raise InputError(f"{named[name]} and {path} have the same name, endings apart. Documents are told apart by it: rename "
                             "one, or take it out of its folder.")
        named[name] = path
    return named


def examples(document, tlinks=None):
    """Return TLINKs of a document as a list of `Example`, in the order of the file.

    Parameters
    ----------
    document : Document
    tlinks : which of its TLINKs; by default those that have a type.

    Raises
    ------
    InputError
        If the note is blank: there is nothing to classify its TLINKs by.
    """
    # Each line break is one space, inner runs of spaces stay: upstream's context, held to the byte by tests.
    context = one_line(document.text).strip()
    if tlinks is None:
        tlinks = [tlink for tlink in document.tlinks if tlink.type]
    if document.tlinks and not context:
        raise InputError(f"{document.name}.xml has TLINKs but an empty TEXT. Restore it from the archive, or "
                         "take it out of the folder.")
    return [Example(guid=one_line(f"{document.name}_{tlink.id}"),
                    target=one_line(f"{tlink.from_text} {tlink.to_text}"),
                    context=context,
                    label=tlink.type,
                    document=document.name,
                    tlink=one_line(tlink.id),
                    from_id=one_line(tlink.from_id),
                    to_id=one_line(tlink.to_id))
            for tlink in tlinks]


_BREAKS = str.maketrans("\t\r\n", "   ")


def one_line(text):
    """`text` with every tab and line break as a space, so that it is one field of a tab-separated line."""
    return text.translate(_BREAKS)


def read_split(folder, entities="upstream"):
    """Read a folder's documents and make their examples; returns `Split`, raises `InputError`, see `check_size` too."""
    documents = read_folder(folder, entities)
    made = []
    for document in documents:
        check_size(document, os.path.join(folder, f"{document.name}.xml"))
        made += examples(document)
    return Split(documents, made)


def check_size(document, path):
    """Raise an `InputError` where the examples of the document in a file would take more than `MAX_TSV_BYTES`."""
    size = tsv_bytes(document)
    if size > MAX_TSV_BYTES:
        count = sum(1 for tlink in document.tlinks if tlink.type)
        raise InputError(f"{path}: {count:,} TLINKs, each with the whole note of {len(document.text):,} characters, would make "
                         f"{size / 1e6:,.0f} MB of examples; {MAX_TSV_BYTES / 1e6:,.0f} MB are the limit for a document. Nothing "
                         "was written. Divide the note, or take it out of the folder.")


def check_repeated(path, tags, characters, remedy):
    """Raise an `InputError` where mentions or TLINKs made of a file are too many, or repeat too much of its text.

    Of a file that refers to its text by offsets, a few bytes can ask for all of it again and again.

    Parameters
    ----------
    path : of the file.
    tags : how many there are so far.
    characters : that their texts have together.
    remedy : what helps.
    """
    if tags > MAX_TAGS or characters > MAX_TSV_BYTES:
        raise InputError(f"{path}: its mentions and links would make more than {MAX_TAGS:,} tags or {MAX_TSV_BYTES // 10**6} MB, "
                         f"which no annotated note does. {remedy}")


def tsv_bytes(document):
    """About how many bytes the examples of a document take in train.txt, found without making them."""
    note = len(document.text.strip().encode("utf-8"))
    return sum(note + len(document.name) + len(tlink.id) + len(tlink.from_text) + len(tlink.to_text) + 20
               for tlink in document.tlinks if tlink.type)


def summary(name, split):
    """One line on a split: documents, TLINKs, those left out for want of a type, examples per label."""
    tlinks = sum(len(document.tlinks) for document in split.documents)
    counts = Counter(example.label for example in split.examples)
    per_label = ", ".join(f"{label} {counts[label]}" for label in LABELS)
    return (f"{name}: {len(split.documents)} documents, {tlinks} TLINKs, {tlinks - len(split.examples)} left "
            f"out (no type); {per_label}")


def tsv_lines(rows):
    """The lines of `train.txt`, one after the other: guid, target, context, label; together they may be far larger than memory."""
    for row in rows:
        yield f"{row.guid}\t{row.target}\t{row.context}\t{row.label}\n"


# ------------------------------------------------------------------------------------------- the whole corpus

def check_corpus_folder(corpus):
    """Raise an `InputError` that says what a paths.CorpusFolder lacks and where it is had, if it lacks anything."""
    missing = [folder for folder in (corpus.root, corpus.train_xml, corpus.test_xml) if not os.path.isdir(folder)]
    if missing == [corpus.test_xml] and corpus.test_gold != "merged":
        raise InputError(f"test_gold={corpus.test_gold}: the folder {corpus.test_xml} does not exist. i2b2 2012 has it in "
                         "2012-08-23.test-data.groundtruth.tar.gz; unpack that archive in the corpus folder, or leave test_gold "
                         "out.")
    if missing:
        archives = archives_in(corpus.root)
        if archives:
            raise InputError(f"{missing[0]} does not exist, but the archive {os.path.join(corpus.root, archives[0])} does. Unpack "
                             f"it: {unpacking(corpus.root, archives[0])}")
        raise InputError(f"the corpus folder {missing[0]} does not exist. {remedy(missing[0])}")


def archives_in(folder):
    """The names of the archives in a folder, sorted; none where it cannot be listed."""
    try:
        return sorted(name for name in os.listdir(folder) if name.lower().endswith((".gz", ".tgz", ".tar", ".zip")))
    except OSError:
        return []


def unpacking(folder, archive):
    """The command that unpacks an archive, or a compressed file, of a folder where it is."""
    name = archive.lower()
    program = ("unzip {0} -d {1}" if name.endswith(".zip") else
               "gunzip {0}" if name.endswith(".gz") and not name.endswith(".tar.gz") else "tar -xf {0} -C {1}")
    return program.format(shlex.quote(os.path.join(folder, archive)), shlex.quote(folder))


def process_corpus(corpus, entities="upstream"):
    """Read both splits of a paths.CorpusFolder, write its train.txt and test.txt, print a summary line of each.

    Returns
    -------
    (train, test) : two `Split`

    Raises
    ------
    InputError
        If a folder or document is missing or unusable, or the files cannot be written; then neither is.
    """
    check_corpus_folder(corpus)
    places.check_text(corpus.root, "--corpus")
    remove_leftovers(corpus.root, (os.path.basename(corpus.train_tsv), os.path.basename(corpus.test_tsv)))
    train, test = read_split(corpus.train_xml, entities), read_split(corpus.test_xml, entities)
    size, free = sum(map(tsv_bytes, train.documents + test.documents)), free_bytes(corpus.root)
    if size > free:
        raise InputError(f"{corpus.root}: train.txt and test.txt would take {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are "
                         "free on that disk. Make room, or move the corpus to another disk.")
    try:
        # Both are complete on the disk before either takes its place.
        with replacing(corpus.train_tsv, private=True) as train_part, replacing(corpus.test_tsv, private=True) as test_part:
            for part, split in ((train_part, train), (test_part, test)):
                with open(part, "w", encoding="utf-8", newline="\n") as out:
                    out.writelines(tsv_lines(split.examples))
    except OSError as error:
        raise InputError(f"{corpus.train_tsv} and {corpus.test_tsv} cannot be written: {error.strerror}. Check the "
                         "permissions of the folder and the space on the disk.") from error
    for name, split, path in (("train", train, corpus.train_tsv), ("test", test, corpus.test_tsv)):
        print(f"{summary(name, split)} -> {path}")
    return train, test


def main():
    parser = argparse.ArgumentParser(description="Make train.txt and test.txt from the i2b2 2012 XML.")
    parser.add_argument("--corpus", metavar="DIR", default=paths.DEFAULT_CORPUS,
                        help="folder of the corpus (default: corpus/i2b2 in the project)")
    train, test = process_corpus(paths.CorpusFolder(parser.parse_args().corpus))
    # With numpy, which reading alone does without.
    from inputs import profile
    for sentence in profile.verdict(profile.of_splits(train, test), profile.names_of(train, test)):
        print(f"profile: {sentence}")


if __name__ == "__main__":
    run_main(main)
