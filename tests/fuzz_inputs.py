"""Mutated files of every kind that a command reads: each must be read, or be refused by an InputError that names it.

    python3 tests/fuzz_inputs.py [--files 2000] [--seed 0] [--kind NAME ...]

The XML of notes and the weights of other programs have fuzzers of their own, fuzz_reader.py and fuzz_weights.py. Here are
run.json, outcome.json, seeds.json, scores.json, a benchmark's figures, E3C.json and its split file, XMI, BioC, configurations and
vocabularies of BERTs, event files, predictions.tsv, TensorFlow checkpoints, arrays with a digest, TF_CONFIG, and what `predict` and
`scoring.py` read. Bytes are cut,
repeated, replaced or inserted; in JSON, values also get other types and keys go. Damage that is only told, as that of a cache,
must be told with the file's name. Prints how many of each were read, told and refused; an exception of any other kind, or a file
that takes longer than 10 seconds, ends it with the file that led to it in fuzz_failure. tests/test_fuzz_inputs.py runs a few
hundred.
"""
import argparse
import collections
import contextlib
import io
import json
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
from typing import Callable, NamedTuple

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [TESTS, os.path.dirname(TESTS)]

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

import benchmark
import data_process_BC5CDR
import data_process_E3C
import scoring
from benchmarks import race
from data_process_i2b2 import Split
from evaluation import analysis, bootstrap, compare, curves, predictions, provenance, report_parts, results, seeds, tlink_scores
from helpers import made_up
from inputs.reading import Bert, check_bert_of_model
from inputs.vocabulary import read_vocab
from network import weights_tensorflow
from network.config import load_config
from network.pretrained import check_accents, lower_cases
from notes import answering, candidates
from scoring import format_scores
from settings import Settings
from support.arrays import read_arrays, write_arrays
from support.errors import InputError
from support.paths import BertFolder, ResultFolder
from training import checkpoints, machines, outcome, runs

SECONDS = 10
WORDS = (b"\0", b"\xff", b"\n", b"\r\n", b"\n" * 2000, b"\t", b" " * 2000, b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":",
         b"<", b">", b"&", b"/", b"-1", b"0", b"1e400", b"NaN", b"-Infinity", b"null", b"true", b"9" * 400, b"[" * 3000, b"..",
         b"\xc3\xa9", b"\xed\xb3\xa9", b"\xf0\x9f\x98\x80", b"%s", b"{0}", b"]]>", b"<!DOCTYPE a [<!ENTITY b \"c\">]>")
VALUES = (None, True, False, 0, -1, 1, 10 ** 30, 1e308, float("nan"), float("inf"), "", "a", "true", "nan", "\0", "../../x",
          "x" * 5000, [], [[]], {}, {"a": 1}, [1, "2"], "\ud800")


class Kind(NamedTuple):
    """A file that a command reads."""

    name: str       # of the kind
    path: str       # of the file
    content: bytes  # of a good one
    read: Callable  # reads it as the command does
    named: str      # what a message on it must hold


# ------------------------------------------------------------------------------------------------------------- the kinds

RUN = {
    "task": "i2b2", "recipe": "paper", "settings": Settings()._asdict(), "corpus": {"train": "a" * 64, "test": "b" * 64},
    "bert": {"vocab.txt": "c" * 64},
    "model": {"vocabulary": "d" * 64, "configuration": "e" * 64, "do_lower_case": "false"},
    "versions": {"python": "3.7.9", "tensorflow": "1.14.0", "numpy": "1.16.6", "processors": 2},
    "trained_on": {"labels": {"BEFORE": 3, "AFTER": 0}, "documents": {"1": "f" * 32}},
    "profile": {"train": {"documents": 1, "TLINK": 3}, "test": {"documents": 2, "TLINK": 5}},
    "train": {"started": "2026-01-01T00:00:00Z", "ended": "2026-01-02T00:00:00Z", "seconds": 100.5, "reason": "epochs", "step": 4,
              "best_step": 2, "best_score": 0.5},
    "test": {"recipe": "paper", "settings": Settings()._asdict(), "ended": "2026-01-03T00:00:00Z", "seconds": 9.5,
             "predict_seconds": 3.25, "corpus": {"test": "b" * 64}, "bert": {}, "versions": {"python": "3.7.9"},
             "remarks": ["one"], "profile": {"documents": 2, "TLINK": 5}}}
