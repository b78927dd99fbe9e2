#!/usr/bin/env python3
"""How fast this machine reads a corpus, trains and evaluates BERT-CNN, and at what share of its own peak.

    python3 benchmark.py [--size base|mini|tiny] [--steps N] [--recipe NAME] [--set KEY=VALUE ...]
    python3 benchmark.py --whole-run        also: what a full training on i2b2 2012 would take at most
    python3 benchmark.py --json FILE        keep the figures; --compare FILE shows them beside this run's
    python3 benchmark.py --recipe context --against paper --corpus DIR --bert DIR --seeds N --result DIR
                                            instead: both recipes trained and tested, what each reaches and how fast

But for the last, it needs neither corpus nor BERT: notes, vocabulary and weights are random, made in a temporary folder
(some 4 GB at BERT-base's size, most of it the run's checkpoints). Each part (benchmarks/parts.py) runs in a process of its own, so
that its peak memory is its own.

The peak is what TensorFlow reaches at the matrix products of a Transformer layer alone, in the session, threads and
precision of the run. Machines are shared and their speed varies from second to second: the peak is measured before
and after every step, a step's share is taken of these two, and the median of the shares is reported.
"""
import argparse
import contextlib
import importlib
import math
import multiprocessing
import os
import signal
import tempfile
import time
from typing import NamedTuple

from commands.common import require_libraries
from commands.options import positive
from inputs.batching import steps_of
from settings import RECIPES
from support import interrupts, paths, schema
from support.console import outlast_readers, say
from support.errors import InputError
from support.files import check_writable, to_json, write_atomically
from support.main import run_main
from tasks.i2b2 import I2B2


class Size(NamedTuple):
    """A model to measure, and how much of it."""

    bert: dict  # by the keys of bert_config.json
    notes: int  # in the synthetic corpus
    steps: int  # timed unless --steps says otherwise


VOCAB_SIZE = 30522  # of Google's uncased models
SIZES = {
    "base": Size(dict(num_hidden_layers=12, hidden_size=768, num_attention_heads=12, intermediate_size=3072), 310, 4),
    "mini": Size(dict(num_hidden_layers=6, hidden_size=384, num_attention_heads=12, intermediate_size=1536), 310, 12),
    "tiny": Size(dict(num_hidden_layers=2, hidden_size=128, num_attention_heads=2, intermediate_size=512), 31, 15),
}
# i2b2 2012: TLINKs with a type in its training and test documents.
TRAIN_EXAMPLES, TEST_EXAMPLES = 33800, 27700


class Measurement(NamedTuple):
    """One line of the table; the JSON file holds the value in the base unit (seconds, bytes, FLOP, 1)."""

    key: str
    label: str
    unit: str
    scale: float = 1.0  # base units in one `unit`


MEASUREMENTS = (
    Measurement("examples", "features: TLINKs in the synthetic corpus", ""),
    Measurement("features_seconds", "features: from XML to arrays", "s"),
    Measurement("features_per_second", "features: made per second", "1/s"),
    Measurement("cached_features_seconds", "features: the same with the cache", "s"),
    Measurement("features_memory", "features: peak memory", "GB", 1e9),
    Measurement("peak_flops", "matrix-multiply peak, median", "GFLOP/s", 1e9),
    Measurement("peak_flops_lowest", "matrix-multiply peak, lowest in this run", "GFLOP/s", 1e9),
    Measurement("peak_flops_highest", "matrix-multiply peak, highest in this run", "GFLOP/s", 1e9),
    Measurement("train_flop", "training step: the model's products", "GFLOP", 1e9),
    Measurement("train_seconds", "training step", "s"),
    Measurement("train_flops", "training step: speed", "GFLOP/s", 1e9),
    Measurement("train_tlinks", "training step: TLINKs per second", "1/s"),
    Measurement("train_share", "training step: share of peak", "%", 0.01),
    Measurement("train_first_seconds", "training step: the first, with compilation", "s"),
    Measurement("wait_share", "training step: share of waiting for input", "%", 0.01),
    Measurement("input_seconds", "input pipeline: time to make a batch", "ms", 1e-3),
    Measurement("input_share", "input pipeline: share of a training step", "%", 0.01),
    Measurement("eval_flop", "evaluation batch: the model's products", "GFLOP", 1e9),
    Measurement("eval_seconds", "evaluation batch", "s"),
    Measurement("eval_flops", "evaluation batch: speed", "GFLOP/s", 1e9),
    Measurement("eval_tlinks", "evaluation batch: TLINKs per second", "1/s"),
    Measurement("eval_share", "evaluation batch: share of peak", "%", 0.01),
    Measurement("eval_first_seconds", "evaluation batch: the first, with compilation", "s"),
    Measurement("start_seconds", "a run with cached features: until the first step is done", "s"),
    Measurement("train_memory", "a run: peak memory of training, evaluating and saving", "GB", 1e9),
    Measurement("interval_seconds", "whole run: steps between two evaluations", "min", 60.0),
    Measurement("evaluation_seconds", "whole run: an evaluation", "min", 60.0),
    Measurement("run_seconds", "whole run: all epochs, at most", "h", 3600.0),
)


