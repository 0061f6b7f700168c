"""Hash_df, SP 800-90A Rev. 1 section 10.3.1, with all its steps."""

from __future__ import annotations

import hashlib

from esoteric_drbg.errors import InvalidInputError, KernelUnavailableError
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["OUTLEN_BITS", "derived", "hash_df"]

#: Output block length of each hash function, in bits.
OUTLEN_BITS = {
    "sha224": 224,
    "sha256": 256,
    "sha384": 384,
    "sha512": 512,
    "sha512_224": 224,
    "sha512_256": 256,
}


def hash_df(data: bytes, n_bits: int, *, hash_name: str = "sha256", data_bits: int | None = None) -> bytes:
    """Hash_df: derive ``n_bits`` bits from a bit string.

    Parameters
    ----------
    data : bytes-like
        input_string; its bits are taken from the left.
    n_bits : int
        no_of_bits_to_return, 1 to 255 x outlen.
    hash_name : str
        ``"sha224"``, ``"sha256"``, ``"sha384"``, ``"sha512"``, ``"sha512_224"`` or ``"sha512_256"``.
    data_bits : int, optional
        Length of the input string in bits if it is not a multiple of 8; by default all bits of ``data``.

    Returns
    -------
    bytes
        ceil(n_bits / 8) bytes, left-aligned; unused low bits of the last byte are 0.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.
    KernelUnavailableError
        If this Python's hashlib lacks the hash function (SHA-512/t on some builds).

    Examples
    --------
    >>> import hashlib
    >>> from esoteric_drbg.kernels.reference.hash_df import hash_df
    >>> one, two = (hashlib.sha256(bytes([counter, 0, 0, 1, 64]) + b"abc").digest() for counter in (1, 2))
    >>> hash_df(b"abc", 320) == one + two[:8]
    True
    """
    if hash_name not in OUTLEN_BITS:
        raise InvalidInputError(f"hash_name={hash_name!r}: expected one of {', '.join(OUTLEN_BITS)}")
    outlen = OUTLEN_BITS[hash_name]
    if not 1 <= n_bits <= 255 * outlen:
        raise InvalidInputError(f"n_bits={n_bits}: Hash_df {hash_name} returns 1 to {255 * outlen} bits")
    string = contents(data)
    length = 8 * len(string) if data_bits is None else data_bits
    if not max(8 * len(string) - 7, 0) <= length <= 8 * len(string):
        raise InvalidInputError(f"data_bits={data_bits} does not fit data of {len(string)} bytes")
    return derived(hash_name, string, n_bits, outlen, length)


def derived(hash_name: str, string: bytes, n_bits: int, outlen: int, length: int) -> bytes:
    """Hash_df itself, with any hash function; SHA-1 is used only to verify old vectors of Hash_DRBG.

    Parameters
    ----------
    outlen, length : int
        Output block length of the hash function, and length of the input string; in bits.
    """
    # Step 1
    temp = b""
    # Steps 2 and 3: the counter begins at 1 and has 8 bits.
    for counter in range(1, -(-n_bits // outlen) + 1):
        # Steps 4.1 and 4.2: no_of_bits_to_return, in 32 bits, is put between the counter and the string.
        prefix = bytes([counter]) + n_bits.to_bytes(4, "big")
        temp += _hash(hash_name, prefix + string, 40 + length)
    # Steps 5 and 6: the leftmost bits; if they end within a byte, its other bits are cleared.
    result = bytearray(temp[: (n_bits + 7) // 8])
    result[-1] &= 0xFF << (-n_bits % 8) & 0xFF
    return bytes(result)


def _hash(hash_name: str, message: bytes, length: int) -> bytes:
    if length % 8 == 0:
        try:
            return hashlib.new(hash_name, message).digest()
        except ValueError:
            raise KernelUnavailableError(f"this Python's hashlib has no {hash_name}; the Rust kernels have") from None
    from esoteric_drbg.kernels.reference.sha2_bits import sha2_bits  # noqa: PLC0415 - bit strings only

    return sha2_bits(hash_name, message, length)
