"""Mutated XML documents against the reader: each must give a clean document or a clean refusal, an InputError.

    python3 tests/fuzz_reader.py [--documents 20000] [--seed 0]

The seeds are the files of tests/fuzz_corpus, all made up. Half of the documents have bytes cut, repeated, replaced
or inserted, also words that mean something to an XML parser; the other half, of which more stay well-formed, have
attributes' values changed and lines repeated, dropped or moved. Prints how many were read and how many refused;
an exception of any other kind, or a broken promise of the reader, ends it with the document that led to it in
fuzz_failure.xml. tests/test_fuzz_reader.py runs a few hundred.
"""
import argparse
import collections
import os
import random
import re
import sys
import tempfile

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(TESTS))

import data_process_i2b2
from evaluation import system_xml
from inputs.labels import LABELS
from support.errors import InputError

WORDS = (b"<", b">", b"&", b"\"", b"'", b"/>", b"</", b"<!--", b"-->", b"<![CDATA[", b"]]>",
         b"<?xml version=\"1.1\"?>", b"<?x ?>", b"<!DOCTYPE a SYSTEM \"file:///etc/passwd\">",
         b"<!DOCTYPE a [<!ENTITY b \"c\">]>", b"<!ENTITY x \"y\">", b"&b;", b"&#0;", b"&#xD800;", b"&#x110000;",
         b"&#10;", b"&amp", b"&amp;amp;", b" encoding=\"UTF-16\"", b" encoding=\"latin-1\"", b"<TEXT>", b"</TEXT>",
         b"<TEXT/>", b"<TAGS>", b"</TAGS>", b"<TLINK />", b"<EVENT />", b" type=\"", b" type=\"BEFORE\"", b" id=\"",
         b" id=\"../../x\"", b" start=\"-1\"", b" start=\"99999999999999999999\"", b" xmlns=\"a\"",
         b" xmlns:a=\"b\"", b"a:b", b"\t", b"\r", b"\n", b"\0", b"\x0b", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8",
         b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80")


# Values that an attribute may well have.
VALUES = (b"", b" ", b"E0", b"0", b"-3", b"7.5", b"999999999999", b"before", b"AFTER ", b"BEFORE_OVERLAP",
          b"UNKNOWN", b"a&amp;b", b"R&D", b"&#9;&#10;&#13;", b"\xc3\xa9\xc3\x9f", b"\xe2\x80\xa8",
          b"\xf0\x9f\x98\x80", b"../../etc", b"a\tb", b"a\r\nb", b"x" * 3000)
QUOTED = re.compile(rb"(?<==\")[^\"<]*(?=\")")


def seeds():
    """Content of the seed documents, by name: list of bytes."""
    folder = os.path.join(TESTS, "fuzz_corpus")
    found = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as source:
            found.append(source.read())
    return found


def mutated(documents, rng):
    """One of the documents after a few mutations: of its bytes, or, so that most stay XML, of its lines and values."""
    data = bytearray(rng.choice(documents))
    mutate = rng.choice((mutate_bytes, mutate_values))
    for _ in range(rng.randint(1, 6)):
        mutate(data, documents, rng)
    return bytes(data)


def mutate_bytes(data, documents, rng):
    """Cut, repeat, insert, overwrite or replace some bytes."""
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.choice((1, 1, 4, 20, 200)))
    kind = rng.randrange(6)
    if kind == 0:
        del data[begin:end]
    elif kind == 1:
        data[begin:begin] = data[begin:end] * rng.choice((1, 2, 50))
    elif kind == 2:
        data[begin:begin] = rng.choice(WORDS)
    elif kind == 3 and begin < len(data):
        data[begin] = rng.randrange(256)
    elif kind == 4:
        other = rng.choice(documents)
        place = rng.randrange(len(other))
        data[begin:end] = other[place:place + rng.choice((5, 50, 500))]
    elif kind == 5:
        data[begin:end] = rng.choice(WORDS) * rng.choice((1, 1, 3))


def mutate_values(data, documents, rng):
    """Give an attribute another value, or repeat, drop or move a line."""
    values = list(QUOTED.finditer(data))
    if values and rng.random() < 0.7:
        value = rng.choice(values)
        data[value.start():value.end()] = rng.choice(VALUES)
        return
    lines = bytes(data).split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.randrange(3)):
        lines.insert(rng.randrange(len(lines) + 1), line)
    data[:] = b"\n".join(lines)


def read(path):
    """Read a document as the pipeline does, and check what the reader promises.

    Returns
    -------
    "read", or "refused" where it is refused cleanly
    """
    outcomes = set()
    for entities in ("upstream", "decoded"):
        try:
            document = data_process_i2b2.read_document(path, entities)
            examples = data_process_i2b2.examples(document)
        except InputError as error:
            assert "\n" not in str(error) and os.path.basename(path) in str(error), "an unclear refusal"
            outcomes.add("refused")
            continue
        lines = "".join(data_process_i2b2.tsv_lines(examples)).split("\n")[:-1]
        assert len(lines) == len(examples), "a line break in a field"
        for line in lines:
            assert line.count("\t") == 3 and line.split("\t")[3] in LABELS, "a tab in a field"
        if entities == "decoded":
            written = system_xml.system_document(document, [example.label for example in examples])
            assert document.text.strip() not in written or len(document.text.strip()) < 20, "text of the note in the result"
        outcomes.add("read")
    return "read" if "read" in outcomes else "refused"


def fuzz(count, seed, failure):
    """Read `count` mutated documents; returns a Counter of the outcomes.

    failure : path that a document which leads to anything else is kept under.
    """
    rng, documents, outcomes = random.Random(seed), seeds(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "mutated.xml")
        for _ in range(count):
            data = mutated(documents, rng)
            with open(path, "wb") as out:
                out.write(data)
            try:
                outcomes[read(path)] += 1
            except BaseException:
                with open(failure, "wb") as out:
                    out.write(data)
                raise
    return outcomes


def main():
    parser = argparse.ArgumentParser(description="Mutated XML documents against the reader.")
    parser.add_argument("--documents", metavar="N", type=int, default=20000, help="default: %(default)s")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    outcomes = fuzz(arguments.documents, arguments.seed, "fuzz_failure.xml")
    print(f"{arguments.documents} documents, seed {arguments.seed}: {outcomes['read']} read, {outcomes['refused']} refused")


if __name__ == "__main__":
    main()
