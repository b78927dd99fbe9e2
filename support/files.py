"""Writing and fingerprinting files."""
import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile

from support import locks
from support.errors import InputError, not_written

# Names of files that `replacing` has not finished.
TEMPORARY = re.compile(r"\..*\.[^.]+\.tmp\Z")


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path` and move it there when the block ends well.

    A reader sees the old file or the new one, never a part; after an error nothing is left behind. What a killed
    process leaves behind, `remove_leftovers` finds.

    Raises
    ------
    InputError : the disk is full, or the folder may not be written to.
    """
    folder, name = os.path.split(os.path.abspath(path))
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
    except OSError as error:
        raise not_written(path, error) or error
    # As long as this process lives, the lock tells others that the file is still being written.
    locks.try_lock(handle)
    try:
        yield temporary
        os.fsync(handle)
        # mkstemp makes files only their owner can read; the result is meant to be shared like any other file.
        os.chmod(temporary, 0o666 & ~current_umask())
        if os.name == "nt":  # Windows replaces no open file
            os.close(handle)
            handle = None
        os.replace(temporary, path)
        sync_folder(folder)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        if isinstance(error, OSError):
            raise not_written(path, error) or error
        raise
    finally:
        if handle is not None:
            os.close(handle)


def remove_leftovers(folder):
    """Remove what killed processes left of files they were writing into `folder`; those of living ones stay."""
    if not os.path.isdir(folder):
        return
    for name in filter(TEMPORARY.match, os.listdir(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError), open(path, "rb+") as left:
            if locks.try_lock(left.fileno()):
                os.remove(path)


def sync_folder(folder):
    """Have the disk keep the names in `folder` as they are now, even if the power fails (a no-op on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems cannot do this for folders; they keep names in their own way.
        pass
    finally:
        os.close(handle)


def sync_files(folder):
    """Have the disk keep the content of every file in `folder`, and their names."""
    for entry in os.listdir(folder):
        with open(os.path.join(folder, entry), "rb+") as written:
            os.fsync(written.fileno())
    sync_folder(folder)


def current_umask():
    """The process's file mode mask (which POSIX only tells by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_atomically(path, content):
    """Write `content` (str, as UTF-8 with the line ends it has, or bytes) to `path`, whole or not at all."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        with open(temporary, "wb") as out:
            out.write(data)


def make_folder(path):
    """Make a folder unless it is there; InputError where that cannot be."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) or InputError(f"{path} cannot be made: {error.strerror}.")


def existing(path):
    """The path, or the nearest folder above it that exists."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def free_bytes(path):
    """Bytes free on the disk of `path`, which need not exist yet."""
    return shutil.disk_usage(existing(path)).free


def bytes_below(folder):
    """Bytes of all files below a folder, 0 where there is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.path.getsize(os.path.join(place, name))
    return total


def check_writable(folder):
    """Raise an InputError where nothing can be written into a folder, which need not exist yet."""
    try:
        tempfile.TemporaryFile(dir=existing(folder)).close()
    except OSError as error:
        raise not_written(folder, error) or error


def open_regular(path):
    """Open a file for reading its bytes; OSError also for what is no regular file, such as a pipe, which would never end."""
    # Not blocking: a pipe that nobody writes to would not even open.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, os.strerror(number) if stat.S_ISDIR(mode) else "it is not a regular file", path)
    return open(descriptor, "rb")


def fingerprint_file(path):
    """SHA-256 of a file's bytes, in hexadecimal; reads in blocks, so any size will do."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
