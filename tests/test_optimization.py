"""The optimizers: against the formulas in numpy and the steps recorded from the release; upstream's Adam: test_parity.py."""
import json

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


# ------------------------------------------------------------------------------------------------ Google's interface

@pytest.fixture(scope="module")
def recorded(shared):
    folder = shared / "bert_interface"
    return json.loads((folder / "optimizer.json").read_text()), np.load(str(folder / "optimizer.npz"))


NAMES = ("bert/x/kernel", "bert/x/bias", "bert/LayerNorm/gamma", "bert/emb", "head/unused")


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_steps_equal_the_releases(recorded, number, resource):
    case, arrays = recorded[0][number], recorded[1]

    def values(name):
        return arrays[f"{case['name']}/{name}"]
    with tf.Graph().as_default(), tf.Session() as session:
        kernel, bias, gamma, table, unused = variables = [
            tf.get_variable(name, initializer=tf.constant(values(name)[0]), use_resource=resource) for name in NAMES]
        product = tf.tanh(tf.matmul(tf.gather(table, case["picked"]), kernel) + bias) * gamma
        loss = 20.0 * tf.reduce_sum(tf.square(product - values("target")))
        step = tf.train.get_or_create_global_step()
        if "init_lr" in case["arguments"]:
            operation = optimization.create_optimizer(loss, use_tpu=False, **case["arguments"])
        else:
            optimizer = optimization.AdamWeightDecayOptimizer(**case["arguments"])
            pairs = zip(tf.gradients(loss, variables), variables)
            operation = optimizer.apply_gradients(pairs, step, name="a_step")
            assert operation.name == "a_step"
        others = sorted(variable.op.name for variable in tf.global_variables() if variable not in variables)
        assert others == case["other_variables"] and set(tf.trainable_variables()) == set(variables)
        session.run(tf.global_variables_initializer())
        for count in range(13):
            for name, value in zip(NAMES, session.run(variables)):
                expected = values(name)[count]
                assert np.abs(value - expected).max() <= 1e-4 * max(np.abs(expected).max(), 1e-9), (count, name)
            assert session.run(step) == values("global_step")[count]
            session.run(operation)


def test_each_step_is_one_from_the_values_before():
    """The gradient of a product of two variables is the other variable; it may be that in its very memory."""
    random = np.random.RandomState(0)
    start = [random.normal(size=[300, 1000]).astype(np.float32) for _ in range(6)]
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [tf.get_variable(f"w{number}", initializer=tf.constant(value)) for number, value in enumerate(start)]
        optimizer = optimization.AdamWeightDecayOptimizer(0.1, weight_decay_rate=0.01)
        pairs = [(tf.identity(variables[number ^ 1]), variable) for number, variable in enumerate(variables)]
        operation = optimizer.apply_gradients(pairs)
        for _ in range(20):
            session.run(tf.global_variables_initializer())
            session.run(operation)
            for number, value in enumerate(session.run(variables)):
                gradient = start[number ^ 1].astype(np.float64)
                change = 0.1 * gradient / (np.sqrt(0.001 * gradient ** 2) + 1e-6) + 0.01 * start[number]
                np.testing.assert_allclose(value, start[number] - 0.1 * change, rtol=1e-4, atol=1e-5)


def test_the_optimizer_minimizes_like_any_other():
    """What the release's own test asks: the way to a target within a hundred steps."""
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("w", [3], initializer=tf.constant_initializer([0.1, -0.2, -0.1]))
        loss = tf.reduce_mean(tf.square(tf.constant([0.4, 0.2, -0.5]) - weight))
        operation = optimization.AdamWeightDecayOptimizer(0.2).minimize(loss, tf.train.get_or_create_global_step())
        session.run(tf.global_variables_initializer())
        for _ in range(100):
            session.run(operation)
        np.testing.assert_allclose(session.run(weight), [0.4, 0.2, -0.5], rtol=1e-2, atol=1e-2)
        assert session.run(tf.train.get_global_step()) == 0, "it is left to the caller, as in the release"


def test_what_cannot_be_trained_is_refused():
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="no trainable variable"):
            optimization.create_optimizer(tf.constant(1.0), 1e-4, 10, 0, False)
        with pytest.raises(ValueError, match="use_tpu=False"):
            optimization.create_optimizer(tf.constant(1.0), 1e-4, 10, 0, True)
