"""Reading the training and validation curves of a run from its event files; needs no TensorFlow."""
import glob
import os
import struct

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event


def read_curves(folder):
    """The scalar curves of a run.

    Parameters
    ----------
    folder : paths.ResultFolder.tensorboard, with a folder of event files for each set.

    Returns
    -------
    dict
        {"training" or "validation": {tag: (steps int [points], values float [points])}}, by step.
        {} where there are no event files.
    """
    return {name: curves for name, curves in ((name, _read_folder(os.path.join(folder, name)))
                                              for name in ("training", "validation")) if curves}


def _read_folder(folder):
    """Curves of one set.

    A later event of the same step replaces an earlier one, and what a cut-off run wrote after the state that
    the next one continued from is dropped, as TensorBoard does.
    """
    curves = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*"))):
        for event in _events(path):
            if event.HasField("session_log"):
                for points in curves.values():
                    for step in [step for step in points if step > event.step]:
                        del points[step]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return {tag: (np.array(sorted(points)), np.array([points[step] for step in sorted(points)]))
            for tag, points in curves.items() if points}


def _events(path):
    """The events of a file; a record cut off at the end is passed over.

    A record is its length (uint64), a checksum (4 bytes), the event, a checksum (4 bytes).
    """
    with open(path, "rb") as source:
        while True:
            header = source.read(12)
            if len(header) < 12:
                return
            length, = struct.unpack("<Q", header[:8])
            if length > os.path.getsize(path):
                return
            record = source.read(length + 4)
            if len(record) < length + 4:
                return
            yield Event.FromString(record[:length])
