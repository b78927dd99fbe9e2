"""The recipe `context`: spans of mentions, the windows around them and their arrays, and training on them."""
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data_process_i2b2 import Document, Mention, Tlink, examples, read_document
from helpers import corpus_of, run, settings
from inputs import around_mentions, batching, mentions, reading
from inputs.features import unique_rows
from inputs.labels import LABELS
from inputs.tiny_bert import make_tiny_bert
from inputs.views import view_of
from network.runtime import tf
from settings import settings_for
from support import paths
from support.errors import InputError
from tokenization import FullTokenizer
from training import checkpoints

RECIPE = settings_for("context")
TRAIN = "2012-07-15.original-annotation.release"
WORDS = "pain fever onset the scan was normal admission étude gaixotasuna of on ."
NAMES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "'", "’", "##s")
UNUSED = tuple(f"[unused{number}]" for number in range(1, 100))  # as many as multilingual BERT has
VOCABULARY = {piece: number for number, piece in enumerate(NAMES + UNUSED + tuple(WORDS.split()))}
TOKENIZER = FullTokenizer(VOCABULARY, do_lower_case=False)
PIECES = {number: piece for piece, number in VOCABULARY.items()}


def document(text, spans, links, tags=None, drift=0):
    """A document with an EVENT E0, E1 ... for each span (begin, end) of its text, None for one without a place."""
    made = []
    for number, span in enumerate(spans):
        tag, kind = (tags or {}).get(number, ("EVENT", "PROBLEM"))
        start, end = (None, None) if span is None else (place + 1 + drift for place in span)
        made.append(Mention(tag, f"E{number}", start, end, "" if span is None else text[slice(*span)], kind, {}))
    return Document("note", text, tuple(made), tuple(
        Tlink(f"TL{number}", source, "x", target, "y", LABELS[number % 8]) for number, (source, target) in enumerate(links)))


def features_of(*documents):
    return around_mentions.make_features(documents, [row for one in documents for row in examples(one)], TOKENIZER)


def shown(batch, row=0):
    """The word pieces of a row of a batch, without padding."""
    return [PIECES[number] for number in batch.input_ids[row][batch.input_mask[row] == 1]]


def batch_of(one, **changes):
    made, chosen = features_of(one), RECIPE._replace(**changes)
    return view_of(chosen).batch(made, np.arange(len(made.note)))


INSERTED, UNMARKED = dict(markers="inserted"), dict(markers="none")


def marker(side, tag, kind, end=0):
    """The piece that opens (end 0) or closes (1) a mention of a side and kind."""
    return PIECES[int(around_mentions.marker_ids(VOCABULARY)[side, mentions.type_id(tag, kind), end])]


# ------------------------------------------------------------------------------------------------------ offsets

def located(text, words, start, end=None, drift=0):
    span, found = mentions.locate(text, Mention("EVENT", "E0", start, end or (start or 0) + len(words), words, "", {}), drift)
    return (span and text[span[0]:span[1]], span and span[0], found)


@pytest.mark.parametrize("text, words, start, drift, expected", [
    ("pain , pain", "pain", 8, 0, ("pain", 7, 0)),           # as stated, counted from 1
    ("\npain , pain", "pain", 8, 0, ("pain", 8, 1)),         # the line break is not counted: the nearest
    ("\nno pain or pain", "pain", 4, 1, ("pain", 4, 1)),     # the drift of the mention before
    ("the Chest\r\n  pain", "chest pain", 5, 0, ("Chest\r\n  pain", 4, 0)),  # case and white space
    ("l’étude sortzen gaixotasuna", "gaixotasuna", 30, 0, ("gaixotasuna", 16, -13)),
    ("don’t", "’t", 4, 0, ("’t", 3, 0)),
    ("a pain", "pain", None, 0, ("pain", 2, 0)),             # no offsets: where its words are
    ("a scan", "pain", 3, 0, ("scan", 2, 0)),                # words that are nowhere: what the offsets say
    ("a scan", "pain", 90, 0, (None, None, 0)),              # which may be no text at all
    ("a scan", "", None, 0, (None, None, 0)),
])
def test_offsets_are_checked_against_the_words(text, words, start, drift, expected):
    assert located(text, words, start, drift=drift) == expected


