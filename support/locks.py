"""Locks on files, which the operating system releases when the process that holds one ends, however it ends."""
import contextlib
import errno
import os
import time

from support.errors import InputError, not_written

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


# A process that was killed takes a moment to be gone, longer with gigabytes of memory on a busy machine, in seconds.
LAST_MOMENT = 3.0


def try_lock(descriptor):
    """Lock an open file for this process alone.

    Returns
    -------
    True if it is locked now, False if another process holds it, None on a file system without locks (some network
    mounts), where nothing can be known of others.
    """
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            # Windows keeps others from reading what is locked: a byte far behind the content.
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def is_kept(descriptor):
    """Whether another process holds the lock on an open file, and goes on to; else this one has it, as with `try_lock`."""
    until = time.time() + LAST_MOMENT
    while try_lock(descriptor) is False:
        if time.time() > until:
            return True
        time.sleep(0.05)
    return False


def open_lock(path):
    """Open a lock's file, made if need be, for reading and writing text.

    It is never removed: another process could then lock the file of the old name while a third makes a new one.

    Raises
    ------
    InputError : it is a link, or cannot be written.
    """
    try:
        return open(path, "r+", encoding="utf-8", errors="replace", opener=lambda name, _: os.open(
            name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{path} is a link; what it leads to is not this program's to write. Remove the link.")
        raise not_written(path, error) or InputError(f"{path} is no file that a lock can be kept in. Remove it.")


@contextlib.contextmanager
def held(path, seconds, tell=None):
    """Within this block the lock on a file is this process' alone.

    Parameters
    ----------
    path : of the lock's file.
    seconds : to wait for it at most, None for as long as it takes.
    tell : called once, with what the holder wrote into the file, before waiting for it.

    Yields
    ------
    the open file, for the holder to write into.

    Raises
    ------
    InputError : another process holds it all that time, or it cannot be opened.
    """
    begun, told = time.time(), tell is None
    with open_lock(path) as lock:
        while try_lock(lock.fileno()) is False:
            if not told:
                tell(lock.read().strip() or "it has just begun")
                told = True
            if seconds is not None and time.time() - begun > seconds:
                raise InputError(f"{path} has been locked by another process for {seconds:.0f} seconds: it hangs, or was stopped. "
                                 "End it, then give the same command again.")
            time.sleep(0.05)
        lock.seek(0)
        yield lock


def holder_of(path):
    """What the process that holds the lock on a file wrote into it; None where nobody holds it. Makes no file."""
    if not os.path.lexists(path):
        return None
    with open_lock(path) as lock:
        if not is_kept(lock.fileno()):
            return None
        return lock.read().strip() or "it has just begun"
