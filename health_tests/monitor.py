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
from esoteric_drbg.health_tests.cutoffs import (
    SPAN_WINDOWS,
    LagCutoffs,
    apt_cutoff,
    apt_window,
    lag_can_fail,
    lag_cutoffs,
    rct_cutoff,
)
from esoteric_drbg.health_tests.lag_predictor import predictor_name
from esoteric_drbg.kernels.health import (
    new_adaptive_proportion_scan,
    new_lag_predictor_scan,
    new_repetition_count_scan,
)

__all__ = ["HealthMonitor", "HealthProfile", "HealthState", "MonitorReport"]

#: Fewest consecutive samples of a start-up test, SP 800-90B 4.3.
MIN_STARTUP_SAMPLES = 1024


class HealthProfile(Frozen):
    """False-alarm rates and lengths of the health tests.

    Attributes
    ----------
    intermittent_alpha, permanent_alpha : float
        False-alarm probability of the two tiers: per sample for the RCT, per window for the APT, and at most, for
        the Lag Predictor Test, per sample, per window and per span.
    startup_samples : int
        Consecutive samples of a start-up test, at least 1,024; they are discarded.
    max_intermittent : int
        Intermittent failures in a row, without a passed continuous test between them, that make a permanent one.
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
    """Where a source stands with its health tests."""

    STARTUP = "waiting for its start-up test"
    HEALTHY = "passed its start-up test and every sample since"
    FAILED_INTERMITTENT = "an intermittent alarm; a fresh start-up test decides"
    FAILED_PERMANENT = "a permanent alarm; retired until an operator resets it"


class MonitorReport(NamedTuple):
    """What a monitor has seen; it holds no symbol.

    Attributes
    ----------
    state : HealthState
        The state now.
    min_entropy : float
        H behind the cutoffs, in bits per sample.
    rct_cutoffs, apt_cutoffs : tuple of int
        Cutoffs of the intermittent and of the permanent tier, in samples.
    apt_window : int
        W, in samples.
    apt_can_fail : tuple of bool
        By tier, False where the APT's cutoff exceeds its window: then that test is not run, and this says so.
    lag_cutoffs : tuple of LagCutoffs
        By tier, cutoffs of the developer-defined Lag Predictor Test: right predictions in a row, in a window of W
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
        Most right predictions of one predictor in a row, in a window, and in a span, since the last (re)start.
    last_alarm : str
        Text of the last alarm, or empty.
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
    last_alarm: str


