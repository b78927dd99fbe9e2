"""What the readers bear of the i2b2 2012 corpus: its slips, its spellings, and where its mentions stand in the text."""
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import data_process_i2b2 as data
from inputs import mentions
from inputs.labels import LABELS

NOTE = """
Admission Date :
2001-03-02
Discharge Date :
2001-03-09
He had Crohn&apos;s disease , &quot; burning &quot; pain
on the left , and 5 5 5 .
"""


def xml(tags, note=NOTE):
    """An i2b2 document as the release writes it."""
    return ('<?xml version="1.0" encoding="UTF-8" ?>\n<ClinicalNarrativeTemporalAnnotation>\n'
            f"<TEXT><![CDATA[{note}]]></TEXT>\n<TAGS>\n" + "\n".join(tags) + "\n</TAGS>\n</ClinicalNarrativeTemporalAnnotation>\n")


def read(tags, note=NOTE, entities="decoded"):
    return data.parse_document(xml(tags, note), "1", entities)


def event(id_="E0", start=0, end=0, text="pain", type_="PROBLEM", modality="FACTUAL"):
    return (f'<EVENT id="{id_}" start="{start}" end="{end}" text="{text}" modality="{modality}" polarity="POS" '
            f'type="{type_}" />')


def spanning(words, raw=None, id_="E0", shift=0, note=NOTE):
    """An EVENT on some words of the note, its offsets off by `shift`; `raw`: its text attribute."""
    start = note.index(words) + shift
    return event(id_, start, start + len(words), words.replace("\n", " ") if raw is None else raw)


def tlink(from_id="E0", to_id="E1", type_="BEFORE", id_="TL0", from_text="pain", to_text="fever"):
    return f'<TLINK id="{id_}" fromID="{from_id}" fromText="{from_text}" toID="{to_id}" toText="{to_text}" type="{type_}" />'


def words_at(document, identifier="E0"):
    """The words that the note has at the place found for a mention."""
    begin, end = mentions.spans(document)[identifier]
    return document.text[begin:end]


@pytest.mark.parametrize("words, shown", [("&amp;", "&amp;"), ("&amp; x", "&amp; x"), ("x &amp;", "x &amp;"), ("&", "&")])
def test_an_entity_is_covered_whole(words, shown):
    """Whatever the note writes for an ampersand, the span is all of it."""
    text = f" a {words} b"
    document = data.Document("1", text, (data.Mention("EVENT", "E0", 99, 99, words.replace("&amp;", "&"), "PROBLEM", {}),), ())
    assert words_at(document) == shown


# ------------------------------------------------------------------------------------------------------ the files

@pytest.mark.parametrize("raw", ["the L&D unit", "an I&D", "A&Ox3", "Lee & Sons", "AT&T;", "R&amp;D", "&", "H&", "&&"])
@pytest.mark.parametrize("entities", ["upstream", "decoded"])
def test_raw_ampersands_in_attributes_are_read(raw, entities):
    document = read([event(text=raw), event("E1", text="fever"), tlink(from_text=raw)], entities=entities)
    expected = raw.replace("&amp;", "&") if entities == "decoded" else data.replace_ampersands(raw)
    assert document.mentions[0].text == document.tlinks[0].from_text == expected
    assert [example.label for example in data.examples(document)] == ["BEFORE"]


def test_stand_off_files_beside_the_documents_are_passed_over(tmp_path):
    for ending in (".xml.txt", ".xml.extent", ".xml.tlink"):
        (tmp_path / ("1" + ending)).write_text("no XML")
    (tmp_path / "1.xml").write_text(xml([event()]), encoding="utf-8")
    assert [document.name for document in data.read_folder(tmp_path)] == ["1"]


def test_other_characters_than_ascii(tmp_path):
    note = "\n1\u20442 tablet of\xa0Aspirin for pain .\n"
    (tmp_path / "1.xml").write_bytes(xml([spanning("1\u20442 tablet", note=note),
                                          spanning("of\xa0Aspirin", "of Aspirin", "E1", note=note)], note).encode("utf-8"))
    document = data.read_document(tmp_path / "1.xml", "decoded")
    assert (words_at(document), words_at(document, "E1")) == ("1\u20442 tablet", "of\xa0Aspirin")


# ---------------------------------------------------------------------------------------------------------- places

@pytest.mark.parametrize("words, raw", [
    ("Crohn&apos;s disease", "Crohn&apos;s disease"), ("Crohn&apos;s disease", "Crohn's disease"),
    ("Crohn&apos;s disease", "Crohn&amp;apos;s disease"), ("&quot; burning &quot; pain", "&quot; burning &quot; pain"),
    ("&quot; burning", "&#34; burning")])
