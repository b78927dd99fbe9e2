"""BERT-CNN (Chen, Wu and Li 2019): one-dimensional convolutions over BERT's last layer."""
import numpy as np

from inputs.labels import LABELS
from inputs.mentions import KINDS
from inputs.packing import DISTANCES, UNITS
from modeling import BertModel
from network.layers import Layers
from network.runtime import tf


def bert_cnn(features, config, settings, layers=None):
    """The classifier's graph.

    Parameters
    ----------
    features : dict of int32 tensors: `input_ids`, `input_mask`, `segment_ids`, each [batch, seq_length]; with marked
        mentions all that packing.Batch has, and then the logits are those of its examples.
    config : modeling.BertConfig
    settings : settings.Settings
    layers : layers.Layers of this tower; with dropout in training.

    Returns
    -------
    logits : float32 [batch, 8], in the order of LABELS.
    """
    layers = layers or Layers()
    bert = BertModel(config, features["input_ids"], features["input_mask"], features["segment_ids"], layers,
                     features.get("position_ids"), features.get("group_ids"))
    convolved = convolve(bert.sequence_output, settings.filter_sizes, settings.num_filters, layers)
    if settings.context:
        states = spread(bert.layer_outputs, settings.marker_layers) if settings.marker_states else []
        pooled = tf.concat(read_links(states, convolved, features, settings), axis=1)
    else:
        pooled = tf.concat([tf.reduce_max(values, axis=1) + bias for values, bias in convolved], axis=1)
    hidden = dense(pooled, settings.hidden_dim, "fc1")
    # Upstream drops units before the ReLU; with dropout's zeros the order makes no difference to the result.
    hidden = tf.nn.relu(layers.dropout(hidden, 1.0 - settings.keep_prob, of_examples=True))
    return dense(hidden, len(LABELS), "logits")


def convolve(sequence, widths, filters, layers):
    """Convolutions of several widths (valid, no activation).

    A convolution of width w is w matrix products, one for each place in the window, summed with a shift; the
    products of all places of all widths are computed as one.

    Parameters
    ----------
    sequence : float [batch, seq_length, hidden].
    widths : of the convolutions, in word pieces.
    filters : of each convolution.
    layers : layers.Layers, for the products' precision.

    Returns
    -------
    list of (float32 [batch, seq_length - width + 1, filters], bias [filters]), one for each width; as the bias is the same
    at every time, it may be added after the maximum over time.
    """
    hidden, length = sequence.shape[2].value, tf.shape(sequence)[1]
    kernels, biases = [], []
    for width in widths:
        with tf.variable_scope(f"conv-maxpool-{width}/conv1d"):
            kernels += tf.unstack(variable("kernel", [width, hidden, filters]))
            biases.append(tf.get_variable("bias", [filters], initializer=tf.zeros_initializer()))
    products = layers.product(tf.reshape(sequence, [-1, hidden]), tf.concat(kernels, axis=1))
    products = [tf.reshape(product, [-1, length, filters]) for product in tf.split(products, len(kernels), axis=1)]
    convolved = []
    for width, bias in zip(widths, biases):
        places, products = products[:width], products[width:]
        convolved.append((tf.add_n([tf.cast(product, tf.float32)[:, place:length - width + 1 + place]
                                    for place, product in enumerate(places)]), bias))
    return convolved


def spread(layers, count):
    """So many of the layers, evenly spread, the last one among them; early layers tell more of words and syntax."""
    count = min(count, len(layers))
    return [layers[len(layers) * number // count - 1] for number in range(1, count + 1)]


def read_links(states, convolved, features, settings):
    """What the classifier reads of each example of a packing.Batch.

    Parameters
    ----------
    states : list of float [passes, length, hidden], the layers whose states at the markers are read.
    convolved : what `convolve` made of the last layer.
    features : dict of the tensors of packing.Batch.

    Returns
    -------
    list of float32 [examples, any]: the maxima of the convolutions over the example's part of the text; the states
    of its two markers; with `link_kinds` the kinds of its mentions and their distances, one-hot.
    """
    passes, (count, length) = features["link_passes"], tf.unstack(tf.shape(features["input_ids"]))
    # Rows are taken by a product: TensorFlow 1.14 warns of the sparse gradient that tf.gather has.
    of_pass = tf.one_hot(passes, count)
    begin, end = features["link_stretches"][:, :1], features["link_stretches"][:, 1:]
    parts = []
    for width, (values, bias) in zip(settings.filter_sizes, convolved):
        times = tf.range(length - width + 1)[None]
        # A part shorter than the filter still counts with the one time that begins with it.
        first = tf.minimum(begin, length - width)
        inside = tf.logical_and(times >= first, times <= tf.maximum(end - width, first))
        inside = (1.0 - tf.cast(inside, tf.float32))[:, :, None] * -10000.0
        parts.append(tf.reduce_max(tf.tensordot(of_pass, values, 1) + inside, axis=1) + bias)
    for side in (0, 1):
        places = tf.stack([passes, features["link_markers"][:, side]], axis=1)
        parts += [tf.cast(tf.gather_nd(layer, places), tf.float32) for layer in states]
    if settings.link_kinds:
        parts += [tf.one_hot(features["link_kinds"][:, side], len(KINDS)) for side in (0, 1)]
        parts += [tf.one_hot(features["link_distances"][:, unit], DISTANCES) for unit in range(UNITS)]
    return parts


def dense(x, width, name):
    """Dense layer without activation, [batch, any] to [batch, width]."""
    with tf.variable_scope(name):
        kernel = variable("kernel", [x.shape[1].value, width])
        bias = tf.get_variable("bias", [width], initializer=tf.zeros_initializer())
        return tf.matmul(x, kernel) + bias


def variable(name, shape):
    """Variable with Glorot's uniform start values, the default of TensorFlow's layers, which upstream uses."""
    return tf.get_variable(name, shape, initializer=tf.glorot_uniform_initializer())


def cross_entropy(logits, label_ids, smoothing=0.0):
    """Softmax cross-entropy of each example: float32 [batch].

    smoothing : the share of the label that is spread evenly over all labels (Szegedy et al. 2016).
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label_ids)
    if not smoothing:
        return losses
    return (1.0 - smoothing) * losses - smoothing * tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)


def log_probabilities(logits):
    """Logarithms of the label probabilities, in numpy: float64 [examples, 8]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
