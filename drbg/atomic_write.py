"""Writing of files and folders: complete under their names or absent, and never through a link that somebody planted.

A file is written under a private name in its own folder, opened so that it must be new, and renamed when it is
complete. If the name is a symbolic link, the link itself is replaced: nothing is written through it. On any failure or
interrupt the private file is removed, and nothing else.

A recording that is resumed needs a file that keeps its name. That file is opened only if it is a regular file, belongs
to this user and has no other name: see :func:`resumable`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from esoteric_drbg.errors import InvalidInputError

__all__ = ["new_folder", "place", "read_own", "replacing", "resumable", "write_file"]

Name = str | os.PathLike[str]

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
#: Errors of the file system that mean that nothing more can be written.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_file(path: Name, data: bytes | str, *, mode: int | None = None) -> None:
    """Write a whole file, text as UTF-8; see :func:`replacing`.

    Examples
    --------
    >>> import os, tempfile
    >>> from esoteric_drbg.atomic_write import write_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(os.path.join(folder, "a.json"), "{}")
    ...     os.listdir(folder)
    ['a.json']
    """
    with replacing(path, mode=mode) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def replacing(path: Name, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a new file that takes the name, in place of any file that had it, when the block ends without an error.

    Parameters
    ----------
    path : str or path
        The name. A regular file of that name is replaced, a symbolic link too: it is not followed.
    mode : int, optional
        Permissions of the file; by default those that the umask leaves. Only its owner can read it until it is renamed

    Raises
    ------
    InvalidInputError
        If the name is a folder, a pipe or a device, the folder cannot be written, or the disk is full.
    """
    folder, target = _split(path)
    private = os.path.join(folder, _private_name())  # noqa: PTH118 - no pathlib on the token path
    try:
        with _said_of(target):
            _refuse(target)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC
            descriptor = os.open(private, flags, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            usual = stat.S_IMODE(os.fstat(descriptor).st_mode)
            _permit(descriptor, 0o600)
            try:
                yield file
                file.flush()
                os.fsync(descriptor)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                raise _cannot(target, error) from None
            _permit(descriptor, usual if mode is None else mode)
        with _said_of(target):
            _refuse(target)
            os.replace(private, target)  # noqa: PTH105 - as above
    except BaseException:
        # Only this process knows the name: nobody could guess it.
        with contextlib.suppress(OSError):
            os.unlink(private)  # noqa: PTH108 - as above
        raise


@contextlib.contextmanager
def new_folder(path: Name) -> Iterator[str]:
    """Make a new empty folder that takes the name when the block ends without an error, and is removed otherwise.

    An empty folder of that name is replaced. Missing parent folders are made.

    Raises
    ------
    InvalidInputError
        If anything else has that name, or the folder cannot be made.
    """
    folder, target = _split(path)
    private = os.path.join(folder, _private_name())  # noqa: PTH118
    try:
        with _said_of(target):
            os.makedirs(folder or os.curdir, exist_ok=True)  # noqa: PTH103
            os.mkdir(private, 0o777)  # noqa: PTH102
            usual = stat.S_IMODE(os.lstat(private).st_mode)
            os.chmod(private, 0o700)  # noqa: PTH101
        yield private
        with _said_of(target):
            for place_, _, names in os.walk(private):
                for name in names:
                    _sync(os.path.join(place_, name))  # noqa: PTH118
            os.chmod(private, usual)  # noqa: PTH101
            # Atomically replaces an empty folder, and refuses a file or a folder that is not empty.
            os.rename(private, target)  # noqa: PTH104
    except BaseException:
        import shutil  # noqa: PLC0415 - only here

        shutil.rmtree(private, ignore_errors=True)
        raise


@contextlib.contextmanager
def resumable(path: Name) -> Iterator[BinaryIO]:
    """Open a file to append to, new or begun before; no other process may be writing it.

    Raises
    ------
    InvalidInputError
        If the name is a symbolic link or no regular file, belongs to another user or has other names (hard links):
        somebody may have put it there to have another file overwritten. Also if another process is writing it.
    OSError
        If it cannot be opened.
    """
    target = os.fspath(path)
    descriptor = _open_own(target, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    with os.fdopen(descriptor, "a+b") as file:
        _lock(descriptor, target)
        yield file


def read_own(path: Name) -> bytes | None:
    """Return the contents of a file that this user wrote before, or None if there is no file of that name.

    Raises
    ------
    InvalidInputError
        As for :func:`resumable`.
    """
    target = os.fspath(path)
    try:
        descriptor = _open_own(target, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInputError(f"{target}: cannot be read: {error.strerror or error}") from None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def place(finished: Name, path: Name) -> None:
    """Rename a finished file of :func:`resumable` to its final name.

    Raises
    ------
    InvalidInputError
        As for :func:`replacing`.
    """
    target = os.fspath(path)
    with _said_of(target):
        _refuse(target)
        _sync(os.fspath(finished))
        os.replace(finished, target)  # noqa: PTH105


def _split(path: Name) -> tuple[str, str]:
    target = os.fspath(path)
    return os.path.dirname(target), target  # noqa: PTH120


def _private_name() -> str:
    return f".esoteric_drbg-{os.urandom(12).hex()}.partial"


@contextlib.contextmanager
def _said_of(target: str) -> Iterator[None]:
    """Turn the system's error about a private name into an error that names the target."""
    try:
        yield
    except OSError as error:
        raise _cannot(target, error) from None
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{target!r}: cannot be written: {error}") from None


def _cannot(target: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"{target}: cannot be written: {error.strerror or error}")


def _refuse(target: str) -> None:
    """Refuse a name of something else than a file: replacing it would lose it, or it was meant to be written to."""
    folder = os.path.realpath(os.path.dirname(target) or os.curdir) + "/"  # noqa: PTH120
    if folder.startswith(("/proc/", "/dev/")) and not folder.startswith("/dev/shm/"):  # noqa: S108 - that holds files
        raise InvalidInputError(f"{target}: a name of the system's, not a file's; use the standard output for that")
    try:
        found = os.lstat(target)
        if stat.S_ISLNK(found.st_mode):
            found = os.stat(target)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            return
        raise
    if not stat.S_ISREG(found.st_mode):
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
        kind = next((text for test, text in kinds if test(found.st_mode)), "a device")
        raise InvalidInputError(f"{target}: cannot be written: it is {kind}, not a file")


def _open_own(target: str, flags: int) -> int:
    try:
        descriptor = os.open(target, flags | _NOFOLLOW | _CLOEXEC | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise InvalidInputError(f"{target}: no file of ours to go on with; remove it to begin anew") from None
        raise
    status = os.fstat(descriptor)
    reason = ""
    if not stat.S_ISREG(status.st_mode):
        reason = "it is no regular file"
    elif hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        reason = "it belongs to another user"
    elif status.st_nlink > 1:
        reason = "it has another name (a hard link)"
    if reason:
        os.close(descriptor)
        raise InvalidInputError(f"{target}: no file of ours to go on with: {reason}; remove it to begin anew")
    return descriptor


def _lock(descriptor: int, target: str) -> None:
    try:
        import fcntl  # noqa: PLC0415 - Unix has it
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            raise InvalidInputError(f"{target}: another recording is writing it at this moment") from None
        # A file system without locks: only this check is lost.


def _permit(descriptor: int, mode: int) -> None:
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
