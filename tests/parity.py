"""What the tests of agreement with upstream share, whatever the task: the training graph, and what is compared."""
import numpy as np

import optimization
import text_model
from network.layers import Layers
from network.pretrained import load_weights
from network.runtime import tf


def check_features(made, recorded):
    """Features are upstream's to the bit; it calls BERT's token types segments."""
    for name, array in made._asdict().items():
        assert array.dtype == np.int32
        name = name.replace("token_type_ids", "segment_ids")
        np.testing.assert_array_equal(array, recorded[name], err_msg=name)


class Model:
    """The training graph over placeholders, with the recorded start values."""

    def __init__(self, bert, recorded, settings, label_count, xla):
        settings = settings._replace(keep_prob=1.0)
        self.inputs = {name: tf.placeholder(tf.int32, [None, settings.seq_length]) for name in
                       ("input_ids", "input_mask", "token_type_ids")}
        self.labels = tf.placeholder(tf.int32, [None])
        step = tf.train.create_global_step()
        self.logits = text_model.bert_cnn(self.inputs, bert.config, settings,
                                          Layers(xla, seed=0, step=tf.cast(step, tf.int32)), label_count)
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


def relative(value, expected):
    """Largest difference, relative to the largest expected value."""
    return np.abs(np.asarray(value) - expected).max() / np.abs(expected).max()


def check_one_pass(model, made, figures):
    """Logits, loss, accuracy and gradient norm of the recorded rows.

    model : Model; made : all features; figures : what upstream computed, model.npz.
    """
    batch = made.rows(figures["pick"])
    logits, loss, norm = model.session.run([model.logits, model.loss, model.norm], model.feed(batch))
    assert relative(logits, figures["logits"]) < 1e-5
    assert relative(loss, figures["loss"]) < 1e-5
    assert relative(norm, figures["grad_norm"]) < 1e-5
    assert abs((logits.argmax(axis=1) == batch.label_ids).mean() - figures["accuracy"]) < 1e-6


def check_three_steps(model, made, figures, size):
    """Logits and loss after three steps on batches of `size`: the first rows, the others, the first again."""
    for rows in (slice(0, size), slice(size, 2 * size), slice(0, size)):
        model.session.run(model.train, model.feed(made.rows(figures["pick"][rows])))
    logits, loss = model.session.run([model.logits, model.loss], model.feed(made.rows(figures["pick"])))
    assert relative(logits, figures["logits_after_3_steps"]) < 1e-4
    assert relative(loss, figures["loss_after_3_steps"]) < 1e-4


def check_readable_by_upstream(ours, theirs):
    """A Saver over exactly upstream's variables, Adam's included, in upstream's types reads our best_validation.

    ours, theirs : path prefixes of the checkpoints.
    """
    upstream = tf.train.load_checkpoint(theirs)
    shapes, types = upstream.get_variable_to_shape_map(), upstream.get_variable_to_dtype_map()
    assert tf.train.load_checkpoint(ours).get_variable_to_shape_map() == shapes
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {name: tf.get_variable(name.replace("/", "_"), shapes[name], types[name]) for name in shapes}
        tf.train.Saver(variables).restore(session, ours)
        assert session.run(variables["global_step"]) in (1, 2)


def check_predictions(path, labels, recorded):
    """predictions.tsv has upstream's answers.

    recorded : what upstream predicted, predictions.npz.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t")[6:] == [f"p_{label}" for label in labels]
    rows = {"_".join(line.split("\t")[:2]): line.split("\t") for line in lines[1:]}
    assert len(lines) - 1 == len(recorded["guid"])
    for guid, gold, expected in zip(recorded["guid"], recorded["gold"], recorded["probabilities"]):
        row = rows[guid]
        assert row[4] == labels[gold]
        assert row[5] == labels[expected.argmax()]
        np.testing.assert_allclose([float(cell) for cell in row[6:]], expected, atol=1e-5)
