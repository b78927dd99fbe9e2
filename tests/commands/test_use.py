"""`predict`, `export` and `compare`: what they ask of the runs and settings that they are given."""
import json

import pytest

from commands.main import function_of
from commands.options import about_set, parse_arguments
from support.errors import InputError
from tasks.bc5cdr import BC5CDR
from tasks.i2b2 import I2B2


@pytest.mark.parametrize("place", ["", "seed-0"])
def test_runs_of_another_task_are_not_compared(place, tmp_path):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "run.json").write_text(json.dumps({"task": "BC5CDR"}))
    (tmp_path / place / "predictions.tsv").write_text("document\trelation\n")
    arguments = parse_arguments(["compare", str(tmp_path), "--out", str(tmp_path / "out.html")])
    with pytest.raises(InputError, match="another task .BC5CDR, not i2b2., as .*: compare it by the program of that task"):
        function_of("compare")(arguments)


def test_the_help_names_the_settings_that_act():
    assert "test_gold" in about_set("test", I2B2) and "eval_batch_size" in about_set("predict", I2B2)
    for name in ("seed", "test_gold", "evaluation_dropout"):
        assert name not in about_set("predict", I2B2) and name not in about_set("export", I2B2)
    assert "context" not in about_set("export", BC5CDR) and "precision" in about_set("export", BC5CDR)
