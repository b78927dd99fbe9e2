"""The run in a result folder: what it is (run.json), whether it may be continued, how it ended."""
import contextlib
import os
import platform
import time

from evaluation.results import now, read_run, write_run
from settings import Settings, as_text, parse_value, settings_for
from support import files, locks
from support.console import say
from support.errors import InputError, not_written
from support.paths import check_utf8
from training import checkpoints
from training.outcome import read_outcome

# Settings that change how fast a run goes or how often it is saved, but not its outcome.
NOT_PART_OF_THE_RUN = ("eval_batch_size", "save_every_minutes", "xla", "threads", "devices")

# Settings that change what a trained model reads or how it computes; all others act on training alone.
OF_A_TEST = ("seq_length", "context", "headings", "markers", "entities", "evaluation_dropout", "eval_batch_size", "precision",
             "xla", "threads")

# Settings that earlier versions had, each with the value that means what this one does; and those that had another name.
FORMER = {"averaging": 0.0, "links_per_pass": 1}
RENAMED = {"link_kinds": "mention_types"}
# Values that a setting had in earlier versions and has no more.
FORMER_VALUES = {"markers": ("attached",)}


def identity(record):
    """What makes two runs the same one: dict of "setting KEY", "corpus SPLIT", "bert FILE", "model PART" -> value."""
    settings = recorded_settings(record) if "settings" in record else {}
    parts = {f"setting {key}": text for key, text in settings.items() if key not in NOT_PART_OF_THE_RUN}
    if settings.get("evaluation_dropout") == "true":
        # The masks depend on which examples are in a batch.
        parts["setting evaluation_dropout"] = f"true with eval_batch_size {settings['eval_batch_size']}"
    if "setting do_lower_case" in parts:
        # What was decided counts, not whether the user or the BERT decided it.
        parts["setting do_lower_case"] = record.get("model", {}).get("do_lower_case", parts["setting do_lower_case"])
    for group in ("corpus", "bert", "model"):
        parts.update({f"{group} {name}": digest for name, digest in record.get(group, {}).items()})
    return parts


def recorded_settings(record):
    """The settings in a run record: {key: text}. Those that came later than the run have the defaults, which change nothing."""
    settings = dict(Settings()._asdict(), **{RENAMED.get(key, key): value for key, value in record["settings"].items()
                                             if key not in FORMER or value != FORMER[key]})
    return {key: as_text(tuple(value) if isinstance(value, list) else value) for key, value in settings.items()}


# Parts of a run's identity that not every version recorded: they are compared where both records have them.
RECORDED_LATER = ("corpus ", "model ")


def differences(old, new):
    """Lines that say in what two run records differ."""
    old, new = identity(old), identity(new)
    parts = sorted(part for part in set(old) | set(new)
                   if (part in old and part in new) or not part.startswith(RECORDED_LATER))
    return [f"{part} is {new.get(part, 'absent')}, was {old.get(part, 'absent')}" if part.startswith("setting")
            else f"{part} has other content" for part in parts if old.get(part) != new.get(part)]


def unchecked(old, new):
    """The parts of a new record that an old one, of an earlier version, does not tell and that cannot be compared."""
    told = identity(old)
    return [part for part in identity(new) if part.startswith(RECORDED_LATER) and part not in told]


def settings_of_model(result, record, recipe=None, assignments=(), seed=None):
    """The settings a model was trained with (from run.json; else those of the recipe), with the user's changes.

    Parameters
    ----------
    result : paths.ResultFolder
    record : the content of its run.json, {} without one.
    recipe, assignments, seed : what the user gave, as for settings.settings_for.

    Raises
    ------
    InputError : another recipe than the model's, settings that this version does not have, settings that act on training
        alone, or as `settings_for`.
    """
    recipe = recipe or record.get("recipe", "paper")
    if "settings" not in record:
        return settings_for(recipe, assignments, seed)
    if recipe != record["recipe"]:
        raise InputError(f"--recipe {recipe}: the model in {result.root} was trained with the recipe {record['recipe']}; "
                         "leave --recipe out, or name another --result DIR.")
    recorded = recorded_settings(record)
    unknown = sorted(key for key in recorded if key not in Settings._fields or recorded[key] in FORMER_VALUES.get(key, ()))
    if unknown:
        raise InputError(f"the model in {result.root} was trained by another version of this program, with settings that this "
                         f"one does not have: {', '.join(unknown)} (in {result.run}). Use that version, or train anew.")
    try:
        trained = settings_for(recipe, base=Settings(**{key: parse_value(key, text) for key, text in recorded.items()}))
    except InputError as error:
        raise InputError(f"{result.run}: damaged ({str(error).rstrip('.')}); put back a whole copy, or train anew.") from None
    settings = settings_for(recipe, assignments, seed, trained)
    # Of a trained model the seed draws the masks of dropout in evaluation, and nothing else.
    act = OF_A_TEST + (("seed",) if settings.evaluation_dropout else ())
    refused = [f"{key}={as_text(value)} (it was {as_text(getattr(trained, key))})"
               for key, value in settings._asdict().items() if key not in act and value != getattr(trained, key)]
    if refused:
        raise InputError(f"the model in {result.root} is trained, and these settings act on training alone: {', '.join(refused)}. "
                         f"Leave them out; those that may be set here: {', '.join(act)}.")
    return settings


def tell_changes(record, settings):
    """Say which of a model's settings are not those that it was trained with; `record` is its run.json."""
    changed = differences({"settings": record["settings"]}, {"settings": settings._asdict()}) if "settings" in record else []
    if changed:
        say(f"not as the model was trained: {'; '.join(changed)}")


