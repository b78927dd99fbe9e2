"""The toy BERT of `demo` is whole, however often its making was cut off."""
import os
import shutil

import pytest

from commands import demo
from helpers import files_below
from network import pretrained
from support.paths import BertFolder

FILES = ["bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index", "vocab.txt"]


@pytest.fixture
def making(bert, monkeypatch):
    """A function that sets after how many files the making of a BERT is cut off (None: not at all), and counts the makings."""
    made, state = [], {"left": None}

    def make(folder):
        made.append(folder)
        os.makedirs(folder)
        for number, name in enumerate(FILES):
            if number == state["left"]:
                raise KeyboardInterrupt
            shutil.copyfile(str(bert / name), os.path.join(folder, name))

    monkeypatch.setattr(demo, "make_tiny_bert", make)

    def cut_off_after(count):
        state["left"] = count
        return made
    return cut_off_after


@pytest.mark.parametrize("count", range(4))
def test_a_making_that_was_cut_off_is_made_again(count, making, tmp_path):
    folder = str(tmp_path / "pretrained bert model" / "sample")
    making(count)
    with pytest.raises(KeyboardInterrupt):
        demo.toy_bert(folder)
    assert not os.path.exists(folder) and not files_below(tmp_path)
    made = making(None)
    assert demo.toy_bert(folder) == folder and sorted(os.listdir(folder)) == FILES
    pretrained.check_bert_folder(BertFolder(folder))
    demo.toy_bert(folder)
    assert len(made) == 2, "what is whole is not made again"


@pytest.mark.parametrize("missing", FILES)
def test_what_an_earlier_version_left_in_pieces_is_completed(missing, making, bert, tmp_path):
    making(None)
    shutil.copytree(str(bert), str(tmp_path / "sample"))
    (tmp_path / "sample" / missing).unlink()
    (tmp_path / "sample" / "notes of mine").write_text("stay")
    demo.toy_bert(str(tmp_path / "sample"))
    assert sorted(os.listdir(str(tmp_path / "sample"))) == sorted(FILES + ["notes of mine"])
    assert os.listdir(str(tmp_path)) == ["sample"]
