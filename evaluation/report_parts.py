"""What the reports of all tasks are made of: the sections that apply to any labels, the page and its plots.

Nothing here comes from a document's text but ids, names of documents and counts.
"""
import os
from typing import NamedTuple

from evaluation import analysis, bootstrap, plots
from evaluation.curves import read_curves
from evaluation.headline import FEW_DOCUMENTS, about_intervals, about_macro
from evaluation.provenance import is_another
from scoring import AVERAGES, METRICS
from settings import as_text
from support import html_page as page
from support.files import remove_earlier, remove_leftovers, write_atomically

DASH = "\N{EN DASH}"
METHOD = ("Method: Chen, Wu, Li 2019, A general approach for improving deep learning-based medical relation "
          "extraction using a pre-trained model and fine-tuning, Database, baz116.")


class Words(NamedTuple):
    """How a report calls what its task is about."""
    units: str   # what the predictions are of, in the first line
    row: str     # one of them, everywhere else
    text: str    # what a document is
    labels: str  # how many there are

    @property
    def rows(self):
        """Several of them."""
        return f"{self.row}s"


def assemble(drawn, title, lead, sections, footer):
    """A report and its plots: (HTML, {name: PNG}); `write_report` writes them.

    Parameters
    ----------
    drawn : Drawn, the plots of the sections.
    title, lead, sections, footer : as for html_page.page.
    """
    return page.page(title, lead, sections, footer), drawn.images


def write_report(result, html, images, earlier=()):
    """Write report.html and figures/; returns the names of the plots' files.

    Parameters
    ----------
    result : paths.ResultFolder
    html, images : from `assemble`.
    earlier : names of the files that an earlier report wrote into figures/. Those that this one does not write are removed, and
        nothing else.
    """
    remove_leftovers(result.figures)
    contents = {f"{name}.png": png for name, png in images.items()}
    for name, png in contents.items():
        write_atomically(os.path.join(result.figures, name), png)
    remove_earlier(result.figures, set(earlier) - set(contents))
    write_atomically(result.report, html)
    return sorted(contents)


def opening(head, record, words):
    """What stands above the sections."""
    ended = record.get("test", {}).get("ended", "at an unknown time").replace("T", " ").replace("Z", " UTC")
    recipe = record.get("recipe", "unknown")
    return (page.paragraph(f"{head.examples:,} {words.units} in {head.documents} test documents, recipe {recipe}, "
                           f"tested {ended}.", "soft")
            + page.paragraph(f"This page holds no text of any {words.text}; documents and {words.rows} are named by "
                             "id.", "soft")
            + "".join(map(page.note, record.get("test", {}).get("remarks", []))))


class Drawn:
    """Collects the plots of a page, which are also kept as files."""

    def __init__(self):
        self.images = {}

    def add(self, name, png, alternative, caption):
        """Keep a plot under a file name; returns its HTML."""
        self.images[name] = png
        return page.figure(png, alternative, caption)


def percent(value):
    """A share in per cent, one decimal."""
    return DASH if value is None or value != value else f"{100 * value:.1f}"


def percent_range(interval):
    """An interval in per cent: 61.9 to 66.0, with an en dash; a dash alone where there is none."""
    return DASH if interval.low != interval.low else f"{percent(interval.low)}{DASH}{percent(interval.high)}"


# --------------------------------------------------------------------------------------------------- sections

