"""Weights of a released BERT, from Google's TensorFlow checkpoint or from Hugging Face's safetensors.

Both come out under the variable names of Google's checkpoints, checked against the model that wants them.
"""
import contextlib
import json
import os
import re

import numpy as np

from support.errors import InputError
from support.files import fingerprint_file

GETTING_A_BERT = (
    "Put a released BERT there, Google's uncased_L-12_H-768_A-12 for the paper's model (bert_config.json, vocab.txt, "
    "bert_model.ckpt.*), or name another with --bert DIR; the Hugging Face layout (config.json, vocab.txt, "
    "model.safetensors: BioBERT, ClinicalBERT ...) works too. `python3 run_i2b2.py demo` needs none.")

# Element types of the safetensors format and how their bytes are read.
SAFETENSORS_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def check_bert_folder(folder):
    """Find the files of a BERT folder.

    Parameters
    ----------
    folder : paths.BertFolder

    Returns
    -------
    (path of the configuration, files that hold the weights, the index first)

    Raises
    ------
    InputError : no such folder, or files missing from it.
    """
    if not os.path.isdir(folder.root):
        raise InputError(f"the BERT folder {folder.root} does not exist. {GETTING_A_BERT}")
    name = os.path.basename(folder.google_checkpoint)
    if os.path.isfile(folder.google_checkpoint + ".index"):
        config = folder.google_config
        data = sorted(entry for entry in os.listdir(folder.root) if entry.startswith(name + ".data-"))
        weights = [folder.google_checkpoint + ".index"] + [os.path.join(folder.root, entry) for entry in data]
        complete = bool(data)
    else:
        config, weights = folder.huggingface_config, [folder.safetensors]
        complete = os.path.isfile(folder.safetensors)
    if not complete:
        raise InputError(f"the BERT folder {folder.root} holds neither {name}.index with its {name}.data-* nor "
                         f"model.safetensors. {GETTING_A_BERT}")
    for path in (config, folder.vocab):
        if not os.path.isfile(path):
            raise InputError(f"the BERT folder {folder.root} has no {os.path.basename(path)}. {GETTING_A_BERT}")
    return config, weights


def fingerprint(folder):
    """SHA-256 digests of the files that make the model, by file name."""
    config, weights = check_bert_folder(folder)
    return {os.path.basename(path): fingerprint_file(path) for path in [config, folder.vocab] + weights}


def check_weights(folder, shapes):
    """Check that the weights fit the model, from their names and shapes alone; parameters and errors as `load_weights`."""
    _, weights = check_bert_folder(folder)
    if weights[0] == folder.safetensors:
        safetensors_sources(folder.safetensors, safetensors_header(folder.safetensors), shapes)
    else:
        with reading(folder.google_checkpoint) as reader:
            check_variables(folder.google_checkpoint, shapes, reader.get_variable_to_shape_map())


def load_weights(folder, shapes):
    """Read the weights the model wants.

    Parameters
    ----------
    folder : paths.BertFolder
    shapes : dict of variable name -> shape (list of int), the model's BERT variables.

    Returns
    -------
    dict of variable name -> float32 array of that shape.

    Raises
    ------
    InputError : a variable the checkpoint lacks or has in another shape, or a file that cannot be read.
    """
    _, weights = check_bert_folder(folder)
    if weights[0] == folder.safetensors:
        return read_safetensors(folder.safetensors, shapes)
    return read_google(folder.google_checkpoint, shapes)


def read_google(prefix, shapes):
    """`load_weights` from a TensorFlow checkpoint."""
    with reading(prefix) as reader:
        check_variables(prefix, shapes, reader.get_variable_to_shape_map())
        return {name: reader.get_tensor(name).astype(np.float32, copy=False) for name in shapes}


@contextlib.contextmanager
def reading(prefix):
    """A reader of a TensorFlow checkpoint, whose errors come as an InputError."""
    from network.runtime import CHECKPOINT_ERRORS, tf
    try:
        yield tf.train.load_checkpoint(prefix)
    except CHECKPOINT_ERRORS as error:
        raise InputError(f"{prefix}: the checkpoint cannot be read ({type(error).__name__}); it is incomplete or damaged. "
                         "Copy it again from the model's release.")


