"""Runs side by side: what differs, scores with intervals, whether two runs differ by more than chance."""
import os
from typing import NamedTuple

from evaluation import bootstrap, plots, predictions, results
from evaluation.headline import FEW_DOCUMENTS
from evaluation.report import percent, percent_range
from scoring import format_table
from settings import as_text
from support import html_page as page
from support.console import say
from support.errors import InputError
from support.files import write_atomically
from support.paths import ResultFolder

# More runs than this would make lines too long for a terminal; they are shown in several tables.
RUNS_ABREAST = 2
# With more runs than this the figure shows the main scores alone.
RUNS_IN_FULL = 4
MAIN_SCORES = ("pairs.accuracy", "pairs.macro.f1", "merged.accuracy", "merged.macro.f1", "tempeval.f1")


class Run(NamedTuple):
    """A tested run."""
    name: str            # the folder, as short as tells it from the others
    facts: dict          # what was run: str -> str
    test: tuple          # what tells one test set from another
    counts: bootstrap.Counts
    intervals: dict      # Score.key -> Interval


# ---------------------------------------------------------------------------------------------------- reading

def compare_runs(folders, out):
    """Print a table of some runs and write it as HTML.

    Parameters
    ----------
    folders : result folders; one that was not tested itself but holds seed-0, seed-1, ... stands for these.
    out : HTML file to write.

    Raises
    ------
    InputError : a folder holds no tested run.
    """
    places = [place for folder in folders for place in run_folders(folder)]
    runs = [read_run(place, name) for place, name in zip(places, short_names(places))]
    differing = differing_facts(runs)
    tests = [significance(runs[0], run) for run in runs[1:]]
    say(format_comparison(runs, differing, tests))
    try:
        write_atomically(out, comparison_page(runs, differing, tests))
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}. Give another file with "
                         "--out FILE.") from error
    say(f"\n-> {os.path.abspath(out)}")


def run_folders(folder):
    """The result folders that `folder` stands for: itself, or its seed-0, seed-1, ..."""
    if os.path.isfile(ResultFolder(folder).predictions):
        return [folder]
    seeds = []
    while os.path.isfile(ResultFolder(folder).of_seed(len(seeds)).predictions):
        seeds.append(ResultFolder(folder).of_seed(len(seeds)).root)
    if not seeds:
        raise InputError(f"{folder} holds no tested run: {ResultFolder(folder).predictions} is missing. "
                         "`python3 run_i2b2.py test --result DIR` writes it.")
    return seeds


def short_names(folders):
    """The folders' paths without what all of them begin with."""
    paths = [os.path.abspath(folder) for folder in folders]
    if len(set(paths)) < len(paths):
        raise InputError(f"{max(paths, key=paths.count)} is named twice; give each run once.")
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, common) for path in paths]


def read_run(folder, name):
    """Read the Run in a result folder."""
    result = ResultFolder(folder)
    table = predictions.read(result.predictions)
    record = results.read_run(result)
    of_documents = bootstrap.counts(table)
    test = tuple(zip(table.documents, table.tlinks, table.from_ids, table.to_ids, table.gold.tolist()))
    return Run(name, facts(record), test, of_documents, bootstrap.intervals(of_documents))


def facts(record):
    """What run.json says that may differ between runs, as text; fingerprints are shortened."""
    record = results.as_tested(record)
    found = {"recipe": str(record["recipe"])} if "recipe" in record else {}
    found.update((key, as_text(tuple(value) if isinstance(value, list) else value))
                 for key, value in record.get("settings", {}).items())
    found.update((f"{kind} {name} (SHA-256)", str(digest)[:12]) for kind in ("corpus", "bert")
                 for name, digest in record.get(kind, {}).items())
    found.update((f"{name} version", str(version)) for name, version in record.get("versions", {}).items()
                 if name in ("tensorflow", "python", "numpy"))
    train = record.get("train", {})
    found.update(
        (title, str(train[name]))
        for name, title in (("step", "last step"), ("best_step", "step of the model"), ("reason", "ended by"))
        if name in train)
    if record.get("test", {}).get("ended", "") < train.get("ended", ""):
        found["scores"] = "of a test before training ended"
    return found