BERT_CONFIG = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
               "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
               "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02}
VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfall\n##s\n.\n"
CLUSTER = {"cluster": {"chief": ["one:2222"], "worker": ["two:2222", "three:2222"]}, "task": {"type": "worker", "index": 1}}
NOTE = """<?xml version="1.0" encoding="UTF-8" ?>
<ClinicalNarrativeTemporalAnnotation>
<TEXT><![CDATA[
Admission Date :
03/02/2001
The patient had a fall , then pain & fever .
]]></TEXT>
<TAGS>
<EVENT id="E0" start="47" end="51" text="fall" modality="FACTUAL" polarity="POS" type="PROBLEM" />
<EVENT id="E1" start="59" end="63" text="pain" modality="FACTUAL" polarity="POS" type="PROBLEM" />
<SECTIME id="S0" start="19" end="29" text="03/02/2001" type="ADMISSION" dvalue="2001-03-02" />
TLINKS</TAGS>
</ClinicalNarrativeTemporalAnnotation>
"""
TLINKS = """<TLINK id="TL0" fromID="E0" fromText="fall" toID="E1" toText="pain" type="BEFORE" />
<TLINK id="TL1" fromID="E1" fromText="pain" toID="S0" toText="03/02/2001" type="" />
"""
BRAT_TEXT = "The patient had a fall, then pain.\n"
BRAT = "T1\tPROBLEM 18 22\tfall\nT2\tPROBLEM 29 33\tpain\nE1\tPROBLEM:T1\nR1\tBEFORE Arg1:E1 Arg2:T2\n#1\tnote\n"


