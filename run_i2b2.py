#!/usr/bin/env python3
"""Fine-tune BERT-CNN on the temporal relations of i2b2 2012, and score it.

    python3 run_i2b2.py check     only checks the inputs, and says what training needs in memory, disk and time
    python3 run_i2b2.py train     XML -> examples -> features -> fine-tuning; continues a run that was cut off
    python3 run_i2b2.py test      the best model on the test documents -> predictions and scores in result/
    python3 run_i2b2.py demo      all of it on a synthetic sample corpus with a toy BERT; needs no download
    python3 run_i2b2.py predict NOTE.xml ... --out DIR    types for the TLINKs of notes that nobody has labelled
    python3 run_i2b2.py export --out DIR          the best model for other programs, as a SavedModel
    python3 run_i2b2.py compare RESULT_DIR ...    runs side by side

The first four take --corpus, --bert, --result, --recipe, --set KEY=VALUE and --seed; see --help.
"""
import argparse
import importlib.util
import os
import sys
import time

import paths
from errors import InputError, Interrupted, run_main
from labels import LABELS
from settings import RECIPES, Settings, settings_for


def main():
    arguments = parse_arguments()
    require_libraries()
    commands = {"check": check, "train": train, "test": test, "demo": demo, "predict": predict, "export": export,
                "compare": compare}
    if getattr(arguments, "seeds", None) and arguments.command != "check":
        return repeat(commands[arguments.command], arguments)
    commands[arguments.command](arguments)


def parse_arguments(words=None):
    """The command line, or a list of its words, as a namespace; ends the process where they are wrong."""
    parser = argparse.ArgumentParser(prog="run_i2b2.py", description="BERT-CNN for the temporal relations of i2b2 2012.")
    commands = parser.add_subparsers(dest="command", metavar="check|train|test|demo|predict|export|compare")
    commands.required = True
    for name, recipe, text in (("check", "paper", "check what train needs, without training"),
                               ("train", "paper", "fine-tune; continues a run that was cut off"),
                               ("test", None, "score the best model on the test documents"),
                               ("demo", "demo", "train and test a toy model on the sample corpus")):
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.add_argument("--corpus", metavar="DIR", default=paths.SAMPLE_CORPUS if name == "demo" else paths.DEFAULT_CORPUS,
                             help="corpus folder (default: %(default)s)")
        command.add_argument("--bert", metavar="DIR", help="BERT folder (default: the sample's toy BERT, made anew)"
                             if name == "demo" else f"BERT folder (default: {paths.default_bert()})")
        command.add_argument("--result", metavar="DIR", default=os.path.join(paths.DEFAULT_RESULT, "demo")
                             if name == "demo" else paths.DEFAULT_RESULT, help="result folder (default: %(default)s)")
        command.add_argument("--recipe", metavar="NAME", default=recipe,
                             help=f"one of {', '.join(RECIPES)} (default: {recipe or 'what the model was trained with'})")
        command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
                             help="change a setting of the recipe; repeatable; keys: " + ", ".join(Settings._fields))
        command.add_argument("--seed", metavar="N", type=int, help="the same as --set seed=N")
        if name != "test":
            command.add_argument("--restart", action="store_true",
                                 help="begin anew; the run in the result folder is kept under a dated name")
        if name in ("test", "demo"):
            command.add_argument("--with-text", action="store_true",
                                 help="write the predictions as whole documents too, into system_xml/ of the "
                                 "corpus folder; result/system_xml holds no text")
        if name != "demo":
            command.add_argument("--seeds", metavar="N", type=positive,
                                 help="repeat with seeds 0 to N-1, each in a folder seed-K of the result "
                                 "folder, and report mean and spread")
    add_predict_and_export(commands)
    command = commands.add_parser("compare", help="runs side by side",
                                  description="Runs side by side: settings, scores, differences.")
    command.add_argument("results", metavar="RESULT_DIR", nargs="+",
                         help="result folder of a tested run, or one of several (seed-0, seed-1, ...)")
    command.add_argument("--out", metavar="FILE", default="compare.html",
                         help="HTML file to write (default: %(default)s)")
    arguments = parser.parse_args(words)
    if getattr(arguments, "seeds", None) and (
            arguments.seed is not None or any(text.split("=")[0] == "seed" for text in arguments.assignments)):
        parser.error("--seeds N sets the seed of each run; leave out --seed and --set seed=...")
    return arguments


