"""Upstream's training protocol as a hook: evaluate every so many steps, keep the best model, end by patience.

What is saved: `best_validation`, under exactly upstream's variable names, whenever the score improves; and the state
(every variable, the best score and step among them) every few minutes and at the end, from which a run continues.
"""
import json
import os
import signal
import time
from typing import NamedTuple

import numpy as np
from sklearn.metrics import f1_score

import checkpoints
import files
import text_model
from console import Progress
from errors import Interrupted
from features import unique_rows
from runtime import tf

NEVER = -1.0  # the best score before there is one


class Outcome(NamedTuple):
    """How a training run ended."""

    reason: str        # "epochs", "max_steps" or "patience"
    step: int          # the last step
    best_step: int     # the step of best_validation
    best_score: float  # its score


class Figures(NamedTuple):
    """How a model does on a set of examples."""

    loss: float
    accuracy: float
    macro_f1: float  # over the labels that occur, gold or predicted


def figures(logits, label_ids):
    """Figures of logits [examples, 8] against label ids [examples]."""
    loss = -text_model.log_probabilities(logits)[np.arange(len(label_ids)), label_ids].mean()
    predicted = logits.argmax(axis=1)
    macro_f1 = f1_score(label_ids, predicted, average="macro", zero_division=0)
    return Figures(float(loss), float((predicted == label_ids).mean()), float(macro_f1))


def saved_step(result):
    """The step of the saved state in a result folder, 0 without one."""
    state = tf.train.latest_checkpoint(result.checkpoints)
    return int(tf.train.load_variable(state, "global_step")) if state else 0


def read_outcome(result):
    """The Outcome of the finished run in a result folder, or None."""
    if not os.path.isfile(result.outcome):
        return None
    with open(result.outcome, encoding="utf-8") as source:
        return Outcome(**json.load(source))


