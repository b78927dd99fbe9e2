"""What several commands begin with: the libraries, corpus and BERT, the record of a run."""
import argparse
import importlib.util
import sys

from support import paths
from support.console import say
from support.errors import InputError


def require_libraries():
    """Say what to run where a library is missing, instead of an import error's traceback."""
    needed = ("numpy", "tensorflow", "tokenizers", "sklearn", "tqdm", "defusedxml", "matplotlib", "pulp")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        python = ".".join(str(number) for number in sys.version_info[:2])
        raise InputError(f"this Python ({python}, {sys.executable}) lacks {', '.join(missing)}. `make setup` installs everything "
                         "into .venv (then run `.venv/bin/python run_i2b2.py ...`); in a Python that TensorFlow supports, "
                         "`pip3 install -r requirements.txt` does.")


def read_inputs(arguments, settings, write=True):
    """Read and check corpus and BERT; returns (inputs.Corpus, inputs.Bert). `write`: also train.txt and test.txt."""
    from inputs import reading
    from training import estimator
    corpus_folder = paths.CorpusFolder(arguments.corpus)
    bert_folder = paths.BertFolder(arguments.bert or paths.default_bert())
    reading.check_folders(corpus_folder, bert_folder)
    estimator.check_precision(settings)
    say("1/4 corpus")
    corpus = reading.read_corpus(corpus_folder, settings, write)
    say("2/4 BERT")
    bert = reading.read_bert(bert_folder, settings)
    say(f"{bert_folder.root}: {bert.config.num_hidden_layers} layers, {bert.config.hidden_size} wide, {len(bert.vocab)} word "
        "pieces")
    return corpus, bert


def run_record(arguments, settings, corpus, bert):
    """What run.json tells of a run before it begins."""
    from network.runtime import versions
    return {"recipe": arguments.recipe, "settings": settings._asdict(), "corpus": corpus.fingerprint, "bert": bert.fingerprint,
            "versions": versions()}


def for_seed(arguments, seed):
    """The arguments of one of several runs that differ in the seed."""
    result = paths.ResultFolder(arguments.result).of_seed(seed)
    return argparse.Namespace(**dict(vars(arguments), seed=seed, result=result.root))
