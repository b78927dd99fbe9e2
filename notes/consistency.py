#!/usr/bin/env python3
"""The most probable labels of a document's TLINKs that do not contradict one another.

    python3 -m notes.consistency RESULT_DIR     what it changes in a tested run, and what that does to the scores

Labels are the merged ones, read as `temporal_graph` reads them: BEFORE puts one interval ahead of another, OVERLAP
makes two intervals one. A set of links then contradicts itself exactly if some path along its links never goes back in
time and yet leads from the later end of a BEFORE to its earlier end. So the wanted labels solve

    maximize    sum over links l of  log p(l, label of l)
    subject to  on every cycle, if one link l goes strictly forward in time, another one goes strictly backward

in binary variables x(l, BEFORE), x(l, AFTER), x(l, OVERLAP). There are too many cycles to list; each is added when a
solution violates it (cutting planes: Groetschel, Juenger, Reinelt 1984, A Cutting Plane Algorithm for the
Linear Ordering Problem), until a solution violates none, which then is the best of all. Each program is solved to
optimality by CBC, through PuLP.

The ends of links are nodes: the SECTIME, the TIMEX3 and the literal that name one time are one (section_times.nodes).
"""
import argparse
import collections
import os
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from evaluation import bootstrap, predictions
from evaluation.temporal_graph import AFTER, BEFORE, OVERLAP, canonical, reduce_links
from evaluation.tlink_scores import MERGING, SCORES, counts
from inputs import section_times
from inputs.labels import LABELS, MERGED_LABELS
from scoring import format_table
from support import paths
from support.main import run_main

OPPOSITE = {BEFORE: AFTER, AFTER: BEFORE, OVERLAP: OVERLAP}

# Seconds after which a document's best solution so far is taken. Documents of the corpora take a fraction of one.
TIME_LIMIT = 60.0


P_VALUES = ("p: of the difference from the scores to the left; two-sided, paired randomization test over documents; none below "
            f"{bootstrap.FEWEST_DOCUMENTS} of them.")


class Solution(NamedTuple):
    """Labels without contradictions."""
    merged: np.ndarray  # int [links], index into MERGED_LABELS
    gap: float          # how much the sum of log probabilities may be below the highest possible; 0: it is the highest


class Arc(NamedTuple):
    """A link, followed in a direction that does not lead back in time."""
    link: int
    head: str
    forward: bool  # from the link's from_id to its to_id
    strict: bool   # it leads forward in time; otherwise it stays


def most_probable(links, log_probabilities, known=(), seconds=TIME_LIMIT):
    """The most probable labels of a document's links that contradict neither each other nor what is known.

    Parameters
    ----------
    links : list of (from_id, to_id)
    log_probabilities : float [links, 3], of MERGED_LABELS.
    known : iterable of (from_id, to_id, merged label), links whose labels are given; one that contradicts earlier ones
        is ignored.
    seconds : after this time a solution is taken whose distance from the best is only bounded.

    Returns
    -------
    Solution
    """
    ends = time.time() + seconds
    graph = reduce_links(known)[1]
    fixed = sorted(graph.closure())
    scores = log_probabilities - log_probabilities.max(axis=1, keepdims=True)
    merged, bound = scores.argmax(axis=1), 0.0
    program = None
    while True:
        stated = [(*link, MERGED_LABELS[label]) for link, label in zip(links, merged)]
        cycles = contradictions(stated + fixed)
        if not cycles:
            return Solution(merged, 0.0)
        program = program or Program(scores)
        for cycle in cycles:
            program.forbid(cycle, fixed)
        merged, proven = program.solve(ends - time.time())
        if not proven:
            break
        bound = float(scores[np.arange(len(links)), merged].sum())
    merged = one_by_one(links, scores, graph)
    return Solution(merged, bound - float(scores[np.arange(len(links)), merged].sum()))


def contradictions(stated):
    """Cycles that contradict themselves, at least one if there is any.

    Parameters
    ----------
    stated : list of (from_id, to_id, merged label); one that lacks an end contradicts nothing.

    Returns
    -------
    list of lists of Arc, the first of each strict; a shortest cycle for each strict link that is on one.
    """
    arcs = collections.defaultdict(list)
    for number, (from_id, to_id, label) in enumerate(stated):
        if not (from_id and to_id):
            continue
        if label != AFTER:
            arcs[from_id].append(Arc(number, to_id, True, label == BEFORE))
        if label != BEFORE:
            arcs[to_id].append(Arc(number, from_id, False, label == AFTER))
    group = strong_components(arcs)
    cycles = []
    for tail, leaving in arcs.items():
        for arc in leaving:
            if arc.strict and group[tail] == group[arc.head]:
                cycles.append([arc] + shortest_path(arcs, arc.head, tail))
    return cycles


