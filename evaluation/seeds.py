"""Several runs that differ in the seed alone: mean and spread of their scores, and the scores of all models together."""

import numpy as np

from evaluation import bootstrap
from evaluation.results import locked, read_run
from scoring import format_table
from settings import RANGES
from support.errors import InputError
from support.files import to_json, write_atomically
from support.schema import either, listed, mapped, number, one_of, read_json, record


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


def together(of_seeds):
    """Scores of the models of all seeds as an ensemble: each example gets the label of the highest mean probability.

    Parameters
    ----------
    of_seeds : list of predictions.Table of the same examples, one for each seed.

    Returns
    -------
    {bootstrap.Score.key: float}

    Raises
    ------
    InputError : the examples or their gold labels are not the same.
    """
    first = of_seeds[0]
    of_seeds = [first] + [of.in_order(first.keys(), f"the table of seed {seed}", "that of seed 0")
                          for seed, of in enumerate(of_seeds[1:], 1)]
    for seed, of in enumerate(of_seeds):
        if (of.gold != first.gold).any():
            raise InputError(f"the table of seed {seed} has other gold labels than that of seed 0: they were tested on other test "
                             "documents, or one was changed meanwhile. Test all seeds again with the same corpus and settings.")
    probabilities = np.mean([of.probabilities for of in of_seeds], axis=0)
    ensemble = first._replace(predicted=probabilities.argmax(axis=1), probabilities=probabilities)
    return {key: float(value) for key, value in bootstrap.scores(bootstrap.total(ensemble.counts())).items()}


def write_summary(result, command, of_seeds, of_ensemble=None):
    """Put the summary of `train` or `test` into seeds.json, beside that of the other; returns the summary.

    That of `test` is dropped by one of `train` where the models that were tested are gone, as after `train --restart`.

    Parameters
    ----------
    result : paths.ResultFolder that holds those of the seeds.
    command : "train" or "test".
    of_seeds : list of {score: float}, of seeds 0, 1, ...
    of_ensemble : {score: float} from `together`, or None; the summary has it as "together".
    """
    scores = summary(of_seeds)
    for name, value in (of_ensemble or {}).items():
        scores[name]["together"] = value
    with locked(result):
        content = _read(result.seeds)
        if command == "train" and not _all_tested(result, content.get("test", {}).get("seeds")):
            content.pop("test", None)
        content[command] = {"seeds": list(range(len(of_seeds))), "scores": scores}
        write_atomically(result.seeds, to_json(content))
    return scores


def _all_tested(result, of_seeds):
    """Whether the runs of these seeds, a list of int or None, still tell of a test."""
    return bool(of_seeds) and all("test" in read_run(result.of_seed(seed)) for seed in of_seeds)


OF_SEEDS = record({"seeds": listed(number(*RANGES["seed"], whole=True)), "scores": mapped(record({"values": listed(number())},
                                                                                 either(number(), one_of(None))))})
SEEDS = record({"train": OF_SEEDS, "test": OF_SEEDS})


def _read(path):
    try:
        return read_json(path, SEEDS, "move it away")
    except FileNotFoundError:
        return {}


def format_summary(scores):
    """A summary as a table for a terminal."""
    columns = {"mean": "mean", "sd": "standard deviation", "min": "lowest", "max": "highest", "together": "all models together"}
    shown = [key for key in columns if all(key in of for of in scores.values())]
    rows = [[name] + ["-" if of[key] is None else f"{of[key]:.4f}" for key in shown] for name, of in scores.items()]
    return format_table([""] + [columns[key] for key in shown], rows)
