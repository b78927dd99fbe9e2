"""Scores: the 2012 challenge's own figures, a second way to compute them, and their properties."""
import itertools
import json
import random
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections import Counter
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring
from data_process_i2b2 import read_document
from evaluation import temporal_graph
from evaluation.temporal_graph import TemporalGraph, canonical, reduce_links
from inputs.labels import LABELS, MERGED_LABELS, merge
from scoring import Prediction, closure_counts, format_scores, merged_scores, pair_scores, scores, tempeval_scores
from support.errors import InputError

INVERSE = {"BEFORE": "AFTER", "AFTER": "BEFORE", "OVERLAP": "OVERLAP"}
# The first example of a test pays for importing scikit-learn; how long one takes says nothing.
unhurried = settings(deadline=None)

IDS = [f"E{number}" for number in range(7)]

links_of_a_document = st.lists(
    st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(MERGED_LABELS)), max_size=20)


@st.composite
def consistent_links(draw):
    """Links that some timeline makes true: each id has a position, and equal positions overlap."""
    positions = {identifier: draw(st.integers(0, 4)) for identifier in IDS}
    pairs = draw(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), min_size=1, max_size=20))

    def relation(a, b):
        if positions[a] == positions[b]:
            return "OVERLAP"
        return "BEFORE" if positions[a] < positions[b] else "AFTER"

    return [(a, b, relation(a, b)) for a, b in pairs if a != b]


def figures(gold, system):
    """Precision, recall and F1 of a single document."""
    result = tempeval_scores({"101": gold}, {"101": system})
    return result["precision"], result["recall"], result["f1"]


# -------------------------------------------------------------------------------- the challenge's own figures

@pytest.mark.parametrize("corpus", ["clinical", "dense"])
def test_every_figure_of_the_challenges_script(shared, project, corpus):
    folder = shared / "official_scorer"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))[corpus]
    done = run(project, folder / corpus / "gold", folder / corpus / "system", "--documents")
    assert done.stderr == ""
    rows = table(done.stdout)
    assert sorted(rows) == sorted(list(expected["documents"]) + ["total"])
    for name, of_one in expected["documents"].items():
        names = ("gold_links", "system_links", "precision", "recall", "f1")
        assert rows[name] == [of_one[figure] for figure in names], name
    assert rows["total"][2:] == [expected["precision"], expected["recall"], expected["f1"]]


def test_the_counts_of_the_challenges_script_on_odd_links(shared):
    """Links restated in the other direction, of an id with itself, to nothing."""
    folder = shared / "official_scorer" / "odd"
    expected = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    found = {}
    for name in expected:
        gold, system = ([(tlink.from_id, tlink.to_id, tlink.type) for tlink in read_document(folder / side / f"{name}.xml").tlinks]
                        for side in ("gold", "system"))
        counts = closure_counts(gold, system)
        found[name] = {"system": counts.system_links, "gold": counts.gold_links, "matched_system": counts.system_found,
                       "matched_gold": counts.gold_found}
    assert len(expected) == 18 and found == expected


# ------------------------------------------------------------------------------------------------ the closure

def points_relation(links, a, b):
    """What links entail about a and b by start and end points: an independent, slow way to the same answer.

    `at_most` holds "point p is not after point q", `strict` "p is before q"; both are closed under
    composition.
    """
    points = [(identifier, side) for identifier in IDS for side in ("start", "end")]
    at_most = {(p, p) for p in points}
    strict = {((identifier, "start"), (identifier, "end")) for identifier in IDS}
    for x, y, relation in links:
        if relation == "OVERLAP":
            for side in ("start", "end"):
                at_most |= {((x, side), (y, side)), ((y, side), (x, side))}
        else:
            x, y = (x, y) if relation == "BEFORE" else (y, x)
            strict.add(((x, "end"), (y, "start")))
    at_most |= strict
    for middle in points:
        for p in points:
            for q in points:
                if (p, middle) in at_most and (middle, q) in at_most:
                    at_most.add((p, q))
                    if (p, middle) in strict or (middle, q) in strict:
                        strict.add((p, q))
    if ((a, "end"), (b, "start")) in strict:
        return "BEFORE"
    if ((b, "end"), (a, "start")) in strict:
        return "AFTER"
    same = all({((a, side), (b, side)), ((b, side), (a, side))} <= at_most for side in ("start", "end"))
    return "OVERLAP" if same else None


