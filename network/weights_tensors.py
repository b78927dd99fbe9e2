"""Tensors as they lie in a file of weights, and how one is read from there.

What the formats of Hugging Face's models have in common: a table of names, types, shapes and places, and raw bytes.
"""
import os
from typing import NamedTuple, Optional, Tuple

import numpy as np

from support.errors import InputError
from support.files import open_regular

# Element types that weights come in, under the names of the safetensors format, and how their bytes are read.
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
AGAIN = "copy it again from the model's release"


class StoredTensor(NamedTuple):
    """Where a tensor is in a file; everything has been checked against the file's size."""

    kind: str                  # element type; only those of FLOATS can be read
    shape: Tuple[int, ...]
    begin: int                 # of its first element, in bytes from the file's beginning
    strides: Optional[Tuple[int, ...]] = None  # in elements; None for the rows one after the other


def element_count(shape):
    """Number of elements of a shape; Python's integers do not overflow as numpy's do."""
    count = 1
    for size in shape:
        count *= size
    return count


def is_shape(value):
    """Whether a value that a file holds is a list or tuple of whole numbers from 0 on."""
    return isinstance(value, (list, tuple)) and all(type(size) is int and size >= 0 for size in value)


def shown(name):
    """A name out of a file as a message shows it: printable, short, on one line."""
    text = ascii(name)
    return text if len(text) <= 80 else text[:77] + "..."


def read_tensor(path, source, name, tensor):
    """The values of a tensor.

    Parameters
    ----------
    path : the file's path, for messages.
    source : that file, open for reading bytes.
    name : the tensor's name, for messages.
    tensor : StoredTensor

    Returns
    -------
    float32 array of its shape.

    Raises
    ------
    InputError : another element type, or the file is cut off.
    """
    if tensor.kind not in FLOATS:
        raise InputError(f"{path}: {shown(name)} has the element type {tensor.kind}; {', '.join(FLOATS)} can be read.")
    dtype = np.dtype(FLOATS[tensor.kind])
    source.seek(tensor.begin)
    count = element_count(tensor.shape)
    if tensor.strides is not None and count:
        # From its first to its last element; there may be others between them.
        count = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    array = np.fromfile(source, dtype, count)
    if array.size != count:
        raise InputError(f"{path}: cut off within {shown(name)}; {AGAIN}.")
    if tensor.kind == "BF16":
        # A bfloat16 is the upper half of a float32.
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if tensor.strides is None or not count:
        array = array.reshape(tensor.shape)
    else:
        array = np.lib.stride_tricks.as_strided(array, tensor.shape, [stride * array.itemsize for stride in tensor.strides])
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, which the caller refuses
        return array.astype(np.float32, copy=False)


def check_not_pointer(path):
    """Raise an InputError for a file that is only Git LFS' note of where the real one is."""
    try:
        with open_regular(path) as source:
            begin = source.read(100)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({os.strerror(error.errno) if error.errno else error}).")
    if begin.startswith(b"version https://git-lfs.github.com/spec/"):
        raise InputError(f"{path}: this is a Git LFS pointer, not the file itself: the model was cloned without Git LFS. In the "
                         "cloned folder give `git lfs install` and `git lfs pull`, or download the file from the model's page.")
