"""Corners of the exact cutoffs: number types, exponents far below a double's, and how they grow."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esoteric_drbg.health_tests import HealthMonitor, apt_cutoff, rct_cutoff


class OwnRepr(float):
    """A float whose repr is not its number, as numpy.float64's."""

    def __repr__(self) -> str:
        return f"OwnRepr({float(self)})"


def test_subclasses_of_float_mean_their_shortest_decimal_form_too() -> None:
    assert rct_cutoff(OwnRepr(0.3), 2**-30) == rct_cutoff(0.3, 2**-30) == 101
    assert apt_cutoff(OwnRepr(0.3), OwnRepr(2**-30), 512) == apt_cutoff("0.3", 2**-30, 512)
    assert HealthMonitor(OwnRepr(0.3), 8).report().rct_cutoffs == (101, 201)


def test_numpy_scalars() -> None:
    numpy = pytest.importorskip("numpy")
    assert rct_cutoff(numpy.float64(0.3), numpy.float64(2**-30)) == 101


def test_a_tail_far_below_any_exponent_is_no_zero() -> None:
    # P(X > 0) = 65536 p is above alpha, P(X > 1) is not: c = 1. The first term is near 10^-1,250,000.
    assert apt_cutoff(63.5, Fraction(1, 2**60), 65536) == 2


@given(st.integers(1, 799), st.integers(10, 70), st.sampled_from([64, 512]))
@settings(max_examples=60, deadline=None)
def test_cutoffs_fall_with_entropy_and_grow_as_alpha_shrinks(hundredths: int, alpha_log2: int, window: int) -> None:
    entropy, more = Fraction(hundredths, 100), Fraction(hundredths + 1, 100)
    alpha, smaller = Fraction(1, 2**alpha_log2), Fraction(1, 2 ** (alpha_log2 + 1))
    for cutoff in (rct_cutoff, lambda h, a: apt_cutoff(h, a, window)):
        assert cutoff(more, alpha) <= cutoff(entropy, alpha) <= cutoff(entropy, smaller)
    assert apt_cutoff(entropy, alpha, window) <= window + 1
