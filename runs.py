"""The run in a result folder: what it is (run.json), whether it may be continued, how it ended."""
import os
import time

import checkpoints
from console import say
from errors import InputError
from protocol import read_outcome, saved_step
from results import read_run
from settings import as_text

# Settings that change how fast a run goes or how often it is saved, but not its outcome.
NOT_PART_OF_THE_RUN = ("eval_batch_size", "save_every_minutes", "xla", "threads")


def identity(record):
    """What makes two runs the same one: dict of "setting KEY", "corpus SPLIT", "bert FILE" -> value."""
    parts = {f"setting {key}": as_text(tuple(value) if isinstance(value, list) else value)
             for key, value in record.get("settings", {}).items() if key not in NOT_PART_OF_THE_RUN}
    for kind in ("corpus", "bert"):
        parts.update({f"{kind} {name}": digest for name, digest in record.get(kind, {}).items()})
    return parts


def differences(old, new):
    """Lines that say in what two run records differ."""
    old, new = identity(old), identity(new)
    return [f"{part} is {new.get(part, 'absent')}, was {old.get(part, 'absent')}" if part.startswith("setting")
            else f"{part} has other content" for part in sorted(set(old) | set(new)) if old.get(part) != new.get(part)]


def prepare(result, record, restart):
    """Make the result folder ready for the run that `record` describes.

    Returns
    -------
    The Outcome if this very run is finished already, else None.

    Raises
    ------
    InputError : the folder holds another run.
    """
    checkpoints.finish_saving(result.best)
    begun = saved_step(result) > 0 or read_outcome(result) is not None
    if restart and (begun or os.path.exists(result.run)):
        say(f"the earlier run is kept in {set_aside(result)}")
    elif begun:
        changed = differences(read_run(result), record)
        if changed:
            raise InputError(f"{result.root} holds another run: {'; '.join(changed)}. Give the same command as then to "
                             "continue it, --restart to begin anew (the old run is kept under a dated name), or another --result DIR.")
        return read_outcome(result)
    return None


def set_aside(result):
    """Move everything of a run into a dated folder beside it; returns that folder."""
    aside = os.path.join(result.root, time.strftime("before-%Y%m%d-%H%M%S"))
    os.makedirs(aside)
    for entry in os.listdir(result.root):
        if entry != "README.md" and not entry.startswith("before-"):
            os.rename(os.path.join(result.root, entry), os.path.join(aside, entry))
    return aside


def ending(outcome):
    """A sentence on how a run ended."""
    reasons = {"patience": "no better score for longer than the patience", "epochs": "all epochs are done",
               "max_steps": "max_steps is reached"}
    return (f"finished at step {outcome.step}: {reasons[outcome.reason]}; "
            f"best score {outcome.best_score:.4f} at step {outcome.best_step}")
