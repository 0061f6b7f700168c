"""Reduction of wide samples to at most 8 bits, SP 800-90B 6.4.

The estimators take symbols of at most 8 bits. A reduction is a function of the raw value, so it cannot raise the
min-entropy: a correct guess of the raw value is also a correct guess of the reduced symbol, so the best guess of a
reduced symbol is correct at least as often. The min-entropy claimed for a reduced symbol may therefore be claimed for
the raw value, but no more. An *estimate* may still be higher, since the estimators see less of the structure. A
laboratory reports the raw width, the reduction that was used, and why it keeps the noise; :class:`Reduction` holds what
that report needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

__all__ = ["BitRank", "Reduction", "chunks", "count_values", "reduce_values"]

#: Values that are processed at a time: keeps temporary arrays small.
CHUNK = 1 << 20
#: The ranking of bits uses at most this many values, in blocks spread evenly over the data.
RANKED_VALUES = 1 << 18
RANKED_BLOCKS = 16
MOST_SYMBOLS = 256
MOST_BITS = 8

Values = NDArray[np.unsignedinteger[Any]]


class BitRank(Frozen):
    """One bit of the raw values, and how it was ranked.

    Attributes
    ----------
    bit : int
        Position of the bit; 0 is the least significant.
    p_one : float
        Proportion of ones, among the values that were ranked.
    min_entropy : float
        Min-entropy of the bit alone, -log2 max(P(0), P(1)), in bits.
    information : float
        Bits that the bit adds to the (at most eight) ranked first, given its own previous value too: -log2 of the
        proportion of correct best guesses. A copy of one of them, a constant and a bit that toggles all have 0.
    rank : int
        1 for the bit with the most information. Constant bits come last.
    """

    bit: int
    p_one: float
    min_entropy: float
    information: float
    rank: int


class Reduction(Frozen, Document):
    """How raw values became symbols of at most 8 bits.

    Attributes
    ----------
    kind : {"distinct", "bits", "bins"}
        ``"distinct"``: at most 256 values occur and are numbered in ascending order, nothing is lost. ``"bits"``: some
        bits are kept, in their order. ``"bins"``: ranges of values with near-equal counts, numbered in ascending order.
    automatic : bool
        Whether the kind was chosen automatically, because none was asked for.
    raw_bits : int
        Width of the raw values, 1 to 64.
    raw_alphabet : int
        Number of distinct raw values.
    alphabet : int
        Number of distinct symbols after the reduction.
    bits : tuple of int
        Bits that were kept, most significant first; empty for other kinds.
    ranking : tuple of BitRank
        All bits of the raw width from best to worst; only if bits were ranked or named.
    ranked_values : int
        Number of values that the ranking used.
    lower_edges : tuple of int
        The least raw value of each symbol 0, 1, ...; empty for ``"bits"``.
    """

    kind: Literal["distinct", "bits", "bins"]
    automatic: bool
    raw_bits: int
    raw_alphabet: int
    alphabet: int
    bits: tuple[int, ...] = ()
    ranking: tuple[BitRank, ...] = ()
    ranked_values: int = 0
    lower_edges: tuple[int, ...] = ()

    shown_last = ("lossless",)

    @property
    def lossless(self) -> bool:
        """Whether different raw values always became different symbols."""
        return self.alphabet == self.raw_alphabet

    def describe(self) -> str:
        """Describe the reduction in one sentence."""
        before = f"{self.raw_bits}-bit values, {self.raw_alphabet} different ones"
        if self.kind == "distinct":
            after = "numbered in ascending order, without loss"
        elif self.kind == "bits":
            after = f"reduced to bits {', '.join(map(str, self.bits))} ({self.alphabet} different symbols)"
        else:
            after = f"reduced to {self.alphabet} ranges of near-equal counts"
        return f"{before}: {after} (SP 800-90B 6.4)"


def reduce_values(
    values: Values, raw_bits: int | None = None, reduction: str | None = None
) -> tuple[NDArray[np.uint8], Reduction]:
    """Reduce raw values to symbols of at most 8 bits.

    Parameters
    ----------
    values : ndarray of unsigned integers, shape (samples,)
        The raw values.
    raw_bits : int, optional
        Their width, 1 to 64; found from the highest bit set if None.
    reduction : str, optional
        ``"distinct"``, ``"bits"`` (the eight with the most information), ``"bits=0,3,5"`` (these), ``"bins"`` or
        ``"bins=64"`` (at most this many ranges, 2 to 256). If None, ``"distinct"`` if at most 256 values occur,
        otherwise ``"bits"``.

    Returns
    -------
    symbols : ndarray of uint8, shape (samples,)
    reduction : Reduction

    Raises
    ------
    InvalidInputError
        If there are no values, a value does not fit into `raw_bits`, or `reduction` is unknown or impossible here.

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.samples.reduction import reduce_values
    >>> symbols, how = reduce_values(np.array([70_000, 5, 70_000, 900], dtype=np.uint32))
    >>> symbols.tolist(), how.kind, how.lossless
    ([2, 0, 2, 1], 'distinct', True)
    >>> reduce_values(np.arange(1024, dtype=np.uint16), reduction="bins=4")[1].lower_edges
    (0, 256, 512, 768)
    >>> reduce_values(np.array([0b101, 0b110], dtype=np.uint16), reduction="bits=0,2")[0].tolist()
    [3, 2]
    """
    if values.dtype.kind != "u" or values.ndim != 1:
        raise InvalidInputError(f"values: an array of unsigned integers in one dimension, not {values.dtype}")
    if values.size == 0:
        raise InvalidInputError("no samples: nothing to reduce")
    kind, numbers = _parse(reduction)
    found, counts = count_values(values)
    width = max(1, int(found[-1]).bit_length())
    if raw_bits is not None and not 1 <= raw_bits <= 64:
        raise InvalidInputError(f"bits={raw_bits}: a raw value has 1 to 64 bits")
    if raw_bits is not None and width > raw_bits:
        raise InvalidInputError(f"value {int(found[-1])} does not fit into bits={raw_bits}")
    width = raw_bits or width
    if kind is None:
        kind = "distinct" if found.size <= MOST_SYMBOLS else "bits"
    if kind == "bits":
        return _keep_bits(values, width, int(found.size), numbers, reduction is None)
    if kind == "distinct":
        if found.size > MOST_SYMBOLS:
            raise InvalidInputError(
                f"reduction='distinct': {found.size} different values occur, at most {MOST_SYMBOLS} can be numbered"
            )
        edges = found
    else:
        edges = _equal_bins(found, counts, numbers[0] if numbers else MOST_SYMBOLS)
    symbols = np.empty(values.size, dtype=np.uint8)
    for begin, chunk in chunks(values):
        symbols[begin : begin + chunk.size] = np.searchsorted(edges, chunk, side="right") - 1
    how = Reduction(
        kind="bins" if kind == "bins" else "distinct",
        automatic=reduction is None,
        raw_bits=width,
        raw_alphabet=int(found.size),
        alphabet=int(edges.size),
        lower_edges=tuple(edges.tolist()),
    )
    return symbols, how


def _parse(reduction: str | None) -> tuple[str | None, list[int]]:
    """Split ``"bits=0,3"`` into the kind and its numbers."""
    if reduction is None:
        return None, []
    match = re.fullmatch(r"(distinct|bits|bins)(?:=([0-9]{1,3}(?:,[0-9]{1,3})*))?", reduction)
    if match is None:
        raise InvalidInputError(
            f"reduction={reduction!r}: expected 'distinct', 'bits', 'bits=0,3,5', 'bins' or 'bins=64'"
        )
    kind = match[1]
    numbers = [int(number) for number in match[2].split(",")] if match[2] else []
    if kind == "distinct" and numbers:
        raise InvalidInputError(f"reduction={reduction!r}: 'distinct' takes no numbers")
    if kind == "bins" and numbers and (len(numbers) > 1 or not 2 <= numbers[0] <= MOST_SYMBOLS):
        raise InvalidInputError(f"reduction={reduction!r}: one number of ranges, 2 to {MOST_SYMBOLS}")
    if kind == "bits" and (len(numbers) > MOST_BITS or len(set(numbers)) < len(numbers)):
        raise InvalidInputError(f"reduction={reduction!r}: name at most {MOST_BITS} bits, each once")
    return kind, numbers


def chunks(values: NDArray[Any], size: int = CHUNK) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield ``(first index, values)`` piece by piece, in the machine's byte order."""
    native = values.dtype.newbyteorder("=")
    for begin in range(0, values.size, size):
        yield begin, values[begin : begin + size].astype(native, copy=False)


