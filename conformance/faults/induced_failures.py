"""Induced failures: faults injected behind the objects that seeding uses, and how soon the health tests detect them.

A faulty source is an ordinary noise source: its samples go through :class:`~esoteric_drbg.seeding.slot.SourceSlot` and
its monitor, and at the end through an :class:`~esoteric_drbg.EntropyPool`. To test the permanent tier alone, both tiers
of the profile get its false-alarm rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from esoteric_drbg.conformance.faults.health_plan import clopper_pearson, plan_health
from esoteric_drbg.conformance.faults.models import FAULTS, Fault, Symbols, worst_symbols
from esoteric_drbg.conformance.faults.results import FaultCampaign, FaultResult, HealthyResult, PoolOutcome
from esoteric_drbg.errors import EntropyUnavailableError, InvalidInputError
from esoteric_drbg.health_tests import HealthProfile, apt_window
from esoteric_drbg.health_tests.alarm import APT, LAG, RCT
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, SourceInfo
from esoteric_drbg.progress import Progress, silent
from esoteric_drbg.seeding.pool import EntropyPool
from esoteric_drbg.seeding.slot import SourceSlot
from esoteric_drbg.version import __version__

__all__ = ["FaultySource", "induce_failures"]

#: Samples after an onset in every trial.
SPAN = 16_384
#: A fault must be detected if its planned probability of detection is more than 1 minus this.
SURE = 2.0**-20
_PERCENTS = (5, 25, 50, 75, 95, 100)
_TESTS = (RCT, APT, LAG)


class FaultySource(NoiseSource):
    """Noise source that returns prepared samples in order: healthy ones, then faulty ones.

    Raises
    ------
    InvalidInputError
        From :meth:`read_raw`, when all samples have been read.
    """

    def __init__(self, symbols: bytes, claim: Claim, name: str = "faulty") -> None:
        self.info = SourceInfo(
            name=name,
            description="Recorded or simulated symbols with a fault",
            category="system",
            physics="none: the symbols are prepared",
            physical=False,
            independence_group=name,
            estimated_rate=1e6,
            symbol_bits=claim.symbol_bits,
            claim=claim,
            bounded=True,
        )
        self._symbols = symbols
        self.position = 0

    def availability(self) -> Availability:
        """Return that it can be read."""
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next prepared samples."""
        if self.position + n_samples > len(self._symbols):
            raise InvalidInputError(f"{self.name}: all {len(self._symbols)} prepared symbols were read")
        self.position += n_samples
        return self._symbols[self.position - n_samples : self.position]


