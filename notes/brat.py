"""Notes in brat's stand-off format: NOTE.txt with NOTE.ann beside it, which most annotation tools of the field export.

Of the annotations these are read:

    T1<TAB>PROBLEM 13 22<TAB>chest pain        a text-bound annotation whose type names an event or a time
    E1<TAB>PROBLEM:T1                          an event, which stands for its trigger
    R1<TAB>BEFORE Arg1:T1 Arg2:E2              a relation whose type is one of the eight

Offsets count characters of NOTE.txt from 0, end exclusive; of a discontinuous annotation (`13 18;25 29`) the stretch from its
first to its last character is taken. Everything else is left alone, counted and named.
Stenetorp et al. 2012, brat: a Web-based Tool for NLP-Assisted Text Annotation.
"""
import os
import re
from collections import Counter
from typing import NamedTuple

from data_process_i2b2 import MENTION_TAGS, Document, Mention, Tlink, check_repeated, one_line, read_utf8, replace_ampersands
from inputs import section_times
from inputs.labels import LABELS
from inputs.mentions import TYPES
from support.console import say
from support.errors import InputError

# Type of an annotation, in capitals -> (tag, type).
MENTION_TYPES = {**{name: (tag, name) for tag, names in TYPES.items() for name in names},
                 **{tag: (tag, "") for tag in MENTION_TAGS}}
LETTERS = {"EVENT": "E", "TIMEX3": "T", "SECTIME": "S"}

TEXT_BOUND = re.compile(r"(T\S+)\t(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)\t(.*)\Z", re.DOTALL)
EVENT = re.compile(r"(E\S+)\t(\S+):(T\S+)")
RELATION = re.compile(r"(R\S+)\t(\S+) \S+?:(\S+) \S+?:(\S+)")

# A line break of two characters counts two in brat's offsets, so neither may go; of the others, XML can hold none.
TO_BLANKS = {ord(character): " " for character in map(chr, [*range(0x20), 0xfffe, 0xffff]) if character not in "\t\n"}


class Annotated(NamedTuple):
    """A note and its annotations."""

    document: Document  # entities as they stand
    ids: dict           # id of a mention in `document` -> its id in the annotations
    annotations: str    # content of the .ann file


def annotations_beside(path):
    """The path of the .ann file that belongs to a .txt file."""
    return os.path.splitext(path)[0] + ".ann"


def read(path, name):
    """The Annotated note of NOTE.txt and NOTE.ann; a line is printed of what is not read.

    Parameters
    ----------
    path : of NOTE.txt.
    name : the document's.

    Raises
    ------
    InputError : there is no NOTE.ann, a file cannot be read, or an annotation does not fit the text.
    """
    beside = annotations_beside(path)
    if not os.path.isfile(beside):
        raise InputError(f"{path} is plain text, and {beside} is not there. `predict` reads notes whose events and times are "
                         "marked: as i2b2 XML, or as text with brat's annotations beside it.")
    text = read_utf8(path).translate(TO_BLANKS)
    annotated, unread = parse(text, read_annotations(beside), name, beside)
    if unread:
        say(f"{beside}: not read: " + ", ".join(f"{count} {kind}" for kind, count in sorted(unread.items())))
    return annotated


def read_annotations(path):
    """The content of an .ann file, which may be blank."""
    return read_utf8(path, may_be_blank=True).replace("\r\n", "\n")


def parse(text, annotations, name, where):
    """The Annotated note of a text and its annotations, and what of these is not read: Counter of their types.

    where : how messages call the annotations.
    """
    mentions, relations, events, unread, characters = {}, [], {}, Counter(), 0
    for number, line in enumerate(annotations.split("\n"), start=1):
        bound, event, relation = (pattern.match(line) for pattern in (TEXT_BOUND, EVENT, RELATION))
        if bound and bound.group(2).upper() in MENTION_TYPES:
            if bound.group(1) in mentions:
                raise InputError(f"{where}: line {number} repeats the id {bound.group(1)}. Give each annotation its own.")
            mention = mentions[bound.group(1)] = mention_of(text, bound, where, number)
            characters += len(mention.text)
            check_repeated(where, len(mentions), characters, "Restore it from the annotation tool.")
        elif event:
            events[event.group(1)] = event.group(3)
        elif relation and relation.group(2).upper() in LABELS:
            relations.append(relation.groups())
        elif line.strip() and not line.startswith(("#", "*")):
            unread[kind_of(line)] += 1
    ids = renamed(mentions)
    tlinks = []
    for identifier, label, *ends in relations:
        sides = [events.get(end, end) for end in ends]
        if all(side in ids for side in sides):
            characters += sum(len(mentions[side].text) for side in sides)
            check_repeated(where, len(tlinks), characters, "Restore it from the annotation tool.")
            tlinks.append(Tlink(f"TL{len(tlinks)}", ids[sides[0]], mentions[sides[0]].text, ids[sides[1]], mentions[sides[1]].text,
                                label.upper()))
        else:
            unread[f"{label} of something else"] += 1
    found = tuple(mention._replace(id=ids[old], attributes=attributes_of(mention, ids[old])) for old, mention in mentions.items())
    # As the corpus has it, a line break stands before the note and one behind it.
    document = Document(name, f"\n{text}\n", found, tuple(tlinks))
    return Annotated(document, {new: old for old, new in ids.items()}, annotations), unread