class Curves:
    """Training and validation curves for TensorBoard; figures only, no graph and no text."""

    def __init__(self, folder, start):
        self._writers = {name: tf.summary.FileWriter(os.path.join(folder, name)) for name in ("training", "validation")}
        for writer in self._writers.values():
            # TensorBoard then drops what a cut-off run wrote after the state this one continues from.
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), start)

    def add(self, name, step, values):
        """Append a dict of figures to the curves `training` or `validation`."""
        entries = [tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._writers[name].add_summary(tf.Summary(value=entries), step)

    def flush(self):
        for writer in self._writers.values():
            writer.flush()

    def close(self):
        for writer in self._writers.values():
            writer.close()


class TrainingProtocol(tf.train.SessionRunHook):
    """Runs the protocol around each training step of the Estimator's loop.

    When `model_fn` has built the graph it sets `training_tensors` (dict of scalars), `evaluation` (see
    training.EvaluationGraph), `best_saver` and `state_saver`, and calls `create_state`.

    Parameters
    ----------
    batches : training.Batches
    dev : features.Features of the dev examples.
    settings : settings.Settings
    result : paths.ResultFolder
    """

    def __init__(self, batches, dev, settings, result):
        self._batches, self._dev, self._settings, self._result = batches, dev, settings, result
        self._different, self._where = unique_rows(dev)
        self._signal = None
        self.continues = saved_step(result) > 0
        self.outcome = None

    def create_state(self):
        """Add the protocol's own variables to the graph, so that every saved state holds them."""
        self._variables = {
            name: tf.get_variable(f"selection/{name}", [], dtype, tf.constant_initializer(value), trainable=False)
            for name, dtype, value in (("best_score", tf.float64, NEVER), ("best_step", tf.int32, 0),
                                       ("evaluated_step", tf.int32, 0))}
        self._values = {name: tf.placeholder(variable.dtype.base_dtype, []) for name, variable in self._variables.items()}
        self._assign = [self._variables[name].assign(self._values[name]) for name in self._variables]

    # ------------------------------------------------------------------------------------ the Estimator's calls

    def after_create_session(self, session, coord):
        self._step = int(session.run(tf.train.get_global_step(session.graph)))
        state = session.run(self._variables)
        self._best_score, self._best_step = float(state["best_score"]), int(state["best_step"])
        self._evaluated_step = int(state["evaluated_step"])
        self._last_save = time.time()
        self._curves = Curves(self._result.tensorboard, self._step)
        self._progress = Progress("training", self._batches.total, self._step, examples=self._settings.batch_size)
        self._old_handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        if self._step and self._is_due() and self._evaluated_step < self._step:
            # The run was cut off during the evaluation of this step.
            self._evaluate(session)
        if self._end_reason():
            coord.request_stop()

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(self.training_tensors)

    def after_run(self, run_context, run_values):
        self._step += 1
        results = {name: float(value) for name, value in run_values.results.items()}
        self._curves.add("training", self._step, results)
        self._progress.update(self._step, loss=results["loss"], accuracy=results["accuracy"])
        session = run_context.session
        if self._is_due():
            self._evaluate(session)
        if self._end_reason():
            run_context.request_stop()
        elif time.time() - self._last_save >= 60 * self._settings.save_every_minutes:
            self._save_state(session)
        self._stop_on_signal(session)

    def end(self, session):
        self._save_state(session)
        self._curves.close()
        self._progress.close()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self.outcome = Outcome(self._end_reason(), self._step, self._best_step, self._best_score)
        files.write_atomically(self._result.outcome, json.dumps(self.outcome._asdict(), indent=1) + "\n")

    # ------------------------------------------------------------------------------------------------- the rules

    def _is_due(self):
        """Whether the dev set is evaluated after this step: every `evaluate_every` steps, and after the last."""
        return self._step % self._settings.evaluate_every == 0 or self._step >= self._batches.total

    def _end_reason(self):
        """Why the run is over, or None while it is not."""
        if self._best_score > NEVER and self._step - self._best_step > self._settings.patience:
            return "patience"
        if self._step >= self._batches.total:
            return "max_steps" if self._step == self._settings.max_steps else "epochs"
        return None

    def _evaluate(self, session):
        """Evaluate on the dev set, and keep the model if its score is the best so far."""
        dev = self._dev_figures(session)
        score = self._score(session, dev)
        improved = score > self._best_score
        self._evaluated_step = self._step
        if improved:
            self._best_score, self._best_step = score, self._step
        session.run(self._assign, {self._values["best_score"]: self._best_score,
                                   self._values["best_step"]: self._best_step,
                                   self._values["evaluated_step"]: self._evaluated_step})
        if improved:
            checkpoints.save_whole(
                lambda prefix: self.best_saver.save(session, prefix, write_meta_graph=False, write_state=False),
                self._result.best)
        self._curves.add("validation", self._step, dict(dev._asdict(), score=score))
        self._curves.flush()
        self._progress.say(f"step {self._step}: dev loss {dev.loss:.4f}, accuracy {dev.accuracy:.4f}, "
                           f"macro-F1 {dev.macro_f1:.4f}, score {score:.4f}"
                           + (" (best so far, saved)" if improved else f" (best {self._best_score:.4f} at step {self._best_step})"))

    def _dev_figures(self, session):
        logits, total, size = [], len(self._different.label_ids), self._settings.eval_batch_size
        progress = Progress("evaluating", total, unit="example", keep=False)
        for begin in range(0, total, size):
            logits.append(self.evaluation.logits(session, self._different.rows(slice(begin, begin + size))))
            progress.update(min(begin + size, total))
            self._stop_on_signal(session)
        progress.close()
        return figures(np.concatenate(logits)[self._where], self._dev.label_ids)

    def _score(self, session, dev):
        """What the best model is chosen by; upstream: the mean of the current batch's and the dev set's accuracy."""
        if self._settings.selection == "macro_f1":
            return dev.macro_f1
        if self._settings.selection == "accuracy":
            return dev.accuracy
        batch = self._batches.at(self._step - 1)
        return (figures(self.evaluation.logits(session, batch), batch.label_ids).accuracy + dev.accuracy) / 2

    # --------------------------------------------------------------------------------------- saving and stopping

    def _save_state(self, session):
        self.state_saver.save(session, self._result.state, global_step=self._step, write_meta_graph=False)
        self._last_save = time.time()

    def _on_signal(self, number, _):
        self._signal = number
        # A second signal of the kind ends the process at once; what is on disk is whole at any moment.
        signal.signal(number, signal.SIG_DFL)
        self._progress.say("stopping: the state is saved after this step ...")

    def _stop_on_signal(self, session):
        if self._signal is not None:
            self._save_state(session)
            self._progress.close()
            self._curves.close()
            raise Interrupted(f"interrupted at step {self._step}, the state is saved; the same command continues from there",
                              self._signal)