def strong_components(arcs):
    """{id: number of the component in which every id can be reached from every other}."""
    numbers = {identifier: number for number, identifier in enumerate(
        dict.fromkeys([*arcs, *(arc.head for leaving in arcs.values() for arc in leaving)]))}
    pairs = [(numbers[tail], numbers[arc.head]) for tail, leaving in arcs.items() for arc in leaving]
    rows, columns = zip(*pairs) if pairs else ((), ())
    matrix = coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(numbers), len(numbers)))
    _, components = connected_components(matrix, connection="strong")
    return {identifier: components[number] for identifier, number in numbers.items()}


def shortest_path(arcs, start, goal):
    """The arcs of a shortest path between two ids; one is known to exist."""
    reached = {start: None}
    waiting = collections.deque([start])
    while goal not in reached:
        tail = waiting.popleft()
        for arc in arcs.get(tail, ()):
            if arc.head not in reached:
                reached[arc.head] = tail, arc
                waiting.append(arc.head)
    path = []
    while reached[goal] is not None:
        goal, arc = reached[goal]
        path.append(arc)
    return path[::-1]


class Program:
    """The integer program of a document's links, with the cycles forbidden so far.

    Parameters
    ----------
    scores : float [links, 3], log probabilities of MERGED_LABELS relative to each link's highest.
    """

    def __init__(self, scores):
        # Slow to import, and documents without contradictions do without.
        import pulp
        self._pulp = pulp
        self._problem = pulp.LpProblem("labels", pulp.LpMaximize)
        self._chosen = [{label: pulp.LpVariable(f"x_{number}_{label}", cat="Binary") for label in MERGED_LABELS}
                        for number in range(len(scores))]
        self._problem += pulp.lpSum(float(score) * variable for row, chosen in zip(scores, self._chosen)
                                    for score, variable in zip(row, chosen.values()))
        for chosen in self._chosen:
            self._problem += pulp.lpSum(chosen.values()) == 1

    def forbid(self, cycle, fixed):
        """Forbid that the first link of a cycle goes strictly forward and none of the others strictly backward.

        Parameters
        ----------
        cycle : list of Arc; numbers of links from len(scores) on are of `fixed`.
        fixed : list of (from_id, to_id, merged label)
        """
        first, *others = cycle
        self._problem += self._goes(first, BEFORE, fixed) <= self._pulp.lpSum(self._goes(arc, AFTER, fixed) for arc in others)

    def _goes(self, arc, label, fixed):
        """Whether an arc's tail is `label` to its head: a variable, or 0 or 1 for a fixed link."""
        label = label if arc.forward else OPPOSITE[label]
        if arc.link < len(self._chosen):
            return self._chosen[arc.link][label]
        return int(fixed[arc.link - len(self._chosen)][2] == label)

    def solve(self, seconds):
        """The best labels, int [links], and whether they are proven to be; (None, False) where time is up."""
        if seconds <= 0:
            return None, False
        solver = self._pulp.PULP_CBC_CMD(msg=False, threads=1, timeLimit=seconds, gapRel=0.0)
        # PuLP leaves its files behind where it is interrupted.
        with tempfile.TemporaryDirectory() as solver.tmpDir:
            self._problem.solve(solver)
        if self._problem.sol_status != self._pulp.LpSolutionOptimal:
            return None, False
        values = [[variable.value() for variable in chosen.values()] for chosen in self._chosen]
        return np.argmax(values, axis=1), True


def one_by_one(links, scores, graph):
    """Labels without contradictions: the surest link first, each gets its best label that the earlier ones allow.

    Parameters
    ----------
    links : list of (from_id, to_id)
    scores : float [links, 3], log probabilities relative to each link's highest.
    graph : TemporalGraph of what is known; the links are added to it.

    Returns
    -------
    int [links], index into MERGED_LABELS
    """
    merged = scores.argmax(axis=1)
    runner_up = np.sort(scores, axis=1)[:, -2]
    for number in np.argsort(runner_up, kind="mergesort"):
        link = links[number]
        if not all(link):
            continue
        entailed = graph.relation(*link)
        if entailed is None:
            graph.add(canonical((*link, MERGED_LABELS[merged[number]])))
        else:
            merged[number] = MERGED_LABELS.index(entailed)
    return merged


# ------------------------------------------------------------------------------------------- of the eight labels

class Revision(NamedTuple):
    """A document's labels before and after making them consistent.

    Both are int [links], index into LABELS: the most probable of the labels that are merged into the chosen one.
    """
    merged: np.ndarray      # each link's most probable merged label chosen
    consistent: np.ndarray  # the most probable merged labels without contradictions chosen
    gap: float              # see Solution

    @property
    def changed(self):
        """How many merged labels consistency changed."""
        return int((MERGING[self.merged] != MERGING[self.consistent]).sum())


