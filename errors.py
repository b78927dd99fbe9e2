"""What a user can put right, and how a command ends."""
import signal
import sys


class InputError(Exception):
    """An input is missing or wrong.

    The message is one paragraph for the user: it names the file or the setting and the remedy.
    """


class Interrupted(Exception):
    """A signal ended the command, in good order; the message says how to go on."""

    def __init__(self, message, signal_number):
        super().__init__(message)
        self.signal_number = signal_number


def run_main(main):
    """Run a command and leave with the exit status the contract names.

    0: done. 1: `InputError`, its message alone on standard error. 130: Ctrl-C. 143: SIGTERM.

    Parameters
    ----------
    main : callable without arguments; what it returns, if anything, is the exit status.
    """
    try:
        status = main() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except Interrupted as interrupt:
        print(interrupt, file=sys.stderr)
        status = 128 + interrupt.signal_number
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 128 + signal.SIGINT
    sys.exit(status)
