"""The sample corpus: as its script writes it, like the i2b2 corpus with all its habits, worth training on.

Every habit is looked for in the files, never in what the script knows of them. The table of `docs/sample.md` names, for
each habit, a document and the test here.
"""
import collections
import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from html import unescape
from typing import NamedTuple

import numpy
import pytest

from data_process_i2b2 import escape_stray_ampersands, read_folder
from evaluation.temporal_graph import reduce_links
from helpers import run
from inputs import mentions, sample_corpus, sample_habits, sample_phrases
from inputs.labels import LABELS, MERGED_LABELS, merge
from scoring import tempeval_scores
from support.paths import CorpusFolder

MAXIMUM_BYTES = 1 << 20
TAG = re.compile(r'<(EVENT|TIMEX3|SECTIME|TLINK)((?: \w+="[^"]*")+) />')
ATTRIBUTE = re.compile(r' (\w+)="([^"]*)"')


class File(NamedTuple):
    """A document as it is written: nothing of it is unescaped."""
    name: str
    raw: str      # the whole file
    text: str     # the content of TEXT, from the line break on
    tags: list    # (tag, dict of attributes in order) in the order of the file

    def of(self, *tags):
        """The attributes of the elements of some tags."""
        return [attributes for tag, attributes in self.tags if tag in tags]

    def links(self, section):
        """The section links, or the others."""
        return [link for link in self.of("TLINK") if link["id"].lower().startswith("sectime") == section]

    def slice(self, mention):
        """What the text has where a mention's offsets say."""
        return self.text[int(mention["start"]):int(mention["end"])]

    def heading_time(self, line):
        """The TIMEX3 on a line of the text, from 1; or None."""
        begin = sum(len(each) + 1 for each in self.text.split("\n")[:line])
        return next((time for time in self.of("TIMEX3") if int(time["start"]) == begin), None)


def read_file(path):
    raw = path.read_bytes().decode("utf-8")
    return File(path.stem, raw, re.search(r"<!\[CDATA\[(.*?)\]\]>", raw, re.DOTALL).group(1),
                [(tag, dict(ATTRIBUTE.findall(attributes))) for tag, attributes in TAG.findall(raw)])


@pytest.fixture(scope="module")
def corpus(project):
    return CorpusFolder(str(project / "corpus" / "sample"))


@pytest.fixture(scope="module")
def folders(project):
    """The folders of the training documents and of the test documents with eight and with three types."""
    root = project / "corpus" / "sample"
    return (root / "2012-07-15.original-annotation.release", root / "ground_truth" / "unmerged_xml",
            root / "ground_truth" / "merged_xml")


@pytest.fixture(scope="module")
def train(folders):
    """Name -> File of the training documents."""
    return {path.stem: read_file(path) for path in folders[0].glob("*.xml")}


@pytest.fixture(scope="module")
def unmerged(folders):
    """Name -> File of the test documents with eight types."""
    return {path.stem: read_file(path) for path in folders[1].glob("*.xml")}


@pytest.fixture(scope="module")
def merged(folders):
    """Name -> File of the test documents with three types."""
    return {path.stem: read_file(path) for path in folders[2].glob("*.xml")}


@pytest.fixture(scope="module")
def every(train, unmerged):
    """Name -> File of all documents."""
    return dict(train, **unmerged)


@pytest.fixture(scope="module")
def training(folders):
    return read_folder(folders[0], "decoded")


@pytest.fixture(scope="module")
def test_documents(folders):
    return read_folder(folders[1], "decoded")


