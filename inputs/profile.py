"""What a corpus holds, in counts, and what is published of i2b2 2012 to compare it with.

The corpus may not be passed on, so that what its users have is known by counts alone: of the paper that describes it (Sun,
Rumshisky, Uzuner 2013, Annotating temporal information in clinical narratives), and of the outputs of public loaders. Where the
counts of a folder differ from these, it is often one of the other releases and copies that go about. Nothing of a note is in a
profile.
"""
from collections import Counter

from inputs import section_times
from inputs.labels import LABELS, MERGED_LABELS, merge
from support import paths

TITLES = {"train": "training documents", "test": "test documents"}

# Documents that publications and public code name; the second are those of training that a published split holds out.
ILL_FORMED = {"train": ("23", "143", "152", "272", "382", "422", "547", "807"), "test": ("53", "397", "527", "627", "687", "802")}
OFTEN_HELD_OUT = ("86", "156", "203", "256", "318", "417", "473", "637", "681")
NAMED = {"train": ILL_FORMED["train"] + OFTEN_HELD_OUT + (
             "36", "47", "68", "78", "107", "121", "191", "212", "218", "267", "301", "333", "367", "408", "436", "472", "492",
             "517", "526", "541", "577", "581", "596", "602", "631", "666", "751", "756", "757"),
         "test": ILL_FORMED["test"] + ("21", "31", "222", "276", "781")}

REPAIRED = "files with a raw & in a tag, repaired"
UNTYPED = "TLINK without a type"
# Links are counted by kind and merged type where they have a type.
PUBLISHED = {
    "train": {"documents": 190, "EVENT": 16468, "TIMEX3": 2366, "TLINK": 33781, UNTYPED: 76, "merged BEFORE": 17629,
              "merged AFTER": 3223, "merged OVERLAP": 12839, section_times.SECTION: 16055, REPAIRED: 8},
    "test": {"documents": 120, "EVENT": 13594, "TIMEX3": 1820, "TLINK": 27736, UNTYPED: 0, "merged BEFORE": 15113,
             "merged AFTER": 2729, "merged OVERLAP": 9893, section_times.SECTION: 13317, section_times.EVENT_EVENT: 11752,
             section_times.EVENT_TIME: 2452, section_times.TIME_TIME: 214, REPAIRED: 6}}
# Publications differ by 14 of 33,781 links among themselves, as one counts repeated ids and another does not.
TOLERANCE, LEAST_TOLERANCE = 0.002, 3
# With fewer of the NAMED documents, or more documents than this, it is another corpus that names its notes by numbers.
SHARE_OF_NAMED, MOST_DOCUMENTS = 0.5, 1.5

# The attributes that take one of a few words, which the guidelines write in capitals.
CLOSED_CLASS = {"EVENT": ("type", "modality", "polarity"), "TIMEX3": ("type", "mod"), "SECTIME": ("type",)}


# --------------------------------------------------------------------------------------------------- counting

def of_splits(train, test):
    """The profile of a corpus from its two data_process_i2b2.Split: {"train": counts, "test": counts}."""
    return {"train": counts(train.documents), "test": counts(test.documents)}


def names_of(train, test):
    """The names of its documents: {"train": list of str, "test": list of str}."""
    return {"train": [document.name for document in train.documents], "test": [document.name for document in test.documents]}


def counts(documents):
    """What some documents hold: {what: int}, every one of the names, also where the count is 0, in the order to show.

    documents : list of data_process_i2b2.Document.
    """
    found = Counter()
    for document in documents:
        found.update(counts_of(document))
    return {name: found[name] for name in NAMES}


