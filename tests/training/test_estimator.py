"""What a run begins with, how it chooses its best model, and dropout in evaluation."""
import gc
import json
import weakref

import numpy as np
import pytest

import text_model
from commands.main import function_of
from commands.options import parse_arguments
from evaluation import analysis, bootstrap, predictions
from evaluation.curves import read_curves
from helpers import made_up
from helpers import settings as words_of
from inputs import batching, reading
from inputs.labels import LABELS
from network.config import BertConfig
from network.runtime import tf
from settings import Settings, settings_for
from support.paths import BertFolder, CorpusFolder, ResultFolder
from tasks.i2b2 import I2B2Task
from training import checkpoints, estimator, protocol, runs

SMALL = dict(batch_size=7, eval_batch_size=3, learning_rate=1e-3, seq_length=32, max_steps=6, evaluate_every=2, threads=1)
CHOSEN = settings_for("paper", words_of(**SMALL)[1::2])


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def inputs(corpus, bert):
    """(training features, dev features, reading.Bert) under CHOSEN."""
    read = reading.read_bert(BertFolder(str(bert)), CHOSEN)
    return reading.train_and_dev(reading.read_corpus(CorpusFolder(str(corpus)), CHOSEN), read, CHOSEN) + (read,)


@pytest.fixture(scope="module")
def command(corpus, bert):
    """A function of a command, a result folder and settings that runs the command in this process."""
    def call(name, result, **changes):
        words = [name, "--corpus", str(corpus), "--bert", str(bert), "--result", str(result), *words_of(**changes)]
        return function_of(name)(parse_arguments(words))
    return call


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """{value of evaluation_dropout: result folder of an uninterrupted run}."""
    folder = tmp_path_factory.mktemp("whole runs")
    for value in ("false", "true"):
        command("train", folder / value, evaluation_dropout=value, **SMALL)
    return {value: folder / value for value in ("false", "true")}


def curves(result):
    return read_curves(ResultFolder(str(result)).tensorboard)


def cut_off(command, result, monkeypatch, **changes):
    """Train until some batches of the evaluation after step 4 are done."""
    write_partial = protocol.write_partial

    def die(path, step, logits):
        write_partial(path, step, logits)
        if step == 4 and len(logits) == 6:
            raise Killed

    monkeypatch.setattr(protocol, "write_partial", die)
    with pytest.raises(Killed):
        command("train", result, save_every_minutes=0, **changes, **SMALL)
    monkeypatch.undo()
    state = checkpoints.states(ResultFolder(str(result)).checkpoints)[0]
    assert (state.step, state.evaluated) == (4, False)
    return state


# ------------------------------------------------------------------------------------------------------------- start values