def mention_of(text, bound, where, number):
    """The Mention of a text-bound annotation, a match of TEXT_BOUND in line `number`."""
    offsets = [int(offset) for offset in re.findall(r"\d+", bound.group(3))]
    begin, end = offsets[0], offsets[-1]
    stated = [text[first:last] for first, last in zip(offsets[::2], offsets[1::2])]
    if not 0 <= begin < end <= len(text) or " ".join(stated).split() != bound.group(4).split():
        raise InputError(f"{where}: line {number}: the text has other words at {bound.group(3)} than the annotation says. Put back "
                         "the text that was annotated, with its encoding and its line breaks.")
    tag, kind = MENTION_TYPES[bound.group(2).upper()]
    return Mention(tag, bound.group(1), begin + 1, end + 1, one_line(text[begin:end]), kind, {})


def kind_of(line):
    """What a line that is not read is, for the count: its type, without anything of the text."""
    found = re.match(r"[A-Z][0-9]+\t([A-Za-z][\w/-]{0,39})(?=[ :])", line)
    return found.group(1) if found else "line of another form"


def renamed(mentions):
    """Ids as i2b2 has them, E0, E1 ..., T0 ..., S0 ..., in the order of the text: dict of brat's id -> id."""
    counts, ids = Counter(), {}
    for old in sorted(mentions, key=lambda old: (mentions[old].start, mentions[old].end)):
        letter = LETTERS[mentions[old].tag]
        ids[old] = f"{letter}{counts[letter]}"
        counts[letter] += 1
    return ids


def attributes_of(mention, identifier):
    """The attributes of a mention's tag in i2b2 XML; what brat does not tell has the commonest value, or none."""
    common = {"id": identifier, "start": str(mention.start), "end": str(mention.end), "text": mention.text, "type": mention.type}
    more = {"EVENT": {"modality": "FACTUAL", "polarity": "POS"}, "TIMEX3": {"val": "", "mod": "NA"}, "SECTIME": {"dvalue": ""}}
    return dict(common, **more[mention.tag])


def upstream(document):
    """A document as upstream's rule for ampersands leaves it; offsets drift, as in the corpus."""
    return document._replace(
        text=replace_ampersands(document.text),
        mentions=tuple(mention._replace(text=replace_ampersands(mention.text)) for mention in document.mentions),
        tlinks=tuple(tlink._replace(from_text=replace_ampersands(tlink.from_text), to_text=replace_ampersands(tlink.to_text))
                     for tlink in document.tlinks))


def with_relations(annotated, tlinks):
    """The annotations with a relation for each of some typed TLINKs; those to what brat cannot name are left out.

    A literal end, "Admission" or "Discharge", is the annotation of that section time, where there is one.

    tlinks : list of data_process_i2b2.Tlink.

    Returns
    -------
    (content of an .ann file, how many TLINKs are left out)
    """
    lines = [line for line in annotated.annotations.split("\n") if line.strip()]
    number = max([int(found) for found in re.findall(r"^R(\d{1,9})\t", annotated.annotations, re.MULTILINE)] or [0])
    ids = {**{time.literal: annotated.ids.get(time.node) for time in section_times.section_times(annotated.document).values()},
           **annotated.ids}
    left_out = 0
    for tlink in tlinks:
        sides = [ids.get(end) for end in (tlink.from_id, tlink.to_id)]
        if all(sides):
            number += 1
            lines.append(f"R{number}\t{tlink.type} Arg1:{sides[0]} Arg2:{sides[1]}")
        else:
            left_out += 1
    return "".join(f"{line}\n" for line in lines), left_out
