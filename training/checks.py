"""Whether a run can be done here: what `train` makes sure of before anything slow starts, and what `check` tells."""
from inputs import batching
from inputs.reading import dev_examples, held_out
from inputs.views import view_of
from network import pretrained
from support.console import duration, say
from support.errors import InputError
from training import checkpoints, devices, estimator, resources, runs
from training.machines import ALONE

GIGABYTE = 1e9


def before_training(corpus, bert, settings, result, cluster=ALONE, restart=False):
    """Check what reading the inputs has not: that the weights fit the model, and that devices, disk and memory will do.

    Says, too, where memory is short, or patience shorter than the time between two evaluations.

    Parameters
    ----------
    corpus : reading.Corpus
    bert : reading.Bert
    settings : settings.Settings
    result : paths.ResultFolder
    cluster : machines.Cluster; a machine that is not the chief writes nothing into the result folder.
    restart : whether the run that is in the result folder is kept beside the new one.

    Returns
    -------
    (list of resources.Room, bytes of memory needed, bytes of memory available or None where that is not known)

    Raises
    ------
    InputError : the weights do not fit, there are fewer devices than asked for, or a disk has no room for the run.
    """
    devices.local_devices(settings, cluster)
    shapes = estimator.model_shapes(bert.config, settings, len(corpus.labels))
    pretrained.check_weights(bert.folder, {name: shape for name, shape in shapes.items() if name.startswith("bert/")})
    examples, steps = training_steps(corpus, settings)
    rooms = resources.rooms(corpus, settings, None if cluster.number else result, shapes, steps, restart)
    for room in rooms:
        if room.needed > room.free:
            raise InputError(f"{room.folder}: training needs {in_gigabytes(room.needed)} on that disk (checkpoints with the "
                             f"optimizer's moments, curves, features), {in_gigabytes(room.free)} are free. Make room, or use "
                             "folders on another disk (--result DIR, --corpus DIR).")
    memory, available = resources.memory_bytes(bert.config, settings, shapes), resources.available_memory()
    if available is not None and memory > available:
        say(f"warning: training needs about {in_gigabytes(memory)} of memory, {in_gigabytes(available)} are available: the "
            "system may end it. A smaller --set batch_size=N needs less, but is another run than the paper's.")
    interval = interval_of(examples, settings)
    if ends_before_a_second_evaluation(settings, steps, interval):
        say(f"note: patience={settings.patience} ends every run after one evaluation, as dev is evaluated after every {interval} "
            "steps. Raise patience, or lower evaluate_every.")
    return rooms, memory, available


def report(corpus, bert, settings, result, record, cluster, restart):
    """Print what a training run would do and need.

    Parameters
    ----------
    corpus, bert, settings, result, cluster, restart : as for `before_training`.
    record : what the run is, for runs.examine.
    """
    if not cluster.number:
        say(f"run: {situation(result, record, restart, bert.folder)}")
    if len(cluster.addresses) > 1:
        say(f"machines: {len(cluster.addresses)}, of which this is {cluster.names[cluster.number]}; what follows is of this one")
    rooms, memory, available = before_training(corpus, bert, settings, result, cluster, restart)
    for room in rooms:
        say(f"disk: {in_gigabytes(room.needed)} more needed at most, {in_gigabytes(room.free)} free, in {room.folder}")
    say(f"memory: about {in_gigabytes(memory)} needed, "
        + (f"{in_gigabytes(available)} available" if available is not None else "this system does not tell how much there is"))
    report_time(corpus, bert, settings)


def situation(result, record, restart, bert=None):
    """What `train` would do with the run in the result folder, in words; InputError where that is another run.

    result, record, restart : as for `report`.
    bert : as for `runs.examine`.
    """
    if restart and runs.to_set_aside(result):
        return f"begins anew; the one in {result.root} is kept under a dated name"
    finished = None if restart else runs.examine(result, record, bert)
    if finished:
        return f"{runs.ending(finished)}; nothing is left to train"
    if not runs.has_begun(result):
        return f"begins anew in {result.root}"
    steps = [state.step for state in checkpoints.states(result.checkpoints)]
    return f"continues in {result.root} from step {steps[0] if steps else 0}"


def report_time(corpus, bert, settings):
    """Measure a few steps on this machine, and print what a run takes at that speed."""
    from training import timing
    examples, steps = training_steps(corpus, settings)
    dev = dev_examples(corpus, settings)
    # What is read alike is evaluated once, unless each example has a dropout mask of its own.
    computed = len(dev) if settings.evaluation_dropout else len({view_of(settings).read_of(example) for example in dev})
    say("time: measuring ...")
    speed = timing.measure(bert.config, settings, len(corpus.labels))
    evaluation = speed.batch * computed / settings.eval_batch_size
    interval = interval_of(examples, settings)
    say(f"time: {speed.step:.2f} s for a training step of {settings.batch_size} examples, {duration(evaluation)} for an "
        f"evaluation of {len(dev)} ({computed} computed)")

    def whole(count):
        evaluations = -(-count // interval)
        return duration(count * speed.step + evaluations * evaluation)

    patient, remark = shortest(settings, steps, interval)
    say(f"time: about {whole(steps)} for all {steps} steps on {examples} examples; about {whole(patient)} for {patient}, {remark}")


def shortest(settings, steps, interval):
    """The fewest steps that a run may end after, and what ends it.

    Parameters
    ----------
    settings : settings.Settings
    steps : of the whole run.
    interval : steps between two evaluations.

    Returns
    -------
    (steps, words)
    """
    patient = interval + settings.patience + 1
    if not settings.patience or patient >= steps:
        return steps, "the fewest: patience ends no run earlier" if settings.patience else "the fewest: there is no patience"
    if ends_before_a_second_evaluation(settings, steps, interval):
        return patient, "after which patience ends every run"
    return patient, "the fewest after which patience may end the run"


def ends_before_a_second_evaluation(settings, steps, interval):
    """Whether patience ends every run after its first evaluation; parameters as for `shortest`."""
    return 0 < settings.patience < interval - 1 and interval + settings.patience + 1 < steps


def interval_of(examples, settings):
    """Steps between two evaluations, in a training on so many examples."""
    return settings.evaluate_every or batching.steps_of(examples, settings)[0]


def training_steps(corpus, settings):
    """(number of training examples, steps of a whole run)."""
    examples = int((~held_out(corpus, settings)).sum())
    return examples, batching.steps_of(examples, settings)[1]


def in_gigabytes(count):
    """Bytes as people read them."""
    return f"{count / GIGABYTE:.2f} GB"