def kinds(folder):
    """Every Kind, with the good files that they need beside them in a folder."""
    result = ResultFolder(os.path.join(folder, "result"))
    rows, log_probabilities = made_up(40, documents=3)
    scores = tlink_scores.score(rows, log_probabilities)
    results.write_results(result, results.predictions_tsv(rows, log_probabilities), scores, format_scores(scores))
    events = event_file(os.path.join(result.tensorboard, "training", "events.out.tfevents.1.1"),
                        [("loss", "examples_per_second")] * 6)
    event_file(os.path.join(result.tensorboard, "validation", "events.out.tfevents.1.1"), [("accuracy",)] * 6)
    model = write_model(result.best)
    text = write(os.path.join(folder, "brat", "note.txt"), BRAT_TEXT.encode("utf-8"))
    annotations = write(os.path.join(folder, "brat", "note.ann"), BRAT.encode("utf-8"))
    bert = BertFolder(os.path.join(folder, "bert"))
    write(bert.vocab, VOCAB.encode("utf-8"))
    e3c = os.path.join(folder, "e3c")
    split = write(os.path.join(e3c, "train_test_split.txt"), b"EN100001 train\nEN100002 train\n")
    converted = os.path.join(folder, "converted")
    xmi = contents(os.path.join(TESTS, "fixtures", "e3c", "data_annotation", "English", "layer1", "EN900001.xml"))
    arrays = os.path.join(folder, "arrays.npz")
    write_arrays(arrays, {"step": 3, "logits": np.zeros([4, 8], np.float32)})
    run = write(result.run, as_json(RUN))
    machine = {"cores": 2, "processor": "some", "tensorflow": "1.14.0", "python": "3.7.9"}
    figures = {"size": "tiny", "recipe": "paper", "settings": Settings()._asdict(), "machine": machine,
               "figures": {"examples": 10, "train_seconds": 1.5}}
    of_seeds = {"seeds": [0, 1], "scores": {"accuracy": {"mean": 0.5, "sd": None, "min": 0.5, "max": 0.5, "values": [0.5]}}}

    def kind(name, path, content, read, named=None):
        return Kind(name, write(path, content), content, lambda: read(path), named or os.path.basename(path))

    return [
        kind("run.json", run, as_json(RUN), lambda _: use_record(result)),
        kind("outcome.json", result.outcome, as_json({"reason": "epochs", "step": 4, "best_step": 2, "best_score": 0.5}),
             lambda _: runs.ending(outcome.read_outcome(result) or outcome.Outcome("epochs", 1, 1, 0.0))),
        kind("seeds.json", result.seeds, as_json({"train": of_seeds, "test": of_seeds}),
             lambda _: seeds.write_summary(result, "train", [{"accuracy": 0.5}])),
        kind("scores.json", result.scores_json, as_json(scores), lambda _: race.read(result)),
        kind("benchmark", os.path.join(folder, "figures.json"), as_json(figures), use_figures),
        kind("E3C.json", os.path.join(converted, "E3C.json"),
             as_json({"corpus": "E3C", "languages": ["English"], "train": [], "test": []}),
             lambda _: data_process_E3C.check_replaceable(converted)),
        kind("split", split, contents(split), lambda path: data_process_E3C.training_documents(e3c, path)),
        kind("xmi", os.path.join(folder, "EN900001.xml"), xmi,
             lambda path: data_process_E3C.to_xml(data_process_E3C.read_xmi(path).document)),
        kind("bioc", os.path.join(folder, "bioc.xml"), bioc(), lambda path: data_process_BC5CDR.read_split(path, negatives="all")),
        kind("vocab.txt", bert.vocab, VOCAB.encode("utf-8"), read_vocab),
        kind("bert_config.json", bert.google_config, as_json(BERT_CONFIG), load_config),
        kind("tokenizer_config.json", bert.tokenizer_config,
             as_json({"do_lower_case": True, "strip_accents": True, "model_max_length": 512}),
             lambda _: check_accents(bert, lower_cases(bert, read_vocab(bert.vocab)))),
        kind("checkpoint", os.path.join(folder, "checkpoint"), b'model_checkpoint_path: "model.ckpt-1000"\n',
             weights_tensorflow.named_checkpoint),
        kind("events", events, contents(events), lambda _: curves.read_curves(result.tensorboard)),
        kind("predictions.tsv", result.predictions, contents(result.predictions), use_predictions),
        kind("pairs.tsv", os.path.join(folder, "pairs.tsv"), pairs_tsv(), use_pairs),
        # What is in the environment is kept in a file here, so that a failure is.
        kind("TF_CONFIG", os.path.join(folder, "TF_CONFIG"), as_json(CLUSTER),
             lambda path: machines.parse(contents(path).decode("utf-8", "surrogateescape"))),
        *(kind("model" + ending, model + ending, contents(model + ending), lambda _: checkpoints.check(model), "best_validation")
          for ending in (".index", ".data-00000-of-00001")),
        kind("arrays", arrays, contents(arrays), lambda path: read_arrays(path, "they are made again")),
        kind("note.xml", os.path.join(folder, "note.xml"), NOTE.replace("TLINKS", TLINKS).encode("utf-8"), use_note),
        kind("unlinked.xml", os.path.join(folder, "unlinked.xml"), NOTE.replace("TLINKS", "").encode("utf-8"), use_note),
        kind("note.ann", annotations, BRAT.encode("utf-8"), lambda _: use_note(text)),
        # The annotations may be what does not fit.
        kind("note.txt", text, BRAT_TEXT.encode("utf-8"), lambda _: use_note(text), "note."),
        kind("system.xml", os.path.join(folder, "scored", "system.xml"), NOTE.replace("TLINKS", TLINKS).encode("utf-8"),
             lambda path: scoring.score_folders(os.path.dirname(path), os.path.dirname(path), str))]


def write_model(prefix):
    """Write a small TensorFlow checkpoint; returns its prefix."""
    from network.runtime import tf
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        for number in range(3):
            tf.get_variable(f"layer_{number}/kernel", [4, number + 1])
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, write_meta_graph=False, write_state=False)
    return prefix


