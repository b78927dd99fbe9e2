"""The profile of a corpus: what is counted, and what it says of i2b2 2012 and of everything else."""
import json

import pytest

from data_process_i2b2 import Slips, parse_document, read_split
from inputs import profile, section_times
from inputs.labels import LABELS
from inputs.reading import Corpus, read_corpus
from settings import Settings
from support.paths import TEST_XML, TRAIN_XML, CorpusFolder
from tasks.i2b2 import I2B2, about_test_gold

# Each line but the first EVENT and TIMEX3 has something that is counted besides the tag itself.
TAGS = """<EVENT id="E0" start="1" end="10" text="Admission" modality="FACTUAL" polarity="POS" type="OCCURRENCE" />
<EVENT id="E1" start="31" end="35" text="pain" modality="Factual" polarity="POS" type="PROBLEM" />
<EVENT id="E1" start="31" end="35" text="L&D" modality="FACTUAL" polarity="POS" type="" />
<TIMEX3 id="T0" start="18" end="28" text="2001-03-02" type="DATE" val="2001-03-02" mod="NA" />
<TIMEX3 id="T0" start="18" end="28" text="2001-03-02" type="DATE" val="2001-03-02" mod="NA " />
<SECTIME id="S0" start="18" end="28" text="2001-03-02" type="ADMISSION" dvalue="2001-03-02" />
<TLINK id="TL0" fromID="E0" fromText="Admission" toID="T0" toText="2001-03-02" type="Simultaneous" />
<TLINK id="TL1" fromID="E1" fromText="pain" toID="E1" toText="pain" type="OVERLAP" />
<TLINK id="TL1" fromID="E1" fromText="pain" toID="E99" toText="?" type="BEFORE" />
<TLINK id="TL2" fromID="T0" fromText="2001-03-02" toID="T0" toText="2001-03-02" type="" />
<TLINK id="Sectime0" fromID="E1" fromText="pain" toID="T0" toText="2001-03-02" type="BEFORE_OVERLAP" />
<TLINK id="SECTIME1" fromID="E1" fromText="pain" toID="Discharge" toText="Discharge" type="BEFORE" />
<TLINK id="sectime2" fromID="E1" fromText="pain" toID="Admission" toText="Admission" type="AFTER" />"""
EXPECTED = {
    "documents": 1, "EVENT": 3, "TIMEX3": 2, "SECTIME": 1, "TLINK": 7, "TLINK SIMULTANEOUS": 1, "TLINK OVERLAP": 1,
    "TLINK BEFORE": 2, "TLINK BEFORE_OVERLAP": 1, "TLINK AFTER": 1, "TLINK without a type": 1, "merged BEFORE": 3,
    "merged AFTER": 1, "merged OVERLAP": 2, section_times.SECTION: 3, section_times.EVENT_EVENT: 1, section_times.EVENT_TIME: 1,
    section_times.OTHER: 1, "id Sectime...": 1, "id SECTIME...": 1, "id sectime... in another spelling": 1,
    "end Admission, no id": 1, "end Discharge, no id": 1, "end that no tag has": 1, "TLINK from a mention to itself": 2,
    "EVENT with a repeated id": 1, "TIMEX3 with a repeated id": 1, "TLINK with a repeated id": 1, "EVENT without a type": 1,
    "EVENT with a value not in capitals": 1, "TIMEX3 with a value not in capitals": 1, "TLINK with a type not in capitals": 1,
    "documents with one SECTIME": 1, profile.REPAIRED: 1, "files with Windows line ends": 1}


def xml(tags, text="\nAdmission Date :\n2001-03-02\nL&D\n"):
    return f"<ROOT><TEXT><![CDATA[{text}]]></TEXT><TAGS>\n{tags}\n</TAGS></ROOT>"


@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_everything_that_is_listed_is_counted(entities):
    document = parse_document(xml(TAGS).replace("\n", "\r\n"), "1", entities)
    counted = profile.counts([document])
    assert {name: count for name, count in counted.items() if count} == EXPECTED
    assert tuple(counted) == profile.NAMES
    assert profile.counts([document, document]) == {name: 2 * count for name, count in counted.items()}


@pytest.mark.parametrize("source, slips", [
    (xml(""), Slips()), (xml("<!-- A & B -->"), Slips()), (xml('<EVENT text="A &amp; B&#38;&quot;" />'), Slips()),
    (xml('<EVENT text="A & B" />'), Slips(stray_ampersand=True)), (xml('<EVENT text="Q&A;" />'), Slips(stray_ampersand=True)),
    (xml("", "a\r\nb"), Slips(crlf=True)),
    (xml('<TLINK id="1" fromID="" fromText="" toID="" toText="" type=" BEFORE" />'), Slips(types_respelled=1))])
