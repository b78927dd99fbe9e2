"""Where mentions are, which pairs are linked, and the order that links imply."""
import re

import numpy as np
import pytest
from hypothesis import given, strategies

from data_process_i2b2 import Document, Mention, Tlink
from evaluation.temporal_graph import BEFORE, OVERLAP, reduce_links
from inputs import mentions, sentences
from inputs.labels import LABELS, MERGE
from notes import candidates, timeline, timeline_page
from notes.answering import answer, read_note

NOTE = """
Admission Date :
2001-03-02
Discharge Date :
2001-03-09
HISTORY OF PRESENT ILLNESS :
He had a cough since 2001-02-20 . Dr. Who saw a rash .
PAST HISTORY :
Old stroke .
HOSPITAL COURSE :
A severe fever came on 2001-03-04 .
It fell .
He went home .
"""


def note(words="cough rash stroke fever fell home", times=("2001-02-20", "2001-03-04"), shift=1, drift=0):
    """NOTE with its mentions, whose offsets count from `shift` - 1, those after the first off by `drift` more."""
    def mention(number, tag, identifier, text, kind, **attributes):
        start = NOTE.index(text) + shift + (drift if number else 0)
        return Mention(tag, identifier, start, start + len(text), text, kind, attributes)
    mentions = [mention(number, "EVENT", f"E{number}", word, "PROBLEM") for number, word in enumerate(words.split())]
    mentions += [mention(0, "TIMEX3", f"T{number}", text, "DATE", val=text) for number, text in enumerate(times)]
    mentions += [mention(0, "SECTIME", "S0", "2001-03-02", "ADMISSION", dvalue="2001-03-02"),
                 mention(0, "SECTIME", "S1", "2001-03-09", "DISCHARGE", dvalue="2001-03-09")]
    return Document("D", NOTE, tuple(mentions), ())


# ------------------------------------------------------------------------------------------------------- places

@pytest.mark.parametrize("shift, drift", [(0, 0), (1, 0), (2, 0), (1, 3), (1, -7)])
def test_mentions_are_found_where_the_file_counts_otherwise_and_where_it_drifts(shift, drift):
    document = note(shift=shift, drift=drift)
    spans = mentions.spans(document)
    assert {identifier: NOTE[begin:end] for identifier, (begin, end) in spans.items()} == {
        mention.id: mention.text for mention in document.mentions}


def test_a_mention_whose_words_are_nowhere_stays_where_its_offsets_say_or_has_no_place():
    added = (Mention("EVENT", "E7", 30, 40, "not there", "", {}), Mention("EVENT", "E8", 9000, 9010, "not there", "", {}),
             Mention("EVENT", "E9", None, 3, "not there", "", {}))
    spans = mentions.spans(Document("D", NOTE, note().mentions + added, ()))
    assert spans["E7"] == (29, 39) and "E8" not in spans and "E9" not in spans


# --------------------------------------------------------------------------------------------------- candidates

def test_sentences_end_at_line_breaks_and_full_stops_but_not_in_abbreviations():
    text = "Plan :\n1 . Rest at home , t.i.d. if needed. He agreed ! (He did.) Dr. A. Who came , T 38.5 .\n\nEnd"
    starts = sentences.sentence_starts(text)
    assert [" ".join(text[begin:end].split()) for begin, end in zip(starts, starts[1:] + [None])] == [
        "Plan :", "1 . Rest at home , t.i.d. if needed.", "He agreed !", "(He did.)", "Dr. A. Who came , T 38.5 .", "End"]


def test_pairs_are_those_of_a_sentence_and_its_neighbour_and_of_events_with_their_section():
    document = note()
    near = {pair[1:] for pair in candidates.pairs(document, "near")}
    assert near == {("E0", "T0"), ("E0", "E1"), ("E1", "T0"), ("E3", "T1"), ("E3", "E4"), ("E4", "T1"), ("E4", "E5")}
    sections = {pair[1:] for pair in candidates.pairs(document, "sections")}
    assert sections == {("E0", "Admission"), ("E1", "Admission"), ("E2", "Admission"), ("E3", "Discharge"),
                        ("E4", "Discharge"), ("E5", "Discharge")}, "no TIMEX3 stands on the dates"
    every = candidates.pairs(document)
    assert {pair[1:] for pair in every} == near | sections and len(every) == len(near | sections)
    assert len({pair.tlink for pair in every}) == len(every)
    linked = candidates.linked(document, every[:1], [mention.id for mention in document.mentions])
    assert linked.tlinks == (Tlink(every[0].tlink, "E0", "cough", "T0", "2001-02-20", ""),)


