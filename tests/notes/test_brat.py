"""Notes with brat's annotations: what is read of them, what is refused, and the relations that are written back."""
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_process_i2b2 import one_line, read_document
from evaluation.system_xml import system_document
from helpers import run
from inputs import mentions
from inputs.labels import LABELS
from notes import answering, brat
from support.errors import InputError

TEXT = "Admission Date :\n03/02/2001\nchest pain & a fever , then surgery on 03/04/2001 .\n"


def bound(identifier, kind, words, start=None):
    begin = TEXT.index(words, start or 0)
    return f"{identifier}\t{kind} {begin} {begin + len(words)}\t{one_line(words)}\n"


ANNOTATIONS = (bound("T1", "Problem", "chest pain") + bound("T2", "TREATMENT", "surgery") + bound("T3", "Date", "03/04/2001")
               + bound("T4", "Drug", "fever") + bound("T5", "Admission", "03/02/2001") + "E1\tTREATMENT:T2\n"
               + "A1\tNegation T1\n#1\tAnnotatorNotes T1\ta remark\n*\tEquiv T1 T4\n")


def parsed(annotations, text=TEXT):
    return brat.parse(text, annotations, "note", "note.ann")


def test_events_and_times_are_known_by_their_types():
    annotated, unread = parsed(ANNOTATIONS)
    found = [(mention.id, mention.tag, mention.type, mention.text) for mention in annotated.document.mentions]
    assert found == [("E0", "EVENT", "PROBLEM", "chest pain"), ("E1", "EVENT", "TREATMENT", "surgery"),
                     ("T0", "TIMEX3", "DATE", "03/04/2001"), ("S0", "SECTIME", "ADMISSION", "03/02/2001")]
    assert dict(unread) == {"Drug": 1, "Negation": 1}
    spans = mentions.spans(annotated.document)
    assert {annotated.document.text[slice(*spans[identifier])] for identifier, *_ in found} == {words for *_, words in found}


def test_relations_are_links_and_others_are_counted():
    relations = "R1\tBefore Arg1:T1 Arg2:E1\nR2\tCAUSES Arg1:T1 Arg2:T2\nR3\tOVERLAP Arg1:T4 Arg2:T1\n"
    annotated, unread = parsed(ANNOTATIONS + relations)
    assert [tlink[:6] for tlink in annotated.document.tlinks] == [("TL0", "E0", "chest pain", "E1", "surgery", "BEFORE")]
    assert unread["CAUSES"] == 1 and unread["OVERLAP of something else"] == 1


@pytest.mark.parametrize("line", ["T1\tProblem 0 5\tchest", "T1\tProblem 90 500\tchest pain", "T1\tProblem 9 9\t",
                                  "T1\tProblem 27 32;0 3\tpain chest"])
def test_an_annotation_that_does_not_fit_the_text_is_refused(line):
    with pytest.raises(InputError, match="note.ann: line 1: the text has other words"):
        parsed(line)


def test_an_id_twice_is_refused():
    with pytest.raises(InputError, match="line 2 repeats the id T1"):
        parsed(bound("T1", "Problem", "chest pain") + bound("T1", "Problem", "fever"))


def test_a_discontinuous_annotation_is_the_stretch_that_holds_it():
    begin, end = TEXT.index("chest"), TEXT.index("fever")
    annotated, _ = parsed(f"T1\tPROBLEM {begin} {begin + 5};{end} {end + 5}\tchest fever")
    assert annotated.document.mentions[0].text == "chest pain & a fever"


@given(st.text(alphabet="ab é\n.", min_size=1, max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 9)), max_size=6))
def test_what_is_written_back_is_read_again(text, places):
    lines = [f"T{number}\tEVENT {begin} {begin + size}\t{one_line(text[begin:begin + size])}\n"
             for number, (begin, size) in enumerate(places) if begin + size <= len(text)]
    annotated, unread = parsed("".join(lines), text)
    ids = [mention.id for mention in annotated.document.mentions]
    assert not unread and len(set(ids)) == len(lines)
    tlinks = [brat.Tlink("TL0", one, "", other, "", LABELS[number % 8])
              for number, (one, other) in enumerate(zip(ids, ids[1:]))]
    written, left_out = brat.with_relations(annotated, tlinks + [brat.Tlink("SECTIME0", "E0", "", "Discharge", "", "BEFORE")])
    assert left_out == 1 and written.startswith("".join(lines))
    again, _ = parsed(written, text)
    assert [(tlink.from_id, tlink.to_id, tlink.type) for tlink in again.document.tlinks] == [
        (tlink.from_id, tlink.to_id, tlink.type) for tlink in tlinks]


