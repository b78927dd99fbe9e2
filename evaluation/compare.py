"""Runs side by side: what differs, scores with intervals, whether two runs differ by more than chance."""
import os
from typing import NamedTuple

from evaluation import bootstrap, plots, predictions, results
from evaluation.headline import about_intervals, range_text
from evaluation.report_parts import percent, percent_range
from scoring import format_table
from settings import as_text
from support import html_page as page
from support.console import say
from support.errors import InputError
from support.files import write_atomically
from support.paths import ResultFolder

# More runs than this would make lines too long for a terminal; they are shown in several tables.
RUNS_ABREAST = 2
# With more runs than this the plot shows the main scores alone.
RUNS_IN_FULL = 4


class Run(NamedTuple):
    """A tested run."""
    kind: type           # of predictions.Table
    name: str            # the folder, as short as tells it from the others
    facts: dict          # what was run: str -> str
    test: tuple          # what tells one test set from another
    counts: tuple        # Counts of documents in the order of their names
    intervals: dict      # Score.key -> Interval
    remarks: tuple       # sentences on the corpus tested on, from `test`
    scores: tuple        # Score, in the order to show them
    remark: str          # on what the scores mean on this gold, or ""

    @property
    def documents(self):
        """How many test documents there are."""
        return len(self.counts.pairs)


# ---------------------------------------------------------------------------------------------------- reading

def of_tlinks(settings):
    """The kind of table of a run on TLINKs, whatever its settings."""
    return predictions.Predictions


def compare_runs(folders, out, kind_of=of_tlinks):
    """Print a table of some runs and write it as HTML.

    Parameters
    ----------
    folders : result folders; one that was not tested itself but holds seed-0, seed-1, ... stands for these.
    out : HTML file to write.
    kind_of : function that gives the kind of predictions.Table of a run, from its recorded settings.

    Raises
    ------
    InputError : a folder holds no tested run, or the runs are scored by different scores.
    """
    folders = [tested for folder in folders for tested in run_folders(folder)]
    runs = [read_run(folder, name, kind_of) for folder, name in zip(folders, short_names(folders))]
    other = next((run for run in runs if run.kind is not runs[0].kind), None)
    if other:
        facts_of_both = ", ".join(fact for fact, _ in differing_facts([runs[0], other]))
        raise InputError(f"{other.name} has other scores than {runs[0].name}, as it was tested on another kind of examples: "
                         f"compare runs of one kind. They differ in: {facts_of_both}.")
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
                         "The command `test` with --result DIR writes it.")
    return seeds


def short_names(folders):
    """The folders' paths without what all of them begin with; what is not UTF-8 in them is shown by its code."""
    paths = [os.path.abspath(folder) for folder in folders]
    if len(set(paths)) < len(paths):
        raise InputError(f"{max(paths, key=paths.count)} is named twice; give each run once.")
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.fsencode(os.path.relpath(path, common)).decode("utf-8", "backslashreplace") for path in paths]


def read_run(folder, name, kind_of=of_tlinks):
    """Read the Run in a result folder."""
    result = ResultFolder(folder)
    record = results.read_run(result)
    kind = kind_of(results.as_tested(record).get("settings", {}))
    table = predictions.read(result.predictions, kind).in_file_order(result)
    documents, _ = table.document_rows()
    by_name = sorted(range(len(documents)), key=documents.__getitem__)
    of_documents = table.counts()
    of_documents = type(of_documents)(*(array[by_name] for array in of_documents))
    test = tuple(sorted((*key, gold) for key, gold in zip(table.keys(), table.gold.tolist())))
    return Run(kind, name, facts(record), test, of_documents, bootstrap.intervals(of_documents),
               tuple(record.get("test", {}).get("remarks", ())), table.scores_in_order(), table.remark())


def facts(record):
    """What run.json says that may differ between runs, as text; fingerprints are shortened."""
    fingerprints = data_facts(record)
    record = results.as_tested(record)
    found = {"recipe": str(record["recipe"])} if "recipe" in record else {}
    found.update((key, as_text(tuple(value) if isinstance(value, list) else value))
                 for key, value in record.get("settings", {}).items())
    found.update(fingerprints)
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


def data_facts(record):
    """What a run was trained on and tested on: {fact: shortened digest}.

    Training documents are those of `train`, test documents and BERT those of `test`. A file of the BERT that was another one in
    training is listed with both.
    """
    tested = record.get("test", {})
    corpus = dict(record.get("corpus", {}), **{part: digest for part, digest in tested.get("corpus", {}).items()
                                               if part.split()[0] == "test"})
    found = {f"corpus {part}": digest for part, digest in corpus.items()}
    trained_with = record.get("bert", {})
    for name, digest in (tested.get("bert") or trained_with).items():
        found[f"bert {name}"] = digest
        if trained_with.get(name, digest) != digest:
            found[f"bert {name} in training"] = trained_with[name]
    return {f"{fact} (SHA-256)": str(digest)[:12] for fact, digest in found.items()}