def check_variables(source, shapes, available):
    """Raise an InputError that names the variables that `available` lacks or has in another shape."""
    wrong = [f"{name} (missing)" for name in sorted(set(shapes) - set(available))]
    wrong += [f"{name} (has shape {list(available[name])}, the model needs {list(shape)})"
              for name, shape in sorted(shapes.items()) if name in available and list(available[name]) != list(shape)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InputError(f"{source}: does not fit the model's configuration: {', '.join(wrong[:5])}{more}.")


def read_safetensors(path, shapes):
    """`load_weights` from Hugging Face's layout.

    The format: an 8-byte little-endian length, a JSON header of that length (name -> dtype, shape, offsets), the
    arrays' bytes. It is read here because the library for it does not exist for Python 3.6.
    """
    tensors = safetensors_header(path)
    weights = {}
    for name, source in safetensors_sources(path, tensors, shapes).items():
        array = safetensors_array(path, source, tensors[source])
        weights[name] = np.ascontiguousarray(array.T if is_transposed(name) else array, np.float32)
    return weights


def safetensors_sources(path, tensors, shapes):
    """Dict of variable name -> its tensor's name in a safetensors file, checked to have the shapes the model wants."""
    prefix = "bert." if any(name.startswith("bert.") for name in tensors) else ""
    sources, available = {}, {}
    for name in shapes:
        source = next((prefix + candidate for candidate in huggingface_names(name) if prefix + candidate in tensors), None)
        if source is None:
            continue
        shape = tensors[source]["shape"]
        sources[name] = source
        available[name] = shape[::-1] if is_transposed(name) else shape
    check_variables(path, shapes, available)
    return sources


def safetensors_header(path):
    """Dict of tensor name -> {"dtype", "shape", "begin", "end"}, the latter two as offsets in the file."""
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as source:
            length = int.from_bytes(source.read(8), "little")
            if length > size - 8:
                raise ValueError("the header is longer than the file")
            header = json.loads(source.read(length).decode("utf-8"))
        header.pop("__metadata__", None)
        tensors = {name: {"dtype": entry["dtype"], "shape": entry["shape"],
                          "begin": 8 + length + entry["data_offsets"][0], "end": 8 + length + entry["data_offsets"][1]}
                   for name, entry in header.items()}
        if any(entry["end"] > size for entry in tensors.values()):
            raise ValueError("the file is cut off")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); copy it again from the model's release.")
    return tensors


def safetensors_array(path, name, entry):
    """One tensor of a safetensors file; bfloat16, which numpy lacks, comes as float32."""
    dtype = entry["dtype"]
    if dtype not in SAFETENSORS_TYPES:
        raise InputError(f"{path}: {name} has the element type {dtype}; {', '.join(SAFETENSORS_TYPES)} can be read.")
    with open(path, "rb") as source:
        source.seek(entry["begin"])
        array = np.frombuffer(source.read(entry["end"] - entry["begin"]), SAFETENSORS_TYPES[dtype])
    if dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if array.size != int(np.prod(entry["shape"])):
        raise InputError(f"{path}: {name} does not have the size of its shape; copy the file again.")
    return array.reshape(entry["shape"])


def is_transposed(name):
    """Hugging Face keeps the kernels of dense layers as [outputs, inputs], Google as [inputs, outputs]."""
    return name.endswith("/kernel")


def huggingface_names(name):
    """The names a variable of Google's checkpoint may have in Hugging Face's layout, without the prefix `bert.`."""
    name = re.sub(r"/layer_(\d+)/", r"/layer/\1/", name[len("bert/"):]).replace("/", ".")
    if name.endswith("LayerNorm.gamma"):
        return [name[:-len("gamma")] + "weight", name]
    if name.endswith("LayerNorm.beta"):
        return [name[:-len("beta")] + "bias", name]
    if name.endswith(".kernel"):
        return [name[:-len("kernel")] + "weight"]
    return [name + ".weight" if name.endswith("_embeddings") else name]