def test_drift_is_followed_through_repeated_words():
    """Every offset is 7 too high, which is nearer to the next `pain` than to its own."""
    text = "onset of pain pain pain pain"
    spans = [(0, 5)] + [(begin, begin + 4) for begin in (9, 14, 19, 24)]
    found = mentions.located(document(text, spans, [], drift=7))
    assert [found[f"E{number}"].span for number in range(5)] == spans


def test_quirks_of_the_real_corpus(shared):
    """Every mention of the quirky files whose words are in the text is found, words and all."""
    for path in sorted((shared / "quirks" / "readable").glob("*.xml")):
        one = read_document(path, "decoded")
        for mention in one.mentions:
            span = mentions.located(one)[mention.id].span
            if mention.text.strip() and " ".join(mention.text.lower().split()) in " ".join(one.text.lower().split()):
                assert " ".join(one.text[slice(*span)].lower().split()) == " ".join(mention.text.lower().split())


# -------------------------------------------------------------------------------------------------- passes and arrays

def test_markers_stand_around_the_mentions():
    text = "the pain was normal on admission ."
    batch = batch_of(document(text, [(4, 8), (23, 32)], [("E1", "E0")], {1: ("TIMEX3", "DATE")}), **INSERTED)
    from_open, from_close = marker(0, "TIMEX3", "DATE"), marker(0, "TIMEX3", "DATE", 1)
    to_open, to_close = marker(1, "EVENT", "PROBLEM"), marker(1, "EVENT", "PROBLEM", 1)
    assert shown(batch) == ["[CLS]", "the", to_open, "pain", to_close, "was", "normal", "on", from_open, "admission", from_close,
                            ".", "[SEP]"]
    assert [shown(batch)[place] for place in batch.link_markers[0]] == [from_open, to_open]
    assert batch.link_pooled.tolist() == [[0, 13]]


@pytest.mark.parametrize("seq_length, length", [(40, 40), (24, 24), (21, 21), (100, 48)])
def test_no_row_is_longer_than_seq_length(seq_length, length):
    """A BERT may have no more positions; else lengths are rounded up."""
    one = document("pain " + "of " * 34 + "fever on", [(0, 4), (107, 112)], [("E0", "E1")])
    changes = dict(INSERTED, context=50, seq_length=seq_length)
    batch = batch_of(one, **changes)
    assert batch.input_ids.shape == (1, length) and batch.input_mask.sum() <= seq_length
    assert view_of(RECIPE._replace(**changes)).long_length() <= seq_length


@pytest.mark.parametrize("changes", [INSERTED, UNMARKED])
@pytest.mark.parametrize("spans, expected", [
    ([(0, 4), (0, 4)], ["( [ pain ] )"]),                      # the same words
    ([(0, 10), (5, 10)], ["( pain [ fever ] )"]),              # nested, the same end
    ([(5, 10), (0, 10)], ["[ pain ( fever ) ]"]),
    ([(0, 4), (0, 10)], ["[ ( pain ) fever ]"]),               # nested, the same begin
    ([(0, 10), (5, 16)], ["( pain [ fever ) onset ]"]),        # overlapping
    ([(0, 4), (5, 10)], ["( pain ) [ fever ]"]),               # neighbours at the very start
    ([(5, 10), (17, 23)], ["pain ( fever ) onset [ normal ]"]),  # at the very end
])
def test_overlapping_and_nested_mentions_at_the_ends_of_the_note(changes, spans, expected):
    one = document("pain fever onset normal", spans, [("E0", "E1")])
    batch = batch_of(one, **changes)
    text = "pain fever onset normal"
    if changes is INSERTED:
        signs = {marker(0, "EVENT", "PROBLEM"): "(", marker(0, "EVENT", "PROBLEM", 1): ")",
                 marker(1, "EVENT", "PROBLEM"): "[", marker(1, "EVENT", "PROBLEM", 1): "]"}
        assert expected[0] in " ".join(signs.get(piece, piece) for piece in shown(batch))
    else:
        assert [shown(batch)[place] for place in batch.link_markers[0]] == [text[begin:].split()[0] for begin, _ in spans]


@pytest.mark.parametrize("changes", [INSERTED, UNMARKED])
def test_a_mention_linked_to_itself(changes):
    batch = batch_of(document("the pain", [(4, 8)], [("E0", "E0")]), **changes)
    assert len(set(batch.link_markers[0])) == (2 if changes is INSERTED else 1) and shown(batch).count("pain") == 1


