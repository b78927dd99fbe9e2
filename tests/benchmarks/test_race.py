"""A race that is told to end: the command at work in it is told so once, and waited for; what it prints is heard."""
import os
import signal
import subprocess
import sys
import time

import pytest

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
