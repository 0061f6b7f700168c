"""Typed face of the Hash_df kernel."""

from __future__ import annotations

import operator
from typing import Protocol

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.table import kernel

__all__ = ["hash_df"]


class _HashDf(Protocol):
    def __call__(
        self,
        data: bytes | bytearray | memoryview,
        n_bits: int,
        *,
        hash_name: str = "sha256",
        data_bits: int | None = None,
    ) -> bytes: ...


def _bits(name: str, value: int) -> int:
    """Read a number of bits that fits both kernels; each kernel then checks its own range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name}={value!r}: expected a whole number of bits") from None
    if abs(number) >= 1 << 63:
        raise InvalidInputError(f"{name} needs {number.bit_length()} bits itself: no bit string is that long")
    return number


def hash_df(
    data: bytes | bytearray | memoryview,
    n_bits: int,
    *,
    hash_name: str = "sha256",
    data_bits: int | None = None,
) -> bytes:
    """Hash_df by the kernel of this process; see :func:`esoteric_drbg.seeding.conditioning.hash_df`."""
    function: _HashDf = kernel("hash_df")
    if data_bits is None and type(n_bits) is int and 0 < n_bits < 1 << 16:
        return function(data, n_bits, hash_name=hash_name)
    length = None if data_bits is None else _bits("data_bits", data_bits)
    return function(data, _bits("n_bits", n_bits), hash_name=hash_name, data_bits=length)
