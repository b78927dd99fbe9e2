"""`compare`: runs side by side."""
import html
import json
import re

import numpy as np
import pytest

from data_process_i2b2 import Example
from evaluation import compare, predictions
from evaluation.results import predictions_tsv
from helpers import run
from inputs.labels import LABELS
from support.errors import InputError


def result_folder(folder, skill, seed=0, rows=400, name="D", **changes):
    """A result folder as `test` leaves it: a classifier of some skill on 20 documents."""
    random = np.random.RandomState(7)
    examples = [
        Example(f"{name}{row % 20}_TL{row}", "a b", "a b", LABELS[random.randint(8)], f"{name}{row % 20}",
                f"TL{row}", f"E{random.randint(30)}", f"E{random.randint(30, 60)}") for row in range(rows)
    ]
    logits = np.random.RandomState(seed).normal(size=(rows, 8))
    logits[np.arange(rows), [LABELS.index(example.label) for example in examples]] += skill
    folder.mkdir(parents=True)
    (folder / "predictions.tsv").write_text(
        predictions_tsv(examples, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))),
        encoding="utf-8")
    (folder / "run.json").write_text(
        json.dumps({
            "recipe": "paper", "settings": dict(
                {"batch_size": 26, "filter_sizes": [2, 3, 4], "seed": seed}, **changes), "corpus": {
                    "train": "a" * 64, "test": "b" * 64
                }, "bert": {"vocab.txt": "c" * 64}, "versions": {
                    "python": "3.7.17", "tensorflow": "1.14.0", "numpy": "1.16.6"
                }, "train": {"step": 600, "best_step": 400, "best_score": 0.5, "reason": "patience"}
        }))
    return folder


def test_two_runs_side_by_side(tmp_path):
    result_folder(tmp_path / "first", 1.0)
    result_folder(tmp_path / "second", 3.0, seed=1, batch_size=32)
    finished = run("run_i2b2.py", "compare", tmp_path / "first", "second", cwd=tmp_path)
    assert finished.stderr == ""
    lines = finished.stdout.split("\n")
    assert lines[0].split() == ["what", "differs", "first", "second"]
    assert [line.split() for line in lines[1:3]] == [["batch_size", "26", "32"], ["seed", "0", "1"]]
    assert lines[3] == "", "what is the same is not listed"
    row = next(line for line in lines if line.startswith("  accuracy")).split()
    for place, cell in (("first", row[1]), ("second", row[5])):
        rows = predictions.read(str(tmp_path / place / "predictions.tsv"))
        assert cell == f"{np.mean(rows.gold == rows.predicted):.4f}"
    assert row[2] < row[1] < row[4] and row[-2:] == ["<", "0.001"]
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert f"{tmp_path / 'compare.html'}" in finished.stdout
    assert "&lt; 0.001" in page and "batch_size" in page and row[1] != row[5]
    assert set(re.findall(r'src="([^"]{0,21})', page)) == {"data:image/png;base64"} and "<script" not in page


def test_other_test_documents_have_no_p_value_and_are_told(tmp_path, capsys):
    result_folder(tmp_path / "a", 1.0)
    for name, change in (("documents", dict(name="X")), ("fewer", dict(rows=380))):
        other = result_folder(tmp_path / name, 1.0, **change)
        compare.compare_runs([str(tmp_path / "a"), str(other)], str(tmp_path / "out.html"))
        printed = capsys.readouterr().out
        assert f"{name} was tested on other documents" in printed and "not comparable" in printed
        assert next(line for line in printed.split("\n") if line.startswith("  accuracy")).split()[-1] == "-"
        assert "was tested on other documents" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_equal_runs_do_not_differ(tmp_path, capsys):
    for name in ("a", "b"):
        result_folder(tmp_path / name, 1.0)
    compare.compare_runs([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "out.html"))
    printed = capsys.readouterr().out
    assert "are the same" in printed
    assert {
        line.split()[-1]
        for line in printed.split("\n") if line.startswith("  ") and line.split()[-1] != "p"
    } == {"1.000"}


def test_many_runs_and_folders_of_seeds(tmp_path, capsys):
    for seed in range(4):
        result_folder(tmp_path / "many" / f"seed-{seed}", 1.0, seed)
    result_folder(tmp_path / "one", 1.0, 9)
    compare.compare_runs([str(tmp_path / "many"), str(tmp_path / "one")], str(tmp_path / "out.html"))
    printed = capsys.readouterr().out
    for name in ("many/seed-0", "many/seed-3", "one"):
        assert name in printed
    assert max(map(len, printed.split("\n")[8:])) < 140


def test_one_run_and_one_without_run_json(tmp_path, capsys):
    result_folder(tmp_path / "a", 1.0)
    compare.compare_runs([str(tmp_path / "a")], str(tmp_path / "out.html"))
    assert "what differs" not in capsys.readouterr().out
    (result_folder(tmp_path / "b", 1.0) / "run.json").unlink()
    compare.compare_runs([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "out.html"))
    assert re.search(r"batch_size +26 +-\n", capsys.readouterr().out)


@pytest.mark.parametrize("folders, words", [(["nowhere"], "no tested run"), (["a", "a"], "twice"),
                                            (["damaged"], "line 2")])
def test_what_cannot_be_compared(folders, words, tmp_path):
    result_folder(tmp_path / "a", 1.0, rows=20)
    damaged = result_folder(tmp_path / "damaged", 1.0, rows=20) / "predictions.tsv"
    damaged.write_text(damaged.read_text().replace("TL0\t", "TL0", 1))
    with pytest.raises(InputError, match=words):
        compare.compare_runs([str(tmp_path / folder) for folder in folders], str(tmp_path / "out.html"))
    assert not (tmp_path / "out.html").exists()


def test_a_page_that_cannot_be_written(tmp_path):
    finished = run("run_i2b2.py", "compare", result_folder(tmp_path / "a", 1.0), "--out",
                   tmp_path / "a" / "run.json" / "x.html", check=False)
    assert finished.returncode == 1 and "x.html cannot be written" in finished.stderr and "Traceback" not in finished.stderr


def test_names_are_text_and_not_markup(tmp_path):
    folder = result_folder(tmp_path / "<b>bold&", 1.0)
    compare.compare_runs([str(folder)], str(tmp_path / "out.html"))
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<b>bold&" not in page and html.escape("<b>bold&") in page


@pytest.mark.parametrize("home", ["fresh", "/proc/no/such/home"])
def test_drawing_is_quiet_whatever_the_home_folder(home, tmp_path, monkeypatch):
    """On its first use matplotlib makes a cache of fonts where there is a place for it, and would say so."""
    result_folder(tmp_path / "a", 1.0)
    monkeypatch.setenv("HOME", str(tmp_path / home))
    (tmp_path / "fresh").mkdir()
    for variable in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert run("run_i2b2.py", "compare", "a", cwd=tmp_path).stderr == ""
    assert (tmp_path / "compare.html").is_file()
    assert list((tmp_path / "temporary").iterdir()) == [], "what was needed for a while is gone"
