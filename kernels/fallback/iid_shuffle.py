"""Faster Python kernel of the IID track's permutations, equal to :mod:`~esoteric_drbg.kernels.reference.iid_shuffle`.

The eight lanes advance together, as arrays of eight words. The single stream is the code of the specification.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.reference.iid_shuffle import DRAWS, FREQUENT, LANES, MANY, MASK, Single, mix

__all__ = ["arrange_bits", "arrange_symbols", "lane_words", "permute", "streams"]

Words = NDArray[np.uint64]


def streams(seed: int, index: int) -> tuple[Words, Single]:
    """Return the state of the lanes, shape (4, 8), and the single stream of one permutation."""
    start = Single(mix(mix(seed) + index & MASK))
    states = np.array([start.next() for _ in range(4 * LANES)], dtype=np.uint64).reshape(4, LANES)
    return states, Single(start.next())


def _rotate(words: Words, by: int) -> Words:
    return (words << np.uint64(by)) | (words >> np.uint64(64 - by))


def lane_words(states: Words, steps: int) -> Words:
    """Return the next words of the lanes, shape (steps, 8), and advance their states: xoshiro256++."""
    s0, s1, s2, s3 = states
    out = np.empty((steps, LANES), dtype=np.uint64)
    for step in range(steps):
        out[step] = _rotate(s0 + s3, 23) + s0
        shifted = s1 << np.uint64(17)
        s2 = s2 ^ s0
        s3 = s3 ^ s1
        s1 = s1 ^ s2
        s0 = s0 ^ s3
        s2 = s2 ^ shifted
        s3 = _rotate(s3, 45)
    states[:] = s0, s1, s2, s3
    return out


def fisher_yates(symbols: bytes, seed: int, index: int) -> bytes:
    """Shuffle from the last place down: place i is swapped with a uniformly drawn place from 0 to i.

    Place i multiplies the next 32-bit half word of the lanes (the low half of each word first) by i + 1 and takes the
    high half of the product. If the low half is below 2^32 mod (i + 1), that would be biased: the single stream draws
    instead.
    """
    n = len(symbols)
    states, single = streams(seed, index)
    words = lane_words(states, -(-(n - 1) // (2 * LANES)))
    halves = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], axis=-1).reshape(-1)[: n - 1]
    bounds = np.arange(n, 1, -1, dtype=np.uint64)
    products = halves * bounds
    partners = (products >> np.uint64(32)).tolist()
    biased = (products & np.uint64(0xFFFFFFFF)) < np.uint64(1 << 32) % bounds
    for draw in np.flatnonzero(biased).tolist():
        partners[draw] = single.below(n - draw)
    permuted = bytearray(symbols)
    for place, partner in zip(range(n - 1, 0, -1), partners, strict=True):
        permuted[place], permuted[partner] = permuted[partner], permuted[place]
    return bytes(permuted)


def arrange_bits(n: int, ones: int, seed: int, index: int) -> NDArray[np.uint8]:
    """Return n bits of which `ones` are 1, every arrangement equally likely; shape (n,).

    The rarer bit is drawn independently for all places, with probability q / 256 just below its share. Given its
    count, all arrangements are equally likely. Then random places are changed until the count is right.
    """
    rare = min(ones, n - ones)
    states, single = streams(seed, index)
    q = 256 * rare // n
    blocks = -(-n // (64 * LANES))
    words = np.zeros((blocks, LANES), dtype=np.uint64)
    if q:
        lowest = (q & -q).bit_length() - 1
        draws = lane_words(states, blocks * (8 - lowest)).reshape(blocks, 8 - lowest, LANES)
        for digit in range(lowest, 8):
            drawn = draws[:, digit - lowest]
            words = words | drawn if q >> digit & 1 else words & drawn
    bits = np.unpackbits(words.reshape(-1).astype("<u8").view(np.uint8), bitorder="little")[:n].copy()
    count = int(bits.sum())
    wrong = int(count > rare)
    while count != rare:
        place = single.below(n)
        if bits[place] == wrong:
            bits[place] = 1 - wrong
            count += 1 - 2 * wrong
    return bits if rare == ones else 1 - bits


def arrange_symbols(symbols: bytes, seed: int, index: int) -> bytes:
    """Return the symbols in random order, every arrangement equally likely.

    First the next 16 bits of the lanes (the lowest bits of each word first) give each place a symbol, with about the
    probability of its share. Then random places are changed until the counts are right: a symbol that occurs too often
    is replaced by the least symbol that occurs too rarely. No change depends on the position of a place. So all orders
    of the result are equally likely.
    """
    n = len(symbols)
    states, single = streams(seed, index)
    counts = np.bincount(np.frombuffer(symbols, dtype=np.uint8), minlength=256)
    words = lane_words(states, -(-n // (4 * LANES))).reshape(-1).astype("<u8")
    arranged = _symbols_of_draws(counts)[words.view("<u2")[:n]]
    excess = (np.bincount(arranged, minlength=256) - counts).tolist()
    lacking = 0
    missing = -sum(count for count in excess if count < 0)
    while missing:
        place = single.below(n)
        symbol = int(arranged[place])
        if excess[symbol] > 0:
            while excess[lacking] >= 0:
                lacking += 1
            excess[symbol] -= 1
            excess[lacking] += 1
            arranged[place] = lacking
            missing -= 1
    return bytes(arranged)


def _symbols_of_draws(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the symbol that each draw of 16 bits stands for, in ascending order.

    Each symbol gets its share of the draws, rounded down. The draws that are left go in turns to the symbols with a
    share of 16 or more, the most frequent first: a rare symbol would occur much too often.
    """
    shares = counts * DRAWS // counts.sum()
    frequent = sorted(np.flatnonzero(shares >= FREQUENT).tolist(), key=lambda symbol: -int(counts[symbol]))
    for turn in range(DRAWS - int(shares.sum())):
        shares[frequent[turn % len(frequent)]] += 1
    return np.repeat(np.arange(256, dtype=np.uint8), shares)


def permute(symbols: bytes, seed: int, index: int) -> bytes:
    """Return permutation `index` of the samples for `seed`."""
    distinct = sorted(set(symbols))
    if len(distinct) == 1:
        return symbols
    if len(distinct) > 2:
        return (fisher_yates if len(symbols) < MANY else arrange_symbols)(symbols, seed, index)
    low, high = distinct
    bits = arrange_bits(len(symbols), symbols.count(high), seed, index)
    return np.where(bits == 1, np.uint8(high), np.uint8(low)).tobytes()
