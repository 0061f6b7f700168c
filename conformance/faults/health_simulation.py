"""Simulated detection of faults by the health tests, with a fixed seed and a 99 % interval."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from esoteric_drbg.conformance.faults.models import Fault, worst_symbols
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.health_tests import AdaptiveProportionTest, LagCutoffs, LagPredictorTest, RepetitionCountTest

__all__ = ["Cutoffs", "Detection", "clopper_pearson", "simulated"]

#: Samples that a simulated test takes at a time.
_PIECE = 1024


@attrs.frozen(kw_only=True)
class Detection:
    """Detection of one fault by one test.

    Attributes
    ----------
    fault, test : str
        The fault's name; ``RCT``, ``APT`` or ``lag``, the developer-defined Lag Predictor Test.
    within : float
        Probability of an alarm within the plan's number of samples after the onset.
    interval : tuple of float or None
        99 % confidence interval of `within` where it was simulated.
    mean_delay : float or None
        Mean number of samples from the onset to the alarm; None if there is never one. If simulated, over detected
        faults only; if exact for ``lag``, an upper bound.
    how : {"exact", "simulated"}
    note : str
        Why the test cannot detect the fault, if it cannot.
    """

    fault: str
    test: str
    within: float
    interval: tuple[float, float] | None
    mean_delay: float | None
    how: str
    note: str


@attrs.frozen
class Cutoffs:
    """Cutoffs of all tests of one tier, for one window length."""

    rct: int
    apt: int
    lag: LagCutoffs
    window: int
    span: int


def clopper_pearson(hits: int, trials: int, confidence: float = 0.99) -> tuple[float, float]:
    """Return the exact confidence interval of a binomial probability.

    Examples
    --------
    >>> low, high = clopper_pearson(0, 100, 0.95)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - slow to import

    if not 0 <= hits <= trials or trials < 1 or not 0 < confidence < 1:
        raise InvalidInputError(f"hits={hits}, trials={trials}, confidence={confidence}: expected hits of trials")
    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return low, high


def _first_failure(test: RepetitionCountTest | AdaptiveProportionTest | LagPredictorTest, symbols: bytes) -> int | None:
    """Return the index of the first sample at which a test fails; later pieces are not tested."""
    for begin in range(0, len(symbols), _PIECE):
        if test.push(symbols[begin : begin + _PIECE]):
            break
    return test.first_failure


def simulated(
    fault: Fault, min_entropy: float, bits: int, plan: Cutoffs, n: int, seed: int, trials: int, names: Sequence[str]
) -> list[Detection]:
    """Return how the named tests detect a fault that begins at a random phase of a window, in `trials` trials."""
    delays: dict[str, list[int]] = {name: [] for name in names}
    rng = np.random.default_rng(seed)
    for _ in range(trials):
        phase = int(rng.integers(plan.window))
        symbols = fault.inject(
            rng, worst_symbols(rng, min_entropy, bits, phase + n), phase, min_entropy, bits
        ).tobytes()
        tests: dict[str, RepetitionCountTest | AdaptiveProportionTest | LagPredictorTest] = {
            "RCT": RepetitionCountTest(plan.rct),
            "lag": LagPredictorTest(plan.lag, plan.window, span=plan.span, symbol_bits=bits),
        }
        if plan.apt <= plan.window:
            tests["APT"] = AdaptiveProportionTest(plan.apt, plan.window)
        for name in names:
            first = _first_failure(tests[name], symbols) if name in tests else None
            if first is not None and first >= phase:
                delays[name].append(first - phase + 1)
    return [
        Detection(
            fault=fault.name,
            test=name,
            within=len(found) / trials,
            interval=clopper_pearson(len(found), trials),
            mean_delay=sum(found) / len(found) if found else None,
            how="simulated",
            note="" if found else f"not seen in {trials} trials",
        )
        for name, found in delays.items()
    ]