def headline_section(drawn, head, main, words, about_scores, about_baseline):
    """The scores with their intervals, beside the baseline.

    Parameters
    ----------
    drawn : Drawn
    head : headline.Headline
    main : (Score.key, title) of the scores that stand above all.
    words : Words
    about_scores, about_baseline : sentences.
    """
    with_intervals = head.documents >= bootstrap.FEWEST_DOCUMENTS
    key = page.key_figures([
        (f"{percent(head.intervals[name].value)} %", title,
         f"95 % interval {percent_range(head.intervals[name])}" if with_intervals else "") for name, title in main])
    how = (f"The 95 % intervals come from {bootstrap.RESAMPLES:,} resamples of the {head.documents} documents; {words.rows} of one "
           f"{words.text} are not independent, so documents are drawn, not {words.rows}. " if with_intervals else "")
    text = page.paragraph(f"{about_scores} {how}{about_baseline} {about_macro(head)}")
    if head.remark:
        text += page.note(head.remark)
    if not with_intervals:
        text += page.note(about_intervals(head.documents))
    elif head.documents < FEW_DOCUMENTS:
        text += page.note(f"There are only {head.documents} test documents: intervals from so few are a "
                          "rough guide and tend to be too narrow.")
    rows, group = [], None
    for score in head.scores:
        if score.group != group:
            group = score.group
            rows.append([group])
        interval = head.intervals[score.key]
        rows.append([score.name, percent(interval.value), percent_range(interval),
                     percent(head.baseline[score.key])])
    lines = [(score.group, score.name, head.intervals[score.key], head.baseline[score.key])
             for score in head.scores]
    chart = drawn.add("scores", plots.intervals(lines),
                      "Each score with its interval and the majority baseline; the numbers are in the table.",
                      "Dots are the scores, lines their 95 % intervals, grey marks the majority baseline.")
    numbers = page.table("Scores in per cent", ["score", "this run", "95 % interval", "baseline"], rows,
                         numbers=(1, 2, 3))
    return key + text + page.figures(chart, numbers)


def labels_section(drawn, scores, schemes, about, words):
    """Precision, recall and F1 of each label; `schemes` as report.SCHEMES, `about` sentences on them."""
    text = page.paragraph(about)
    charts, tables = [], []
    for which, labels, number, title in schemes:
        per_label = scores[which]["labels"]
        charts.append(drawn.add(
            f"labels_{number}", plots.label_bars(labels, per_label),
            f"Precision, recall and F1 of {number} labels; the numbers are in the table below.",
            f"{title}; under each its number of gold {words.rows}, at the bars the F1."))
        rows = [[label] + [percent(per_label[label][name]) for name in METRICS]
                + [f"{per_label[label]['support']:,}"] for label in labels]
        rows += [[f"{average} average"] + [percent(scores[which][average][name]) for name in METRICS] + [""]
                 for average in AVERAGES]
        header = ["label", "precision", "recall", "F1", f"gold {words.rows}"]
        tables.append(page.table(f"{title}: scores in per cent", header, rows, numbers=(1, 2, 3, 4)))
    return text + page.figures(*charts) + page.figures(*tables)


def confusion_section(drawn, scores, schemes):
    """Which label is taken for which; `schemes` as report.SCHEMES."""
    charts, tables = [], []
    for which, labels, number, title in schemes:
        matrix = scores[which]["confusion_matrix"]
        charts.append(drawn.add(
            f"confusion_{number}", plots.confusion(labels, matrix),
            f"Confusion matrix of {number} labels; the counts are in the table that opens below.",
            f"{title}: counts, shaded by their share of the gold label's row."))
        rows = [[label] + [f"{count:,}" for count in row] for label, row in zip(labels, matrix)]
        tables.append(page.table(f"{title}: rows gold, columns predicted", [""] + list(labels), rows,
                                 numbers=range(1, number + 1)))
    return (page.paragraph("Which label is taken for which.") + page.figures(*charts)
            + page.details("The matrices as tables", "".join(tables)))


def curves_section(drawn, result, record, words):
    """The curves of training and validation."""
    curves = read_curves(result.tensorboard)
    if not curves:
        folder = "/".join(os.path.relpath(result.tensorboard, result.root).split(os.sep))
        return page.note(f"The result folder has no training curves: there are no event files in {folder}. "
                         "A checkpoint that was trained elsewhere comes without them.")
    settings = record.get("settings", {})
    smoothed = " and of smoothed labels" if settings.get("smoothing", 0) > 0 else ""
    captions = (
        ("loss", "Loss", f"Mean cross-entropy over {words.labels} labels; in training with dropout{smoothed}, on the dev set with "
         "dropout only where evaluation_dropout is true."),
        ("accuracy", "Accuracy", f"Share of {words.rows} with the right one of {words.labels} labels."),
        ("macro_f1", "Macro F1, dev set", "Over the labels that occur."),
        ("learning_rate", "Learning rate", "Of the optimizer."),
        ("gradient_norm", "Gradient norm", "Global norm of the gradients before clipping."))
    train = record.get("train", {})
    charts = []
    for tag, title, caption in captions:
        training, validation = (curves.get(name, {}).get(tag) for name in ("training", "validation"))
        if training is not None or validation is not None:
            png = plots.curves(title, training, validation, train.get("best_step"))
            charts.append(drawn.add(f"curve_{tag}", png, f"{title} by training step.", caption))
    text = "Training batches and the dev set, by step."
    if "best_step" in train:
        text += (f" The model kept is that of step {train['best_step']:,} of {train['step']:,}; its "
                 f"selection score is {train['best_score']:.4f}.")
    if settings.get("dev") == "test" and not is_another(record.get("corpus", {}), record.get("test", {}).get("corpus", {}), "test"):
        text += " The dev set is the test set, as in the published code, so the scores above are optimistic."
    return page.paragraph(text) + page.figures(*charts)


