"""Text of notes never gets into a result folder, and nothing is written through a link."""
import os

import pytest

from support import locks, places
from support.errors import InputError
from support.paths import DEFAULT_RESULT, CorpusFolder, ResultFolder


@pytest.mark.parametrize("corpus, result", [("c", "c"), ("c", "c/result"), ("r/corpus", "r"), ("link", "c/result")])
def test_corpus_and_result_folder_are_not_in_each_other(corpus, result, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "c")
    with pytest.raises(InputError, match="in each other.*no text of any note"):
        places.check_run(ResultFolder(str(tmp_path / result)), CorpusFolder(str(tmp_path / corpus)))
    places.check_run(ResultFolder(str(tmp_path / "result")), CorpusFolder(str(tmp_path / corpus)))


@pytest.mark.parametrize("sign", ["run.json", "seeds.json", "checkpoints/i2b2/best_validation.index",
                                  "seed-0/checkpoints/i2b2/best_validation.index"])
def test_the_result_folder_of_any_run_is_known(sign, tmp_path):
    path = tmp_path / "other" / sign
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    for place in ("other", "other/out", "other/a/b/c", "link/out"):
        with pytest.raises(InputError, match="--out .* is in the result folder .*other, which holds no text"):
            places.check_text(str(tmp_path / place), "--out")
        with pytest.raises(InputError, match="--corpus .* is in the result folder"):
            places.check_run(ResultFolder(str(tmp_path / "result")), CorpusFolder(str(tmp_path / place)))
    for place in ("out", "another/out", "checkpoints"):
        places.check_text(str(tmp_path / place), "--out")


def test_the_projects_own_result_folder_is_one_before_the_first_run():
    with pytest.raises(InputError, match="result folder"):
        places.check_text(os.path.join(DEFAULT_RESULT, "notes"), "--out")


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/i2b2", "tensorboard", "figures", "system_xml"])
@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_linked_folder_of_a_run_is_refused(name, target, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "result" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / target)
    with pytest.raises(InputError, match=f"{name} is a link: .*{target}"):
        places.check_run(ResultFolder(str(tmp_path / "result")))


@pytest.mark.parametrize("name", ["features", "system_xml"])
def test_a_linked_folder_in_the_corpus_folder_is_refused_and_a_linked_corpus_is_not(name, tmp_path):
    corpus, result = tmp_path / "corpus", ResultFolder(str(tmp_path / "result"))
    corpus.mkdir()
    (tmp_path / "linked").symlink_to(corpus)
    places.check_run(result, CorpusFolder(str(tmp_path / "linked")))
    (corpus / name).symlink_to(tmp_path)
    with pytest.raises(InputError, match=f"{name} is a link"):
        places.check_run(result, CorpusFolder(str(corpus)))


def test_a_link_that_leads_nowhere_is_told_as_that(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="--result .*link is a link that leads nowhere"):
        places.check_run(ResultFolder(str(tmp_path / "link")))
    with pytest.raises(InputError, match="--out .*link is a link that leads nowhere"):
        places.check_text(str(tmp_path / "link"), "--out")


def test_a_linked_lock_is_refused_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "file").write_text("somebody's")
    (tmp_path / "lock").symlink_to(tmp_path / "file")
    (tmp_path / "new").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(str(tmp_path / "fifo"))
    for name, words in (("lock", "is a link"), ("new", "is a link"), ("folder", "is no file"), ("fifo", "is no file")):
        with pytest.raises(InputError, match=words):
            locks.open_lock(str(tmp_path / name))
    assert (tmp_path / "file").read_text() == "somebody's" and not (tmp_path / "nowhere").exists()


def test_a_lock_is_waited_for_told_and_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "LAST_MOMENT", 0.1)
    path, told = str(tmp_path / "lock"), []
    assert locks.holder_of(path) is None and not os.path.exists(path)
    with locks.held(path, 0) as lock:
        lock.write("process 7")
        lock.flush()
        assert locks.holder_of(path) == "process 7"
        with pytest.raises(InputError, match="has been locked by another process"):
            with locks.held(path, 0.1, told.append):
                pytest.fail("two hold one lock")
    assert told == ["process 7"] and locks.holder_of(path) is None
    with locks.held(path, 0):
        pass
