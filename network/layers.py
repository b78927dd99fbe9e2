"""BERT's layers between the matrix products, written for few passes over memory.

On a CPU a third of a naive step goes into elementwise operations: each TensorFlow operation reads and writes whole
activations (57 MB for one gelu of BERT-base), and automatic differentiation multiplies them. Here every such chain,
forward and backward, is one function with its derivative written out, which XLA compiles into a single loop; the
products stay with TensorFlow's own kernels, which are faster. Without XLA (small models) the same functions run as
ordinary operations and give the same numbers.

Shapes: rows R = batch * sequence, batch B, sequence S, heads A, width of a head D, hidden H = A * D.
"""
from typing import NamedTuple

import numpy as np

from network.runtime import fused, tf

EPSILON = 1e-12  # of layer normalization, as in BERT's release
GELU_SCALE, GELU_CUBE = float(np.sqrt(2.0 / np.pi)), 0.044715


class Share(NamedTuple):
    """A device's part of a batch that several devices compute; int32 scalar tensors."""

    examples: tf.Tensor         # examples in the part
    examples_before: tf.Tensor  # examples of the batch that come before it

    def rows_before(self, rows):
        """Rows of a tensor that come before, where this part has so many and each example as many as the others."""
        return self.examples_before * (rows // tf.maximum(self.examples, 1))


class Layers:
    """The layers of one tower of the graph.

    Parameters
    ----------
    xla : compile the elementwise chains with XLA.
    seed : int, the run's seed; None builds a tower without any dropout.
    step : int32 scalar tensor, the global step, where there is a seed.
    batch : int32 scalar tensor, the number of an evaluation's batch; None in training.
    precision : "float32" or "bfloat16", the type in which activations are multiplied and kept. Variables, their
        gradients, the residual sums' normalization, softmax and everything within a compiled chain are float32.
    share : Share, where the tower computes a part of the batch and other devices the rest.
    gradients : False if nothing will ask for the tower's gradients. It then takes fewer operations, and its graph is freed:
        TensorFlow keeps functions that give gradients, and the graphs they belong to, until the process ends.

    "float" below is that type. The dropout masks are a function of seed, step (and batch), place in the network and place in
    the batch, so that a continued run repeats an uninterrupted one, several devices do what one does, and nothing random has to
    be kept from the forward to the backward pass.
    """

    def __init__(self, xla=False, seed=None, step=None, precision="float32", share=None, batch=None, gradients=True):
        self._xla = xla
        self._type = tf.as_dtype(precision)
        self._seed, self._share, self._gradients = seed, share, gradients
        if seed is not None:
            self._draw = scramble(step + 1)
            if batch is not None:
                self._draw = scramble(tf.bitwise.bitwise_xor(self._draw, batch))
        self._places = 0
        self._functions = {}

    # --------------------------------------------------------------------------------------------------- layers

    def product(self, x, kernel):
        """Matrix product of activations and a kernel: x float [R, any], kernel float32 [any, width]."""
        return tf.matmul(tf.cast(x, self._type), tf.cast(kernel, self._type))

    def dropout(self, x, rate):
        """`x` with each element zeroed with probability `rate` and the others scaled by 1 / (1 - rate).

        x : [any, any], as many rows for each example.
        """
        rate, place = self._place(rate, tf.shape(x), self._share and self._share.rows_before(tf.shape(x)[0]))
        if not rate:
            return x
        drop = self._fused(("dropout", rate, x.dtype), lambda x, *place: dropped(x, rate, *place),
                           narrow=x.dtype == tf.bfloat16)

        @self._with_gradient
        def layer(x):
            return drop(x, *place), lambda grad: drop(grad, *place)
        return layer(x)

    def bias_activation(self, x, bias, activation):
        """activation(x + bias): x float [R, width], bias float32 [width].

        activation : gelu, tf.nn.relu, tf.tanh or None, which are compiled; or any other function.
        """
        if activation not in SLOPES:
            return tf.cast(activation(tf.cast(x, tf.float32) + bias), self._type)
        slope = SLOPES[activation]
        forward = self._fused((activation, "forward"), lambda x, bias: activation(x + bias) if activation else x + bias)
        backward = self._fused((activation, "gradient"), lambda x, bias, grad: grad * slope(x + bias))

        @self._with_gradient
        def layer(x, bias):
            def gradient(grad):
                grad_x = backward(x, bias, grad)
                return grad_x, column_sums(grad_x)
            return forward(x, bias), gradient
        return layer(x, bias)

    def dropout_add_norm(self, x, bias, residual, gamma, beta, rate, epsilon=EPSILON):
        """Layer normalization of residual + dropout(x + bias), the end of both halves of a Transformer layer.

        x, residual : float [R, H]; bias, gamma, beta : float32 [H]; epsilon : added to the variance.
        """
        rate, place = self._place(rate, tf.shape(x), self._share and self._share.rows_before(tf.shape(x)[0]))

        def add(x, bias, residual, gamma, beta, *place):
            total = residual + dropped(x + bias, rate, *place)
            mean, deviation_inverse = row_moments(total, epsilon)
            return (total - mean) * deviation_inverse * gamma + beta, total, mean, deviation_inverse

        def add_gradient(total, mean, deviation_inverse, gamma, grad, *place):
            normalized = (total - mean) * deviation_inverse
            grad_total = norm_gradient(normalized, deviation_inverse, grad * gamma)
            return grad_total, dropped(grad_total, rate, *place), grad * normalized

        forward = self._fused(("add norm", rate, epsilon), add)
        backward = self._fused(("add norm gradient", rate), add_gradient)

        @self._with_gradient
        def layer(x, bias, residual, gamma, beta):
            result, total, mean, deviation_inverse = forward(x, bias, residual, gamma, beta, *place)

            def gradient(grad):
                grad_total, grad_x, grad_gamma = backward(total, mean, deviation_inverse, gamma, grad, *place)
                return grad_x, column_sums(grad_x), grad_total, column_sums(grad_gamma), column_sums(grad)
            return result, gradient
        return layer(x, bias, residual, gamma, beta)

    def norm(self, x, gamma, beta, epsilon=EPSILON):
        """Layer normalization over the last dimension (Ba et al. 2016): x float32 [R, H]; gamma, beta [H]."""
        def normalize(x, gamma, beta):
            mean, deviation_inverse = row_moments(x, epsilon)
            return (x - mean) * deviation_inverse * gamma + beta, mean, deviation_inverse

        def normalize_gradient(x, mean, deviation_inverse, gamma, grad):
            normalized = (x - mean) * deviation_inverse
            return norm_gradient(normalized, deviation_inverse, grad * gamma), grad * normalized

        forward, backward = self._fused(("norm", epsilon), normalize), self._fused("norm gradient", normalize_gradient)

        @self._with_gradient
        def layer(x, gamma, beta):
            result, mean, deviation_inverse = forward(x, gamma, beta)

            def gradient(grad):
                grad_x, grad_gamma = backward(x, mean, deviation_inverse, gamma, grad)
                return tf.cast(grad_x, x.dtype), column_sums(grad_gamma), column_sums(grad)
            return result, gradient
        return layer(x, gamma, beta)

    def split_heads(self, x, bias, batch, length, heads, scales):
        """Query, key and value of every head, or some of them, from their joint projection.

        x : float [R, parts * H], bias : float32 [parts * H]; scales : a factor for each part, as the query's 1 / sqrt(D), the
        scale of the attention scores. Returns a list of float [B, A, S, D], one for each part.
        """
        count, width = len(scales), bias.shape[0].value // len(scales)

        def scaled(parts):
            return [part if scale == 1.0 else part * scale for part, scale in zip(parts, scales)]

        def split(x, bias):
            shape = tf.shape(x)
            parts = tf.reshape(x + bias, [shape[0], shape[1], count, heads, width // heads])
            parts = scaled(tf.unstack(tf.transpose(parts, [2, 0, 3, 1, 4])))
            return tuple(parts) if count > 1 else parts[0]

        forward = self._fused(("split heads", heads, scales), split)

        @self._with_gradient
        def layer(x, bias):
            def gradient(*grads):
                grad_x = tf.concat([merge_heads(part, width) for part in scaled(grads)], axis=1)
                return grad_x, column_sums(grad_x)
            return forward(tf.reshape(x, [batch, length, count * width]), bias), gradient
        parts = layer(x, bias)
        return list(parts) if count > 1 else [parts]

    def attention(self, query, key, value, mask, rate):
        """Scaled dot-product attention with dropout on its weights (Vaswani et al. 2017, 3.2.1).

        query (already scaled) : float [B, A, F, D]; key, value : float [B, A, T, D].
        mask : float32 [B, 1, 1 or F, T], added to the scores: 0 at what a query sees, very low at what it does not.
        Returns float [B, A, F, D].
        """
        heads, length = query.shape[1].value, tf.shape(key)[2]
        # The compiled functions see the scores as a matrix, [B * A * F, T]: four dimensions take XLA far longer to compile.
        square = tf.stack([-1, heads, tf.shape(query)[2], length])
        rows = tf.shape(query)[0] * heads * tf.shape(query)[2]
        rate, place = self._place(rate, tf.stack([rows, length]), self._share and self._share.rows_before(rows))

        def weigh(powers, sums, *place):
            weights = powers * (1.0 / sums)
            return weights, dropped(weights, rate, *place)

        masked = self._fused("mask", lambda scores, mask: scores + mask, narrow=False)
        exponentiate = self._fused("exponentiate", lambda scores, highest: tf.exp(scores - highest), narrow=False)
        normalize = self._fused(("weigh", rate), weigh)
        # Softmax's derivative; the row sums of grad * weights are those of the output's gradient with the output.
        backward = self._fused("attention gradient",
                               lambda weights, kept, grad, sums: kept * grad - weights * sums)

        @self._with_gradient
        def layer(query, key, value, mask):
            scores = tf.reshape(masked(tf.matmul(query, key, transpose_b=True), mask), [-1, length])
            powers = exponentiate(scores, tf.reduce_max(scores, axis=-1, keepdims=True))
            weights, kept = normalize(powers, tf.reduce_sum(powers, axis=-1, keepdims=True), *place)
            context = tf.matmul(tf.reshape(kept, square), value)

            def gradient(grad):
                grad_kept = tf.reshape(tf.matmul(grad, value, transpose_b=True), [-1, length])
                sums = tf.reshape(tf.reduce_sum(tf.cast(grad * context, tf.float32), axis=-1), [-1, 1])
                grad_scores = tf.reshape(backward(weights, kept, grad_kept, sums), square)
                return (tf.matmul(grad_scores, key), tf.matmul(grad_scores, query, transpose_a=True),
                        tf.matmul(tf.reshape(kept, square), grad, transpose_a=True), tf.zeros_like(mask))
            return context, gradient
        return layer(query, key, value, mask)

    # -------------------------------------------------------------------------------------------------- plumbing

    @property
    def drop(self):
        """Whether the dropouts of this tower act."""
        return self._seed is not None

    def _with_gradient(self, layer):
        """The function of the first of the two things that `layer` returns, the second being the function of its gradient."""
        return tf.custom_gradient(layer) if self._gradients else lambda *tensors: layer(*tensors)[0]

    def _place(self, rate, shape, before=None):
        """The rate of the next dropout in the network, and what `dropped` needs besides for a tensor of this shape.

        before : int32 scalar, rows of the tensor that other devices have before these.
        """
        self._places += 1
        if self._seed is None or rate == 0.0:
            return 0.0, ()
        key = np.random.RandomState([self._seed, self._places]).randint(-2 ** 31, 2 ** 31)
        # Elements are numbered row by row; the two addends are made here, because XLA of TensorFlow 1.14 would
        # compute a range of its own at compile time.
        rows = tf.reshape(tf.range(tf.reduce_prod(shape[:-1])), tf.concat([shape[:-1], [1]], 0)) * shape[-1]
        if before is not None:
            rows += before * shape[-1]
        return rate, (rows, tf.range(shape[-1]), tf.bitwise.bitwise_xor(tf.constant(key, tf.int32), self._draw))

    def _fused(self, name, function, narrow=True):
        """`function` compiled, once for every place that uses it under this name.

        It computes in float32; its results are then narrowed to the precision, except figures of rows, [..., 1].
        """
        def computed(*tensors):
            results = function(*(tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor for tensor in tensors))
            if not narrow or self._type == tf.float32:
                return results
            if not isinstance(results, tuple):
                return tf.cast(results, self._type)
            return tuple(result if result.shape[-1].value == 1 else tf.cast(result, self._type) for result in results)

        if name not in self._functions:
            self._functions[name] = fused(computed) if self._xla else computed
        return self._functions[name]


def worth_compiling(width):
    """Whether XLA is worth its seconds of compiling for a model of this width; small ones do not win them back."""
    return width >= 256


# --------------------------------------------------------------------------------------------------------- formulas

def gelu(x):
    """Gaussian error linear unit in the tanh approximation of BERT's release (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1.0 + tf.tanh(GELU_SCALE * x * (1.0 + GELU_CUBE * x * x)))


def gelu_slope(x):
    """Derivative of `gelu`."""
    square = x * x
    tanh = tf.tanh(GELU_SCALE * x * (1.0 + GELU_CUBE * square))
    return 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * (GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * square))


def tanh_slope(x):
    """Derivative of the hyperbolic tangent."""
    return 1.0 - tf.square(tf.tanh(x))


# The activations that are compiled, with their derivatives; None for none.
SLOPES = {gelu: gelu_slope, tf.tanh: tanh_slope, tf.nn.relu: lambda x: tf.cast(x > 0.0, tf.float32), None: tf.ones_like}


def merge_heads(x, width):
    """Heads side by side: float32 [B, A, S, D] to [R, width]."""
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, width])


def row_moments(x, epsilon):
    """Mean and inverse standard deviation of each row, `epsilon` added to the variance: float32 [R, 1] both."""
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axis=-1, keepdims=True)
    return mean, tf.rsqrt(variance + epsilon)


def norm_gradient(normalized, deviation_inverse, grad):
    """Gradient of a row's normalization, from the gradient of its result before gamma and beta."""
    mean = tf.reduce_mean(grad, axis=-1, keepdims=True)
    along = tf.reduce_mean(grad * normalized, axis=-1, keepdims=True)
    return deviation_inverse * (grad - mean - normalized * along)


def column_sums(x):
    """Sum over the rows, as a product with ones, which uses all cores: float [R, width] to float32 [width]."""
    return tf.cast(tf.reshape(tf.matmul(tf.ones([1, tf.shape(x)[0]], x.dtype), x), [-1]), tf.float32)


def dropped(x, rate, rows=None, columns=None, key=None):
    """Dropout whose mask is a hash of the element's number and a key, so that it can be repeated at will.

    x : float32 [..., columns]; rows : int32 [..., 1] and columns : int32 [columns], whose sum numbers the elements;
    key : int32 scalar, one for each place in the network and each step.
    """
    if not rate:
        return x
    # The key comes between the two: added to the numbers, it would only shift one place's bits to another's.
    bits = scramble(tf.bitwise.bitwise_xor(scramble(rows + columns), key))
    # The bits are uniform over all int32; a share `rate` of them lies below this.
    threshold = int(round(rate * 2.0 ** 32)) - 2 ** 31
    return tf.where(bits >= threshold, x * (1.0 / (1.0 - rate)), tf.zeros_like(x))


def scramble(x):
    """A bijection of int32 in which each bit of the input changes each bit of the output about half the time.

    Two rounds of multiply and xor-shift with the constants of Wellons' hash-prospector ("lowbias32").
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2 ** 32)):
        x = tf.bitwise.bitwise_xor(x, shifted_right(x, shift)) * factor
    return tf.bitwise.bitwise_xor(x, shifted_right(x, 16))


def shifted_right(x, shift):
    """Logical shift of int32 (TensorFlow's is arithmetic, and TensorFlow 1.14 folds uint32 constants to zero)."""
    shifted = tf.bitwise.right_shift(x, tf.constant(shift, tf.int32))
    return tf.bitwise.bitwise_and(shifted, tf.constant(2 ** (32 - shift) - 1, tf.int32))
