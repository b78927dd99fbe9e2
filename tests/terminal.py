"""Commands in a terminal of their own, and how it ends."""
import contextlib
import os
import pty
import re
import signal


def in_a_terminal(words, when, then):
    """Run a command in a terminal of its own; `then(process, terminal)` once it prints what `when` matches. Returns its status."""
    process, terminal = pty.fork()
    if not process:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which these tests may run under, has it ignored
        os.execv(words[0], words)
    said = b""
    while not re.search(when, said):
        said += os.read(terminal, 1000)
    then(process, terminal)
    return os.waitpid(process, 0)[1]


def close_terminal(_, terminal):
    """As a window that is closed, or a connection that is lost."""
    os.close(terminal)


def hang_up(process, terminal):
    """Send SIGHUP with the terminal still there; what is printed then is read."""
    os.kill(process, signal.SIGHUP)
    with contextlib.suppress(OSError):  # at the other side's end
        while os.read(terminal, 1000):
            pass