def induce_failures(
    source: str = "simulated",
    *,
    min_entropy: float = 0.5,
    symbol_bits: int = 8,
    recorded: bytes | None = None,
    faults: Sequence[Fault] = FAULTS,
    trials: int = 64,
    span: int = SPAN,
    profile: HealthProfile | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> FaultCampaign:
    """Inject faults at random phases and report how the health tests of SP 800-90B 4.4 detected them.

    Parameters
    ----------
    source : str
        A name for the report.
    min_entropy : float
        H of the claim, bits per sample; the cutoffs follow from it.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.
    recorded : bytes, optional
        Healthy samples, cut at random places; simulated IID samples of exactly `min_entropy` if None.
    faults : sequence of Fault
    trials, span : int
        Injections of every fault in each tier, and faulty samples of each injection. 64 times 16,384 are 10^6.
    profile : HealthProfile, optional
        The profile whose two false-alarm rates are tested.
    seed : int
        The same seed gives the same report.
    progress : callable, optional
        ``progress(done, total, name)``; Ctrl-C between trials ends the work.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range, or there is too little recorded data.

    Examples
    --------
    >>> campaign = induce_failures(faults=FAULTS[:1], trials=5)
    >>> campaign.passed, campaign.results[0].detected, campaign.results[0].delay_median >= 60
    (True, 5, True)
    """
    base = profile or HealthProfile()
    window = apt_window(symbol_bits)
    if trials < 1 or span < 4 * window:
        raise InvalidInputError(f"trials={trials}, span={span}: at least 1, and at least {4 * window} symbols")
    length = base.startup_samples + 2 * window + span
    if recorded is not None and len(recorded) < length:
        raise InvalidInputError(f"{source}: {len(recorded)} recorded symbols, a trial takes {length}")
    bench = _Bench(min_entropy, symbol_bits, base, window, span, recorded)
    report = progress or silent
    tiers = {"intermittent": base.intermittent_alpha, "permanent": base.permanent_alpha}
    total = len(tiers) * (len(faults) + 1) * trials
    done = 0
    results: list[FaultResult] = []
    alarms: list[HealthyResult] = []
    for tier, alpha in tiers.items():
        plan = plan_health(
            min_entropy,
            alpha,
            symbol_bits=symbol_bits,
            within=span - window,
            faults=faults,
            seed=seed,
            trials=min(200, 4 * trials),
        )
        planned = {(one.fault, one.test): one for one in plan.detections}
        for number, fault in enumerate((None, *faults)):
            rng = np.random.default_rng([seed, number, tier == "permanent"])
            delays: dict[str, list[int]] = {test: [] for test in _TESTS}
            symbols = 0
            for _ in range(trials):
                pushed, seen = bench.trial(rng, fault, alpha)
                symbols += pushed
                for test, delay in seen.items():
                    delays[test].append(delay)
                done += 1
                report(done, total, f"{tier}: {fault.name if fault else 'healthy data'}")
            for test, found in delays.items():
                if fault is not None:
                    one = planned.get((fault.name, test))
                    must = one is not None and one.how == "exact" and one.within > 1 - SURE
                    note = "" if one is None else one.note
                    results.append(
                        _result(fault, test, tier, found, trials, span, one.within if one else 0.0, must, note)
                    )
                    continue
                tested = max(1, symbols // window if test == "APT" else symbols)
                chance = {"RCT": plan.rct_false_alarm, "APT": plan.apt_false_alarm, "lag": plan.lag_false_alarm}[test]
                alarms.append(
                    HealthyResult(
                        test=test,
                        tier=tier,
                        tested=tested,
                        alarms=len(found),
                        interval=clopper_pearson(len(found), tested),
                        expected=chance * tested,
                    )
                )
    return FaultCampaign(
        source=source,
        min_entropy=min_entropy,
        symbol_bits=symbol_bits,
        seed=seed,
        span=span,
        trials=trials,
        healthy="simulated i.i.d." if recorded is None else f"{len(recorded)} recorded symbols",
        results=tuple(results),
        false_alarms=tuple(alarms),
        pool=bench.pool_outcome(np.random.default_rng([seed, 10_000])),
        version=__version__,
    )


def _result(
    fault: Fault,
    test: str,
    tier: str,
    delays: list[int],
    trials: int,
    span: int,
    planned: float,
    must: bool,
    note: str,
) -> FaultResult:
    curve = [(percent, float(np.percentile(delays, percent))) for percent in _PERCENTS] if delays else []
    at = dict(curve)
    return FaultResult(
        fault=fault.name,
        test=test,
        tier=tier,
        trials=trials,
        detected=len(delays),
        symbols=trials * span,
        interval=clopper_pearson(len(delays), trials),
        planned=planned,
        must_detect=must,
        passed=not must or len(delays) == trials,
        delay_median=at.get(50),
        delay_95=at.get(95),
        delay_max=at.get(100),
        curve=tuple(curve),
        note=note,
    )


class _Bench:
    """Runs trials: healthy samples, a slot, and the sample at which its alarm says that the cutoff was reached."""

    def __init__(
        self, min_entropy: float, bits: int, profile: HealthProfile, window: int, span: int, recorded: bytes | None
    ) -> None:
        self._min_entropy, self._bits, self._window, self._span = min_entropy, bits, window, span
        self._profile = profile
        self._recorded = None if recorded is None else np.frombuffer(recorded, dtype=np.uint8)
        self._claim = Claim.by_operator(min_entropy, certificate="induced failures", symbol_bits=bits)

    def _healthy(self, rng: np.random.Generator, n: int) -> Symbols:
        if self._recorded is None:
            return worst_symbols(rng, self._min_entropy, self._bits, n)
        begin = int(rng.integers(self._recorded.size - n + 1)) if n <= self._recorded.size else 0
        return np.resize(self._recorded[begin:], n)

    def trial(self, rng: np.random.Generator, fault: Fault | None, alpha: float) -> tuple[int, dict[str, int]]:
        """Return the number of samples tested, and the delay from onset to alarm by test; healthy data have onset 0."""
        before = self._profile.startup_samples + self._window + int(rng.integers(self._window))
        symbols = self._healthy(rng, before + self._span)
        onset = 0 if fault is None else before
        if fault is not None:
            symbols = fault.inject(rng, symbols, before, self._min_entropy, self._bits)
        source = FaultySource(symbols.tobytes(), self._claim)
        profile = self._profile.replace(intermittent_alpha=alpha, permanent_alpha=alpha, max_intermittent=1)
        slot = SourceSlot(source, self._claim, health_profile=profile, deadline_s=60.0)
        if slot.start() and slot.read_tested(before - profile.startup_samples) is not None:
            slot.read_tested(self._span)
        report = slot.monitor.report()
        findings = () if report.alarm is None else report.alarm.findings
        delays = {}
        for test in _TESTS:
            first = min((finding.sample_index for finding in findings if finding.test == test), default=-1)
            if first >= onset:
                delays[test] = first - onset + 1
        return report.samples, delays

    def pool_outcome(self, rng: np.random.Generator) -> PoolOutcome:
        """Return how a pool responds to a source that becomes stuck, alone and beside a healthy one."""
        startup = self._profile.startup_samples
        need = 64 * int(320 / self._min_entropy + 1)
        prefix = self._healthy(rng, startup).tobytes()
        stuck = prefix + bytes(need + 8 * startup)
        alone = EntropyPool([FaultySource(stuck, self._claim)], health_profile=self._profile)
        try:
            alone.get_entropy(256)
            refused = False
        except EntropyUnavailableError:
            refused = alone.last_ledger is not None and not alone.last_ledger.entries
        state = str(alone.health_report()["sources"][0]["state"])
        good = FaultySource(self._healthy(rng, 4 * startup + need).tobytes(), self._claim, "healthy")
        both = EntropyPool([FaultySource(stuck, self._claim), good], health_profile=self._profile)
        _, ledger = both.seed_material(256)
        names = tuple(entry.source for entry in ledger.entries)
        return PoolOutcome(alone_refused=refused, state=state, dropped="faulty" not in names, seed_from=names)
