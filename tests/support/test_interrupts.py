"""Signals are held back while something must not be cut off, and end the command after it."""
import os
import signal
import time

import pytest

from support import interrupts
from support.errors import Interrupted


def interrupt():
    """What a supervisor sends; Ctrl-C's is ignored where the tests are a background job."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_interrupts_at_once():
    with interrupts.watched(), pytest.raises(Interrupted) as found:
        interrupt()
        pytest.fail("went on")
    assert found.value.signal_number == signal.SIGTERM


def test_held_back_it_interrupts_after_the_outermost_block(capfd):
    done, told = [], ""
    with interrupts.watched(), pytest.raises(Interrupted):
        with interrupts.held_back("outer"):
            with interrupts.held_back("inner"):
                interrupt()
                while "inner" not in told:
                    told += capfd.readouterr().err
                    time.sleep(0.01)
                done.append("inner")
            assert interrupts.pending() == signal.SIGTERM
            done.append("outer")
        done.append("after")
    assert done == ["inner", "outer"] and interrupts.pending() is None and told.strip() == "inner"


def test_after_a_block_that_failed_signals_interrupt_again():
    with interrupts.watched():
        with pytest.raises(ValueError):
            with interrupts.held_back():
                raise ValueError
        with pytest.raises(Interrupted):
            interrupt()
            pytest.fail("went on")


@pytest.mark.trains
def test_no_graph_is_left_half_built(monkeypatch):
    """TensorFlow's C++ calls back into Python; what is raised there ends in errors of its own."""
    import text_model
    from settings import Settings
    from training import estimator
    built = []

    def bert_cnn(*_):
        interrupt()
        built.append(True)
    monkeypatch.setattr(text_model, "bert_cnn", bert_cnn)
    with interrupts.watched(), pytest.raises(Interrupted):
        estimator.evaluation_logits({}, None, Settings(xla="off"), 8, 0, 0)
    assert built
