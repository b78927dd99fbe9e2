"""What a run leaves in the result folder: predictions.tsv, scores.json, scores.txt, run.json. No text of any note."""
import contextlib
import time

import numpy as np

from evaluation.predictions import Predictions
from settings import RANGES, Settings
from support import files, locks
from support.errors import InputError
from support.schema import either, flag, listed, mapped, number, read_json, record, shown, text

LONGEST_CHANGE = 120.0  # seconds that writing results takes at most, on a slow disk


def predictions_tsv(examples, log_probabilities, predicted=None, kind=Predictions, public=False):
    """Text of predictions.tsv: a header, then one row per example, in order.

    Parameters
    ----------
    examples : list of data_process_i2b2.Example, or of what the kind of table is of.
    log_probabilities : float [examples, labels], from text_model.log_probabilities.
    predicted : int [examples], the answers where they are not simply the most probable labels; there is a last column
        `confidence` then, the probability of the answer.
    kind : a kind of predictions.Table.
    public : replace ids that may be words of a note.
    """
    columns = kind.columns() if predicted is None else kind.columns() + ("confidence",)
    answers = log_probabilities.argmax(axis=1) if predicted is None else predicted
    lines = ["\t".join(columns)]
    for example, row, answer in zip(examples, np.exp(log_probabilities), answers):
        ids = tuple(getattr(example, column) for column in kind.ID_COLUMNS)
        cells = (kind.public_ids(ids) if public else ids) + (example.label, kind.LABELS[answer])
        numbers = row if predicted is None else [*row, row[answer]]
        # Nine significant digits give a float32 back exactly.
        lines.append("\t".join(cells + tuple(f"{probability:.9g}" for probability in numbers)))
    return "\n".join(lines) + "\n"


def write_results(result, rows, scores, text):
    """Write what `test` finds out into a paths.ResultFolder.

    rows, scores, text : what predictions.tsv, scores.json (as a dict) and scores.txt hold.
    """
    files.write_atomically(result.predictions, rows)
    files.write_atomically(result.scores_json, files.to_json(scores))
    files.write_atomically(result.scores_txt, text)


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


MOST = 2 ** 31 - 1  # of what is counted
TEXTS, VERSIONS, COUNTS = mapped(text), mapped(either(text, number(0))), mapped(number(0, MOST, whole=True))
RUN = record({
    "task": file_name, "recipe": text, "settings": SETTINGS, "corpus": TEXTS, "bert": TEXTS, "model": TEXTS, "versions": VERSIONS,
    "trained_on": record({"labels": COUNTS, "documents": TEXTS}), "profile": mapped(COUNTS),
    "train": record({"started": text, "ended": text, "seconds": number(0), "reason": text, "step": number(0, whole=True),
                     "best_step": number(0, whole=True), "best_score": number()}),
    "test": record({"recipe": text, "settings": SETTINGS, "ended": text, "seconds": number(0), "predict_seconds": number(0),
                    "corpus": TEXTS, "bert": TEXTS, "versions": VERSIONS, "remarks": listed(text),
                    "profile": COUNTS, "files": mapped(listed(file_name))})})


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


def files_of_test(record):
    """The names of the files that the test in a run record wrote into folders of its own: {folder's name: list of str}."""
    told = record.get("test", {}).get("files", {})
    return {folder: [name for name in names if isinstance(name, str)]
            for folder, names in (told.items() if isinstance(told, dict) else ()) if isinstance(names, list)}


@contextlib.contextmanager
def changing(result):
    """Give the content of run.json, {} without one, and write it back when the block ends well.

    Within the block no other process changes run.json, seeds.json or what belongs to them. Blocks do not go into each other.

    Raises
    ------
    InputError : run.json is damaged, or another process keeps it locked.
    """
    with locked(result):
        record = read_run(result)
        yield record
        files.write_atomically(result.run, files.to_json(record))


@contextlib.contextmanager
def locked(result):
    """Within this block no other process changes run.json or seeds.json."""
    files.make_folder(result.root)
    with locks.held(result.record_lock, LONGEST_CHANGE):
        yield


def now():
    """The time, UTC, for run.json."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
