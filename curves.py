"""Training and validation curves, in the event files that TensorBoard shows: written, and read back.

They hold figures and the confusion matrix over the labels; no graph and no text of any note.
"""
import glob
import os
import struct

import numpy as np

import files
from labels import LABELS


class CurvesWriter:
    """Appends to the curves of a run.

    Parameters
    ----------
    folder : paths.ResultFolder.tensorboard
    first_steps : dict of curve ("training", "validation") -> the first step that this process adds to it.
    """

    def __init__(self, folder, first_steps):
        from runtime import tf
        self._tf = tf
        self._folders = {name: os.path.join(folder, name) for name in first_steps}
        self._writers = {name: tf.summary.FileWriter(self._folders[name]) for name in first_steps}
        for name, step in first_steps.items():
            # TensorBoard then drops what a cut-off run wrote from this step on.
            self._writers[name].add_session_log(tf.SessionLog(status=tf.SessionLog.START), step)

    def add(self, name, step, values):
        """Append a dict of figures to a curve."""
        self._add(name, step, [self._tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])

    def add_confusion(self, name, step, label_ids, predicted):
        """Append the confusion matrix as an image.

        Parameters
        ----------
        label_ids, predicted : integers [examples], indices into LABELS.
        """
        import figures
        matrix = np.zeros((len(LABELS), len(LABELS)), np.int64)
        np.add.at(matrix, (label_ids, predicted), 1)
        image = self._tf.Summary.Image(encoded_image_string=figures.confusion(LABELS, matrix), colorspace=3)
        self._add(name, step, [self._tf.Summary.Value(tag="confusion_matrix", image=image)])

    def _add(self, name, step, entries):
        self._writers[name].add_summary(self._tf.Summary(value=entries), step)

    def flush(self):
        """Have everything added so far on the disk."""
        for name, writer in self._writers.items():
            writer.flush()
            files.sync_files(self._folders[name])

    def close(self):
        for writer in self._writers.values():
            writer.close()


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
    from runtime import tf
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
            yield tf.Event.FromString(record[:length])
