"""The formats of Hugging Face's weights: what is read of them, and that nothing of them is run."""
import collections
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

import fuzz_weights
import torch_files
from network import weights_pickle, weights_pytorch, weights_safetensors
from network.weights_pytorch import tensors
from network.weights_tensors import read_tensor
from support.errors import InputError
from torch_files import Tensor, state_dict, write_older, write_zip

BOTH = pytest.mark.parametrize("write", [write_zip, write_older])


def read_all(path):
    """Dict of name -> array of a file of PyTorch's."""
    with open(str(path), "rb") as source:
        return {name: read_tensor(str(path), source, name, tensor) for name, tensor in tensors(str(path)).items()}


# ---------------------------------------------------------------------------------------------------------- PyTorch

@BOTH
def test_views_of_a_shared_storage_are_read(write, tmp_path):
    storage = np.arange(24, dtype="<f4")
    model = {"rows": Tensor(storage, 0, (4, 6)), "transposed": Tensor(storage, 0, (6, 4), (1, 6)),
             "part": Tensor(storage, 7, (2, 3), (6, 1)), "apart": Tensor(storage, 1, (3,), (8,)),
             "repeated": Tensor(storage, 5, (3, 2), (0, 1)), "scalar": Tensor(storage, 9, (), ()),
             "empty": Tensor(storage, 0, (0, 4)), "one row": Tensor(storage, 2, (1, 3), (10 ** 15, 1))}
    write(tmp_path / "model.bin", state_dict(model))
    rows, found = storage.reshape(4, 6), read_all(tmp_path / "model.bin")
    expected = {"rows": rows, "transposed": rows.T, "part": rows[1:3, 1:4], "apart": [1, 9, 17], "repeated": [[5, 6]] * 3,
                "scalar": 9, "empty": np.zeros((0, 4)), "one row": [[2, 3, 4]]}
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@BOTH
@pytest.mark.parametrize("kind", ["<f8", "<f4", "<f2"])
def test_every_type_of_floats_is_read(write, kind, tmp_path):
    values = np.array([[1.5, -2.25], [0.0, 3.0]], kind)
    write(tmp_path / "model.bin", state_dict({"x": values}))
    found = read_all(tmp_path / "model.bin")["x"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


@BOTH
def test_bfloat16_is_read_and_integers_are_not(write, tmp_path):
    upper = (np.array([1.5, -2.25], "<f4").view("<u4") >> 16).astype("<u2")
    write(tmp_path / "model.bin", state_dict({"x": upper}))
    np.testing.assert_array_equal(read_all(tmp_path / "model.bin")["x"], [1.5, -2.25])
    write(tmp_path / "model.bin", state_dict({"ids": np.arange(3, dtype="<i8"), "y": np.ones(2, "<f4")}))
    assert tensors(str(tmp_path / "model.bin"))["y"].kind == "F32"
    with pytest.raises(InputError, match="'ids' has the element type I64"):
        read_all(tmp_path / "model.bin")


def test_a_part_of_a_storage_is_read_as_pytorch_wrote_it_before_04(tmp_path):
    storage = np.arange(10, dtype="<f4")
    write_older(tmp_path / "model.bin", state_dict({"x": Tensor(storage, 1, (3,), (1,), part=("view", 4, 5))}))
    np.testing.assert_array_equal(read_all(tmp_path / "model.bin")["x"], [5, 6, 7])
    for part in (("view", 4, 3), ("view", 6, 5), ("view", -1, 5), ("view",), 3):
        write_older(tmp_path / "model.bin", state_dict({"x": Tensor(storage, 1, (3,), (1,), part=part)}))
        with pytest.raises(InputError, match="model.bin: refused"):
            tensors(str(tmp_path / "model.bin"))


@BOTH
@pytest.mark.parametrize("offset, shape, strides", [
    (0, (11,), (1,)), (10, (1,), (1,)), (0, (2, 3), (5, 3)), (-1, (2,), (1,)), (0, (-2,), (1,)), (0, (2,), (-1,)),
    (0, (2,), (1, 1)), (0, (2.0,), (1,)), (True, (2,), (1,)), (0, [2], [1]), (2 ** 63, (1,), (1,)), (0, (1,) * 40, (1,) * 40)])
def test_a_tensor_beyond_its_storage_is_refused(write, offset, shape, strides, tmp_path):
    write(tmp_path / "model.bin", state_dict({"x": Tensor(np.arange(10, dtype="<f4"), offset, shape, strides)}))
    with pytest.raises(InputError, match="model.bin: refused"):
        tensors(str(tmp_path / "model.bin"))


def test_other_values_than_tensors_are_passed_over(tmp_path):
    model = {"x": Tensor(np.ones(2, "<f4")), "epoch": 3, "rate": 0.5, "names": ["a", ("b", None)], "more": {"y": True}, 4: -1 << 40}
    write_zip(tmp_path / "model.bin", model)
    assert list(tensors(str(tmp_path / "model.bin"))) == ["x"]


def test_later_protocols_are_read(tmp_path):
    write_zip(tmp_path / "model.bin", state_dict({"x": np.ones(2, "<f4")}), protocol=4)
    assert list(tensors(str(tmp_path / "model.bin"))) == ["x"]


def test_python_2s_pickles_are_read():
    data = b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01(" \
           b"]q\x02(U\x03oneK\x01e]q\x03(T\x03\x00\x00\x00twoNee\x85q\x04Rq\x05}U\x01ms."
    with pytest.raises(weights_pickle.Refused):
        weights_pickle.load(io.BytesIO(data), weights_pytorch.ALLOWED, None)
    data = data[:-6] + b"."
    assert weights_pickle.load(io.BytesIO(data), weights_pytorch.ALLOWED, None) == {"one": 1, "two": None}


@BOTH
def test_a_file_without_a_dict_or_of_another_byte_order_is_refused(write, tmp_path):
    write(tmp_path / "model.bin", [Tensor(np.ones(2, "<f4"))])
    with pytest.raises(InputError, match="no dict of tensors"):
        tensors(str(tmp_path / "model.bin"))
    other = {"byteorder": b"big"} if write is write_zip else {"little_endian": False}
    write(tmp_path / "model.bin", state_dict({"x": np.ones(2, "<f4")}), **other)
    with pytest.raises(InputError, match="another byte order"):
        tensors(str(tmp_path / "model.bin"))


@pytest.mark.parametrize("data", [
    b"", b"PK\x03\x04", b"<!DOCTYPE html><html></html>", b"\x89HDF\r\n", b"\x80\x02K\x01.", b"\0" * 1000])
def test_what_pytorch_has_not_written_is_refused(data, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(InputError, match="model.bin: refused: .*(neither of the two formats|zip)"):
        tensors(str(path))


def test_zips_that_pytorch_does_not_write_are_refused(tmp_path):
    pickled, storages = torch_files.pickled(state_dict({"x": np.ones(2, "<f4")}), True)
    for entries, kind, words in (({"a/data.pkl": pickled}, zipfile.ZIP_DEFLATED, "compressed"),
                                 ({"a/data.pkl": pickled, "b/data.pkl": pickled}, zipfile.ZIP_STORED, "one data.pkl"),
                                 ({"data.pkl": pickled}, zipfile.ZIP_STORED, "one data.pkl"),
                                 ({"a/data.pkl": pickled}, zipfile.ZIP_STORED, "'x' is of a storage"),
                                 ({"a/data.pkl": pickled, "a/data/0": b"1234"}, zipfile.ZIP_STORED, "'x' is of a storage")):
        with zipfile.ZipFile(str(tmp_path / "model.bin"), "w", kind) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        with pytest.raises(InputError, match=words):
            tensors(str(tmp_path / "model.bin"))


def test_an_altered_byte_of_a_zip_is_noticed(tmp_path):
    path = tmp_path / "model.bin"
    write_zip(path, state_dict({"x": np.arange(100, dtype="<f4")}))
    weights_pytorch.check_sums(str(path))
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(100, dtype="<f4").tobytes()) + 40] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="model.bin: damaged: the checksum of 'archive/data/0'"):
        weights_pytorch.check_sums(str(path))


