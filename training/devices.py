"""Which devices share a training step, and what they have to do together.

One device, the usual case, needs nothing of this. All GPUs of a machine share a step through TensorFlow's
MirroredStrategy, several machines through its MultiWorkerMirroredStrategy: every device keeps a copy of the variables,
computes a part of the batch, and makes the step that the sums over all devices call for.
"""
import contextlib
import os
from typing import NamedTuple

import optimization
from network.runtime import tf
from support.errors import InputError

SUM = tf.distribute.ReduceOp.SUM


class Devices(NamedTuple):
    """The devices that share a training step."""

    strategy: object  # tf.distribute.Strategy; None for one device
    machine: int      # number of this machine, 0 for the chief
    machines: int
    local: int        # devices of this machine
    processors: int   # parts that this machine's processors are divided into

    @property
    def total(self):
        """How many devices all machines have together; each machine has as many."""
        return self.machines * self.local

    @property
    def numbers(self):
        """Numbers of this machine's devices among all."""
        return range(self.machine * self.local, (self.machine + 1) * self.local)


ONE_DEVICE = Devices(None, 0, 1, 1, 1)


def local_devices(settings, cluster):
    """How many devices of this machine share a training step, and whether they are GPUs; parameters and errors as `choose`."""
    gpus = len(tf.config.experimental.list_physical_devices("GPU"))
    if len(cluster.addresses) > 1:
        if settings.devices:
            raise InputError("--set devices: on several machines every visible GPU takes part; leave the setting out, and "
                             "choose GPUs with the environment variable CUDA_VISIBLE_DEVICES.")
        return max(gpus, 1), bool(gpus)
    if gpus and settings.devices > gpus:
        raise InputError(f"--set devices={settings.devices}: TensorFlow finds {gpus} GPUs here; use that number or less.")
    local = settings.devices or max(gpus, 1)
    if not gpus and local > max(os.cpu_count(), 1):
        raise InputError(f"--set devices={local}: TensorFlow finds no GPU here, and {os.cpu_count()} processors cannot be "
                         "divided into more parts than that.")
    return local, bool(gpus)


def choose(settings, cluster):
    """The Devices for a training run.

    Parameters
    ----------
    settings : settings.Settings; `devices` of them on this machine, 0 for every GPU.
    cluster : machines.Cluster

    Raises
    ------
    InputError : more devices asked for than there are.
    """
    local, are_gpus = local_devices(settings, cluster)
    machines = len(cluster.addresses)
    if machines > 1:
        strategy = tf.distribute.experimental.MultiWorkerMirroredStrategy()
        return Devices(strategy, cluster.number, machines, local, 1)
    if local < 2:
        return ONE_DEVICE
    kind = "gpu" if are_gpus else "cpu"
    strategy = tf.distribute.MirroredStrategy([f"/{kind}:{number}" for number in range(local)])
    return Devices(strategy, 0, 1, local, 1 if are_gpus else local)


@contextlib.contextmanager
def cluster_unseen(unseen):
    """Within this block, if `unseen`, TensorFlow sees no TF_CONFIG, which is read by whatever makes an Estimator."""
    hidden = os.environ.pop("TF_CONFIG", None) if unseen else None
    try:
        yield
    finally:
        if hidden is not None:
            os.environ["TF_CONFIG"] = hidden


def drop_server():
    """Let go of the server for several machines: at Python's end, TensorFlow 1.14's would print a traceback."""
    from tensorflow.python.distribute import distribute_coordinator
    vars(distribute_coordinator._thread_local).pop("server", None)  # pylint: disable=protected-access


# ------------------------------------------------------------------------------------------- in each device's graph

def merged(function, *tensors):
    """What `function(strategy, *tensors)` returns, called once for all devices of this machine.

    In it each of the tensors stands for those of all devices.
    """
    return tf.distribute.get_replica_context().merge_call(function, args=tensors)


def is_first(devices):
    """Whether the graph that is being built is that of this machine's first device."""
    number = tf.get_static_value(tf.convert_to_tensor(tf.distribute.get_replica_context().replica_id_in_sync_group))
    # TensorFlow 1.14 numbers the devices of each machine, the current one those of all.
    return int(number) % devices.local == 0


