"""Many tests at once: how many false alarms to expect, and a verdict on the whole family.

Perfect data fail some test now and then. Each IID test of SP 800-90B section 5 has a false-alarm rate of its own; this
module adds them up and asks whether a family of results shows more failures than that explains.
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

#: Significance of a family verdict.
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

    Any dependence between the tests is allowed. Rejecting those at or below a level keeps the chance of one false
    rejection in the family at that level.

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
    """Return how often perfect IID data fail at least one test of section 5: if tests were independent, and at most.

    The rank of the samples among m permutations is uniform on m + 1 places, and a statistic fails on the first and
    last few of them; the two chi-square tests and the longest repeat fail with probability 0.001 each. The tests
    depend on each other and some statistics have ties, so the true rate is below the second figure, which holds
    always.

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
    """What a family of data sets says together.

    Attributes
    ----------
    results, failures : int
        Data sets with a verdict, and those that failed a test.
    rate : float
        Most that one perfect data set fails, as a probability.
    expected_false_alarms : float
        Most failures that perfect data would show on average.
    p_value : float
        Probability of so many failures or more, at `rate`, from independent perfect data sets.
    alpha : float
        Below which `passed` is False.
    passed : bool
        Whether chance explains the failures. It takes no failure of a single data set back.
    what : str
        What the results are of, in the plural.
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
        Significance of the verdict.

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