def files_below(folder):
    """Relative path -> bytes of the files below a folder that the script writes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.xml*"))}


def labels_of(documents):
    return collections.Counter(link.type for document in documents for link in document.tlinks if link.type)


def names(files, condition):
    """Names of the documents of which something holds."""
    return {name for name, file in files.items() if condition(file)}


def repeated(ids):
    """The ids that occur more than once."""
    return {identifier for identifier, count in collections.Counter(ids).items() if count > 1}


def as_words(text):
    """A text or attribute to compare: entities and white space aside."""
    return " ".join(unescape(text).split())


# ------------------------------------------------------------------------------------------------------ the files

def test_the_script_writes_the_committed_files_to_the_byte(project, tmp_path):
    # Another order of sets and dictionaries must not show.
    environment = dict(os.environ, PYTHONHASHSEED="7")
    subprocess.run([sys.executable, "-m", "inputs.sample_corpus", "--output", str(tmp_path / "a b")],
                   check=True, cwd=str(project), env=environment, stdout=subprocess.DEVNULL)
    written = files_below(tmp_path / "a b")
    assert written == files_below(project / "corpus" / "sample")
    assert len(written) == 4 * 30 + 2 * 10
    assert sum(map(len, written.values())) < MAXIMUM_BYTES


def test_a_folder_with_other_documents_is_refused_and_left_as_it_is(tmp_path):
    place = tmp_path / "ground_truth" / "merged_xml"
    place.mkdir(parents=True)
    (place / "55.xml").write_text("<x/>", encoding="utf-8")
    finished = run("inputs.sample_corpus", "--output", tmp_path, check=False, fresh=True)
    assert finished.returncode == 1 and "55.xml is no document of the sample corpus" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1 and list(files_below(tmp_path).values()) == [b"<x/>"]


def test_stand_off_files_lie_beside_the_training_documents_alone(folders):
    found = {path.name for path in folders[0].iterdir()}
    assert found == {path.stem + ending for path in folders[0].glob("*.xml")
                     for ending in (".xml", ".xml.txt", ".xml.extent", ".xml.tlink")}
    for folder in folders[1:]:
        assert all(path.name.endswith(".xml") for path in folder.iterdir())


def test_names_are_numbers_with_gaps_of_which_training_and_test_take_turns(train, unmerged):
    numbers = sorted(int(name) for name in list(train) + list(unmerged))
    assert (len(train), len(unmerged), len(set(numbers))) == (30, 10, 40)
    assert max(numbers) - min(numbers) > 2 * len(numbers)
    turns = ["".join("t" if str(number) in train else "T" for number in numbers)]
    assert len(re.findall("T+", turns[0])) > 5, turns
    assert sorted(train) != sorted(train, key=int), "sorted as texts they are in another order"
    assert min(numbers) > 807, "no document of the real corpus has such a number"


def test_layout_of_the_lines(every):
    for file in every.values():
        lines = file.raw.split("\n")
        assert lines[:3] == ['<?xml version="1.0" encoding="UTF-8" ?>', "<ClinicalNarrativeTemporalAnnotation>", "<TEXT><![CDATA["]
        assert lines[-3:] == ["</TAGS>", "</ClinicalNarrativeTemporalAnnotation>", ""]
        begin = lines.index("]]></TEXT>") + 1
        assert lines[begin] == "<TAGS>" and all(TAG.fullmatch(line) for line in lines[begin + 1:-3]), file.name
        assert len(lines[begin + 1:-3]) == len(file.tags) and "\r" not in file.raw


def test_layout_of_the_notes(every):
    texts = [file.text for file in every.values()]
    assert len(set(texts)) == len(texts)
    for file in every.values():
        lines = file.text.split("\n")
        assert 80 <= len(file.text.split()) <= 300, file.name
        assert lines[0] == "" and lines[1] in ("Admission Date :", "ADMISSION DATE :")
        assert file.text.startswith("dmission Date :", 2) or file.text.startswith("DMISSION DATE :", 2)
        assert any(re.fullmatch("history of present illness :", line, re.IGNORECASE) for line in lines), file.name
        assert not re.search(r"[{}\[\]@#^~]", file.text), "a mark of the templates is left in the note"
        assert not re.search(r"\w[,:](\s|$)|[^c.]\w\.$", file.text, re.MULTILINE), "punctuation stands alone"
    assert names(every, lambda file: "\nADMISSION DATE :\n" in file.text and "\nDISCHARGE DATE :\n" in file.text)
    assert names(every, lambda file: "\nService :\n" in file.text)


def test_two_hospitals_with_headings_and_dates_of_their_own(every):
    formats = {r"\d\d/\d\d/\d{4}": "capitals", r"\d\d/\d\d/\d\d": "capitals", r"\d\d-\d\d-\d\d": "capitals", r"\d{8}": "capitals",
               r"\d{4}-\d\d-\d\d": "mixed"}
    seen = set()
    for file in every.values():
        date = file.heading_time(2)["text"]
        written, = (each for each in formats if re.fullmatch(each, date))
        assert ("\nHISTORY OF PRESENT ILLNESS :\n" in file.text) == (formats[written] == "capitals")
        seen.add(written)
    assert seen == set(formats)


def test_the_heading_of_the_course_is_absent_in_a_document(every):
    course = re.compile(r"^(?:brief )?hospital course(?: by system)? :$", re.IGNORECASE | re.MULTILINE)
    assert names(every, lambda file: not course.search(file.text)) == {"925"}
    assert {match for file in every.values() for match in course.findall(file.text)} == {
        "HOSPITAL COURSE :", "HOSPITAL COURSE BY SYSTEM :", "Brief Hospital Course :"}


def test_sentences_are_split_wrongly(every):
    assert names(every, lambda file: re.search(r"^\d \.$", file.text, re.MULTILINE)
                 and re.search(r" subq \.\n", file.text) and "\nq.d ." in file.text) == {"817", "989", "981"}


def test_tags_have_the_attributes_of_the_release_in_its_order(train, unmerged):
    attributes = {"EVENT": ["id", "start", "end", "text", "modality", "polarity", "type"],
                  "TIMEX3": ["id", "start", "end", "text", "type", "val", "mod"],
                  "SECTIME": ["id", "start", "end", "text", "type", "dvalue"],
                  "TLINK": ["id", "fromID", "fromText", "toID", "toText", "type"]}
    kinds = {"EVENT": {"PROBLEM", "TREATMENT", "TEST", "CLINICAL_DEPT", "EVIDENTIAL", "OCCURRENCE"},
             "TIMEX3": {"DATE", "TIME", "DURATION", "FREQUENCY"}, "SECTIME": {"ADMISSION", "DISCHARGE"}}
    for files in (train, unmerged):
        seen = collections.defaultdict(set)
        for file in files.values():
            assert [tag for tag, _ in file.tags] == sorted((tag for tag, _ in file.tags), key=list(attributes).index)
            for tag, values in file.tags:
                assert list(values) == attributes[tag], file.name
                if tag != "TLINK" and values["type"]:
                    seen[tag].add(values["type"])
        assert seen == kinds


def test_values_of_modality_polarity_and_mod(every):
    events = [event for file in every.values() for event in file.of("EVENT")]
    times = [time for file in every.values() for time in file.of("TIMEX3")]
    assert {event["modality"] for event in events} == {"FACTUAL", "CONDITIONAL", "POSSIBLE", "PROPOSED", "HYPOTHETICAL"}
    assert {event["polarity"] for event in events} == {"POS", "NEG"}
    assert {time["mod"].strip() for time in times} == {"NA", "APPROX", "MORE", "START", "END", "MIDDLE"}


def test_one_modality_is_hypothetical(train, unmerged):
    assert {name for name, file in dict(train, **unmerged).items()
            if any(event["modality"] == "HYPOTHETICAL" for event in file.of("EVENT"))} == {"877"}


# ---------------------------------------------------------------------------------------------- characters and offsets

def test_files_with_a_raw_ampersand_are_ill_formed_and_no_others(train, unmerged, merged):
    for files, expected in ((train, {"869"}), (unmerged, {"860"}), (merged, {"860"})):
        broken = set()
        for name, file in files.items():
            try:
                xml.etree.ElementTree.fromstring(file.raw.encode("utf-8"))
            except xml.etree.ElementTree.ParseError:
                broken.add(name)
            xml.etree.ElementTree.fromstring(escape_stray_ampersands(file.raw).encode("utf-8"))
        assert broken == expected
        for name in expected:
            raw = {mention["text"] for mention in files[name].of("EVENT") if "&" in mention["text"]}
            assert {"the L&D team", "A&Ox3", "H & H"} <= raw


@pytest.mark.parametrize("entity", ["&apos;", "&quot;"])
def test_entities_stand_in_the_text_and_count_six_characters(every, entity):
    """In an attribute the same entity is a quotation mark to every parser."""
    inside = {name: [mention for mention in file.of("EVENT") if entity in mention["text"]] for name, file in every.items()
              if entity in file.text}
    assert len(inside) >= 2 and any(inside.values())
    for name, found in inside.items():
        for mention in found:
            assert every[name].slice(mention) == mention["text"]
            assert int(mention["end"]) - int(mention["start"]) == len(mention["text"])


def test_a_character_that_is_not_ascii(every):
    assert names(every, lambda file: not all(ord(character) < 128 for character in file.raw)) == {"1026"}
    assert "1\u20442 tablet of Metoprolol" in {event["text"] for event in every["1026"].of("EVENT")}


def test_offsets_count_the_line_break_before_the_text(every):
    """From 0, the end excluded; against the text without the line break they are 1 too high."""
    for file in every.values():
        heading = file.of("EVENT")[0]
        assert (heading["start"], heading["end"], heading["text"].upper()) == ("1", "10", "ADMISSION")
        assert (heading["id"], heading["type"]) == ("E0", "OCCURRENCE")


def test_every_mention_is_where_its_offsets_say_but_for_some_of_the_test_documents(train, unmerged):
    wrong = {name: [mention["text"] for mention in file.of("EVENT", "TIMEX3")
                    if as_words(file.slice(mention)) != as_words(mention["text"])]
             for name, file in dict(train, **unmerged).items()}
    assert {name: len(found) for name, found in wrong.items() if found} == {"814": 2, "860": 2}


def test_a_mention_is_broken_over_two_lines(every):
    broken = {name for name, file in every.items() for mention in file.of("EVENT") if "\n" in file.slice(mention)}
    assert broken == {"904"}
    mention, = (each for each in every["904"].of("EVENT") if "\n" in every["904"].slice(each))
    assert mention["text"] == every["904"].slice(mention).replace("\n", " ")


def test_readers_find_every_mention(training, test_documents, every):
    for document in training + test_documents:
        found = mentions.located(document)
        file = every[document.name]
        for mention in document.mentions:
            place = found[mention.id]
            if document.mentions[[each.id for each in document.mentions].index(mention.id)] is mention:
                begin, end = place.span
                assert as_words(file.text[begin:end]).lower() == as_words(mention.text).lower(), (document.name, mention.id)


# --------------------------------------------------------------------------------------- headings and section times

def test_both_headings_are_events_with_a_link_to_their_date(every):
    for name, file in every.items():
        for number, word in ((1, "Admission"), (3, "Discharge")):
            found = [event for event in file.of("EVENT") if event["text"].title() == word and file.slice(event)
                     == file.text.split("\n")[number].split(" ")[0]]
            if name in ("823", "898") and word == "Discharge":
                assert not found
                continue
            event, = found
            date = file.heading_time(number + 1)
            assert [link["fromText"] for link in file.links(False)
                    if (link["fromID"], link["toID"]) == (event["id"], date["id"])] == [event["text"]], name
            assert event["id"] not in {link["fromID"] for link in file.links(True)}


def test_section_times(every):
    """Their spans are those of dates of ten characters, whatever the date; their texts and values are right."""
    seen = collections.Counter()
    for name, file in every.items():
        for sectime in file.of("SECTIME"):
            number, spans = {"ADMISSION": (0, ("18", "28")), "DISCHARGE": (1, ("46", "56"))}[sectime["type"]]
            date = file.heading_time(2 + 2 * number)
            assert (sectime["id"], sectime["text"]) == (f"S{number}", date["text"])
            assert sectime["dvalue"] == date["val"] and re.fullmatch(r"\d{4}-\d\d-\d\d", date["val"])
            off = int(sectime["start"]) - int(date["start"]), int(sectime["end"]) - int(date["end"])
            assert (sectime["start"], sectime["end"]) == spans or name == "1034"
            assert off == (0, 0) or len(date["text"]) == 8 or name == "1034"
            seen[off] += 1
    # An end 2 too far; a start 2 and an end 4 too far; a start 1 too early.
    assert min(seen[off] for off in ((0, 0), (0, 2), (2, 4), (-1, 0))) > 0 and len(seen) == 4


def test_documents_without_section_times_or_with_one(every):
    kinds = {name: [sectime["type"] for sectime in file.of("SECTIME")] for name, file in every.items()}
    assert {name: found for name, found in kinds.items() if found != ["ADMISSION", "DISCHARGE"]} == {
        "974": [], "989": ["ADMISSION"], "823": ["ADMISSION"], "898": ["ADMISSION"]}


def test_the_admission_date_is_not_always_the_first_time(every):
    dates = {name: [time["id"] for time in map(file.heading_time, (2, 4)) if time] for name, file in every.items()}
    late = {name for name, ids in dates.items() if ids[0] != "T0"}
    assert late == {"852", "1008", "814"} and all(dates[name] == ["T1", "T2"] for name in late)


# ---------------------------------------------------------------------------------------------------------------- ids

def test_events_are_not_in_the_order_of_the_text(every):
    unordered = names(every, lambda file: [int(event["start"]) for event in file.of("EVENT")]
                      != sorted(int(event["start"]) for event in file.of("EVENT")))
    assert 10 <= len(unordered) <= 30


def test_ids_of_mentions_are_repeated_in_two_documents(every):
    found = {name: repeated(mention["id"] for mention in file.of("EVENT", "TIMEX3", "SECTIME")) for name, file in every.items()}
    found = {name: ids for name, ids in found.items() if ids}
    assert set(found) == {"852", "1026"} and all(len(ids) == 1 for ids in found.values())
    assert min(found["852"]).startswith("E") and min(found["1026"]).startswith("T")
    for name, ids in found.items():
        first, second = (mention for mention in every[name].of("EVENT", "TIMEX3") if mention["id"] in ids)
        assert first != second


def test_ids_of_links_are_repeated(train, unmerged):
    for files, expected in ((train, {"904"}), (unmerged, {"1037"})):
        assert names(files, lambda file: repeated(link["id"] for link in file.of("TLINK"))) == expected


def test_ids_and_order_of_the_links(train, unmerged, merged):
    """Ordinary links first, sorted as texts and with gaps; then the section links, counted from 0."""
    late, gaps = [], []
    for files, spelling in ((train, "Sectime"), (unmerged, "SECTIME"), (merged, "SECTIME")):
        for file in files.values():
            ids = [link["id"] for link in file.of("TLINK")]
            sections = len(file.links(True))
            assert ids[-sections:] == [f"{spelling}{number}" for number in range(sections)]
            ordinary = ids[:-sections]
            assert ordinary == sorted(ordinary) and all(re.fullmatch(r"TL\d+", identifier) for identifier in ordinary)
            gaps.append(max(int(identifier[2:]) for identifier in ordinary) >= len(ordinary))
            starts = {event["id"]: int(event["start"]) for event in reversed(file.of("EVENT"))}
            places = [starts[link["fromID"]] for link in file.links(True)]
            assert places[1:] == sorted(places[1:]), "in the order of the text"
            late.append(places[0] > places[1])
    assert 0.1 < sum(late) / len(late) < 0.5 and sum(gaps) > 0.9 * len(gaps)


# --------------------------------------------------------------------------------------------------------- the links

def test_section_links_go_from_events_to_the_date_of_their_section(every):
    """One of each event but the headings' two and the odd one; never to a SECTIME."""
    course = re.compile(r"^(?:brief )?hospital course.*:$", re.IGNORECASE | re.MULTILINE)
    forgotten = 0
    for name, file in every.items():
        events = {event["id"]: event for event in reversed(file.of("EVENT"))}
        admission, discharge = map(file.heading_time, (2, 4))
        history = ("admission", admission["id"], admission["text"])
        later = ("discharge", discharge["id"], discharge["text"]) if discharge else ("discharge", "Discharge", "Discharge")
        heading = course.search(file.text)
        links = file.links(True)
        assert len({link["fromID"] for link in links}) == len(links)
        for link in links:
            event = events[link["fromID"]]
            assert link["fromText"] == event["text"]
            ends = (link["toID"], link["toText"])
            if heading:
                assert ends == (later if int(event["start"]) > heading.start() else history)[1:], (name, link["id"])
            else:
                assert ends in (history[1:], later[1:])
        headings = 2 if discharge else 1
        forgotten += len(events) - headings - len(links)
    assert 0 < forgotten < 20


