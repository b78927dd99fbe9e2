"""The parts of `benchmark.py`, each run in a process of its own: prepare, features, model, plain_run.

Each measures the code that `run_i2b2.py` runs, on notes, a vocabulary and weights that are random. Times are in
seconds, memory in bytes, work in floating-point operations (FLOP).
"""
import contextlib
import functools
import json
import math
import os
import platform
import random
import statistics
import sys
import time
from unittest import mock

import numpy as np

from commands.options import parse_arguments
from commands.train import train
from inputs import batching, reading, sample_corpus, tiny_bert
from inputs.labels import LABELS
from network.runtime import session_config, tf, usable_cores
from support.files import write_atomically
from training import estimator, protocol

WORDS_OF_A_NOTE, TLINKS_OF_A_NOTE = 600, 200
PROBE_FLOP = 80e9  # the least that the peak is measured over: a fifth of a second of two common cores in float32
INPUT_STEPS = 8    # the least number of steps over which waiting for input is measured; twice what is prefetched


# ---------------------------------------------------------------------------------------------------------- parts

def prepare(corpus_folder, bert_folder, sizes, notes, settings):
    """Write a random corpus and BERT, and check that they fit the settings.

    Parameters
    ----------
    corpus_folder : paths.CorpusFolder
    bert_folder : paths.BertFolder
    sizes : dict by the keys of bert_config.json.
    notes : how many documents, three fifths of them for training as in the corpus of 2012.
    settings : settings.Settings

    Returns
    -------
    dict that describes this machine.

    Raises
    ------
    InputError : the settings are none for this TensorFlow, or for a BERT.
    """
    estimator.check_precision(settings)
    config = dict(tiny_bert.TINY_CONFIG, **sizes)
    pieces, words = vocabulary(config["vocab_size"])
    write_atomically(bert_folder.vocab, "\n".join(pieces + words) + "\n")
    write_atomically(bert_folder.google_config, json.dumps(config, indent=1) + "\n")
    tiny_bert.save_checkpoint(tiny_bert.tiny_variables(config, seed=0), bert_folder.google_checkpoint)
    reading.read_bert(bert_folder, settings)
    rng = random.Random(0)
    for number in range(notes):
        place = corpus_folder.train_xml if number < notes * 3 // 5 else corpus_folder.test_xml
        write_atomically(os.path.join(place, f"{number + 1}.xml"), note_xml(rng, words))
    return {"processor": processor(), "cores": settings.threads or usable_cores(), "tensorflow": tf.VERSION,
            "python": platform.python_version()}


def features(corpus_folder, bert_folder, settings):
    """Time from XML to the features of all TLINKs, without a cache and with it; returns measurements."""
    bert = reading.read_bert(bert_folder, settings)

    def read():
        corpus = reading.read_corpus(corpus_folder, settings)
        return sum(len(reading.split_features(corpus, bert, settings, split).label_ids) for split in ("train", "test"))

    seconds, examples = timed(read)
    memory = peak_memory()
    return {"examples": examples, "features_seconds": seconds, "features_per_second": examples / seconds,
            "cached_features_seconds": timed(read)[0], "features_memory": memory}


def model(corpus_folder, bert_folder, result, settings, steps):
    """Train for some steps, as `estimator.train` does, with a `Stopwatch`; returns measurements.

    Parameters
    ----------
    corpus_folder, bert_folder : what `prepare` wrote.
    result : paths.ResultFolder to be made.
    settings : settings.Settings
    steps : how many training steps and evaluation batches to time.
    """
    bert = reading.read_bert(bert_folder, settings)
    features_of_training, dev = reading.train_and_dev(reading.read_corpus(corpus_folder, settings), bert, settings)
    total = 1 + steps + max(steps, INPUT_STEPS)
    # The run evaluates after its last step, on one batch.
    settings = settings._replace(max_steps=total, num_epochs=total, evaluate_every=total)
    dev = dev.rows(slice(0, settings.eval_batch_size))
    batches = batching.Batches(features_of_training, settings)
    hook = protocol.TrainingProtocol(batches, dev, LABELS, settings, result, None)
    stopwatch = Stopwatch(hook, batches, batching.EvaluationBatches(dev, settings).at(0), bert.config, settings, steps)
    runner = estimator.estimator(bert.config, settings, result.checkpoints, label_count=len(LABELS), bert=bert.folder,
                                 total_steps=total, hook=hook)
    with hook.held:
        runner.train(lambda: estimator.train_input_fn(batches, settings, 0), hooks=[stopwatch])
    figures = dict(stopwatch.figures(), input_seconds=seconds_of_input(batches, settings))
    return dict(figures, input_share=figures["input_seconds"] / figures["train_seconds"])


