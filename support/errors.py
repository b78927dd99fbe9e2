"""What a user can put right, and what ends a command in good order."""
import errno
import os

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
