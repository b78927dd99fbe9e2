"""Reading BC5CDR: parity with upstream's recorded files, the sampling of negatives, CID scores, and what is refused."""
import gzip
import random
import shutil
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_process_BC5CDR as data
from evaluation import cid
from fuzz_reader import mutated
from helpers import run
from support.errors import InputError
from support.paths import BC5CDRFolder

FILES = {"train": "CDR_TrainingSet.BioC.xml", "dev": "CDR_DevelopmentSet.BioC.xml", "test": "CDR_TestSet.BioC.xml"}
DOCTYPE = "<!DOCTYPE collection SYSTEM 'BioC.dtd'>"


def infon(key, value):
    return f'<infon key="{key}">{value}</infon>'


def annotation(kind, mesh, text, number=0):
    return f'<annotation id="{number}">{infon("type", kind)}{infon("MESH", mesh)}<text>{text}</text></annotation>'


def passage(kind, text, annotations=""):
    return f"<passage>{infon('type', kind)}<offset>0</offset><text>{text}</text>{annotations}</passage>"


def relation(chemical, disease, kind="CID"):
    infons = infon("relation", kind) + infon("Chemical", chemical) + infon("Disease", disease)
    return f'<relation id="R0">{infons}</relation>'


TITLE = passage("title", "Aspirin (ASA), rash.", annotation("Chemical", "D1", "Aspirin", 0)
                + annotation("Disease", "D3", "rash", 1))
ABSTRACT = passage("abstract", "50% of cases: a Rash &lt;2 days.", annotation("Chemical", "D2", "Gold", 2)
                   + annotation("Disease", "D4|D3", "Rash and pain", 3) + annotation("Chemical", "D1", "ASA", 4))
RELATIONS = relation("D1", "D3")


def document(identifier="7", passages=TITLE + ABSTRACT, relations=RELATIONS):
    return f"<document><id>{identifier}</id>{passages}{relations}</document>"


def with_abstract(annotations):
    return document(passages=TITLE + passage("abstract", "Text.", annotations))


def bioc(*documents, doctype=DOCTYPE):
    content = "<source>s</source>" + "".join(documents)
    return f"<?xml version='1.0' encoding='UTF-8'?>{doctype}\n<collection>{content}</collection>\n"


def read(tmp_path, source):
    path = tmp_path / "CDR_TrainingSet.BioC.xml"
    path.write_bytes(source if isinstance(source, bytes) else source.encode("utf-8"))
    return data.read_documents(path)


def read_one(tmp_path, source):
    found, = read(tmp_path, source)
    return found


def write_corpus(folder, source):
    folder.mkdir(parents=True)
    for name in FILES.values():
        (folder / name).write_text(source, encoding="utf-8")


def command(*arguments, **keywords):
    return run("data_process_BC5CDR.py", *arguments, **keywords)


def fields(path):
    return [line.split("\t") for line in path.read_bytes().decode("utf-8").split("\n")[:-1]]


@pytest.fixture(scope="module")
def splits(shared):
    """{split: path of its BioC file} of the whole corpus."""
    return {name: shared / "bc5cdr" / file for name, file in FILES.items()}


@pytest.fixture
def corpus(tmp_path):
    """A corpus folder, with a space in its path, of one made-up document in each split."""
    write_corpus(tmp_path / "my corpus", bioc(document()))
    return tmp_path / "my corpus"


# ---------------------------------------------------------------------------------------------------- recorded results

@pytest.mark.parametrize("place", ["", "CDR_Data/CDR.Corpus.v010516"])
def test_files_are_upstreams_to_the_byte(shared, splits, tmp_path, place):
    root = tmp_path / "my corpus"
    (root / place).mkdir(parents=True)
    for path in splits.values():
        shutil.copyfile(str(path), str(root / place / path.name))
    finished = command("--corpus", root)
    for name in FILES:
        with gzip.open(str(shared / "bc5cdr" / f"upstream_{name}.txt.gz")) as recorded:
            assert (root / f"{name}.txt").read_bytes() == recorded.read()
    assert finished.stdout.splitlines()[0].startswith("train: 500 documents, 1038 relations; label 0: 995 (of 1038 tries), "
                                                      "label 1: 1038 -> ")
    assert len(finished.stdout.splitlines()) == 3


