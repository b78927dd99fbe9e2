"""The report of a run: intervals, calibration, kinds of link, distance; the page itself, in a browser too."""
import json
import os
import re
import shutil
import struct
import time

import numpy as np
import pytest

import scoring
from browser import browse
from data_process_i2b2 import Document, Mention
from evaluation import analysis, bootstrap, headline, predictions, published, report, report_parts, seeds, tlink_scores
from evaluation.results import predictions_tsv
from helpers import corpus_of, files_below, made_up, run, settings
from inputs.labels import LABELS, MERGED_LABELS
from settings import settings_for
from support.errors import InputError
from support.paths import ResultFolder


def table(**options):
    return predictions.of_examples(*made_up(**options))


# -------------------------------------------------------------------------------------------- predictions.tsv

def test_predictions_are_read_as_they_were_written(tmp_path):
    examples, log_probabilities = made_up(rows=40)
    path = tmp_path / "predictions.tsv"
    path.write_text(predictions_tsv(examples, log_probabilities), encoding="utf-8")
    read, expected = predictions.read(str(path)), predictions.of_examples(examples, log_probabilities)
    assert read[:4] == expected[:4]
    assert (read.gold == expected.gold).all() and (read.predicted == expected.predicted).all()
    np.testing.assert_allclose(read.probabilities, expected.probabilities, rtol=1e-8)


@pytest.mark.parametrize("change, words", [
    (lambda text: "", "line 1"),
    (lambda text: text.replace("p_AFTER", "p_LATER"), "line 1"),
    (lambda text: text.replace("\tTL3\t", "\t"), "line 5"),
    (lambda text: re.sub(r"(?m)^(D0\tTL2\t\S+\t\S+\t)\S+", r"\1SOMETIME", text), "line 4"),
    (lambda text: re.sub(r"(?m)^(D0\tTL1\t.*\t)\S+$", r"\1nan", text), "line 3"),
    (lambda text: text.split("\n")[0] + "\n", "no predictions"),
])
def test_a_damaged_predictions_file_is_refused(change, words, tmp_path):
    path = tmp_path / "predictions.tsv"
    path.write_text(change(predictions_tsv(*made_up(rows=40))), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        predictions.read(str(path))


# -------------------------------------------------------------------------------------------------- bootstrap


@pytest.mark.parametrize("options", [
    dict(rows=300),
    dict(rows=60, labels=[2, 5]),
    dict(rows=5, documents=2, skill=0),
    dict(rows=30, documents=30, skill=9)
])
def test_scores_from_sums_are_those_of_scoring(options):
    rows = table(**options)
    found = bootstrap.scores(bootstrap.total(tlink_scores.counts(rows)))
    records = [
        scoring.Prediction(*cells, LABELS[gold], LABELS[predicted])
        for *cells, gold, predicted in zip(*rows[:6])
    ]
    expected = scoring.scores(records)
    for score in tlink_scores.SCORES:
        value = expected
        for key in score.key.split("."):
            value = value[key]
        if score.key.endswith("macro.f1"):
            matrix = np.array(expected[score.key.split(".")[0]]["confusion_matrix"])
            f1 = [2 * right / (of_gold + of_predicted) for right, of_gold, of_predicted in zip(
                matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)) if of_gold + of_predicted]
            value = sum(f1) / len(f1)
        assert found[score.key] == pytest.approx(value, abs=1e-12), score.key


def test_interval_is_that_of_the_documents_spread():
    """Documents that are alike give the binomial interval, unlike ones a wider, equal ones a point."""
    random = np.random.RandomState(1)
    cases = np.full(200, 50)
    alike = bootstrap.share_interval(random.binomial(50, 0.7, 200), cases)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 10000)
    assert alike.high - alike.low == pytest.approx(2 * half, rel=0.2) and alike.low < 0.7 < alike.high
    unlike = bootstrap.share_interval(random.binomial(50, random.choice([0.4, 1.0], 200)), cases)
    assert unlike.high - unlike.low > 4 * half
    assert bootstrap.share_interval(np.full(9, 30), np.full(9, 40)) == (0.75, 0.75, 0.75)


