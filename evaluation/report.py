"""`report.html`: a run on one page that opens without a network, and its plots as PNG.

Nothing here comes from a note but ids, names of documents and counts.
"""
import os

from evaluation import analysis, bootstrap, plots
from evaluation.curves import read_curves
from evaluation.headline import FEW_DOCUMENTS, about_intervals, about_macro
from evaluation.published import BESIDE, PUBLISHED, TEST_DOCUMENTS, TEST_TLINKS, are_comparable
from inputs.labels import LABELS, MERGED_LABELS
from inputs.views import view_of
from scoring import AVERAGES, FIGURES
from settings import Settings, as_text
from support import html_page as page
from support.files import remove_earlier, remove_leftovers, write_atomically

DASH = "\N{EN DASH}"
SCHEMES = (("pairs", LABELS, 8, "Eight labels"), ("merged", MERGED_LABELS, 3, "Three labels"))
CURVES = (
    ("loss", "Loss", "Mean cross-entropy over eight labels; with dropout in training, on the dev set only "
                     "where evaluation_dropout is true."),
    ("accuracy", "Accuracy", "Share of links with the right one of eight labels."),
    ("macro_f1", "Macro F1, dev set", "Over the labels that occur."),
    ("learning_rate", "Learning rate", "Of the optimizer."),
    ("gradient_norm", "Gradient norm", "Global norm of the gradients before clipping."))
GROUP_HEADER = ["links", "accuracy, eight labels", "95 % interval", "accuracy, three labels", "95 % interval",
                "macro F1, three labels", "always the commonest of three"]


def make_report(result, record, predictions, scores, documents, head):
    """The report of a test, and its plots: (HTML, {name: PNG}); `write_report` writes them.

    Parameters
    ----------
    result : paths.ResultFolder
    record : dict, what run.json holds, from `results.as_tested`.
    predictions : predictions.Predictions
    scores : dict, what scores.json holds.
    documents : list of data_process_i2b2.Document of the test set, read with entities="decoded".
    head : headline.Headline
    """
    drawn = Drawn()
    kinds = analysis.kinds(predictions, documents)
    comparable = are_comparable(head.documents, predictions.merged_gold())
    sections = [
        ("scores", "Scores", _headline_section(drawn, head)),
        ("published", "Published scores", _published_section(drawn, head, comparable)),
        ("labels", "Labels", _labels_section(drawn, scores)),
        ("confusion", "Confusion", _confusion_section(drawn, scores)),
        ("curves", "Training", _curves_section(drawn, read_curves(result.tensorboard), record)),
        ("calibration", "Calibration", _calibration_section(drawn, predictions)),
        ("kinds", "Kinds of link", _kinds_section(drawn, predictions, kinds)),
        ("distance", "Distance", _distance_section(drawn, predictions, documents, kinds, record)),
        ("errors", "Confident errors", _errors_section(drawn, predictions, kinds)),
        ("settings", "Settings", _settings_section(record)),
    ]
    return page.page("BERT-CNN on temporal relations", _lead(head, record), sections, FOOTER), drawn.images


