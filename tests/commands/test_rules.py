"""What every command keeps to: the text of notes is its owner's, folders are the run's own, and a model has its own BERT."""
import contextlib
import json
import os
import shutil
import tempfile

import pytest

import data_process_E3C
from commands.main import function_of
from commands.options import parse_arguments
from conftest import PROJECT
from data_process_i2b2 import read_document
from helpers import files_below, settings, write_bc5cdr, write_corpus
from inputs import reading
from settings import Settings
from support import files
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder, ResultFolder
from tasks.bc5cdr import BC5CDR
from tasks.i2b2 import I2B2
from training import runs

TRAIN = "2012-07-15.original-annotation.release"
NOTE = """<r><TEXT><![CDATA[
The patient had a fall , then pain .
]]></TEXT><TAGS><EVENT id="E0" start="19" end="23" text="fall" type="PROBLEM"/><EVENT id="E1" start="31" end="35" text="pain"
 type="PROBLEM"/>LINK</TAGS></r>"""
LINK = '<TLINK id="TL0" fromID="E0" fromText="fall" toID="E1" toText="pain" type=""/>'


def here(command, *words):
    """A command in this process."""
    return function_of(command)(parse_arguments([command] + [str(word) for word in words]))


@pytest.fixture
def own(model, tmp_path):
    """(corpus folder, paths.ResultFolder): copies of those of a trained and tested model."""
    for name, folder in zip(("corpus", "result"), model):
        shutil.copytree(str(folder), str(tmp_path / name))
    return tmp_path / "corpus", ResultFolder(str(tmp_path / "result"))


