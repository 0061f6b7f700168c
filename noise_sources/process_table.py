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

__all__ = ["ProcessTableSource"]

_PROC = Path("/proc")
#: Processes whose accounting goes into one raw value.
PROCESSES = 4
#: Raw values after which the list of processes is read again.
REFRESH = 256


class ProcessTableSource(NoiseSource):
    """Increase, in ns, of the accumulated run and wait times of a few processes, this one among them.

    Each raw value is the growth of that sum since the value before (``/proc/PID/schedstat``, first two fields); the
    symbol is its low 8 bits. Other processes of the machine can read the same files: the values are not secret from
    them, which is why nothing is claimed.

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
    independence_group = "kernel_counters"
    estimated_rate = 4.0e4
    claim = Claim(min_entropy=0.0, health_min_entropy=0.5)

    def __init__(self) -> None:
        self._others: list[str] = []
        self._next = 0
        self._left = 0
        self._before = 0

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
        for _ in range(n_samples):
            if until is not None and time.monotonic() >= until:
                break
            now = self._snapshot()
            wide.append(max(now - self._before, 0))
            self._before = now
        return wide

    def _snapshot(self) -> int:
        """Return the sum of run and wait times of this process and the next few others, in ns."""
        if self._left == 0:
            self._others = [entry for entry in os.listdir(_PROC) if entry.isdigit()]  # noqa: PTH208 - names only, fast
            self._left = REFRESH
        self._left -= 1
        total = _run_and_wait_ns("self")
        if total is None:
            raise SourceReadError(f"{self.name}: /proc/self/schedstat cannot be read")
        for _ in range(min(PROCESSES - 1, len(self._others))):
            self._next = (self._next + 1) % len(self._others)
            total += _run_and_wait_ns(self._others[self._next]) or 0
        return total


def _run_and_wait_ns(pid: str) -> int | None:
    """Return run plus wait time of a process in ns, or None if it is gone."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb", buffering=0) as file:  # noqa: PTH123 - a hot path
            fields = file.read(64).split()
        return int(fields[0]) + int(fields[1])
    except (OSError, ValueError, IndexError):
        return None
