"""BERT (Devlin et al. 2019) as Google released it: post-layer-norm Transformer encoder, its variable names.

Shapes below: batch B, sequence S, width H (hidden_size), heads A, width of a head D = H / A. The hidden states
travel as [B * S, H]: every dense layer is one matrix product.
"""
from network.config import BertConfig  # noqa: F401 (part of the interface)
from network.layers import Layers, merge_heads
from network.runtime import tf


class BertModel:
    """The encoder's graph, under the variable scope `bert`.

    Parameters
    ----------
    config : BertConfig
    input_ids, input_mask, segment_ids : int32 [B, S]
    layers : layers.Layers of this tower; with dropout in training, without elsewhere.

    Attributes
    ----------
    layer_outputs : list of float (of the layers' precision) [B, S, H], every layer's.
    sequence_output : the last of them.
    pooled_output : float32 [B, H], the [CLS] position through the pooler (kept for the checkpoint's sake; BERT-CNN
        reads the sequence).
    """

    def __init__(self, config, input_ids, input_mask, segment_ids, layers=None):
        self.config = config
        self._layers = layers or Layers()
        self._batch, self._length = tf.shape(input_ids)[0], input_ids.shape[1].value or tf.shape(input_ids)[1]
        with tf.variable_scope("bert"):
            with tf.variable_scope("embeddings"):
                hidden = self._embed(input_ids, segment_ids)
            # Added to the scores: 0 where there is a word piece, far below every score where there is padding.
            mask = (1.0 - tf.cast(input_mask[:, None, None, :], tf.float32)) * -10000.0  # [B, 1, 1, S]
            self.layer_outputs = []
            with tf.variable_scope("encoder"):
                for number in range(config.num_hidden_layers):
                    with tf.variable_scope(f"layer_{number}"):
                        hidden = self._layer(hidden, mask)
                        self.layer_outputs.append(tf.reshape(hidden, [self._batch, self._length, config.hidden_size]))
            self.sequence_output = self.layer_outputs[-1]
            with tf.variable_scope("pooler"):
                kernel, bias = self._dense_variables("dense", config.hidden_size, config.hidden_size)
                self.pooled_output = tf.tanh(tf.matmul(tf.cast(self.sequence_output[:, 0], tf.float32), kernel) + bias)

    def _embed(self, input_ids, segment_ids):
        """Sum of word, segment and position embeddings, normalized: float32 [B * S, H]."""
        config, width = self.config, self.config.hidden_size
        words = self._variable("word_embeddings", [config.vocab_size, width])
        segments = self._variable("token_type_embeddings", [config.type_vocab_size, width])
        positions = self._variable("position_embeddings", [config.max_position_embeddings, width])
        one_hot = tf.one_hot(tf.reshape(segment_ids, [-1]), config.type_vocab_size)
        hidden = tf.gather(words, tf.reshape(input_ids, [-1])) + tf.matmul(one_hot, segments)
        hidden = tf.reshape(hidden, [self._batch, self._length, width]) + positions[None, :self._length]
        gamma, beta = self._norm_variables()
        normalized = self._layers.norm(tf.reshape(hidden, [-1, width]), gamma, beta, config.layer_norm_eps)
        return self._layers.dropout(normalized, config.hidden_dropout_prob)

    def _layer(self, hidden, mask):
        """One Transformer layer, [B * S, H] to [B * S, H]."""
        width = self.config.hidden_size
        with tf.variable_scope("attention"):
            with tf.variable_scope("self"):
                context = self._attend(hidden, mask)
            with tf.variable_scope("output"):
                hidden = self._dense_add_norm(context, hidden)
        with tf.variable_scope("intermediate"):
            kernel, bias = self._dense_variables("dense", width, self.config.intermediate_size)
            wide = self._layers.bias_gelu(self._layers.product(hidden, kernel), bias)
        with tf.variable_scope("output"):
            return self._dense_add_norm(wide, hidden)

    def _dense_add_norm(self, x, residual):
        """Dense layer, dropout, residual connection and layer normalization: [B * S, any] to [B * S, H]."""
        kernel, bias = self._dense_variables("dense", x.shape[-1].value, self.config.hidden_size)
        gamma, beta = self._norm_variables()
        return self._layers.dropout_add_norm(self._layers.product(x, kernel), bias, residual, gamma, beta,
                                             self.config.hidden_dropout_prob, self.config.layer_norm_eps)

    def _attend(self, hidden, mask):
        """Multi-head self-attention, [B * S, H] to [B * S, H] (heads side by side)."""
        width, heads = self.config.hidden_size, self.config.num_attention_heads
        kernels, biases = zip(*(self._dense_variables(name, width, width) for name in ("query", "key", "value")))
        # The three projections are one matrix product.
        projected = self._layers.product(hidden, tf.concat(kernels, axis=1))  # [B * S, 3 * H]
        query, key, value = self._layers.split_heads(projected, tf.concat(biases, axis=0), self._batch, self._length, heads)
        context = self._layers.attention(query, key, value, mask, self.config.attention_probs_dropout_prob)
        return merge_heads(context, width)

    def _dense_variables(self, name, inputs, outputs):
        with tf.variable_scope(name):
            return (self._variable("kernel", [inputs, outputs]),
                    tf.get_variable("bias", [outputs], initializer=tf.zeros_initializer()))

    def _norm_variables(self):
        with tf.variable_scope("LayerNorm"):
            width = [self.config.hidden_size]
            beta = tf.get_variable("beta", width, initializer=tf.zeros_initializer())
            gamma = tf.get_variable("gamma", width, initializer=tf.ones_initializer())
        return gamma, beta

    def _variable(self, name, shape):
        return tf.get_variable(name, shape, initializer=tf.truncated_normal_initializer(stddev=self.config.initializer_range))