def head_values(bert, settings, operations_before=0):
    """Start values of the variables outside BERT, by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(settings.seed)
        for _ in range(operations_before):
            tf.constant(0)
        step = tf.train.create_global_step()
        holders = {name: tf.placeholder(tf.int32, shape) for name, shape in estimator.input_shapes(settings).items()}
        text_model.bert_cnn(holders, bert.config, settings, estimator.tower(bert.config, settings, tf.cast(step, tf.int32)))
        variables = {variable.op.name: variable for variable in tf.trainable_variables()
                     if not variable.op.name.startswith("bert/")}
        return session.run({name: variable.initial_value for name, variable in variables.items()})


def test_start_values_are_a_function_of_the_seed_and_the_name(inputs):
    _, _, bert = inputs
    values = head_values(bert, CHOSEN._replace(xla="off"))
    for others in (head_values(bert, CHOSEN._replace(xla="on")), head_values(bert, CHOSEN._replace(xla="off"), 5)):
        for name in values:
            np.testing.assert_array_equal(values[name], others[name], err_msg=name)
    other_seed = head_values(bert, CHOSEN._replace(xla="off", seed=1))
    kernels = [name for name in values if name.endswith("kernel")]
    assert len(kernels) == 5
    for name in kernels:
        assert np.abs(np.corrcoef(values[name].ravel(), other_seed[name].ravel())[0, 1]) < 0.1
    first, second = (values[f"conv-maxpool-{width}/conv1d/kernel"][:2].ravel() for width in (2, 3))
    assert np.abs(np.corrcoef(first, second)[0, 1]) < 0.1


# ---------------------------------------------------------------------------------------------------------------- selection

@pytest.mark.parametrize("value", ["false", "true"])
def test_the_score_is_the_mean_of_the_steps_own_accuracy_and_devs(value, whole):
    found = curves(whole[value])
    steps, scores = found["validation"]["score"]
    assert steps.tolist() == [2, 4, 6]
    of_batch = found["training"]["accuracy"][1][steps - 1]
    np.testing.assert_allclose(scores, (of_batch + found["validation"]["accuracy"][1]) / 2, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_macro_f1_on_dev_is_the_one_of_the_headline(seed):
    random = np.random.RandomState(seed)
    logits, gold = random.normal(size=(40, 8)) - 9.0 * (np.arange(8) % 3 == 0), random.choice([1, 2, 5], 40)
    of_dev = protocol.dev_metrics(logits, gold).macro_f1
    table = predictions.of_examples(*made_up(rows=40))._replace(gold=gold, predicted=logits.argmax(axis=1))
    assert of_dev == pytest.approx(float(bootstrap.scores(bootstrap.total(table.counts()))["pairs.macro.f1"]))
    merged_all, = analysis.groups(table, ["all"] * 40, ["all"])
    assert merged_all.merged_f1 == pytest.approx(float(bootstrap.scores(bootstrap.total(table.counts()))["merged.macro.f1"]))


def test_evaluation_dropout_acts_in_the_selection_and_not_in_training(whole):
    without, dropped = (curves(whole[value]) for value in ("false", "true"))
    np.testing.assert_allclose(without["training"]["loss"][1], dropped["training"]["loss"][1], rtol=1e-4)
    assert not np.allclose(without["validation"]["loss"][1], dropped["validation"]["loss"][1], rtol=1e-4)


@pytest.mark.parametrize("value, devices", [("false", 1), ("true", 2)])
def test_a_run_cut_off_in_an_evaluation_scores_as_an_uninterrupted_one(value, devices, whole, command, tmp_path, monkeypatch):
    cut_off(command, tmp_path, monkeypatch, evaluation_dropout=value)
    command("train", tmp_path, evaluation_dropout=value, devices=devices, **SMALL)
    for tag, (steps, values) in curves(whole[value])["validation"].items():
        np.testing.assert_array_equal(curves(tmp_path)["validation"][tag][0], steps)
        np.testing.assert_allclose(curves(tmp_path)["validation"][tag][1], values, rtol=1e-4, err_msg=tag)
    ends = [json.loads((folder / "checkpoints/i2b2/outcome.json").read_text()) for folder in (tmp_path, whole[value])]
    assert ends[0].pop("best_score") == pytest.approx(ends[1].pop("best_score"), rel=1e-6) and ends[0] == ends[1]


@pytest.mark.parametrize("devices", [1, 2])
def test_a_state_of_an_earlier_version_continues(devices, inputs, command, tmp_path, monkeypatch):
    """It does not hold the accuracy that the step reported: the batch is evaluated once more."""
    state = cut_off(command, tmp_path, monkeypatch)
    reader = tf.train.load_checkpoint(state.prefix)
    with tf.Graph().as_default(), tf.Session() as session:
        kept = {name: tf.get_variable(name.replace("/", "_"), initializer=reader.get_tensor(name))
                for name in reader.get_variable_to_shape_map() if name != "selection/batch_accuracy"}
        assert len(kept) == len(reader.get_variable_to_shape_map()) - 1
        session.run(tf.global_variables_initializer())
        tf.train.Saver(kept).save(session, state.prefix, write_meta_graph=False, write_state=False)
    features, _, bert = inputs
    order = batching.Batches(features, CHOSEN)
    logits = estimator.predict(order.at(3), len(LABELS), bert.config, CHOSEN, state.prefix)
    expected = protocol.dev_metrics(logits, order.at(3).label_ids).accuracy

    command("train", tmp_path, devices=devices, **SMALL)
    found = curves(tmp_path)
    _, scores = found["validation"]["score"]
    assert scores[1] == pytest.approx((expected + found["validation"]["accuracy"][1][1]) / 2, rel=1e-6)
    # The steps after it report their own again.
    last = (found["training"]["accuracy"][1][-1] + found["validation"]["accuracy"][1][2]) / 2
    assert scores[2] == pytest.approx(last, rel=1e-6)


# ---------------------------------------------------------------------------------------------------- dropout in evaluation

@pytest.fixture
def logits_of(inputs, whole):
    """A function of settings, values of the configuration and masks (step, number): a model's logits under each mask."""
    _, dev, bert = inputs

    def logits(settings, config, masks):
        with tf.Graph().as_default(), tf.Session() as session:
            graph = estimator.evaluation_graph(BertConfig.from_dict(dict(bert.config.to_dict(), **config)), settings, len(LABELS),
                                               estimator.input_shapes(settings))
            tf.train.Saver().restore(session, ResultFolder(str(whole["false"])).best)
            return [graph.logits(session, dev, *mask) for mask in masks]
    return logits


