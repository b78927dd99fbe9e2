"""E3C's layer 1 to the i2b2 layout: real files, an invented corpus, hostile texts, and what is refused."""
import os
import re
import shutil
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_process_E3C as e3c
import data_process_i2b2
from conftest import PROJECT
from data_process_i2b2 import read_document
from helpers import files_below, run
from support.errors import InputError
from support.paths import TEST_XML, TRAIN_XML

FIXTURE = PROJECT / "tests" / "fixtures" / "e3c"
LAYER1 = FIXTURE / "data_annotation" / "English" / "layer1"
LANGUAGES = ("Basque", "English", "French", "Italian", "Spanish")
NAMESPACES = ('xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" '
              'xmlns:custom="http:///webanno/custom.ecore"')


def xmi(text, elements=""):
    """A layer-1 file with a text."""
    value = quoteattr(text, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})
    return f'<xmi:XMI {NAMESPACES}>{elements}<cas:Sofa xmi:id="12" sofaString={value}/></xmi:XMI>'


def event(xmi_id, begin, end, links=""):
    return f'<custom:EVENT xmi:id="{xmi_id}" begin="{begin}" end="{end}" polarity="POS" TLINK="{links}"/>'


def timex3(xmi_id, begin, end, links=""):
    return (f'<custom:TIMEX3 xmi:id="{xmi_id}" begin="{begin}" end="{end}" timex3Class="SET" '
            f'timexLink="{links}"/>')


def read_back(document, folder):
    """What `read_document` makes of a converted document."""
    path = os.path.join(str(folder), f"{document.name}.xml")
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write(e3c.to_xml(document))
    return read_document(path, "decoded")


def as_parsed(document):
    """A document with the line breaks that end its text as an XML parser gives them."""
    return document._replace(text=document.text.replace("\r\n", "\n").replace("\r", "\n"))


def covered(document):
    """The text at each mention's offsets, with line breaks as spaces, and the mention's own text."""
    return [(re.sub(r"[\t\r\n]", " ", document.text[mention.start - 1:mention.end - 1]), mention.text)
            for mention in document.mentions]


@pytest.fixture
def corpus(tmp_path):
    """A copy of the invented E3C that a test may change."""
    shutil.copytree(str(FIXTURE), str(tmp_path / "e3c"))
    return tmp_path / "e3c"


# --------------------------------------------------------------------------------------------- real documents

def test_the_shared_english_documents_are_equal_to_the_byte(shared, tmp_path, capsys):
    e3c.convert(shared / "e3c_xmi", tmp_path / "out")
    made = sorted(os.listdir(str(tmp_path / "out" / TRAIN_XML)))
    assert made == ["EN100017.xml", "EN100022.xml", "EN100024.xml", "EN100029.xml"]
    for name in made:
        reference = shared / "e3c" / TRAIN_XML / name
        ours = tmp_path / "out" / TRAIN_XML / name
        assert read_document(ours, "decoded") == read_document(reference, "decoded")
        assert ours.read_bytes() == reference.read_bytes()
    printed = capsys.readouterr().out
    assert "train: 4 documents, 309 TLINKs" in printed and "4 dangling links" in printed
    assert "there is no test document" in printed and "32 of the training documents" in printed


def test_all_five_languages_convert_with_offsets_that_match_the_text(shared, tmp_path):
    e3c.convert(shared / "e3c_xmi", tmp_path / "out", LANGUAGES)
    made = [path for path in files_below(tmp_path / "out") if path.endswith(".xml")]
    documents = [read_document(path, "decoded") for path in made]
    assert len(documents) == 12
    assert os.listdir(str(tmp_path / "out" / TEST_XML)) == ["EU100002.xml"]
    by_name = {document.name: document for document in documents}
    sources = {path.stem: path for path in (shared / "e3c_xmi").rglob("*.xml")}
    mentions = 0
    for name, document in by_name.items():
        assert all(found == text for found, text in covered(document)), name
        source = sources[name].read_text(encoding="utf-8")
        places = [(int(start), int(end)) for tag in ("EVENT", "TIMEX3") for start, end in
                  re.findall(fr'<custom:{tag} [^>]*begin="(\d+)" end="(\d+)"', source)]
        assert [(mention.start - 2, mention.end - 2) for mention in document.mentions] == places, name
        mentions += len(places)
    assert mentions == 826 + 53
    assert sum(len(document.tlinks) for document in documents) == 703 + 69 - 4
    assert "nell’ultimo anno" in [mention.text for mention in by_name["IT100003"].mentions]
    assert "Duela 3 hilabetetik" in [mention.text for mention in by_name["EU100002"].mentions]


