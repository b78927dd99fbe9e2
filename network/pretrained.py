"""Weights of a released BERT, in whichever of its layouts, under the variable names of Google's checkpoints.

The formats are read by weights_tensorflow (Google's, BioBERT's and ClinicalBERT's archives), weights_safetensors and
weights_pytorch (Hugging Face). What comes out has been checked against the model that wants it: every variable is there, in its
shape, and finite.
"""
import os
import re
from typing import NamedTuple

import numpy as np

from network import weights_pytorch, weights_safetensors, weights_tensorflow
from network.config import check_model_type, read_json
from network.weights_tensors import check_not_pointer, read_tensor
from support.errors import InputError
from support.files import fingerprint_file

GETTING_A_BERT = (
    "Put a released BERT there, Google's uncased_L-12_H-768_A-12 for the paper's model (bert_config.json, vocab.txt, "
    "bert_model.ckpt.*), or name another with --bert DIR; BioBERT, ClinicalBERT and the like work too, with a TensorFlow "
    "checkpoint, model.safetensors or pytorch_model.bin. `make demo` needs none.")

POOLER = "bert/pooler/"

# Files of Hugging Face's that say, or show, that the weights are split over several.
SHARDED = re.compile(r"(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?\Z")


class BertFiles(NamedTuple):
    """The files of a BERT folder that are read."""

    config: str          # path of the configuration
    weights: str         # path of the weights; of a TensorFlow checkpoint the part that its files' names begin with
    weight_files: list   # all files of the weights, a checkpoint's index first
    table: object        # function of `weights`: dict of tensor name -> StoredTensor; None for a TensorFlow checkpoint


def check_bert_folder(folder):
    """Find the files of a BERT folder.

    Parameters
    ----------
    folder : paths.BertFolder

    Returns
    -------
    BertFiles

    Raises
    ------
    InputError : no such folder, files missing from it, another model than BERT, weights split over several files, or Git LFS'
        pointers in place of the files.
    """
    if not os.path.isdir(folder.root):
        raise InputError(f"the BERT folder {folder.root} does not exist. {GETTING_A_BERT}")
    configs = [path for path in (folder.google_config, folder.huggingface_config) if os.path.isfile(path)]
    for path in configs:
        # Before anything is missed that another model does not have, such as its vocab.txt.
        check_not_pointer(path)
        check_model_type(path, read_json(path))
    weights, weight_files, table = find_weights(folder)
    # Each layout has its own name for it, but people mix them.
    usual = folder.google_config if table is None else folder.huggingface_config
    config = usual if usual in configs or not configs else configs[0]
    for path in (config, folder.vocab):
        if not os.path.isfile(path):
            raise InputError(f"the BERT folder {folder.root} has no {os.path.basename(path)}. {GETTING_A_BERT}")
    for path in [folder.vocab] + weight_files:
        check_not_pointer(path)
    return BertFiles(config, weights, weight_files, table)


def find_weights(folder):
    """The last three fields of BertFiles for a folder; InputError where it holds no weights that can be read."""
    checkpoint = weights_tensorflow.find_checkpoint(folder.root)
    if checkpoint is not None:
        found = weights_tensorflow.checkpoint_files(checkpoint)
        if not found:
            name = os.path.basename(checkpoint)
            raise InputError(f"the BERT folder {folder.root} holds {name}.index without its {name}.data-*. {GETTING_A_BERT}")
        return checkpoint, found, None
    for path, table in ((folder.safetensors, weights_safetensors.tensors), (folder.pytorch, weights_pytorch.tensors)):
        if os.path.isfile(path):
            return path, [path], table
    parts = sorted(filter(SHARDED.match, os.listdir(folder.root)))
    if parts:
        raise InputError(f"{folder.root}: the weights are split over several files ({parts[0]} ...), of which one is wanted. With "
                         "the library transformers: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER, "
                         "max_shard_size=\"100GB\"); then copy vocab.txt there and name that folder with --bert.")
    raise InputError(f"the BERT folder {folder.root} holds no weights: neither bert_model.ckpt.index with its "
                     "bert_model.ckpt.data-* or another TensorFlow checkpoint, nor model.safetensors, nor pytorch_model.bin. "
                     f"{GETTING_A_BERT}")


def fingerprint(folder):
    """SHA-256 digests of the files that make the model, by file name."""
    found = check_bert_folder(folder)
    return {os.path.basename(path): fingerprint_file(path) for path in [found.config, folder.vocab] + found.weight_files}


def lower_cases(folder, vocab):
    """Whether text is lower-cased before a BERT's word pieces are looked for in it.

    Parameters
    ----------
    folder : paths.BertFolder
    vocab : dict of word piece -> id, the folder's.

    Returns
    -------
    bool, from `do_lower_case` of tokenizer_config.json where there is one, else from the vocabulary: a cased one has word pieces
    with capital letters.

    Raises
    ------
    InputError : tokenizer_config.json cannot be read, or its `do_lower_case` is neither true nor false.
    """
    told = tokenizer_config(folder).get("do_lower_case", not is_cased(vocab))
    if not isinstance(told, bool):
        raise InputError(f"{folder.tokenizer_config}: do_lower_case must be true or false; correct it, or remove the file to have "
                         "the vocabulary tell.")
    return told


