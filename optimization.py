"""The two optimizers: upstream's (Adam, constant rate) and BERT's own (AdamW, warm-up and decay)."""
import re

from network.runtime import tf

# BERT's AdamW leaves these out of weight decay.
NOT_DECAYED = re.compile(r"LayerNorm|layer_norm|bias")


def train_op(loss, settings, global_step, total_steps):
    """The operation of one training step on one device.

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
    pairs = gradients(loss)
    norm = global_norm([gradient for gradient, _ in pairs])
    scale = clipping(norm, settings)
    pairs = [(dense_gradient(gradient, variable), variable) for gradient, variable in pairs]
    if settings.optimizer == "adamw":
        rate = warmup_and_decay(settings.learning_rate, global_step, total_steps, settings.warmup)
        return adamw(pairs, scale, rate, settings, global_step), norm, rate
    rate = tf.constant(settings.learning_rate, tf.float32)
    # The name scope gives the two beta powers the names they have in upstream's checkpoints.
    with tf.name_scope("optimizer/"):
        operation = tf.train.AdamOptimizer(rate).apply_gradients(
            [(gradient * scale, variable) for gradient, variable in pairs], global_step)
    return operation, norm, rate


def train_op_of_sums(strategy, pairs, squares, examples, settings, global_step, total_steps):
    """`train_op` where several devices have computed parts of the batch; in the cross-replica context.

    Parameters
    ----------
    strategy : tf.distribute.Strategy of the variables.
    pairs : [(gradient of the examples' summed loss, summed over the devices; variable)], all dense.
    squares : float32 scalar, summed squares of the gradients as `global_norm` sees them.
    examples : float32 scalar, the whole batch's.
    settings, global_step, total_steps : as for `train_op`.

    Returns
    -------
    as `train_op`
    """
    def update(variable, function, *arguments):
        return strategy.extended.update(variable, function, arguments)

    norm = tf.sqrt(squares) / examples
    scale = clipping(norm, settings) / examples
    if settings.optimizer == "adamw":
        rate = warmup_and_decay(settings.learning_rate, global_step, total_steps, settings.warmup)
        operation = adamw(pairs, scale, rate, settings, global_step, update)
    else:
        rate = tf.constant(settings.learning_rate, tf.float32)
        operation = mirrored_adam(pairs, scale, rate, global_step, update)
    return operation, norm, rate


def clipping(norm, settings):
    """The factor for gradients of this norm. As in tf.clip_by_global_norm, only a norm above the limit changes anything."""
    return settings.clip / tf.maximum(norm, settings.clip)


def gradients(loss):
    """[(gradient, variable)] of the trainable variables that the loss depends on."""
    variables = tf.trainable_variables()
    return [(gradient, variable) for gradient, variable in zip(tf.gradients(loss, variables), variables)
            if gradient is not None]


def global_norm(gradients):
    """The gradients' joint L2 norm, as tf.clip_by_global_norm sees it.

    A word that occurs twice in a batch has two rows in the word embeddings' gradient, and each counts for itself.
    """
    values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in gradients]
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(value) for value in values]))


def squares(gradient):
    """The sum of a gradient's squares, as `global_norm` counts them."""
    return 2.0 * tf.nn.l2_loss(gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient)


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


def in_place(variable, function, *arguments):
    """`function(variable, *arguments)`: how the optimizers change variables that are on one device."""
    return function(variable, *arguments)


def adamw(pairs, scale, rate, settings, global_step, update=in_place):
    """One step of AdamW as BERT was trained with: no bias correction, decay beside the adaptive step.

    Loshchilov and Hutter 2019; beta 0.9 and 0.999, epsilon 1e-6 from the BERT release. The moments have the
    names `VARIABLE/adam_m` and `VARIABLE/adam_v`. The variables outside BERT, which start at random, learn at `head_rate`
    times the rate.

    scale : factor for the gradients in `pairs`.
    update : called as `in_place` is; changes every copy of a variable.
    """
    def step(variable, gradient, m, v, scale, rate):
        gradient = gradient * scale
        next_m = 0.9 * m + 0.1 * gradient
        next_v = 0.999 * v + 0.001 * tf.square(gradient)
        change = next_m / (tf.sqrt(next_v) + 1e-6)
        if not NOT_DECAYED.search(variable.op.name):
            change += settings.weight_decay * variable
        return tf.group(m.assign(next_m), v.assign(next_v), variable.assign_sub(rate * change))

    operations = []
    for gradient, variable in pairs:
        own_rate = rate if variable.op.name.startswith("bert/") else rate * settings.head_rate
        m, v = (moment(variable, name) for name in ("adam_m", "adam_v"))
        operations.append(update(variable, step, gradient, m, v, scale, own_rate))
    with tf.control_dependencies(operations):
        return update(global_step, lambda variable: variable.assign_add(1).op)


def mirrored_adam(pairs, scale, rate, global_step, update):
    """One step of Adam as tf.train.AdamOptimizer computes it, under the names it gives to its variables.

    That class sums the devices' gradients itself, when they cannot be clipped any more. Kingma and Ba 2015.
    Parameters as for `adamw`.
    """
    def step(variable, gradient, m, v, scale, rate):
        gradient = gradient * scale
        next_m = 0.9 * m + 0.1 * gradient
        next_v = 0.999 * v + 0.001 * tf.square(gradient)
        return tf.group(m.assign(next_m), v.assign(next_v), variable.assign_sub(rate * next_m / (tf.sqrt(next_v) + 1e-8)))

    betas = (0.9, 0.999)
    powers = [tf.get_variable(f"optimizer/beta{number}_power", trainable=False, initializer=beta)
              for number, beta in enumerate(betas, 1)]
    own_rate = rate * tf.sqrt(1.0 - powers[1]) / (1.0 - powers[0])
    operations = []
    for gradient, variable in pairs:
        m, v = (moment(variable, name) for name in ("Adam", "Adam_1"))
        operations.append(update(variable, step, gradient, m, v, scale, own_rate))
    with tf.control_dependencies(operations):
        operations = [update(power, lambda variable, beta: variable.assign(variable * beta).op, beta)
                      for power, beta in zip(powers, betas)]
        return tf.group(update(global_step, lambda variable: variable.assign_add(1).op), *operations)


def moment(variable, name):
    """An optimizer's variable `VARIABLE/name`, of the same shape, that begins at 0."""
    return tf.get_variable(f"{variable.op.name}/{name}", variable.shape.as_list(), trainable=False,
                           initializer=tf.zeros_initializer())
