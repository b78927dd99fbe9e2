"""BERT-CNN (Chen, Wu and Li 2019): one-dimensional convolutions over BERT's last layer."""
import numpy as np

import layers
from labels import LABELS
from modeling import BertModel
from runtime import tf


def bert_cnn(features, config, settings, dropout=layers.no_dropout):
    """The classifier's graph.

    Parameters
    ----------
    features : dict of int32 tensors `input_ids`, `input_mask`, `segment_ids`, each [batch, seq_length].
    config : modeling.BertConfig
    settings : settings.Settings
    dropout : layers.Dropout in training.

    Returns
    -------
    logits : float32 [batch, 8], in the order of LABELS.
    """
    bert = BertModel(config, features["input_ids"], features["input_mask"], features["segment_ids"], dropout)
    pooled = tf.concat([convolve(bert.sequence_output, width, settings.num_filters)
                        for width in settings.filter_sizes], axis=1)  # [batch, num_filters * widths]
    hidden = dense(pooled, settings.hidden_dim, "fc1")
    # Upstream drops units before the ReLU; with dropout's zeros the order makes no difference to the result.
    hidden = tf.nn.relu(dropout(hidden, 1.0 - settings.keep_prob))
    return dense(hidden, len(LABELS), "logits")


def convolve(sequence, width, filters):
    """Convolution of `width` word pieces (valid, no activation) and its maximum over time.

    sequence : float32 [batch, seq_length, hidden]; returns float32 [batch, filters].
    """
    with tf.variable_scope(f"conv-maxpool-{width}/conv1d"):
        kernel = variable("kernel", [width, sequence.shape[2].value, filters])
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
        convolved = tf.nn.conv1d(sequence, kernel, stride=1, padding="VALID")
        # The bias is the same at every time, so it may be added after the maximum.
        return tf.reduce_max(convolved, axis=1) + bias


def dense(x, width, name):
    """Dense layer without activation, [batch, any] to [batch, width]."""
    with tf.variable_scope(name):
        kernel = variable("kernel", [x.shape[1].value, width])
        bias = tf.get_variable("bias", [width], initializer=tf.zeros_initializer())
        return tf.matmul(x, kernel) + bias


def variable(name, shape):
    """Variable with Glorot's uniform start values, the default of TensorFlow's layers, which upstream uses."""
    return tf.get_variable(name, shape, initializer=tf.glorot_uniform_initializer())


def cross_entropy(logits, label_ids):
    """Softmax cross-entropy of each example: float32 [batch]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=label_ids)


def log_probabilities(logits):
    """Logarithms of the label probabilities, in numpy: float64 [examples, 8]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
