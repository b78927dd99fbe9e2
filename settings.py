"""Every setting of a run, and the named recipes.

`Settings` is the one place where a setting is declared: its name, its default and what it does. The defaults are the
recipe `paper`: what upstream does, but for `evaluation_dropout`. `--set KEY=VALUE` changes a setting for a run.
"""
from typing import NamedTuple

from support.errors import InputError


class Settings(NamedTuple):
    """A run's settings. The defaults are those of Chen, Wu and Li's released code, but for `evaluation_dropout`."""

    seq_length: int = 180           # word pieces of one example, [CLS] and both [SEP] included
    context: int = 0                # word pieces read on each side of a mention; 0: the head of the note (upstream)
    headings: bool = False          # a mention's section heading is read, too; with context only
    markers: str = "none"           # none, or inserted around the mentions; with context only
    marker_states: bool = False     # the classifier reads the markers' states (without markers: the mentions'), too
    marker_layers: int = 1          # of so many layers, evenly spread up to the last
    mention_types: bool = False     # the classifier reads the types of the mentions and their order and distance, too
    entities: str = "upstream"      # of the XML: upstream (" & " becomes a space, any other & " and "), or decoded
    do_lower_case: str = "false"    # lower-case and strip accents before word pieces: auto (as the BERT), true, or false (upstream)
    num_filters: int = 128          # filters of each convolution
    filter_sizes: tuple = (2, 3, 4)  # widths of the convolutions, in word pieces
    hidden_dim: int = 128           # width of the dense layer between pooling and logits
    keep_prob: float = 0.5          # share of that layer's units kept by dropout in training
    evaluation_dropout: bool = False  # BERT's own dropout acts on dev and test examples, too (upstream: yes)
    optimizer: str = "adam"         # adam (upstream: constant rate) or adamw (BERT's own: warm-up, decay)
    learning_rate: float = 5e-5     # Adam's rate; with adamw the peak rate
    head_rate: float = 1.0          # adamw only: the rate outside BERT, as a multiple of learning_rate
    warmup: float = 0.1             # adamw only: share of all steps in which the rate rises from 0
    weight_decay: float = 0.01      # adamw only: of everything but layer norms and biases
    smoothing: float = 0.0          # share of each training label spread evenly over all labels
    clip: float = 5.0               # gradients are scaled down to this global norm
    num_epochs: int = 64            # passes over the training examples, unless patience ends them before
    batch_size: int = 26            # examples of a training step
    eval_batch_size: int = 26       # examples of an evaluation batch; changes speed and memory, not scores
    evaluate_every: int = 200       # steps between evaluations on the dev examples; 0: an epoch's
    patience: int = 1000            # steps without a better score that end training; 0: no limit
    selection: str = "upstream"     # score of a checkpoint: upstream (mean of batch and dev accuracy), accuracy, macro_f1
    test_gold: str = "merged"       # test documents: merged (upstream's, of three types) or unmerged (of all eight)
    dev: str = "test"               # dev examples: test, development (BC5CDR), or the share of training documents to hold out
    negatives: str = "sampled"      # BC5CDR only: pairs that are no relation: sampled (upstream) or all
    max_steps: int = 0              # end training after this many steps; 0: no limit; a run keeps the one it began with
    save_every_minutes: float = 10.0  # how much work a cut-off run loses at most
    precision: str = "float32"      # of products and activations: float32, or bfloat16 (not with TensorFlow 1.14)
    xla: str = "auto"               # compile elementwise chains with XLA: on, off, or auto (on from 256 wide); changes speed
    threads: int = 0                # processors a matrix product is spread over; 0: all physical cores at hand
    devices: int = 0                # of this machine that share a step; 0: all GPUs; without GPUs, parts of the processors
    seed: int = 0                   # of the start values, the order of the examples and dropout


# The toy model of `run_i2b2.py demo` starts from random weights, so it needs a higher rate than a pre-trained BERT.
RECIPES = {
    "paper": Settings(),
    "context": Settings(
        seq_length=192, context=6, headings=True, markers="inserted", marker_states=True, marker_layers=2, mention_types=True,
        entities="decoded", do_lower_case="auto", optimizer="adamw", learning_rate=1e-4, head_rate=10.0, smoothing=0.1,
        num_epochs=8, batch_size=24, eval_batch_size=128, evaluate_every=0, patience=0, selection="macro_f1", dev="0.15"),
    "demo": Settings(do_lower_case="auto", learning_rate=1e-3, num_epochs=5, evaluate_every=50, patience=250),
}

CHOICES = {"do_lower_case": ("auto", "true", "false"), "markers": ("none", "inserted"), "entities": ("upstream", "decoded"),
           "optimizer": ("adam", "adamw"), "selection": ("upstream", "accuracy", "macro_f1"),
           "test_gold": ("merged", "unmerged"), "negatives": ("sampled", "all"), "precision": ("float32", "bfloat16"),
           "xla": ("auto", "on", "off")}
# Smallest and largest values, far beyond what makes sense: a slip of the hand is told, not computed for days.
RANGES = {"seq_length": (5, 8192), "context": (0, 8192), "marker_layers": (1, 100), "num_filters": (1, 10 ** 4),
          "filter_sizes": (1, 512), "hidden_dim": (1, 10 ** 5), "keep_prob": (1e-6, 1.0), "learning_rate": (0.0, 1e10),
          "head_rate": (0.0, 1e4), "warmup": (0.0, 1.0), "weight_decay": (0.0, 10.0), "smoothing": (0.0, 1.0),
          "clip": (1e-9, 1e10), "num_epochs": (1, 10 ** 6), "batch_size": (1, 10 ** 4), "eval_batch_size": (1, 10 ** 5),
          "evaluate_every": (0, 10 ** 9), "patience": (0, 10 ** 9), "max_steps": (0, 10 ** 9),
          "save_every_minutes": (0.0, 1e5), "threads": (0, 10 ** 4), "devices": (0, 10 ** 4), "seed": (0, 2 ** 31 - 1)}
