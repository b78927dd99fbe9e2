"""BERT with the interface of Google's release: the recorded models, the helpers, and what is ours."""
import json
import subprocess
import sys

import numpy as np
import pytest

import modeling
import optimization
from modeling import BertConfig, BertModel
from network.layers import Layers
from network.runtime import tf

NAMES = ("gelu", "relu_no_mask_no_types", "tanh_training_without_dropout", "linear")


@pytest.fixture(scope="module")
def recorded(shared):
    folder = shared / "bert_interface"
    return json.loads((folder / "model.json").read_text()), np.load(str(folder / "model.npz"))


def relative(value, expected):
    """Largest difference, relative to the largest expected value."""
    return np.abs(np.asarray(value) - expected).max() / max(np.abs(expected).max(), 1e-30)


def dense(gradient, variable):
    """A gradient as a tensor; zeros where there is none."""
    return tf.zeros_like(variable) if gradient is None else tf.convert_to_tensor(gradient)


# ------------------------------------------------------------------------------------------------ the recorded models

@pytest.mark.parametrize("number", range(4), ids=NAMES)
@pytest.mark.parametrize("how", ["static", "dynamic", "xla", "resource variables"])
def test_outputs_and_gradients_equal_the_releases(recorded, number, how):
    case, arrays = recorded[0][number], recorded[1]

    def values(name):
        return arrays[f"{case['name']}/{name}"]

    with tf.Graph().as_default(), tf.Session() as session:
        kind = tf.int64 if how == "dynamic" else tf.int32
        ids, mask, types = inputs = [tf.placeholder(kind, [None, None] if how == "dynamic" else values(name).shape)
                                     for name in ("ids", "mask", "types")]
        with tf.variable_scope(tf.get_variable_scope(), use_resource=how == "resource variables"):
            config = BertConfig.from_dict(case["config"])
            model = BertModel(config, case["training"], ids, mask if case["mask"] else None, types if case["types"] else None,
                              case["one_hot"], case["scope"], layers=Layers(True) if how == "xla" else None)
        assert config.to_dict() == case["config"], "the caller's configuration is left alone"
        prefix = f"{case['name']}/variable/"
        names = [name[len(prefix):] for name in arrays.files if name.startswith(prefix)]
        variables = tf.global_variables()
        assert sorted(names) == sorted(variable.op.name for variable in variables) and variables == tf.trainable_variables()
        pooled, sequence = model.get_pooled_output(), model.get_sequence_output()
        loss = tf.reduce_sum(tf.square(pooled)) + tf.reduce_mean(tf.pow(sequence, 3))
        gradients = [dense(*pair) for pair in zip(tf.gradients(loss, variables), variables)]
        if how != "dynamic":
            batch, length = values("ids").shape
            width = case["config"]["hidden_size"]
            assert sequence.shape.as_list() == [batch, length, width] and pooled.shape.as_list() == [batch, width]
        for variable in variables:
            variable.load(values(f"variable/{variable.op.name}"), session)
        feed = dict(zip(inputs, (values(name) for name in ("ids", "mask", "types"))))
        assert relative(session.run(model.get_embedding_output(), feed), values("embedding_output")) < 1e-5
        assert relative(session.run(pooled, feed), values("pooled_output")) < 1e-5
        assert relative(session.run(model.get_all_encoder_layers(), feed), values("all_encoder_layers")) < 1e-5
        assert relative(session.run(sequence, feed), values("all_encoder_layers")[-1]) < 1e-5
        assert model.get_embedding_table().op.name.endswith("embeddings/word_embeddings")
        for variable, gradient in zip(variables, session.run(gradients, feed)):
            expected = values(f"gradient/{variable.op.name}")
            if np.abs(expected).max() > 1e-6:  # a key's bias has none but for rounding
                assert relative(gradient, expected) < 1e-4, variable.op.name
            else:
                assert np.abs(gradient).max() < 1e-5, variable.op.name


# ----------------------------------------------------------------------------------------------------------- dropout

SMALL = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                   hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5, initializer_range=0.5)
IDS = np.arange(12, dtype=np.int32).reshape([2, 6])


def runs(is_training, seed=3, count=3):
    """The pooled output in several runs of a session."""
    with tf.Graph().as_default(), tf.Session() as session:
        if seed is not None:
            tf.set_random_seed(seed)
        model = BertModel(SMALL, is_training, tf.constant(IDS))
        assert not [variable for variable in tf.global_variables() if not variable.op.name.startswith("bert/")]
        assert tf.global_variables() == tf.trainable_variables()
        session.run(tf.global_variables_initializer())
        return [session.run(model.pooled_output) for _ in range(count)]


