"""BERT (Devlin et al. 2019), a Transformer encoder with layer normalization after each sublayer, with the interface of Google's
release: its arguments, its variables, its numbers.

It differs in how, and in these: everything between two matrix products is one operation (see `network.layers`), of which only
first derivatives can be taken; dropout draws a single number a session run, which keys all of a model's masks, so that
`tf.set_random_seed` makes them repeatable; there is no TPU. Arguments of our own come last, by keyword.

Shapes below: batch B, sequence S, width H (hidden_size), heads A, width of a head D. "int" is int32 or int64. A dimension may
be dynamic. The hidden states travel as [B * S, H]: every dense layer is one matrix product.
"""
import collections
import re

from network.config import BertConfig  # noqa: F401 (part of the interface)
from network.layers import EPSILON, Layers, gelu, merge_heads, worth_compiling
from network.runtime import tf


class BertModel:
    """The encoder's graph.

    Parameters
    ----------
    config : BertConfig; it is not changed.
    is_training : bool, whether both dropouts of the configuration act.
    input_ids : int [B, S]
    input_mask : int [B, S], 1 for a word piece, 0 for padding; None for ones.
    token_type_ids : int [B, S]; None for zeros.
    use_one_hot_embeddings : look the words up by a matrix product.
    scope : variable scope; None for `bert`, or in a graph that has one, `bert_1` and so on.
    layers : network.layers.Layers that compute it, which may be compiled, in bfloat16 or a part of a batch. None compiles models
        of 256 units and more with XLA, in float32, with masks drawn anew each session run.

    Attributes
    ----------
    embedding_output : float32 [B, S, H], after normalization and dropout.
    embedding_table : variable [vocab_size, H]
    all_encoder_layers : list of float (of the layers' precision) [B, S, H], each layer's output.
    sequence_output : the last of them.
    pooled_output : float32 [B, H], the first position through a dense layer and tanh. BERT-CNN reads the sequence instead.

    Raises
    ------
    ValueError : `input_ids` of another rank, a sequence longer than the positions, an unknown activation, or a width that is not
        a multiple of the number of heads.
    """

    def __init__(self, config, is_training, input_ids, input_mask=None, token_type_ids=None, use_one_hot_embeddings=False,
                 scope=None, *, layers=None):
        shape = get_shape_list(input_ids, expected_rank=2)
        layers = layers or layers_of(config.hidden_size, is_training)
        hidden_rate = config.hidden_dropout_prob if is_training else 0.0
        if input_mask is None:
            input_mask = tf.ones(shape, tf.int32)
        if token_type_ids is None:
            token_type_ids = tf.zeros(shape, tf.int32)
        with tf.variable_scope(scope, default_name="bert"):
            with tf.variable_scope("embeddings"):
                words, self.embedding_table = embedding_lookup(
                    input_ids, config.vocab_size, config.hidden_size, config.initializer_range,
                    use_one_hot_embeddings=use_one_hot_embeddings)
                self.embedding_output = embedding_postprocessor(
                    words, True, token_type_ids, config.type_vocab_size, initializer_range=config.initializer_range,
                    max_position_embeddings=config.max_position_embeddings, dropout_prob=hidden_rate, layers=layers,
                    epsilon=config.layer_norm_eps)
            with tf.variable_scope("encoder"):
                self.all_encoder_layers = transformer_model(
                    self.embedding_output, input_mask[:, None, :], config.hidden_size, config.num_hidden_layers,
                    config.num_attention_heads, config.intermediate_size, get_activation(config.hidden_act), hidden_rate,
                    config.attention_probs_dropout_prob if is_training else 0.0, config.initializer_range,
                    do_return_all_layers=True, layers=layers, epsilon=config.layer_norm_eps)
            self.sequence_output = self.all_encoder_layers[-1]
            with tf.variable_scope("pooler"):
                kernel, bias = dense_variables("dense", config.hidden_size, config.hidden_size, config.initializer_range)
                self.pooled_output = tf.tanh(tf.matmul(tf.cast(self.sequence_output[:, 0], tf.float32), kernel) + bias)

    def get_pooled_output(self):
        """`pooled_output`"""
        return self.pooled_output

    def get_sequence_output(self):
        """`sequence_output`"""
        return self.sequence_output

    def get_all_encoder_layers(self):
        """`all_encoder_layers`"""
        return self.all_encoder_layers

    def get_embedding_output(self):
        """`embedding_output`"""
        return self.embedding_output

    def get_embedding_table(self):
        """`embedding_table`"""
        return self.embedding_table


