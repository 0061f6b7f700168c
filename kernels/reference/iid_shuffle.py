"""The permutations of the IID track, SP 800-90B 5.1 step 2.1: the arrangement that (seed, index) determines.

Two streams of random words are derived from (seed, index). `lanes` is eight xoshiro256++ generators that give a word
each in turn. `single` is one SplitMix64 generator for the rare draws. Both are seeded by a SplitMix64 that starts at
mix(mix(seed) + index): its first 32 words are the states of the lanes (word 0 of lanes 0 to 7, then word 1, ...), and
its next word is the state of `single`.

A binary sequence is drawn as an arrangement of bits. Any other is shuffled by Fisher-Yates if it is short, otherwise
drawn as an arrangement of symbols. In each case every arrangement is equally likely.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = [
    "DRAWS",
    "FREQUENT",
    "GAMMA",
    "LANES",
    "MANY",
    "MASK",
    "Lane",
    "Single",
    "arrange_bits",
    "arrange_symbols",
    "fisher_yates",
    "mix",
    "permute",
    "streams",
]

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
LANES = 8
#: From this length on, sequences are arranged, not shuffled: swaps across much memory take longer.
MANY = 1 << 16
#: Number of draws of 16 bits, and the least share that lets a symbol get some of the draws that are left.
DRAWS = 1 << 16
FREQUENT = 16


def mix(word: int) -> int:
    """Return the output function of SplitMix64."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & MASK
    return word ^ (word >> 31)


class Single:
    """SplitMix64, with unbiased bounded draws.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid_shuffle import Single
    >>> hex(Single(0).next())
    '0xe220a8397b1dcdaf'
    """

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        """Return the next 64-bit word."""
        self.state = self.state + GAMMA & MASK
        return mix(self.state)

    def below(self, bound: int) -> int:
        """Return a uniform number from 0 to bound - 1: the high word of a product, drawn again where biased."""
        reject_below = (1 << 64) % bound
        while True:
            product = self.next() * bound
            if product & MASK >= reject_below:
                return product >> 64


class Lane:
    """xoshiro256++.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid_shuffle import Lane
    >>> lane = Lane(1, 2, 3, 4)
    >>> lane.next(), lane.next()
    (41943041, 58720359)
    """

    def __init__(self, s0: int, s1: int, s2: int, s3: int) -> None:
        self.s0, self.s1, self.s2, self.s3 = s0, s1, s2, s3

    def next(self) -> int:
        """Return the next 64-bit word."""
        word = _rotate(self.s0 + self.s3 & MASK, 23) + self.s0 & MASK
        shifted = self.s1 << 17 & MASK
        self.s2 ^= self.s0
        self.s3 ^= self.s1
        self.s1 ^= self.s2
        self.s0 ^= self.s3
        self.s2 ^= shifted
        self.s3 = _rotate(self.s3, 45)
        return word


