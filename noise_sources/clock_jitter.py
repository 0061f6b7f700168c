"""Clock jitter: how long reading the monotonic clock takes, in ticks of the CPU's counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.timed import TimedSource

__all__ = ["ClockJitterSource"]


class ClockJitterSource(TimedSource):
    """Ticks of the CPU's counter from one read of the monotonic clock to the next.

    See docs/sources/clock_jitter.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(ClockJitterSource().read_raw(100))
    100
    """

    name = "clock_jitter"
    description = "Phase noise between perf_counter and monotonic clocks"
    physics = (
        "Core clock and counter run from different phase-locked loops; their relative phase wanders with thermal "
        "noise, and pipeline state decides on which side of a counter edge each read falls."
    )
    estimated_rate = 8.0e4
    kind = "clock"
    touches = 512
    warm_up = 64
    # Measured, and too low for the Adaptive Proportion Test to guard: no claim. See the page.
    claims: ClassVar[Mapping[str, Claim]] = dict.fromkeys(
        ("rust", "reference"), Claim(min_entropy=0.0, health_min_entropy=0.15)
    )
