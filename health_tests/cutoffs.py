"""Exact cutoffs of the continuous health tests, SP 800-90B 4.4.1 and 4.4.2, and of the Lag Predictor Test.

Rational results are computed exactly, all others in decimal with 120 digits. Doubles would not do: near a tie their
rounding changes a cutoff by one, and they cannot express 1 - alpha for alpha below 2^-53.
"""

from __future__ import annotations

import functools
import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.health import LAG_PREDICTORS

__all__ = [
    "BINARY_WINDOW",
    "SPAN_WINDOWS",
    "WIDE_WINDOW",
    "LagCutoffs",
    "Real",
    "apt_can_fail",
    "apt_cutoff",
    "apt_window",
    "lag_can_fail",
    "lag_cutoffs",
    "rct_cutoff",
]

#: Types in which a min-entropy or a false-alarm rate may be given.
Real = float | int | str | Decimal | Fraction

#: Window of the Adaptive Proportion Test for a binary noise source, and for any other (4.4.2), in samples.
BINARY_WINDOW = 1024
WIDE_WINDOW = 512

#: Windows that make one span of the Lag Predictor Test: 32,768 samples, or 65,536 binary ones.
SPAN_WINDOWS = 64

#: The exponents go far below 2^(-H W) for all accepted H and W, so that no term underflows to 0.
_DIGITS = Context(prec=120, Emin=-(10**9), Emax=10**9)
#: For sums over a span. Each decision is checked: the lost digits and the omitted terms must not change it.
_LONG_DIGITS = Context(prec=50, Emin=-(10**9), Emax=10**9)
_TWO_PI = Decimal("6.2831853071795864769252867665590057683943387987502")
#: Coefficients of Stirling's series of ln n!, by the power of 1/n: numerator and denominator.
_STIRLING = (
    (1, 12),
    (0, 1),
    (-1, 360),
    (0, 1),
    (1, 1260),
    (0, 1),
    (-1, 1680),
    (0, 1),
    (1, 1188),
    (0, 1),
    (-691, 360360),
)


def _entropy(min_entropy: Real) -> Fraction:
    """Read H. A float means its shortest decimal form: 0.3 means 3/10, not the double just below it."""
    try:
        # float.__repr__, because numpy.float64 is a float too and its own repr is not a number.
        value = Fraction(float.__repr__(min_entropy) if isinstance(min_entropy, float) else min_entropy)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise InvalidInputError(f"min_entropy={min_entropy!r}: expected a number of bits per sample") from None
    if not 0 < value <= 64:
        raise InvalidInputError(f"min_entropy={min_entropy!r}: expected more than 0 and at most 64 bits per sample")
    return value


def _alpha(alpha: Real) -> Fraction:
    """Read alpha. A float means its exact binary value; powers of 2 such as 2**-30 are exact."""
    try:
        value = Fraction(alpha)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise InvalidInputError(f"alpha={alpha!r}: expected a probability") from None
    if not 0 < value < 1:
        raise InvalidInputError(f"alpha={alpha!r}: expected a probability above 0 and below 1")
    return value


def rct_cutoff(min_entropy: Real, alpha: Real) -> int:
    """Cutoff C of the Repetition Count Test: 1 + ceil(-log2(alpha) / H), SP 800-90B 4.4.1.

    Parameters
    ----------
    min_entropy : float, int, str, Decimal or Fraction
        H in bits per sample, above 0. A float means its shortest decimal form.
    alpha : float, int, str, Decimal or Fraction
        False-alarm probability per sample, above 0 and below 1. A float means its exact value.

    Returns
    -------
    int
        C, in samples: a run of C equal samples fails.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> rct_cutoff(2.0, 2**-30)
    16
    """
    return _rct_cutoff(_entropy(min_entropy), _alpha(alpha))


@functools.lru_cache(maxsize=512)
def _rct_cutoff(entropy: Fraction, alpha: Fraction) -> int:
    if alpha.numerator == 1 and alpha.denominator.bit_count() == 1:
        return 1 + math.ceil((alpha.denominator.bit_length() - 1) / entropy)
    # log2 of a rational that is not a power of 2 is irrational: no tie is possible, and 120 digits decide.
    bits = _DIGITS.divide(_ln(1 / alpha), _DIGITS.ln(Decimal(2)))
    quotient = _DIGITS.divide(_DIGITS.multiply(bits, Decimal(entropy.denominator)), Decimal(entropy.numerator))
    return 1 + math.ceil(quotient)


