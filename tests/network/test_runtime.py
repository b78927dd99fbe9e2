"""TensorFlow starts, computes and compiles without a word on standard error."""
import subprocess
import sys

import pytest

from conftest import PROJECT

PROGRAM = """
from network.runtime import fused, session_config, tf
x = tf.constant([1.0, 2.0])
with tf.Session(config=session_config()) as session:
    print(session.run(fused(lambda x: x * x)(x)).sum() + session.run(tf.linalg.matmul(x[None], x[:, None])).sum())
"""


@pytest.mark.parametrize("redirection", ["", "2>&-"])
def test_nothing_is_said(redirection, monkeypatch):
    # What a user sets goes before ours, and is none here.
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    finished = subprocess.run(["sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, PROGRAM], cwd=str(PROJECT),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=300)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "10.0\n", "")


def test_what_a_script_does_with_keras_works_on():
    program = ("import sys; from network.runtime import tf; assert 'keras' not in sys.modules; "
               "print(tf.keras.layers.Dense(2, name='works').name)")
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=str(PROJECT), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=300)
    assert (finished.returncode, finished.stdout) == (0, "works\n"), finished.stderr


def test_only_a_block_is_unheard(capfd):
    from network.runtime import unheard
    subprocess.run(["sh", "-c", "echo before >&2"])
    with pytest.raises(ValueError), unheard():
        subprocess.run(["sh", "-c", "echo within >&2"])
        raise ValueError
    subprocess.run(["sh", "-c", "echo after >&2"])
    assert capfd.readouterr().err == "before\nafter\n"