def counts_of(document):
    """What one document holds: Counter over NAMES."""
    found = Counter(["documents"])
    found.update(mention.tag for mention in document.mentions)
    found["TLINK"] = len(document.tlinks)
    found.update(_slips(document))
    found.update(_repeated_ids(document))
    tags = {mention.id: mention.tag for mention in document.mentions}
    for tlink in document.tlinks:
        if tlink.type:
            found.update((f"TLINK {tlink.type}", f"merged {merge(tlink.type)}",
                          section_times.kind(tlink.id, tlink.from_id, tlink.to_id, tags)))
        else:
            found[UNTYPED] += 1
        found.update(name for end in (tlink.from_id, tlink.to_id) if end not in tags for name in [_no_tag(end)])
        found["TLINK from a mention to itself"] += tlink.from_id == tlink.to_id
        if tlink.id.lower().startswith(section_times.LINK_PREFIX):
            prefix = tlink.id[:len(section_times.LINK_PREFIX)]
            found[f"id {prefix}..." if prefix in SECTION_IDS else "id sectime... in another spelling"] += 1
    return found


def _no_tag(end):
    """What the end of a link is called that is no mention's id."""
    literal = section_times.literal_type(end)
    return f"end {literal.capitalize()}, no id" if literal else "end that no tag has"


def _slips(document):
    """What is missing in a document, or written otherwise than the guidelines have it."""
    for mention in document.mentions:
        if not mention.type.strip():
            yield f"{mention.tag} without a type"
        if any(value != value.strip().upper() for value in
               (mention.attributes.get(name, "") for name in CLOSED_CLASS[mention.tag])):
            yield f"{mention.tag} with a value not in capitals"
    sectimes = sum(mention.tag == "SECTIME" for mention in document.mentions)
    if sectimes < 2:
        yield ("documents without a SECTIME", "documents with one SECTIME")[sectimes]
    if document.slips.stray_ampersand:
        yield REPAIRED
    if document.slips.crlf:
        yield "files with Windows line ends"
    for _ in range(document.slips.types_respelled):
        yield "TLINK with a type not in capitals"


def _repeated_ids(document):
    """How many tags have an id that one of their kind has before them in the document: Counter."""
    ids = Counter((mention.tag, mention.id) for mention in document.mentions)
    ids.update(("TLINK", tlink.id) for tlink in document.tlinks)
    found = Counter()
    for (tag, _), count in ids.items():
        found[f"{tag} with a repeated id"] += count - 1
    return found


SECTION_IDS = ("SECTIME", "Sectime")
TAGS = ("EVENT", "TIMEX3", "SECTIME", "TLINK")
NAMES = (("documents",) + TAGS + tuple(f"TLINK {label}" for label in LABELS) + (UNTYPED,)
         + tuple(f"merged {label}" for label in MERGED_LABELS) + section_times.KINDS
         + tuple(f"id {prefix}..." for prefix in SECTION_IDS) + ("id sectime... in another spelling",)
         + tuple(f"end {kind.capitalize()}, no id" for kind in section_times.TYPES) + ("end that no tag has",)
         + ("TLINK from a mention to itself",)
         + tuple(f"{tag} with a repeated id" for tag in TAGS) + tuple(f"{tag} without a type" for tag in TAGS[:3])
         + tuple(f"{tag} with a value not in capitals" for tag in TAGS[:3]) + ("TLINK with a type not in capitals",)
         + ("documents without a SECTIME", "documents with one SECTIME", REPAIRED, "files with Windows line ends"))


# -------------------------------------------------------------------------------------------------- comparing

def is_i2b2(names):
    """Whether documents are those of i2b2 2012, or most of them, by their names.

    names : from `names_of`.
    """
    here, published = set(names["train"]) | set(names["test"]), sum(PUBLISHED[split]["documents"] for split in TITLES)
    named = set(NAMED["train"]) | set(NAMED["test"])
    return len(named & here) >= SHARE_OF_NAMED * len(named) and len(here) <= MOST_DOCUMENTS * published


