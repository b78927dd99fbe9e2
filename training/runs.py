"""The run in a result folder: what it is (run.json), whether it may be continued, how it ended."""
import contextlib
import itertools
import os
import platform
import time

from evaluation.results import changing, locked, now, read_run
from settings import Settings, as_text, parse_value, settings_for
from support import files, locks, places
from support.console import say
from support.errors import InputError
from support.paths import check_utf8
from training import checkpoints
from training.outcome import read_outcome

# Settings that change how fast a run goes or how often it is saved, but not its outcome.
NOT_PART_OF_THE_RUN = ("eval_batch_size", "save_every_minutes", "xla", "threads", "devices")

# Settings that change what a trained model reads or how it computes, or what it is tested on; all others act on training alone.
OF_A_TEST = ("seq_length", "context", "headings", "markers", "entities", "test_gold", "negatives", "evaluation_dropout",
             "eval_batch_size", "precision", "xla", "threads")
# Those that act where notes are answered that nobody has labelled, and where the model is exported: never with dropout. Nor with
# XLA, which may be asked for all the same, as it changes no answer.
OF_NEW_NOTES = ("seq_length", "context", "headings", "markers", "entities", "eval_batch_size", "precision", "xla", "threads")
OF_AN_EXPORT = ("seq_length", "context", "headings", "markers", "entities", "precision", "xla", "threads")

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


# Parts of a run's identity that the setting test_gold changes.
OF_TEST_GOLD = ("setting test_gold", "corpus test", "corpus test documents")

# Parts of a run's identity that not every version recorded: they are compared where both records have them.
RECORDED_LATER = ("corpus ", "model ")


def differences(old, new):
    """Lines that say in what two run records differ so that the training of one cannot go on as that of the other."""
    earlier, later = identity(old), identity(new)
    # Where other test documents were asked for: a training that holds out its own dev documents reads none of them.
    unread = earlier.get("setting dev", "test") != "test" and earlier.get("setting test_gold") != later.get("setting test_gold")
    return all_differences(old, new, OF_TEST_GOLD if unread else ())


def all_differences(old, new, but=()):
    """Lines that say in what two run records differ, but for some parts of their identity."""
    old, new = ({part: value for part, value in identity(record).items() if part not in but} for record in (old, new))
    parts = sorted(part for part in set(old) | set(new)
                   if (part in old and part in new) or not part.startswith(RECORDED_LATER))
    return [f"{part} is {new.get(part, 'absent')}, was {old.get(part, 'absent')}" if part.startswith("setting")
            else f"{part} has other content" for part in parts if old.get(part) != new.get(part)]


def unchecked(old, new):
    """The parts of a new record that an old one, of an earlier version, does not tell and that cannot be compared."""
    told = identity(old)
    return [part for part in identity(new) if part.startswith(RECORDED_LATER) and part not in told]


def settings_of_model(result, record, recipe=None, assignments=(), seed=None, settings_for=settings_for, act=OF_A_TEST):
    """The settings a model was trained with (from run.json; else those of the recipe), with the user's changes.

    Parameters
    ----------
    result : paths.ResultFolder
    record : the content of its run.json, {} without one.
    recipe, assignments, seed : what the user gave, as for settings.settings_for.
    settings_for : that function, or a task's own.
    act : names of the settings that act on what the model is wanted for, and may be changed.

    Raises
    ------
    InputError : a run on another task, another recipe than the model's, settings that this version does not have, changed settings
        that do not act, or as `settings_for`.
    """
    check_task(result, record)
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
    act += ("seed",) if settings.evaluation_dropout and "evaluation_dropout" in act else ()
    refused = [f"{key}={as_text(value)} (it was {as_text(getattr(trained, key))})"
               for key, value in settings._asdict().items() if key not in act and value != getattr(trained, key)]
    if refused:
        raise InputError(f"the model in {result.root} is trained, and these settings do not act here any more: "
                         f"{', '.join(refused)}. Leave them out; those that may be set here: {', '.join(act)}.")
    return settings


def tell_changes(record, settings):
    """Say which of a model's settings are not those that it was trained with; `record` is its run.json."""
    known = "settings" in record
    changed = all_differences({"settings": record["settings"]}, {"settings": settings._asdict()}) if known else []
    if changed:
        say(f"not as the model was trained: {'; '.join(changed)}")