def differing_facts(runs):
    """(fact, [value of each run, None where unknown]) of what is not the same in all runs."""
    names = dict.fromkeys(name for run in runs for name in run.facts)
    rows = [(name, [run.facts.get(name) for run in runs]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def significance(first, other):
    """{Score.key: p-value} of the difference between two runs; None unless tested on the same documents."""
    return bootstrap.p_values(first.counts, other.counts) if first.test == other.test else None


# ---------------------------------------------------------------------------------------------------- showing

def p_text(value):
    """A p-value as people write it."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def explanation(runs, tests):
    """Sentences on what the figures are, and on what cannot be compared."""
    lines = [f"Intervals: {bootstrap.LEVEL} %, bootstrap over documents."]
    if any(test is not None for test in tests):
        lines.append(f"p: two-sided, of the difference from {runs[0].name}, documents resampled jointly; not "
                     "corrected for the number of comparisons.")
    lines += [f"{run.name} was tested on other documents or links than {runs[0].name} ({len(run.test)} "
              f"TLINKs, not {len(runs[0].test)}, or other ids or gold labels): no p-value, and its scores "
              "are not comparable."
              for run, test in zip(runs[1:], tests) if test is None]
    if min(len(run.counts.pairs) for run in runs) < FEW_DOCUMENTS:
        lines.append("With this few documents intervals and p-values are a rough guide.")
    return lines


def format_comparison(runs, differing, tests):
    """The comparison as text for a terminal."""
    parts = []
    columns = list(zip(runs, [None] + tests))
    for begin in range(0, len(columns), RUNS_ABREAST):
        parts.append(_format_columns(columns[begin:begin + RUNS_ABREAST], first=begin == 0))
    parts.append("\n".join(explanation(runs, tests)))
    if differing:
        table = [[name] + [value or "-" for value in values] for name, values in differing]
        parts.insert(0, format_table(["what differs"] + [run.name for run in runs], table))
    elif len(runs) > 1:
        parts.insert(0, "The runs' settings, as far as run.json tells them, are the same.")
    return "\n\n".join(parts)


def _format_columns(columns, first):
    """Table of some runs: list of (Run, p-values or None); the first run of all has no p-values."""
    with_p = [not (first and number == 0) for number in range(len(columns))]
    header = [""] + [
        cell for (run, _), has in zip(columns, with_p)
        for cell in [run.name, "interval", "p"][:3 if has else 2]
    ]
    rows, group = [], None
    for score in bootstrap.SCORES:
        if score.group != group:
            group = score.group
            rows.append([group] + [""] * (len(header) - 1))
        row = [f"  {score.name}"]
        for (run, test), has in zip(columns, with_p):
            value, low, high = run.intervals[score.key]
            row += [f"{value:.4f}", f"{low:.4f} to {high:.4f}"]
            if has:
                row.append("-" if test is None else p_text(test[score.key]))
        rows.append(row)
    return format_table(header, rows)


def comparison_page(runs, differing, tests):
    """The comparison as a page of HTML."""
    dash = "\N{EN DASH}"
    header = ["score"] + [
        cell for number, run in enumerate(runs)
        for cell in ([run.name, "95 % interval"] + ([] if number == 0 else ["difference", "p"]))
    ]
    rows, group = [], None
    for score in bootstrap.SCORES:
        if score.group != group:
            group = score.group
            rows.append([group])
        row = [score.name]
        for number, run in enumerate(runs):
            interval = run.intervals[score.key]
            row += [percent(interval.value), percent_range(interval)]
            if number:
                test, gain = tests[number - 1], 100 * (interval.value - runs[0].intervals[score.key].value)
                signed = f"{gain:+.1f}".replace("-", "\N{MINUS SIGN}")
                row += [dash, dash] if test is None else [signed, p_text(test[score.key])]
        rows.append(row)
    shown = [score for score in bootstrap.SCORES if len(runs) <= RUNS_IN_FULL or score.key in MAIN_SCORES]
    lines = [(score.group, score.name, [run.intervals[score.key] for run in runs], None) for score in shown]
    chart = plots.runs_intervals(lines, [run.name for run in runs])
    scores = page.figures(page.figure(
        chart, "Each score of each run with its interval; the numbers are in the table.",
        "Dots are the scores, lines their 95 % intervals.")) + page.table(
            "Scores in per cent", header, rows, numbers=range(1, len(header)))
    text = "".join(map(page.paragraph, explanation(runs, tests)))
    if differing:
        what = page.table("What differs between the runs", ["what"] + [run.name for run in runs],
                          [[name] + [value or dash for value in values] for name, values in differing])
    else:
        what = page.paragraph("The runs' settings, as far as run.json tells them, are the same.")
    sizes = [f"{run.name} ({len(run.test):,} TLINKs in {len(run.counts.pairs)} documents)" for run in runs]
    lead = page.paragraph(", ".join(sizes), "soft")
    sections = [("scores", "Scores", text + scores), ("settings", "What differs", what)]
    footer = page.paragraph("This page holds no text of any note.")
    return page.page("Runs side by side", lead, sections, footer)
