"""Clock jitter: how long several reads of the monotonic clock take, in ticks of the CPU's counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import EPYC_25, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["ClockJitterSource"]


class ClockJitterSource(TimedSource):
    """Ticks of the CPU's counter for 32 successive reads of the monotonic clock, on Linux through the kernel.

    See docs/sources/clock_jitter.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(ClockJitterSource().read_raw(100))
    100
    """

    info = SourceInfo(
        name="clock_jitter",
        description="Phase noise between perf_counter and monotonic clocks",
        category="timing",
        physics=(
            "Core clock and counter run from different phase-locked loops; their relative phase wanders with thermal "
            "noise, and pipeline, caches and entry to the kernel decide on which side of a counter edge each read "
            "falls."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.0e5,
        bounded=True,
    )
    kind = "clock"
    touches = 32
    adaptable = True
    warm_up = 256
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=0.4, evidence=recorded(0.982, on=EPYC_25, date="2026-11-25")),
        "reference": Claim(min_entropy=0.0, health_min_entropy=0.3),
    }
