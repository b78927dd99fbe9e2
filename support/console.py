"""What a command prints while it works: steps, and progress on everything longer than a few seconds."""
import io
import os
import sys
import time

from tqdm import tqdm

# Seconds between the lines that stand in for a progress bar where the output is not a terminal.
LINE_EVERY = 30.0


def say(text):
    """Print one line at once, also into a pipe or a log file."""
    print(text, flush=True)


class Lasting:
    """A text stream that can always be written to: once its reader is gone, what is written goes nowhere.

    Parameters
    ----------
    stream : of the operating system, such as sys.stdout.
    """

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write text."""
        try:
            return self._stream.write(text)
        except OSError:
            self._let_go()
            return len(text)

    def flush(self):
        """Have what was written reach the reader."""
        try:
            self._stream.flush()
        except OSError:
            self._let_go()

    def _let_go(self):
        # The descriptor, not the stream: what libraries write, and what the stream still holds, goes the same way.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


def outlast_readers():
    """From here on the work goes on to its end, whether anybody reads the output or not."""
    sys.stdout, sys.stderr = (stream if isinstance(stream, Lasting) else Lasting(stream) for stream in (sys.stdout, sys.stderr))


def open_standard_streams():
    """Have standard input, output and error where the shell closed them, and let no character of a message fail.

    A file that is opened later would otherwise get the number of a closed one, and messages would be written into it. File
    names may hold bytes of another encoding, and a terminal may know ASCII alone: such characters are shown as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        elif stream is getattr(sys, f"__{name}__"):  # Python 3.6
            setattr(sys, name, io.TextIOWrapper(stream.detach(), stream.encoding, "backslashreplace",
                                                line_buffering=stream.line_buffering))


class Progress:
    """A bar on a terminal; elsewhere a plain line every half minute and at the end.

    Parameters
    ----------
    title : what is being done.
    total : how many units there are.
    start : units done by an earlier, cut-off run.
    unit : name of the units.
    examples : examples in a unit, for the rate shown as examples per second.
    keep : leave the finished bar, or a last line, behind.
    """

    def __init__(self, title, total, start=0, unit="step", examples=1, keep=True):
        self._title, self._total, self._start, self._unit, self._examples = title, total, start, unit, examples
        self._done = start
        self._metrics = ""
        self._keep = keep
        self._began = self._last_line = time.time()
        self._bar = None
        if sys.stdout.isatty():
            self._bar = tqdm(total=total, initial=start, desc=title, unit=unit, file=sys.stdout, dynamic_ncols=True, leave=keep,
                             mininterval=0.5, bar_format="{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} "
                                                         "[{elapsed} < {remaining}]{postfix}")

    def update(self, done, **metrics):
        """Show that `done` units are finished, with metrics such as loss=1.2."""
        self._done = done
        self._metrics = "".join(f", {name.replace('_', ' ')} {value:.3f}" for name, value in metrics.items())
        now = time.time()
        if self._bar is not None:
            self._bar.set_postfix_str(self._text(now), refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._last_line >= LINE_EVERY:
            self._last_line = now
            say(f"{self._title}: {self._unit} {done}/{self._total}{self._text(now)}, {self._left(now)} left")

    def say(self, text):
        """Print a line without tearing the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stdout)
        else:
            say(text)

    def close(self):
        """End the bar, or print the last line where one was printed before."""
        now = time.time()
        if self._bar is not None:
            self._bar.close()
        elif self._keep:
            say(f"{self._title}: {self._unit} {self._done}/{self._total}{self._text(now)} in {duration(now - self._began)}")

    def _text(self, now):
        rate = (self._done - self._start) * self._examples / max(now - self._began, 1e-9)
        return f"{self._metrics}, {rate:.1f} examples/s"

    def _left(self, now):
        done = self._done - self._start
        return duration((self._total - self._done) * (now - self._began) / done) if done else "unknown time"


def duration(seconds):
    """Seconds as people say them: 48 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
