"""`train --restart`: what it says of going on."""
import os

import pytest

from commands.main import function_of
from commands.options import parse_arguments
from helpers import settings
from inputs import reading
from support.errors import InputError
from training import checks, estimator


@pytest.mark.parametrize("options, module, name, told", [
    (["--restart"], estimator, "train", True), ([], estimator, "train", False), (["--restart"], reading, "train_and_dev", False)])
def test_a_restarted_run_goes_on_without_that_option_once_it_has_begun(options, module, name, told, corpus, bert, tmp_path,
                                                                       monkeypatch):
    def fail(*_):
        raise InputError("The disk is full. Make room, then give the same command again.")
    monkeypatch.setattr(checks, "before_training", lambda *_: None)
    monkeypatch.setattr(module, name, fail)
    arguments = ["train", "--corpus", str(corpus), "--bert", str(bert), "--result", str(tmp_path / "result"), *options,
                 *settings(seq_length=32)]
    with pytest.raises(InputError, match="The disk is full") as ended:
        function_of("train")(parse_arguments(arguments))
    assert ("without --restart" in str(ended.value)) is told
    assert os.path.isfile(str(tmp_path / "result" / "run.json")) is (module is estimator)
