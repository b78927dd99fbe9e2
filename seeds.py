"""Several runs that differ in the seed alone: mean and spread of their scores."""
import json
import os

import numpy as np

from errors import InputError
from files import write_atomically
from scoring import format_table


def summary(of_seeds):
    """Mean and spread of each score.

    Parameters
    ----------
    of_seeds : list of {score: float}, one for each seed, all with the same scores.

    Returns
    -------
    dict
        {score: {"mean", "sd", "min", "max", "values"}}; "sd" is the sample standard deviation, None for a
        single seed.
    """
    result = {}
    for name in of_seeds[0]:
        values = [float(scores[name]) for scores in of_seeds]
        result[name] = {
            "mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "min": min(values), "max": max(values), "values": values
        }
    return result


def write_summary(result, command, of_seeds):
    """Put the summary of `train` or `test` into seeds.json, beside that of the other; returns the summary.

    Parameters
    ----------
    result : paths.ResultFolder that holds those of the seeds.
    command : "train" or "test".
    of_seeds : list of {score: float}, of seeds 0, 1, ...
    """
    content = _read(result.seeds)
    scores = summary(of_seeds)
    content[command] = {"seeds": list(range(len(of_seeds))), "scores": scores}
    write_atomically(result.seeds, json.dumps(content, indent=1) + "\n")
    return scores


def _read(path):
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as source:
            content = json.load(source)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged (not a JSON object); move it away.")
    return content


def format_summary(scores):
    """A summary as a table for a terminal."""
    rows = [[
        name, f"{of['mean']:.4f}", "-" if of["sd"] is None else f"{of['sd']:.4f}", f"{of['min']:.4f}",
        f"{of['max']:.4f}"
    ] for name, of in scores.items()]
    return format_table(["", "mean", "standard deviation", "lowest", "highest"], rows)