def test_intervals_are_the_same_each_time_and_hold_the_score():
    of = tlink_scores.counts(table(rows=500, documents=20))
    first = bootstrap.intervals(of)
    assert first == bootstrap.intervals(of)
    assert all(interval.low <= interval.value <= interval.high and interval.low < interval.high
               for interval in first.values())


def test_p_values():
    worse, same, better = (tlink_scores.counts(table(rows=900, documents=30, skill=skill))
                           for skill in (1.0, 1.0, 2.5))
    assert set(bootstrap.p_values(worse, same).values()) == {1.0}
    forth, back = bootstrap.p_values(worse, better), bootstrap.p_values(better, worse)
    assert forth == back and forth["pairs.accuracy"] == pytest.approx(2 / 10001)


def test_p_values_of_equally_good_runs_are_rarely_small():
    """Runs of the same skill: p below 0.1 in about one in ten pairs, certainly not in half of them."""
    small = 0
    for seed in range(20):
        random = np.random.RandomState(seed)
        gold = random.randint(8, size=600)
        counted = []
        for _ in range(2):
            answers = np.where(random.uniform(size=600) < 0.6, gold, random.randint(8, size=600))
            rows = predictions.Predictions([f"D{row // 20}" for row in range(600)], ["T"] * 600, ["a"] * 600,
                                           ["b"] * 600, gold, answers, None)
            counted.append(tlink_scores.counts(rows))
        small += bootstrap.p_values(*counted, resamples=1000)["pairs.accuracy"] < 0.1
    assert small <= 6


def test_majority_answers_the_commonest_training_label():
    rows = table(rows=100)
    # DURING is the commonest of eight, but BEFORE and what counts as BEFORE are more.
    of, label, merged = tlink_scores.majority_counts(rows, [4, 4, 4, 0, 9, 0, 0, 0])
    assert (label, merged) == ("DURING", "BEFORE")
    figures = bootstrap.scores(bootstrap.total(of))
    assert figures["pairs.accuracy"] == np.mean(rows.gold == LABELS.index("DURING"))
    assert figures["merged.accuracy"] == np.mean(rows.merged_gold() == MERGED_LABELS.index("BEFORE"))


def test_a_corpus_of_the_real_size_takes_seconds():
    rows = table(rows=published.TEST_TLINKS, documents=120)
    began = time.time()
    head = headline.of_predictions(rows, np.ones(8, int))
    assert time.time() - began < 20
    assert (head.documents, head.examples) == (120, published.TEST_TLINKS)


# --------------------------------------------------------------------------------------------------- analysis

def test_calibration():
    confidence = np.array([0.95, 0.95, 0.95, 1.0, 0.55, 0.55])
    right = np.array([True, True, True, False, False, True])
    found = analysis.calibration(confidence, right)
    assert found.cases.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 4]
    assert found.accuracy[9] == 0.75 and found.confidence[9] == pytest.approx(0.9625)
    assert found.error == pytest.approx((4 * (0.9625 - 0.75) + 2 * 0.05) / 6)


def test_confidence_in_a_merged_label_is_the_sum_of_its_labels():
    probabilities = np.array([[.1, .2, .25, .05, .15, .15, .05, .05]])
    rows = predictions.Predictions(["D"], ["T"], ["a"], ["b"], np.array([2]), np.array([2]), probabilities)
    eight, three = analysis.confidences(rows)
    assert eight == pytest.approx([.25]) and three == pytest.approx([.55])


NOTE = "\nAdmission Date :\n03/02/2001\nPain , then a long quiet week , then a mild fever .\n"


def note(shift=1, name="D0"):
    """A document whose offsets count from `shift`; "pain" is 10 words before "fever"."""
    def mention(tag, identifier, text):
        start = NOTE.index(text) + shift
        return Mention(tag, identifier, start, start + len(text), text, "", {})

    return Document(
        name, NOTE,
        (mention("SECTIME", "S0", "03/02/2001"), mention("EVENT", "E0", "Pain"),
         mention("EVENT", "E1", "mild fever"), mention("EVENT", "E2", "fever"),
         mention("TIMEX3", "T0", "a long quiet week"), Mention("EVENT", "E3", None, None, "nowhere", "", {}),
         Mention("EVENT", "E4", 5000, 5003, "far", "", {})), ())