def pairs_tsv():
    """The bytes of a predictions.tsv of BC5CDR."""
    header = "\t".join(predictions.PairPredictions.columns())
    rows = [f"{100 + row // 4}\t{row % 4}\tD{row}\tD{row + 1}\t{row % 2}\t{row % 3 % 2}\t0.25\t0.75" for row in range(16)]
    return "\n".join([header] + rows + [""]).encode("utf-8")


def use_pairs(path):
    """What `compare` does with predictions on BC5CDR."""
    for kind in (predictions.PairPredictions, predictions.AllPairPredictions):
        bootstrap.scores(bootstrap.total(predictions.read(path, kind).counts()))


def use_record(result):
    """What `train`, `test` and `compare` do with run.json."""
    record = results.read_run(result)
    runs.settings_of_model(result, record)
    runs.tell_changes(record, Settings())
    runs.differences(record, RUN)
    runs.unchecked(record, RUN)
    provenance.label_counts(record, Split([], []))
    compare.facts(record)
    report_parts.settings_section(results.as_tested(record))
    with contextlib.suppress(InputError):  # that the model is another's
        check_bert_of_model(result, record, Settings(), bert_of_run(result), [result.vocab, result.bert_config])


def bert_of_run(result):
    """A Bert that is not that of the run."""
    write(result.vocab, VOCAB.encode("utf-8"))
    return Bert(None, load_config(write(result.bert_config, as_json(BERT_CONFIG))), read_vocab(result.vocab), {}, False)


def use_figures(path):
    """What `benchmark.py --compare` does."""
    record = benchmark.read_record(path)
    benchmark.describe(record)
    benchmark.table({"examples": 5, "train_seconds": 2.0}, record["figures"])


def use_predictions(path):
    """What `compare` and `test --seeds` do."""
    table = predictions.read(path)
    bootstrap.scores(bootstrap.total(table.counts()))
    analysis.calibration(analysis.confidences(table)[0], table.gold == table.predicted)


def use_note(path):
    """What `predict` does before the model is asked, and with an answer."""
    note = answering.read_file(path, "note", candidates.ALL)
    count = len(note.examples())
    answered = answering.answer(note, np.full([count, 8], np.log(1 / 8)), True)
    answering.write_answer(os.path.join(os.path.dirname(path), "out"), answered, True)


def event_file(path, steps):
    """Write an event file with some curves, for each step the tags that have a point there; returns its path."""
    written = b""
    for number, tags in enumerate(steps, start=1):
        values = [Summary.Value(tag=tag, simple_value=0.5) for tag in tags]
        data = Event(step=number, summary=Summary(value=values)).SerializeToString()
        for part in (struct.pack("<Q", len(data)), data):
            written += part + struct.pack("<I", int(curves.masked_crc32c([part])[0]))
    return write(path, written)


def bioc():
    """A small file of BC5CDR."""
    def infons(**pairs):
        return "".join(f'<infon key="{key}">{value}</infon>' for key, value in pairs.items())

    def annotation(kind, mesh, text):
        return f'<annotation id="{mesh}">{infons(type=kind, MESH=mesh)}<text>{text}</text></annotation>'
    marked = (annotation("Chemical", "D001", "aspirin") + annotation("Disease", "D002", "rash")
              + annotation("Disease", "D003", "pain"))
    relation = f'<relation id="R0">{infons(relation="CID", Chemical="D001", Disease="D002")}</relation>'
    passages = "".join(f"<passage>{infons(type=kind)}<offset>0</offset><text>Aspirin and rash.</text>{more}</passage>"
                       for kind, more in (("title", marked), ("abstract", "")))
    return ("<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE collection SYSTEM 'BioC.dtd'><collection>"
            f"<document><id>7</id>{passages}{relation}</document></collection>").encode("utf-8")


def as_json(content):
    """JSON as bytes."""
    return json.dumps(content, indent=1).encode("utf-8")