@pytest.mark.parametrize("name", sorted(FILES))
def test_another_seed_is_repeatable_and_draws_other_negatives(splits, name):
    once, again, other = (data.read_split(splits[name], seed).examples for seed in (5, 5, 6))
    assert once == again
    assert once != other
    assert [row for row in once if row.label == "1"] == [row for row in other if row.label == "1"]


@pytest.mark.parametrize("name, pairs", [("train", 5517), ("dev", 5322), ("test", 5537)])
def test_all_negatives_are_every_other_pair(splits, name, pairs):
    split = data.read_split(splits[name], negatives="all")
    assert split == data.read_split(splits[name], seed=1, negatives="all")
    assert len(split.examples) == pairs
    for label, wanted in (("1", True), ("0", False)):
        found = [(row.document, row.chemical, row.disease) for row in split.examples if row.label == label]
        assert len(found) == len(set(found))
        assert set(found) == {(one.id, chemical, disease) for one in split.documents for chemical in one.chemicals
                              for disease in one.diseases if ((chemical, disease) in one.relations) == wanted}


# -------------------------------------------------------------------------------------------------------- one document

def test_document_in_full(tmp_path):
    assert read_one(tmp_path, bioc(document(relations=RELATIONS + relation("D2", "D4")))) == data.Document(
        "7", "Aspirin (ASA), rash.", "50% of cases: a Rash <2 days.", {"D1": "asa", "D2": "gold"},
        {"D3": "rash and pain", "D4": "rash and pain"}, (("D1", "D3"), ("D2", "D4")))


def test_ids_are_in_the_order_of_their_first_annotation(tmp_path):
    one = read_one(tmp_path, bioc(document()))
    assert (list(one.chemicals), list(one.diseases)) == (["D1", "D2"], ["D3", "D4"])


def test_context_has_spaces_around_marks_and_none_at_the_end(tmp_path):
    one = read_one(tmp_path, bioc(document()))
    assert data.context(one) == "aspirin  ( asa )  ,  rash .  50 %  of cases :  a rash <2 days ."


def test_examples_in_full(tmp_path):
    one = read_one(tmp_path, bioc(document()))
    first, *others = data.examples(one, data.all_negatives(one))
    assert first == ("7_1", "asa rash and pain", data.context(one), "1", "7", "1", "D1", "D3")
    assert [row[:2] + row[3:] for row in others] == [("7_2", "asa rash and pain", "0", "7", "2", "D1", "D4"),
                                                     ("7_3", "gold rash and pain", "0", "7", "3", "D2", "D3"),
                                                     ("7_4", "gold rash and pain", "0", "7", "4", "D2", "D4")]


def test_no_field_holds_a_tab_or_line_break(tmp_path):
    hostile = "a&#9;b&#13;c\nd"
    passages = (passage("title", hostile, annotation("Chemical", "D\t1", hostile))
                + passage("abstract", hostile, annotation("Disease", "D\n3", hostile)))
    one = read_one(tmp_path, bioc(document("7\t8\n9", passages, relation("D\t1", "D\n3"))))
    example, = data.examples(one, [])
    assert example == ("7 8 9_1", "a b c d a b c d", "a b c d a b c d", "1", "7 8 9", "1", "D 1", "D 3")


def test_file_without_doctype_and_with_byte_order_mark_is_read(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + bioc(document(), doctype="").encode("utf-8")) == read(tmp_path, bioc(document()))


def test_document_without_relations_has_negatives_only_with_all(tmp_path):
    one = read_one(tmp_path, bioc(document(relations="")))
    assert data.sampled_negatives(one, random.Random(0)) == []
    assert len(data.all_negatives(one)) == 4
    bare = read_one(tmp_path, bioc(document(passages=passage("title", "a") + passage("abstract", "b"), relations="")))
    assert data.all_negatives(bare) == []


# ------------------------------------------------------------------------------------------------ sampling of negatives

class Recorded(random.Random):
    """Counts its draws."""
    draws = 0

    def randint(self, first, last):
        self.draws += 1
        return super().randint(first, last)


def test_redraws_end_after_a_hundred_and_each_further_try_draws_once():
    one = data.Document("7", "t", "a", {"C1": "x"}, {"D1": "y"}, (("C1", "D1"),) * 3)
    rng = Recorded(0)
    assert data.sampled_negatives(one, rng) == [None, None, None]
    assert rng.draws == 2 * (1 + 100 + 1 + 1)  # a chemical and a disease each


