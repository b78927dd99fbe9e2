"""Arrays kept in a file with a digest of all its bytes: what is read back is what was written, or nothing."""
import hashlib
import io

import numpy as np

from support import files
from support.console import say

DIGEST = hashlib.sha256
DIGEST_BYTES = DIGEST().digest_size


def write_arrays(path, arrays, private=False):
    """Write a dict of name -> array, whole or not at all: numpy's npz format, followed by its SHA-256.

    private : as for files.replacing.
    """
    stored = io.BytesIO()
    np.savez(stored, **arrays)
    with files.replacing(path, private) as temporary:
        with open(temporary, "wb") as out:
            out.write(stored.getbuffer())
            out.write(DIGEST(stored.getbuffer()).digest())


def read_arrays(path, remedy):
    """The dict of arrays in a file, or None where there is no such file or it is damaged, which is then told.

    Parameters
    ----------
    path : written by `write_arrays`.
    remedy : what happens where the file is damaged, for the message.
    """
    try:
        with files.open_regular(path) as source:
            content = memoryview(source.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        say(f"{path}: cannot be read ({error.strerror}); {remedy}")
        return None
    data, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if DIGEST(data).digest() != digest:
        say(f"{path}: damaged (a byte of it is altered or missing); {remedy}")
        return None
    # No pickle is ever loaded, whoever wrote the file.
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
