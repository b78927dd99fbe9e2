"""What a training run needs of the machine: disk and memory, computed from the shapes of its variables."""
import contextlib
import os
from typing import NamedTuple

from inputs.views import view_of
from support import files
from training import checkpoints

FLOAT_BYTES = 4
ADAM_MOMENTS = 2
# BERT-CNN reads the sequence, so BERT's pooler is never trained and has no moments.
NOT_TRAINED = "bert/pooler/"
# A variable's entry in a checkpoint's index: its name, shape, place and checksum.
INDEX_ENTRY_BYTES = 60
# Saved besides: the step, the best score and its step, the powers of Adam's betas ...
SCALARS_BYTES = 1000
# The curves: metrics of a training step; those of an evaluation with the picture of the confusion matrix.
STEP_CURVE_BYTES, EVALUATION_CURVE_BYTES = 200, 100000
# Limit and use of a container's memory, in control groups of version 2 and 1; then the file, and the name in it, that tell how much
# of what is used is the page cache of files no longer at work: that is given back where memory is short.
CONTAINER_MEMORY = (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                     "/sys/fs/cgroup/memory.stat", "inactive_file"),
                    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                     "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"))
# Memory: TensorFlow and the libraries; then float32 numbers for each parameter (its value, gradient, moments, what is
# passing through), for each element of a layer's hidden states and for each attention score, kept for the gradient.
PROGRAM_BYTES = 700 * 10 ** 6
PER_PARAMETER, PER_HIDDEN_STATE, PER_ATTENTION_SCORE = 6.25, 16.5, 3.0


class Room(NamedTuple):
    """What is still to be written below a folder, in bytes, and what is free there."""

    folder: str
    needed: int
    free: int


def checkpoint_bytes(shapes):
    """Size of a state, its index included: the weights and the optimizer's moments.

    Parameters
    ----------
    shapes : dict of variable name -> shape, from estimator.model_shapes.
    """
    sizes = {name: elements(shape) * FLOAT_BYTES for name, shape in shapes.items()}
    trained = sum(size for name, size in sizes.items() if not name.startswith(NOT_TRAINED))
    entries = len(sizes) * (1 + ADAM_MOMENTS)
    return sum(sizes.values()) + ADAM_MOMENTS * trained + entries * INDEX_ENTRY_BYTES + SCALARS_BYTES


def elements(shape):
    """Number of elements of an array of this shape."""
    count = 1
    for length in shape:
        count *= length
    return count


def rooms(corpus, settings, result, shapes, steps, restart=False):
    """The disk space that a run still needs at most, where, and how much is free.

    At its peak a run holds the best model and the next one being moved to its place, and the states it may
    continue from. What an earlier part of the run has written already is taken off.

    Parameters
    ----------
    corpus : reading.Corpus
    settings : settings.Settings
    result : paths.ResultFolder; None where another machine keeps the results.
    shapes : dict of variable name -> shape.
    steps : of the whole run.
    restart : whether what an earlier run wrote is kept besides.

    Returns
    -------
    list of Room; a single one where corpus and result are on the same disk.
    """
    caches = sum(view_of(settings).cache_bytes(*split) for split in corpus.splits().values())
    needs = [(corpus.folder.root, caches - files.bytes_below(corpus.folder.features))]
    if result is not None:
        needs.insert(0, (result.root, result_bytes(settings, result, shapes, steps, restart)))
    found = {}
    for folder, needed in needs:
        disk = os.stat(files.existing(folder)).st_dev
        room = found.get(disk, Room(folder, 0, files.free_bytes(folder)))
        found[disk] = room._replace(needed=room.needed + max(0, needed))
    return list(found.values())


def result_bytes(settings, result, shapes, steps, restart):
    """What a run still writes into its result folder at most; parameters as for `rooms`."""
    evaluations = steps // settings.evaluate_every if settings.evaluate_every else settings.num_epochs
    checkpoint_count = checkpoints.KEPT_STATES + 2
    curves = steps * STEP_CURVE_BYTES + evaluations * EVALUATION_CURVE_BYTES
    done = [0 if restart else files.bytes_below(folder) for folder in (result.checkpoints, result.tensorboard)]
    return checkpoint_count * checkpoint_bytes(shapes) - done[0] + max(0, curves - done[1])


def memory_bytes(config, settings, shapes):
    """Peak memory of a training run, to about a tenth.

    Fitted to the peak resident memory of nine runs: BERT-base, half its layers and MiniLM-L6, on batches of 13, 26 and
    52 rows of 90, 180 and 360 word pieces, with both versions of TensorFlow. Where batches differ in length, the longest count.

    Parameters
    ----------
    config : modeling.BertConfig
    settings : settings.Settings
    shapes : dict of variable name -> shape.
    """
    parameters = sum(map(elements, shapes.values()))
    length = view_of(settings).long_length()
    rows = settings.batch_size * length
    states = config.num_hidden_layers * rows * config.hidden_size
    scores = config.num_hidden_layers * rows * config.num_attention_heads * length
    arrays = PER_PARAMETER * parameters + PER_HIDDEN_STATE * states + PER_ATTENTION_SCORE * scores
    return int(PROGRAM_BYTES + FLOAT_BYTES * arrays)


def available_memory():
    """Bytes of memory that a process may still use, of the machine and of its container; None where that is not known."""
    limits = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo") as source:
            line = next(line for line in source if line.startswith("MemAvailable:"))
        limits.append(1024 * int(line.split()[1]))
    for limit, used, stat, name in CONTAINER_MEMORY:
        # No such file outside containers; a limit of "max" is none.
        with contextlib.suppress(OSError, ValueError):
            limits.append(number_in(limit) - number_in(used) + number_of_line(stat, name))
    return min(limits) if limits else None


def number_in(path):
    """The number that a file of the system's holds."""
    with open(path) as source:
        return int(source.read())


def number_of_line(path, name):
    """The number behind a name in a file of the system's that has a name and a number on each line; 0 where it has none."""
    with contextlib.suppress(OSError, ValueError), open(path) as source:
        return int(dict(line.split() for line in source).get(name, 0))
    return 0
