"""`report.html` of a run on TLINKs: one page that opens without a network, and its plots as PNG.

Nothing here comes from a note but ids, names of documents and counts.
"""
from evaluation import analysis, bootstrap, plots
from evaluation.published import BESIDE, PUBLISHED, TEST_DOCUMENTS, TEST_TLINKS, are_comparable
from evaluation.report_parts import (
    DASH,
    METHOD,
    Drawn,
    Words,
    assemble,
    calibration_section,
    confusion_section,
    curves_section,
    errors_section,
    headline_section,
    labels_section,
    opening,
    percent,
    percent_range,
    settings_section,
)
from evaluation.tlink_scores import EIGHT, THREE
from inputs.labels import LABELS, MERGED_LABELS
from inputs.views import view_of
from settings import Settings
from support import html_page as page

# How predictions are counted: (key in scores.json, labels, their number, what it is called).
SCHEMES = (("pairs", LABELS, 8, "Eight labels"), ("merged", MERGED_LABELS, 3, "Three labels"))
ABOUT_LABELS = (
    "Precision, recall and F1 of each label, every link by itself. The three labels are those of the "
    "2012 challenge: BEFORE_OVERLAP and ENDED_BY count as BEFORE, BEGUN_BY as AFTER, DURING and "
    "SIMULTANEOUS as OVERLAP.")
FOOTER = page.paragraph(f"{METHOD} Temporal closure: Sun, Rumshisky, Uzuner 2013, the 2012 i2b2 challenge.")
WORDS = Words("TLINKs", "link", "note", "eight")
GROUP_HEADER = ["links", "accuracy, eight labels", "95 % interval", "accuracy, three labels", "95 % interval",
                "macro F1, three labels", "always the commonest of three"]


def make_report(result, record, predictions, scores, documents, head):
    """The report of a test, and its plots: (HTML, {name: PNG}).

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
        ("labels", "Labels", labels_section(drawn, scores, schemes_in_order(head), ABOUT_LABELS, WORDS)),
        ("confusion", "Confusion", confusion_section(drawn, scores, schemes_in_order(head))),
        ("curves", "Training", curves_section(drawn, result, record, WORDS)),
        ("calibration", "Calibration", _calibration_section(drawn, predictions)),
        ("kinds", "Kinds of link", _kinds_section(drawn, predictions, kinds)),
        ("distance", "Distance", _distance_section(drawn, predictions, documents, kinds, record)),
        ("errors", "Confident errors", _errors_section(drawn, predictions, kinds)),
        ("settings", "Settings", settings_section(record)),
    ]
    return assemble(drawn, "BERT-CNN on temporal relations", opening(head, record, WORDS), sections, FOOTER)


def schemes_in_order(head):
    """SCHEMES in the order to show them: that of a headline.Headline's scores."""
    return SCHEMES[::-1] if head.scores[0].group == THREE else SCHEMES


def _headline_section(drawn, head):
    eight, three, closure = (("pairs.accuracy", "accuracy, eight labels"), ("merged.accuracy", "accuracy, three labels"),
                             ("tempeval.f1", "temporal closure F1"))
    main = (three, closure, eight) if head.scores[0].group == THREE else (eight, three, closure)
    return headline_section(
        drawn, head, main, WORDS, "Three ways of scoring the same predictions.",
        f"The baseline answers {head.answers[EIGHT]} to everything (eight labels) or {head.answers[THREE]} (three), the commonest "
        "labels in training.")


def _published_section(drawn, head, comparable):
    """comparable : whether the tested documents are those of the published scores; without it none is shown."""
    if not comparable:
        return page.note(f"This run was tested on {head.examples:,} TLINKs of {head.documents} documents. They are not the i2b2 "
                         f"2012 test set ({TEST_TLINKS:,} TLINKs of {TEST_DOCUMENTS} documents), so no published score is "
                         "comparable with this run's, and none is shown. README.md lists them.")
    text = page.paragraph(
        "What others reported on the i2b2 2012 corpus. Systems differ in labels, in the links they are tested on and in how "
        "they are scored. A score of this run stands beside those that were computed the same way. A published score on other "
        "links is hatched in the picture, and its remark says so.")
    bars = [(group, name, head.intervals[key] if value is None else bootstrap.Interval(value, value, value),
             value is not None, other_rule) for group, name, key, value, other_rule in BESIDE]
    chart = drawn.add("published", plots.beside(bars),
                      "Published scores and this run's, grouped by how they are computed; the numbers are in the table.",
                      "This run (blue, with its 95 % interval). Published scores (orange). Hatched: on 11,200 of the test set's "
                      "pairs alone. The challenge's systems, Tang and Cherry, also had to find which mentions to link.")
    rows = [[entry.system, entry.data, entry.scoring, entry.figures,
             " / ".join(percent(head.intervals[key].value) for key in entry.ours) or DASH, entry.remark,
             page.link(entry.source, entry.address)] for entry in PUBLISHED]
    header = ["system", "data and labels", "how it is scored", "reported", "this run", "remark", "source"]
    return text + page.figures(chart) + page.table("Published scores and this run's, in per cent", header, rows,
                                                   numbers=(3, 4), wide=True)


def _calibration_section(drawn, predictions):
    eight, three = analysis.confidences(predictions)
    right = predictions.gold == predictions.predicted
    merged_right = predictions.merged_gold() == predictions.merged_predicted()
    results = [analysis.calibration(eight, right), analysis.calibration(three, merged_right)]
    return calibration_section(drawn, SCHEMES, ("eight", "three"), results, WORDS)


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
    rows = []
    for error in analysis.confident_errors(predictions, kinds):
        document, tlink, from_id, to_id = predictions.public_ids((error.document, error.tlink, error.from_id, error.to_id))
        rows.append([document, tlink, f"{from_id} \N{RIGHTWARDS ARROW} {to_id}", error.kind, error.gold, error.predicted,
                     percent(error.confidence)])
    header = ["document", "TLINK", "mentions", "kind", "gold", "predicted", "confidence, %"]
    labels = "three" if predictions.has_merged_gold() else "eight"
    return errors_section(drawn, *analysis.sureness(predictions), header, rows, WORDS._replace(labels=labels))