def test_without_section_times_or_a_heading_there_is_less_to_go_by():
    document = note()
    events = tuple(mention for mention in document.mentions if mention.tag == "EVENT")
    assert candidates.pairs(document._replace(mentions=events), "sections") == []
    only = document.mentions[-1:]
    targets = {pair.to_id for pair in candidates.pairs(document._replace(mentions=events + only), "sections")}
    assert targets == {"Admission", "Discharge"}
    unheaded = document._replace(text=NOTE.replace("HOSPITAL COURSE", "FURTHER  REPORT"))
    assert {pair.to_id for pair in candidates.pairs(unheaded, "sections")} == {"Admission"}


def headed(*without):
    """A document as the corpus has them: the headings' words are EVENTs, and their dates are TIMEX3s, as well."""
    document = note(times=("2001-03-02", "2001-03-09", "2001-03-04"))
    words = tuple(Mention("EVENT", identifier, NOTE.index(text) + 1, NOTE.index(text) + 1 + len(text), text, "OCCURRENCE", {})
                  for identifier, text in (("H0", "Admission"), ("H1", "Discharge")))
    return document._replace(mentions=tuple(mention for mention in words + document.mentions if mention.id not in without))


@pytest.mark.parametrize("without, history, course", [
    ((), "T0", "T1"), (("T1", "S1"), "T0", "Discharge"), (("T1",), "T0", "Discharge"), (("S0", "S1"), "T0", "T1"),
    (("T0", "S0"), "Admission", "T1")])
def test_section_links_go_to_the_times_on_the_sectimes_or_to_a_literal_and_never_to_a_sectime(without, history, course):
    document = headed(*without)
    sections = candidates.pairs(document, "sections")
    assert sections == [(f"SECTIME{number}", f"E{number}", history if number < 3 else course) for number in range(6)]
    every = candidates.pairs(document)
    assert every[-6:] == sections and len({pair[1:] for pair in every}) == len(every)
    linked = candidates.linked(document, sections, [mention.id for mention in document.mentions]).tlinks
    texts = dict({"T0": "2001-03-02", "T1": "2001-03-09"}, Admission="Admission", Discharge="Discharge")
    assert linked[0] == Tlink("SECTIME0", "E0", "cough", history, texts[history], "")
    assert linked[5] == Tlink("SECTIME5", "E5", "home", course, texts[course], "")


def test_section_links_are_in_the_order_of_the_text_and_a_pair_is_linked_once():
    # "fever" is in the sentence next to the date that is its section time.
    text = "\nDischarge Date :\n2001-03-09\nHOSPITAL COURSE : fever .\nfell .\n"
    mentions = [Mention(tag, identifier, text.index(words) + 1, None, words, "", {}) for tag, identifier, words in (
        ("EVENT", "E9", "fell"), ("EVENT", "E2", "fever"), ("TIMEX3", "T1", "2001-03-09"))]
    assert candidates.pairs(Document("D", text, tuple(mentions), ())) == [
        ("TL0", "E2", "E9"), ("SECTIME0", "E2", "T1"), ("SECTIME1", "E9", "T1")]


@pytest.mark.parametrize("heading, found", [("HOSPITAL COURSE :", True), ("Brief Hospital Course by system :", True),
                                            ("COURSE IN THE HOSPITAL :", True), ("The hospital course was quiet .", False),
                                            ("SUMMARY OF HOSPITAL COURSE:", True), ("HOSPITAL :", False)])
def test_headings_of_the_hospital_course(heading, found):
    assert bool(candidates.HOSPITAL_COURSE.search(f"\n{heading}\nHe slept .\n")) == found


# ------------------------------------------------------------------------------------------------------ the order

