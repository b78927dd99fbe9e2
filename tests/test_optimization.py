"""The optimizers, against the formulas in numpy; upstream's Adam is also held to recorded steps in test_parity.py."""
import numpy as np
import pytest

import optimization
import text_model
from network.runtime import tf
from settings import Settings

STEPS = 6


def run_steps(settings, gradients, start, names=("dense/kernel", "dense/bias")):
    """Values after each step of two variables whose gradients are given: list of lists of arrays, and the rates."""
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.create_global_step()
        variables = [tf.get_variable(name, initializer=tf.constant(value)) for name, value in zip(names, start)]
        placeholders = [tf.placeholder(tf.float32, value.shape) for value in start]
        loss = tf.add_n([tf.reduce_sum(variable * placeholder) for variable, placeholder in zip(variables, placeholders)])
        operation, norm, rate = optimization.train_op(loss, settings, step, STEPS)
        session.run(tf.global_variables_initializer())
        values, norms, rates = [], [], []
        for row in gradients:
            feed = dict(zip(placeholders, row))
            found = session.run([norm, rate, operation], feed)
            norms.append(found[0])
            rates.append(found[1])
            values.append(session.run(variables))
        assert session.run(step) == len(gradients)
    return values, norms, rates


@pytest.fixture
def problem():
    random = np.random.RandomState(0)
    start = [random.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4,))]
    gradients = [[random.normal(size=value.shape).astype(np.float32) for value in start] for _ in range(STEPS)]
    return start, gradients


def clipped(row, limit):
    norm = np.sqrt(sum((gradient.astype(np.float64) ** 2).sum() for gradient in row))
    return norm, [gradient * min(1.0, limit / norm) for gradient in row]


@pytest.mark.parametrize("clip", [1e-3, 1.0, 1e6])
def test_adam_with_clipping(problem, clip):
    start, gradients = problem
    values, norms, rates = run_steps(Settings(clip=clip, learning_rate=0.01), gradients, start)
    m, v, expected = [0.0, 0.0], [0.0, 0.0], [value.astype(np.float64) for value in start]
    for number, row in enumerate(gradients, 1):
        norm, row = clipped(row, clip)
        assert norms[number - 1] == pytest.approx(norm, rel=1e-5) and rates[number - 1] == pytest.approx(0.01)
        for place, gradient in enumerate(row):
            m[place] = 0.9 * m[place] + 0.1 * gradient
            v[place] = 0.999 * v[place] + 0.001 * gradient ** 2
            rate = 0.01 * np.sqrt(1 - 0.999 ** number) / (1 - 0.9 ** number)
            expected[place] = expected[place] - rate * m[place] / (np.sqrt(v[place]) + 1e-8)
            np.testing.assert_allclose(values[number - 1][place], expected[place], rtol=1e-4, atol=1e-5)


def test_adamw_decays_weights_and_not_biases(problem):
    start, gradients = problem
    settings = Settings(optimizer="adamw", learning_rate=0.1, warmup=0.5, weight_decay=0.2, clip=1.0)
    values, _, rates = run_steps(settings, gradients, start)
    # Warm-up over the first half of six steps, then the line that falls from the peak at step 0 to nothing at step 6.
    np.testing.assert_allclose(rates, [0, 0.1 / 3, 0.2 / 3, 0.1 * 3 / 6, 0.1 * 2 / 6, 0.1 * 1 / 6], rtol=1e-5)
    m, v, expected = [0.0, 0.0], [0.0, 0.0], [value.astype(np.float64) for value in start]
    for number, row in enumerate(gradients):
        _, row = clipped(row, 1.0)
        for place, (gradient, decay) in enumerate(zip(row, (0.2, 0.0))):
            m[place] = 0.9 * m[place] + 0.1 * gradient
            v[place] = 0.999 * v[place] + 0.001 * gradient ** 2
            expected[place] = expected[place] - rates[number] * (m[place] / (np.sqrt(v[place]) + 1e-6) + decay * expected[place])
            np.testing.assert_allclose(values[number][place], expected[place], rtol=1e-4, atol=1e-5)


def test_layer_norms_are_not_decayed():
    start = [np.ones([4], np.float32)] * 2
    settings = Settings(optimizer="adamw", learning_rate=0.1, warmup=0.0, weight_decay=0.5)
    (values,), _, _ = run_steps(settings, [[np.zeros([4], np.float32)] * 2], start, ("a/LayerNorm/gamma", "a/kernel"))
    np.testing.assert_array_equal(values[0], start[0])
    assert (values[1] < 1).all()


def test_repeated_words_count_once_each_in_the_norm():
    """As tf.clip_by_global_norm sees the word embeddings' gradient, and so upstream."""
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.get_variable("table", initializer=tf.zeros([5, 2]))
        loss = tf.reduce_sum(tf.gather(table, [1, 1, 3]))
        gradient, = tf.gradients(loss, [table])
        assert session.run(optimization.global_norm([gradient])) == pytest.approx(np.sqrt(6))
        np.testing.assert_array_equal(session.run(optimization.dense_gradient(gradient, table)),
                                      [[0, 0], [2, 2], [0, 0], [1, 1], [0, 0]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothed_labels_are_a_mixture_with_the_uniform_distribution(smoothing):
    logits = np.random.RandomState(0).normal(size=(5, 8)).astype(np.float32)
    labels = np.array([0, 3, 7, 7, 2], np.int32)
    target = (1 - smoothing) * np.eye(8)[labels] + smoothing / 8
    expected = -(target * text_model.log_probabilities(logits)).sum(axis=1)
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(text_model.cross_entropy(tf.constant(logits), tf.constant(labels), smoothing))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