def test_links_without_a_discharge_date_go_to_the_word(every):
    literal = names(every, lambda file: any(link["toID"] == link["toText"] == "Discharge" for link in file.links(True)))
    assert literal == names(every, lambda file: file.heading_time(4) is None) == {"823", "898"}
    assert not names(every, lambda file: any("Discharge" in (link["fromID"], link["toID"]) for link in file.links(False)))
    assert not any(event["text"] in ("Discharge", "DISCHARGE") for name in literal for event in every[name].of("EVENT"))


def test_links_join_mentions_of_the_document_but_for_one(every):
    unknown = []
    for name, file in every.items():
        texts = {mention["id"]: mention["text"] for mention in reversed(file.of("EVENT", "TIMEX3"))}
        assert 20 <= len(file.of("TLINK")) <= 90
        for link in file.of("TLINK"):
            assert link["fromID"] != link["toID"]
            assert texts[link["fromID"]] == link["fromText"]
            if link["toID"] not in texts:
                unknown.append((name, link["toID"]))
            else:
                assert texts[link["toID"]] == link["toText"]
    assert {end for end in unknown if end[1] != "Discharge"} == {("1066", "E199")}


def test_one_pair_is_linked_twice(every):
    pairs = {name: repeated(frozenset((link["fromID"], link["toID"])) for link in file.links(False))
             for name, file in every.items()}
    assert {name for name, found in pairs.items() if found} == {"1066"}
    alike = repeated((link["fromID"], link["toID"], link["type"].upper()) for link in every["1066"].links(False))
    assert len(alike) == 1


