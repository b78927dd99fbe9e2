"""TensorFlow, imported quietly: the one import every module that builds a graph starts from.

Both runtimes offer the same interface here: TensorFlow 1.14, and TensorFlow 2.15 through `tensorflow.compat.v1`.
"""
import os
import warnings

# Before the import: only errors from TensorFlow's C++ side; the notes on CPU features and allocations help nobody.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()


def session_config():
    """ConfigProto of every session."""
    return tf.ConfigProto(allow_soft_placement=True)