def test_what_is_drawn_after_the_redraws_is_left_out_even_if_it_is_no_relation():
    class Scripted(random.Random):
        """Draws the relation until the redraws are used up, then the other disease."""
        diseases = 0

        def randint(self, first, last):
            if last == 0:
                return 0  # the only chemical
            self.diseases += 1
            return 0 if self.diseases <= 1 + data.MAX_REDRAWS else 1
    one = data.Document("7", "t", "a", {"C1": "x"}, {"D1": "y", "D2": "z"}, (("C1", "D1"),) * 2)
    assert data.sampled_negatives(one, Scripted()) == [None, None]


names = st.sampled_from(["p", "q", "r"])
tables = st.dictionaries(st.sampled_from(["M1", "M2", "M3", "M4"]), names, min_size=1)


@st.composite
def documents(draw):
    chemicals, diseases = draw(tables), draw(tables)
    pairs = st.tuples(st.sampled_from(sorted(chemicals)), st.sampled_from(sorted(diseases)))
    return data.Document("7", "t.", "a", chemicals, diseases, tuple(draw(st.lists(pairs, max_size=6))))


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(0, 2**40))
def test_sampled_negatives_are_never_relations_by_text(one, seed):
    negatives = data.sampled_negatives(one, random.Random(seed))
    assert negatives == data.sampled_negatives(one, random.Random(seed))
    assert len(negatives) == len(one.relations)
    related = {(one.chemicals[chemical], one.diseases[disease]) for chemical, disease in one.relations}
    assert all((one.chemicals[pair[0]], one.diseases[pair[1]]) not in related for pair in negatives if pair)


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(0, 2**40), st.sampled_from(data.NEGATIVES))
def test_numbers_go_on_over_what_is_left_out(one, seed, kind):
    negatives = data.sampled_negatives(one, random.Random(seed)) if kind == "sampled" else data.all_negatives(one)
    rows = data.examples(one, negatives)
    count = len(one.relations)
    expected = list(range(1, count + 1)) + [count + k for k, pair in enumerate(negatives, 1) if pair is not None]
    assert [row.relation for row in rows] == [str(k) for k in expected]
    assert [row.guid for row in rows] == [f"7_{k}" for k in expected]
    assert [row.label for row in rows] == ["1"] * count + ["0"] * (len(rows) - count)
    assert [(row.chemical, row.disease) for row in rows] == list(one.relations) + [pair for pair in negatives if pair]
    characters = sum(len(f"{row.guid}\t{row.target}\t{row.context}\t{row.label}\n") for row in rows)
    assert characters <= data._most_characters(one, kind)


# --------------------------------------------------------------------------------------------------------- CID scores

def test_gold_relations_count_a_duplicate_once(tmp_path):
    found = read(tmp_path, bioc(document("7", relations=RELATIONS * 2 + relation("D2", "D4")), document("8")))
    assert cid.gold_relations(found) == {("7", "D1", "D3"), ("7", "D2", "D4"), ("8", "D1", "D3")}