@pytest.mark.parametrize("shift", [0, -1, 5, -10, 40])
def test_an_entity_of_the_text_is_the_character_of_the_attribute(words, raw, shift):
    assert words_at(read([spanning(words, raw, shift=shift)])) == words


@pytest.mark.parametrize("entity, character", [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")])
def test_every_entity_counts(entity, character):
    note = f"\nH {entity} H was {character} 5 .\n"
    raw = {"&": "H &amp; H", "<": "H &lt; H", ">": "H > H"}[character]
    assert words_at(read([spanning(f"H {entity} H", raw, shift=3, note=note)], note)) == f"H {entity} H"


def test_offsets_of_a_text_in_which_entities_were_decoded():
    """Each entity before a mention shifts it by five; the words tell the same mention from the others of its text."""
    note = "\n&quot; pain &quot; or pain , &quot; pain &quot; , pain .\n"
    starts = [place for place in range(len(note)) if note.startswith("pain", place)]
    tags = [event(f"E{number}", start - 5 * note.count(";", 0, start), start + 4, "pain") for number, start in enumerate(starts)]
    assert [mentions.spans(read(tags, note))[f"E{number}"][0] for number in range(4)] == starts


def test_a_mention_broken_over_two_lines():
    assert words_at(read([spanning("pain\non the left", shift=7)])) == "pain\non the left"


@pytest.mark.parametrize("note, shift", [(NOTE.replace("\n", "\r\n"), 0), (NOTE.lstrip("\n"), 1), (NOTE.lstrip("\n"), 0)])
def test_line_breaks_counted_as_two_or_not_at_all(note, shift):
    tags = [spanning(words, id_=f"E{number}", shift=shift, note=note)
            for number, words in enumerate(("Admission", "Discharge", "burning", "left"))]
    document = read(tags, note)
    assert [words_at(document, f"E{number}") for number in range(4)] == ["Admission", "Discharge", "burning", "left"]


@pytest.mark.parametrize("date", ["03/09/01", "03-09-01", "20010309"])
@pytest.mark.parametrize("start, end", [(46, 56), (44, 54), (43, 53), (45, 55), (48, 58), (44, 52)])
def test_section_times_off_by_some_characters(date, start, end):
    note = NOTE.replace("2001-03-02", date.replace("9", "2")).replace("2001-03-09", date)
    document = read([f'<SECTIME id="S1" start="{start}" end="{end}" text="{date}" type="DISCHARGE" dvalue="2001-03-09" />'], note)
    assert words_at(document, "S1") == date


def test_a_section_time_that_is_off_shifts_no_other_mention():
    note = NOTE.replace("2001-03-09", "20010309")
    second = note.index("5 5 5") + 2
    document = read([spanning("Admission", id_="E9"), event(start=second, end=second + 1, text="5"),
                     '<SECTIME id="S1" start="48" end="58" text="20010309" type="DISCHARGE" dvalue="2001-03-09" />'], note)
    assert mentions.spans(document)["E0"] == (second, second + 1)


def test_a_span_that_does_not_fit_its_text():
    assert words_at(read([spanning("burning", shift=3)])) == "burning"
    assert mentions.spans(read([event(start=9000, end=9004, text="not in the note")])) == {}


@pytest.mark.parametrize("shift", [0, 1, 5])
def test_a_span_whose_words_are_nowhere_is_counted_as_the_mention_before(shift):
    """The corpus' offsets count from 0 where the line break before the text counts, ours of E3C from 1."""
    document = read([spanning("Admission", id_="E9", shift=shift), spanning("burning", "not in the note", shift=shift)])
    assert words_at(document) == "burning"


# -------------------------------------------------------------------------------------------------- ids and values

def test_of_repeated_ids_the_first_in_the_file_counts():
    """Whatever stands first in the text."""
    document = read([spanning("left"), spanning("burning"), tlink(id_="TL7"), tlink("E1", "E0", "AFTER", id_="TL7")])
    assert words_at(document) == "left"
    assert [(example.guid, example.label) for example in data.examples(document)] == [("1_TL7", "BEFORE"), ("1_TL7", "AFTER")]


def test_a_mention_without_an_id_is_no_end_of_a_link():
    found = mentions.located(read([event("", 8, 12)]))
    assert mentions.end_of("", found) == mentions.Located(mentions.MENTION_TYPES.index(mentions.UNKNOWN))


@pytest.mark.parametrize("kind, expected", [("", ("EVENT", "")), ("SYMPTOM", ("EVENT", "")), ("Problem ", ("EVENT", "PROBLEM"))])
def test_types_of_events_that_are_empty_unknown_or_of_another_case(kind, expected):
    document = read([spanning("burning").replace('"PROBLEM"', f'"{kind}"')])
    assert mentions.MENTION_TYPES[mentions.located(document)["E0"].type] == expected


def test_links_without_a_type_are_read_and_left_out():
    document = read([tlink(type_=""), tlink(type_=" "), tlink(type_="AFTER")])
    assert [link.type for link in document.tlinks] == ["", "", "AFTER"]
    assert [example.label for example in data.examples(document)] == ["AFTER"]


@pytest.mark.parametrize("label", LABELS)
def test_types_of_links_in_any_case(label):
    spellings = (label, label.lower(), label.title(), label.capitalize(), f" {label} ")
    assert {link.type for link in read([tlink(type_=spelling) for spelling in spellings]).tlinks} == {label}


@pytest.mark.parametrize("identifier", ["Sectime0", "SECTIME0", "sectime0", "TL10"])
def test_ids_of_links_stay_as_they_are(identifier):
    assert data.examples(read([tlink(id_=identifier)]))[0].guid == f"1_{identifier}"


@pytest.mark.parametrize("identifier", ["Discharge", "DISCHARGE", "discharge", "Discharge "])
def test_literal_ends(identifier):
    document = read([event(), tlink(to_id=identifier, to_text="Discharge")])
    kind = mentions.MENTION_TYPES.index(("SECTIME", "DISCHARGE"))
    assert mentions.end_of(identifier, mentions.located(document)) == mentions.Located(kind)
    assert data.examples(document)[0].target == "pain Discharge"
    sectime = '<SECTIME id="S1" start="46" end="56" text="2001-03-09" type="DISCHARGE " dvalue="2001-03-09" />'
    begin = NOTE.index("2001-03-09")
    assert (mentions.end_of(identifier, mentions.located(read([sectime])))
            == mentions.Located(kind, (begin, begin + 10)))


def test_ends_that_no_tag_has():
    document = read([event(), tlink(to_id="E99"), tlink(from_id="", to_id="E0", id_="TL1")])
    assert [(example.from_id, example.to_id) for example in data.examples(document)] == [("E0", "E99"), ("", "E0")]
    assert mentions.end_of("E99", mentions.located(document)) == mentions.Located(mentions.MENTION_TYPES.index(mentions.UNKNOWN))


@pytest.mark.parametrize("value", ["1993-0907T14:30", "2017-07-012", "2013-03-25T 24:00", "210-08-26", "P5S", "P8H", "rpt1h",
                                   "p24h", "p2m", "P1.D", ""])
@pytest.mark.parametrize("mod", ["NA", "MIDDLE ", ""])
def test_values_and_mods_stay_as_they_are(value, mod):
    document = read([f'<TIMEX3 id="T0" start="18" end="28" text="2001-03-02" type="DATE" val="{value}" mod="{mod}" />'])
    assert (document.mentions[0].attributes["val"], document.mentions[0].attributes["mod"]) == (value, mod)
    assert words_at(document, "T0") == "2001-03-02"


def test_modality_hypothetical():
    assert read([event(modality="HYPOTHETICAL")]).mentions[0].attributes["modality"] == "HYPOTHETICAL"


def test_documents_without_section_times_or_with_one():
    sectime = '<SECTIME id="S0" start="18" end="28" text="2001-03-02" type="ADMISSION" dvalue="2001-03-02" />'
    for tags, expected in (([], []), ([sectime], ["S0"])):
        document = read(tags + [tlink()])
        assert [mention.id for mention in document.mentions] == expected and len(data.examples(document)) == 1


@given(note=st.text("aAbß ı&;'\n\t", max_size=12), begin=st.integers(0, 9), length=st.integers(0, 5),
       other=st.none() | st.text("aA &'\n", max_size=3), drift=st.integers(-1, 2))
def test_words_to_the_letter_are_found_where_the_comparison_of_words_finds_them(note, begin, length, other, drift):
    start, words = begin + 1 - drift, note[begin:begin + length] if other is None else other
    mention = data.Mention("EVENT", "E0", start, start + length, words, "", {})
    with mock.patch.object(mentions, "stands_at", return_value=False):
        expected = mentions.locate(note, mention, drift)
    assert mentions.locate(note, mention, drift) == expected
