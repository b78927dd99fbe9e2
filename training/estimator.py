"""Fine-tuning and prediction with an Estimator: input_fn, model_fn, estimator, train, predict.

The training protocol itself (when to evaluate, what to keep, when to end) is in `protocol.py`.
"""
import os
import tempfile
import time
import warnings

import numpy as np

import optimization
import text_model
from inputs.batching import EvaluationBatches, in_order, inputs_of, share
from inputs.features import evaluated_rows
from inputs.views import view_of
from network.layers import Layers, Share, worth_compiling
from network.pretrained import check_variables, load_weights
from network.runtime import CHECKPOINT_ERRORS, IS_CURRENT, session_config, tf
from support import interrupts
from support.console import Progress
from support.errors import InputError
from training import checkpoints, monitored, protocol
from training import devices as several
from training.devices import ONE_DEVICE
from training.machines import SILENCE

# TensorFlow's Estimator where it has one, as the reference does.
api = getattr(tf, "estimator", monitored)

# Compiling takes a second or so for every length of a batch, which fewer batches than this do not win back.
FEW_BATCHES = 50


class BertCnnEstimator(api.Estimator):
    """An Estimator whose global step is 32 bits wide, as in upstream's checkpoints, so that each side reads the other's."""

    def _create_and_assert_global_step(self, graph):
        with graph.as_default():
            return tf.get_variable("global_step", [], tf.int32, tf.zeros_initializer(), trainable=False,
                                   collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.GLOBAL_STEP])


def train_input_fn(batches, settings, start, devices=ONE_DEVICE):
    """Dataset of the batches from step `start` to the end of the run, prepared while the model computes.

    Where several devices share a batch, an element is a part of one, and says under `before` what comes before it.
    """
    def generate():
        for step in range(start, batches.total):
            batch = batches.at(step)
            if devices.strategy is None:
                yield inputs_of(batch), batch.label_ids
            else:
                for number in devices.numbers:
                    part, before = share(batch, number, devices.total)
                    yield dict(inputs_of(part), before=before), part.label_ids

    shapes = input_shapes(settings)
    if devices.strategy is not None:
        shapes["before"] = tf.TensorShape([])
    dataset = tf.data.Dataset.from_generator(generate, ({name: tf.int32 for name in shapes}, tf.int32),
                                             (shapes, tf.TensorShape([None])))
    return dataset.prefetch(4)


def predict_input_fn(batches, settings):
    """Dataset of EvaluationBatches, without labels; what an element is says its `number`."""
    def generate():
        for number in range(len(batches)):
            yield dict(inputs_of(batches.at(number)), number=number)

    shapes = dict(input_shapes(settings), number=tf.TensorShape([]))
    return tf.data.Dataset.from_generator(generate, {name: tf.int32 for name in shapes}, shapes).prefetch(4)


def input_shapes(settings):
    """Shapes of the model's inputs: dict of name -> TensorShape."""
    return {name: tf.TensorShape(shape) for name, shape in view_of(settings).input_shapes().items()}


def model_fn(features, labels, mode, params):
    """The Estimator's model: BERT-CNN with its loss and optimizer, or its logits.

    params : `config` (BertConfig), `settings` (Settings), `label_count` (int); in training also `bert` (paths.BertFolder of the
        start values), `total_steps`, `hook` (protocol.TrainingProtocol) and `devices` (devices.Devices); in prediction
        `checkpoint`.
    """
    config, settings = params["config"], params["settings"]
    if mode == api.ModeKeys.PREDICT:
        features = dict(features)
        # A test's masks are those of step 0, after which nothing is evaluated in training.
        logits = evaluation_logits(features, config, settings, params["label_count"], tf.constant(0), features.pop("number"))
        check_checkpoint(params["checkpoint"])
        return api.EstimatorSpec(mode, predictions=logits)

    if params["devices"].strategy is not None:
        return part_model_fn(features, labels, mode, params)

    step = tf.train.get_global_step()
    logits = text_model.bert_cnn(features, config, settings, tower(config, settings, step), params["label_count"])
    loss = tf.reduce_mean(text_model.cross_entropy(logits, labels, settings.smoothing))
    operation, norm, rate = optimization.train_op(loss, settings, step, params["total_steps"])
    hook = params["hook"]
    hook.training_tensors = {"loss": loss, "accuracy": accuracy(logits, labels), "gradient_norm": norm, "learning_rate": rate}
    evaluate_and_keep(hook, features, config, settings, params["label_count"])
    hook.create_state()
    hook.state_saver = tf.train.Saver(tf.global_variables(), max_to_keep=1)
    if hook.continues:
        scaffold = tf.train.Scaffold(init_op=tf.no_op(), init_fn=lambda _, session: hook.restore(session), saver=hook.state_saver)
    else:
        variables = tf.trainable_variables("bert/")
        weights = load_weights(params["bert"], {variable.op.name: variable.shape.as_list() for variable in variables})
        # Feeding the start values to the initializers costs no second copy and draws no random weights first.
        scaffold = tf.train.Scaffold(init_op=tf.global_variables_initializer(), saver=hook.state_saver,
                                     init_feed_dict={variable.initial_value: weights[variable.op.name] for variable in variables})
    # The Estimator ends with a traceback where the loss it is given is not a number; the hook, which looks at the true one,
    # says what to do.
    return api.EstimatorSpec(mode, loss=tf.zeros([]), train_op=operation, training_hooks=[hook], scaffold=scaffold)