def add_predict_and_export(commands):
    """The arguments of the commands that use a trained model."""
    command = commands.add_parser("predict", help="types for the TLINKs of notes that nobody has labelled",
                                  description="Types for the TLINKs of notes that nobody has labelled. TLINKs that have a "
                                  "type keep it.")
    command.add_argument("notes", metavar="NOTE.xml", nargs="+", help="i2b2 XML with EVENT, TIMEX3 and SECTIME tags")
    command.add_argument("--candidates", choices=("all", "near", "sections"), default="all",
                         help="links that a note without any gets: events and times of the same and of neighbouring "
                         "sentences (near), each event with its section time (sections), or both (default: %(default)s)")
    command.add_argument("--consistent", action="store_true",
                         help="the most probable types of a note that do not contradict each other")
    command.add_argument("--page", action="store_true", help="write each note's timeline too, as a page that holds its text")
    add_model_arguments(command, "folder for NOTE.xml, NOTE.tsv and NOTE.html; they hold the notes' text")
    command = commands.add_parser("export", help="the best model for other programs, as a SavedModel",
                                  description="The best model for other programs and TensorFlow Serving, as a SavedModel.")
    command.add_argument("--float16", action="store_true", help="store the weights in half the bytes; they are cast when loaded")
    add_model_arguments(command, "folder to write, which must not exist yet")


def add_model_arguments(command, out):
    """Where a trained model is and what it writes to."""
    command.add_argument("--out", metavar="DIR", required=True, help=out)
    command.add_argument("--result", metavar="DIR", default=paths.DEFAULT_RESULT,
                         help="result folder of the model (default: %(default)s)")
    command.add_argument("--bert", metavar="DIR",
                         help="BERT folder the model was made from, where the result folder has no vocabulary")
    command.add_argument("--recipe", metavar="NAME", help="recipe of a model that is without run.json (default: paper)")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
                         help="change a setting of the model, such as eval_batch_size, threads or xla; repeatable")


def positive(text):
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return number


def require_libraries():
    """Say what to run where a library is missing, instead of an import error's traceback."""
    needed = ("numpy", "tensorflow", "tokenizers", "sklearn", "tqdm", "defusedxml", "matplotlib", "pulp")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        python = ".".join(str(number) for number in sys.version_info[:2])
        raise InputError(f"this Python ({python}, {sys.executable}) lacks {', '.join(missing)}. `make setup` installs everything "
                         "into .venv (then run `.venv/bin/python run_i2b2.py ...`); in a Python that TensorFlow supports, "
                         "`pip3 install -r requirements.txt` does.")


# ------------------------------------------------------------------------------------------------------- commands

def check(arguments):
    """Everything that can stop a training, and what it will need; trains nothing and writes nothing."""
    import checks
    from console import say
    if arguments.seeds:
        say(f"the first of {arguments.seeds} runs; each of the others needs as much")
        arguments = for_seed(arguments, 0)
    settings = settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    corpus, bert = read_inputs(arguments, settings, write=False)
    checks.report(corpus, bert, settings, paths.ResultFolder(arguments.result),
                  run_record(arguments, settings, corpus, bert), arguments.restart)


def train(arguments):
    """XML to examples to features to fine-tuning; returns how it ended, a protocol.Outcome."""
    from console import say
    began = time.time()
    settings = settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    result = paths.ResultFolder(arguments.result)
    machines = machines_of(arguments)
    corpus, bert = read_inputs(arguments, settings)

    import checks
    import inputs
    import runs
    record = run_record(arguments, settings, corpus, bert)
    if not machines.is_chief:
        return follow(corpus, bert, settings, machines, record)
    with runs.claimed(result):
        finished = runs.prepare(result, record, arguments.restart)
        if finished:
            text = f"this run is {runs.ending(finished)}; `test` scores it, --restart begins anew"
            with machines.gathered(record, runs.differences):
                machines.tell(finished=text)
            runs.record_outcome(result, finished)
            say(text)
            return finished
        checks.before_training(corpus, bert, settings, result)
        with runs.recorded(result, record, began) as train_record:
            inputs.write_config_and_vocab(bert, result.bert_config, result.vocab)
            try:
                outcome = fine_tune(corpus, bert, settings, result, machines, record)
            except Interrupted as interrupt:
                if not arguments.restart:
                    raise
                raise Interrupted(f"{interrupt}, but without --restart", interrupt.signal_number)
            train_record.update(outcome._asdict())
    say(runs.ending(outcome))
    say(f"best model -> {result.best}.*")
    say(f"curves -> {result.tensorboard} (python3 -m tensorboard.main --logdir shows them)")
    return outcome


