"""From the BioC XML of BC5CDR to one example per chemical-disease pair: `train.txt`, `dev.txt` and `test.txt`.

    python3 data_process_BC5CDR.py [--corpus DIR] [--seed N] [--negatives sampled|all]

DIR/CDR_TrainingSet.BioC.xml     ->  DIR/train.txt
DIR/CDR_DevelopmentSet.BioC.xml  ->  DIR/dev.txt
DIR/CDR_TestSet.BioC.xml         ->  DIR/test.txt

The XML may also lie where the archive puts it, in DIR/CDR_Data/CDR.Corpus.v010516. Each line is
guid <TAB> target <TAB> context <TAB> label; the label is 1 if the chemical induces the disease, else 0. The corpus: Li et
al. 2016, BioCreative V CDR task corpus (Database, baw068); docs/bc5cdr.md says where it is had. What is used of a document:

    <document>
    <id>227508</id>
    <passage><infon key="type">title</infon><text>...</text>
      <annotation id="0"><infon key="type">Chemical</infon><infon key="MESH">D009270</infon><text>Naloxone</text></annotation>
    </passage>
    <passage><infon key="type">abstract</infon><text>...</text> ... </passage>
    <relation id="R0"><infon key="relation">CID</infon><infon key="Chemical">D008750</infon><infon key="Disease">D007022</infon>
    </relation>
    </document>
"""
import argparse
import contextlib
import os
import random
from collections import Counter
from typing import NamedTuple
from xml.etree.ElementTree import TreeBuilder

from defusedxml.ElementTree import DefusedXMLParser, ParseError

from data_process_i2b2 import archives_in, one_line, read_utf8, shortened, tsv_lines, unpacking
from support.errors import InputError
from support.files import replacing
from support.main import run_main
from support.paths import BC5CDRFolder

LABELS = ("0", "1")  # the order of the classifier's outputs, of the confusion matrix and of every table
NEGATIVES = ("sampled", "all")
MAX_REDRAWS = 100  # in one document, upstream's

# A file of the corpus has 3 MB and 60,000 tags and becomes at most 9 MB of examples. The limits bound the time, the memory
# and the disk that a hostile file costs: every example repeats its document's text.
MAX_BYTES = 32 * 1000 * 1000
MAX_TAGS = 1000 * 1000
MAX_EXAMPLE_CHARACTERS = 100 * 1000 * 1000

DOCTYPE = ("collection", "BioC.dtd", None)  # name, system id and public id in the files as distributed
PARENTS = {"collection": None, "document": "collection", "passage": "document", "annotation": "passage", "relation": "document"}

RESTORE = "Restore the file from CDR_Data.zip."
GETTING_THE_CORPUS = (
    "The corpus is in the public domain: unpack CDR_Data.zip (docs/bc5cdr.md says where it is had) into the corpus folder, or "
    "name another folder with --corpus DIR. It holds CDR_TrainingSet.BioC.xml, CDR_DevelopmentSet.BioC.xml and "
    "CDR_TestSet.BioC.xml, or CDR_Data/CDR.Corpus.v010516 with them.")


class Document(NamedTuple):
    """One abstract with its annotation.

    The two dictionaries give for a MeSH id the text, lower-cased, of the last annotation that carries it. They are in the order
    in which the ids first appear. "-1", what the annotators wrote for a mention without a concept in MeSH, is an id like any
    other, as it is for upstream.
    """
    id: str           # the PMID
    title: str
    abstract: str
    chemicals: dict   # {MeSH id: text}
    diseases: dict    # {MeSH id: text}
    relations: tuple  # (chemical, disease) MeSH ids of each CID relation, in the order of the file

    @property
    def name(self):
        """The document's name: its PMID."""
        return self.id

    @property
    def text(self):
        """What the classifier reads of it, see `context`."""
        return context(self)


class Example(NamedTuple):
    """A pair of a chemical and a disease as the classifier sees it; no string holds a tab or a line break."""
    guid: str      # PMID_k
    target: str    # the chemical's text and the disease's
    context: str   # title and abstract on one line, see `context`
    label: str     # one of LABELS
    document: str  # the PMID
    relation: str  # the k of the guid
    chemical: str  # MeSH id
    disease: str   # MeSH id


class Split(NamedTuple):
    """The documents of one file and their examples."""
    documents: list
    examples: list


# ----------------------------------------------------------------------------------------------------------- one file

