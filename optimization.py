"""BERT's own optimizer, AdamW with warm-up and decay, with the interface of Google's release; and the steps of our recipes.

`create_optimizer` and `AdamWeightDecayOptimizer` compute what the release's do. They differ in one thing: each step is one
from the values before it. In the release the global step is raised, and without clipping a weight is set, while others still
read it, so that the same script gives other weights from run to run.
"""
import re

from network.runtime import tf

# BERT's AdamW leaves these out of weight decay.
NOT_DECAYED = ("LayerNorm", "layer_norm", "bias")
NORM_OF_RELEASE = 1.0  # to which the release clips gradients


def in_place(variable, function, *arguments):
    """`function(variable, *arguments)`: how the optimizers change variables that are on one device."""
    return function(variable, *arguments)


# ----------------------------------------------------------------------------------------------- Google's interface

def create_optimizer(loss, init_lr, num_train_steps, num_warmup_steps, use_tpu=False):
    """The operation of one training step as BERT's release takes it.

    Gradients of all trainable variables, clipped to the global norm 1, go to AdamWeightDecayOptimizer(weight_decay_rate=0.01),
    whose rate is that of `warmup_and_decay`; then the global step is raised by 1. A word that occurs twice in a batch counts in
    the norm once, with the sum of its gradients.

    Parameters
    ----------
    loss : float32 scalar.
    init_lr : the peak rate.
    num_train_steps : steps over which the rate falls to 0.
    num_warmup_steps : steps over which it rises; 0 or None for none.
    use_tpu : must be false.

    Raises
    ------
    ValueError : `use_tpu`, for the layers here are not made for TPUs; or the loss depends on no trainable variable.
    """
    if use_tpu:
        raise ValueError("use_tpu: this optimizer and the layers of modeling.py compute on processors and GPUs; use use_tpu=False.")
    global_step = tf.train.get_or_create_global_step()
    pairs = [(dense_gradient(gradient, variable), variable) for gradient, variable in gradients(loss)]
    if not pairs:
        raise ValueError("The loss depends on no trainable variable: there is nothing to train.")
    scale = clipping(global_norm([gradient for gradient, _ in pairs]), NORM_OF_RELEASE)
    rate = warmup_and_decay(init_lr, global_step, num_train_steps, num_warmup_steps or 0)
    optimizer = AdamWeightDecayOptimizer(rate, weight_decay_rate=0.01, exclude_from_weight_decay=NOT_DECAYED)
    pairs = [(gradient * scale, variable) for gradient, variable in pairs]
    return raised(global_step, after_all(pairs, lambda: optimizer.steps(pairs)))


class AdamWeightDecayOptimizer(tf.train.Optimizer):
    """Adam without bias correction, and with weight decay beside the adaptive step (Loshchilov and Hutter 2019).

        m, v = beta_1 m + (1 - beta_1) g, beta_2 v + (1 - beta_2) g^2
        variable -= learning_rate (m / (sqrt(v) + epsilon) + weight_decay_rate variable)

    The moments are variables NAME/adam_m and NAME/adam_v, float32, not trainable, and begin at 0.

    Parameters
    ----------
    learning_rate : float, or float32 scalar tensor.
    weight_decay_rate : share of a weight, times the learning rate, that a step takes away.
    beta_1, beta_2, epsilon : as above.
    exclude_from_weight_decay : regular expressions; a variable in whose name one is found is not decayed.
    name : of the optimizer.
    """

    def __init__(self, learning_rate, weight_decay_rate=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-6,
                 exclude_from_weight_decay=None, name="AdamWeightDecayOptimizer"):
        super().__init__(False, name)
        self.learning_rate, self.weight_decay_rate = learning_rate, weight_decay_rate
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.exclude_from_weight_decay = exclude_from_weight_decay

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """The operation of one step.

        Parameters
        ----------
        grads_and_vars : [(gradient: tensor, IndexedSlices or None, variable)]; a variable without gradient stays as it is.
        global_step : not changed, as in the release; whoever calls this raises it.
        name : of the operation.
        """
        # A gradient may be the very memory of another variable, in a product of two variables for one; hence copies.
        pairs = [(tf.raw_ops.DeepCopy(x=dense_gradient(gradient, variable)), variable)
                 for gradient, variable in grads_and_vars if gradient is not None]
        return tf.group(*after_all(pairs, lambda: self.steps(pairs)), name=name)

    def steps(self, pairs, scale=None, update=in_place):
        """One step of each variable: list of operations, which do not wait for each other's gradients.

        Parameters
        ----------
        pairs : [(dense gradient, variable)]
        scale : float32 scalar, a factor for the gradients; None for 1.
        update : called as `in_place` is; changes every copy of a variable that several devices have.
        """
        return [update(variable, self._step, gradient, moment(variable, "adam_m"), moment(variable, "adam_v"),
                       self.learning_rate, *([] if scale is None else [scale])) for gradient, variable in pairs]

    def _step(self, variable, gradient, m, v, rate, scale=None):
        if scale is not None:
            gradient = gradient * scale
        next_m = self.beta_1 * m + (1.0 - self.beta_1) * gradient
        next_v = self.beta_2 * v + (1.0 - self.beta_2) * tf.square(gradient)
        change = next_m / (tf.sqrt(next_v) + self.epsilon)
        if self.weight_decay_rate and not self._is_excluded(variable.op.name):
            change += self.weight_decay_rate * variable
        return tf.group(m.assign(next_m), v.assign(next_v), variable.assign_sub(rate * change))

    def _is_excluded(self, name):
        return any(re.search(pattern, name) for pattern in self.exclude_from_weight_decay or ())


