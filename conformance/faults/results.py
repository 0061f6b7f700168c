"""Results of induced failures: by fault, test and tier, on healthy data, and in a pool that had the faulty source."""

from __future__ import annotations

import attrs

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.health_tests import HealthState

__all__ = ["Evidence", "FaultCampaign", "FaultResult", "HealthyResult", "PoolOutcome"]

_FAILED = {HealthState.FAILED_INTERMITTENT.name, HealthState.FAILED_PERMANENT.name}


@attrs.frozen(kw_only=True)
class FaultResult:
    """Detection of one fault by one test in one tier.

    Attributes
    ----------
    fault, test, tier : str
    trials, detected : int
        Number of injections at a random phase, and of those that the test detected within the span.
    symbols : int
        Number of faulty samples tested.
    interval : tuple of float
        99 % Clopper-Pearson interval of the probability of detection.
    planned : float
        The plan's probability of detection within the span.
    must_detect : bool
        Whether the planned probability of a miss, in one window less than the span, is 2^-20 or less.
    passed : bool
        False if the fault must be detected and a trial missed it.
    delay_median, delay_95, delay_max : float or None
        Samples from the onset to the alarm.
    curve : tuple of (int, float)
        Percentage of the detections, and the delay that they do not exceed.
    note : str
        Why the test cannot detect the fault.
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
    """Alarms on healthy data; `tested` counts windows (APT) or samples; `expected` is a bound for ``lag``."""

    test: str
    tier: str
    tested: int
    alarms: int
    interval: tuple[float, float]
    expected: float


@attrs.frozen(kw_only=True)
class PoolOutcome(Document):
    """How an entropy pool responded to a stuck source.

    Attributes
    ----------
    alone_refused : bool
        Whether a pool with no other credit raised EntropyUnavailableError.
    state : str
        The state of the source afterwards.
    dropped : bool
        Whether the ledger of the healthy source's seed has no sample of the failed read.
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
        """Whether the pool responded as it must."""
        return self.alone_refused and self.dropped and self.state in _FAILED


@attrs.frozen(kw_only=True)
class Evidence:
    """What one test detected of all faults in one tier: faulty samples injected, and detections."""

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
        """Whether every fault was detected that must be, and the pool dropped the failed source."""
        return self.pool.passed and all(result.passed for result in self.results)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All faults together: for each test and tier the faulty samples injected, and the detections."""
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
