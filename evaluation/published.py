"""Published results on the i2b2 2012 TLINKs, each read at its source, to stand beside a run's."""
from typing import NamedTuple

from inputs.labels import MERGED_LABELS

# What distinguishes the challenge's test set; the published results are on it.
TEST_TLINKS = 27735
TEST_DOCUMENTS = 120
TEST_LABELS = {"BEFORE": 15113, "OVERLAP": 9893, "AFTER": 2729}
# Readers of the corpus differ by a few links (repeated ids, empty types), so each count may be off by this share.
TOLERANCE = 0.01


class Published(NamedTuple):
    """A result somebody reported."""
    system: str
    source: str
    address: str
    data: str
    scoring: str    # what was computed, as far as the source says
    figures: str    # in per cent
    ours: tuple     # keys of bootstrap.SCORES that are computed the same way, in the order of `figures`
    remark: str
    other_rule: bool = False  # scored on other links than ours, so that it is marked where it stands beside a run's


FOUND_LINKS = "Same score. The systems also chose which mentions to link."
OTHER_LINKS = "Another rule: on 11,200 pairs of the test set."
PUBLISHED = (Published("BERT-CNN (Chen, Wu, Li 2019)", "Database 2019, baz116",
                       "https://doi.org/10.1093/database/baz116", "i2b2 2012",
                       "F1, as a gain over their 1-D CNN", "+38.5", (),
                       "The abstract gives the gain alone. For the absolute scores see the paper's tables."),
             Published("MedTem BERT-CNN (Tu, Han, Nenadic 2023)", "arXiv 2310.02229, table XII",
                       "https://arxiv.org/abs/2310.02229", "3 labels, 11,200 pairs",
                       "per link: F1 of AFTER / OVERLAP / BEFORE", "40.5 / 71.9 / 82.6",
                       ("merged.labels.AFTER.f1", "merged.labels.OVERLAP.f1", "merged.labels.BEFORE.f1"),
                       OTHER_LINKS, True),
             Published("MedTem BERT-CNN (Tu, Han, Nenadic 2023)", "arXiv 2310.02229, table XII",
                       "https://arxiv.org/abs/2310.02229", "3 labels, 11,200 pairs",
                       "per link: macro F1 / weighted F1 / accuracy", "65.0 / 74.5 / 73.3",
                       ("merged.macro.f1", "merged.weighted.f1", "merged.accuracy"),
                       OTHER_LINKS, True),
             Published("Typed markers and context, BERT-base (Cheng, Weiss 2023)", "PMC10929572",
                       "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC10929572/",
                       "3 labels, 27,735 TLINKs, gold entities", "temporal closure: F1", "83.5",
                       ("tempeval.f1", ), "Same links, same score."),
             Published("GatorTron-base, hard prompts (He et al. 2024)", "arXiv 2412.04512",
                       "https://arxiv.org/abs/2412.04512", "i2b2 2012", "F1, definition not stated", "89.5",
                       (), "Quotes 85.7 as the best before it."),
             Published("CTRL-PG (Zhou et al. 2021)", "arXiv 2012.08790", "https://arxiv.org/abs/2012.08790",
                       "3 labels, BERT", "temporal closure (tempeval): F1", "see the paper",
                       ("tempeval.f1", ), ""),
             Published("Best system of the challenge (Tang et al. 2013)", "JAMIA 20(5):828, abstract", "",
                       "gold entities", "the challenge's F", "69.32", ("tempeval.f1", ),
                       FOUND_LINKS + " 69.43 after the challenge."),
             Published("NRC (Cherry et al. 2013)", "PMC3756270, abstract",
                       "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC3756270/",
                       "gold entities", "the challenge's F", "69.24", ("tempeval.f1", ),
                       FOUND_LINKS + " 69.54 after the challenge."),
             )

# For the picture: (how it is scored, who, key of this run's score, None, ...) and (..., None, published score, whether by
# another rule).
CLOSURE, MACRO, ACCURACY = ("Temporal closure F1", "Three labels, per link: macro F1", "Three labels, per link: accuracy")
BESIDE = (
    (CLOSURE, "this run", "tempeval.f1", None, False),
    (CLOSURE, "Cheng, Weiss 2023", None, 0.835, False),
    (CLOSURE, "Tang et al. 2013", None, 0.6932, False),
    (CLOSURE, "Cherry et al. 2013", None, 0.6924, False),
    (MACRO, "this run", "merged.macro.f1", None, False),
    (MACRO, "Tu, Han, Nenadic 2023", None, 0.650, True),
    (ACCURACY, "this run", "merged.accuracy", None, False),
    (ACCURACY, "Tu, Han, Nenadic 2023", None, 0.733, True),
)


def are_comparable(documents, merged_gold):
    """Whether tested documents are the challenge's 120 test notes, so that published results may stand beside a run's.

    The notes cannot be named here, as they are licensed. Their number and how often each label occurs tell them apart.

    Parameters
    ----------
    documents : int, how many were tested.
    merged_gold : list or int [rows], gold labels of the tested TLINKs as indices into MERGED_LABELS.
    """
    counts = [list(merged_gold).count(number) for number in range(len(MERGED_LABELS))]
    return documents == TEST_DOCUMENTS and all(abs(count - TEST_LABELS[label]) <= TOLERANCE * TEST_LABELS[label]
                                               for label, count in zip(MERGED_LABELS, counts))
