"""Several runs that differ in the seed alone: mean and spread of their scores, and the scores of all models together."""

import numpy as np

from evaluation import bootstrap
from evaluation.results import locked
from scoring import format_table
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
    """
    probabilities = np.mean([of.probabilities for of in of_seeds], axis=0)
    ensemble = of_seeds[0]._replace(predicted=probabilities.argmax(axis=1), probabilities=probabilities)
    return {key: float(value) for key, value in bootstrap.scores(bootstrap.total(ensemble.counts())).items()}


def write_summary(result, command, of_seeds, of_ensemble=None):
    """Put the summary of `train` or `test` into seeds.json, beside that of the other; returns the summary.

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
        content[command] = {"seeds": list(range(len(of_seeds))), "scores": scores}
        write_atomically(result.seeds, to_json(content))
    return scores


OF_SEEDS = record({"seeds": listed(number(0, whole=True)), "scores": mapped(record({"values": listed(number())},
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
