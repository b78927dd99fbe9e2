"""`demo`: a toy model on the synthetic sample corpus, trained and tested."""
import os

from commands.test import test
from commands.train import train
from evaluation.tlink_scores import EIGHT, THREE
from inputs.tiny_bert import make_tiny_bert
from network import pretrained
from support import files, paths
from support.console import say
from support.errors import InputError


def demo(arguments):
    """Train and test on the sample corpus, with a toy BERT made for it."""
    is_sample = os.path.realpath(arguments.corpus) == os.path.realpath(paths.SAMPLE_CORPUS)
    if is_sample and arguments.bert is None:
        say("This is a toy: a tiny BERT with random weights, trained on synthetic notes. "
            "It shows that everything works; its scores say nothing about real notes.")
    else:
        say(f"The recipe {arguments.recipe} is made for the toy BERT and the synthetic notes of the sample corpus; `train` and "
            "`test` are for other data.")
    if arguments.bert is None:
        arguments.bert = toy_bert()
        say(f"tiny BERT -> {arguments.bert}")
    train(arguments)
    head = test(arguments)
    say(sentence(head, "synthetic" if is_sample else "test"))


def sentence(head, notes):
    """How good the model is, by the labels that its gold has.

    head : headline.Headline
    notes : which TLINKs they are, "synthetic" or "test".
    """
    group = head.scores[0].group
    score, labels = {EIGHT: ("pairs.accuracy", "eight"), THREE: ("merged.accuracy", "three")}[group]
    accuracy, always = head.intervals[score].value, head.baseline[score]
    return (f"With {labels} labels the model is right for {100 * accuracy:.1f} % of the {notes} TLINKs; always answering "
            f"{head.answers[group]} would get {100 * always:.1f} %: {100 * (accuracy - always):+.1f} points.")


def toy_bert(folder=paths.SAMPLE_BERT):
    """The folder of the sample corpus' BERT, made where a file of it is missing: the first time, or after a kill."""
    try:
        pretrained.check_bert_folder(paths.BertFolder(folder))
    except InputError:
        files.remove_leftovers(os.path.dirname(folder), (os.path.basename(folder),))
        with files.temporary_folder(folder) as scratch:
            made = os.path.join(scratch, "bert")
            make_tiny_bert(made)
            files.sync_files(made)
            files.make_folder(folder)
            # Each is whole. It makes the same files every time, so that those of two makings go together.
            for name in sorted(os.listdir(made)):
                os.replace(os.path.join(made, name), os.path.join(folder, name))
            files.sync_folder(folder)
    return folder
