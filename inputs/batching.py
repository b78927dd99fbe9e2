"""Which examples go through the model together, in training (a function of seed and step) and in evaluation.

A batch is a features.Features or a packing.Batch: named int32 arrays, `label_ids` among them.
"""
import numpy as np

from inputs import packing
from inputs.head_of_note import Features
from inputs.labels import LABELS

POOL = 8  # batches of examples drawn at random that are then formed by length


class Batches:
    """The training batches of a run as a function of the step.

    With the head of the note as input the examples are shuffled once, with the run's seed, and every epoch goes through
    them in that order, as upstream does. Packed examples are shuffled anew for every epoch, pass by pass, and neighbours
    in that order are put into batches of similar length. An epoch ends with a smaller batch where the size does not
    divide their number.

    Attributes
    ----------
    per_epoch, total : steps of an epoch and of the whole run.
    """

    def __init__(self, features, settings):
        self._features, self._settings = features, settings
        self._passes = None if isinstance(features, Features) else packing.pack(features, settings)
        units = len(features.label_ids) if self._passes is None else len(self._passes)
        # Passes hold different numbers of examples: so many of them make a batch as hold batch_size on average.
        self._size = max(1, round(settings.batch_size * units / len(features.label_ids)))
        self.per_epoch, self.total = steps_of(units, settings._replace(batch_size=self._size))
        self._order = np.random.RandomState(settings.seed).permutation(units)
        # Read and replaced as one: batches are made in more than one thread.
        self._of_epoch = None, None

    def at(self, step):
        """The batch that step `step` (from 0) trains on."""
        epoch, number = divmod(step, self.per_epoch)
        if self._passes is None:
            return self._features.rows(self._order[number * self._size:(number + 1) * self._size])
        known, order = self._of_epoch
        if known != epoch:
            order = self._order_of(epoch)
            self._of_epoch = epoch, order
        return packing.arrays(self._features, [self._passes[unit] for unit in order[number]], self._settings)

    def _order_of(self, epoch):
        """The passes of each batch of an epoch: list of int arrays."""
        random = np.random.RandomState([self._settings.seed, epoch])
        order = random.permutation(len(self._passes))
        lengths = np.array([packing.length(one, self._settings) for one in self._passes])
        pools = [order[begin:begin + POOL * self._size] for begin in range(0, len(order), POOL * self._size)]
        order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        batches = [order[begin:begin + self._size] for begin in range(0, len(order), self._size)]
        return [batches[number] for number in random.permutation(len(batches))]


class EvaluationBatches:
    """All examples in batches for evaluation.

    Attributes
    ----------
    rows : int array, the examples' numbers in the order in which the batches have them.
    ends : int array, how many examples are done after each batch.
    """

    def __init__(self, features, settings):
        self._features, self._settings = features, settings
        count = len(features.label_ids)
        if isinstance(features, Features):
            size = settings.eval_batch_size
            self._units = [np.arange(begin, min(begin + size, count)) for begin in range(0, count, size)]
            rows = self._units
        else:
            passes = packing.pack(features, settings)
            passes.sort(key=lambda one: packing.length(one, settings))
            size = max(1, round(settings.eval_batch_size * len(passes) / count))
            self._units = [passes[begin:begin + size] for begin in range(0, len(passes), size)]
            rows = [[row for one in batch for row in one.rows] for batch in self._units]
        self.rows = np.concatenate(rows)
        self.ends = np.cumsum([len(batch) for batch in rows])

    def __len__(self):
        return len(self._units)

    def at(self, number):
        """Batch `number`."""
        if isinstance(self._features, Features):
            return self._features.rows(self._units[number])
        return packing.arrays(self._features, self._units[number], self._settings)


def steps_of(examples, settings):
    """Training steps of an epoch, and of a whole run unless patience ends it, on so many examples.

    With several TLINKs to a pass it is about so many; Batches knows.
    """
    per_epoch = -(-examples // settings.batch_size)
    total = per_epoch * settings.num_epochs
    return per_epoch, min(total, settings.max_steps) if settings.max_steps else total


def full_batch(count, vocab_size, settings):
    """A batch of `count` examples of random word pieces, of the usual length, to measure with."""
    random = np.random.RandomState(settings.seed)
    links, length = settings.links_per_pass, packing.usual_length(settings)
    ids = random.randint(0, vocab_size, [-(-count // links), length]).astype(np.int32)
    label_ids = random.randint(0, len(LABELS), count).astype(np.int32)
    text = Features(ids, np.ones_like(ids), np.zeros_like(ids), label_ids)
    if not settings.context:
        return text
    positions = np.broadcast_to(np.arange(length, dtype=np.int32), ids.shape)
    pairs, passes = np.zeros([count, 2], np.int32), np.arange(count, dtype=np.int32) // links
    return packing.Batch(ids, text.input_mask, text.segment_ids, positions, np.zeros_like(ids), passes, pairs, pairs,
                         np.zeros([count, packing.UNITS], np.int32), pairs + np.array([0, length], np.int32),
                         label_ids)


def share(batch, number, count):
    """Part `number` (from 0) of a batch that `count` devices divide among themselves, as evenly as its passes allow.

    Returns
    -------
    (the part, which is empty where there are fewer passes than devices,
    int32 [2] : how many passes and how many examples of the batch come before it)
    """
    passes = len(batch.input_ids)
    begin, end = (passes * place // count for place in (number, number + 1))
    if isinstance(batch, Features):
        return batch.rows(slice(begin, end)), np.array([begin, begin], np.int32)
    part, examples = packing.passes_of(batch, begin, end)
    return part, np.array([begin, examples], np.int32)


def in_order(logits, rows):
    """Logits of evaluation batches, [examples, 8] in the order of `rows`, as they were before batching."""
    result = np.empty_like(logits)
    result[rows] = logits
    return result


def inputs_of(batch):
    """What the model reads of a batch: dict of name -> int32 array."""
    return {name: array for name, array in batch._asdict().items() if name != "label_ids"}
