"""Roots and sums behind the estimates, against plain ways to find them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from esoteric_drbg.conformance.entropy.bounds import decreasing_root
from esoteric_drbg.conformance.entropy.estimators import _ExpectedLogarithm


def _halved(f: Callable[[float], float], low: float, high: float) -> float:
    while (middle := (low + high) / 2.0) not in {low, high}:
        low, high = (middle, high) if f(middle) > 0.0 else (low, middle)
    return middle


@pytest.mark.parametrize("root", [1e-12, 1e-3, 0.3, 0.5, 0.999, 1.0 - 1e-12])
@pytest.mark.parametrize("power", [1, 3, 12])
def test_roots_are_those_that_halving_finds(root: float, power: int) -> None:
    calls = 0

    def steep(x: float) -> float:
        nonlocal calls
        calls += 1
        return root**power - x**power if x < 1.0 else -math.inf

    found = decreasing_root(steep, 0.0, 1.0)
    assert calls < 150
    assert found == pytest.approx(_halved(steep, 0.0, 1.0), rel=1e-14, abs=1e-300)


def test_a_jump_is_found() -> None:
    assert decreasing_root(lambda x: 1.0 if x < 0.7 else -1.0, 0.0, 1.0) == pytest.approx(0.7, rel=1e-15)


@pytest.mark.parametrize("blocks", [1003, 1500, 20_000])
@pytest.mark.parametrize("z", [1e-6, 1e-3, 1.0 / 64.0, 0.1, 0.9, 1.0 - 1e-9])
def test_expected_logarithm_is_the_sum_of_the_standard(blocks: int, z: float) -> None:
    """6.3.4 step 7: F(z, t, u) is z^2 (1-z)^(u-1) for u < t and z (1-z)^(t-1) for u = t."""
    repeats, terms = 0.0, []
    for t in range(1, blocks + 1):
        if t > 1000:
            terms.append(z * z * repeats + z * (1.0 - z) ** (t - 1) * math.log2(t))
        repeats += math.log2(t) * (1.0 - z) ** (t - 1)
    expected = math.fsum(terms) / (blocks - 1000)
    assert _ExpectedLogarithm(blocks)(z) == pytest.approx(expected, rel=1e-11)
