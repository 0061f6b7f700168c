"""The health-test state machine of one source: start-up, continuous and on-demand tests in two tiers (4.2 to 4.4).

::

    STARTUP ──start_up passes──► HEALTHY ──alarm──► FAILED_INTERMITTENT ──restart──► STARTUP
       └────────alarm────────────────────────────────►│
                                                       └─ permanent alarm, or too many in a row ─► FAILED_PERMANENT
    FAILED_PERMANENT ──reset (an operator)──► STARTUP
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from esoteric_drbg.errors import HealthTestError, InvalidInputError
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.health_tests.alarm import APT, LAG, RCT, Alarm, Finding
from esoteric_drbg.health_tests.continuous import AdaptiveProportionTest, RepetitionCountTest
from esoteric_drbg.health_tests.cutoffs import (
    LagCutoffs,
    apt_cutoff,
    apt_window,
    lag_can_fail,
    lag_cutoffs,
    rct_cutoff,
)
from esoteric_drbg.health_tests.lag_predictor import LagPredictorTest

__all__ = ["HealthMonitor", "HealthProfile", "HealthState", "MonitorReport"]

#: Fewest consecutive samples of a start-up test, SP 800-90B 4.3.
MIN_STARTUP_SAMPLES = 1024


class HealthProfile(Frozen):
    """False-alarm rates and lengths of the health tests.

    Attributes
    ----------
    intermittent_alpha, permanent_alpha : float
        False-alarm probability of the two tiers: per sample for the RCT, per window for the APT. For the Lag
        Predictor Test it is an upper bound per sample, per window and per span.
    startup_samples : int
        Consecutive samples of a start-up test, at least 1,024; they are discarded.
    max_intermittent : int
        Intermittent failures in a row, with no passed continuous test between them, that count as a permanent failure.
    """

    intermittent_alpha: float = 2.0**-30
    permanent_alpha: float = 2.0**-60
    startup_samples: int = MIN_STARTUP_SAMPLES
    max_intermittent: int = 3

    def _check(self) -> None:
        if not 0 < self.permanent_alpha <= self.intermittent_alpha < 1:
            raise InvalidInputError(
                f"permanent_alpha={self.permanent_alpha}, intermittent_alpha={self.intermittent_alpha}: "
                "expected 0 < permanent_alpha <= intermittent_alpha < 1"
            )
        if self.startup_samples < MIN_STARTUP_SAMPLES:
            raise InvalidInputError(
                f"startup_samples={self.startup_samples}: SP 800-90B 4.3 asks for at least {MIN_STARTUP_SAMPLES}"
            )
        if self.max_intermittent < 1:
            raise InvalidInputError(f"max_intermittent={self.max_intermittent}: expected 1 or more")


class HealthState(enum.Enum):
    """Health-test state of a source."""

    STARTUP = "waiting for its start-up test"
    HEALTHY = "passed its start-up test and every sample since"
    FAILED_INTERMITTENT = "an intermittent alarm; a fresh start-up test decides"
    FAILED_PERMANENT = "a permanent alarm; retired until an operator resets it"


class MonitorReport(NamedTuple):
    """State, cutoffs and counts of a monitor; it contains no raw data.

    Attributes
    ----------
    state : HealthState
        Current state.
    min_entropy : float
        H from which the cutoffs are computed, in bits per sample.
    rct_cutoffs, apt_cutoffs : tuple of int
        Cutoffs of the intermittent and of the permanent tier, in samples.
    apt_window : int
        W, in samples.
    apt_can_fail : tuple of bool
        By tier, False where the APT's cutoff exceeds its window, so that the APT cannot fail.
    lag_cutoffs : tuple of LagCutoffs
        By tier, cutoffs of the developer-defined Lag Predictor Test: correct predictions in a row, in a window of W
        samples, and in a span of 64 windows.
    lag_can_fail : tuple of tuple of bool
        By tier, for run, window and span, False where the cutoff exceeds the number of samples.
    samples : int
        Samples tested since construction.
    rct_alarms, apt_alarms, lag_alarms : int
        Alarms since construction.
    longest_run, max_count : int
        Longest run and largest window count since the last (re)start.
    lag_highest : tuple of int
        Most correct predictions of one predictor in a row, in a window, and in a span, since the last (re)start.
    alarm : Alarm or None
        The last alarm.
    """

    state: HealthState
    min_entropy: float
    rct_cutoffs: tuple[int, int]
    apt_cutoffs: tuple[int, int]
    apt_window: int
    apt_can_fail: tuple[bool, bool]
    lag_cutoffs: tuple[LagCutoffs, LagCutoffs]
    lag_can_fail: tuple[tuple[bool, bool, bool], tuple[bool, bool, bool]]
    samples: int
    rct_alarms: int
    apt_alarms: int
    lag_alarms: int
    longest_run: int
    max_count: int
    lag_highest: tuple[int, int, int]
    alarm: Alarm | None

    @property
    def last_alarm(self) -> str:
        """The last alarm in words; empty if there was none."""
        return "" if self.alarm is None else self.alarm.text


class HealthMonitor:
    """RCT, APT and the developer-defined Lag Predictor Test, in two tiers, on the samples of one source.

    Parameters
    ----------
    min_entropy : float
        H of the claim, in bits per sample, above 0 and at most ``symbol_bits``.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.
    profile : HealthProfile
        False-alarm rates and lengths.
    source : str
        Name of the source, for the alarms.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> monitor = HealthMonitor(4.0, 8)
    >>> monitor.start_up(bytes(i * i * i % 251 for i in range(1024)))
    >>> monitor.test(b"more symbols")
    >>> monitor.state.name
    'HEALTHY'
    """

    def __init__(
        self, min_entropy: float, symbol_bits: int = 8, *, profile: HealthProfile | None = None, source: str = ""
    ) -> None:
        if not (isinstance(symbol_bits, int) and 1 <= symbol_bits <= 8):
            raise InvalidInputError(f"symbol_bits={symbol_bits}: a sample has 1 to 8 bits")
        if not (isinstance(min_entropy, (int, float)) and 0 < min_entropy <= symbol_bits):
            raise InvalidInputError(f"min_entropy={min_entropy}: expected more than 0 and at most {symbol_bits} bits")
        self.profile = profile or HealthProfile()
        self.source = source
        self.min_entropy = min_entropy
        self.state = HealthState.STARTUP
        alphas = (self.profile.intermittent_alpha, self.profile.permanent_alpha)
        window = apt_window(symbol_bits)
        rct = (rct_cutoff(min_entropy, alphas[0]), rct_cutoff(min_entropy, alphas[1]))
        apt = (apt_cutoff(min_entropy, alphas[0], window), apt_cutoff(min_entropy, alphas[1], window))
        lag = (lag_cutoffs(min_entropy, alphas[0], window), lag_cutoffs(min_entropy, alphas[1], window))
        self._rct_cutoffs, self._apt_cutoffs, self._lag_cutoffs, self._window = rct, apt, lag, window
        # The tests run with the intermittent cutoffs. The permanent cutoffs are no lower: the longest run or the
        # largest count of the same tests shows whether one was reached. The Lag Predictor Test always runs, because
        # its run cutoff can always be reached.
        self._rct = RepetitionCountTest(rct[0])
        self._apt = AdaptiveProportionTest(apt[0], window) if apt[0] <= window else None
        self._lag = LagPredictorTest(lag[0], window, symbol_bits=symbol_bits)
        self._samples_before = 0
        self._rct_alarms = 0
        self._apt_alarms = 0
        self._lag_alarms = 0
        self._in_a_row = 0
        self._last_alarm: Alarm | None = None

    def start_up(self, symbols: bytes | bytearray | memoryview) -> None:
        """Run the start-up test (4.3) on consecutive samples, which the caller then discards.

        Raises
        ------
        InvalidInputError
            If there are fewer than the profile's ``startup_samples``.
        HealthTestError
            On an alarm, or if the source has failed permanently.
        """
        if self.state is HealthState.FAILED_PERMANENT:
            raise self._failed_permanently()
        self._fresh(symbols)
        self.state = HealthState.STARTUP
        self._scan(symbols)
        self.state = HealthState.HEALTHY

    def test(self, symbols: bytes | bytearray | memoryview) -> None:
        """Run the continuous tests (4.4) on the next samples.

        Raises
        ------
        HealthTestError
            On an alarm, after which the caller must discard the samples; or if the source is not HEALTHY.
        """
        if self.state is not HealthState.HEALTHY:
            raise HealthTestError(f"the source is not healthy: {self.state.value}", source=self.source)
        self._scan(symbols)
        if self._in_a_row and len(symbols):  # a test of no samples does not end a series of failures
            self._in_a_row = 0

    def on_demand(self, symbols: bytes | bytearray | memoryview) -> None:
        """Run the on-demand test (4.3): a start-up test on a healthy source, with the same consequences."""
        if self.state is not HealthState.HEALTHY:
            raise HealthTestError(f"the source is not healthy: {self.state.value}", source=self.source)
        self._fresh(symbols)
        self._scan(symbols)

    def restart(self) -> None:
        """Go back to STARTUP after an intermittent failure."""
        if self.state is HealthState.FAILED_PERMANENT:
            raise self._failed_permanently()
        self.state = HealthState.STARTUP

    def reset(self) -> None:
        """Go back to STARTUP from any state, when an operator decides so. The counts of alarms are kept."""
        self.state = HealthState.STARTUP
        self._in_a_row = 0

    def report(self) -> MonitorReport:
        """Return the state, the cutoffs and the counts."""
        window = self._window
        return MonitorReport(
            state=self.state,
            min_entropy=self.min_entropy,
            rct_cutoffs=self._rct_cutoffs,
            apt_cutoffs=self._apt_cutoffs,
            apt_window=window,
            apt_can_fail=(self._apt_cutoffs[0] <= window, self._apt_cutoffs[1] <= window),
            lag_cutoffs=self._lag_cutoffs,
            lag_can_fail=(lag_can_fail(self._lag_cutoffs[0], window), lag_can_fail(self._lag_cutoffs[1], window)),
            samples=self._samples_before + self._rct.samples,
            rct_alarms=self._rct_alarms,
            apt_alarms=self._apt_alarms,
            lag_alarms=self._lag_alarms,
            longest_run=self._rct.longest_run,
            max_count=self._apt.max_count if self._apt is not None else 0,
            lag_highest=self._lag.highest,
            alarm=self._last_alarm,
        )

    def _fresh(self, symbols: bytes | bytearray | memoryview) -> None:
        """Check the length of a start-up or on-demand test and forget the stream before it."""
        if len(symbols) < self.profile.startup_samples:
            raise InvalidInputError(
                f"{len(symbols)} samples: a start-up or on-demand test takes {self.profile.startup_samples} or more"
            )
        self._samples_before += self._rct.samples
        self._rct.reset()
        self._lag.reset()
        if self._apt is not None:
            self._apt.reset()

    def _scan(self, symbols: bytes | bytearray | memoryview) -> None:
        rct_failures = self._rct.push(symbols)
        apt_failures = self._apt.push(symbols) if self._apt is not None else 0
        lag_failures = self._lag.push(symbols)
        if rct_failures or apt_failures or lag_failures:
            self._alarm(rct_failures, apt_failures, lag_failures)

    def _failed_permanently(self) -> HealthTestError:
        words = "" if self._last_alarm is None else self._last_alarm.text
        return HealthTestError(
            f"failed permanently ({words}); an operator must reset the source",
            source=self.source,
            alarm=self._last_alarm,
        )

    def _alarm(self, rct_failures: int, apt_failures: int, lag_failures: int) -> None:
        """Move to a failed state and raise; the alarm names tests and cutoffs, never a symbol."""
        self._rct_alarms += bool(rct_failures)
        self._apt_alarms += bool(apt_failures)
        self._lag_alarms += bool(lag_failures)
        self._in_a_row += 1
        findings: list[Finding] = []
        if rct_failures:
            findings.append(self._rct_finding())
        if apt_failures and self._apt is not None:
            findings.append(self._apt_finding(self._apt))
        if lag_failures:
            findings += self._lag_findings()
        permanent = any(finding.tier == "permanent" for finding in findings)
        too_often = not permanent and self._in_a_row >= self.profile.max_intermittent
        permanent = permanent or too_often
        self.state = HealthState.FAILED_PERMANENT if permanent else HealthState.FAILED_INTERMITTENT
        alarm = self._last_alarm = Alarm(
            source=self.source,
            tier=_tier(permanent),
            findings=tuple(findings),
            in_a_row=self._in_a_row if too_often else 0,
        )
        raise HealthTestError(alarm.text, source=self.source, alarm=alarm)

    def _rct_finding(self) -> Finding:
        return _finding(RCT, self._rct_cutoffs, self._rct.longest_run, self._rct.first_failure)

    def _apt_finding(self, apt: AdaptiveProportionTest) -> Finding:
        return _finding(APT, self._apt_cutoffs, apt.max_count, apt.first_failure, window=apt.window)

    def _lag_findings(self) -> list[Finding]:
        """Return a finding for each of run, window and span that failed since the start of the stream."""
        test = self._lag
        windows = (None, test.window, test.window * test.span)
        found = zip(test.highest, test.first_failures, test.first_predictors, windows, *self._lag_cutoffs, strict=True)
        return [
            _finding(LAG, (low, high), count, first, window=window, predictor=predictor)
            for count, first, predictor, window, low, high in found
            if first is not None
        ]


def _tier(permanent: bool) -> str:
    return "permanent" if permanent else "intermittent"


def _finding(
    test: str,
    cutoffs: tuple[int, int],
    reached: int,
    first: int | None,
    *,
    window: int | None = None,
    predictor: str | None = None,
) -> Finding:
    return Finding(
        test=test,
        tier=_tier(reached >= cutoffs[1]),
        cutoff=cutoffs[0],
        permanent_cutoff=cutoffs[1],
        sample_index=-1 if first is None else first,
        reached=reached,
        window=window,
        predictor=predictor or "",
    )
