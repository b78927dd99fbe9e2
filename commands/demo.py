"""`demo`: a toy model on the synthetic sample corpus, trained and tested."""
from commands.test import test
from commands.train import train
from evaluation.tlink_scores import EIGHT, THREE
from inputs.sample_corpus import toy_bert
from support.console import say


def demo(arguments):
    """Train and test on the sample corpus, with a toy BERT made for it."""
    say("This is a toy: a tiny BERT with random weights, trained for a minute or two on synthetic notes. "
        "It shows that everything works; its scores say nothing about real notes.")
    if arguments.bert is None:
        arguments.bert = toy_bert()
        say(f"tiny BERT -> {arguments.bert}")
    train(arguments)
    head = test(arguments)
    say(sentence(head))


def sentence(head):
    """How good the toy is, by the labels that its gold has; `head` is a headline.Headline."""
    group = head.scores[0].group
    score, labels = {EIGHT: ("pairs.accuracy", "eight"), THREE: ("merged.accuracy", "three")}[group]
    accuracy, always = head.intervals[score].value, head.baseline[score]
    return (f"Of {labels} labels, the toy gives {100 * accuracy:.1f} % of the synthetic TLINKs the right one; always answering "
            f"{head.answers[group]} would get {100 * always:.1f} %: {100 * (accuracy - always):+.1f} points.")
