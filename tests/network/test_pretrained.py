"""Weights of a BERT in every layout, and what is refused."""
import contextlib
import json
import os
import shutil

import numpy as np
import pytest

from helpers import run, settings
from inputs import reading
from inputs.tiny_bert import make_tiny_bert
from network import pretrained
from settings import Settings
from support import paths
from support.errors import InputError
from torch_files import state_dict, write_older, write_safetensors, write_zip

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


@pytest.mark.parametrize("write", [write_zip, write_older])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_pytorchs_files_give_the_same_weights(google, weights, write, prefix, tmp_path):
    theirs = huggingface(tmp_path / "hf", google, weights, prefix=prefix)
    os.remove(theirs.safetensors)
    write(theirs.pytorch, state_dict({prefix + NAMES[name[len("bert/"):]][0]: value.T if NAMES[name[len("bert/"):]][1] else value
                                      for name, value in weights.items()}))
    loaded = pretrained.load_weights(theirs, shapes_of(weights))
    assert set(loaded) == set(weights)
    for name, value in loaded.items():
        assert value.dtype == np.float32 and value.flags.c_contiguous
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


# ------------------------------------------------------------------------------------ folders as they are published

@pytest.fixture(scope="module")
def layouts(shared):
    """Folders of BERTs in the layouts that people download."""
    return shared / "bert_layouts"


def read(folder):
    """(reading.Bert, all its variables) of a BERT folder."""
    from training.estimator import model_shapes
    bert = reading.read_bert(paths.BertFolder(str(folder)), Settings())
    shapes = {name: shape for name, shape in model_shapes(bert.config, Settings(), 8).items() if name.startswith("bert/")}
    pretrained.check_weights(bert.folder, shapes)
    return bert, pretrained.load_weights(bert.folder, shapes)


@pytest.mark.parametrize("layout", ["bin_zip", "bin_legacy", "bin_half"])
def test_published_pytorch_files_are_read_to_the_bit(layouts, layout):
    _, loaded = read(layouts / layout)
    with np.load(str(layouts / layout / "expected.npz")) as expected:
        prefix, compared = "bert." if "bert.embeddings.word_embeddings.weight" in expected else "", 0
        for name, value in loaded.items():
            theirs = [prefix + known for known in pretrained.huggingface_names(name) if prefix + known in expected]
            if not theirs:
                # Models for masked words alone are saved without a pooler.
                assert name.startswith("bert/pooler/") and not value.any()
                continue
            tensor = expected[theirs[0]]
            np.testing.assert_array_equal(value, tensor.T if pretrained.is_transposed(name) else tensor, err_msg=name)
            assert value.dtype == np.float32
            compared += 1
    assert compared >= 37


@pytest.mark.parametrize("layout, checkpoint", [
    ("google_numbered", "model.ckpt-1000000"), ("google_two_steps", "model.ckpt-150000")])
def test_checkpoints_of_any_name_are_read(layouts, layout, checkpoint):
    from network.runtime import tf
    bert, loaded = read(layouts / layout)
    reader = tf.train.load_checkpoint(str(layouts / layout / checkpoint))
    for name, value in loaded.items():
        np.testing.assert_array_equal(value, reader.get_tensor(name), err_msg=name)
    assert checkpoint + ".index" in bert.fingerprint and len(loaded) == 39
    assert pretrained.check_bert_folder(bert.folder).weights == str(layouts / layout / checkpoint)


def test_padded_embeddings_and_both_cases_are_read(layouts):
    bert, loaded = read(layouts / "vocab_padded")
    assert len(loaded["bert/embeddings/word_embeddings"]) == len(bert.vocab) + 100
    for layout in ("cased", "cased_untold"):
        bert, _ = read(layouts / layout)
        assert not pretrained.lower_cases(bert.folder, bert.vocab)


@pytest.mark.parametrize("layout, words", [
    ("hostile_zip", "posix.system"), ("hostile_legacy", "posix.system"), ("not_torch", "Git LFS pointer.*git lfs pull")])
def test_what_must_be_refused_is_refused(layouts, layout, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="pytorch_model.bin: .*" + words):
        read(layouts / layout)
    assert os.listdir(str(tmp_path)) == []


# -------------------------------------------------------------------------------------------- which files are meant

