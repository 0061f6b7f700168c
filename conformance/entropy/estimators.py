"""The ten min-entropy estimators of SP 800-90B 6.3.

Each takes ``(data, n, k)`` as the kernels do: `n` samples with values 0 ... k-1, packed bits if ``k == 2``, otherwise
one sample a byte. The kernels count; everything that is not an integer is computed here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.entropy.bounds import (
    MARKOV_STEPS,
    Z_99,
    decreasing_root,
    entropy_of,
    markov_path,
    prediction_bounds,
    upper_bound,
)
from esoteric_drbg.conformance.entropy.estimates import (
    CollisionEstimate,
    CompressionEstimate,
    Estimate,
    LRSEstimate,
    MarkovEstimate,
    MostCommonValueEstimate,
    NotEstimated,
    PredictionEstimate,
    TTupleEstimate,
)
from esoteric_drbg.kernels import estimators as kernels
from esoteric_drbg.kernels.estimators import Data

__all__ = [
    "certainty",
    "collision",
    "compression",
    "lag",
    "lrs",
    "lz78y",
    "markov",
    "mcv",
    "multi_mcw",
    "multi_mmc",
    "t_tuple",
    "t_tuple_and_lrs",
]

_COMPRESSION_BLOCK = 6
_COMPRESSION_DICTIONARY = 1000
#: Terms of G(z) that share a power.
_ROW = 128
_LARGEST_WINDOW = 4095
#: Tuple lengths that are processed at a time: repetitive data have millions.
_AT_A_TIME = 1 << 16
_ROOTS = 1 << 8


def mcv(data: Data, n: int, k: int) -> MostCommonValueEstimate:
    """Most Common Value estimate, 6.3.1.

    Examples
    --------
    >>> from esoteric_drbg.conformance.entropy.estimators import mcv
    >>> data = bytes([0, 1, 1, 2, 0, 1, 2, 2, 0, 1, 0, 1, 1, 0, 2, 2, 1, 0, 2, 1])  # the example of the standard
    >>> estimate = mcv(data, 20, 3)
    >>> estimate.mode, round(estimate.min_entropy, 3)
    (8, 0.536)
    """
    if k == 2:
        ones = kernels.bit_counts(data, n)[0]
        mode = max(ones, n - ones)
    else:
        mode = int(np.bincount(np.frombuffer(data, dtype=np.uint8)).max())
    p_hat = mode / n
    p_u = upper_bound(p_hat, n)
    return MostCommonValueEstimate(mode=mode, p_hat=p_hat, p_u=p_u, min_entropy=entropy_of(p_u))


def certainty(n: int) -> MostCommonValueEstimate:
    """Most Common Value estimate of `n` equal samples: no entropy."""
    return MostCommonValueEstimate(mode=n, p_hat=1.0, p_u=1.0, min_entropy=0.0)


def collision(data: Data, n: int, k: int) -> Estimate:
    """Collision estimate, 6.3.2, for bits."""
    if k != 2:
        return _bits_only(k)
    twos, threes = kernels.collision_counts(data, n)
    v = twos + threes
    if v < 2:
        return NotEstimated(reason=f"{v} collisions: a standard deviation takes 2")
    sum_t = 2 * twos + 3 * threes
    x_bar = sum_t / v
    sigma_hat = math.sqrt(twos * threes / (v * (v - 1)))  # of v values that are 2 or 3
    x_bar_prime = max(2.0, x_bar - Z_99 * sigma_hat / math.sqrt(v))
    found = x_bar_prime < 2.5
    p = 0.5 + math.sqrt(1.25 - 0.5 * x_bar_prime) if found else 0.5
    return CollisionEstimate(
        v=v,
        sum_t=sum_t,
        x_bar=x_bar,
        sigma_hat=sigma_hat,
        x_bar_prime=x_bar_prime,
        found=found,
        p=p,
        min_entropy=entropy_of(p),
    )


def markov(data: Data, n: int, k: int) -> Estimate:
    """Markov estimate, 6.3.3, for bits."""
    if k != 2:
        return _bits_only(k)
    ones, n_00, n_01, n_10, n_11 = kernels.bit_counts(data, n)
    p_0, p_1 = (n - ones) / n, ones / n
    # A state that is never left has no transitions: 0, not 0/0.
    p_00, p_01 = (n_00 / (n_00 + n_01), n_01 / (n_00 + n_01)) if n_00 + n_01 else (0.0, 0.0)
    p_10, p_11 = (n_10 / (n_10 + n_11), n_11 / (n_10 + n_11)) if n_10 + n_11 else (0.0, 0.0)
    best = markov_path(p_0, p_1, p_00, p_01, p_10, p_11)
    return MarkovEstimate(
        p_0=p_0,
        p_1=p_1,
        p_00=p_00,
        p_01=p_01,
        p_10=p_10,
        p_11=p_11,
        p_hat_max=2.0**best,
        min_entropy=min(1.0, abs(best) / MARKOV_STEPS),
    )


def compression(data: Data, n: int, k: int) -> Estimate:
    """Compression estimate, 6.3.4, for bits."""
    if k != 2:
        return _bits_only(k)
    histogram = kernels.gap_histogram(data, n)
    v = n // _COMPRESSION_BLOCK - _COMPRESSION_DICTIONARY
    if v < 2:
        return NotEstimated(
            reason=f"{n} bits: a dictionary and two test blocks take {6 * (_COMPRESSION_DICTIONARY + 2)}"
        )
    gaps = np.flatnonzero(histogram)
    logs, counts = np.log2(gaps), histogram[gaps].astype(np.float64)
    x_bar = math.fsum(counts * logs) / v
    sigma_hat = 0.5907 * math.sqrt(max(0.0, math.fsum(counts * logs * logs) / (v - 1) - x_bar * x_bar))
    x_bar_prime = x_bar - Z_99 * sigma_hat / math.sqrt(v)
    p = _solve_compression(x_bar_prime, v + _COMPRESSION_DICTIONARY)
    found = p is not None
    p = 2.0**-_COMPRESSION_BLOCK if p is None else p
    return CompressionEstimate(
        x_bar=x_bar,
        sigma_hat=sigma_hat,
        x_bar_prime=x_bar_prime,
        found=found,
        p=p,
        min_entropy=entropy_of(p) / _COMPRESSION_BLOCK,
    )


class _ExpectedLogarithm:
    """G(z) of 6.3.4 step 7 for `blocks` blocks, of which the first 1000 make the dictionary."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._weights = np.empty((2, 0, _ROW))

    def __call__(self, z: float) -> float:
        if not 0.0 < z < 1.0:
            return 0.0
        decay = math.log1p(-z)
        # Gaps u beyond this have probabilities of less than 2^-80: they change nothing.
        reach: int = min(self._blocks, int(-80.0 * math.log(2.0) / decay) + 2)
        rows = -(-reach // _ROW)
        if rows > self._weights.shape[1]:
            self._weights = self._weights_of(rows)
        # (1-z)^(u-1) as a product of two powers: of the row of u, and within it.
        of_rows = np.einsum("krj,j->kr", self._weights[:, :rows], np.exp(decay * np.arange(_ROW)))
        repeats, firsts = np.sum(of_rows * np.exp(decay * _ROW * np.arange(rows)), axis=1).tolist()
        return float((z * z * repeats + z * firsts) / (self._blocks - _COMPRESSION_DICTIONARY))

    def _weights_of(self, rows: int) -> NDArray[np.float64]:
        """Return what (1-z)^(u-1) is multiplied by, u = 1, 2, ... in rows.

        A gap u is seen by every test block t > u, with z^2 (1-z)^(u-1); a block t that is the first of its value has
        gap t, with z (1-z)^(t-1). Both are summed over t = d + 1, ..., last.
        """
        d, last = _COMPRESSION_DICTIONARY, self._blocks
        u = np.arange(1, rows * _ROW + 1)
        logs = np.where(u <= last, np.log2(u), 0.0)
        return np.stack([logs * (last - np.maximum(u, d)), logs * (u > d)]).reshape(2, rows, _ROW)


def _solve_compression(target: float, blocks: int) -> float | None:
    """Find p of 6.3.4 step 7 to double precision; None if the mean is above what the least p, 1/64, gives."""
    g = _ExpectedLogarithm(blocks)
    others = (1 << _COMPRESSION_BLOCK) - 1

    def f(p: float) -> float:
        return g(p) + others * g((1.0 - p) / others) - target

    low, high = 2.0**-_COMPRESSION_BLOCK, 1.0
    if f(low) <= 0.0:
        return None
    return high if f(high) >= 0.0 else decreasing_root(f, low, high)


def t_tuple_and_lrs(data: Data, n: int, k: int) -> tuple[Estimate, Estimate]:
    """t-Tuple and Longest Repeated Substring estimates, 6.3.5 and 6.3.6; both rest on the same counts."""
    most_common, v, pairs = kernels.tuple_counts(data, n, k)
    u = most_common.size + 1
    return _t_tuple(most_common, n), _lrs(pairs, u, v, n)


def t_tuple(data: Data, n: int, k: int) -> Estimate:
    """t-Tuple estimate, 6.3.5, alone; :func:`t_tuple_and_lrs` gives both for the same work."""
    return t_tuple_and_lrs(data, n, k)[0]


def lrs(data: Data, n: int, k: int) -> Estimate:
    """Longest Repeated Substring estimate, 6.3.6, alone; :func:`t_tuple_and_lrs` gives both for the same work."""
    return t_tuple_and_lrs(data, n, k)[1]


def _t_tuple(most_common: NDArray[np.uint64], n: int) -> Estimate:
    if most_common.size == 0:
        return NotEstimated(reason="no symbol occurs 35 times")
    p_hat_max = 0.0
    for start in range(0, most_common.size, _AT_A_TIME):
        part = most_common[start : start + _AT_A_TIME]
        t = np.arange(1 + start, 1 + start + part.size)
        p_hat_max = _largest_root(part / (n - t + 1), 1 + start, p_hat_max)
    p_u = upper_bound(p_hat_max, n)
    return TTupleEstimate(t=most_common.size, p_hat_max=p_hat_max, p_u=p_u, min_entropy=entropy_of(p_u))


def _lrs(pairs: NDArray[np.uint64], u: int, v: int, n: int) -> Estimate:
    if v < u:
        return NotEstimated(reason=f"no tuple of u = {u} symbols, the first length without 35 equal ones, repeats")
    p_hat = 0.0
    for start in range(0, pairs.size, _AT_A_TIME):
        part = pairs[start : start + _AT_A_TIME]
        w = np.arange(u + start, u + start + part.size)
        places = (n - w + 1).astype(np.float64)
        p_hat = _largest_root(part / (places * (places - 1.0) / 2.0), u + start, p_hat)
    p_u = upper_bound(p_hat, n)
    return LRSEstimate(u=u, v=v, p_hat=p_hat, p_u=p_u, min_entropy=entropy_of(p_u))


def _largest_root(p: NDArray[np.float64], first: int, least: float) -> float:
    """Return the largest p[i] ** (1 / (first + i)), or `least` if that is larger.

    There may be millions of these roots, and each is slow to compute. Since p is at most 1, no root in a row is above
    the row's largest p raised to its least exponent. Only the rows that may hold the largest root are computed.
    """
    starts = np.arange(0, p.size, _ROOTS)
    lasts = np.minimum(starts + _ROOTS, p.size) - 1
    # Rounding may put a root above its bound, by some 1e-16 of it.
    bounds = np.maximum.reduceat(p, starts) ** (1.0 / (first + lasts)) * (1.0 + 1e-14)
    for rows in (bounds == bounds.max(), np.ones(bounds.size, dtype=bool)):
        looked_at = np.flatnonzero(np.repeat(rows & (bounds > least), _ROOTS)[: p.size])
        least = max(least, float(np.max(p[looked_at] ** (1.0 / (first + looked_at)), initial=0.0)))
    return least


def multi_mcw(data: Data, n: int, k: int) -> Estimate:
    """MultiMCW prediction estimate, 6.3.7."""
    if n <= _LARGEST_WINDOW:
        return NotEstimated(reason=f"{n} symbols: the largest window has {_LARGEST_WINDOW} and one more to predict")
    return _prediction(*kernels.multi_mcw(data, n, k), n - 63, k)


def lag(data: Data, n: int, k: int) -> Estimate:
    """Lag prediction estimate, 6.3.8."""
    return _too_short(n, 3) or _prediction(*kernels.lag(data, n, k), n - 1, k)


def multi_mmc(data: Data, n: int, k: int) -> Estimate:
    """MultiMMC prediction estimate, 6.3.9."""
    return _too_short(n, 4) or _prediction(*kernels.multi_mmc(data, n, k), n - 2, k)


def lz78y(data: Data, n: int, k: int) -> Estimate:
    """LZ78Y prediction estimate, 6.3.10."""
    return _too_short(n, 19) or _prediction(*kernels.lz78y(data, n, k), n - 17, k)


def _prediction(correct: int, longest_run: int, n: int, k: int) -> PredictionEstimate:
    """Return the estimate from C, r and N: 6.3.7 steps 5 to 9, and the corresponding steps of 6.3.8 to 6.3.10."""
    p_global_prime, p_local, p = prediction_bounds(correct, longest_run, n, k)
    return PredictionEstimate(
        N=n,
        C=correct,
        r=longest_run + 1,
        p_global=correct / n,
        p_global_prime=p_global_prime,
        p_local=p_local,
        min_entropy=entropy_of(p),
    )


def _bits_only(k: int) -> NotEstimated:
    return NotEstimated(reason=f"defined for bits; these data have {k} different symbols")


def _too_short(n: int, least: int) -> NotEstimated | None:
    return NotEstimated(reason=f"{n} symbols: two predictions take {least}") if n < least else None
