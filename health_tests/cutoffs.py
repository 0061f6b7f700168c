"""Exact cutoffs of the two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2.

All arithmetic is rational where the answer is, and decimal with 120 digits where it is not: a double's rounding moves
cutoffs by one near a tie, and cannot express 1 - alpha for alpha below 2^-53 at all.
"""

from __future__ import annotations

import functools
import math
from decimal import Context, Decimal
from fractions import Fraction

from esoteric_drbg.errors import InvalidInputError

__all__ = ["BINARY_WINDOW", "WIDE_WINDOW", "Real", "apt_can_fail", "apt_cutoff", "apt_window", "rct_cutoff"]

#: What an entropy or a false-alarm rate may be given as.
Real = float | int | str | Decimal | Fraction

#: Window of the Adaptive Proportion Test for binary symbols, and for wider ones (4.4.2), in samples.
BINARY_WINDOW = 1024
WIDE_WINDOW = 512

#: Exponents reach far below 2^(-H W) for every H and W that is accepted: a term must not underflow to 0.
_DIGITS = Context(prec=120, Emin=-(10**9), Emax=10**9)


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
    bits = _ln(1 / alpha) / _DIGITS.ln(Decimal(2))
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
    p = context.exp(context.divide(-_DIGITS.ln(Decimal(2)) * entropy.numerator, Decimal(entropy.denominator)))
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
