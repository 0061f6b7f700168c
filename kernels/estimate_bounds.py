"""Arithmetic of the estimators of SP 800-90B 6.3 in plain floats, for assessments and for the gate of a token."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

__all__ = [
    "MARKOV_STEPS",
    "Z_99",
    "decreasing_root",
    "entropy_of",
    "largest_root",
    "local_probability",
    "markov_path",
    "most_common_value",
    "prediction_bounds",
    "upper_bound",
]

#: Two-sided 99% point of the normal distribution, z of 6.3: 2.57582930354890076..., rounded to the nearest double. The
#: double below it, 2.5758293035489004, is less exact, and its results differ from those of NIST's tool.
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
        Number of observations; the standard divides by n - 1.

    Examples
    --------
    >>> from esoteric_drbg.kernels.estimate_bounds import upper_bound
    >>> round(upper_bound(0.4, 20), 4)  # the example of SP 800-90B 6.3.1
    0.6895
    """
    if n < 2:
        return 1.0
    return min(1.0, p_hat + Z_99 * math.sqrt(p_hat * (1.0 - p_hat) / (n - 1)))


def entropy_of(p: float) -> float:
    """Min-entropy in bits of an outcome of probability `p`: -log2(p), and 0 (never -0) for 1."""
    return -math.log2(p) if p < 1.0 else 0.0


def most_common_value(mode: int, n: int) -> float:
    """Most Common Value estimate in bits per sample, 6.3.1: `mode` of `n` samples have the most common value.

    Examples
    --------
    >>> from esoteric_drbg.kernels.estimate_bounds import most_common_value
    >>> round(most_common_value(8, 20), 4)  # of the example of SP 800-90B 6.3.1
    0.5364
    """
    return entropy_of(upper_bound(mode / n, n))


def decreasing_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Zero of the decreasing function `f`, ``f(low) > 0 >= f(high)``, to double precision.

    Inverse quadratic interpolation through three points where it is safe, bisection otherwise (Chandrupatla 1997).
    """
    # a is the latest point, b the other end of the bracket, c the point dropped last.
    a, b = high, low
    f_a, f_b = f(high), f(low)
    fraction = 0.5
    while True:
        x = a + fraction * (b - a)
        f_x = f(x)
        if f_x == 0.0:
            return x
        if (f_x > 0.0) == (f_a > 0.0):
            c, f_c = a, f_a
        else:
            c, f_c, b, f_b = b, f_b, a, f_a
        a, f_a = x, f_x
        best = a if abs(f_a) < abs(f_b) else b
        least = math.ulp(best) / abs(b - a)  # of the bracket, so that both ends move
        if least >= 0.5:
            return best
        place, value = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b) if f_c != f_b else math.nan
        fraction = 0.5
        if value * value < place and (1.0 - value) * (1.0 - value) < 1.0 - place:
            fraction = f_a / (f_b - f_a) * (f_c / (f_b - f_c))
            fraction += (c - a) / (b - a) * (f_a / (f_c - f_a)) * (f_b / (f_c - f_b))
        fraction = min(max(fraction, least), 1.0 - least)


def _log_no_run(p: float, run: int, n: int) -> float:
    """Log of the probability of no run of `run` successes in `n` trials of probability `p` (Feller; 6.3.7 step 8).

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
    """Return P_local of 6.3.7 step 8: a run of `run` correct predictions in `n` occurs with probability 1%.

    Parameters
    ----------
    run : int
        r, one more than the longest run of correct predictions.
    n : int
        N, the number of predictions.
    least : float
        The larger of 1/k and P_global'.

    Returns
    -------
    float or None
        None if P_local is not above `least`, so that it cannot change the result.
    """
    if least >= 1.0 or _log_no_run(least, run, n) <= _LOG_CONFIDENCE:
        return None
    return decreasing_root(lambda p: _log_no_run(p, run, n) - _LOG_CONFIDENCE, least, 1.0)


#: Length, in bits, of the sequences of which the Markov estimate finds the most likely one.
MARKOV_STEPS = 128


def markov_path(p_0: float, p_1: float, p_00: float, p_01: float, p_10: float, p_11: float) -> float:
    """Return the base-2 logarithm of the probability of the most likely sequence of 128 bits, 6.3.3 step 3.

    Parameters
    ----------
    p_0, p_1 : float
        Probabilities of the first bit.
    p_00, p_01, p_10, p_11 : float
        Transition probabilities.
    """
    half = MARKOV_STEPS // 2
    paths = (  # first bit, then how often each transition is taken; table 4
        (p_0, ((p_00, 127),)),
        (p_0, ((p_01, half), (p_10, half - 1))),
        (p_0, ((p_01, 1), (p_11, 126))),
        (p_1, ((p_10, 1), (p_00, 126))),
        (p_1, ((p_10, half), (p_01, half - 1))),
        (p_1, ((p_11, 127),)),
    )
    return max(_log2(first) + sum(times * _log2(p) for p, times in steps) for first, steps in paths)


def _log2(p: float) -> float:
    return math.log2(p) if p > 0.0 else -math.inf


def prediction_bounds(correct: int, longest_run: int, n: int, k: int) -> tuple[float, float | None, float]:
    """Probability of a correct prediction from C, r - 1 and N: 6.3.7 steps 5 to 8, and the same steps up to 6.3.10.

    Parameters
    ----------
    correct, longest_run : int
        C, the number of correct predictions, and the most of them in a row.
    n, k : int
        Number of predictions, and size of the alphabet.

    Returns
    -------
    tuple of (float, float or None, float)
        P_global', P_local (None where it cannot change the result), and the largest of these two and 1/k.
    """
    p_global = correct / n
    p_global_prime = upper_bound(p_global, n) if correct else 1.0 - 0.01 ** (1.0 / n)
    least = max(p_global_prime, 1.0 / k)
    p_local = local_probability(longest_run + 1, n, least)
    return p_global_prime, p_local, least if p_local is None else max(least, p_local)


def largest_root(shares: Iterable[float], first: int) -> float:
    """Return the largest shares[i] ** (1 / (first + i)): P_max of 6.3.5 and 6.3.6; 0 for none.

    Examples
    --------
    >>> largest_root([0.5, 0.36], 1)
    0.6
    """
    return max((share ** (1.0 / (first + index)) for index, share in enumerate(shares)), default=0.0)
