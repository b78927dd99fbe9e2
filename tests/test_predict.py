"""`predict` and `RelationClassifier` on notes nobody has labelled; the page in a browser."""
import csv
import json
import re
import shutil
import threading

import numpy as np
import pytest

import scoring
from browser import browse
from data_process_i2b2 import read_document
from evaluation.predictions import Predictions
from evaluation.temporal_graph import reduce_links
from helpers import files_below, run
from inputs.labels import LABELS, merge
from notes import candidates
from notes.answering import read_note
from support.errors import InputError


def stripped(source, folder, keep=()):
    """Copies of documents without their TLINKs' types (those of the ids in `keep` excepted)."""
    folder.mkdir()
    for path in sorted(source.glob("*.xml")):
        text = re.sub(r'(<TLINK id="(\w+)".* type=)"\w+"', lambda match: match.group(0) if match.group(2) in keep else
                      match.group(1) + '""', path.read_text(encoding="utf-8"))
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def rows_of(path):
    with open(str(path), encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source, delimiter="\t"))


@pytest.fixture(scope="module")
def gold(model):
    return model[0] / "ground_truth" / "merged_xml"


@pytest.fixture(scope="module")
def predicted(model, gold, tmp_path_factory):
    """What `predict` makes of the test documents without types, of one with some types, and of one without TLINKs."""
    folder = tmp_path_factory.mktemp("new notes")
    notes = stripped(gold, folder / "in")
    first = sorted(gold.glob("*.xml"))[0]
    kept = stripped(gold, folder / "kept", keep=("TL0", "TL1"))
    shutil.copyfile(str(kept / first.name), str(notes / "kept.xml"))
    # Ampersands make the two readings of the note differ, and its offsets drift.
    bare = re.sub(r"<TLINK.*\n", "", first.read_text(encoding="utf-8").replace(" and ", " & "))
    (notes / "bare.xml").write_text(bare, encoding="utf-8")
    finished = run("run_i2b2.py", "predict", *sorted(notes.glob("*.xml")), "--result", model[1], "--out", folder / "out",
                   "--page", "--consistent", cwd=folder)
    assert finished.stderr == ""
    return folder, first, finished.stdout


def test_the_types_are_those_of_test_unless_they_contradict_each_other(model, gold, predicted):
    folder, _, said = predicted
    tested = rows_of(model[1] / "predictions.tsv")
    for path in gold.glob("*.xml"):
        rows = rows_of(folder / "out" / f"{path.stem}.tsv")
        expected = [row for row in tested if row["document"] == path.stem]
        assert list(rows[0]) == [*Predictions.columns(), "confidence"]
        assert [row["tlink"] for row in rows] == [row["tlink"] for row in expected]
        for row, other in zip(rows, expected):
            assert row["gold"] == ""
            assert float(row["confidence"]) == float(row[f"p_{row['predicted']}"])
            assert all(float(row[f"p_{label}"]) == pytest.approx(float(other[f"p_{label}"]), abs=1e-6) for label in LABELS)
        document = read_document(str(folder / "out" / path.name), entities="decoded")
        assert [tlink.type for tlink in document.tlinks] == [row["predicted"] for row in rows]
        links = [(tlink.from_id, tlink.to_id, merge(tlink.type)) for tlink in document.tlinks]
        graph = reduce_links(links)[1]
        assert all(graph.entails(link) for link in links)
    assert re.search(r"consistent: \d+ of \d+ links got another .*, in \d of \d notes; .*every document\. \d+ of the types", said)


def test_documents_come_out_whole_and_what_was_annotated_stands(gold, predicted):
    folder, first, _ = predicted
    before, after = (read_document(str(path), entities="decoded") for path in (gold / first.name, folder / "out" / "kept.xml"))
    assert (after.text, after.mentions) == (before.text, before.mentions)
    assert [tlink[:5] for tlink in after.tlinks] == [tlink[:5] for tlink in before.tlinks]
    assert all(tlink.type in LABELS for tlink in after.tlinks)
    kept = {tlink.id: tlink.type for tlink in before.tlinks if tlink.id in ("TL0", "TL1")}
    assert len(kept) == 2 and {tlink.id: tlink.type for tlink in after.tlinks if tlink.id in kept} == kept
    assert not {row["tlink"] for row in rows_of(folder / "out" / "kept.tsv")} & set(kept)


