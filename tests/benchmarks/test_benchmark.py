"""`benchmark.py` as a user runs it, and its count of floating-point operations."""
import json
import os
import shutil
from unittest import mock

import numpy as np
import pytest

import benchmark
import scoring
from benchmarks import race
from helpers import command_of, run, settings
from inputs.head_of_note import Features
from settings import Settings, settings_for
from support import paths
from terminal import close_terminal, in_a_terminal

ARGUMENTS = ("--size", "tiny", "--steps", 2)
# Figures of another run, some of them from before others were measured.
EARLIER = {"size": "base", "recipe": "context", "settings": Settings(batch_size=48, seq_length=180)._asdict(),
           "machine": {"processor": "some", "cores": 8, "tensorflow": "1.14.0", "python": "3.7.16"},
           "figures": {"train_seconds": 8.0, "train_flop": 4e9, "wait_share": 0.0}}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run with every part, compared with EARLIER: (process, its record, the record's path, temporary folder)."""
    folder = tmp_path_factory.mktemp("bench mark")
    temporary, record = folder / "temporary", folder / "now.json"
    temporary.mkdir()
    (folder / "earlier.json").write_text(json.dumps(EARLIER))
    with mock.patch.dict(os.environ, TMPDIR=str(temporary)):
        finished = run("benchmark.py", *ARGUMENTS, "--recipe", "demo", "--whole-run", *settings(batch_size=13, seq_length=64),
                       "--compare", "earlier.json", "--json", record, cwd=folder)
    return finished, json.loads(record.read_text(encoding="utf-8")), record, temporary


def test_every_figure_is_measured_and_shown(measured):
    finished, record, path, _ = measured
    assert benchmark.read_record(str(path)) == record
    assert set(record["figures"]) == {figure.key for figure in benchmark.MEASUREMENTS}
    for figure in benchmark.MEASUREMENTS:
        assert record["figures"][figure.key] > 0, figure.key
        assert figure.label in finished.stdout
    assert record["figures"]["examples"] == 31 * 200
    assert record["machine"]["tensorflow"] in finished.stdout


def test_shares_and_speeds_agree_with_each_other(measured):
    figures = measured[1]["figures"]
    for part in ("train", "eval"):
        # On a busy machine two measurements of the peak tell little; the best of all bounds what the model can reach.
        assert 0.0 < figures[f"{part}_flops"] < 1.2 * figures["peak_flops_highest"]
        assert figures[f"{part}_share"] > 0.0
    assert 0.0 <= figures["wait_share"] < 1.0
    assert figures["peak_flops_lowest"] <= figures["peak_flops"] <= figures["peak_flops_highest"]


def test_a_whole_run_is_the_sum_of_its_steps_and_evaluations(measured):
    figures = measured[1]["figures"]
    steps = 5 * 2600  # the recipe's epochs of 33,800 examples in batches of 13
    # Medians of an even number of times and of speeds are not quite each other's inverse.
    assert figures["train_tlinks"] == pytest.approx(13 / figures["train_seconds"], rel=0.2)
    step = 13 / figures["train_tlinks"]
    assert figures["interval_seconds"] == pytest.approx(50 * step)
    assert figures["run_seconds"] == pytest.approx(steps * step + steps / 50 * figures["evaluation_seconds"])


def test_an_evaluation_of_a_whole_run_is_that_of_the_dev_examples():
    found = benchmark.whole_run({"train_tlinks": 100.0, "eval_tlinks": 1000.0}, settings_for("paper"))
    assert found["evaluation_seconds"] == pytest.approx(27.7)


def test_a_whole_run_of_a_recipe_that_holds_documents_out_evaluates_these_every_epoch():
    recipe = settings_for("context", ["dev=0.5", "num_epochs=2", "batch_size=10"])
    found = benchmark.whole_run({"train_tlinks": 100.0, "eval_tlinks": 1000.0}, recipe)
    assert found == pytest.approx({"interval_seconds": 169.0, "evaluation_seconds": 16.9, "run_seconds": 2 * 169.0 + 2 * 16.9})
    assert "every epoch on 16,900 dev" in benchmark.whole_run_note(recipe)


@pytest.fixture(scope="module")
def raced(corpus, bert, tmp_path_factory):
    """A race of two recipes: (its words, its result folder, the finished process)."""
    words = ("benchmark.py", "--recipe", "context", "--against", "paper", "--corpus", corpus, "--bert", bert,
             *settings(num_epochs=2, dev=0.4, evaluate_every=0, marker_layers=1))
    folder = tmp_path_factory.mktemp("race")
    return words, folder, run(*words, "--result", folder)


def test_two_recipes_race_on_the_same_dev_documents(raced, tmp_path):
    """Both are trained and tested, the table tells their scores and speeds; a second call takes what is there."""
    words, folder, first = raced
    shutil.copytree(str(folder), str(tmp_path / "race"))
    words, folder = (*words, "--result", tmp_path / "race"), tmp_path / "race"
    again = run(*words)
    tables = [finished.stdout.split("\n\n")[-1] for finished in (first, again)]
    assert first.stderr == again.stderr == "" and tables[0] == tables[1]
    (folder / "paper" / "seed-0").rename(tmp_path / "kept")
    (folder / "context" / "seed-0").rename(folder / "paper" / "seed-0")
    taken = run(*words, check=False)
    assert taken.returncode == 1 and "trained with the recipe context" in taken.stderr
    (folder / "paper" / "seed-0").rename(folder / "context" / "seed-0")
    (tmp_path / "kept").rename(folder / "paper" / "seed-0")
    other = run(*words, *settings(batch_size=3), check=False)
    assert other.returncode == 1 and "batch_size is 3, was 26" in other.stderr
    for recipe in ("paper", "context"):
        record = json.loads((folder / recipe / "seed-0" / "run.json").read_text(encoding="utf-8"))
        assert (record["recipe"], record["settings"]["seed"], record["settings"]["dev"]) == (recipe, 0, "0.4")
        scores = json.loads((folder / recipe / "seed-0" / "scores.json").read_text(encoding="utf-8"))
        assert f"{100 * scores['pairs']['accuracy']:.1f}" in first.stdout
    assert "TLINKs per second in `test`" in first.stdout and "paper's best dev accuracy" in first.stdout


def test_a_race_outlasts_its_terminal(raced, tmp_path):
    """Of two runs one is finished, the other is still to be made."""
    words, folder, _ = raced
    shutil.copytree(str(folder / "context"), str(tmp_path / "context"))
    ended = in_a_terminal(command_of(*words, "--result", tmp_path), b"paper, seed 0", close_terminal)
    assert os.WIFEXITED(ended) and os.WEXITSTATUS(ended) == 0
    assert all((tmp_path / recipe / "seed-0" / "scores.json").is_file() for recipe in ("paper", "context"))


def test_macro_f1_of_a_race_is_over_the_labels_that_occur_in_gold_or_prediction(tmp_path, monkeypatch):
    predicted = ["BEFORE", "BEFORE", "OVERLAP", "AFTER"]
    rows = [scoring.Prediction("1", f"TL{row}", "E0", f"E{row + 1}", gold, label)
            for row, (gold, label) in enumerate(zip(["BEFORE", "BEFORE", "OVERLAP", "OVERLAP"], predicted))]
    result = paths.ResultFolder(str(tmp_path))
    (tmp_path / "scores.json").write_text(json.dumps(scoring.scores(rows)))
    (tmp_path / "run.json").write_text(json.dumps({"test": {"predict_seconds": 1.0}}))
    one = np.array([1]), np.array([0.5])
    monkeypatch.setattr(race, "read_curves", lambda folder: {"training": {"examples_per_second": one},
                                                             "validation": {"accuracy": one}})
    racer = race.read(result)
    # BEFORE 1, OVERLAP 2/3, and AFTER, which is predicted and never gold, 0; the other five do not occur.
    assert racer.macro_f1 == racer.merged_macro_f1 == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_a_race_honours_size_and_seed(tmp_path, monkeypatch):
    from benchmarks import race as racing
    asked = {}
    monkeypatch.setattr(racing, "race", lambda recipes, assignments, seeds, corpus, bert, folder: asked.update(
        seeds=list(seeds), assignments=assignments, bert=bert) or [])
    monkeypatch.setattr(racing, "table", lambda recipes, pairs: "")
    monkeypatch.setattr("sys.argv", ["benchmark.py", "--recipe", "context", "--against", "paper", "--size", "tiny", "--seeds", "2",
                                     "--result", str(tmp_path), *settings(seed=3, batch_size=4)])
    arguments = benchmark.parse_arguments()
    benchmark.compare_recipes(arguments, settings_for("context", arguments.assignments))
    assert asked["seeds"] == [3, 4] and asked["assignments"] == ["dev=0.15", "batch_size=4"]
    made = json.loads((tmp_path / "bert-tiny" / "bert_config.json").read_text())
    assert (made["hidden_size"], made["num_hidden_layers"]) == (128, 2) and asked["bert"] == str(tmp_path / "bert-tiny")


def test_time_until_an_accuracy_is_that_of_the_steps_before_it():
    seconds = race.training_seconds((np.array([1, 2, 3]), np.array([10.0, 5.0, 10.0])), 10)
    assert seconds == {1: 1.0, 2: 3.0, 3: 4.0}
    racer = race.Racer(*[0.5] * 6, ((1.0, 0.3), (3.0, 0.6), (4.0, 0.5)), 10.0)
    assert [race.seconds_until(racer, aim) for aim in (0.2, 0.5, 0.7)] == [1.0, 3.0, None]
    slow = racer._replace(dev_accuracy=((9.0, 0.4),))
    assert "not reached in every run" in race.table(("paper", "context"), [(racer, slow)])


def test_a_race_of_several_seeds_tells_their_mean_and_each():
    racers = [race.Racer(*[share] * 6, ((1.0, share),), speed) for share, speed in ((0.5, 10.0), (0.25, 20.0))]
    table = race.table(("paper", "context"), [(racers[0], racers[1]), (racers[1], racers[1])])
    line = next(line for line in table.split("\n") if line.startswith("test accuracy, %"))
    assert "37.5 (50.0, 25.0)" in line and "25.0 (25.0, 25.0)" in line and "mean of 2 (each seed)" in table
    assert "15 (10, 20)" in table


def test_comparison_shows_both_runs_and_their_ratio(measured):
    finished, now, _, _ = measured
    assert now["recipe"] == "demo" and now["settings"]["batch_size"] == 13
    assert "earlier: base (12 layers, 768 wide), recipe context, batch 48 x 180" in finished.stdout
    lines = {line[:58].strip(): line.split() for line in finished.stdout.split("\n")}
    flop = now["figures"]["train_flop"]
    shown = [float(word) for word in lines["training step: the model's products"][-4:] if word != "GFLOP"]
    assert shown == pytest.approx([flop / 1e9, 4.0, flop / 4e9], rel=0.02)
    # Of what is 0 there is no ratio, and what an earlier run has not measured is left open.
    assert lines["training step: share of waiting for input"][-2:] == ["%", "0"]
    assert lines["evaluation batch"][-1] == "s"


def test_nothing_is_left_behind_nor_said_on_standard_error(measured):
    finished, _, _, temporary = measured
    assert finished.stderr == "" and os.listdir(str(temporary)) == []


@pytest.mark.parametrize("arguments, status, said", [
    (("--size", "huge"), 2, "huge"),
    (("--steps", "0"), 2, "above 0"),
    (("--recipe", "cake"), 1, "no such recipe"),
    (("--set", "batch_size=none"), 1, "batch_size"),
    (("--set", "dev=development"), 1, "no development set"),
    (("--set", "negatives=all"), 1, "does not read the setting negatives"),
    (("--against", "cake"), 2, "cake"),
    (("--against", "paper", "--recipe", "context", "--json", "x.json"), 2, "--json goes without --against"),
    (("--seeds", "2"), 2, "--seeds goes with --against"),
    (("--against", "paper", "--recipe", "context", "--size", "tiny", "--bert", "x"), 2, "--size goes without --bert"),
    (("--against", "paper"), 1, "is the recipe itself"),
    (("--compare", "no such file.json"), 1, "no such file.json"),
    (("--compare", __file__), 1, "not figures of this benchmark"),
    (("--json", os.path.dirname(os.path.abspath(__file__))), 1, "is a folder; name a file in it"),
    (("--json", os.path.join(__file__, "x.json")), 1, "a file is in the way"),
])
def test_wrong_usage_is_refused_at_once(arguments, status, said):
    finished = run("benchmark.py", *arguments, check=False)
    assert finished.returncode == status
    assert said in finished.stderr and "Traceback" not in finished.stderr


def test_settings_that_do_not_fit_are_refused_with_the_reason():
    finished = run("benchmark.py", *ARGUMENTS, *settings(seq_length=600), check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: seq_length 600 is longer than the 512 positions")


def test_work_of_a_bert_base_step_is_what_one_counts_by_hand():
    from benchmarks.parts import train_flop
    from modeling import BertConfig
    # 85 million weights in the layers' kernels, each used twice forward and four times backward for every word piece;
    # the attention's two products; a hundredth for the convolutions.
    pieces = 26 * 180
    by_hand = 6 * pieces * 12 * 12 * 768 ** 2 + 6 * pieces * 12 * 2 * 180 * 768 + 6 * pieces * 9 * 768 * 128
    ids = np.zeros([26, 180], np.int32)
    batch = Features(ids, ids, ids, np.zeros(26, np.int32))
    assert train_flop(BertConfig(vocab_size=30522), Settings(), batch) == pytest.approx(by_hand, rel=1e-3)
    assert by_hand == pytest.approx(2.48e12, rel=0.01)


@pytest.mark.parametrize("recipe", ["paper", "context"])
def test_work_of_a_batch_is_that_of_the_graphs_products(recipe):
    """The shapes that the graph's products have when it runs, embeddings and pooler left out."""
    import text_model
    from benchmarks.parts import forward_flop
    from inputs import batching
    from inputs.views import view_of
    from modeling import BertConfig
    from network.runtime import tf
    from training import estimator
    config, chosen = BertConfig(vocab_size=50, **benchmark.SIZES["tiny"].bert), settings_for(recipe)
    batch = view_of(chosen).typical_batch(48, config.vocab_size)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        holders = {name: tf.placeholder(tf.int32, shape) for name, shape in estimator.input_shapes(chosen).items()}
        text_model.bert_cnn(holders, config, chosen)
        products = [operation for operation in graph.get_operations()
                    if "MatMul" in operation.type and "/embeddings/" not in operation.name and "/pooler/" not in operation.name]
        assert products
        shapes = [(tf.shape(product.inputs[0]), tf.shape(product.outputs[0])) for product in products]
        session.run(tf.global_variables_initializer())
        measured = session.run(shapes, {holders[name]: array for name, array in batching.inputs_of(batch).items()})
    counted = 0
    for product, (left, result) in zip(products, measured):
        transposed = any(product.get_attr(name) for name in ("transpose_a", "adj_x") if name in product.node_def.attr)
        counted += 2 * np.prod(result.astype(np.int64)) * int(left[-2 if transposed else -1])
    # The graph computes the convolutions' places at the end too, which no result uses.
    ends = sum(width * (width - 1) for width in chosen.filter_sizes)
    unused = 2 * len(batch.input_ids) * ends * config.hidden_size * chosen.num_filters
    assert forward_flop(config, chosen, batch) == counted - unused
