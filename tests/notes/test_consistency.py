"""Labels that do not contradict one another: against every possibility on small documents."""
import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from data_process_i2b2 import Document, Tlink, examples
from evaluation import predictions, system_xml, tlink_scores
from evaluation.results import predictions_tsv
from evaluation.temporal_graph import reduce_links
from helpers import made_up, run
from inputs.labels import LABELS, MERGED_LABELS, merge
from notes import consistency
from support.errors import InputError

IDS = strategies.sampled_from(["E0", "E1", "E2", "E3"])
STATED = strategies.lists(strategies.tuples(IDS, IDS, strategies.sampled_from(MERGED_LABELS)), max_size=7)


def entailed_by_their_graph(stated):
    graph = reduce_links(stated)[1]
    return all(graph.entails(link) for link in stated)


@given(STATED)
def test_what_contradicts_itself_is_what_does_not_fit_one_graph(stated):
    cycles = consistency.contradictions(stated)
    assert (not cycles) == entailed_by_their_graph(stated)
    for cycle in cycles:
        assert cycle[0].strict, "and the arcs are a way around"
        tails = [stated[arc.link][0 if arc.forward else 1] for arc in cycle]
        assert [arc.head for arc in cycle] == tails[1:] + tails[:1]


@settings(max_examples=25, deadline=None)
@given(strategies.lists(strategies.tuples(IDS, IDS), min_size=1, max_size=5), STATED.map(lambda stated: stated[:2]),
       strategies.integers(0, 2 ** 31))
def test_no_other_consistent_labels_are_more_probable(links, known, seed):
    log_probabilities = np.log(np.random.RandomState(seed).dirichlet([0.5] * 3, len(links)) + 1e-9)
    solution = consistency.most_probable(links, log_probabilities, known)
    stand = [link for link in known if reduce_links(known)[1].entails(link)]

    def stated(labels):
        return [(*link, MERGED_LABELS[label]) for link, label in zip(links, labels)] + stand

    def total(labels):
        return sum(row[label] for row, label in zip(log_probabilities, labels))
    assert entailed_by_their_graph(stated(solution.merged))
    every = itertools.product(range(3), repeat=len(links))
    best = max(total(labels) for labels in every if entailed_by_their_graph(stated(labels)))
    assert total(solution.merged) == pytest.approx(best, abs=1e-6) and solution.gap == 0


def noisy(seed, intervals=30, count=120):
    """Links among intervals on a line, and log probabilities of a classifier that is right about two times in three."""
    random = np.random.RandomState(seed)
    place = random.randint(10, size=intervals)
    links = [tuple(random.choice(intervals, 2, replace=False)) for _ in range(count)]
    gold = [0 if place[a] < place[b] else 1 if place[a] > place[b] else 2 for a, b in links]
    logits = random.normal(size=(count, 3))
    logits[np.arange(count), gold] += 1.0
    return [(f"E{a}", f"E{b}") for a, b in links], logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.array(gold)


def test_consistent_labels_of_a_document_are_righter():
    links, log_probabilities, gold = noisy(1)
    solution = consistency.most_probable(links, log_probabilities)
    assert solution.gap == 0
    assert entailed_by_their_graph([(*link, MERGED_LABELS[label]) for link, label in zip(links, solution.merged)])
    assert (solution.merged == gold).mean() > (log_probabilities.argmax(axis=1) == gold).mean() + 0.1


def test_without_time_the_labels_are_consistent_and_the_distance_from_the_best_is_bounded():
    links, log_probabilities, _ = noisy(2)
    best, hasty = (consistency.most_probable(links, log_probabilities, seconds=seconds) for seconds in (60, 0))

    def total(solution):
        return log_probabilities[np.arange(len(links)), solution.merged].sum()
    assert entailed_by_their_graph([(*link, MERGED_LABELS[label]) for link, label in zip(links, hasty.merged)])
    assert 0 <= total(best) - total(hasty) <= hasty.gap + 1e-9
    assert "at most" in consistency.proof([0.0, hasty.gap]) and "every document" in consistency.proof([0.0, 0.0])


def test_of_the_labels_merged_into_one_the_most_probable_is_taken():
    def row(**chances):
        return np.log([chances.get(label, 0.001) for label in LABELS])
    links = [("E0", "E1"), ("E1", "E0")]
    together = consistency.revise(links[:1], np.array([row(BEGUN_BY=0.3, AFTER=0.2, BEFORE=0.4)]))
    assert LABELS[together.merged[0]] == LABELS[together.consistent[0]] == "BEGUN_BY" and together.changed == 0
    revision = consistency.revise(links, np.array([row(BEFORE=0.9), row(BEGUN_BY=0.25, AFTER=0.15, BEFORE=0.45)]))
    assert [LABELS[label] for label in revision.merged] == ["BEFORE", "BEFORE"]
    assert [LABELS[label] for label in revision.consistent] == ["BEFORE", "BEGUN_BY"]
    assert revision.changed == 1, "BEFORE of the second link"
    known = consistency.revise(links[1:], np.array([row(AFTER=0.99)]), [("E0", "E1", "ENDED_BY"), ("E1", "E0", "ENDED_BY")])
    assert [LABELS[label] for label in known.consistent] == ["AFTER"], "a link that contradicts an earlier one is passed over"