def plain_run(corpus_folder, bert_folder, result, options, began):
    """`run_i2b2.py train` as it is, for two steps and an evaluation of one document's TLINKs; returns measurements.

    Here and not in `model` peak memory is measured, without what measuring the rest needs.

    Parameters
    ----------
    corpus_folder, bert_folder : what `prepare` wrote; the features are in the cache.
    result : paths.ResultFolder to be made.
    options : of the command line, besides the folders.
    began : seconds since the epoch when this process was started.
    """
    ends = []
    after_run = protocol.TrainingProtocol.after_run

    def noting_the_time(*arguments):
        ends.append(time.time())
        after_run(*arguments)

    folders = ["--corpus", corpus_folder.root, "--bert", bert_folder.root, "--result", result.root]
    short = ["--set", "max_steps=2", "--set", "evaluate_every=2", "--set", "dev=0.001"]
    with mock.patch.object(protocol.TrainingProtocol, "after_run", noting_the_time):
        train(parse_arguments(["train"] + folders + options + short))
    return {"start_seconds": ends[0] - began, "train_memory": peak_memory()}


# --------------------------------------------------------------------------------------------------- measurements

class Stopwatch(tf.train.SessionRunHook):
    """Times training steps and evaluation batches in the session that trains.

    The first step and batch, which compile, come first. Then a step and a batch by turns, each between two
    measurements of the peak. Then steps alone, traced, for how long each waits for its input: only without pauses in
    between is the pipeline under load.

    Parameters
    ----------
    hook : protocol.TrainingProtocol of the run.
    batches : batching.Batches
    dev : an evaluation batch.
    config : modeling.BertConfig
    settings : settings.Settings
    steps : how many steps are timed between measurements of the peak.
    """

    def __init__(self, hook, batches, dev, config, settings, steps):
        self._hook, self._batches, self._dev, self._config, self._settings = hook, batches, dev, config, settings
        self._steps, self._step = steps, 0
        self._train, self._evaluate, self._waits = [], [], []

    def begin(self):
        graph = tf.get_default_graph()
        self._input_names = {operation.name for operation in graph.get_operations() if operation.type == "IteratorGetNext"}
        self._peak = Peak(self._settings.batch_size * self._settings.seq_length, self._config, self._settings.precision)

    def before_run(self, run_context):
        level = tf.RunOptions.SOFTWARE_TRACE if self._step > self._steps else tf.RunOptions.NO_TRACE
        self._began = time.perf_counter()
        return tf.train.SessionRunArgs(None, options=tf.RunOptions(trace_level=level))

    def after_run(self, run_context, run_values):
        seconds = time.perf_counter() - self._began
        session = run_context.session
        if self._step > self._steps:
            self._waits.append((waited(run_values.run_metadata, self._input_names), seconds))
        elif self._step:
            batch = self._batches.at(self._step)
            self._train.append(self._timing(seconds, train_flop(self._config, self._settings, batch), batch, session))
            self._evaluate.append(self._timing_of_evaluation(session))
        else:
            self._first = {"train_first_seconds": seconds, "eval_first_seconds": self._evaluation_seconds(session)}
            self._peak.warm_up(session)
            self._before = self._peak.measure(session)
        self._step += 1

    def figures(self):
        """What was measured, by the keys of benchmark.MEASUREMENTS; medians."""
        found = dict(self._first, peak_flops=statistics.median(self._peak.measured), peak_flops_lowest=min(self._peak.measured),
                     peak_flops_highest=max(self._peak.measured))
        for name, timings in (("train", self._train), ("eval", self._evaluate)):
            for key in timings[0]:
                found[f"{name}_{key}"] = statistics.median(timing[key] for timing in timings)
        # Only the later half: by then what was prefetched before is used up.
        waits, seconds = zip(*self._waits[len(self._waits) // 2:])
        return dict(found, wait_share=sum(waits) / sum(seconds))

    def _timing_of_evaluation(self, session):
        flop = forward_flop(self._config, self._settings, self._dev)
        return self._timing(self._evaluation_seconds(session), flop, self._dev, session)

    def _evaluation_seconds(self, session):
        return timed(lambda: self._hook.evaluation.logits(session, self._dev))[0]

    def _timing(self, seconds, flop, batch, session):
        """What the time of some work on a batch is worth, given the peak before it and after it."""
        before, self._before = self._before, self._peak.measure(session)
        speed = flop / seconds
        return {"seconds": seconds, "flop": flop, "flops": speed, "tlinks": len(batch.label_ids) / seconds,
                "share": speed / ((before + self._before) / 2)}


class Peak:
    """What TensorFlow reaches at the products of a Transformer layer alone, in the graph and session of the model.

    One product works on the result of the one before, so that TensorFlow computes all of them, one at a time, each
    on all of the session's threads: query, key and value, the gradient of these, the attention's output, and both
    halves of the feed-forward network.

    Parameters
    ----------
    rows : of the activations, batch * sequence.
    config : modeling.BertConfig
    precision : "float32" or "bfloat16"
    """

    def __init__(self, rows, config, precision):
        width, inner = config.hidden_size, config.intermediate_size
        shapes = ((width, 3 * width), (3 * width, width), (width, width), (width, inner), (inner, width))
        with tf.variable_scope("peak"):
            result = random_variable("activations", [rows, width], 1.0, precision)
            # Scaled so that the results keep their size.
            kernels = [random_variable(f"kernel_{number}", shape, shape[0] ** -0.5, precision)
                       for number, shape in enumerate(shapes)]
        flop = sum(2 * rows * before * after for before, after in shapes)
        repetitions = math.ceil(PROBE_FLOP / flop)
        for kernel in kernels * repetitions:
            result = tf.matmul(result, kernel)
        self._products, self._flop = result.op, flop * repetitions
        self.measured = []

    def warm_up(self, session):
        """Compute the products once, unmeasured, as the first time makes their kernels ready."""
        session.run(self._products)

    def measure(self, session):
        """FLOP per second now."""
        self.measured.append(self._flop / timed(lambda: session.run(self._products))[0])
        return self.measured[-1]


def random_variable(name, shape, deviation, precision):
    """A normally distributed local variable: neither the optimizer nor a checkpoint sees it."""
    start_value = tf.cast(tf.random.normal(shape, stddev=deviation), tf.as_dtype(precision))
    return tf.get_variable(name, initializer=start_value, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])


def forward_flop(config, settings, batch):
    """FLOP of the model's matrix products, forward; a product [n, k] x [k, m] counts as 2 n k m.

    With E examples, R = E * length, width H, inner width I, number of layers L, filters F, width D of the dense layer, and P
    of what it reads:

        query, key, value, attention's output        L * 2 R H * 4 H
        both halves of the feed-forward network      L * 2 R H * 2 I
        scores and weighted sums of all heads        L * 2 R H * 2 length
        convolution of width w, valid places only    2 E (length - w + 1) w H F
        the two dense layers of the classifier       2 E D (P + 8)

    Looking up embeddings counts 0, and so does all work by elements, and BERT's pooler, which BERT-CNN does not use.

    Parameters
    ----------
    config : modeling.BertConfig
    settings : settings.Settings
    batch : of a view.
    """
    examples, length = batch.input_ids.shape
    width = config.hidden_size
    layer = 2 * examples * length * width * (4 * width + 2 * config.intermediate_size + 2 * length)
    widths = np.array(settings.filter_sizes)
    convolutions = (2 * settings.num_filters * examples * (length + 1 - widths) * widths * width).sum()
    return int(config.num_hidden_layers * layer + convolutions + examples * classifier_flop(config, settings))


@functools.lru_cache(maxsize=None)
def classifier_flop(config, settings):
    """FLOP of the classifier's two dense layers for an example; the model's graph, built once, tells how much they read."""
    shapes = estimator.model_shapes(config, settings, len(LABELS))
    return sum(2 * rows * columns for rows, columns in (shapes["fc1/kernel"], shapes["logits/kernel"]))


def train_flop(config, settings, batch):
    """FLOP of a training step: backward, each product of the forward pass has two, by its input and by its kernel."""
    return 3 * forward_flop(config, settings, batch)


def seconds_of_input(batches, settings):
    """Seconds that the input pipeline takes for a batch with nothing else at work.

    As long as this is less than a step takes, batches are ready before they are needed.
    """
    with tf.Graph().as_default(), tf.Session(config=session_config()) as session:
        batch = tf.data.make_one_shot_iterator(estimator.train_input_fn(batches, settings, 0)).get_next()
        session.run(batch)
        return timed(lambda: [session.run(batch) for _ in range(1, batches.total)])[0] / (batches.total - 1)


def waited(run_metadata, names):
    """Seconds that a traced step spent in the operations of these names."""
    return sum(node.all_end_rel_micros for device in run_metadata.step_stats.dev_stats for node in device.node_stats
               if node.node_name in names) / 1e6


def timed(work):
    """(seconds that `work()` takes, what it returns)."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def peak_memory():
    """The most memory this process ever held, in bytes."""
    import resource  # not on Windows
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def processor():
    """The processor's model name, or its architecture."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as source:
        for line in source:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


# ------------------------------------------------------------------------------------------------- synthetic data

def vocabulary(size):
    """(BERT's special pieces and single characters, random words): together `size` word pieces."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,:;/-0123456789", *letters, *("##" + letter for letter in letters)]
    rng, words = random.Random(0), {}
    syllables = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]
    while len(words) < size - len(pieces):
        words["".join(rng.choice(syllables) for _ in range(rng.randint(2, 4)))] = None
    return pieces, list(words)


def note_xml(rng, words):
    """A note of random words, one in ten of them of several word pieces, with random mentions and TLINKs."""
    text, mentions = "", []
    for place in range(WORDS_OF_A_NOTE):
        # Squared, so that some words are frequent.
        word = words[int(len(words) * rng.random() ** 2)] + rng.choice(["x", "."] + [""] * 18)
        if place % 6 == 0:
            tag = "SECTIME" if place < 12 else "TIMEX3" if place % 60 == 0 else "EVENT"
            begin, line = len(text) + 1, place // 12
            mentions.append(sample_corpus.Mention(f"{tag[0]}{place}", tag, "OTHER", word, begin, begin + len(word), line,
                                                  sample_corpus.moment(place), "", "", ""))
        text += word + ("\n" if place % 12 == 11 else " ")
    links = [sample_corpus.Link(*rng.sample(mentions, 2), rng.choice(LABELS), False, f"TL{number}")
             for number in range(TLINKS_OF_A_NOTE)]
    return sample_corpus.to_xml(text, mentions, links)