def links(*pairs):
    count = len(pairs)
    return predictions.Predictions(["D0"] * count, [f"TL{number}" for number in range(count)],
                                   [pair[0] for pair in pairs], [pair[1] for pair in pairs],
                                   np.zeros(count, int), np.zeros(count, int), np.full((count, 8), 1 / 8))


def test_kinds_of_link():
    rows = links(("E0", "S0"), ("E0", "Admission"), ("DISCHARGE", "T0"), ("E0", "E1"), ("T0", "E0"),
                 ("E0", "T0"), ("T0", "T0"), ("E0", "E99"))
    assert analysis.kinds(rows, [note()]) == [analysis.SECTION] * 3 + [
        analysis.EVENT_EVENT, analysis.EVENT_TIME, analysis.EVENT_TIME, analysis.TIME_TIME, analysis.OTHER]


def test_a_section_link_is_known_by_its_id_and_has_no_distance():
    rows = links(("E0", "T0"), ("E0", "T0"), ("E0", "T0"))._replace(tlinks=["SECTIME7", "Sectime8", "TL9"])
    assert analysis.kinds(rows, [note()]) == [analysis.SECTION] * 2 + [analysis.EVENT_TIME]
    assert analysis.distances(rows, [note()]) == [None, None, 2]


@pytest.mark.parametrize("shift", [0, 1])
def test_distance_in_words(shift):
    rows = links(("E0", "E1"), ("E1", "E0"), ("E0", "T0"), ("E1", "E2"), ("E0", "E0"), ("E0", "S0"),
                 ("E0", "E3"), ("E4", "E0"), ("E0", "x"))
    assert analysis.distances(rows, [note(shift)]) == [9, 9, 2, 0, 0, None, None, None, None]


def test_classes_of_distance():
    classes = [analysis.distance_class(words) for words in (0, 4, 5, 24, 25, 99, 100, 5000, None)]
    assert classes == ["0–4", "0–4", "5–9", "10–24", "25–49", "50–99", "100+", "100+", "unknown"]


def test_groups():
    rows = table(rows=200)
    names = ["even" if row % 2 == 0 else "odd" for row in range(200)]
    found = analysis.groups(rows, names, ["none", "odd", "even"])
    assert [group.name for group in found] == ["odd", "even"]
    assert found[1].cases == 100 and found[1].pairs.value == np.mean((rows.gold == rows.predicted)[::2])
    assert found[1].merged.value == np.mean((rows.merged_gold() == rows.merged_predicted())[::2])
    assert found[1].merged.low < found[1].merged.value < found[1].merged.high


def test_confident_errors_are_the_wrong_ones_in_order():
    rows = table(rows=200)
    errors = analysis.confident_errors(rows, ["kind"] * 200, most=12)
    assert len(errors) == 12 and all(error.gold != error.predicted for error in errors)
    confidence = [error.confidence for error in errors]
    assert confidence == sorted(confidence, reverse=True)
    assert confidence[0] == analysis.confidences(rows)[0][rows.gold != rows.predicted].max()


def test_mean_and_spread_over_seeds():
    found = seeds.summary([{"f1": 0.5}, {"f1": 0.6}, {"f1": 0.7}])
    assert found == {
        "f1": {
            "mean": pytest.approx(0.6), "sd": pytest.approx(0.1), "min": 0.5, "max": 0.7, "values": [
                0.5, 0.6, 0.7
            ]
        }
    }
    assert seeds.summary([{"f1": 0.5}])["f1"]["sd"] is None
    assert "0.6000" in seeds.format_summary(found) and "0.1000" in seeds.format_summary(found)


# ----------------------------------------------------------------------------------------------------- curves

def curves_of(record, monkeypatch):
    """The section on the curves of a run with this record."""
    points = np.arange(1, 4), np.array([0.3, 0.2, 0.1])
    monkeypatch.setattr(report_parts, "read_curves", lambda folder: {"training": {"loss": points}, "validation": {"loss": points}})
    return report_parts.curves_section(report_parts.Drawn(), ResultFolder("nowhere"), record, report.WORDS)


