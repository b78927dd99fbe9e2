"""The layers' written-out derivatives against automatic ones, and dropout's masks."""
import itertools

import numpy as np
import pytest

from network.layers import Layers, gelu
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
    "gelu": (lambda layers, *a: layers.bias_activation(*a, activation=gelu), lambda x, bias: plain_gelu(x + bias),
             [normal(ROWS, WIDTH), normal(WIDTH)]),
    **{name: (lambda layers, *a, function=function: layers.bias_activation(*a, activation=function),
              lambda x, bias, function=function: function(x + bias) if function else x + bias, [normal(ROWS, WIDTH), normal(WIDTH)])
       for name, function in (("relu", tf.nn.relu), ("tanh", tf.tanh), ("linear", None), ("another function", tf.nn.softplus))},
    "add_norm": (lambda layers, *a: layers.dropout_add_norm(*a, rate=0.0),
                 lambda x, bias, residual, gamma, beta: plain_norm(residual + x + bias, gamma, beta),
                 [normal(ROWS, WIDTH), normal(WIDTH), normal(ROWS, WIDTH) * 2, 1 + normal(WIDTH), normal(WIDTH)]),
    "attention": (lambda layers, q, k, v: layers.attention(q, k, v, tf.constant(MASK), 0.0),
                  lambda q, k, v: tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + MASK), v), QUERY),
    "split": (lambda layers, x, b: tf.concat(layers.split_heads(x, b, BATCH, LENGTH, HEADS, (2.0 ** -0.5, 1.0, 1.0)), 0),
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


def dropped_ones(seed, step, xla, places=1, shape=(200, 50), batch=None):
    """Dropout of a matrix of ones at the last of several places, and its gradient."""
    with tf.Graph().as_default(), tf.Session() as session:
        layers, x = Layers(xla, seed, tf.constant(step), batch=batch), tf.ones(shape)
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
    others = [dropped_ones(xla=False, **other)[0] for other in (
        dict(seed=1, step=0), dict(seed=0, step=1), dict(seed=0, step=0, places=2), dict(seed=0, step=0, batch=0),
        dict(seed=0, step=0, batch=1), dict(seed=0, step=1, batch=0))]
    for one, other in itertools.combinations([first] + others, 2):
        # Independent masks drop a place both times in one of a hundred cases.
        assert abs(((one == 0) & (other == 0)).mean() - 0.01) < 0.005


# The places of BERT-base: the embeddings, then of each layer the attention and the ends of both halves; a batch of 26 x 180.
BASE_PLACES = [26 * 180 * 768] + [26 * 12 * 180 * 180, 26 * 180 * 768, 26 * 180 * 768] * 12
SEEDS = range(10)


def scrambled(x):
    """`layers.scramble` in numpy, of uint32."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))


class Place:
    """Where dropout acts in BERT-base, with the numbers that its mask is made of.

    first : the number of its first element; key : what `dropped` is given besides.
    """

    def __init__(self, first, key):
        self._first, self._key = (np.array(number).astype(np.uint32).ravel() for number in (first, key))

    def bits(self, elements):
        """The bits of elements by their numbers, uint32."""
        return scrambled(scrambled(self._first + elements.astype(np.uint32)) ^ self._key)


@pytest.fixture(scope="module")
def base_places():
    """{seed: the Places of BERT-base at one step}."""
    with tf.Graph().as_default(), tf.Session() as session:
        step, shape = tf.placeholder(tf.int32, []), np.ones([2], np.int32)
        towers = [Layers(False, seed, step) for seed in SEEDS]
        numbers = [[layers._place(0.1, shape)[1] for _ in BASE_PLACES] for layers in towers]  # pylint: disable=protected-access
        return {seed: [Place(rows, key) for rows, _, key in places]
                for seed, places in zip(SEEDS, session.run(numbers, {step: 7}))}


def test_bits_are_those_that_dropout_uses(base_places):
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int32, [])
        layers, ones = Layers(False, 3, step), tf.ones([50, 20])
        masks = session.run([layers.dropout(ones, 0.1) for _ in BASE_PLACES[:4]], {step: 7})
    for mask, place in zip(masks, base_places[3]):
        drawn = place.bits(np.arange(1000)).view(np.int32).reshape(50, 20)
        np.testing.assert_array_equal(mask == 0, drawn < 0.1 * 2 ** 32 - 2 ** 31)


def test_places_drop_the_same_elements_as_often_as_chance_has_it(base_places):
    elements = np.random.RandomState(0).randint(0, min(BASE_PLACES), 40000)
    for seed in SEEDS:
        drops = np.stack([place.bits(elements) < 0.1 * 2 ** 32 for place in base_places[seed]]).astype(np.float32)
        both = (drops @ drops.T / len(elements))[np.triu_indices(len(drops), 1)]
        # Of 6,660 pairs in all, one is so many standard deviations away once in four thousand such tests.
        assert np.abs(both - 0.01).max() < 5.5 * np.sqrt(0.01 * 0.99 / len(elements))
        assert np.abs(drops.mean(axis=1) - 0.1).max() < 5.5 * np.sqrt(0.09 / len(elements))


def test_no_place_has_the_mask_of_another_shifted(base_places):
    """Two elements' bits in a row do not recur by chance.

    Were a part of one place's mask a part of another's, one of the first `stride` pairs of the one would be among the pairs of
    the other that begin at multiples of `stride`.
    """
    stride = 4096

    def pairs(place, elements):
        return place.bits(elements).astype(np.uint64) << np.uint64(32) | place.bits(elements + 1).astype(np.uint64)

    for seed in SEEDS:
        dense = np.concatenate([pairs(place, np.arange(stride)) for place in base_places[seed]])
        sparse = np.concatenate([pairs(place, np.arange(0, size, stride)) for place, size in zip(base_places[seed], BASE_PLACES)])
        # But for each place's own first pair, which is in both.
        assert len(np.unique(dense)) == len(dense) and len(np.unique(sparse)) == len(sparse)
        assert len(np.intersect1d(dense, sparse)) == len(BASE_PLACES)


def test_gradients_with_dropout_use_the_forward_mask():
    """A directional derivative by differences, through a whole attention and a layer's end."""
    with tf.Graph().as_default(), tf.Session() as session:
        layers = Layers(False, 3, tf.constant(5))
        query, key, value = (tf.constant(array) for array in QUERY)
        residual, bias = tf.constant(normal(BATCH * HEADS * LENGTH * 2 // WIDTH, WIDTH)), tf.constant(normal(WIDTH))
        offset = tf.placeholder(tf.float32, [])
        context = layers.attention(query + offset, key, value * (1 + offset), tf.constant(MASK), 0.3)
        ended = layers.dropout_add_norm(tf.reshape(context, [-1, WIDTH]), bias, residual * (1 + offset), tf.ones([WIDTH]), bias,
                                        0.3)
        total = tf.reduce_sum(ended * tf.constant(normal(BATCH * HEADS * LENGTH * 2 // WIDTH, WIDTH, 1)[:, :, 0]))
        slope = tf.gradients(total, offset)[0]
        around = [session.run(total, {offset: value}) for value in (-1e-3, 1e-3)]
        slope, measured = session.run(slope, {offset: 0.0}), (around[1] - around[0]) / 2e-3
        assert abs(measured) > 0.5
        assert slope == pytest.approx(measured, rel=0.01)
