"""A run's predictions as i2b2 XML: scored alike, empty of text, in their place."""
import os
import re

import numpy as np
import pytest

import scoring
from data_process_i2b2 import Document, Mention, Tlink, examples, read_document, read_folder
from evaluation import predictions, system_xml
from inputs.labels import LABELS
from support.errors import InputError
from support.paths import CorpusFolder, ResultFolder

GOLD = """<?xml version="1.0" encoding="UTF-8" ?>
<ClinicalNarrativeTemporalAnnotation>
<TEXT><![CDATA[
Admission Date : 03/02/2001
Pain & fever <38 , ]]]]><![CDATA[> then "rest" .
]]></TEXT>
<TAGS>
<EVENT id="E0" start="29" end="33" text="Pain" modality="FACTUAL" polarity="POS" type="PROBLEM" />
<EVENT id="E1" start="36" end="41" text="fever &amp; &quot;chills&quot;" modality="as patient said" polarity="NEG" \
type="PROBLEM" note="free text" />
<TIMEX3 id="T0" start="x" end="41" text="2001" type="DATE" val="2001-03-02" mod="NA" />
<SECTIME id="S0" start="18" end="28" text="03/02/2001" type="ADMISSION" dvalue="2001-03-02" />
<SECTIME id="S1" start="18" end="28" text="03/02/2001" type="DISCHARGE" dvalue="2001-03-05" />
<TLINK id="TL0" fromID="E0" fromText="Pain" toID="E1" toText="fever &amp; &quot;chills&quot;" type="BEFORE" />
<TLINK id="TL1" fromID="E1" fromText="fever" toID="T0" toText="2001" type="" />
<TLINK id="TL1" fromID="E1" fromText="fever" toID="S0" toText="03/02/2001" type="During" />
<TLINK id="TL2" fromID="E0" fromText="Pain" toID="Discharge" toText="Discharge" type="BEFORE" />
</TAGS>
</ClinicalNarrativeTemporalAnnotation>
"""