def layers_of(width, drops):
    """The Layers of a model of this width that was given none; `drops`: with dropout."""
    return Layers(worth_compiling(width), seed=0, step=drawn_number()) if drops else Layers(worth_compiling(width))


def drawn_number():
    """What keys the masks of dropout: int32 scalar, drawn anew each session run, from the graph's seed where there is one."""
    return tf.random.uniform([], -2 ** 31, 2 ** 31 - 1, tf.int32)


# ------------------------------------------------------------------------------------------------- building blocks

def embedding_lookup(input_ids, vocab_size, embedding_size=128, initializer_range=0.02, word_embedding_name="word_embeddings",
                     use_one_hot_embeddings=False):
    """Word embeddings of ids.

    Parameters
    ----------
    input_ids : int [B, S], or [B, S, N] of N ids each.

    Returns
    -------
    (float32 [B, S, embedding_size], or [B, S, N * embedding_size]; the variable [vocab_size, embedding_size])

    Raises
    ------
    ValueError : ids of another rank.
    """
    batch, length, *each = get_shape_list(input_ids, expected_rank=[2, 3])
    table = normal_variable(word_embedding_name, [vocab_size, embedding_size], initializer_range)
    flat = tf.reshape(input_ids, [-1])
    rows = tf.matmul(tf.one_hot(flat, vocab_size), table) if use_one_hot_embeddings else tf.gather(table, flat)
    return tf.reshape(rows, [batch, length, each[0] * embedding_size if each else embedding_size]), table


def embedding_postprocessor(input_tensor, use_token_type=False, token_type_ids=None, token_type_vocab_size=16,
                            token_type_embedding_name="token_type_embeddings", use_position_embeddings=True,
                            position_embedding_name="position_embeddings", initializer_range=0.02, max_position_embeddings=512,
                            dropout_prob=0.1, *, layers=None, epsilon=EPSILON):
    """Adds token type and position embeddings, then normalizes and drops.

    Parameters
    ----------
    input_tensor : float32 [B, S, H]
    token_type_ids : int [B, S], where `use_token_type`.
    layers, epsilon : as for `layer_norm`.

    Returns
    -------
    float32 [B, S, H]

    Raises
    ------
    ValueError : no token types where they are to be used, a tensor of another rank, or a sequence longer than the positions
        (where its length is dynamic, InvalidArgumentError when it is run).
    """
    shape = get_shape_list(input_tensor, expected_rank=3)
    length, width = shape[1:]
    output = reshape_to_matrix(input_tensor)
    if use_token_type:
        if token_type_ids is None:
            raise ValueError("use_token_type needs token_type_ids.")
        types = normal_variable(token_type_embedding_name, [token_type_vocab_size, width], initializer_range)
        output += tf.matmul(tf.one_hot(tf.reshape(token_type_ids, [-1]), token_type_vocab_size), types)
    if use_position_embeddings:
        if isinstance(length, int) and length > max_position_embeddings:
            raise ValueError(f"The sequence has {length} positions, the model {max_position_embeddings}.")
        positions = normal_variable(position_embedding_name, [max_position_embeddings, width], initializer_range)
        # tf.slice, unlike indexing, fails where there are too few positions.
        output = reshape_to_matrix(tf.reshape(output, shape) + tf.slice(positions, [0, 0], [length, -1])[None])
    layers = layers or layers_of(width, dropout_prob)
    return tf.reshape(layer_norm_and_dropout(output, dropout_prob, layers=layers, epsilon=epsilon), shape)