def tokenizer_config(folder):
    """What tokenizer_config.json of a paths.BertFolder tells: dict; {} where there is none."""
    return read_json(folder.tokenizer_config) if os.path.isfile(folder.tokenizer_config) else {}


def check_accents(folder, do_lower_case):
    """Refuse a BERT whose word pieces have accents where text is lower-cased, or none where it is not.

    Google's tokenizer strips the accents of what it lower-cases, and of nothing else.

    Parameters
    ----------
    folder : paths.BertFolder
    do_lower_case : whether text is lower-cased.

    Raises
    ------
    InputError : `strip_accents` of tokenizer_config.json says otherwise.
    """
    told = tokenizer_config(folder).get("strip_accents")
    if isinstance(told, bool) and told != do_lower_case:
        raise InputError(f"{folder.tokenizer_config}: strip_accents is {str(told).lower()}. Here text loses its accents if it is "
                         "lower-cased, and keeps them if not, so that many words would be unknown. Use --set "
                         f"do_lower_case={str(told).lower()} if the vocabulary bears that, or another BERT.")


def is_cased(vocab):
    """Whether word pieces of a vocabulary have capital letters; special ones, such as [CLS], do not count."""
    return any(piece != piece.lower() for piece in vocab if not (piece.startswith("[") and piece.endswith("]")))


def check_weights(folder, shapes):
    """Check that the weights are undamaged and fit the model; parameters and errors as `load_weights`."""
    for _ in arrays(folder, shapes):
        pass
    found = check_bert_folder(folder)
    if found.table is weights_pytorch.tensors:
        weights_pytorch.check_sums(found.weights)


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
    InputError : a variable that is missing, in another shape or not finite, or a file that cannot be read.
    """
    return dict(arrays(folder, shapes))


def arrays(folder, shapes):
    """The variables of `load_weights`, one after the other: (name, array)."""
    found = check_bert_folder(folder)
    return arrays_of(found.weights, found.table, shapes)


def arrays_of(path, table, shapes):
    """`arrays`, from `weights` and `table` of BertFiles."""
    if table is None:
        wanted = wanted_variables(path, shapes, weights_tensorflow.shapes(path))
        read = weights_tensorflow.arrays(path, wanted)
    else:
        tensors = table(path)
        sources = huggingface_sources(tensors, shapes)
        available = {name: tensors[source].shape for name, source in sources.items()}
        available.update({name: shape[::-1] for name, shape in available.items() if is_transposed(name)})
        wanted = wanted_variables(path, shapes, available)
        read = huggingface_arrays(path, tensors, {name: sources[name] for name in wanted})
    for name, array in read:
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} holds values that are not finite (NaN or infinity); the model is damaged. "
                             "Copy it again from its release, or name another BERT with --bert.")
        yield name, array
    for name in set(shapes) - set(wanted):
        yield name, np.zeros(shapes[name], np.float32)


def wanted_variables(source, shapes, available):
    """The part of `shapes` to read from a file that has the variables `available` (name -> shape); errors as `check_variables`.

    All of it, but for a pooler that a model for masked words was saved without: BERT-CNN reads the sequence, so its pooler may
    hold anything, and holds zeros then.
    """
    without = {name: shape for name, shape in shapes.items() if not name.startswith(POOLER)}
    wanted = shapes if any(name.startswith(POOLER) for name in available) else without
    check_variables(source, wanted, available)
    return wanted


def huggingface_sources(tensors, shapes):
    """Dict of variable name -> the name that its tensor has among `tensors` (name -> StoredTensor), where it is there."""
    prefix = "bert." if any(name.startswith("bert.") for name in tensors) else ""
    sources = {name: next((prefix + candidate for candidate in huggingface_names(name) if prefix + candidate in tensors), None)
               for name in shapes}
    return {name: source for name, source in sources.items() if source is not None}


def huggingface_arrays(path, tensors, sources):
    """The variables that a file of Hugging Face's holds, one after the other: (name, array).

    Parameters
    ----------
    path : the file.
    tensors : dict of name -> StoredTensor, its content.
    sources : dict of variable name -> tensor's name.
    """
    with open(path, "rb") as opened:
        for name, source in sources.items():
            array = read_tensor(path, opened, source, tensors[source])
            yield name, np.ascontiguousarray(array.T if is_transposed(name) else array)


def check_variables(source, shapes, available):
    """Raise an InputError that names the variables that `available` lacks or has in another shape."""
    wrong = [f"{name} (missing)" for name in sorted(set(shapes) - set(available))]
    wrong += [f"{name} (has shape {list(available[name])}, the model needs {list(shape)})"
              for name, shape in sorted(shapes.items()) if name in available and list(available[name]) != list(shape)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InputError(f"{source}: does not fit the model's configuration: {', '.join(wrong[:5])}{more}.")


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
