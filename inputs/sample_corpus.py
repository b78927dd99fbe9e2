"""A synthetic corpus in the i2b2 2012 layout, and a tiny BERT for it: what `run_i2b2.py demo` runs on.

`python3 -m inputs.sample_corpus` writes `corpus/sample/` anew, to the byte as it is in the repository. Every patient
is invented: the sentences are in `sample_phrases.py`, what is drawn for a patient depends on the document's
number alone.

Each mention lies on the patient's timeline (`SPANS`) and the type of a TLINK follows from the places of its
two ends (`relation`), so the links of a document, merged to BEFORE, OVERLAP and AFTER, never contradict each
other.
"""
import argparse
import collections
import datetime
import json
import os
import random
import re
import string
import tempfile
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from inputs import sample_phrases as phrases
from support.files import write_atomically
from support.main import run_main
from support.paths import SAMPLE_BERT, SAMPLE_CORPUS, BertFolder, CorpusFolder

TRAIN_DOCUMENTS = tuple(str(number) for number in range(9001, 9031))
TEST_DOCUMENTS = tuple(str(number) for number in range(9501, 9511))

# The letter before a mention's text in sample_phrases -> its tag and type.
KINDS = {"P": ("EVENT", "PROBLEM"), "R": ("EVENT", "TREATMENT"), "T": ("EVENT", "TEST"),
         "C": ("EVENT", "CLINICAL_DEPT"), "V": ("EVENT", "EVIDENTIAL"), "O": ("EVENT", "OCCURRENCE"),
         "D": ("TIMEX3", "DATE"), "U": ("TIMEX3", "DURATION"), "F": ("TIMEX3", "FREQUENCY")}
MARKED = re.compile(r"\[(?P<code>[A-Z]) (?P<text>[^\[\]@]+)"
                    r"@(?P<span>\w+)(?:#(?P<identity>\w+))?(?P<flag>[!?]?)\]")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
           "twelve")


class Span(NamedTuple):
    """Where a mention lies on the timeline, in moments (numbers that only order them; 5 is admission)."""
    start: float
    until: float
    course: bool = False    # begins with, hence in the order of the links just after, the moment it starts in
    holds: bool = False     # a stretch of time that the events of its moment fall in


def moment(number):
    """The span of something that begins and ends in one moment."""
    return Span(number, number)


ADMISSION, FIRST_DAY, DISCHARGE = 5, 6, 90
COURSE_DAYS = 3         # how long "course_1_3" lasts
SPANS = {
    "chronic": Span(0, 99), "past": moment(1), "home_drugs": Span(2, 5.5),
    "home": moment(3), "home_span": Span(3, ADMISSION, holds=True), "home_open": Span(3, 5.5),
    "home_lasting": Span(3, 11), "illness": Span(3, 89), "home_late": moment(3.5),
    "ed": moment(4), "adm": moment(ADMISSION), "stay": Span(ADMISSION, DISCHARGE, course=True),
    "day1": moment(FIRST_DAY), "day1_span": Span(FIRST_DAY, FIRST_DAY, holds=True),
    "course_1_3": Span(FIRST_DAY, 9, course=True),
    "day2": moment(7), "day2_late": moment(8), "day3": moment(9), "day3_late": moment(10),
    "late": moment(11), "late_span": Span(11, 11, holds=True),
    "dis": moment(DISCHARGE), "after": moment(91),
}


class Mention(NamedTuple):
    """A marked piece of the note; `start`, `end`: 1-based offsets, `end` exclusive; `line` counts from 0."""
    id: str
    tag: str
    type: str
    text: str
    start: int
    end: int
    line: int
    span: Span
    identity: str
    flag: str
    value: str