def write_report(result, html, images, earlier=()):
    """Write report.html and figures/; returns the names of the plots' files.

    Parameters
    ----------
    result : paths.ResultFolder
    html, images : from `make_report`.
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


def _lead(head, record):
    ended = record.get("test", {}).get("ended", "at an unknown time").replace("T", " ").replace("Z", " UTC")
    recipe = record.get("recipe", "unknown")
    return (page.paragraph(f"{head.tlinks:,} TLINKs in {head.documents} test documents, recipe {recipe}, "
                           f"tested {ended}.", "soft")
            + page.paragraph("This page holds no text of any note; documents and links are named by "
                             "id.", "soft")
            + "".join(map(page.note, record.get("test", {}).get("remarks", []))))


FOOTER = page.paragraph(
    "Method: Chen, Wu, Li 2019, A general approach for improving deep learning-based medical relation "
    "extraction using a pre-trained model and fine-tuning, Database, baz116. Temporal closure: Sun, "
    "Rumshisky, Uzuner 2013, the 2012 i2b2 challenge.")


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

def _headline_section(drawn, head):
    with_intervals = head.documents >= bootstrap.FEWEST_DOCUMENTS
    main = (("pairs.accuracy", "accuracy, eight labels"), ("merged.accuracy", "accuracy, three labels"),
            ("tempeval.f1", "temporal closure F1"))
    key = page.key_figures([
        (f"{percent(head.intervals[name].value)} %", title,
         f"95 % interval {percent_range(head.intervals[name])}" if with_intervals else "") for name, title in main])
    how = (f"The 95 % intervals come from {bootstrap.RESAMPLES:,} resamples of the {head.documents} documents; links of one "
           "note are not independent, so documents are drawn, not links. " if with_intervals else "")
    text = page.paragraph(
        f"Three ways of scoring the same predictions. {how}The baseline answers {head.commonest} to everything (eight labels) or "
        f"{head.merged} (three), the commonest labels in training. {about_macro(head)}")
    if not with_intervals:
        text += page.note(about_intervals(head.documents))
    elif head.documents < FEW_DOCUMENTS:
        text += page.note(f"There are only {head.documents} test documents: intervals from so few are a "
                          "rough guide and tend to be too narrow.")
    rows, group = [], None
    for score in bootstrap.SCORES:
        if score.group != group:
            group = score.group
            rows.append([group])
        interval = head.intervals[score.key]
        rows.append([score.name, percent(interval.value), percent_range(interval),
                     percent(head.baseline[score.key])])
    lines = [(score.group, score.name, head.intervals[score.key], head.baseline[score.key])
             for score in bootstrap.SCORES]
    chart = drawn.add("scores", plots.intervals(lines),
                      "Each score with its interval and the majority baseline; the numbers are in the table.",
                      "Dots are the scores, lines their 95 % intervals, grey marks the majority baseline.")
    numbers = page.table("Scores in per cent", ["score", "this run", "95 % interval", "baseline"], rows,
                         numbers=(1, 2, 3))
    return key + text + page.figures(chart, numbers)


def _published_section(drawn, head, comparable):
    """comparable : whether the tested documents are those of the published scores; without it none of this run's is shown."""
    text = page.paragraph(
        "What others reported on the i2b2 2012 corpus. Systems differ in labels, in the links they are tested on and in how "
        "they are scored.")
    if comparable:
        text += page.paragraph("A score of this run stands beside those that were computed the same way. A published score "
                               "on other links is hatched in the picture, and its remark says so.")
    else:
        text += page.note(f"This run was tested on {head.tlinks:,} TLINKs of {head.documents} documents. They are not the "
                          f"i2b2 2012 test set ({TEST_TLINKS:,} TLINKs of {TEST_DOCUMENTS} documents), so no score here is "
                          "comparable with this run's, and none of this run's is shown.")
    bars = [(group, name, head.intervals[key] if value is None else bootstrap.Interval(value, value, value),
             value is not None, other_rule)
            for group, name, key, value, other_rule in BESIDE if comparable or value is not None]
    caption = ("Published scores (orange). Hatched: on 11,200 of the test set's pairs alone. The challenge's systems, Tang and "
               "Cherry, also had to find which mentions to link.")
    if comparable:
        caption = f"This run (blue, with its 95 % interval). {caption}"
    chart = drawn.add("published", plots.beside(bars), "Published scores" + (" and this run's" if comparable else "")
                      + ", grouped by how they are computed; the numbers are in the table.", caption)
    header = ["system", "data and labels", "how it is scored", "reported", "remark", "source"]
    rows = [[entry.system, entry.data, entry.scoring, entry.figures, entry.remark, page.link(entry.source, entry.address)]
            for entry in PUBLISHED]
    if comparable:
        header.insert(4, "this run")
        for row, entry in zip(rows, PUBLISHED):
            row.insert(4, " / ".join(percent(head.intervals[key].value) for key in entry.ours) or DASH)
    title = "Published scores" + (" and this run's" if comparable else "") + ", in per cent"
    return text + page.figures(chart) + page.table(title, header, rows, numbers=(3, 4) if comparable else (3,), wide=True)