class HealthMonitor:
    """RCT, APT and the developer-defined Lag Predictor Test in two tiers over one source's symbols.

    Parameters
    ----------
    min_entropy : float
        H of the claim, in bits per sample, above 0 and at most ``symbol_bits``.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.
    profile : HealthProfile
        False-alarm rates and lengths.

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

    def __init__(self, min_entropy: float, symbol_bits: int = 8, *, profile: HealthProfile | None = None) -> None:
        if not (isinstance(symbol_bits, int) and 1 <= symbol_bits <= 8):
            raise InvalidInputError(f"symbol_bits={symbol_bits}: a sample has 1 to 8 bits")
        if not (isinstance(min_entropy, (int, float)) and 0 < min_entropy <= symbol_bits):
            raise InvalidInputError(f"min_entropy={min_entropy}: expected more than 0 and at most {symbol_bits} bits")
        self.profile = profile or HealthProfile()
        self.min_entropy = min_entropy
        self.state = HealthState.STARTUP
        alphas = (self.profile.intermittent_alpha, self.profile.permanent_alpha)
        window = apt_window(symbol_bits)
        rct = (rct_cutoff(min_entropy, alphas[0]), rct_cutoff(min_entropy, alphas[1]))
        apt = (apt_cutoff(min_entropy, alphas[0], window), apt_cutoff(min_entropy, alphas[1], window))
        lag = (lag_cutoffs(min_entropy, alphas[0], window), lag_cutoffs(min_entropy, alphas[1], window))
        self._rct_cutoffs, self._apt_cutoffs, self._lag_cutoffs, self._window = rct, apt, lag, window
        # The scans run at the intermittent cutoffs. The permanent ones are higher, and reached exactly when the
        # longest run or the largest count of the same scans reaches them. The lag predictor's runs can always fail.
        self._rct = new_repetition_count_scan(rct[0])
        self._apt = new_adaptive_proportion_scan(apt[0], window) if apt[0] <= window else None
        self._lag = new_lag_predictor_scan(lag[0], window, SPAN_WINDOWS, symbol_bits)
        self._samples_before = 0
        self._rct_alarms = 0
        self._apt_alarms = 0
        self._lag_alarms = 0
        self._in_a_row = 0
        self._last_alarm = ""

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
            raise HealthTestError(f"failed permanently ({self._last_alarm}); an operator must reset the source")
        self._fresh(symbols)
        self.state = HealthState.STARTUP
        self._scan(symbols)
        self.state = HealthState.HEALTHY

    def test(self, symbols: bytes | bytearray | memoryview) -> None:
        """Run the continuous tests (4.4) on the next samples.

        Raises
        ------
        HealthTestError
            On an alarm, after which the samples must be dropped; or if the source is not HEALTHY.
        """
        if self.state is not HealthState.HEALTHY:
            raise HealthTestError(f"the source is not healthy: {self.state.value}")
        self._scan(symbols)
        if self._in_a_row and len(symbols):  # nothing tested, nothing forgiven
            self._in_a_row = 0

    def on_demand(self, symbols: bytes | bytearray | memoryview) -> None:
        """Run the on-demand test (4.3): a start-up test on a healthy source, with the same consequences."""
        if self.state is not HealthState.HEALTHY:
            raise HealthTestError(f"the source is not healthy: {self.state.value}")
        self._fresh(symbols)
        self._scan(symbols)

    def restart(self) -> None:
        """Go back to STARTUP after an intermittent failure."""
        if self.state is HealthState.FAILED_PERMANENT:
            raise HealthTestError(f"failed permanently ({self._last_alarm}); an operator must reset the source")
        self.state = HealthState.STARTUP

    def reset(self) -> None:
        """Go back to STARTUP from any state: an operator's act. Counts of alarms stay."""
        self.state = HealthState.STARTUP
        self._in_a_row = 0

    def report(self) -> MonitorReport:
        """Return what has been seen."""
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
            last_alarm=self._last_alarm,
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

    def _alarm(self, rct_failures: int, apt_failures: int, lag_failures: int) -> None:
        """Move to a failed state and raise; the text names tests and cutoffs, never a symbol."""
        self._rct_alarms += bool(rct_failures)
        self._apt_alarms += bool(apt_failures)
        self._lag_alarms += bool(lag_failures)
        self._in_a_row += 1
        found: list[tuple[str, bool]] = []
        if rct_failures:
            found.append(self._rct_text())
        if apt_failures:
            found.append(self._apt_text())
        if lag_failures:
            found += self._lag_texts()
        texts = [text for text, _ in found]
        permanent = any(reached for _, reached in found)
        if not permanent and self._in_a_row >= self.profile.max_intermittent:
            permanent = True
            texts.append(f"{self._in_a_row} intermittent failures in a row")
        self.state = HealthState.FAILED_PERMANENT if permanent else HealthState.FAILED_INTERMITTENT
        self._last_alarm = ("permanent" if permanent else "intermittent") + " failure: " + "; ".join(texts)
        raise HealthTestError(self._last_alarm)

    def _rct_text(self) -> tuple[str, bool]:
        longest = self._rct.longest_run
        return _text(f"Repetition Count Test: run of {longest}", self._rct_cutoffs, longest, self._rct.first_failure)

    def _apt_text(self) -> tuple[str, bool]:
        apt = self._apt
        count, first = (0, -1) if apt is None else (apt.max_count, apt.first_failure)
        return _text(f"Adaptive Proportion Test: {count} of {self._window}", self._apt_cutoffs, count, first)

    def _lag_texts(self) -> list[tuple[str, bool]]:
        """Return a text for each of run, window and span that failed since the start of the stream."""
        scan = self._lag
        where = ("in a row", f"of {self._window}", f"of {self._window * SPAN_WINDOWS}")
        found = []
        for what, count, first, predictor, *cutoffs in zip(
            where, scan.highest, scan.first_failures, scan.first_predictors, *self._lag_cutoffs, strict=True
        ):
            if first >= 0:
                name = f"Lag Predictor Test (developer-defined): {count} right {what}"
                found.append(_text(name, (cutoffs[0], cutoffs[1]), count, first, f" by {predictor_name(predictor)}"))
        return found


def _text(name: str, cutoffs: tuple[int, int], reached: int, sample: int, by: str = "") -> tuple[str, bool]:
    """Return what an alarm says of one test, and whether it reached its permanent cutoff."""
    permanent = reached >= cutoffs[1]
    text = f"{name}, cutoff {cutoffs[0]} first reached{by} at sample {sample}"
    return text + (f", permanent cutoff {cutoffs[1]} reached" if permanent else ""), permanent