def test_dropout_draws_anew_each_run_and_heeds_the_seed():
    first, again, other = runs(True), runs(True), runs(True, seed=4)
    for one, same, different in zip(first, again, other):
        np.testing.assert_array_equal(one, same)
        assert relative(different, one) > 0.1
    assert relative(first[1], first[0]) > 0.1 and relative(first[2], first[1]) > 0.1
    quiet = runs(False)
    np.testing.assert_array_equal(quiet[0], quiet[1])


def test_models_of_one_graph_drop_apart_and_share_variables_on_request():
    with tf.Graph().as_default(), tf.Session() as session:
        ids = tf.constant(IDS)
        one = BertModel(SMALL, True, ids, scope="bert")
        with tf.variable_scope("bert", reuse=True) as scope:
            pass
        other, quiet, same = [BertModel(SMALL, training, ids, scope=scope) for training in (True, False, False)]
        assert len(tf.global_variables()) == 5 + 2 * 16 + 2
        BertModel(SMALL, False, ids)
        assert any(variable.op.name.startswith("bert_1/") for variable in tf.global_variables())
        session.run(tf.global_variables_initializer())
        outputs = session.run([model.sequence_output for model in (one, other, quiet, same)])
        assert relative(outputs[1], outputs[0]) > 0.1
        np.testing.assert_array_equal(outputs[2], outputs[3])


def test_the_derivative_is_that_of_the_masks_that_were_drawn():
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        model = BertModel(SMALL, True, tf.constant(IDS))
        slope = tf.gradients(tf.reduce_sum(model.pooled_output), model.embedding_table)[0]
        norm = tf.reduce_sum(tf.square(tf.convert_to_tensor(slope)))
        session.run(tf.global_variables_initializer())
        assert session.run(norm) > 0 and session.run(norm) != session.run(norm)


# ------------------------------------------------------------------------------------------------- building blocks

def test_the_blocks_make_the_model():
    with tf.Graph().as_default(), tf.Session() as session:
        ids = tf.constant(IDS)
        model = BertModel(SMALL, False, ids, scope="bert")
        with tf.variable_scope("bert", reuse=True):
            with tf.variable_scope("embeddings"):
                words, table = modeling.embedding_lookup(ids, 20, 16)
                embedded = modeling.embedding_postprocessor(words, True, tf.zeros_like(ids), dropout_prob=0.0)
            with tf.variable_scope("encoder"):
                mask = modeling.create_attention_mask_from_input_mask(ids, tf.ones_like(ids))
                layers = modeling.transformer_model(embedded, mask, 16, 2, 2, 24, modeling.gelu, 0.0, 0.0,
                                                    do_return_all_layers=True)
                last = modeling.transformer_model(embedded, None, 16, 2, 2, 24, modeling.gelu, 0.0, 0.0)
        assert table is model.embedding_table
        session.run(tf.global_variables_initializer())
        expected, found, last = session.run([model.all_encoder_layers, layers, last])
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_allclose(last, expected[-1], atol=1e-6)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("acts", [(None,) * 3, (tf.tanh, tf.nn.relu, tf.nn.softplus)])
def test_attention_from_one_sequence_to_another(flat, acts):
    """Against the formula of Vaswani et al., in numpy."""
    random = np.random.RandomState(0)
    source, target = random.randn(2, 3, 5).astype(np.float32), random.randn(2, 4, 7).astype(np.float32)
    mask = random.randint(0, 2, [2, 3, 4]).astype(np.int32)
    mask[:, :, 0] = 1
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(array.reshape(-1, array.shape[-1]) if flat else array) for array in (source, target)]
        sizes = dict(batch_size=2, from_seq_length=3, to_seq_length=4) if flat else {}
        context = modeling.attention_layer(*tensors, tf.constant(mask), 2, 6, *acts, initializer_range=1.0, **sizes)
        assert context.shape.as_list() == [2, 3, 12]
        variables = {variable.op.name: variable for variable in tf.trainable_variables()}
        session.run(tf.global_variables_initializer())
        found, kernels = session.run([context, variables])
        inputs = dict(query=source, key=target, value=target)
        parts = {}
        for (name, x), act in zip(inputs.items(), acts):
            product = x @ kernels[f"{name}/kernel"] + kernels[f"{name}/bias"]
            product = session.run(act(tf.constant(product))) if act else product
            parts[name] = product.reshape(2, -1, 2, 6).transpose(0, 2, 1, 3)
        scores = parts["query"] @ parts["key"].transpose(0, 1, 3, 2) / np.sqrt(6) + (1 - mask[:, None]) * -10000.0
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        expected = (weights / weights.sum(-1, keepdims=True)) @ parts["value"]
        np.testing.assert_allclose(found, expected.transpose(0, 2, 1, 3).reshape(2, 3, 12), rtol=1e-4, atol=1e-5)
        assert all(gradient is not None for gradient in tf.gradients(context, list(variables.values())))


