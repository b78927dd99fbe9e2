"""The part of `tf.estimator` that this project uses, under the same names, for a TensorFlow that has none.

TensorFlow 1.14, the reference, trains with its own Estimator. The current one has none; what stands in for it here runs
TensorFlow's monitored sessions. It saves and logs nothing of its own accord: hooks do.
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

    model_dir: str = None            # nothing is written there
    tf_random_seed: int = None
    session_config: object = None    # ConfigProto
    train_distribute: object = None  # tf.distribute.Strategy; None for one device
    # What TensorFlow's Estimator would save and log otherwise, it does not with None; here there is nothing to turn off.
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

        Parameters
        ----------
        input_fn : function that returns a tf.data.Dataset of (features, labels).
        hooks : of tf.train.SessionRunHook, called before the model's own.

        Raises
        ------
        tf.errors.OpError : as TensorFlow's own sessions; a training is not begun anew after the loss of a machine.
        """
        strategy = self.config.train_distribute
        with tf.Graph().as_default() as graph, scope(strategy):
            tf.set_random_seed(self.config.tf_random_seed)
            self._create_and_assert_global_step(graph)
            spec = self._training_spec(input_fn) if strategy is None else self._shared_training_spec(input_fn, strategy)
            session_config = self.config.session_config
            if strategy is not None:
                session_config = strategy.update_config_proto(session_config)
            server = server_of(strategy, session_config)
            with tf.train.SingularMonitoredSession(
                    hooks=[*hooks, *spec.training_hooks], scaffold=spec.scaffold, config=session_config,
                    master="" if server is None else server.target) as session:
                while not session.should_stop():
                    session.run(spec.train_op)

    def predict(self, input_fn, checkpoint_path, yield_single_examples):
        """The model's predictions, one after the other: an array for each element of the data.

        Parameters
        ----------
        input_fn : function that returns a tf.data.Dataset of features.
        checkpoint_path : path prefix of the weights.
        yield_single_examples : False. TensorFlow's Estimator could take batches apart.
        """
        if yield_single_examples:
            raise ValueError("only whole batches are predicted")
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(self.config.tf_random_seed)
            self._create_and_assert_global_step(graph)
            spec = self._model_fn(next_element(tf.data.make_initializable_iterator(input_fn())), None, ModeKeys.PREDICT)
            with tf.train.SingularMonitoredSession(scaffold=spec.scaffold, config=self.config.session_config,
                                                   checkpoint_filename_with_path=checkpoint_path) as session:
                while not session.should_stop():
                    yield session.run(spec.predictions)

    def _create_and_assert_global_step(self, graph):
        """Make the variable that counts the steps; a subclass may make another, as one of TensorFlow's Estimator may."""
        return tf.train.create_global_step(graph)

    def _training_spec(self, input_fn):
        """The EstimatorSpec of a training on one device."""
        features, labels = next_element(tf.data.make_initializable_iterator(input_fn()))
        return self._model_fn(features, labels, ModeKeys.TRAIN)

    def _shared_training_spec(self, input_fn, strategy):
        """The EstimatorSpec of a training that devices share; hooks and scaffold are those of this machine's first."""
        features, labels = next_element(strategy.make_input_fn_iterator(lambda context: input_fn()))
        # Else TensorFlow would rewrite the source of all that builds the graph, in files that a killed process leaves behind.
        model_fn = tf.autograph.experimental.do_not_convert(self._model_fn)
        spec = strategy.extended.call_for_each_replica(model_fn, args=(features, labels, ModeKeys.TRAIN))

        def first(value):
            return strategy.experimental_local_results(value)[0]
        return spec._replace(train_op=strategy.group(spec.train_op), scaffold=first(spec.scaffold),
                             training_hooks=[first(hook) for hook in spec.training_hooks])


@contextlib.contextmanager
def scope(strategy):
    """Within this block variables are the strategy's, where there is one."""
    if strategy is None:
        yield
    else:
        with strategy.scope():
            yield


def next_element(iterator):
    """The next element of a dataset's iterator, which a monitored session initializes as it does tables."""
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, tf.group(iterator.initializer))
    return iterator.get_next()


def server_of(strategy, session_config):
    """The server through which this machine reaches the others, started, where several share the training; else None."""
    resolver = strategy.cluster_resolver if strategy is not None else None
    if resolver is None or not resolver.cluster_spec().as_dict():
        return None
    return tf.distribute.Server(resolver.cluster_spec(), resolver.task_type, resolver.task_id, config=session_config)
