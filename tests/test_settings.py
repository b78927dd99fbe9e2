"""Settings, recipes and `--set`."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import RECIPES, Settings, as_text, settings_for
from support.errors import InputError


def test_the_recipe_paper_is_upstreams():
    paper = settings_for("paper")
    assert paper == Settings()._replace(
        seq_length=180, num_filters=128, filter_sizes=(2, 3, 4), hidden_dim=128, keep_prob=0.5, learning_rate=5e-5, clip=5.0,
        num_epochs=64, batch_size=26, evaluate_every=200, patience=1000, do_lower_case="false", dev="test", max_steps=0, seed=0,
        optimizer="adam", selection="upstream", precision="float32")


def test_assignments_change_one_setting_each_and_the_last_wins():
    changed = settings_for("paper", ["num_epochs=2", "filter_sizes=1,5", "do_lower_case=TRUE", "dev=0.2", "num_epochs=3"], seed=7)
    assert changed == Settings(num_epochs=3, filter_sizes=(1, 5), do_lower_case="true", dev="0.2", seed=7)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_setting_is_written_as_it_is_read(recipe):
    settings = RECIPES[recipe]
    assert settings_for("paper", [f"{key}={as_text(value)}" for key, value in settings._asdict().items()]) == settings


@pytest.mark.parametrize("assignment", [
    "num_epochs", "num_epochs=", "num_epochs=two", "num_epochs=0", "num_epochs=1.5", "epochs=2", "keep_prob=0", "keep_prob=1.1",
    "keep_prob=nan", "clip=inf", "learning_rate=-1", "filter_sizes=2,2", "filter_sizes=0", "filter_sizes=", "do_lower_case=perhaps",
    "dev=train", "dev=0", "dev=1", "optimizer=sgd", "precision=float16", "seq_length=4", "seed=-1", f"seed={2 ** 31}", "=1", ""])
def test_what_does_not_fit_is_refused_with_what_does(assignment):
    with pytest.raises(InputError) as caught:
        settings_for("paper", [assignment])
    assert f"--set {assignment.strip()}" in str(caught.value)


@given(st.text())
def test_any_other_text_is_refused(text):
    if text.partition("=")[0] not in Settings._fields:
        with pytest.raises(InputError):
            settings_for("paper", [text])


def test_what_dev_may_be_is_told():
    with pytest.raises(InputError, match=r"`test`, `development` .BC5CDR only., or the share of training documents"):
        settings_for("paper", ["dev=train"])