@pytest.mark.parametrize("changes", [INSERTED, UNMARKED])
@pytest.mark.parametrize("target, tags", [("Admission", {}), ("E1", {1: ("SECTIME", "ADMISSION")}), ("nothing", {})])
def test_links_to_what_has_no_place_in_the_text(changes, target, tags):
    """A section time that the note does not show, as a literal or as a tag, and an id that names nothing."""
    batch = batch_of(document("the pain was normal", [(4, 8), None], [("E0", target)], tags), **changes)
    kind = ("UNKNOWN", "") if target == "nothing" else ("SECTIME", "ADMISSION")
    expected = PIECES[int(around_mentions.marker_ids(VOCABULARY)[1, mentions.MENTION_TYPES.index(kind), 0])]
    place = batch.link_markers[0, 1]
    assert shown(batch)[place] == (expected if changes is INSERTED else "[CLS]")
    assert batch.link_types[0, 1] == mentions.MENTION_TYPES.index(kind) and batch.link_distances[:, 0].tolist() == [0]
    assert place == (1 if changes is INSERTED else 0)
    assert "pain" in shown(batch)


def test_a_literal_finds_its_section_time():
    one = document("admission . the pain", [(0, 9), (16, 20)], [("E1", "Admission")], {0: ("SECTIME", "ADMISSION")})
    assert features_of(one).spans.tolist() == [[[3, 4], [0, 1]]]


def test_far_mentions_are_shown_in_two_windows():
    text = "pain " + "the " * 300 + "fever"
    batch = batch_of(document(text, [(0, 4), (len(text) - 5, len(text))], [("E0", "E1")]), context=3, **UNMARKED)
    assert batch.link_distances[:, 0].tolist() == [2 + around_mentions.FARTHEST - 1]
    assert shown(batch) == ["[CLS]", "pain", "the", "the", "the", "[SEP]", "the", "the", "the", "fever", "[SEP]"]


SECTIONS = "the scan :\n" + "was " * 20 + "pain was was .\nadmission :\n" + "the " * 40 + "fever was was ."


@pytest.mark.parametrize("changes, expected", [
    (dict(headings=True), "the scan [SEP] was was pain was was [SEP] admission [SEP] the the fever was was [SEP]"),
    (dict(headings=False), "was was pain was was [SEP] the the fever was was [SEP]"),
    (dict(headings=True, seq_length=14), "was was pain was was [SEP] the the fever was was [SEP]"),  # no room for both
])
def test_headings_above_the_mentions_are_shown_where_they_fit(changes, expected):
    begin, far = SECTIONS.index("pain"), SECTIONS.index("fever")
    batch = batch_of(document(SECTIONS, [(begin, begin + 4), (far, far + 5)], [("E0", "E1")]),
                     **UNMARKED, **dict(dict(context=2), **changes))
    assert " ".join(shown(batch)[1:]) == expected
    # The convolutions are pooled over the text around the mentions alone.
    first, last = batch.link_pooled[0]
    assert shown(batch)[first] == "was" and shown(batch)[last - 1] == "was"


def test_mentions_longer_than_a_row_show_their_first_pieces():
    text = "pain " * 200 + "fever " * 200
    batch = batch_of(document(text, [(0, 999), (1000, 2199)], [("E0", "E1")]), seq_length=16, **INSERTED)
    assert len(shown(batch)) <= 16 and {"pain", "fever"} < set(shown(batch))


def test_of_a_mention_longer_than_its_window_the_closing_marker_stands_where_what_is_shown_of_it_ends():
    text = "the " * 5 + "pain " * 40 + "fever"
    begin = 20
    batch = batch_of(document(text, [(begin, begin + 199), (begin + 200, begin + 205)], [("E0", "E1")]), seq_length=20, **INSERTED)
    words = shown(batch)
    opening, closing = words.index(marker(0, "EVENT", "PROBLEM")), words.index(marker(0, "EVENT", "PROBLEM", 1))
    assert set(words[opening + 1:closing]) == {"pain"} and closing - opening > 2, "all that is shown of it is between them"
    assert "pain" not in words[closing:] and "pain" not in words[:opening]


def test_characters_of_many_languages():
    text = "l’étude gaixotasuna"
    batch = batch_of(document(text, [(2, 7), (8, 19)], [("E0", "E1")]), **UNMARKED)
    assert [shown(batch)[place] for place in batch.link_markers[0]] == ["étude", "gaixotasuna"]


