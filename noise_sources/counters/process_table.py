"""Process table: the processes' run times as the kernel accounts them, and how long looking them up takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.counters.counter_source import CounterSource
from esoteric_drbg.noise_sources.evidence import EPYC_25, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER, timer_fault

__all__ = ["ProcessTableSource"]

_PROC = "/proc"
#: Processes that are looked up for one raw value.
LOOK_UPS = 2
#: Raw values after which the list of processes is read again.
REFRESH = 256

LookUps = list[tuple[str, bytes]]


class ProcessTableSource(CounterSource[LookUps]):
    """Duration of looking up two processes, in steps of the CPU's counter, plus the growth of their run and wait times.

    The sample is the low 8 bits of the sum. The times are those of ``/proc/PID/schedstat``, in ns, of all processes in
    turn. A reading does not make the kernel update the reading thread's own times: that would show others when it read.

    See docs/sources/process_table.md.

    Parameters
    ----------
    durations_only : bool
        Whether the raw values leave the growth out, for assessments.
    """

    info = SourceInfo(
        name="process_table",
        description="Run and wait times of processes, and how long looking them up takes",
        category="system",
        physics=(
            "The scheduler accounts run and wait times of all that runs; finding a process takes a time that depends "
            "on caches, locks and interrupts."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=4.0e4,
        platforms=("linux",),
        physical=False,
        bounded=True,
    )
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=2, evidence=recorded(4.467, on=EPYC_25, date="2026-11-25")),
        "reference": Claim(min_entropy=0.0, health_min_entropy=2.0),
    }

    def __init__(self, *, durations_only: bool = False) -> None:
        super().__init__(durations_only=durations_only)
        self._pids: list[str] = []
        self._next = 0
        self._left = 0
        self._last: dict[str, int] = {}

    def availability(self) -> Availability:
        """Return whether this is Linux and the kernel accounts run times."""
        if fault := timer_fault():
            return Availability(False, fault)
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /proc; this is {sys.platform}")
        if not os.path.exists(f"{_PROC}/self/schedstat"):  # noqa: PTH110 - without pathlib
            return Availability(False, "/proc/self/schedstat is missing: the kernel keeps no scheduler statistics")
        return Availability(True)

    def measure_parts(self) -> tuple[int, int]:
        """Return the duration of the next look-ups and the growth; the list of processes is read before the timing."""
        if self._left == 0:
            self._pids = [entry for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names only, fast
            if not self._pids:
                raise OSError(0, "no process is listed in /proc")
            self._last = {pid: self._last[pid] for pid in self._pids if pid in self._last}
            self._left = REFRESH
        self._left -= 1
        return super().measure_parts()

    def read_counters(self) -> LookUps:
        """Return the next processes' numbers and schedstat contents, which are empty for a process that is gone."""
        look_ups = []
        for _ in range(LOOK_UPS):
            self._next = (self._next + 1) % len(self._pids)
            pid = self._pids[self._next]
            look_ups.append((pid, _schedstat(pid)))
        return look_ups

    def growth(self, reading: LookUps) -> int:
        """Return the growth of the processes' times since each was last looked up, in ns."""
        growth = 0
        for pid, text in reading:
            fields = text.split()
            if len(fields) >= 2 and fields[0].isdigit() and fields[1].isdigit():
                total = int(fields[0]) + int(fields[1])
                growth += total - self._last.get(pid, total)
                self._last[pid] = total
        return growth


def _schedstat(pid: str) -> bytes:
    """Return run time, wait time and slices of a process as the kernel writes them; empty if it is gone.

    Raises
    ------
    OSError
        If the kernel refuses: the claim was not measured on the duration of a refusal.
    """
    try:
        handle = os.open(f"{_PROC}/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        content = os.read(handle, 128)
    except ProcessLookupError:
        return b""
    finally:
        os.close(handle)
    if not content:
        raise OSError(0, f"{_PROC}/{pid}/schedstat is empty")
    return content