def evaluate_and_keep(hook, features, config, settings, label_count):
    """Give a protocol's hook what evaluates and saves the model of a training graph whose training step is built."""
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    shapes = {name: tensor.shape for name, tensor in features.items()}
    hook.evaluation = evaluation_graph(config, settings, label_count, shapes, lambda getter, name, **how: variables[name])
    # Of copies on several devices, one is saved; a single variable is its only copy.
    copies = tf.distribute.get_strategy().experimental_local_results
    hook.best_saver = tf.train.Saver({name: copies(variable)[0] for name, variable in variables.items()}, max_to_keep=1)


def part_model_fn(features, labels, mode, params):
    """`model_fn` of training for one of several devices: its part of each batch, with variables that all have."""
    config, settings, devices, hook = (params[name] for name in ("config", "settings", "devices", "hook"))
    step = tf.train.get_global_step()
    features = dict(features)
    share = Share(tf.shape(features["input_ids"])[0], features.pop("before"))
    logits = text_model.bert_cnn(features, config, settings, tower(config, settings, step, share), params["label_count"])
    losses = text_model.cross_entropy(logits, labels, settings.smoothing)
    operation, metrics = several.train_op(losses, right_answers(logits, labels), settings, step, params["total_steps"])

    def complete(strategy):
        """What the hook needs, once for all devices of this machine."""
        hook.training_tensors = metrics
        if devices.machine == 0:
            evaluate_and_keep(hook, features, config, settings, params["label_count"])
        hook.create_state()
        hook.state_saver = tf.train.Saver(tf.global_variables(), max_to_keep=1)
        # No variable needs a start value: the session counts as ready as it is, and the hook sets them all.
        for key in (tf.GraphKeys.READY_OP, tf.GraphKeys.READY_FOR_LOCAL_INIT_OP):
            tf.add_to_collection(key, tf.constant([], tf.string))
    several.merged(complete)
    if devices.machines > 1:
        hook.spread = several.spread(devices, tf.global_variables())
        hook.agreement = several.Agreement(devices, step)
    scaffold = tf.train.Scaffold(init_op=tf.no_op(), saver=hook.state_saver)
    return api.EstimatorSpec(mode, loss=tf.zeros([]), train_op=operation, training_hooks=[Restoring(hook), hook],
                             scaffold=scaffold)


class Restoring(tf.train.SessionRunHook):
    """Has a protocol's hook set all variables before anything else: TensorFlow 1.14 loses the init_fn of several devices."""

    def __init__(self, hook):
        self._hook = hook

    def after_create_session(self, session, coord):
        self._hook.restore(session)


def evaluation_logits(inputs, config, settings, label_count, step, number):
    """Logits as an evaluation computes them: without dropout or, with `evaluation_dropout`, with that of BERT alone.

    Upstream evaluates a graph that was built for training, in which it can switch off the dense layer's dropout only.

    Parameters
    ----------
    inputs, config, settings, label_count : as for text_model.bert_cnn.
    step, number : int32 scalar tensors, the global step and the batch's number, which the dropout masks depend on.
    """
    masked = dict(step=step, batch=number) if settings.evaluation_dropout else {}
    layers = tower(config, settings, gradients=False, **masked)
    # An exception in the midst of TensorFlow's calls from C++ to Python ends in an error of its own.
    with interrupts.held_back():
        return text_model.bert_cnn(inputs, config, settings._replace(keep_prob=1.0), layers, label_count)


