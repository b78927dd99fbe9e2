"""Published scores: as their sources have them, and beside a run's only where both are of the same test set."""
import collections
import re

import numpy as np
import pytest

import data_process_BC5CDR
from evaluation import cdr_report, headline, predictions, published, report
from evaluation.tlink_scores import score
from helpers import BC5CDR_FILES, made_up
from inputs.labels import MERGED_LABELS, merge
from support.paths import ResultFolder

I2B2 = np.repeat([MERGED_LABELS.index(label) for label in published.TEST_LABELS], list(published.TEST_LABELS.values()))


@pytest.mark.parametrize("documents, gold, comparable", [
    (120, I2B2, True),
    (120, I2B2[1:-1], True),
    (120, list(I2B2), True),
    (119, I2B2, False),
    (121, I2B2, False),
    (120, I2B2[:11200], False),
    (120, (I2B2 + 1) % 3, False),
    (120, I2B2[500:], False),
    (120, [], False)])
def test_the_challenges_test_set_is_known_by_its_documents_and_labels(documents, gold, comparable):
    assert published.are_comparable(documents, gold) == comparable


def section_of(folder):
    """The report's section of published scores for a made-up run."""
    examples, log_probabilities = made_up(rows=200)
    table = predictions.of_examples(examples, log_probabilities)
    page, _ = report.make_report(ResultFolder(str(folder)), {}, table, score(examples, log_probabilities), [],
                                 headline.of_predictions(table, np.ones(8, int)))
    return re.search(r'<section id="published".*?</section>', page, re.DOTALL).group(0), table


def test_on_another_test_set_no_published_score_is_shown(tmp_path):
    section, table = section_of(tmp_path)
    assert "<table" not in section and "<img" not in section and "not the i2b2 2012 test set" in section
    own = 100 * headline.of_predictions(table, np.ones(8, int)).intervals["tempeval.f1"].value
    assert f"{own:.1f}" not in section
    assert not any(figure in section for entry in published.PUBLISHED for figure in re.findall(r"\d\d\.\d+", entry.figures))


def test_the_challenges_test_set_has(tmp_path, monkeypatch):
    examples, _ = made_up(rows=200)
    counts = collections.Counter(merge(example.label) for example in examples)
    monkeypatch.setattr(published, "TEST_DOCUMENTS", 7)
    monkeypatch.setattr(published, "TEST_LABELS", counts)
    section, table = section_of(tmp_path)
    own = 100 * headline.of_predictions(table, np.ones(8, int)).intervals["tempeval.f1"].value
    assert "this run</th>" in section and f"{own:.1f}" in section and "not the i2b2 2012 test set" not in section
    assert section.count(published.OTHER_LINKS) == 2 and "Hatched" in section


@pytest.mark.parametrize("kind, is_shown", [(predictions.AllPairPredictions, True), (predictions.PairPredictions, False)])
def test_published_relations_found_stand_beside_those_of_the_same_test_set(kind, is_shown, monkeypatch):
    gold = np.arange(60) % 3 == 0
    probabilities = np.stack([1 - 0.8 * gold, 0.8 * gold], axis=1)
    table = kind([f"D{row % 10}" for row in range(60)], [str(row) for row in range(60)], [f"C{row}" for row in range(60)],
                 ["D"] * 60, gold.astype(int), probabilities.argmax(axis=1), probabilities)
    head = headline.of_predictions(table, np.array([40, 20]))
    section = cdr_report._published_section(head, 20)  # pylint: disable=protected-access
    assert "57.03" not in section and "not BC5CDR" in section
    monkeypatch.setattr(cdr_report, "TEST_DOCUMENTS", 10)
    monkeypatch.setattr(cdr_report, "TEST_RELATIONS", 20)
    section = cdr_report._published_section(head, 20)  # pylint: disable=protected-access
    assert ("57.03" in section) == is_shown and "not BC5CDR" not in section


def test_the_cid_test_set_is_known_by_its_documents_and_relations(shared):
    split = data_process_BC5CDR.read_split(str(shared / "bc5cdr" / BC5CDR_FILES["test"]), negatives="all")
    assert (len(split.documents), sum(example.label == "1" for example in split.examples)) == (
        cdr_report.TEST_DOCUMENTS, cdr_report.TEST_RELATIONS)


def test_what_was_scored_by_another_rule_is_marked_in_picture_and_table():
    for system, others in (("Tu, Han, Nenadic", True), ("Cheng, Weiss", False), ("Tang", False), ("Cherry", False)):
        bars = [other for _, name, _, value, other in published.BESIDE if name.startswith(system)]
        rows = [entry.other_rule for entry in published.PUBLISHED if system in entry.system]
        assert bars and rows and set(bars) == set(rows) == {others}, system
    for entry in published.PUBLISHED:
        assert entry.other_rule == entry.remark.startswith("Another rule")


def test_hatched_bars_are_drawn_otherwise(tmp_path):
    from evaluation import bootstrap, plots
    rows = [("group", "who", bootstrap.Interval(.6, .6, .6), True, other) for other in (False, True)]
    assert plots.beside(rows[:1]) != plots.beside(rows[1:])


def test_each_bar_is_a_score_of_the_table():
    for _, name, _, value, _ in published.BESIDE:
        if value is not None:
            surname = name.split(",")[0].split()[0]
            reported = " / ".join(entry.figures for entry in published.PUBLISHED if surname in entry.system)
            assert float(f"{100 * value:.2f}") in [float(text) for text in re.findall(r"[\d.]+", reported)], name


def test_the_readme_says_the_same(project):
    text = (project / "README.md").read_text(encoding="utf-8")
    assert "D'Souza" not in text
    for entry in published.PUBLISHED:
        year = re.search(r"[12]\d{3}", entry.system).group(0)
        surname = re.search(r"\((\w+)", entry.system).group(1)
        lines = [line for line in text.splitlines() if line.startswith("|") and surname in line and year in line]
        assert lines, entry.system
        for figure in re.findall(r"[\d.]+", entry.figures):
            assert any(figure in line for line in lines), f"{entry.system}: {figure}"


def test_the_challenges_best_systems(shared):
    source = (shared / "PUBLISHED.md").read_text(encoding="utf-8")
    for surname, figure in (("Tang", "69.32"), ("Cherry", "69.24")):
        entry, = (entry for entry in published.PUBLISHED if surname in entry.system)
        line, = (line for line in source.splitlines() if line.startswith("|") and surname in line)
        assert entry.figures == figure and figure in line