def fine_tune(corpus, bert, settings, result, machines, record):
    """Features and fine-tuning, from the newest whole state; returns the protocol.Outcome."""
    from console import say
    import batching
    import checkpoints
    import devices
    import inputs
    import runs
    import training
    sharing = devices.choose(settings, machines.cluster)
    say("3/4 features")
    train_features, dev_features = inputs.train_and_dev(corpus, bert, settings)
    batches = batching.Batches(train_features, settings)
    state = checkpoints.newest_good_state(result.checkpoints, say)
    say(f"4/4 fine-tuning: {len(train_features.label_ids)} training and {len(dev_features.label_ids)} dev examples, at most "
        f"{batches.total} steps of {settings.batch_size}" + (f", continued from step {state.step}" if state else "")
        + (f", each shared by {sharing.count} devices" if sharing.count > 1 else ""))
    with machines.gathered(record, runs.differences):
        machines.tell(step=state.step if state else 0)
        return training.train(batches, dev_features, bert, settings, result, state, machines, sharing)


def follow(corpus, bert, settings, machines, record):
    """The part of a machine that is not the chief in a training on several."""
    from console import say
    import batching
    import devices
    import inputs
    import training
    sharing = devices.choose(settings, machines.cluster)
    say("3/4 features")
    train_features, _ = inputs.train_and_dev(corpus, bert, settings)
    batches = batching.Batches(train_features, settings)
    with machines.joined(record) as told:
        if "finished" in told:
            say(told["finished"])
            return
        say(f"4/4 fine-tuning from step {told['step']}, each step shared by {sharing.count} devices; "
            f"{machines.cluster.names[0]} keeps the results")
        training.follow(batches, bert, settings, told["step"], machines, sharing)
    say(f"finished; {machines.cluster.names[0]} has the results")


def machines_of(arguments):
    """The machines that TF_CONFIG names for `train`; this one alone for other commands."""
    from machines import ALONE, Machines, of_environment
    cluster = of_environment() if arguments.command == "train" else ALONE
    if cluster is not ALONE and arguments.seeds:
        raise InputError("--seeds repeats runs on one machine: leave it out, or leave out TF_CONFIG.")
    return Machines(cluster)


def test(arguments):
    """The best model on the test documents; returns the scores, a headline.Headline."""
    from console import say
    import checkpoints
    import files
    import results
    import runs
    began = time.time()
    result = paths.ResultFolder(arguments.result)
    runs.require_model(result)
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments, arguments.seed)
    runs.tell_changes(record, settings)
    files.check_writable(result.root)
    corpus, bert = read_inputs(arguments, settings)

    import inputs
    import text_model
    import training
    checkpoints.check(result.best)
    say("3/4 features")
    features = inputs.split_features(corpus, bert, settings, "test")
    say(f"4/4 testing {result.best} on {len(features.label_ids)} examples")
    predicting = time.time()
    logits = training.predict(features, bert.config, settings, result.best)
    predicted = time.time()
    say(f"{len(logits) / (predicted - predicting):.1f} TLINKs/s")
    log_probabilities = text_model.log_probabilities(logits)
    scores, text = results.write_results(result, corpus.test.examples, log_probabilities)
    record["test"] = {"recipe": arguments.recipe or record.get("recipe", "paper"), "settings": settings._asdict(),
                      "ended": results.now(), "seconds": round(time.time() - began, 1),
                      "predict_seconds": round(predicted - predicting, 3), "corpus": corpus.fingerprint,
                      "bert": bert.fingerprint, "versions": results.versions()}
    results.write_run(result, record)
    say("")
    say(text)
    for path in (result.predictions, result.scores_json, result.scores_txt, result.run):
        say(f"-> {path}")
    return present(arguments, result, corpus, record, scores, log_probabilities)


def present(arguments, result, corpus, record, scores, log_probabilities):
    """A test's report and system XML; returns the headline.Headline."""
    from console import say
    import headline
    import predictions
    import report
    import results
    import system_xml
    say("report, figures and system XML")
    table = predictions.of_examples(corpus.test.examples, log_probabilities)
    documents = system_xml.read_documents(corpus.folder.test_xml)
    training_labels = [example.label for example in corpus.train.examples]
    head = headline.of_predictions(table, [training_labels.count(label) for label in LABELS])
    report.write_report(result, results.as_tested(record), table, scores, list(documents.values()), head)
    written = [result.report, result.figures, result.system_xml]
    system_xml.write_system_xml(result.system_xml, documents, table)
    if arguments.with_text:
        written.append(corpus.folder.system_xml(result))
        system_xml.write_system_xml(written[-1], documents, table, with_text=True)
    say("")
    say(headline.as_text(head))
    say("")
    for path in written:
        say(f"-> {path}")
    return head