def _labels_section(drawn, scores):
    text = page.paragraph(
        "Precision, recall and F1 of each label, every link by itself. The three labels are those of the "
        "2012 challenge: BEFORE_OVERLAP and ENDED_BY count as BEFORE, BEGUN_BY as AFTER, DURING and "
        "SIMULTANEOUS as OVERLAP.")
    charts, tables = [], []
    for which, labels, number, title in SCHEMES:
        per_label = scores[which]["labels"]
        charts.append(drawn.add(
            f"labels_{number}", plots.label_bars(labels, per_label),
            f"Precision, recall and F1 of {number} labels; the numbers are in the table below.",
            f"{title}; under each its number of gold links, at the bars the F1."))
        rows = [[label] + [percent(per_label[label][name]) for name in FIGURES]
                + [f"{per_label[label]['support']:,}"] for label in labels]
        rows += [[f"{average} average"] + [percent(scores[which][average][name]) for name in FIGURES] + [""]
                 for average in AVERAGES]
        header = ["label", "precision", "recall", "F1", "gold links"]
        tables.append(page.table(f"{title}: scores in per cent", header, rows, numbers=(1, 2, 3, 4)))
    return text + page.figures(*charts) + page.figures(*tables)


def _confusion_section(drawn, scores):
    charts, tables = [], []
    for which, labels, number, title in SCHEMES:
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


def _curves_section(drawn, curves, record):
    if not curves:
        return page.note("The result folder has no training curves: there are no event files in "
                         "tensorboard/i2b2. A checkpoint that was trained elsewhere comes without them.")
    train = record.get("train", {})
    charts = []
    for tag, title, caption in CURVES:
        training, validation = (curves.get(name, {}).get(tag) for name in ("training", "validation"))
        if training is not None or validation is not None:
            png = plots.curves(title, training, validation, train.get("best_step"))
            charts.append(drawn.add(f"curve_{tag}", png, f"{title} by training step.", caption))
    text = "Training batches and the dev set, by step."
    if "best_step" in train:
        text += (f" The model kept is that of step {train['best_step']:,} of {train['step']:,}; its "
                 f"selection score is {train['best_score']:.4f}.")
    if record.get("settings", {}).get("dev") == "test":
        text += " The dev set is the test set, as in the published code, so the scores above are optimistic."
    return page.paragraph(text) + page.figures(*charts)


def _calibration_section(drawn, predictions):
    eight, three = analysis.confidences(predictions)
    right = predictions.gold == predictions.predicted
    merged_right = predictions.merged_gold() == predictions.merged_predicted()
    results = [analysis.calibration(eight, right), analysis.calibration(three, merged_right)]
    text = page.paragraph(
        "Whether a link predicted with 80 % confidence is right in 80 % of cases. Points under the diagonal "
        "are overconfident. The expected calibration error is the mean gap between confidence and accuracy "
        f"(Guo, Pleiss, Sun, Weinberger 2017): {percent(results[0].error)} points for eight labels, "
        f"{percent(results[1].error)} for three.")
    charts = [drawn.add(f"calibration_{number}", plots.reliability(title, of),
                        f"Reliability curve of {number} labels; the numbers are in the table that opens "
                        "below.",
                        f"{title}: share of right predictions by confidence, and how many links have it.")
              for (_, _, number, title), of in zip(SCHEMES, results)]
    rows = []
    for number in range(analysis.BINS):
        low, high = 100 * number // analysis.BINS, 100 * (number + 1) // analysis.BINS
        rows.append([f"{low}{DASH}{high} %"])
        for of in results:
            rows[-1] += [f"{of.cases[number]:,}", percent(of.confidence[number]),
                         percent(of.accuracy[number])]
    header = ["confidence"] + [f"{name}, {labels}" for labels in ("eight", "three")
                               for name in ("links", "mean confidence", "right")]
    numbers = page.table("Calibration by class of confidence, in per cent", header, rows, numbers=range(1, 7))
    return text + page.figures(*charts) + page.details("The curves as a table", numbers)


