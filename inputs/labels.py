"""The eight TLINK types, and the three the 2012 challenge scored."""

# The order is that of the classifier's outputs, of the confusion matrix and of every table.
LABELS = ("ENDED_BY", "BEFORE_OVERLAP", "BEFORE", "BEGUN_BY", "DURING", "OVERLAP", "AFTER", "SIMULTANEOUS")

MERGED_LABELS = ("BEFORE", "AFTER", "OVERLAP")

# The merging of the 2012 i2b2 challenge (Sun, Rumshisky, Uzuner 2013).
MERGE = {
    "ENDED_BY": "BEFORE",
    "BEFORE_OVERLAP": "BEFORE",
    "BEFORE": "BEFORE",
    "BEGUN_BY": "AFTER",
    "DURING": "OVERLAP",
    "OVERLAP": "OVERLAP",
    "AFTER": "AFTER",
    "SIMULTANEOUS": "OVERLAP",
}


def are_merged(labels):
    """Whether labels, each one of `LABELS`, are no others than the three of `MERGED_LABELS`, as in the challenge's gold."""
    return set(labels) <= set(MERGED_LABELS)


def merge(label):
    """Return the one of `MERGED_LABELS` that `label`, one of `LABELS`, counts as; KeyError for any other."""
    return MERGE[label]