@pytest.mark.parametrize("seconds", [60, 0])
def test_links_to_nothing_contradict_nothing(seconds):
    links = [("E0", ""), ("", "E0"), ("E1", "E0"), ("E0", "E1")]
    before = np.log([0.9 if label == "BEFORE" else 0.1 / 7 for label in LABELS])
    revision = consistency.revise(links, np.stack([before] * 4), [("E0", "", "BEFORE"), ("", "E1", "BEFORE")], seconds)
    assert [LABELS[label] for label in revision.consistent[:2]] == ["BEFORE", "BEFORE"]
    assert revision.changed == 1, "one of the two that do contradict each other"


def test_the_spellings_of_a_literal_are_one_end_in_a_table(tmp_path):
    examples, log_probabilities = made_up(rows=2, documents=1)
    examples = [example._replace(from_id="E0", to_id=end) for example, end in zip(examples, ("Discharge", "DISCHARGE"))]
    log_probabilities[:] = -9.0
    log_probabilities[0, LABELS.index("BEFORE")], log_probabilities[1, LABELS.index("AFTER")] = -0.1, -0.5
    (tmp_path / "predictions.tsv").write_text(predictions_tsv(examples, log_probabilities))
    (revision,) = consistency.revise_all(predictions.read(str(tmp_path / "predictions.tsv")))
    assert [merge(LABELS[label]) for label in revision.consistent] == ["BEFORE", "BEFORE"] and revision.changed == 1


def test_the_command_tells_the_effect_on_a_tested_run(tmp_path):
    examples, log_probabilities = made_up(rows=120, documents=4, skill=2)
    # Many links among few events, so that there are contradictions.
    examples = [example._replace(from_id=f"E{number % 7}", to_id=f"E{(number * 5 + 3) % 9}")
                for number, example in enumerate(examples)]
    (tmp_path / "predictions.tsv").write_text(predictions_tsv(examples, log_probabilities))
    said = run("notes.consistency", tmp_path).stdout
    table = predictions.read(str(tmp_path / "predictions.tsv"))
    revisions = consistency.revise_all(table)
    predicted = np.concatenate([revision.consistent for revision in revisions])
    assert sum(revision.changed for revision in revisions) > 5
    assert f"{sum(revision.changed for revision in revisions)} of 120 merged labels changed" in said
    accuracy = [np.mean(labels == table.gold) for labels in (
        table.predicted, np.concatenate([revision.merged for revision in revisions]), predicted)]
    cells = re.search(r"accuracy +(\S+) +(\S+) +\S+ +(\S+)", said).groups()
    assert list(cells) == [f"{value:.4f}" for value in accuracy]
    for name in set(table.documents):
        links = [(table.from_ids[row], table.to_ids[row], MERGED_LABELS[tlink_scores.MERGING[predicted[row]]])
                 for row in range(120) if table.documents[row] == name]
        assert entailed_by_their_graph(links)


def test_the_order_of_the_rows_changes_nothing(tmp_path):
    """As where someone sorted predictions.tsv by a probability."""
    made, log_probabilities = made_up(rows=160, documents=4, skill=2)
    links = [Tlink(f"TL{number % 35}", f"E{number % 7}", "", f"E{(number * 5 + 3) % 9}", "", one.label)
             for number, one in enumerate(made)]
    documents = [Document(f"D{number}", "a note", (), tuple(links[40 * number:40 * number + 40])) for number in range(4)]
    rows = [example for document in documents for example in examples(document)]
    system_xml.write_system_xml(str(tmp_path / "system_xml"), {f"{document.name}.xml": document for document in documents},
                                predictions.of_examples(rows, log_probabilities))
    header, *lines = predictions_tsv(rows, log_probabilities).splitlines()
    said = []
    for ordered in (lines, sorted(lines, key=lambda line: float(line.split("\t")[8]))):
        (tmp_path / "predictions.tsv").write_text("\n".join([header] + ordered) + "\n")
        said.append(re.sub(r"in [0-9.]+ s", "", run("notes.consistency", tmp_path).stdout))
    assert said[0] == said[1] and " of 160 merged labels changed" in said[0]
    for changed, words in ((lines[1:], "system_xml has the TLINK TL0 from E0 to E3, which"),
                           (lines + lines[:1], "predictions.tsv has the TLINK TL0 from E0 to E3 2 times, which")):
        (tmp_path / "predictions.tsv").write_text("\n".join([header] + changed) + "\n")
        refused = run("notes.consistency", tmp_path, check=False)
        assert refused.returncode == 1 and words in refused.stderr and "document D0" in refused.stderr


KEYS = [("1", "TL0", "E0", "E1"), ("1", "TL0", "E0", "E2"), ("1", "TL1", "E0", "E1"), ("2", "TL0", "E0", "E1")]


@given(strategies.lists(strategies.sampled_from(KEYS), max_size=9), strategies.randoms(use_true_random=False))
def test_tables_are_joined_by_key_and_occurrence(keys, chance):
    others = list(keys)
    chance.shuffle(others)
    rows = predictions.join(keys, others, "one", "the other")
    assert sorted(rows) == list(range(len(keys))) and [others[row] for row in rows] == keys
    for key in KEYS:
        of_key = [row for row in rows if others[row] == key]
        assert of_key == sorted(of_key), "the first with a key belongs to the first"
    if keys:
        document, tlink, from_id, to_id = keys[0]
        times = keys.count(keys[0]) + 1
        for tables, having, lacking in (((keys, others + keys[:1]), "the other", "one"),
                                        ((keys + keys[:1], others), "one", "the other")):
            with pytest.raises(InputError) as refusal:
                predictions.join(*tables, "one", "the other")
            assert str(refusal.value).startswith(f"document {document}: {having} has the TLINK {tlink} from {from_id} to {to_id} "
                                                 f"{times} times, which {lacking} lacks.")