def _rotate(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & MASK


def streams(seed: int, index: int) -> tuple[Iterator[int], Single]:
    """Return the endless words of the lanes, and the single stream, of one permutation."""
    start = Single(mix(mix(seed) + index & MASK))
    s0, s1, s2, s3 = ([start.next() for _ in range(LANES)] for _ in range(4))
    lanes = [Lane(*states) for states in zip(s0, s1, s2, s3, strict=True)]

    def words() -> Iterator[int]:
        while True:
            for lane in lanes:
                yield lane.next()

    return words(), Single(start.next())


def _parts(words: Iterator[int], bits: int) -> Iterator[int]:
    """Yield the parts of each word, the lowest `bits` bits first."""
    for word in words:
        for shift in range(0, 64, bits):
            yield word >> shift & (1 << bits) - 1


def fisher_yates(symbols: bytes, seed: int, index: int) -> bytes:
    """Shuffle from the last place down: place i is swapped with a uniformly drawn place from 0 to i.

    Place i multiplies the next 32-bit half word of the lanes (the low half of each word first) by i + 1 and takes the
    high half of the product. If the low half is below 2^32 mod (i + 1), that would be biased: the single stream draws
    instead.
    """
    words, single = streams(seed, index)
    halves = _parts(words, 32)
    permuted = bytearray(symbols)
    for i in range(len(symbols) - 1, 0, -1):
        product = next(halves) * (i + 1)
        partner = product >> 32
        if product % (1 << 32) < (1 << 32) % (i + 1):
            partner = single.below(i + 1)
        permuted[i], permuted[partner] = permuted[partner], permuted[i]
    return bytes(permuted)


def arrange_bits(n: int, ones: int, seed: int, index: int) -> bytes:
    """Return n bits, one a byte, of which `ones` are 1, every arrangement equally likely.

    The rarer bit is drawn independently for all places, with probability q / 256 just below its share. Given its
    count, all arrangements are equally likely. Then random places are changed until the count is right.

    For 64 places, each lane makes one word from several of its words: one for each binary digit of q / 256, from the
    last digit that is not 0 to the first. A digit 1 combines them by "or", a digit 0 by "and". Place p of the words is
    bit p % 64, counted from the lowest, of lane p // 64 % 8.
    """
    rare = min(ones, n - ones)
    lanes, single = streams(seed, index)
    q = 256 * rare // n
    bits: list[int] = []
    while len(bits) < n:
        words = [0] * LANES
        seen = False
        for digit in range(8):
            seen = seen or q >> digit & 1 == 1
            if seen:
                drawn = [next(lanes) for _ in range(LANES)]
                for lane in range(LANES):
                    words[lane] = words[lane] | drawn[lane] if q >> digit & 1 else words[lane] & drawn[lane]
        for word in words:
            bits += [word >> place & 1 for place in range(64)]
    del bits[n:]

    count = sum(bits)
    wrong = 1 if count > rare else 0
    while count != rare:
        place = single.below(n)
        if bits[place] == wrong:
            bits[place] = 1 - wrong
            count += 1 - 2 * wrong
    return bytes(bits) if rare == ones else bytes(1 - bit for bit in bits)


def arrange_symbols(symbols: bytes, seed: int, index: int) -> bytes:
    """Return the symbols in random order, every arrangement equally likely.

    First the next 16 bits of the lanes (the lowest bits of each word first) give each place a symbol, with about the
    probability of its share. Then random places are changed until the counts are right: a symbol that occurs too often
    is replaced by the least symbol that occurs too rarely. No change depends on the position of a place. So all orders
    of the result are equally likely.
    """
    n = len(symbols)
    words, single = streams(seed, index)
    draws = _parts(words, 16)
    symbol_of = symbols_of_draws(symbols)
    arranged = bytearray(symbol_of[next(draws)] for _ in range(n))

    excess = [arranged.count(symbol) - symbols.count(symbol) for symbol in range(256)]
    while any(excess):
        place = single.below(n)
        symbol = arranged[place]
        if excess[symbol] > 0:
            lacking = next(other for other in range(256) if excess[other] < 0)
            arranged[place] = lacking
            excess[symbol] -= 1
            excess[lacking] += 1
    return bytes(arranged)


def symbols_of_draws(symbols: bytes) -> list[int]:
    """Return the symbol that each draw of 16 bits stands for, in ascending order.

    Each symbol gets its share of the draws, rounded down. The draws that are left go in turns to the symbols with a
    share of 16 or more, the most frequent first: a rare symbol would occur much too often.
    """
    counts = [symbols.count(symbol) for symbol in range(256)]
    shares = [count * DRAWS // len(symbols) for count in counts]
    frequent = [symbol for symbol in range(256) if shares[symbol] >= FREQUENT]
    frequent.sort(key=lambda symbol: -counts[symbol])
    for turn in range(DRAWS - sum(shares)):
        shares[frequent[turn % len(frequent)]] += 1
    return [symbol for symbol in range(256) for _ in range(shares[symbol])]


def permute(symbols: bytes, seed: int, index: int) -> bytes:
    """Return permutation `index` of the samples for `seed`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid_shuffle import permute
    >>> sorted(permute(b"caab", 1, 7))
    [97, 97, 98, 99]
    """
    distinct = sorted(set(symbols))
    if len(distinct) == 1:
        return symbols
    if len(distinct) == 2:
        low, high = distinct
        bits = arrange_bits(len(symbols), symbols.count(high), seed, index)
        return bytes(high if bit else low for bit in bits)
    if len(symbols) < MANY:
        return fisher_yates(symbols, seed, index)
    return arrange_symbols(symbols, seed, index)