def test_ordinary_links_run_in_all_directions_and_to_the_dates_of_the_headings(every):
    directions, to_dates = set(), 0
    for file in every.values():
        dates = {time["id"] for time in map(file.heading_time, (2, 4)) if time}
        for link in file.links(False):
            directions.add(link["fromID"][0] + link["toID"][0])
            to_dates += bool(dates & {link["fromID"], link["toID"]}) and link["fromText"].title() not in ("Admission", "Discharge")
    assert directions == {"EE", "ET", "TE", "TT"} and to_dates > 5


def shares(links):
    """{merged type: share of the links}."""
    counts = collections.Counter(merge(link["type"].upper()) for link in links)
    return {name: count / sum(counts.values()) for name, count in counts.items()}


@pytest.fixture(params=["train", "unmerged", "merged"])
def typed(request):
    """The links of a folder that have a type, as (File, attributes)."""
    return [(file, link) for file in request.getfixturevalue(request.param).values() for link in file.of("TLINK") if link["type"]]


def test_shares_of_the_kinds_of_link(typed):
    """As counted in the corpus: 48 % section links, 42 % between events, 9 % between event and time, 1 % between times."""
    kinds = collections.Counter("section" if link["id"].lower().startswith("sectime") else
                                "".join(sorted(link["fromID"][0] + link["toID"][0])) for _, link in typed)
    found = {kind: count / len(typed) for kind, count in kinds.items()}
    assert 0.45 <= found["section"] <= 0.51
    assert 0.35 <= found["EE"] <= 0.45 and 0.07 <= found["ET"] <= 0.16 and found.get("TT", 0) < 0.02


