"""Two recipes side by side on one corpus, with one BERT and the same held-out documents: `benchmark.py --against RECIPE`.

For every seed both recipes are trained and tested by the commands that a user gives, one after the other, so that a
machine whose speed drifts treats both alike. What is finished in the folder already is not run again.
"""
import contextlib
import functools
import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np

from evaluation import metrics, results
from evaluation.curves import read_curves
from inputs import identity, reading
from scoring import format_table
from support import paths
from support.console import say
from support.errors import InputError, Interrupted
from support.schema import listed, number, read_json, record
from tasks.i2b2 import I2B2
from training import runs
from training.outcome import read_outcome


class Racer(NamedTuple):
    """What one run shows of its recipe; shares from 0 to 1."""

    accuracy: float          # on the test documents, of eight labels
    macro_f1: float          # over the labels that occur there, gold or predicted
    merged_accuracy: float   # of the three merged labels
    merged_macro_f1: float
    closure_f1: float        # the challenge's own measure
    best_dev_accuracy: float
    dev_accuracy: tuple      # (seconds of training steps, accuracy) of each evaluation
    tlinks_per_second: float  # in `test`, from building the graph to the last logit


ROWS = (("test accuracy", "accuracy"), ("test macro-F1, labels that occur", "macro_f1"),
        ("test accuracy, merged", "merged_accuracy"), ("test macro-F1, merged", "merged_macro_f1"),
        ("test closure F1", "closure_f1"), ("best dev accuracy", "best_dev_accuracy"))


def race(recipes, assignments, seeds, corpus, bert, folder):
    """Train and test two recipes with some seeds.

    Parameters
    ----------
    recipes : (name of the one to compare with, name of the one in question).
    assignments : "KEY=VALUE" strings for both, as `--set` takes them.
    seeds : the seeds, in order.
    corpus, bert : folders.
    folder : the result folders go to RECIPE/seed-N below it.

    Returns
    -------
    list of (Racer, Racer), one pair for each seed

    Raises
    ------
    InputError : a command failed, and what it said is on standard error; or a finished run is not one that was asked for.
    """
    pairs = []
    for seed in seeds:
        pair = []
        for recipe in recipes:
            result = paths.ResultFolder(os.path.join(folder, recipe)).of_seed(seed)
            options = ["--corpus", corpus, "--bert", bert, "--result", result.root]
            say(f"{recipe}, seed {seed}")
            changes = ["--seed", str(seed)] + [word for text in assignments for word in ("--set", text)]
            finished = read_outcome(result) is not None
            if finished:
                check_same(result, recipe, assignments, seed, corpus, bert)
            else:
                command("train", options + ["--recipe", recipe] + changes)
            if not finished or not is_tested(results.read_run(result)):
                command("test", options)
            pair.append(read(result))
        pairs.append(tuple(pair))
    return pairs


def check_same(result, recipe, assignments, seed, corpus, bert):
    """Raise an InputError unless a finished run is of this recipe, seed, corpus and BERT; settings not given may differ."""
    record = results.read_run(result)
    settings = I2B2.settings_for(recipe, assignments, seed, runs.settings_of_model(result, record, recipe))
    changed = runs.all_differences(record, dict(data_of(corpus, bert, settings._replace(seed=0)), settings=settings._asdict()))
    if changed:
        raise InputError(f"{result.root} holds another run: {'; '.join(changed)}. Name another folder with --result DIR.")


@functools.lru_cache(maxsize=None)
def data_of(corpus, bert, settings):
    """The fingerprints of a corpus and a BERT as a run record has them; read, and told of, once for all seeds."""
    read = reading.read_bert(paths.BertFolder(bert), settings)
    return {"corpus": I2B2.read_corpus(I2B2.corpus_folder(corpus, settings), settings, write=False).fingerprint,
            "bert": read.fingerprint, "model": identity.of_model(read.config, read.vocab, read.do_lower_case)}


def is_tested(record):
    """Whether a run was tested after its training had ended, by its run.json."""
    tested = record.get("test", {}).get("ended")
    return tested is not None and tested >= record.get("train", {}).get("ended", "")


