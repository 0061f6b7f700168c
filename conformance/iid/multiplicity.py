"""Many tests at once: how many false alarms to expect, and a verdict on the whole family.

Perfect data fail a test at times. Each IID test of SP 800-90B section 5 has its false-alarm rate. This module adds the
rates up and decides whether a family of results has more failures than they explain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.iid.chi_square import FAILS_BELOW
from esoteric_drbg.conformance.iid.permutation import PERMUTATIONS, fail_limit
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.iid import STATISTICS

__all__ = ["FamilyVerdict", "bonferroni", "family_verdict", "holm", "iid_family_rate"]

#: Significance level of a family verdict.
FAMILY_ALPHA = 0.01


def bonferroni(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted by Bonferroni: times their number, at most 1.

    Examples
    --------
    >>> bonferroni([0.01, 0.5])
    (0.02, 1.0)
    """
    _check(p_values)
    return tuple(min(1.0, p * len(p_values)) for p in p_values)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted by Holm's step-down method, in the order given.

    Any dependence between the tests is allowed. Rejecting those at or below a level keeps the probability of any false
    rejection in the family at or below that level.

    Examples
    --------
    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    _check(p_values)
    adjusted = [1.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return tuple(adjusted)


def _check(p_values: Sequence[float]) -> None:
    if not all(0 <= p <= 1 for p in p_values):
        raise InvalidInputError("p_values: expected numbers from 0 to 1")


def iid_family_rate(permutations: int = PERMUTATIONS) -> tuple[float, float]:
    """Return the probability that perfect IID data fail a test of section 5: for independent tests, and at most.

    The rank of the samples among m permutations is uniform on m + 1 places, and a statistic fails on the first and last
    few of them. The two chi-square tests and the longest repeated substring test fail with probability 0.001 each. The
    tests depend on each other and some statistics have ties, so the true rate is below the second figure, which always
    holds.

    Parameters
    ----------
    permutations : int
        m, 100 or more.

    Examples
    --------
    >>> [round(rate, 4) for rate in iid_family_rate()]
    [0.0255, 0.0258]
    """
    if permutations < 100:
        raise InvalidInputError(f"permutations={permutations}: expected 100 or more")
    one = 2 * (fail_limit(permutations) + 1) / (permutations + 1)
    missed = len(STATISTICS) * math.log1p(-one) + 3 * math.log1p(-FAILS_BELOW)
    return -math.expm1(missed), min(1.0, len(STATISTICS) * one + 3 * FAILS_BELOW)


@attrs.frozen(kw_only=True)
class FamilyVerdict(Document):
    """The verdict on a family of data sets together.

    Attributes
    ----------
    results, failures : int
        Number of data sets with a verdict, and of those that failed a test.
    rate : float
        Upper bound of the probability that one perfect data set fails.
    expected_false_alarms : float
        Upper bound of the mean number of failures of perfect data.
    p_value : float
        Probability of this many failures or more, at `rate`, for independent perfect data sets.
    alpha : float
        Significance level: `passed` is False if `p_value` is below it.
    passed : bool
        Whether chance explains the failures. The failure of a single data set still counts.
    what : str
        What was tested, in the plural.
    """

    results: int
    failures: int
    rate: float
    expected_false_alarms: float
    p_value: float
    alpha: float
    passed: bool
    what: str = "data sets"

    shown_last = ("family_verdict",)

    @property
    def text(self) -> str:
        """The verdict in one sentence."""
        return (
            f"{self.failures} of {self.results} {self.what} failed, at most {self.expected_false_alarms:.2f} false "
            f"alarms expected: {'chance explains this' if self.passed else 'more than chance explains'} "
            f"(p = {self.p_value:.3g})"
        )

    @property
    def family_verdict(self) -> str:
        """The same sentence, by its name in the document."""
        return self.text


def family_verdict(
    failures: int, results: int, *, rate: float | None = None, alpha: float = FAMILY_ALPHA
) -> FamilyVerdict:
    """Return whether chance explains `failures` of `results` data sets.

    Parameters
    ----------
    failures, results : int
    rate : float, optional
        False-alarm rate of one data set; the upper figure of :func:`iid_family_rate` if None.
    alpha : float
        Significance level of the verdict.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> family_verdict(1, 20).passed, family_verdict(5, 20).passed
    (True, False)
    """
    from scipy.special import betainc  # noqa: PLC0415 - slow to import

    rate = iid_family_rate()[1] if rate is None else rate
    if not 0 <= failures <= results or not 0 < rate <= 1 or not 0 < alpha < 1:
        raise InvalidInputError(f"failures={failures}, results={results}, rate={rate}, alpha={alpha}: out of range")
    p_value = float(betainc(failures, results - failures + 1, rate)) if failures else 1.0
    return FamilyVerdict(
        results=results,
        failures=failures,
        rate=rate,
        expected_false_alarms=results * rate,
        p_value=p_value,
        alpha=alpha,
        passed=p_value >= alpha,
    )