def relation(source, target):
    """The type of the TLINK from one mention to another, or None where only the other direction has a type.

    Merged to BEFORE, OVERLAP and AFTER the types follow the order of (start, course): they are consistent.

    Parameters
    ----------
    source, target : Mention
    """
    one, other = source.span, target.span
    rank, other_rank = (one.start, one.course), (other.start, other.course)
    if rank == other_rank:
        if source.identity and source.identity == target.identity:
            return "SIMULTANEOUS"
        if one.holds == other.holds:
            return "OVERLAP"
        outer, inner = (other, one) if other.holds else (one, other)
        if inner.until > outer.until:
            return "OVERLAP"
        return "DURING" if outer is other else None
    if rank < other_rank:
        if one.start == other.start:
            return None
        if one.until == other.start and not other.course:
            return "ENDED_BY"
        return "BEFORE_OVERLAP" if one.until > other.start else "BEFORE"
    if one.start == other.start:
        return "BEGUN_BY" if other.until == other.start else None
    return "AFTER" if other.until < one.start else None


def documents(names):
    """The documents of these names (numbers in figures), in order: list of (name, XML text)."""
    training = set(TRAIN_DOCUMENTS)
    return [(name, document_xml(int(name), mixed_case=name in training)) for name in names]


def write_corpus(folder):
    """Write the 30 training and 10 test documents below `folder`."""
    corpus = CorpusFolder(folder)
    for subfolder, names in ((corpus.train_xml, TRAIN_DOCUMENTS), (corpus.test_xml, TEST_DOCUMENTS)):
        for name, xml in documents(names):
            write_atomically(os.path.join(subfolder, name + ".xml"), xml)


def document_xml(seed, mixed_case):
    """One document as i2b2 XML.

    Parameters
    ----------
    seed : int, the document's number.
    mixed_case : bool, leave some TLINK types not in capitals, as in the real training set.
    """
    rng = random.Random(seed)
    # The illnesses take turns, so that the training documents have each of them.
    text, mentions = write_note(rng, phrases.SCENARIOS[seed % len(phrases.SCENARIOS)])
    links = choose_links(rng, mentions)
    return to_xml(rng, text, mentions, links, mixed_case)


# The patient and the note

