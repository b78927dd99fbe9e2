"""Checkpoint files that appear complete or not at all, and are read only if they are whole.

A TensorFlow checkpoint is several files. They are written into a folder of their own, which is renamed when they
are complete and on the disk: that is the moment the checkpoint exists.

`best_validation` has a fixed place; moving its files there can be repeated as often as it is interrupted. A state to
continue from stays in its folder, `state-STEP`, or `state-STEP-evaluated` when the evaluation due after that step is
part of it. As everything that a run does is a function of its settings and the step, a state of one name always
has the same content.
"""
import contextlib
import os
import re
import shutil
import time
from typing import NamedTuple

import numpy as np

from support.errors import InputError, not_written
from support.files import free_bytes, make_folder, open_regular, sync_files, sync_folder

# The newest state, and the one before it in case the newest turns out to be damaged.
KEPT_STATES = 2
STATE_NAME = "state"
BLOCK_BYTES = 1 << 20  # of a file that is read through


class State(NamedTuple):
    """A saved state; later ones compare greater."""

    step: int
    evaluated: bool  # whether the evaluation after that step is done
    folder: str

    @property
    def prefix(self):
        """The path prefix that TensorFlow knows the checkpoint by."""
        return os.path.join(self.folder, STATE_NAME)


# ---------------------------------------------------------------------------------------------------------- writing

def save_whole(write, prefix):
    """Replace the checkpoint `prefix` by the one that `write(new prefix)` writes.

    Raises
    ------
    InputError : it cannot be written, for example because the disk is full; the one before is untouched.
    """
    folder, name = os.path.split(prefix)
    finish_saving(prefix)
    with complete_folder(folder, name, write) as unfinished:
        os.rename(unfinished, os.path.join(folder, f".{name}.complete"))
    finish_saving(prefix)


def save_state(write, folder, step, evaluated):
    """Save a state that `write(prefix)` writes, and remove all but the newest ones; errors as `save_whole`."""
    name = f"{STATE_NAME}-{step}" + ("-evaluated" if evaluated else "")
    if os.path.isdir(os.path.join(folder, name)):
        return
    # One room is made before, so that use stays flat: never more than the kept ones.
    remove_states(states(folder)[KEPT_STATES - 1:])
    with complete_folder(folder, STATE_NAME, write) as unfinished:
        os.rename(unfinished, os.path.join(folder, name))
    sync_folder(folder)


@contextlib.contextmanager
def writing(folder):
    """Within this block TensorFlow writes into `folder`; its errors come as an InputError."""
    from network.runtime import tf
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        # Saver makes a ValueError of an error when the folder is missing.
        raise InputError(f"{folder}: cannot be written to ({reason_of(error)}); {free_bytes(folder) / 1e9:.1f} GB are free on that "
                         "disk. Make room, then give the same command again: it continues from the last state.")


@contextlib.contextmanager
def reading(prefix):
    """Within this block TensorFlow reads a checkpoint that `check` found whole; where it fails now, an InputError says why."""
    from network.runtime import tf
    try:
        yield
    except (tf.errors.NotFoundError, tf.errors.DataLossError, tf.errors.OutOfRangeError, tf.errors.PermissionDeniedError,
            tf.errors.FailedPreconditionError, tf.errors.UnknownError, ValueError) as error:
        if isinstance(error, ValueError) and "not a valid checkpoint" not in str(error):  # Saver's for one that is gone
            raise
        raise InputError(f"{prefix}.*: cannot be read ({reason_of(error)}): a file of it was altered or removed just now, or the "
                         "disk reports a fault. Give the same command again.")


def reason_of(error):
    """Why TensorFlow failed: the operating system's words, without TensorFlow's account of the graph, short and on one line."""
    lines = [line.split("[[")[0].strip() for line in str(error).split("\n")]
    # The current TensorFlow begins with the operation: "Graph execution error:", a blank line, "Detected at node ...", "Node: ...".
    nodes = [number for number, line in enumerate(lines) if line.startswith("Node: ")]
    if lines[0] == "Graph execution error:" and nodes:
        lines = lines[nodes[-1] + 1:]
    return next(filter(None, lines), type(error).__name__)[:200]


@contextlib.contextmanager
def complete_folder(folder, name, write):
    """Give a folder that holds the complete checkpoint `name`, on the disk, to be renamed; removed after an error."""
    unfinished = os.path.join(folder, f".{name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder(unfinished)
    try:
        with writing(folder):
            write(os.path.join(unfinished, name))
        sync_files(unfinished)
        yield unfinished
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, OSError):
            raise not_written(os.path.join(folder, name), error) or error
        raise


def finish_saving(prefix):
    """Move a complete new checkpoint to its place, where an earlier process was cut off before it had done so."""
    folder, name = os.path.split(prefix)
    complete = os.path.join(folder, f".{name}.complete")
    if not os.path.isdir(complete):
        return
    # Another process may be at the same work; what it has moved is no longer there.
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(os.listdir(complete)):
            with contextlib.suppress(FileNotFoundError):
                os.replace(os.path.join(complete, entry), os.path.join(folder, entry))
        sync_folder(folder)
        os.rmdir(complete)


