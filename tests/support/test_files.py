"""Files that appear whole or not at all, and arrays that come back as they were written."""
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import files
from support.arrays import read_arrays, write_arrays
from support.errors import InputError

ARRAYS = {"ids": np.arange(12, dtype=np.int32).reshape(3, 4), "step": 7}


def mode_of(path):
    return os.stat(str(path)).st_mode & 0o777


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    files.write_atomically(str(path), "old\n")
    with pytest.raises(RuntimeError):
        with files.replacing(str(path)) as temporary:
            with open(temporary, "w") as out:
                out.write("ne")
            raise RuntimeError("cut off")
    assert path.read_text() == "old\n" and os.listdir(str(tmp_path)) == ["out.txt"]
    files.write_atomically(str(path), b"new\r\n")
    (tmp_path / "usual").write_text("")
    assert path.read_bytes() == b"new\r\n" and mode_of(path) == mode_of(tmp_path / "usual")


@pytest.mark.parametrize("private, mode, expected", [
    (True, None, 0o600), (True, 0o644, 0o644), (True, 0o640, 0o640), (False, 0o600, 0o600), (False, None, 0o644)])
def test_text_of_notes_is_the_owners_and_a_replaced_file_keeps_its_mode(private, mode, expected, tmp_path, monkeypatch):
    path, before = tmp_path / "note.txt", os.umask(0o022)
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask is the whole process'"))
    try:
        if mode is not None:
            path.write_text("old")
            path.chmod(mode)
        with files.replacing(str(path), private) as temporary:
            assert mode_of(temporary) & ~expected & 0o077 == 0, "not open to more people while it is written either"
        write_arrays(str(tmp_path / "arrays.npz"), ARRAYS, private)
        assert mode_of(path) == expected and mode_of(tmp_path / "arrays.npz") == (0o600 if private else 0o644)
    finally:
        monkeypatch.undo()
        os.umask(before)


def test_a_file_taken_for_a_leftover_as_it_is_made_is_made_again(tmp_path, monkeypatch):
    try_lock, removed = files.locks.try_lock, []

    def late(descriptor):
        if not removed:
            removed.extend(os.listdir(str(tmp_path)))
            os.remove(str(tmp_path / removed[0]))
        return try_lock(descriptor)

    monkeypatch.setattr(files.locks, "try_lock", late)
    files.write_atomically(str(tmp_path / "out"), "whole")
    assert removed and (tmp_path / "out").read_text() == "whole" and os.listdir(str(tmp_path)) == ["out"]


def test_leftovers_are_removed_only_of_the_names_that_are_asked_for(tmp_path):
    for name in (".train.txt.0a1b2c3d.tmp", ".other.txt.0a1b2c3d.tmp", ".mine.tmp", ".a.b.tmp"):
        (tmp_path / name).write_text("half")
    folder = tmp_path / ".export.0a1b2c3d.tmp"
    folder.mkdir()
    (folder / files.IN_USE).write_text("")
    (tmp_path / ".link.0a1b2c3d.tmp").symlink_to(tmp_path / ".mine.tmp")
    with files.temporary_folder(str(tmp_path / "export")) as alive:
        files.remove_leftovers(str(tmp_path), ("train.txt", "export", "link"))
        assert sorted(os.listdir(str(tmp_path))) == sorted([
            ".other.txt.0a1b2c3d.tmp", ".mine.tmp", ".a.b.tmp", ".link.0a1b2c3d.tmp", os.path.basename(alive)])
    assert not os.path.exists(alive)


def test_only_plain_names_of_files_are_removed(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("one", "in/two"):
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    files.remove_earlier(str(tmp_path), ["in/two", "in", "link", "../x", "", ".", "gone", "a\0"])
    assert sorted(os.listdir(str(tmp_path))) == ["in", "link", "one"] and os.listdir(str(tmp_path / "in")) == ["two"]
    files.remove_earlier(str(tmp_path), ["one"])
    assert sorted(os.listdir(str(tmp_path))) == ["in", "link"]


def test_json_has_no_word_for_what_is_not_finite():
    assert files.to_json({"a": 1.5}) == '{\n "a": 1.5\n}\n'
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            files.to_json({"a": [number]})


def test_what_killed_processes_leave_is_removed_and_what_is_being_written_is_not(tmp_path):
    (tmp_path / ".left.abc123.tmp").write_text("half")
    (tmp_path / ".other").write_text("not ours")
    with files.replacing(str(tmp_path / "out.txt")) as temporary:
        files.remove_leftovers(str(tmp_path))
        assert sorted(os.listdir(str(tmp_path))) == sorted([".other", os.path.basename(temporary)])
    files.remove_leftovers(str(tmp_path / "nowhere"))


def test_sizes_and_places(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/one").write_bytes(bytes(10))
    (tmp_path / "a/b/two").write_bytes(bytes(5))
    assert files.bytes_below(str(tmp_path / "a")) == 15 and files.bytes_below(str(tmp_path / "nowhere")) == 0
    assert files.existing(str(tmp_path / "a/nowhere/at/all")) == str(tmp_path / "a")
    files.check_writable(str(tmp_path / "nowhere"))
    assert sorted(os.listdir(str(tmp_path))) == ["a"]
    with pytest.raises(InputError, match="a file is in the way"):
        files.make_folder(str(tmp_path / "a/one/folder"))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_altered_or_missing_byte_of_arrays_is_noticed(tmp_path_factory, data):
    path = str(tmp_path_factory.getbasetemp() / "arrays.npz")
    write_arrays(path, ARRAYS)
    with open(path, "rb") as source:
        content = bytearray(source.read())
    read = read_arrays(path, "")
    assert (read["ids"] == ARRAYS["ids"]).all() and read["ids"].dtype == np.int32 and int(read["step"]) == 7
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    with open(path, "wb") as out:
        out.write(content)
    assert read_arrays(path, "") is None


def test_damaged_arrays_are_named_and_missing_ones_are_not(tmp_path, capsys):
    assert read_arrays(str(tmp_path / "nowhere"), "remedy") is None
    assert capsys.readouterr().out == ""
    (tmp_path / "empty").write_bytes(b"")
    assert read_arrays(str(tmp_path / "empty"), "made again") is None
    assert "empty: damaged" in capsys.readouterr().out