def draw_patient(rng, scenario):
    """Draw what the sentences say of one patient with the illness `scenario` (of sample_phrases.SCENARIOS).

    Returns
    -------
    fields : dict, the words in braces of sample_phrases.
    values : dict, text of a time expression -> its normalized value.
    """
    sex, title, he, his = rng.choice((("woman", "Ms.", "she", "her"), ("man", "Mr.", "he", "his")))
    admission = datetime.date(rng.randint(2001, 2011), rng.randint(1, 12), rng.randint(1, 28))
    span, stay = rng.randint(2, 6), rng.randint(6, 12)
    days = [admission + datetime.timedelta(days=count) for count in range(stay + 1)]
    home = admission - datetime.timedelta(days=span)
    chronic = rng.sample([item for item in phrases.CHRONIC if sex == "man" or "prostatic" not in item[0]], 2)
    # The first symptom ends at home or is still there on arrival; the second ends at home or during the stay.
    home_1 = "home" if rng.random() < 0.25 else "home_open"
    home_2 = "home" if rng.random() < 0.25 else "home_lasting"
    symptoms = mostly_in_order(rng, scenario["symptoms"])[:3]
    tests, early = mostly_in_order(rng, scenario["tests"]), mostly_in_order(rng, scenario["early"])
    signs, negatives = rng.sample(scenario["signs"], 2), rng.sample(
        [item for item in phrases.NEGATIVES if not any(item in symptom for symptom in symptoms)], 2)
    surgery_year, weeks = str(admission.year - rng.randint(4, 25)), rng.randint(2, 5)
    frequencies = rng.sample(("daily", "twice a day", "at bedtime", "every eight hours"), 2)
    rest, rest_value = (NUMBERS[stay - 5], f"P{stay - 5}D") if stay > 6 else ("few", "PXD")
    fields = {
        "age": rng.randint(24, 89), "sex": sex, "title": title, "name": rng.choice(phrases.SURNAMES),
        "he": he, "He": he.capitalize(), "his": his, "His": his.capitalize(),
        "doctor": rng.choice(phrases.DOCTORS), "service": scenario["service"],
        "SERVICE": scenario["service"].upper(), "diagnosis": scenario["diagnosis"],
        "clinic": scenario["clinic"], "course": scenario["course"],
        "procedure": scenario["procedure"][0], "team": scenario["procedure"][1],
        # In one note of five the stay brings a problem that other patients come with.
        "complication": rng.choice(scenario["complications"] * 2 + scenario["symptoms"][3:]),
        "late": scenario["late"], "surgery": rng.choice(phrases.OLD_SURGERY), "surgery_year": surgery_year,
        "home_1": home_1, "home_2": home_2, "outcome": rng.choice(phrases.OUTCOMES[home_1]),
        "lasting": rng.choice(phrases.LASTING if home_2 == "home_lasting" else phrases.BRIEF),
        "when_1": rng.choice(("ed", "ed", "ed", "adm")), "when_2": rng.choice(("day1", "day2")),
        "when_3": rng.choice(("day3_late", "late")),
        "span": f"{NUMBERS[span]} days", "ago": f"{NUMBERS[span]} days prior to admission",
        "admission": slashed(admission), "discharge": slashed(days[-1]), "home_date": slashed(home),
        "day2": slashed(days[2]), "day3": slashed(days[3]), "late_day": slashed(days[-2]),
        "course_days": NUMBERS[COURSE_DAYS], "rest": rest, "stay": NUMBERS[stay], "weeks": NUMBERS[weeks],
        "temperature": f"{rng.randint(362, 394) / 10:.1f}", "pulse": rng.randint(62, 124),
        "pressure": f"{rng.randint(92, 178)}/{rng.randint(48, 96)}",
        "white": f"{rng.randint(48, 189) / 10:.1f}", "creatinine": f"{rng.randint(6, 24) / 10:.1f}",
        "leave_drug_1": chronic[0][1], "leave_drug_2": scenario["late"] if rng.random() < 0.3 else "Docusate",
    }
    numbered = {
        "symptom": symptoms, "early": early, "sign": signs, "negative": negatives, "frequency": frequencies,
        "test": [test for test, _ in tests], "finding": [finding for _, finding in tests],
        "chronic": [illness for illness, _, _ in chronic], "home_drug": [drug for _, drug, _ in chronic],
        "dose": [dose for _, _, dose in chronic],
    }
    for name, items in numbered.items():
        fields.update({f"{name}_{number}": item for number, item in enumerate(items, 1)})
    for name in ("test_2", "test_3", "chronic_1", "chronic_2", "course"):
        fields[name.capitalize()] = fields[name][0].upper() + fields[name][1:]
    fields["symptom_1_short"] = re.sub("^an? ", "", fields["symptom_1"])

    values = {f"{NUMBERS[count]} days": f"P{count}D" for count in range(2, len(NUMBERS))}
    values.update({slashed(day): day.isoformat() for day in [home] + days})
    values.update({
        fields["ago"]: home.isoformat(), "the next day": (home + datetime.timedelta(days=1)).isoformat(),
        "the morning of admission": admission.isoformat() + "TMO", "hospital day two": days[1].isoformat(),
        f"{NUMBERS[weeks]} weeks": (days[-1] + datetime.timedelta(weeks=weeks)).isoformat(),
        surgery_year: surgery_year, "the first 24 hours": "PT24H",
        f"the following {rest} days": rest_value, f"the final {rest} days": rest_value,
        "daily": "RP24H", "twice a day": "RP12H", "at bedtime": "RP24H", "every eight hours": "RP8H",
    })
    return fields, values


def mostly_in_order(rng, items):
    """A list of the items, shuffled one time in five: their order is typical of an illness, not certain."""
    return rng.sample(items, len(items)) if rng.random() < 0.2 else list(items)


def slashed(day):
    """A date as the notes write it, MM/DD/YYYY."""
    return f"{day:%m/%d/%Y}"


def note_lines(rng):
    """The marked lines of a note, one variant drawn of each group; words in braces not yet filled in."""
    lines = ["[O Admission@adm#admission] Date :", "[D {admission}@adm#admission]",
             "[O Discharge@dis#discharge] Date :", "[D {discharge}@dis#discharge]", "Service :", "{SERVICE}"]
    for heading, groups in phrases.SECTIONS:
        if heading in phrases.OPTIONAL and rng.random() < 0.35:
            continue
        lines.append(heading)
        lines.extend(filter(None, [rng.choice(variants) for variants in groups]))
    return lines + ["Dictated by : Dr. {doctor} ( invented , as is the patient )"]