def test_markers_without_unused_pieces():
    plain = {piece: number for number, piece in enumerate([piece for piece in VOCABULARY if not piece.startswith("[unused")])}
    ids = around_mentions.marker_ids(plain)
    assert ids.shape == (2, len(mentions.MENTION_TYPES), 2)
    assert not {plain[piece] for piece in plain if piece[0] == "["} & set(ids.ravel())
    ids_of_small = around_mentions.marker_ids(VOCABULARY)
    assert len(set(ids_of_small.ravel())) == ids.size, "the 99 unused pieces of multilingual BERT are enough"


@st.composite
def notes(draw):
    """A note of single-piece words with mentions of one to three words and links between any of them."""
    words = draw(st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=80))
    begins = np.cumsum([0] + [len(word) + 1 for word in words])
    spans = []
    for _ in range(draw(st.integers(1, 8))):
        first = draw(st.integers(0, len(words) - 1))
        last = min(first + draw(st.integers(0, 2)), len(words) - 1)
        spans.append((int(begins[first]), int(begins[last + 1]) - 1))
    spans.append(None)
    number = st.integers(0, len(spans) - 1)
    links = draw(st.lists(st.tuples(number, number), min_size=1, max_size=30))
    return document(" ".join(words), spans, [(f"E{a}", f"E{b}") for a, b in links]), spans