def calibration_section(drawn, schemes, names, results, words):
    """Whether confidence means what it says.

    Parameters
    ----------
    drawn : Drawn
    schemes : as report.SCHEMES.
    names : what the labels of each scheme are called in a sentence.
    results : list of analysis.Calibration, one for each scheme.
    words : Words
    """
    errors = [f"{percent(of.error)}{' points' if not number else ''} for {name}{' labels' if not number else ''}"
              for number, (name, of) in enumerate(zip(names, results))]
    text = page.paragraph(
        f"Whether a {words.row} predicted with 80 % confidence is right in 80 % of cases. Points under the diagonal "
        "are overconfident. The expected calibration error is the mean gap between confidence and accuracy "
        f"(Guo, Pleiss, Sun, Weinberger 2017): {', '.join(errors)}.")
    charts = [drawn.add(f"calibration_{number}", plots.reliability(title, of, words.rows),
                        f"Reliability curve of {number} labels; the numbers are in the table that opens "
                        "below.",
                        f"{title}: share of right predictions by confidence, and how many {words.rows} have it.")
              for (_, _, number, title), of in zip(schemes, results)]
    rows = []
    for number in range(analysis.BINS):
        low, high = 100 * number // analysis.BINS, 100 * (number + 1) // analysis.BINS
        rows.append([f"{low}{DASH}{high} %"])
        for of in results:
            rows[-1] += [f"{of.cases[number]:,}", percent(of.confidence[number]),
                         percent(of.accuracy[number])]
    header = ["confidence"] + [f"{name}, {labels}" for labels in names
                               for name in (words.rows, "mean confidence", "right")]
    numbers = page.table("Calibration by class of confidence, in per cent", header, rows, numbers=range(1, len(header)))
    return text + page.figures(*charts) + page.details("The curves as a table", numbers)


def errors_section(drawn, confidence, right, header, errors, words):
    """Where the model was surest and wrong.

    Parameters
    ----------
    drawn : Drawn
    confidence, right : float [rows], bool [rows], of all predictions.
    header, errors : of the table of the wrong predictions with the highest confidence; its last column is a number.
    words : Words
    """
    text = page.paragraph("Where the model was surest and wrong: worth looking up in the corpus, for slips "
                          "of the annotation too.")
    chart = drawn.add("confidence",
                      plots.confidence_histogram(confidence, right, words.rows),
                      "Histogram of confidence, right and wrong predictions apart.",
                      f"Right and wrong predictions over {words.labels} labels, by the probability of the predicted "
                      "label.")
    table = page.table("The wrong predictions with the highest confidence", header, errors, numbers=(len(header) - 1,))
    return text + page.figures(chart) + table


def settings_section(record):
    """What run.json tells."""
    def plain(part):
        return {key.replace("_", " "): value for key, value in part.items() if not isinstance(value, (dict, list))}
    settings = {key: as_text(tuple(value) if isinstance(value, list) else value)
                for key, value in record.get("settings", {}).items()}
    test = record.get("test", {})
    parts = (("Settings", settings), ("Training", plain(record.get("train", {}))), ("Test", plain(test)),
             ("Versions, training", record.get("versions", {})), ("Versions, test", test.get("versions", {})),
             ("Corpus tested on (SHA-256)", test.get("corpus", {})), ("BERT (SHA-256)", test.get("bert", {})))
    rows = []
    for title, content in parts:
        if content:
            rows.append([title])
            rows += [[str(key), str(value)] for key, value in content.items()]
    return (page.paragraph("What ran, as run.json has it.")
            + page.table("What ran", ["name", "value"], rows, ids=(1,)))
