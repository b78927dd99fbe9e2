"""BERTs as TensorFlow checkpoints: which one of a folder is meant, and its variables."""
import contextlib
import os
import re

import numpy as np

from support.errors import InputError

GOOGLES = "bert_model.ckpt"  # the name in Google's releases


def checkpoint_files(prefix):
    """The files of a checkpoint, the index first; an empty list where one of the two kinds is missing."""
    folder, name = os.path.split(prefix)
    entries = os.listdir(folder)
    data = sorted(entry for entry in entries if entry.startswith(name + ".data-"))
    return [os.path.join(folder, entry) for entry in [name + ".index"] + data] if name + ".index" in entries and data else []


def find_checkpoint(folder):
    """The checkpoint that a BERT folder is for.

    Google's name comes first, then the checkpoint that the file `checkpoint` names, which TensorFlow writes beside its own,
    then the one of the highest step.

    Parameters
    ----------
    folder : path

    Returns
    -------
    its path without `.index`, or None where there is none.

    Raises
    ------
    InputError : several, of which none of these rules picks one; or the folder cannot be read.
    """
    try:
        entries = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}.") from None
    names = [entry[:-len(".index")] for entry in entries if entry.endswith(".index")]
    if GOOGLES in names:
        return os.path.join(folder, GOOGLES)
    names = [name for name in names if checkpoint_files(os.path.join(folder, name))]
    if len(names) > 1:
        return os.path.join(folder, chosen(folder, names))
    return os.path.join(folder, names[0]) if names else None


def chosen(folder, names):
    """The one of several checkpoints' names that is meant."""
    named = named_checkpoint(os.path.join(folder, "checkpoint"))
    if named in names:
        return named
    if named is not None:
        raise InputError(f"{os.path.join(folder, 'checkpoint')} names {ascii(named[:80])}, which is not in the folder: it has "
                         f"{listed(names)}. Remove this file to have the one of the highest step read, or the others.")
    steps = {name: int(name.rpartition("-")[2]) for name in names if re.search(r"-[0-9]{1,15}\Z", name)}
    newest = [name for name in steps if steps[name] == max(steps.values())]
    if len(newest) != 1:
        raise InputError(f"{folder} holds several checkpoints ({listed(names)}), and neither a file `checkpoint` nor the highest "
                         "number at the end of a name says which one is meant. Move the others elsewhere.")
    return newest[0]


def listed(names):
    """Some of several names."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def named_checkpoint(path):
    """The name that a file `checkpoint` gives, without the folder it had on its authors' machine; None where it gives none."""
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8", errors="replace") as source:
        found = re.search(r'^[^\S\n]*model_checkpoint_path\s*:\s*"([^"\n]*)"', source.read(10 ** 6), re.MULTILINE)
    return re.split(r"[/\\]", found.group(1))[-1] if found else None


@contextlib.contextmanager
def reading(prefix):
    """A reader of a TensorFlow checkpoint, whose errors come as an InputError."""
    from network.runtime import CHECKPOINT_ERRORS, tf
    try:
        yield tf.train.load_checkpoint(prefix)
    except CHECKPOINT_ERRORS as error:
        raise InputError(f"{prefix}: the checkpoint cannot be read ({type(error).__name__}); it is incomplete or damaged. "
                         "Copy it again from the model's release.")


def shapes(prefix):
    """Dict of variable name -> shape of all variables of a checkpoint."""
    with reading(prefix) as reader:
        return reader.get_variable_to_shape_map()


def arrays(prefix, names):
    """The variables of these names, one after the other: (name, float32 array)."""
    with reading(prefix) as reader:
        for name in names:
            yield name, reader.get_tensor(name).astype(np.float32, copy=False)