def revise(links, log_probabilities, known=(), seconds=TIME_LIMIT):
    """Consistent labels from the probabilities of the eight.

    The probability of a merged label is the sum over the labels merged into it, so a link's most probable merged label
    need not be that of its most probable label.

    Parameters
    ----------
    links : list of (from_id, to_id)
    log_probabilities : float [links, 8], of LABELS.
    known : links whose labels are given, of the eight; as in `most_probable`.
    seconds : see `most_probable`.

    Returns
    -------
    Revision
    """
    of_merged = np.stack([np.logaddexp.reduce(log_probabilities[:, MERGING == number], axis=1)
                          for number in range(len(MERGED_LABELS))], axis=1)
    stated = [(from_id, to_id, MERGED_LABELS[MERGING[LABELS.index(label)]])
              for from_id, to_id, label in known if from_id and to_id]
    solution = most_probable(links, of_merged, stated, seconds)

    def finer(merged):
        return np.where(MERGING == merged[:, None], log_probabilities, -np.inf).argmax(axis=1)
    return Revision(finer(of_merged.argmax(axis=1)), finer(solution.merged), solution.gap)


def revise_all(table):
    """`revise` for each document of a predictions.Predictions: list of Revision, in the documents' order.

    A table has no mentions, so of a section time's names only the spellings of its literal are known to be one.
    """
    names, of_row = table.document_rows()
    with np.errstate(divide="ignore"):
        log_probabilities = np.maximum(np.log(table.probabilities), -700.0)
    rows = [np.flatnonzero(of_row == number) for number in range(len(names))]
    from_nodes, to_nodes = ([section_times.literal_type(end).capitalize() or end for end in ends]
                            for ends in (table.from_ids, table.to_ids))
    return [revise([(from_nodes[row], to_nodes[row]) for row in of_document], log_probabilities[of_document])
            for of_document in rows]


def proof(gaps):
    """What is known of how good documents' labels are, from their `Solution.gap`s, as text."""
    if not any(gaps):
        return "they are the most probable consistent labels of every document"
    return (f"in {sum(gap > 0 for gap in gaps)} of {len(gaps)} documents the search ended after {TIME_LIMIT:.0f} s, with "
            f"labels whose log probability is at most {max(gaps):.2f} below the highest")


# -------------------------------------------------------------------------------------------------------- command

def effect(table):
    """What consistency changes in a run's predictions, and what that does to its scores, as text.

    Parameters
    ----------
    table : predictions.Predictions with gold labels. The closure scores take the rows of a document to be in the order
        of its file.
    """
    began = time.time()
    revisions = revise_all(table)
    seconds = time.time() - began
    # The revisions are in the order of documents and, in a document, of rows: so are the rows' numbers here.
    rows = np.argsort(table.document_rows()[1], kind="mergesort")
    merged, consistent = np.empty_like(table.predicted), np.empty_like(table.predicted)
    merged[rows] = np.concatenate([one.merged for one in revisions])
    consistent[rows] = np.concatenate([one.consistent for one in revisions])
    stages = [counts(table, labels, MERGING[labels]) for labels in (table.predicted, merged, consistent)]
    scores = [bootstrap.scores(bootstrap.total(stage)) for stage in stages]
    p_values = [bootstrap.p_values(*pair) for pair in zip(stages, stages[1:])]
    rows = []
    for score in SCORES:
        old, *new = (f"{of_stage[score.key]:.4f}" for of_stage in scores)
        compared = zip(new, (bootstrap.p_text(of_pair[score.key]) for of_pair in p_values))
        rows.append([f"{score.group}: {score.name}", old] + [cell for cells in compared for cell in cells])
    changed = [one.changed for one in revisions if one.changed]
    summed = int((MERGING[merged] != MERGING[table.predicted]).sum())
    return (f"{sum(changed)} of {len(merged)} merged labels changed, in {len(changed)} of {len(revisions)} documents, in "
            f"{seconds:.1f} s; {proof([one.gap for one in revisions])}. Before that, {summed} follow the most probable of the "
            "merged labels and not that of the eight.\n\n"
            + format_table(["", "as predicted", "merged", "p", "consistent", "p"], rows) + f"\n\n{P_VALUES}")


def main():
    parser = argparse.ArgumentParser(description="What consistent labels change in a tested run and do to its scores.",
                                     epilog=P_VALUES)
    parser.add_argument("result", metavar="RESULT_DIR", help="result folder of a tested run")
    result = paths.ResultFolder(parser.parse_args().result)
    if not os.path.isdir(result.system_xml):
        print(f"note: {result.system_xml} is missing, so the rows of predictions.tsv are taken to be in the order of the test "
              "documents, on which the closure scores depend.", file=sys.stderr)
    print(effect(predictions.read(result.predictions).in_file_order(result)))


if __name__ == "__main__":
    run_main(main)
