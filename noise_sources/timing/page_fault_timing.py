"""Page-fault timing: how long the kernel takes to map a fresh page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["PageFaultTimingSource"]


class PageFaultTimingSource(TimedSource):
    """Ticks of the CPU's counter for the first touch of a page of a private anonymous mapping.

    When all pages of the mapping were touched, they are returned to the kernel, so that the next touches fault again.

    See docs/sources/page_fault_timing.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(PageFaultTimingSource().read_raw(100))
    100
    """

    info = SourceInfo(
        name="page_fault_timing",
        description="Time the kernel takes to bring a fresh page",
        category="memory",
        physics=(
            "Exception entry, page-table walks, free lists that all processes share, clearing a page in any cache or "
            "none, and the hypervisor's own tables each take a time that depends on all other traffic."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=5.0e5,
        platforms=("linux", "darwin"),
        bounded=True,
    )
    kind = "pages"
    buffer_bytes = 1 << 20
    touches = 1
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=0.0, health_min_entropy=0.5),
        "reference": Claim(min_entropy=0.0, health_min_entropy=0.5),
    }

    def availability(self) -> Availability:
        """Return whether this system maps and unmaps pages as Unix does."""
        if sys.platform not in self.platforms:
            return Availability(False, f"written for Unix's mmap and madvise; this is {sys.platform}")
        return super().availability()
