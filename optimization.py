"""The two optimizers: upstream's (Adam, constant rate) and BERT's own (AdamW, warm-up and decay)."""
import re

from runtime import tf

# BERT's AdamW leaves these out of weight decay.
NOT_DECAYED = re.compile(r"LayerNorm|layer_norm|bias")


def train_op(loss, settings, global_step, total_steps):
    """The operation of one training step.

    Parameters
    ----------
    loss : float32 scalar, the batch's mean.
    settings : settings.Settings; optimizer, learning_rate, clip and, for adamw, warmup and weight_decay.
    global_step : integer variable, incremented by the operation.
    total_steps : int, steps of the whole run, over which adamw's rate falls to 0.

    Returns
    -------
    (operation, global norm of the gradients before clipping, learning rate): the latter float32 scalars.
    """
    variables = tf.trainable_variables()
    pairs = [(gradient, variable) for gradient, variable in zip(tf.gradients(loss, variables), variables)
             if gradient is not None]
    norm = global_norm([gradient for gradient, _ in pairs])
    # As tf.clip_by_global_norm: only a norm above the limit changes anything.
    scale = settings.clip / tf.maximum(norm, settings.clip)
    pairs = [(dense_gradient(gradient, variable) * scale, variable) for gradient, variable in pairs]
    if settings.optimizer == "adamw":
        rate = warmup_and_decay(settings.learning_rate, global_step, total_steps, settings.warmup)
        return adamw(pairs, rate, settings.head_rate, settings.weight_decay, global_step), norm, rate
    rate = tf.constant(settings.learning_rate, tf.float32)
    # The name scope gives the two beta powers the names they have in upstream's checkpoints.
    with tf.name_scope("optimizer/"):
        operation = tf.train.AdamOptimizer(rate).apply_gradients(pairs, global_step)
    return operation, norm, rate


def global_norm(gradients):
    """The gradients' joint L2 norm, as tf.clip_by_global_norm sees it.

    A word that occurs twice in a batch has two rows in the word embeddings' gradient, and each counts for itself.
    """
    values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in gradients]
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(value) for value in values]))


def dense_gradient(gradient, variable):
    """A gradient as a tensor of its variable's shape."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.scatter_nd(gradient.indices[:, None], gradient.values, variable.shape)
    return gradient


def warmup_and_decay(peak, global_step, total_steps, warmup):
    """BERT's learning rate: linear from 0 to `peak` over the first share `warmup`, then linear to 0 at the end."""
    step, total = tf.cast(global_step, tf.float32), float(max(total_steps, 1))
    warmup_steps = warmup * total
    decayed = peak * tf.maximum(0.0, 1.0 - step / total)
    if warmup_steps < 1.0:
        return decayed
    return tf.where(step < warmup_steps, peak * step / warmup_steps, decayed)


def averaged(operation, decay):
    """A training step that also moves an average of the weights (Polyak and Juditsky 1992).

    It begins at the start values; a step `a` steps ago counts with (1 - decay) decay^a.

    Parameters
    ----------
    operation : the training step.
    decay : float below 1.

    Returns
    -------
    (operation, dict of name of a trainable variable -> variable with its average, named `VARIABLE/average`)
    """
    with tf.control_dependencies([operation]):
        averages, moves = {}, []
        for variable in tf.trainable_variables():
            name, shape = variable.op.name, variable.shape.as_list()
            average = tf.get_variable(name + "/average", initializer=variable.initialized_value(), trainable=False)
            averages[name] = average
            moves.append(average.assign_add((1.0 - decay) * (variable.read_value() - average)))
    return tf.group(*moves), averages


def adamw(pairs, rate, head_rate, weight_decay, global_step):
    """One step of AdamW as BERT was trained with: no bias correction, decay beside the adaptive step.

    The variables outside BERT, which start at random, learn at `head_rate` times the rate.

    Loshchilov and Hutter 2019; beta 0.9 and 0.999, epsilon 1e-6 from the BERT release. The moments have the
    names `VARIABLE/adam_m` and `VARIABLE/adam_v`.
    """
    operations = []
    for gradient, variable in pairs:
        name, shape = variable.op.name, variable.shape.as_list()
        own_rate = rate if name.startswith("bert/") else rate * head_rate
        m = tf.get_variable(name + "/adam_m", shape, trainable=False, initializer=tf.zeros_initializer())
        v = tf.get_variable(name + "/adam_v", shape, trainable=False, initializer=tf.zeros_initializer())
        next_m = 0.9 * m + 0.1 * gradient
        next_v = 0.999 * v + 0.001 * tf.square(gradient)
        update = next_m / (tf.sqrt(next_v) + 1e-6)
        if not NOT_DECAYED.search(name):
            update += weight_decay * variable
        operations += [m.assign(next_m), v.assign(next_v), variable.assign_sub(own_rate * update)]
    with tf.control_dependencies(operations):
        return global_step.assign_add(1).op
