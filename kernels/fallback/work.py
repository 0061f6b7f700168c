"""The work that the timing samplers time, in Python."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import sys
import threading
import time

from esoteric_drbg.errors import SourceReadError, SourceUnavailableError

__all__ = ["ClockWork", "CpuWork", "MemoryWork", "PageWork", "sleep_work", "thread_work", "try_to_sleep"]

_LINE_BYTES = 64
# Nanoseconds of the trial sleep before each read, which shows whether the thread really sleeps.
_TRIAL_NS = 50_000


class ClockWork:
    """Reads of the operating system's monotonic clock, `reads` times."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __call__(self) -> None:
        """Do the work of one sample."""
        for _ in range(self.reads):
            time.monotonic_ns()


def sleep_work() -> None:
    """Sleep for the shortest time."""
    time.sleep(1e-9)


def try_to_sleep() -> None:
    """Check that a sleep takes at least half its time: the kernel never sleeps less, but the counter may be inexact."""
    before = time.perf_counter_ns()
    time.sleep(_TRIAL_NS / 1e9)
    slept = time.perf_counter_ns() - before
    if slept < _TRIAL_NS / 2:
        raise SourceReadError(f"a sleep of {_TRIAL_NS} ns ended after {slept} ns: the thread did not sleep")


def _nothing() -> None:
    pass


def thread_work() -> None:
    """Create a thread that does nothing, and wait for its end."""
    thread = threading.Thread(target=_nothing)
    try:
        thread.start()
    except RuntimeError as error:  # "can't start new thread"
        raise SourceReadError(f"no thread could be made: {error}") from None
    thread.join()


class PageWork:
    """First touches of fresh pages of a private anonymous mapping: each one a page fault."""

    def __init__(self, region_bytes: int, touches: int) -> None:
        if not hasattr(mmap, "MADV_DONTNEED"):
            raise SourceUnavailableError("page faults are timed on Unix only")
        self.pages = max(region_bytes // mmap.PAGESIZE, touches)
        self.touches = touches
        self.page = 0
        try:
            self.region = self._map()
        except OSError as error:
            raise SourceReadError(f"no memory could be mapped: {error.strerror}") from None
        self.region[self.pages * mmap.PAGESIZE] = 1

    def _map(self) -> mmap.mmap:
        """Map the pages that samples touch, and one more that shows whether they are given back."""
        region = mmap.mmap(-1, (self.pages + 1) * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError, AttributeError):  # a kernel without huge pages needs no such advice
            region.madvise(mmap.MADV_NOHUGEPAGE)
        return region

    def __call__(self) -> None:
        """Do the work of one sample."""
        region = self.region
        for page in range(self.page, self.page + self.touches):
            region[page * mmap.PAGESIZE] = 1
        self.page += self.touches

    def give_back(self) -> None:
        """Make every page fresh again: its next touch faults."""
        self.page = 0
        try:
            if sys.platform == "linux":
                self.region.madvise(mmap.MADV_DONTNEED)
            else:  # a hint that may keep the pages
                self.region.close()
                self.region = self._map()
        except OSError as error:
            raise SourceReadError(f"the pages could not be given back: {error.strerror}") from None
        last = self.pages * mmap.PAGESIZE
        kept, self.region[last] = self.region[last], 1
        if kept:
            raise SourceReadError("the pages could not be given back: the kernel kept what it was told to drop")

    @property
    def symbols_left(self) -> int:
        """Samples that are left until the pages have to be given back."""
        return (self.pages - self.page) // self.touches


class MemoryWork:
    """Dependent read-modify-writes in a private buffer, one a cache line: no line repeats before all were used."""

    def __init__(self, buffer_bytes: int, touches: int) -> None:
        self.buffer = bytearray(b"\x01" * buffer_bytes)
        self.touches = touches
        self.line = 0
        self.carry = 0

    def __call__(self) -> None:
        """Do the work of one sample."""
        buffer, lines = self.buffer, len(self.buffer) // _LINE_BYTES
        for _ in range(self.touches):
            # Multiplier 1 mod 4 and odd increment: the full period of a power of two (Hull and Dobell 1962).
            self.line = (self.line * 0x01FBF9A9 + 12345) % lines
            # The last value read gives the place in the line, so that each access waits for the one before.
            address = _LINE_BYTES * self.line + self.carry % _LINE_BYTES
            self.carry = buffer[address] = (buffer[address] + 1) & 0xFF


class CpuWork:
    """A SHA-256 block whose digest decides where the walk through a private buffer continues."""

    def __init__(self, buffer_bytes: int, touches: int) -> None:
        self.memory = MemoryWork(buffer_bytes, touches)
        self.block = b"\x5a" * 55

    def __call__(self) -> None:
        """Do the work of one sample."""
        digest = hashlib.sha256(self.block).digest()
        self.memory.line ^= int.from_bytes(digest[:8], "little")
        self.memory()
        self.block = digest + bytes(22) + bytes([self.memory.carry])
