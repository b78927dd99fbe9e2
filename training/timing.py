"""How long training takes on this machine, from a few steps of a model that has only one and two of its layers.

All layers of a BERT do the same work. The time of a step is therefore that of a model with one layer, which has the
true embeddings, convolutions and optimizer, and for every further layer the difference to a model with two.
"""
import statistics
import time
from typing import NamedTuple

import optimization
import text_model
from inputs import batching
from inputs.views import view_of
from network.config import BertConfig
from network.runtime import session_config, tf
from support import interrupts
from training import estimator

TIMED_STEPS = 2


class Speed(NamedTuple):
    """Seconds on this machine."""

    step: float   # a training step
    batch: float  # an evaluation batch


def measure(config, settings, label_count):
    """The Speed of a model with random weights on batches of the usual length.

    Parameters
    ----------
    config : modeling.BertConfig
    settings : settings.Settings
    label_count : int, how many labels the model tells apart.
    """
    one = measure_graph(with_layers(config, 1), settings, label_count)
    if config.num_hidden_layers == 1:
        return one
    two = measure_graph(with_layers(config, 2), settings, label_count)
    further = config.num_hidden_layers - 1
    return Speed(*(first + further * max(0.0, second - first) for first, second in zip(one, two)))


def with_layers(config, count):
    """The configuration of the same model with another number of layers."""
    return BertConfig.from_dict(dict(config.to_dict(), num_hidden_layers=count))


def measure_graph(config, settings, label_count):
    """The Speed of a model as it is."""
    training_batch, evaluation_batch = (view_of(settings).typical_batch(count, config.vocab_size)
                                        for count in (settings.batch_size, settings.eval_batch_size))
    with tf.Graph().as_default():
        with interrupts.held_back():
            inputs = {name: tf.constant(array) for name, array in batching.inputs_of(training_batch).items()}
            step = tf.get_variable("global_step", [], tf.int32, tf.zeros_initializer(), trainable=False)
            logits = text_model.bert_cnn(inputs, config, settings, estimator.tower(config, settings, step), label_count)
            loss = tf.reduce_mean(text_model.cross_entropy(logits, training_batch.label_ids))
            operation, _, _ = optimization.train_op(loss, settings, step, total_steps=1)
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                inputs = {name: tf.constant(array) for name, array in batching.inputs_of(evaluation_batch).items()}
                evaluation = estimator.evaluation_logits(inputs, config, settings, label_count, step, tf.constant(0))
        with tf.Session(config=session_config(settings.threads)) as session:
            session.run(tf.global_variables_initializer())
            return Speed(*(median_seconds(lambda: session.run(part)) for part in (operation, evaluation.op)))


def median_seconds(work):
    """Median time of a few calls, after one that compiles."""
    work()
    times = []
    for _ in range(TIMED_STEPS):
        began = time.time()
        work()
        times.append(time.time() - began)
    return statistics.median(times)
