"""Process table: run times of the processes, as the kernel accounts them. Observable by others, so credited 0."""

from __future__ import annotations

import os
import sys
import time
from array import array
from pathlib import Path

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.source import Availability, NoiseSource
from esoteric_drbg.noise_sources.timed import CPU_COUNTER

__all__ = ["ProcessTableSource"]

_PROC = Path("/proc")
#: Other processes whose accounting goes into one raw value, beside the reading thread's own.
OTHERS = 3
#: Raw values after which the list of processes is read again.
REFRESH = 256


class ProcessTableSource(NoiseSource):
    """Growth, in ns, of the accumulated run and wait times of the reading thread and of three processes in turn.

    Each raw value is how much these times (``/proc/PID/schedstat``, first two fields) have grown since each was last
    looked at; the symbol is its low 8 bits. Other processes of the machine can read the same files: the values are not
    secret from them, which is why nothing is claimed.

    See docs/sources/process_table.md.
    """

    name = "process_table"
    description = "Run and wait times of processes in the kernel's accounting"
    category = "system"
    physics = (
        "The scheduler accounts run and wait times in ns; they grow with everything that runs, interrupts and preempts."
    )
    platforms = ("linux",)
    physical = False
    independence_group = CPU_COUNTER  # the scheduler's clock follows it
    estimated_rate = 4.0e4
    claim = Claim(min_entropy=0.0, health_min_entropy=0.5)

    def __init__(self) -> None:
        self._others: list[str] = []
        self._next = 0
        self._left = 0
        self._last: dict[str, int] = {}

    def availability(self) -> Availability:
        """Return whether this is Linux and the kernel accounts run times."""
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /proc; this is {sys.platform}")
        if not (_PROC / "self" / "schedstat").exists():
            return Availability(False, "/proc/self/schedstat is missing: the kernel keeps no scheduler statistics")
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the low 8 bits of the next increases; fewer if ``deadline_s`` passes first."""
        return self.digitize(self.read_wide(n_samples, deadline_s=deadline_s))

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next increases at full width, in ns."""
        self.require_available()
        until = None if deadline_s is None else time.monotonic() + deadline_s
        wide = array("Q")
        own = self._own_ns()
        for _ in range(n_samples):
            if until is not None and time.monotonic() >= until:
                break
            before, own = own, self._own_ns()
            wide.append(max(own - before, 0) + self._growth_of_others())
        return wide

    def _own_ns(self) -> int:
        """Return the reading thread's run and wait times in ns, brought up to date first."""
        time.thread_time_ns()  # its reading makes the kernel account for the slice that is running, not only a tick
        own = _run_and_wait_ns("thread-self")
        if own is None:
            raise SourceReadError(f"{self.name}: /proc/thread-self/schedstat cannot be read")
        return own

    def _growth_of_others(self) -> int:
        """Return by how much the next few processes' times have grown since each was last looked at, in ns."""
        if self._left == 0:
            self._others = [entry for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names only, fast
            self._last = {pid: self._last[pid] for pid in self._others if pid in self._last}
            self._left = REFRESH
        self._left -= 1
        growth = 0
        for _ in range(min(OTHERS, len(self._others))):
            self._next = (self._next + 1) % len(self._others)
            pid = self._others[self._next]
            total = _run_and_wait_ns(pid)
            if total is not None:
                growth += max(total - self._last.get(pid, total), 0)
                self._last[pid] = total
        return growth


def _run_and_wait_ns(pid: str) -> int | None:
    """Return run plus wait time of a process in ns, or None if it is gone."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb", buffering=0) as file:  # noqa: PTH123 - a hot path
            fields = file.read(64).split()
        return int(fields[0]) + int(fields[1])
    except (OSError, ValueError, IndexError):
        return None
