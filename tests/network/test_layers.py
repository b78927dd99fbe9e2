"""The layers' written-out derivatives against automatic ones, and dropout's masks."""
import numpy as np
import pytest

from network.layers import Layers
from network.runtime import tf

ROWS, WIDTH, HEADS, BATCH, LENGTH = 12, 8, 2, 3, 4


def normal(*shape):
    return np.random.RandomState(len(shape)).randn(*shape).astype(np.float32)


def plain_norm(x, gamma, beta):
    mean, variance = tf.nn.moments(x, [-1], keep_dims=True)
    return (x - mean) / tf.sqrt(variance + 1e-12) * gamma + beta


def plain_gelu(x):
    return 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3))))


def plain_split(x, bias):
    x = tf.reshape(x + bias, [BATCH, LENGTH, 3, HEADS, -1])
    query, key, value = tf.unstack(tf.transpose(x, [2, 0, 3, 1, 4]))
    return query / 2.0 ** 0.5, key, value


MASK = np.where(np.arange(LENGTH) < 3, 0.0, -10000.0).astype(np.float32).reshape([1, 1, 1, LENGTH])
MASK = MASK * np.ones([BATCH, 1, 1, 1], np.float32)
QUERY = [normal(BATCH, HEADS, LENGTH, 2) + number for number in range(3)]
CASES = {
    "norm": (lambda layers, *a: layers.norm(*a), plain_norm, [normal(ROWS, WIDTH), 1 + normal(WIDTH), normal(WIDTH)]),
    "gelu": (lambda layers, *a: layers.bias_gelu(*a), lambda x, bias: plain_gelu(x + bias), [normal(ROWS, WIDTH), normal(WIDTH)]),
    "add_norm": (lambda layers, *a: layers.dropout_add_norm(*a, rate=0.0),
                 lambda x, bias, residual, gamma, beta: plain_norm(residual + x + bias, gamma, beta),
                 [normal(ROWS, WIDTH), normal(WIDTH), normal(ROWS, WIDTH) * 2, 1 + normal(WIDTH), normal(WIDTH)]),
    "attention": (lambda layers, q, k, v: layers.attention(q, k, v, tf.constant(MASK), 0.0),
                  lambda q, k, v: tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + MASK), v), QUERY),
    "split": (lambda layers, x, b: tf.concat(layers.split_heads(x, b, BATCH, LENGTH, HEADS), 0),
              lambda x, b: tf.concat(plain_split(x, b), 0), [normal(ROWS, 3 * 4), normal(3 * 4)]),
}


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("case", sorted(CASES))
def test_values_and_gradients_equal_automatic_ones(case, xla):
    ours, plain, arrays = CASES[case]
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.constant(array) for array in arrays]
        outputs = ours(Layers(xla), *inputs), plain(*inputs)
        weight = tf.random.stateless_normal(tf.shape(outputs[0]), [1, 2])
        figures = [[output] + tf.gradients(output, inputs, weight) for output in outputs]
        for mine, theirs in zip(*session.run(figures)):
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


def dropped_ones(seed, step, xla, places=1, shape=(200, 50)):
    """Dropout of a matrix of ones at the last of several places, and its gradient."""
    with tf.Graph().as_default(), tf.Session() as session:
        layers, x = Layers(xla, seed, tf.constant(step)), tf.ones(shape)
        for _ in range(places):
            y = layers.dropout(x, 0.1)
        return session.run([y, tf.gradients(y, x)[0]])


def test_dropout_keeps_the_share_and_scales():
    result, gradient = dropped_ones(seed=0, step=0, xla=False)
    assert set(np.unique(result)) == {np.float32(0), np.float32(1 / 0.9)}
    assert abs((result == 0).mean() - 0.1) < 0.012  # four standard deviations of 10,000 draws
    np.testing.assert_array_equal(result, gradient)
    # Neither rows nor columns are dropped together.
    assert (result == 0).mean(axis=0).std() < 0.035 and (result == 0).mean(axis=1).std() < 0.065


def test_dropout_is_a_function_of_seed_step_and_place():
    first, _ = dropped_ones(seed=0, step=0, xla=False)
    np.testing.assert_array_equal(first, dropped_ones(seed=0, step=0, xla=True)[0])
    for other in (dict(seed=1, step=0), dict(seed=0, step=1), dict(seed=0, step=0, places=2)):
        second, _ = dropped_ones(xla=False, **other)
        # Independent masks drop a place both times in one of a hundred cases.
        assert abs(((first == 0) & (second == 0)).mean() - 0.01) < 0.005


def test_gradients_with_dropout_use_the_forward_mask():
    """A directional derivative by differences, through a whole attention and a layer's end."""
    with tf.Graph().as_default(), tf.Session() as session:
        layers = Layers(False, 3, tf.constant(5))
        query, key, value = (tf.constant(array) for array in QUERY)
        residual, bias = tf.constant(normal(BATCH * HEADS * LENGTH, 2)), tf.constant(normal(2))
        offset = tf.placeholder(tf.float32, [])
        context = layers.attention(query + offset, key, value * (1 + offset), tf.constant(MASK), 0.3)
        ended = layers.dropout_add_norm(tf.reshape(context, [-1, 2]), bias, residual * (1 + offset), tf.ones([2]), bias, 0.3)
        total = tf.reduce_sum(ended * tf.constant(normal(BATCH * HEADS * LENGTH, 2, 1)[:, :, 0]))
        slope = tf.gradients(total, offset)[0]
        around = [session.run(total, {offset: value}) for value in (-1e-3, 1e-3)]
        assert session.run(slope, {offset: 0.0}) == pytest.approx((around[1] - around[0]) / 2e-3, rel=0.05, abs=0.05)
