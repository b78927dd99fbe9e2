"""How a command ends: its exit status, and the one message on standard error."""
import contextlib
import sys

from support import console, interrupts
from support.errors import InputError, Interrupted, not_written


def run_main(main):
    """Run a command and leave with the exit status the contract names.

    0: done. 1: `InputError`, its message alone on standard error. 130: Ctrl-C. 143: SIGTERM. 129: SIGHUP. 141: nobody
    reads the output any more (training and testing go on without, see console.outlast_readers).

    Parameters
    ----------
    main : callable without arguments; what it returns, if anything, is the exit status.
    """
    console.open_standard_streams()
    status = status_of(main)
    # Python would end with another status and a message of its own where this fails.
    console.outlast_readers()
    sys.stdout.flush()
    sys.exit(status)


def status_of(main):
    """The exit status of a command that has ended, its message told."""
    try:
        with interrupts.watched():
            try:
                status = end_of(main)
                sys.stdout.flush()
                return status
            except Exception as error:
                # A signal may have come while a library was at work that makes an error of its own of it.
                if interrupts.pending() is None:
                    raise
                raise Interrupted("interrupted", interrupts.pending()) from error
    except InputError as error:
        return report(error)
    except Interrupted as interrupt:
        tell(str(interrupt))
        return 128 + interrupt.signal_number
    except BrokenPipeError:
        # Who read the output has seen enough of it, as `| head` does; a shell calls that 128 + SIGPIPE.
        return 141
    except OSError as error:
        # Every writer of ours explains itself; this is for libraries that write, such as the one for figures.
        if not_written(None, error) is None:
            raise
        return report(not_written(None, error))


def end_of(main):
    """The status that a function gives, or leaves with as argparse does."""
    try:
        return main() or 0
    except SystemExit as end:
        return end.code


def report(error):
    """Print an InputError; returns the exit status."""
    tell(f"error: {error}")
    return 1


def tell(text):
    """Print a line on standard error, if it can be."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)
