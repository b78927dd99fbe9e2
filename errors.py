"""What a user can put right, and how a command ends."""
import errno
import os
import sys

# What the operating system says where a file cannot be written, and what helps.
REMEDIES = {
    errno.ENOSPC: "make room on that disk", errno.EDQUOT: "make room within the quota of that disk",
    errno.EROFS: "choose another folder: that one is on a read-only disk",
    errno.EACCES: "give yourself permission to write there",
    errno.EPERM: "give yourself permission to write there", errno.EIO: "the disk reports a fault; use another one",
    errno.EFBIG: "raise the limit on the size of files", errno.EMFILE: "raise the limit on open files",
    errno.ENAMETOOLONG: "use a shorter path", errno.ENOTDIR: "a file is in the way of a folder of that name",
    errno.EEXIST: "a file is in the way of a folder of that name"}


class InputError(Exception):
    """An input is missing or wrong.

    The message is one paragraph for the user: it names the file or the setting and the remedy.
    """


class Interrupted(KeyboardInterrupt):
    """A signal ended the command, in good order; the message says how to go on.

    Like KeyboardInterrupt not an Exception, so that no library takes it for a failure of its own and goes on.
    """

    def __init__(self, message, signal_number):
        super().__init__(message)
        self.signal_number = signal_number


def not_written(path, error):
    """The InputError for an OSError while `path` was written; None if it is not of a kind that a user can help.

    Parameters
    ----------
    path : what was being written; None if only the error knows.
    error : OSError
    """
    if error.errno not in REMEDIES:
        return None
    path = path or error.filename
    what = f"{path} cannot be written" if path else "a file cannot be written"
    return InputError(f"{what}: {os.strerror(error.errno)}. To go on, {REMEDIES[error.errno]}; then give the same "
                      "command again. What was there before is untouched.")


def run_main(main):
    """Run a command and leave with the exit status the contract names.

    0: done. 1: `InputError`, its message alone on standard error. 130: Ctrl-C. 143: SIGTERM. 129: SIGHUP. 141: nobody
    reads the output any more.

    Parameters
    ----------
    main : callable without arguments; what it returns, if anything, is the exit status.
    """
    import interrupts
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