def test_dates_and_links_make_a_timeline():
    document = note()._replace(tlinks=tuple(
        Tlink(f"TL{number}", from_id, "", to_id, "", label) for number, (from_id, to_id, label) in enumerate([
            ("E0", "T0", "OVERLAP"), ("E3", "T1", "AFTER"), ("E4", "E3", "AFTER"), ("E2", "E0", "BEFORE"),
            ("E4", "T0", "BEFORE")])))
    order = timeline.implied(document, [0.9, 0.8, 0.9, 0.7, 0.3])
    assert [[group.ids for group in step] for step in order.dated] == [
        [["E2"]], [["E0", "T0"]], [["S0"]], [["T1"]], [["E3"]], [["E4"]], [["S1"]]]
    boxes = {group.ids[0]: group for step in order.dated for group in step}
    assert boxes["E0"].dates == ["2001-02-20"]
    assert (boxes["E2"].before, boxes["E3"].after, boxes["E3"].before) == ("2001-02-20", "2001-03-04", "")
    assert order.omitted == 1 and order.undated == [] and order.unlinked == ["E1", "E5"]


IDS = strategies.sampled_from([f"E{number}" for number in range(6)] + ["T0", "T1", "T2"])


@given(strategies.lists(strategies.tuples(IDS, IDS, strategies.sampled_from(LABELS)), max_size=9),
       strategies.lists(strategies.sampled_from(["2001", "2001-03", "2001-03-04", "2002-01", "P3D", "2001-03-04T9:30",
                                                 "2001-03-04T10:00", "2001-03-04TMO", "2001-03-03T24:00"]), min_size=3, max_size=3))
def test_nothing_is_shown_before_what_it_is_after(links, values):
    mentions = [Mention("EVENT", f"E{number}", None, None, "x", "", {}) for number in range(6)]
    mentions += [Mention("TIMEX3", f"T{number}", None, None, "x", "DATE", {"val": value}) for number, value in enumerate(values)]
    document = Document("D", "x", tuple(mentions), tuple(Tlink("TL", a, "", b, "", label) for a, b, label in links))
    order = timeline.implied(document, [None] * len(links))
    place = {identifier: (part, number) for part, steps in enumerate((order.dated, order.undated))
             for number, step in enumerate(steps) for group in step for identifier in group.ids}
    assert sorted([*place, *order.unlinked]) == sorted(mention.id for mention in mentions)
    dated = timeline.dated_links(timeline.dates_of(document))
    graph = reduce_links(dated + [(a, b, MERGE[label]) for a, b, label in links])[1]
    assert all(graph.entails(link) for link in dated), "dates never contradict each other"
    boxes = [group.ids for steps in (order.dated, order.undated) for step in steps for group in step]
    for a, b, relation in graph.closure():
        if relation == BEFORE:
            assert place[a][0] == place[b][0] and place[a][1] < place[b][1]
        if relation == OVERLAP:
            assert any(a in ids and b in ids for ids in boxes)
    for step in order.dated:
        assert len(step) == 1 or not any(group.dates for group in step)


# ---------------------------------------------------------------------------------------------- one node for one time

def stay(*sectimes, links=(), timexes=()):
    """A note of a fever, a surgery and a cough; `sectimes` and `timexes` are (id, type or "", date)."""
    text = "\nAdmission Date :\n2001-03-02\nDischarge Date :\n2001-03-09\nFever , surgery , cough .\n"
    mentions = [Mention("EVENT", f"E{number}", text.index(word) + 1, None, word, "PROBLEM", {})
                for number, word in enumerate(("Fever", "surgery", "cough"))]
    mentions += [Mention("TIMEX3", identifier, text.index(date) + 1, None, date, "DATE", {"val": date})
                 for identifier, date in timexes]
    mentions += [Mention("SECTIME", identifier, text.index(date) + 1, None, date, kind, {"dvalue": date})
                 for identifier, kind, date in sectimes]
    tlinks = tuple(Tlink(f"SECTIME{number}", from_id, from_id, to_id, to_id, label)
                   for number, (from_id, to_id, label) in enumerate(links))
    return Document("D", text, tuple(mentions), tlinks)


LITERAL = [("E0", "Admission", "BEFORE"), ("E1", "Admission", "AFTER"), ("E1", "Discharge", "BEFORE"), ("E2", "Discharge", "AFTER")]
S0, S1 = ("S0", "ADMISSION", "2001-03-02"), ("S1", "DISCHARGE", "2001-03-09")
T0, T1 = ("T0", "2001-03-02"), ("T1", "2001-03-09")


