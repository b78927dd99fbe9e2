"""Where mentions are, which pairs are linked, and the order that links imply."""
import re

import pytest
from hypothesis import given, strategies

from data_process_i2b2 import Document, Mention, Tlink
from evaluation.temporal_graph import BEFORE, OVERLAP, reduce_links
from inputs import mentions, sentences
from inputs.labels import LABELS, MERGE
from notes import candidates, timeline

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
    assert sections == {("E0", "S0"), ("E1", "S0"), ("E2", "S0"), ("E3", "S1"), ("E4", "S1"), ("E5", "S1")}
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
    assert {pair.to_id for pair in candidates.pairs(document._replace(mentions=events + only), "sections")} == {"S1"}
    unheaded = document._replace(text=NOTE.replace("HOSPITAL COURSE", "FURTHER  REPORT"))
    assert {pair.to_id for pair in candidates.pairs(unheaded, "sections")} == {"S0"}


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
       strategies.lists(strategies.sampled_from(["2001", "2001-03", "2001-03-04", "2002-01", "P3D"]), min_size=3, max_size=3))
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


def test_values_that_are_dates():
    dates = ("2001", "2001-03", "2001-03-02", "2001-03-02T14:00", "2001-03-02TMO")
    assert all(re.match(timeline.DATE, value) for value in dates)
    assert not any(re.match(timeline.DATE, value) for value in ("P3D", "R2", "", "2001-3-2", "20010302"))
