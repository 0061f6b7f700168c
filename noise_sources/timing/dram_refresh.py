"""DRAM refresh: how long loads of lines that are in no cache take."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["DramRefreshSource"]

#: Machines, as ``platform.machine()`` names them, whose user code can flush a cache line.
FLUSHING = frozenset({"x86_64", "AMD64"})


class DramRefreshSource(TimedSource):
    """Ticks of the CPU's counter for two dependent loads of cache lines that were flushed when they were loaded last.

    If no line can be flushed (other CPUs, reference kernels), the loads walk through 32 MiB instead, and most lines are
    evicted before they are loaded again.

    See docs/sources/dram_refresh.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(DramRefreshSource().read_raw(100))
    100
    """

    info = SourceInfo(
        name="dram_refresh",
        description="Latency of loads that no cache answers",
        category="memory",
        physics=(
            "DRAM refreshes its rows every few microseconds, opens and closes rows, and queues all requests; where in "
            "that schedule a load falls is decided by clocks that the core does not share."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=5.0e6,
        bounded=True,
    )
    kind = "flush"
    buffer_bytes = 1 << 20
    touches = 2
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=0.0, health_min_entropy=0.5),
        "reference": Claim(min_entropy=0.0, health_min_entropy=0.5),
    }

    def __init__(self) -> None:
        super().__init__()
        if platform.machine() not in FLUSHING:
            # Evictions are other noise than flushes and were not measured: no credit.
            self.info = self.info.replace(claim=Claim(min_entropy=0.0, health_min_entropy=self.claim.cutoff_entropy))
