"""Types for the TLINKs of notes that nobody has labelled, with the model of a result folder.

    from predict import RelationClassifier
    classifier = RelationClassifier("result")
    for relation in classifier.relations(open("note.xml", encoding="utf-8").read()):
        print(relation.from_text, relation.type, relation.to_text, relation.confidence)

`python3 run_i2b2.py predict NOTE ... --out DIR` does it for files (see `notes`).
"""
import sys

import numpy as np

import text_model
from evaluation import results
from inputs import reading
from inputs.batching import EvaluationBatches, in_order
from inputs.features import unique_rows
from inputs.labels import LABELS
from network.runtime import session_config, tf
from notes import candidates
from notes.answering import answer, read_note
from support import paths
from tasks.i2b2 import I2B2
from training import checkpoints, estimator, runs


class RelationClassifier:
    """The trained model of a result folder, ready to classify: the graph is built and the weights are read once.

    Any number of threads may use one classifier at the same time. Importing this module switches TensorFlow 2 to the
    behaviour of TensorFlow 1 in the whole process.

    Parameters
    ----------
    result : path of the result folder.
    bert : path of the BERT folder the model was made from; only needed where the result folder has no vocabulary, as
        with a checkpoint of upstream's.
    recipe, assignments : settings that differ from those the model was trained with, as --recipe and --set take them; of a model
        with a run.json those of runs.OF_NEW_NOTES.

    Raises
    ------
    InputError : there is no model, it is damaged or does not fit its vocabulary or settings, or a setting would not act.
    """

    def __init__(self, result=paths.DEFAULT_RESULT, bert=None, recipe=None, assignments=()):
        folder = paths.ResultFolder(result)
        runs.require_model(folder, I2B2.no_model)
        self._model = folder.best
        checkpoints.check(self._model)
        record = results.read_run(folder)
        self.settings = runs.settings_of_model(folder, record, recipe, assignments, settings_for=I2B2.settings_for,
                                               act=runs.OF_NEW_NOTES)
        runs.tell_changes(record, self.settings)
        estimator.check_precision(self.settings)
        self.bert = reading.bert_of_model(folder, record, self.settings, bert and paths.BertFolder(bert))
        with tf.Graph().as_default():
            self._graph = estimator.standalone_graph(self.bert.config, self.settings, len(LABELS))
            estimator.check_checkpoint(folder.best)
            self.session = tf.Session(config=session_config(self.settings.threads))
            with checkpoints.reading(folder.best):
                tf.train.Saver(tf.global_variables()).restore(self.session, folder.best)
            # From here on no thread can change it.
            self.session.graph.finalize()

    def relations(self, xml_text, kind=candidates.ALL, consistent=False):
        """Classify the TLINKs without a type of one note.

        Parameters
        ----------
        xml_text : str, i2b2 XML.
        kind : which candidates a note without TLINKs gets, one of candidates.KINDS.
        consistent : take the most probable types that do not contradict each other (see `consistency`).

        Returns
        -------
        list of Relation, in the order of the file

        Raises
        ------
        InputError : the XML is not that of an annotated note.
        """
        (answered,) = self.answers([read_note(xml_text, kind=kind)], consistent)
        return answered.relations()

    def answers(self, notes, consistent=False):
        """Classify several notes in common batches: iterator of Answer, for a list of Note, whatever their names."""
        entities = self.settings.entities
        documents, of_notes = [], []
        for number, note in enumerate(notes):
            # Features find a note by its name, and two notes may have the same one.
            name = str(number)
            documents.append(note.seen(entities)._replace(name=name))
            of_notes.append([example._replace(document=name) for example in note.examples(entities)])
        log_probabilities = self._log_probabilities(documents, sum(of_notes, []))
        ends = np.cumsum([len(of_note) for of_note in of_notes])
        return (answer(note, rows, consistent) for note, rows in zip(notes, np.split(log_probabilities, ends[:-1])))

    def _log_probabilities(self, documents, wanted):
        """Log probabilities of examples of some documents: float [examples, 8]."""
        if not wanted:
            return np.zeros((0, len(LABELS)))
        features, where = unique_rows(reading.features_of(documents, wanted, self.bert, self.settings))
        batches = EvaluationBatches(features, self.settings)
        logits = [self._graph.logits(self.session, batches.at(number)) for number in range(len(batches))]
        logits = checkpoints.check_finite(np.concatenate(logits), self._model)
        return text_model.log_probabilities(in_order(logits, batches.rows)[where])


if __name__ == "__main__":
    is_asked = sys.argv[1:] in (["-h"], ["--help"])
    print(f"This is a module for other programs.\n\n{__doc__}", file=sys.stdout if is_asked else sys.stderr)
    sys.exit(0 if is_asked else 2)
