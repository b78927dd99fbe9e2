"""A BERT's configuration and vocabulary: what is read, and what is refused."""
import json

import pytest

from inputs import reading
from inputs.tiny_bert import make_tiny_bert
from inputs.vocabulary import read_vocab
from network.config import load_config
from settings import Settings
from support import paths
from support.errors import InputError

CONFIG = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0, "hidden_size": 32,
          "initializer_range": 0.02, "intermediate_size": 64, "max_position_embeddings": 256, "num_attention_heads": 2,
          "num_hidden_layers": 2, "type_vocab_size": 2, "vocab_size": 1230}


def written(folder, changes=(), content=None):
    """The path of a configuration with other values, or of any other content."""
    path = folder / "config.json"
    path.write_text(json.dumps(dict(CONFIG, **dict(changes))) if content is None else content, encoding="utf-8")
    return str(path)


def test_what_the_file_says_is_read(tmp_path):
    changes = {"layer_norm_eps": 1e-6, "hidden_act": "GELU", "model_type": "bert", "position_embedding_type": "absolute",
               "is_decoder": False, "architectures": ["BertForMaskedLM"], "anything": None}
    assert load_config(written(tmp_path, changes)).to_dict() == dict(CONFIG, layer_norm_eps=1e-6)


def test_rates_that_the_file_does_not_say_are_those_of_the_release(tmp_path):
    kept = {key: value for key, value in CONFIG.items() if not key.endswith(("prob", "range", "act"))}
    config = load_config(written(tmp_path, content=json.dumps(kept)))
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob, config.initializer_range,
            config.layer_norm_eps) == (0.1, 0.1, 0.02, 1e-12)


@pytest.mark.parametrize("value", ["12", "0.1", float("nan"), float("inf"), -1, -0.1, 1.0, 1, None, True, [0.1]])
@pytest.mark.parametrize("key", ["hidden_dropout_prob", "attention_probs_dropout_prob"])
def test_what_is_no_rate_is_refused(key, value, tmp_path):
    with pytest.raises(InputError, match=f"config.json: {key} is .*must be a number from 0 to 0.999"):
        load_config(written(tmp_path, {key: value}))


@pytest.mark.parametrize("key, value", [
    ("initializer_range", float("nan")), ("initializer_range", "0.02"), ("initializer_range", -0.02), ("initializer_range", None),
    ("layer_norm_eps", 0), ("layer_norm_eps", 0.1), ("layer_norm_eps", -1e-12), ("layer_norm_eps", float("nan")),
    ("layer_norm_eps", "1e-12"), ("layer_norm_eps", False)])
def test_what_is_no_such_number_is_refused(key, value, tmp_path):
    with pytest.raises(InputError, match=f"config.json: {key} is .*must be a number from"):
        load_config(written(tmp_path, {key: value}))


@pytest.mark.parametrize("value", [True, 0, -2, 2.0, "2", None, [2], 10 ** 30])
@pytest.mark.parametrize("key", [key for key in CONFIG if "size" in key or key.startswith(("num", "max"))])
def test_what_is_no_size_is_refused(key, value, tmp_path):
    with pytest.raises(InputError, match=f"config.json: {key} is .*must be a whole number from 1 to"):
        load_config(written(tmp_path, {key: value}))


def test_a_size_is_never_guessed(tmp_path):
    content = json.dumps({key: value for key, value in CONFIG.items() if key != "num_attention_heads"})
    with pytest.raises(InputError, match="lacks num_attention_heads"):
        load_config(written(tmp_path, content=content))


def test_heads_divide_the_width(tmp_path):
    with pytest.raises(InputError, match="hidden_size 32 is not a multiple of num_attention_heads 3"):
        load_config(written(tmp_path, {"num_attention_heads": 3}))


@pytest.mark.parametrize("key, value", [
    ("position_embedding_type", "relative_key"), ("position_embedding_type", "relative_key_query"), ("is_decoder", True),
    ("add_cross_attention", True), ("hidden_act", "swish"), ("hidden_act", "quick_gelu"), ("hidden_act", None),
    ("hidden_act", ["gelu"])])
