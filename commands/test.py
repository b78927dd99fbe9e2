"""`test`: the best model on the test documents, to predictions, scores and a report."""
import time

from commands.common import read_inputs_of_model, result_folder
from evaluation import headline, predictions, provenance, report_parts, results
from inputs import reading
from settings import Settings
from support import files, places
from support.console import say
from training import checkpoints, runs
from training.outcome import one_label


def test(arguments):
    """The best model on the test documents; returns the scores, a headline.Headline."""
    task, result = arguments.task, result_folder(arguments)
    runs.require_model(result, task.no_model)
    places.check_run(result)
    files.check_writable(result.root)
    with runs.testing(result):
        return test_run(arguments, result)


def test_run(arguments, result):
    """`test` in a folder in which nobody else tests."""
    began, task = time.time(), arguments.task
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, arguments.seed,
                                      task.settings_for)
    runs.tell_changes(record, settings)
    places.check_run(result, task.corpus_folder(arguments.corpus, settings))
    corpus, bert = read_inputs_of_model(arguments, settings, result, record)

    import text_model
    from network.runtime import versions
    from training import estimator
    checkpoints.check(result.best)
    remarks = provenance.remarks(record, corpus)
    for remark in remarks:
        say(f"note: {remark}")
    run, model = runs.run_of(record), checkpoints.files_of(result.best)
    say("3/4 features")
    features = reading.split_features(corpus, bert, settings, "test")
    say(f"4/4 testing {result.best} on {len(features.label_ids)} examples")
    predicting = time.time()
    logits = estimator.predict(features, len(corpus.labels), bert.config, settings, result.best)
    predicted = time.time()
    kind = task.table(settings._asdict())
    say(f"{len(logits) / (predicted - predicting):.1f} {kind.UNITS}/s")
    log_probabilities = text_model.log_probabilities(logits)
    scores, text = task.scores(corpus, log_probabilities, settings)
    tested = {"recipe": arguments.recipe or record.get("recipe", "paper"), "settings": task.own(settings),
              "ended": results.now(), "seconds": round(time.time() - began, 1),
              "predict_seconds": round(predicted - predicting, 3), "corpus": corpus.fingerprint,
              "bert": bert.fingerprint or record.get("bert", {}), "versions": versions(), "remarks": remarks,
              "profile": task.profile(corpus)["test"]}
    # A training may have gone on meanwhile, or have been restarted: what is written must be of the run that is there.
    with runs.changing_run(result, run, model) as record:
        rows = results.predictions_tsv(corpus.test.examples, log_probabilities, kind=kind, public=True)
        results.write_results(result, rows, scores, text)
        record["test"] = dict(tested, files=results.files_of_test(record))
    say("")
    say(text)
    for path in (result.predictions, result.scores_json, result.scores_txt, result.run):
        say(f"-> {path}")
    table = predictions.of_examples(corpus.test.examples, log_probabilities, kind)
    return present(arguments, result, run, corpus, record, table, scores)


def present(arguments, result, run, corpus, record, table, scores):
    """What a test writes besides predictions and scores; returns the headline.Headline.

    run : runs.run_of the record of the run that was tested.
    """
    task = arguments.task
    say(task.writes)
    head = headline.of_predictions(table, provenance.label_counts(record, corpus.train, corpus.labels)[0])
    made = task.make_report(result, corpus, results.as_tested(record), table, scores, head)
    with runs.changing_run(result, run) as record:
        # The names of what this run wrote into its folders: nothing else is ever removed from them.
        names = results.files_of_test(record)
        record["test"]["files"] = names
        names["figures"] = report_parts.write_report(result, *made, earlier=names.get("figures", ()))
        written = [result.report, result.figures] + task.write_documents(result, corpus, table, arguments.with_text, names)
    say("")
    say(headline.as_text(head))
    remark = one_label(table.predicted, "test examples", Settings(**record["test"]["settings"]), corpus.labels)
    if remark:
        say(remark)
    say("")
    for path in written:
        say(f"-> {path}")
    return head
