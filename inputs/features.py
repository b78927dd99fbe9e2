"""What the features of every view have in common: fingerprints, the cache beside the corpus, rows that are the same."""
import contextlib
import hashlib
import os

import numpy as np

from support.arrays import read_arrays, write_arrays
from support.files import remove_leftovers

# How earlier versions called the caches of a split, which are removed where they are found.
FORMER_CACHES = ("{}-Features-", "{}-NotePlaces-")


class Digest:
    """SHA-256 of a sequence of texts; where one ends and the next begins counts."""

    def __init__(self):
        self._digest = hashlib.sha256()

    def add(self, *texts):
        """Add texts to the sequence."""
        for text in texts:
            data = text.encode("utf-8")
            self._digest.update(b"%d:" % len(data) + data)

    def hexadecimal(self):
        """The digest so far."""
        return self._digest.hexdigest()


def label_ids(examples, labels):
    """Indices into `labels`, -1 for an example without a label: int32 [examples]."""
    return np.array([labels.index(example.label) if example.label else -1 for example in examples], np.int32)


def cached(view, key, make, folder, split):
    """Features from the cache in `folder`, or made and put there.

    A cache of other data, or a damaged one, is replaced. There is one file for each split and view, so disk use stays flat.

    Parameters
    ----------
    view : one of views.VIEWS, made from the settings.
    key : digest of everything the features depend on.
    make : function without arguments that returns them.
    folder : of the cache.
    split : "train", "dev" or "test".

    Returns
    -------
    (features, True if they came from the cache)
    """
    begin = f"{split}-{view.name}-"
    path = os.path.join(folder, f"{begin}{key[:16]}.npz")
    features = read_cache(view.Features, path)
    if features is not None:
        return features, True
    features = make()
    remove_leftovers(folder, (".npz",))
    write_arrays(path, features._asdict(), private=True)
    replaced = (begin,) + tuple(former.format(split) for former in FORMER_CACHES)
    for name in os.listdir(folder):
        if name.startswith(replaced) and name.endswith(".npz") and name != os.path.basename(path):
            with contextlib.suppress(FileNotFoundError):  # another machine may be at the same work in a shared folder
                os.remove(os.path.join(folder, name))
    return features, False


def read_cache(kind, path):
    """The features stored in `path`, or None where there are none or they are damaged."""
    stored = read_arrays(path, "the features are made again")
    return None if stored is None else kind(**stored)


def unique_rows(features):
    """The different rows of `features`, and for each row of `features` its number among them.

    Many TLINKs link mentions of the same words in the same note: the paper's input is then identical, and one
    evaluation will do for all of them.

    Parameters
    ----------
    features : the Features of a view.

    Returns
    -------
    (features of the different rows in order of appearance, int64 array [rows])
    """
    numbers, first = {}, []
    where = np.empty(len(features.label_ids), np.int64)
    for row, key in enumerate(features.keys()):
        where[row] = numbers.setdefault(key.tobytes(), len(numbers))
        if where[row] == len(first):
            first.append(row)
    return features.rows(np.array(first, np.int64)), where


def evaluated_rows(features, settings):
    """The rows that an evaluation computes: as `unique_rows` or, with `evaluation_dropout`, all, each under its own mask."""
    if settings.evaluation_dropout:
        return features, np.arange(len(features.label_ids))
    return unique_rows(features)
