"""Reference kernel of HMAC_DRBG's working state, SP 800-90A Rev. 1 section 10.1.2.

The methods are the numbered algorithms of the standard; the limits and errors of section 9 belong to the caller
(:mod:`esoteric_drbg.mechanisms.base`).
"""

from __future__ import annotations

import hashlib
import hmac

from esoteric_drbg.kernels.reference.exclusive import SealedState

__all__ = ["HmacDrbgState"]


class HmacDrbgState(SealedState):
    """Key, V and reseed_counter of HMAC_DRBG with one hash function."""

    def __init__(self, hash_name: str) -> None:
        super().__init__(f"HMAC_DRBG {hash_name}")
        self._hash_name = hash_name
        self._outlen_bytes = hashlib.new(hash_name).digest_size

    def _hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self._hash_name)

    def _update(self, provided_data: bytes) -> None:
        """HMAC_DRBG_Update, 10.1.2.2."""
        self._key = self._hmac(self._key, self._v + b"\x00" + provided_data)
        self._v = self._hmac(self._key, self._v)
        if provided_data:
            self._key = self._hmac(self._key, self._v + b"\x01" + provided_data)
            self._v = self._hmac(self._key, self._v)

    def instantiate(
        self,
        entropy_input: bytes,
        nonce: bytes,
        personalization_string: bytes | None = None,
        generation: int | None = None,
    ) -> None:
        """HMAC_DRBG_Instantiate_algorithm, 10.1.2.3."""
        seed_material = bytes(entropy_input) + bytes(nonce) + bytes(personalization_string or b"")
        with self._seeding(generation, instantiated=False):
            self._key = b"\x00" * self._outlen_bytes
            self._v = b"\x01" * self._outlen_bytes
            self._update(seed_material)
            self._reseed_counter = 1

    def reseed(
        self, entropy_input: bytes, additional_input: bytes | None = None, generation: int | None = None
    ) -> None:
        """HMAC_DRBG_Reseed_algorithm, 10.1.2.4."""
        with self._seeding(generation, instantiated=True):
            self._update(bytes(entropy_input) + bytes(additional_input or b""))
            self._reseed_counter = 1

    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        """HMAC_DRBG_Generate_algorithm, 10.1.2.5, without its check of the reseed interval."""
        self._check_request(n_bytes)
        provided = bytes(additional_input or b"")
        with self._requested():
            if provided:
                self._update(provided)
            blocks = []
            for _ in range(-(-n_bytes // self._outlen_bytes)):
                self._v = self._hmac(self._key, self._v)
                blocks.append(self._v)
            self._update(provided)
            self._reseed_counter += 1
            return b"".join(blocks)[:n_bytes]