def test_shares_of_the_types(typed):
    """As counted in the corpus, merged: all 52, 38 and 10 %; section links 88, 8 and 4 %; the others 20, 65 and 15 %."""
    links = [link for _, link in typed]
    sections = [link for link in links if link["id"].lower().startswith("sectime")]
    ordinary = [link for link in links if not link["id"].lower().startswith("sectime")]
    for chosen, expected in ((links, (0.52, 0.38, 0.10)), (sections, (0.88, 0.08, 0.04)), (ordinary, (0.20, 0.65, 0.15))):
        found = shares(chosen)
        for label, share in zip(("BEFORE", "OVERLAP", "AFTER"), expected):
            assert abs(found[label] - share) < 0.06, (label, found)


def test_distances_of_ordinary_links(every):
    """Half of the linked mentions of the corpus are at most 54 characters apart, three in four at most 121."""
    distances = []
    for file in every.values():
        spans = {mention["id"]: (int(mention["start"]), int(mention["end"])) for mention in file.of("EVENT", "TIMEX3")}
        headings = {event["id"] for event in file.of("EVENT")[:2]}
        for link in file.links(False):
            if link["fromID"] not in headings and link["toID"] in spans:
                first, second = sorted((spans[link["fromID"]], spans[link["toID"]]))
                distances.append(max(0, second[0] - first[1]))
    low, high = numpy.percentile(distances, [50, 75])
    assert 15 <= low <= 60 and 50 <= high <= 130 and max(distances) > 300