@pytest.mark.parametrize("sectimes, timexes, names", [
    ((S0, S1), (), (["S0"], ["S1"])), ((S0, S1), (T0, T1), (["T0", "S0"], ["T1", "S1"])),
    ((S0,), (T0,), (["T0", "S0"], ["Discharge"])), ((), (T0, T1), (["T0"], ["T1"]))])
def test_literal_ends_are_the_section_times(sectimes, timexes, names):
    document = stay(*sectimes, timexes=timexes, links=LITERAL)
    order = timeline.implied(document, [None] * 4)
    assert [[group.ids for group in step] for step in order.dated] == [
        [["E0"]], [names[0]], [["E1"]], [names[1]], [["E2"]]]
    assert order.undated == [] and order.unlinked == [] and order.omitted == 0
    assert order.dated[1][0].dates == ["2001-03-02"] and order.dated[0][0].before == "2001-03-02"


def test_literal_ends_in_a_note_without_dates_are_in_order():
    order = timeline.implied(stay(links=[("E0", "admission", "BEFORE"), ("E2", "DISCHARGE", "AFTER")]), [None] * 2)
    assert [[group.ids for group in step] for step in order.undated] == [[["E0"]], [["Admission"]], [["Discharge"]], [["E2"]]]
    assert order.dated == [] and order.unlinked == ["E1"]


@pytest.mark.parametrize("end", ["DISCHARGE", "Discharge", "discharge"])
def test_the_page_has_a_literal_end_in_any_spelling(end):
    page = timeline_page.page(stay(links=[("E0", end, "BEFORE")]), [None])
    assert ">Discharge<" in page or f">{end}<" in page


def test_links_to_nothing_order_nothing():
    links = [("E0", "", "BEFORE"), ("", "E1", "BEFORE"), ("E2", "E1", "BEFORE")]
    order = timeline.implied(stay(links=links), [None] * 3)
    assert [[group.ids for group in step] for step in order.undated] == [[["E2"]], [["E1"]]] and order.omitted == 0
    assert "E0" in order.unlinked


def test_what_is_known_of_one_name_of_a_time_is_known_of_all():
    links = [("E0", "T0", "BEFORE"), ("E1", "S0", "AFTER"), ("E0", "Admission", "AFTER"), ("T0", "S0", "OVERLAP")]
    order = timeline.implied(stay(S0, S1, timexes=(T0,), links=links), [None] * 4)
    assert [[group.ids for group in step] for step in order.dated][:3] == [[["E0"]], [["T0", "S0"]], [["E1"]]]
    assert order.omitted == 1


def test_the_page_has_one_box_one_mark_and_one_entry_for_a_time():
    links = LITERAL + [("E0", "T0", "BEFORE"), ("E1", "S0", "AFTER")]
    page = timeline_page.page(stay(S0, S1, timexes=(T0, T1), links=links), [None] * 6)
    boxes = re.findall(r'<div class="group">(.*?)</div>', page)
    assert [re.sub("<[^>]*>", " ", box).split() for box in boxes] == [
        ["before", "2001-03-02", "Fever"], ["2001-03-02", "Admission", "2001-03-02"],
        ["after", "2001-03-02,", "before", "2001-03-09", "surgery"], ["2001-03-09", "Discharge", "2001-03-09"],
        ["after", "2001-03-09", "cough"]]
    assert re.findall(r'data-m="([^"]*)">2001-03-0', page) == ["3", "4"], "one mark of one mention for each date of the text"
    assert page.count('<div id="l') == 5 and "5 events and times" in page and "no link" not in page
    assert page.count("<b>before</b>") == 2 * 3 and "undated" not in page and "In no known relation" not in page


NOTE_XML = """<A><TEXT>
Admission Date :
2001-03-02
Fever .
</TEXT><TAGS><EVENT id="E0" start="30" end="35" text="Fever" type="PROBLEM" />
<TIMEX3 id="T0" start="18" end="28" text="2001-03-02" type="DATE" val="2001-03-02" />
<SECTIME id="S0" start="18" end="28" text="2001-03-02" type="ADMISSION" dvalue="2001-03-02" />
{}</TAGS></A>"""


