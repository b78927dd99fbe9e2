"""Checkpoints that appear whole or not at all, with stand-ins for TensorFlow's files."""
import os

import pytest

from support.errors import InputError
from training import checkpoints


def write(prefix):
    for suffix in (".index", ".data-00000-of-00001"):
        with open(prefix + suffix, "w") as out:
            out.write(os.path.basename(prefix))


def fail(prefix):
    write(prefix)
    raise OSError(28, "No space left on device")


def test_states_are_two_the_newest_first(tmp_path):
    folder = str(tmp_path)
    for step, evaluated in ((1, False), (2, False), (2, True), (10, False)):
        checkpoints.save_state(write, folder, step, evaluated)
    assert [(state.step, state.evaluated) for state in checkpoints.states(folder)] == [(10, False), (2, True)]
    assert sorted(os.listdir(folder)) == ["state-10", "state-2-evaluated"]


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path):
    checkpoints.save_state(write, str(tmp_path), 1, False)
    with pytest.raises(InputError, match="make room"):
        checkpoints.save_state(fail, str(tmp_path), 2, False)
    assert os.listdir(str(tmp_path)) == ["state-1"]


def test_a_best_model_that_is_half_in_its_place_is_finished(tmp_path):
    prefix = str(tmp_path / "best_validation")
    checkpoints.save_whole(write, prefix)
    # As a kill between the two files leaves it.
    complete = tmp_path / ".best_validation.complete"
    complete.mkdir()
    (complete / "best_validation.index").write_text("new")
    assert checkpoints.exists(prefix) and (tmp_path / "best_validation.index").read_text() == "new" and not complete.exists()


def test_what_killed_processes_leave_is_removed(tmp_path):
    for name in (".state.unfinished", ".state-3.removed", ".best_validation.complete", "state-4"):
        (tmp_path / name).mkdir()
    checkpoints.remove_unfinished(str(tmp_path))
    assert sorted(os.listdir(str(tmp_path))) == [".best_validation.complete", "state-4"]


def test_no_checkpoint_is_none(tmp_path):
    assert not checkpoints.exists(str(tmp_path / "best_validation"))
    assert checkpoints.states(str(tmp_path / "nowhere")) == []
    assert checkpoints.newest_good_state(str(tmp_path), pytest.fail) is None