def tower(config, settings, step=None, share=None, batch=None, gradients=True):
    """The layers of one tower: with dropout where there is a step, else without; the other parameters as for Layers."""
    xla = worth_compiling(config.hidden_size) if settings.xla == "auto" else settings.xla == "on"
    return Layers(xla, None if step is None else settings.seed, step, settings.precision, share, batch, gradients)


def check_precision(settings):
    """Raise an InputError where the TensorFlow in use cannot compute in the precision asked for."""
    if settings.precision == "bfloat16" and not IS_CURRENT:
        raise InputError(f"precision=bfloat16 needs a current TensorFlow, this is {tf.VERSION}: use `make setup "
                         "PYTHON=python3.13` (or 3.10 to 3.12), or leave it at float32.")


def accuracy(logits, labels):
    """Share of the rows whose largest logit is at the label: float32 scalar."""
    return tf.reduce_mean(right_answers(logits, labels))


def right_answers(logits, labels):
    """1 where the largest logit is at the label, else 0: float32 [batch]."""
    return tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels), tf.float32)


class EvaluationGraph:
    """A second tower over the training graph's variables, see `evaluation_logits`: placeholders in, logits out.

    It lives in the training session, so that an evaluation neither builds a graph nor reads a checkpoint.

    Attributes
    ----------
    inputs : dict of int32 placeholders by their names in a batch (see batching).
    output : tensor of logits, float32 [examples, labels].
    masks : (step, number), int32 scalars that `evaluation_logits` reads, 0 unless they are fed.
    """

    def __init__(self, inputs, output, masks):
        self.inputs, self.output, self.masks = inputs, output, masks

    def logits(self, session, batch, step=0, number=0):
        """Logits of a batch, float32 [examples, labels], after a global step, as number so many of the evaluation."""
        feed = {self.inputs[name]: array for name, array in inputs_of(batch).items()}
        feed.update(zip(self.masks, (step, number)))
        return session.run(self.output, feed)


def evaluation_graph(config, settings, label_count, shapes, getter=None):
    """Build the EvaluationGraph for inputs of these shapes.

    getter : custom_getter of its variables, for those of a training graph; None makes new ones.
    """
    inputs = {name: tf.placeholder(tf.int32, shape, name=f"evaluation/{name}") for name, shape in shapes.items()}
    masks = [tf.placeholder_with_default(0, [], name=f"evaluation/{name}") for name in ("step", "number")]
    with tf.variable_scope(tf.get_variable_scope(), custom_getter=getter):
        return EvaluationGraph(inputs, evaluation_logits(inputs, config, settings, label_count, *masks), masks)


def standalone_graph(config, settings, label_count):
    """Build an EvaluationGraph with variables of its own, without XLA, which compiles anew for every size of a batch.

    It answers questions of its users, so that it never has dropout.
    """
    return evaluation_graph(config, settings._replace(xla="off", evaluation_dropout=False), label_count,
                            input_shapes(settings))


def model_shapes(config, settings, label_count):
    """Shapes of the model's variables, {name: list of int}; nothing is computed."""
    with tf.Graph().as_default():
        standalone_graph(config, settings, label_count)
        return {variable.op.name: variable.shape.as_list() for variable in tf.trainable_variables()}


def check_checkpoint(prefix):
    """Raise an InputError unless the checkpoint has every variable of the graph, in its shape."""
    try:
        available = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    except CHECKPOINT_ERRORS as error:
        raise InputError(f"{prefix}: the checkpoint cannot be read ({type(error).__name__}); train again, or put back a whole "
                         "copy.")
    try:
        check_variables(prefix, {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}, available)
    except InputError as error:
        raise InputError(f"{error} Name the folder of the BERT that this model was made from with --bert DIR, and the settings "
                         "that it was trained with, if they are not the recipe's, with --set.") from None


def estimator(config, settings, model_dir, devices=ONE_DEVICE, **params):
    """The Estimator of BERT-CNN; it writes nothing of its own accord, `protocol` says what is saved when."""
    with several.cluster_unseen(devices.machines == 1):
        run_config = api.RunConfig(
            model_dir=model_dir, tf_random_seed=settings.seed,
            session_config=session_config(settings.threads, devices.processors), train_distribute=devices.strategy,
            save_summary_steps=None, save_checkpoints_secs=None, save_checkpoints_steps=None, log_step_count_steps=None)
    params.update(config=config, settings=settings, devices=devices)
    # Not through the Estimator's own `params`: it would work on a copy, and the hook is ours to read afterwards.
    return BertCnnEstimator(lambda features, labels, mode: model_fn(features, labels, mode, params), config=run_config)


