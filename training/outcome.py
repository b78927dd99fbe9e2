"""How a training run ended, and the file that tells it."""
from typing import NamedTuple

from settings import RANGES
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
    return (f"note: the best model gives all {len(predicted)} {what} the label {labels[predicted[0]]}: it tells nothing apart. "
            "Mostly the rate is too high or the training too short. Try "
            f"{' or '.join(smaller_steps(settings, 'learning_rate') + ['more steps'])}, with --restart.")


def advice_against_overflow(settings):
    """What to try where a training's numbers have ceased to be finite."""
    tries = smaller_steps(settings, "learning_rate", "clip")
    advice = f"Try {' or '.join(tries)}, with --restart; if nothing helps, " if tries else ""
    return advice + "check that the BERT's weights are whole."


def smaller_steps(settings, *lowered):
    """`--set` options, as text, with which a training takes smaller steps; none that is set already or would be refused.

    lowered : names of the settings that may be lowered.
    """
    fifths = [(name, getattr(settings, name) / 5) for name in lowered]
    tries = [f"--set {name}={value:g}" for name, value in fifths if value and value >= RANGES[name][0]]
    return tries + ([] if settings.optimizer == "adamw" else ["--set optimizer=adamw (its rate warms up)"])


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
