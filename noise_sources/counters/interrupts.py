"""Interrupt counters of every CPU, and how long reading them takes."""

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

__all__ = ["InterruptsSource"]

PATHS = ("/proc/interrupts", "/proc/softirqs")


class InterruptsSource(CounterSource[tuple[str, bytes]]):
    """Duration of reading the interrupt counters, in steps of the CPU's counter, plus the counters' growth.

    The sample is the low 8 bits of the sum. ``/proc/interrupts`` and ``/proc/softirqs`` are read in turn.

    See docs/sources/interrupts.md.

    Parameters
    ----------
    durations_only : bool
        Whether the raw values leave the growth out, for assessments.
    """

    info = SourceInfo(
        name="interrupts",
        description="Interrupt counters of every CPU, and how long reading them takes",
        category="system",
        physics=(
            "Devices, timers and other CPUs interrupt when they please; reading their counters takes a time that "
            "depends on the other CPUs' caches and on interrupts that arrive meanwhile."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=2.0e4,
        platforms=("linux",),
        physical=False,
        bounded=True,
    )
    claims: ClassVar[Mapping[str, Claim]] = dict.fromkeys(
        ("rust", "reference"), Claim(min_entropy=0.0, health_min_entropy=1.5)
    )

    def __init__(self, *, durations_only: bool = False) -> None:
        super().__init__(durations_only=durations_only)
        self._next = 0
        self._growth = {path: FileGrowth() for path in PATHS}

    def availability(self) -> Availability:
        """Return whether both files can be read."""
        if fault := timer_fault():
            return Availability(False, fault)
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /proc; this is {sys.platform}")
        missing = [path for path in PATHS if not os.access(path, os.R_OK)]
        return Availability(not missing, f"{' and '.join(missing)} cannot be read" if missing else "")

    def read_counters(self) -> tuple[str, bytes]:
        """Return the path and the content of the next file."""
        self._next = (self._next + 1) % len(PATHS)
        path = PATHS[self._next]
        content = read_file(path)
        if not content:
            raise OSError(0, f"{path} is empty")
        return path, content

    def growth(self, reading: tuple[str, bytes]) -> int:
        """Return the weighted growth of a file's counters since it was last read; 0 the first time."""
        path, text = reading
        return self._growth[path].update(text)