@unhurried
@given(consistent_links())
def test_the_graph_knows_what_the_start_and_end_points_entail(links):
    _, graph = reduce_links(links)
    for a in IDS:
        for b in IDS:
            assert graph.relation(a, b) == points_relation(links, a, b)


def test_overlaps_join_chains():
    _, graph = reduce_links([("A", "B", "BEFORE"), ("C", "D", "BEFORE"), ("B", "C", "OVERLAP")])
    assert graph.relation("A", "D") == "BEFORE"
    assert graph.relation("D", "B") == "AFTER"
    assert graph.relation("A", "X") is None
    before = {("A", "B"), ("A", "C"), ("A", "D"), ("B", "D"), ("C", "D")}
    assert graph.closure() == {(a, b, "BEFORE") for a, b in before} | {("B", "C", "OVERLAP")}


def test_reduction_drops_the_entailed_and_keeps_the_contradictory_outside_the_graph():
    reduced, graph = reduce_links([
        ("A", "B", "BEFORE"),
        ("C", "B", "AFTER"),
        ("A", "C", "BEFORE"),  # follows
        ("B", "A", "AFTER"),  # the first one again
        ("C", "A", "OVERLAP"),  # contradicts
        ("A", "C", "OVERLAP"),  # in other words
        ("C", "A", "OVERLAP"),  # in the same words
        ("D", "D", "AFTER"),  # contradicts itself, and so does not enter the graph
        ("D", "D", "OVERLAP"),  # the first that is said of D
        ("D", "D", "OVERLAP"),  # the same again
        ("A", "A", "OVERLAP"),  # follows
    ])
    assert reduced == [("A", "B", "BEFORE"), ("C", "B", "AFTER"), ("D", "D", "OVERLAP"),
                       ("C", "A", "OVERLAP"), ("A", "C", "OVERLAP"), ("D", "D", "AFTER")]
    assert graph.relation("A", "C") == "BEFORE"


def test_file_order_decides_what_is_dropped():
    chain = [("A", "B", "BEFORE"), ("B", "C", "BEFORE")]
    shortcut = ("A", "C", "BEFORE")
    assert len(reduce_links(chain + [shortcut])[0]) == 2
    assert len(reduce_links([shortcut] + chain)[0]) == 3


def test_the_graph_refuses_what_it_cannot_hold():
    graph = TemporalGraph()
    graph.add(("A", "B", "BEFORE"))
    with pytest.raises(ValueError):
        graph.add(("B", "A", "BEFORE"))
    with pytest.raises(ValueError):
        graph.add(("B", "B", "OVERLAP"))
    with pytest.raises(ValueError):
        canonical(("A", "B", "DURING"))


def naive_reduction(links):
    """What `reduce_links` gives, with the closure as a set of (id, id, type) that is worked out anew for each link."""
    entailed, kept, contradictions = set(), [], []
    for a, b, label in links:
        about = {relation for x, y, relation in entailed if (x, y) == (a, b)}
        if a == b and label != "OVERLAP" or about - {label}:
            if (a, b, label) not in contradictions:
                contradictions.append((a, b, label))
        elif not about:
            kept.append((a, b, label))
            entailed |= {(a, a, "OVERLAP"), (b, b, "OVERLAP"), (a, b, label), (b, a, INVERSE[label])}
            for middle in IDS:
                entailed |= {(x, z, following if relation == "OVERLAP" else relation)
                             for x, y, relation in entailed if y == middle
                             for y2, z, following in entailed if y2 == middle and (
                                 relation == following or "OVERLAP" in (relation, following))}
    return kept + contradictions, entailed


@unhurried
@given(links_of_a_document, st.sampled_from([1, 2, 3, temporal_graph.MOST_RECENT]))
def test_the_graph_of_bits_is_the_naive_closure(links, most_recent):
    # The sets of bits are brought up to date after every link, after some, or not at all.
    with mock.patch.object(temporal_graph, "MOST_RECENT", most_recent):
        reduced, graph = reduce_links(links)
        expected, entailed = naive_reduction(links)
        assert reduced == expected
        for a, b in itertools.permutations(IDS, 2):
            assert {graph.relation(a, b)} - {None} == {relation for x, y, relation in entailed if (x, y) == (a, b)}
        assert {identifier for identifier in IDS if identifier in graph} == {a for a, _, _ in entailed}
        assert graph.closure() == {canonical(link) for link in entailed if link[0] != link[1]}


