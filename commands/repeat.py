"""`--seeds N`: a command once for each seed."""
from commands.common import for_seed, result_folder
from commands.train import train
from evaluation import predictions, results, seeds
from support.console import say


def repeat(command, arguments):
    """`train` or `test` with seeds 0, 1, ...; their mean and spread, and what all the models say together."""
    result = result_folder(arguments)
    found, together = [], None
    for seed in range(arguments.seeds):
        say(f"seed {seed} ({seed + 1} of {arguments.seeds})")
        found.append(command(for_seed(arguments, seed)))
        say("")
    if command is train:
        scores = [{"best dev score": outcome.best_score, "its step": outcome.best_step,
                   "last step": outcome.step} for outcome in found]
    else:
        scores = [{key: interval.value for key, interval in head.intervals.items()} for head in found]
        together = seeds.together([read_table(arguments.task, result.of_seed(seed)) for seed in range(arguments.seeds)])
    say(f"{arguments.seeds} seeds")
    say(seeds.format_summary(seeds.write_summary(result, arguments.command, scores, together)))
    say(f"-> {result.seeds}")


def read_table(task, result):
    """The predictions in the result folder of a tested run: predictions.Table."""
    settings = results.as_tested(results.read_run(result)).get("settings", {})
    return predictions.read(result.predictions, task.table(settings))
