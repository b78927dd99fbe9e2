"""Mutated files of weights against their readers: each must give finite arrays or a clean refusal, an InputError.

    python3 tests/fuzz_weights.py [--files 5000] [--seed 0]

The files are pytorch_model.bin in both of PyTorch's formats and model.safetensors, of a small model that is made here. Bytes are
cut, repeated, replaced or inserted, most of them where the files say what they hold: also instructions and whole programs of
pickles that would run a command if anything ran them. Prints how many were read and how many refused; an exception of any other
kind, a command that ran, or a file that takes longer than 10 seconds ends it with the file that led to it in fuzz_failure.bin.
tests/network/test_weights.py runs a few hundred.
"""
import argparse
import collections
import os
import random
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [TESTS, os.path.dirname(TESTS)]

import numpy as np

import torch_files
from network import pretrained, weights_pytorch, weights_safetensors
from support.errors import InputError

SECONDS = 10
# A file of this name is what a program in a pickle would make.
MARKER = "UNPICKLED"
PROGRAMS = (
    b"cposix\nsystem\n(X\x0f\x00\x00\x00touch UNPICKLEDtR", b"cbuiltins\nopen\n(X\x09\x00\x00\x00UNPICKLEDX\x01\x00\x00\x00wtR",
    b"(X\x09\x00\x00\x00UNPICKLEDios\nmkdir\n", b"\x8c\x05posix\x8c\x05mkdir\x93\x8c\x09UNPICKLED\x85R",
    b"c__builtin__\neval\n(U\x16open('UNPICKLED', 'w')tR", b"\x82\x01", b"ctorch._utils\n_rebuild_tensor_v2\n)R",
    b"ctorch\nFloatStorage\n)R", b"ccollections\nOrderedDict\n(](NNete\x85R", b"}(X\x00\x00\x00\x00Nub", b"X\xff\xff\xff\xff",
    b"\x8a\xff" + b"\xff" * 255, b"\x8b\xff\xff\xff\x7f", b"r\xff\xff\xff\xff", b"j\xff\xff\xff\xff", b"2" * 50, b"\x85" * 500,
    b"(" * 500, b"]" * 500, b"0", b"1", b"Q", b"P0\n", b".", b"J\xff\xff\xff\xff", b"L9999999999999999L\n",
    b"G\x7f\xf8" + b"\0" * 6, b"\0", b"\xff\xff\xff\xff", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"-1", b"NaN", b"[[", b"{",
    b"1e400", b"\"F64\"", b"null", b"99999999999999999999")


def small_model():
    """The arrays of the model that is mutated: dict of Hugging Face's name -> array."""
    random_state = np.random.RandomState(0)
    shapes = {"embeddings.word_embeddings.weight": (7, 4), "embeddings.LayerNorm.weight": (4,), "pooler.dense.weight": (4, 4)}
    return {"bert." + name: random_state.normal(size=shape).astype("<f4") for name, shape in shapes.items()}


SHAPES = {"bert/embeddings/word_embeddings": [7, 4], "bert/embeddings/LayerNorm/gamma": [4], "bert/pooler/dense/kernel": [4, 4]}


def seeds(folder):
    """What is mutated: list of (bytes, function that makes a file's bytes of them, function that reads the file's table)."""
    arrays, path = small_model(), os.path.join(folder, "seed")
    arrays["bert.shared"] = torch_files.Tensor(arrays["bert.pooler.dense.weight"], 2, (3, 2), (1, 4))
    model, found = torch_files.state_dict(arrays), []
    for write in (torch_files.write_zip, torch_files.write_older):
        write(path, model)
        found.append((contents(path), bytes, weights_pytorch.tensors))
    # The checksum of the zip would tell of most mutations of the pickle in it; here it is computed after them.
    pickle, storages = torch_files.pickled(model, is_zip=True)
    found.append((pickle, lambda pickle: torch_files.zipped(pickle, storages), weights_pytorch.tensors))
    torch_files.write_safetensors(path, {name: ("F32", list(array.shape), array.tobytes())
                                         for name, array in small_model().items()})
    return found + [(contents(path), bytes, weights_safetensors.tensors)]


def contents(path):
    """The bytes of a file."""
    with open(path, "rb") as source:
        return source.read()


def mutated(data, rng):
    """A file's bytes after a few mutations."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        begin = rng.randrange(len(data) + 1)
        end = min(len(data), begin + rng.choice((1, 1, 2, 4, 30, 300)))
        kind = rng.randrange(7)
        if kind == 0:
            del data[begin:end]
        elif kind == 1:
            data[begin:begin] = data[begin:end] * rng.choice((1, 3))
        elif kind == 2:
            data[begin:begin] = rng.choice(PROGRAMS)
        elif kind == 3:
            program = rng.choice(PROGRAMS)
            data[begin:begin + len(program)] = program
        elif kind == 4 and begin < len(data):
            data[begin] = rng.randrange(256)
        elif kind == 5 and begin < len(data):
            data[begin] ^= 1 << rng.randrange(8)
        elif kind == 6:
            # Just before an instruction of the pickle, so that it is reached.
            places = [place for place in range(len(data)) if data[place] in b"}q(.u"]
            if places:
                place = rng.choice(places)
                data[place:place] = rng.choice(PROGRAMS)
    return bytes(data)


def read(path, table):
    """Read a file as `load_weights` does, and check what that promises: "read", or "refused" where it is refused cleanly."""
    try:
        loaded = dict(pretrained.arrays_of(path, table, SHAPES))
    except InputError as error:
        assert "\n" not in str(error) and os.path.basename(path) in str(error), "an unclear refusal"
        return "refused"
    for name, shape in SHAPES.items():
        assert loaded[name].dtype == np.float32 and list(loaded[name].shape) == shape and np.isfinite(loaded[name]).all(), name
    return "read"


def fuzz(count, seed, failure):
    """Read `count` mutated files; returns a Counter of the outcomes.

    failure : path that a file which leads to anything else is kept under.
    """
    rng, outcomes, home = random.Random(seed), collections.Counter(), os.getcwd()
    failure = os.path.abspath(failure)
    with tempfile.TemporaryDirectory() as folder:
        originals = seeds(folder)
        path = os.path.join(folder, "mutated.bin")
        os.chdir(folder)
        try:
            for _ in range(count):
                original, finished, table = rng.choice(originals)
                data, began = finished(mutated(original, rng)), time.monotonic()
                with open(path, "wb") as out:
                    out.write(data)
                try:
                    outcomes[read(path, table)] += 1
                    assert not os.path.exists(MARKER), "a program in the file ran"
                    assert time.monotonic() - began < SECONDS, "too slow"
                except BaseException:
                    with open(failure, "wb") as out:
                        out.write(data)
                    raise
        finally:
            os.chdir(home)
    return outcomes


def main():
    parser = argparse.ArgumentParser(description="Mutated files of weights against their readers.")
    parser.add_argument("--files", metavar="N", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    outcomes = fuzz(arguments.files, arguments.seed, "fuzz_failure.bin")
    print(f"{arguments.files} files, seed {arguments.seed}: {outcomes['read']} read, {outcomes['refused']} refused")


if __name__ == "__main__":
    main()