SHORTEST_WINDOWS = 9  # [CLS], two pieces, each with its [SEP], and four markers
MOST_WIDTHS = 20  # of the convolutions


def settings_for(recipe, assignments=(), seed=None, base=None, recipes=RECIPES):
    """The settings of a recipe with the user's changes.

    Parameters
    ----------
    recipe : name in `recipes`.
    assignments : "KEY=VALUE" strings, as `--set` takes them; a later one wins.
    seed : value of `--seed`, or None.
    base : Settings to change instead of the recipe's, those of a trained model.
    recipes : {name: Settings}, those of the task.

    Raises
    ------
    InputError : unknown recipe or key, a value of the wrong type or outside its range, or one that could not act.
    """
    if recipe not in recipes:
        raise InputError(f"--recipe {recipe}: no such recipe; there are: {', '.join(recipes)}.")
    settings = base or recipes[recipe]
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or key not in Settings._fields:
            raise InputError(f"--set {assignment}: expected KEY=VALUE with a KEY of: {', '.join(Settings._fields)}.")
        settings = settings._replace(**{key: parse_value(key, value)})
    if seed is not None:
        if any(assignment.startswith("seed=") for assignment in assignments):
            raise InputError("--seed and --set seed= say the same thing: give one of them.")
        settings = settings._replace(seed=parse_value("seed", str(seed)))
    check_together(settings)
    check_acts(settings, base or recipes[recipe])
    return settings


# Settings that act only where another one has a certain value: {setting: (the other, the value)}.
ACTS_WITH = {"head_rate": ("optimizer", "adamw"), "warmup": ("optimizer", "adamw"), "weight_decay": ("optimizer", "adamw"),
             "marker_layers": ("marker_states", True)}


def check_acts(settings, base):
    """Raise an InputError where a setting that the user changed from that of `base` cannot act."""
    for key, (other, value) in ACTS_WITH.items():
        if getattr(settings, key) != getattr(base, key) and getattr(settings, other) != value:
            raise InputError(f"--set {key}: acts only with {other}={as_text(value)}, and {other} is "
                             f"{as_text(getattr(settings, other))}; leave it out, or set {other}, too.")


def check_together(settings):
    """Raise an InputError where two settings contradict each other."""
    marked = settings.headings or settings.markers != "none" or settings.marker_states or settings.mention_types
    if marked and not settings.context:
        raise InputError("context=0 reads the head of the note, which has no marked mentions: with it headings=false, "
                         "markers=none, marker_states=false and mention_types=false; or use --recipe context.")
    if settings.context and settings.seq_length < SHORTEST_WINDOWS:
        raise InputError(f"seq_length {settings.seq_length} is too short for two marked mentions: use {SHORTEST_WINDOWS} or more.")


def parse_value(key, text):
    """The value of setting `key` from the text a user gave; InputError if it does not fit."""
    default = getattr(Settings(), key)
    try:
        value = PARSERS[type(default)](text.strip())
    except ValueError:
        raise InputError(f"--set {key}={text}: expected {EXPECTED[type(default)]}, "
                         f"for example {key}={as_text(default)}. Settings: {', '.join(Settings._fields)}.")
    if key == "do_lower_case" and value.lower() in BOOLEANS:
        value = as_text(parse_bool(value))
    if key in CHOICES and value not in CHOICES[key]:
        raise InputError(f"--set {key}={text}: expected one of {', '.join(CHOICES[key])}.")
    if key == "dev":
        return check_dev(text, value)
    if type(default) in (int, float):
        check_range(key, text, value)
    if key == "filter_sizes":
        for width in value:
            check_range(key, text, width)
        if len(value) > MOST_WIDTHS:
            raise InputError(f"--set {key}={text}: expected at most {MOST_WIDTHS} widths.")
    return value


def check_range(key, text, value):
    """Raise an InputError, which gives the range, unless a number is in that of its setting."""
    low, high = RANGES[key]
    # NaN fails the comparison.
    if not low <= value <= high:
        raise InputError(f"--set {key}={text}: expected {EXPECTED[type(low)]} from {low} to {high}.")


def check_dev(text, value):
    """`dev` is `test`, `development` or a share of the training documents between 0 and 1."""
    if value not in ("test", "development"):
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if not 0.0 < share < 1.0:
            raise InputError(f"--set dev={text}: expected `test`, `development` (BC5CDR only), or the share of training documents "
                             "to hold out, for example dev=0.15.")
    return value


def as_text(value):
    """A setting's value as `--set` takes it."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_bool(text):
    """true or false, as people write them."""
    if text.lower() not in BOOLEANS:
        raise ValueError(text)
    return BOOLEANS[text.lower()]


def parse_whole(text):
    """A whole number; one beyond every range also as 1e400, so that the message is on its size and not its form."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if abs(value) <= max(high for _, high in RANGES.values()):
            raise
        return value


def parse_widths(text):
    """Different whole numbers, separated by commas."""
    widths = tuple(parse_whole(item) for item in text.split(","))
    if len(set(widths)) < len(widths):
        raise ValueError(text)
    return widths


PARSERS = {int: parse_whole, float: float, bool: parse_bool, str: str, tuple: parse_widths}
EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a word",
            tuple: "different whole numbers separated by commas"}