def apt_cutoff(min_entropy: Real, alpha: Real, window: int) -> int:
    """Cutoff C of the Adaptive Proportion Test: 1 + critbinom(W, 2^-H, 1 - alpha), SP 800-90B 4.4.2.

    critbinom is the smallest c with P(X > c) <= alpha for X binomial with W trials and success probability 2^-H.

    Parameters
    ----------
    min_entropy, alpha
        As for :func:`rct_cutoff`.
    window : int
        W in samples, 1 to 65,536: 1024 for a binary noise source, 512 for any other.

    Returns
    -------
    int
        C, in samples. C = W + 1 means that the test can never fail at this H: see :func:`apt_can_fail`.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> apt_cutoff(1, 2**-20, 1024), apt_cutoff(0.01, 2**-30, 512)
    (589, 513)
    """
    if isinstance(window, bool) or not isinstance(window, int) or not 1 <= window <= 1 << 16:
        raise InvalidInputError(f"window={window!r}: expected 1 to 65,536 samples")
    return _apt_cutoff(_entropy(min_entropy), _alpha(alpha), window)


@functools.lru_cache(maxsize=512)
def _apt_cutoff(entropy: Fraction, alpha: Fraction, window: int) -> int:
    """Sum the binomial tail from the top: P(X > c) for c = W - 1, W - 2, ... until it exceeds alpha."""
    if entropy.denominator == 1:
        return _apt_cutoff_exact(int(entropy), alpha, window)
    context = _DIGITS
    # Every step uses `context`: an operator would round to the digits of the caller's context.
    bits = context.multiply(context.ln(Decimal(2)), Decimal(entropy.numerator))
    p = context.exp(context.minus(context.divide(bits, Decimal(entropy.denominator))))
    odds = context.divide(context.subtract(Decimal(1), p), p)
    limit = context.divide(Decimal(alpha.numerator), Decimal(alpha.denominator))
    term = context.power(p, window)
    tail = Decimal(0)
    for c in range(window, 0, -1):  # term = P(X = c), tail = P(X > c)
        tail = context.add(tail, term)
        if tail > limit:
            return 1 + c
        term = context.divide(context.multiply(context.multiply(term, Decimal(c)), odds), Decimal(window - c + 1))
    return 1


def _apt_cutoff_exact(entropy: int, alpha: Fraction, window: int) -> int:
    """Count outcomes in units of 2^(-H W): p = 2^-H is rational, so a tie with alpha is decided exactly."""
    limit = (alpha.numerator << (entropy * window)) // alpha.denominator
    others = (1 << entropy) - 1
    term = 1
    tail = 0
    for c in range(window, 0, -1):
        tail += term
        if tail > limit:
            return 1 + c
        term = term * c * others // (window - c + 1)
    return 1


def _ln(value: Fraction) -> Decimal:
    return _DIGITS.subtract(_DIGITS.ln(Decimal(value.numerator)), _DIGITS.ln(Decimal(value.denominator)))


def apt_window(symbol_bits: int) -> int:
    """Return W of 4.4.2 in samples: 1024 for a binary noise source, 512 for any other."""
    return BINARY_WINDOW if symbol_bits == 1 else WIDE_WINDOW


def apt_can_fail(min_entropy: Real, alpha: Real, window: int) -> bool:
    """Return False if the Adaptive Proportion Test could never fail, because its cutoff exceeds its window.

    Examples
    --------
    >>> apt_can_fail(0.5, 2**-30, 512), apt_can_fail(0.01, 2**-30, 512)
    (True, False)
    """
    return apt_cutoff(min_entropy, alpha, window) <= window


class LagCutoffs(NamedTuple):
    """Cutoffs of the Lag Predictor Test, in correct predictions of one predictor.

    Attributes
    ----------
    run : int
        Correct predictions in a row that fail the test.
    window : int
        Correct predictions in a window of W samples that fail the test.
    span : int
        Correct predictions in a span of :data:`SPAN_WINDOWS` windows that fail the test.
    """

    run: int
    window: int
    span: int


