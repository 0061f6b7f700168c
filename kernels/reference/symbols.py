"""The data format of the assessment kernels: binary samples are packed, others are one a byte."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["checked", "from_one", "unpack"]


def checked(data: bytes | bytearray | memoryview, n: int, k: int) -> bytes:
    """Return the bytes of `data`; :func:`unpack` describes their format and the errors."""
    if not 2 <= k <= 256:
        raise InvalidInputError(f"k={k}: an alphabet has 2 to 256 symbols")
    held = contents(data)
    expected = -(-n // 8) if k == 2 else n
    if n < 1 or len(held) != expected:
        raise InvalidInputError(f"{len(held)} bytes of data do not hold n={n} symbols for k={k}")
    if k > 2 and max(held) >= k:
        raise InvalidInputError(f"symbol {max(held)} is not below k={k}")
    return held


def unpack(data: bytes | bytearray | memoryview, n: int, k: int) -> bytes:
    """Return `n` samples below `k`, one a byte.

    Parameters
    ----------
    data : buffer of bytes
        If ``k == 2``, eight samples are packed into a byte, the first one in the most significant bit; otherwise each
        byte is one sample.
    n : int
        Number of samples, 1 or more.
    k : int
        Alphabet size, 2 to 256.

    Raises
    ------
    InvalidInputError
        If `data` is shorter or longer than `n` samples, or a sample is not below `k`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.symbols import unpack
    >>> list(unpack(bytes([0b10110000]), 5, 2)), list(unpack(bytes([0, 2, 1]), 3, 3))
    ([1, 0, 1, 1, 0], [0, 2, 1])
    """
    held = checked(data, n, k)
    if k > 2:
        return held
    return bytes(held[i // 8] >> (7 - i % 8) & 1 for i in range(n))


def from_one(symbols: bytes) -> list[int]:
    """Return a list whose element i is s_i: the standard counts from 1. Element 0 is not a sample."""
    return [-1, *symbols]
