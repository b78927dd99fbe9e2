"""Ctrl-C, SIGTERM and SIGHUP: the first one ends a command in good order, a second Ctrl-C or SIGTERM at once.

Python runs a signal's handler only when the interpreter is at work, so not during the seconds that a training step
takes. What has to happen at once is therefore done by a thread, which the operating system's handler wakes.

A terminal that goes away, because its window is closed or a connection is lost, sends SIGHUP too. It is told from a SIGHUP
that somebody sends by the terminal: that one is gone.
"""
import contextlib
import os
import signal
import socket
import threading

from support.errors import Interrupted

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


MESSAGE = "interrupted; what is on the disk is whole, and the same command may be given again"


class _Watch:
    """What arrived, and whether a handler may interrupt right now."""

    def __init__(self):
        self.pending = None      # number of the signal that has not ended the command yet
        self.note = None         # what is told at once while signals are held back; None: they are not held back
        self.outlasts = False    # whether the command goes on where its terminal goes away


_watch = _Watch()


@contextlib.contextmanager
def watched():
    """Within this block signals raise `Interrupted` in the main thread, or wait while `held_back`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that is ignored on purpose (nohup, a shell's background job) stays ignored.
    old = {number: signal.signal(number, _on_signal) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    ours, kernels = socket.socketpair()
    kernels.setblocking(False)
    _watch.outlasts = False
    old_descriptor = signal.set_wakeup_fd(kernels.fileno())
    thread = threading.Thread(target=_wait, args=(ours, set(old)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(old_descriptor)
        for number, handler in old.items():
            signal.signal(number, handler)
        kernels.close()
        thread.join(1.0)  # what it tells late is not the next block's; a forked process may have kept its socket open
        _watch.pending = _watch.note = None


@contextlib.contextmanager
def held_back(note="stopping ..."):
    """Within this block a signal only sets `pending()`, which the block looks at when it can end in good order.

    At the end of the outermost block a signal that arrived raises `Interrupted`.

    Parameters
    ----------
    note : what to tell the user at once.
    """
    outer, _watch.note = _watch.note, note
    try:
        yield
    finally:
        _watch.note = outer
    if outer is None:
        raise_pending()


def outlast_terminal():
    """From here on a command that was started in a terminal goes on to its end where the terminal goes away."""
    _watch.outlasts = _has_terminal()


def _has_terminal():
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _is_terminals_end(number):
    return _watch.outlasts and number == getattr(signal, "SIGHUP", None) and not _has_terminal()


def raise_pending():
    """Raise `Interrupted` where a signal has arrived."""
    if _watch.pending is not None:
        raise Interrupted(MESSAGE, _watch.pending)


def pending():
    """The number of the signal that arrived while signals are held back, or None."""
    return _watch.pending


def _on_signal(number, _):
    if _is_terminals_end(number):
        return
    _watch.pending = number
    if _watch.note is None:
        raise Interrupted(MESSAGE, number)


def _wait(source, numbers):
    """The thread: tell of the first signal, end the process at the second."""
    count = 0
    with source:
        while True:
            arrived = source.recv(1)
            if not arrived:
                return
            number = arrived[0]
            if number not in numbers or _is_terminals_end(number):
                continue
            # A session that closes may send SIGHUP twice; only a person's, or a supervisor's, second signal is one.
            if count and number != getattr(signal, "SIGHUP", None):
                write_error("ended at once; what is on the disk is whole")
                os._exit(128 + number)
            count += 1
            if _watch.note is not None:
                write_error(_watch.note)


def write_error(text):
    """Write a line to standard error, past Python's stream, which another thread may be using; nobody need read it."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode("utf-8"))