def guesses(documents, seed=0):
    """Predictions of a classifier that is right about half the time."""
    rows = [example for document in documents for example in examples(document)]
    random = np.random.RandomState(seed)
    logits = random.normal(size=(len(rows), 8))
    logits[np.arange(len(rows)), [LABELS.index(row.label) for row in rows]] += 1.5
    return predictions.of_examples(rows, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


@pytest.fixture
def gold(tmp_path):
    folder = tmp_path / "gold"
    folder.mkdir()
    (folder / "1.xml").write_text(GOLD, encoding="utf-8")
    return folder


def write(gold, out, with_text=False, earlier=()):
    documents = system_xml.read_documents(str(gold))
    table = guesses(read_folder(str(gold)))
    assert system_xml.write_system_xml(str(out), documents, table, with_text, earlier) == sorted(documents)
    return table


@pytest.mark.parametrize("with_text", [False, True])
def test_scored_from_xml_as_from_memory(project, tmp_path, with_text):
    gold = project / "corpus" / "sample" / "ground_truth" / "merged_xml"
    table = write(gold, tmp_path, with_text)
    records = [
        scoring.Prediction(*cells, LABELS[true], LABELS[predicted])
        for *cells, true, predicted in zip(*table[:6])
    ]
    expected = scoring.scores(records)["tempeval"]
    warnings = []
    found = scoring.score_folders(str(gold), str(tmp_path), warnings.append)
    assert warnings == []
    assert {name: found[name] for name in expected} == expected
    assert 0.3 < expected["f1"] < 0.99


def test_quirks_of_the_corpus_survive(shared, tmp_path):
    gold = shared / "quirks" / "readable"
    write(gold, tmp_path)
    warnings = []
    scoring.score_folders(str(gold), str(tmp_path), warnings.append)
    assert warnings == []


def test_without_text_there_are_ids_offsets_and_types_alone(gold, tmp_path):
    write(gold, tmp_path / "out")
    text = (tmp_path / "out" / "1.xml").read_text(encoding="utf-8")
    lines = text.split("\n")
    assert lines[2] == "<TEXT><![CDATA[]]></TEXT>"
    assert lines[4:8] == [
        '<EVENT id="E0" start="29" end="33" text="" modality="FACTUAL" polarity="POS" type="PROBLEM" />',
        '<EVENT id="E1" start="36" end="41" text="" modality="" polarity="NEG" type="PROBLEM" />',
        '<TIMEX3 id="T0" start="" end="41" text="" type="DATE" val="" mod="NA" />',
        '<SECTIME id="S0" start="18" end="28" text="" type="ADMISSION" dvalue="" />']
    assert re.match(
        r'<TLINK id="TL0" fromID="E0" fromText="" toID="E1" toText="" type="(BEFORE|AFTER|OVERLAP)" />$',
        lines[8])
    assert [re.findall(r'id="(\S*?)"', line)[0]
            for line in lines[8:11]] == ["TL0", "TL1", "TL2"], "those with a type"
    for word in ("Pain", "fever", "chills", "2001", "patient", "free"):
        assert word not in text


def test_with_text_the_document_is_whole(gold, tmp_path):
    table = write(gold, tmp_path / "out", with_text=True)
    before = read_document(str(gold / "1.xml"), entities="decoded")
    after = read_document(str(tmp_path / "out" / "1.xml"), entities="decoded")
    assert (after.text, after.mentions) == (before.text, before.mentions)
    typed = [tlink for tlink in before.tlinks if tlink.type]
    assert [tlink[:5] for tlink in after.tlinks] == [tlink[:5] for tlink in typed]
    assert [tlink.type for tlink in after.tlinks] == [
        ("BEFORE", "AFTER", "OVERLAP")[number] for number in table.merged_predicted()]


def test_documents_of_an_earlier_test_go(gold, tmp_path):
    write(gold, tmp_path / "out")
    (gold / "1.xml").rename(gold / "2.XML")
    write(gold, tmp_path / "out", earlier=["1.xml"])
    assert os.listdir(str(tmp_path / "out")) == ["2.XML"], "under the name it has in the corpus"


def test_a_document_that_no_test_wrote_stays(gold, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.xml").write_text("<a/>")
    (tmp_path / "mine.xml").write_text("<b/>")
    (tmp_path / "out" / ".1.xml.0a1b2c3d.tmp").write_text("what a killed test left")
    write(gold, tmp_path / "out", earlier=["../mine.xml", "3.xml"])
    assert sorted(os.listdir(str(tmp_path / "out"))) == ["1.xml", "mine.xml"] and (tmp_path / "mine.xml").exists()


WORDS = ("Mr Smith", "SMITH", "fever", "E0 SMITH", "E", "12", "TLX", "JOHN1", "e0\n", "DISCHARGED", "factual?", "NEGATIVE")


@pytest.mark.parametrize("word", WORDS)
def test_words_that_strayed_into_any_attribute_do_not_get_out(word, gold, tmp_path):
    mention = {tag: dict.fromkeys(names, word) for tag, names in system_xml.ATTRIBUTES.items()}
    mentions = tuple(Mention(tag, word, 1, 2, word, word, attributes) for tag, attributes in mention.items())
    document = Document("1", word, mentions, (Tlink(word, word, word, word, word, "BEFORE"),))
    text = system_xml.system_document(document, ["BEFORE"])
    assert set(re.findall(r'="([^"]*)"', text)) == {"1.0", "UTF-8", "1", "2", "", "BEFORE"}


def test_values_of_the_corpus_pass_in_any_case():
    """Every value that I2B2's guidelines know, HYPOTHETICAL of the training documents, and the two literal end points."""
    for (tag, name), values in system_xml.CLOSED_CLASS.items():
        for value in values:
            for seen in (value, value.capitalize(), value + " "):
                one = Mention(tag, "E0", 1, 2, "", "", {name: seen})
                assert f'{name}="{value}"' in system_xml.system_document(
                    Document("1", "", (one,), (Tlink("TL0", "E0", "", "E0", "", "AFTER"),)), ["AFTER"])
    assert "HYPOTHETICAL" in system_xml.CLOSED_CLASS["EVENT", "modality"]
    for identifier in ("E0", "T12", "S1", "TL1234", "SECTIME36", "Sectime0", "Admission", "Discharge"):
        link = Tlink(identifier, identifier, "", identifier, "", "AFTER")
        assert system_xml.system_document(Document("1", "", (), (link,)), ["AFTER"]).count(f'"{identifier}"') == 3


def test_documents_that_changed_meanwhile_are_refused(gold, tmp_path):
    table = guesses(read_folder(str(gold)))
    for change in (lambda text: text.replace('id="TL2"', 'id="TL9"'),
                   lambda text: text.replace('type="During"', 'type=""'),
                   lambda text: text.replace('toText="2001" type=""', 'toText="2001" type="AFTER"')):
        (gold / "1.xml").write_text(change(GOLD), encoding="utf-8")
        with pytest.raises(InputError, match="changed meanwhile"):
            system_xml.write_system_xml(str(tmp_path / "out"), system_xml.read_documents(str(gold)), table)
    assert not (tmp_path / "out").exists()


def test_a_document_renamed_to_another_case_takes_the_place_of_the_old_one(gold, tmp_path):
    write(gold, tmp_path / "out")
    (gold / "1.xml").rename(gold / "1.XML")
    write(gold, tmp_path / "out", earlier=["1.xml"])
    assert os.listdir(str(tmp_path / "out")) == ["1.XML"]


def test_predictions_in_any_order_give_the_same_documents(gold, tmp_path):
    (gold / "2.xml").write_text(GOLD.replace("TL0", "TL7"), encoding="utf-8")
    table = write(gold, tmp_path / "out")
    shuffled = table.take(np.random.RandomState(1).permutation(len(table.documents)))
    system_xml.write_system_xml(str(tmp_path / "shuffled"), system_xml.read_documents(str(gold)), shuffled)
    assert len(set(table.merged_predicted())) > 1
    for name in ("1.xml", "2.xml"):
        assert (tmp_path / "shuffled" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize("row, words", [(0, "document 1: .*test documents has the TLINK TL0 from E0 to E1, which"),
                                        (3, "document 2: .*test documents has the TLINK TL0 from E0 to E1, which")])
def test_a_row_too_many_or_missing_is_named(row, words, gold, tmp_path):
    (gold / "2.xml").write_text(GOLD, encoding="utf-8")
    documents, table = system_xml.read_documents(str(gold)), guesses(read_folder(str(gold)))
    rows = list(range(len(table.documents)))
    with pytest.raises(InputError, match=words):
        system_xml.write_system_xml(str(tmp_path / "out"), documents, table.take(rows[:row] + rows[row + 1:]))
    with pytest.raises(InputError, match="predictions has the TLINK TL0 from E0 to E1 2 times"):
        system_xml.write_system_xml(str(tmp_path / "out"), documents, table.take(rows + [row]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../1.xml", "/etc/1.xml", "a/b.xml", "..", ".", "", "a\\b.xml", "a\0.xml"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name, gold, tmp_path):
    documents = {name: read_document(str(gold / "1.xml"), entities="decoded")}
    with pytest.raises(InputError, match="document"):
        system_xml.write_system_xml(str(tmp_path / "in" / "out"), documents, guesses(read_folder(str(gold))))
    assert sorted(os.listdir(str(tmp_path))) == ["gold"]


def test_whole_documents_have_their_place_beside_the_corpus(tmp_path):
    corpus = CorpusFolder(str(tmp_path / "corpus"))
    places = [
        corpus.system_xml(result) for result in (ResultFolder(str(tmp_path / "result")),
                                                 ResultFolder(str(tmp_path / "b")),
                                                 ResultFolder(str(tmp_path / "b")).of_seed(1),
                                                 ResultFolder(str(tmp_path / "c")).of_seed(1),
                                                 ResultFolder(str(tmp_path / "elsewhere" / "result")))
    ]
    assert len(set(places)) == 5
    assert all(place.startswith(corpus.root + os.sep) for place in places)
