"""A race that is told to end: the command at work in it is told so once, and waited for; what it prints is heard."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import race
from helpers import write_corpus, write_notes
from settings import settings_for
from support.errors import InputError
from support.paths import ResultFolder
from tasks.i2b2 import I2B2

# In place of run_i2b2.py: notes every signal, and takes a moment to save its state.
TRAINING = """
import os, signal, sys, time
heard = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: heard.append(number))
print("step 1", " ".join(sys.argv[1:]), flush=True)
for _ in range(600):
    time.sleep(0.05)
    if heard:
        break
time.sleep(0.5)
with open(sys.argv[-1], "w") as out:
    out.write(" ".join(str(int(number)) for number in heard))
sys.exit(128 + heard[0])
"""
RACE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from benchmarks import race
from support import paths
from support.main import run_main
paths.PROJECT = sys.argv[1]
run_main(lambda: race.command("train", [sys.argv[2]]))
"""


@pytest.mark.parametrize("number, to_the_group", [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)])
def test_a_signal_reaches_the_command_once_and_it_saves_its_state(number, to_the_group, project, tmp_path):
    (tmp_path / "run_i2b2.py").write_text(TRAINING)
    process = subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), str(tmp_path / "saved")], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True, start_new_session=True,
                               env=dict(os.environ, PYTHONPATH=str(project)))
    try:
        assert process.stdout.readline().startswith("step 1 train"), "what the command prints is heard as it comes"
        time.sleep(0.2)
        # Ctrl-C in a terminal goes to all processes of its group.
        os.kill(-process.pid if to_the_group else process.pid, number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number and "interrupted in `run_i2b2.py train`; the same command goes on" in errors
    assert (tmp_path / "saved").read_text() == str(int(number)), "told once, and waited for until it had saved"


def test_a_race_knows_its_runs_by_the_test_documents_that_they_are_tested_on(bert, tmp_path):
    corpus, result = write_corpus(tmp_path / "corpus"), ResultFolder(str(tmp_path / "result"))
    write_notes(corpus / "ground_truth" / "unmerged_xml", ("angina", "syncope"), "ENDED_BY")
    places = (str(corpus), str(bert))
    merged, unmerged = (settings_for("paper", ["dev=0.4", f"test_gold={gold}"]) for gold in ("merged", "unmerged"))
    of_merged, of_unmerged = (race.data_of(*places, chosen)["corpus"] for chosen in (merged, unmerged))
    assert of_merged["train"] == of_unmerged["train"] and of_merged["test"] != of_unmerged["test"]
    os.makedirs(result.root)
    with open(result.run, "w", encoding="utf-8") as out:
        json.dump(dict(race.data_of(*places, unmerged), recipe="paper", settings=I2B2.own(unmerged)), out)
    race.check_same(result, "paper", ["dev=0.4", "test_gold=unmerged"], 0, *places)
    with pytest.raises(InputError, match="holds another run: .*setting test_gold is merged, was unmerged"):
        race.check_same(result, "paper", ["dev=0.4", "test_gold=merged"], 0, *places)


@pytest.mark.parametrize("record, tested", [
    ({}, False), ({"train": {"started": "2026-01-01"}}, False), ({"train": {"ended": "2026-01-02"}}, False),
    ({"train": {"ended": "2026-01-02"}, "test": {"ended": "2026-01-01"}}, False),
    ({"train": {"ended": "2026-01-02"}, "test": {"ended": "2026-01-03"}}, True)])
def test_what_was_not_tested_since_it_was_trained_is_tested(record, tested):
    from benchmarks.race import is_tested
    assert is_tested(record) == tested
