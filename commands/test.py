"""`test`: the best model on the test documents, to predictions, scores and a report."""
import time

from commands.common import read_inputs_of_model, result_folder
from evaluation import headline, predictions, provenance, results
from inputs import reading
from support import files
from support.console import say
from training import checkpoints, runs


def test(arguments):
    """The best model on the test documents; returns the scores, a headline.Headline."""
    began = time.time()
    task, result = arguments.task, result_folder(arguments)
    runs.require_model(result, task.no_model)
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, arguments.seed,
                                      task.settings_for)
    runs.tell_changes(record, settings)
    files.check_writable(result.root)
    corpus, bert = read_inputs_of_model(arguments, settings, result, record)

    import text_model
    from network.runtime import versions
    from training import estimator
    checkpoints.check(result.best)
    remarks = provenance.remarks(record, corpus)
    for remark in remarks:
        say(f"note: {remark}")
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
    results.write_results(result, results.predictions_tsv(corpus.test.examples, log_probabilities, kind=kind), scores, text)
    record["test"] = {"recipe": arguments.recipe or record.get("recipe", "paper"), "settings": task.own(settings),
                      "ended": results.now(), "seconds": round(time.time() - began, 1),
                      "predict_seconds": round(predicted - predicting, 3), "corpus": corpus.fingerprint,
                      "bert": bert.fingerprint or record.get("bert", {}), "versions": versions(), "remarks": remarks,
                      "profile": task.profile(corpus)["test"]}
    results.write_run(result, record)
    say("")
    say(text)
    for path in (result.predictions, result.scores_json, result.scores_txt, result.run):
        say(f"-> {path}")
    table = predictions.of_examples(corpus.test.examples, log_probabilities, kind)
    return present(arguments, result, corpus, record, table, scores)


def present(arguments, result, corpus, record, table, scores):
    """What a test writes besides predictions and scores; returns the headline.Headline."""
    say(arguments.task.writes)
    head = headline.of_predictions(table, provenance.label_counts(record, corpus.train, corpus.labels)[0])
    written = arguments.task.present(result, corpus, results.as_tested(record), table, scores, head, arguments.with_text)
    say("")
    say(headline.as_text(head))
    say("")
    for path in written:
        say(f"-> {path}")
    return head
