"""Reading i2b2 XML: parity with the recorded TSV, the quirks of the corpus, and what is refused."""
import os
import re
import shutil
import stat
import subprocess
import sys
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_process_i2b2 as data
from helpers import modules
from inputs.labels import LABELS, MERGED_LABELS, merge
from support import paths
from support.errors import InputError

BROKEN = {  # file of quirks/broken -> what the message must say beside the file's name
    "empty_file.xml": "empty",
    "entity_bomb.xml": "document type declaration",
    "external_entity.xml": "document type declaration",
    "latin1.xml": "UTF-8",
    "no_from_text.xml": "TLINK TL0 at line 7 has no fromText",
    "no_tags.xml": "TAGS",
    "no_text.xml": "TEXT",
    "unclosed.xml": "well-formed",
    "unknown_type.xml": "TLINK TL0 at line 7 has the unknown type \"CAUSES\"",
}
NOTE = "\nA fall , then a fracture .\n"


def tlink(type_="BEFORE", from_text="fall", to_text="fracture", id_="TL0"):
    attributes = {"id": id_, "fromID": "E0", "fromText": from_text, "toID": "E1", "toText": to_text,
                  "type": type_}
    return "<TLINK " + " ".join(f"{key}={attribute(value)}" for key, value in attributes.items()) + " />"


