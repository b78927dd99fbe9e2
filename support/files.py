"""Writing and fingerprinting files."""
import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile

from support import locks
from support.errors import InputError, not_written

# Names of files and folders that a process has not finished: .NAME.RANDOM.tmp
TEMPORARY = re.compile(r"\.(.+)\.[0-9a-z_]{6,8}\.tmp\Z")
FOR_ALL, FOR_THE_OWNER = 0o666, 0o600  # modes of new files, before the user's umask


@contextlib.contextmanager
def replacing(path, private=False):
    """Give a temporary path beside `path` and move it there when the block ends well.

    A reader sees the old file or the new one, never a part; after an error nothing is left behind. What a killed
    process leaves behind, `remove_leftovers` finds.

    Parameters
    ----------
    path : the file to write. One that is replaced keeps its mode.
    private : the file holds text of a note: a new one can be read by its owner alone.

    Raises
    ------
    InputError : the disk is full, or the folder may not be written to.
    """
    folder, name = os.path.split(os.path.abspath(path))
    kept = mode_of(path)
    try:
        os.makedirs(folder, exist_ok=True)
        # As long as this process lives, the lock tells others that the file is still being written.
        temporary, handle = new_temporary(folder, name, FOR_THE_OWNER if private or kept is not None else FOR_ALL)
    except OSError as error:
        raise not_written(path, error) or error
    try:
        yield temporary
        os.fsync(handle)
        if kept is not None:
            os.chmod(temporary, kept)
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


def for_the_owner(path, flags):
    """The opener, for `open`, of a new file that holds text of a note."""
    return os.open(path, flags, FOR_THE_OWNER)


def mode_of(path):
    """The permissions of a file, None where there is no file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def new_temporary(folder, name, mode):
    """Make an empty file in `folder` and lock it: (its path, its descriptor). The system takes the user's umask off `mode`."""
    while True:
        path = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        except FileExistsError:
            if os.path.isdir(folder):
                continue
            raise
        # Between the two, another process may have taken it for what a killed one left.
        if locks.try_lock(handle) is not False and os.fstat(handle).st_nlink:
            return path, handle
        os.close(handle)


@contextlib.contextmanager
def temporary_folder(path):
    """Give a new folder beside `path`, `.NAME.RANDOM.tmp`, for its owner alone, which is removed after the block.

    What a killed process leaves behind, `remove_leftovers` finds.
    """
    parent, name = os.path.split(os.path.abspath(path))
    made = os.path.join(parent, f".{name}.{secrets.token_hex(4)}.tmp")
    try:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(made, 0o700)
    except OSError as error:
        raise not_written(path, error) or error
    # The lock is a file in it: Windows opens no folder.
    with open(os.path.join(made, IN_USE), "wb") as held:
        locks.try_lock(held.fileno())
        try:
            yield made
        finally:
            if os.name == "nt":
                held.close()
            shutil.rmtree(made, ignore_errors=True)


IN_USE = ".in_use"  # of a temporary folder


def remove_leftovers(folder, endings=("",)):
    """Remove what killed processes left of files they were writing into `folder`; what living ones write stays.

    endings : of the names of those files.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = TEMPORARY.match(name)
            if match and match.group(1).endswith(tuple(endings)):
                remove_leftover(os.path.join(folder, name))


def remove_leftover(path):
    """Remove a temporary file or folder unless a living process holds its lock."""
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb+") as left:
                if locks.try_lock(left.fileno()):
                    os.remove(path)
        elif stat.S_ISDIR(mode):
            with open(os.path.join(path, IN_USE), "rb+") as left:
                if locks.try_lock(left.fileno()):
                    shutil.rmtree(path, ignore_errors=True)


def remove_earlier(folder, names):
    """Remove the files of these names in a folder; what is no plain name of a regular file there stays."""
    for name in names:
        if name == os.path.basename(name) and "\0" not in name:
            path = os.path.join(folder, name)
            if mode_of(path) is not None:
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


def write_atomically(path, content, private=False):
    """Write `content` (str, as UTF-8 with the line ends it has, or bytes) to `path`, whole or not at all.

    private : as for `replacing`.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path, private) as temporary:
        with open(temporary, "wb") as out:
            out.write(data)


def to_json(content):
    """`content` as JSON for a file; ValueError for a number that is not finite, which JSON has no word for."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


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
    with open_regular(path) as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
