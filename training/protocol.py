"""Upstream's training protocol as a hook: evaluate every so many steps, keep the best model, end by patience.

What is saved: `best_validation`, under exactly upstream's variable names, whenever the score improves; and the state
(every variable, the best score and step among them) every few minutes and at the end, from which a run continues. A
state saved during an evaluation is joined by the dev logits computed so far.
"""
import contextlib
import math
import time
from typing import NamedTuple

import numpy as np

import text_model
from evaluation import metrics, plots
from inputs import batching
from inputs.features import evaluated_rows
from network.runtime import tf
from support import files, interrupts
from support.arrays import read_arrays, write_arrays
from support.console import Progress, say
from support.errors import InputError, Interrupted
from training import checkpoints
from training.curves import CurvesWriter
from training.outcome import Outcome, advice_against_overflow, one_label

NEVER = -1.0  # the best score before there is one
UNKNOWN = -1.0  # the accuracy of a batch that no training step has reported
BATCH_ACCURACY = "selection/batch_accuracy"


class DevMetrics(NamedTuple):
    """How a model does on a set of examples."""

    loss: float
    accuracy: float
    macro_f1: float  # over the labels that occur, gold or predicted


def dev_metrics(logits, label_ids):
    """DevMetrics of logits [examples, labels] against label ids [examples]."""
    loss = -text_model.log_probabilities(logits)[np.arange(len(label_ids)), label_ids].mean()
    predicted = logits.argmax(axis=1)
    macro_f1 = metrics.macro_f1(metrics.confusion(label_ids, predicted, logits.shape[1]))
    return DevMetrics(float(loss), float((predicted == label_ids).mean()), float(macro_f1))


def write_partial(path, step, logits):
    """Keep the dev logits that an evaluation has so far.

    Parameters
    ----------
    path : paths.ResultFolder.evaluation
    step : the step after which is evaluated.
    logits : float32 [examples so far, labels]
    """
    write_arrays(path, {"step": step, "logits": logits})


def read_partial(path, step):
    """The dev logits that a cut-off evaluation after `step` had, float32 [examples so far, labels], or None."""
    stored = read_arrays(path, "the evaluation begins anew")
    return stored["logits"] if stored is not None and int(stored["step"]) == step else None


