"""`--seeds N`: a command once for each seed."""
from commands.common import for_seed
from commands.train import train
from evaluation import predictions, seeds
from support import paths
from support.console import say


def repeat(command, arguments):
    """`train` or `test` with seeds 0, 1, ...; their mean and spread, and what all the models say together."""
    result = paths.ResultFolder(arguments.result)
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
        together = seeds.together([predictions.read(result.of_seed(seed).predictions) for seed in range(arguments.seeds)])
    say(f"{arguments.seeds} seeds")
    say(seeds.format_summary(seeds.write_summary(result, arguments.command, scores, together)))
    say(f"-> {result.seeds}")
