"""A conservative subset of SP 800-90B's non-IID track, until the complete assessment is here.

Most Common Value, collision and Markov (6.3.1 to 6.3.3). The figures of the three are those of the complete track; the
minimum over them is not, since estimators are missing: claims that rest on it are marked provisional.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.quality import Z, most_common_value

__all__ = ["QuickAssessment", "bitstring", "collision", "markov", "quick_assess", "restart_maximum"]

#: Bits of the bitstring that the bit estimators look at.
MAX_BITS = 1_000_000

Symbols = npt.NDArray[np.uint8]


@attrs.frozen(kw_only=True)
class QuickAssessment:
    """Figures of the subset, in bits; ``assessed`` is the lowest, per symbol.

    Attributes
    ----------
    samples, symbol_bits : int
        Size of the data set and width of its symbols.
    mcv_literal : float
        Most Common Value on the symbols, per symbol.
    mcv_bits, collision_bits, markov_bits : float
        Estimates on the bitstring, per bit.
    assessed : float
        min(mcv_literal, symbol_bits x each of the others), per symbol.
    """

    samples: int
    symbol_bits: int
    mcv_literal: float
    mcv_bits: float
    collision_bits: float
    markov_bits: float
    assessed: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON-ready values."""
        return attrs.asdict(self)


def bitstring(symbols: Symbols, symbol_bits: int, max_bits: int | None = MAX_BITS) -> Symbols:
    """Return the low ``symbol_bits`` bits of each symbol, most significant first, cut to ``max_bits``."""
    bits = np.unpackbits(symbols[:, np.newaxis], axis=1)[:, 8 - symbol_bits :].reshape(-1)
    return bits if max_bits is None else bits[:max_bits]


def collision(bits: Symbols) -> float:
    """Collision estimate on bits, SP 800-90B 6.3.2, per bit.

    Examples
    --------
    >>> collision(np.zeros(1000, dtype=np.uint8))
    0.0
    """
    data = bits.tobytes()
    n = len(data)
    twos = threes = 0
    index = 0
    while index + 1 < n:
        if data[index] == data[index + 1]:
            twos += 1
            index += 2
        elif index + 2 < n:
            threes += 1
            index += 3
        else:
            break
    v = twos + threes
    if v < 2:
        raise InvalidInputError(f"{n} bits are too few for the collision estimate")
    mean = (2 * twos + 3 * threes) / v
    deviation = math.sqrt((4 * twos + 9 * threes - v * mean * mean) / (v - 1)) if twos and threes else 0.0
    bound = max(mean - Z * deviation / math.sqrt(v), 2.0)
    p = 0.5 + math.sqrt(1.25 - bound / 2) if bound < 2.5 else 0.5
    return -math.log2(p) or 0.0


def markov(bits: Symbols) -> float:
    """Markov estimate on bits, SP 800-90B 6.3.3, per bit: the likeliest of six paths of 128 steps.

    Examples
    --------
    >>> markov(np.zeros(1000, dtype=np.uint8))
    0.0
    """
    n = len(bits)
    if n < 2:
        raise InvalidInputError(f"{n} bits are too few for the Markov estimate")
    ones = int(np.count_nonzero(bits))
    initial = ((n - ones) / n, ones / n)
    pairs = np.bincount(2 * bits[:-1].astype(np.int64) + bits[1:], minlength=4)
    p = [[count / int(row.sum()) if row.sum() else 0.0 for count in row.tolist()] for row in (pairs[:2], pairs[2:])]

    def log2(value: float) -> float:
        return math.log2(value) if value > 0 else -math.inf

    def path(start: int, *steps: tuple[float, int]) -> float:
        return log2(initial[start]) + sum(times * log2(value) for value, times in steps if times)

    likeliest = max(
        path(0, (p[0][0], 127)),
        path(0, (p[0][1], 64), (p[1][0], 63)),
        path(0, (p[0][1], 1), (p[1][1], 126)),
        path(1, (p[1][0], 1), (p[0][0], 126)),
        path(1, (p[1][0], 64), (p[0][1], 63)),
        path(1, (p[1][1], 127)),
    )
    return min(-likeliest / 128, 1.0) or 0.0


def restart_maximum(matrix: Symbols) -> int:
    """Return X_max of SP 800-90B 3.1.4.3: the highest count of one symbol in any row or column.

    Parameters
    ----------
    matrix : ndarray of uint8, shape (restarts, samples)
        One restart a row.

    Examples
    --------
    >>> restart_maximum(np.array([[1, 2, 1], [1, 3, 4]], dtype=np.uint8))
    2
    """
    if matrix.ndim != 2 or matrix.size == 0:
        raise InvalidInputError(f"a restart matrix has rows and columns, not the shape {matrix.shape}")
    return max(int(np.bincount(line).max()) for lines in (matrix, matrix.T) for line in lines)


def quick_assess(symbols: Symbols, symbol_bits: int = 8) -> QuickAssessment:
    """Assess a data set with the subset of estimators.

    Parameters
    ----------
    symbols : ndarray of uint8, shape (n,)
        Raw symbols, at least 1,000.
    symbol_bits : int
        Width of a symbol, 1 to 8 bits.

    Returns
    -------
    QuickAssessment
        The figures; ``assessed`` is provisional.

    Raises
    ------
    InvalidInputError
        If the data are too short, or wider than ``symbol_bits``.
    """
    symbols = np.ascontiguousarray(symbols, dtype=np.uint8).reshape(-1)
    if len(symbols) < 1000:
        raise InvalidInputError(f"{len(symbols)} symbols: the quick assessment takes at least 1,000")
    if int(symbols.max()) >= 1 << symbol_bits:
        raise InvalidInputError(f"a symbol is {int(symbols.max())}, wider than {symbol_bits} bits")
    bits = bitstring(symbols, symbol_bits)
    literal = most_common_value(symbols.tobytes())
    per_bit = (most_common_value(bits.tobytes()), collision(bits), markov(bits))
    return QuickAssessment(
        samples=len(symbols),
        symbol_bits=symbol_bits,
        mcv_literal=literal,
        mcv_bits=per_bit[0],
        collision_bits=per_bit[1],
        markov_bits=per_bit[2],
        assessed=min(literal, *(symbol_bits * value for value in per_bit)),
    )