def test_what_does_not_fit_is_refused():
    with tf.Graph().as_default():
        ids, cube = tf.zeros([2, 6], tf.int32), tf.zeros([2, 6, 16])
        for words, build in (
                ("dimensions", lambda: BertModel(SMALL, False, tf.zeros([2], tf.int32))),
                ("600 positions, the model 512", lambda: BertModel(SMALL, False, tf.zeros([2, 600], tf.int32))),
                ("no activation swish", lambda: BertModel(BertConfig(9, 4, 1, 1, 4, "swish"), False, ids)),
                ("not a multiple", lambda: BertModel(BertConfig(9, 5, 1, 2, 4), False, ids)),
                ("token_type_ids", lambda: modeling.embedding_postprocessor(cube, use_token_type=True)),
                ("16 wide, the layers 24", lambda: modeling.transformer_model(cube, hidden_size=24)),
                ("batch_size", lambda: modeling.attention_layer(tf.zeros([4, 3]), tf.zeros([4, 3]))),
                ("2 dimensions", lambda: modeling.attention_layer(tf.zeros([4, 3]), cube)),
                ("at least two", lambda: modeling.reshape_to_matrix(tf.zeros([3])))):
            with tf.variable_scope(None, default_name="case"), pytest.raises(ValueError, match=words):
                build()


def test_a_sequence_too_long_is_refused_when_its_length_is_known_at_last():
    with tf.Graph().as_default(), tf.Session() as session:
        ids = tf.placeholder(tf.int32, [None, None])
        config = BertConfig.from_dict(dict(SMALL.to_dict(), max_position_embeddings=1))
        model = BertModel(config, False, ids)
        session.run(tf.global_variables_initializer())
        session.run(model.pooled_output, {ids: IDS[:, :1]})
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(model.pooled_output, {ids: IDS})


# --------------------------------------------------------------------------------------------------------- functions

def test_configuration(tmp_path):
    config = BertConfig(vocab_size=99, hidden_size=37)
    assert config.hidden_size == 37 and config.type_vocab_size == 16 and config.hidden_act == "gelu"
    text = config.to_json_string()
    assert text == json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n" and len(config.to_dict()) == 11
    path = tmp_path / "config.json"
    path.write_text(text)
    assert BertConfig.from_json_file(str(path)).to_dict() == config.to_dict()
    further = BertConfig.from_dict({"vocab_size": 9, "pooler_type": "first"})
    assert further.pooler_type == "first" and further.to_dict()["pooler_type"] == "first"
    further.to_dict()["vocab_size"] = 1
    assert further.vocab_size == 9


def test_helpers():
    assert [modeling.get_activation(name) for name in ("GELU", "relu", "Tanh", "linear", "", None, len)] == [
        modeling.gelu, tf.nn.relu, tf.tanh, None, None, None, len]
    with pytest.raises(ValueError):
        modeling.get_activation("swish")
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 3, 4))
        np.testing.assert_allclose(session.run(modeling.gelu(tf.constant([-1.0, 0.0, 2.0]))), [-0.158808, 0, 1.954598], atol=1e-5)
        assert modeling.dropout(x, None) is x and modeling.dropout(x, 0.0) is x
        dropped, original = session.run([modeling.dropout(x, 0.25), x])
        kept = dropped != 0
        assert 0 < kept.sum() < 24
        np.testing.assert_allclose(dropped[kept], original[kept] / 0.75, rtol=1e-6)
        normal, named, both = (modeling.layer_norm(x), modeling.layer_norm(x, "mine"), modeling.layer_norm_and_dropout(x, 0.0))
        assert [variable.op.name for variable in tf.global_variables()] == [
            f"{scope}/{name}" for scope in ("LayerNorm", "mine", "LayerNorm_1") for name in ("beta", "gamma")]
        session.run(tf.global_variables_initializer())
        for result in session.run([normal, named, both]):
            np.testing.assert_allclose(result, (original - original.mean(-1, keepdims=True)) / original.std(-1, keepdims=True),
                                       rtol=1e-4, atol=1e-5)
        weights = session.run(modeling.create_initializer(0.5)([1000]))
        assert np.abs(weights).max() <= 1.0 and 0.35 < weights.std() < 0.5
        dynamic = tf.placeholder(tf.float32, [None, 3, None], "some")
        batch, three, last = modeling.get_shape_list(dynamic, 3)
        assert three == 3 and session.run([batch, last], {dynamic: np.zeros([5, 3, 7])}) == [5, 7]
        assert modeling.get_shape_list(x, [2, 3]) == [2, 3, 4]
        with pytest.raises(ValueError, match="some.*3 dimensions.*expected are 2 or 4"):
            modeling.assert_rank(dynamic, [2, 4])
        with pytest.raises(ValueError, match="another"):
            modeling.get_shape_list(x, expected_rank=2, name="another")
        matrix = modeling.reshape_to_matrix(x)
        assert matrix.shape.as_list() == [6, 4] and modeling.reshape_to_matrix(matrix) is matrix
        assert modeling.reshape_from_matrix(matrix, [6, 9]) is matrix
        assert modeling.reshape_from_matrix(tf.zeros([6, 5]), [2, 3, 4]).shape.as_list() == [2, 3, 5]
        mask = modeling.create_attention_mask_from_input_mask(x, tf.constant([[1, 0], [1, 1]]))
        assert session.run(mask).tolist() == [[[1, 0]] * 3, [[1, 1]] * 3] and mask.dtype == tf.float32
        output, table = modeling.embedding_lookup(tf.constant([[[1, 2]], [[0, 1]]]), 3, 4)
        session.run(table.initializer)
        found, rows = session.run([output, table])
        np.testing.assert_array_equal(found, np.concatenate([rows[[1, 0]], rows[[2, 1]]], axis=1)[:, None])