def verdict(profile, names, test_gold="merged"):
    """Sentences that say whether a corpus is i2b2 2012 as published, and what it may be where it is not.

    Parameters
    ----------
    profile : from `of_splits`.
    names : from `names_of`.
    test_gold : one of paths.TEST_GOLD, the test documents that were read.
    """
    if not is_i2b2(names):
        return ["by the names of its documents this corpus is not i2b2 2012; its counts are compared with nothing"]
    found = []
    for split, title in TITLES.items():
        differing = differences(profile[split], PUBLISHED[split])
        found.append(f"{title}: " + (f"differ from what is published: {', '.join(differing)}" if differing else "as published"))
        found += [f"{title}: {reason}" for reason in reasons(split, profile[split], set(names[split]), test_gold)]
    return found


def differences(counted, published):
    """"EVENT 16,400 (16,468)" for each count that is not as published; of the documents' number alone where it differs."""
    differing = [f"{name} {counted[name]:,} ({count:,})" for name, count in published.items()
                 if abs(counted[name] - count) > (0 if name == "documents" else max(LEAST_TOLERANCE, TOLERANCE * count))]
    return differing[:1] if counted["documents"] != published["documents"] else differing


def reasons(split, counted, names, test_gold):
    """What a difference may come from: list of sentences.

    Parameters
    ----------
    split : "train" or "test"
    counted : its counts.
    names : set of str, its documents.
    test_gold : as for `verdict`.
    """
    other = "test" if split == "train" else "train"
    strangers = names & set(NAMED[other])
    if strangers:
        return [f"{len(strangers)} of them are known as {TITLES[other]} ({_some(strangers)}); unpack the archives anew"]
    found = []
    ill_formed = set(ILL_FORMED[split])
    if split == "train" and not names & set(OFTEN_HELD_OUT):
        found.append(f"the {len(OFTEN_HELD_OUT)} that a published split keeps for development are not there "
                     f"({_some(OFTEN_HELD_OUT)}); the whole release has them")
    if ill_formed - names:
        found.append(f"{len(ill_formed - names)} of the {len(ill_formed)} that are not well-formed XML are not there "
                     f"({_some(ill_formed - names)}); some programs leave them out, this one reads them")
    if counted[REPAIRED] < len(ill_formed & names):
        found.append(f"{len(ill_formed & names) - counted[REPAIRED]} files that are not well-formed XML in the release are "
                     "well-formed here; another program has rewritten them, perhaps with a loss of words")
    merged_alone = counted["TLINK"] > 0 and not any(counted[f"TLINK {label}"] for label in LABELS if label not in MERGED_LABELS)
    if split == "train" and merged_alone:
        found.append(f"no type but {', '.join(MERGED_LABELS)}: these are merged files; upstream trains on all eight types, those "
                     f"of {paths.TRAIN_XML}")
    if split == "test" and merged_alone != (test_gold == "merged"):
        types, gold = ("three", "merged") if merged_alone else ("all eight", "unmerged")
        found.append(f"{paths.TEST_GOLD[test_gold]} holds {types} types, as {paths.TEST_GOLD[gold]} should; unpack the archive "
                     "anew")
    return found


def _some(names, most=5):
    """The first of some documents' names, by number."""
    ordered = sorted(names, key=lambda name: (len(name), name))
    return ", ".join(ordered[:most]) + (", ..." if len(ordered) > most else "")


def table(profile, with_published):
    """A profile as a table for a terminal: (header, rows), lists of str; what does not occur at all has no row.

    profile : from `of_splits`.
    with_published : whether the published counts stand beside; a dash where none are known.
    """
    header = [""] + [cell for split in TITLES for cell in [split, "published"][:1 + with_published]]
    rows = []
    for name in NAMES:
        if any(counted[name] or PUBLISHED[split].get(name) and with_published for split, counted in profile.items()):
            cells = [[f"{profile[split][name]:,}", f"{PUBLISHED[split][name]:,}" if name in PUBLISHED[split] else "-"]
                     for split in TITLES]
            rows.append([name] + [cell for pair in cells for cell in pair[:1 + with_published]])
    return header, rows