FEW_SEEDS = 20  # that are looked for where a model is missing


def require_model(result, remedy):
    """Raise an InputError, which ends with `remedy`, unless the result folder holds a model."""
    check_utf8(result.root)
    if not checkpoints.exists(result.best):
        seeds = [number for number in range(FEW_SEEDS) if checkpoints.exists(result.of_seed(number).best)]
        if seeds:
            raise InputError(f"{result.root} holds the models of several seeds, none by itself: name one of them, such as --result "
                             f"{result.of_seed(seeds[0]).root}; `test --seeds {len(seeds)}` tests them all.")
        raise InputError(f"there is no trained model: {result.best}.index is missing. {remedy}")


def check_task(result, record, remedy="use another --result DIR"):
    """Raise an InputError where the result folder holds a run on another task; `record` is the content of its run.json."""
    if "task" in record:
        tasks, source = [record["task"]], result.run
    else:
        # An earlier version, or a model made elsewhere: its checkpoints tell.
        tasks, source = os.listdir(result.all_checkpoints) if os.path.isdir(result.all_checkpoints) else [], result.all_checkpoints
    if tasks and result.task not in tasks:
        raise InputError(f"{result.root} holds a run on another task ({', '.join(sorted(tasks))}, not {result.task}), as {source} "
                         f"tells: {remedy}.")


def check_folders(result, corpus):
    """What a training asks of its folders, before anything is read: that it may write there, and nothing goes astray.

    Raises
    ------
    InputError : see places.check_run; or a folder is not to be written into, or another training is at work.
    """
    check_utf8(result.root)
    places.check_run(result, corpus)
    for folder in (result.root, corpus.root, corpus.features):
        files.check_writable(folder)
    holder = locks.holder_of(result.lock)
    if holder is not None:
        raise at_work(result, holder)


@contextlib.contextmanager
def claimed(result):
    """Within this block no other process trains in the result folder, in which nothing is left of those that were killed.

    Raises
    ------
    InputError : another one does.
    """
    files.make_folder(result.root)
    with locks.open_lock(result.lock) as lock:
        if locks.is_kept(lock.fileno()):
            raise at_work(result, lock.read().strip() or "it has just begun")
        sign(lock)
        checkpoints.remove_unfinished(result.checkpoints)
        for folder in (result.checkpoints, result.root):
            files.remove_leftovers(folder)
        yield


@contextlib.contextmanager
def testing(result):
    """Within this block no other process tests in the result folder; one that does is waited for."""
    def tell(holder):
        say(f"another test is at work in {result.root}: {holder}; this one begins when it has ended")

    with locks.held(result.test_lock, None, tell) as lock:
        sign(lock)
        for folder in (result.root, result.figures, result.system_xml):
            files.remove_leftovers(folder)
        yield


def sign(lock):
    """Write into a lock's open file who holds it."""
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {platform.node()}, since {now()}\n")
    lock.flush()


def at_work(result, holder):
    """The InputError for a second training in a result folder."""
    return InputError(f"another training is at work in {result.root}: {holder}. Wait until it has ended, stop it (it saves its "
                      "state), or use another --result DIR.")


def run_of(record):
    """What tells the run of a record from another one in the same folder, also where both are of the same settings."""
    return identity(record), record.get("train", {}).get("started")


@contextlib.contextmanager
def changing_run(result, run, model=None):
    """`results.changing`, for results of a run that may have gone meanwhile.

    Parameters
    ----------
    result : paths.ResultFolder
    run : `run_of` the record that the results are for.
    model : checkpoints.files_of the best model that they are for; None where that may have been replaced since.

    Raises
    ------
    InputError : the folder holds another run, or another model, by now. Nothing is changed.
    """
    with changing(result) as record:
        if run_of(record) != run or not checkpoints.exists(result.best):
            raise InputError(f"{result.root} holds another run than when this test began, as after `train --restart`; what was "
                             "found is not of that run and is not written. Give the same command again.")
        if model is not None and model != checkpoints.files_of(result.best):
            raise InputError(f"the best model in {result.root} was replaced while it was tested: a training is at work there. What "
                             "was found is not of the new one and is not written. Give the same command again, best when the "
                             "training has ended.")
        yield record


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
    continues = has_begun(result)
    with changing(result) as content:
        # The scores of an earlier `test`, of the best model until then, stay in the folder, and so does what is told of them.
        earlier = {name: content[name] for name in ("train", "test") if continues and name in content}
        train = dict({"started": now()}, **earlier.get("train", {}))
        content.clear()
        content.update(record, **dict(earlier, train=train))
    before = train.get("seconds", 0.0)

    def write_end():
        train.update(ended=now(), seconds=round(before + time.time() - began, 1))
        with changing(result) as content:
            for name in set(record) - set(content):
                content[name] = record[name]
            content["train"] = train
    try:
        yield train
    except BaseException:
        with contextlib.suppress(InputError):  # what ended the run, such as a full disk, is what is told
            write_end()
        raise
    write_end()