def test_a_zip_whose_parts_lie_over_each_other_is_refused(tmp_path):
    """Reading all of many such parts could take for ever."""
    path = tmp_path / "model.bin"
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("a/data.pkl", torch_files.pickled(state_dict({"x": np.ones(50, "<f4")}), True)[0])
        archive.writestr("a/data/0", np.ones(50, "<f4").tobytes())
        first = archive.getinfo("a/data/0")
        for number in range(1, 20):
            again = zipfile.ZipInfo(f"a/data/{number}")
            again.header_offset, again.file_size, again.compress_size, again.CRC = (
                first.header_offset, first.file_size, first.compress_size, first.CRC)
            archive.filelist.append(again)
    with pytest.raises(InputError, match="holds more than there is"):
        tensors(str(path))


# ---------------------------------------------------------------------------------------------- nothing of it is run

class Runs:
    """Its pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@BOTH
@pytest.mark.parametrize("function, arguments, name", [
    (os.mkdir, (fuzz_weights.MARKER,), "mkdir"), (eval, ("open('UNPICKLED', 'w')",), "eval"), (getattr, (1, "real"), "getattr"),
    (bytearray, (10 ** 9,), "bytearray"), (collections.Counter, ("a",), "Counter")])
def test_a_program_is_refused_by_name(write, function, arguments, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("model.bin", state_dict({"x": np.ones(2, "<f4")}))
    model = state_dict({"x": np.ones(2, "<f4")})
    model["y"] = Runs(function, *arguments)
    write("model.bin", model)
    with pytest.raises(InputError, match=rf"model.bin: refused: it wants to use \w+\.{name}, "):
        tensors("model.bin")
    assert os.listdir(".") == ["model.bin"]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_a_program_of_any_protocol_is_refused(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Runs(os.mkdir, fuzz_weights.MARKER), protocol=protocol)
    with pytest.raises(weights_pickle.Refused, match="mkdir"):
        weights_pickle.load(io.BytesIO(data), weights_pytorch.ALLOWED, None)
    pickle.loads(data)
    assert os.listdir(".") == [fuzz_weights.MARKER]  # it is a program


@pytest.mark.parametrize("data", [
    b"ctorch\nFloatStorage\n)R.", b"ccollections\nOrderedDict\n}b.", b"ccollections\nOrderedDict\n(K\x01K\x02tR.",
    b"K\x01)R.", b"}}b", b"(((", b"e.", b"]K\x01u.", b"}(K\x01u.", b"}(]K\x01u.", b"h\x07.", b"Q.", b"NQ.", b")Q.",
    b"X\xff\xff\xff\x7f", b"T\xff\xff\xff\xff", b"X\x02\x00\x00\x00\xff\xff.", b"c" + b"a" * 10 ** 6, b"\x80\x09.", b"N" * 10 ** 6,
    b"\x81", b"i", b"\xfe", b"}K\x01K\x01\x86Ns.", b"ctorch._utils\n_rebuild_parameter\n)R.", b"NN."])
def test_damaged_pickles_are_refused(data):
    with pytest.raises(weights_pickle.Refused):
        weights_pickle.load(io.BytesIO(data), weights_pytorch.ALLOWED, weights_pytorch.storage)


@pytest.mark.parametrize("seed", range(3))
def test_mutated_files_are_read_or_refused(seed, tmp_path):
    outcomes = fuzz_weights.fuzz(250, seed, str(tmp_path / "failure.bin"))
    assert sum(outcomes.values()) == 250 and min(outcomes["read"], outcomes["refused"]) > 10


def test_the_programs_of_the_fuzzer_are_programs(tmp_path, monkeypatch):
    """What the fuzzer inserts does leave a mark where something runs it."""
    monkeypatch.chdir(tmp_path)
    for number, program in enumerate(fuzz_weights.PROGRAMS[:5]):
        pickle.loads(program + b".")
        os.rename(fuzz_weights.MARKER, str(number))


# ------------------------------------------------------------------------------------------------------ safetensors

GOOD = {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "I64", "shape": [1], "data_offsets": [16, 24]}}


def safetensors(folder, header, data=b"\0" * 24):
    """The path of a safetensors file with a header, as a dict or text."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode("utf-8")
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return str(folder / "model.safetensors")