def test_evaluation_dropout_is_that_of_bert_and_repeats(logits_of):
    on, masks = CHOSEN._replace(evaluation_dropout=True), [(2, 0), (2, 0), (2, 1), (3, 0), (0, 0)]
    without = logits_of(CHOSEN, {}, [(2, 0), (3, 1)])
    np.testing.assert_array_equal(*without)
    first, again, *others = logits_of(on, {}, masks)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, logits_of(on._replace(xla="on"), {}, masks[:1])[0], atol=1e-5)
    different = [first, without[0], *others, *logits_of(on._replace(seed=1), {}, masks[:1])]
    for number, one in enumerate(different):
        assert all(np.abs(one - other).max() > 1e-3 for other in different[:number])
    # The dense layer's dropout stays off.
    none = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    np.testing.assert_allclose(*logits_of(on, none, masks[:1]), without[0], atol=1e-5)


@pytest.mark.parametrize("xla", ["off", "on"])
def test_the_graph_of_an_evaluation_is_freed(inputs, xla):
    """A program that answers builds one again and again."""
    bert = inputs[2]
    with tf.Graph().as_default() as graph:
        estimator.evaluation_graph(bert.config, CHOSEN._replace(xla=xla), len(LABELS), estimator.input_shapes(CHOSEN))
    kept = weakref.ref(graph)
    del graph
    gc.collect()
    assert kept() is None


def test_test_computes_equal_rows_each_under_its_own_mask(inputs, whole):
    _, dev, bert = inputs
    twice = dev.rows(np.array([0, 1, 0, 1, 0, 1]))
    best = ResultFolder(str(whole["false"])).best
    on = CHOSEN._replace(evaluation_dropout=True)
    plain, dropped, again = (estimator.predict(twice, len(LABELS), bert.config, chosen, best) for chosen in (CHOSEN, on, on))
    np.testing.assert_array_equal(plain[:2], plain[2:4])
    np.testing.assert_array_equal(dropped, again)
    assert len({row.tobytes() for row in dropped}) == 6
    assert 0 < np.abs(dropped - plain).max() < 2 * np.abs(plain).max()


def test_evaluation_dropout_is_a_setting_of_a_test_and_no_part_of_answering(whole, command, capsys, monkeypatch):
    monkeypatch.setattr(I2B2Task, "make_report", lambda *_: ("", {}))  # it tells nothing here, and its drawings take a while

    def predictions():
        return (whole["false"] / "predictions.tsv").read_text(encoding="utf-8")

    command("test", whole["false"])
    plain = predictions()
    command("test", whole["false"], evaluation_dropout="true")
    assert "not as the model was trained: setting evaluation_dropout is true" in capsys.readouterr().out
    dropped = predictions()
    assert dropped != plain
    command("test", whole["false"], evaluation_dropout="true")
    assert predictions() == dropped
    command("test", whole["false"])
    assert predictions() == plain


def test_with_evaluation_dropout_the_size_of_its_batches_is_part_of_the_run():
    def differences(*sizes, dropout):
        return runs.differences(*({"settings": Settings(evaluation_dropout=dropout, eval_batch_size=size)._asdict()}
                                  for size in sizes))

    assert differences(26, 52, dropout=False) == [] and differences(26, 26, dropout=True) == []
    assert differences(26, 52, dropout=True) == [
        "setting evaluation_dropout is true with eval_batch_size 52, was true with eval_batch_size 26"]
