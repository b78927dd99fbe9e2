"""A synthetic corpus in the i2b2 2012 layout: what `run_i2b2.py demo` runs on, with the BERT of `tiny_bert`.

`python3 -m inputs.sample_corpus` writes `corpus/sample/` anew, to the byte as it is in the repository. Every patient
is invented: the sentences are in `sample_phrases.py`, what is drawn for a patient depends on the document's
number alone. The corpus is written as the real one is, its slips included: `docs/sample.md` lists its habits,
`sample_habits.py` has the rare ones.

Each mention lies on the patient's timeline (`PERIODS`) and the type of a TLINK follows from the places of its
two ends (`relation`), so the links of a document, merged to BEFORE, OVERLAP and AFTER, never contradict each
other, unless its habit is that they do.
"""
import argparse
import collections
import datetime
import os
import random
import re
from typing import NamedTuple

from inputs import sample_phrases as phrases
from inputs.labels import merge
from inputs.sample_habits import HABITS, Draft, change
from support.errors import InputError
from support.files import write_atomically
from support.main import run_main
from support.paths import SAMPLE_CORPUS, CorpusFolder

# The numbers have gaps, and those of training and test documents interleave. The corpus' own end at 807.
TRAIN_DOCUMENTS = ("811", "817", "823", "824", "838", "846", "852", "869", "877", "881", "893", "904", "916", "925", "931",
                   "948", "957", "962", "974", "989", "996", "1003", "1008", "1017", "1026", "1034", "1041", "1059", "1066",
                   "1073")
TEST_DOCUMENTS = ("814", "842", "860", "898", "919", "953", "981", "1011", "1037", "1068")

# The letter before a mention's text in sample_phrases -> its tag and type.
KINDS = {"P": ("EVENT", "PROBLEM"), "R": ("EVENT", "TREATMENT"), "T": ("EVENT", "TEST"),
         "C": ("EVENT", "CLINICAL_DEPT"), "V": ("EVENT", "EVIDENTIAL"), "O": ("EVENT", "OCCURRENCE"),
         "D": ("TIMEX3", "DATE"), "U": ("TIMEX3", "DURATION"), "F": ("TIMEX3", "FREQUENCY")}
# The flag after it -> its polarity and modality.
FLAGS = {"": ("POS", "FACTUAL"), "!": ("NEG", "FACTUAL"), "?": ("POS", "POSSIBLE"), "~": ("POS", "CONDITIONAL"),
         "+": ("POS", "PROPOSED"), "^": ("POS", "HYPOTHETICAL")}
MARKED = re.compile(r"\[(?P<code>[A-Z]) (?P<text>[^\[\]@]+)"
                    r"@(?P<period>\w+)(?:#(?P<identity>\w+))?(?P<flag>[!?~+^]?)\]")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
           "twelve")

