"""`check`: whether a training can be done here, and what it needs."""
import os

from commands.common import for_seed, read_inputs, run_record
from inputs import profile
from scoring import format_table
from settings import settings_for
from support import paths
from support.console import say


def check(arguments):
    """Everything that can stop a training, and what it will need; trains nothing and writes nothing."""
    from training import checks
    if arguments.seeds:
        say(f"the first of {arguments.seeds} runs; each of the others needs as much")
        arguments = for_seed(arguments, 0)
    settings = settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    corpus, bert = read_inputs(arguments, settings, write=False)
    record = run_record(arguments, settings, corpus, bert)
    tell_profile(corpus, record["profile"])
    checks.report(corpus, bert, settings, paths.ResultFolder(arguments.result), record, arguments.restart)


def tell_profile(corpus, counted):
    """What the corpus holds, beside what is published of i2b2 2012.

    corpus, counted : reading.Corpus, and its profile.
    """
    names = profile.names_of(corpus.train, corpus.test)
    say("")
    say(format_table(*profile.table(counted, profile.is_i2b2(names))))
    say("")
    for sentence in profile.verdict(counted, names, corpus.folder.test_gold):
        say(f"profile: {sentence}")
    say(f"test gold: {about_test_gold(corpus)}")


def about_test_gold(corpus):
    """A sentence on which test documents are tested on, and which others there are."""
    types = len({example.label for example in corpus.test.examples})
    others = [f"--set test_gold={gold} takes {paths.TEST_GOLD[gold]}, which is there"
              for gold, folder in corpus.folder.all_test_xml.items() if gold != corpus.folder.test_gold and os.path.isdir(folder)]
    return "; ".join([f"{corpus.folder.test_xml}, {types} types of TLINK"] + (others or ["there is no other"]))
