"""Counter beat: how far another core counts while the counter of this core advances by a fixed number of ticks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

if TYPE_CHECKING:
    from array import array

__all__ = ["CounterBeatSource"]


class CounterBeatSource(TimedSource):
    """Increments of a count in shared memory, as fast as a second core makes them, per 250 ticks of the CPU's counter.

    The counting thread lives for one read: between reads no core is kept busy.

    See docs/sources/counter_beat.md for physics, evidence and failure modes.
    """

    info = SourceInfo(
        name="counter_beat",
        description="Beat of one core's count against the CPU's counter",
        category="timing",
        physics=(
            "A second core counts by its own clock; when a count becomes visible is up to coherence traffic between "
            "the caches, and both meet the counter with the phase noise of theirs."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=3.0e6,
        bounded=True,
    )
    kind = "beat"
    touches = 250
    warm_up = 256
    claims: ClassVar[Mapping[str, Claim]] = {"rust": Claim(min_entropy=0.0, health_min_entropy=0.5)}

    def availability(self) -> Availability:
        """Return whether there is a second core and the kernels can use it."""
        if kernel_info().name != "rust":
            return Availability(
                False, "needs the Rust kernels: Python's interpreter lock lets one thread run at a time"
            )
        processors = _processors()
        if processors < 2:
            return Availability(False, f"{processors} processor is usable here: no second core can count")
        return super().availability()

    def digitize(self, wide: array[int]) -> bytes:
        """Return each number of increments mod 256."""
        return bytes(count & 0xFF for count in wide)


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