def checkpoints(folder, names, state=None):
    """A folder in which files of checkpoints of these names seem to be, and a file `checkpoint` that names one."""
    for name in names:
        for ending in (".index", ".data-00000-of-00001", ".meta"):
            (folder / (name + ending)).write_bytes(b"")
    for name in ("bert_config.json", "vocab.txt"):
        (folder / name).write_text("{}")
    if state is not None:
        (folder / "checkpoint").write_text(state)
    return paths.BertFolder(str(folder))


@pytest.mark.parametrize("names, state, expected", [
    (["biobert_model.ckpt"], None, "biobert_model.ckpt"),
    (["model.ckpt-9", "model.ckpt-100"], None, "model.ckpt-100"),
    (["model.ckpt-9", "model.ckpt-100"], 'model_checkpoint_path: "/home/them/model.ckpt-9"\n', "model.ckpt-9"),
    (["model.ckpt-9", "model.ckpt-100"], 'model_checkpoint_path: "C:\\\\them\\\\model.ckpt-9"\n', "model.ckpt-9"),
    (["model.ckpt-9", "model.ckpt-100"], "\x00\x01", "model.ckpt-100"),
    (["model.ckpt-9"], 'model_checkpoint_path: "model.ckpt-10"', "model.ckpt-9"),
    (["model.ckpt-9", "bert_model.ckpt"], 'model_checkpoint_path: "model.ckpt-9"', "bert_model.ckpt")])
def test_the_checkpoint_that_is_meant(names, state, expected, tmp_path):
    found = pretrained.check_bert_folder(checkpoints(tmp_path, names, state))
    assert os.path.basename(found.weights) == expected
    assert [os.path.basename(path) for path in found.weight_files] == [expected + ".index", expected + ".data-00000-of-00001"]


@pytest.mark.parametrize("names, state, words", [
    (["a.ckpt", "b.ckpt"], None, "several checkpoints .a.ckpt, b.ckpt"),
    (["a-10", "b-10"], None, "several checkpoints"),
    (["a-9", "a-10"], 'model_checkpoint_path: "a-11"', "checkpoint names 'a-11', which is not in the folder")])
def test_a_checkpoint_is_not_guessed(names, state, words, tmp_path):
    with pytest.raises(InputError, match=words):
        pretrained.check_bert_folder(checkpoints(tmp_path, names, state))


def test_either_name_of_the_configuration_will_do(google, tmp_path):
    shutil.copytree(google.root, str(tmp_path / "bert"))
    folder = paths.BertFolder(str(tmp_path / "bert"))
    shutil.copyfile(folder.google_config, folder.huggingface_config)
    assert pretrained.check_bert_folder(folder).config == folder.google_config
    os.remove(folder.google_config)
    assert pretrained.check_bert_folder(folder).config == folder.huggingface_config


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", "model.safetensors.index.json",
                                  "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"])
def test_split_weights_are_explained(name, tmp_path):
    folder = checkpoints(tmp_path, [])
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"split over several files .{name}.*max_shard_size"):
        pretrained.check_bert_folder(folder)


