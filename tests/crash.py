"""Kills `run_i2b2.py train` with SIGKILL, over and over, and compares what becomes of it with an uninterrupted run.

Where a best model is there already, `test` is at work in the same result folder and is killed, too.

    python3 tests/crash.py FOLDER KILLS SEED ARGUMENTS OF TRAIN ...

Prints JSON: the points of `POINTS` at which a run was killed, how often it was killed at random moments, how often with a test
beside it, and the largest differences between each run that went on to its end and the uninterrupted one.
tests/test_faults.py runs it.

TensorFlow is imported once; every training is a forked process, killed by itself or by a timer.
"""
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

import commands.test  # noqa: F401 (all that is slow to import, before any fork)
import commands.train  # noqa: F401
from commands.main import function_of
from commands.options import parse_arguments
from evaluation import results
from evaluation.curves import _events, read_curves
from fork_server import prepare_to_fork
from network.runtime import tf
from support import files, paths
from support.main import run_main
from training import checkpoints, protocol
from training.outcome import read_outcome

# ------------------------------------------------------------------------------------------------ moments to die at

def die():
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(module, function, words, count=1):
    """Die when `module.function` is called for the `count`-th time with a path that holds all the words."""
    original, left = getattr(module, function), [count]

    def wrapped(*arguments, **keywords):
        described = " -> ".join(os.readlink(f"/proc/self/fd/{argument}") if isinstance(argument, int) else str(argument)
                                for argument in arguments[:2])
        if all(word in described for word in words):
            left[0] -= 1
            if not left[0]:
                die()
        return original(*arguments, **keywords)

    setattr(module, function, wrapped)