def count_values(values: Values) -> tuple[Values, NDArray[np.int64]]:
    """Return the distinct values in ascending order and the count of each; exact, without large temporaries."""
    if values.dtype.itemsize <= 2:
        counts = np.zeros(1 << 8 * values.dtype.itemsize, dtype=np.int64)
        for _, chunk in chunks(values):
            counts += np.bincount(chunk, minlength=counts.size)
        found = np.flatnonzero(counts)
        return found.astype(values.dtype.newbyteorder("=")), counts[found]
    ordered = np.sort(values.astype(values.dtype.newbyteorder("="), copy=False))
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
    return ordered[starts], np.diff(starts, append=ordered.size).astype(np.int64)


def _equal_bins(found: Values, counts: NDArray[np.int64], most: int) -> Values:
    """Return the least value of each range: a value goes to range floor(most x its mid-rank / samples)."""
    middle = 2 * np.cumsum(counts) - counts
    bins = middle * most // (2 * int(counts.sum()))
    return found[np.concatenate(([True], bins[1:] != bins[:-1]))]


def _keep_bits(
    values: Values, width: int, raw_alphabet: int, named: Sequence[int], automatic: bool
) -> tuple[NDArray[np.uint8], Reduction]:
    if named and max(named) >= width:
        raise InvalidInputError(f"bit {max(named)} does not exist: the values have bits 0 to {width - 1}")
    ranking, ranked_values = _rank_bits(values, width)
    best = named or [place.bit for place in ranking[:MOST_BITS]]
    kept = tuple(sorted(best, reverse=True))
    symbols = np.zeros(values.size, dtype=np.uint8)
    for begin, chunk in chunks(values):
        symbol = symbols[begin : begin + chunk.size]
        for place, bit in enumerate(reversed(kept)):
            symbol |= _bit(chunk, bit) << np.uint8(place)
    how = Reduction(
        kind="bits",
        automatic=automatic,
        raw_bits=width,
        raw_alphabet=raw_alphabet,
        alphabet=int(count_values(symbols)[0].size),
        bits=kept,
        ranking=ranking,
        ranked_values=ranked_values,
    )
    return symbols, how


