"""`report.html` of a run on BC5CDR. Nothing here comes from an abstract but its PMID, MeSH ids and counts."""
import numpy as np

from data_process_BC5CDR import LABELS
from evaluation import analysis
from evaluation.cdr_scores import CID
from evaluation.report_parts import (
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
    settings_section,
)
from support import html_page as page

SCHEMES = (("pairs", LABELS, 2, "Two labels"),)
WORDS = Words("pairs of a chemical and a disease", "pair", "abstract", "two")
MOST_ERRORS = 20
FOOTER = page.paragraph(f"{METHOD} Corpus: Li et al. 2016, BioCreative V CDR task corpus, Database, baw068.")

# What others reported for the relations found on BC5CDR's test set: (system, F1 in per cent, remark).
PUBLISHED = (("Best system of BioCreative V", "57.03", "It found the mentions itself."),
             ("All systems of BioCreative V combined", "62.80", "They found the mentions themselves."))
TEST_DOCUMENTS, TEST_RELATIONS = 500, 1066
SOURCE = ("Wei et al. 2016, Database, baw032", "https://doi.org/10.1093/database/baw032")


def make_report(result, record, predictions, scores, head):
    """The report of a test, and its plots: (HTML, {name: PNG}).

    Parameters
    ----------
    result : paths.ResultFolder
    record : dict, what run.json holds, from `results.as_tested`.
    predictions : predictions.PairPredictions
    scores : dict, what scores.json holds.
    head : headline.Headline
    """
    drawn = Drawn()
    confidence, right = predictions.confidences(), predictions.gold == predictions.predicted
    calibration = analysis.calibration(confidence, right)
    sections = [
        ("scores", "Scores", _headline_section(drawn, head)),
        ("published", "Published scores", _published_section(head, int(predictions.gold.sum()))),
        ("labels", "Labels", labels_section(drawn, scores, SCHEMES, "Precision, recall and F1 of each label, every pair by itself. "
                                            "Label 1: the abstract says that the chemical induces the disease.", WORDS)),
        ("confusion", "Confusion", confusion_section(drawn, scores, SCHEMES)),
        ("curves", "Training", curves_section(drawn, result, record, WORDS)),
        ("calibration", "Calibration", calibration_section(drawn, SCHEMES, ("two",), [calibration], WORDS)),
        ("errors", "Confident errors", errors_section(
            drawn, confidence, right, ["abstract", "pair", "chemical", "disease", "gold", "predicted", "confidence, %"],
            _confident_errors(predictions), WORDS)),
        ("settings", "Settings", settings_section(record)),
    ]
    return assemble(drawn, "BERT-CNN on chemical-disease relations", opening(head, record, WORDS), sections, FOOTER)


def _headline_section(drawn, head):
    main = [("pairs.accuracy", "accuracy"), ("pairs.labels.1.f1", "F1 of label 1")]
    if CID in head.answers:
        main.append(("cid.f1", "F1 of the relations found"))
        about = ("Every pair of a chemical and a disease of an abstract is asked about: the pairs are scored one by one, and the "
                 "relations found as BioCreative V counts them, each once in its abstract.")
    else:
        about = ("The pairs that are no relation are a sample, about as many as there are relations, drawn knowing which these are "
                 "(as upstream draws them).")
    return headline_section(drawn, head, main, WORDS, about, head.about)


def _published_section(head, relations):
    """relations : how many of the tested pairs are one."""
    if (head.documents, relations) != (TEST_DOCUMENTS, TEST_RELATIONS):
        return page.note(f"This run was tested on {head.documents} abstracts with {relations:,} relations. They are not BC5CDR's "
                         f"test set ({TEST_DOCUMENTS} with {TEST_RELATIONS:,}), so no published score is comparable with this "
                         "run's, and none is shown.")
    if CID not in head.answers:
        return page.note("Published scores are those of the relations found among all pairs of an abstract. None is comparable "
                         "with scores on a sample of the pairs, and none is shown; --set negatives=all asks about all of them.")
    interval = head.intervals["cid.f1"]
    rows = [["This run", percent(interval.value), "The annotated mentions are given.", ""],
            ["Every pair a relation", percent(head.baseline["cid.f1"]), "The annotated mentions are given.", ""]]
    rows += [[system, figure, remark, page.link(*SOURCE)] for system, figure, remark in PUBLISHED]
    text = page.paragraph("F1 of the relations found. This run is given the annotated mentions, which makes the task easier than "
                          "the challenge's was.")
    return text + page.table("F1 of the relations found, in per cent", ["system", "F1", "mentions", "source"], rows, numbers=(1,))


def _confident_errors(predictions):
    """Rows of the table of the wrong predictions that had the highest probability, highest first."""
    confidence = predictions.confidences()
    wrong = np.flatnonzero(predictions.gold != predictions.predicted)
    chosen = wrong[np.argsort(-confidence[wrong], kind="mergesort")][:MOST_ERRORS]
    return [[predictions.documents[row], predictions.relations[row], predictions.chemicals[row], predictions.diseases[row],
             LABELS[predictions.gold[row]], LABELS[predictions.predicted[row]], percent(confidence[row])] for row in chosen]
