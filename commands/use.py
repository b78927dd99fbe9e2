"""`predict`, `export` and `compare`: what is done with trained and tested models."""
import os

from commands.common import result_folder
from evaluation import results
from evaluation.compare import compare_runs
from inputs import reading
from notes.answering import predict_files
from support import paths
from support.console import say
from training import checkpoints, runs


def predict(arguments):
    """Types for the TLINKs of notes."""

    def load():
        from predict import RelationClassifier
        return RelationClassifier(arguments.result, arguments.bert, arguments.recipe, arguments.assignments)
    predict_files(arguments.notes, arguments.out, paths.ResultFolder(arguments.result), load, arguments.candidates,
                  arguments.consistent, arguments.page)


def export(arguments):
    """The best model as a SavedModel."""
    from notes import export as exporting
    task, result = arguments.task, result_folder(arguments)
    runs.require_model(result, task.no_model)
    checkpoints.check(result.best)
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, settings_for=task.settings_for,
                                      act=runs.OF_AN_EXPORT)
    runs.tell_changes(record, settings)
    bert = reading.bert_of_model(result, record, settings, arguments.bert and paths.BertFolder(arguments.bert))
    exporting.export_model(result, bert, settings, task.labels, arguments.out, arguments.float16)
    say(f"-> {os.path.abspath(arguments.out)} (SavedModel, signature {exporting.SIGNATURE})")


def compare(arguments):
    """Runs side by side."""
    task = arguments.task
    for name in arguments.results:
        of_one = paths.ResultFolder(name, task.name)
        for result in (of_one, of_one.of_seed(0)):
            runs.check_task(result, results.read_run(result), f"compare it by the program of that task, not by {task.program}")
    compare_runs(arguments.results, arguments.out, task.table)
