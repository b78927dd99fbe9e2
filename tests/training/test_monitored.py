"""What stands in for TensorFlow's Estimator does what that does, for the calls that this project uses."""
import numpy as np
import pytest

from network.runtime import tf
from training import monitored

INTERFACES = {"ours": monitored}
if hasattr(tf, "estimator"):
    INTERFACES["TensorFlow's"] = tf.estimator


@pytest.fixture(params=sorted(INTERFACES))
def api(request):
    """The two sets of names, where TensorFlow has its own."""
    return INTERFACES[request.param]


class Recording(tf.train.SessionRunHook):
    """Notes what it is called for, in a list that hooks share; asks for the end after a step, or fails there."""

    def __init__(self, name, calls, ends_at=None, fails_at=None):
        self._name, self._calls, self._ends_at, self._fails_at = name, calls, ends_at, fails_at
        self._steps = 0

    def after_create_session(self, session, coord):
        self._calls.append(f"{self._name} begins")

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(tf.get_default_graph().get_tensor_by_name("sum:0"))

    def after_run(self, run_context, run_values):
        self._steps += 1
        self._calls.append(f"{self._name} {run_values.results:g}")
        if self._steps == self._ends_at:
            run_context.request_stop()
        if self._steps == self._fails_at:
            raise ValueError("as the hook found")

    def end(self, session):
        self._calls.append(f"{self._name} ends")


def estimator_of(api, folder, calls=None, **how):
    """An Estimator of a model with one variable, to which a batch's sum is added; its prediction is batch * variable."""
    def model_fn(features, labels, mode):
        total = tf.get_variable("total", [], tf.float32, tf.random_normal_initializer())
        if mode == api.ModeKeys.PREDICT:
            return api.EstimatorSpec(mode, predictions=features["x"] * total)
        tf.reduce_sum(features["x"] + labels, name="sum")
        with tf.control_dependencies([total.assign_add(tf.reduce_sum(features["x"]))]):
            operation = tf.train.get_global_step().assign_add(1).op
        return api.EstimatorSpec(mode, loss=tf.zeros([]), train_op=operation, scaffold=tf.train.Scaffold(),
                                 training_hooks=[Recording("own", [] if calls is None else calls, **how)])

    config = api.RunConfig(model_dir=str(folder), tf_random_seed=5, session_config=tf.ConfigProto(intra_op_parallelism_threads=1),
                           save_summary_steps=None, save_checkpoints_secs=None, save_checkpoints_steps=None,
                           log_step_count_steps=None)
    return api.Estimator(model_fn, config=config)


def batches(labels=True):
    """Three batches of two examples."""
    x = np.arange(6, dtype=np.float32)
    features = {"x": x}
    return tf.data.Dataset.from_tensor_slices((features, 10 * x) if labels else features).batch(2)


def test_hooks_run_around_each_step_until_the_data_ends(api, tmp_path):
    calls = []
    estimator_of(api, tmp_path, calls).train(batches, hooks=[Recording("other", calls)])
    assert calls == ["other begins", "own begins", "other 11", "own 11", "other 55", "own 55", "other 99", "own 99",
                     "other ends", "own ends"]
    assert not list(tmp_path.iterdir()), "nothing is written but by hooks"


def test_a_hook_ends_the_training(api, tmp_path):
    calls = []
    estimator_of(api, tmp_path, calls, ends_at=2).train(batches)
    assert calls == ["own begins", "own 11", "own 55", "own ends"]


def test_an_error_of_a_hook_comes_as_it_is_and_ends_nothing_else(api, tmp_path):
    calls = []
    with pytest.raises(ValueError, match="as the hook found"):
        estimator_of(api, tmp_path, calls, fails_at=1).train(batches)
    assert calls == ["own begins", "own 11"]


class Saving(tf.train.SessionRunHook):
    """Saves the variables at the end."""

    def __init__(self, prefix):
        self._prefix = prefix

    def begin(self):
        self._saver = tf.train.Saver()

    def end(self, session):
        self._saver.save(session, self._prefix, write_meta_graph=False, write_state=False)


def test_what_is_trained_predicts_batch_by_batch(api, tmp_path):
    prefixes = [str(tmp_path / name / "model") for name in ("first", "second")]
    for prefix in prefixes:
        estimator_of(api, tmp_path / "nothing").train(batches, hooks=[Saving(prefix)])
    first, second = (tf.train.load_checkpoint(prefix) for prefix in prefixes)
    total = first.get_tensor("total")
    assert total == second.get_tensor("total") and total % 1, "start values come from the seed"
    assert first.get_tensor("global_step") == 3

    runner = estimator_of(api, tmp_path / "nothing")
    predicted = list(runner.predict(lambda: batches(labels=False), checkpoint_path=prefixes[0], yield_single_examples=False))
    assert [rows.tolist() for rows in predicted] == [(np.arange(2 * n, 2 * n + 2, dtype=np.float32) * total).tolist()
                                                     for n in range(3)]


def test_batches_are_not_taken_apart(tmp_path):
    runner = estimator_of(monitored, tmp_path)
    with pytest.raises(ValueError, match="whole batches"):
        next(runner.predict(lambda: batches(labels=False), checkpoint_path="", yield_single_examples=True))
