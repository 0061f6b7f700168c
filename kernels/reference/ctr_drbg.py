"""Reference kernel of CTR_DRBG's working state with AES, SP 800-90A Rev. 1 section 10.2.1.

The methods are the numbered algorithms of the standard; the limits and errors of section 9 belong to the caller
(:mod:`esoteric_drbg.mechanisms.base`). AES is that of OpenSSL, through ``cryptography``.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.exclusive import SealedState

__all__ = ["CtrDrbgState", "block_cipher_df"]

#: Key length of each cipher, in bytes.
KEY_BYTES = {"aes128": 16, "aes192": 24, "aes256": 32}
_BLOCK_BYTES = 16


def _encrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """Block_Encrypt of every block by itself."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - ECB is the bare block cipher
    return encryptor.update(blocks) + encryptor.finalize()


def _bcc(key: bytes, data: bytes) -> bytes:
    """BCC, 10.3.3: the last block of a chain, as CBC computes it with an initialization vector of zeros."""
    encryptor = Cipher(AES(key), CBC(bytes(_BLOCK_BYTES))).encryptor()
    return (encryptor.update(data) + encryptor.finalize())[-_BLOCK_BYTES:]


def block_cipher_df(input_string: bytes, n_bytes: int, key_bytes: int) -> bytes:
    """Block_Cipher_df, 10.3.2, with AES.

    Parameters
    ----------
    input_string : bytes
        input_string, in whole bytes.
    n_bytes : int
        Bytes to return, at most 64 (max_number_of_bits is 512).
    key_bytes : int
        Key length of AES: 16, 24 or 32.
    """
    s = len(input_string).to_bytes(4, "big") + n_bytes.to_bytes(4, "big") + input_string + b"\x80"
    s += bytes(-len(s) % _BLOCK_BYTES)
    key = bytes(range(key_bytes))
    temp = b""
    i = 0
    while len(temp) < key_bytes + _BLOCK_BYTES:
        iv = i.to_bytes(4, "big") + bytes(_BLOCK_BYTES - 4)
        temp += _bcc(key, iv + s)
        i += 1
    key, x = temp[:key_bytes], temp[key_bytes : key_bytes + _BLOCK_BYTES]
    temp = b""
    while len(temp) < n_bytes:
        x = _encrypt_blocks(key, x)
        temp += x
    return temp[:n_bytes]


class CtrDrbgState(SealedState):
    """Key, V and reseed_counter of CTR_DRBG with AES."""

    def __init__(self, cipher_name: str, *, derivation_function: bool = True, ctr_len: int = 128) -> None:
        super().__init__(f"CTR_DRBG {cipher_name}")
        self._key_bytes = KEY_BYTES[cipher_name]
        self._seed_bytes = self._key_bytes + _BLOCK_BYTES
        self._derivation_function = derivation_function
        self._ctr_len = ctr_len

    def _counter_blocks(self, n_blocks: int) -> bytes:
        """V + 1, V + 2, ..., counted in the rightmost ctr_len bits; V ends as the last one."""
        v = int.from_bytes(self._v, "big")
        mask = (1 << self._ctr_len) - 1
        fixed = v & ~mask
        values = [fixed | (v + step) & mask for step in range(1, n_blocks + 1)]
        blocks = b"".join(value.to_bytes(_BLOCK_BYTES, "big") for value in values)
        self._v = blocks[-_BLOCK_BYTES:] or self._v
        return blocks

    def _update(self, provided_data: bytes) -> None:
        """CTR_DRBG_Update, 10.2.1.2."""
        n_blocks = -(-self._seed_bytes // _BLOCK_BYTES)
        temp = _encrypt_blocks(self._key, self._counter_blocks(n_blocks))[: self._seed_bytes]
        mixed = bytes(left ^ right for left, right in zip(temp, provided_data, strict=True))
        self._key, self._v = mixed[: self._key_bytes], mixed[self._key_bytes :]

    def _seed_material(self, entropy_input: bytes, *others: bytes) -> bytes:
        """Seed material of the update: derived from all inputs, or full-entropy input XOR the padded other inputs."""
        if self._derivation_function:
            return block_cipher_df(b"".join([entropy_input, *others]), self._seed_bytes, self._key_bytes)
        if len(entropy_input) != self._seed_bytes:
            raise InvalidInputError(f"entropy_input has {len(entropy_input)} bytes: expected {self._seed_bytes}")
        extra = b"".join(others).ljust(self._seed_bytes, b"\x00")
        return bytes(left ^ right for left, right in zip(entropy_input, extra, strict=True))

    def _padded_or_derived(self, additional_input: bytes) -> bytes:
        if self._derivation_function:
            return block_cipher_df(additional_input, self._seed_bytes, self._key_bytes)
        return additional_input.ljust(self._seed_bytes, b"\x00")

    def instantiate(
        self,
        entropy_input: bytes,
        nonce: bytes,
        personalization_string: bytes | None = None,
        generation: int | None = None,
    ) -> None:
        """CTR_DRBG_Instantiate_algorithm, 10.2.1.3."""
        seed_material = self._seed_material(bytes(entropy_input), bytes(nonce), bytes(personalization_string or b""))
        with self._seeding(generation, instantiated=False):
            self._key = bytes(self._key_bytes)
            self._v = bytes(_BLOCK_BYTES)
            self._update(seed_material)
            self._reseed_counter = 1

    def reseed(
        self, entropy_input: bytes, additional_input: bytes | None = None, generation: int | None = None
    ) -> None:
        """CTR_DRBG_Reseed_algorithm, 10.2.1.4."""
        seed_material = self._seed_material(bytes(entropy_input), bytes(additional_input or b""))
        with self._seeding(generation, instantiated=True):
            self._update(seed_material)
            self._reseed_counter = 1

    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        """CTR_DRBG_Generate_algorithm, 10.2.1.5, without its check of the reseed interval."""
        self._check_request(n_bytes)
        provided = bytes(additional_input or b"")
        if provided:
            provided = self._padded_or_derived(provided)
        with self._requested():
            if provided:
                self._update(provided)
            n_blocks = -(-n_bytes // _BLOCK_BYTES)
            returned = _encrypt_blocks(self._key, self._counter_blocks(n_blocks))[:n_bytes]
            self._update(provided or bytes(self._seed_bytes))
            self._reseed_counter += 1
            return returned
