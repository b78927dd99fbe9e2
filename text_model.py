"""BERT-CNN (Chen, Wu and Li 2019): one-dimensional convolutions over BERT's last layer."""
import zlib

import numpy as np

from inputs.labels import LABELS
from inputs.views import view_of
from modeling import BertModel
from network.layers import Layers
from network.runtime import tf


def bert_cnn(inputs, config, settings, layers=None, label_count=len(LABELS)):
    """The classifier's graph.

    Parameters
    ----------
    inputs : dict of int32 tensors: `input_ids`, `input_mask`, `token_type_ids`, each [batch, length], and what the view adds.
    config : modeling.BertConfig
    settings : settings.Settings
    layers : layers.Layers of this tower; with dropout in training.
    label_count : int, how many labels there are; those of i2b2 unless told otherwise.

    Returns
    -------
    logits : float32 [batch, label_count], in the order of the labels.
    """
    layers = layers or Layers()
    bert = BertModel(config, layers.drop, inputs["input_ids"], inputs["input_mask"], inputs["token_type_ids"], scope="bert",
                     layers=layers)
    convolved = convolve(bert.sequence_output, settings.filter_sizes, settings.num_filters, layers, settings.seed)
    pooled = view_of(settings).pool(bert.all_encoder_layers, convolved, inputs)
    hidden = dense(pooled, settings.hidden_dim, "fc1", settings.seed)
    # Upstream drops units before the ReLU; with dropout's zeros the order makes no difference to the result.
    hidden = tf.nn.relu(layers.dropout(hidden, 1.0 - settings.keep_prob))
    return dense(hidden, label_count, "logits", settings.seed)


def convolve(sequence, widths, filters, layers, seed):
    """Convolutions of several widths (valid, no activation).

    A convolution of width w is w matrix products, one for each place in the window, summed with a shift; the
    products of all places of all widths are computed as one.

    Parameters
    ----------
    sequence : float [batch, seq_length, hidden].
    widths : of the convolutions, in word pieces.
    filters : of each convolution.
    layers : layers.Layers, for the products' precision.
    seed : the run's, for the start values.

    Returns
    -------
    list of (float32 [batch, seq_length - width + 1, filters], bias [filters]), one for each width; as the bias is the same
    at every time, it may be added after the maximum over time.
    """
    hidden, length = sequence.shape[2].value, tf.shape(sequence)[1]
    kernels, biases = [], []
    for width in widths:
        with tf.variable_scope(f"conv-maxpool-{width}/conv1d"):
            kernels += tf.unstack(variable("kernel", [width, hidden, filters], seed))
            biases.append(tf.get_variable("bias", [filters], initializer=tf.zeros_initializer()))
    products = layers.product(tf.reshape(sequence, [-1, hidden]), tf.concat(kernels, axis=1))
    products = [tf.reshape(product, [-1, length, filters]) for product in tf.split(products, len(kernels), axis=1)]
    convolved = []
    for width, bias in zip(widths, biases):
        places, products = products[:width], products[width:]
        convolved.append((tf.add_n([tf.cast(product, tf.float32)[:, place:length - width + 1 + place]
                                    for place, product in enumerate(places)]), bias))
    return convolved


def dense(x, width, name, seed):
    """Dense layer without activation, [batch, any] to [batch, width]; `seed` as for `variable`."""
    with tf.variable_scope(name):
        kernel = variable("kernel", [x.shape[1].value, width], seed)
        bias = tf.get_variable("bias", [width], initializer=tf.zeros_initializer())
        return tf.matmul(x, kernel) + bias


def variable(name, shape, seed):
    """Variable with Glorot's uniform start values, the default of TensorFlow's layers, which upstream uses.

    They are a function of the run's seed and of the variable's full name. TensorFlow's own seed for an operation counts the
    operations before it, and XLA changes how many these are.
    """
    own_seed = zlib.crc32(f"{seed} {tf.get_variable_scope().name}/{name}".encode("utf-8")) % 2 ** 31
    return tf.get_variable(name, shape, initializer=tf.glorot_uniform_initializer(seed=own_seed))


def cross_entropy(logits, label_ids, smoothing=0.0):
    """Softmax cross-entropy of each example: float32 [batch].

    smoothing : the share of the label that is spread evenly over all labels (Szegedy et al. 2016).
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label_ids)
    if not smoothing:
        return losses
    return (1.0 - smoothing) * losses - smoothing * tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)


def log_probabilities(logits):
    """Logarithms of the label probabilities, in numpy: float64 [examples, labels]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