def _bit(values: Values, bit: int) -> NDArray[np.uint8]:
    """Return bit number `bit` of each value; 0 above the array's own width."""
    if bit >= 8 * values.dtype.itemsize:
        return np.zeros(values.size, dtype=np.uint8)
    return (values >> values.dtype.type(bit) & values.dtype.type(1)).astype(np.uint8)


def _rank_bits(values: Values, width: int) -> tuple[tuple[BitRank, ...], int]:
    """Rank all bits greedily: the next one is the hardest to guess from those ranked before and its own past.

    The guess of a bit uses the (at most eight) bits ranked first and the bit's value in the previous sample. Ties are
    decided by the bit's own min-entropy, then in favour of the lower bit.
    """
    sample = _spread(values)
    n = sample.size
    bits = [_bit(sample, bit) for bit in range(width)]
    ones = [int(np.count_nonzero(bit)) for bit in bits]
    modes = [max(one, n - one) for one in ones]
    pairs = [(bit[:-1] << np.uint8(1) | bit[1:]).astype(np.uint16) for bit in bits]
    known = np.zeros(max(0, n - 1), dtype=np.uint16)
    left = [bit for bit in range(width) if modes[bit] < n]
    order: list[tuple[int, int]] = []  # bit, correct guesses
    while left:
        scores = sorted((_right_guesses(known, pairs[bit]), modes[bit], bit) for bit in left)
        taken = scores[:1] if len(order) < MOST_BITS else scores
        for right, _, bit in taken:
            order.append((bit, right))
            left.remove(bit)
            if len(order) <= MOST_BITS:
                known = known << np.uint16(1) | bits[bit][1:]
    order += [(bit, n - 1) for bit in range(width) if modes[bit] == n]
    ranking = (
        BitRank(
            bit=bit,
            p_one=ones[bit] / n,
            min_entropy=_entropy(modes[bit], n),
            information=_entropy(right, n - 1),
            rank=rank,
        )
        for rank, (bit, right) in enumerate(order, 1)
    )
    return tuple(ranking), n


def _entropy(right: int, n: int) -> float:
    """Return -log2 of a proportion; 0 (never -0) for 1 or if there are no values."""
    return -math.log2(right / n) if right < n else 0.0


def _right_guesses(known: NDArray[np.uint16], pairs: NDArray[np.uint16]) -> int:
    """Count the correct best guesses of a bit, given `known` and its previous value (`pairs` = 2 before + now)."""
    counts = np.bincount(known << np.uint16(2) | pairs)
    counts = np.append(counts, np.zeros(-counts.size % 2, dtype=counts.dtype))
    return int(np.maximum(counts[0::2], counts[1::2]).sum())


def _spread(values: Values) -> Values:
    """Return at most RANKED_VALUES of the values, in blocks spread evenly from the first to the last."""
    if values.size <= RANKED_VALUES:
        return next(chunk for _, chunk in chunks(values, RANKED_VALUES))
    length = RANKED_VALUES // RANKED_BLOCKS
    begins = [(values.size - length) * block // (RANKED_BLOCKS - 1) for block in range(RANKED_BLOCKS)]
    blocks = [values[begin : begin + length] for begin in begins]
    return np.concatenate(blocks).astype(values.dtype.newbyteorder("="), copy=False)
