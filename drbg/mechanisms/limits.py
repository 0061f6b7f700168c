"""Tables 2 and 3 of SP 800-90A Rev. 1: what each DRBG mechanism supports, and its limits; lengths in bits.

TDEA is absent on purpose: SP 800-131A Rev. 2 disallows it for protection since 2024. SHA-1 is here only so that old
vectors can be verified; a mechanism refuses it for anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

__all__ = [
    "CIPHERS",
    "HASHES",
    "VERIFICATION_ONLY",
    "DRBGLimits",
    "ctr_drbg_limits",
    "hash_drbg_limits",
    "hmac_drbg_limits",
]

#: Hash functions by name: the name in FIPS 180-4, outlen in bits, highest security strength in bits (SP 800-57 part 1).
HASHES: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "sha1": ("SHA-1", 160, 128),
        "sha224": ("SHA-224", 224, 192),
        "sha256": ("SHA-256", 256, 256),
        "sha384": ("SHA-384", 384, 256),
        "sha512": ("SHA-512", 512, 256),
        "sha512_224": ("SHA-512/224", 224, 192),
        "sha512_256": ("SHA-512/256", 256, 256),
    }
)

#: Block ciphers by name: the name in FIPS 197 and the key length in bits, which is the security strength too.
CIPHERS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"aes128": ("AES-128", 128), "aes192": ("AES-192", 192), "aes256": ("AES-256", 256)}
)

#: Primitives that serve only to verify old vectors.
VERIFICATION_ONLY = frozenset({"sha1"})

#: Bits of an AES block: the length of V's counter field, unless a shorter field is asked for.
FULL_CTR_LEN = 128


class DRBGLimits(Frozen):
    """One column of table 2 (Hash_DRBG, HMAC_DRBG) or table 3 (CTR_DRBG); lengths in bits.

    Attributes
    ----------
    seedlen : int or None
        Length of the seed; HMAC_DRBG has none.
    derivation_function : bool
        False for CTR_DRBG without one: every entropy input then has exactly seedlen bits of full entropy, and there
        is no nonce.
    ctr_len : int
        Length of CTR_DRBG's counter field in V.
    """

    mechanism: str
    primitive: str
    name: str
    highest_supported_security_strength: int
    seedlen: int | None = None
    derivation_function: bool = True
    ctr_len: int = FULL_CTR_LEN
    max_length: int = 1 << 35
    max_personalization_string_length: int = 1 << 35
    max_additional_input_length: int = 1 << 35
    max_number_of_bits_per_request: int = 1 << 19
    reseed_interval: int = 1 << 48


def _known(label: str, value: str, table: Mapping[str, object]) -> None:
    if value not in table:
        raise InvalidInputError(f"{label}={value!r}: expected one of {', '.join(table)}")


def hash_drbg_limits(hash_name: str) -> DRBGLimits:
    """Return the column of table 2 for Hash_DRBG.

    Examples
    --------
    >>> hash_drbg_limits("sha256").seedlen
    440
    """
    _known("hash_name", hash_name, HASHES)
    name, outlen, strength = HASHES[hash_name]
    return DRBGLimits(
        mechanism="Hash_DRBG",
        primitive=hash_name,
        name=f"Hash_DRBG {name}",
        highest_supported_security_strength=strength,
        # Table 2: 888 bits for SHA-384 and SHA-512; 440 bits for the others, SHA-512/224 and SHA-512/256 included.
        seedlen=888 if outlen > 256 else 440,
    )


def hmac_drbg_limits(hash_name: str) -> DRBGLimits:
    """Return the column of table 2 for HMAC_DRBG.

    Examples
    --------
    >>> hmac_drbg_limits("sha224").highest_supported_security_strength
    192
    """
    _known("hash_name", hash_name, HASHES)
    name, _, strength = HASHES[hash_name]
    return DRBGLimits(
        mechanism="HMAC_DRBG",
        primitive=hash_name,
        name=f"HMAC_DRBG {name}",
        highest_supported_security_strength=strength,
    )


def ctr_drbg_limits(cipher_name: str, *, derivation_function: bool = True, ctr_len: int = FULL_CTR_LEN) -> DRBGLimits:
    """Return the column of table 3 for CTR_DRBG.

    Parameters
    ----------
    cipher_name : str
        ``"aes128"``, ``"aes192"`` or ``"aes256"``. TDEA is absent on purpose.
    derivation_function : bool
        Whether Block_Cipher_df is used. Without it, every entropy input has exactly seedlen bits of full entropy.
    ctr_len : int
        Length of the counter field of V in bits, 4 to 128.

    Examples
    --------
    >>> ctr_drbg_limits("aes256").seedlen
    384
    >>> ctr_drbg_limits("aes256", ctr_len=4).max_number_of_bits_per_request
    1536
    """
    _known("cipher_name", cipher_name, CIPHERS)
    if not 4 <= ctr_len <= FULL_CTR_LEN:
        raise InvalidInputError(f"ctr_len={ctr_len}: expected 4 to {FULL_CTR_LEN} bits")
    name, key_bits = CIPHERS[cipher_name]
    seedlen = key_bits + FULL_CTR_LEN
    longest = 1 << 35 if derivation_function else seedlen
    return DRBGLimits(
        mechanism="CTR_DRBG",
        primitive=cipher_name,
        name=f"CTR_DRBG {name}{'' if derivation_function else ' no df'}",
        highest_supported_security_strength=key_bits,
        seedlen=seedlen,
        derivation_function=derivation_function,
        ctr_len=ctr_len,
        max_length=longest,
        max_personalization_string_length=longest,
        max_additional_input_length=longest,
        max_number_of_bits_per_request=min(((1 << ctr_len) - 4) * FULL_CTR_LEN, 1 << 19),
    )