@pytest.mark.parametrize("ends", [("T0", "S0"), ("Admission", "T0"), ("admission", "ADMISSION"), ("S0", "Admission")])
@pytest.mark.parametrize("known", [False, True])
def test_consistent_types_of_links_to_two_names_of_one_time(ends, known):
    types = ("BEFORE" if known else "", "")
    tlinks = [f'<TLINK id="TL{number}" fromID="E0" fromText="" toID="{end}" toText="" type="{label}" />'
              for number, (end, label) in enumerate(zip(ends, types))]
    read = read_note(NOTE_XML.format("".join(tlinks)))
    chances = np.full((2, len(LABELS)), 0.01)
    chances[0, LABELS.index("BEFORE")], chances[1, LABELS.index("AFTER")] = 0.9, 0.6
    log_probabilities = np.log(chances)[1 if known else 0:]
    alone = answer(read, log_probabilities, consistent=False).document()
    assert [tlink.type for tlink in alone.tlinks] == ["BEFORE", "AFTER"]
    together = answer(read, log_probabilities, consistent=True).document()
    assert [MERGE[tlink.type] for tlink in together.tlinks] == ["BEFORE", "BEFORE"]


# ------------------------------------------------------------------------------------------------------------- hours

def clocks(first, second, label=None, confidence=None):
    """The Timeline of two times of which one is linked to the other with a label."""
    mentions = tuple(Mention("TIMEX3", f"T{number}", None, None, "x", "TIME", {"val": value})
                     for number, value in enumerate((first, second)))
    tlinks = (Tlink("TL0", "T0", "x", "T1", "x", label),) if label else ()
    return timeline.implied(Document("D", "x", mentions, tlinks), [confidence] * len(tlinks))


def ids_of(order):
    return [group.ids for step in order.dated for group in step]


@pytest.mark.parametrize("first, second", [("TMO", "TAF"), ("T9:30", "T10:00"), ("T14:00", "T24:00")])
def test_times_of_a_day_are_in_order_unless_an_annotated_link_says_otherwise(first, second):
    first, second = f"2001-03-02{first}", f"2001-03-02{second}"
    assert ids_of(clocks(first, second)) == [["T0"], ["T1"]] and ids_of(clocks(second, first)) == [["T1"], ["T0"]]
    annotated = clocks(first, second, "AFTER")
    assert ids_of(annotated) == [["T1"], ["T0"]] and annotated.omitted == 0
    assert ids_of(clocks(first, second, "OVERLAP")) == [["T0", "T1"]]
    assert clocks(first, second, "AFTER", confidence=1.0).omitted == 1, "a predicted link does not"
    days = clocks("2001-03-02TAF", "2001-03-03TMO", "AFTER")
    assert ids_of(days) == [["T0"], ["T1"]] and days.omitted == 1, "days are surer than any link"


def test_an_annotated_link_is_surer_than_the_most_probable_predicted_one():
    tlinks = tuple(Tlink(f"TL{number}", "E0", "", "E1", "", label) for number, label in enumerate(("AFTER", "BEFORE")))
    order = timeline.implied(stay()._replace(tlinks=tlinks), [1.0, None])
    assert [[group.ids for group in step] for step in order.undated] == [[["E0"]], [["E1"]]] and order.omitted == 1


def test_the_dates_that_a_box_is_between_are_the_nearest_in_time():
    values = ("2001-03-02T9:30", "2001-03-02T10:00", "2001-03-02T11:00", "2001-03-02T9:00")
    mentions = tuple(Mention("TIMEX3", f"T{number}", None, None, "x", "TIME", {"val": value})
                     for number, value in enumerate(values)) + (Mention("EVENT", "E0", None, None, "x", "", {}),)
    tlinks = tuple(Tlink("TL", "E0", "", end, "", "AFTER") for end in ("T0", "T1"))
    order = timeline.implied(Document("D", "x", mentions, tlinks), [None, None])
    (box,) = [group for step in order.dated for group in step if group.ids == ["E0"]]
    assert box.after == "2001-03-02T10:00" and box.before == ""
    assert [name for ids in ids_of(order) for name in ids if name != "E0"] == ["T3", "T0", "T1", "T2"]
