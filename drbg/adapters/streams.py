"""Random bytes as a file, for code that reads from a file."""

from __future__ import annotations

import io
from typing import Any, NoReturn

from esoteric_drbg.adapters.byte_source import ByteSource, filler
from esoteric_drbg.adapters.secrets_api import process_instance
from esoteric_drbg.errors import CloneRefusedError, InvalidInputError
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.process import in_one_process

__all__ = ["RandomFile"]


class RandomFile(io.RawIOBase):
    """A binary file, open for reading, of random bytes.

    Parameters
    ----------
    instance : object, optional
        An :class:`~esoteric_drbg.RBG2Instance` or another object with ``token_bytes(n)``; without one, the process-wide
        instance.
    limit : int, optional
        Bytes after which the file ends; without a limit it is endless.

    Notes
    -----
    Nothing is read ahead: no output lies in memory before it is asked for. A read returns as many bytes as it was
    asked for, unless the file ends first. If the instance raises an error, the read raises it and does not count
    towards ``limit``; a buffer passed to :meth:`readinto` may have been overwritten in part.

    Examples
    --------
    >>> import shutil, io
    >>> target = io.BytesIO()
    >>> with RandomFile(limit=100_000) as source:
    ...     shutil.copyfileobj(source, target)
    >>> len(target.getvalue())
    100000
    """

    def __init__(self, instance: ByteSource | None = None, *, limit: int | None = None) -> None:
        super().__init__()
        if limit is not None and limit < 0:
            raise InvalidInputError(f"limit={limit}: a file has 0 bytes or more")
        self._fill = filler(process_instance() if instance is None else instance)
        self._left = limit

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Overwrite ``buffer`` with random bytes, without an intermediate copy.

        Parameters
        ----------
        buffer : writable buffer
            Contiguous, of any item type.

        Returns
        -------
        int
            Bytes written: the whole buffer, or what was left of ``limit``.

        Raises
        ------
        EntropyUnavailableError
            If a seed is due and cannot be obtained.
        InvalidInputError
            If the file is closed.
        """
        self._require_open()
        with memoryview(buffer) as whole:
            n_bytes = self._available(whole.nbytes)
            if n_bytes:
                with whole.cast("B") as octets, octets[:n_bytes] as part:
                    in_one_process(lambda: self._fill(part))
        self._count(n_bytes)
        return n_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` random bytes, fewer only where the file ends.

        Raises
        ------
        InvalidInputError
            If ``size`` is negative or None, and there is no ``limit``; if the file is closed.
        EntropyUnavailableError
            If a seed is due and cannot be obtained.
        """
        self._require_open()
        if size is None or size < 0:
            return self.readall()
        with OutOfMemoryIsOurs(f"{size} bytes"):
            answer = bytearray(self._available(size))
            in_one_process(lambda: self._fill(answer))
            self._count(len(answer))
            return bytes(answer)

    def readall(self) -> bytes:
        """Return what is left of ``limit``; raise if there is no limit."""
        if self._left is None:
            raise InvalidInputError("read() to the end of an endless file: give a size, or make it with a limit")
        return self.read(self._left)

    def _available(self, n_bytes: int) -> int:
        return n_bytes if self._left is None else min(n_bytes, self._left)

    def _count(self, n_bytes: int) -> None:
        if self._left is not None:
            self._left = max(self._left - n_bytes, 0)

    def _require_open(self) -> None:
        if self.closed:
            raise InvalidInputError("I/O operation on a closed file")

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("a file of random bytes is neither copied nor pickled: make another")

    def __repr__(self) -> str:
        extent = "endless" if self._left is None else f"{self._left} bytes left"
        return f"<RandomFile, {'closed' if self.closed else extent}>"
