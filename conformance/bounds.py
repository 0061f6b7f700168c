"""Arithmetic shared by the ten estimators of SP 800-90B 6.3."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["Z_99", "decreasing_root", "entropy_of", "local_probability", "upper_bound"]

#: Two-sided 99% point of the normal distribution, z of 6.3.
Z_99 = 2.5758293035489008

_LOG_CONFIDENCE = math.log(0.99)
_FIXED_POINT_STEPS = 65


def upper_bound(p_hat: float, n: int) -> float:
    """Upper end of the 99% confidence interval of a probability, at most 1.

    Parameters
    ----------
    p_hat : float
        Observed proportion.
    n : int
        Observations; the standard divides by n - 1.

    Examples
    --------
    >>> from esoteric_drbg.conformance.bounds import upper_bound
    >>> round(upper_bound(0.4, 20), 4)  # the example of SP 800-90B 6.3.1
    0.6895
    """
    if n < 2:
        return 1.0
    return min(1.0, p_hat + Z_99 * math.sqrt(p_hat * (1.0 - p_hat) / (n - 1)))


def entropy_of(p: float) -> float:
    """Min-entropy in bits of an outcome of probability `p`: -log2(p), and 0 (never -0) for 1."""
    return -math.log2(p) if p < 1.0 else 0.0


def decreasing_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where the decreasing function `f` changes its sign, ``f(low) > 0 >= f(high)``, to double precision.

    Secant steps where they stay inside the bracket and shrink it well, halving otherwise.
    """
    f_low, f_high = f(low), f(high)
    halve = not math.isfinite(f_high)
    while True:
        middle = (low + high) / 2.0
        if middle in {low, high}:
            return middle
        if not halve:
            # A little to the far side of the secant's root, so that both ends move.
            secant = low + (high - low) * f_low / (f_low - f_high)
            nudge = 1e-3 * (high - low) + math.ulp(secant)
            secant += nudge if secant < middle else -nudge
            if low < secant < high:
                middle = secant
        before = high - low
        value = f(middle)
        if value > 0.0:
            low, f_low = middle, value
        else:
            high, f_high = middle, value
        halve = not math.isfinite(f_high) or (not halve and high - low > before / 4.0)


def _log_no_run(p: float, run: int, n: int) -> float:
    """Log of the probability that `n` trials of probability `p` show no run of `run` successes (Feller; 6.3.7 step 8).

    With x = 1 + e the root of 1 - x + q p^r x^(r+1), every factor is written as log(1 + small): plain doubles suffice.
    """
    q = 1.0 - p
    if q <= 0.0:
        return -math.inf
    step = q * p**run
    e = 0.0
    for _ in range(_FIXED_POINT_STEPS):
        following = step * math.exp((run + 1) * math.log1p(e))
        if following == e:
            break
        e = following
        if e * run >= 1.0 or p * e >= q:
            return -math.inf
    return math.log1p(-p * e / q) - math.log1p(-run * e) - (n + 1) * math.log1p(e)


def local_probability(run: int, n: int, least: float) -> float | None:
    """Return P_local of 6.3.7 step 8: runs of `run` right predictions in `n` are met with probability 1%.

    Parameters
    ----------
    run : int
        r, one more than the longest run of right predictions.
    n : int
        N, predictions.
    least : float
        The larger of 1/k and P_global'.

    Returns
    -------
    float or None
        None if P_local is not above `least`: it cannot change the result.
    """
    if least >= 1.0 or _log_no_run(least, run, n) <= _LOG_CONFIDENCE:
        return None
    return decreasing_root(lambda p: _log_no_run(p, run, n) - _LOG_CONFIDENCE, least, 1.0)
