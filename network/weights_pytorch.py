"""PyTorch's `pytorch_model.bin`, in both of its formats, without PyTorch and without running anything of it.

Since PyTorch 1.6: a zip with the pickle `NAME/data.pkl` and the bytes of each storage, uncompressed, in `NAME/data/KEY`.
Before: five pickles one after the other (a magic number, the version, the machine's properties, the model, the keys of the
storages), then for each key the storage's number of elements, in 8 bytes, and its bytes. In both the model is a dict of
name -> tensor, and a tensor a view of a storage: an offset, a shape and strides.
"""
import io
import os
import struct
import zipfile
from typing import NamedTuple

from network import weights_pickle
from network.weights_pickle import Callable, Refused
from network.weights_tensors import AGAIN, StoredTensor, is_shape, shown
from support.errors import InputError

MAGIC, VERSION = 0x1950a86a20f9469cfc6c, 1001  # of the older format
LARGEST_PICKLE = 10 ** 7

# What reading a damaged zip may raise.
ZIP_ERRORS = (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, LookupError, struct.error)


class StorageType(NamedTuple):
    """The class of a storage, which says what its elements are."""

    kind: str   # as in weights_tensors
    bytes_each: int


class Storage(NamedTuple):
    """A run of elements in the file, or a part of one."""

    kind: StorageType
    key: str
    length: int      # of the whole storage, in elements
    begin: int       # of the part, in elements of the whole
    part: int        # length of the part


class View(NamedTuple):
    """A tensor: a view of a storage."""

    storage: Storage
    offset: int      # this and the strides in elements
    shape: tuple
    strides: tuple


STORAGE_TYPES = {
    "DoubleStorage": StorageType("F64", 8), "FloatStorage": StorageType("F32", 4), "HalfStorage": StorageType("F16", 2),
    "BFloat16Storage": StorageType("BF16", 2), "LongStorage": StorageType("I64", 8), "IntStorage": StorageType("I32", 4),
    "ShortStorage": StorageType("I16", 2), "CharStorage": StorageType("I8", 1), "ByteStorage": StorageType("U8", 1),
    "BoolStorage": StorageType("BOOL", 1)}


def tensors(path):
    """The tensors of a file of PyTorch's: dict of name -> StoredTensor.

    Raises
    ------
    InputError : neither of the two formats, a damaged file, or one that wants anything but tensors.
    """
    try:
        with open(path, "rb") as source:
            views, places = zip_parts(source) if is_zip(source) else older_parts(source)
        return {name: placed(name, view, places) for name, view in views.items()}
    except Refused as error:
        raise InputError(f"{path}: refused: {error}. Copy it again from the model's release, or take model.safetensors from there.")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); {AGAIN}.")


def is_zip(source):
    """Whether a file, which is read from its beginning afterwards, is in the format since PyTorch 1.6."""
    begin = source.read(4)
    source.seek(0)
    return begin == b"PK\x03\x04"


def check_sums(path):
    """Check that no byte of a file that `tensors` accepts is altered, as far as the file tells: the zips have checksums.

    Raises
    ------
    InputError : one is, and where.
    """
    try:
        with open(path, "rb") as source:
            if not is_zip(source):
                return
            with zipfile.ZipFile(source) as archive:
                damaged = archive.testzip()
        if damaged is not None:
            raise InputError(f"{path}: damaged: the checksum of {shown(damaged)} is another one; {AGAIN}.")
    except ZIP_ERRORS + (OSError,) as error:
        raise InputError(f"{path}: the zip is damaged ({error}); {AGAIN}.")


def placed(name, view, places):
    """The StoredTensor of a View.

    places : dict of a storage's key -> (begin, length) in bytes of the file.
    """
    storage = view.storage
    begin, length = places.get(storage.key, (0, -1))
    if length != storage.length * storage.kind.bytes_each:
        raise Refused(f"{shown(name)} is of a storage that the file does not hold, or not whole")
    if 0 not in view.shape:
        last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides))
        if last >= storage.part:
            raise Refused(f"{shown(name)} reaches beyond its storage")
    first = begin + (storage.begin + view.offset) * storage.kind.bytes_each
    # The stride of a dimension of one element means nothing, and may be any number.
    strides = tuple(stride if size > 1 else 0 for size, stride in zip(view.shape, view.strides))
    return StoredTensor(storage.kind.kind, view.shape, first, strides)


# ---------------------------------------------------------------------------------------------------------- the zip

def zip_parts(source):
    """The views and the places of the storages in a zip: dict of name -> View, dict of key -> (begin, length)."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            top = [name[:-len("data.pkl")] for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
            if len(top) != 1:
                raise Refused("the zip is not one that PyTorch writes: it needs one data.pkl")
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries.values()):
                raise Refused("the zip is not one that PyTorch writes: a part of it is compressed or encrypted")
            if sum(entry.file_size for entry in entries.values()) > source.seek(0, os.SEEK_END):
                raise Refused("the zip is damaged: it says that it holds more than there is")
            if entries[top[0] + "data.pkl"].file_size > LARGEST_PICKLE:
                raise Refused("its pickle is too long for one of a model")
            order = entries.get(top[0] + "byteorder")
            if order is not None and archive.read(order) != b"little":
                raise Refused("it was written on a machine of another byte order")
            views = model(io.BytesIO(archive.read(top[0] + "data.pkl")))
    except ZIP_ERRORS as error:
        raise Refused(f"the zip is damaged ({error})")
    folder = top[0] + "data/"
    return views, {name[len(folder):]: entry_place(source, entry) for name, entry in entries.items() if name.startswith(folder)}


def entry_place(source, entry):
    """(begin, length) in bytes of an uncompressed entry's content; the length is -1 where the file does not hold it."""
    source.seek(max(entry.header_offset, 0))
    header = source.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        return 0, -1
    name, extra = struct.unpack("<2H", header[26:])
    begin = entry.header_offset + 30 + name + extra
    return (begin, entry.file_size) if begin + entry.file_size <= source.seek(0, os.SEEK_END) else (0, -1)