def transformer_model(input_tensor, attention_mask=None, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
                      intermediate_size=3072, intermediate_act_fn=gelu, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
                      initializer_range=0.02, do_return_all_layers=False, *, layers=None, epsilon=EPSILON):
    """The encoder (Vaswani et al. 2017): layers of self-attention and a feed-forward network.

    Parameters
    ----------
    input_tensor : float32 [B, S, hidden_size]
    attention_mask : as for `attention_layer`, from the sequence to itself.
    intermediate_act_fn : function, or None; gelu, tf.nn.relu, tf.tanh and None are computed together with the bias.
    layers, epsilon : as for `layer_norm`.

    Returns
    -------
    float [B, S, hidden_size], the last layer's output; with `do_return_all_layers` the list of all layers'.

    Raises
    ------
    ValueError : `hidden_size` not a multiple of the number of heads, or not the width of the input.
    """
    if hidden_size % num_attention_heads:
        raise ValueError(f"The width {hidden_size} is not a multiple of the number of heads, {num_attention_heads}.")
    batch, length, width = get_shape_list(input_tensor, expected_rank=3)
    if width != hidden_size:
        raise ValueError(f"The input is {width} wide, the layers {hidden_size}: a residual connection needs the same width.")
    layers = layers or layers_of(hidden_size, hidden_dropout_prob or attention_probs_dropout_prob)

    def dense_add_norm(x, residual):
        """Dense layer, dropout, residual connection and layer normalization: [B * S, any] to [B * S, H]."""
        kernel, bias = dense_variables("dense", x.shape[-1].value, hidden_size, initializer_range)
        gamma, beta = norm_variables(hidden_size)
        return layers.dropout_add_norm(layers.product(x, kernel), bias, residual, gamma, beta, hidden_dropout_prob or 0.0, epsilon)

    hidden, outputs = reshape_to_matrix(input_tensor), []
    for number in range(num_hidden_layers):
        with tf.variable_scope(f"layer_{number}"):
            with tf.variable_scope("attention"):
                with tf.variable_scope("self"):
                    context = attention_layer(
                        hidden, hidden, attention_mask, num_attention_heads, hidden_size // num_attention_heads,
                        attention_probs_dropout_prob=attention_probs_dropout_prob, initializer_range=initializer_range,
                        do_return_2d_tensor=True, batch_size=batch, from_seq_length=length, to_seq_length=length, layers=layers)
                with tf.variable_scope("output"):
                    hidden = dense_add_norm(context, hidden)
            with tf.variable_scope("intermediate"):
                kernel, bias = dense_variables("dense", hidden_size, intermediate_size, initializer_range)
                wide = layers.bias_activation(layers.product(hidden, kernel), bias, intermediate_act_fn)
            with tf.variable_scope("output"):
                hidden = dense_add_norm(wide, hidden)
        outputs.append(tf.reshape(hidden, [batch, length, hidden_size]))
    return outputs if do_return_all_layers else outputs[-1]


