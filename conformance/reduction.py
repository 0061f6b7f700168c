"""Symbols of more than 8 bits made narrow enough for the estimators, SP 800-90B 6.4."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError

__all__ = ["BitRank", "Reduction", "reduce_symbols"]

#: Bits that the estimators take.
WIDTH = 8
#: Values, evenly spread over the data, that the ranking of bits looks at.
RANKED_VALUES = 200_000


@attrs.frozen(kw_only=True)
class BitRank:
    """What one bit of the raw value tells.

    Attributes
    ----------
    bit : int
        Its place; 0 is the least significant.
    p_one : float
        How often it is 1.
    min_entropy : float
        Of the bit on its own, -log2 of its more common value's proportion.
    gain : float or None
        Shannon entropy, in bits, that it adds to the bits ranked before it; None where the ranking did not get.
    """

    bit: int
    p_one: float
    min_entropy: float
    gain: float | None


@attrs.frozen(kw_only=True)
class Reduction:
    """How wide raw values became symbols of at most 8 bits.

    The symbols are a function of the raw values: they have no more entropy than those, and what is assessed for them
    may be claimed for the raw symbol. A claim never grows by reducing.

    Attributes
    ----------
    method : str
        ``"distinct"`` (at most 256 values, numbered in order: nothing is lost), ``"bits"`` or ``"bins"``.
    raw_bits, raw_alphabet : int
        Width and number of different values before.
    bits : tuple of int
        Bits that were kept, most significant first; empty for the other methods.
    ranking : tuple of BitRank
        All bits, the most informative first; empty for the other methods.
    """

    method: str
    raw_bits: int
    raw_alphabet: int
    bits: tuple[int, ...] = ()
    ranking: tuple[BitRank, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the choice by the names of the JSON result."""
        return attrs.asdict(self)


def reduce_symbols(values: NDArray[np.uint64], method: str | None = None) -> tuple[NDArray[np.uint8], Reduction]:
    """Reduce values to symbols of at most 8 bits.

    Parameters
    ----------
    values : ndarray of uint64, shape (samples,)
    method : str, optional
        ``"bits"``: rank the bits by what each adds to the ones before it, keep the best eight in their order.
        ``"bits=7,3,0"``: keep these. ``"bins"``: 256 bins, in the order of the values, of nearly equal counts. None:
        number the values if there are at most 256, otherwise ``"bits"``.

    Returns
    -------
    symbols : ndarray of uint8, shape (samples,)
    reduction : Reduction

    Examples
    --------
    >>> import numpy as np
    >>> from esoteric_drbg.conformance.reduction import reduce_symbols
    >>> symbols, how = reduce_symbols(np.array([1000, 70_000, 1000, 5], dtype=np.uint64))
    >>> symbols.tolist(), how.method, how.raw_bits
    ([1, 2, 1, 0], 'distinct', 17)
    """
    distinct, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
    raw_bits = max(1, int(distinct[-1]).bit_length())
    if method is None:
        method = "distinct" if distinct.size <= 1 << WIDTH else "bits"
    if method == "distinct":
        return numbers.astype(np.uint8), Reduction(method=method, raw_bits=raw_bits, raw_alphabet=distinct.size)
    if method == "bins":
        before = np.cumsum(counts) - counts
        bins = np.unique((before << WIDTH) // values.size, return_inverse=True)[1]
        return bins[numbers].astype(np.uint8), Reduction(method=method, raw_bits=raw_bits, raw_alphabet=distinct.size)
    name, _, wanted = method.partition("=")
    if name != "bits":
        raise InvalidInputError(f"reduction {method!r}: expected bits, bits=..., or bins")
    ranking = _ranking(values, raw_bits)
    kept = _places(wanted, raw_bits) if wanted else [rank.bit for rank in ranking[:WIDTH]]
    symbols = np.zeros(values.size, dtype=np.uint8)
    chosen = tuple(sorted(kept, reverse=True))
    for place in chosen:
        symbols = symbols << np.uint8(1) | (values >> np.uint64(place) & np.uint64(1)).astype(np.uint8)
    return symbols, Reduction(
        method="bits", raw_bits=raw_bits, raw_alphabet=distinct.size, bits=chosen, ranking=tuple(ranking)
    )


def _places(wanted: str, raw_bits: int) -> list[int]:
    try:
        places = [int(place) for place in wanted.split(",")]
    except ValueError:
        raise InvalidInputError(f"reduction 'bits={wanted}': expected numbers of bits") from None
    if len(set(places)) != len(places) or not 1 <= len(places) <= WIDTH:
        raise InvalidInputError(f"reduction 'bits={wanted}': expected 1 to {WIDTH} different bits")
    if not all(0 <= place < raw_bits for place in places):
        raise InvalidInputError(f"reduction 'bits={wanted}': the values have bits 0 to {raw_bits - 1}")
    return places


def _ranking(values: NDArray[np.uint64], raw_bits: int) -> list[BitRank]:
    """Rank the bits: first the most even one, then always the one that adds most to the joint Shannon entropy.

    A bit that copies one before it, or their combination, adds nothing. Behind the eighth, bits come in the order of
    their own min-entropy.
    """
    step = max(1, -(-values.size // RANKED_VALUES))
    looked_at = values[::step]
    bits = [(looked_at >> np.uint64(place) & np.uint64(1)).astype(np.int64) for place in range(raw_bits)]
    p_one = [float(bit.mean()) for bit in bits]
    own = [-float(np.log2(max(p, 1.0 - p))) if 0.0 < p < 1.0 else 0.0 for p in p_one]
    ranked: list[BitRank] = []
    joint, entropy = np.zeros(looked_at.size, dtype=np.int64), 0.0
    left = list(range(raw_bits))
    while left and len(ranked) < WIDTH:
        gains = {place: _shannon(2 * joint + bits[place]) - entropy for place in left}
        best = max(left, key=lambda place: (own[place] if not ranked else gains[place], own[place]))
        left.remove(best)
        joint = 2 * joint + bits[best]
        entropy += gains[best]
        ranked.append(BitRank(bit=best, p_one=p_one[best], min_entropy=own[best], gain=abs(gains[best])))
    left.sort(key=lambda place: (-own[place], place))
    ranked += [BitRank(bit=place, p_one=p_one[place], min_entropy=own[place], gain=None) for place in left]
    return ranked


def _shannon(symbols: NDArray[np.int64]) -> float:
    counts = np.bincount(symbols)
    p = counts[counts > 0] / symbols.size
    return -float(np.sum(p * np.log2(p)))
