"""CTR_DRBG with AES, SP 800-90A Rev. 1 section 10.2.1. TDEA is absent on purpose."""

from __future__ import annotations

from esoteric_drbg.mechanisms.base import DRBG, GetEntropyInput
from esoteric_drbg.mechanisms.limits import ctr_drbg_limits

__all__ = ["CtrDRBG"]


class CtrDRBG(DRBG):
    """CTR_DRBG with one working state, and a source of entropy input to (re)seed it from.

    Parameters
    ----------
    get_entropy_input : callable
        ``get_entropy_input(min_entropy_bits) -> bytes``. Its exceptions are passed on and leave the state unchanged.
    cipher_name : str
        ``"aes128"``, ``"aes192"`` or ``"aes256"`` (default).
    derivation_function : bool
        Whether Block_Cipher_df is used (default). Without it, ``get_entropy_input`` is asked for seedlen bits and
        has to return exactly that many bits, of full entropy.
    ctr_len : int
        Length of the counter field of V in bits, 4 to 128 (default).

    Examples
    --------
    >>> import os
    >>> drbg = CtrDRBG(lambda bits: os.urandom(bits // 8), derivation_function=False)
    >>> drbg.instantiate(256)
    >>> len(drbg.generate(20))
    20
    """

    def __init__(
        self,
        get_entropy_input: GetEntropyInput,
        *,
        cipher_name: str = "aes256",
        derivation_function: bool = True,
        ctr_len: int = 128,
    ) -> None:
        limits = ctr_drbg_limits(cipher_name, derivation_function=derivation_function, ctr_len=ctr_len)
        super().__init__(limits, get_entropy_input)