def test_labels(training, test_documents):
    for documents in (training, test_documents):
        counts = labels_of(documents)
        assert set(counts) == set(LABELS)
        total = sum(counts.values())
        assert 0.35 <= max(counts.values()) / total <= 0.45 and counts["BEFORE"] == max(counts.values())
        assert min(counts.values()) / total > 0.02
        section = collections.Counter(link.type for document in documents for link in document.tlinks
                                      if link.id.lower().startswith("sectime") and link.type)
        assert set(section) == {"BEFORE", "AFTER", "OVERLAP", "BEFORE_OVERLAP"}


def test_the_merged_test_documents_are_the_others_with_three_types(unmerged, merged):
    assert set(merged) == set(unmerged)
    for name, file in merged.items():
        assert {link["type"] for link in file.of("TLINK")} <= set(MERGED_LABELS)
        theirs = iter(unmerged[name].of("TLINK"))
        expected = re.sub(r'(<TLINK .* type=")[^"]*"', lambda match: f'{match.group(1)}{merge(next(theirs)["type"])}"',
                          unmerged[name].raw)
        assert file.raw == expected


def test_training_types_are_of_mixed_case(train, unmerged, merged):
    assert {link["type"] for file in unmerged.values() for link in file.of("TLINK")} == set(LABELS)
    assert {link["type"] for file in merged.values() for link in file.of("TLINK")} == set(MERGED_LABELS)
    other = {link["type"] for file in train.values() for link in file.of("TLINK")} - set(LABELS) - {""}
    assert other >= {"before", "Overlap"} and {name.upper() for name in other} <= set(LABELS)


def test_types_are_empty(train, unmerged):
    assert names(train, lambda file: any(not link["type"] for link in file.of("TLINK"))) == {"877", "1041"}
    assert not names(unmerged, lambda file: any(not link["type"] for link in file.of("TLINK")))
    empty = [(name, event["text"]) for name, file in dict(train, **unmerged).items() for event in file.of("EVENT")
             if not event["type"]]
    assert [name for name, _ in empty] == ["953"]


