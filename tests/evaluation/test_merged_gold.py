"""Where the gold has three labels, these come first, and it is said why the scores of eight read as they do."""
import re

import numpy as np
import pytest

import scoring
from commands import demo
from evaluation import analysis, compare, headline, predictions, report
from evaluation.results import predictions_tsv
from evaluation.tlink_scores import THREE
from helpers import made_up
from inputs.labels import LABELS, MERGED_LABELS
from support.paths import ResultFolder

WHY = "The gold has no types but BEFORE, AFTER and OVERLAP"
MERGED_IDS = [LABELS.index(label) for label in MERGED_LABELS]


def rows_of(labels, skill=1.5, seed=0):
    """Examples, log probabilities and Predictions of a classifier of eight labels, on a gold of some."""
    examples, log_probabilities = made_up(200, 20, seed, skill, labels)
    return examples, log_probabilities, predictions.of_examples(examples, log_probabilities)


def scores_of(examples, rows):
    return scoring.scores([scoring.Prediction(*example[4:8], example.label, LABELS[answer])
                           for example, answer in zip(examples, rows.predicted)])


def head_of(rows):
    return headline.of_predictions(rows, np.arange(8))


def in_order(text, *words):
    """Whether words occur in a text in this order."""
    places = [text.index(word) for word in words]
    return places == sorted(places)


THREE_FIRST = ("Three labels", "Temporal closure", "Eight labels")
EIGHT_FIRST = ("Eight labels", "Three labels", "Temporal closure")


@pytest.mark.parametrize("labels, merged", [(MERGED_IDS, True), (MERGED_IDS[:1], True), (range(8), False), ([0, 2], False)])
def test_a_merged_gold_is_known_by_its_labels(labels, merged):
    examples, _, rows = rows_of(labels)
    assert rows.has_merged_gold() is scoring.has_merged_gold(scores_of(examples, rows)) is merged
    assert head_of(rows).remark.startswith(WHY) is merged


@pytest.mark.parametrize("labels, order", [(MERGED_IDS, THREE_FIRST), (range(8), EIGHT_FIRST)])
def test_on_the_terminal(labels, order):
    examples, _, rows = rows_of(labels)
    assert in_order(headline.as_text(head_of(rows)), *order)
    text = scoring.format_scores(scores_of(examples, rows))
    assert in_order(text, *(("Merged to three" if words == "Three labels" else words) for words in order))
    assert (WHY in text) is (order is THREE_FIRST) and max(map(len, text.split("\n"))) <= 110


@pytest.mark.parametrize("labels, order", [(MERGED_IDS, THREE_FIRST), (range(8), EIGHT_FIRST)])
def test_in_the_report(labels, order, tmp_path):
    examples, _, rows = rows_of(labels)
    page, _ = report.make_report(ResultFolder(str(tmp_path)), {}, rows, scores_of(examples, rows), [], head_of(rows))
    page = re.sub('base64,[^"]*', "", page)
    sections = dict(re.findall(r'<section id="(\w+)"(.*?)</section>', page, re.DOTALL))
    assert in_order(sections["scores"][sections["scores"].index("<table"):], *order)
    main = ("accuracy, eight labels", "accuracy, three labels")
    assert in_order(sections["scores"], *(main[::-1] if order is THREE_FIRST else main))
    for name in ("labels", "confusion"):
        words = ("Eight labels", "Three labels")
        assert in_order(sections[name], *(words[::-1] if order is THREE_FIRST else words))
    assert (page.count(WHY) == 1) is (order is THREE_FIRST)


def written(folder, labels, seed):
    examples, log_probabilities, _ = rows_of(labels, seed=seed)
    folder.mkdir()
    (folder / "predictions.tsv").write_text(predictions_tsv(examples, log_probabilities), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("gold, order, why", [
    ((MERGED_IDS, MERGED_IDS), THREE_FIRST, f"\n{WHY}"), ((range(8), range(8)), EIGHT_FIRST, None),
    ((range(8), MERGED_IDS), EIGHT_FIRST, f"\nrun1: {WHY}")])
def test_in_a_comparison(gold, order, why, tmp_path, capsys):
    folders = [written(tmp_path / f"run{number}", labels, number) for number, labels in enumerate(gold)]
    compare.compare_runs(folders, str(tmp_path / "out.html"))
    said, page = capsys.readouterr().out, (tmp_path / "out.html").read_text(encoding="utf-8")
    for text in (said, page[page.index("<table"):]):
        assert in_order(text, *order)
    assert why in said if why else WHY not in said
    assert (WHY in page) is bool(why)


def test_in_the_last_sentence_of_the_demo():
    _, _, rows = rows_of(MERGED_IDS)
    head = head_of(rows)
    merged = 100 * np.mean(rows.merged_gold() == rows.merged_predicted())
    assert f"With three labels the model is right for {merged:.1f} %" in demo.sentence(head, "test")
    answer = head.answers[THREE]
    always = 100 * np.mean(rows.merged_gold() == MERGED_LABELS.index(answer))
    assert f"always answering {answer} would get {always:.1f} %: {merged - always:+.1f} points" in demo.sentence(head, "test")
    _, _, rows = rows_of(range(8))
    assert f"With eight labels the model is right for {100 * np.mean(rows.gold == rows.predicted):.1f} %" in demo.sentence(
        head_of(rows), "test")


def test_what_merging_makes_right_is_no_confident_error():
    gold = np.array([LABELS.index("BEFORE"), LABELS.index("BEFORE"), LABELS.index("AFTER")])
    predicted = np.array([LABELS.index("ENDED_BY"), LABELS.index("OVERLAP"), LABELS.index("AFTER")])
    probabilities = np.full((3, 8), 0.05)
    probabilities[np.arange(3), predicted] = 0.65
    names = ["1", "2", "3"]
    rows = predictions.Predictions(names, names, names, names, gold, predicted, probabilities)
    error, = analysis.confident_errors(rows, ["kind"] * 3)
    assert (error.gold, error.predicted) == ("BEFORE", "OVERLAP")
    # Merged: OVERLAP, DURING and SIMULTANEOUS together.
    assert error.confidence == pytest.approx(0.75)
    eight = rows._replace(gold=np.array([LABELS.index("BEFORE"), LABELS.index("DURING"), LABELS.index("AFTER")]))
    assert len(analysis.confident_errors(eight, ["kind"] * 3)) == 2
