"""Another vocabulary, another configuration, other documents: each is told from the model's and the run's own."""
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_process_i2b2 import Document, Mention, Split, Tlink, examples
from evaluation import provenance
from inputs import identity, reading
from network.config import BertConfig
from settings import Settings, settings_for
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder, ResultFolder
from training import runs

VOCAB = {piece: number for number, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pain", "fever"])}
CONFIG = BertConfig(6, 8, 1, 2, 16, max_position_embeddings=32)
NOTE = Document("1", "\npain and fever\n", (Mention("EVENT", "E0", 1, 5, "pain", "PROBLEM", {}),
                                            Mention("EVENT", "E1", 10, 15, "fever", "PROBLEM", {})),
                (Tlink("TL0", "E0", "pain", "E1", "fever", "BEFORE"),))


def test_the_order_of_the_vocabulary_and_the_case_are_part_of_a_model():
    swapped = dict(VOCAB, pain=5, fever=4)
    digests = [identity.of_model(CONFIG, vocab, lower)
               for vocab, lower in ((VOCAB, False), (swapped, False), (VOCAB, True))]
    assert digests[0]["vocabulary"] != digests[1]["vocabulary"] and digests[0]["configuration"] == digests[1]["configuration"]
    assert digests[0]["do_lower_case"] != digests[2]["do_lower_case"]
    wider = identity.of_model(BertConfig(6, 8, 1, 2, 32, max_position_embeddings=32), VOCAB, False)
    assert wider["configuration"] != digests[0]["configuration"]


CHANGES = {
    "from and to exchanged": NOTE._replace(tlinks=(Tlink("TL0", "E1", "pain", "E0", "fever", "BEFORE"),)),
    "another type of mention": NOTE._replace(mentions=(NOTE.mentions[0]._replace(type="TEST"), NOTE.mentions[1])),
    "another tag": NOTE._replace(mentions=(NOTE.mentions[0]._replace(tag="TIMEX3"), NOTE.mentions[1])),
    "another offset": NOTE._replace(mentions=(NOTE.mentions[0]._replace(start=2), NOTE.mentions[1])),
    "another end": NOTE._replace(mentions=(NOTE.mentions[0]._replace(end=7), NOTE.mentions[1])),
    "another id": NOTE._replace(mentions=(NOTE.mentions[0]._replace(id="E7"), NOTE.mentions[1])),
    "another order of mentions": NOTE._replace(mentions=NOTE.mentions[::-1]),
    "another link's id": NOTE._replace(tlinks=(NOTE.tlinks[0]._replace(id="Sectime0"),)),
    "another type": NOTE._replace(tlinks=(NOTE.tlinks[0]._replace(type="AFTER"),)),
    "an empty type": NOTE._replace(tlinks=(NOTE.tlinks[0]._replace(type=""),)),
    "another text": NOTE._replace(text="\npain, and fever\n"),
    "another name": NOTE._replace(name="2"),
    "a mention less": NOTE._replace(mentions=NOTE.mentions[:1]),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_whatever_a_recipe_may_read_changes_the_fingerprint_of_a_corpus(change):
    assert identity.of_documents([CHANGES[change]]) != identity.of_documents([NOTE])


@given(st.lists(st.text(max_size=3), min_size=2, max_size=6), st.integers(1, 5))
def test_where_one_text_ends_and_the_next_begins_counts(texts, cut):
    cut = min(cut, len(texts) - 1)
    joined = texts[:cut - 1] + [texts[cut - 1] + texts[cut]] + texts[cut + 1:]
    notes = [[NOTE._replace(name=text) for text in some] for some in (texts, joined)]
    assert identity.of_documents(notes[0]) != identity.of_documents(notes[1])


# ------------------------------------------------------------------------------------------------------------ copies

def corpus_of(texts):
    """A corpus whose training documents have these texts."""
    documents = [Document(str(number), text, NOTE.mentions, NOTE.tlinks) for number, text in enumerate(texts)]
    return reading.Corpus(None, Split(documents, [row for one in documents for row in examples(one)]), Split([], []), {})


@pytest.mark.parametrize("seed", range(8))
def test_copies_of_a_text_are_held_out_together(seed):
    corpus = corpus_of(["pain", "a fever", "a  fever\n", "cough", "pain ", "rash", "fall", "stroke"])
    assert sorted(map(sorted, reading.copies(corpus.train.documents))) == [["0", "4"], ["1", "2"]]
    held = reading.held_out(corpus, Settings(dev="0.4", seed=seed))
    by_document = dict(zip((row.document for row in corpus.train.examples), held))
    assert by_document["0"] == by_document["4"] and by_document["1"] == by_document["2"]
    assert held.any() and not held.all()


def test_copies_alone_cannot_be_held_out():
    with pytest.raises(InputError, match="copies of each other"):
        reading.held_out(corpus_of(["pain", "pain", "pain"]), Settings(dev="0.4"))


def test_without_copies_the_same_documents_are_held_out_as_ever():
    corpus = corpus_of(["pain", "fever", "cough", "rash", "fall"])
    held = reading.held_out(corpus, Settings(dev="0.4", seed=3))
    drawn = np.random.RandomState(3).permutation(5)[:2]
    assert sorted(np.flatnonzero(held)) == sorted(drawn)


# -------------------------------------------------------------------------------------------------- a model and its BERT

@pytest.fixture
def copy(model, tmp_path):
    """A copy of the toy model's result folder, and its record."""
    shutil.copytree(str(model[1]), str(tmp_path / "result"))
    result = ResultFolder(str(tmp_path / "result"))
    with open(result.run, encoding="utf-8") as source:
        return result, json.load(source)


def settings_of(result, record):
    return runs.settings_of_model(result, record)


def swap_lines(path):
    """Exchange two word pieces of a vocabulary, whose size stays."""
    with open(str(path), encoding="utf-8") as source:
        pieces = source.read().split("\n")
    pieces[10], pieces[20] = pieces[20], pieces[10]
    with open(str(path), "w", encoding="utf-8") as out:
        out.write("\n".join(pieces))


def test_a_vocabulary_of_the_same_size_in_another_order_is_refused(copy, bert, tmp_path):
    result, record = copy
    shutil.copytree(str(bert), str(tmp_path / "other"))
    swap_lines(tmp_path / "other" / "vocab.txt")
    own = reading.bert_of_model(result, record, settings_of(result, record))
    same = reading.bert_of_model(result, record, settings_of(result, record), BertFolder(str(bert)))
    assert own.vocab == same.vocab
    with pytest.raises(InputError) as refused:
        reading.bert_of_model(result, record, settings_of(result, record), BertFolder(str(tmp_path / "other")))
    assert str(tmp_path / "other" / "vocab.txt") in str(refused.value) and result.run in str(refused.value)


@pytest.mark.parametrize("damage, part", [(lambda result: swap_lines(result.vocab), "vocab.txt"), (
    lambda result: change_json(result.bert_config, hidden_dropout_prob=0.3), "bert_config.json")])
def test_a_damaged_copy_in_the_result_folder_is_refused(copy, damage, part):
    result, record = copy
    damage(result)
    with pytest.raises(InputError, match=part):
        reading.bert_of_model(result, record, settings_of(result, record))


def change_json(path, **changes):
    with open(path, encoding="utf-8") as source:
        content = json.load(source)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(dict(content, **changes), out)


def test_a_record_of_an_earlier_version_is_checked_as_far_as_it_goes(copy, capsys):
    result, record = copy
    del record["model"]
    reading.bert_of_model(result, record, settings_of(result, record))
    said = capsys.readouterr().out
    assert "which configuration and rule of case the model was trained with: they cannot be checked" in said
    assert "vocabulary" not in said, "its digest is on record"
    swap_lines(result.vocab)
    with pytest.raises(InputError, match="vocab.txt"):
        reading.bert_of_model(result, record, settings_of(result, record))
    del record["bert"]
    reading.bert_of_model(result, record, settings_of(result, record))
    assert "which vocabulary, configuration and rule of case" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------------- settings

@pytest.mark.parametrize("assignment, words", [
    ("learning_rate=0.1", "learning_rate=0.1"), ("dev=0.5", "it was test"), ("num_epochs=3", "num_epochs"),
    ("do_lower_case=true", "it was false"), ("num_filters=7", "num_filters")])
def test_settings_of_training_are_refused_for_a_trained_model(tmp_path, assignment, words):
    record = {"recipe": "paper", "settings": Settings()._asdict()}
    with pytest.raises(InputError, match=words):
        runs.settings_of_model(ResultFolder(str(tmp_path)), record, assignments=[assignment])


def test_a_seed_acts_on_a_test_with_evaluation_dropout_alone(tmp_path):
    for dropout in (False, True):
        record = {"recipe": "paper", "settings": Settings(evaluation_dropout=dropout)._asdict()}
        if dropout:
            assert runs.settings_of_model(ResultFolder(str(tmp_path)), record, seed=5).seed == 5
        else:
            with pytest.raises(InputError, match=r"seed=5 \(it was 0\)"):
                runs.settings_of_model(ResultFolder(str(tmp_path)), record, seed=5)


def test_what_acts_on_a_test_may_be_set_and_what_is_the_same_may_be_said(tmp_path):
    record = {"recipe": "paper", "settings": Settings()._asdict()}
    given = ["seq_length=64", "eval_batch_size=3", "xla=off", "threads=1", "learning_rate=5e-5"]
    chosen = runs.settings_of_model(ResultFolder(str(tmp_path)), record, assignments=given, seed=0)
    assert (chosen.seq_length, chosen.eval_batch_size, chosen.xla, chosen.threads) == (64, 3, "off", 1)


def record_of(test_gold, **corpus):
    """What run.json holds of a training with these test documents, for each choice of dev."""
    return lambda dev: {"recipe": "paper", "settings": Settings(dev=dev, test_gold=test_gold)._asdict(),
                        "corpus": dict({"train": "a", "test": "b", "test documents": "c"}, **corpus)}


def test_other_test_documents_make_another_run_where_they_choose_the_best_model():
    merged, unmerged = record_of("merged"), record_of("unmerged", **{"test": "x", "test documents": "y"})
    assert runs.differences(merged("test"), unmerged("test")) == [
        "corpus test has other content", "corpus test documents has other content", "setting test_gold is unmerged, was merged"]
    assert runs.differences(merged("0.15"), unmerged("0.15")) == []
    # Test documents that changed where nobody asked for others, and training documents, are told as ever.
    assert runs.differences(merged("0.15"), record_of("merged", test="x")("0.15")) == ["corpus test has other content"]
    assert runs.differences(merged("0.15"), record_of("unmerged", train="x")("0.15")) == ["corpus train has other content"]
    assert "setting dev is test, was 0.15" in runs.differences(merged("0.15"), unmerged("test"))


def test_a_trained_model_is_tested_on_either_test_gold_and_training_is_not_said_to_differ(tmp_path):
    record = record_of("merged")("test")
    assert runs.settings_of_model(ResultFolder(str(tmp_path)), record, assignments=["test_gold=unmerged"]).test_gold == "unmerged"
    empty = Split([], [])
    other = {"train": "a", "test": "x", "test documents": "y"}
    for gold, count in (("unmerged", 0), ("merged", 1)):
        corpus = reading.Corpus(CorpusFolder(str(tmp_path), gold), empty, empty, other)
        assert len([remark for remark in provenance.remarks(record, corpus) if "not as it was in training" in remark]) == count
    with pytest.raises(InputError, match="one of merged, unmerged"):
        settings_for("paper", ["test_gold=both"])


@pytest.mark.parametrize("recipe, given, words", [
    ("paper", ["head_rate=10"], "optimizer=adamw"), ("paper", ["warmup=0.2"], "optimizer is adam"),
    ("context", ["marker_states=false", "marker_layers=3"], "marker_states=true")])
def test_settings_that_cannot_act_are_refused(recipe, given, words):
    with pytest.raises(InputError, match=words):
        settings_for(recipe, given)


def test_a_seed_given_twice_is_refused():
    with pytest.raises(InputError, match="one of them"):
        settings_for("paper", ["seed=1"], seed=2)


def test_layers_that_the_bert_lacks_are_refused(bert):
    with pytest.raises(InputError, match="marker_layers=5"):
        reading.read_bert(BertFolder(str(bert)), settings_for("context", ["marker_layers=5"]))


# --------------------------------------------------------------------------------------------------------------- case

@pytest.fixture
def uncased(bert, tmp_path):
    """A BERT folder whose vocabulary has no capital letters, of the same size."""
    shutil.copytree(str(bert), str(tmp_path / "uncased"))
    vocab = tmp_path / "uncased" / "vocab.txt"
    pieces = vocab.read_text(encoding="utf-8").split("\n")
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    lowered = [piece if piece in special or piece == piece.lower() else f"lower{number}" for number, piece in enumerate(pieces)]
    vocab.write_text("\n".join(lowered), encoding="utf-8")
    return BertFolder(str(tmp_path / "uncased"))


def test_case_follows_the_bert_or_what_was_said(bert, uncased):
    cased = BertFolder(str(bert))
    for folder, setting, expected in ((cased, "auto", False), (uncased, "auto", True), (cased, "true", True),
                                      (uncased, "false", False)):
        assert reading.read_bert(folder, Settings(do_lower_case=setting)).do_lower_case is expected
    tokenizer_config = uncased.tokenizer_config
    with open(tokenizer_config, "w", encoding="utf-8") as out:
        json.dump({"do_lower_case": False}, out)
    assert reading.read_bert(uncased, Settings(do_lower_case="auto")).do_lower_case is False


@pytest.mark.parametrize("setting, told", [("false", "become [UNK]"), ("auto", "")])
def test_capital_letters_for_an_uncased_bert_are_told(uncased, setting, told, capsys):
    chosen = Settings(do_lower_case=setting)
    reading.tell_case(corpus_of(["Pain and fever", "PAIN"]), reading.read_bert(uncased, chosen), chosen)
    said = capsys.readouterr().out
    assert told in said and bool(said) == bool(told) and said.count("\n") <= 1


def test_lower_casing_for_a_cased_bert_is_told(bert, capsys):
    chosen = Settings(do_lower_case="true")
    reading.tell_case(corpus_of(["Pain and fever"]), reading.read_bert(BertFolder(str(bert)), chosen), chosen)
    assert "for a cased BERT" in capsys.readouterr().out


def test_a_run_that_was_told_its_case_goes_on_as_one_that_follows_the_bert():
    then = {"settings": dict(settings_for("context")._asdict(), do_lower_case=True)}
    now = {"settings": settings_for("context")._asdict(), "model": {"do_lower_case": "true"}}
    assert runs.differences(then, now) == []
    now["model"]["do_lower_case"] = "false"
    assert runs.differences(then, now) == ["setting do_lower_case is false, was true"]


@pytest.mark.parametrize("dev", ["test", "0.15"])
def test_a_test_on_other_gold_than_the_recorded_is_told(dev, capsys):
    runs.tell_changes(record_of("merged")(dev), Settings(dev=dev, test_gold="unmerged"))
    assert capsys.readouterr().out == "not as the model was trained: setting test_gold is unmerged, was merged\n"


@pytest.mark.parametrize("act, setting", [(act, setting) for act in (runs.OF_NEW_NOTES, runs.OF_AN_EXPORT) for setting in (
    "evaluation_dropout=true", "test_gold=unmerged", "seed=5")] + [(runs.OF_AN_EXPORT, "eval_batch_size=3")])
def test_settings_that_do_nothing_for_new_notes_are_refused(act, setting, tmp_path):
    trained = Settings(evaluation_dropout=setting[:4] == "seed")
    result, record = ResultFolder(str(tmp_path)), {"recipe": "paper", "settings": trained._asdict()}
    with pytest.raises(InputError, match=f"{setting} .it was .*those that may be set here: {', '.join(act)}[.]"):
        runs.settings_of_model(result, record, assignments=[setting], act=act)
    assert runs.settings_of_model(result, record, assignments=["threads=1", "seq_length=64"], act=act).threads == 1
