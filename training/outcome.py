"""How a training run ended, and the file that tells it."""
from typing import NamedTuple

from support.console import say
from support.errors import InputError
from support.schema import number, one_of, read_json, record


class Outcome(NamedTuple):
    """How a training run ended."""

    reason: str        # "epochs", "max_steps" or "patience"
    step: int          # the last step
    best_step: int     # the step of best_validation
    best_score: float  # its score


def nothing_else(value):
    """The schema of keys that the file does not have."""
    raise ValueError("it is no part of it")


OUTCOME = record({"reason": one_of("epochs", "max_steps", "patience"), "step": number(0, whole=True),
                  "best_step": number(0, whole=True), "best_score": number()}, nothing_else, Outcome._fields)


def one_label(predicted, what, settings, labels):
    """A line on a model that answers the same to everything, with what to try; None where it does not.

    Parameters
    ----------
    predicted : int [examples], indices into the labels.
    what : name of the examples.
    settings : settings.Settings of the run.
    labels : the labels' names.
    """
    if not len(predicted) or (predicted != predicted[0]).any():
        return None
    slower = "" if settings.optimizer == "adamw" else " or optimizer=adamw, whose rate warms up"
    return (f"note: the best model gives all {len(predicted)} {what} the label {labels[predicted[0]]}: it tells nothing apart. "
            "Mostly the rate is too high or the training too short; try --set "
            f"learning_rate={settings.learning_rate / 5:g}{slower}, or more steps, with --restart.")


def read_outcome(result):
    """The Outcome of the finished run in a result folder, or None.

    A damaged file counts as none: the run then ends once more from its last state, and writes it again.
    """
    try:
        return Outcome(**read_json(result.outcome, OUTCOME, "it is made again"))
    except FileNotFoundError:
        return None
    except InputError as error:
        say(str(error))
        return None
