"""Checkpoint files that appear complete or not at all.

A TensorFlow checkpoint is several files. They are written into a folder of their own, which is renamed when they
are complete: that is the moment the checkpoint exists. Moving the files to their place can then be repeated as
often as it is interrupted.
"""
import os
import shutil


def save_whole(write, prefix):
    """Replace the checkpoint `prefix` by the one that `write(new prefix)` writes."""
    folder, name = os.path.split(prefix)
    unfinished, complete = os.path.join(folder, f".{name}.unfinished"), os.path.join(folder, f".{name}.complete")
    finish_saving(prefix)
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    write(os.path.join(unfinished, name))
    for entry in os.listdir(unfinished):
        with open(os.path.join(unfinished, entry), "rb") as written:
            os.fsync(written.fileno())
    os.rename(unfinished, complete)
    finish_saving(prefix)


def finish_saving(prefix):
    """Move a complete new checkpoint to its place, where an earlier process was cut off before it had done so."""
    folder, name = os.path.split(prefix)
    complete = os.path.join(folder, f".{name}.complete")
    if not os.path.isdir(complete):
        return
    for entry in sorted(os.listdir(complete)):
        os.replace(os.path.join(complete, entry), os.path.join(folder, entry))
    os.rmdir(complete)


def exists(prefix):
    """Whether there is a checkpoint under this path prefix."""
    finish_saving(prefix)
    return os.path.isfile(prefix + ".index")