# What `--json` writes.
RECORD = schema.record({
    "size": schema.one_of(*SIZES), "recipe": schema.text,
    "settings": schema.record({}, required=("batch_size", "seq_length", "precision")),
    "machine": schema.record({}, schema.either(schema.text, schema.number()), ("cores", "processor", "tensorflow", "python")),
    "figures": schema.mapped(schema.number(0))}, required=("size", "recipe", "settings", "machine", "figures"))


def main():
    arguments = parse_arguments()
    require_libraries()
    settings = I2B2.settings_for(arguments.recipe, arguments.assignments)
    if arguments.against:
        return compare_recipes(arguments, settings)
    earlier = read_record(arguments.compare) if arguments.compare else None
    if arguments.json:
        check_place(arguments.json)
    record = {"size": arguments.size, "recipe": arguments.recipe, "settings": settings._asdict()}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        record["machine"], record["figures"] = measure(arguments, settings, folder)
    say("")
    say(describe(record))
    if earlier:
        say(f"earlier: {describe(earlier)}")
    say("")
    say(table(record["figures"], earlier and earlier["figures"]))
    if arguments.whole_run:
        say("")
        say(whole_run_note(settings))
    if arguments.json:
        write_atomically(arguments.json, to_json(record))
        say("")
        say(f"-> {arguments.json}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="benchmark.py", description="Measure this machine with BERT-CNN: features, training "
                                     "steps, evaluation, waiting, memory, and the share of the matrix-multiply peak.")
    parser.add_argument("--size", choices=list(SIZES),
                        help="BERT-base (12 layers, 768 wide), mini (6, 384) or tiny (2, 128), with random weights (default: base; "
                        "with --against the BERT of --bert)")
    parser.add_argument("--steps", metavar="N", type=positive, help="training steps, and evaluation batches, to time (default: "
                        + ", ".join(f"{size.steps} for {name}" for name, size in SIZES.items()) + ")")
    parser.add_argument("--recipe", metavar="NAME", default="paper", help=f"one of {', '.join(RECIPES)} (default: %(default)s)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
                        help="change a setting of the recipe; repeatable; keys: " + ", ".join(I2B2.own(RECIPES["paper"])))
    parser.add_argument("--whole-run", action="store_true", help="also tell what a full training on i2b2 2012 takes at most")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--compare", metavar="FILE", help="show the figures of an earlier --json FILE beside this run's")
    race = parser.add_argument_group("another recipe beside --recipe")
    race.add_argument("--against", metavar="NAME", choices=list(RECIPES), help="train and test both, with the same dev documents")
    race.add_argument("--corpus", metavar="DIR", default=paths.SAMPLE_CORPUS, help="corpus folder (default: %(default)s)")
    race.add_argument("--bert", metavar="DIR", help="BERT folder (default: the sample's toy BERT)")
    race.add_argument("--result", metavar="DIR", default=os.path.join(paths.DEFAULT_RESULT, "race"),
                      help="where the result folders go; what is finished there is not run again (default: %(default)s)")
    race.add_argument("--seeds", metavar="N", type=positive, default=1,
                      help="number of seeds (default: %(default)s); the first is that of --set seed=K, or 0")
    arguments = parser.parse_args()
    for name in ("corpus", "bert", "result"):
        if getattr(arguments, name) == "":
            parser.error(f"--{name}: the name is empty; give a path, or . for the current folder")
    of_one, of_two = ("whole_run", "json", "compare", "steps"), ("corpus", "bert", "result", "seeds")
    for name in of_one if arguments.against else of_two:
        if getattr(arguments, name) != parser.get_default(name):
            parser.error(f"--{name.replace('_', '-')} goes " + ("without" if arguments.against else "with") + " --against")
    if arguments.against and arguments.size and arguments.bert:
        parser.error("--size goes without --bert")
    if not arguments.against and not arguments.size:
        arguments.size = "base"
    return arguments