def write_note(rng, scenario):
    """Draw one note about the illness `scenario`.

    Returns
    -------
    text : str, the note without the line break that follows `<![CDATA[`.
    mentions : list of Mention in order of the text, the section times last.
    """
    fields, values = draw_patient(rng, scenario)
    plain, length, found, counts = [], 0, [], collections.Counter()
    for number, template in enumerate(note_lines(rng)):
        # Twice: `{outcome}` and `{lasting}` stand for sentences with braces of their own.
        marked = template.format(**fields).format(**fields)
        line, position = "", 0
        for match in MARKED.finditer(marked):
            line += marked[position:match.start()]
            position = match.end()
            found.append(read_mark(match, length + len(line) + 1, number, values, counts))
            line += match.group("text")
        line += marked[position:]
        plain.append(line)
        length += len(line) + 1
    dates = [mention for mention in found if mention.tag == "TIMEX3" and mention.line in (1, 3)]
    sections = [mention._replace(id=f"S{number}", tag="SECTIME", type=kind)
                for number, (mention, kind) in enumerate(zip(dates, ("ADMISSION", "DISCHARGE")))]
    return "\n".join(plain) + "\n", found + sections


def read_mark(match, start, line, values, counts):
    """The Mention of one `[CODE text@SPAN]`; `counts` numbers the ids of each tag."""
    tag, kind = KINDS[match.group("code")]
    text = match.group("text")
    value = values[text] if tag == "TIMEX3" else ""
    if kind == "DATE" and "T" in value:
        kind = "TIME"
    identifier = f"{tag[0]}{counts[tag]}"
    counts[tag] += 1
    return Mention(identifier, tag, kind, text, start, start + len(text), line, SPANS[match.group("span")],
                   match.group("identity") or "", match.group("flag"), value)


# The links

def choose_links(rng, mentions):
    """Draw the TLINKs of a document: list of (from Mention, to Mention, type, whether to a section time)."""
    body = [mention for mention in mentions if mention.tag != "SECTIME"]
    links = []
    for index, source in enumerate(body):
        for target in body[index + 1:]:
            label = relation(source, target)
            backwards = relation(target, source)
            if rng.random() >= chance(source, target, label, backwards):
                continue
            # Links mostly follow the text; where both ways have a type, some are told backwards.
            if label is None or (label != "SIMULTANEOUS" and backwards is not None and rng.random() < 0.05):
                links.append((target, source, backwards, False))
            else:
                links.append((source, target, label, False))
    return links + section_links(rng, mentions)


def chance(source, target, label, backwards):
    """How likely two mentions, in order of the text, are linked: the near ones and the telling ones."""
    labels = {label, backwards}
    distance = target.line - source.line
    if label == "SIMULTANEOUS":
        return 0.3 if target.line < 4 or distance == 0 else 0.17
    if distance > 1 or target.line < 4:
        return 0.0
    if labels & {"BEGUN_BY", "ENDED_BY"}:
        return 0.5 if distance == 0 else 0.01
    if "DURING" in labels:
        return 0.4 if distance == 0 else 0.0
    if distance == 0:
        return 0.05 if label == "OVERLAP" else 0.22
    return 0.01


def section_links(rng, mentions):
    """Links of events to admission and discharge: history to the first, the rest mostly to the second."""
    ends = {kind: [mention for mention in mentions if mention.identity == kind and
                   (mention.tag == "SECTIME" or mention.line < 4 and mention.tag == "EVENT")]
            for kind in ("admission", "discharge")}
    links = []
    for mention in mentions:
        if (mention.line < 4 or mention.tag == "SECTIME" or mention.type == "FREQUENCY"
                or mention.identity in ends):
            continue
        for kind in section_choice(rng, mention.span):
            target = ends[kind][rng.random() < 0.2]
            label = relation(mention, target)
            if label is not None:
                links.append((mention, target, label, True))
    return links


