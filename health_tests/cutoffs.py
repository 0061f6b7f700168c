"""Exact cutoffs of the two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2, and of the lag predictor.

All arithmetic is rational where the answer is, and decimal with 120 digits where it is not: a double's rounding moves
cutoffs by one near a tie, and cannot express 1 - alpha for alpha below 2^-53 at all.
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

#: What an entropy or a false-alarm rate may be given as.
Real = float | int | str | Decimal | Fraction

#: Window of the Adaptive Proportion Test for binary symbols, and for wider ones (4.4.2), in samples.
BINARY_WINDOW = 1024
WIDE_WINDOW = 512

#: Windows that make one span of the Lag Predictor Test: 32,768 samples, or 65,536 binary ones.
SPAN_WINDOWS = 64

#: Exponents reach far below 2^(-H W) for every H and W that is accepted: a term must not underflow to 0.
_DIGITS = Context(prec=120, Emin=-(10**9), Emax=10**9)
#: For sums over a span, whose decisions are checked against what the digits and the omitted terms could change.
_LONG_DIGITS = Context(prec=50, Emin=-(10**9), Emax=10**9)
_TWO_PI = Decimal("6.2831853071795864769252867665590057683943387987502")
#: Of ln n!, by the power of 1/n: numerator and denominator.
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
    """Read H. A float is taken by its shortest decimal form: 0.3 means 3/10, not the double just below it."""
    try:
        # float.__repr__ by name: numpy.float64 is a float too, and its own repr is no number.
        value = Fraction(float.__repr__(min_entropy) if isinstance(min_entropy, float) else min_entropy)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise InvalidInputError(f"min_entropy={min_entropy!r}: expected a number of bits per sample") from None
    if not 0 < value <= 64:
        raise InvalidInputError(f"min_entropy={min_entropy!r}: expected more than 0 and at most 64 bits per sample")
    return value


def _alpha(alpha: Real) -> Fraction:
    """Read alpha. A float is taken at its exact binary value, which 2**-30 and its like hit."""
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
    # log2 of a rational that is no power of 2 is irrational: no tie is possible, and 120 digits decide.
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
        W in samples, 1 to 65,536: 1024 for binary symbols, 512 for wider ones.

    Returns
    -------
    int
        C, in samples. C = W + 1 says that the test can never fail at this H: see :func:`apt_can_fail`.

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
    # Each step through the context: an operator would round to the digits of the caller's.
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
    """p = 2^-H is rational: count outcomes in units of 2^(-H W), so that a tie with alpha is decided exactly."""
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
    """Return W of 4.4.2 in samples: 1024 for binary symbols, 512 for wider ones."""
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
    """Cutoffs of the Lag Predictor Test, in right predictions of one predictor.

    Attributes
    ----------
    run : int
        So many in a row fail.
    window : int
        So many in a window of W samples fail.
    span : int
        So many in a span of :data:`SPAN_WINDOWS` windows fail.
    """

    run: int
    window: int
    span: int


def lag_cutoffs(min_entropy: Real, alpha: Real, window: int, span: int = SPAN_WINDOWS) -> LagCutoffs:
    """Cutoffs of the Lag Predictor Test, which is developer-defined (SP 800-90B 4.5).

    The claim says that no value of a sample is likelier than 2^-H, whatever came before. A predictor that uses only
    what came before is therefore right with probability at most 2^-H in each sample, given all earlier samples; so r
    right ones in a row have probability at most 2^(-H r), and the number of right ones among n samples is
    stochastically at most binomial with n trials and success probability 2^-H (let each be decided by one uniform
    number: right only if it is below a threshold of at most 2^-H). With K predictors, each gets alpha / K, and the
    union bound leaves at most alpha: for a run that begins at a given sample, for a window, and for a span.

    Nothing is assumed about the source beyond the claim: neither independence nor that it is stationary.

    Parameters
    ----------
    min_entropy, alpha
        As for :func:`rct_cutoff`.
    window : int
        W in samples, 1 to 65,536.
    span : int
        Windows in a span; W times this is at most 65,536.

    Returns
    -------
    LagCutoffs
        A cutoff above its number of samples can never be reached: see :func:`lag_can_fail`.

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
        run=_rct_cutoff(entropy, each) - 1,  # the RCT counts the sample that a run begins with, which nobody predicted
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
    """Return what :func:`_apt_cutoff` does, sooner: it leaves out top terms that together are below 10^-20 alpha.

    Where so little could decide, or the last digits of a term, the complete sum does.
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