def lag_cutoffs(min_entropy: Real, alpha: Real, window: int, span: int = SPAN_WINDOWS) -> LagCutoffs:
    """Cutoffs of the Lag Predictor Test, which is developer-defined (SP 800-90B 4.5).

    The claim says that each value of a sample has probability at most 2^-H, given all earlier samples. A predictor
    uses only earlier samples. So each of its predictions is correct with probability at most 2^-H, and r correct
    predictions in a row have probability at most 2^(-H r). The number of correct predictions among n samples is
    stochastically at most binomial with n trials and success probability 2^-H. (Let one uniform number decide each
    prediction: it is correct only if that number is below a threshold of at most 2^-H.) Each of the K predictors gets
    alpha / K. By the union bound, the false-alarm probability is at most alpha: for a run that begins at a given
    sample, for a window, and for a span.

    Nothing is assumed about the source beyond the claim: it need not be independent or stationary.

    Parameters
    ----------
    min_entropy, alpha
        As for :func:`rct_cutoff`.
    window : int
        W in samples, 1 to 65,536.
    span : int
        Windows in a span; W times the span is at most 65,536.

    Returns
    -------
    LagCutoffs
        A cutoff above the number of samples can never be reached: see :func:`lag_can_fail`.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> lag_cutoffs(0.5, 2**-30, 512)
    LagCutoffs(run=73, window=428, span=23717)
    """
    for name, value in (("window", window), ("span", span)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 16:
            raise InvalidInputError(f"{name}={value!r}: expected 1 to 65,536")
    if window * span > 1 << 16:
        raise InvalidInputError(f"window={window}, span={span}: expected at most 65,536 samples in a span")
    entropy, each = _entropy(min_entropy), _alpha(alpha) / LAG_PREDICTORS
    return LagCutoffs(
        run=_rct_cutoff(entropy, each) - 1,  # the RCT also counts the first sample of a run, which is not a prediction
        window=_apt_cutoff(entropy, each, window),
        span=_long_cutoff(entropy, each, window * span),
    )


def lag_can_fail(cutoffs: LagCutoffs, window: int, span: int = SPAN_WINDOWS) -> tuple[bool, bool, bool]:
    """Return, for run, window and span, False where the Lag Predictor Test could never fail.

    Examples
    --------
    >>> lag_can_fail(lag_cutoffs(0.01, 2**-30, 512), 512)
    (True, False, True)
    """
    return True, cutoffs.window <= window, cutoffs.span <= window * span


@functools.lru_cache(maxsize=512)
def _long_cutoff(entropy: Fraction, alpha: Fraction, trials: int) -> int:
    """Return the cutoff of :func:`_apt_cutoff`, faster: it omits top terms that together are below 10^-20 alpha.

    Where these terms, or the last digits of a term, could change the cutoff, the complete sum is computed.
    """
    with localcontext(_LONG_DIGITS):
        ln_p = -Decimal(2).ln() * entropy.numerator / entropy.denominator
        p = ln_p.exp()
        odds = (1 - p) / p
        limit = Decimal(alpha.numerator) / alpha.denominator
        slack = limit * Decimal("1e-19")
        top = _negligible_above(float(entropy), float(limit.ln()) - 47, trials)
        ln_ways = _ln_factorial(trials) - _ln_factorial(top) - _ln_factorial(trials - top)
        term = (ln_ways + top * ln_p + (trials - top) * (1 - p).ln()).exp()
        below = Decimal(0)
        for c in range(top, 0, -1):  # term = P(X = c), below = P(c < X <= top)
            tail = below + term
            if tail > limit:
                if tail - limit > slack < limit - below:
                    return 1 + c
                break
            below = tail
            term = term * c * odds / (trials - c + 1)
    return _apt_cutoff(entropy, alpha, trials)


def _ln_factorial(n: int) -> Decimal:
    """Return ln n!: from 256 on by Stirling's series, whose error is less than its first omitted term, 2^-110."""
    if n < 256:
        return Decimal(math.factorial(n)).ln()
    series = sum(
        Decimal(sign) / (part * Decimal(n) ** power) for power, (sign, part) in enumerate(_STIRLING, 1) if sign
    )
    return (_TWO_PI * n).ln() / 2 + n * (Decimal(n).ln() - 1) + series


def _negligible_above(entropy: float, ln_bound: float, trials: int) -> int:
    """Return a c with P(X > c) below exp(ln_bound), by Chernoff: P(X >= c) <= exp(-n KL(c / n || p)) above the mean."""
    p = 2.0**-entropy
    ln_q = math.log(-math.expm1(-entropy * math.log(2)))

    def ln_chernoff(c: int) -> float:
        share = c / trials
        rest = (1 - share) * (math.log1p(-share) - ln_q) if c < trials else 0.0
        return -trials * (share * (math.log(share) + entropy * math.log(2)) + rest)

    low, high = max(1, math.ceil(trials * p)), trials
    while low < high:
        middle = (low + high) // 2
        if ln_chernoff(middle) <= ln_bound:
            high = middle
        else:
            low = middle + 1
    return high