class TrainingProtocol(tf.train.SessionRunHook):
    """Runs the protocol around each training step of the Estimator's loop.

    When `model_fn` has built the graph it sets `training_tensors` (dict of scalars), `evaluation` (see
    estimator.EvaluationGraph), `best_saver` and `state_saver`, and calls `create_state`. The training runs within `held`, a
    contextlib.ExitStack: at its end signals interrupt again.

    Parameters
    ----------
    batches : batching.Batches
    dev : the Features of a view, of the dev examples.
    labels : names of the labels, in the order of their ids.
    settings : settings.Settings
    result : paths.ResultFolder
    state : checkpoints.State to continue from, or None to begin.
    machines : machines.Machines where this machine is the chief of several; `spread` and `agreement` are then set, too (see
        devices).
    """

    def __init__(self, batches, dev, labels, settings, result, state, machines=None):
        self._batches, self._dev, self._labels, self._settings, self._result = batches, dev, labels, settings, result
        computed, self._where = evaluated_rows(dev, settings)
        self._dev_batches = batching.EvaluationBatches(computed, settings)
        self._state = state
        self.continues = state is not None
        self._machines = machines
        self.held = contextlib.ExitStack()
        self._one_label = None  # what is told of the best model at the end, where this process has evaluated it
        self.spread = self.agreement = self.outcome = None

    def create_state(self):
        """Add the protocol's own variables to the graph, the last ones in it, so that every saved state holds them."""
        self._variables = selection_variables()
        self._values = {name: tf.placeholder(variable.dtype.base_dtype, []) for name, variable in self._variables.items()}
        self._assign = [self._variables[name].assign(self._values[name]) for name in self._variables]
        # States of earlier versions do not hold the batch's accuracy.
        lacking = self.continues and not tf.train.load_checkpoint(self._state.prefix).has_tensor(BATCH_ACCURACY)
        self._restorer = lacking and tf.train.Saver([variable for variable in tf.global_variables()
                                                     if variable.op.name != BATCH_ACCURACY])
        self._set_unknown = self._variables["batch_accuracy"].assign(tf.constant(UNKNOWN, tf.float64)) if lacking else []

    def restore(self, session):
        """Set every variable from the state to continue from, on all machines."""
        with checkpoints.reading(self._state.prefix):
            (self._restorer or self.state_saver).restore(session, self._state.prefix)
        session.run(self._set_unknown)
        if self.spread is not None:
            session.run(self.spread)

    # ------------------------------------------------------------------------------------ the Estimator's calls

    def after_create_session(self, session, coord):
        if self._state is not None and session.run(self._variables["best_score"]) > NEVER:
            checkpoints.check(self._result.best)
        interrupts.raise_pending()
        # From here on a signal is looked at where the state can be saved: between two steps or evaluation batches.
        self.held.enter_context(interrupts.held_back("stopping: the state is saved after this step ..."))
        self._step = int(session.run(tf.train.get_global_step(session.graph)))
        state = session.run(self._variables)
        self._best_score, self._best_step = float(state["best_score"]), int(state["best_step"])
        self._evaluated_step, self._batch_accuracy = int(state["evaluated_step"]), float(state["batch_accuracy"])
        self._last_save = self._last_step = time.time()
        missed = bool(self._step) and self._is_due() and self._evaluated_step < self._step
        self._curves = CurvesWriter(self._result.tensorboard,
                                    {"training": self._step + 1, "validation": self._step + (0 if missed else 1)})
        self._progress = Progress("training", self._batches.total, self._step, examples=self._settings.batch_size)
        if missed:
            # The run was cut off during the evaluation after this step.
            self._evaluate(session)
        if self._agreed(session)[0]:
            coord.request_stop()

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(self.training_tensors)

    def after_run(self, run_context, run_values):
        self._step += 1
        results = {name: float(value) for name, value in run_values.results.items()}
        self._refuse_non_finite(results)
        self._batch_accuracy = results["accuracy"]
        now = time.time()
        speed = self._settings.batch_size / max(now - self._last_step, 1e-9)
        self._curves.add("training", self._step, dict(results, examples_per_second=speed))
        self._progress.update(self._step, loss=results["loss"], accuracy=results["accuracy"])
        session = run_context.session
        if self._is_due():
            self._evaluate(session)
        ends, signal_number = self._agreed(session)
        if ends:
            run_context.request_stop()
        elif self._save_is_due():
            self._save_state(session)
        self._stop_on_signal(session, signal_number)
        self._last_step = time.time()

    def end(self, session):
        self._save_state(session)
        self._curves.close()
        self._progress.close()
        if self._one_label:
            say(self._one_label)
        self.outcome = Outcome(self._end_reason(), self._step, self._best_step, self._best_score)
        files.write_atomically(self._result.outcome, files.to_json(self.outcome._asdict()))

    # ------------------------------------------------------------------------------------------------- the rules

    def _is_due(self):
        """Whether the dev set is evaluated after this step: every `evaluate_every` steps or every epoch, and after the last."""
        return self._step % (self._settings.evaluate_every or self._batches.per_epoch) == 0 or self._step >= self._batches.total

    def _end_reason(self):
        """Why the run is over, or None while it is not."""
        patience = self._settings.patience or self._batches.total
        if self._best_score > NEVER and self._step - self._best_step > patience:
            return "patience"
        if self._step >= self._batches.total:
            return "max_steps" if self._step == self._settings.max_steps else "epochs"
        return None

    def _agreed(self, session):
        """Whether the run ends here, and the number of a signal that interrupts it or None: on all machines alike."""
        ends, signal_number = self._end_reason() is not None, interrupts.pending()
        if self.agreement is None:
            return ends, signal_number
        return agree(self.agreement, session, self._machines, ends, signal_number)

    def _evaluate(self, session):
        """Evaluate on the dev set, and keep the model if its score is the best so far."""
        logits = self._dev_logits(session)
        self._refuse_non_finite({"largest_dev_logit": np.abs(logits).max()})
        dev = dev_metrics(logits, self._dev.label_ids)
        score = self._score(session, dev)
        improved = score > self._best_score
        self._evaluated_step = self._step
        if improved:
            self._best_score, self._best_step = score, self._step
            self._one_label = one_label(logits.argmax(axis=1), "dev examples", self._settings, self._labels)
            checkpoints.save_whole(lambda prefix: self._write(self.best_saver, session, prefix), self._result.best)
        self._curves.add("validation", self._step, dict(dev._asdict(), score=score))
        confusion = metrics.confusion(self._dev.label_ids, logits.argmax(axis=1), len(self._labels))
        self._curves.add_image("validation", self._step, "confusion_matrix", plots.confusion(self._labels, confusion))
        self._curves.flush()
        self._progress.say(f"step {self._step}: dev loss {dev.loss:.4f}, accuracy {dev.accuracy:.4f}, "
                           f"macro-F1 {dev.macro_f1:.4f}, score {score:.4f}"
                           + (" (best so far, saved)" if improved else
                              f" (best {self._best_score:.4f} at step {self._best_step})"))

    def _dev_logits(self, session):
        """Logits of all dev examples: float32 [examples, labels]."""
        batches, total = self._dev_batches, len(self._dev_batches.rows)
        kept = read_partial(self._result.evaluation, self._step)
        logits = [] if kept is None else [kept]
        first = int(np.searchsorted(batches.ends, sum(map(len, logits)), side="right"))
        # Of other batches than today's, where eval_batch_size was another one, the last may be done in part.
        done = int(batches.ends[first - 1]) if first else 0
        logits = [rows[:done] for rows in logits]
        progress = Progress("evaluating", total, done, unit="example", keep=False)
        for number in range(first, len(batches)):
            logits.append(self.evaluation.logits(session, batches.at(number), self._step, number))
            progress.update(batches.ends[number])
            if self._save_is_due() or interrupts.pending() is not None:
                self._save_state(session)
                write_partial(self._result.evaluation, self._step, np.concatenate(logits))
            self._stop_on_signal(session, interrupts.pending())
        progress.close()
        return batching.in_order(np.concatenate(logits), batches.rows)[self._where]

    def _score(self, session, dev):
        """What the best model is chosen by.

        upstream: the mean of the dev accuracy and of the accuracy that the training step reported, which is that of its batch
        before the update and with dropout.
        """
        if self._settings.selection == "macro_f1":
            return dev.macro_f1
        if self._settings.selection == "accuracy":
            return dev.accuracy
        if self._batch_accuracy == UNKNOWN:
            # An earlier version, which cut this evaluation off, chose by the batch evaluated again.
            batch = self._batches.at(self._step - 1)
            self._batch_accuracy = dev_metrics(self.evaluation.logits(session, batch), batch.label_ids).accuracy
        return (self._batch_accuracy + dev.accuracy) / 2

    # --------------------------------------------------------------------------------------- saving and stopping

    def _save_is_due(self):
        return time.time() - self._last_save >= 60 * self._settings.save_every_minutes

    def _save_state(self, session):
        # The curves first: a continued run adds to them from its state on.
        self._curves.flush()
        session.run(self._assign, {self._values["best_score"]: self._best_score,
                                   self._values["best_step"]: self._best_step,
                                   self._values["evaluated_step"]: self._evaluated_step,
                                   self._values["batch_accuracy"]: self._batch_accuracy})
        checkpoints.save_state(lambda prefix: self._write(self.state_saver, session, prefix), self._result.checkpoints, self._step,
                               self._evaluated_step == self._step)
        self._last_save = time.time()

    def _write(self, saver, session, prefix):
        """Write a checkpoint, and read it again: nothing is kept that could not be used."""
        saver.save(session, prefix, write_meta_graph=False, write_state=False)
        reason = checkpoints.fault(prefix)
        if reason is not None:
            self._refuse_non_finite({"largest_weight": math.nan} if reason.startswith(checkpoints.NOT_FINITE) else {})
            raise InputError(f"{self._result.checkpoints}: what was written there reads back damaged ({reason}); the disk may be "
                             "faulty. The state before is kept: give the same command again, or use another disk.")

    def _refuse_non_finite(self, results):
        """End training where one of some numbers, by their names, is none; the weights are not either then, or soon."""
        wrong = next((name for name in results if not math.isfinite(results[name])), None)
        if wrong is None:
            return
        self._progress.close()
        self._curves.close()
        best = (f"The best model, of step {self._best_step} (score {self._best_score:.4f}), is kept in {self._result.best}.*"
                if self._best_score > NEVER else "There is no model to keep yet")
        raise InputError(
            f"training stopped: at step {self._step} the {wrong.replace('_', ' ')} is {results[wrong]}, not a finite number. "
            f"{best}. {advice_against_overflow(self._settings)}")

    def _stop_on_signal(self, session, signal_number):
        if signal_number is not None:
            self._save_state(session)
            self._progress.close()
            self._curves.close()
            raise interrupted(self._step, signal_number)


