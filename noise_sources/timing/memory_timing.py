"""Memory timing: how long dependent accesses to a private buffer take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import EPYC_25, EPYC_26, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["MemoryTimingSource"]


class MemoryTimingSource(TimedSource):
    """Ticks of the CPU's counter for three dependent read-modify-writes in a 1 MiB buffer.

    See docs/sources/memory_timing.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(MemoryTimingSource().read_raw(100))
    100
    """

    info = SourceInfo(
        name="memory_timing",
        description="Latency of dependent accesses to caches and memory",
        category="memory",
        physics=(
            "Cache misses, TLB walks, DRAM refresh and bank conflicts fall on accesses in a pattern that depends on "
            "all other traffic, and the counter samples them with the phase noise of its own clock."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=3.5e7,
        bounded=True,
    )
    kind = "memory"
    buffer_bytes = 1 << 20
    touches = 3
    adaptable = True
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(
            min_entropy=0.25,
            evidence=recorded(0.507, on=EPYC_26, cache=True),
            further_evidence=(recorded(1.055, on=EPYC_25, cache=True, date="2026-11-25"),),
        ),
        "reference": Claim(min_entropy=1.0, evidence=recorded(2.249, on=EPYC_26, kernels="reference", cache=True)),
    }
