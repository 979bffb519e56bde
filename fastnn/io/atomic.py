"""Files that are written entirely or not at all."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ..errors import MissingFile

__all__ = ["atomic_write", "drop_link"]

NAME_BYTES = 100                # of the name; with what is added, below the 255 of file systems
SECONDS_TO_LOCK = 10            # from making a temporary file to locking it, which takes far less


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, follow_links: bool = True) -> Iterator[BinaryIO]:
    """A file open for writing that takes the name `path` when the block ends without an error, and
    else leaves no trace.

    Until then it lies in the same folder under a name of its own, so that the final rename is
    within one file system, where it is atomic. The data is on the disk before the rename: after a
    power cut the name stands for the old file or the new one, never for an empty one. From its
    first byte on it can be read by those alone who could read the old one. What a process that was
    killed has left of this file is removed.

    Parameters
    ----------
    follow_links : bool
        A symbolic link stays one, and what it points to is replaced; False: the link is replaced.

    >>> import os, tempfile
    >>> from fastnn.io.atomic import atomic_write
    >>> path = os.path.join(tempfile.mkdtemp(), "note")
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"text")
    >>> with open(path, "rb") as file:
    ...     file.read()
    b'text'
    """
    final = check_folder(path, follow_links)
    folder, name = os.path.split(final)
    start = "." + os.fsencode(name)[:NAME_BYTES].decode(errors="ignore")
    remove_stale(folder, start)
    temporary = os.path.join(folder, f"{start}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with _create(temporary, final) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, final)
    except BaseException as error:                  # Ctrl-C too
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"{error.strerror}, while saving; nothing was written, and a file that was there is unchanged"
            # as the subclass that the number stands for
            raise OSError(error.errno, reason, os.fspath(path)) from error
        raise
    if os.name == "posix":                  # the rename itself is on the disk when the folder is
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _create(temporary: str, final: str) -> BinaryIO:
    """A new file with the mode of the one that it will replace, locked as long as it is open."""
    try:
        mode = os.lstat(final).st_mode
        old = mode & 0o777 if stat.S_ISREG(mode) else None
    except OSError:
        old = None
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                         | getattr(os, "O_CLOEXEC", 0), 0o666 if old is None else old)
    file = os.fdopen(descriptor, "wb")
    try:
        if old is not None and os.name == "posix":  # the process' mask may have taken bits away
            os.fchmod(descriptor, old)
        with suppress(BlockingIOError):
            _lock(descriptor)
    except BaseException:
        file.close()
        raise
    return file


def remove_stale(folder: str, start: str) -> None:
    """Remove the temporary files, with names that begin so, of processes that were killed."""
    pattern = re.compile(re.escape(start) + r"\.(\d+)-[0-9a-f]{8}\.tmp")
    with suppress(OSError):
        for name in os.listdir(folder):
            if found := pattern.fullmatch(name):
                with suppress(OSError):
                    _remove_if_stale(os.path.join(folder, name), int(found[1]))


def _remove_if_stale(path: str, process: int) -> None:
    """Remove a file that nobody holds locked, if the process that made it is gone, or had time
    enough to lock it: another process may have got its number. OSError where it is locked.
    """
    if os.name != "posix":                          # there a file that is open cannot be removed
        os.unlink(path)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        has_locks = _lock(descriptor)
        if not _runs(process) or (has_locks and time.time() - os.fstat(descriptor).st_mtime > SECONDS_TO_LOCK):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _runs(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _lock(descriptor: int) -> bool:
    """Lock an open file; False where the file system has no locks. OSError if it is locked."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        return False
    return True


def drop_link(path: str | os.PathLike[str]) -> None:
    """Remove a symbolic link of this name, so that a file which is written next is a file here.

    For folders whose names everybody knows: somebody else may have laid a link there.
    """
    with suppress(FileNotFoundError):
        if os.path.islink(path):
            os.unlink(path)


def check_folder(path: str | os.PathLike[str], follow_links: bool = True) -> str:
    """The file that a path stands for, links followed unless they are not to be.

    MissingFile, which is a FileNotFoundError, if its folder is missing.
    """
    final = os.fsdecode(path)
    final = os.path.realpath(final) if follow_links else os.path.abspath(final)
    folder = os.path.dirname(final)
    if not os.path.isdir(folder):
        raise MissingFile(f"cannot save {os.fsdecode(path)}: there is no folder {folder}")
    return final
