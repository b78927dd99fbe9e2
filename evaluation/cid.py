"""Document-level scores of CID (chemical-induced disease) relations, as the BioCreative V CDR task counts them.

What is compared are (document, chemical, disease) triples, chemical and disease as MeSH ids: wherever a document says it, and
however often, a relation counts once. The task: Wei et al. 2016, Database, baw032.
"""


def gold_relations(documents):
    """The annotated relations of some data_process_BC5CDR.Document: set of (document, chemical, disease)."""
    return {(document.id, chemical, disease) for document in documents for chemical, disease in document.relations}


def predicted_relations(examples, predicted):
    """The pairs that were taken for relations.

    Parameters
    ----------
    examples : sequence of data_process_BC5CDR.Example, or of anything with `document`, `chemical` and `disease`
    predicted : sequence of "0" and "1", in the same order

    Returns
    -------
    set of (document, chemical, disease)

    Raises
    ------
    ValueError : the two lengths differ.
    """
    examples, predicted = list(examples), list(predicted)
    if len(examples) != len(predicted):
        raise ValueError(f"{len(examples)} examples but {len(predicted)} predicted labels")
    return {(example.document, example.chemical, example.disease) for example, label in zip(examples, predicted) if label == "1"}


def cid_scores(gold, predicted):
    """Precision, recall and F1 over all documents together; a quotient without cases is 0.

    Parameters
    ----------
    gold, predicted : iterables of (document, chemical, disease); a triple that occurs again counts once.

    Returns
    -------
    dict : "precision", "recall", "f1"
    """
    gold, predicted = set(gold), set(predicted)
    found = len(gold & predicted)
    precision = found / len(predicted) if predicted else 0.0
    recall = found / len(gold) if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if found else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