@pytest.mark.parametrize("settings_of_run, told", [({"smoothing": 0.1}, True), ({"smoothing": 0.0}, False), ({}, False)])
def test_the_loss_of_smoothed_labels_is_told(settings_of_run, told, monkeypatch):
    assert ("of smoothed labels" in curves_of({"settings": settings_of_run}, monkeypatch)) is told


@pytest.mark.parametrize("dev, trained, tested, told", [
    ("test", {"test": "a", "test documents": "b"}, {"test": "x", "test documents": "b"}, True),
    ("test", {"test": "a", "test documents": "b"}, {"test": "a", "test documents": "x"}, False),
    ("test", {"test": "a"}, {"test": "x", "test documents": "y"}, False), ("test", {"test": "a"}, {"test": "a"}, True),
    ("0.15", {"test": "a", "test documents": "b"}, {"test": "a", "test documents": "b"}, False)])
def test_scores_are_optimistic_where_the_model_was_chosen_on_the_documents_tested(dev, trained, tested, told, monkeypatch):
    record = {"settings": {"dev": dev}, "corpus": trained, "test": {"corpus": tested}}
    assert ("so the scores above are optimistic" in curves_of(record, monkeypatch)) is told


def test_curves_of_a_continued_run_are_in_one_piece(tmp_path):
    """What the cut-off run wrote after its saved state is dropped; a cut-off record is passed over."""
    from evaluation import curves
    from evaluation.curves import read_curves
    from network.runtime import tf
    folder = tmp_path / "training"
    folder.mkdir()

    def event(step, **content):
        data = tf.Event(step=step, **content).SerializeToString()
        length = struct.pack("<Q", len(data))
        return b"".join(part + struct.pack("<I", curves.masked_crc32c([part])[0]) for part in (length, data))

    def loss(step, value):
        return event(step, summary=tf.Summary(value=[tf.Summary.Value(tag="loss", simple_value=value)]))

    (folder /
     "events.out.tfevents.1.host").write_bytes(loss(1, 4) + loss(2, 3) + loss(3, 9) + loss(4, 9)[:-5])
    start = event(2, session_log=tf.SessionLog(status=tf.SessionLog.START))
    (folder / "events.out.tfevents.2.host").write_bytes(start + loss(3, 2) + b"\xff" * 20)
    steps, values = read_curves(str(tmp_path))["training"]["loss"]
    assert steps.tolist() == [1, 2, 3] and values.tolist() == [4, 3, 2]
    assert read_curves(str(tmp_path / "nowhere")) == {}


# --------------------------------------------------------------------------------------------------- the page

@pytest.fixture(scope="module")
def corpus(project, tmp_path_factory):
    """Part of the sample corpus."""
    train, test = ([*sorted((project / "corpus" / "sample" / place).glob("*.xml"))][:count]
                   for place, count in (("2012-07-15.original-annotation.release", 4),
                                        ("ground_truth/merged_xml", 3)))
    return corpus_of(tmp_path_factory.mktemp("corpus") / "part", train, test)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    from inputs.tiny_bert import make_tiny_bert
    folder = tmp_path_factory.mktemp("bert")
    make_tiny_bert(str(folder))
    return folder


SMALL = settings(batch_size=16, max_steps=4, evaluate_every=2, seq_length=64)


@pytest.fixture(scope="module")
def tested(corpus, bert, tmp_path_factory):
    """The result folder of two seeds after `train` and `test`, and what `test` printed."""
    result = tmp_path_factory.mktemp("out") / "result"
    common = ("--corpus", corpus, "--bert", bert, "--result", result, "--seeds", 2)
    run("run_i2b2.py", "train", *common, *SMALL)
    return result, run("run_i2b2.py", "test", *common)


SECTIONS = ("scores", "published", "labels", "confusion", "curves", "calibration", "kinds", "distance",
            "errors", "settings")


