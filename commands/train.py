"""`train`: XML to examples to features to fine-tuning."""
import contextlib
import time

from commands.common import read_inputs, result_folder, run_record
from inputs import batching, reading
from support.console import say
from support.errors import InputError, Interrupted
from training import checkpoints, runs
from training.machines import ALONE, Machines, of_environment


def train(arguments, others=()):
    """XML to examples to features to fine-tuning; returns how it ended, an outcome.Outcome.

    others : result folders, besides its own, of runs that --restart sets aside.
    """
    began = time.time()
    settings = arguments.task.settings_for(arguments.recipe, arguments.assignments, arguments.seed)
    result = result_folder(arguments)
    machines = Machines(cluster_of(arguments), arguments.restart)
    if machines.is_chief:
        runs.check_folders(result, arguments.task.corpus_folder(arguments.corpus, settings))
    corpus, bert = read_inputs(arguments, settings)

    from training import checks
    record = run_record(arguments, settings, corpus, bert)
    if not machines.is_chief:
        return follow(arguments, corpus, bert, settings, machines, record)
    with runs.claimed(result):
        finished = None if arguments.restart else runs.examine(result, record, bert.folder)
        if finished:
            return already_finished(finished, result, machines, record)
        checks.before_training(corpus, bert, settings, result, machines.cluster, arguments.restart)
        outcome = fine_tune(arguments, corpus, bert, settings, result, machines, record, began, others)
    say(runs.ending(outcome))
    say(f"best model -> {result.best}.*")
    say(f"curves -> {result.tensorboard} (python3 -m tensorboard.main --logdir shows them)")
    return outcome


def already_finished(finished, result, machines, record):
    """What is left to do for a run that has ended: to say so, on all machines; returns its outcome.Outcome."""
    text = f"this run is {runs.ending(finished)}; `test` scores it, --restart begins anew"
    with machines.gathered(record, runs.differences):
        machines.tell(finished=text)
    runs.record_outcome(result, finished)
    say(text)
    return finished


def fine_tune(arguments, corpus, bert, settings, result, machines, record, began, others):
    """Features and fine-tuning, from the newest whole state; returns the outcome.Outcome."""
    from training import devices, estimator
    sharing = devices.choose(settings, machines.cluster)
    say("3/4 features")
    train_features, dev_features = reading.train_and_dev(corpus, bert, settings)
    batches = batching.Batches(train_features, settings)
    with machines.gathered(record, runs.differences):
        if arguments.restart:
            # Only now: whatever could refuse the new run has agreed to it.
            set_aside(result, others)
        with continued_without_restart(arguments.restart), runs.recorded(result, record, began) as train_record:
            reading.write_config_and_vocab(bert, result.bert_config, result.vocab)
            state = checkpoints.newest_good_state(result.checkpoints, say)
            say(f"4/4 fine-tuning: {len(train_features.label_ids)} training and {len(dev_features.label_ids)} dev examples, at "
                f"most {batches.total} steps of {settings.batch_size}" + (f", continued from step {state.step}" if state else "")
                + (f", each shared by {sharing.total} devices" if sharing.total > 1 else ""))
            machines.tell(step=state.step if state else 0)
            outcome = estimator.train(batches, dev_features, corpus.labels, bert, settings, result, state, machines, sharing)
            train_record.update(outcome._asdict())
    return outcome


def set_aside(result, others):
    """Set the run in a result folder aside, which this process has claimed, and before it those in other folders."""
    for other in filter(runs.to_set_aside, others):
        with runs.claimed(other):
            runs.set_aside(other)
    runs.set_aside(result)


@contextlib.contextmanager
def continued_without_restart(restart):
    """Within this block the new run of `train --restart` has begun: what ends it says that it goes on without that option.

    restart : whether the command was given with it; without it nothing is added.
    """
    try:
        yield
    except Interrupted as interrupt:
        if not restart:
            raise
        raise Interrupted(f"{interrupt}, but without --restart", interrupt.signal_number) from interrupt
    except InputError as error:
        # Some messages advise a restart, with another setting.
        if not restart or "--restart" in str(error):
            raise
        raise InputError(f"{error} The new run has begun: it goes on without --restart.") from error


def follow(arguments, corpus, bert, settings, machines, record):
    """The part of a machine that is not the chief in a training on several."""
    from training import devices, estimator
    sharing = devices.choose(settings, machines.cluster)
    say("3/4 features")
    train_features, _ = reading.train_and_dev(corpus, bert, settings)
    batches = batching.Batches(train_features, settings)
    with machines.joined(record) as told:
        if "finished" in told:
            say(told["finished"])
            return
        say(f"4/4 fine-tuning from step {told['step']}, each step shared by {sharing.total} devices; "
            f"{machines.cluster.names[0]} keeps the results")
        with continued_without_restart(arguments.restart):
            estimator.follow(batches, corpus.labels, bert, settings, told["step"], machines, sharing)
    say(f"finished; {machines.cluster.names[0]} has the results")


def cluster_of(arguments):
    """The machines that TF_CONFIG names for `train` and `check`; this one alone for other commands."""
    cluster = of_environment() if arguments.command in ("train", "check") else ALONE
    if cluster is not ALONE and arguments.seeds:
        raise InputError("--seeds repeats runs on one machine: leave it out, or leave out TF_CONFIG.")
    return cluster
