"""`test`: the best model on the test documents, to predictions, scores and a report."""
import time

from commands.common import read_inputs_of_model
from evaluation import headline, predictions, provenance, report, results, system_xml
from inputs import reading
from settings import Settings
from support import files, paths
from support.console import say
from training import checkpoints, runs
from training.outcome import one_label


def test(arguments):
    """The best model on the test documents; returns the scores, a headline.Headline."""
    began = time.time()
    result = paths.ResultFolder(arguments.result)
    runs.require_model(result)
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, arguments.seed)
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
    logits = estimator.predict(features, bert.config, settings, result.best)
    predicted = time.time()
    say(f"{len(logits) / (predicted - predicting):.1f} TLINKs/s")
    log_probabilities = text_model.log_probabilities(logits)
    scores, text = results.write_results(result, corpus.test.examples, log_probabilities)
    record["test"] = {"recipe": arguments.recipe or record.get("recipe", "paper"), "settings": settings._asdict(),
                      "ended": results.now(), "seconds": round(time.time() - began, 1),
                      "predict_seconds": round(predicted - predicting, 3), "corpus": corpus.fingerprint,
                      "bert": bert.fingerprint or record.get("bert", {}), "versions": versions(), "remarks": remarks}
    results.write_run(result, record)
    say("")
    say(text)
    for path in (result.predictions, result.scores_json, result.scores_txt, result.run):
        say(f"-> {path}")
    return present(arguments, result, corpus, record, scores, log_probabilities)


def present(arguments, result, corpus, record, scores, log_probabilities):
    """A test's report and system XML; returns the headline.Headline."""
    say("report, figures and system XML")
    table = predictions.of_examples(corpus.test.examples, log_probabilities)
    documents = system_xml.read_documents(corpus.folder.test_xml)
    head = headline.of_predictions(table, provenance.label_counts(record, corpus.train)[0])
    report.write_report(result, results.as_tested(record), table, scores, list(documents.values()), head)
    written = [result.report, result.figures, result.system_xml]
    system_xml.write_system_xml(result.system_xml, documents, table)
    if arguments.with_text:
        written.append(corpus.folder.system_xml(result))
        system_xml.write_system_xml(written[-1], documents, table, with_text=True)
    say("")
    say(headline.as_text(head))
    remark = one_label(table.predicted, "test examples", Settings(**record["test"]["settings"]))
    if remark:
        say(remark)
    say("")
    for path in written:
        say(f"-> {path}")
    return head
