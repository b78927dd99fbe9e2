"""How a training run ended, and the file that tells it."""
import json
from typing import NamedTuple

from support.console import say


class Outcome(NamedTuple):
    """How a training run ended."""

    reason: str        # "epochs", "max_steps" or "patience"
    step: int          # the last step
    best_step: int     # the step of best_validation
    best_score: float  # its score


def read_outcome(result):
    """The Outcome of the finished run in a result folder, or None.

    A damaged file counts as none: the run then ends once more from its last state, and writes it again.
    """
    try:
        with open(result.outcome, encoding="utf-8") as source:
            return Outcome(**json.load(source))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        say(f"{result.outcome}: damaged; it is made again")
        return None