def attribute(value):
    return quoteattr(value, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def xml(note=NOTE, tags=None):
    """An i2b2 document; the note goes into CDATA as it is, except that `]]>` is split over two sections."""
    cdata = note.replace("]]>", "]]]]><![CDATA[>")
    return ('<?xml version="1.0" encoding="UTF-8" ?>\n<ClinicalNarrativeTemporalAnnotation>\n'
            f"<TEXT><![CDATA[{cdata}]]></TEXT>\n<TAGS>\n{tlink() if tags is None else tags}\n</TAGS>\n"
            "</ClinicalNarrativeTemporalAnnotation>\n")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def read(tmp_path, content, entities="upstream"):
    return data.read_document(write(tmp_path / "101.xml", content), entities)


@pytest.fixture
def corpus(tmp_path):
    """A corpus folder, with a space in its path, of one training and one test document."""
    folder = tmp_path / "my corpus"
    write(folder / paths.TRAIN_XML / "101.xml", xml())
    write(folder / paths.TEST_XML / "102.xml", xml())
    return folder


def run(project, *arguments, cwd=None):
    return subprocess.run([sys.executable, str(project / "data_process_i2b2.py"), *map(str, arguments)],
                          cwd=cwd and str(cwd), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=60)


def lines_of(path):
    return path.read_bytes().decode("utf-8").split("\n")[:-1]


# ------------------------------------------------------------------------------------------- recorded results

@pytest.mark.parametrize("folder, expected", [("parity/xml", "parity/upstream.txt"),
                                              ("quirks/readable", "quirks/readable.expected.txt")])
def test_tsv_is_upstreams(shared, folder, expected):
    tsv = "".join(data.tsv_lines(data.read_split(shared / folder).examples))
    assert sorted(tsv.split("\n")[:-1]) == lines_of(shared / expected)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_document_is_refused(shared, project, corpus, name):
    shutil.copy(str(shared / "quirks" / "broken" / name), str(corpus / paths.TRAIN_XML / name))
    result = run(project, "--corpus", corpus)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert name in result.stderr and BROKEN[name] in result.stderr
    assert not list(corpus.glob("*.txt")) and not list(corpus.glob(".*"))


def test_every_broken_file_is_tested(shared):
    assert {path.name for path in (shared / "quirks" / "broken").glob("*.xml")} == set(BROKEN)


def test_mac_files_are_skipped(shared, project, corpus):
    shutil.rmtree(str(corpus / paths.TRAIN_XML))
    shutil.copytree(str(shared / "quirks" / "broken" / "skipped"), str(corpus / paths.TRAIN_XML))
    assert run(project, "--corpus", corpus).returncode == 0
    assert lines_of(corpus / "train.txt") == ["101_TL0\tfall fracture\tA fall , then a fracture .\tBEFORE"]


# ------------------------------------------------------------------------------------------------ the command

def test_command_writes_both_files_and_a_summary_of_each(project, corpus, tmp_path):
    write(corpus / paths.TRAIN_XML / "100.xml", xml(tags=tlink("Overlap") + tlink("") + tlink("AFTER")))
    result = run(project, "--corpus", corpus.name, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split("\t")[0::3] for line in lines_of(corpus / "train.txt")] == [
        ["100_TL0", "OVERLAP"], ["100_TL0", "AFTER"], ["101_TL0", "BEFORE"]]
    assert len(lines_of(corpus / "test.txt")) == 1
    train, test, profile = result.stdout.splitlines()
    assert train.startswith("train: 2 documents, 4 TLINKs, 1 left out (no type); ENDED_BY 0, "
                            "BEFORE_OVERLAP 0, BEFORE 1, BEGUN_BY 0, DURING 0, OVERLAP 1, AFTER 1, "
                            "SIMULTANEOUS 0 -> ")
    assert test.startswith("test: 1 documents, 1 TLINKs, 0 left out")
    assert profile.startswith("profile: by the names of its documents this corpus is not i2b2 2012")
    assert "fracture" not in result.stdout


def test_output_is_for_the_owner_alone_and_keeps_the_mode_it_is_given(corpus, capsys):
    """It holds text of notes."""
    (corpus / ".train.txt.0a1b2c3d.tmp").write_text("what a killed process left")
    for mode in (0o600, 0o640):
        data.process_corpus(paths.CorpusFolder(str(corpus)))
        assert len(capsys.readouterr().out.splitlines()) == 2
        for name in ("train.txt", "test.txt"):
            assert stat.S_IMODE((corpus / name).stat().st_mode) == mode
            (corpus / name).chmod(0o640)
    assert not list(corpus.glob(".*"))


def test_text_is_not_written_into_a_result_folder(corpus, capsys):
    (corpus / "run.json").write_text("{}")
    with pytest.raises(InputError, match="is in the result folder .* no text of any note"):
        data.process_corpus(paths.CorpusFolder(str(corpus)))
    assert not (corpus / "train.txt").exists() and capsys.readouterr().out == ""


def test_missing_corpus_says_where_it_is_had(project, tmp_path):
    result = run(project, "--corpus", "nowhere", cwd=tmp_path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    for word in ("nowhere", "n2c2", "2012 Temporal Relations", paths.TRAIN_XML + ".tar.gz",
                 "2012-08-23.test-data.groundtruth.tar.gz", "ground_truth/merged_xml",
                 "python3 run_i2b2.py demo"):
        assert word in result.stderr


def test_default_corpus_is_the_projects(project, tmp_path):
    copy = tmp_path / "the project"
    for path in modules():
        write(copy / path.relative_to(project), path.read_bytes())
    assert str(copy / "corpus" / "i2b2") in run(copy, cwd=tmp_path).stderr
    write(copy / "corpus" / "i2b2" / paths.TRAIN_XML / "101.xml", xml())
    write(copy / "corpus" / "i2b2" / paths.TEST_XML / "102.xml", xml())
    assert run(copy, cwd=tmp_path).returncode == 0
    assert len(lines_of(copy / "corpus" / "i2b2" / "train.txt")) == 1


@pytest.mark.parametrize("missing", [paths.TRAIN_XML, paths.TEST_XML])
@pytest.mark.parametrize("empty", [False, True])
def test_missing_or_empty_split_leaves_nothing_behind(corpus, missing, empty):
    shutil.rmtree(str(corpus / missing))
    if empty:
        write(corpus / missing / "._101.xml", b"\0")
        write(corpus / missing / "notes.txt", b"")
    with pytest.raises(InputError) as raised:
        data.process_corpus(paths.CorpusFolder(str(corpus)))
    assert missing in str(raised.value) and "n2c2" in str(raised.value)
    assert not list(corpus.glob("*.txt"))


def test_earlier_files_stay_when_the_test_split_is_broken(corpus, capsys):
    data.process_corpus(paths.CorpusFolder(str(corpus)))
    before = (corpus / "train.txt").read_bytes()
    write(corpus / paths.TRAIN_XML / "103.xml", xml())
    write(corpus / paths.TEST_XML / "104.xml", "")
    with pytest.raises(InputError):
        data.process_corpus(paths.CorpusFolder(str(corpus)))
    assert (corpus / "train.txt").read_bytes() == before


def test_test_documents_of_eight_types_that_are_missing_are_told(corpus):
    with pytest.raises(InputError) as raised:
        data.process_corpus(paths.CorpusFolder(str(corpus), "unmerged"))
    for word in ("test_gold=unmerged", "unmerged_xml", "2012-08-23.test-data.groundtruth.tar.gz", "leave test_gold out"):
        assert word in str(raised.value)
    assert not list(corpus.glob("*.txt"))


def test_unwritable_output_is_a_clear_message(corpus):
    (corpus / "test.txt").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        data.process_corpus(paths.CorpusFolder(str(corpus)))
    assert not list(corpus.glob(".*.tmp"))


# ----------------------------------------------------------------------------------------------- one document

def test_document_in_full(tmp_path):
    document = read(tmp_path, xml(tags=(
        '<EVENT id="E0" start="4" end="8" text="fall" modality="FACTUAL" polarity="POS" type="OCCURRENCE" />'
        '<TIMEX3 id="T0" start="1x" text="today" type="DATE" val="2001-03-02" mod="NA" />'
        '<SECTIME id="S0" start="" end="99999999999999999999" text="03/02/2001" type="ADMISSION" />'
        + tlink(" during ") + tlink(""))))
    assert document.name == "101"
    assert document.text == NOTE
    event, timex, sectime = document.mentions
    assert event[:6] == ("EVENT", "E0", 4, 8, "fall", "OCCURRENCE")
    assert event.attributes["polarity"] == "POS" and event.attributes["start"] == "4"
    assert timex[:6] == ("TIMEX3", "T0", None, None, "today", "DATE")
    assert sectime[:6] == ("SECTIME", "S0", None, None, "03/02/2001", "ADMISSION")
    assert [link.type for link in document.tlinks] == ["DURING", ""]
    assert document.tlinks[0] == ("TL0", "E0", "fall", "E1", "fracture", "DURING")


def test_examples_have_no_tab_or_line_break_in_a_field(tmp_path):
    source = xml("\n a\tb\r\nc\n\nd ", tlink("AFTER", "one\ttwo", "three\nfour", "T\rL"))
    document = read(tmp_path, source, "decoded")
    example, = data.examples(document)
    assert example == ("101_T L", "one two three four", "a b c  d", "AFTER", "101", "T L", "E0", "E1")
    assert "".join(data.tsv_lines([example])).count("\t") == 3 and "".join(data.tsv_lines([example])).count("\n") == 1


def test_every_label_is_read_and_merged(tmp_path):
    document = read(tmp_path, xml(tags="".join(tlink(label.lower()) for label in LABELS)))
    assert tuple(example.label for example in data.examples(document)) == LABELS
    assert [merge(label) for label in LABELS] == ["BEFORE", "BEFORE", "BEFORE", "AFTER", "OVERLAP", "OVERLAP",
                                                  "AFTER", "OVERLAP"]
    assert {merge(label) for label in LABELS} == set(MERGED_LABELS)


def test_documents_are_sorted_by_name(tmp_path):
    for name in ("b.xml", "a-1.xml", "a.xml", "C.XML"):
        write(tmp_path / name, xml())
    assert [document.name for document in data.read_folder(tmp_path)] == ["C", "a", "a-1", "b"]


def test_two_files_of_one_document_are_refused(tmp_path):
    for name in ("a.xml", "a.XML", "b.xml", "b.xml.txt", "b.xml.extent", "b.xml.tlink", "._a.xml"):
        write(tmp_path / name, xml())
    with pytest.raises(InputError) as refusal:
        data.read_folder(tmp_path)
    assert all(str(tmp_path / name) in str(refusal.value) for name in ("a.xml", "a.XML"))
    (tmp_path / "a.XML").unlink()
    assert [document.name for document in data.read_folder(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\x0b", "\x85", "\u2028", os.fsdecode(b"\xe9")])
def test_a_name_that_cannot_stand_in_a_table_is_refused(character, tmp_path):
    path = write(tmp_path / f"a{character}b.xml", xml())
    for read_it in (lambda: data.read_folder(tmp_path), lambda: data.read_document(path)):
        with pytest.raises(InputError) as refusal:
            read_it()
        assert repr(str(path)) in str(refusal.value) and "'a_b.xml'" in str(refusal.value)


def test_documents_of_several_folders_have_names_of_their_own():
    assert data.check_document_names(["x/a b.xml", "y/a.b.XML"]) == {"a b": "x/a b.xml", "a.b": "y/a.b.XML"}
    with pytest.raises(InputError, match="^x/a.xml and y/a.xml have the same name"):
        data.check_document_names(["x/a.xml", "y/b.xml", "y/a.xml"])


@pytest.mark.parametrize("entities, note, mention", [
    ("upstream", "\nX and Y films  and  and amp; ENT GI <br>\n", "Q and A  and amp; B"),
    ("decoded", "\nX&Y films &&amp; ENT & GI <br>\n", "Q&A & B")])
def test_ampersands(tmp_path, entities, note, mention):
    source = xml("\nX&Y films &&amp; ENT & GI <br>\n", tlink().replace('"fall"', '"Q&A &amp; B"'))
    document = read(tmp_path, source, entities)
    assert (document.text, document.tlinks[0].from_text) == (note, mention)


def test_decoded_text_outside_cdata(tmp_path):
    source = xml().replace(f"<![CDATA[{NOTE}]]>",
                           "a &lt; b &amp; c&d &unknown; &#233;&#xE9;<!-- & --> <![CDATA[&amp;]]>")
    assert read(tmp_path, source, "decoded").text == "a < b & c&d &unknown; \xe9\xe9 &amp;"


def test_byte_order_mark_is_not_text(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + xml().encode("utf-8")).text == NOTE


def test_blank_note_with_tlinks_gives_no_examples(tmp_path):
    document = read(tmp_path, xml(" \n "))
    with pytest.raises(InputError, match=r"101\.xml"):
        data.examples(document)
    assert data.examples(read(tmp_path, xml(" \n ", ""))) == []


UNUSABLE = {
    "no toID": (xml().replace(' toID="E1"', ""), "TLINK TL0 at line 7 has no toID"),
    "no id": (xml().replace(' id="TL0"', ""), "the TLINK at line 7 has no id"),
    "two notes": (xml().replace("<TAGS>", "<TEXT>again</TEXT><TAGS>"), "second TEXT element at line 6"),
    "type on two lines": (xml().replace("BEFORE", "N\nO"), "unknown type \"N O\""),
    "long type": (xml(tags=tlink("x" * 10000)), "unknown type \"" + "x" * 40 + "...\""),
    "UTF-16": (xml().replace("UTF-8", "UTF-16").encode("utf-16"), "is not UTF-8: line 1"),
    "NUL": (xml("\0"), "not well-formed XML: not well-formed (invalid token) at line 3"),
    "too large": (xml("a\n" * data.MAX_BYTES), "larger than 4 MB"),
    "too many tags": (xml(tags="<EVENT />" * (data.MAX_TAGS + 1)), "more than 100000 tags"),
}


@pytest.mark.parametrize("case", sorted(UNUSABLE))
@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_unusable_document(tmp_path, case, entities):
    content, message = UNUSABLE[case]
    with pytest.raises(InputError) as raised:
        read(tmp_path, content, entities)
    assert message in str(raised.value) and "101.xml" in str(raised.value)
    assert "fracture" not in str(raised.value)


def test_unreadable_path(tmp_path):
    (tmp_path / "101.xml").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        data.read_document(tmp_path / "101.xml")
    with pytest.raises(InputError, match="cannot be read"):
        data.read_document(str(tmp_path / "102.xml"))


def test_document_without_text_is_read_where_that_is_allowed(tmp_path):
    source = xml().replace(f"<TEXT><![CDATA[{NOTE}]]></TEXT>", "").replace(' fromText="fall"', "")
    path = write(tmp_path / "101.xml", source)
    document = data.read_document(path, require_text=False)
    assert (document.text, document.tlinks) == ("", (("TL0", "E0", "", "E1", "fracture", "BEFORE"),))
    with pytest.raises(InputError):
        data.read_document(path)
    with pytest.raises(InputError, match="no toID"):
        data.read_document(write(path, source.replace(' toID="E1"', "")), require_text=False)


@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_document_type_declaration_reads_no_file(tmp_path, entities):
    secret = write(tmp_path / "secret", b"hidden")
    source = xml().replace("\n", f'\n<!DOCTYPE x [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>\n', 1)
    with pytest.raises(InputError, match="document type declaration"):
        read(tmp_path, source.replace(f"<![CDATA[{NOTE}]]>", "&leak;"), entities)
    # The words alone, in a note, are only words.
    assert "<!DOCTYPE x" in read(tmp_path, xml("see <!DOCTYPE x [<!ENTITY y SYSTEM 'z'>]>"), entities).text


# ------------------------------------------------------------------------------------------------- properties

CHARACTERS = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff")
MARKUP = st.sampled_from(list("\t\n\r &<>\"';[]")
                         + [" & ", "&amp;", "&#65;", "]]>", "<![CDATA[", "<!--", "\r\n"])
XML_TEXT = st.lists(CHARACTERS | MARKUP).map("".join)


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("properties")


@settings(deadline=None)
@given(note=XML_TEXT, mention=XML_TEXT, identifier=XML_TEXT)
def test_decoded_gives_back_what_was_written(module_folder, note, mention, identifier):
    event = f"<EVENT id={attribute(identifier)} text={attribute(mention)} />"
    document = read(module_folder, xml(note, event + tlink("AFTER", mention, "x", identifier)), "decoded")
    assert document.text == note.replace("\r\n", "\n").replace("\r", "\n")
    assert (document.mentions[0].id, document.mentions[0].text) == (identifier, mention)
    assert (document.tlinks[0].id, document.tlinks[0].from_text) == (identifier, mention)


@settings(deadline=None)
@given(note=XML_TEXT)
def test_upstream_rewrites_ampersands_and_nothing_else(module_folder, note):
    document = read(module_folder, xml(note), "upstream")
    expected = re.sub("&", " and ", re.sub(" & ", " ", note))
    assert document.text == expected.replace("\r\n", "\n").replace("\r", "\n")


FRAGMENTS = [b"<", b">", b"&", b"&#0;", b"&amp", b'"', b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x ?>",
             b"<!DOCTYPE x [", b"<TEXT>", b"</TEXT>", b"<TAGS>", b"</TAGS>", b"<a:b/>", b"<TLINK/>", b"\n",
             b"", b' type="x"', b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xed\xa0\x80"]
EDIT = st.tuples(st.integers(0, 10**4), st.integers(0, 30), st.sampled_from(FRAGMENTS))


@settings(deadline=None, max_examples=300)
@given(edits=st.lists(EDIT, min_size=1, max_size=4), entities=st.sampled_from(["upstream", "decoded"]))
def test_mutated_document_is_read_or_refused(module_folder, edits, entities):
    event = '<EVENT id="E0" start="1" end="2" text="a" type="TEST" />'
    content = xml("\nThe confidential & note .\n", event + tlink() + tlink("after")).encode("utf-8")
    for position, length, fragment in edits:
        position %= len(content) + 1
        content = content[:position] + fragment + content[position + length:]
    try:
        document = read(module_folder, content, entities)
        for example in data.examples(document):
            assert example.label in LABELS
    except InputError as error:
        assert "101.xml" in str(error)
        assert "confidential" not in str(error)
