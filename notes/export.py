"""A trained model as a SavedModel, for TensorFlow Serving and for programs that know TensorFlow but not this project.

    OUT/saved_model.pb, OUT/variables/    the graph, without dropout and without XLA, and the weights
    OUT/assets/vocab.txt                  the word pieces, one a line, in the order of their ids
    OUT/assets/bert_config.json           sizes of the BERT
    OUT/assets/settings.json              the model's settings, and the labels in the order of `probabilities`

The signature `serving_default` takes, by name, the arrays of the view's batches but `label_ids`, all int32: those of
head_of_note.Features, each [batch, seq_length], or with the recipe `context` those of around_mentions.Batch. It gives
`probabilities`, float32 [batch, labels], and `label`, the most probable one as a string [batch].
"""
import contextlib
import os
import tempfile

import numpy as np

from inputs import reading
from network.runtime import session_config, tf
from support.errors import InputError, not_written
from support.files import remove_leftovers, sync_folder, temporary_folder, to_json
from support.paths import check_utf8, for_tensorflow
from support.places import check_no_link
from training import checkpoints, estimator

SIGNATURE = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def export_model(folder, bert, settings, labels, out, half=False):
    """Write the best model of a run as a SavedModel.

    Parameters
    ----------
    folder : paths.ResultFolder
    bert : reading.Bert
    settings : settings.Settings
    labels : names of the labels, in the order of their ids.
    out : folder to write, which must not exist yet or be empty.
    half : store the weights as float16. They are cast to float32 once, when the model is loaded.

    Raises
    ------
    InputError : `out` holds something or is a folder that TensorFlow does not read, the model is damaged, or the disk is full.
    """
    out = for_tensorflow(out)
    check_utf8(out)
    check_no_link(out)
    if os.path.exists(out) and (not os.path.isdir(out) or os.listdir(out)):
        raise InputError(f"--out {out} exists and is not an empty folder; choose another name, or remove it.")
    with complete_folder(out) as unfinished, tf.Graph().as_default():
        stored = StoredWeights(half)
        with tf.variable_scope(tf.get_variable_scope(), custom_getter=stored.get):
            # Without XLA, whose operations are not part of the TensorFlow that serves models.
            graph = estimator.standalone_graph(bert.config, settings, len(labels))
        outputs = {"probabilities": tf.nn.softmax(graph.output),
                   "label": tf.gather(tf.constant(labels), tf.argmax(graph.output, axis=1))}
        estimator.check_checkpoint(folder.best)
        load = tf.group(*stored.casts) if half else None
        with tf.Session(config=session_config(settings.threads)) as session, tempfile.TemporaryDirectory() as scratch:
            stored.fill(session, folder.best)
            assets = write_assets(scratch, bert, settings, labels)
            builder = tf.saved_model.builder.SavedModelBuilder(unfinished)
            builder.add_meta_graph_and_variables(
                session, [tf.saved_model.tag_constants.SERVING], assets_collection=assets, main_op=load, clear_devices=True,
                saver=tf.train.Saver(tf.global_variables()), signature_def_map={
                    SIGNATURE: tf.saved_model.signature_def_utils.predict_signature_def(graph.inputs, outputs)})
            try:
                builder.save()
            except tf.errors.OpError as error:
                raise InputError(f"{out} cannot be written: {checkpoints.reason_of(error)}. Make room, or name another folder.")


class StoredWeights:
    """Variables as they are stored, and as the graph computes with them.

    Parameters
    ----------
    half : store float16, and have the graph use a float32 copy that is filled when the model is loaded.
    """

    def __init__(self, half):
        self._half = half
        self.casts = []  # operations that fill the float32 copies

    def get(self, getter, name, shape, dtype, initializer, **options):
        """The custom_getter for tf.variable_scope."""
        if not self._half:
            return getter(name, shape=shape, dtype=dtype, initializer=initializer, **options)
        stored = getter(name, shape=shape, dtype=tf.float16, initializer=tf.zeros_initializer(), **options)
        # A local variable: it is neither saved nor restored.
        used = tf.Variable(tf.zeros(shape, dtype), trainable=False, name=f"{name}/float32",
                           collections=[tf.GraphKeys.LOCAL_VARIABLES])
        self.casts.append(used.assign(tf.cast(stored, dtype)))
        return used

    @staticmethod
    def fill(session, checkpoint):
        """Set the stored variables from a checkpoint."""
        reader = tf.train.load_checkpoint(checkpoint)
        for variable in tf.global_variables():
            with np.errstate(over="ignore"):
                value = reader.get_tensor(variable.op.name).astype(variable.dtype.base_dtype.as_numpy_dtype)
            if not checkpoints.is_finite(value):
                raise InputError(f"{variable.op.name} holds numbers that are too large for float16; leave --float16 out.")
            variable.load(value, session)


def write_assets(folder, bert, settings, labels):
    """Write the model's assets into a folder; returns their paths as the tensors that SavedModelBuilder wants."""
    reading.write_config_and_vocab(bert, os.path.join(folder, "bert_config.json"), os.path.join(folder, "vocab.txt"))
    with open(os.path.join(folder, "settings.json"), "w", encoding="utf-8") as out:
        out.write(to_json(dict(settings._asdict(), do_lower_case=bert.do_lower_case, labels=labels)))
    return [tf.constant(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]


@contextlib.contextmanager
def complete_folder(path):
    """Give a path that does not exist; what the block writes there is moved to `path` when it ends well, else removed."""
    parent, name = os.path.split(path)
    remove_leftovers(parent, (name,))
    with temporary_folder(path) as holder:
        unfinished = os.path.join(holder, name)
        try:
            yield unfinished
            if os.path.isdir(path):
                os.rmdir(path)
            os.rename(unfinished, path)
            sync_folder(parent)
        except OSError as error:
            raise not_written(path, error) or error