def test_cid_scores_of_a_hand_made_example(tmp_path):
    # Two documents with 3 relations. Predicted are 5 pairs: 2 of the relations, and 3 others.
    found = read(tmp_path, bioc(document("7", relations=RELATIONS * 2 + relation("D2", "D4")), document("8")))
    rows = [row for one in found for row in data.examples(one, data.all_negatives(one))]
    wanted = {("7", "D1", "D3"), ("8", "D1", "D3"), ("7", "D1", "D4"), ("8", "D2", "D3"), ("8", "D2", "D4")}
    labels = ["1" if (row.document, row.chemical, row.disease) in wanted else "0" for row in rows]
    predicted = cid.predicted_relations(rows, labels)
    assert predicted == wanted
    scores = cid.cid_scores(cid.gold_relations(found), predicted)
    assert scores == {"precision": pytest.approx(2 / 5), "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.5)}
    assert cid.cid_scores(list(cid.gold_relations(found)) * 2, list(predicted) * 3) == scores


def test_cid_scores_without_cases_are_0():
    triple = {("7", "C", "D")}
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert cid.cid_scores(triple, set()) == cid.cid_scores(set(), triple) == cid.cid_scores(set(), set()) == nothing
    assert cid.cid_scores(triple, {("8", "C", "D")}) == nothing
    assert cid.cid_scores(triple, triple) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_predicted_relations_need_a_label_each():
    with pytest.raises(ValueError, match="0 examples but 1 predicted labels"):
        cid.predicted_relations([], ["1"])


def test_always_answering_1_finds_every_relation_of_the_corpus(splits):
    split = data.read_split(splits["test"], negatives="all")
    predicted = cid.predicted_relations(split.examples, ["1"] * len(split.examples))
    scores = cid.cid_scores(cid.gold_relations(split.documents), predicted)
    assert scores["precision"] == pytest.approx(1066 / 5537) and scores["recall"] == 1.0


# ------------------------------------------------------------------------------------------------------- what is refused

BOMB = "<!DOCTYPE collection [<!ENTITY a 'aaaa'>" + "".join(
    f"<!ENTITY {name} '{('&' + before + ';') * 10}'>" for before, name in zip("abcdefgh", "bcdefghi")) + "]>"
NO_MESH = annotation("Chemical", "D1", "Aspirin", 5).replace('key="MESH"', 'key="other"')


BROKEN = {  # what is wrong: (the file, what the message must say)
    "empty": ("", "is empty"),
    "blank": (" \n", "is empty"),
    "truncated": (bioc(document())[:400], "cut off or not well-formed XML: .* at line 2"),
    "truncated between documents": (bioc(document()).replace("</collection>", ""), "cut off or not well-formed XML"),
    "not XML": ("7|t|Aspirin", "not well-formed"),
    "Latin-1": (bioc(document()).replace("cases", "caf\u00e9").encode("latin-1"), "is not UTF-8: line 2"),
    "other XML": ("<notes/>", "not BioC"),
    "no document": (bioc(), "holds no document"),
    "entity bomb": (bioc(document(passages=passage("title", "&i;") + ABSTRACT), doctype=BOMB), "declarations in its DOCTYPE"),
    "entity bomb beside the DTD": (bioc(document(), doctype=BOMB.replace("[", "SYSTEM 'BioC.dtd' [")),
                                   "declarations in its DOCTYPE"),
    "external entity": (bioc(document(), doctype="<!DOCTYPE collection [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"),
                        "declarations in its DOCTYPE"),
    "parameter entity": (bioc(document(), doctype="<!DOCTYPE collection [<!ENTITY % p SYSTEM 'http://localhost:9/'> %p;]>"),
                         "declarations in its DOCTYPE"),
    "default attribute": (bioc(document(), doctype=DOCTYPE[:-1] + " [<!ATTLIST infon key CDATA 'MESH'>]>"),
                          "declarations in its DOCTYPE"),
    "undeclared entity": (bioc(document(passages=passage("title", "&x;") + ABSTRACT)), "undefined entity"),
    "DOCTYPE of another name": (bioc(document(), doctype="<!DOCTYPE html SYSTEM 'BioC.dtd'>"), "another DOCTYPE"),
    "DOCTYPE of another file": (bioc(document(), doctype="<!DOCTYPE collection SYSTEM 'file:///etc/passwd'>"), "another DOCTYPE"),
    "DOCTYPE elsewhere": (bioc(document(), doctype="<!DOCTYPE collection SYSTEM 'http://localhost:9/BioC.dtd'>"),
                          "another DOCTYPE"),
    "DOCTYPE with a public id": (bioc(document(), doctype="<!DOCTYPE collection PUBLIC '-//X' 'BioC.dtd'>"), "another DOCTYPE"),
    "bare DOCTYPE": (bioc(document(), doctype="<!DOCTYPE collection>"), "another DOCTYPE"),
    "no id": (bioc(document(), document(" ")), "the document at line 2 has no id"),
    "id twice": (bioc(document("7"), document("8"), document("7")), "2 documents of the id 7"),
    "no abstract": (bioc(document(passages=TITLE, relations="")), "document 7 has no abstract"),
    "blank abstract": (bioc(document(passages=TITLE + passage("abstract", " "), relations="")), "document 7 has no abstract"),
    "abstract in sentences": (bioc(document(passages=TITLE + passage("abstract", "").replace("<text>", "<sentence>")
                                            .replace("</text>", "<text>A.</text></sentence>"), relations="")),
                              "document 7 has no abstract"),
    "no title": (bioc(document(passages=ABSTRACT, relations="")), "document 7 has no title"),
    "two abstracts": (bioc(document(passages=TITLE + ABSTRACT + ABSTRACT)), "document 7 has other passages than"),
    "full text": (bioc(document(passages=TITLE + ABSTRACT + passage("paragraph", "P."))), "document 7 has other passages than"),
    "annotation in a sentence": (bioc(document(passages=TITLE + ABSTRACT.replace("<annotation", "<sentence><annotation", 1)
                                               .replace("</annotation>", "</annotation></sentence>", 1))),
                                 "<annotation> in <sentence> at line 2"),
    "no MESH": (bioc(with_abstract(NO_MESH)), "document 7: annotation 5 has no MESH"),
    "empty MESH": (bioc(with_abstract(annotation("Chemical", "", "a", 5))), "document 7: annotation 5 has no MESH"),
    "empty part of MESH": (bioc(with_abstract(annotation("Disease", "D1||D2", "a", 5))), "annotation 5 has no MESH, or an empty"),
    "unknown type": (bioc(with_abstract(annotation("Gene", "D1", "a", 5))), "document 7: annotation 5 is neither"),
    "annotation without text": (bioc(with_abstract(annotation("Chemical", "D1", "", 5))), "document 7: annotation 5 has no text"),
    "unknown chemical": (bioc(document(relations=relation("D9", "D3"))), "document 7: relation R0 names the Chemical D9, which no"),
    "unknown disease": (bioc(document(relations=relation("D1", "D9"))), "document 7: relation R0 names the Disease D9, which no"),
    "chemical as disease": (bioc(document(relations=relation("D1", "D1"))), "relation R0 names the Disease D1, which no"),
    "relation without disease": (bioc(document(relations=relation("D1", ""))), "document 7: relation R0 names no Disease"),
    "other relation": (bioc(document(relations=relation("D1", "D3", "PPI"))), "document 7: relation R0 is not of the type CID"),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_broken_file_is_refused(tmp_path, what):
    source, message = BROKEN[what]
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path, source)
    assert "CDR_TrainingSet.BioC.xml" in str(raised.value) and "CDR_Data.zip" in str(raised.value)
    assert "\n" not in str(raised.value) and "Aspirin" not in str(raised.value)


def test_the_file_that_the_doctype_names_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "BioC.dtd").write_text("<!ENTITY x 'from the DTD'><!ATTLIST document extra CDATA 'from the DTD'>")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="undefined entity &x;"):
        read(tmp_path, bioc(document(passages=passage("title", "&x;") + ABSTRACT)))