def test_what_a_checkpoint_has_is_found(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        kept = [tf.get_variable(name, [2]) for name in ("bert/b", "bert/a")]
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver(kept).save(session, str(tmp_path / "model.ckpt"))
        tvars = [tf.get_variable("head", [2]), *kept]
        assignments, found = modeling.get_assignment_map_from_checkpoint(tvars, prefix)
        assert list(assignments.items()) == [("bert/b", "bert/b"), ("bert/a", "bert/a")]
        assert found == {"bert/a": 1, "bert/a:0": 1, "bert/b": 1, "bert/b:0": 1}
        values = session.run(kept)
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [tf.get_variable(name, [2]) for name in ("bert/b", "bert/a")]
        tf.train.init_from_checkpoint(prefix, assignments)
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(variables), values)


def test_the_import_is_silent_and_leaves_the_scripts_own_log_level(project):
    code = ("import sys; sys.argv.append('--unknown'); import tensorflow.compat.v1 as tf; "
            "tf.logging.set_verbosity(tf.logging.INFO); import modeling, optimization; "
            "assert tf.logging.get_verbosity() == tf.logging.INFO; "
            "assert not {'settings', 'commands', 'inputs'} & set(sys.modules)")
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=str(project), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    assert (finished.returncode, finished.stdout) == (0, b""), finished.stderr


# ------------------------------------------------------------------------------------------------------- in a script

def model_fn(features, labels, mode):
    """A classifier as scripts for Google's release write it."""
    training = mode == tf.estimator.ModeKeys.TRAIN
    config = BertConfig.from_dict(dict(SMALL.to_dict(), hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1))
    bert = BertModel(config, training, features["input_ids"], features["input_mask"], features["token_type_ids"], False)
    pooled = bert.get_pooled_output()
    weights = tf.get_variable("output_weights", [2, pooled.shape[-1].value], initializer=modeling.create_initializer())
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=labels, logits=tf.matmul(pooled, weights, transpose_b=True)))
    train_op = optimization.create_optimizer(loss, 3e-3, 50, 2, False) if training else None
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)


def input_fn():
    features = {"input_ids": IDS, "input_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
    return tf.data.Dataset.from_tensors((features, np.array([0, 1]))).repeat(50)


@pytest.mark.skipif(not hasattr(tf, "estimator"), reason="the current TensorFlow has no Estimator")
def test_an_estimator_trains_it_and_does_so_again(tmp_path):
    runs = [tf.estimator.RunConfig(model_dir=str(tmp_path / name), tf_random_seed=2, log_step_count_steps=None)
            for name in ("one", "other")]
    one, other = (tf.estimator.Estimator(model_fn, config=run) for run in runs)
    before = one.train(input_fn, steps=1).evaluate(input_fn, steps=1)["loss"]
    after = one.train(input_fn, max_steps=50).evaluate(input_fn, steps=1)
    assert after["global_step"] == 50 and after["loss"] < 0.5 * before
    other.train(input_fn, steps=1).train(input_fn, max_steps=50)
    one, other = ({name: trained.get_variable_value(name) for name in trained.get_variable_names()} for trained in (one, other))
    assert {f"bert/pooler/dense/kernel/{moment}" for moment in ("adam_m", "adam_v")} < set(one)
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-5, atol=1e-6, err_msg=name)
