"""Checkpoints that appear whole or not at all, with stand-ins for TensorFlow's files."""
import errno
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


def states_of_two(folder, monkeypatch, reasons):
    """Two states of steps 1 and 2, of which TensorFlow finds what `reasons` says by the step."""
    for step in (1, 2):
        checkpoints.save_state(write, folder, step, False)
    monkeypatch.setattr(checkpoints, "fault", lambda prefix: reasons.get(int(os.path.dirname(prefix).rpartition("-")[2])))


def test_a_damaged_state_is_removed_and_the_one_before_it_is_used(tmp_path, monkeypatch):
    states_of_two(str(tmp_path), monkeypatch, {2: "DataLossError"})
    told = []
    assert checkpoints.newest_good_state(str(tmp_path), told.append).step == 1
    assert "state-2: this state is damaged (DataLossError); it is removed" in told[0] and os.listdir(str(tmp_path)) == ["state-1"]


def refuse_to_read(monkeypatch):
    def forbidden(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    monkeypatch.setattr(checkpoints, "open_regular", forbidden)
    return {}


def lose_bytes(monkeypatch):
    class Lost:
        """A file on a disk that reports a fault."""
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            """As a file's."""
            raise OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(checkpoints, "open_regular", lambda path: Lost())
    return {2: "DataLossError"}


@pytest.mark.parametrize("prepare, words", [
    (refuse_to_read, r"state-2.state\.data.*cannot be read .Permission denied.*nothing was removed. Make it readable"),
    (lose_bytes, r"state-2.state\.data.*cannot be read .Input/output error.*nothing was removed"),
    (lambda monkeypatch: {2: "MemoryError"}, "state-2: cannot be read .MemoryError.*nothing was removed. Free some memory"),
    (lambda monkeypatch: {2: "ResourceExhaustedError"}, "nothing was removed. Free some memory")])
def test_a_state_that_cannot_be_read_is_not_taken_for_damaged(prepare, words, tmp_path, monkeypatch):
    states_of_two(str(tmp_path), monkeypatch, prepare(monkeypatch))
    with pytest.raises(InputError, match=words):
        checkpoints.newest_good_state(str(tmp_path), pytest.fail)
    assert sorted(os.listdir(str(tmp_path))) == ["state-1", "state-2"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOTEMPTY])
def test_a_state_that_cannot_be_removed_is_told(number, tmp_path, monkeypatch):
    states_of_two(str(tmp_path), monkeypatch, {2: "DataLossError"})

    def rename(source, target):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(InputError, match=f"state-2.*cannot be .*{os.strerror(number)}.*the same command again"):
        checkpoints.newest_good_state(str(tmp_path), pytest.fail)