def compare_recipes(arguments, settings):
    """Train and test both recipes; see `race`."""
    from benchmarks import race
    from commands.demo import toy_bert
    recipes = (arguments.against, arguments.recipe)
    if len(set(recipes)) == 1:
        raise InputError(f"--against {arguments.against} is the recipe itself; name another one with --recipe.")
    # Both are chosen on the same documents: those that --recipe holds out.
    assignments = [f"dev={settings.dev}"] + [text for text in arguments.assignments if not text.startswith("seed=")]
    I2B2.settings_for(arguments.against, assignments)
    seeds = range(settings.seed, settings.seed + arguments.seeds)
    bert = random_bert(arguments) if arguments.size else arguments.bert or toy_bert()
    # It takes as long as the trainings and tests that it gives, and outlasts what they outlast.
    outlast_readers()
    interrupts.outlast_terminal()
    pairs = race.race(recipes, assignments, seeds, arguments.corpus, bert, arguments.result)
    say("")
    say(race.table(recipes, pairs))


def random_bert(arguments):
    """The folder of a BERT of --size with random weights and the sample's vocabulary, below --result; made where it is not."""
    from inputs.tiny_bert import make_tiny_bert
    folder = os.path.join(arguments.result, f"bert-{arguments.size}")
    if not os.path.isfile(paths.BertFolder(folder).vocab):
        say(f"{folder}: random weights")
        make_tiny_bert(folder, sizes=SIZES[arguments.size].bert)
    return folder


# ------------------------------------------------------------------------------------------------------ measuring

def measure(arguments, settings, folder):
    """Run every part that was asked for; returns (dict that describes the machine, dict of measurements in base units)."""
    size = SIZES[arguments.size]
    steps = arguments.steps or size.steps
    corpus, bert = paths.CorpusFolder(os.path.join(folder, "corpus")), paths.BertFolder(os.path.join(folder, "bert"))
    machine = in_child("prepare", corpus, bert, dict(size.bert, vocab_size=VOCAB_SIZE), size.notes, settings)
    say(f"features of {size.notes} notes")
    figures = in_child("features", corpus, bert, settings)
    say(f"{steps} training steps and {steps} evaluation batches")
    figures.update(in_child("model", corpus, bert, paths.ResultFolder(os.path.join(folder, "result")), settings, steps))
    say("a run of two steps and an evaluation")
    options = ["--recipe", arguments.recipe] + [word for text in arguments.assignments for word in ("--set", text)]
    figures.update(in_child("plain_run", corpus, bert, paths.ResultFolder(os.path.join(folder, "run")), options, time.time()))
    if arguments.whole_run:
        figures.update(whole_run(figures, settings))
    return machine, figures