def attention_layer(from_tensor, to_tensor, attention_mask=None, num_attention_heads=1, size_per_head=512, query_act=None,
                    key_act=None, value_act=None, attention_probs_dropout_prob=0.0, initializer_range=0.02,
                    do_return_2d_tensor=False, batch_size=None, from_seq_length=None, to_seq_length=None, *, layers=None):
    """Multi-head attention (Vaswani et al. 2017, 3.2.2) without the dense layer at its end.

    Parameters
    ----------
    from_tensor, to_tensor : float [B, F, any] and [B, T, any]; or [B * F, any] and [B * T, any], and then `batch_size`,
        `from_seq_length` and `to_seq_length` are needed. Where both are the same tensor, one product makes query, key and value.
    attention_mask : int or float [B, F, T], 1 where a position sees another, else 0; [B, 1, T] where all see the same; None where
        all see all.
    query_act, key_act, value_act : functions of what the dense layers give, or None.
    layers : as for BertModel.

    Returns
    -------
    float [B, F, A * D]; with `do_return_2d_tensor` [B * F, A * D]: the heads side by side.

    Raises
    ------
    ValueError : tensors of different or other ranks, or sizes missing.
    """
    from_shape, to_shape = (get_shape_list(tensor, expected_rank=[2, 3]) for tensor in (from_tensor, to_tensor))
    if len(from_shape) != len(to_shape):
        raise ValueError(f"from_tensor has {len(from_shape)} dimensions, to_tensor {len(to_shape)}.")
    if len(from_shape) == 3:
        (batch_size, from_seq_length, _), to_seq_length = from_shape, to_shape[1]
    elif batch_size is None or from_seq_length is None or to_seq_length is None:
        raise ValueError("Matrices do not tell their batch_size, from_seq_length and to_seq_length; give all three.")
    layers = layers or layers_of(num_attention_heads * size_per_head, attention_probs_dropout_prob)
    width, scale = num_attention_heads * size_per_head, size_per_head ** -0.5

    def projected(tensor, length, names, scales):
        """What the dense layers of these names make of a tensor, by heads: one product, list of float [B, A, length, D]."""
        kernels, biases = zip(*(dense_variables(name, tensor.shape[-1].value, width, initializer_range) for name in names))
        product = layers.product(reshape_to_matrix(tensor), tf.concat(kernels, axis=1))
        return layers.split_heads(product, tf.concat(biases, axis=0), batch_size, length, num_attention_heads, scales)

    # An activation comes before the scale.
    query_scale = 1.0 if query_act else scale
    if from_tensor is to_tensor:
        query, key, value = projected(from_tensor, from_seq_length, ("query", "key", "value"), (query_scale, 1.0, 1.0))
    else:
        query, = projected(from_tensor, from_seq_length, ("query",), (query_scale,))
        key, value = projected(to_tensor, to_seq_length, ("key", "value"), (1.0, 1.0))
    query = query_act(query) * scale if query_act else query
    key, value = (act(x) if act else x for act, x in ((key_act, key), (value_act, value)))
    if attention_mask is None:
        attention_mask = tf.ones([1, 1, 1])
    # Added to the scores: 0 where a position sees another, far below every score where it does not.
    mask = (1.0 - tf.cast(attention_mask, tf.float32)[:, None]) * -10000.0
    context = merge_heads(layers.attention(query, key, value, mask, attention_probs_dropout_prob or 0.0), width)
    return context if do_return_2d_tensor else tf.reshape(context, [batch_size, from_seq_length, width])


def create_attention_mask_from_input_mask(from_tensor, to_mask):
    """Who sees whom, where all of B's positions see what the mask shows.

    Parameters
    ----------
    from_tensor : any tensor of [B, F, ...].
    to_mask : int [B, T]

    Returns
    -------
    float32 [B, F, T]
    """
    batch, length = get_shape_list(from_tensor, expected_rank=[2, 3])[:2]
    return tf.ones([batch, length, 1]) * tf.cast(to_mask, tf.float32)[:, None, :]


def layer_norm(input_tensor, name=None, *, layers=None, epsilon=EPSILON):
    """Layer normalization over the last dimension (Ba et al. 2016): float32 of any shape to the same.

    name : scope of its variables beta and gamma; None for `LayerNorm`.
    layers : network.layers.Layers that compute it; None for ordinary operations.
    epsilon : added to the variance.
    """
    shape = get_shape_list(input_tensor)
    gamma, beta = norm_variables(shape[-1], name)
    return tf.reshape((layers or Layers()).norm(tf.reshape(input_tensor, [-1, shape[-1]]), gamma, beta, epsilon), shape)


def layer_norm_and_dropout(input_tensor, dropout_prob, name=None, *, layers=None, epsilon=EPSILON):
    """`layer_norm`, then `dropout`."""
    return dropout(layer_norm(input_tensor, name, layers=layers, epsilon=epsilon), dropout_prob, layers=layers)


def dropout(input_tensor, dropout_prob, *, layers=None):
    """Sets the share `dropout_prob` of a float32 tensor's elements to 0 and scales the others; None or 0: the tensor itself.

    layers : network.layers.Layers that compute it; None draws a mask of its own each session run.
    """
    if layers is None:
        if not dropout_prob:
            return input_tensor
        layers = Layers(seed=0, step=drawn_number())
    return layers.dropout(input_tensor, dropout_prob or 0.0)


# -------------------------------------------------------------------------------------------------------- variables