@unhurried
@given(links_of_a_document, links_of_a_document)
def test_a_link_is_found_that_the_other_side_states_or_entails(gold, system):
    (gold_links, of_gold), (system_links, of_system) = naive_reduction(gold), naive_reduction(system)

    def found(links, stated, entailed):
        either_way = {link for a, b, label in stated for link in ((a, b, label), (b, a, INVERSE[label]))}
        return sum(link in either_way or link in entailed or link[0] == link[1] and link[2] == "OVERLAP" for link in links)
    assert closure_counts(gold, system) == (found(system_links, gold_links, of_gold), len(system_links),
                                            found(gold_links, system_links, of_system), len(gold_links))


@unhurried
@given(links_of_a_document, st.lists(st.tuples(st.sampled_from(["", "E0"]), st.sampled_from(["", "E1"]),
                                               st.sampled_from(LABELS + ("",))), max_size=5), st.randoms(use_true_random=False))
def test_links_without_an_end_or_a_type_are_left_out(links, lacking, chance):
    lacking = [link for link in lacking if not all(link)]
    mixed = list(links)
    for link in lacking:
        mixed.insert(chance.randint(0, len(mixed)), link)
    assert closure_counts(mixed, links) == closure_counts(links, mixed) == closure_counts(links, links)


def chain(length):
    return [(f"E{number}", f"E{number + 1}", "BEFORE") for number in range(length)]


@pytest.mark.parametrize("order", [lambda links: links, lambda links: links[::-1]], ids=["forwards", "backwards"])
def test_four_times_the_chain_takes_less_than_ten_times_the_time(order):
    # Sets of ids take about twenty times as long.
    def seconds(length):
        links, taken = order(chain(length)), []
        for _ in range(3):
            began = time.process_time()
            assert closure_counts(links, links) == (length,) * 4
            taken.append(time.process_time() - began)
        return min(taken)
    assert seconds(2400) < 10 * seconds(600)


def test_a_long_chain_takes_little_memory():
    links = chain(5000)
    tracemalloc.start()
    try:
        closure_counts(links, links)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------------- properties of closure scores

@unhurried
@given(links_of_a_document.filter(bool))
def test_gold_against_itself_is_perfect(links):
    # A contradictory link is found because the other file states it, so contradictory gold is perfect too.
    assert figures(links, links) == (1.0, 1.0, 1.0)


@unhurried
@given(consistent_links(), links_of_a_document, st.randoms(use_true_random=False))
def test_inverting_links_changes_nothing(gold, system, chance):
    def some_inverted(links):
        return [(b, a, INVERSE[label]) if chance.random() < 0.5 else (a, b, label) for a, b, label in links]

    def some_pairs_inverted(links):
        # Contradictions are told apart as they are written, so all links of a pair of ids are inverted, or none.
        pairs = {frozenset(link[:2]): chance.random() < 0.5 for link in links}
        return [(b, a, INVERSE[label]) if pairs[frozenset((a, b))] else (a, b, label) for a, b, label in links]
    assert figures(some_inverted(gold), some_pairs_inverted(system)) == figures(gold, system)
    assert figures(some_pairs_inverted(system), some_inverted(gold)) == figures(system, gold)
    assert figures(some_pairs_inverted(system), some_pairs_inverted(system)) == (1.0, 1.0, 1.0) if system else (0.0,) * 3


@unhurried
@given(consistent_links().filter(bool), st.randoms(use_true_random=False))
def test_the_closure_of_gold_has_full_recall_and_precision(gold, chance):
    closure = sorted(reduce_links(gold)[1].closure())
    chance.shuffle(closure)
    assert figures(gold, closure) == (1.0, 1.0, 1.0)


@unhurried
@given(links_of_a_document, links_of_a_document)
def test_swapping_the_sides_swaps_precision_and_recall(gold, system):
    precision, recall, f1 = figures(gold, system)
    assert figures(system, gold) == (recall, precision, f1)


