"""Writing the training and validation curves, in the event files that TensorBoard shows (`evaluation.curves` reads them).

They hold metrics and the confusion matrix over the labels; no graph and no text of any note.
"""
import os
import time

from support import files
from training import checkpoints


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
        from network.runtime import tf
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
        """Append a dict of metrics to a curve."""
        self._add(name, step, [self._tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])

    def add_image(self, name, step, tag, png):
        """Append a picture, the bytes of a PNG."""
        image = self._tf.Summary.Image(encoded_image_string=png, colorspace=3)
        self._add(name, step, [self._tf.Summary.Value(tag=tag, image=image)])

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