def read_documents(path):
    """Read the documents of a BioC file of BC5CDR.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    list of Document, in the order of the file

    Raises
    ------
    InputError
        If the file cannot be read, is not UTF-8 or not well-formed, exceeds `MAX_BYTES` or `MAX_TAGS`, has another document
        type than BioC's or declarations in it (nothing is expanded or fetched), or holds no document, or one that lacks an
        id of its own, title or abstract, or has an unusable annotation or relation.
    """
    path = os.fspath(path)
    documents = _parse(path, read_utf8(path, RESTORE, MAX_BYTES, "file of BC5CDR"))
    if not documents:
        raise InputError(f"{path} holds no document. {RESTORE}")
    identifier, count = Counter(document.id for document in documents).most_common(1)[0]
    if count > 1:
        raise InputError(f"{path} has {count} documents of the id {shortened(identifier)}, by which examples are told apart. "
                         f"{RESTORE}")
    return documents


def _parse(path, source):
    target = _Collection(path)
    # The files of the corpus have a DOCTYPE. The parser never fetches what it names, and `_check_doctype` lets no declaration
    # pass. Entities and external references stay forbidden nevertheless.
    parser = DefusedXMLParser(target=target, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    parser.parser.StartDoctypeDeclHandler = lambda *doctype: _check_doctype(path, *doctype)
    target.line = lambda: parser.parser.CurrentLineNumber
    try:
        parser.feed(source)
        parser.close()
    except ParseError as error:
        reason = str(error).split(":")[0]
        raise InputError(f"{path} is cut off or not well-formed XML: {reason} at line {error.position[0]}. {RESTORE}") from None
    return target.documents


def _check_doctype(path, name, system_id, public_id, has_declarations):
    if has_declarations:
        raise InputError(f"{path} has declarations in its DOCTYPE, which no file of BC5CDR has. They could define entities that "
                         f"grow without bound or read other files, so they are refused. {RESTORE}")
    if (name, system_id, public_id) != DOCTYPE:
        raise InputError(f"{path} has another DOCTYPE than BioC's, which is <!DOCTYPE {DOCTYPE[0]} SYSTEM '{DOCTYPE[1]}'>. "
                         f"{RESTORE}")


class _Collection:
    """Makes each `document` element a Document as soon as it is complete, so that one at a time is held as a tree."""

    def __init__(self, path):
        self.path = path
        self.line = None  # a function: the line the parser is at; set once there is a parser
        self.documents = []
        self._open = []   # names of the open elements, the root first
        self._count = 0
        self._tree = None
        self._began = None

    def start(self, tag, attributes):
        self._count += 1
        if self._count > MAX_TAGS:
            raise InputError(f"{self.path} has more than {MAX_TAGS} tags, which no file of BC5CDR has. {RESTORE}")
        parent = self._open[-1] if self._open else None
        if parent is None and tag != "collection":
            raise InputError(f"{self.path} is XML, but not BioC: it does not begin with <collection>. {RESTORE}")
        if PARENTS.get(tag, parent) != parent:
            raise InputError(f"{self.path} has <{tag}> in <{parent}> at line {self.line()}, where BC5CDR has none. {RESTORE}")
        self._open.append(tag)
        if tag == "document":
            self._tree, self._began = TreeBuilder(), self.line()
        if self._tree is not None:
            self._tree.start(tag, attributes)

    def data(self, piece):
        if self._tree is not None:
            self._tree.data(piece)

    def end(self, tag):
        self._open.pop()
        if self._tree is not None:
            self._tree.end(tag)
        if tag == "document":
            self.documents.append(_document(self.path, self._began, self._tree.close()))
            self._tree = None

    def close(self):
        """Part of the parser's protocol; there is nothing left to do."""


def _document(path, line, element):
    identifier = one_line(_text(element, "id")).strip()
    if not identifier:
        raise InputError(f"{path}: the document at line {line} has no id. {RESTORE}")
    where = f"{path}: document {shortened(identifier)}"
    title, abstract = _title_and_abstract(where, element)
    mentions = _mentions(where, element)
    relations = tuple(_relation(where, relation, mentions) for relation in element.findall("relation"))
    return Document(identifier, title, abstract, mentions["Chemical"], mentions["Disease"], relations)


def _title_and_abstract(where, element):
    passages = [(_infons(passage).get("type"), _text(passage, "text")) for passage in element.findall("passage")]
    for kind in ("title", "abstract"):
        if not any(text.strip() for passage, text in passages if passage == kind):
            raise InputError(f"{where} has no {kind}. {RESTORE}")
    if [kind for kind, _ in passages] != ["title", "abstract"]:
        raise InputError(f"{where} has other passages than a title and then an abstract. {RESTORE}")
    return passages[0][1], passages[1][1]


def _mentions(where, element):
    """{"Chemical": {MeSH id: text}, "Disease": {MeSH id: text}}, see Document."""
    mentions = {"Chemical": {}, "Disease": {}}
    for annotation in element.iter("annotation"):
        this = f"{where}: annotation {shortened(annotation.get('id', ''))}"
        infons = _infons(annotation)
        ids = [part.strip() for part in infons.get("MESH", "").split("|")]
        text = one_line(_text(annotation, "text")).lower()
        if infons.get("type") not in mentions:
            raise InputError(f"{this} is neither of the type Chemical nor of the type Disease. {RESTORE}")
        if not all(ids):
            raise InputError(f"{this} has no MESH, or an empty id in it. {RESTORE}")
        if not text.strip():
            raise InputError(f"{this} has no text. {RESTORE}")
        # A key that is there already keeps its place in the order.
        mentions[infons["type"]].update((one_line(mesh), text) for mesh in ids)
    return mentions


def _relation(where, element, mentions):
    this = f"{where}: relation {shortened(element.get('id', ''))}"
    infons = _infons(element)
    if infons.get("relation") != "CID":
        raise InputError(f"{this} is not of the type CID. {RESTORE}")
    pair = []
    for kind, known in mentions.items():
        mesh = one_line(infons.get(kind, "")).strip()
        if not mesh:
            raise InputError(f"{this} names no {kind}. {RESTORE}")
        if mesh not in known:
            raise InputError(f"{this} names the {kind} {shortened(mesh)}, which no annotation of the document has. {RESTORE}")
        pair.append(mesh)
    return tuple(pair)


def _infons(element):
    return {infon.get("key"): "".join(infon.itertext()) for infon in element.findall("infon")}


def _text(element, name):
    found = element.find(name)
    return "" if found is None else "".join(found.itertext())


# ----------------------------------------------------------------------------------------------------------- examples

def context(document):
    """Title and abstract as upstream has them: on one line, lower-cased, with spaces around some punctuation."""
    text = one_line(f"{document.title} {document.abstract} ").lower()
    for mark in ".:,%)(":
        text = text.replace(mark, f" {mark} ")
    return text.rstrip()


def sampled_negatives(document, rng):
    """Upstream's negatives: as many tries as the document has relations, each drawn knowing what the relations are.

    A try draws a chemical, then a disease. It draws again while their texts are those of a relation, `MAX_REDRAWS` times at
    most in the whole document. Once these are used up, the further tries draw once each and give nothing.

    Parameters
    ----------
    document : Document
    rng : random.Random; `random.Random(seed)` for the first document of a file gives what upstream's code gives after
        `random.seed(seed)`.

    Returns
    -------
    list, an item per relation: (chemical, disease) MeSH ids, or None where the try gave no negative
    """
    chemicals, diseases = list(document.chemicals.items()), list(document.diseases.items())
    related = {(document.chemicals[chemical], document.diseases[disease]) for chemical, disease in document.relations}
    redraws = MAX_REDRAWS
    negatives = []
    for _ in document.relations:
        used_up = not redraws
        pair, texts = _draw(chemicals, diseases, rng)
        while texts in related and redraws:
            redraws -= 1
            pair, texts = _draw(chemicals, diseases, rng)
        negatives.append(None if used_up or texts in related else pair)
    return negatives


def _draw(chemicals, diseases, rng):
    """A pair of MeSH ids and the pair of their texts."""
    chemical, chemical_text = chemicals[rng.randint(0, len(chemicals) - 1)]
    disease, disease_text = diseases[rng.randint(0, len(diseases) - 1)]
    return (chemical, disease), (chemical_text, disease_text)


def all_negatives(document):
    """Every (chemical, disease) pair of a document's MeSH ids that is not a relation, in the order of the ids."""
    related = set(document.relations)
    return [(chemical, disease) for chemical in document.chemicals for disease in document.diseases
            if (chemical, disease) not in related]


def examples(document, negatives):
    """The examples of a document: its relations, labelled 1, then negatives, labelled 0.

    Parameters
    ----------
    document : Document
    negatives : list of (chemical, disease) or None; None takes a number and gives no example.

    Returns
    -------
    list of Example, numbered from 1 in their guids
    """
    text = context(document)
    labelled = [(pair, "1") for pair in document.relations] + [(pair, "0") for pair in negatives]
    return [Example(guid=f"{document.id}_{number}",
                    target=f"{document.chemicals[pair[0]]} {document.diseases[pair[1]]}",
                    context=text,
                    label=label,
                    document=document.id,
                    relation=str(number),
                    chemical=pair[0],
                    disease=pair[1])
            for number, (pair, label) in enumerate(labelled, 1) if pair is not None]


def read_split(path, seed=0, negatives="sampled"):
    """Read a file's documents and make their examples.

    Parameters
    ----------
    path : str or path-like
    seed : int, of what is drawn for this file; without effect on `all`.
    negatives : one of NEGATIVES, see `sampled_negatives` and `all_negatives`.

    Returns
    -------
    Split

    Raises
    ------
    InputError : see `read_documents`; or the examples would exceed `MAX_EXAMPLE_CHARACTERS`.
    """
    rng = random.Random(seed)
    choose = {"sampled": lambda document: sampled_negatives(document, rng), "all": all_negatives}[negatives]
    split = Split(read_documents(path), [])
    size = 0
    for document in split.documents:
        size += _most_characters(document, negatives)
        if size > MAX_EXAMPLE_CHARACTERS:
            raise InputError(f"{path} would become more than {MAX_EXAMPLE_CHARACTERS // 10**6} MB of examples, which no file of "
                             f"BC5CDR does. {RESTORE}")
        split.examples.extend(examples(document, choose(document)))
    return split


def _most_characters(document, negatives):
    """At least as many characters as the examples of a document have, found without making them."""
    count = {"sampled": 2 * len(document.relations),
             "all": len(document.relations) + len(document.chemicals) * len(document.diseases)}[negatives]
    longest = [max(map(len, texts.values()), default=0) for texts in (document.chemicals, document.diseases)]
    # A punctuation mark becomes three characters; 100 are beyond what a guid, a label and the separators have.
    return count * (3 * (len(document.title) + len(document.abstract)) + sum(longest) + len(document.id) + 100)


def summary(name, split, negatives):
    """One line on a split: documents, relations, examples per label, and how many tries the sampled negatives took."""
    counts = Counter(example.label for example in split.examples)
    relations = sum(len(document.relations) for document in split.documents)
    tries = f" (of {relations} tries)" if negatives == "sampled" else ""
    return (f"{name}: {len(split.documents)} documents, {relations} relations; "
            f"label 0: {counts['0']}{tries}, label 1: {counts['1']}")


# --------------------------------------------------------------------------------------------------- the whole corpus

def check_corpus_folder(corpus):
    """Raise an `InputError` that says what a paths.BC5CDRFolder lacks and where it is had, if it lacks anything."""
    if not os.path.isdir(corpus.root):
        raise InputError(f"the corpus folder {corpus.root} does not exist. {GETTING_THE_CORPUS}")
    missing = [path for path in (corpus.train_xml, corpus.dev_xml, corpus.test_xml) if not os.path.isfile(path)]
    if not missing:
        return
    archives = archives_in(corpus.root)
    if archives:
        raise InputError(f"{missing[0]} does not exist, but the archive {os.path.join(corpus.root, archives[0])} does. Unpack it: "
                         f"{unpacking(corpus.root, archives[0])}")
    raise InputError(f"{missing[0]} does not exist. {GETTING_THE_CORPUS}")


def process_corpus(corpus, seed=0, negatives="sampled"):
    """Read the three splits of a paths.BC5CDRFolder, write train.txt, dev.txt and test.txt, print a summary line of each.

    Parameters
    ----------
    corpus : paths.BC5CDRFolder
    seed, negatives : see `read_split`.

    Returns
    -------
    (train, dev, test) : three `Split`

    Raises
    ------
    InputError
        If a file is missing or unusable, or the examples cannot be written; then none is.
    """
    check_corpus_folder(corpus)
    splits = [(name, read_split(xml, seed, negatives), tsv) for name, xml, tsv in (
        ("train", corpus.train_xml, corpus.train_tsv), ("dev", corpus.dev_xml, corpus.dev_tsv),
        ("test", corpus.test_xml, corpus.test_tsv))]
    try:
        # All are complete on the disk before any takes its place.
        with contextlib.ExitStack() as stack:
            for _, split, tsv in splits:
                with open(stack.enter_context(replacing(tsv)), "w", encoding="utf-8", newline="\n") as out:
                    out.writelines(tsv_lines(split.examples))
    except OSError as error:
        raise InputError(f"the examples cannot be written into {corpus.root}: {error.strerror}. Check the permissions of the "
                         "folder and the space on the disk.") from error
    for name, split, tsv in splits:
        print(f"{summary(name, split, negatives)} -> {tsv}")
    return tuple(split for _, split, _ in splits)


def main():
    parser = argparse.ArgumentParser(description="Make train.txt, dev.txt and test.txt from the BioC XML of BC5CDR.")
    parser.add_argument("--corpus", metavar="DIR", default=BC5CDRFolder.DEFAULT,
                        help="folder of the corpus (default: corpus/BC5CDR in the project)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the negatives that are drawn (default: %(default)s)")
    parser.add_argument("--negatives", choices=NEGATIVES, default="sampled",
                        help="sampled: upstream's, about as many as relations; all: every pair that is not a relation "
                             "(default: %(default)s)")
    arguments = parser.parse_args()
    process_corpus(BC5CDRFolder(arguments.corpus), arguments.seed, arguments.negatives)


if __name__ == "__main__":
    run_main(main)