def test_a_literal_end_is_the_annotation_of_its_section_time():
    annotated, _ = parsed(ANNOTATIONS)
    ends = [brat.Tlink(f"SECTIME{number}", "E0", "", end, "", "BEFORE") for number, end in enumerate(("Admission", "Discharge"))]
    written, left_out = brat.with_relations(annotated, ends)
    assert left_out == 1 and written.endswith("R1\tBEFORE Arg1:T1 Arg2:T5\n")


def test_new_relations_are_numbered_after_those_that_are_there():
    annotated, _ = parsed(ANNOTATIONS + "R7\tCAUSES Arg1:T1 Arg2:T2\n")
    written, _ = brat.with_relations(annotated, [brat.Tlink("TL0", "E0", "", "E1", "", "AFTER")])
    assert written.endswith("R7\tCAUSES Arg1:T1 Arg2:T2\nR8\tAFTER Arg1:T1 Arg2:T2\n")


def test_predict_answers_in_brats_own_format(model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "in" / "note.ann").write_text(ANNOTATIONS, encoding="utf-8")
    finished = run("run_i2b2.py", "predict", tmp_path / "in" / "note.txt", "--result", model[1], "--out", tmp_path / "out",
                   "--page")
    assert "not read: 1 Drug, 1 Negation" in finished.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["note.ann", "note.html", "note.tsv", "note.xml"]
    written = (tmp_path / "out" / "note.ann").read_text(encoding="utf-8")
    assert written.startswith(ANNOTATIONS)
    relations = re.findall(r"^R\d+\t(\w+) Arg1:(T\d) Arg2:(T\d)$", written, flags=re.MULTILINE)
    assert relations and {label for label, _, _ in relations} <= set(LABELS)
    links = (tmp_path / "out" / "note.xml").read_text(encoding="utf-8").count("<TLINK")
    told = re.search(r"(\d+) TLINKs? to a time", finished.stdout)
    assert len(relations) + (int(told.group(1)) if told else 0) == links


def test_text_alone_is_refused_with_both_ways(model, tmp_path):
    (tmp_path / "note.txt").write_text(TEXT, encoding="utf-8")
    finished = run("run_i2b2.py", "predict", tmp_path / "note.txt", "--result", model[1], "--out", tmp_path / "out", check=False)
    assert finished.returncode == 1 and "note.ann is not there" in finished.stderr and "i2b2 XML" in finished.stderr


# ------------------------------------------------------------------------------------------------------ brat's annotations

def test_predict_does_not_write_over_the_annotations_it_reads(tmp_path):
    (tmp_path / "n.txt").write_text("Fever , then pain .\n")
    (tmp_path / "n.ann").write_text("")
    with pytest.raises(InputError, match="would overwrite one"):
        answering.output_names([str(tmp_path / "n.txt")], str(tmp_path))


def test_characters_that_xml_cannot_hold_become_blanks_and_offsets_stay(tmp_path):
    (tmp_path / "n.txt").write_text("Fever\x0c.\n\x00\x1f\ufffe pain .\n", encoding="utf-8")
    (tmp_path / "n.ann").write_text("T1\tPROBLEM 0 5\tFever\nT2\tPROBLEM 12 16\tpain\n")
    found = brat.read(str(tmp_path / "n.txt"), "n")
    (tmp_path / "n.xml").write_text(system_document(found.document, [], with_text=True), encoding="utf-8")
    again = read_document(str(tmp_path / "n.xml"), "decoded")
    assert [(mention.start, mention.text) for mention in again.mentions] == [(1, "Fever"), (13, "pain")]
    assert again.text == found.document.text


def test_what_is_not_read_is_counted_without_words_of_the_note(tmp_path, capsys):
    (tmp_path / "n.txt").write_text("Fever , then pain .\n")
    lines = ["T1 PROBLEM 13 17\tpain", "x\tJohnson complains", "A1\tNegation T1", f"T2\tPROBLEM 0 {'1' * 5001}\tFever",
             "R1\tCAUSES Arg1:T1 Arg2:T2"]
    (tmp_path / "n.ann").write_text("\n".join(lines) + "\n")
    brat.read(str(tmp_path / "n.txt"), "n")
    assert "not read: 1 CAUSES, 1 Negation, 1 PROBLEM, 2 line of another form" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_blank_annotations_are_none(content, tmp_path):
    (tmp_path / "n.txt").write_text("Fever .\n")
    (tmp_path / "n.ann").write_text(content)
    assert brat.read(str(tmp_path / "n.txt"), "n").document.mentions == ()