def test_a_note_without_tlinks_gets_candidates(model, predicted, tmp_path):
    folder, _, _ = predicted
    document = read_document(str(folder / "out" / "bare.xml"), entities="decoded")
    ids = {mention.id: mention for mention in document.mentions}
    assert len(document.tlinks) > len(document.mentions)
    texts = {"Admission": "Admission", "Discharge": "Discharge", **{mention.id: mention.text for mention in document.mentions}}
    assert all((tlink.from_text, tlink.to_text) == (texts[tlink.from_id], texts[tlink.to_id]) for tlink in document.tlinks)
    run("run_i2b2.py", "predict", folder / "in" / "bare.xml", "--result", model[1], "--out", tmp_path, "--candidates", "sections")
    sections = read_document(str(tmp_path / "bare.xml"), entities="decoded").tlinks
    assert [tlink.id for tlink in sections] == [f"SECTIME{number}" for number in range(len(sections))]
    assert all(ids[tlink.to_id].tag == "TIMEX3" if tlink.to_id in ids else tlink.to_id in ("Admission", "Discharge")
               for tlink in sections)
    assert {tlink[1:5] for tlink in sections} < {tlink[1:5] for tlink in document.tlinks}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.tsv", "bare.xml"]


@pytest.mark.parametrize("names, out, words", [
    (["in/{first}", "missing.xml"], "new", ["missing.xml", "cannot be read"]),
    (["in/{first}", "kept/{first}"], "new", ["same name"]),
    (["in/{first}"], "in", ["overwrite"]),
    (["in/{first}", "broken.xml"], "new", ["broken.xml", "not well-formed"]),
    (["plain.txt"], "new", ["plain.txt", "plain.ann", "i2b2 XML"]),
    (["in/{first}", "blank.xml"], "new", ["blank.xml", "empty TEXT"]),
    (["tables/{first}.tsv"], "tables", ["overwrite"]),
    (["in/{first}"], "broken.xml", ["broken.xml", "a file is in the way"]),
    (["in/{first}"], "{result}/predictions", ["result folder", "no text of any note"]),
    (["in"], "new", ["is a folder", "in/*.xml"]),
    (["in/{first}", "N" * 230 + ".xml"], "new", ["too long"]),
])
def test_what_cannot_be_done_is_told_before_anything_is_written(model, predicted, names, out, words):
    folder, first, _ = predicted
    (folder / "plain.txt").write_text("He slept .", encoding="utf-8")
    (folder / "broken.xml").write_text("<x><TEXT>", encoding="utf-8")
    text = (folder / "in" / first.name).read_text(encoding="utf-8")
    (folder / "blank.xml").write_text(re.sub(r"(?s)<TEXT>.*</TEXT>", "<TEXT> </TEXT>", text), encoding="utf-8")
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / f"{first.name}.tsv").write_text(text, encoding="utf-8")
    before = sorted(files_below(folder))
    finished = run("run_i2b2.py", "predict", *(name.format(first=first.name) for name in names), "--out",
                   out.format(result=model[1]), "--result", model[1], cwd=folder, check=False)
    assert finished.returncode == 1 and len(finished.stderr.strip().splitlines()) == 1
    assert all(word in finished.stderr for word in words), finished.stderr
    assert sorted(files_below(folder)) == before


def test_without_a_model_or_its_vocabulary_the_message_says_what_to_do(model, predicted, tmp_path):
    folder, first, _ = predicted
    note = folder / "in" / first.name
    missing = run("run_i2b2.py", "predict", note, "--out", tmp_path / "out", "--result", tmp_path / "none",
                  check=False)
    assert missing.returncode == 1 and "no trained model" in missing.stderr
    result = shutil.copytree(str(model[1]), str(tmp_path / "old"))
    (tmp_path / "old" / "checkpoints" / "i2b2" / "vocab.txt").unlink()
    old = run("run_i2b2.py", "predict", note, "--out", tmp_path / "out", "--result", result, check=False)
    assert old.returncode == 1 and "--bert" in old.stderr
    assert not (tmp_path / "out").exists()
    assert run("run_i2b2.py", "predict", note, "--out", "x", "--candidates", "some", check=False).returncode == 2


def test_a_setting_of_another_task_is_refused(model):
    from predict import RelationClassifier
    with pytest.raises(InputError, match="does not read the setting negatives"):
        RelationClassifier(str(model[1]), assignments=["negatives=all"])


