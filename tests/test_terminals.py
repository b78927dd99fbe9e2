"""Readers and terminals that go away, streams that are closed, and characters that cannot be shown."""
import os
import shlex
import subprocess

import pytest

from helpers import command_of, settings, write_corpus
from notes import answering
from support.errors import InputError
from support.paths import BertFolder, CorpusFolder, ResultFolder
from terminal import close_terminal, hang_up, in_a_terminal
from training import outcome, runs

TRAIN = "2012-07-15.original-annotation.release"


def shell(line, **environment):
    """Run a line of bash; returns the finished process."""
    return subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, **environment), timeout=300)


def quoted(*words):
    return " ".join(shlex.quote(str(word)) for word in command_of(*words))


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("data_process_i2b2.py", "--corpus", "{0}"), ("scoring.py", "{0}/" + TRAIN, "{0}/" + TRAIN)])
def test_a_short_command_whose_reader_goes_away_ends_with_141(words, unbuffered, corpus):
    line = quoted(*(word.format(corpus) for word in words))
    finished = shell(f"{{ sleep 0.3; exec {line}; }} | true; exit ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    assert (finished.returncode, finished.stderr) == (141, "")


def test_a_closed_stream_is_no_place_for_messages(corpus, tmp_path):
    missing = quoted("data_process_i2b2.py", "--corpus", tmp_path / "nowhere")
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        finished = shell(f"{missing} {closed}")
        assert finished.returncode == 1 and "Traceback" not in finished.stderr
    finished = shell(f"{quoted('data_process_i2b2.py', '--corpus', corpus)} <&- >&- 2>&-")
    assert finished.returncode == 0 and (corpus / "train.txt").read_text(encoding="utf-8").startswith("0_TL0\t")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_no_character_of_a_message_fails(encoding, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    for name in ("\xfcn\xef", os.fsdecode(b"caf\xe9")):
        os.rename(str(corpus), str(tmp_path / name))
        corpus = tmp_path / name
        good = shell(quoted("data_process_i2b2.py", "--corpus", corpus), PYTHONIOENCODING=encoding)
        assert good.returncode == 0 and "documents" in good.stdout, good.stderr
        bad = shell(quoted("data_process_i2b2.py", "--corpus", corpus / "nowhere"), PYTHONIOENCODING=encoding)
        assert bad.returncode == 1 and bad.stderr.startswith("error: ") and "Traceback" not in bad.stderr


def test_a_name_that_cannot_be_used_is_refused():
    folder = os.fsdecode(b"/tmp/caf\xe9")
    for use in (BertFolder, lambda folder: runs.require_model(ResultFolder(folder), ""),
                lambda folder: runs.check_folders(ResultFolder(folder), CorpusFolder("corpus"))):
        with pytest.raises(InputError, match="not UTF-8"):
            use(folder)
    with pytest.raises(InputError, match="not UTF-8"):
        answering.output_names([os.fsdecode(b"caf\xe9.xml")], "out")
    for name in ("a\tb", "a\u2028b", "a\nb"):
        with pytest.raises(InputError, match="cannot stand there. Rename the file, for example to 'a_b"):
            answering.output_names([f"notes/{name}.xml"], "out")


@pytest.mark.trains
@pytest.mark.parametrize("ending", ["| head -1", ">&- 2>&-"])
def test_training_and_testing_outlast_their_reader(ending, corpus, bert, tmp_path):
    result = tmp_path / "result"
    common = ("--corpus", corpus, "--bert", bert, "--result", result)
    train = quoted("run_i2b2.py", "train", *common, *settings(batch_size=4, max_steps=2, evaluate_every=2, seq_length=32))
    assert shell(f"{train} {ending}; exit ${{PIPESTATUS[0]}}").returncode == 0
    assert outcome.read_outcome(ResultFolder(str(result))).step == 2
    assert shell(f"{quoted('run_i2b2.py', 'test', *common)} {ending}; exit ${{PIPESTATUS[0]}}").returncode == 0
    assert (result / "scores.json").is_file()


@pytest.mark.trains
@pytest.mark.parametrize("then, status, is_finished", [(close_terminal, 0, True), (hang_up, 129, False)])
def test_training_outlasts_its_terminal_and_obeys_who_hangs_it_up(then, status, is_finished, corpus, bert, tmp_path):
    result = ResultFolder(str(tmp_path / "result"))
    words = command_of("run_i2b2.py", "train", "--corpus", corpus, "--bert", bert, "--result", result.root, *settings(
        batch_size=4, max_steps=30, evaluate_every=15, seq_length=32))
    ended = in_a_terminal(words, b"fine-tuning: ", then)
    assert os.WIFEXITED(ended) and os.WEXITSTATUS(ended) == status
    assert (outcome.read_outcome(result) is not None) == is_finished
