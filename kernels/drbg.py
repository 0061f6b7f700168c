"""Typed face of the DRBG kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from esoteric_drbg.kernels.table import kernel, reference

__all__ = ["DrbgState", "HashDrbgState", "new_drbg_state", "new_hash_drbg_state"]


#: What the Rust kernel of ``new_drbg_state`` implements; the reference implements all mechanisms.
_IN_RUST = frozenset(
    {("Hash_DRBG", "sha512"), ("HMAC_DRBG", "sha256"), ("HMAC_DRBG", "sha512"), ("CTR_DRBG", "aes256")}
)


class DrbgState(Protocol):
    """Working state of a DRBG mechanism: the algorithms of SP 800-90A section 10, without the limits of section 9."""

    @property
    def reseed_counter(self) -> int: ...  # noqa: D102
    @property
    def instantiated(self) -> bool: ...  # noqa: D102
    def forked(self) -> bool: ...  # noqa: D102
    def instantiate(  # noqa: D102
        self,
        entropy_input: bytes,
        nonce: bytes,
        personalization_string: bytes | None = None,
        generation: int | None = None,
    ) -> None: ...
    def reseed(  # noqa: D102
        self, entropy_input: bytes, additional_input: bytes | None = None, generation: int | None = None
    ) -> None: ...
    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes: ...  # noqa: D102
    def draw(self, n_bytes: int) -> bytes: ...  # noqa: D102
    def zeroize(self) -> None: ...  # noqa: D102


class HashDrbgState(DrbgState, Protocol):
    """Hash_DRBG with the budget of its seed; see :class:`esoteric_drbg.kernels.reference.hash_drbg.HashDrbgState`."""

    @property
    def budget_bits(self) -> int: ...  # noqa: D102
    def grant(self, bits: int) -> None: ...  # noqa: D102
    def draw_into(self, buffer: bytearray | memoryview) -> None: ...  # noqa: D102
    def mix(self, extra: bytes) -> None: ...  # noqa: D102
    def mix_every(self, interval_ns: int) -> None: ...  # noqa: D102
    def mixing_due(self) -> bool: ...  # noqa: D102
    def revoke(self) -> None: ...  # noqa: D102
    def charge(self, n_bytes: int) -> bool: ...  # noqa: D102
    def take(self, n_bytes: int) -> bytes | None: ...  # noqa: D102
    def token_bytes(self, nbytes: int | None = None) -> bytes: ...  # noqa: D102


def new_hash_drbg_state(hash_name: str = "sha256", on_exhausted: Callable[[int], bytes] | None = None) -> HashDrbgState:
    """Return an uninstantiated working state: the Rust kernel for SHA-256, the reference for the other hashes."""
    make = kernel if hash_name == "sha256" else reference
    state: HashDrbgState = make("HashDrbgState")(hash_name, on_exhausted)
    return state


def new_drbg_state(
    mechanism: str, primitive: str, *, derivation_function: bool = True, ctr_len: int = 128
) -> DrbgState:
    """Return an uninstantiated working state of any mechanism: the Rust kernel if it has the mechanism.

    Parameters
    ----------
    mechanism : str
        ``"Hash_DRBG"``, ``"HMAC_DRBG"`` or ``"CTR_DRBG"``.
    primitive : str
        Name of the hash function or block cipher, as in :mod:`esoteric_drbg.mechanisms.limits`.
    derivation_function, ctr_len
        Used by CTR_DRBG only.
    """
    if (mechanism, primitive) == ("Hash_DRBG", "sha256"):
        return new_hash_drbg_state()
    make = kernel if (mechanism, primitive) in _IN_RUST and ctr_len == 128 else reference
    state: DrbgState = make("new_drbg_state")(mechanism, primitive, derivation_function, ctr_len)
    return state
