"""`test`: the best model on the test documents, to predictions, scores and a report."""
import time

from commands.common import read_inputs_of_model
from evaluation import headline, predictions, provenance, report, results, system_xml
from inputs import reading
from support import files, paths, places
from support.console import say
from training import checkpoints, runs


def test(arguments):
    """The best model on the test documents; returns the scores, a headline.Headline."""
    result, corpus_folder = paths.ResultFolder(arguments.result), paths.CorpusFolder(arguments.corpus)
    runs.require_model(result)
    places.check_run(result, corpus_folder)
    files.check_writable(result.root)
    with runs.testing(result):
        return test_run(arguments, result)


def test_run(arguments, result):
    """`test` in a folder in which nobody else tests."""
    began = time.time()
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, arguments.seed)
    runs.tell_changes(record, settings)
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
    logits = estimator.predict(features, bert.config, settings, result.best)
    predicted = time.time()
    say(f"{len(logits) / (predicted - predicting):.1f} TLINKs/s")
    log_probabilities = text_model.log_probabilities(logits)
    tested = {"recipe": arguments.recipe or record.get("recipe", "paper"), "settings": settings._asdict(),
              "ended": results.now(), "seconds": round(time.time() - began, 1),
              "predict_seconds": round(predicted - predicting, 3), "corpus": corpus.fingerprint,
              "bert": bert.fingerprint or record.get("bert", {}), "versions": versions(), "remarks": remarks}
    # A training may have gone on meanwhile, or have been restarted: what is written must be of the run that is there.
    with runs.changing_run(result, run, model) as record:
        scores, text = results.write_results(result, corpus.test.examples, log_probabilities)
        record["test"] = dict(tested, files=results.files_of_test(record))
    say("")
    say(text)
    for path in (result.predictions, result.scores_json, result.scores_txt, result.run):
        say(f"-> {path}")
    return present(arguments, result, run, corpus, record, scores, log_probabilities)


def present(arguments, result, run, corpus, record, scores, log_probabilities):
    """A test's report and system XML; returns the headline.Headline.

    run : runs.run_of the record of the run that was tested.
    """
    say("report, figures and system XML")
    table = predictions.of_examples(corpus.test.examples, log_probabilities)
    documents = system_xml.read_documents(corpus.folder.test_xml)
    head = headline.of_predictions(table, provenance.label_counts(record, corpus.train)[0])
    made = report.make_report(result, results.as_tested(record), table, scores, list(documents.values()), head)
    with_text = corpus.folder.system_xml(result)
    with runs.changing_run(result, run) as record:
        # The names of what this run wrote into its folders: nothing else is ever removed from them.
        names = results.files_of_test(record)
        record["test"]["files"] = names
        names["figures"] = report.write_report(result, *made, earlier=names.get("figures", ()))
        names["system_xml"] = system_xml.write_system_xml(result.system_xml, documents, table,
                                                          earlier=names.get("system_xml", ()))
        if arguments.with_text:
            names["with_text"] = system_xml.write_system_xml(with_text, documents, table, with_text=True,
                                                             earlier=names.get("with_text", ()))
    say("")
    say(headline.as_text(head))
    say("")
    for path in [result.report, result.figures, result.system_xml] + [with_text] * arguments.with_text:
        say(f"-> {path}")
    return head