def write(path, content):
    """Write bytes, and return the path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)
    return path


def contents(path):
    """The bytes of a file."""
    with open(path, "rb") as source:
        return source.read()


# -------------------------------------------------------------------------------------------------------------- mutations

def mutated(kind, rng):
    """The bytes of a kind's file after a few mutations."""
    if kind.content[:1] == b"{" and rng.random() < 0.6:
        content = json.loads(kind.content.decode("utf-8"))
        for _ in range(rng.choice((1, 1, 2))):
            content = mutated_json(content, rng)
        return as_json(content)
    data = bytearray(kind.content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        mutate_bytes(data, rng)
    return bytes(data)


def mutated_json(content, rng):
    """A JSON value of which one part, at any depth, is another, is gone, or has another name."""
    if not isinstance(content, (dict, list)) or not content or rng.random() < 0.1:
        return rng.choice(VALUES)
    content = dict(content) if isinstance(content, dict) else list(content)
    key = rng.choice(sorted(content) if isinstance(content, dict) else range(len(content)))
    what = rng.random()
    if what < 0.15:
        del content[key]
    elif what < 0.25 and isinstance(content, dict):
        content[rng.choice(("", "x", "../x", "\0", key + " "))] = content.pop(key)
    else:
        content[key] = mutated_json(content[key], rng)
    return content


def mutate_bytes(data, rng):
    """Cut, repeat, insert, overwrite or flip some bytes."""
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.choice((1, 1, 4, 20, 200)))
    what = rng.randrange(6)
    if what == 0:
        del data[begin:end]
    elif what == 1:
        data[begin:begin] = data[begin:end] * rng.choice((1, 2, 50))
    elif what == 2:
        data[begin:begin] = rng.choice(WORDS)
    elif what == 3:
        data[begin:end] = rng.choice(WORDS)
    elif what == 4 and begin < len(data):
        data[begin] ^= 1 << rng.randrange(8)
    elif what == 5:
        del data[begin:]


# ---------------------------------------------------------------------------------------------------------------- reading

@contextlib.contextmanager
def limited():
    """Within this block more than `SECONDS` seconds are an error."""
    def too_slow(*_):
        raise AssertionError(f"took longer than {SECONDS} seconds")
    old = signal.signal(signal.SIGALRM, too_slow)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def read(kind):
    """Read a kind's file as it is now: "read", "told" where damage of it was told, or "refused"; checks that it is named."""
    said = io.StringIO()
    try:
        with limited(), contextlib.redirect_stdout(said):
            kind.read()
    except InputError as error:
        assert "\n" not in str(error) and kind.named in str(error), f"an unclear refusal: {error}"
        return "refused"
    lines = [line for line in said.getvalue().split("\n") if "damaged" in line]
    assert all(kind.named in line for line in lines), f"damage is told without the file: {lines}"
    return "told" if lines else "read"


def fuzz(count, seed, failure, only=()):
    """Read `count` mutated files; returns a Counter of (kind, outcome).

    Parameters
    ----------
    failure : path that a file which leads to anything else is kept under.
    only : names of the kinds to mutate; all, in turn, without any.
    """
    rng, outcomes, failure = random.Random(seed), collections.Counter(), os.path.abspath(failure)
    with tempfile.TemporaryDirectory() as folder:
        all_kinds = kinds(folder)
        for kind in all_kinds:
            assert read(kind) == "read", f"the good {kind.name} is not read"
        chosen = [kind for kind in all_kinds if not only or kind.name in only]
        for number in range(count):
            kind = chosen[number % len(chosen)]
            write(kind.path, mutated(kind, rng))
            try:
                outcomes[kind.name, read(kind)] += 1
            except BaseException:
                print(f"failed: {kind.name}", file=sys.stderr)
                if os.path.exists(kind.path):
                    shutil.copyfile(kind.path, failure)
                raise
            write(kind.path, kind.content)
    return outcomes


def main():
    parser = argparse.ArgumentParser(description="Mutated files of every kind against the commands' readers.")
    parser.add_argument("--files", metavar="N", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--kind", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    arguments = parser.parse_args()
    outcomes = fuzz(arguments.files, arguments.seed, "fuzz_failure", arguments.kind)
    for name in sorted({name for name, _ in outcomes}):
        print(f"{name:<22}" + "".join(f"{outcomes[name, outcome]:5} {outcome}" for outcome in ("read", "told", "refused")))


if __name__ == "__main__":
    main()