FEW_SEEDS = 20  # that are looked for where a model is missing


def require_model(result):
    """Raise an InputError that says how to get a model unless the result folder holds one."""
    check_utf8(result.root)
    if not checkpoints.exists(result.best):
        seeds = [number for number in range(FEW_SEEDS) if checkpoints.exists(result.of_seed(number).best)]
        if seeds:
            raise InputError(f"{result.root} holds the models of several seeds, none by itself: name one of them, such as --result "
                             f"{result.of_seed(seeds[0]).root}; `test --seeds {len(seeds)}` tests them all.")
        raise InputError(f"there is no trained model: {result.best}.index is missing. `python3 run_i2b2.py train` makes it, "
                         "or name the folder of another run with --result DIR. `python3 run_i2b2.py demo` shows both steps now.")


@contextlib.contextmanager
def claimed(result):
    """Within this block no other process trains in the result folder.

    Raises
    ------
    InputError : another one does.
    """
    files.make_folder(result.root)
    try:
        # Never removed: another process could then lock the file of the old name while a third makes a new one.
        lock = open(result.lock, "a+", encoding="utf-8")
    except OSError as error:
        raise not_written(result.lock, error) or error
    with lock:
        if locks.try_lock(lock.fileno()) is False:
            lock.seek(0)
            holder = lock.read().strip() or "it has just begun"
            raise InputError(f"another training is at work in {result.root}: {holder}. Wait until it has ended, stop it (it "
                             "saves its state), or use another --result DIR.")
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}, since {now()}\n")
        lock.flush()
        yield


def prepare(result, record, restart):
    """Make the result folder ready for the run that `record` describes.

    Returns
    -------
    The Outcome if this very run is finished already, else None.

    Raises
    ------
    InputError : the folder holds another run.
    """
    check_utf8(result.root)
    checkpoints.remove_unfinished(result.checkpoints)
    files.remove_leftovers(result.checkpoints)
    files.remove_leftovers(result.root)
    if restart and (has_begun(result) or os.path.exists(result.run)):
        say(f"the earlier run is kept in {set_aside(result)}")
    return examine(result, record)


@contextlib.contextmanager
def recorded(result, record, began):
    """Keep run.json while a run trains: what it is, when it began, and how many seconds it was at work.

    A run that continues adds to what run.json has of it; work that a killed process did is not counted.

    Parameters
    ----------
    result : paths.ResultFolder
    record : what run.json tells of a run before it begins.
    began : time.time() when this command began.

    Yields
    ------
    dict, the record's entry "train", written when the block has ended, well or not.
    """
    earlier = read_run(result)
    train = dict({"started": now()}, **earlier.get("train", {}))
    before = train.get("seconds", 0.0)
    # The scores of an earlier `test`, of the best model until then, stay in the folder, and so does what is told of them.
    record = dict(record, train=train, **{name: earlier[name] for name in ("test",) if name in earlier})
    write_run(result, record)

    def write_end():
        train.update(ended=now(), seconds=round(before + time.time() - began, 1))
        write_run(result, record)
    try:
        yield train
    except BaseException:
        with contextlib.suppress(InputError):  # what ended the run, such as a full disk, is what is told
            write_end()
        raise
    write_end()


def record_outcome(result, outcome):
    """Put a finished run's outcome.Outcome into its run.json, if the process was killed before it could do so."""
    record = read_run(result)
    train = record.setdefault("train", {})
    if "reason" not in train:
        train.update(outcome._asdict())
        write_run(result, record)


def examine(result, record):
    """Whether the run that `record` describes may go on in the result folder; returns and raises as `prepare`."""
    if not has_begun(result):
        return None
    ways_out = ("Give the same command as then to continue it, --restart to begin anew (the old run is kept under a "
                "dated name), or another --result DIR.")
    if "settings" not in read_run(result):
        raise InputError(f"{result.root} holds a run whose settings no run.json tells, so that it cannot be told whether this "
                         f"is the same one. Put that file back. {ways_out}")
    earlier = read_run(result)
    changed = differences(earlier, record)
    if changed:
        raise InputError(f"{result.root} holds another run: {'; '.join(changed)}. {ways_out}")
    unknown = unchecked(earlier, record)
    if unknown:
        say(f"{result.run} is of an earlier version and does not tell of: {', '.join(unknown)}; these cannot be compared")
    return read_outcome(result)


def has_begun(result):
    """Whether there is a run's state, best model or outcome in the result folder."""
    return (bool(checkpoints.states(result.checkpoints)) or checkpoints.exists(result.best)
            or os.path.isfile(result.outcome))


def set_aside(result):
    """Move everything of a run into a dated folder beside it; returns that folder."""
    aside = os.path.join(result.root, time.strftime("before-%Y%m%d-%H%M%S"))
    os.makedirs(aside)
    # The checkpoints, first, decide whether there is a run: cut off after them, the rest is only overwritten.
    for path in result.of_run():
        if os.path.lexists(path):
            os.rename(path, os.path.join(aside, os.path.relpath(path, result.root)))
    return aside


def ending(outcome):
    """A sentence on how a run ended."""
    reasons = {"patience": "no better score for longer than the patience", "epochs": "all epochs are done",
               "max_steps": "max_steps is reached"}
    return (f"finished at step {outcome.step}: {reasons[outcome.reason]}; "
            f"best score {outcome.best_score:.4f} at step {outcome.best_step}")
