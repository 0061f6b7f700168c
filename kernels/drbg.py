"""Typed face of the Hash_DRBG kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from esoteric_drbg.kernels.table import kernel

__all__ = ["HashDrbgState", "new_hash_drbg_state"]


class HashDrbgState(Protocol):
    """Working state of Hash_DRBG; see :class:`esoteric_drbg.kernels.reference.hash_drbg.HashDrbgState`."""

    @property
    def reseed_counter(self) -> int: ...  # noqa: D102
    @property
    def instantiated(self) -> bool: ...  # noqa: D102
    @property
    def budget_bits(self) -> int: ...  # noqa: D102
    def instantiate(self, entropy_input: bytes, nonce: bytes, personalization_string: bytes | None = None) -> None: ...  # noqa: D102
    def reseed(self, entropy_input: bytes, additional_input: bytes | None = None) -> None: ...  # noqa: D102
    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes: ...  # noqa: D102
    def grant(self, bits: int) -> None: ...  # noqa: D102
    def revoke(self) -> None: ...  # noqa: D102
    def forked(self) -> bool: ...  # noqa: D102
    def zeroize(self) -> None: ...  # noqa: D102
    def charge(self, n_bytes: int) -> bool: ...  # noqa: D102
    def draw(self, n_bytes: int) -> bytes: ...  # noqa: D102
    def token_bytes(self, nbytes: int | None = None) -> bytes: ...  # noqa: D102


def new_hash_drbg_state(hash_name: str = "sha256", on_exhausted: Callable[[int], bytes] | None = None) -> HashDrbgState:
    """Return an uninstantiated working state: the Rust kernel for SHA-256, the reference for the other hashes."""
    if hash_name != "sha256":
        from esoteric_drbg.kernels.table import reference  # noqa: PLC0415 - rare path

        state: HashDrbgState = reference("HashDrbgState")(hash_name, on_exhausted)
    else:
        state = kernel("HashDrbgState")(hash_name, on_exhausted)
    return state