def test_one_document_contradicts_itself(training, test_documents):
    contradicting = set()
    for document in training + test_documents:
        links = [(link.from_id, link.to_id, merge(link.type)) for link in document.tlinks if link.type]
        _, graph = reduce_links(links)
        if not all(graph.entails(link) for link in links):
            contradicting.add(document.name)
        elif not repeated(link.id for link in document.tlinks):
            assert tempeval_scores({document.name: links}, {document.name: links})["f1"] == 1.0
    assert contradicting == {"957"}


def test_an_ordinary_link_and_a_section_link_contradict_each_other(every):
    file = every["957"]
    discharge = file.heading_time(4)["id"]
    heading, = (event["id"] for event in file.of("EVENT") if event["text"].title() == "Discharge")
    sections = {link["fromID"]: link["type"].upper() for link in file.links(True) if link["toID"] == discharge}
    ordinary = {(link["fromID"], link["toID"]): link["type"].upper() for link in file.links(False)}
    overlapping = [event for (event, other), kind in ordinary.items()
                   if other == heading and merge(kind) == "OVERLAP" and sections.get(event) == "BEFORE"]
    assert overlapping
    assert [event for (event, other), kind in ordinary.items()
            if other in overlapping and kind == "BEFORE" and sections.get(event) == "AFTER"]


# ------------------------------------------------------------------------------------------------------------- values

RIGHT = {"DATE": r"\d{4}(-\d\d(-\d\d)?)?", "TIME": r"\d{4}-\d\d-\d\dT(\d\d:\d\d|MO)", "DURATION": r"P(\d+|X)[YMWD]|PT\d+[HMS]",
         "FREQUENCY": r"R(P\d+[YMWD]|PT\d+[HMS])?"}
TIME_OF_DAY = re.compile(r"\d{4}-\d\d-\d\dTMO")


def test_values_of_times_are_as_the_guidelines_have_them_but_for_the_listed_slips(every):
    wrong = collections.defaultdict(set)
    for name, file in every.items():
        for time in file.of("TIMEX3"):
            if not re.fullmatch(RIGHT[time["type"]], time["val"]) and not TIME_OF_DAY.fullmatch(time["val"]):
                wrong[name].add((time["type"], re.sub(r"\d", "0", time["val"])))
    assert wrong == {
        "838": {("TIME", "0000-0000T00:00"), ("TIME", "0000-00-00T 00:00"), ("DATE", "0000-00-000")},
        "893": {("FREQUENCY", "rpt0h"), ("FREQUENCY", "P0H"), ("FREQUENCY", "p00h"), ("DURATION", "P0S"), ("DURATION", "p0m")},
        "948": {("DATE", "P0M"), ("DATE", "RPT0H"), ("DURATION", "RPT00H"), ("DURATION", "PT.0S")},
        "1008": {("DURATION", "")}, "1026": {("FREQUENCY", "")},
        "1041": {("TIME", "0000-00-00"), ("DATE", "000-00-00")}}


def test_a_mod_ends_in_a_blank(every):
    assert names(every, lambda file: any(time["mod"] != time["mod"].strip() for time in file.of("TIMEX3"))) == {"811"}


# --------------------------------------------------------------------------------------------------------- stand-off files

def test_the_text_file_is_the_text_without_the_first_line_break(folders, train):
    for name, file in train.items():
        text = (folders[0] / f"{name}.xml.txt").read_bytes().decode("utf-8")
        assert "\n" + text == file.text
        for mention in file.of("EVENT"):
            assert as_words(text[int(mention["start"]) - 1:int(mention["end"]) - 1]) == as_words(mention["text"])


PLACE = r'(EVENT|TIMEX3|SECTIME)="([^"]*)" (\d+):(\d+) (\d+):(\d+)'


def words_at(text, place):
    """The words of a text from one LINE:TOKEN to another: lines from 1, tokens from 0."""
    first_line, first, last_line, last = map(int, place)
    lines = [line.split(" ") for line in text.split("\n")]
    tokens = [(number, place, word) for number, line in enumerate(lines, 1) for place, word in enumerate(line)]
    return " ".join(word for number, place, word in tokens if (first_line, first) <= (number, place) <= (last_line, last))


