"""Audit plans: what is recorded of a source, how long that takes, and which sources are audited if none is named."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import attrs

from esoteric_drbg.conformance.recording.recorder import restart_seconds
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError, SourceReadError
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.noise_sources.guard import guarded

__all__ = [
    "COMPLETE_LIMIT_S",
    "FULL_RESTARTS",
    "FULL_SAMPLES",
    "QUICK_LIMIT_S",
    "RESTART_SAMPLES",
    "AuditPlan",
    "Selection",
    "duration",
    "is_opt_in",
    "measured_rate",
    "select_sources",
]

#: Samples and restarts that SP 800-90B 3.1.1 and 3.1.4.1 require.
FULL_SAMPLES = 1_000_000
FULL_RESTARTS = 1000
RESTART_SAMPLES = 1000
#: Size of a quick audit: seconds of the sequential recording, number of restarts, and seconds of the restarts.
_QUICK_SECONDS = 4.0
_QUICK_RESTARTS = 100
_QUICK_RESTART_S = 9.0
#: Seconds that a restart takes in addition to reading its samples, unless measured: a fresh process.
PROCESS_S = 0.1
_FEWEST = 10_000
#: Seconds of recording beyond which a source is left out unless it is named: by a quick audit, and by a complete one.
QUICK_LIMIT_S = 40.0
COMPLETE_LIMIT_S = 4 * 3600.0
#: Seconds spent on measuring a source's rate, and seconds after which a source without output counts as hanging.
_PROBE_S = 0.15
_PROBE_DEADLINE_S = 3.0


@attrs.frozen(kw_only=True)
class AuditPlan:
    """What is recorded of a source: consecutive samples, and restarts of :data:`RESTART_SAMPLES` samples."""

    samples: int = FULL_SAMPLES
    restarts: int = FULL_RESTARTS
    jobs: int = 1

    def __attrs_post_init__(self) -> None:
        if self.samples < _FEWEST or self.restarts < 2 or self.jobs < 1:
            raise InvalidInputError(
                f"samples={self.samples}, restarts={self.restarts}, jobs={self.jobs}: an audit takes at least "
                f"{_FEWEST} samples, 2 restarts and 1 job"
            )

    @classmethod
    def quick(cls, rate: float, process_s: float = PROCESS_S) -> AuditPlan:
        """Return a plan of under 20 s for sources that are fast enough.

        Parameters
        ----------
        rate : float
            Raw samples per second.
        process_s : float
            Seconds that a restart takes in addition to reading its samples.
        """
        each = process_s + RESTART_SAMPLES / rate
        return cls(
            samples=int(min(FULL_SAMPLES, max(_FEWEST, _QUICK_SECONDS * rate))),
            restarts=int(min(_QUICK_RESTARTS, max(2, _QUICK_RESTART_S / each))),
        )

    def seconds(self, rate: float, process_s: float = PROCESS_S) -> float:
        """Return the seconds that the recordings take at `rate` raw samples per second, without the estimators."""
        return self.samples / rate + self.restarts * (process_s + RESTART_SAMPLES / rate) / self.jobs

    @property
    def left_out(self) -> tuple[str, ...]:
        """What SP 800-90B requires and this plan does not do."""
        missing = []
        if self.samples < FULL_SAMPLES:
            missing.append(f"only {self.samples:,} of {FULL_SAMPLES:,} consecutive samples (3.1.1)")
        if self.restarts < FULL_RESTARTS:
            missing.append(f"only {self.restarts:,} of {FULL_RESTARTS:,} restarts (3.1.4.1)")
        return tuple(missing)


@attrs.frozen(kw_only=True)
class Selection:
    """The sources to audit, and those left out.

    Attributes
    ----------
    chosen : tuple of (NoiseSource, AuditPlan, float)
        Each source with its plan and the seconds that recording it takes.
    left_out : dict of str to str
        The reason for each other source, by name.
    """

    chosen: tuple[tuple[NoiseSource, AuditPlan, float], ...]
    left_out: dict[str, str]


def is_opt_in(source: NoiseSource) -> bool:
    """Return whether a source is read only if it is named, because it uses a network or a sensor."""
    return guarded(source).opt_in


def duration(seconds: float) -> str:
    """Return a duration as text, in seconds, minutes or hours.

    Examples
    --------
    >>> duration(42), duration(600), duration(1.1e5)
    ('42 s', '10 min', '31 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.0f} h"


def measured_rate(source: NoiseSource, deadline_s: float = _PROBE_DEADLINE_S) -> float:
    """Return the raw samples per second of a source, measured by reads of a fraction of a second.

    Parameters
    ----------
    source : NoiseSource
    deadline_s : float
        Seconds after which a source that has given fewer than two samples counts as hanging.

    Raises
    ------
    SourceError
        If the source cannot be read, or hangs.
    """
    source = guarded(source)
    box: list[float | EsotericDRBGError] = []
    cancelled = threading.Event()

    def run() -> None:
        try:
            size, spent = 1, 0.0
            source.read_exactly(1)  # set-up time is not part of the rate
            while not cancelled.is_set():
                began = time.perf_counter()
                source.read_exactly(size)
                spent = time.perf_counter() - began
                if spent >= _PROBE_S or size >= 1 << 20:
                    break
                size *= 2 if spent > _PROBE_S / 16 else 8
            box.append(size / max(spent, 1e-9))
        except EsotericDRBGError as error:
            box.append(error)

    worker = threading.Thread(target=run, name=f"esoteric_drbg rate of {source.name}", daemon=True)
    worker.start()
    worker.join(deadline_s)
    cancelled.set()
    if not box:
        raise SourceReadError(f"{source.name}: gave no two symbols within {deadline_s:g} s")
    outcome = box[0]
    if isinstance(outcome, EsotericDRBGError):
        raise outcome
    return outcome


def select_sources(sources: Iterable[NoiseSource], *, named: bool, quick: bool = False) -> Selection:
    """Choose the sources that can be audited in reasonable time, and say why the others cannot.

    Parameters
    ----------
    sources : iterable of NoiseSource
        The installed sources, or those that were named.
    named : bool
        Whether they were named: opt-in and slow sources are then chosen, too.
    quick : bool
        Whether each source gets a quick plan instead of a complete one.
    """
    chosen: list[tuple[NoiseSource, AuditPlan, float]] = []
    left_out: dict[str, str] = {}
    for source in registry.guarded_all(sources):
        available, reason = source.availability()
        if not available:
            left_out[source.name] = f"not available here: {reason}"
            continue
        if is_opt_in(source) and not named:
            left_out[source.name] = "opt-in: audited only if it is named"
            continue
        try:
            rate = measured_rate(source, 10 * _PROBE_DEADLINE_S if named else _PROBE_DEADLINE_S)
            process_s = min(restart_seconds(source) for _ in range(2))  # the first one may find cold caches
        except EsotericDRBGError as error:
            left_out[source.name] = f"could not be read: {error}"
            continue
        plan = AuditPlan.quick(rate, process_s) if quick else AuditPlan()
        seconds = plan.seconds(rate, process_s)
        if not named and seconds > (QUICK_LIMIT_S if quick else COMPLETE_LIMIT_S):
            left_out[source.name] = (
                f"too slow: at {rate:,.3g} symbols/s {'even a quick' if quick else 'an'} audit takes about "
                f"{duration(seconds)}; audited if it is named"
            )
            continue
        chosen.append((source, plan, seconds))
    if not named:
        chosen.sort(key=lambda one: one[2])  # the fast ones answer first
    return Selection(chosen=tuple(chosen), left_out=left_out)