def in_child(part, *arguments):
    """Call a function of benchmarks.parts in a new process and return its result; what it prints is not shown."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=call, args=(sender, part, arguments))
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        process.join()
        raise InputError(f"the part `{part}` ended with status {process.exitcode} before it was done; -9 is mostly the "
                         "system's answer to a lack of memory: a smaller --size or --set batch_size=N needs less.")
    finally:
        # Not waited for: what the part has on the disk goes with the temporary folder.
        process.terminate()
        process.join()
    if isinstance(result, InputError):
        raise result
    return result


def call(sender, part, arguments):
    """`in_child` in the new process."""
    # Ctrl-C reaches both processes; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(os.devnull, "w") as unheard, contextlib.redirect_stdout(unheard):
        try:
            sender.send(getattr(importlib.import_module("benchmarks.parts"), part)(*arguments))
        except InputError as error:
            sender.send(error)


def whole_run(figures, settings):
    """What training on i2b2 2012 takes, from the measured parts; returns measurements.

    An upper bound: all dev examples are taken to differ (the same words in the same note are evaluated once), and
    patience not to end the run.
    """
    train, dev = whole_run_examples(settings)
    epoch, steps = steps_of(train, settings._replace(max_steps=0))
    interval = settings.evaluate_every or epoch
    evaluation = dev / figures["eval_tlinks"]
    step = settings.batch_size / figures["train_tlinks"]
    return {"interval_seconds": interval * step, "evaluation_seconds": evaluation,
            "run_seconds": steps * step + math.ceil(steps / interval) * evaluation}


def whole_run_examples(settings):
    """(training examples, dev examples) of i2b2 2012."""
    if settings.dev == "test":
        return TRAIN_EXAMPLES, TEST_EXAMPLES
    held_out = round(TRAIN_EXAMPLES * float(settings.dev))
    return TRAIN_EXAMPLES - held_out, held_out


# ------------------------------------------------------------------------------------------------------ reporting

def whole_run_note(settings):
    """What the figures of `whole_run` rest on."""
    train, dev = whole_run_examples(settings)
    every = f"{settings.evaluate_every} steps of {settings.batch_size}" if settings.evaluate_every else "epoch"
    return (f"Whole run: {train:,} training examples, {settings.num_epochs} epochs, an evaluation every {every} on {dev:,} dev "
            "examples.\nHow many of these differ cannot be told without the corpus: all are taken to, an upper bound, and patience "
            "to end nothing early.")


def read_record(path):
    """The record that `--json` wrote; InputError if it is none."""
    try:
        return schema.read_json(path, RECORD, "these are not figures of this benchmark; `benchmark.py --json FILE` writes them")
    except FileNotFoundError:
        raise InputError(f"--compare {path}: there is no such file; `benchmark.py --json FILE` writes one.") from None


def check_place(path):
    """Raise an InputError where `--json` names a folder, or a file that cannot be written."""
    if os.path.isdir(path):
        raise InputError(f"--json {path} is a folder; name a file in it, such as {os.path.join(path, 'benchmark.json')}.")
    check_writable(os.path.dirname(os.path.abspath(path)))


def describe(record):
    """Size, settings that matter for speed, and machine, on a line."""
    machine, settings, bert = record["machine"], record["settings"], SIZES[record["size"]].bert
    return (f"{record['size']} ({bert['num_hidden_layers']} layers, {bert['hidden_size']} wide), recipe {record['recipe']}, "
            f"batch {settings['batch_size']} x {settings['seq_length']}, {settings['precision']}; {machine['cores']} cores "
            f"({machine['processor']}), TensorFlow {machine['tensorflow']}, Python {machine['python']}")


def table(figures, earlier=None):
    """The figures for reading, one a line; with those of an earlier run and the ratio to them."""
    rows = [f"{'':<58}{'now':>10}{'':9}{'earlier':>10}{'ratio':>8}"] if earlier else []
    for figure in MEASUREMENTS:
        if figure.key in figures:
            value, before = figures[figure.key], (earlier or {}).get(figure.key)
            row = f"{figure.label:<58}{number(value / figure.scale):>10} {figure.unit:<8}"
            if before is not None:
                row += f"{number(before / figure.scale):>10}"
            if before:
                row += f"{value / before:8.2f}"
            rows.append(row.rstrip())
    return "\n".join(rows)


def number(value):
    """A figure to three or more digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    run_main(main)
