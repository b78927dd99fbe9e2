"""What several commands begin with: the libraries, corpus and BERT, the record of a run."""
import argparse
import importlib.util
import os
import sys

from inputs import identity, reading
from network import pretrained
from support import paths
from support.console import say
from support.errors import InputError


def require_libraries(program="run_i2b2.py"):
    """Say what to run where a library is missing, instead of an import error's traceback."""
    needed = ("numpy", "tensorflow", "sklearn", "tqdm", "defusedxml", "matplotlib", "pulp")
    # TensorFlow 1.14, once imported, does not bear being looked for.
    missing = [name for name in needed if name not in sys.modules and importlib.util.find_spec(name) is None]
    if missing:
        python = ".".join(str(number) for number in sys.version_info[:2])
        raise InputError(f"this Python ({python}, {sys.executable}) lacks {', '.join(missing)}. `make setup` installs everything "
                         f"into .venv (then run `.venv/bin/python {program} ...`); in a Python that TensorFlow supports, "
                         "`pip3 install -r requirements.txt` does.")


def result_folder(arguments):
    """The paths.ResultFolder of the task that a command is for."""
    return paths.ResultFolder(arguments.result, arguments.task.name)


def read_inputs(arguments, settings, write=True):
    """Read and check corpus and BERT; returns (reading.Corpus, reading.Bert). `write`: also train.txt and test.txt."""
    bert_folder = paths.BertFolder(arguments.bert or paths.default_bert())
    corpus, bert = read_both(arguments, bert_folder, settings, write,
                             lambda: reading.read_bert(bert_folder, settings))
    reading.tell_case(corpus, bert, settings)
    return corpus, bert


def read_inputs_of_model(arguments, settings, result, record):
    """`read_inputs` for a trained model, whose BERT is that of its result folder unless the user names it."""
    own = arguments.bert is None and reading.has_bert(result)
    if arguments.bert is None and not own and not os.path.isdir(paths.default_bert()):
        raise reading.without_bert(result)
    bert_folder = None if own else paths.BertFolder(arguments.bert or paths.default_bert())
    return read_both(arguments, bert_folder, settings, True,
                     lambda: reading.bert_of_model(result, record, settings, bert_folder))


def read_both(arguments, bert_folder, settings, write, read_bert):
    """Corpus and BERT, with a line on each; `bert_folder` is None where it need not be there."""
    task = arguments.task
    corpus_folder = task.corpus_folder(arguments.corpus, settings)
    reading.check_folders(corpus_folder, bert_folder, task.check_corpus_folder)
    from training import estimator
    estimator.check_precision(settings)
    say("1/4 corpus")
    corpus = task.read_corpus(corpus_folder, settings, write)
    say("2/4 BERT")
    bert = read_bert()
    where = pretrained.check_bert_folder(bert_folder).weights if bert_folder else "the model's own"
    layers = bert.config.num_hidden_layers
    say(f"{where}: {layers} layer{'' if layers == 1 else 's'}, {bert.config.hidden_size} wide, {len(bert.vocab)} word pieces")
    return corpus, bert


def run_record(arguments, settings, corpus, bert):
    """What run.json tells of a run before it begins."""
    from evaluation import provenance
    from network.runtime import versions
    return {"task": arguments.task.name, "recipe": arguments.recipe, "settings": arguments.task.own(settings),
            "corpus": corpus.fingerprint, "bert": bert.fingerprint,
            "model": identity.of_model(bert.config, bert.vocab, bert.do_lower_case), "versions": versions(),
            "trained_on": provenance.of_training(corpus.train, corpus.labels), "profile": arguments.task.profile(corpus)}


def for_seed(arguments, seed):
    """The arguments of one of several runs that differ in the seed."""
    result = result_folder(arguments).of_seed(seed)
    return argparse.Namespace(**dict(vars(arguments), seed=seed, result=result.root))
