"""The part of `tf.estimator` that this project uses, from TensorFlow where it has one, else over its monitored sessions.

TensorFlow 1.14, the reference, trains with its own Estimator. Later ones have none; what stands in for it here keeps its names
and calls. It saves and logs nothing of its own accord: hooks do.
"""
import contextlib
from typing import NamedTuple

from network.runtime import tf


class ModeKeys:
    """What a graph is for."""

    TRAIN, PREDICT = "train", "infer"


class EstimatorSpec(NamedTuple):
    """What a model_fn returns."""

    mode: str
    predictions: object = None   # tensor; in prediction
    loss: object = None          # tensor; in training
    train_op: object = None      # operation of one step
    training_hooks: list = ()    # of tf.train.SessionRunHook
    scaffold: object = None      # tf.train.Scaffold


class RunConfig(NamedTuple):
    """How an Estimator runs."""

    model_dir: str = None
    tf_random_seed: int = None
    session_config: object = None            # ConfigProto
    train_distribute: object = None          # tf.distribute.Strategy; None for one device
    # In TensorFlow's Estimator, None turns off what would otherwise be saved and logged; there is nothing to turn off here.
    save_summary_steps: int = None
    save_checkpoints_secs: int = None
    save_checkpoints_steps: int = None
    log_step_count_steps: int = None


class Estimator:
    """Trains a model and predicts with it.

    Parameters
    ----------
    model_fn : function (features, labels, mode) that builds the graph and returns an EstimatorSpec. With a strategy it is called
        once for each device of this machine.
    config : RunConfig
    """

    def __init__(self, model_fn, config):
        self._model_fn, self.config = model_fn, config

    def train(self, input_fn, hooks=()):
        """Train until a hook asks for the end, or the data is exhausted.

        input_fn : function that returns a tf.data.Dataset of (features, labels).
        hooks : of tf.train.SessionRunHook, called before the model's own.
        """
        strategy = self.config.train_distribute
        with tf.Graph().as_default() as graph, scope(strategy):
            tf.set_random_seed(self.config.tf_random_seed)
            spec = self._one_device(graph, input_fn) if strategy is None else self._devices(graph, input_fn, strategy)
            target, session_config = server(strategy, self.config.session_config)
            # It raises what TensorFlow raises. The usual MonitoredSession would begin anew after the loss of a machine.
            with tf.train.SingularMonitoredSession([*hooks, *spec.training_hooks], spec.scaffold, target,
                                                   session_config) as session:
                while not session.should_stop():
                    session.run(spec.train_op)

    def predict(self, input_fn, checkpoint_path, yield_single_examples):
        """The model's predictions, an array for each element of the data.

        input_fn : function that returns a tf.data.Dataset of features.
        checkpoint_path : path prefix of the weights.
        yield_single_examples : False; TensorFlow's Estimator can take the batches apart.
        """
        if yield_single_examples:
            raise ValueError("only whole batches are predicted")
        with tf.Graph().as_default() as graph:
            self._create_and_assert_global_step(graph)
            spec = self._model_fn(next_element(tf.data.make_initializable_iterator(input_fn())), None, ModeKeys.PREDICT)
            creator = tf.train.ChiefSessionCreator(spec.scaffold, config=self.config.session_config,
                                                   checkpoint_filename_with_path=checkpoint_path)
            with tf.train.MonitoredSession(creator) as session:
                while not session.should_stop():
                    yield session.run(spec.predictions)

    def _create_and_assert_global_step(self, graph):
        """The variable that counts the steps; a class below may make another kind of it, as with TensorFlow's Estimator."""
        return tf.train.create_global_step(graph)

    def _one_device(self, graph, input_fn):
        """The EstimatorSpec of a training graph for one device."""
        self._create_and_assert_global_step(graph)
        features, labels = next_element(tf.data.make_initializable_iterator(input_fn()))
        return self._model_fn(features, labels, ModeKeys.TRAIN)

    def _devices(self, graph, input_fn, strategy):
        """The EstimatorSpec of a training graph for all devices of a strategy; hooks and scaffold are the first device's."""
        self._create_and_assert_global_step(graph)
        features, labels = next_element(strategy.make_input_fn_iterator(lambda _: input_fn()))
        spec = strategy.extended.call_for_each_replica(self._model_fn, args=(features, labels, ModeKeys.TRAIN))

        def first(value):
            return strategy.experimental_local_results(value)[0]
        return spec._replace(train_op=strategy.group(spec.train_op), scaffold=first(spec.scaffold),
                             training_hooks=[first(hook) for hook in spec.training_hooks])


@contextlib.contextmanager
def scope(strategy):
    """Within this block the strategy, if there is one, makes the variables."""
    if strategy is None:
        yield
    else:
        with strategy.scope():
            yield


def next_element(iterator):
    """The next element of a dataset's iterator, which a monitored session initializes as it does tables."""
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, tf.group(iterator.initializer))
    return iterator.get_next()


def server(strategy, session_config):
    """(target, ConfigProto) of the session; on several machines each runs a server, whose session sees only its own devices."""
    if strategy is None:
        return "", session_config
    session_config = strategy.update_config_proto(session_config)
    resolver = strategy.cluster_resolver
    if resolver is None or len(resolver.cluster_spec().as_dict()) == 0:
        return "", session_config
    running = tf.distribute.Server(resolver.cluster_spec(), resolver.task_type, resolver.task_id, config=session_config)
    return running.target, session_config


def train_together(runner, input_fn):
    """`runner.train(input_fn)` on each of several machines."""
    runner.train(input_fn)


if hasattr(tf, "estimator"):
    Estimator, EstimatorSpec, ModeKeys, RunConfig = (  # noqa: F811
        getattr(tf.estimator, name) for name in ("Estimator", "EstimatorSpec", "ModeKeys", "RunConfig"))

    def train_together(runner, input_fn):  # noqa: F811
        """TensorFlow 1.14's one way into training on several machines; nothing is evaluated by it."""
        tf.estimator.train_and_evaluate(runner, tf.estimator.TrainSpec(input_fn), tf.estimator.EvalSpec(input_fn))