def _kinds_section(drawn, predictions, kinds):
    groups = analysis.groups(predictions, kinds, analysis.KINDS)
    text = page.paragraph(
        "By what a TLINK connects: EVENTs and times (TIMEX3) with one another, or with a section time (the "
        "dates of admission and discharge). The red lines show how far the commonest label of each group "
        "would go.")
    if analysis.OTHER in kinds:
        text += page.note(f"{kinds.count(analysis.OTHER):,} links name an id that no EVENT, TIMEX3 or "
                          f"SECTIME of their document has; they are listed as {analysis.OTHER}.")
    chart = drawn.add("kinds", plots.group_bars(groups, upright=False),
                      "Accuracy by kind of link; the numbers are in the table below.",
                      "Accuracy by kind of link, with 95 % intervals over documents.")
    return text + page.figures(chart) + _group_table("Scores by kind of link, in per cent", "kind", groups)


def about_distance(settings):
    """A sentence on what the model's input tells of how far apart two mentions are.

    Parameters
    ----------
    settings : dict, those of run.json; {} where it has none, and then nothing is said.
    """
    known = {key: value for key, value in settings.items() if key in Settings._fields}
    return view_of(Settings(**known)).about_distance() if known else ""


def _distance_section(drawn, predictions, documents, kinds, record):
    words = analysis.distances(predictions, documents)
    classes = [analysis.SECTION if kind == analysis.SECTION else analysis.distance_class(count)
               for kind, count in zip(kinds, words)]
    groups = analysis.groups(predictions, classes, analysis.DISTANCE_CLASSES)
    sentences = ["By the number of words between the two mentions.", about_distance(record.get("settings", {})),
                 f"Links to section times ({classes.count(analysis.SECTION):,}) have no distance"]
    unknown = classes.count(analysis.UNKNOWN)
    if unknown:
        sentences[-1] += f"; {unknown:,} more have a mention without usable offsets"
    text = page.paragraph(" ".join(filter(None, sentences)) + ".")
    if not groups:
        return text + page.note("No link of these documents has a distance.")
    chart = drawn.add("distance", plots.group_bars(groups, upright=True),
                      "Accuracy by distance; the numbers are in the table below.",
                      "Accuracy by words between the mentions, with 95 % intervals over documents.")
    table = _group_table("Scores by distance, in per cent", "words between", groups)
    return text + page.figures(chart) + table


def _group_table(caption, first, groups):
    rows = [[group.name, f"{group.cases:,}", percent(group.pairs.value), percent_range(group.pairs),
             percent(group.merged.value), percent_range(group.merged), percent(group.merged_f1),
             percent(group.commonest)] for group in groups]
    return page.table(caption, [first] + GROUP_HEADER, rows, numbers=range(1, 8))


def _errors_section(drawn, predictions, kinds):
    confidence, _ = analysis.confidences(predictions)
    text = page.paragraph("Where the model was surest and wrong: worth looking up in the corpus, for slips "
                          "of the annotation too.")
    chart = drawn.add("confidence",
                      plots.confidence_histogram(confidence, predictions.gold == predictions.predicted),
                      "Histogram of confidence, right and wrong predictions apart.",
                      "Right and wrong predictions over eight labels, by the probability of the predicted "
                      "label.")
    rows = [[error.document, error.tlink, f"{error.from_id} \N{RIGHTWARDS ARROW} {error.to_id}", error.kind,
             error.gold, error.predicted, percent(error.confidence)]
            for error in analysis.confident_errors(predictions, kinds)]
    header = ["document", "TLINK", "mentions", "kind", "gold", "predicted", "confidence, %"]
    table = page.table("The wrong predictions with the highest confidence", header, rows, numbers=(6,))
    return text + page.figures(chart) + table


def _settings_section(record):
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