# ---------------------------------------------------------------------------------------------------- from Python

@pytest.fixture(scope="module")
def classifier(model):
    from predict import RelationClassifier
    return RelationClassifier(str(model[1]))


def test_from_python_the_records_are_those_of_the_command(classifier, predicted):
    folder, _, _ = predicted
    for name in ("bare", "kept"):
        text = (folder / "in" / f"{name}.xml").read_text(encoding="utf-8")
        relations = classifier.relations(text, consistent=True)
        rows = rows_of(folder / "out" / f"{name}.tsv")
        assert [(relation.tlink, relation.from_id, relation.to_id, relation.type) for relation in relations] == [
            (row["tlink"], row["from_id"], row["to_id"], row["predicted"]) for row in rows]
        np.testing.assert_allclose([relation.confidence for relation in relations],
                                   [float(row["confidence"]) for row in rows], atol=1e-6)
        np.testing.assert_allclose(np.sum([relation.probabilities for relation in relations], axis=1), 1, atol=1e-6)


def test_threads_share_one_classifier(classifier, predicted):
    folder, _, _ = predicted
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "in").glob("*.xml"))]
    expected = [classifier.relations(text) for text in texts]
    operations = len(classifier.session.graph.get_operations())
    found, problems = {}, []

    def work(number):
        try:
            found[number] = classifier.relations(texts[number % len(texts)])
        except Exception as error:  # pylint: disable=broad-except
            problems.append(error)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(3 * len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    for number, relations in found.items():
        assert [relation[:6] for relation in relations] == [relation[:6] for relation in expected[number % len(texts)]]
    assert len(classifier.session.graph.get_operations()) == operations, "a document adds nothing to the graph"
    assert classifier.session.graph.finalized


ODD = """<A><TEXT>He had a fall & slept . Then he ate .</TEXT><TAGS>
<EVENT id="E&amp;0" start="10" end="14" text="fall" type="OCCURRENCE" xml:lang="en" other="&lt;" />
<EVENT id="E1" start="17" end="22" text="slept" type="OCCURRENCE" />
<EVENT id="E1" start="33" end="36" text="ate" type="OCCURRENCE" />
<EVENT id="" start="33" end="36" text="ate" type="OCCURRENCE" />
<SECTIME id="S0" start="1" end="3" text="He" type="ADMISSION" dvalue="2001-03-02" />
</TAGS></A>"""


def test_ids_with_ampersands_repeated_and_missing_ones(model, classifier, tmp_path):
    (tmp_path / "odd.xml").write_text(ODD, encoding="utf-8")
    run("run_i2b2.py", "predict", tmp_path / "odd.xml", "--out", tmp_path / "out", "--result", model[1], "--page")
    document = read_document(str(tmp_path / "out" / "odd.xml"), entities="decoded")
    assert [tlink[1:5] for tlink in document.tlinks] == [
        ("E&0", "fall", "E1", "slept"), ("E&0", "fall", "Admission", "Admission"), ("E1", "slept", "Admission", "Admission")]
    assert [relation[:5] for relation in classifier.relations(ODD)] == [tlink[:5] for tlink in document.tlinks]
    assert document.mentions[0].attributes["other"] == "<"
    assert 'xml:lang="en"' in (tmp_path / "out" / "odd.xml").read_text(encoding="utf-8")


HEADED = """<A><TEXT>
Admission Date :
03/02/01
Discharge Date :
03/09/01
HISTORY OF PRESENT ILLNESS :
A fever .
HOSPITAL COURSE :
A rash .
</TEXT><TAGS>
<EVENT id="E0" start="1" end="10" text="Admission" type="OCCURRENCE" />
<EVENT id="E1" start="27" end="36" text="Discharge" type="OCCURRENCE" />
<EVENT id="E2" start="84" end="89" text="fever" type="PROBLEM" />
<EVENT id="E3" start="112" end="116" text="rash" type="PROBLEM" />
<TIMEX3 id="T0" start="18" end="26" text="03/02/01" type="DATE" val="2001-03-02" mod="NA" />
<TIMEX3 id="T1" start="44" end="52" text="03/09/01" type="DATE" val="2001-03-09" mod="NA" />
<SECTIME id="S0" start="18" end="28" text="03/02/01" type="ADMISSION" dvalue="2001-03-02" />
<SECTIME id="S1" start="46" end="56" text="03/09/01" type="DISCHARGE" dvalue="2001-03-09" />
</TAGS></A>"""


def test_section_links_of_a_new_note_are_the_corpus_own(classifier):
    relations = classifier.relations(HEADED, kind=candidates.SECTIONS)
    assert [relation[:5] for relation in relations] == [("SECTIME0", "E2", "fever", "T0", "03/02/01"),
                                                        ("SECTIME1", "E3", "rash", "T1", "03/09/01")]
    undated = re.sub(r'<(TIMEX3 id="T1"|SECTIME id="S1").*\n', "", HEADED)
    relations = classifier.relations(undated, kind=candidates.SECTIONS, consistent=True)
    assert [relation[:5] for relation in relations] == [("SECTIME0", "E2", "fever", "T0", "03/02/01"),
                                                        ("SECTIME1", "E3", "rash", "Discharge", "Discharge")]


def test_the_words_of_the_headings_are_linked_to_their_own_dates_alone():
    tlinks = read_note(HEADED, kind=candidates.NEAR).whole.tlinks
    assert {(tlink.from_id, tlink.to_id) for tlink in tlinks if {"E0", "E1"} & {tlink.from_id, tlink.to_id}} == {
        ("E0", "T0"), ("E1", "T1")}


def test_a_note_of_one_endless_line_is_refused_before_its_pairs_fill_the_memory():
    tags = "".join(f'<EVENT id="E{number}" start="{2 * number + 1}" end="{2 * number + 2}" text="x" type="TEST" />'
                   for number in range(600))
    note = f"<A><TEXT>{'x ' * 600}</TEXT><TAGS>{tags}</TAGS></A>"
    with pytest.raises(InputError, match="pairs of events and times"):
        read_note(note)
    assert read_note(note, kind=candidates.SECTIONS).whole.tlinks == ()


def test_a_note_without_anything_to_link_has_no_relations(classifier):
    note = '<A><TEXT>He slept .</TEXT><TAGS><EVENT id="E0" start="3" end="8" text="slept" type="OCCURRENCE" /></TAGS></A>'
    assert classifier.relations(note) == [] == classifier.relations(note, consistent=True)


# ------------------------------------------------------------------------------------------------------- the page

CLICKS = """
  var document = page.document, panel = document.getElementById("panel"), found = {};
  function mark(text) {
    return Array.from(document.querySelectorAll("#note [data-m]")).filter(
      function (each) { return each.textContent === text; })[0];
  }
  function state() {
    return {hidden: panel.hidden, text: panel.textContent, here: document.querySelectorAll("a.here").length,
            others: document.querySelectorAll("#note a.other").length};
  }
  found.marks = Array.from(document.querySelectorAll("#note [data-m]")).map(function (each) { return each.textContent; });
  found.start = state();
  mark("TEXT").click();
  found.clicked = state();
  found.inPanel = document.activeElement === panel;
  var another = document.querySelectorAll("#timeline [data-m]")[1];
  another.dispatchEvent(new page.FocusEvent("focusin", {bubbles: true}));
  found.kept = state();
  document.dispatchEvent(new page.KeyboardEvent("keydown", {key: "Escape"}));
  found.escaped = state();
  found.back = document.activeElement === mark("TEXT");
  found.stops = document.querySelectorAll("#links [tabindex='0'], #links [data-m]:not([tabindex])").length;
  mark("TEXT").dispatchEvent(new page.FocusEvent("focusin", {bubbles: true}));
  found.focused = state();
  document.getElementById("close").click();
  mark("TEXT").dispatchEvent(new page.MouseEvent("mouseover", {bubbles: true}));
  found.hovered = state();
  document.body.dispatchEvent(new page.MouseEvent("mouseover", {bubbles: true}));
  found.left = state();
  document.querySelector("#timeline [data-m]").click();
  found.timeline = state();
  document.getElementById("close").click();
  var boxes = ["note", "timeline"].map(function (id) { return document.getElementById(id).getBoundingClientRect(); });
  found.beside = boxes[1].left >= boxes[0].right - 1;
  found.below = boxes[1].top >= boxes[0].bottom - 1;
  found.small = Array.from(document.querySelectorAll("#note, #timeline, #links")).filter(function (each) {
    return parseFloat(page.getComputedStyle(each).fontSize) < 15; }).length;
  found.focusable = mark("TEXT").tabIndex;
  return found;"""


@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_a_click_on_an_event_shows_its_links(chromium, predicted, width, tmp_path):
    folder, first, _ = predicted
    document = read_document(str(folder / "out" / first.name), entities="decoded")
    rows = {row["tlink"]: row for row in rows_of(folder / "out" / f"{first.stem}.tsv")}
    linked = {tlink.from_id for tlink in document.tlinks}
    texts = [mention.text for mention in document.mentions]
    event = next(mention for mention in document.mentions
                 if mention.tag == "EVENT" and mention.id in linked and texts.count(mention.text) == 1)
    page = (folder / "out" / f"{first.stem}.html").read_text(encoding="utf-8")
    probe = CLICKS.replace('"TEXT"', json.dumps(event.text))
    # With the page's policy in force: it lets the page's own script run.
    found = browse(chromium, page, width, tmp_path, probe, keep_policy=True)
    state = found["probe"]
    assert state["start"]["hidden"] and state["escaped"]["hidden"] and state["left"]["hidden"]
    assert state["inPanel"] and state["back"] and state["stops"] == 0, "the keyboard leads into the links and out of them"
    for shown in (state["clicked"], state["kept"], state["focused"], state["hovered"]):
        assert not shown["hidden"] and shown["here"] and shown["others"]
        for tlink in document.tlinks:
            if event.id in (tlink.from_id, tlink.to_id):
                words = f"{tlink.from_text} {tlink.type.replace('_', ' ').lower()} "
                assert words in shown["text"] and f"{100 * float(rows[tlink.id]['confidence']):.0f} %" in shown["text"]
    assert not state["timeline"]["hidden"] and state["focusable"] == 0
    assert state["beside"] if width == 1280 else state["below"]
    assert state["small"] == 0
    assert found["width"] == width and found["needed"] <= width, "the page itself must not scroll sideways"
    assert set(texts) - set(state["marks"]) <= {mention.text for mention in document.mentions if mention.tag == "SECTIME"}
    assert browse(chromium, page, width, tmp_path, "return 1;")["fetched"] == []


def test_the_page_warns_first_and_holds_everything(predicted):
    folder, first, _ = predicted
    page = (folder / "out" / f"{first.stem}.html").read_text(encoding="utf-8")
    assert page.index("holds the text of a patient's note".replace("'", "&#x27;")) < page.index('id="note"')
    assert "default-src 'none'" in page and "script-src 'sha256-" in page and page.count("<script") == 1
    assert not re.search(r"<link|<iframe|<img|url\(|@import|srcset|\bsrc=|https?:", page)
    identifiers = re.findall(r'\sid="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(identifiers), "also without the script, a click leads to the links"


def test_text_of_a_note_is_text_and_not_markup(predicted):
    from data_process_i2b2 import Document, Mention, Tlink
    from notes import timeline_page
    text = '\nA <b>bold</b> "&amp;" <script>x</script> nested pain\n'
    mentions = (Mention("EVENT", "E0", 3, 14, "<b>bold</b>", "", {}), Mention("EVENT", '"><i>', 41, 52, "nested pain", "", {}),
                Mention("EVENT", "E2", 48, 52, "pain", "", {}))
    tlinks = (Tlink("T", "E0", "<b>", '"><i>', "", "AFTER"), Tlink("T", "E2", "", "E9", "<s>", "BEFORE"))
    document = Document("<u>", text, mentions, tlinks)
    page = timeline_page.page(document, [0.5, None])
    body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "<script" not in body and "<b>bold" not in body and '"><i>' not in body and "<u>" not in body and "<s>" not in body
    assert "&lt;script&gt;x&lt;/script&gt;" in body and "annotated" in body and "50 %" in body
    assert re.sub(r"<[^>]*>", "", re.search(r'<div class="text">(.*?)</div>', body, re.DOTALL).group(1)) == (
        "A &lt;b&gt;bold&lt;/b&gt; &quot;&amp;amp;&quot; &lt;script&gt;x&lt;/script&gt; nested pain")
    assert re.search(r'data-m="1">nested </a><a [^>]*data-m="2 1">pain</a>', body), "pain is two mentions"


def test_scores_of_what_was_predicted(gold, predicted):
    """The documents written are what `scoring.py` takes."""
    folder, _, _ = predicted
    warnings = []
    found = scoring.score_folders(str(gold), str(folder / "out"), warnings.append)
    assert found["f1"] > 0 and len(warnings) == 2, "bare.xml and kept.xml are not in the gold folder"