@unhurried
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(LABELS)), max_size=12))
def test_eight_labels_in_any_case_count_as_the_three(links):
    merged = [(a, b, merge(label)) for a, b, label in links]
    lower = [(a, b, label.lower()) for a, b, label in links]
    assert figures(merged, links) == figures(merged, lower) == figures(merged, merged)


def test_partly_right():
    gold = [("A", "B", "BEFORE"), ("B", "C", "BEFORE"), ("D", "C", "AFTER"), ("A", "E", "")]
    system = [("A", "C", "BEFORE"), ("B", "D", "AFTER")]
    # A before C follows from gold; of gold's three links the system entails none.
    assert figures(gold, system) == (0.5, 0.0, 0.0)


def test_counts_are_summed_over_documents():
    gold = {"1": [("A", "B", "BEFORE")],
            "2": [("A", "B", "BEFORE"), ("C", "D", "BEFORE"), ("E", "F", "AFTER")]}
    system = {"1": [("A", "B", "BEFORE")], "2": [("A", "B", "AFTER")], "3": [("A", "B", "AFTER")]}
    result = tempeval_scores(gold, system)
    assert (result["precision"], result["recall"]) == (1 / 2, 1 / 4)
    assert result["f1"] == pytest.approx(1 / 3)
    assert (result["gold_links"], result["system_links"]) == (4, 2)
    assert sorted(result["documents"]) == ["1", "2"]
    assert result["documents"]["1"]["f1"] == 1.0


def test_documents_without_links_score_zero():
    assert figures([], []) == (0.0, 0.0, 0.0)
    assert tempeval_scores({"1": [("A", "B", "AFTER")]}, {})["recall"] == 0.0


# --------------------------------------------------------------------------------------------------- per pair

label_pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)


