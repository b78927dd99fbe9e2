"""Writing and fingerprinting files."""
import contextlib
import hashlib
import os
import tempfile


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path` and move it there when the block ends well.

    A reader sees the old file or the new one, never a part; after an error nothing is left behind.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
    os.close(handle)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes files only their owner can read; the result is meant to be shared like any other file.
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


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


def fingerprint_file(path):
    """SHA-256 of a file's bytes, in hexadecimal; reads in blocks, so any size will do."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
