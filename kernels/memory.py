"""Out of memory: the errors of Python and numpy become the error of our family."""

from __future__ import annotations

import contextlib
from types import TracebackType

from esoteric_drbg.errors import OutOfMemoryError

__all__ = ["OutOfMemoryIsOurs"]


class OutOfMemoryIsOurs(contextlib.ContextDecorator):
    """Decorator or context manager that turns a MemoryError into :class:`OutOfMemoryError`.

    Parameters
    ----------
    what : str
        What the memory was needed for, in the caller's words.

    Examples
    --------
    >>> with OutOfMemoryIsOurs("a large list"):
    ...     raise MemoryError
    Traceback (most recent call last):
    esoteric_drbg.errors.OutOfMemoryError: there is not enough memory for a large list
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Translate the error, if any: numpy says how much it asked for, a thread says that it got no stack."""
        no_thread = isinstance(error, RuntimeError) and str(error) == "can't start new thread"
        if no_thread or (isinstance(error, MemoryError) and not isinstance(error, OutOfMemoryError)):
            detail = f": {error}" if str(error) else ""
            raise OutOfMemoryError(f"there is not enough memory for {self._what}{detail}") from None