@unhurried
@given(label_pairs)
def test_pair_scores_are_what_counting_gives(pairs):
    import sklearn.metrics  # noqa: F401 (here: what compiled wheels say of each other when imported is no warning of scoring's)
    gold, predicted = zip(*pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = pair_scores(gold, predicted, LABELS)
    counts = Counter(pairs)
    assert result["confusion_matrix"] == [[counts[g, p] for p in LABELS] for g in LABELS]
    right = sum(counts[label, label] for label in LABELS)
    assert result["accuracy"] == right / len(pairs) == pytest.approx(result["micro"]["f1"])
    for label in LABELS:
        hits, taken, there = counts[label, label], predicted.count(label), gold.count(label)
        of_label = result["labels"][label]
        assert of_label["support"] == there
        assert of_label["precision"] == pytest.approx(hits / taken if taken else 0.0)
        assert of_label["recall"] == pytest.approx(hits / there if there else 0.0)
        assert of_label["f1"] == pytest.approx(2 * hits / (taken + there) if taken + there else 0.0)
    for name in ("precision", "recall", "f1"):
        per_label = [result["labels"][label][name] for label in LABELS]
        assert result["macro"][name] == pytest.approx(sum(per_label) / len(LABELS))
        weighted = sum(value * gold.count(label) for label, value in zip(LABELS, per_label))
        assert result["weighted"][name] == pytest.approx(weighted / len(pairs))


def test_a_label_that_never_occurs_scores_zero():
    result = pair_scores(["BEFORE", "AFTER"], ["BEFORE", "AFTER"], LABELS)
    assert result["labels"]["DURING"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert result["macro"]["f1"] == 2 / 8
    assert result["weighted"]["f1"] == 1.0


def test_merging_forgives_confusion_within_a_group():
    result = merged_scores(["ENDED_BY", "SIMULTANEOUS", "BEGUN_BY"], ["BEFORE_OVERLAP", "DURING", "BEFORE"])
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError):
        pair_scores([], [], LABELS)
    with pytest.raises(ValueError):
        pair_scores(["BEFORE"], [], LABELS)
    with pytest.raises(ValueError):
        pair_scores(["BEFORE"], ["before"], LABELS)


# -------------------------------------------------------------------------------------- scores of predictions

PREDICTIONS = [
    Prediction("101", "TL0", "E0", "E1", "BEFORE", "BEFORE"),
    Prediction("101", "TL1", "E1", "E2", "ENDED_BY", "BEFORE"),
    Prediction("101", "TL2", "E0", "E2", "BEFORE_OVERLAP", "OVERLAP"),
    Prediction("102", "TL0", "E0", "E1", "DURING", "SIMULTANEOUS"),
]


def test_scores_hold_what_the_contract_names():
    result = scores(PREDICTIONS, loss=0.7)
    assert json.loads(json.dumps(result)) == result
    parts = {"accuracy", "micro", "macro", "weighted", "labels", "confusion_matrix", "loss"}
    assert set(result) == {"pairs", "merged", "tempeval"}
    assert set(result["pairs"]) == set(result["merged"]) == parts
    assert tuple(result["pairs"]["labels"]) == LABELS and tuple(result["merged"]["labels"]) == MERGED_LABELS
    assert result["pairs"]["loss"] == 0.7 and result["pairs"]["accuracy"] == 0.25
    assert result["merged"]["loss"] is None and result["merged"]["accuracy"] == 0.75
    # Document 101: gold's third link follows from the two before, the system's contradicts them.
    assert result["tempeval"] == {"precision": 3 / 4, "recall": 1.0, "f1": pytest.approx(6 / 7)}


def test_the_scores_read_well():
    many = [row._replace(gold=gold, predicted=predicted) for row in PREDICTIONS * 700
            for gold, predicted in zip(LABELS, reversed(LABELS))]
    text = format_scores(scores(many, loss=1.25))
    assert max(map(len, text.split("\n"))) <= 100
    assert text.endswith("\n") and not any(line != line.rstrip() for line in text.split("\n"))
    rows = [line.split() for line in text.split("\n")]
    assert ["BEFORE_OVERLAP", "0.0000", "0.0000", "0.0000", "2800"] in rows
    assert "loss 1.2500" in text and "accuracy 0.0000" in text
    assert all(f"{average} average" in text for average in ("micro", "macro", "weighted"))
    header = next(index for index, row in enumerate(rows) if row == list(LABELS))
    assert rows[header + 1] == ["ENDED_BY", "0", "0", "0", "0", "0", "0", "0", "2800"]


# ---------------------------------------------------------------------------------------------------- command

def run(project, *arguments):
    """Run scoring.py away from the project's folder, as a user may."""
    return subprocess.run([sys.executable, str(project / "scoring.py")] + [str(value) for value in arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                          cwd=str(project.parent))


def table(text):
    """The rows of the printed table below its header, by their first column."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return {name: [float(value) for value in values] for name, *values in rows}


def write_document(path, links, ids=IDS):
    """An i2b2 file as a system writes it: no TEXT and no text attributes."""
    events = "".join(f'<EVENT id="{identifier}" start="1" end="3" text="" type="TEST" />\n'
                     for identifier in ids)
    tlinks = "".join(f'<TLINK id="TL{number}" fromID="{a}" toID="{b}" type="{label}" />\n'
                     for number, (a, b, label) in enumerate(links))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<ClinicalNarrativeTemporalAnnotation>\n<TAGS>\n{events}{tlinks}</TAGS>\n"
                    "</ClinicalNarrativeTemporalAnnotation>\n", encoding="utf-8")


def test_the_command_reads_xml_as_xml(project, tmp_path):
    gold, system = tmp_path / "gold standard", tmp_path / "system"
    write_document(gold / "1.xml", [("E0", "E1", "Before"), ("E1", "E2", "DURING"), ("E1", "E3", "")])
    system.mkdir()
    (system / "1.xml").write_text(
        "<ClinicalNarrativeTemporalAnnotation><TEXT></TEXT><TAGS><!-- <TLINK id='TL9' fromID='E5' toID='E6'"
        " type='AFTER' /> --><TLINK\n type='after'\n toID='E0' fromID='E1' id='T&#76;0'/><TLINK id='TL1'"
        " toText='' fromText='' toID='E1' fromID='E2' type='OVERLAP' /></TAGS>"
        "</ClinicalNarrativeTemporalAnnotation>",
        encoding="utf-8")
    done = run(project, gold, system)
    assert (done.returncode, done.stderr) == (0, "")
    assert table(done.stdout) == {"total": [2, 2, 1, 1, 1]}


def test_the_command_names_the_documents_one_side_lacks(project, tmp_path):
    for name in ("1.xml", "2.xml"):
        write_document(tmp_path / "gold" / name, [("E0", "E1", "BEFORE")])
    for name in ("1.xml", "3.xml", "._1.xml"):
        write_document(tmp_path / "system" / name, [("E0", "E1", "BEFORE")])
    done = run(project, tmp_path / "gold", tmp_path / "system", "--documents")
    assert done.returncode == 0
    assert table(done.stdout) == {"1.xml": [1, 1, 1, 1, 1], "2.xml": [1, 0, 0, 0, 0],
                                  "total": [2, 1, 1, 0.5, 0.6667]}
    first, second = done.stderr.splitlines()
    assert "2.xml" in first and str(tmp_path / "system") in first
    assert "3.xml" in second and str(tmp_path / "gold") in second


def test_the_command_warns_of_ids_the_gold_document_lacks(project, tmp_path):
    write_document(tmp_path / "gold" / "1.xml", [("E0", "Admission", "BEFORE")])
    write_document(tmp_path / "system" / "1.xml", [("E0", "E1", "BEFORE"), ("E2", "Admission", "AFTER"),
                                                   ("M4", "M7", "OVERLAP")])
    done = run(project, tmp_path / "gold", tmp_path / "system")
    assert done.returncode == 0
    assert "1.xml" in done.stderr and "use 2 ids" in done.stderr


@pytest.mark.parametrize("gold, system, named", [
    ("missing", "system", "missing"), ("gold", "missing", "missing"), ("empty", "system", "empty"),
    ("gold", "empty", "empty"), ("gold", "others", "others"), ("gold", "broken", "1.xml")])
def test_what_the_command_cannot_score_is_one_message(project, tmp_path, gold, system, named):
    for name in ("gold", "system"):
        write_document(tmp_path / name / "1.xml", [("E0", "E1", "BEFORE")])
    write_document(tmp_path / "others" / "2.xml", [("E0", "E1", "BEFORE")])
    write_document(tmp_path / "broken" / "1.xml", [("E0", "E1", "CAUSES")])
    (tmp_path / "empty").mkdir()
    done = run(project, tmp_path / gold, tmp_path / system)
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr and len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_two_files_of_one_document_are_refused(project, tmp_path):
    for name in ("gold/a.xml", "system/a.xml", "system/a.XML"):
        write_document(tmp_path / name, [("E0", "E1", "BEFORE")])
    for folders in (("gold", "system"), ("system", "gold")):
        done = run(project, *(tmp_path / folder for folder in folders))
        assert (done.returncode, done.stdout) == (1, "") and len(done.stderr.splitlines()) == 1
        assert all(str(tmp_path / "system" / name) in done.stderr for name in ("a.xml", "a.XML"))


def test_wrong_usage_is_status_2(project):
    assert run(project).returncode == 2


def test_a_corpus_of_120_documents_with_250_links_is_scored_in_time(project, tmp_path):
    chance = random.Random(7)
    ids = [f"E{number}" for number in range(150)]
    for number in range(120):
        # Gold is one timeline, so that the closures are large; the system gets some of it wrong.
        position = {identifier: chance.random() for identifier in ids}
        gold = [(a, b, "BEFORE" if position[a] < position[b] else "AFTER")
                for a, b in (chance.sample(ids, 2) for _ in range(250))]
        write_document(tmp_path / "gold" / f"{number}.xml", gold, ids)
        write_document(tmp_path / "system" / f"{number}.xml",
                       [(a, b, label if chance.random() < 0.9 else "OVERLAP") for a, b, label in gold], ids)
    began = time.perf_counter()
    done = run(project, tmp_path / "gold", tmp_path / "system")
    assert time.perf_counter() - began < 10
    assert done.returncode == 0 and 0 < table(done.stdout)["total"][4] < 1


def test_scoring_starts_without_the_heavy_libraries(project):
    code = "import sys, scoring; print(sorted({'tensorflow', 'sklearn', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=str(project), stdout=subprocess.PIPE,
                          universal_newlines=True, check=True)
    assert done.stdout.strip() == "[]"


def test_predictions_may_be_any_rows_with_their_attributes():
    class Row:
        def __init__(self, row):
            self.__dict__.update(row._asdict())
    assert scoring.scores([Row(row) for row in PREDICTIONS]) == scores(PREDICTIONS)