def test_a_variant_that_is_not_computed_is_refused(key, value, tmp_path):
    with pytest.raises(InputError, match=f"config.json: {key} is "):
        load_config(written(tmp_path, {key: value}))


@pytest.mark.parametrize("name", ["gelu", "Gelu", "gelu_new", "gelu_pytorch_tanh"])
def test_every_name_of_the_activation_is_known(name, tmp_path):
    load_config(written(tmp_path, {"hidden_act": name}))


@pytest.mark.parametrize("entries, words", [
    ({"model_type": "distilbert", "dim": 768}, "a DistilBERT"), ({"model_type": "roberta"}, "a RoBERTa"),
    ({"model_type": "modernbert"}, "a ModernBERT"), ({"model_type": "electra"}, "not a BERT .model_type .electra"),
    ({"model_type": 3}, "not a BERT"), ({"architectures": ["RobertaForMaskedLM"]}, "a RoBERTa")])
def test_another_model_is_named(entries, words, tmp_path):
    with pytest.raises(InputError, match=f"config.json: this is {words}.*--bert DIR"):
        load_config(written(tmp_path, content=json.dumps(entries)))


@pytest.mark.parametrize("content", ["", "[1]", "null", "{\"vocab_size\": ", "[" * 100000, "\ufeff{}", "1" * 5000])
def test_what_is_no_json_object_is_refused(content, tmp_path):
    with pytest.raises(InputError, match="config.json: "):
        load_config(written(tmp_path, content=content))


def test_the_epsilon_of_layer_normalization_is_heeded():
    import numpy as np

    from network.layers import Layers
    from network.runtime import tf
    x, gamma, beta = np.array([[0.001, -0.001]], np.float32), np.ones(2, np.float32), np.zeros(2, np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        for epsilon in (1e-12, 1e-6):
            layers = Layers()
            for result in (layers.norm(tf.constant(x), gamma, beta, epsilon),
                           layers.dropout_add_norm(tf.zeros([1, 2]), tf.zeros([2]), tf.constant(x), gamma, beta, 0.0, epsilon)):
                np.testing.assert_allclose(session.run(result), x / np.sqrt(1e-6 + epsilon), rtol=1e-4)


def test_the_model_takes_the_epsilon_of_its_configuration():
    from modeling import BertConfig, BertModel
    from network.runtime import tf
    variances = []
    for epsilon in (1e-12, 1e-3):
        # Embeddings that vary far less than the larger epsilon stay small; a layer that ignored it would give rows of variance 1.
        config = BertConfig(10, 4, 1, 2, 8, initializer_range=1e-5)
        config.layer_norm_eps = epsilon
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(1)
            ids = tf.constant([[1, 2, 3]], tf.int32)
            model = BertModel(config, False, ids, tf.ones_like(ids), tf.zeros_like(ids))
            session.run(tf.global_variables_initializer())
            variances.append(session.run(model.sequence_output).var(axis=-1))
    assert (variances[0] > 0.9).all() and (variances[1] < 0.9).all()


@pytest.mark.parametrize("more", [1, 100])
def test_embeddings_may_have_rows_to_spare(more, tmp_path):
    make_tiny_bert(str(tmp_path))
    folder = paths.BertFolder(str(tmp_path))
    entries = json.loads((tmp_path / "bert_config.json").read_text())
    entries["vocab_size"] += more
    (tmp_path / "bert_config.json").write_text(json.dumps(entries))
    config, vocab = reading.config_and_vocab(folder.google_config, folder.vocab, Settings())
    assert config.vocab_size == len(vocab) + more


@pytest.mark.parametrize("content, line", [
    ("[PAD]\n[UNK]\n\n[CLS]\n[SEP]\n", 3), ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n\n", 5),
    ("[PAD]\n \t\n[UNK]\n[CLS]\n[SEP]\n", 2), ("\n", 1)])
def test_an_empty_line_of_a_vocabulary_is_named(content, line, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content.encode("utf-8"))
    with pytest.raises(InputError, match=f"vocab.txt: line {line} is empty"):
        read_vocab(str(path))