class StartingPoint(TrainingProtocol):
    """Saves the state before the first step and ends: with what one device would begin, several then begin."""

    def after_create_session(self, session, coord):
        checkpoints.save_state(
            lambda prefix: self.state_saver.save(session, prefix, write_meta_graph=False, write_state=False),
            self._result.checkpoints, 0, False)
        coord.request_stop()

    def end(self, session):
        pass


class FollowingProtocol(tf.train.SessionRunHook):
    """What a machine that is not the chief does around each step: nothing but end when all do.

    While the chief evaluates and saves it waits in `agree`. `estimator.part_model_fn` uses it as it does TrainingProtocol.
    """

    def __init__(self, step, machines):
        self._step, self._machines = step, machines
        self.held = contextlib.ExitStack()

    def create_state(self):
        """Add the variables that the chief's graph has."""
        selection_variables()

    def restore(self, session):
        """Set every variable from the chief."""
        session.run(self.spread)

    def after_create_session(self, session, coord):
        self.held.enter_context(interrupts.held_back("stopping: the chief saves the state after this step ..."))
        if agree(self.agreement, session, self._machines, False, None)[0]:
            coord.request_stop()

    def after_run(self, run_context, run_values):
        self._step += 1
        ends, signal_number = agree(self.agreement, run_context.session, self._machines, False, interrupts.pending())
        if ends:
            run_context.request_stop()
        elif signal_number is not None:
            raise interrupted(self._step, signal_number, "the chief saves its state")


def selection_variables():
    """Create the variables of a state that are the protocol's: dict of name -> variable."""
    return {name: tf.get_variable(f"selection/{name}", [], dtype, tf.constant_initializer(value), trainable=False)
            for name, dtype, value in (("best_score", tf.float64, NEVER), ("best_step", tf.int32, 0),
                                       ("evaluated_step", tf.int32, 0), ("batch_accuracy", tf.float64, UNKNOWN))}


def agree(agreement, session, machines, ends, signal_number):
    """What all machines say about going on: (whether the run ends, the number of a signal that interrupts it or None)."""
    ends, signal_number = agreement.reached(session, ends, signal_number)
    machines.all_know = ends or signal_number is not None
    return ends, signal_number


def interrupted(step, signal_number, state="the state is saved"):
    """The exception that ends a training after a signal; `state` says whose state there is to continue from."""
    return Interrupted(f"interrupted at step {step}, {state}; the same command continues from there", signal_number)
