"""Samples as arrays, for the faster Python kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.reference.symbols import checked

__all__ = ["unpack"]


def unpack(data: bytes | bytearray | memoryview, n: int, k: int) -> NDArray[np.uint8]:
    """Return `n` samples below `k`, one an element. Arguments and errors are those of the specification."""
    array = np.frombuffer(checked(data, n, k), dtype=np.uint8)
    return np.unpackbits(array, count=n) if k == 2 else array
