"""Weights of a BERT in both layouts, and what is refused."""
import json
import shutil
import struct

import numpy as np
import pytest

from inputs import reading
from inputs.sample_corpus import make_tiny_bert
from network import pretrained
from settings import Settings
from support import paths
from support.errors import InputError

# Google's name of a tensor (of layer 0, where it has one) -> Hugging Face's, and whether the latter is transposed.
NAMES = {
    "embeddings/word_embeddings": ("embeddings.word_embeddings.weight", False),
    "embeddings/position_embeddings": ("embeddings.position_embeddings.weight", False),
    "embeddings/token_type_embeddings": ("embeddings.token_type_embeddings.weight", False),
    "embeddings/LayerNorm/gamma": ("embeddings.LayerNorm.weight", False),
    "embeddings/LayerNorm/beta": ("embeddings.LayerNorm.bias", False),
    "encoder/layer_0/attention/self/query/kernel": ("encoder.layer.0.attention.self.query.weight", True),
    "encoder/layer_0/attention/self/query/bias": ("encoder.layer.0.attention.self.query.bias", False),
    "encoder/layer_0/attention/output/LayerNorm/gamma": ("encoder.layer.0.attention.output.LayerNorm.weight", False),
    "encoder/layer_0/intermediate/dense/kernel": ("encoder.layer.0.intermediate.dense.weight", True),
    "encoder/layer_0/output/dense/kernel": ("encoder.layer.0.output.dense.weight", True),
    "pooler/dense/kernel": ("pooler.dense.weight", True),
}


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    """The tiny BERT in Google's layout."""
    folder = tmp_path_factory.mktemp("google") / "tiny"
    make_tiny_bert(str(folder))
    return paths.BertFolder(str(folder))


@pytest.fixture(scope="module")
def weights(google):
    """Those variables of it that NAMES has."""
    from network.runtime import tf
    reader = tf.train.load_checkpoint(google.google_checkpoint)
    return {"bert/" + name: reader.get_tensor("bert/" + name) for name in NAMES}


def shapes_of(weights):
    return {name: list(value.shape) for name, value in weights.items()}


def write_safetensors(path, tensors):
    """The format as its authors publish it; tensors: name -> (type's name, shape, bytes)."""
    header, begin = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, begin + len(data)]}
        begin += len(data)
    text = json.dumps(header).encode("utf-8")
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def encoded(array, kind):
    """An array's bytes in F32, F16 or BF16."""
    if kind == "BF16":
        return (np.ascontiguousarray(array, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return np.ascontiguousarray(array).astype({"F32": "<f4", "F16": "<f2"}[kind]).tobytes()


def huggingface(folder, google, weights, kind="F32", prefix="", renamed=lambda name: name):
    """The same BERT in Hugging Face's layout; returns the paths.BertFolder."""
    folder.mkdir()
    shutil.copyfile(google.vocab, str(folder / "vocab.txt"))
    shutil.copyfile(google.google_config, str(folder / "config.json"))
    tensors = {}
    for name, value in weights.items():
        theirs, transposed = NAMES[name[len("bert/"):]]
        value = value.T if transposed else value
        tensors[prefix + renamed(theirs)] = (kind, list(value.shape), encoded(value, kind))
    write_safetensors(folder / "model.safetensors", tensors)
    return paths.BertFolder(str(folder))


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_both_layouts_give_the_same_weights(google, weights, prefix, tmp_path):
    theirs = huggingface(tmp_path / "hf", google, weights, prefix=prefix)
    for folder in (google, theirs):
        loaded = pretrained.load_weights(folder, shapes_of(weights))
        assert set(loaded) == set(weights)
        for name, value in loaded.items():
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, weights[name], err_msg=name)


def test_layer_norms_of_older_conversions_are_known(google, weights, tmp_path):
    """Early PyTorch conversions, BioBERT's among them, call them gamma and beta."""
    def old(name):
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    loaded = pretrained.load_weights(huggingface(tmp_path / "hf", google, weights, renamed=old), shapes_of(weights))
    assert set(loaded) == set(weights)


@pytest.mark.parametrize("kind, error", [("F16", 2 ** -11), ("BF16", 2 ** -7)])
def test_half_precision_is_read(google, weights, kind, error, tmp_path):
    loaded = pretrained.load_weights(huggingface(tmp_path / "hf", google, weights, kind), shapes_of(weights))
    for name, value in loaded.items():
        np.testing.assert_allclose(value, weights[name], rtol=error, atol=1e-6)


def test_missing_and_misshapen_variables_are_named(google, weights, tmp_path):
    shapes = dict(shapes_of(weights), **{"bert/encoder/layer_7/output/dense/bias": [64]})
    shapes["bert/pooler/dense/kernel"] = [64, 65]
    for folder in (google, huggingface(tmp_path / "hf", google, weights)):
        with pytest.raises(InputError) as caught:
            pretrained.load_weights(folder, shapes)
        for words in ("layer_7/output/dense/bias (missing)",
                      "pooler/dense/kernel (has shape [64, 64], the model needs [64, 65])"):
            assert words in str(caught.value)


@pytest.mark.parametrize("change", [
    lambda data: data[:-1], lambda data: data[:40], lambda data: data[:4], lambda data: b"\xff" * 8 + data[8:],
    lambda data: data[:8] + data[8:].replace(b"F32", b"F33")])
def test_a_damaged_safetensors_file_is_refused(google, weights, change, tmp_path):
    folder = huggingface(tmp_path / "hf", google, weights)
    with open(folder.safetensors, "rb") as source:
        data = source.read()
    with open(folder.safetensors, "wb") as out:
        out.write(change(data))
    with pytest.raises(InputError, match="model.safetensors"):
        pretrained.load_weights(folder, shapes_of(weights))


def test_a_cut_off_google_checkpoint_is_refused(google, weights, tmp_path):
    shutil.copytree(google.root, str(tmp_path / "cut"))
    folder = paths.BertFolder(str(tmp_path / "cut"))
    with open(folder.google_checkpoint + ".data-00000-of-00001", "rb+") as data:
        data.truncate(1000)
    with pytest.raises(InputError, match="bert_model.ckpt"):
        pretrained.load_weights(folder, shapes_of(weights))


@pytest.mark.parametrize("missing", ["vocab.txt", "bert_config.json", "bert_model.ckpt.index",
                                     "bert_model.ckpt.data-00000-of-00001"])
def test_a_missing_file_is_named_and_where_it_is_had(google, missing, tmp_path):
    shutil.copytree(google.root, str(tmp_path / "part"))
    (tmp_path / "part" / missing).unlink()
    with pytest.raises(InputError) as caught:
        pretrained.check_bert_folder(paths.BertFolder(str(tmp_path / "part")))
    for words in (missing.split(".data")[0], "uncased_L-12_H-768_A-12", "demo"):
        assert words in str(caught.value)


def test_a_vocabulary_of_another_model_is_refused(google, tmp_path):
    shutil.copytree(google.root, str(tmp_path / "mixed"))
    with open(str(tmp_path / "mixed" / "vocab.txt"), "a", encoding="utf-8") as vocab:
        vocab.write("onemore\n")
    with pytest.raises(InputError, match="vocab_size"):
        reading.read_bert(paths.BertFolder(str(tmp_path / "mixed")), Settings())
