"""`demo`: a toy model on the synthetic sample corpus, trained and tested."""
import os

from commands.test import test
from commands.train import train
from inputs.sample_corpus import toy_bert
from support import paths
from support.console import say


def demo(arguments):
    """Train and test on the sample corpus, with a toy BERT made for it."""
    is_sample = os.path.realpath(arguments.corpus) == os.path.realpath(paths.SAMPLE_CORPUS)
    if is_sample and arguments.bert is None:
        say("This is a toy: a tiny BERT with random weights, trained for a minute or two on synthetic notes. "
            "It shows that everything works; its scores say nothing about real notes.")
    else:
        say(f"The recipe {arguments.recipe} is made for the toy BERT and the synthetic notes of the sample corpus; `train` and "
            "`test` are for other data.")
    if arguments.bert is None:
        arguments.bert = toy_bert()
        say(f"tiny BERT -> {arguments.bert}")
    train(arguments)
    head = test(arguments)
    accuracy, always = head.intervals["pairs.accuracy"].value, head.baseline["pairs.accuracy"]
    kind = "synthetic" if is_sample else "test"
    say(f"The model labels {100 * accuracy:.1f} % of the {kind} TLINKs as they are; always answering {head.commonest}, the "
        f"commonest label, would get {100 * always:.1f} %: {100 * (accuracy - always):+.1f} points.")