def record_outcome(result, outcome):
    """Put a finished run's outcome.Outcome into its run.json, if the process was killed before it could do so."""
    if "reason" not in read_run(result).get("train", {}):
        with changing(result) as record:
            record.setdefault("train", {}).update(outcome._asdict())


def examine(result, record, bert=None):
    """Whether the run that `record` describes may go on in the result folder.

    Parameters
    ----------
    result : paths.ResultFolder
    record : what run.json would tell of the run.
    bert : paths.BertFolder of the run, to be named where it is not the one that the folder's run began with.

    Returns
    -------
    The Outcome if this very run is finished already, else None.

    Raises
    ------
    InputError : the folder holds another run, or this one is finished and its best model is damaged.
    """
    check_task(result, read_run(result))
    if not has_begun(result):
        return None
    ways_out = ("Give the same command as then to continue it, --restart to begin anew (the old run is kept under a "
                "dated name), or another --result DIR.")
    earlier = read_run(result)
    if "settings" not in earlier:
        raise InputError(f"{result.root} holds a run whose settings no run.json tells, so that it cannot be told whether this "
                         f"is the same one. Put that file back. {ways_out}")
    changed = differences(earlier, record)
    if changed:
        others = [f" {path} is not the {part} of {bert.root}." for part, path in (
            ("vocabulary", result.vocab), ("configuration", result.bert_config)) if bert and any(
                line.startswith(f"model {part} ") for line in changed)]
        raise InputError(f"{result.root} holds another run: {'; '.join(changed)}.{''.join(others)} {ways_out}")
    unknown = unchecked(earlier, record)
    if unknown:
        say(f"{result.run} is of an earlier version and does not tell of: {', '.join(unknown)}; these cannot be compared")
    finished = read_outcome(result)
    if finished:
        checkpoints.check(result.best)
    return finished


def has_begun(result):
    """Whether there is a run's state, best model or outcome in the result folder."""
    return (bool(checkpoints.states(result.checkpoints)) or checkpoints.exists(result.best)
            or os.path.isfile(result.outcome))


def to_set_aside(result):
    """Whether there is anything of a run in the result folder that `set_aside` would move."""
    return has_begun(result) or os.path.exists(result.run)


def set_aside(result):
    """Move everything of a run, if there is one, into a dated folder in the same result folder, and say so.

    For who has claimed the folder, when nothing more can stop the run that takes its place.
    """
    if not to_set_aside(result):
        return
    with locked(result):
        aside = new_folder(os.path.join(result.root, time.strftime("before-%Y%m%d-%H%M%S")))
        # The checkpoints, first, decide whether there is a run: cut off after them, the rest is only overwritten.
        for path in filter(os.path.lexists, result.of_run()):
            os.rename(path, os.path.join(aside, os.path.relpath(path, result.root)))
    say(f"the earlier run is kept in {aside}")


def new_folder(path):
    """Make a folder of this name or, where there is one, of this name with a number; returns its path."""
    for number in itertools.count(1):
        made = path if number == 1 else f"{path}-{number}"
        with contextlib.suppress(FileExistsError):
            os.makedirs(made)
            return made


def ending(outcome):
    """A sentence on how a run ended."""
    reasons = {"patience": "no better score for longer than the patience", "epochs": "all epochs are done",
               "max_steps": "max_steps is reached"}
    return (f"finished at step {outcome.step}: {reasons[outcome.reason]}; "
            f"best score {outcome.best_score:.4f} at step {outcome.best_step}")