def section_choice(rng, span):
    """Which section times a mention is linked to: admission, discharge, both or neither."""
    if span == SPANS["stay"]:
        return [kind for kind in ("admission", "discharge") if rng.random() < 0.7]
    if rng.random() > (0.33 if span.until == span.start else 0.22):
        return []
    # What is told of the first day is mostly seen from the admission, what is told of later days from the
    # discharge.
    to_admission = 1.0 if span.start <= ADMISSION else 0.9 if span.start == FIRST_DAY else 0.04
    return ["admission" if rng.random() < to_admission else "discharge"]


# The file

def to_xml(rng, text, mentions, links, mixed_case):
    """The document as i2b2 XML, TLINKs of the text first, then those to section times."""
    lines = ['<?xml version="1.0" encoding="UTF-8" ?>', "<ClinicalNarrativeTemporalAnnotation>",
             f"<TEXT><![CDATA[\n{text}]]></TEXT>", "<TAGS>"]
    for wanted in ("EVENT", "TIMEX3", "SECTIME"):
        lines.extend(mention_tag(mention) for mention in mentions if mention.tag == wanted)
    for number, (source, target, label, is_section) in enumerate(links):
        if mixed_case and rng.random() < 0.12:
            label = rng.choice((label.lower(), label.title()))
        lines.append(tag("TLINK", id=f"{'SECTIME' if is_section else 'TL'}{number}", fromID=source.id,
                         fromText=source.text, toID=target.id, toText=target.text, type=label))
    return "\n".join(lines + ["</TAGS>", "</ClinicalNarrativeTemporalAnnotation>", ""])


def mention_tag(mention):
    """The EVENT, TIMEX3 or SECTIME element of a mention."""
    place = dict(id=mention.id, start=mention.start, end=mention.end, text=mention.text)
    if mention.tag == "EVENT":
        return tag("EVENT", modality="POSSIBLE" if mention.flag == "?" else "FACTUAL",
                   polarity="NEG" if mention.flag == "!" else "POS", type=mention.type, **place)
    if mention.tag == "TIMEX3":
        return tag("TIMEX3", type=mention.type, val=mention.value,
                   mod="APPROX" if mention.value == "PXD" else "NA", **place)
    return tag("SECTIME", type=mention.type, dvalue=mention.value, **place)


def tag(name, **attributes):
    """An empty XML element, its attributes in the order of the i2b2 release."""
    order = ("id", "start", "end", "text", "fromID", "fromText", "toID", "toText", "modality", "polarity",
             "type", "val", "mod", "dvalue")
    return "<" + " ".join([name] + [f"{key}={quoteattr(str(attributes[key]))}"
                                    for key in order if key in attributes]) + " />"


# The tiny BERT

TINY_CONFIG = {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 256, "max_position_embeddings": 512,
    "num_attention_heads": 2, "num_hidden_layers": 2, "type_vocab_size": 2,
}
MAX_PIECES = 2500


def toy_bert():
    """The folder of the sample corpus' BERT, made the first time."""
    if not os.path.isfile(BertFolder(SAMPLE_BERT).google_checkpoint + ".index"):
        make_tiny_bert(SAMPLE_BERT)
    return SAMPLE_BERT


def make_tiny_bert(folder, seed=0):
    """Write a small BERT with random weights, in the layout of Google's releases.

    Its vocabulary is learned from the sample corpus' training documents, nothing from the test documents.
    Writes `vocab.txt`, `bert_config.json` and `bert_model.ckpt.*`; needs TensorFlow.

    Parameters
    ----------
    folder : str or path, made where missing.
    seed : int, of the weights.
    """
    vocabulary = tiny_vocabulary([xml for _, xml in documents(TRAIN_DOCUMENTS)])
    config = dict(TINY_CONFIG, vocab_size=len(vocabulary))
    bert = BertFolder(folder)
    os.makedirs(bert.root, exist_ok=True)
    save_checkpoint(tiny_variables(config, seed), bert.google_checkpoint)
    write_atomically(bert.vocab, "\n".join(vocabulary) + "\n")
    write_atomically(bert.google_config, json.dumps(config, indent=2, sort_keys=True) + "\n")


