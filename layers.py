"""The elementwise and normalizing layers of BERT, written for few passes over memory."""
import numpy as np

from runtime import tf


def gelu(x):
    """Gaussian error linear unit in the tanh approximation of BERT's release (Hendrycks and Gimpel 2016).

    x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))); any shape.
    """
    inner = np.sqrt(2.0 / np.pi) * x * (1.0 + 0.044715 * x * x)
    return 0.5 * x * (1.0 + tf.tanh(inner))


def layer_norm(x, gamma, beta, epsilon=1e-12):
    """Layer normalization over the last dimension (Ba et al. 2016), BERT's epsilon.

    x : float32 [rows, width]; gamma, beta : float32 [width].
    """
    mean, variance = tf.nn.moments(x, axes=[-1], keep_dims=True)
    return (x - mean) * (tf.rsqrt(variance + epsilon) * gamma) + beta


class Dropout:
    """Dropout whose masks are a function of seed and step, so that a continued run repeats an uninterrupted one.

    Parameters
    ----------
    seed : int, the run's seed.
    step : int32 scalar tensor, the global step.
    """

    def __init__(self, seed, step):
        self._seed = seed
        self._step = step
        self._sites = 0

    def __call__(self, x, rate):
        """`x` with each element zeroed with probability `rate` and the others scaled by 1 / (1 - rate)."""
        if rate == 0.0:
            return x
        self._sites += 1
        # Each place in the network draws from its own stream: the step in one half of the seed, the site in the other.
        seed = tf.stack([self._step, tf.constant(self._seed + 7919 * self._sites, tf.int32)])
        kept = tf.random.stateless_uniform(tf.shape(x), seed=seed) >= rate
        return x * (tf.cast(kept, x.dtype) * (1.0 / (1.0 - rate)))


def no_dropout(x, rate):
    """Dropout as it is outside training: none."""
    return x