@pytest.mark.parametrize("limit, message", [("MAX_BYTES", "larger than"), ("MAX_TAGS", "tags"),
                                            ("MAX_EXAMPLE_CHARACTERS", "examples")])
def test_hostile_sizes_are_refused(tmp_path, monkeypatch, limit, message):
    read(tmp_path, bioc(document()))
    path = tmp_path / "CDR_TrainingSet.BioC.xml"
    for negatives in data.NEGATIVES:
        assert data.read_split(path, 0, negatives).examples
        with monkeypatch.context() as patch:
            patch.setattr(data, limit, 20)
            with pytest.raises(InputError, match=message):
                data.read_split(path, 0, negatives)


def test_pairs_without_bound_are_refused_before_they_are_made(tmp_path):
    many = "".join(annotation(kind, f"D{number}", "a") for number in range(3000) for kind in ("Chemical", "Disease"))
    read(tmp_path, bioc(document(passages=TITLE + passage("abstract", "Text.", many))))
    with pytest.raises(InputError, match="more than 100 MB of examples"):
        data.read_split(tmp_path / "CDR_TrainingSet.BioC.xml", negatives="all")


def test_mutated_files_are_read_or_refused(tmp_path):
    rng = random.Random(0)
    lines = bioc(document(), document("8", relations="")).replace("><", ">\n<").encode("utf-8")
    outcomes = Counter()
    for _ in range(1000):
        try:
            found = read(tmp_path, mutated([lines], rng))
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
            continue
        rows = [row for one in found for row in data.examples(one, data.sampled_negatives(one, rng) + data.all_negatives(one))]
        assert all(line.count("\t") == 3 and line[-1] in data.LABELS for line in "".join(data.tsv_lines(rows)).split("\n")[:-1])
        assert "".join(data.tsv_lines(rows)).count("\n") == len(rows)
        outcomes["read"] += 1
    assert min(outcomes["read"], outcomes["refused"]) > 10


def test_deeply_nested_file_is_read_or_refused(tmp_path):
    depth = 200 * 1000
    nested = document().replace("</document>", "<a>" * depth + "</a>" * depth + "</document>")
    assert len(read(tmp_path, bioc(nested))) == 1


# ----------------------------------------------------------------------------------------------------------- the command

