"""Typed face of the Hash_df kernel."""

from __future__ import annotations

from typing import Protocol

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


def hash_df(
    data: bytes | bytearray | memoryview,
    n_bits: int,
    *,
    hash_name: str = "sha256",
    data_bits: int | None = None,
) -> bytes:
    """Hash_df with the kernel of this process; see :func:`esoteric_drbg.conditioning.hash_df`."""
    function: _HashDf = kernel("hash_df")
    return function(data, n_bits, hash_name=hash_name, data_bits=data_bits)
