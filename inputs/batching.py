"""Which examples go through the model together, in training (a function of seed and step) and in evaluation.

Features and batches are those of a view (see `views`): named int32 arrays, `label_ids` among them.
"""
import numpy as np

from inputs.views import view_of

MOST_STEPS = 2 ** 31 - 1  # the global step has 32 bits


class Batches:
    """The training batches of a run as a function of the step.

    An epoch ends with a smaller batch where the size does not divide the number of examples.

    Attributes
    ----------
    per_epoch, total : steps of an epoch and of the whole run.
    """

    def __init__(self, features, settings):
        self._features, self._view = features, view_of(settings)
        self.per_epoch, self.total = steps_of(len(features.label_ids), settings)
        self._order = self._view.training_order(features)
        # Read and replaced as one: batches are made in more than one thread.
        self._of_epoch = None, None

    def at(self, step):
        """The batch that step `step` (from 0) trains on."""
        epoch, number = divmod(step, self.per_epoch)
        known, order = self._of_epoch
        if known != epoch:
            order = self._order(epoch)
            self._of_epoch = epoch, order
        return self._view.batch(self._features, order[number])


class EvaluationBatches:
    """All examples in batches for evaluation.

    Attributes
    ----------
    rows : int array, the examples' numbers in the order in which the batches have them.
    ends : int array, how many examples are done after each batch.
    """

    def __init__(self, features, settings):
        self._features, self._view = features, view_of(settings)
        self._order = self._view.evaluation_order(features)
        self.rows = np.concatenate(self._order)
        self.ends = np.cumsum([len(rows) for rows in self._order])

    def __len__(self):
        return len(self._order)

    def at(self, number):
        """Batch `number`."""
        return self._view.batch(self._features, self._order[number])


def steps_of(examples, settings):
    """Training steps of an epoch, and of a whole run unless patience ends it, on so many examples."""
    per_epoch = -(-examples // settings.batch_size)
    total = min(per_epoch * settings.num_epochs, MOST_STEPS)
    return per_epoch, min(total, settings.max_steps) if settings.max_steps else total


def share(batch, number, count):
    """Part `number` (from 0) of a batch that `count` devices divide among themselves as evenly as can be.

    Returns
    -------
    (the part, which is empty where there are fewer examples than devices, how many examples of the batch come before it)
    """
    examples = len(batch.label_ids)
    begin, end = (examples * part // count for part in (number, number + 1))
    return batch.rows(slice(begin, end)), begin


def in_order(logits, rows):
    """Logits [examples, labels], given in the order of the batches (`rows`), in the examples' own order."""
    result = np.empty_like(logits)
    result[rows] = logits
    return result


def inputs_of(batch):
    """What the model reads of a batch: dict of name -> int32 array."""
    return {name: array for name, array in batch._asdict().items() if name != "label_ids"}