def command(name, options):
    """Run a command of run_i2b2.py, which prints what it always does.

    Where this process is told to end, the command is told so, once, and waited for: it saves its state first.
    """
    program = os.path.join(paths.PROJECT, "run_i2b2.py")
    # In a session of its own, so that the terminal's Ctrl-C, too, comes to it from here alone: a second one would end it at once.
    with subprocess.Popen([sys.executable, program, name] + options, stdin=subprocess.DEVNULL,
                          start_new_session=True) as process:
        try:
            status = process.wait()
        except Interrupted as interrupt:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(interrupt.signal_number)
            process.wait()
            raise Interrupted(f"interrupted in `run_i2b2.py {name}`; the same command goes on from there", interrupt.signal_number)
    if status:
        raise InputError(f"`run_i2b2.py {name}` ended with status {status} (see above); the same command goes on from there.")


SHARE = number(0, 1)
AVERAGED = record({"f1": SHARE}, required=("f1",))


def matrix(value):
    """The schema of a confusion matrix."""
    listed(listed(number(0, whole=True)))(value)
    if not value or any(len(row) != len(value) for row in value):
        raise ValueError("it is not a square matrix")


PAIRS = record({"accuracy": SHARE, "confusion_matrix": matrix}, required=("accuracy", "confusion_matrix"))
SCORES = record({"pairs": PAIRS, "merged": PAIRS, "tempeval": AVERAGED}, required=("pairs", "merged", "tempeval"))


def read(result):
    """The Racer of a run that was trained and tested."""
    remedy = f"remove {result.root}, and the same command trains and tests it anew"
    try:
        scores = read_json(result.scores_json, SCORES, remedy)
    except FileNotFoundError:
        raise InputError(f"{result.scores_json} is missing; {remedy}.") from None
    run = results.read_run(result)
    predict_seconds = run.get("test", {}).get("predict_seconds", 0)
    if not predict_seconds:
        raise InputError(f"{result.run} does not tell how long the test took; {remedy}.")
    macro_f1, merged_macro_f1 = (float(metrics.macro_f1(np.array(scores[scheme]["confusion_matrix"])))
                                 for scheme in ("pairs", "merged"))
    curves = read_curves(result.tensorboard)
    try:
        seconds = training_seconds(curves["training"]["examples_per_second"],
                                   runs.settings_of_model(result, run).batch_size)
        steps, accuracies = curves["validation"]["accuracy"]
        reached = tuple((float(seconds[int(step)]), float(value)) for step, value in zip(steps, accuracies))
    except KeyError:
        raise InputError(f"{result.tensorboard}: its event files lack curves or parts of them; {remedy}.") from None
    return Racer(scores["pairs"]["accuracy"], macro_f1, scores["merged"]["accuracy"],
                 merged_macro_f1, scores["tempeval"]["f1"], float(max(accuracies)),
                 reached,
                 float(np.sum(scores["pairs"]["confusion_matrix"])) / predict_seconds)


def training_seconds(speeds, batch_size):
    """Seconds that training had taken after each step, evaluations left out: dict of step -> float.

    speeds : (steps, examples per second) of the training curve, for which a step counts `batch_size` examples.
    """
    steps, values = speeds
    return dict(zip(steps.tolist(), np.cumsum(batch_size / values).tolist()))


def seconds_until(racer, accuracy):
    """Seconds of training until a dev accuracy was first reached, or None."""
    return next((seconds for seconds, value in racer.dev_accuracy if value >= accuracy), None)


def table(recipes, pairs):
    """The figures of all seeds for reading."""
    def cells(values, scale=100.0, form="{:.1f}"):
        known = [value * scale for value in values if value is not None]
        if len(known) < len(values):
            return ["not reached in every run"]
        each = ", ".join(form.format(value) for value in known)
        return [form.format(float(np.mean(known))) + (f" ({each})" if len(known) > 1 else "")]

    def row(title, of, **how):
        return [title] + cells([of(first) for first, _ in pairs], **how) + cells([of(second) for _, second in pairs], **how)

    rows = [row(f"{title}, %", lambda racer, field=field: getattr(racer, field)) for title, field in ROWS]
    aims = [first.best_dev_accuracy for first, _ in pairs]
    plain = dict(scale=1.0, form="{:.0f}")
    rows.append([f"seconds of training until {recipes[0]}'s best dev accuracy"] + [
        cell for side in (0, 1) for cell in cells([seconds_until(pair[side], aim) for pair, aim in zip(pairs, aims)], **plain)])
    rows.append(row("TLINKs per second in `test`", lambda racer: racer.tlinks_per_second, **plain))
    return format_table([f"mean of {len(pairs)} (each seed)" if len(pairs) > 1 else ""] + list(recipes), rows)
