"""What a section link is, and which tags stand for a note's section times."""
import time

import pytest

from data_process_i2b2 import Document, Mention, Tlink
from inputs import section_times

TAGS = {"E0": "EVENT", "E1": "EVENT", "T0": "TIMEX3", "S0": "SECTIME", "Discharge": "EVENT"}


def mention(text, tag, identifier, words, kind="", occurrence=0, shift=0, length=None, **attributes):
    """A mention of some words; `shift` is by how much its span is off, `length` what it is instead of the words'."""
    start = -1
    for _ in range(occurrence + 1):
        start = text.index(words, start + 1)
    start += shift
    return Mention(tag, identifier, start, start + (length or len(words)), words, kind, attributes)


def note(first="03/02/2001", second="03/09/2001", heading=("Admission Date :\n", "Discharge Date :\n"), drop=(), **changes):
    """A note with both dates, each with a SECTIME and a TIMEX3, and both words of the headings as EVENTs.

    `drop` has ids of mentions to leave out, `changes` what to change of a mention by its id.
    """
    text = f"\n{heading[0]}{first}\n{heading[1]}{second}\nHISTORY :\nFever on {first} and {second} .\n"
    words = [head.split()[0] if head.split()[0].lower() != "date" else head.split()[2] for head in heading]
    again = int(first == second)
    made = [mention(text, "EVENT", "E0", words[0], "OCCURRENCE"), mention(text, "EVENT", "E1", words[1], "OCCURRENCE"),
            mention(text, "EVENT", "E2", "Fever", "PROBLEM"), mention(text, "TIMEX3", "T9", first, "DATE", 1 + again, val="x"),
            mention(text, "TIMEX3", "T0", first, "DATE", val="2001-03-02"),
            mention(text, "TIMEX3", "T1", second, "DATE", again, val="2001-03-09"),
            mention(text, "SECTIME", "S0", first, "ADMISSION", dvalue="2001-03-02"),
            mention(text, "SECTIME", "S1", second, "DISCHARGE", again, dvalue="2001-03-09")]
    made = [each._replace(**changes.get(each.id, {})) for each in made if each.id not in drop]
    return Document("D", text, tuple(made), ())


def timexes(document):
    return [time.timex for time in section_times.section_times(document).values()]


# -------------------------------------------------------------------------------------------------- section links

@pytest.mark.parametrize("tlink, from_id, to_id, wanted", [
    ("SECTIME12", "E0", "T0", True), ("Sectime0", "E0", "T0", True), ("TL12", "E0", "T0", False), ("TL0", "E0", "E1", False),
    ("SECTIME3", "E0", "Discharge", True), ("TL3", "E0", "Admission", True), ("TL3", "ADMISSION", "E0", True),
    ("TL3", "E0", "Discharge", False), ("L7", "E0", "S0", True), ("L7", "E0", "T0", False), ("", "E0", "nowhere", False)])
def test_a_section_link_is_known_by_its_id_or_its_end(tlink, from_id, to_id, wanted):
    assert section_times.is_section_link(tlink, from_id, to_id, TAGS) is wanted


# -------------------------------------------------------------------------------------------------- section times

@pytest.mark.parametrize("heading", [("Admission Date :\n", "Discharge Date :\n"), ("ADMISSION DATE:", "DISCHARGE DATE: "),
                                     ("  Admission Date :\n\n", "Discharge Date :\n"), ("Date of Admission :\n",
                                                                                       "Date of Discharge : ")])
def test_the_timex_on_the_words_of_the_sectime(heading):
    document = note(heading=heading)
    times = section_times.section_times(document)
    assert [tuple(time) for time in times.values()] == [("ADMISSION", "S0", "T0"), ("DISCHARGE", "S1", "T1")]
    assert [time.target for time in times.values()] == ["T0", "T1"]
    assert section_times.heading_events(document) == {"E0": "ADMISSION", "E1": "DISCHARGE"}


@pytest.mark.parametrize("first, second", [("03/02/01", "03/09/01"), ("20010302", "20010309"), ("03/02/01", "03/02/01")])
@pytest.mark.parametrize("shifts", [(0, 2), (0, 4), (1, 3), (-1, -2)])
def test_spans_of_sectimes_that_are_two_too_long_and_off(first, second, shifts):
    spans = {}
    for identifier, shift in zip(("S0", "S1"), shifts):
        sectime = section_times.first_mentions(note(first, second))[identifier]
        spans[identifier] = {"start": sectime.start + shift, "end": sectime.start + shift + 10}
    assert timexes(note(first, second, **spans)) == ["T0", "T1"]


