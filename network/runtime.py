"""TensorFlow, imported quietly: the one import every module that builds a graph starts from.

Both runtimes offer the same interface here: TensorFlow 1.14, the reference, and a current TensorFlow through
`tensorflow.compat.v1`. requirements.txt has their versions.
"""
import contextlib
import ctypes
import functools
import itertools
import os
import platform
import sys
import warnings

import numpy as np

# Before the import: TensorFlow's C++ side says nothing of its own; its errors come as exceptions anyway.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def unheard():
    """Within this block nothing reaches standard error: C++ code logs there whatever the log level is."""
    try:
        heard = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(heard, 2)
        os.close(heard)


@contextlib.contextmanager
def passed_over(name):
    """Within this block a module counts as not installed, unless it has been imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None
    try:
        yield
    finally:
        del sys.modules[name]


# Keras, of which nothing is used here, would take a third of the time to import TensorFlow; `tf.keras` still imports it.
with warnings.catch_warnings(), unheard(), passed_over("keras"):
    warnings.simplefilter("ignore")
    import tensorflow.compat.v1 as tf

# Whether this is the current TensorFlow, not the reference.
IS_CURRENT = tf.VERSION.startswith("2.")


def keep_memory():
    """Have the C library keep and reuse the memory of freed activations.

    By default glibc gives every large buffer back to the system and faults new pages in for the next one, which
    costs a training step of BERT-base about a sixth of its time. Elsewhere than on glibc nothing is changed.
    """
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # the parameters' numbers in malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2 ** 31 - 1)
    mallopt(arena_max, 1)


keep_memory()
if tf.logging.get_verbosity() == tf.logging.WARN:  # TensorFlow's own choice; a script that has made another keeps it
    tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()


# What reading a damaged checkpoint may raise; which of these depends on the damage and on TensorFlow's version.
CHECKPOINT_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, TypeError, LookupError, MemoryError, SystemError)

# Names of compiled functions must differ in a process.
FUNCTION_NUMBERS = itertools.count()


def session_config(threads=0, devices=1):
    """ConfigProto of every session.

    threads : processors a matrix product is spread over; 0 for all that this process may use.
    devices : that TensorFlow makes of the processors.
    """
    # A second operation at a time fills the gaps between large ones; more of them only get in each other's way.
    config = tf.ConfigProto(allow_soft_placement=True, intra_op_parallelism_threads=threads or usable_cores(),
                            inter_op_parallelism_threads=2)
    if devices > 1:
        config.device_count["CPU"] = devices
    return config


def usable_cores():
    """Physical cores this process may run on: of its CPU affinity and its container's quota, one thread a core.

    The vector units, which the products saturate, are shared by the two threads of a core.
    """
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # no affinity on macOS and Windows
        return os.cpu_count() or 1
    cores = set()
    for number in allowed:
        try:
            with open(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list") as source:
                cores.add(source.read())
        except OSError:
            cores.add(number)
    try:
        with open("/sys/fs/cgroup/cpu.max") as source:
            quota, period = source.read().split()
        return max(1, min(len(cores), round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or a quota of "max"
        return len(cores)


def fused(function):
    """`function` of tensors, without variables, as one operation that XLA compiles at the first call for new shapes.

    However many places of a graph call the result, it is compiled once: XLA knows a compiled function by its name.
    """
    if IS_CURRENT:
        silence_compiler()
        return tf.function(function, autograph=False, jit_compile=True)
    from tensorflow.python.framework.function import Defun
    defined = {}

    def call(*tensors):
        # TensorFlow 1.14 has the operation that tf.function later uses, but no Python function for it.
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        types = tuple(tensor.dtype.base_dtype for tensor in tensors)
        with tf.Graph().as_default():
            results = function(*(tf.placeholder(tensor.dtype.base_dtype, tensor.shape) for tensor in tensors))
        results = results if isinstance(results, tuple) else (results,)
        if types not in defined:
            defined[types] = Defun(*types, func_name=f"fused_{next(FUNCTION_NUMBERS)}")(function)
            defined[types].add_to_graph(tf.get_default_graph())
        name = tf.AttrValue(func=tf.NameAttrList(name=defined[types].name))
        operation = tf.get_default_graph().create_op(
            "XlaLaunch", tensors, [result.dtype for result in results], name="fused",
            attrs={"Tconstants": type_list(()), "Targs": type_list(types), "function": name,
                   "Nresources": tf.AttrValue(i=0), "Tresults": type_list(result.dtype for result in results)})
        for output, result in zip(operation.outputs, results):
            output.set_shape(result.shape)
        return operation.outputs[0] if len(results) == 1 else operation.outputs
    return call


def type_list(types):
    """Attribute of an operation that lists tensor types."""
    return tf.AttrValue(list=tf.AttrValue.ListValue(type=[kind.as_datatype_enum for kind in types]))


@functools.lru_cache(maxsize=None)
def silence_compiler():
    """Compile something small unheard: the first compilation of a process logs a line."""
    with unheard(), tf.Graph().as_default(), tf.Session(config=session_config()) as session:
        x = tf.placeholder(tf.float32, [])
        session.run(tf.function(lambda x: x + x, autograph=False, jit_compile=True)(x), {x: 1.0})


def versions():
    """Versions of what computes."""
    return {"python": platform.python_version(), "tensorflow": tf.VERSION, "numpy": np.__version__,
            "system": platform.system(), "machine": platform.machine(), "processors": os.cpu_count()}
