"""Kernel counters of every kind: the sysctl tree on macOS, /proc and /sys on Linux."""

from __future__ import annotations

import math
import os
import sys
import time
from array import array
from collections.abc import Mapping
from typing import ClassVar, Protocol

from esoteric_drbg.errors import InvalidInputError, SourceReadError
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.counters.counter_files import CounterFile, FileGrowth, read_file, readable_files
from esoteric_drbg.noise_sources.counters.counter_source import CounterSource
from esoteric_drbg.noise_sources.evidence import EPYC_25, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER, timer_fault

__all__ = ["CounterReading", "LinuxCounters", "SysctlSource"]

#: Seconds between two rounds of a discovery, in which timers and other processes can run.
PAUSE_S = 0.005

#: The part of the counters that was read, and its unchanged content.
CounterReading = tuple[str, bytes]


class Counters(Protocol):
    """The interface that the source needs from a platform's counters."""

    def parts(self) -> int:
        """Return the number of parts of the counters."""

    def snapshot(self, part: int) -> dict[str, int]:
        """Return the counters of a part by key; none if it cannot be read."""

    def read_next(self) -> CounterReading:
        """Return the next reading, with the name of its part."""

    def growth(self, reading: CounterReading) -> int:
        """Return the growth of a reading's counters since they were last read."""


