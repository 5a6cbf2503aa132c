"""Files that are replaced in one step: the path always has the old file or the new one, each complete."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from threading import get_ident
from typing import Any

from fastbp._base.arguments import LONGEST_NAME
from fastbp.exceptions import BusyError, ParameterError

#: What `flock`, `fsync` and `posix_fallocate` answer on file systems that do not have them.
UNSUPPORTED = frozenset((errno.EINVAL, errno.ENODEV, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP))
#: The thread that writes each temporary file.
_writers: dict[str, int] = {}


@contextmanager
def replacing(path: str) -> Iterator[FileIO]:
    """Open a new file for writing, which takes the place of the file at `path` when the block ends.

    The block writes to a temporary file in the same folder, `.{name}.tmp`. When it ends, the file is
    flushed to the disk and renamed over `path`, and the folder is flushed. After an error in the block the
    temporary file is deleted, and the old file stays. A process that is killed leaves the temporary file,
    which the next one replaces.

    Threads and processes that replace the same file take turns, by a lock on the temporary file. A symbolic
    link stays, and the file that it points to is replaced. The new file has the mode of the old one.

    Parameters
    ----------
    path : str
        The file, which may exist, in an existing folder.

    Yields
    ------
    FileIO
        The temporary file, empty and unbuffered.

    Raises
    ------
    ParameterError
        There is something at `path` that is not a file, such as a folder or a device.
    BusyError
        The call comes from a signal handler or finalizer, in the middle of a block for the same file.
    OSError
        The file cannot be written.
    """
    target = os.path.realpath(path)  # absolute: the block may change the folder
    mode = _mode(path, target)
    temporary = _temporary(target)
    with _locked(temporary, path) as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        yield file
        os.fsync(file.fileno())
        os.replace(temporary, target)
        _flush_folder(os.path.dirname(target))


def write_all(file: FileIO, data: memoryview) -> None:
    """Write bytes, in several calls if the system takes only some of them."""
    while data:
        data = data[file.write(data) :]


def _mode(path: str, target: str) -> int | None:
    """Return the permissions of the old file, None if there is none; ParameterError if it is not a file."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise ParameterError(f"path is {path!r}, which is not a file, expected a file or a new name")
    return stat.S_IMODE(mode)


def _temporary(target: str) -> str:
    """Return the path of the temporary file for a target, the same one each time."""
    folder, name = os.path.split(target)
    short = f".{name}.tmp"
    if len(os.fsencode(short)) > LONGEST_NAME:
        short = f".{zlib.crc32(os.fsencode(name)):08x}.tmp"
    return os.path.join(folder, short)


@contextmanager
def _locked(temporary: str, path: str) -> Iterator[FileIO]:
    """Open the temporary file, new and empty, when no other thread or process is writing it.

    After an error the file is deleted. `path` is what the user calls the file.
    """
    while True:
        is_locked = False
        with FileIO(temporary, "w", opener=lambda name, _: _open(name, path)) as file:
            try:
                where_supported(_lock, file, temporary)
                is_locked = True
                _writers[temporary] = get_ident()
                if _is_at(temporary, file):
                    if _is_new(file):
                        yield file
                        return
                    os.unlink(temporary)  # a killed process left it, perhaps with other permissions
            except BaseException:
                if is_locked and _is_at(temporary, file):  # after the renaming, another's file may be there
                    os.unlink(temporary)
                raise
            finally:
                if is_locked:
                    _writers.pop(temporary, None)
                # closing would not unlock it for a forked child, which shares the lock
                where_supported(fcntl.flock, file, fcntl.LOCK_UN)


def _open(temporary: str, path: str) -> int:
    """Open the temporary file; if its folder does not allow that, the error has `path`."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, 0o666)
    except OSError as error:
        if os.path.lexists(temporary):
            raise
        raise OSError(error.errno, error.strerror, path) from None


def _lock(file: FileIO, temporary: str) -> None:
    """Wait for the lock of an open temporary file; BusyError if the thread would wait for itself."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if _writers.get(temporary) == get_ident():
            raise BusyError(
                f"this thread is writing {temporary!r}: a signal handler or finalizer cannot write it, too"
            ) from None
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(path: str, file: FileIO) -> bool:
    """Tell whether an open file is still the one at a path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    return False


def _is_new(file: FileIO) -> bool:
    """Tell whether an open file is empty, regular and known by one name only."""
    status = os.fstat(file.fileno())
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and status.st_nlink == 1


def _flush_folder(folder: str) -> None:
    """Bring a renaming to the disk, where the file system can and the process may."""
    with suppress(PermissionError):
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            where_supported(os.fsync, file)
        finally:
            os.close(file)


def where_supported(call: Callable[..., None], *args: Any) -> None:
    """Call a function of the system; go on where the file system does not have it."""
    try:
        call(*args)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
