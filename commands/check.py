"""`check`: whether a training can be done here, and what it needs."""
from commands.common import for_seed, read_inputs, result_folder, run_record
from commands.train import cluster_of
from support.console import say
from training import runs
from training.machines import Machines


def check(arguments):
    """Everything that can stop a training, and what it will need; trains nothing and writes nothing."""
    from training import checks
    if arguments.seeds:
        say(f"the first of {arguments.seeds} runs; each of the others needs as much")
        arguments = for_seed(arguments, 0)
    settings = arguments.task.settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    result, machines = result_folder(arguments), Machines(cluster_of(arguments))
    if machines.is_chief:
        runs.check_folders(result, arguments.task.corpus_folder(arguments.corpus, settings))
    corpus, bert = read_inputs(arguments, settings, write=False)
    record = run_record(arguments, settings, corpus, bert)
    arguments.task.tell_profile(corpus, record["profile"])
    checks.report(corpus, bert, settings, result, record, machines.cluster, arguments.restart)