def create_initializer(initializer_range=0.02):
    """Start values of BERT's weights: normal, cut off at two standard deviations of this size."""
    return tf.truncated_normal_initializer(stddev=initializer_range)


def normal_variable(name, shape, initializer_range):
    """A variable that starts with the values of `create_initializer`."""
    return tf.get_variable(name, shape, initializer=create_initializer(initializer_range))


def dense_variables(name, inputs, outputs, initializer_range):
    """(kernel [inputs, outputs], bias [outputs]) of a dense layer."""
    with tf.variable_scope(name):
        return (normal_variable("kernel", [inputs, outputs], initializer_range),
                tf.get_variable("bias", [outputs], initializer=tf.zeros_initializer()))


def norm_variables(width, name=None):
    """(gamma [width], beta [width]) of a layer normalization."""
    with tf.variable_scope(name, default_name="LayerNorm"):
        beta = tf.get_variable("beta", [width], initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", [width], initializer=tf.ones_initializer())
    return gamma, beta


def get_assignment_map_from_checkpoint(tvars, init_checkpoint):
    """Which variables a checkpoint has.

    Parameters
    ----------
    tvars : list of variables.
    init_checkpoint : a checkpoint's path without `.index`.

    Returns
    -------
    (OrderedDict of name -> name for those that the checkpoint has, as tf.train.init_from_checkpoint takes it; dict with 1 for
    each of them under NAME and NAME:0)
    """
    names = [re.sub(r":\d+$", "", variable.name) for variable in tvars]
    available = {name for name, _ in tf.train.list_variables(init_checkpoint)}
    found = collections.OrderedDict((name, name) for name in names if name in available)
    return found, {key: 1 for name in found for key in (name, f"{name}:0")}


# ----------------------------------------------------------------------------------------------------------- helpers

def get_activation(activation_string):
    """The function of an activation's name, whatever its case: relu, gelu or tanh; None for linear, an empty name and None.

    What is not a string is returned as it is. ValueError : another name.
    """
    if not isinstance(activation_string, str):
        return activation_string
    known = {"": None, "linear": None, "relu": tf.nn.relu, "gelu": gelu, "tanh": tf.tanh}
    if activation_string.lower() not in known:
        raise ValueError(f"There is no activation {activation_string}; there are gelu, relu, tanh and linear.")
    return known[activation_string.lower()]


def get_shape_list(tensor, expected_rank=None, name=None):
    """A tensor's dimensions: list of int, and of int32 scalar tensors where they are dynamic.

    expected_rank, name : for `assert_rank`.
    """
    if expected_rank is not None:
        assert_rank(tensor, expected_rank, name)
    static = tensor.shape.as_list()
    if None not in static:
        return static
    dynamic = tf.shape(tensor)
    return [dynamic[place] if size is None else size for place, size in enumerate(static)]


def assert_rank(tensor, expected_rank, name=None):
    """ValueError unless a tensor has so many dimensions.

    expected_rank : int, or several of them.
    name : of the tensor, for the message; None for its own.
    """
    expected = [expected_rank] if isinstance(expected_rank, int) else list(expected_rank)
    if tensor.shape.ndims not in expected:
        raise ValueError(f"{name or tensor.name} in scope {tf.get_variable_scope().name!r} has {tensor.shape.ndims} dimensions, "
                         f"{tensor.shape}; expected are {' or '.join(map(str, expected))}.")


def reshape_to_matrix(input_tensor):
    """A tensor of two or more dimensions as [any, last dimension]. ValueError : fewer."""
    if input_tensor.shape.ndims < 2:
        raise ValueError(f"A matrix has at least two dimensions, {input_tensor.name} has the shape {input_tensor.shape}.")
    return input_tensor if input_tensor.shape.ndims == 2 else tf.reshape(input_tensor, [-1, input_tensor.shape[-1].value])


def reshape_from_matrix(output_tensor, orig_shape_list):
    """A matrix [any, width] with the leading dimensions of `orig_shape_list`: [..., width]."""
    if len(orig_shape_list) == 2:
        return output_tensor
    return tf.reshape(output_tensor, orig_shape_list[:-1] + [get_shape_list(output_tensor)[-1]])