def demo(arguments):
    """Train and test on the sample corpus, with a toy BERT made for it."""
    from console import say
    say("This is a toy: a tiny BERT with random weights, trained for a minute or two on synthetic notes. "
        "It shows that everything works; its scores say nothing about real notes.")
    if arguments.bert is None:
        from sample_corpus import toy_bert
        arguments.bert = toy_bert()
        say(f"tiny BERT -> {arguments.bert}")
    train(arguments)
    head = test(arguments)
    accuracy, always = head.intervals["pairs.accuracy"].value, head.baseline["pairs.accuracy"]
    say(f"The toy labels {100 * accuracy:.1f} % of the synthetic TLINKs as they are; always answering {head.commonest}, the "
        f"commonest label, would get {100 * always:.1f} %: {100 * (accuracy - always):+.1f} points.")


def predict(arguments):
    """Types for the TLINKs of notes."""
    from notes import predict_files

    def load():
        from predict import RelationClassifier
        return RelationClassifier(arguments.result, arguments.bert, arguments.recipe, arguments.assignments)
    predict_files(arguments.notes, arguments.out, paths.ResultFolder(arguments.result), load, arguments.candidates,
                  arguments.consistent, arguments.page)


def export(arguments):
    """The best model as a SavedModel."""
    from console import say
    import checkpoints
    import export as exporting
    import inputs
    import results
    import runs
    result = paths.ResultFolder(arguments.result)
    runs.require_model(result)
    checkpoints.check(result.best)
    record = results.read_run(result)
    settings = runs.settings_of_model(result, record, arguments.recipe, arguments.assignments)
    runs.tell_changes(record, settings)
    bert = inputs.bert_of_model(result, record, settings, arguments.bert and paths.BertFolder(arguments.bert))
    exporting.export_model(result, bert, settings, arguments.out, arguments.float16)
    say(f"-> {os.path.abspath(arguments.out)} (SavedModel, signature {exporting.SIGNATURE})")


def compare(arguments):
    """Runs side by side."""
    from compare import compare_runs
    compare_runs(arguments.results, arguments.out)


def repeat(command, arguments):
    """`train` or `test` with seeds 0, 1, ...; their mean and spread, and what all the models say together."""
    from console import say
    import predictions
    import seeds
    result = paths.ResultFolder(arguments.result)
    found, together = [], None
    for seed in range(arguments.seeds):
        say(f"seed {seed} ({seed + 1} of {arguments.seeds})")
        found.append(command(for_seed(arguments, seed)))
        say("")
    if command is train:
        scores = [{"best dev score": outcome.best_score, "its step": outcome.best_step,
                   "last step": outcome.step} for outcome in found]
    else:
        scores = [{key: interval.value for key, interval in head.intervals.items()} for head in found]
        together = seeds.together([predictions.read(result.of_seed(seed).predictions) for seed in range(arguments.seeds)])
    say(f"{arguments.seeds} seeds")
    say(seeds.format_summary(seeds.write_summary(result, arguments.command, scores, together)))
    say(f"-> {result.seeds}")


def for_seed(arguments, seed):
    """The arguments of one of several runs that differ in the seed."""
    result = paths.ResultFolder(arguments.result).of_seed(seed)
    return argparse.Namespace(**dict(vars(arguments), seed=seed, result=result.root))


# ---------------------------------------------------------------------------------------------------------- pieces

def read_inputs(arguments, settings, write=True):
    """Read and check corpus and BERT; returns (inputs.Corpus, inputs.Bert). `write`: also train.txt and test.txt."""
    from console import say
    import inputs
    import pretrained
    import training
    corpus_folder = paths.CorpusFolder(arguments.corpus)
    bert_folder = paths.BertFolder(arguments.bert or paths.default_bert())
    inputs.check_folders(corpus_folder, bert_folder)
    training.check_precision(settings)
    say("1/4 corpus")
    corpus = inputs.read_corpus(corpus_folder, settings, write)
    say("2/4 BERT")
    bert = inputs.read_bert(bert_folder, settings)
    say(f"{pretrained.check_bert_folder(bert_folder).weights}: {bert.config.num_hidden_layers} layers, "
        f"{bert.config.hidden_size} wide, {len(bert.vocab)} word pieces")
    return corpus, bert


def run_record(arguments, settings, corpus, bert):
    """What run.json tells of a run before it begins."""
    import results
    return {"recipe": arguments.recipe, "settings": settings._asdict(), "corpus": corpus.fingerprint, "bert": bert.fingerprint,
            "versions": results.versions()}


if __name__ == "__main__":
    run_main(main)