# ---------------------------------------------------------------------------------------- the invented corpus

def test_mentions_and_links_of_a_document():
    document, dangling, untyped = e3c.read_xmi(LAYER1 / "EN900001.xml")
    assert document.name == "EN900001"
    assert [(mention.id, mention.text, mention.type) for mention in document.mentions] == [
        ("E0", '"fall"', "OCCURRENCE"), ("E1", "gait & balance", "OCCURRENCE"),
        ("E2", "\U0001d6fc-blocker", "OCCURRENCE"), ("E3", "stopped ]]>", "OCCURRENCE"),
        ("E4", "fever", "OCCURRENCE"), ("E5", "splint", "OCCURRENCE"), ("E6", "off", "OCCURRENCE"),
        ("E7", "walking", "OCCURRENCE"), ("T0", "May 2019", "DATE"), ("T1", "six weeks", "DURATION")]
    assert [mention.attributes.get("polarity") for mention in document.mentions[3:6]] == ["POS", "NEG", "POS"]
    assert [mention.attributes.get("val") for mention in document.mentions[8:]] == ["2019-05", "P6W"]
    assert [(tlink.id, tlink.from_id, tlink.to_id, tlink.type) for tlink in document.tlinks] == [
        ("TL0", "E0", "E1", "BEFORE"),
        ("TL1", "E1", "E1", "SIMULTANEOUS"),  # a mention linked to itself
        ("TL2", "E2", "E3", "ENDED_BY"),
        ("TL3", "E3", "E4", "OVERLAP"),
        ("TL4", "E5", "E0", "BEGUN_BY"),
        ("TL5", "T1", "E5", "DURING"),  # the splint CONTAINS six weeks
        ("TL6", "E0", "T0", "DURING"),  # May 2019 CONTAINS the fall
        ("TL7", "T0", "T1", "BEFORE"),
        ("TL8", "T1", "E6", "ENDED_BY")]
    assert (document.tlinks[5].from_text, document.tlinks[5].to_text) == ("six weeks", "splint")
    assert dangling == 3  # to a BODYPART, to an absent id, and a link that is itself absent
    assert untyped == 2  # no role, and the role CAUSES


@pytest.mark.parametrize("path", sorted(FIXTURE.rglob("*9*.xml")), ids=lambda path: path.stem)
def test_a_converted_document_reads_back_to_the_same_values(path, tmp_path):
    document = e3c.read_xmi(path).document
    again = read_back(document, tmp_path)
    # How a file is written is told of i2b2's own alone.
    assert again._replace(slips=document.slips) == as_parsed(document)
    assert len(again.mentions) >= 4 and all(found == text for found, text in covered(again))


def test_a_crlf_stays_two_characters_and_the_last_ones_stay_as_they_are():
    assert e3c.note_text("One.\r\nTwo.\rThree.\r\n") == "\nOne. \nTwo.\nThree.\r\n\n"


def test_offsets_count_characters_where_uima_counts_utf16_units():
    assert e3c.code_points("a\U0001d6fcb") == [0, 1, 1, 2, 3]


