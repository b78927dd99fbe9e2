"""What a run leaves in the result folder: predictions.tsv, scores.json, scores.txt, run.json. No text of any note."""
import json
import time

import numpy as np

import scoring
from evaluation import predictions
from inputs.labels import LABELS, MERGED_LABELS, merge
from settings import RANGES, Settings
from support import files
from support.errors import InputError
from support.schema import either, flag, listed, mapped, number, read_json, record, shown, text


def predictions_tsv(examples, log_probabilities, predicted=None):
    """Text of predictions.tsv: a header, then one row per example, in order.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example.
    log_probabilities : float [examples, 8], from text_model.log_probabilities.
    predicted : int [examples], the answers where they are not simply the most probable labels; there is a last column
        `confidence` then, the probability of the answer.
    """
    columns = predictions.COLUMNS if predicted is None else predictions.COLUMNS + ("confidence",)
    answers = log_probabilities.argmax(axis=1) if predicted is None else predicted
    lines = ["\t".join(columns)]
    for example, row, answer in zip(examples, np.exp(log_probabilities), answers):
        cells = (example.document, example.tlink, example.from_id, example.to_id, example.label, LABELS[answer])
        numbers = row if predicted is None else [*row, row[answer]]
        # Nine significant digits give a float32 back exactly.
        lines.append("\t".join(cells + tuple(f"{probability:.9g}" for probability in numbers)))
    return "\n".join(lines) + "\n"


def score(examples, log_probabilities):
    """The content of scores.json for predictions on `examples`; parameters as `predictions_tsv`."""
    predicted = [LABELS[number] for number in log_probabilities.argmax(axis=1)]
    records = [scoring.Prediction(example.document, example.tlink, example.from_id, example.to_id, example.label, label)
               for example, label in zip(examples, predicted)]
    gold = np.array([LABELS.index(example.label) for example in examples])
    loss = -log_probabilities[np.arange(len(gold)), gold].mean()
    # The probability of a merged label is the sum over the labels merged into it.
    groups = np.array([[merge(label) == merged for label in LABELS] for merged in MERGED_LABELS])
    merged = np.exp(log_probabilities).dot(groups.T)
    merged_gold = np.array([MERGED_LABELS.index(merge(example.label)) for example in examples])
    merged_loss = -np.log(merged[np.arange(len(gold)), merged_gold]).mean()
    return scoring.scores(records, float(loss), float(merged_loss))


def write_results(result, examples, log_probabilities):
    """Write predictions and scores into a paths.ResultFolder; returns what scores.json and scores.txt hold."""
    scores = score(examples, log_probabilities)
    text = scoring.format_scores(scores)
    files.write_atomically(result.predictions, predictions_tsv(examples, log_probabilities))
    files.write_atomically(result.scores_json, json.dumps(scores, indent=1) + "\n")
    files.write_atomically(result.scores_txt, text)
    return scores, text


def setting_schema(key, default):
    """What run.json may hold as a setting: what `--set` takes, as JSON."""
    if isinstance(default, bool):
        return flag
    if isinstance(default, str):
        return either(text, flag)  # a word, one of which was true or false in earlier versions
    low, high = RANGES[key]
    if isinstance(default, tuple):
        return listed(number(low, high, whole=True))
    return number(low, high, whole=isinstance(default, int))


# Settings of earlier versions have values of these kinds.
SETTINGS = record({key: setting_schema(key, default) for key, default in Settings()._asdict().items()},
                  either(text, flag, number(), listed(number())))


def file_name(value):
    """The name of a file in a folder that is known; anything that leads elsewhere is refused."""
    text(value)
    if value in ("", ".", "..") or any(character in value for character in "/\\\0"):
        raise ValueError(f"{shown(value)} is not a file name")


TEXTS, VERSIONS = mapped(text), mapped(either(text, number(0)))
RUN = record({
    "recipe": text, "settings": SETTINGS, "corpus": TEXTS, "bert": TEXTS, "model": TEXTS, "versions": VERSIONS,
    "train": record({"started": text, "ended": text, "seconds": number(0), "reason": text, "step": number(0, whole=True),
                     "best_step": number(0, whole=True), "best_score": number()}),
    "test": record({"recipe": text, "settings": SETTINGS, "ended": text, "seconds": number(0), "predict_seconds": number(0),
                    "corpus": TEXTS, "bert": TEXTS, "versions": VERSIONS, "remarks": listed(text),
                    "files": mapped(listed(file_name))})})


ENDING = {"reason", "step", "best_step", "best_score"}  # told together, once a training has ended


def read_run(result):
    """The content of run.json, {} without one; InputError where it is damaged."""
    remedy = "put back a whole copy, use `train --restart`, or another --result"
    try:
        content = read_json(result.run, RUN, remedy)
    except FileNotFoundError:
        return {}
    for part in (content, content.get("test", {})):
        if "settings" in part and "recipe" not in part:
            raise InputError(f"{result.run}: damaged (it has settings and no recipe); {remedy}.")
    if 0 < len(ENDING.intersection(content.get("train", {}))) < len(ENDING):
        raise InputError(f"{result.run}: damaged (of {', '.join(sorted(ENDING))} it has some); {remedy}.")
    return content


def as_tested(record):
    """The content of run.json with the recipe and the settings that the test used, where it says so."""
    test = record.get("test", {})
    return dict(record, **{name: test[name] for name in ("recipe", "settings") if name in test})


def write_run(result, record):
    """Write run.json."""
    files.write_atomically(result.run, json.dumps(record, indent=1) + "\n")


def now():
    """The time, UTC, for run.json."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