def train_op(losses, right, settings, global_step, total_steps):
    """One training step of all devices.

    Parameters
    ----------
    losses, right : float32 [examples of this device's part], the loss of each, and 1 where the answer is right.
    settings, global_step, total_steps : as for optimization.train_op.

    Returns
    -------
    (operation, dict of float32 scalars: loss, accuracy, gradient_norm, learning_rate of the whole batch)
    """
    total = tf.reduce_sum(losses)
    pairs = optimization.gradients(total)
    # The rows of a sparse gradient count each for itself, so their squares are taken before the sum.
    sparse = [isinstance(gradient, tf.IndexedSlices) for gradient, _ in pairs]
    sparse_squares = tf.add_n([tf.zeros([])] + [optimization.squares(gradient)
                                                for (gradient, _), chosen in zip(pairs, sparse) if chosen])
    metrics = tf.stack([tf.cast(tf.size(losses), tf.float32), total, tf.reduce_sum(right), sparse_squares])
    variables = [variable for _, variable in pairs]

    def step(strategy, metrics, *gradients):
        metrics, *gradients = summed(strategy, [metrics, *gradients], [global_step, *variables])
        examples, loss, right, squares = tf.unstack(here(strategy, metrics))
        squares = tf.add_n([squares] + [optimization.squares(here(strategy, gradient))
                                        for gradient, is_sparse in zip(gradients, sparse) if not is_sparse])
        operation, norm, rate = optimization.train_op_of_sums(
            strategy, list(zip(gradients, variables)), squares, examples, settings, global_step, total_steps)
        return operation, {"loss": loss / examples, "accuracy": right / examples, "gradient_norm": norm,
                           "learning_rate": rate}
    return merged(step, metrics, *(optimization.dense_gradient(*pair) for pair in pairs))


def summed(strategy, tensors, variables):
    """Sums over all devices of tensors that stand for one of each device, each on the devices of a variable."""
    return strategy.extended.batch_reduce_to(SUM, list(zip(tensors, variables)))


def here(strategy, value):
    """A tensor that all devices have, on this machine's first."""
    return strategy.experimental_local_results(value)[0]


def spread(devices, variables):
    """Operation that gives every variable the value it has on the chief, whatever it has elsewhere, even none.

    The machines run it together.
    """
    is_source = devices.machine == 0 and is_first(devices)
    return tf.group(*(spread_type(variables, kind, is_source) for kind in (tf.float32, tf.float64)))


def spread_type(variables, kind, is_source):
    """`spread` for the variables that are summed as this type: float32 as itself, all others, small ones, as float64."""
    chosen = [variable for variable in variables
              if (variable.dtype.base_dtype == tf.float32) == (kind == tf.float32)]
    # A variable that is of the type already would go on as itself, not as this device's value.
    parts = [tf.cast(tf.identity(variable), kind) if is_source else tf.zeros(variable.shape, kind) for variable in chosen]

    def assign(strategy, *parts):
        values = summed(strategy, parts, chosen)
        return tf.group(*(strategy.extended.update(variable, set_to, (value,)) for variable, value in zip(chosen, values)))
    return merged(assign, *parts)


def set_to(variable, value):
    """Operation that sets a variable to a value of any type."""
    return variable.assign(tf.cast(value, variable.dtype.base_dtype)).op


class Agreement:
    """Numbers that the machines exchange between two steps, each with its own; all get the same.

    Built in each device's graph, used by the machine's hook.
    """

    def __init__(self, devices, global_step):
        self._given = tf.placeholder(tf.float32, [devices.machines, 2])
        self._machine = devices.machine
        part = self._given if is_first(devices) else tf.zeros([devices.machines, 2])
        self._all = merged(lambda strategy, part: here(strategy, summed(strategy, [part], [global_step])[0]), part)

    def reached(self, session, ends, signal):
        """What all machines say: (whether any ends the run, the first signal number that came to any or None)."""
        given = [[0.0, 0.0] for _ in range(self._given.shape[0].value)]
        given[self._machine] = [float(ends), float(signal or 0)]
        rows = session.run(self._all, {self._given: given})
        signals = [int(number) for number in rows[:, 1] if number]
        return bool(rows[:, 0].any()), signals[0] if signals else None
