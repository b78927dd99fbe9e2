"""Agreement with what upstream's code computes, recorded with TensorFlow 1.14 (../shared/parity)."""
import shutil

import numpy as np
import pytest

import data_process_i2b2
import optimization
import text_model
from helpers import corpus_of, run
from inputs import reading
from inputs.head_of_note import make_features
from inputs.labels import LABELS
from network.layers import Layers
from network.pretrained import load_weights
from network.runtime import tf
from settings import Settings
from support import paths
from tokenization import FullTokenizer


@pytest.fixture(scope="module")
def parity(shared):
    return shared / "parity"


@pytest.fixture(scope="module")
def recorded(parity):
    return {name: np.load(str(parity / f"{name}.npz")) for name in ("features", "model", "predictions")}


@pytest.fixture(scope="module")
def examples(parity):
    """Examples in the order of the recorded rows: that of the sorted lines."""
    rows = [example for document in data_process_i2b2.read_folder(parity / "xml")
            for example in data_process_i2b2.examples(document)]
    return sorted(rows, key=lambda row: data_process_i2b2.to_tsv([row]))


@pytest.fixture(scope="module")
def bert(parity):
    return reading.read_bert(paths.BertFolder(str(parity / "tiny_bert")), Settings())


@pytest.fixture(scope="module")
def made(examples, bert):
    return make_features(examples, FullTokenizer(bert.vocab, do_lower_case=False), Settings().seq_length)


def test_data_equal_upstreams_to_the_byte(parity, examples):
    recorded_lines = (parity / "upstream.txt").read_bytes()
    assert data_process_i2b2.to_tsv(examples).encode("utf-8") == recorded_lines


def test_features_equal_upstreams(made, examples, recorded):
    assert [example.guid for example in examples] == recorded["features"]["guid"].tolist()
    for name, array in made._asdict().items():
        assert array.dtype == np.int32
        # Upstream's name for them.
        name = name.replace("token_type_ids", "segment_ids")
        np.testing.assert_array_equal(array, recorded["features"][name], err_msg=name)


class Model:
    """The training graph over placeholders, with the recorded start values."""

    def __init__(self, bert, recorded, xla):
        settings = Settings(keep_prob=1.0)
        self.inputs = {name: tf.placeholder(tf.int32, [None, settings.seq_length]) for name in
                       ("input_ids", "input_mask", "token_type_ids")}
        self.labels = tf.placeholder(tf.int32, [None])
        step = tf.train.create_global_step()
        self.logits = text_model.bert_cnn(self.inputs, bert.config, settings,
                                          Layers(xla, seed=0, step=tf.cast(step, tf.int32)))
        self.loss = tf.reduce_mean(text_model.cross_entropy(self.logits, self.labels))
        self.train, self.norm, _ = optimization.train_op(self.loss, settings, step, total_steps=3)
        shapes = {variable.op.name: variable.shape.as_list() for variable in tf.trainable_variables("bert/")}
        start = load_weights(bert.folder, shapes)
        for name in recorded["model"].files:
            if name.startswith("head/"):
                start[name[len("head/"):]] = recorded["model"][name]
        trainable = {variable.op.name: variable for variable in tf.trainable_variables()}
        assert set(start) == set(trainable)
        self.session = tf.Session()
        self.session.run(tf.global_variables_initializer(),
                         {variable.initial_value: start[name] for name, variable in trainable.items()})

    def feed(self, features):
        batch = features._asdict()
        feed = {placeholder: batch[name] for name, placeholder in self.inputs.items()}
        feed[self.labels] = batch["label_ids"]
        return feed


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "xla"])
def model(bert, recorded, request):
    with tf.Graph().as_default():
        yield Model(bert, recorded, request.param)


def relative(value, expected):
    """Largest difference, relative to the largest expected value."""
    return np.abs(np.asarray(value) - expected).max() / np.abs(expected).max()


def test_logits_loss_accuracy_and_gradient_norm(model, made, recorded):
    figures = recorded["model"]
    batch = made.rows(figures["pick"])
    logits, loss, norm = model.session.run([model.logits, model.loss, model.norm], model.feed(batch))
    assert relative(logits, figures["logits"]) < 1e-5
    assert relative(loss, figures["loss"]) < 1e-5
    assert relative(norm, figures["grad_norm"]) < 1e-5
    assert abs((logits.argmax(axis=1) == batch.label_ids).mean() - figures["accuracy"]) < 1e-6


def test_three_training_steps(model, made, recorded):
    figures = recorded["model"]
    for rows in (slice(0, 26), slice(26, 52), slice(0, 26)):
        model.session.run(model.train, model.feed(made.rows(figures["pick"][rows])))
    logits, loss = model.session.run([model.logits, model.loss], model.feed(made.rows(figures["pick"])))
    assert relative(logits, figures["logits_after_3_steps"]) < 1e-4
    assert relative(loss, figures["loss_after_3_steps"]) < 1e-4


def test_upstreams_saver_restores_our_best_model(parity, bert, tmp_path):
    """A Saver over exactly upstream's variables, Adam's included, in upstream's types reads best_validation."""
    corpus = corpus_of(tmp_path / "corpus", parity / "xml", parity / "xml")
    run("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result",
        "--set", "max_steps=2", "--set", "evaluate_every=1")
    upstream = tf.train.load_checkpoint(str(parity / "upstream_checkpoint" / "best_validation"))
    shapes, types = upstream.get_variable_to_shape_map(), upstream.get_variable_to_dtype_map()
    ours = tf.train.load_checkpoint(str(tmp_path / "result/checkpoints/i2b2/best_validation"))
    assert ours.get_variable_to_shape_map() == shapes
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {name: tf.get_variable(name.replace("/", "_"), shapes[name], types[name]) for name in shapes}
        tf.train.Saver(variables).restore(session, str(tmp_path / "result/checkpoints/i2b2/best_validation"))
        assert session.run(variables["global_step"]) in (1, 2)


def test_upstreams_model_predicts_what_it_predicted(parity, recorded, bert, tmp_path):
    corpus = corpus_of(tmp_path / "corpus", parity / "xml", parity / "xml")
    checkpoints = tmp_path / "result" / "checkpoints" / "i2b2"
    checkpoints.parent.mkdir(parents=True)
    shutil.copytree(str(parity / "upstream_checkpoint"), str(checkpoints))
    run("run_i2b2.py", "test", "--corpus", corpus, "--bert", bert.folder.root, "--result", tmp_path / "result")
    lines = (tmp_path / "result" / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t")[6:] == [f"p_{label}" for label in LABELS]
    rows = {"_".join(line.split("\t")[:2]): line.split("\t") for line in lines[1:]}
    predictions = recorded["predictions"]
    assert len(lines) - 1 == len(predictions["guid"])
    for guid, gold, expected in zip(predictions["guid"], predictions["gold"], predictions["probabilities"]):
        row = rows[guid]
        assert row[4] == LABELS[gold]
        assert row[5] == LABELS[expected.argmax()]
        np.testing.assert_allclose([float(cell) for cell in row[6:]], expected, atol=1e-5)
