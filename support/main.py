"""How a command ends: its exit status, and the one message on standard error."""
import os
import sys

from support import interrupts
from support.errors import InputError, Interrupted, not_written


def run_main(main):
    """Run a command and leave with the exit status the contract names.

    0: done. 1: `InputError`, its message alone on standard error. 130: Ctrl-C. 143: SIGTERM. 129: SIGHUP. 141: nobody
    reads the output any more.

    Parameters
    ----------
    main : callable without arguments; what it returns, if anything, is the exit status.
    """
    try:
        with interrupts.watched():
            try:
                status = main() or 0
            except Exception as error:
                # A signal may have come while a library was at work that makes an error of its own of it.
                if interrupts.pending() is None:
                    raise
                raise Interrupted("interrupted", interrupts.pending()) from error
    except InputError as error:
        status = report(error)
    except Interrupted as interrupt:
        print(interrupt, file=sys.stderr)
        status = 128 + interrupt.signal_number
    except BrokenPipeError:
        # Who read the output has seen enough of it, as `| head` does; a shell calls that 128 + SIGPIPE.
        sys.stdout = open(os.devnull, "w")
        status = 141
    except OSError as error:
        # Every writer of ours explains itself; this is for libraries that write, such as the one for figures.
        if not_written(None, error) is None:
            raise
        status = report(not_written(None, error))
    sys.exit(status)


def report(error):
    """Print an InputError; returns the exit status."""
    print(f"error: {error}", file=sys.stderr)
    return 1