# How dates are written: those of the one hospital, whose headings are in capitals, and of the other. Two have 8 characters.
DATE_FORMATS = {"capitals": ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%y", "%Y%m%d"), "mixed": ("%Y-%m-%d",)}
# The spans of the SECTIMEs, whatever the length of the dates: right for 10 characters.
SECTIME_SPANS = {"ADMISSION": (18, 28), "DISCHARGE": (46, 56)}
# What habits (sample_habits.HABITS) can say of the lines of a note.
LAYOUTS = ("no discharge date", "no course heading", "late admission id")


class Period(NamedTuple):
    """When a mention begins and ends on the timeline, in moments (numbers that only order them; 5 is admission)."""
    start: float
    until: float
    course: bool = False    # begins with, hence in the order of the links just after, the moment it starts in
    holds: bool = False     # a stretch of time that the events of its moment fall in


def moment(number):
    """The period of what begins and ends in one moment."""
    return Period(number, number)


ADMISSION, FIRST_DAY, DISCHARGE = 5, 6, 90
COURSE_DAYS = 3         # how long "course_1_3" lasts
PERIODS = {
    "chronic": Period(0, 99), "past": moment(1), "home_drugs": Period(2, 5.5),
    "home": moment(3), "home_span": Period(3, ADMISSION, holds=True), "home_open": Period(3, 5.5),
    "home_lasting": Period(3, 11), "illness": Period(3, 89), "home_late": moment(3.5),
    "ed": moment(4), "adm": moment(ADMISSION), "stay": Period(ADMISSION, DISCHARGE, course=True),
    "day1": moment(FIRST_DAY), "day1_span": Period(FIRST_DAY, FIRST_DAY, holds=True),
    "course_1_3": Period(FIRST_DAY, 9, course=True),
    "day2": moment(7), "day2_late": moment(8), "day3": moment(9), "day3_late": moment(10),
    "late": moment(11), "late_span": Period(11, 11, holds=True),
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
    period: Period
    identity: str
    flag: str
    value: str
    section: str = ""   # history or course; "" in the lines above them
    mod: str = "NA"


class Link(NamedTuple):
    """A TLINK, and whether it is one to a section's date."""
    source: Mention
    target: Mention
    label: str
    is_section: bool
    id: str = ""


def holds(mention):
    """Whether a mention is a stretch of time that the events of its moment fall in."""
    return mention.period.holds or mention.type in ("DATE", "TIME")


def relation(source, target):
    """The type of the TLINK from one mention to another, or None where only the other direction has a type.

    Merged to BEFORE, OVERLAP and AFTER the types follow the order of (start, course): they are consistent.

    Parameters
    ----------
    source, target : Mention
    """
    one, other = source.period, target.period
    rank, other_rank = (one.start, one.course), (other.start, other.course)
    if rank == other_rank:
        # A test and what is reported of it are told as one.
        if source.identity and source.identity == target.identity or {source.type, target.type} == {"TEST", "EVIDENTIAL"}:
            return "SIMULTANEOUS"
        if holds(source) == holds(target):
            return "OVERLAP"
        outer, inner = (target, source) if holds(target) else (source, target)
        if inner.period.until > outer.period.until:
            return "OVERLAP"
        return "DURING" if outer is target else None
    if rank < other_rank:
        if one.start == other.start:
            return None
        if one.until == other.start and not other.course:
            return "ENDED_BY"
        return "BEFORE_OVERLAP" if one.until > other.start else "BEFORE"
    if one.start == other.start:
        return "BEGUN_BY" if other.until == other.start else None
    return "AFTER" if other.until < one.start else None


# The documents

def write_corpus(folder):
    """Write the training documents with their stand-off files, and the test documents with eight and with three types.

    Raises
    ------
    InputError : other documents are there, which would be taken for the sample's.
    """
    contents = corpus_contents(CorpusFolder(folder))
    for place in sorted({os.path.dirname(path) for path in contents}):
        for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
            if name.lower().endswith(".xml") and os.path.join(place, name) not in contents:
                raise InputError(f"--output {folder}: {os.path.join(place, name)} is no document of the sample corpus; choose a "
                                 "folder that holds no other documents.")
    for path, content in contents.items():
        write_atomically(path, content)


def corpus_contents(corpus):
    """The files of the sample in a paths.CorpusFolder: dict of path -> text."""
    contents = {}
    for name in TRAIN_DOCUMENTS:
        draft = training_document(name)
        for ending, content in ((".xml", to_xml(*draft)), (".xml.txt", draft.text), (".xml.extent", extents(draft)),
                                (".xml.tlink", link_lines(draft))):
            contents[os.path.join(corpus.train_xml, name + ending)] = content
    for name in TEST_DOCUMENTS:
        draft = document(name)
        merged = draft._replace(links=[link._replace(label=merge(link.label)) for link in draft.links])
        for subfolder, content in (("unmerged_xml", draft), ("merged_xml", merged)):
            contents[os.path.join(corpus.root, "ground_truth", subfolder, name + ".xml")] = to_xml(*content)
    return contents


def training_document(name):
    """The Draft of a training document, with its own spelling of ids and types.

    Section links are `Sectime0` (`SECTIME0` in the test documents), and some types are not in capitals.
    """
    draft, rng = document(name), random.Random(name)
    links = [link._replace(id=link.id.replace("SECTIME", "Sectime"),
                           label=rng.choice((link.label.lower(), link.label.title())) if rng.random() < 0.05 else link.label)
             for link in draft.links]
    return draft._replace(links=links)


def document(name):
    """The Draft of the document of this name, a number in figures."""
    rng = random.Random(int(name))
    # The illnesses take turns, so that the training documents have each of them.
    names = TRAIN_DOCUMENTS if name in TRAIN_DOCUMENTS else TEST_DOCUMENTS
    scenario = phrases.SCENARIOS[names.index(name) % len(phrases.SCENARIOS)]
    text, mentions = write_note(rng, scenario, HABITS.get(name, ()))
    links = with_link_ids(rng, ordinary_links(rng, mentions), section_links(rng, mentions))
    return change(name, rng, Draft(text, in_file_order(rng, mentions), links))


# The patient and the note

def draw_patient(rng, scenario, date_format):
    """Draw what the sentences say of one patient with the illness `scenario` (of sample_phrases.SCENARIOS).

    Dates are written as `date_format` (of DATE_FORMATS) says.

    Returns
    -------
    fields : dict, the words in braces of sample_phrases.
    values : dict, text of a time expression -> its normalized value.
    """
    def written(day):
        return day.strftime(date_format)

    sex, title, he, him, his = rng.choice((("woman", "Ms.", "she", "her", "her"), ("man", "Mr.", "he", "him", "his")))
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
        "he": he, "He": he.capitalize(), "him": him, "his": his, "His": his.capitalize(),
        "doctor": rng.choice(phrases.DOCTORS), "diagnosis": scenario["diagnosis"],
        "service": scenario["service"], "SERVICE": scenario["service"].upper(),
        "clinic": scenario["clinic"], "course": scenario["course"],
        "procedure": scenario["procedure"][0], "team": scenario["procedure"][1],
        # In one note of five the stay brings a problem that other patients come with.
        "complication": rng.choice(scenario["complications"] * 2 + scenario["symptoms"][3:]),
        "late": scenario["late"], "surgery": rng.choice(phrases.OLD_SURGERY), "surgery_year": surgery_year,
        "home_1": home_1, "home_2": home_2, "outcome": rng.choice(phrases.OUTCOMES[home_1]),
        "lasting": rng.choice(phrases.LASTING if home_2 == "home_lasting" else phrases.BRIEF),
        "when_2": rng.choice(("day1", "day2")), "when_3": rng.choice(("day3_late", "late")),
        "about": rng.choice(("", "", "about ", "more than ")), "when": rng.choice(("early ", "mid ", "late ", "March of ")),
        "span": f"{NUMBERS[span]} days", "ago": f"{NUMBERS[span]} days prior to admission",
        "admission": written(admission), "discharge": written(days[-1]), "home_date": written(home),
        "day2": written(days[2]), "day3": written(days[3]), "late_day": written(days[-2]),
        "course_days": NUMBERS[COURSE_DAYS], "rest": rest, "stay": NUMBERS[stay], "weeks": NUMBERS[weeks],
        "pressure": f"{rng.randint(92, 178)}/{rng.randint(48, 96)}", "leave_drug_1": chronic[0][1],
    }
    numbered = {
        "symptom": symptoms, "early": early, "sign": signs, "negative": negatives, "frequency": frequencies,
        "test": [test for test, _ in tests], "finding": [finding for _, finding in tests],
        "chronic": [illness for illness, _, _ in chronic], "home_drug": [drug for _, drug, _ in chronic],
        "dose": [dose for _, _, dose in chronic],
    }
    for name, items in numbered.items():
        fields.update({f"{name}_{number}": item for number, item in enumerate(items, 1)})
    for name in ("test_2", "test_3", "course"):
        fields[name.capitalize()] = fields[name][0].upper() + fields[name][1:]
    fields["symptom_1_short"] = re.sub("^an? ", "", fields["symptom_1"])

    values = {f"{about}{NUMBERS[count]} days": f"P{count}D"
              for count in range(2, len(NUMBERS)) for about in ("", "about ", "more than ")}
    values.update({written(day): day.isoformat() for day in [home] + days})
    values.update({
        fields["ago"]: home.isoformat(), "the next day": (home + datetime.timedelta(days=1)).isoformat(),
        "the morning of admission": admission.isoformat() + "TMO", "hospital day two": days[1].isoformat(),
        f"{NUMBERS[weeks]} weeks": (days[-1] + datetime.timedelta(weeks=weeks)).isoformat(),
        **{when + surgery_year: surgery_year for when in ("early ", "mid ", "late ")},
        "March of " + surgery_year: surgery_year + "-03", "the first 24 hours": "PT24H",
        f"the following {rest} days": rest_value, f"the final {rest} days": rest_value,
        "daily": "RPT24H", "twice a day": "RPT12H", "at bedtime": "RPT24H", "every eight hours": "RPT8H",
        "q.d .": "RPT24H", "q1h": "RPT1H", "q8h": "RPT8H", "b.i.d.": "RPT12H", "p.r.n.": "R",
        "five seconds": "PT5S", "two months": "P2M",
        "2:30 p.m.": days[2].isoformat() + "T14:30", "midnight": days[2].isoformat() + "T24:00",
    })
    return fields, values


def mostly_in_order(rng, items):
    """A list of the items, shuffled one time in five: their order is typical of an illness, not certain."""
    return rng.sample(items, len(items)) if rng.random() < 0.2 else list(items)


def note_lines(rng, style, habits):
    """The marked lines of a note as (section, line), one variant drawn of each group it has; braces not yet filled in."""
    admission, discharge = ("ADMISSION DATE", "DISCHARGE DATE") if style == "capitals" and rng.random() < 0.4 else (
        "Admission Date", "Discharge Date")
    lines = [("", f"[O {admission.split()[0]}@adm#admission] {admission.split()[1]} :"), ("", "[D {admission}@adm#admission]")]
    if "no discharge date" not in habits:
        lines += [("", f"[O {discharge.split()[0]}@dis#discharge] {discharge.split()[1]} :"),
                  ("", "[D {discharge}@dis#discharge]")]
    if rng.random() < 0.5:
        lines += [("", "Service :"), ("", "{SERVICE}")]
    length = rng.choice((0.2, 0.45, 0.75))
    for section, headings, groups in zip(("history", "course"), phrases.HEADINGS[style], (phrases.HISTORY, phrases.COURSE)):
        if section == "history" or "no course heading" not in habits:
            lines.append((section, rng.choice(headings)))
        told = [rng.choice(variants) for share, variants in groups if share == 1 or rng.random() < share * length]
        special = [line for place, line in map(phrases.SPECIAL.get, filter(phrases.SPECIAL.__contains__, habits))
                   if place == section]
        lines += [(section, line) for line in told[:-1] + special + told[-1:]]
    return lines


def write_note(rng, scenario, habits):
    """Draw one note about the illness `scenario`.

    Returns
    -------
    text : str, the note without the line break that follows `<![CDATA[`.
    mentions : list of Mention in order of the text, the section times last.
    """
    style = rng.choice(("capitals", "capitals", "mixed"))
    fields, values = draw_patient(rng, scenario, rng.choice(DATE_FORMATS[style]))
    text, found = "", []
    for section, template in note_lines(rng, style, habits):
        # Twice: `{outcome}` and `{lasting}` stand for sentences with braces of their own.
        marked, position = template.format(**fields).format(**fields), 0
        for match in MARKED.finditer(marked):
            text += marked[position:match.start()]
            position = match.end()
            found.append(read_mark(match, len(text) + 1, text.count("\n"), values, section))
            text += match.group("text")
        text += marked[position:] + "\n"
    found = with_ids(found, "late admission id" in habits)
    return text, found + section_times(found)


def read_mark(match, start, line, values, section):
    """The Mention of one `[CODE text@PERIOD]`, still without an id."""
    tag, kind = KINDS[match.group("code")]
    text = match.group("text")
    value = values[text] if tag == "TIMEX3" else ""
    if kind == "DATE" and "T" in value:
        kind = "TIME"
    mod = next((phrases.MODS[word] for word in text.split() if word in phrases.MODS), "NA")
    return Mention("", tag, kind, text, start, start + len(text), line, PERIODS[match.group("period")],
                   match.group("identity") or "", match.group("flag"), value, section, mod)


def with_ids(mentions, late_admission):
    """The mentions with ids: E0, T0 and so on in the order of the text, or T0 for the first time below the heading's."""
    counts, ids = collections.Counter(), {}
    times = [each for each in mentions if each.tag == "TIMEX3"]
    if late_admission:
        first = next(each for each in times if each.section)
        times = [first] + [each for each in times if each is not first]
    for each in [each for each in mentions if each.tag != "TIMEX3"] + times:
        ids[each.start] = f"{each.tag[0]}{counts[each.tag]}"
        counts[each.tag] += 1
    return [each._replace(id=ids[each.start]) for each in mentions]


def heading_date(mentions, kind):
    """The TIMEX3 of a note's admission or discharge date ("admission", "discharge"), or None where it has no such line."""
    return next((each for each in mentions if each.tag == "TIMEX3" and not each.section and each.identity == kind), None)


def section_times(mentions):
    """The SECTIMEs of the dates above a note."""
    dates = [heading_date(mentions, kind.lower()) for kind in SECTIME_SPANS]
    return [date._replace(id=f"S{number}", tag="SECTIME", type=kind, start=start, end=end)
            for number, (date, (kind, (start, end))) in enumerate(zip(dates, SECTIME_SPANS.items())) if date]


def in_file_order(rng, mentions):
    """The mentions in the order of their tags in the file; in half of the documents one EVENT stands far before its turn."""
    ordered = [each for tag in ("EVENT", "TIMEX3", "SECTIME") for each in mentions if each.tag == tag]
    if rng.random() < 0.5:
        last = sum(each.tag == "EVENT" for each in ordered) - 1
        ordered.insert(rng.randint(3, last // 2), ordered.pop(rng.randint(last // 2 + 1, last)))
    return ordered


# The links

# How many ordinary links there are for a section link, as in the corpus (52 to 48), and how many of them are of a type.
ORDINARY = 1.08
SHARES = {"OVERLAP": 33, "SIMULTANEOUS": 19, "DURING": 8, "BEFORE": 12, "BEFORE_OVERLAP": 5, "ENDED_BY": 8, "AFTER": 11,
          "BEGUN_BY": 9}


def ordinary_links(rng, mentions):
    """Draw the links of the text: the headings' to their dates, then those of near mentions and of two names of one thing."""
    body = [each for each in mentions if each.tag != "SECTIME"]
    links = [Link(event, heading_date(body, event.identity), "SIMULTANEOUS", False)
             for event in body if event.tag == "EVENT" and not event.section]
    candidates = {label: [] for label in SHARES}
    for index, first in enumerate(body):
        for second in body[index + 1:]:
            for source, target, share in ((first, second, 1), (second, first, 0.15)):
                label = relation(source, target)
                weight = label and closeness(first, second, label) * share * usage(source, label)
                if weight:
                    candidates[label].append((source, target, weight))
    wanted = round(ORDINARY * sum(bool(each.section) for each in body if each.tag == "EVENT"))
    linked = {frozenset((link.source.id, link.target.id)) for link in links}
    labels = sorted(SHARES)
    for _ in range(20 * wanted):
        if len(links) == wanted:
            break
        label, = rng.choices(labels, [SHARES[label] for label in labels])
        left = [each for each in candidates[label] if frozenset((each[0].id, each[1].id)) not in linked]
        if left:
            (source, target, _), = rng.choices(left, [weight for _, _, weight in left])
            links.append(Link(source, target, label, False))
            linked.add(frozenset((source.id, target.id)))
    return links


def closeness(first, second, label):
    """How likely annotators link two mentions, in order of the text: 0 for those that are far apart and not one thing."""
    same = first.identity and first.identity == second.identity
    share = (1, 0.15, 0.5)[(first.tag, second.tag).count("TIMEX3")]
    if not first.section:
        # The heading's words and dates, with what is told of the same moment.
        return 0.3 * share if second.section and same else 0
    distance = second.line - first.line
    if distance > 1:
        # What begins or ends a course is linked from afar, too.
        return share * (0.1 if same else 0.03 if label in ("BEGUN_BY", "ENDED_BY") else 0)
    return share * (1 if distance == 0 else 0.25)


def usage(source, label):
    """How usual it is to tell a type of link from an event's side: what happened is told AFTER what had been, not BEFORE."""
    happened = source.type in ("OCCURRENCE", "EVIDENTIAL")
    return {"AFTER": (0.02, 1), "BEFORE": (1, 0.05)}.get(label, (1, 1))[happened]


def section_links(rng, mentions):
    """A link of each event below the heading to the date of its section, but for the odd one that was forgotten.

    Without such a date in the note the link goes to the word "Discharge" itself.
    """
    dates = {section: heading_date(mentions, kind) for section, kind in (("history", "admission"), ("course", "discharge"))}
    if dates["course"] is None:
        dates["course"] = dates["history"]._replace(id="Discharge", tag="", text="Discharge", period=PERIODS["dis"],
                                                    identity="discharge")
    return [Link(event, dates[event.section], section_type(event, dates[event.section]), True)
            for event in mentions if event.tag == "EVENT" and event.section and rng.random() > 0.01]


# A section link is of four types, those that the guidelines give for it.
SECTION_TYPES = {"ENDED_BY": "BEFORE_OVERLAP", "BEGUN_BY": "AFTER", "DURING": "OVERLAP", "SIMULTANEOUS": "OVERLAP"}


def section_type(event, date):
    """The type of the link from an event to its section's date."""
    label = relation(event, date)
    return SECTION_TYPES.get(label, label)


def with_link_ids(rng, ordinary, sections):
    """The links with ids, in the order of the file.

    The ordinary ones are TL0, TL1 and so on with gaps, sorted as texts (TL10 before TL2); those to section dates follow,
    SECTIME0, SECTIME1, in the order of the text, but that in some documents a late event comes first.
    """
    number, links = 0, []
    for link in ordinary:
        links.append(link._replace(id=f"TL{number}"))
        number += 1 if rng.random() < 0.85 else rng.randint(2, 4)
    if rng.random() < 0.3:
        sections = sections[-1:] + sections[:-1]
    return sorted(links, key=lambda link: link.id) + [link._replace(id=f"SECTIME{number}")
                                                      for number, link in enumerate(sections)]


# The files

def to_xml(text, mentions, links):
    """A document as i2b2 XML; mentions and links are in the order of the file."""
    lines = ['<?xml version="1.0" encoding="UTF-8" ?>', "<ClinicalNarrativeTemporalAnnotation>",
             f"<TEXT><![CDATA[\n{text}]]></TEXT>", "<TAGS>"]
    for wanted in ("EVENT", "TIMEX3", "SECTIME"):
        lines.extend(mention_tag(mention) for mention in mentions if mention.tag == wanted)
    lines.extend(tag("TLINK", id=link.id, fromID=link.source.id, fromText=link.source.text, toID=link.target.id,
                     toText=link.target.text, type=link.label) for link in links)
    return "\n".join(lines + ["</TAGS>", "</ClinicalNarrativeTemporalAnnotation>", ""])


def mention_tag(mention):
    """The EVENT, TIMEX3 or SECTIME element of a mention, its attributes in the order of the release."""
    place = dict(id=mention.id, start=mention.start, end=mention.end, text=mention.text)
    if mention.tag == "EVENT":
        polarity, modality = FLAGS[mention.flag]
        return tag("EVENT", **place, modality=modality, polarity=polarity, type=mention.type)
    if mention.tag == "TIMEX3":
        return tag("TIMEX3", **place, type=mention.type, val=mention.value, mod=mention.mod)
    return tag("SECTIME", **place, type=mention.type, dvalue=mention.value)


def tag(name, **attributes):
    """An empty XML element with these attributes, in their order.

    As in the release nothing is escaped: an entity of the text stays one, and an `&` of the text makes the file ill-formed.
    """
    return " ".join([f"<{name}"] + [f'{key}="{on_one_line(value)}"' for key, value in attributes.items()] + ["/>"])


def on_one_line(value):
    """A value as attributes hold it: a mention that is broken over two lines has a space there."""
    return str(value).replace("\n", " ")


def extents(draft):
    """The EVENTs, TIMEX3s and SECTIMEs of a document as stand-off annotation, a line each."""
    lines = []
    for mention in draft.mentions:
        values = dict(type=mention.type)
        if mention.tag == "EVENT":
            values["polarity"], values["modality"] = FLAGS[mention.flag]
        elif mention.tag == "TIMEX3":
            values.update(val=mention.value, mod=mention.mod)
        else:
            values.update(dvalue=mention.value)
        order = ("type", "modality", "polarity", "val", "mod", "dvalue")
        lines.append("||".join([extent(draft.text, mention)] + [f'{key}="{values[key]}"' for key in order if key in values]))
    return "\n".join(lines) + "\n"


def link_lines(draft):
    """The TLINKs of a document as stand-off annotation, a line each; those to the word "Discharge" have no place in it."""
    return "".join(f'{extent(draft.text, link.source)}||{extent(draft.text, link.target)}||type="{link.label}"\n'
                   for link in draft.links if link.target.tag)


def extent(text, mention):
    """A mention as `EVENT="words" LINE:TOKEN LINE:TOKEN`: of its first and last token, lines from 1, tokens from 0."""
    if mention.tag == "SECTIME":
        first = last = f"{mention.line + 1}:0"
    else:
        first, last = token(text, mention.start - 1), token(text, mention.end - 2)
    return f'{mention.tag}="{on_one_line(mention.text)}" {first} {last}'


def token(text, place):
    """LINE:TOKEN of a character of a text; tokens are parted by blanks."""
    before = text[:place].split("\n")
    return f"{len(before)}:{before[-1].count(' ')}"


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
