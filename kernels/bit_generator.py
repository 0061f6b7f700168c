"""Typed face of the kernel behind the bit generator for numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from esoteric_drbg.kernels.table import kernel

__all__ = ["WordStream", "new_word_stream"]


class WordStream(Protocol):
    """Random words for numpy; see :class:`esoteric_drbg.kernels.reference.bit_generator.WordStream`."""

    @property
    def buffered(self) -> int: ...  # noqa: D102
    def install(self, capsule: Any) -> None: ...  # noqa: D102
    def discard(self) -> None: ...  # noqa: D102
    def retire(self, reason: str) -> None: ...  # noqa: D102
    def next_uint64(self) -> int: ...  # noqa: D102
    def next_uint32(self) -> int: ...  # noqa: D102
    def next_double(self) -> float: ...  # noqa: D102
    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102
    def __enter__(self) -> None: ...
    def __exit__(self, error_class: Any, error: Any, traceback: Any, /) -> None: ...


def new_word_stream(
    fill: Callable[[bytearray | memoryview], object],
    on_failure: Callable[[WordStream, BaseException | None], BaseException | None],
    buffer_bytes: int,
    max_age_ns: int | None,
) -> WordStream:
    """Return a stream of words made of the bytes of ``fill(buffer)``; the reference specifies it."""
    stream: WordStream = kernel("WordStream")(fill, on_failure, buffer_bytes, max_age_ns)
    return stream