# -------------------------------------------------------------------------------------------------- the older format

def older_parts(source):
    """As `zip_parts`, for the format before PyTorch 1.6."""
    try:
        header = [weights_pickle.load(source, {}, no_storage) for _ in range(2)]
    except Refused:
        header = None
    if header != [MAGIC, VERSION]:
        raise Refused("it is in neither of the two formats in which PyTorch writes models")
    machine = weights_pickle.load(source, {}, no_storage)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise Refused("it was written on a machine of another byte order")
    storages = {}
    views = model(source, storages)
    keys = weights_pickle.load(source, {}, no_storage)
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in storages for key in keys):
        raise Refused("its pickle is damaged: the list of storages is not that of the model's")
    places, size = {}, os.fstat(source.fileno()).st_size
    for key in keys:
        storage = storages[key]
        count, begin = source.read(8), source.tell()
        length = storage.length * storage.kind.bytes_each
        if count != struct.pack("<Q", storage.length) or begin + length > size:
            raise Refused("the file is damaged or cut off: a storage does not have the size that the model says")
        places[key] = begin, length
        source.seek(begin + length)
    return views, places


# --------------------------------------------------------------------------------------------------- the model's pickle

def model(source, storages=None):
    """The tensors of the pickle that holds the model: dict of name -> View; what else it holds is passed over.

    storages : dict that the storages which are met are added to, by key.
    """
    found = {} if storages is None else storages

    def persistent(name):
        made = storage(name)
        if found.setdefault(made.key, made)[:3] != made[:3]:
            raise Refused("its pickle is damaged: a storage is described in two ways")
        return made

    entries = weights_pickle.load(source, ALLOWED, persistent)
    if not isinstance(entries, dict):
        raise Refused("it holds no dict of tensors; save the model's state_dict()")
    return {name: view for name, view in entries.items() if isinstance(name, str) and isinstance(view, View)}


def no_storage(name):
    raise Refused("its pickle is damaged: a storage is named where none can be")


def storage(name):
    """A Storage from the tuple by which a pickle names it: ("storage", type, key, device, length[, view])."""
    if len(name) not in (5, 6) or name[0] != "storage" or not isinstance(name[1], StorageType) \
            or not isinstance(name[2], str) or not is_length(name[4]):
        raise Refused("its pickle is damaged: a storage is not named as PyTorch does")
    _, kind, key, _, length = name[:5]
    begin, part = 0, length
    if len(name) == 6 and name[5] is not None:
        # Before PyTorch 0.4 a storage could be a part of another one: (key, begin, length).
        if not isinstance(name[5], tuple) or len(name[5]) != 3 or not is_shape(name[5][1:]):
            raise Refused("its pickle is damaged: a part of a storage is not named as PyTorch does")
        begin, part = name[5][1:]
        if begin + part > length:
            raise Refused("its pickle is damaged: a part of a storage reaches beyond it")
    return Storage(kind, key, length, begin, part)


def is_length(value):
    """Whether a value is a number of elements."""
    return type(value) is int and 0 <= value < 2 ** 62


def tensor(arguments):
    """A View from PyTorch's (storage, offset, shape, strides, ...); the rest concerns gradients."""
    if len(arguments) < 4:
        raise Refused("its pickle is damaged: a tensor lacks its shape")
    whole, offset, shape, strides = arguments[:4]
    if not isinstance(whole, Storage) or not is_length(offset) or not is_shape(shape) or not is_shape(strides) \
            or len(shape) != len(strides) or not isinstance(shape, tuple) or len(shape) > 8:
        raise Refused("its pickle is damaged: a tensor is not described as PyTorch does")
    return View(whole, offset, shape, strides)


def parameter(arguments):
    """The View that a parameter consists of."""
    if not arguments or not isinstance(arguments[0], View):
        raise Refused("its pickle is damaged: a parameter is without a tensor")
    return arguments[0]


def ordered_dict(arguments):
    """A dict, empty or, as Python 2 wrote it, of a list of pairs."""
    entries = {}
    pairs = arguments[0] if arguments else []
    if len(arguments) > 1 or not isinstance(pairs, list):
        raise Refused("its pickle is damaged: an OrderedDict is not made of pairs")
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise Refused("its pickle is damaged: an OrderedDict is not made of pairs")
        weights_pickle.add_item(entries, *pair)
    return entries


# The only globals that a model's pickle may name; what stands for them is ours.
ALLOWED = {("torch", name): kind for name, kind in STORAGE_TYPES.items()}
ALLOWED.update({
    ("collections", "OrderedDict"): Callable(ordered_dict), ("torch._utils", "_rebuild_tensor"): Callable(tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Callable(tensor), ("torch._utils", "_rebuild_parameter"): Callable(parameter)})
