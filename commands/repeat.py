"""`--seeds N`: a command once for each seed."""
from commands.common import for_seed, result_folder
from commands.train import continued_without_restart, train
from evaluation import predictions, results, seeds
from support.console import say
from support.errors import InputError
from training import runs


def repeat(command, arguments):
    """`train` or `test` with seeds 0, 1, ...; their mean and spread, and what all the models say together."""
    folders = [result_folder(arguments).of_seed(seed) for seed in range(arguments.seeds)]
    if command is not train:
        check_models(arguments.task, folders)
    found = [train_anew(arguments, folders)] if command is train and arguments.restart else []
    with continued_without_restart(bool(found)):
        found += [one_of_several(command, arguments, seed) for seed in range(len(found), arguments.seeds)]
        sum_up(command, arguments, folders, found)


def one_of_several(command, arguments, seed, *more):
    """A command for one of the seeds; returns what it returns."""
    say(f"seed {seed} ({seed + 1} of {arguments.seeds})")
    found = command(for_seed(arguments, seed), *more)
    say("")
    return found


def train_anew(arguments, folders):
    """`train --restart` with seed 0, which sets the runs of all seeds aside when nothing can refuse it any more.

    From then on the command that continues is the one without --restart, at whichever seed it is cut off.
    """
    task = arguments.task
    corpus = task.corpus_folder(arguments.corpus, task.settings_for(arguments.recipe, arguments.assignments))
    for folder in folders[1:]:
        runs.check_folders(folder, corpus)
    outcome = one_of_several(train, arguments, 0, folders[1:])
    arguments.restart = False
    return outcome


def sum_up(command, arguments, folders, found):
    """Write and print mean and spread of what was found for each seed, and what all the models say together."""
    result, together = result_folder(arguments), None
    if command is train:
        scores = [{"best dev score": outcome.best_score, "its step": outcome.best_step,
                   "last step": outcome.step} for outcome in found]
    else:
        scores = [{key: interval.value for key, interval in head.intervals.items()} for head in found]
        together = seeds.together([read_table(arguments.task, folder) for folder in folders])
    say(f"{arguments.seeds} seeds")
    say(seeds.format_summary(seeds.write_summary(result, arguments.command, scores, together)))
    say(f"-> {result.seeds}")


def check_models(task, folders):
    """Raise an InputError unless there is a model of every seed, and the runs differ in nothing but the seed."""
    for folder in folders:
        runs.require_model(folder, f"`python3 {task.program} train --seeds {len(folders)}` makes the models of all seeds; or give "
                           "a smaller number of seeds.")
    first, *others = [results.read_run(folder) for folder in folders]
    for folder, record in zip(folders[1:], others):
        changed = runs.all_differences(first, record, ("setting seed",))
        if changed:
            raise InputError(f"{folder.root} holds another run than {folders[0].root}, which differs in more than the seed: "
                             f"{'; '.join(changed)}. Test each by itself with --result DIR, or train the seeds anew with the same "
                             "settings.")


def read_table(task, result):
    """The predictions in the result folder of a tested run: predictions.Table."""
    settings = results.as_tested(results.read_run(result)).get("settings", {})
    return predictions.read(result.predictions, task.table(settings))