def test_by_line_by_text_and_by_value_where_the_sectimes_words_are_not_at_its_span():
    gone = {"text": "2 March", "start": 5000, "end": 5010}
    assert timexes(note(S0=gone)) == ["T0", "T1"], "its line"
    assert timexes(note(drop=("S0",))) == ["T0", "T1"], "its line, without a SECTIME"
    unheaded = ("Admitted\n", "Discharged\n")
    assert timexes(note(heading=unheaded, drop=("S0",))) == ["", "T1"]
    assert timexes(note(heading=unheaded, S0=gone)) == ["T0", "T1"], "its value"
    assert timexes(note(heading=unheaded, S0=dict(gone, attributes={"dvalue": "2001-03-03"}))) == ["", "T1"]
    nowhere = {"start": None, "end": None}
    textless = note(S0=nowhere, S1=nowhere)._replace(text="")
    textless = textless._replace(mentions=tuple(each._replace(start=None, text="") for each in textless.mentions))
    assert timexes(textless) == ["T0", "T1"], "its value, in a document without text"
    by_text = note(heading=unheaded, drop=("T9",), S0=dict(gone, text="03/02/2001"), T0={"attributes": {"val": ""}})
    assert timexes(by_text._replace(text="x")) == ["T0", "T1"], "its text"


def test_a_date_elsewhere_is_not_the_one_on_the_words():
    assert timexes(note(drop=("T0",))) == ["", "T1"], "T9 has the same text and stands in the history"
    assert section_times.section_times(note(drop=("T0",)))["ADMISSION"].target == "Admission"
    assert timexes(note("03/02/2001", "03/02/2001", drop=("T1",))) == ["T0", ""], "T0 stands on the words of the other date"


def test_a_heading_without_a_date_takes_none_from_the_next_heading():
    text = "\nDischarge Date :\nAdmission Date :\n03/02/2001\nFever .\n"
    document = Document("D", text, (mention(text, "TIMEX3", "T0", "03/02/2001", "DATE", val="2001-03-02"),
                                    mention(text, "EVENT", "E0", "Admission"), mention(text, "EVENT", "E1", "Fever")), ())
    assert {kind: time.target for kind, time in section_times.section_times(document).items()} == {
        "ADMISSION": "T0", "DISCHARGE": "Discharge"}
    assert section_times.heading_events(document) == {"E0": "ADMISSION"}
    for odd in ("Admission Date :", "\nThe admission date : 03/02/2001\n", "", "\nAdmission Date :\n \n"):
        assert timexes(document._replace(text=odd, mentions=document.mentions[1:])) == ["", ""]


def test_repeated_ids_and_sectimes_of_no_type():
    document = note()
    again = document.mentions[4]._replace(id="S1", tag="TIMEX3")
    odd = document.mentions[6]._replace(id="S5", type="")
    assert timexes(document._replace(mentions=document.mentions + (again, odd, odd))) == ["T0", "T1"]


def test_one_node_for_each_time():
    tlinks = tuple(Tlink(f"TL{number}", "E2", "Fever", end, end, "BEFORE") for number, end in enumerate(
        ("discharge", "Admission", "DISCHARGE", "T9", "E99")))
    document = note()._replace(tlinks=tlinks)
    nodes = section_times.nodes(document)
    assert nodes == {**{name: name for name in ("E0", "E1", "E2", "T9", "E99")}, "T0": "S0", "S0": "S0", "Admission": "S0",
                     "T1": "S1", "S1": "S1", "discharge": "S1", "DISCHARGE": "S1"}
    nodes = section_times.nodes(note(drop=("S1",))._replace(tlinks=tlinks))
    assert nodes["T1"] == nodes["discharge"] == "T1"
    nodes = section_times.nodes(note(drop=("S1", "T1"))._replace(tlinks=tlinks))
    assert nodes["discharge"] == nodes["DISCHARGE"] == "Discharge"
    event = note(drop=("S1", "T1"), E2={"id": "discharge"})._replace(tlinks=tlinks)
    assert section_times.nodes(event)["discharge"] == "discharge", "an id of a mention is no literal"


@pytest.mark.parametrize("text", ["Admission Date : " * 20000, "\n" * 200000 + " " * 200000, "admission " * 40000,
                                  "Admission Date :\n" * 20000, " " * 200000 + "Admission Date :" + " " * 200000])
def test_the_time_grows_with_the_text(text):
    began = time.time()
    section_times.date_headings(text)
    assert time.time() - began < 2


@pytest.mark.parametrize("text, other, same", [
    ("3/2/&apos;01", "3/2/'01", True), ("3/2/'01", "3/2/&APOS;01", True), ("Mar\n2", "mar 2", True),
    ("&quot; 3/2 &quot;", '" 3/2 "', True), ("A &amp; B", "a & b", True), ("3/2", "3/3", False), ("", "", False)])
def test_words_are_compared_entities_case_and_white_space_aside(text, other, same):
    assert section_times.same_words(text, other) is same