def warmup_and_decay(peak, global_step, total_steps, warmup_steps):
    """BERT's learning rate: float32 scalar.

    Linear from 0 towards `peak` over the first `warmup_steps`, and from then on along the line that falls from `peak` at step 0
    to 0 at `total_steps`.
    """
    step, total = tf.cast(global_step, tf.float32), float(max(total_steps, 1))
    decayed = peak * tf.maximum(0.0, 1.0 - step / total)
    if warmup_steps < 1.0:
        return decayed
    return tf.where(step < warmup_steps, peak * step / warmup_steps, decayed)


def after_all(pairs, function):
    """`function()`, whose operations wait until the gradients of all pairs are there."""
    with tf.control_dependencies([gradient for gradient, _ in pairs]):
        return function()


def raised(global_step, operations, update=in_place):
    """The operation that raises the global step after others: only then does nobody need the value before."""
    with tf.control_dependencies(operations):
        return update(global_step, lambda variable: variable.assign_add(1).op)


# ------------------------------------------------------------------------------------------------------ our recipes

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
    scale = clipping(norm, settings.clip)
    pairs = [(dense_gradient(gradient, variable) * scale, variable) for gradient, variable in pairs]
    if settings.optimizer == "adamw":
        rate = adamw_rate(settings, global_step, total_steps)
        return raised(global_step, after_all(pairs, lambda: adamw(pairs, rate, settings))), norm, rate
    rate = tf.constant(settings.learning_rate, tf.float32)
    # The name scope gives the two beta powers the names they have in upstream's checkpoints.
    with tf.name_scope("optimizer/"):
        operation = tf.train.AdamOptimizer(rate).apply_gradients(pairs, global_step)
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
    scale = clipping(norm, settings.clip) / examples
    if settings.optimizer == "adamw":
        rate = adamw_rate(settings, global_step, total_steps)
        operation = raised(global_step, adamw(pairs, rate, settings, scale, update), update)
    else:
        rate = tf.constant(settings.learning_rate, tf.float32)
        operation = mirrored_adam(pairs, scale, rate, global_step, update)
    return operation, norm, rate


def clipping(norm, limit):
    """The factor for gradients of this norm. As in tf.clip_by_global_norm, only a norm above the limit changes anything."""
    return limit / tf.maximum(norm, limit)


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


def adamw_rate(settings, global_step, total_steps):
    """`warmup_and_decay` of a run of so many steps, whose settings give the warm-up as a share of them."""
    return warmup_and_decay(settings.learning_rate, global_step, total_steps, settings.warmup * max(total_steps, 1))


def adamw(pairs, rate, settings, scale=None, update=in_place):
    """One step of BERT's AdamW; see AdamWeightDecayOptimizer.steps, and there for `scale` and `update`.

    The variables outside BERT, which start at random, learn at `head_rate` times the rate.
    """
    operations = []
    for of_bert, own_rate in ((True, rate), (False, rate * settings.head_rate)):
        optimizer = AdamWeightDecayOptimizer(own_rate, settings.weight_decay, exclude_from_weight_decay=NOT_DECAYED)
        operations += optimizer.steps([pair for pair in pairs if pair[1].op.name.startswith("bert/") == of_bert], scale, update)
    return operations


def mirrored_adam(pairs, scale, rate, global_step, update):
    """One step of Adam as tf.train.AdamOptimizer computes it, under the names it gives to its variables.

    That class sums the devices' gradients itself, when they cannot be clipped any more. Kingma and Ba 2015.
    pairs, scale, update : as for AdamWeightDecayOptimizer.steps.
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
        of_powers = [update(power, lambda variable, beta: variable.assign(variable * beta).op, beta)
                     for power, beta in zip(powers, betas)]
    return tf.group(raised(global_step, operations, update), *of_powers)


def moment(variable, name):
    """An optimizer's variable `VARIABLE/name`, of the same shape, that begins at 0."""
    return tf.get_variable(f"{variable.op.name}/{name}", variable.shape.as_list(), trainable=False,
                           initializer=tf.zeros_initializer())