@pytest.fixture
def usual_umask():
    """The umask that most systems have."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes_below(folder):
    return {os.stat(path).st_mode & 0o777 for path in files_below(folder)}


def left_by_a_killed_process(folder, name):
    """A file, or with `name` of a folder a folder, as a process leaves it that was killed while it wrote `name`; its path."""
    path = folder / f".{name}.0a1b2c3d.tmp"
    if "." in name:
        path.write_text("half")
    else:
        path.mkdir()
        (path / files.IN_USE).write_text("")
    return path


# ------------------------------------------------------------------------------------------------------ text of notes

@pytest.mark.trains
def test_what_predict_writes_is_the_owners_and_nothing_else_is_left(model, tmp_path, usual_umask, monkeypatch, capsys):
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    for folder in (out, temporary):
        folder.mkdir()
    (tmp_path / "note.xml").write_text(NOTE.replace("LINK", LINK))
    (tmp_path / "typed.xml").write_text(NOTE.replace("LINK", LINK.replace('type=""', 'type="AFTER"')))
    (tmp_path / "plain.txt").write_text("Fever , then pain .\n")
    (tmp_path / "plain.ann").write_text("T1\tPROBLEM 0 5\tFever\nT2\tPROBLEM 13 17\tpain\n")
    left = left_by_a_killed_process(out, "note.xml")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    names = [tmp_path / name for name in ("note.xml", "typed.xml", "plain.txt")]
    here("predict", *names, "--out", out, "--result", model[1], "--page")
    expected = {f"{name}.{ending}" for name in ("note", "typed", "plain") for ending in ("html", "tsv", "xml")}
    assert set(os.listdir(str(out))) == expected | {"plain.ann"}
    assert modes_below(out) == {0o600} and not left.exists() and os.listdir(str(temporary)) == []
    assert "typed.xml: all of its TLINKs have a type, which they keep; empty the types" in capsys.readouterr().out


def test_features_are_the_owners_and_leftovers_of_killed_processes_go(corpus, bert, tmp_path, usual_umask):
    own = CorpusFolder(shutil.copytree(str(corpus), str(tmp_path / "corpus")))
    shutil.rmtree(own.features, ignore_errors=True)
    os.makedirs(own.features)
    left = left_by_a_killed_process(tmp_path / "corpus" / "features", "train-HeadOfNote-1.npz")
    chosen = Settings(seq_length=32)
    reading.split_features(reading.read_corpus(own, chosen), reading.read_bert(BertFolder(str(bert)), chosen), chosen, "train")
    assert not left.exists() and modes_below(own.features) == {0o600}


def test_a_converted_corpus_is_the_owners_and_in_no_result_folder(tmp_path, usual_umask):
    fixture = PROJECT / "tests" / "fixtures" / "e3c"
    left = left_by_a_killed_process(tmp_path, "out")
    data_process_E3C.convert(fixture, tmp_path / "out")
    assert modes_below(tmp_path / "out") == {0o600} and not left.exists()
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="in the result folder"):
        data_process_E3C.convert(fixture, tmp_path / "result" / "out")
    assert os.listdir(str(tmp_path / "result")) == ["run.json"]


@pytest.mark.parametrize("command", ["check", "train", "demo"])
def test_corpus_and_result_in_each_other_are_refused(command, corpus, bert, tmp_path):
    own = shutil.copytree(str(corpus), str(tmp_path / "corpus"))
    for result in (own, os.path.join(own, "result"), str(tmp_path)):
        with pytest.raises(InputError, match="in each other"):
            here(command, "--corpus", own, "--bert", bert, "--result", result)
    assert not os.path.exists(os.path.join(own, "result"))


def test_a_test_whose_corpus_is_in_its_result_folder_is_refused(own, tmp_path):
    corpus, result = own
    inside = shutil.move(str(corpus), os.path.join(result.root, "corpus"))
    before = {path: os.stat(path).st_mtime for path in files_below(result.root) if not path.endswith(".lock")}
    with pytest.raises(InputError, match="in the result folder"):
        here("test", "--corpus", inside, "--result", result.root)
    assert {path: os.stat(path).st_mtime for path in files_below(result.root) if not path.endswith(".lock")} == before


@pytest.mark.trains
def test_ids_that_may_be_words_of_a_note_are_in_no_result_folder(own, tmp_path):
    """Ids of another form are told apart by what stands for them, so that scores and joins are the same."""
    corpus, result = own
    path = next((corpus / "ground_truth" / "merged_xml").glob("*.xml"))
    link = next(tlink for tlink in read_document(str(path)).tlinks if tlink.type)
    text = path.read_text(encoding="utf-8")
    for old, new in ((link.id, "Smithson"), (link.from_id, "Smithson fell"), (link.to_id, "smithson")):
        text = text.replace(f'"{old}"', f'"{new}"')
    path.write_text(text, encoding="utf-8")
    here("test", "--corpus", corpus, "--result", result.root, "--with-text")
    for written in files_below(result.root):
        with open(written, "rb") as source:
            assert b"smithson" not in source.read().lower(), written
    table = I2B2.table({})
    from evaluation import predictions
    read = predictions.read(result.predictions, table)
    assert read.in_file_order(result).keys() == read.keys(), "predictions.tsv and system_xml name them alike"
    assert any(row[1].startswith("ID-") and row[2].startswith("ID-") and row[1] != row[2] for row in read.keys())
    kept = corpus / "system_xml"
    assert "Smithson" in "".join(open(name, encoding="utf-8").read() for name in files_below(kept) if name.endswith(path.name))


# ------------------------------------------------------------------------------------------------------------- folders

@pytest.mark.parametrize("name", ["figures", "system_xml"])
def test_a_test_refuses_linked_folders_and_leaves_what_is_there(name, own, tmp_path):
    corpus, result = own
    elsewhere = shutil.move(os.path.join(result.root, name), str(tmp_path / "elsewhere"))
    os.symlink(elsewhere, os.path.join(result.root, name))
    before = {path: os.stat(path).st_mtime for path in files_below(elsewhere)}
    with pytest.raises(InputError, match=f"{name} is a link"):
        here("test", "--corpus", corpus, "--result", result.root)
    assert {path: os.stat(path).st_mtime for path in files_below(elsewhere)} == before


@pytest.mark.trains
def test_an_export_is_of_no_linked_folder_and_removes_what_a_killed_one_left(own, tmp_path):
    from notes import export
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link is a link"):
        here("export", "--result", own[1].root, "--out", tmp_path / "link")
    for name, words in (("ex[1]", "TensorFlow reads no checkpoint"), (os.fsdecode(b"ex\xff"), "not UTF-8")):
        with pytest.raises(InputError, match=words):
            here("export", "--result", own[1].root, "--out", tmp_path / name)
    left = left_by_a_killed_process(tmp_path, "out")
    with export.complete_folder(str(tmp_path / "out")) as unfinished:
        os.mkdir(unfinished)
    assert not left.exists() and os.listdir(str(tmp_path / "elsewhere")) == []


def test_a_test_has_its_result_folder_for_itself(own, monkeypatch):
    class Waits(Exception):
        """Stands for the wait for another test."""

    @contextlib.contextmanager
    def testing(result):
        raise Waits(result.root)
        yield  # pylint: disable=unreachable

    monkeypatch.setattr(runs, "testing", testing)
    with pytest.raises(Waits, match="result"):
        here("test", "--corpus", own[0], "--result", own[1].root)


# ---------------------------------------------------------------------------------------------------- a model's own BERT

def other_vocabulary(folder):
    """Exchange two word pieces, so that the size stays."""
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    pieces[10], pieces[20] = pieces[20], pieces[10]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")


def other_configuration(folder):
    path = folder / "bert_config.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), hidden_dropout_prob=0.3)))


def other_case(folder):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({"do_lower_case": True}))


@pytest.fixture(params=[(other_vocabulary, "vocab.txt is not the vocabulary"),
                        (other_configuration, "bert_config.json is not the configuration"),
                        (other_case, "trained with do_lower_case=false")])
def other_bert(request, bert, tmp_path):
    """(another BERT than the model's, what is said of it)."""
    folder = tmp_path / "other"
    shutil.copytree(str(bert), str(folder))
    change, words = request.param
    change(folder)
    return folder, words


@pytest.mark.trains
def test_another_bert_than_the_models_is_refused_with_the_remedy(other_bert, own, tmp_path):
    from predict import RelationClassifier
    corpus, result = own
    folder, words = other_bert
    (tmp_path / "note.xml").write_text(NOTE.replace("LINK", LINK))
    remedy = "leave that setting out" if "do_lower_case" in words else "Name the folder of the model's own BERT with --bert DIR"
    common = ("--bert", folder, "--result", result.root)
    for use in (lambda: here("test", "--corpus", corpus, *common),
                lambda: here("predict", tmp_path / "note.xml", "--out", tmp_path / "out", *common),
                lambda: here("export", "--out", tmp_path / "exported", *common),
                lambda: RelationClassifier(result.root, str(folder))):
        with pytest.raises(InputError) as refused:
            use()
        assert words in str(refused.value) and remedy in str(refused.value) and result.root in str(refused.value)
    assert not (tmp_path / "exported").exists() and not (tmp_path / "out" / "note.tsv").exists()


@pytest.mark.trains
@pytest.mark.parametrize("change, part", [(other_vocabulary, "vocabulary"), (other_configuration, "configuration")])
def test_a_run_is_not_continued_with_another_bert_or_corpus(change, part, own, bert, tmp_path):
    corpus, result = own
    same = ("--recipe", "demo", "--corpus", corpus, "--result", result.root, *settings(
        max_steps=30, evaluate_every=30, seq_length=60))
    shutil.copytree(str(bert), str(tmp_path / "other"))
    change(tmp_path / "other")
    for command in ("train", "check"):
        with pytest.raises(InputError, match=f"another run.*{part}.* is not the {part} of .*other"):
            here(command, *same, "--bert", tmp_path / "other")
    for path in (corpus / TRAIN).glob("*.xml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("fromID=", "X=").replace("toID=", "fromID=").replace("X=", "toID="), encoding="utf-8")
    with pytest.raises(InputError, match="another run.*train documents"):
        here("train", *same, "--bert", bert)


@pytest.mark.trains
def test_notes_of_one_name_are_answered_apart(model):
    from notes.answering import read_note
    from predict import RelationClassifier
    classifier = RelationClassifier(str(model[1]))
    notes = [read_note(NOTE.replace("LINK", LINK).replace("pain", word)) for word in ("pain", "rash")]
    together = [one.log_probabilities for one in classifier.answers(notes)]
    for note, found in zip(notes, together):
        alone, = classifier.answers([note])
        assert alone.log_probabilities == pytest.approx(found, abs=1e-5)
    assert together[0] != pytest.approx(together[1], abs=1e-4)


# ------------------------------------------------------------------------------------------------------------- leaks

def test_copies_are_told_with_their_names(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / TRAIN / "copy.xml").write_text((corpus / TRAIN / "3.xml").read_text())
    shutil.copyfile(str(corpus / TRAIN / "4.xml"), str(corpus / "ground_truth" / "merged_xml" / "seen.xml"))
    reading.read_corpus(CorpusFolder(str(corpus)))
    said = capsys.readouterr().out
    assert "test documents that are in training too: 3 (0, 1, seen = 4); scores on them say little about new notes" in said
    assert "training documents with the same text: 3 = copy" in said


def test_copies_in_the_development_set_are_told(tmp_path, capsys):
    folder = write_bc5cdr(tmp_path / "corpus")
    dev, test = ((folder / name).read_text() for name in ("CDR_DevelopmentSet.BioC.xml", "CDR_TestSet.BioC.xml"))
    document = "<document>" + (folder / "CDR_TrainingSet.BioC.xml").read_text().split("<document>")[2]
    (folder / "CDR_DevelopmentSet.BioC.xml").write_text(dev.replace("<document>", document + "<document>", 1))
    document = "<document>" + dev.split("<document>")[1]
    (folder / "CDR_TestSet.BioC.xml").write_text(test.replace("<document>", document + "<document>", 1))
    settings_of = BC5CDR.settings_for("paper")
    BC5CDR.read_corpus(BC5CDR.corpus_folder(str(folder), settings_of), settings_of)
    said = capsys.readouterr().out
    assert "development documents that are in training too: 1 (101); the best model is chosen on them" in said
    assert "test documents that are in the development set too: 1 (200)" in said
    assert "test documents that are in training" not in said


def test_bc5cdr_has_i2b2s_settings_but_for_the_papers_own():
    ours, i2b2s = BC5CDR.recipes["paper"]._asdict(), I2B2.recipes["paper"]._asdict()
    differing = {key: value for key, value in ours.items() if value != i2b2s[key]}
    assert differing == {"seq_length": 170, "batch_size": 32, "eval_batch_size": 32, "dev": "development"}