def test_the_command_makes_a_corpus_that_the_other_commands_read(tmp_path):
    out = tmp_path / "a corpus"
    finished = run("data_process_E3C.py", FIXTURE, "--out", out, "--language", "english",
                   "--language", "Italian", cwd=tmp_path)
    assert "train: 2 documents, 14 TLINKs" in finished.stdout
    assert "test: 1 documents, 3 TLINKs" in finished.stdout
    assert "3 dangling links, 2 of no known relation" in finished.stdout and finished.stderr == ""
    assert sorted(os.listdir(str(out / TRAIN_XML))) == ["EN900001.xml", "IT900001.xml"]
    assert os.listdir(str(out / TEST_XML)) == ["EN900002.xml"]
    run("data_process_i2b2.py", "--corpus", out)
    lines = (out / "train.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 14
    guid, target, context, label = lines[11].split("\t")
    assert (guid, target, label) == ("IT900001_TL2", "cessata nell’estate del 2018", "DURING")
    assert context.startswith("La febbre è cessata nell’estate") and context.endswith("È tornata più tardi.")


def test_a_conversion_without_test_documents_is_told_as_what_it_is(corpus, tmp_path):
    everything = tmp_path / "all.txt"
    everything.write_text("\n".join(path.stem for path in corpus.rglob("*.xml")), encoding="utf-8")
    run("data_process_E3C.py", corpus, "--out", tmp_path / "E3C", "--split", everything)
    finished = run("data_process_i2b2.py", "--corpus", tmp_path / "E3C", check=False)
    assert finished.returncode == 1
    assert "was made by data_process_E3C.py" in finished.stderr and "licensed" not in finished.stderr


def test_english_alone_is_the_default_and_a_split_file_may_be_named(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("EN900002")
    e3c.convert(FIXTURE, tmp_path / "out", split_path=str(tmp_path / "mine.txt"))
    assert os.listdir(str(tmp_path / "out" / TRAIN_XML)) == ["EN900002.xml"]
    assert os.listdir(str(tmp_path / "out" / TEST_XML)) == ["EN900001.xml"]
    assert "note" not in capsys.readouterr().out


def test_the_split_file_is_found_in_a_folder_of_the_release(corpus, tmp_path):
    (corpus / "documentation").mkdir()
    (corpus / "train_test_split.txt").rename(corpus / "documentation" / "train_test_split.txt")
    e3c.convert(corpus, tmp_path / "out")
    assert os.listdir(str(tmp_path / "out" / TRAIN_XML)) == ["EN900001.xml"]


# ----------------------------------------------------------------------------------------------- any document

PIECES = ["\r\n", "\n", "\r", "\t", "&", "&amp;", "]]>", "]]", ">", "<b>", '"', "'", "é", "’",
          "\u00a0", "\u2028", "\U0001d6fc", " ", "a", "bizkarreko mina"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.data())
def test_any_text_converts_and_reads_back(tmp_path_factory, text, data):
    body = len(text.rstrip("\r\n"))
    place = st.tuples(st.integers(0, body), st.integers(0, body)).map(sorted)
    places = data.draw(st.lists(place, min_size=1, max_size=5))
    kinds = data.draw(st.lists(st.booleans(), min_size=len(places), max_size=len(places)))
    ids = [100 + number for number in range(len(places))]
    roles = sorted(e3c.RELATIONS) + ["", "ODD"]
    links = data.draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(roles),
                                         st.sampled_from(ids + [12, 999])), max_size=8))
    elements = ""
    for xmi_id, (begin, end), is_event in zip(ids, places, kinds):
        own = " ".join(str(500 + number) for number, (owner, _, _) in enumerate(links) if owner == xmi_id)
        units = [len(text[:offset].encode("utf-16-le")) // 2 for offset in (begin, end)]
        elements += (event if is_event else timex3)(xmi_id, units[0], units[1], own)
    for number, (_, role, target) in enumerate(links):
        elements += f'<custom:EVENTTLINKLink xmi:id="{500 + number}" role="{role}" target="{target}"/>'
    folder = tmp_path_factory.mktemp("any")
    (folder / "D1.xml").write_text(xmi(text, elements), encoding="utf-8")

    document, dangling, untyped = e3c.read_xmi(folder / "D1.xml")
    again = read_back(document, folder)
    # How a file is written is told of i2b2's own alone.
    assert again._replace(slips=document.slips) == as_parsed(document)
    assert all(found == mention for found, mention in covered(again))
    # EVENTs come before TIMEX3s, whatever their order in the file.
    order = sorted(range(len(kinds)), key=lambda number: not kinds[number])
    expected = [text[places[number][0]:places[number][1]] for number in order]
    assert [mention.text for mention in again.mentions] == [re.sub(r"[\t\r\n]", " ", one) for one in expected]
    assert dangling == sum(target in (12, 999) for _, _, target in links)
    assert len(again.tlinks) + dangling + untyped == len(links)
    numbers = {ids[n]: mention.id for n, mention in zip(order, again.mentions)}
    expected = sorted((numbers[target], numbers[owner], "DURING") if role == "CONTAINS" else
                      (numbers[owner], numbers[target], e3c.RELATIONS[role][0])
                      for owner, role, target in links if role in e3c.RELATIONS and target in numbers)
    assert sorted((tlink.from_id, tlink.to_id, tlink.type) for tlink in again.tlinks) == expected


# -------------------------------------------------------------------------------------------- what is refused

BOMB = ('<!DOCTYPE xmi [<!ENTITY a "ten characters"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        + xmi("SECRET").replace("SECRET", "SECRET &b;"))
EXTERNAL = '<!DOCTYPE xmi [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + xmi("SECRET")
BROKEN = {
    "unclosed": (xmi("SECRET").replace("</xmi:XMI>", ""), "not well-formed XML"),
    "empty": ("", "not well-formed XML"),
    "entities": (BOMB, "document type declaration"),
    "external entity": (EXTERNAL, "document type declaration"),
    "a DTD elsewhere": ('<!DOCTYPE xmi SYSTEM "http://localhost/x.dtd">' + xmi("SECRET"),
                        "document type declaration"),
    "other XML": ("<TEXT>SECRET</TEXT>", "not XMI"),
    "no text": (f"<xmi:XMI {NAMESPACES}/>", "0 Sofa elements"),
    "no sofaString": (f'<xmi:XMI {NAMESPACES}><cas:Sofa xmi:id="1"/></xmi:XMI>', "without a sofaString"),
    "two texts": (xmi("SECRET", '<cas:Sofa xmi:id="1" sofaString="SECRET"/>'), "2 Sofa elements"),
    "beyond the text": (xmi("SECRET", event(7, 0, 7)), "the EVENT with the xmi:id 7 has no begin and end"),
    "backwards": (xmi("SECRET", timex3(7, 4, 2)), "the TIMEX3 with the xmi:id 7 has no begin and end"),
    "no number": (xmi("SECRET", event(7, "x", 2)), "the EVENT with the xmi:id 7 has no begin and end"),
    "twice an id": (xmi("SECRET", event(7, 0, 1) + timex3(7, 1, 2)), "TIMEX3 0 has no xmi:id, or that"),
    "encoding": ('<?xml version="1.0" encoding="x-none"?>' + xmi("SECRET"), "encoding"),
}


@pytest.mark.parametrize("content, reason", list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_document_is_refused_by_name_and_without_its_text(content, reason, corpus, tmp_path):
    broken = corpus / "data_annotation" / "English" / "layer1" / "EN900003.xml"
    broken.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        e3c.convert(corpus, tmp_path / "out")
    message = str(refusal.value)
    assert str(broken) in message and reason in message and "SECRET" not in message
    assert sorted(os.listdir(str(tmp_path))) == ["e3c"]  # nothing is written


def test_bytes_that_are_not_utf8_and_oversized_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "EN900003.xml"
    path.write_bytes(xmi("caf\u00e9").encode("latin-1"))
    with pytest.raises(InputError, match="not well-formed"):
        e3c.read_xmi(path)
    path.write_text(xmi("a" * 200))
    monkeypatch.setattr(data_process_i2b2, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger than"):
        e3c.read_xmi(path)


def test_what_is_missing_is_named(corpus, tmp_path):
    out = tmp_path / "out"
    for arguments, reason in [((tmp_path / "no such", out), "no such does not exist"),
                              ((tmp_path, out), "has no data_annotation/LANGUAGE/layer1"),
                              ((corpus, out, ["German"]), "There are English, Italian"),
                              ((corpus, out, ["English"], str(tmp_path / "x.txt")), "x.txt cannot be read")]:
        with pytest.raises(InputError, match=re.escape(reason)):
            e3c.convert(*arguments)
    (corpus / "train_test_split.txt").write_text("nobody")
    with pytest.raises(InputError, match="names no document"):
        e3c.convert(corpus, out)
    (corpus / "train_test_split.txt").unlink()
    with pytest.raises(InputError, match="there is no train_test_split.txt"):
        e3c.convert(corpus, out)
    assert not out.exists()


def test_two_documents_of_one_name_are_refused(corpus, tmp_path):
    italian = corpus / "data_annotation" / "Italian" / "layer1"
    shutil.copyfile(str(italian / "IT900001.xml"), str(italian / "EN900001.xml"))
    with pytest.raises(InputError, match="the same name"):
        e3c.convert(corpus, tmp_path / "out", ["English", "Italian"])


def test_the_command_ends_with_1_and_one_message(tmp_path):
    finished = run("data_process_E3C.py", tmp_path / "none", "--out", tmp_path / "out", check=False)
    assert finished.returncode == 1 and finished.stdout == ""
    assert finished.stderr.startswith("error: the folder") and "Traceback" not in finished.stderr
    assert run("data_process_E3C.py", check=False).returncode == 2


# ---------------------------------------------------------------------------------------- whole or not at all

def test_an_earlier_conversion_is_replaced_with_what_was_made_of_it(tmp_path):
    out = tmp_path / "out"
    e3c.convert(FIXTURE, out, ["Italian"])
    (out / "features").mkdir()
    for made in ("train.txt", "test.txt", os.path.join("features", "train.npz")):
        (out / made).write_text("of the Italian documents")
    e3c.convert(FIXTURE, out, ["English"])
    names = {os.path.relpath(path, str(out)) for path in files_below(out)}
    assert names == {os.path.join(TRAIN_XML, "EN900001.xml"), os.path.join(TEST_XML, "EN900002.xml"),
                     "E3C.json"}
    assert os.listdir(str(tmp_path)) == ["out"]


@pytest.mark.parametrize("foreign", ["notes.md", os.path.join(TRAIN_XML, "101.xml")])
@pytest.mark.parametrize("converted", [False, True])
def test_a_folder_with_anything_else_is_left_alone(foreign, converted, tmp_path):
    out = tmp_path / "out"
    if converted:
        e3c.convert(FIXTURE, out)
    else:
        (out / TRAIN_XML).mkdir(parents=True)
    (out / foreign).write_text("mine")
    before = sorted(files_below(out))
    with pytest.raises(InputError, match=re.escape(f"({foreign})")):
        e3c.convert(FIXTURE, out)
    assert sorted(files_below(out)) == before and (out / foreign).read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        e3c.convert(FIXTURE, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("failing", [1, 2])
def test_after_a_failure_the_earlier_conversion_is_still_there(failing, tmp_path, monkeypatch):
    out = tmp_path / "out"
    e3c.convert(FIXTURE, out, ["Italian"])
    before = sorted(files_below(out))
    calls = []

    def rename(source, target, real=os.rename):
        calls.append(source)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(InputError, match="No space left on device"):
        e3c.convert(FIXTURE, out)
    assert sorted(files_below(out)) == before
    assert os.listdir(str(tmp_path)) == ["out"]