def remove_unfinished(folder):
    """Remove what killed processes left of checkpoints they were writing. Only for who holds the run's lock."""
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if re.match(r"\..*\.(unfinished|removed)\Z", name):
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def remove_states(unwanted):
    """Remove states, each as a whole: a half-removed one would pass for damaged. InputError where that may not be."""
    for state in unwanted:
        folder, name = os.path.split(state.folder)
        removed = os.path.join(folder, f".{name}.removed")
        try:
            os.rename(state.folder, removed)
        except OSError as error:
            raise not_written(state.folder, error) or InputError(
                f"{state.folder}: cannot be removed ({error.strerror}). Remove it, then give the same command again.")
        shutil.rmtree(removed, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------------- reading

def exists(prefix):
    """Whether there is a checkpoint under this path prefix."""
    try:
        finish_saving(prefix)
    except PermissionError:
        pass  # a reader without the right to write sees what is in place
    return os.path.isfile(prefix + ".index")


def states(folder):
    """The saved states in a folder, the newest first: list of State."""
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        match = re.match(STATE_NAME + r"-(\d+)(-evaluated)?\Z", name)
        if match:
            found.append(State(int(match.group(1)), bool(match.group(2)), os.path.join(folder, name)))
    return sorted(found, reverse=True)


def check(prefix):
    """Read a checkpoint through, so that TensorFlow compares every checksum.

    Raises
    ------
    InputError : a file is missing, cut off or altered.
    """
    for attempt in range(3):
        before = files_of(prefix)
        reason = fault(prefix)
        if reason is None:
            return
        # A training that goes on may have replaced it under our eyes: then the new one counts.
        exists(prefix)
        if before == files_of(prefix):
            break
        time.sleep(0.2)
    if reason.startswith(NOT_FINITE):
        raise InputError(f"{prefix}.*: {reason}: the model has gone wrong. Train anew with a lower --set learning_rate (`train "
                         "--restart` keeps the old run under a dated name), or name another run with --result DIR.")
    raise InputError(f"{prefix}.*: the checkpoint is damaged ({reason}): a file of it is cut off, altered or missing. Put "
                     "back a whole copy, or train anew (`train --restart` keeps the old run under a dated name).")


NOT_FINITE = "it holds numbers that are not finite"


def fault(prefix):
    """Why a checkpoint cannot be used, in a few words, or None if all of it can."""
    from network.runtime import CHECKPOINT_ERRORS, tf
    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            if not is_finite(reader.get_tensor(name)):
                return f"{NOT_FINITE} (NaN or infinity), in {name}"
    except CHECKPOINT_ERRORS as error:
        return type(error).__name__
    return None


def is_finite(array):
    """Whether an array of numbers holds neither NaN nor infinity; of another type, it holds none."""
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


def check_finite(logits, prefix):
    """The logits of a model, float [examples, labels]; InputError that names the checkpoint where any is NaN or infinite."""
    if not np.isfinite(logits).all():
        raise InputError(f"{prefix}.*: the model's answers are not finite numbers (NaN or infinity): its weights have gone wrong, "
                         "though each of them is a number. Train anew with a lower --set learning_rate (`train --restart` keeps "
                         "the old run under a dated name), or name another run with --result DIR.")
    return logits


def files_of(prefix):
    """What tells one generation of a checkpoint from the next: names, file numbers, times and sizes."""
    folder, name = os.path.split(prefix)
    found = []
    for entry in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
        if entry.startswith(name + "."):
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(os.path.join(folder, entry))
                found.append((entry, status.st_ino, status.st_mtime, status.st_size))
    return found


# Faults of the machine, not of what is on the disk.
NO_DAMAGE = ("MemoryError", "ResourceExhaustedError")


def newest_good_state(folder, tell):
    """The newest State that is whole, or None; damaged ones are named and removed.

    Parameters
    ----------
    folder : where the states are.
    tell : called with a line of text about each damaged one.

    Raises
    ------
    InputError : a state cannot be read, so that nobody knows whether it is damaged; or a damaged one cannot be removed.
    """
    for state in states(folder):
        check_readable(state)
        reason = fault(state.prefix)
        if reason is None:
            return state
        if reason in NO_DAMAGE:
            raise unreadable(state, state.folder, reason, "Free some memory")
        remove_states([state])
        rest = ("training continues from the one before it" if states(folder) else
                "no other is left, so training begins anew")
        tell(f"{state.folder}: this state is damaged ({reason}); it is removed, and {rest}")
    return None


def check_readable(state):
    """Read a state's files through; InputError where the system does not give their bytes, whatever these are."""
    path = state.folder
    try:
        for name in sorted(os.listdir(state.folder)):
            path = os.path.join(state.folder, name)
            with open_regular(path) as source:
                while source.read(BLOCK_BYTES):
                    pass
    except OSError as error:
        raise unreadable(state, path, error.strerror, "Make it readable")


def unreadable(state, path, reason, remedy):
    """The InputError for a State of which a path cannot be read."""
    return InputError(f"{path}: cannot be read ({reason}); training would continue from {state.folder}, and nothing was removed. "
                      f"{remedy}, then give the same command again; or move that folder away, and training continues from the "
                      "state before, if there is one.")