@given(notes(), st.sampled_from([INSERTED, UNMARKED]), st.integers(1, 30), st.integers(12, 60))
@hypothesis_settings(max_examples=150, deadline=None)
def test_every_row_shows_the_mentions_of_its_link(note, changes, around, seq_length):
    one, spans = note
    batch = batch_of(one, context=around, seq_length=seq_length, **changes)
    assert batch.input_ids.shape[1] <= -(-seq_length // around_mentions.MULTIPLE) * around_mentions.MULTIPLE
    assert (batch.input_mask.sum(axis=1) <= seq_length).all()
    links = [(int(link.from_id[1:]), int(link.to_id[1:])) for link in one.tlinks]
    assert len(links) == len(batch.label_ids)
    for row, link in enumerate(links):
        begin, end = batch.link_pooled[row]
        assert 0 <= begin < end <= batch.input_mask[row].sum()
        for side, place in enumerate(batch.link_markers[row]):
            span = spans[link[side]]
            if span is None:
                continue
            if changes is INSERTED:
                place += 1
                while shown(batch, row)[place].startswith("[unused"):
                    place += 1
            assert shown(batch, row)[place] == one.text[span[0]:].split()[0]


# ------------------------------------------------------------------------------------------------- batches and model

def many(count=40):
    """A document of `count` links."""
    text = " ".join(["pain was normal on admission . the scan"] * 20)
    begins = [place for place in range(len(text)) if text.startswith("pain", place)]
    return document(text, [(begin, begin + 4) for begin in begins],
                    [(f"E{number % 20}", f"E{(number * 7 + 1) % 20}") for number in range(count)])


def test_batches_are_a_function_of_seed_and_step():
    chosen = RECIPE._replace(seq_length=64, batch_size=6, num_epochs=3)
    made = features_of(many())
    one, other = batching.Batches(made, chosen), batching.Batches(made, chosen)
    forwards = [one.at(step) for step in range(one.total)]
    for step in reversed(range(one.total)):
        for array, again in zip(forwards[step], other.at(step)):
            np.testing.assert_array_equal(array, again)
    for epoch in range(3):
        batches = forwards[epoch * one.per_epoch:(epoch + 1) * one.per_epoch]
        assert sum(len(batch.label_ids) for batch in batches) == 40
    first, second = (np.concatenate([batch.label_ids for batch in forwards[begin:begin + one.per_epoch]])
                     for begin in (0, one.per_epoch))
    assert first.tolist() != second.tolist() and sorted(first) == sorted(second)


def test_evaluation_batches_give_every_row_back_in_order():
    made, where = unique_rows(features_of(many(100)))
    batches = batching.EvaluationBatches(made, RECIPE._replace(seq_length=64, eval_batch_size=10))
    assert len(where) == 100 > len(made.note) == len(batches.rows) == batches.ends[-1]
    # `check` counts them without making features.
    assert len({view_of(RECIPE).read_of(row) for row in examples(many(100))}) == len(made.note)
    labels = np.concatenate([batches.at(number).label_ids for number in range(len(batches))])
    np.testing.assert_array_equal(batching.in_order(labels, batches.rows), made.label_ids)


@pytest.mark.parametrize("count, expected", [(1, [6]), (2, [3, 6]), (3, [2, 4, 6]), (9, [1, 2, 3, 4, 5, 6])])
def test_layers_whose_states_are_read_are_spread_evenly(count, expected):
    assert around_mentions.chosen_layers([1, 2, 3, 4, 5, 6], count) == expected


@pytest.fixture(scope="module")
def corpus(shared, tmp_path_factory):
    files = sorted((shared / "e3c" / TRAIN).glob("*.xml"), key=lambda path: path.stat().st_size)
    return corpus_of(tmp_path_factory.mktemp("notes") / "corpus", files[:4], files[4:6])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert") / "tiny"
    make_tiny_bert(str(folder))
    return folder


# A constant rate: that of adamw depends on max_steps, which here stands for a cut-off.
SMALL = dict(num_epochs=2, batch_size=16, dev=0.3, optimizer="adam")


@pytest.mark.trains
def test_train_and_test_with_the_recipe_and_continuing(corpus, bert, tmp_path):
    """A run cut off in the second epoch, and continued, ends as the whole one; a setting of the input makes another run."""
    common = ("--recipe", "context", "--corpus", corpus, "--bert", bert)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    finished = run("run_i2b2.py", "train", *common, "--result", whole, *settings(**SMALL))
    assert "of 2 training documents, held out" in finished.stdout and finished.stderr == ""
    last = json.loads((whole / "run.json").read_text())["train"]["step"]
    run("run_i2b2.py", "train", *common, "--result", parts, *settings(max_steps=last - 1, **SMALL))
    (parts / "checkpoints/i2b2/outcome.json").unlink()
    record = json.loads((parts / "run.json").read_text())
    record["settings"]["max_steps"] = last
    (parts / "run.json").write_text(json.dumps(record))
    continued = run("run_i2b2.py", "train", *common, "--result", parts, *settings(max_steps=last, **SMALL))
    assert f"continued from step {last - 1}" in continued.stdout
    tested = run("run_i2b2.py", "test", "--corpus", corpus, "--bert", bert, "--result", whole)
    assert tested.stderr == ""
    lines = (whole / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    links = [(one.name, link.id) for path in sorted((corpus / "ground_truth" / "merged_xml").glob("*.xml"))
             for one in [read_document(path)] for link in one.tlinks if link.type]
    assert [tuple(line.split("\t")[:2]) for line in lines[1:]] == links
    other = run("run_i2b2.py", "train", *common, "--result", whole, *settings(context=8, **SMALL), check=False)
    assert other.returncode == 1 and "context is 8, was" in other.stderr
    assert_same_variables(whole, parts)


def assert_same_variables(one, other):
    """The last states of two runs hold the same weights and moments.

    Not the same best score: a run that max_steps ends is evaluated once more, at its end.
    """
    readers = [tf.train.load_checkpoint(checkpoints.states(str(result / "checkpoints" / "i2b2"))[0].prefix)
               for result in (one, other)]
    names = set(readers[0].get_variable_to_shape_map())
    assert names == set(readers[1].get_variable_to_shape_map())
    for name in (name for name in names if not name.startswith("selection/")):
        np.testing.assert_array_equal(readers[0].get_tensor(name), readers[1].get_tensor(name), err_msg=name)


def test_the_cache_follows_offsets_and_recipe(corpus, bert, tmp_path):
    """Moved mentions are other features, and the two recipes do not take each other's for their own."""
    copy = tmp_path / "corpus"
    shutil.copytree(str(corpus), str(copy))
    read = reading.read_bert(paths.BertFolder(str(bert)), RECIPE)

    def made(chosen):
        return reading.split_features(reading.read_corpus(paths.CorpusFolder(str(copy)), chosen), read, chosen, "train")
    before = made(RECIPE)
    assert made(RECIPE).spans.tolist() == before.spans.tolist()
    assert made(settings_for("paper")).input_ids.shape[1] == 180
    for path in (copy / TRAIN).glob("*.xml"):
        moved = path.read_text(encoding="utf-8").replace('text="', 'text="nowhere ').replace('start="', 'start="1')
        path.write_text(moved, encoding="utf-8")
    assert made(RECIPE).spans.tolist() != before.spans.tolist()


@pytest.mark.parametrize("changes, words", [
    (["context=0"], "--recipe context"),
    (["markers=attached"], "none, inserted"),
    (["seq_length=8"], "seq_length 8"),
])
def test_settings_that_contradict_each_other_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        settings_for("context", changes)
