"""Locks on files, which the operating system releases when the process that holds one ends, however it ends."""
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


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