def test_every_test_writes_the_report(tested):
    result, finished = tested
    assert finished.stderr == "" and "baseline" in finished.stdout
    for seed in ("seed-0", "seed-1"):
        page = (result / seed / "report.html").read_text(encoding="utf-8")
        assert re.findall(r'<section id="(\w+)"', page) == list(SECTIONS)
        figures = {path.name for path in (result / seed / "figures").iterdir()}
        assert {
            "scores.png", "labels_8.png", "confusion_8.png", "confusion_3.png", "curve_loss.png",
            "calibration_8.png", "kinds.png", "distance.png", "confidence.png"
        } <= figures
        assert page.count("<img ") == len(figures)
        scores = json.loads((result / seed / "scores.json").read_text())
        f1 = scores["tempeval"]["f1"]
        assert f"{100 * f1:.1f} %" in page and f"{f1:.4f}" in finished.stdout


def test_the_page_needs_nothing_else_and_is_accessible(tested):
    page = (tested[0] / "seed-0" / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'src="([^"]{0,21})', page)) == {"data:image/png;base64"}
    assert not re.search(r"<script|<link|<iframe|url\(|@import|srcset", page)
    assert "default-src 'none'" in page and '<html lang="en">' in page and 'name="viewport"' in page
    for image in re.findall(r"<img [^>]*>", page):
        assert len(re.search(r'alt="([^"]*)"', image).group(1)) > 15
    for part in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert "<caption>" in part and 'scope="col"' in part and 'scope="row"' in part
    assert str(tested[0]) not in page


