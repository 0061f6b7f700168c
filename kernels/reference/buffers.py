"""The buffers of bytes that the reference kernels accept: the same as the Rust kernels."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError

__all__ = ["contents"]


def contents(data: bytes | bytearray | memoryview) -> bytes:
    """Return the bytes of a contiguous buffer of bytes; anything else is refused, as the Rust kernel does."""
    try:
        view = memoryview(data)
    except TypeError:
        raise InvalidInputError(f"expected a buffer of bytes, got {type(data)}") from None
    if view.format not in {"B", "c"} or not view.c_contiguous:
        raise InvalidInputError("expected a contiguous buffer of unsigned bytes")
    return view.tobytes()
