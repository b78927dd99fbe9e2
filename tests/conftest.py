"""Fixtures every test file may use."""
import gc
import os
import shutil
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))


@pytest.fixture(scope="module", autouse=True)
def only_new_objects():
    """Leave all that there is before a file's tests out of the searches for garbage during them.

    TensorFlow keeps every graph with functions that give gradients; a search through millions of such objects takes seconds.
    """
    if hasattr(gc, "freeze"):  # not in Python 3.6
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def project():
    """The project's root folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared():
    """The folder of recorded results and licensed data beside the project; tests that need it skip without it."""
    folder = Path(os.environ.get("SHARED_DATA", str(PROJECT.parent / "shared")))
    if not (folder / "parity").is_dir():
        pytest.skip(f"needs the shared test data beside the project (or SHARED_DATA=DIR), not found: {folder.name}")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Six training and two test notes, in a folder with a space in its name."""
    from helpers import write_corpus
    return write_corpus(tmp_path_factory.mktemp("notes") / "my corpus")


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """The sample corpus' tiny BERT but of one layer, in a folder with a space in its name."""
    from inputs.tiny_bert import make_tiny_bert
    folder = tmp_path_factory.mktemp("bert") / "tiny bert"
    # Each training of a test builds its graph; with one layer that takes three quarters of the time.
    make_tiny_bert(str(folder), sizes={"num_hidden_layers": 1})
    return folder


@pytest.fixture(scope="session")
def chromium():
    """Debian's chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium to look at the page (apt-get install chromium)")
    return program


@pytest.fixture(scope="session")
def model(project, bert, tmp_path_factory):
    """(corpus folder, result folder) of a toy model, trained for some steps on a part of the sample corpus and tested."""
    from helpers import corpus_of, run, settings
    folder = tmp_path_factory.mktemp("a model")
    sample = project / "corpus" / "sample"
    corpus = corpus_of(folder / "corpus", *(sorted((sample / place).glob("*.xml"))[:count] for place, count in (
        ("2012-07-15.original-annotation.release", 5), ("ground_truth/merged_xml", 2))))
    common = ("--corpus", corpus, "--result", folder / "result", "--bert", bert)
    run("run_i2b2.py", "train", "--recipe", "demo", *common, *settings(max_steps=30, evaluate_every=30, seq_length=60))
    run("run_i2b2.py", "test", *common)
    return corpus, folder / "result"


# What trains a model or builds graphs takes minutes. `make check` leaves it out: pytest -m "not trains".
TRAINING_FILES = {"test_benchmark.py", "test_checkpoints.py", "test_devices.py", "test_earlier_version.py", "test_estimator.py",
                  "test_export.py", "test_faults.py", "test_layers.py", "test_modeling.py", "test_optimization.py",
                  "test_parity.py", "test_parity_BC5CDR.py", "test_predict.py", "test_run_BC5CDR.py", "test_run_i2b2.py",
                  "test_runtimes.py", "test_third_task.py"}
TRAINING_FIXTURES = {"model", "tested"}


def pytest_configure(config):
    """Have pytest-xdist keep the order of the files, where it would choose one itself."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Mark what trains, and begin with the files of it, so that processes that share the files end at about the same time."""
    for item in items:
        if item.fspath.basename in TRAINING_FILES or TRAINING_FIXTURES & set(item.fixturenames):
            item.add_marker("trains")
    # The longest of them are in training/, the last folder.
    that_train = sorted({item.fspath for item in items if item.get_closest_marker("trains")}, reverse=True)
    items.sort(key=lambda item: that_train.index(item.fspath) if item.fspath in that_train else len(that_train))