def tiny_vocabulary(xmls):
    """The vocabulary: BERT's special pieces, single characters (alone and as `##` continuations), and the
    words that the notes of these documents have more than once, the commonest first; at most MAX_PIECES.
    """
    notes = [re.search(r"<!\[CDATA\[(.*?)\]\]>", xml, re.DOTALL).group(1) for xml in xmls]
    counts = collections.Counter(word for note in notes for word in re.findall(r"[^\W_]+", note))
    letters = string.digits + string.ascii_letters
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += list(string.punctuation) + list(letters) + ["##" + letter for letter in letters]
    known = set(pieces)
    words = sorted((word for word in counts if counts[word] > 1 and word not in known),
                   key=lambda word: (-counts[word], word))
    return pieces + words[:MAX_PIECES - len(pieces)]


def tiny_variables(config, seed):
    """Start values under the names of Google's checkpoints, drawn as BERT's: normal, cut at two deviations.

    Parameters
    ----------
    config : dict, the content of bert_config.json.
    seed : int

    Returns
    -------
    dict of name -> float32 array; `kernel`s are [inputs, outputs].
    """
    import numpy as np
    random_state = np.random.RandomState(seed)

    def normal(*shape):
        values = random_state.normal(size=shape)
        while (abs(values) > 2).any():
            outside = abs(values) > 2
            values[outside] = random_state.normal(size=outside.sum())
        return (values * config["initializer_range"]).astype(np.float32)

    width, variables = config["hidden_size"], {}

    def dense(name, inputs, outputs):
        variables[name + "/kernel"] = normal(inputs, outputs)
        variables[name + "/bias"] = np.zeros(outputs, np.float32)

    def layer_norm(name):
        variables[name + "/LayerNorm/gamma"] = np.ones(width, np.float32)
        variables[name + "/LayerNorm/beta"] = np.zeros(width, np.float32)

    for name, rows in (("word", "vocab_size"), ("token_type", "type_vocab_size"),
                       ("position", "max_position_embeddings")):
        variables[f"bert/embeddings/{name}_embeddings"] = normal(config[rows], width)
    layer_norm("bert/embeddings")
    for number in range(config["num_hidden_layers"]):
        layer = f"bert/encoder/layer_{number}"
        for part in ("query", "key", "value"):
            dense(f"{layer}/attention/self/{part}", width, width)
        dense(f"{layer}/attention/output/dense", width, width)
        layer_norm(f"{layer}/attention/output")
        dense(f"{layer}/intermediate/dense", width, config["intermediate_size"])
        dense(f"{layer}/output/dense", config["intermediate_size"], width)
        layer_norm(f"{layer}/output")
    dense("bert/pooler/dense", width, width)
    return variables


def save_checkpoint(variables, path):
    """Save arrays as a TensorFlow checkpoint, `path`.index and `path`.data-*.

    Without the text file `checkpoint`, which would hold the machine's own path.

    Parameters
    ----------
    variables : dict of name -> array.
    path : str, the checkpoint's prefix; its folder exists.
    """
    from network.runtime import session_config, tf
    folder, prefix = os.path.split(path)
    with tempfile.TemporaryDirectory(prefix=".tiny_bert.", dir=folder) as temporary:
        with tf.Graph().as_default(), tf.Session(config=session_config()) as session:
            # Fed rather than constants, so that the graph stays small.
            holders = {tf.placeholder(value.dtype, value.shape): value for value in variables.values()}
            targets = [tf.Variable(holder, name=name) for name, holder in zip(variables, holders)]
            session.run(tf.global_variables_initializer(), holders)
            tf.train.Saver(targets).save(session, os.path.join(temporary, prefix),
                                         write_meta_graph=False, write_state=False)
        # The data before the index: only what has an index is taken for a checkpoint.
        for name in sorted(os.listdir(temporary)):
            os.replace(os.path.join(temporary, name), os.path.join(folder, name))


def main():
    parser = argparse.ArgumentParser(description="Write the synthetic sample corpus: 30 training and 10 test "
                                                 "documents in the i2b2 layout.")
    parser.add_argument("--output", metavar="DIR", default=SAMPLE_CORPUS,
                        help="where to (default: corpus/sample)")
    arguments = parser.parse_args()
    write_corpus(arguments.output)
    print(f"{len(TRAIN_DOCUMENTS)} training and {len(TEST_DOCUMENTS)} test documents: {arguments.output}")


if __name__ == "__main__":
    run_main(main)
