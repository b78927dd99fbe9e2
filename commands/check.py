"""`check`: whether a training can be done here, and what it needs."""
from commands.common import for_seed, read_inputs, run_record
from commands.train import cluster_of
from settings import settings_for
from support import paths
from support.console import say
from training import runs
from training.machines import Machines


def check(arguments):
    """Everything that can stop a training, and what it will need; trains nothing and writes nothing."""
    from training import checks
    if arguments.seeds:
        say(f"the first of {arguments.seeds} runs; each of the others needs as much")
        arguments = for_seed(arguments, 0)
    settings = settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    result, cluster = paths.ResultFolder(arguments.result), Machines(cluster_of(arguments)).cluster
    runs.check_folders(result, paths.CorpusFolder(arguments.corpus))
    corpus, bert = read_inputs(arguments, settings, write=False)
    checks.report(corpus, bert, settings, result, run_record(arguments, settings, corpus, bert), cluster, arguments.restart)
