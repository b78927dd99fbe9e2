"""The safetensors format of Hugging Face's models.

A file is an 8-byte little-endian length, a JSON header of that length (name -> dtype, shape, data_offsets), and the
tensors' bytes, one after the other. It is read here because the library for it does not exist for Python 3.6.
"""
import os

from network.weights_tensors import AGAIN, FLOATS, StoredTensor, element_count, is_shape, shown
from support import schema
from support.errors import InputError

# As in the format's own library.
LONGEST_HEADER = 100 * 10 ** 6


def tensors(path):
    """The tensors of a safetensors file: dict of name -> StoredTensor.

    Raises
    ------
    InputError : not such a file, or one that is cut off, or tensors that lie over each other or outside of it.
    """
    try:
        return checked_tensors(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); {AGAIN}.")


def checked_tensors(path):
    """`tensors`, with a ValueError for a faulty file."""
    size = os.path.getsize(path)
    with open(path, "rb") as source:
        length = int.from_bytes(source.read(8), "little")
        if length > min(size - 8, LONGEST_HEADER):
            raise ValueError("its header is longer than the file or than the format allows")
        header = schema.parse(source.read(length).decode("utf-8"))
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    header.pop("__metadata__", None)
    found, places = {}, []
    for name, entry in header.items():
        begin, end = place(name, entry, size - 8 - length)
        found[name] = StoredTensor(entry["dtype"], tuple(entry["shape"]), 8 + length + begin)
        places.append((begin, end, name))
    places.sort()
    for (_, end, name), (begin, _, following) in zip(places, places[1:]):
        if begin < end:
            raise ValueError(f"{shown(name)} and {shown(following)} lie over each other")
    return found


def place(name, entry, size):
    """Where one tensor's bytes begin and end, from the end of the header; ValueError where that cannot be.

    Parameters
    ----------
    name, entry : of the header.
    size : bytes after the header.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str) or not is_shape(entry.get("shape")):
        raise ValueError(f"{shown(name)} has no proper dtype and shape")
    offsets = entry.get("data_offsets")
    if not is_shape(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{shown(name)} does not begin and end in the file")
    begin, end = offsets
    if end > size:
        raise ValueError(f"cut off: {shown(name)} ends {end - size} bytes after the file")
    bytes_each = {"F64": 8, "F32": 4}.get(entry["dtype"], 2)
    if entry["dtype"] in FLOATS and end - begin != bytes_each * element_count(entry["shape"]):
        raise ValueError(f"{shown(name)} does not have the size of its shape")
    return begin, end