@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_what_reading_puts_right_is_known_of_the_document(source, slips, entities):
    assert parse_document(source, "1", entities).slips == slips


def test_a_document_without_anything_has_no_sectime():
    counted = profile.counts([parse_document(xml(""), "1")])
    assert {name for name, count in counted.items() if count} == {"documents", "documents without a SECTIME"}
    assert not any(profile.counts([]).values())


# -------------------------------------------------------------------------------------------------- other corpora

@pytest.fixture(scope="module")
def sample(project):
    folder = CorpusFolder(str(project / "corpus" / "sample"))
    return Corpus(folder, read_split(folder.train_xml), read_split(folder.test_xml), {})


def counts_and_names(corpus):
    return profile.of_splits(corpus.train, corpus.test), profile.names_of(corpus.train, corpus.test)


def test_the_sample_has_the_shares_of_its_original_and_is_not_taken_for_it(sample):
    counted, names = counts_and_names(sample)
    sentence, = profile.verdict(counted, names)
    assert "not i2b2 2012" in sentence
    for split in ("train", "test"):
        typed = counted[split]["TLINK"] - counted[split]["TLINK without a type"]
        assert 0.45 < counted[split][section_times.SECTION] / typed < 0.51
        assert counted[split][profile.REPAIRED] == 1
    assert counted["test"]["TLINK DURING"] == 0 < counted["train"]["TLINK DURING"]
    assert counted["train"]["id Sectime..."] and counted["test"]["id SECTIME..."]
    assert counted["train"]["end Discharge, no id"] and counted["test"]["end Discharge, no id"]
    assert (counted["train"]["documents without a SECTIME"], counted["train"]["documents with one SECTIME"]) == (1, 2)


def test_e3c_is_not_taken_for_it(shared):
    train, test = (read_split(str(shared / "e3c" / place)) for place in (TRAIN_XML, TEST_XML))
    counted, names = counts_and_names(Corpus(None, train, test, {}))
    assert len(profile.verdict(counted, names)) == 1


def test_notes_that_are_numbered_from_one_are_not_taken_for_it():
    numbered = {"train": [str(number) for number in range(310)], "test": []}
    assert not profile.is_i2b2(numbered)
    assert not profile.is_i2b2(dict(numbered, train=[str(number) for number in range(1000)]))


# ------------------------------------------------------------------------------------------------------- i2b2 2012

def whole(split, **changes):
    """Counts and names of a split as published; `changes` of counts, by name."""
    counted = dict.fromkeys(profile.NAMES, 0)
    counted.update(profile.PUBLISHED[split], **{"TLINK BEFORE": 1})
    if split == "train":
        counted["TLINK DURING"] = 1
    others = (str(number) for number in range(1000, 2000))
    names = list(profile.NAMED[split])
    names += [next(others) for _ in range(profile.PUBLISHED[split]["documents"] - len(names))]
    return dict(counted, **changes), names


def verdict_of(train=None, test=None, test_gold="merged"):
    (train_counts, train_names), (test_counts, test_names) = train or whole("train"), test or whole("test")
    return profile.verdict({"train": train_counts, "test": test_counts}, {"train": train_names, "test": test_names}, test_gold)


def without(split, names, **changes):
    counted, present = whole(split, **changes)
    return dict(counted, documents=counted["documents"] - len(names)), [name for name in present if name not in names]


def test_the_whole_corpus_is_as_published():
    assert verdict_of() == ["training documents: as published", "test documents: as published"]
    # Publications differ as much among themselves.
    assert verdict_of(whole("train", TLINK=33767), whole("test", TLINK=27735)) == verdict_of()


def test_the_published_counts_add_up():
    for published in profile.PUBLISHED.values():
        merged = sum(published[f"merged {label}"] for label in ("BEFORE", "AFTER", "OVERLAP"))
        assert 0 <= published["TLINK"] - merged - published["TLINK without a type"] <= 14
    assert sum(profile.PUBLISHED["test"][kind] for kind in section_times.KINDS[:4]) == 27735
    assert not set(profile.NAMED["train"]) & set(profile.NAMED["test"])


def test_what_differs_is_told_with_what_is_published():
    first, second = verdict_of(whole("train", EVENT=16400, TIMEX3=2360))
    assert first == "training documents: differ from what is published: EVENT 16,400 (16,468), TIMEX3 2,360 (2,366)"
    assert second == "test documents: as published"


