"""Files that are written entirely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file open for writing that takes the name `path` when the block ends without an error, and
    else leaves no trace.

    Until then it lies in the same folder under a name of its own, so that the final rename is
    within one file system, where it is atomic. The data is on the disk before the rename: after a
    power cut the name stands for the old file or the new one, never for an empty one. A symbolic
    link stays one: what it points to is replaced.

    >>> import os, tempfile
    >>> from fastnn.io.atomic import atomic_write
    >>> path = os.path.join(tempfile.mkdtemp(), "note")
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"text")
    >>> with open(path, "rb") as file:
    ...     file.read()
    b'text'
    """
    final = check_folder(path)
    folder, name = os.path.split(final)
    temporary = os.path.join(folder, f".{name[:100]}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(final):
            os.chmod(temporary, os.stat(final).st_mode & 0o777)
        os.replace(temporary, final)
    except BaseException as error:                  # Ctrl-C too
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"{error.strerror}, while saving; nothing was written, and a file that was there is unchanged"
            # as the subclass that the number stands for
            raise OSError(error.errno, reason, os.fspath(path)) from error
        raise
    if os.name == "posix":                          # the rename itself is on the disk when the folder is
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def check_folder(path: str | os.PathLike[str]) -> str:
    """The file that a path stands for, links followed.

    FileNotFoundError if its folder is missing.
    """
    final = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(final)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save {os.fspath(path)}: there is no folder {folder}")
    return final
