"""What induced failures showed: by fault, test and tier, of healthy data, and of a pool that had the faulty source."""

from __future__ import annotations

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.health_tests import HealthState

__all__ = ["Evidence", "FaultCampaign", "FaultResult", "HealthyResult", "PoolOutcome"]

_FAILED = {HealthState.FAILED_INTERMITTENT.name, HealthState.FAILED_PERMANENT.name}


@attrs.frozen(kw_only=True)
class FaultResult:
    """What one test did about one fault in one tier.

    Attributes
    ----------
    fault, test, tier : str
    trials, detected : int
        Injections at a random phase, and those that the test reported within the span.
    symbols : int
        Faulty symbols that went through the test.
    interval : tuple of float
        99 % Clopper-Pearson interval of the probability of detection.
    planned : float
        The plan's probability of detection within the span.
    must_detect : bool
        Whether the plan, one window less than the span, leaves 2^-20 or less for a miss.
    passed : bool
        False if a detection that must come did not.
    delay_median, delay_95, delay_max : float or None
        Symbols from the onset to the alarm.
    curve : tuple of (int, float)
        Percent of the detections, and the delay that they do not exceed.
    note : str
        Why the test cannot see the fault.
    """

    fault: str
    test: str
    tier: str
    trials: int
    detected: int
    symbols: int
    interval: tuple[float, float]
    planned: float
    must_detect: bool
    passed: bool
    delay_median: float | None
    delay_95: float | None
    delay_max: float | None
    curve: tuple[tuple[int, float], ...]
    note: str


@attrs.frozen(kw_only=True)
class HealthyResult:
    """Alarms on healthy data; `tested` counts windows for the APT, otherwise symbols; ``lag``: at most `expected`."""

    test: str
    tier: str
    tested: int
    alarms: int
    interval: tuple[float, float]
    expected: float


@attrs.frozen(kw_only=True)
class PoolOutcome(Document):
    """What an entropy pool did about a stuck source.

    Attributes
    ----------
    alone_refused : bool
        A pool with no other credit raised EntropyUnavailableError.
    state : str
        The state of the source afterwards.
    dropped : bool
        No symbol of the failed read is in the ledger of the seed that the healthy source gave.
    seed_from : tuple of str
        Sources in that ledger.
    """

    alone_refused: bool
    state: str
    dropped: bool
    seed_from: tuple[str, ...]

    shown_last = ("passed",)

    @property
    def passed(self) -> bool:
        """Whether the pool did all it must."""
        return self.alone_refused and self.dropped and self.state in _FAILED


@attrs.frozen(kw_only=True)
class Evidence:
    """What one test found of all faults in one tier: faulty symbols injected, and detections."""

    test: str
    tier: str
    symbols: int
    detections: int


@attrs.frozen(kw_only=True)
class FaultCampaign(Document):
    """Result of :func:`induce_failures`: everything about one source; docs/schemas/induced-failures.schema.json."""

    source: str
    min_entropy: float
    symbol_bits: int
    seed: int
    span: int
    trials: int
    healthy: str
    results: tuple[FaultResult, ...]
    false_alarms: tuple[HealthyResult, ...]
    pool: PoolOutcome
    version: str

    shown_first = ("passed",)
    shown_last = ("evidence",)

    @property
    def passed(self) -> bool:
        """Whether everything was found that must be, and the pool dropped the failed source."""
        return self.pool.passed and all(result.passed for result in self.results)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All faults together: for each test and tier the faulty symbols injected, and the detections."""
        rows: dict[tuple[str, str], list[FaultResult]] = {}
        for one in self.results:
            rows.setdefault((one.test, one.tier), []).append(one)
        return tuple(
            Evidence(
                test=test,
                tier=tier,
                symbols=sum(one.symbols for one in found),
                detections=sum(one.detected for one in found),
            )
            for (test, tier), found in rows.items()
        )
