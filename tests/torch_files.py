"""Files as PyTorch writes them, in both of its formats, and safetensors files; written without PyTorch.

Python's own pickler writes them, as it does for PyTorch: it only has to find classes and functions of PyTorch's names.
"""
import collections
import contextlib
import io
import json
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

TYPES = {"<f8": "DoubleStorage", "<f4": "FloatStorage", "<f2": "HalfStorage", "<u2": "BFloat16Storage", "<i8": "LongStorage"}


class Tensor:
    """A view of a storage, which other tensors may share."""

    def __init__(self, storage, offset=0, shape=None, strides=None, part=None):
        self.storage, self.offset, self.part = storage, offset, part
        self.shape = storage.shape if shape is None else shape
        self.strides = strides
        if strides is None:
            self.strides = tuple(int(np.prod(self.shape[place + 1:])) for place in range(len(self.shape)))

    def __reduce__(self):
        return (sys.modules["torch._utils"]._rebuild_tensor_v2,
                (Stored(self.storage, self.part), self.offset, self.shape, self.strides, False, collections.OrderedDict()))


class Stored:
    """What the pickler is to name rather than to write."""

    def __init__(self, array, part):
        self.array, self.part = array, part


class Pickler(pickle.Pickler):
    """A pickler that collects storages: key -> array."""

    def __init__(self, out, is_zip, protocol=2):
        super().__init__(out, protocol=protocol)
        self.is_zip, self.storages, self.keys = is_zip, {}, {}

    def persistent_id(self, value):
        if not isinstance(value, Stored):
            return None
        key = self.keys.setdefault(id(value.array), str(len(self.keys)) if self.is_zip else str(94720972748944 + len(self.keys)))
        self.storages[key] = value.array
        kind = getattr(sys.modules["torch"], TYPES[value.array.dtype.str])
        name = ("storage", kind, key, "cpu", value.array.size)
        return name if self.is_zip else name + (value.part,)


@contextlib.contextmanager
def pytorch():
    """Modules that a pickler takes for PyTorch's, as long as the block lasts."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        pass
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    for name in TYPES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    assert "torch" not in sys.modules
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]


def pickled(model, is_zip, protocol=2):
    """(the pickle of a model, dict of its storages by key)"""
    out = io.BytesIO()
    with pytorch():
        pickler = Pickler(out, is_zip, protocol)
        pickler.dump(model)
    return out.getvalue(), pickler.storages


def state_dict(arrays):
    """A model as PyTorch keeps it: an OrderedDict of tensors, with the versions of its parts as an attribute."""
    model = collections.OrderedDict((name, array if isinstance(array, Tensor) else Tensor(np.ascontiguousarray(array)))
                                    for name, array in arrays.items())
    model._metadata = collections.OrderedDict([("", {"version": 1}), ("bert", {"version": 1})])
    return model


def zipped(data, storages, byteorder=b"little", top="archive"):
    """The bytes of the format since PyTorch 1.6, from what `pickled` gives."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{top}/data.pkl", data)
        if byteorder is not None:
            archive.writestr(f"{top}/byteorder", byteorder)
        for key, array in storages.items():
            archive.writestr(f"{top}/data/{key}", array.tobytes())
        archive.writestr(f"{top}/version", "3\n")
    return out.getvalue()


def write_zip(path, model, byteorder=b"little", protocol=2):
    """A file in the format since PyTorch 1.6; model: what is pickled, such as a `state_dict`."""
    with open(str(path), "wb") as out:
        out.write(zipped(*pickled(model, True, protocol), byteorder=byteorder))


def write_older(path, model, little_endian=True):
    """A file in the format before PyTorch 1.6."""
    data, storages = pickled(model, False)
    header = (0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": little_endian,
                                            "type_sizes": {"short": 2, "int": 4, "long": 4}})
    with open(str(path), "wb") as out:
        for part in header:
            out.write(pickle.dumps(part, protocol=2))
        out.write(data)
        out.write(pickle.dumps(sorted(storages), protocol=2))
        for key in sorted(storages):
            out.write(struct.pack("<q", storages[key].size) + storages[key].tobytes())


def write_safetensors(path, tensors):
    """A safetensors file, as the format's authors describe it; tensors: name -> (type's name, shape, bytes)."""
    header, begin = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, begin + len(data)]}
        begin += len(data)
    text = json.dumps(header).encode("utf-8")
    with open(str(path), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            out.write(data)
