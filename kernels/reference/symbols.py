"""How the assessment kernels get their data: binary symbols packed, others one a byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["unpack"]


def unpack(data: bytes | bytearray | memoryview | NDArray[np.uint8], n: int, k: int) -> NDArray[np.uint8]:
    """Return `n` symbols below `k`, one a byte.

    Parameters
    ----------
    data : buffer of bytes
        If ``k == 2`` the symbols are packed eight a byte, the first one in the most significant bit; otherwise each
        byte is one.
    n : int
        Number of symbols, 1 or more.
    k : int
        Alphabet size, 2 to 256.

    Raises
    ------
    InvalidInputError
        If `data` is shorter or longer than `n` symbols, or one of them is not below `k`.
    """
    if not 2 <= k <= 256:
        raise InvalidInputError(f"k={k}: an alphabet has 2 to 256 symbols")
    array = np.frombuffer(contents(data.data if isinstance(data, np.ndarray) else data), dtype=np.uint8)
    expected = -(-n // 8) if k == 2 else n
    if n < 1 or array.size != expected:
        raise InvalidInputError(f"{array.size} bytes of data do not hold n={n} symbols for k={k}")
    if k == 2:
        return np.unpackbits(array, count=n)
    if int(array.max()) >= k:
        raise InvalidInputError(f"symbol {int(array.max())} is not below k={k}")
    return array