def test_seeds_are_runs_of_their_own_and_summed_up(tested, corpus, bert, tmp_path):
    result, finished = tested
    content = json.loads((result / "seeds.json").read_text())
    accuracies = [
        json.loads((result / f"seed-{seed}" / "scores.json").read_text())["pairs"]["accuracy"]
        for seed in (0, 1)
    ]
    assert content["test"]["seeds"] == [0, 1]
    assert content["test"]["scores"]["pairs.accuracy"]["values"] == pytest.approx(accuracies)
    assert content["test"]["scores"]["pairs.accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert len(content["train"]["scores"]["best dev score"]["values"]) == 2
    assert "standard deviation" in finished.stdout and "all models together" in finished.stdout
    tables = [predictions.read(str(result / f"seed-{seed}" / "predictions.tsv")) for seed in (0, 1)]
    joint = (tables[0].probabilities + tables[1].probabilities).argmax(axis=1)
    assert content["test"]["scores"]["pairs.accuracy"]["together"] == pytest.approx(np.mean(joint == tables[0].gold))
    assert "together" not in content["train"]["scores"]["best dev score"]
    # Seed 1 among others is seed 1 alone.
    common = ("--corpus", corpus, "--bert", bert, "--result", tmp_path)
    run("run_i2b2.py", "train", *common, "--seed", 1, *SMALL)
    run("run_i2b2.py", "test", *common)
    assert (tmp_path / "predictions.tsv").read_text() == (result / "seed-1" / "predictions.tsv").read_text()


@pytest.mark.parametrize("arguments", [("--seeds", 2, "--seed", 1), ("--seeds", 0),
                                       ("--seeds", 2, "--set", "seed=3"), ("--seeds", "x")])
def test_seeds_are_given_in_one_way(arguments):
    finished = run("run_i2b2.py", "train", *arguments, check=False)
    assert finished.returncode == 2 and "--seeds" in finished.stderr


def test_system_xml_and_the_whole_documents(tested, corpus, bert, tmp_path):
    """`scoring.py GOLD result/system_xml` gives the figures of scores.json; text only where asked for."""
    result = shutil.copytree(str(tested[0] / "seed-0"), str(tmp_path / "mine"))
    stale, own = (os.path.join(result, "figures", name) for name in ("old.png", "own.png"))
    run_json = os.path.join(result, "run.json")
    for path in (stale, own, os.path.join(result, "system_xml", "own.xml")):
        open(path, "w").close()
    record = json.load(open(run_json))
    assert {"scores.png"} <= set(record["test"]["files"]["figures"]) and set(record["test"]["files"]["system_xml"]) == {
        path.name for path in (corpus / "ground_truth" / "merged_xml").glob("*.xml")}
    record["test"]["files"]["figures"].append("old.png")
    with open(run_json, "w") as out:
        json.dump(record, out)
    run("run_i2b2.py", "test", "--corpus", corpus, "--bert", bert, "--result", result, "--with-text")
    assert not os.path.exists(stale) and os.path.exists(own), "only what the record names as written is removed"
    os.remove(os.path.join(result, "system_xml", "own.xml"))
    whole, = (corpus / "system_xml").glob("mine-*")
    gold = corpus / "ground_truth" / "merged_xml"
    assert {path.stat().st_mode & 0o777 for path in whole.glob("*.xml")} == {0o600}
    expected = json.load(open(os.path.join(result, "scores.json")))["tempeval"]
    for folder in (os.path.join(result, "system_xml"), whole):
        finished = run("scoring.py", gold, folder)
        assert finished.stderr == ""
        assert finished.stdout.split()[-3:] == [
            f"{expected[name]:.4f}" for name in ("precision", "recall", "f1")
        ]
    for path in gold.glob("*.xml"):
        words = re.search(r"\[CDATA\[(.*?)\]\]", path.read_text(encoding="utf-8"), re.DOTALL).group(1)
        assert words in (whole / path.name).read_text(encoding="utf-8")
        assert "<TEXT><![CDATA[]]></TEXT>" in open(os.path.join(result, "system_xml", path.name)).read()


def test_a_run_without_curves_says_so(tmp_path):
    examples, log_probabilities = made_up(rows=60)
    rows = predictions.of_examples(examples, log_probabilities)
    scores = scoring.scores([
        scoring.Prediction(*cells, LABELS[gold], LABELS[predicted])
        for *cells, gold, predicted in zip(*rows[:6])
    ])
    result = ResultFolder(str(tmp_path))
    page, _ = report.make_report(result, {}, rows, scores, [note(name=f"D{number}") for number in range(7)],
                                 headline.of_predictions(rows, np.ones(8, int)))
    curves = re.search(r'<section id="curves".*?</section>', page, re.DOTALL).group(0)
    assert "no training curves" in curves and "<img" not in curves
    assert "27,735" in page, "the note that these are not the test documents of the published figures"


@pytest.mark.parametrize("options, words, not_words", [
    ([], "the beginning of the note", "around both mentions"),
    (["context=6", "mention_types=true"], "6 word pieces on each side, and how many word pieces", "beginning of the note"),
    (["context=24"], "24 word pieces on each side, but not how far apart", "beginning of the note")])
def test_the_report_tells_what_the_recipe_at_hand_does_with_distance(options, words, not_words, tmp_path):
    rows = predictions.of_examples(*made_up(rows=60))
    scores = scoring.scores([scoring.Prediction(*cells, LABELS[gold], LABELS[predicted])
                             for *cells, gold, predicted in zip(*rows[:6])])
    record = json.loads(json.dumps({"settings": settings_for("paper", options)._asdict(), "test": {"remarks": ["A & remark."]}}))
    page, _ = report.make_report(ResultFolder(str(tmp_path)), record, rows, scores,
                                 [note(name=f"D{number}") for number in range(7)],
                                 headline.of_predictions(rows, np.ones(8, int)))
    section = re.search(r'<section id="distance".*?</section>', page, re.DOTALL).group(0)
    assert words in section and not_words not in section
    assert page.index("A &amp; remark.") < page.index("<main>")


def test_a_report_on_few_documents_has_no_intervals_and_says_why(tmp_path, recwarn):
    rows = predictions.of_examples(*made_up(rows=60, documents=3))
    scores = scoring.scores([scoring.Prediction(*cells, LABELS[gold], LABELS[predicted])
                             for *cells, gold, predicted in zip(*rows[:6])])
    page, _ = report.make_report(ResultFolder(str(tmp_path)), {}, rows, scores, [note(name=f"D{number}") for number in range(3)],
                                 headline.of_predictions(rows, np.ones(8, int)))
    page = re.sub('base64,[^"]*', "", page)
    assert "No intervals: 3 test documents are too few" in page and "nan" not in page
    assert "resamples of the" not in page and not recwarn.list


def test_names_from_the_corpus_are_text_and_not_markup(tmp_path):
    examples, log_probabilities = made_up(rows=60, skill=0)
    examples = [example._replace(document="<b>&x", tlink='"><script>1</script>') for example in examples]
    rows = predictions.of_examples(examples, log_probabilities)
    scores = scoring.scores([
        scoring.Prediction(*cells, LABELS[gold], LABELS[predicted])
        for *cells, gold, predicted in zip(*rows[:6])
    ])
    page, _ = report.make_report(ResultFolder(str(tmp_path)), {}, rows, scores, [note(name="<b>&x")],
                                 headline.of_predictions(rows, np.ones(8, int)))
    assert "<script" not in page and "<b>&x" not in page and "&lt;b&gt;&amp;x" in page


# ----------------------------------------------------------------------------------------------- in a browser

# Widths of the images of each section.
IMAGES = """
  var sections = {};
  page.document.querySelectorAll("section").forEach(function (section) {
    sections[section.id] = Array.from(section.querySelectorAll("img")).map(
      function (image) { return image.naturalWidth; });
  });
  return sections;"""


@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser_each_section_has_its_figure_and_nothing_is_fetched(tested, chromium, width, tmp_path):
    found = browse(chromium, (tested[0] / "seed-0" / "report.html").read_text(encoding="utf-8"), width,
                   tmp_path, IMAGES)
    assert set(found["probe"]) == set(SECTIONS)
    for section, widths in found["probe"].items():
        # Settings are a table, and published scores are not shown beside another test set; everything else is drawn.
        assert (section in ("settings", "published")) == (widths == []) and all(natural > 300 for natural in widths), section
    assert found["fetched"] == []
    assert found["width"] == width and found["needed"] <= width, "the page itself must not scroll sideways"


def test_the_browser_would_see_what_is_fetched_and_what_is_too_wide(chromium, tmp_path):
    page = (
        '<html><body><section id="x"><img src="/missing.png"><div style="width:2000px">wide</div></section>'
        '<img src="http://elsewhere.invalid/x.png"></body></html>')
    found = browse(chromium, page, 400, tmp_path, IMAGES)
    assert {"/missing.png", "http://elsewhere.invalid/x.png"} <= set(found["fetched"])
    assert found["probe"] == {"x": [0]} and found["needed"] >= 2000


# ------------------------------------------------------------------------------------------- no text of notes

def windows(texts, length=40):
    """Every run of `length` characters of some texts, as UTF-8, and with line breaks as spaces."""
    return {
        text[begin:begin + length].encode("utf-8")
        for note in texts
        for text in (note, re.sub(r"\s", " ", note))
        for begin in range(len(text) - length + 1) if text[begin:begin + length].strip()
    }


def holds_any(data, parts):
    lengths = {len(part) for part in parts}
    return any(data[begin:begin + length] in parts for length in lengths
               for begin in range(len(data) - length + 1))


@pytest.mark.trains
def test_no_text_of_a_note_leaves_the_corpus_folder(shared, tmp_path):
    """No 40 characters in a row of a note are in a file of the result folder or on the terminal."""
    from data_process_i2b2 import read_folder
    corpus = tmp_path / "corpus"
    shutil.copytree(str(shared / "e3c"), str(corpus))
    for place, _, _ in os.walk(str(corpus)):
        os.chmod(place, 0o755)
    result = tmp_path / "result"
    common = ("--corpus", corpus, "--bert", shared / "parity" / "tiny_bert", "--result", result)
    printed = run("run_i2b2.py", "train", *common, *settings(max_steps=1, evaluate_every=1)).stdout
    printed += run("run_i2b2.py", "test", *common, "--with-text").stdout
    notes = [
        document.text for place in ("2012-07-15.original-annotation.release", "ground_truth/merged_xml")
        for entities in ("decoded", "upstream") for document in read_folder(str(corpus / place), entities)
    ]
    parts = {part for part in windows(notes) if len(part) == 40}
    assert holds_any(b"x" * 50 + sorted(parts)[1000] + b"y", parts), "the search finds what is there"
    assert not holds_any(printed.encode("utf-8"), parts)
    searched = files_below(result)
    assert {os.path.splitext(path)[1]
            for path in searched} >= {".html", ".png", ".xml", ".tsv", ".json", ".txt", ".index"}
    for path in searched:
        with open(path, "rb") as source:
            assert not holds_any(source.read(), parts), path
