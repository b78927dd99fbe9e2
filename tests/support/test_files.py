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
    assert path.read_bytes() == b"new\r\n" and os.stat(str(path)).st_mode & 0o777 == 0o666 & ~files.current_umask()


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