def test_a_table_of_safetensors_is_read(tmp_path):
    path = safetensors(tmp_path, dict(GOOD, __metadata__={"format": "pt"}))
    found = weights_safetensors.tensors(path)
    assert set(found) == {"a", "b"} and found["a"][:2] == ("F32", (2, 2))
    assert found["b"].begin == os.path.getsize(path) - 8


@pytest.mark.parametrize("changes, words", [
    ({"data_offsets": [-16, 0]}, "begin and end"), ({"data_offsets": [16, 0]}, "begin and end"),
    ({"data_offsets": [8, 24]}, "over each"), ({"data_offsets": [12, 28]}, "cut off"),
    ({"data_offsets": [0]}, "begin and end"), ({"data_offsets": None}, "begin and end"),
    ({"data_offsets": [0.0, 16.0]}, "begin and end"), ({"data_offsets": [False, 16]}, "begin and end"),
    ({"data_offsets": "ab"}, "begin and end"), ({"data_offsets": [0, 10 ** 40]}, "cut off"),
    ({"shape": [2, 3]}, "size of its shape"), ({"shape": [-2, -2]}, "dtype and shape"),
    ({"shape": [2 ** 32, 2 ** 32]}, "size of its shape"), ({"shape": 4}, "dtype and shape"),
    ({"shape": [True, 4]}, "dtype and shape"), ({"dtype": 4}, "dtype and shape"), ({"dtype": "F64"}, "size of its shape")])
def test_a_tensor_in_an_impossible_place_is_named(changes, words, tmp_path):
    path = safetensors(tmp_path, dict(GOOD, a=dict(GOOD["a"], **changes)))
    with pytest.raises(InputError, match=f"model.safetensors: .*{words}") as caught:
        weights_safetensors.tensors(path)
    assert "'a'" in str(caught.value)


@pytest.mark.parametrize("header", ["", "[]", "null", "{\"a\": 1}", "{\"a\": []}", "{", "[" * 100000, "\ufeff{}", "{\"a\": NaN}"])
def test_what_is_no_table_is_refused(header, tmp_path):
    with pytest.raises(InputError, match="model.safetensors: not a whole safetensors file"):
        weights_safetensors.tensors(safetensors(tmp_path, header))


@pytest.mark.parametrize("data", [b"", b"\1", b"\xff" * 8, struct.pack("<Q", 5) + b"{}"])
def test_a_file_without_a_whole_header_is_refused(data, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="model.safetensors: not a whole safetensors file"):
        weights_safetensors.tensors(str(tmp_path / "model.safetensors"))