@pytest.mark.parametrize("kind, words", [("roberta", "a RoBERTa"), ("distilbert", "a DistilBERT"), ("modernbert", "a ModernBERT")])
def test_another_model_is_named_before_its_files_are_missed(kind, words, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(InputError, match=words + ".*--bert"):
        pretrained.check_bert_folder(paths.BertFolder(str(tmp_path)))


@pytest.mark.parametrize("name", ["vocab.txt", "config.json", "model.safetensors"])
def test_a_pointer_in_place_of_any_file_is_named(google, weights, name, tmp_path):
    folder = huggingface(tmp_path / "hf", google, weights)
    (tmp_path / "hf" / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(InputError, match=name + ": this is a Git LFS pointer"):
        pretrained.check_bert_folder(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", ["google", "safetensors", "zip", "older"])
def test_what_is_not_finite_is_not_loaded(google, weights, layout, value, tmp_path):
    name = "bert/encoder/layer_0/output/dense/kernel"
    damaged = dict(weights, **{name: weights[name].copy()})
    damaged[name][3, 4] = value
    folder = huggingface(tmp_path / "hf", google, damaged)
    if layout != "safetensors":
        os.remove(folder.safetensors)
    if layout == "google":
        from inputs.tiny_bert import save_checkpoint
        save_checkpoint(damaged, folder.google_checkpoint)
    elif layout != "safetensors":
        model = state_dict({NAMES[key[len("bert/"):]][0]: array.T if NAMES[key[len("bert/"):]][1] else array
                            for key, array in damaged.items()})
        {"zip": write_zip, "older": write_older}[layout](folder.pytorch, model)
    for load in (pretrained.load_weights, pretrained.check_weights):
        with pytest.raises(InputError, match=name + ".*not finite"):
            load(folder, shapes_of(weights))


# ------------------------------------------------------------------------------------------------------------- case

CASED, UNCASED = ["[PAD]", "[UNK]", "the", "The", "##ing"], ["[PAD]", "[UNK]", "[MASK]", "the", "##ing", "\u00e9", "2", "\u4e2d"]


@pytest.mark.parametrize("pieces, told, expected", [
    (CASED, None, False), (UNCASED, None, True), (["[PAD]", "##\u00c9t\u00e9"], None, False),
    (CASED, {"do_lower_case": True}, True), (UNCASED, {"do_lower_case": False}, False), (UNCASED, {"model_max_length": 512}, True)])
def test_the_case_of_a_bert(pieces, told, expected, tmp_path):
    if told is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    found = pretrained.lower_cases(paths.BertFolder(str(tmp_path)), {piece: number for number, piece in enumerate(pieces)})
    assert found == expected


@pytest.mark.parametrize("told, lower, is_refused", [(False, True, True), (True, False, True), (True, True, False),
                                                     (False, False, False), (None, True, False), (None, False, False)])
def test_accents_that_the_vocabulary_keeps_are_not_stripped_in_silence(told, lower, is_refused, tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower, "strip_accents": told}))
    if is_refused:
        with pytest.raises(InputError, match=f"tokenizer_config.json: strip_accents is {str(told).lower()}.*do_lower_case"):
            pretrained.check_accents(paths.BertFolder(str(tmp_path)), lower)
    else:
        pretrained.check_accents(paths.BertFolder(str(tmp_path)), lower)


@pytest.mark.parametrize("chosen, is_refused", [("auto", True), ("true", True), ("false", False)])
def test_text_that_is_not_lower_cased_as_the_bert_wants_it_is_told_and_not_refused(chosen, is_refused, bert, tmp_path):
    """As the recipe `paper` does with uncased BERTs."""
    folder = shutil.copytree(str(bert), str(tmp_path / "bert"))
    (tmp_path / "bert" / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "strip_accents": False}))
    with pytest.raises(InputError, match="strip_accents") if is_refused else contextlib.ExitStack():
        reading.read_bert(paths.BertFolder(folder), Settings(do_lower_case=chosen))


@pytest.mark.parametrize("content", ['{"do_lower_case": "false"}', '{"do_lower_case": null}', '{"do_lower_case": 0}', "[]", "{"])
def test_a_case_that_cannot_be_read_is_refused(content, tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(InputError, match="tokenizer_config.json"):
        pretrained.lower_cases(paths.BertFolder(str(tmp_path)), {})


@pytest.mark.trains
def test_the_same_weights_in_each_layout_become_the_same_model(bert, corpus, tmp_path):
    """To the last bit, so that its probabilities are the same, too."""
    from network.runtime import tf
    own = paths.BertFolder(str(bert))
    reader = tf.train.load_checkpoint(own.google_checkpoint)
    arrays = {}
    for name in reader.get_variable_to_shape_map():
        if name.startswith("bert/"):
            value = reader.get_tensor(name)
            arrays["bert." + pretrained.huggingface_names(name)[0]] = value.T if pretrained.is_transposed(name) else value
    folders = [bert]
    for layout in ("model.safetensors", "pytorch_model.bin", "older"):
        folders.append(tmp_path / layout)
        folders[-1].mkdir()
        shutil.copyfile(own.vocab, str(folders[-1] / "vocab.txt"))
        shutil.copyfile(own.google_config, str(folders[-1] / "config.json"))
    write_safetensors(folders[1] / "model.safetensors",
                      {name: ("F32", list(value.shape), encoded(value, "F32")) for name, value in arrays.items()})
    write_zip(folders[2] / "pytorch_model.bin", state_dict(arrays))
    write_older(folders[3] / "pytorch_model.bin", state_dict(arrays))
    models = set()
    for number, folder in enumerate(folders):
        result = tmp_path / f"result {number}"
        run("run_i2b2.py", "train", "--corpus", corpus, "--bert", folder, "--result", result,
            *settings(max_steps=2, evaluate_every=2, dev=0.4, seq_length=32, batch_size=4))
        models.add((result / "checkpoints/i2b2/best_validation.data-00000-of-00001").read_bytes())
    assert len(models) == 1
