"""The sample corpus: as its script writes it, sound as i2b2 data, worth training on; and its tiny BERT."""
import collections
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

import numpy
import pytest

from data_process_i2b2 import examples, read_folder
from evaluation.temporal_graph import reduce_links
from inputs import sample_corpus
from inputs.labels import LABELS, merge
from scoring import tempeval_scores
from support.paths import CorpusFolder

MAXIMUM_BYTES = 1 << 20


@pytest.fixture(scope="module")
def corpus(project):
    return CorpusFolder(str(project / "corpus" / "sample"))


@pytest.fixture(scope="module")
def training(corpus):
    return read_folder(corpus.train_xml)


@pytest.fixture(scope="module")
def test_documents(corpus):
    return read_folder(corpus.test_xml)


def files_below(folder):
    """Relative path -> bytes of the XML files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.xml"))}


def labels_of(documents):
    return collections.Counter(link.type for document in documents for link in document.tlinks)


def test_the_script_writes_the_committed_files_to_the_byte(project, tmp_path):
    # Another order of sets and dictionaries must not show.
    environment = dict(os.environ, PYTHONHASHSEED="7")
    subprocess.run([sys.executable, "-m", "inputs.sample_corpus", "--output", str(tmp_path / "a b")],
                   check=True, cwd=str(project), env=environment, stdout=subprocess.DEVNULL)
    written = files_below(tmp_path / "a b")
    assert written == files_below(project / "corpus" / "sample")
    assert len(written) == 40
    assert sum(map(len, written.values())) < MAXIMUM_BYTES


def test_layout(training, test_documents):
    assert (len(training), len(test_documents)) == (30, 10)
    assert not {document.name for document in training} & {document.name for document in test_documents}
    assert not {document.text for document in training} & {document.text for document in test_documents}
    for document in training + test_documents:
        assert 250 <= len(document.text.split()) <= 500, document.name
        for heading in ("Admission Date :", "Discharge Date :", "HISTORY OF PRESENT ILLNESS :",
                        "HOSPITAL COURSE :", "CONDITION AT DISCHARGE :"):
            assert heading in document.text.splitlines(), (document.name, heading)
        assert not re.search(r"[{}\[\]@#&]", document.text), "a mark of the templates is left in the note"
        assert not re.search(r"\w[,;:](\s|$)|\w\.$", document.text, re.MULTILINE), "punctuation stands alone"


def test_every_mention_is_where_its_offsets_say(training, test_documents):
    for document in training + test_documents:
        # Offsets count from the first character after the line break that follows `<![CDATA[`.
        note = document.text[1:] if document.text.startswith("\n") else document.text
        for mention in document.mentions:
            assert note[mention.start - 1:mention.end - 1] == mention.text, (document.name, mention.id)


def test_every_link_joins_two_mentions_of_the_document(training, test_documents):
    for document in training + test_documents:
        mentions = {mention.id: mention for mention in document.mentions}
        assert len(mentions) == len(document.mentions), "ids of mentions are unique"
        links = document.tlinks
        assert len({link.id for link in links}) == len(links)
        assert len({frozenset((link.from_id, link.to_id)) for link in links}) == len(links)
        assert 30 <= len(links) <= 60
        for link in links:
            assert link.from_id != link.to_id
            assert mentions[link.from_id].text == link.from_text
            assert mentions[link.to_id].text == link.to_text
            if link.id.startswith("SECTIME"):
                assert link.to_id in ("E0", "E1", "S0", "S1")
                assert link.to_text in ("Admission", "Discharge", mentions["S0"].text, mentions["S1"].text)


def test_tags_have_the_attributes_of_the_release(training, test_documents):
    kinds = {"EVENT": {"PROBLEM", "TREATMENT", "TEST", "CLINICAL_DEPT", "EVIDENTIAL", "OCCURRENCE"},
             "TIMEX3": {"DATE", "TIME", "DURATION", "FREQUENCY"}, "SECTIME": {"ADMISSION", "DISCHARGE"}}
    more = {"EVENT": {"modality", "polarity"}, "TIMEX3": {"val", "mod"}, "SECTIME": {"dvalue"}}
    for documents in (training, test_documents):
        seen = collections.defaultdict(set)
        for mention in (mention for document in documents for mention in document.mentions):
            seen[mention.tag].add(mention.type)
            assert set(mention.attributes) == {"id", "start", "end", "text", "type"} | more[mention.tag]
            assert all(mention.attributes.values())
        assert seen == kinds


def test_labels(corpus, training, test_documents):
    for documents in (training, test_documents):
        counts = labels_of(documents)
        assert set(counts) == set(LABELS)
        total = sum(counts.values())
        assert 0.35 <= max(counts.values()) / total <= 0.45
        assert min(counts.values()) / total > 0.02
        section = sum(link.id.startswith("SECTIME") for document in documents for link in document.tlinks)
        assert 0.4 <= section / total <= 0.65


def test_training_types_are_of_mixed_case_as_in_the_release(corpus):
    def written_types(folder):
        return {link.get("type") for name in os.listdir(folder)
                for link in xml.etree.ElementTree.parse(os.path.join(folder, name)).iter("TLINK")}

    assert written_types(corpus.test_xml) == set(LABELS)
    assert {name for name in written_types(corpus.train_xml) if name not in LABELS} >= {"before", "Overlap"}


def test_no_document_contradicts_itself(training, test_documents):
    for document in training + test_documents:
        links = [(link.from_id, link.to_id, merge(link.type)) for link in document.tlinks]
        _, graph = reduce_links(links)
        assert all(graph.entails(link) for link in links), document.name
        assert tempeval_scores({document.name: links}, {document.name: links})["f1"] == 1.0


@pytest.mark.parametrize("first, second, expected, inverse", [
    ("home", "adm", "BEFORE", "AFTER"), ("chronic", "dis", "BEFORE_OVERLAP", None),
    ("home_span", "adm", "ENDED_BY", None), ("stay", "adm", "BEGUN_BY", None),
    ("stay", "dis", "ENDED_BY", None),
    ("course_1_3", "day1", "BEGUN_BY", None), ("course_1_3", "day3", "ENDED_BY", None),
    ("course_1_3", "day2", "BEFORE_OVERLAP", None), ("day1", "day1", "OVERLAP", "OVERLAP"),
    ("day1", "day1_span", "DURING", None), ("home", "home_span", "DURING", None),
    ("home_open", "home_span", "OVERLAP", "OVERLAP"),
])
def test_the_type_of_a_link_follows_from_the_timeline(first, second, expected, inverse):
    one, other = (mention_at(span) for span in (first, second))
    assert sample_corpus.relation(one, other) == expected
    assert sample_corpus.relation(other, one) == inverse


def test_two_names_of_one_thing_are_simultaneous():
    assert sample_corpus.relation(mention_at("stay", "stay"), mention_at("stay", "stay")) == "SIMULTANEOUS"


def mention_at(span, identity=""):
    return sample_corpus.Mention(id="E0", tag="EVENT", type="PROBLEM", text="x", start=1, end=2, line=9,
                                 span=sample_corpus.SPANS[span], identity=identity, flag="", value="")


def test_the_labels_can_be_learned_from_the_mentions_but_not_all_of_them(training, test_documents):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    train, held_out = ([row for document in documents for row in examples(document)]
                       for documents in (training, test_documents))
    words = CountVectorizer()
    model = LogisticRegression(max_iter=2000).fit(words.fit_transform([row.target for row in train]),
                                                  [row.label for row in train])
    accuracy = model.score(words.transform([row.target for row in held_out]), [row.label for row in held_out])
    assert 0.75 <= accuracy <= 0.92


# ---------------------------------------------------------------------------------------- the tiny BERT

@pytest.fixture(scope="module")
def tiny_bert(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny bert") / "new"
    code = "import sys; from inputs import sample_corpus; sample_corpus.make_tiny_bert(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=str(project),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b""), done.stdout.decode()
    return folder


def test_tiny_bert_has_the_files_of_googles_layout_and_no_others(tiny_bert):
    assert sorted(path.name for path in tiny_bert.iterdir()) == [
        "bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index", "vocab.txt"]


def test_tiny_vocabulary(tiny_bert, training, test_documents):
    pieces = (tiny_bert / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert pieces[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(pieces) == len(set(pieces)) <= 2500
    assert json.loads((tiny_bert / "bert_config.json").read_text())["vocab_size"] == len(pieces)
    words = {piece for piece in pieces[5:] if len(piece) > 1 and not piece.startswith("##")}
    assert {"Admission", "Discharge", "HOSPITAL", "emergency"} <= words
    trained_on = {word for document in training for word in re.findall(r"[^\W_]+", document.text)}
    assert words <= trained_on
    # Any word of any note can be written in pieces.
    assert set("".join(document.text for document in test_documents)) - set(" \n") <= set(pieces)


def test_tiny_weights(tiny_bert):
    from network.runtime import tf
    reader = tf.train.load_checkpoint(str(tiny_bert / "bert_model.ckpt"))
    shapes = reader.get_variable_to_shape_map()
    assert shapes["bert/embeddings/position_embeddings"] == [512, 64]
    assert shapes["bert/encoder/layer_1/intermediate/dense/kernel"] == [64, 256]
    for name in shapes:
        value = reader.get_tensor(name)
        if name.endswith("gamma"):
            assert (value == 1).all()
        elif name.endswith(("beta", "bias")):
            assert (value == 0).all()
        else:
            assert 0.014 < value.std() < 0.021 and abs(value).max() <= 0.0400001, name


def test_tiny_weights_have_the_names_of_googles_checkpoints(tiny_bert, shared):
    from network.runtime import tf
    ours, theirs = ([name for name, _ in tf.train.list_variables(str(folder / "bert_model.ckpt"))]
                    for folder in (tiny_bert, shared / "parity" / "tiny_bert"))
    assert ours == theirs


def test_tiny_weights_depend_on_the_seed_alone():
    config = dict(sample_corpus.TINY_CONFIG, vocab_size=300)
    first, again, other = (sample_corpus.tiny_variables(config, seed) for seed in (0, 0, 1))
    assert all(numpy.array_equal(first[name], again[name]) for name in first)
    assert not numpy.array_equal(first["bert/pooler/dense/kernel"], other["bert/pooler/dense/kernel"])