def test_the_extent_file_has_the_mentions_by_line_and_token(folders, train):
    ends = {"EVENT": ["type", "modality", "polarity"], "TIMEX3": ["type", "val", "mod"], "SECTIME": ["type", "dvalue"]}
    for name, file in train.items():
        lines = (folders[0] / f"{name}.xml.extent").read_bytes().decode("utf-8").split("\n")[:-1]
        mentioned = [(tag, attributes) for tag, attributes in file.tags if tag != "TLINK"]
        assert len(lines) == len(mentioned)
        for line, (tag, attributes) in zip(lines, mentioned):
            place, *values = line.split("||")
            found = re.fullmatch(PLACE, place)
            assert found.group(1, 2) == (tag, attributes["text"])
            assert [re.fullmatch(r'(\w+)="([^"]*)"', value).groups() for value in values] == [
                (key, attributes[key]) for key in ends[tag]]
            assert words_at(file.text[1:], found.group(3, 4, 5, 6)).endswith(attributes["text"]), (name, line)
            if attributes.get("type") == "DISCHARGE":
                assert found.group(3, 4, 5, 6) == ("4", "0", "4", "0")


def test_the_tlink_file_has_the_links_by_line_and_token(folders, train):
    for name, file in train.items():
        lines = (folders[0] / f"{name}.xml.tlink").read_bytes().decode("utf-8").split("\n")[:-1]
        links = [link for link in file.of("TLINK") if link["toID"] != "Discharge"]
        assert len(lines) == len(links)
        for line, link in zip(lines, links):
            found = re.fullmatch(PLACE + r"\|\|" + PLACE + r'\|\|type="(\w*)"', line)
            assert found.group(2, 8, 13) == (link["fromText"], link["toText"], link["type"])
            assert words_at(file.text[1:], found.group(3, 4, 5, 6)).endswith(link["fromText"])


# -------------------------------------------------------------------------------------------------------- the table

def test_the_table_of_habits_names_tests_and_documents_that_there_are(project, every):
    text = (project / "docs" / "sample.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("habit", "---")]
    assert len(rows) > 30
    there = {name[len("test_"):] for name in globals() if name.startswith("test_")}
    for habit, documents, tests in rows:
        assert tests == "the same" or set(re.findall(r"`(\w+)`", tests)) <= there and "`" in tests, habit
        assert set(re.findall(r"\b\d{3,4}\b", documents)) <= set(every) and documents, habit


def test_every_habit_of_a_document_is_one_that_the_script_knows():
    known = set(sample_habits.CHANGES) | set(sample_phrases.SPECIAL) | set(sample_corpus.LAYOUTS)
    given = {habit for habits in sample_habits.HABITS.values() for habit in habits}
    assert given == known
    assert set(sample_habits.HABITS) <= set(sample_corpus.TRAIN_DOCUMENTS + sample_corpus.TEST_DOCUMENTS)


# ---------------------------------------------------------------------------------------------- what there is to learn

@pytest.mark.parametrize("first, second, expected, inverse", [
    ("home", "adm", "BEFORE", "AFTER"), ("chronic", "dis", "BEFORE_OVERLAP", None),
    ("home_span", "adm", "ENDED_BY", None), ("stay", "adm", "BEGUN_BY", None),
    ("stay", "dis", "ENDED_BY", None),
    ("course_1_3", "day1", "BEGUN_BY", None), ("course_1_3", "day3", "ENDED_BY", None),
    ("course_1_3", "day2", "BEFORE_OVERLAP", None), ("day1", "day1", "OVERLAP", "OVERLAP"),
    ("day1", "day1_span", "DURING", None), ("home", "home_span", "DURING", None),
    ("home_open", "home_span", "OVERLAP", "OVERLAP"),
])
def test_the_type_of_a_link_follows_from_the_timeline(first, second, expected, inverse):
    one, other = (mention_at(period) for period in (first, second))
    assert sample_corpus.relation(one, other) == expected
    assert sample_corpus.relation(other, one) == inverse


def test_two_names_of_one_thing_are_simultaneous():
    assert sample_corpus.relation(mention_at("stay", "stay"), mention_at("stay", "stay")) == "SIMULTANEOUS"


def mention_at(period, identity=""):
    return sample_corpus.Mention(id="E0", tag="EVENT", type="PROBLEM", text="x", start=1, end=2, line=9,
                                 period=sample_corpus.PERIODS[period], identity=identity, flag="", value="")


def test_the_labels_can_be_learned_from_the_mentions_but_not_all_of_them(training, test_documents):
    """From the words of either side; of numbers, only that they are some."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    train, held_out = ([link for document in documents for link in document.tlinks if link.type]
                       for documents in (training, test_documents))

    def words(link):
        return [side + re.sub(r"\d", "0", word) for side, text in (("from ", link.from_text), ("to ", link.to_text))
                for word in text.lower().split()]

    counts = CountVectorizer(analyzer=words)
    model = LogisticRegression(max_iter=2000).fit(counts.fit_transform(train), [link.type for link in train])
    accuracy = model.score(counts.transform(held_out), [link.type for link in held_out])
    assert 0.75 <= accuracy <= 0.92