class SysctlSource(CounterSource[CounterReading]):
    """Duration of reading the next file of kernel counters, in steps of the CPU's counter, plus the counters' growth.

    The sample is the low 8 bits of the sum. Linux: the files of /proc and /sys in turn; macOS: sysctl values, eight at
    a time. However many keys fluctuate, this is one source: the claim is for the min-entropy of the sum.

    See docs/sources/sysctl_counters.md.

    Parameters
    ----------
    durations_only : bool
        Whether the raw values leave the growth out, for assessments.

    Examples
    --------
    >>> source = SysctlSource()
    >>> keys = source.discover_fluctuating_keys(0.05)  # doctest: +SKIP
    >>> sorted(source.categorize_keys(keys))  # doctest: +SKIP
    ['hw', 'kern', 'net', 'proc', 'vfs', 'vm']
    """

    info = SourceInfo(
        name="sysctl_counters",
        description="Kernel counters of every kind, and how long reading them takes",
        category="system",
        physics=(
            "Faults, interrupts, packets and context switches move hundreds of counters; collecting them from all "
            "CPUs takes a time that depends on cache contents, locks and interruptions."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=2.0e4,
        platforms=("linux", "darwin"),
        physical=False,
        bounded=True,
    )
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=2.5, evidence=recorded(6.638, on=EPYC_25, date="2026-11-25")),
        "reference": Claim(min_entropy=0.0, health_min_entropy=2.0),
    }

    def __init__(self, *, durations_only: bool = False) -> None:
        super().__init__(durations_only=durations_only)
        self._counters: Counters | None = None
        self._fluctuating: list[str] | None = None

    def availability(self) -> Availability:
        """Return whether there are counters that this process may read."""
        if fault := timer_fault():
            return Availability(False, fault)
        if sys.platform == "darwin":
            from esoteric_drbg.noise_sources.libsystem import libsystem_fault  # noqa: PLC0415 - ctypes, macOS only

            fault = libsystem_fault("sysctl", "sysctlbyname")
            return Availability(not fault, fault)
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /proc and macOS's sysctl; this is {sys.platform}")
        if not any(os.access(file, os.R_OK) for file in ("/proc/vmstat", "/proc/stat")):
            return Availability(False, "neither /proc/vmstat nor /proc/stat can be read")
        return Availability(True)

    def discover_fluctuating_keys(self, seconds: float = 0.2) -> list[str]:
        """Return the keys whose values change while they are watched, sorted.

        Parameters
        ----------
        seconds : float
            How long to watch, above 0. The first look at all keys takes at most half of it; with thousands of processes
            or hundreds of CPUs it does not reach all keys.

        Returns
        -------
        list of str
            Keys such as ``vm.vmstat.pgfault`` or ``hw.interrupts.LOC.cpu0``.

        Raises
        ------
        InvalidInputError
            If ``seconds`` is no positive number.
        SourceUnavailableError
            If there are no counters to watch.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            raise InvalidInputError(f"seconds={seconds}: expected a positive number")
        self.require_available()
        until = time.monotonic() + seconds
        counters = self._platform()
        first: dict[int, dict[str, int]] = {}
        for part in range(counters.parts()):
            first[part] = counters.snapshot(part)
            if time.monotonic() >= until - seconds / 2:  # the rest of the time is for a second look
                break
        fluctuating: set[str] = set()
        while time.monotonic() < until:
            for part, before in first.items():
                now = counters.snapshot(part)
                fluctuating.update(key for key, value in now.items() if before.get(key, value) != value)
                if time.monotonic() >= until:
                    break
            time.sleep(max(0.0, min(PAUSE_S, until - time.monotonic())))
        self._fluctuating = sorted(fluctuating)
        return list(self._fluctuating)

    def categorize_keys(self, keys: list[str] | None = None) -> dict[str, list[str]]:
        """Return keys by category, which is the part before their first dot: ``vm``, ``net``, ``kern``, ``hw``, ...

        Parameters
        ----------
        keys : list of str, optional
            The keys to sort; by default those discovered last, or now if there was no discovery.

        Examples
        --------
        >>> SysctlSource().categorize_keys(["vm.vmstat.pgfault", "net.snmp.Ip.InReceives", "vm.vmstat.pgfree"])
        {'net': ['net.snmp.Ip.InReceives'], 'vm': ['vm.vmstat.pgfault', 'vm.vmstat.pgfree']}
        """
        if keys is None:
            keys = self.discover_fluctuating_keys() if self._fluctuating is None else self._fluctuating
        categories: dict[str, list[str]] = {}
        for key in sorted(keys):
            categories.setdefault(key.partition(".")[0], []).append(key)
        return dict(sorted(categories.items()))

    def read_counters(self) -> CounterReading:
        """Return the next file's content, or the next few sysctl values."""
        return self._platform().read_next()

    def growth(self, reading: CounterReading) -> int:
        """Return the weighted growth of the counters in a reading; 0 the first time."""
        return self._platform().growth(reading)

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next raw values at full width; fewer if ``deadline_s`` passes between two of them."""
        self.require_available()
        self._platform()  # the files are found before the first reading is timed
        return super().read_wide(n_samples, deadline_s=deadline_s)

    def close(self) -> None:
        """Forget which counters exist; the next read looks for them again."""
        self._counters = None

    def _platform(self) -> Counters:
        if self._counters is None:
            if sys.platform == "darwin":
                from esoteric_drbg.noise_sources.counters.darwin import DarwinCounters  # noqa: PLC0415 - macOS only

                self._counters = DarwinCounters()
            else:
                self._counters = LinuxCounters(readable_files())
        return self._counters


class LinuxCounters:
    """The counter files of a Linux machine, one part each.

    Parameters
    ----------
    files : list of CounterFile
        Those that could be read when they were looked for.
    """

    def __init__(self, files: list[CounterFile]) -> None:
        self.files = files
        self.sampled = [file.path for file in files if file.sampled]
        self._next = 0
        self._growth: dict[str, FileGrowth] = {}

    def parts(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def snapshot(self, part: int) -> dict[str, int]:
        """Return the counters of one file by key; none if it cannot be read."""
        return self.files[part].keys()

    def read_next(self) -> CounterReading:
        """Return the next file's content; a file that cannot be read any more, or is empty, is left out from now on.

        Raises
        ------
        SourceReadError
            If no file is left.
        """
        while self.sampled:
            self._next = (self._next + 1) % len(self.sampled)
            try:
                path = self.sampled[self._next]
                if content := read_file(path):
                    return path, content
            except OSError:
                pass
            del self.sampled[self._next]
        raise SourceReadError("sysctl_counters: no file of counters can be read any more")

    def growth(self, reading: CounterReading) -> int:
        """Return the weighted growth of a file's counters since it was last read; 0 the first time."""
        path, text = reading
        return self._growth.setdefault(path, FileGrowth()).update(text)
