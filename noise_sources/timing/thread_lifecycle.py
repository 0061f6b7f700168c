"""Thread life cycle: how long it takes to create a thread and to see it end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["ThreadLifecycleSource"]


class ThreadLifecycleSource(TimedSource):
    """Ticks of the CPU's counter to create a thread that does nothing and to join it.

    See docs/sources/thread_lifecycle.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(ThreadLifecycleSource().read_raw(10))
    10
    """

    info = SourceInfo(
        name="thread_lifecycle",
        description="Time to create a thread and to join it",
        category="timing",
        physics=(
            "The scheduler places the thread on a core, an interrupt may have to wake that core from idling, and two "
            "cores hand over the end; each step depends on everything else the machine does."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=2.0e4,
        bounded=True,
    )
    kind = "thread"
    warm_up = 16
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=0.0, health_min_entropy=2.0),
        "reference": Claim(min_entropy=0.0, health_min_entropy=2.0),
    }