def test_command_writes_three_files_and_a_summary_of_each(corpus, tmp_path):
    finished = command("--corpus", corpus.name, "--negatives", "all", cwd=tmp_path)
    assert finished.stderr == ""
    for name, line in zip(FILES, finished.stdout.splitlines()):
        assert line == f"{name}: 1 documents, 1 relations; label 0: 3, label 1: 1 -> {corpus / name}.txt"
        assert [row[0::3] for row in fields(corpus / f"{name}.txt")] == [["7_1", "1"], ["7_2", "0"], ["7_3", "0"], ["7_4", "0"]]


def test_command_takes_a_seed(tmp_path):
    many = "".join(annotation("Chemical", f"C{number}", f"chemical {number}") for number in range(50))
    write_corpus(tmp_path / "corpus", bioc(with_abstract(many + annotation("Disease", "D3", "rash"))))
    drawn = {}
    for seed in ("0", "3", "default"):
        command("--corpus", tmp_path / "corpus", *([] if seed == "default" else ["--seed", seed]))
        drawn[seed] = fields(tmp_path / "corpus" / "train.txt")
    assert drawn["default"] == drawn["0"] != drawn["3"]
    assert [row[1] for row in drawn["3"]] == [
        row.target for row in data.read_split(tmp_path / "corpus" / FILES["train"], seed=3).examples]


def test_the_folders_own_file_goes_before_the_unpacked_one(corpus):
    write_corpus(corpus / BC5CDRFolder.UNPACKED, bioc(document("8")))
    (corpus / FILES["dev"]).unlink()
    train, dev, test = data.process_corpus(BC5CDRFolder(str(corpus)))
    assert [split.documents[0].id for split in (train, dev, test)] == ["7", "8", "7"]


@pytest.mark.parametrize("arguments", [["--negatives", "some"], ["--seed", "x"]])
def test_wrong_usage(arguments):
    assert command(*arguments, check=False).returncode == 2


def test_default_corpus_is_the_projects(project):
    assert BC5CDRFolder.DEFAULT == str(project / "corpus" / "BC5CDR")
    assert "corpus/BC5CDR" in command("--help").stdout


def refusal(corpus):
    finished = command("--corpus", corpus, check=False)
    assert finished.returncode == 1 and finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert not list(corpus.glob("*.txt")) and not list(corpus.glob(".*"))
    return finished.stderr


@pytest.mark.parametrize("name", sorted(FILES))
def test_broken_split_leaves_nothing_behind(corpus, name):
    (corpus / FILES[name]).write_text(bioc(document(relations=relation("D1", "D9"))))
    assert FILES[name] in refusal(corpus)


def test_missing_corpus_says_where_it_is_had(tmp_path):
    message = refusal(tmp_path / "nowhere")
    for word in ("nowhere", "CDR_Data.zip", "docs/bc5cdr.md", "--corpus", *FILES.values()):
        assert word in message


@pytest.mark.parametrize("name", sorted(FILES))
def test_missing_file_is_named(corpus, name):
    (corpus / FILES[name]).unlink()
    assert f"{corpus / FILES[name]} does not exist" in refusal(corpus)


@pytest.mark.parametrize("archive, tool", [("CDR_Data.zip", "unzip"), ("CDR_TrainingSet.BioC.xml.gz", "gunzip"),
                                           ("cdr.tgz", "tar")])
def test_archive_left_unpacked_is_named(tmp_path, archive, tool):
    (tmp_path / archive).write_bytes(b"")
    message = refusal(tmp_path)
    assert f"the archive {tmp_path / archive} does. Unpack it: {tool} " in message and str(tmp_path) in message


def test_earlier_files_stay_when_a_split_is_broken(corpus, capsys):
    data.process_corpus(BC5CDRFolder(str(corpus)))
    before = (corpus / "train.txt").read_bytes()
    (corpus / FILES["train"]).write_text(bioc(document("8")))
    (corpus / FILES["test"]).write_text("")
    with pytest.raises(InputError):
        data.process_corpus(BC5CDRFolder(str(corpus)))
    assert (corpus / "train.txt").read_bytes() == before


def test_unwritable_output_is_a_clear_message(corpus):
    (corpus / "test.txt").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        data.process_corpus(BC5CDRFolder(str(corpus)))
    assert not list(corpus.glob(".*.tmp"))


def test_unreadable_file_is_a_clear_message(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        data.read_documents(tmp_path)
