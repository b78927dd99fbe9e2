"""The command line: which commands there are, and what each takes."""
import argparse
import os

from settings import Settings
from support import paths
from tasks.i2b2 import I2B2
from training import runs


def parse_arguments(words=None, task=I2B2):
    """The command line, or a list of its words, as a namespace, with the task; ends the process where they are wrong."""
    parser = argparse.ArgumentParser(prog=task.program, description=task.description)
    commands = parser.add_subparsers(dest="command", metavar="|".join(task.commands))
    commands.required = True
    for name, recipe, text in (("check", "paper", "check what train needs, without training"),
                               ("train", "paper", "fine-tune; continues a run that was cut off"),
                               ("test", None, "score the best model on the test documents"),
                               ("demo", "demo", "train and test a toy model on the sample corpus")):
        if name not in task.commands:
            continue
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.add_argument("--corpus", metavar="DIR", default=paths.SAMPLE_CORPUS if name == "demo" else task.corpus,
                             help="corpus folder (default: %(default)s)")
        command.add_argument("--bert", metavar="DIR", help="BERT folder (default: the sample's toy BERT, made if it is missing)"
                             if name == "demo" else f"BERT folder (default: {paths.default_bert()})")
        command.add_argument("--result", metavar="DIR", default=os.path.join(task.result, "demo")
                             if name == "demo" else task.result, help="result folder (default: %(default)s)")
        command.add_argument("--recipe", metavar="NAME", default=recipe,
                             help=f"one of {', '.join(task.recipes)} (default: {recipe or 'what the model was trained with'})")
        command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
                             help=about_set(name, task))
        command.add_argument("--seed", metavar="N", type=int, help="the same as --set seed=N")
        if name != "test":
            command.add_argument("--restart", action="store_true", help="check for `train --restart`" if name == "check" else
                                 "begin anew; the run in the result folder is kept under a dated name")
        command.set_defaults(with_text=False)
        if name in ("test", "demo") and task.has_documents:
            command.add_argument("--with-text", action="store_true",
                                 help="write the predictions as whole documents too, into system_xml/ of the "
                                 "corpus folder; result/system_xml holds no text")
        if name != "demo":
            command.add_argument("--seeds", metavar="N", type=positive,
                                 help="check for `train --seeds N`: the first run; each of the others needs as much"
                                 if name == "check" else "repeat with seeds 0 to N-1, each in a folder seed-K of the result "
                                 "folder, and report mean and spread")
    if "predict" in task.commands:
        add_predict(commands, task)
    add_export(commands, task)
    command = commands.add_parser("compare", help="runs side by side",
                                  description="Runs side by side: settings, scores, differences.")
    command.add_argument("results", metavar="RESULT_DIR", nargs="+",
                         help="result folder of a tested run, or folder of the runs of several seeds (seed-0, seed-1, ...)")
    command.add_argument("--out", metavar="FILE", default="compare.html",
                         help="HTML file to write (default: %(default)s)")
    arguments = parser.parse_args(words)
    for name in ("corpus", "bert", "result", "out"):
        if getattr(arguments, name, None) == "":
            parser.error(f"--{name}: the name is empty; give a path, or . for the current folder")
    arguments.task = task
    if getattr(arguments, "seeds", None) and (
            arguments.seed is not None or any(text.split("=")[0] == "seed" for text in arguments.assignments)):
        parser.error("--seeds N sets the seed of each run; leave out --seed and --set seed=...")
    return arguments


def about_set(name, task):
    """What `--set` of a command changes, for its help."""
    own = task.own(Settings())
    act = {"test": runs.OF_A_TEST, "predict": runs.OF_NEW_NOTES, "export": runs.OF_AN_EXPORT}.get(name)
    if act is None:
        return "change a setting of the recipe; repeatable; keys: " + ", ".join(own)
    seed = "; with evaluation_dropout=true also seed" if name == "test" else ""
    return (f"change a setting of the model; repeatable; keys: {', '.join(key for key in own if key in act)}{seed}; for a model "
            "without run.json those of `train`")


def add_predict(commands, task):
    """The arguments of `predict`."""
    command = commands.add_parser("predict", help="types for the TLINKs of notes that nobody has labelled",
                                  description="Types for the TLINKs of notes that nobody has labelled. TLINKs that have a "
                                  "type keep it.")
    command.add_argument("notes", metavar="NOTE", nargs="+", help="NOTE.xml, i2b2 XML with EVENT, TIMEX3 and SECTIME tags, or "
                         "NOTE.txt with brat's NOTE.ann beside it")
    command.add_argument("--candidates", choices=("all", "near", "sections"), default="all",
                         help="links that a note without any gets: events and times of the same and of neighbouring "
                         "sentences (near), each event with its section time (sections), or both (default: %(default)s)")
    command.add_argument("--consistent", action="store_true",
                         help="the most probable types of a note that do not contradict each other")
    command.add_argument("--page", action="store_true", help="write each note's timeline too, as a page that holds its text")
    add_model_arguments(command, task, "predict", "folder for NOTE.xml, NOTE.tsv, NOTE.html (--page) and NOTE.ann (brat); all but "
                        "NOTE.tsv hold the note's text")


def add_export(commands, task):
    """The arguments of `export`."""
    command = commands.add_parser("export", help="the best model for other programs, as a SavedModel",
                                  description="The best model for other programs and TensorFlow Serving, as a SavedModel.")
    command.add_argument("--float16", action="store_true", help="store the weights in half the bytes; they are cast when loaded")
    add_model_arguments(command, task, "export", "folder to write, which must not exist yet")


def add_model_arguments(command, task, name, out):
    """Where a trained model is and what a command, of this name, writes to."""
    command.add_argument("--out", metavar="DIR", required=True, help=out)
    command.add_argument("--result", metavar="DIR", default=task.result,
                         help="result folder of the model (default: %(default)s)")
    command.add_argument("--bert", metavar="DIR",
                         help="BERT folder the model was made from, where the result folder has no vocabulary")
    command.add_argument("--recipe", metavar="NAME", help="recipe of a model that is without run.json (default: paper)")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="assignments",
                         help=about_set(name, task))


def positive(text):
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return number
