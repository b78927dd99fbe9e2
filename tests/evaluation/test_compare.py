"""`compare`: runs side by side."""
import contextlib
import html
import json
import re
import warnings

import numpy as np
import pytest

from data_process_i2b2 import Document, Example, Tlink
from evaluation import bootstrap, compare, plots, predictions, seeds, system_xml
from evaluation.results import predictions_tsv
from helpers import made_up, run
from inputs.labels import LABELS
from support.errors import InputError
from support.paths import ResultFolder


def result_folder(folder, skill, seed=0, rows=400, name="D", documents=20, **changes):
    """A result folder as `test` leaves it: a classifier of some skill on some documents."""
    random = np.random.RandomState(7)
    examples = [
        Example(f"{name}{row % documents}_TL{row}", "a b", "a b", LABELS[random.randint(8)], f"{name}{row % documents}",
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


def test_below_six_documents_there_is_no_p_and_no_interval_and_it_says_why(tmp_path, capsys):
    folders = [str(result_folder(tmp_path / name, skill, documents=5)) for name, skill in (("a", 1.0), ("b", 4.0))]
    compare.compare_runs(folders, str(tmp_path / "out.html"))
    printed, page = capsys.readouterr().out, (tmp_path / "out.html").read_text(encoding="utf-8")
    row = next(line for line in printed.split("\n") if line.startswith("  accuracy")).split()
    assert row[2] == "-" and row[4:] == ["-", "-"] and float(row[3]) > float(row[1])
    for text in (printed, page):
        assert "No p-values: with 5 test documents p could not be below 0.06" in text and "No intervals: 5" in text
        assert "nan" not in re.sub('base64,[^"]*', "", text)
    gain = re.search(r'accuracy</th>(?:<td class="n">[^<]*</td>){4}<td class="n">([^<]*)</td><td class="n">([^<]*)<', page)
    assert float(gain.group(1)) > 10 and gain.group(2) == "-", "the difference itself is shown"


def test_the_order_of_the_rows_of_predictions_does_not_matter(tmp_path):
    first = result_folder(tmp_path / "a", 1.0)
    second = result_folder(tmp_path / "b", 1.2, seed=1)
    kept = [compare.read_run(str(folder), "x") for folder in (first, second)]
    header, *rows = (second / "predictions.tsv").read_text().rstrip("\n").split("\n")
    (second / "predictions.tsv").write_text("\n".join([header] + sorted(rows)) + "\n")
    again = compare.read_run(str(second), "x")
    expected, found = compare.significance(*kept), compare.significance(kept[0], again)
    for key in ("pairs.accuracy", "pairs.macro.f1", "merged.weighted.f1"):
        assert found[key] == expected[key] and again.intervals[key] == kept[1].intervals[key], key


def test_closure_is_that_of_the_documents_order_however_the_rows_are_sorted(tmp_path):
    """The closure drops links in the order of the file, so the order of the rows must not decide."""
    folder = result_folder(tmp_path / "a", 1.0)
    header, *rows = (folder / "predictions.tsv").read_text().rstrip("\n").split("\n")
    fields = [row.split("\t") for row in rows]
    documents = {}
    for name, tlink, from_id, to_id, *_ in fields:
        documents.setdefault(name, []).append(Tlink(tlink, from_id, "", to_id, "", "BEFORE"))
    documents = {f"{name}.xml": Document(name, "a note", (), tuple(links)) for name, links in documents.items()}
    system_xml.write_system_xml(str(folder / "system_xml"), documents, predictions.read(str(folder / "predictions.tsv")))
    kept = compare.read_run(str(folder), "x")
    seen = set()
    for ordered in (sorted(rows), sorted(rows, key=lambda row: row.split("\t")[6:])):
        (folder / "predictions.tsv").write_text("\n".join([header] + ordered) + "\n")
        assert compare.read_run(str(folder), "x").intervals == kept.intervals
        seen.add(score_in_row_order(folder))
    assert seen != {kept.intervals["tempeval.f1"].value}, "the rows' own order gives another score"


def score_in_row_order(folder):
    """Closure F1 with the rows taken to be in the order of the documents."""
    table = predictions.read(str(folder / "predictions.tsv"))
    return float(bootstrap.scores(bootstrap.total(table.counts()))["tempeval.f1"])


def test_models_together_are_joined_by_key():
    random = np.random.RandomState(0)
    of_seeds = [predictions.of_examples(*made_up(rows=200, skill=2.0)) for _ in range(3)]
    expected = seeds.together(of_seeds)
    shuffled = [of.take(random.permutation(200)) for of in of_seeds[1:]]
    assert seeds.together(of_seeds[:1] + shuffled) == expected
    with pytest.raises(InputError, match="the table of seed 1 lacks"):
        seeds.together([of_seeds[0], of_seeds[1].take(range(199))])
    with pytest.raises(InputError, match="the table of seed 2 has other gold labels than that of seed 0"):
        seeds.together(of_seeds[:2] + [of_seeds[2]._replace(gold=(of_seeds[2].gold + 1) % 8)])


@pytest.mark.parametrize("tested, kept", [((0, 1), True), ((0,), False), ((), False)])
def test_scores_of_models_that_are_gone_are_dropped(tested, kept, tmp_path):
    """A new training of the seeds leaves no run that was tested."""
    result = ResultFolder(str(tmp_path))
    seeds.write_summary(result, "test", [{"f1": 0.5}, {"f1": 0.6}])
    for seed in tested:
        (tmp_path / f"seed-{seed}").mkdir()
        (tmp_path / f"seed-{seed}" / "run.json").write_text(json.dumps({"test": {"ended": "then"}}))
    seeds.write_summary(result, "train", [{"best dev score": 0.5}])
    assert set(json.loads((tmp_path / "seeds.json").read_text())) == ({"train", "test"} if kept else {"train"})


def test_corpora_and_berts_are_those_tested_on(tmp_path):
    record = json.loads((result_folder(tmp_path / "a", 1.0, rows=20) / "run.json").read_text())
    record["test"] = {"corpus": {"train": "d" * 64, "test": "e" * 64}, "bert": {"vocab.txt": "f" * 64}}
    found = compare.facts(record)
    assert found["corpus train (SHA-256)"] == "a" * 12, "what the model learnt from"
    assert found["corpus test (SHA-256)"] == "e" * 12, "what it was tested on"
    assert found["bert vocab.txt (SHA-256)"] == "f" * 12 and found["bert vocab.txt in training (SHA-256)"] == "c" * 12
    del record["test"]
    assert compare.facts(record)["corpus test (SHA-256)"] == "b" * 12
    assert "bert vocab.txt in training (SHA-256)" not in compare.facts(record)


NAMES = ["$x$", "_x", "\u4e2d\u6587", "a$^$", "tab\tand\nline", b"caf\xe9".decode("utf-8", "surrogateescape")]


def test_any_name_of_a_folder_is_drawn_as_it_is(tmp_path, monkeypatch):
    drawn = []
    drawing = plots.drawing

    @contextlib.contextmanager
    def watched(height):
        with drawing(height) as (figure, png):
            yield figure, png
            drawn.append([entry.get_text() for entry in figure.axes[0].get_legend().get_texts()])

    monkeypatch.setattr(plots, "drawing", watched)
    for name in NAMES:
        result_folder(tmp_path / name, 1.0, rows=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare.compare_runs([str(tmp_path / name) for name in NAMES], str(tmp_path / "out.html"))
    from matplotlib import cbook
    assert not any(cbook.is_math_text(entry) for entry in drawn[0])
    assert [entry.replace(r"\$", "$") for entry in drawn[0]] == [
        "$x$", "_x", r"\u4e2d\u6587", "a$^$", r"tab\tand\nline", r"caf\xe9"]
    assert "\u4e2d\u6587" in (tmp_path / "out.html").read_text(encoding="utf-8"), "the tables have the letters"


def test_names_that_matplotlib_would_take_for_something_else_are_no_error(tmp_path):
    for name in NAMES[:4]:
        result_folder(tmp_path / name, 1.0, rows=60)
    finished = run("run_i2b2.py", "compare", *NAMES[:4], cwd=tmp_path)
    assert finished.stderr == "" and (tmp_path / "compare.html").is_file()


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
    assert run("run_i2b2.py", "compare", "a", cwd=tmp_path, fresh=True).stderr == ""
    assert (tmp_path / "compare.html").is_file()
    assert list((tmp_path / "temporary").iterdir()) == [], "what was needed for a while is gone"