def scores_to_show(runs):
    """The scores in the order to show them for some runs: theirs, or the usual one where theirs differ."""
    return runs[0].scores if len({run.scores for run in runs}) == 1 else runs[0].counts.SCORES


def differing_facts(runs):
    """(fact, [value of each run, None where unknown]) of what is not the same in all runs."""
    names = dict.fromkeys(name for run in runs for name in run.facts)
    rows = [(name, [run.facts.get(name) for run in runs]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def significance(first, other):
    """{Score.key: p-value, nan with too few documents} of two runs' difference; None if tested on other documents."""
    return bootstrap.p_values(first.counts, other.counts) if first.test == other.test else None


# ---------------------------------------------------------------------------------------------------- showing

def explanation(runs, tests):
    """Sentences on what the numbers are, and on what cannot be compared."""
    lines = [about_intervals(documents) for documents in sorted({run.documents for run in runs}, reverse=True)]
    if any(test is not None for test in tests):
        lines.append(about_p_values(runs[0]))
    lines += [f"{run.name} was tested on other documents or links than {runs[0].name} ({len(run.test)} "
              f"{run.kind.UNITS}, not {len(runs[0].test)}, or other ids or gold labels): no p-value, and its scores "
              "are not comparable."
              for run, test in zip(runs[1:], tests) if test is None]
    for remark in dict.fromkeys(run.remark for run in runs if run.remark):
        names = [run.name for run in runs if run.remark == remark]
        lines.append(("" if len(names) == len(runs) else f"{', '.join(names)}: ") + remark)
    lines += [f"{run.name}: {remark}" for run in runs for remark in run.remarks]
    return lines


def about_p_values(first):
    """A sentence on what the p-values of the differences from a run are, or why there are none."""
    if first.documents < bootstrap.FEWEST_DOCUMENTS:
        return (f"No p-values: with {first.documents} test documents p could not be below {0.5 ** (first.documents - 1):.2f}, "
                f"however large the difference; at least {bootstrap.FEWEST_DOCUMENTS} documents are needed.")
    return (f"p: two-sided, of the difference from {first.name}, documents exchanged at random; not corrected for the number of "
            "comparisons.")


def format_comparison(runs, differing, tests):
    """The comparison as text for a terminal."""
    parts = []
    columns = list(zip(runs, [None] + tests))
    for begin in range(0, len(columns), RUNS_ABREAST):
        parts.append(_format_columns(columns[begin:begin + RUNS_ABREAST], scores_to_show(runs), first=begin == 0))
    parts.append("\n".join(explanation(runs, tests)))
    if differing:
        table = [[name] + [value or "-" for value in values] for name, values in differing]
        parts.insert(0, format_table(["what differs"] + [run.name for run in runs], table))
    elif len(runs) > 1:
        parts.insert(0, "The runs' settings, as far as run.json tells them, are the same.")
    return "\n\n".join(parts)


def _format_columns(columns, scores, first):
    """Table of some runs, list of (Run, p-values or None), and some scores; the first run of all has no p-values."""
    with_p = [not (first and number == 0) for number in range(len(columns))]
    header = [""] + [
        cell for (run, _), has in zip(columns, with_p)
        for cell in [run.name, "interval", "p"][:3 if has else 2]
    ]
    rows, group = [], None
    for score in scores:
        if score.group != group:
            group = score.group
            rows.append([group] + [""] * (len(header) - 1))
        row = [f"  {score.name}"]
        for (run, test), has in zip(columns, with_p):
            row += [f"{run.intervals[score.key].value:.4f}", range_text(run.intervals[score.key])]
            if has:
                row.append("-" if test is None else bootstrap.p_text(test[score.key]))
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
    for score in scores_to_show(runs):
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
                row += [dash, dash] if test is None else [signed, bootstrap.p_text(test[score.key])]
        rows.append(row)
    shown = [score for score in scores_to_show(runs) if len(runs) <= RUNS_IN_FULL or score.key in runs[0].kind.MAIN_SCORES]
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
    sizes = [f"{run.name} ({len(run.test):,} {run.kind.UNITS} in {run.documents} documents)" for run in runs]
    lead = page.paragraph(", ".join(sizes), "soft")
    sections = [("scores", "Scores", text + scores), ("settings", "What differs", what)]
    footer = page.paragraph("This page holds no text of any note.")
    return page.page("Runs side by side", lead, sections, footer)
