"""HMAC_DRBG, SP 800-90A Rev. 1 section 10.1.2."""

from __future__ import annotations

from esoteric_drbg.mechanisms.base import DRBG, GetEntropyInput
from esoteric_drbg.mechanisms.limits import hmac_drbg_limits

__all__ = ["HmacDRBG"]


class HmacDRBG(DRBG):
    """HMAC_DRBG with one working state, and a source of entropy input to (re)seed it from.

    Parameters
    ----------
    get_entropy_input : callable
        ``get_entropy_input(min_entropy_bits) -> bytes``. Its exceptions are passed on and leave the state unchanged.
    hash_name : str
        The hash function of HMAC: ``"sha224"``, ``"sha256"`` (default), ``"sha384"``, ``"sha512"``,
        ``"sha512_224"`` or ``"sha512_256"``; ``"sha1"`` only with ``verification=True``.
    verification : bool
        True allows primitives that serve only to verify old vectors.

    Examples
    --------
    >>> import os
    >>> drbg = HmacDRBG(lambda bits: os.urandom(bits // 8), hash_name="sha512")
    >>> drbg.instantiate(256)
    >>> len(drbg.generate(20))
    20
    """

    def __init__(
        self, get_entropy_input: GetEntropyInput, *, hash_name: str = "sha256", verification: bool = False
    ) -> None:
        super().__init__(hmac_drbg_limits(hash_name), get_entropy_input, verification=verification)
