"""Published figures on the i2b2 2012 TLINKs, each read at its source, to stand beside a run's."""
from typing import NamedTuple

# What distinguishes the challenge's test set; the published figures are on it.
TEST_TLINKS = 27735


class Published(NamedTuple):
    """A figure somebody reported."""
    system: str
    source: str
    address: str
    data: str
    scoring: str  # what was computed, as far as the source says
    figures: str  # in per cent
    ours: tuple   # keys of bootstrap.SCORES that are computed the same way, in the order of `figures`
    remark: str


PUBLISHED = (Published("BERT-CNN (Chen, Wu, Li 2019)", "Database 2019, baz116",
                       "https://doi.org/10.1093/database/baz116", "i2b2 2012",
                       "F1, as a gain over their 1-D CNN", "+38.5", (),
                       "The abstract gives the gain alone. For the absolute scores see the paper's tables."),
             Published("MedTem BERT-CNN (Tu, Han, Nenadic 2023)", "arXiv 2310.02229, table XII",
                       "https://arxiv.org/abs/2310.02229", "3 labels, 11,200 pairs",
                       "per link: F1 of AFTER / OVERLAP / BEFORE", "40.5 / 71.9 / 82.6",
                       ("merged.labels.AFTER.f1", "merged.labels.OVERLAP.f1", "merged.labels.BEFORE.f1"),
                       "On part of the test links."),
             Published("MedTem BERT-CNN (Tu, Han, Nenadic 2023)", "arXiv 2310.02229, table XII",
                       "https://arxiv.org/abs/2310.02229", "3 labels, 11,200 pairs",
                       "per link: macro F1 / weighted F1 / accuracy", "65.0 / 74.5 / 73.3",
                       ("merged.macro.f1", "merged.weighted.f1", "merged.accuracy"),
                       "On part of the test links."),
             Published("Typed markers and context, BERT-base (Cheng, Weiss 2023)", "PMC10929572",
                       "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC10929572/",
                       "3 labels, 27,735 TLINKs, gold entities", "temporal closure: F1", "83.5",
                       ("tempeval.f1", ), "Directly comparable."),
             Published("GatorTron-base, hard prompts (He et al. 2024)", "arXiv 2412.04512",
                       "https://arxiv.org/abs/2412.04512", "i2b2 2012", "F1, definition not stated", "89.5",
                       (), "Quotes 85.7 as the best before it."),
             Published("CTRL-PG (Zhou et al. 2021)", "arXiv 2012.08790", "https://arxiv.org/abs/2012.08790",
                       "3 labels, BERT", "temporal closure (tempeval): F1", "see the paper",
                       ("tempeval.f1", ), ""),
             Published("Best system of the challenge (D'Souza, Ng 2013)", "2012 i2b2 challenge", "",
                       "gold entities", "the challenge's F", "69.3", ("tempeval.f1", ),
                       "Comparable in scoring."),
             )

# For the figure: (how it is scored, who, key of this run's score, None) and (..., None, published figure).
BESIDE = (
    ("Temporal closure F1", "this run", "tempeval.f1", None),
    ("Temporal closure F1", "Cheng, Weiss 2023", None, 0.835),
    ("Temporal closure F1", "D'Souza, Ng 2013", None, 0.693),
    ("Three labels, per link: macro F1", "this run", "merged.macro.f1", None),
    ("Three labels, per link: macro F1", "Tu, Han, Nenadic 2023", None, 0.650),
    ("Three labels, per link: accuracy", "this run", "merged.accuracy", None),
    ("Three labels, per link: accuracy", "Tu, Han, Nenadic 2023", None, 0.733),
)