def train(batches, dev, labels, bert, settings, result, state=None, machines=None, devices=ONE_DEVICE):
    """Fine-tune.

    Parameters
    ----------
    batches : batching.Batches of the training features.
    dev : the Features of a view, to select the best model on.
    labels : names of the labels, in the order of their ids.
    bert : reading.Bert
    settings : settings.Settings
    result : paths.ResultFolder
    state : checkpoints.State to continue from, or None.
    machines : machines.Machines that have gathered, where this is one of several.
    devices : devices.Devices

    Returns
    -------
    outcome.Outcome
    """
    if devices.strategy is not None and state is None:
        # The start values are a function of seed and graph, so the graph of one device makes them.
        start = protocol.StartingPoint(batches, dev, labels, settings, result, None)
        run_estimator(start, batches, len(labels), bert, settings, result.checkpoints)
        state = checkpoints.states(result.checkpoints)[0]
    hook = protocol.TrainingProtocol(batches, dev, labels, settings, result, state, machines)
    run_estimator(hook, batches, len(labels), bert, settings, result.checkpoints, devices, state.step if state else 0)
    return hook.outcome


def follow(batches, labels, bert, settings, step, machines, devices):
    """The part in a training of a machine that is not the chief.

    step : after which the chief begins or continues; the others as for `train`.
    """
    hook = protocol.FollowingProtocol(step, machines)
    with tempfile.TemporaryDirectory() as nothing:
        run_estimator(hook, batches, len(labels), bert, settings, nothing, devices, step)


def run_estimator(hook, batches, label_count, bert, settings, folder, devices=ONE_DEVICE, start=0):
    """Train with an Estimator from step `start` until `hook`, a protocol's, ends it."""
    runner = estimator(bert.config, settings, folder, devices, label_count=label_count, bert=bert.folder,
                       total_steps=batches.total, hook=hook)

    def input_fn():
        return train_input_fn(batches, settings, start, devices)

    with warnings.catch_warnings(), hook.held:
        # The current TensorFlow warns of how its own distribution of a dataset looks at it.
        warnings.filterwarnings("ignore", "To make it possible to preserve tf.data options")
        if devices.machines == 1:
            hook.held.enter_context(interrupts.held_back())  # as in evaluation_logits, while the graph is built
            runner.train(input_fn)
        else:
            try:
                if api is monitored:
                    runner.train(input_fn)
                else:
                    # TensorFlow 1.14's one way into training on several machines; nothing is evaluated by it.
                    tf.estimator.train_and_evaluate(runner, tf.estimator.TrainSpec(input_fn), tf.estimator.EvalSpec(input_fn))
            except tf.errors.OpError as error:
                # The loss of a machine breaks TensorFlow's sums, too: who watches it ends this process, and names it.
                time.sleep(SILENCE)
                raise InputError(f"the machines cannot go on together ({type(error).__name__}: {checkpoints.reason_of(error)}). "
                                 "The same commands continue from the last saved state.")
            finally:
                several.drop_server()


def predict(features, label_count, config, settings, checkpoint):
    """Logits of all rows under a trained model.

    Parameters
    ----------
    features : the Features of a view; identical rows are computed once, but with `evaluation_dropout` each for itself.
    label_count : int, how many labels the model tells apart.
    checkpoint : path prefix of the model.

    Returns
    -------
    float32 [rows, labels]

    Raises
    ------
    InputError : the checkpoint is damaged or belongs to a model of another shape, or the logits are not finite.
    """
    different, where = evaluated_rows(features, settings)
    batches = EvaluationBatches(different, settings)
    if settings.xla == "auto" and len(batches) < FEW_BATCHES:
        settings = settings._replace(xla="off")
    # Without a folder it would make one, in the system's temporary folder; it writes nothing into this one.
    runner = estimator(config, settings, os.path.dirname(checkpoint), label_count=label_count, checkpoint=checkpoint)
    progress = Progress("testing", len(different.label_ids), unit="example", keep=False)
    collected, done = [], 0
    with checkpoints.reading(checkpoint):
        for logits in runner.predict(lambda: predict_input_fn(batches, settings),
                                     checkpoint_path=checkpoint, yield_single_examples=False):
            collected.append(checkpoints.check_finite(logits, checkpoint))
            done += len(logits)
            progress.update(done)
    progress.close()
    return in_order(np.concatenate(collected), batches.rows)[where]