def half_written(name):
    """Die while TensorFlow writes the checkpoint `name`: its data is cut off in the middle, its index missing."""
    original = checkpoints.complete_folder

    def wrapped(folder, of, write):
        def write_half(prefix):
            write(prefix)
            data = prefix + ".data-00000-of-00001"
            os.truncate(data, os.path.getsize(data) // 2)
            os.remove(prefix + ".index")
            die()
        return original(folder, of, write_half if of == name else write)

    checkpoints.complete_folder = wrapped


# One inside each writing of a run's files, in the order in which a run that saves at every step comes to them.
POINTS = {
    "run.json is not in its place": lambda: before(os, "replace", ["run.json"]),
    "a state is half written": lambda: half_written("state"),
    "a state is not on the disk": lambda: before(os, "fsync", [".state.unfinished", "data"]),
    "a state has no name": lambda: before(os, "rename", [".state.unfinished", "state-"], 2),
    "an old state has its name": lambda: before(os, "rename", ["state-", ".removed"]),
    "an old state is removed": lambda: before(shutil, "rmtree", [".removed"]),
    "the curves are not on the disk": lambda: before(os, "fsync", ["tfevents"], 5),
    "a partial evaluation is not on the disk": lambda: before(os, "fsync", ["evaluation.npz"]),
    "a partial evaluation is not in its place": lambda: before(os, "replace", ["evaluation.npz"], 2),
    "the best model is half written": lambda: half_written("best_validation"),
    "the best model is not on the disk": lambda: before(os, "fsync", [".best_validation.unfinished", "index"]),
    "the best model is not complete": lambda: before(os, "rename", [".best_validation"]),
    "the best model is not in its place": lambda: before(os, "replace", [".best_validation.complete"]),
    "the best model is half in its place": lambda: before(os, "replace", [".best_validation.complete"], 2),
    "the best model's folder is not removed": lambda: before(os, "rmdir", [".best_validation.complete"]),
    "the outcome is not on the disk": lambda: before(os, "fsync", ["outcome.json"]),
    "the outcome is not in its place": lambda: before(os, "replace", ["outcome.json"]),
}


def after_beginning(delay):
    """Die `delay` seconds after the session is there."""
    original = protocol.TrainingProtocol.after_create_session

    def wrapped(self, session, coord):
        timer = threading.Timer(delay, die)
        timer.daemon = True
        timer.start()
        original(self, session, coord)

    protocol.TrainingProtocol.after_create_session = wrapped


# ---------------------------------------------------------------------------------------------------------- running

def start(command, result, arguments, prepare=lambda: None):
    """A command on a result folder in a process of its own; returns its id."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        # The output is kept beside the result, for whoever looks into a failure.
        log = os.open(result + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        prepare()
        sys.argv = ["run_i2b2.py", command, "--result", result] + arguments
        status = 70
        try:
            # Not through `main`, which looks for libraries in a way that TensorFlow 1.14, once imported, does not bear.
            run_main(lambda: function_of(command)(parse_arguments()) and None)
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return child


def ends(child, result, may_refuse=False):
    """Wait for a process of `start`; returns whether it ended by itself, or else was killed.

    may_refuse : whether it may end with a message, as a test does whose model is replaced meanwhile.
    """
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status and not (may_refuse and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1):
        with open(result + ".log") as log:
            sys.exit(f"a command ended with status {status}:\n{log.read()[-3000:]}")
    return True


def train(result, arguments, prepare=lambda: None):
    """`train` into a result folder to its end, or until it is killed; returns whether it ended well."""
    return ends(start("train", result, arguments, prepare), result)


def train_beside_test(result, arguments, prepare):
    """As `train`, with a `test` at work in the folder that is killed with it; also whether there was one."""
    if not checkpoints.exists(paths.ResultFolder(result).best):
        return train(result, arguments, prepare), False
    # Later than the training, which takes longer to begin.
    delay = random.uniform(0, 2)
    beside = start("test", result, arguments, lambda: time.sleep(delay))
    ended = train(result, arguments, prepare)
    if not ended:
        os.kill(beside, signal.SIGKILL)
    ends(beside, result, may_refuse=True)
    return ended, True


def seconds_of_training(result):
    """How long the training of a run took without its start, from its curves' times."""
    folder = os.path.join(result.tensorboard, "training")
    times = [event.wall_time for name in os.listdir(folder) for event in _events(os.path.join(folder, name))]
    return max(times) - min(times)


# -------------------------------------------------------------------------------------------------------- comparing

def compare(one, other):
    """Dict of the differences between two finished runs; all are 0, False or equal where there are none."""
    one, other = paths.ResultFolder(one), paths.ResultFolder(other)
    states = [checkpoints.states(result.checkpoints)[0].prefix for result in (one, other)]
    return {
        "best model": largest_difference(one.best, other.best), "last state": largest_difference(*states),
        "outcome": read_outcome(one)._asdict() != read_outcome(other)._asdict(),
        "curves": any(curves_of(one, name) != curves_of(other, name) for name in ("training", "validation")),
        "left over": sum(name.startswith(".") for name in os.listdir(one.checkpoints)),
        "bytes more": files.bytes_below(one.checkpoints) - files.bytes_below(other.checkpoints)}


def largest_difference(one, other):
    """Between the variables of two checkpoints."""
    readers = [tf.train.load_checkpoint(prefix) for prefix in (one, other)]
    names = [sorted(reader.get_variable_to_shape_map()) for reader in readers]
    assert names[0] == names[1]
    return max(float(np.max(np.abs(readers[0].get_tensor(name) - readers[1].get_tensor(name)))) for name in names[0])


def curves_of(result, name):
    """A run's curves but for its speed, as lists."""
    return {tag: [list(map(float, part)) for part in points]
            for tag, points in read_curves(result.tensorboard)[name].items() if tag != "examples_per_second"}


def main():
    folder, kills, seed, arguments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    random.seed(seed)
    prepare_to_fork()
    whole = os.path.join(folder, "whole")
    assert train(whole, arguments)
    moments = seconds_of_training(paths.ResultFolder(whole))

    broken = os.path.join(folder, "points")
    killed = [name for name, prepare in POINTS.items() if not train(broken, arguments, prepare)]
    assert train(broken, arguments)
    runs = [broken]

    count, tests, began = 0, 0, time.time()
    while count < kills:
        runs.append(os.path.join(folder, f"random-{len(runs)}"))
        if len(runs) % 2 == 0:
            # From here on it has a best model, which can be tested.
            assert not train(runs[-1], arguments, POINTS["the best model's folder is not removed"])
        while count < kills:
            # Not later, so that most runs are killed more than once on their way.
            delay = random.uniform(0, moments / 2)
            ended, was_tested = train_beside_test(runs[-1], arguments, lambda: after_beginning(delay))
            if ended:
                break
            count, tests = count + 1, tests + was_tested
        assert train(runs[-1], arguments)
    assert ends(start("test", runs[-1], arguments), runs[-1])
    print(json.dumps({"killed at": killed, "killed at random": count, "beside a test": tests, "seconds": round(time.time() - began),
                      "recorded": sorted(results.read_run(paths.ResultFolder(runs[-1]))),
                      "differences": [compare(run, whole) for run in runs]}, indent=1))


if __name__ == "__main__":
    main()
