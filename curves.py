"""Training and validation curves, in the event files that TensorBoard shows: written, and read back.

They hold figures and the confusion matrix over the labels; no graph and no text of any note.
"""
import glob
import os
import struct
import time

import numpy as np

import checkpoints
import files
from labels import LABELS


class CurvesWriter:
    """Appends to the curves of a run.

    TensorFlow's own writer of event files loses events on a full disk, 1.14's without a word; this one writes the
    same records itself, and fails where they cannot be written.

    Parameters
    ----------
    folder : paths.ResultFolder.tensorboard
    first_steps : dict of curve ("training", "validation") -> the first step that this process adds to it.

    Raises
    ------
    InputError : from every method, where the disk is full or the folder may not be written to.
    """

    def __init__(self, folder, first_steps):
        from runtime import tf
        self._tf = tf
        self._folder, self._writers = folder, {}
        for name, step in first_steps.items():
            files.make_folder(os.path.join(folder, name))
            # TensorBoard, and `read_curves`, take a folder's files in the order of their names.
            path = os.path.join(folder, name, f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}")
            with checkpoints.writing(folder):
                self._writers[name] = tf.io.TFRecordWriter(path)
            self._write(name, file_version="brain.Event:2")
            # TensorBoard then drops what a cut-off run wrote from this step on.
            self._write(name, step=step, session_log=tf.SessionLog(status=tf.SessionLog.START))

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

    def flush(self):
        """Have everything added so far on the disk."""
        for name, writer in self._writers.items():
            with checkpoints.writing(self._folder):
                writer.flush()
            files.sync_files(os.path.join(self._folder, name))

    def close(self):
        """Write what is left and close the files."""
        for writer in self._writers.values():
            with checkpoints.writing(self._folder):
                writer.close()

    def _add(self, name, step, entries):
        self._write(name, step=step, summary=self._tf.Summary(value=entries))

    def _write(self, name, **content):
        event = self._tf.Event(wall_time=time.time(), **content)
        with checkpoints.writing(self._folder):
            self._writers[name].write(event.SerializeToString())


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
