"""Mach timing: how long reading macOS's absolute time takes, in its own ticks."""

from __future__ import annotations

import itertools
import math
import sys
from array import array
from typing import Any

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.one_at_a_time import OneByOneSource
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER

__all__ = ["MachTimingSource"]

#: Number of reads that give the common factor of the deltas, as for the CPU's counter.
STEP_READS = 2048
#: Calls between the two readings of a delta: on Apple silicon a tick is 41.7 ns, as long as several calls.
CALLS = 16


class MachTimingSource(OneByOneSource):
    """Ticks of ``mach_absolute_time`` for sixteen calls of it.

    The delta is divided by the common factor of all deltas; the low 8 bits of the quotient are the sample.

    See docs/sources/mach_timing.md.

    Parameters
    ----------
    library : optional
        The library with ``mach_absolute_time``, for tests; by default the process's own system library.
    """

    info = SourceInfo(
        name="mach_timing",
        description="Jitter of macOS's mach_absolute_time",
        category="timing",
        physics=(
            "The counter behind it and the cores run from different clocks whose relative phase wanders with thermal "
            "noise; caches and interrupts change how long the calls take."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.0e5,
        platforms=("darwin",),
        claim=Claim(min_entropy=0.0, health_min_entropy=0.15),
    )

    def __init__(self, library: Any = None) -> None:
        self._given = library
        self._now: Any = None
        self._step = 0

    def availability(self) -> Availability:
        """Return whether this is macOS."""
        if self._given is not None:
            return Availability(True)
        if sys.platform == "darwin":
            from esoteric_drbg.noise_sources.libsystem import libsystem_fault  # noqa: PLC0415 - ctypes, macOS only

            fault = libsystem_fault("mach_absolute_time")
            return Availability(not fault, fault)
        return Availability(False, f"mach_absolute_time is macOS's; this is {sys.platform}")

    def open(self) -> None:
        """Find the function, and the common factor of its deltas, once."""
        if self._step:
            return
        from esoteric_drbg.noise_sources.libsystem import declare, libsystem  # noqa: PLC0415 - ctypes, macOS only

        library = libsystem() if self._given is None else declare(self._given)
        self._now = library.mach_absolute_time
        reads = [self._now() for _ in range(STEP_READS)]
        self._step = math.gcd(*(later - earlier for earlier, later in itertools.pairwise(reads)))
        if not self._step:
            raise SourceReadError(f"{self.name}: mach_absolute_time stands still")

    def measure(self) -> int:
        """Return the duration of the calls, in ticks."""
        now = self._now
        before: int = now()
        for _ in range(CALLS - 1):
            now()
        after: int = now()
        return after - before & (1 << 64) - 1

    def digitize(self, wide: array[int]) -> bytes:
        """Return (delta / common factor) mod 256 of each delta."""
        step = self._step or 1
        return bytes(ticks // step & 0xFF for ticks in wide)
