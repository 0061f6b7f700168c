"""Hash_DRBG, SP 800-90A Rev. 1 section 10.1.1."""

from __future__ import annotations

from esoteric_drbg.kernels.drbg import DrbgState
from esoteric_drbg.mechanisms.base import DRBG, GetEntropyInput
from esoteric_drbg.mechanisms.limits import hash_drbg_limits

__all__ = ["HashDRBG"]


class HashDRBG(DRBG):
    """Hash_DRBG with one working state, and a source of entropy input to (re)seed it from.

    Parameters
    ----------
    get_entropy_input : callable
        ``get_entropy_input(min_entropy_bits) -> bytes``. Its exceptions are passed on and leave the state unchanged.
    hash_name : str
        ``"sha224"``, ``"sha256"`` (default), ``"sha384"``, ``"sha512"``, ``"sha512_224"`` or ``"sha512_256"``;
        ``"sha1"`` only with ``verification=True``.
    verification : bool
        True allows primitives that serve only to verify old vectors.
    state : DrbgState, optional
        The working state of Hash_DRBG with this hash function; by default a new one.

    Examples
    --------
    >>> import os
    >>> drbg = HashDRBG(lambda bits: os.urandom(bits // 8))
    >>> drbg.instantiate(256)
    >>> len(drbg.generate(20))
    20
    >>> drbg.uninstantiate()
    """

    def __init__(
        self,
        get_entropy_input: GetEntropyInput,
        *,
        hash_name: str = "sha256",
        verification: bool = False,
        state: DrbgState | None = None,
    ) -> None:
        super().__init__(hash_drbg_limits(hash_name), get_entropy_input, state=state, verification=verification)
