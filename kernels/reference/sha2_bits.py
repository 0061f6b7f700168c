"""SHA-2 of a message whose length is not a multiple of 8 bits, FIPS 180-4.

The project's rule is "never our own SHA"; this file is the written exception. Libraries hash bytes, but Hash_df is
defined on bit strings, and ACVP tests it on them. This code runs only for such lengths, in conformance work, never on
a seed. Its results are tested against hashlib at whole bytes and against the Rust kernel (crate ``sha2``) at every
length.
"""

from __future__ import annotations

import math

__all__ = ["sha2_bits"]


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root_fraction(value: int, bits: int) -> int:
    """Return the first ``bits`` bits of the fractional part of the cube root, exactly."""
    scaled = value << (3 * bits)
    root: int = round(scaled ** (1 / 3))
    while not root**3 <= scaled < (root + 1) ** 3:  # Newton's step, from the 53 correct bits of a double
        root -= -(-(root**3 - scaled) // (3 * root * root))
    return root % (1 << bits)


#: Word width in bits -> rounds, and the rotation and shift amounts of Sigma0, Sigma1, sigma0, sigma1 (4.1).
_SHAPE = {
    32: (64, (2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10)),
    64: (80, (28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6)),
}
#: Round constants: fractional parts of the cube roots of the first primes (4.2).
_K = {width: [_cube_root_fraction(prime, width) for prime in _primes(shape[0])] for width, shape in _SHAPE.items()}


def _square_root_fraction(value: int, bits: int) -> int:
    return math.isqrt(value << (2 * bits)) % (1 << bits)


def _initial(hash_name: str) -> list[int]:
    """Return H(0) of 5.3: fractional parts of square roots of primes, or the SHA-512/t generator's digest."""
    primes = _primes(16)
    if hash_name == "sha256":
        return [_square_root_fraction(prime, 32) for prime in primes[:8]]
    if hash_name == "sha224":  # the second 32 bits of those of the ninth to sixteenth primes
        return [_square_root_fraction(prime, 64) % (1 << 32) for prime in primes[8:]]
    if hash_name == "sha384":
        return [_square_root_fraction(prime, 64) for prime in primes[8:]]
    h512 = [_square_root_fraction(prime, 64) for prime in primes[:8]]
    if hash_name == "sha512":
        return h512
    label = f"SHA-512/{hash_name.removeprefix('sha512_')}".encode()
    masked = [word ^ 0xA5A5A5A5A5A5A5A5 for word in h512]
    return _compress_message(masked, label, 8 * len(label), 64)


def _compress_message(state: list[int], message: bytes, length: int, width: int) -> list[int]:
    """Pad (5.1) and hash (6.2, 6.4) the first ``length`` bits of a message."""
    block_bits = 16 * width
    value = int.from_bytes(message, "big") >> (8 * len(message) - length)
    zeros = -(length + 1 + 2 * width) % block_bits
    padded = ((value << 1 | 1) << (zeros + 2 * width)) | length
    total = length + 1 + zeros + 2 * width
    for begin in range(total - block_bits, -1, -block_bits):
        block = padded >> begin & ((1 << block_bits) - 1)
        state = _compress(state, [block >> (width * (15 - index)) & ((1 << width) - 1) for index in range(16)], width)
    return state


def _compress(state: list[int], words: list[int], width: int) -> list[int]:
    mask = (1 << width) - 1
    rounds, upper0, upper1, lower0, lower1 = _SHAPE[width]

    def rotated(x: int, n: int) -> int:
        return (x >> n | x << (width - n)) & mask

    def upper(x: int, by: tuple[int, int, int]) -> int:
        return rotated(x, by[0]) ^ rotated(x, by[1]) ^ rotated(x, by[2])

    def lower(x: int, by: tuple[int, int, int]) -> int:
        return rotated(x, by[0]) ^ rotated(x, by[1]) ^ x >> by[2]

    schedule = list(words)
    for t in range(16, rounds):
        schedule.append(
            (lower(schedule[t - 2], lower1) + schedule[t - 7] + lower(schedule[t - 15], lower0) + schedule[t - 16])
            & mask
        )
    a, b, c, d, e, f, g, h = state
    for t in range(rounds):
        t1 = h + upper(e, upper1) + (e & f ^ ~e & mask & g) + _K[width][t] + schedule[t]
        t2 = upper(a, upper0) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g
    return [(old + new) & mask for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def sha2_bits(hash_name: str, message: bytes, length: int) -> bytes:
    """Return the SHA-2 digest of the first ``length`` bits of ``message`` (8 (len - 1) < length <= 8 len)."""
    width = 32 if hash_name in {"sha224", "sha256"} else 64
    state = _compress_message(_initial(hash_name), message, length, width)
    digest = b"".join(word.to_bytes(width // 8, "big") for word in state)
    outlen = int(hash_name.rpartition("_")[2].removeprefix("sha"))
    return digest[: outlen // 8]
