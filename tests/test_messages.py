"""What a refusal or a warning names, and what it advises."""
import re

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

import data_process_i2b2
from fuzz_inputs import write
from helpers import i2b2_xml, run, settings, tlinks
from inputs.labels import LABELS
from notes import answering
from settings import CHOICES, RANGES, Settings, settings_for
from support.errors import InputError
from support.paths import CorpusFolder, ResultFolder
from training import outcome, runs


def test_an_empty_name_is_refused(tmp_path):
    for option in ("corpus", "bert", "result"):
        for command in ("train", "test", "check"):
            finished = run("run_i2b2.py", command, f"--{option}", "", check=False, cwd=tmp_path)
            assert finished.returncode == 2 and f"--{option}: the name is empty" in finished.stderr
    with pytest.raises(InputError, match="empty"):
        ResultFolder("")
    with pytest.raises(InputError, match="empty"):
        CorpusFolder("")


def test_the_folder_of_a_seed_is_named(tmp_path):
    for seed in (0, 1):
        write(ResultFolder(str(tmp_path)).of_seed(seed).best + ".index", b"")
    with pytest.raises(InputError, match=r"--result .*seed-0; `test --seeds 2`"):
        runs.require_model(ResultFolder(str(tmp_path)), "")


def test_a_model_without_its_bert_asks_for_it(corpus, tmp_path, monkeypatch):
    from support import paths
    monkeypatch.setattr(paths, "DEFAULT_BERT", str(tmp_path / "no bert"))
    monkeypatch.setattr(paths, "UPSTREAM_BERT", str(tmp_path / "no bert either"))
    from commands.common import read_inputs_of_model
    from commands.options import parse_arguments
    arguments = parse_arguments(["test", "--corpus", str(corpus), "--result", str(tmp_path)])
    with pytest.raises(InputError, match="made from with --bert DIR"):
        read_inputs_of_model(arguments, Settings(), ResultFolder(str(tmp_path)), {})


@pytest.mark.parametrize("archive, command", [("2012-07-15.original-annotation.release.tar.gz", "tar -xf"), ("data.ZIP", "unzip")])
def test_an_archive_that_was_not_unpacked_is_named_with_the_command(archive, command, tmp_path):
    (tmp_path / archive).write_bytes(b"")
    with pytest.raises(InputError) as refusal:
        data_process_i2b2.check_corpus_folder(CorpusFolder(str(tmp_path)))
    assert f"{archive} does. Unpack it: {command}" in str(refusal.value)


def test_notes_without_a_link_to_type_say_why():
    def told(text, tags):
        return answering.nothing_to_type(answering.read_note(i2b2_xml(text, tags)))
    assert "no EVENT is marked" in told("a", "")
    assert "have a type" in told("fall pain", tlinks(1))
    assert "no candidates" in told("fall", '<EVENT id="E0" start="1" end="5" text="fall" type="PROBLEM"/>')


def test_the_timeline_of_an_earlier_call_does_not_stay(tmp_path):
    note = answering.read_note(i2b2_xml("fall pain", tlinks(1)), "n")
    answered = answering.answer(note, np.zeros([0, 8]), False)
    answering.write_answer(str(tmp_path), answered, True)
    assert (tmp_path / "n.html").is_file()
    answering.write_answer(str(tmp_path), answered, False)
    assert not (tmp_path / "n.html").exists()
    (tmp_path / "n.html").write_text("the user's own")
    answering.write_answer(str(tmp_path), answered, False)
    assert (tmp_path / "n.html").is_file()


def test_a_model_of_one_label_is_told_with_what_to_try():
    line = outcome.one_label(np.full(5, 2), "dev examples", Settings(), LABELS)
    assert "all 5 dev examples the label BEFORE" in line and "--set learning_rate=1e-05 or --set optimizer=adamw" in line
    assert "adamw" not in outcome.one_label(np.zeros(5, int), "dev examples", Settings(optimizer="adamw"), LABELS)
    assert outcome.one_label(np.array([1, 2]), "dev examples", Settings(), LABELS) is None


@hypothesis.given(rate=strategies.floats(*RANGES["learning_rate"]), clip=strategies.floats(*RANGES["clip"]),
                  optimizer=strategies.sampled_from(CHOICES["optimizer"]))
@hypothesis.example(rate=0.0, clip=RANGES["clip"][0], optimizer="adamw")
def test_what_is_advised_can_be_set_and_is_not_set_already(rate, clip, optimizer):
    chosen = Settings(learning_rate=rate, clip=clip, optimizer=optimizer)
    for told in (outcome.advice_against_overflow(chosen), outcome.one_label(np.zeros(5, int), "dev examples", chosen, LABELS)):
        for assignment in re.findall(r"--set (\S+=[^\s,]+)", told):
            changed = settings_for("paper", [assignment], base=chosen)
            assert changed != chosen and changed.learning_rate <= rate and changed.clip <= clip
        assert ("--set optimizer" in told) == (optimizer == "adam")


@pytest.mark.trains
def test_train_and_test_tell_of_a_model_of_one_label(corpus, bert, tmp_path):
    common = ("--corpus", corpus, "--bert", bert, "--result", tmp_path / "result")
    trained = run("run_i2b2.py", "train", *common,
                  *settings(batch_size=4, max_steps=4, evaluate_every=4, seq_length=32, learning_rate=1.0))
    tested = run("run_i2b2.py", "test", *common)
    for finished, what in ((trained, "dev"), (tested, "test")):
        assert finished.stdout.count("note: the best model gives all") == 1 and f"{what} examples the label" in finished.stdout


def test_a_demo_on_own_data_says_nothing_of_synthetic_notes(tmp_path, monkeypatch, capsys):
    from commands import demo
    from commands.options import parse_arguments
    from evaluation import tlink_scores
    from evaluation.bootstrap import Interval
    from evaluation.headline import Headline
    head = Headline(tlink_scores.SCORES, {"pairs.accuracy": Interval(0.5, 0.4, 0.6)}, {"pairs.accuracy": 0.25},
                    {tlink_scores.EIGHT: "BEFORE"}, "", 7, 70, (), "")
    monkeypatch.setattr(demo, "train", lambda arguments: None)
    monkeypatch.setattr(demo, "test", lambda arguments: head)
    monkeypatch.setattr(demo, "toy_bert", lambda: "toy")
    demo.demo(parse_arguments(["demo", "--corpus", str(tmp_path), "--bert", "b"]))
    own = capsys.readouterr().out
    demo.demo(parse_arguments(["demo"]))
    sample = capsys.readouterr().out
    assert "50.0 % of the test TLINKs" in own and "This is a toy" not in own
    assert "50.0 % of the synthetic TLINKs" in sample and "This is a toy" in sample


def test_the_module_of_predictions_says_how_it_is_used():
    finished = run("predict.py", check=False)
    assert finished.returncode == 2
    assert "from predict import RelationClassifier" in finished.stderr and "--out DIR" in finished.stderr
