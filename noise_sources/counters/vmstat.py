"""Virtual memory counters: faults, allocations and page movements, and how long reading them takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.counters.counter_files import FileGrowth, read_file
from esoteric_drbg.noise_sources.counters.counter_source import CounterSource
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER, timer_fault

__all__ = ["VmstatSource"]

PATH = "/proc/vmstat"


class VmstatSource(CounterSource[bytes]):
    """Duration of reading the virtual memory counters, in steps of the CPU's counter, plus the counters' growth.

    The sample is the low 8 bits of the sum. Linux: ``/proc/vmstat``; macOS: ``host_statistics64``.

    See docs/sources/vmstat.md.

    Parameters
    ----------
    durations_only : bool
        Whether the raw values leave the growth out, for assessments.
    """

    info = SourceInfo(
        name="vmstat",
        description="Virtual memory counters, and how long reading them takes",
        category="system",
        physics=(
            "Page faults, allocations and reclaim move the counters; adding them up over all CPUs takes a time that "
            "depends on where their cache lines are."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=2.0e4,
        platforms=("linux", "darwin"),
        physical=False,
        bounded=True,
    )
    claims: ClassVar[Mapping[str, Claim]] = dict.fromkeys(
        ("rust", "reference"), Claim(min_entropy=0.0, health_min_entropy=1.5)
    )

    def __init__(self, *, durations_only: bool = False) -> None:
        super().__init__(durations_only=durations_only)
        self._growth = FileGrowth()

    def availability(self) -> Availability:
        """Return whether the counters can be read."""
        if fault := timer_fault():
            return Availability(False, fault)
        if sys.platform == "darwin":
            from esoteric_drbg.noise_sources.libsystem import libsystem_fault  # noqa: PLC0415 - ctypes, macOS only

            fault = libsystem_fault("host_statistics64", "mach_host_self")
            return Availability(not fault, fault)
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /proc and macOS's Mach calls; this is {sys.platform}")
        if not os.access(PATH, os.R_OK):
            return Availability(False, f"{PATH} cannot be read")
        return Availability(True)

    def read_counters(self) -> bytes:
        """Return the counters as the kernel gives them."""
        if sys.platform == "darwin":
            from esoteric_drbg.noise_sources.counters.darwin import host_vm_info  # noqa: PLC0415 - macOS only

            return host_vm_info()
        content = read_file(PATH)
        if not content:
            raise OSError(0, f"{PATH} is empty")
        return content

    def growth(self, reading: bytes) -> int:
        """Return the weighted growth of the counters; 0 the first time."""
        if sys.platform == "darwin":
            from esoteric_drbg.noise_sources.counters.darwin import vm_statistics  # noqa: PLC0415 - macOS only

            reading = b"\n".join(b"%s %d" % (key.encode(), value) for key, value in vm_statistics(reading).items())
        return self._growth.update(reading)