@pytest.mark.parametrize("arguments, words", [
    (dict(train=without("train", profile.OFTEN_HELD_OUT, EVENT=15700)), ["documents 181 (190)", "for development"]),
    (dict(train=without("train", profile.ILL_FORMED["train"], **{profile.REPAIRED: 0})),
     ["documents 182 (190)", "8 of the 8 that are not well-formed XML are not there (23, 143, 152, 272, 382, ...)"]),
    (dict(test=without("test", profile.ILL_FORMED["test"][:2], **{profile.REPAIRED: 4})),
     ["documents 118 (120)", "2 of the 6 that are not well-formed XML are not there (53, 397)"]),
    (dict(train=whole("train", **{"TLINK DURING": 0})), ["merged files", TRAIN_XML]),
    (dict(test=whole("test", **{"TLINK DURING": 7})), ["merged_xml holds all eight types, as ground_truth/unmerged_xml should"]),
    (dict(test_gold="unmerged"), ["unmerged_xml holds three types, as ground_truth/merged_xml should"]),
    (dict(train=whole("train", **{profile.REPAIRED: 3})), ["5 files", "rewritten"]),
    (dict(train=whole("test"), test=whole("train")),
     ["known as test documents (21, 31, 53, 222, 276, ...)", "as training documents"])])
def test_what_a_difference_may_come_from(arguments, words):
    sentences = verdict_of(**arguments)
    for word in words:
        assert any(word in sentence for sentence in sentences), sentences
    assert len(sentences) <= 4


def test_the_eight_types_of_the_unmerged_test_documents_are_right_where_they_were_asked_for():
    assert verdict_of(test=whole("test", **{"TLINK DURING": 7}), test_gold="unmerged") == verdict_of()


def test_the_table_shows_published_counts_and_what_occurs():
    counted = {"train": whole("train")[0], "test": whole("test")[0]}
    header, rows = profile.table(counted, True)
    cells = {row[0]: row[1:] for row in rows}
    assert header == ["", "train", "published", "test", "published"] and cells["TLINK"] == ["33,781", "33,781", "27,736", "27,736"]
    assert cells[section_times.TIME_TIME] == ["0", "-", "214", "214"] and "TLINK ENDED_BY" not in cells
    header, rows = profile.table(counted, False)
    assert header == ["", "train", "test"] and all(len(row) == 3 for row in rows)


# -------------------------------------------------------------------------------------------- check, run.json, test_gold

def test_check_shows_the_profile_and_which_test_gold_there_is(sample, capsys):
    counted, _ = counts_and_names(sample)
    I2B2.tell_profile(sample, counted)
    said = capsys.readouterr().out
    assert "published" not in said and said.count("profile: ") == 1
    assert ["EVENT", "768", "252"] in [line.split() for line in said.split("\n")]
    assert "3 types of TLINK; --set test_gold=unmerged takes ground_truth/unmerged_xml" in said


def test_check_says_that_there_is_no_other_test_gold(sample, corpus):
    folder = CorpusFolder(str(corpus))
    assert about_test_gold(sample._replace(folder=folder)).endswith("; there is no other")


def test_a_profile_is_counts_alone_and_ready_for_json(sample):
    counted, _ = counts_and_names(sample)
    assert json.loads(json.dumps(counted)) == counted
    assert all(type(count) is int for split in counted.values() for count in split.values())


def test_the_unmerged_test_documents_are_read_where_they_are_asked_for(project, tmp_path, capsys):
    import shutil
    shutil.copytree(str(project / "corpus" / "sample"), str(tmp_path / "corpus"))
    read = {gold: read_corpus(CorpusFolder(str(tmp_path / "corpus"), gold), Settings(test_gold=gold))
            for gold in ("merged", "unmerged")}
    assert {example.label for example in read["unmerged"].test.examples} == set(LABELS)
    assert {example.label for example in read["merged"].test.examples} == {"BEFORE", "AFTER", "OVERLAP"}
    labels = [line.split("\t")[3] for line in (tmp_path / "corpus" / "test.txt").read_text(encoding="utf-8").splitlines()]
    assert labels == [example.label for example in read["unmerged"].test.examples]
    assert read["merged"].fingerprint["train"] == read["unmerged"].fingerprint["train"]
    assert read["merged"].fingerprint["test"] != read["unmerged"].fingerprint["test"]
    assert "test_gold=unmerged: the test documents are those of" in capsys.readouterr().out
