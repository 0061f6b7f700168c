"""Reference kernels of the timing samplers: the same work timed with ``time.perf_counter_ns``.

The deltas of an interpreted loop are not those of the Rust kernel: a source carries a claim for each.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import mmap
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence

from esoteric_drbg.errors import InvalidInputError, SourceReadError, SourceUnavailableError
from esoteric_drbg.kernels.process import take_lock

__all__ = ["TimingSampler", "counter_facts", "counter_step", "read_counter"]

# Back-to-back reads of one batch, and how many batches: the figures of the counter are the middle ones.
_READS = 2048
_FEWEST_READS = 64
_BATCHES = 9
# Nanoseconds that all batches take at most, unless a read costs more than some 20 us: trapped reads are dear.
_LONGEST_NS = 1e7
# Nanoseconds, and reads, after which a counter that has not moved counts as stuck.
_STUCK_NS = 5e6
_STUCK_READS = 1 << 18
_DEADLINE_STRIDE = 64
_LINE_BYTES = 64
# Nanoseconds of the sleep before each read that shows whether sleeps are sleeps.
_TRIAL_NS = 50_000
# Python flushes no cache line: a walk through this much evicts most of it before it comes again.
_EVICTION_BYTES = 32 << 20

# How often, in parts of all deltas, a value must come to count as frequent.
_FREQUENT = 200
# Steps of fewer ticks than this are not told from a counter that shows every tick.
_FINEST = 8.0
# Ticks that a delta is off a multiple of the step at most: both its ends are rounded, those of a clock in ns twice.
_ROUNDING = 1.5
# The same of the middle of neighbouring values.
_MIDDLE = 0.75

# On Windows it moves every 16 ms, and some systems have none.
_FINE_RUN_TIME = sys.platform != "win32" and hasattr(time, "thread_time_ns")

_facts: tuple[str, float, float, float, int, int, bool] | None = None


def read_counter() -> int:
    """Return the finest counter: ``time.perf_counter_ns``, in ns."""
    return time.perf_counter_ns()


def counter_step() -> float:
    """Return the step of the counter in ticks: a coarse counter would otherwise fake a wide symbol.

    The middle of several measurements: the counters of two CPUs may differ by a part of a step, and one move of the
    thread from CPU to CPU then leaves a single delta that no step divides.
    """
    return counter_facts()[1]


def counter_facts() -> tuple[str, float, float, float, int, int, bool]:
    """Return what the counter is worth: :class:`esoteric_drbg.kernels.timing.CounterFacts` names the values.

    What a read costs is told by the run time of this thread, which the kernel keeps: a counter that is trapped cannot
    tell it of itself.
    """
    global _facts  # noqa: PLW0603 - a property of the machine, found once per process
    if _facts is None:
        _facts = _find_facts()
    return _facts


def _find_facts() -> tuple[str, float, float, float, int, int, bool]:
    began = _run_ns()
    for _ in range(_FEWEST_READS):
        time.perf_counter_ns()
    each = max(1.0, (_run_ns() - began) / _FEWEST_READS)
    n = int(min(max(_LONGEST_NS / _BATCHES / each, _FEWEST_READS), _READS))
    steps, costs, backwards, moved = [], [], 0, False
    for _ in range(_BATCHES):
        began = _run_ns()
        reads = [time.perf_counter_ns() for _ in range(n + 1)]
        costs.append((_run_ns() - began) / (n + 1))
        deltas = [later - earlier for earlier, later in itertools.pairwise(reads) if later >= earlier]
        backwards += n - len(deltas)
        moved = moved or len(deltas) < n
        if any(deltas):
            steps.append(step_of(deltas))
    if not steps and (size := _next_step()):
        steps.append(float(size))
    moved = moved or bool(steps)
    step = sorted(steps)[len(steps) // 2] if steps else 1.0
    # A clock in ns: its rate is what the operating system says.
    return "perf_counter", step, 1.0, sorted(costs)[_BATCHES // 2], _BATCHES * n, backwards, moved


def _run_ns() -> int:
    """Return the nanoseconds that this thread has run; a clock of the operating system where it does not say."""
    return time.thread_time_ns() if _FINE_RUN_TIME else time.monotonic_ns()


def _next_step() -> int:
    """Return by how much a slow counter moves at a time; 0 if it does not move twice within some ms."""
    began = _run_ns()
    before, moves = time.perf_counter_ns(), 0
    for index in range(_STUCK_READS):
        now = time.perf_counter_ns()
        if now != before:
            moves += 1
            if moves == 2:
                return abs(now - before)
            before = now
        if index % _FEWEST_READS == 0 and _run_ns() - began > _STUCK_NS:
            break
    return 0


def step_of(deltas: list[int]) -> float:
    """Return the step of a counter that shows whole ticks of it, from back-to-back deltas.

    It is their common factor (26 ticks: a TSC of 2.6 GHz that moves at 100 MHz). Where the step is no whole number
    (24.5 ticks, or what a hypervisor or the operating system scales), each delta is a multiple of it rounded either
    way, and the rounding looks like noise of up to one bit that is none. Then the coarsest step is taken of which all
    frequent values are multiples, neighbours counting as one, and 99 of 100 deltas. 1 where there is none: the counter
    shows every tick. Reads between two steps, deltas of 0, say nothing but that the step is longer than a read: if a
    tenth of all are, and the others have one value, that is the step.

    Examples
    --------
    >>> step_of([52, 78, 26, 52])
    26.0
    """
    common = math.gcd(*deltas)
    if common > 1:
        return float(common)
    moving = [delta for delta in deltas if delta]
    counts = Counter(moving)
    clusters: list[list[int]] = []
    for value in sorted(value for value, count in counts.items() if count * _FREQUENT >= len(moving)):
        if clusters and value == clusters[-1][-1] + 1:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    centres = [(cluster[0] + cluster[-1]) / 2 for cluster in clusters]
    if len(centres) == 1 and 10 * (len(deltas) - len(moving)) >= len(deltas):
        return max(1.0, centres[0])
    if len(centres) < 2:
        return 1.0
    for parts in range(1, int(centres[0] / _FINEST) + 1):
        step = _refined(centres[0] / parts, centres)
        if all(_off(centre, step) <= _MIDDLE for centre in centres):
            step = _refined(step, sorted(moving))
            fitting = sum(_off(delta, step) <= _ROUNDING for delta in moving)
            return step if 100 * fitting >= 99 * len(moving) else 1.0
    return 1.0


def _off(delta: float, step: float) -> float:
    """Return by how many ticks a delta is off the nearest multiple of the step."""
    return abs(delta - int(delta / step + 0.5) * step)


def _refined(step: float, deltas: Sequence[float]) -> float:
    """Return a better estimate of the step, from the shortest to the longest delta that is a multiple of it."""
    ticks = steps = 0.0
    for delta in deltas:
        if _off(delta, step) <= _ROUNDING:
            ticks += delta
            steps += int(delta / step + 0.5)
            step = ticks / steps if steps else step
    return step


class _ClockWork:
    """Reads the operating system's monotonic clock some times."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __call__(self) -> None:
        for _ in range(self.reads):
            time.monotonic_ns()


def _sleep_work() -> None:
    time.sleep(1e-9)


def _try_to_sleep() -> None:
    """Sleep once for a known time: the kernel never sleeps shorter. Half of it allows for an inexact counter."""
    before = time.perf_counter_ns()
    time.sleep(_TRIAL_NS / 1e9)
    slept = time.perf_counter_ns() - before
    if slept < _TRIAL_NS / 2:
        raise SourceReadError(f"a sleep of {_TRIAL_NS} ns ended after {slept} ns: the thread did not sleep")


def _nothing() -> None:
    pass


def _thread_work() -> None:
    """Create a thread that does nothing, and wait for its end."""
    thread = threading.Thread(target=_nothing)
    try:
        thread.start()
    except RuntimeError as error:  # "can't start new thread"
        raise SourceReadError(f"no thread could be made: {error}") from None
    thread.join()


class _PageWork:
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
        """Map the pages that symbols touch, and one more that shows whether they are given back."""
        region = mmap.mmap(-1, (self.pages + 1) * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError, AttributeError):  # a kernel without huge pages needs no such advice
            region.madvise(mmap.MADV_NOHUGEPAGE)
        return region

    def __call__(self) -> None:
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
        """Symbols until the pages have to be given back."""
        return (self.pages - self.page) // self.touches


class _MemoryWork:
    """Dependent read-modify-writes in a private buffer, one a cache line: each line once before any comes again."""

    def __init__(self, buffer_bytes: int, touches: int) -> None:
        self.buffer = bytearray(b"\x01" * buffer_bytes)
        self.touches = touches
        self.line = 0
        self.carry = 0

    def __call__(self) -> None:
        buffer, lines = self.buffer, len(self.buffer) // _LINE_BYTES
        for _ in range(self.touches):
            # Multiplier 1 mod 4 and odd increment: the full period of a power of two (Hull and Dobell 1962).
            self.line = (self.line * 0x01FBF9A9 + 12345) % lines
            # Where in the line is up to the value before: the next access waits for it.
            address = _LINE_BYTES * self.line + self.carry % _LINE_BYTES
            self.carry = buffer[address] = (buffer[address] + 1) & 0xFF


class _CpuWork:
    """A SHA-256 block whose digest says where the walk through a private buffer goes on."""

    def __init__(self, buffer_bytes: int, touches: int) -> None:
        self.memory = _MemoryWork(buffer_bytes, touches)
        self.block = b"\x5a" * 55

    def __call__(self) -> None:
        digest = hashlib.sha256(self.block).digest()
        self.memory.line ^= int.from_bytes(digest[:8], "little")
        self.memory()
        self.block = digest + bytes(22) + bytes([self.memory.carry])


class TimingSampler:
    """A source of timing deltas.

    Parameters
    ----------
    kind : str
        ``"clock"``, ``"sleep"``, ``"memory"``, ``"cpu"``, ``"flush"``, ``"pages"`` or ``"thread"``. ``"flush"`` loads
        lines that the walk itself has evicted, which the Rust twin flushes. ``"beat"``, which the Rust twin makes of
        counts of a second core, cannot be had: the interpreter lock lets one thread run at a time.
    buffer_bytes, touches : int
        Size of the private buffer (a power of two), and how many times one symbol repeats the work.

    Raises
    ------
    SourceUnavailableError
        For ``"beat"``, and for ``"pages"`` without ``mmap.MADV_DONTNEED``.
    """

    def __init__(self, kind: str, *, buffer_bytes: int = 1 << 20, touches: int = 2) -> None:
        if buffer_bytes.bit_count() != 1 or not 256 <= buffer_bytes <= 1 << 30 or not 1 <= touches <= 1024:
            raise InvalidInputError(
                f"buffer_bytes={buffer_bytes}, touches={touches}: expected a power of two from 256 to 2^30, "
                "and 1 to 1024"
            )
        self._busy = threading.Lock()
        self._stride = _DEADLINE_STRIDE
        self._work: Callable[[], None]
        self._pages: _PageWork | None = None
        if kind == "clock":
            self._work = _ClockWork(touches)
        elif kind == "sleep":
            self._work, self._stride = _sleep_work, 1
        elif kind == "memory":
            self._work = _MemoryWork(buffer_bytes, touches)
        elif kind == "cpu":
            self._work = _CpuWork(buffer_bytes, touches)
        elif kind == "flush":
            self._work = _MemoryWork(max(buffer_bytes, _EVICTION_BYTES), touches)
        elif kind == "pages":
            self._work = self._pages = _PageWork(buffer_bytes, touches)
        elif kind == "thread":
            self._work, self._stride = _thread_work, 1
        elif kind == "beat":
            raise SourceUnavailableError("counter beat: the interpreter lock lets one thread run at a time")
        else:
            raise InvalidInputError(f"kind={kind!r}: expected clock, sleep, memory, cpu, flush, pages, thread or beat")

    def read_symbols(self, n_samples: int, deadline_s: float | None = None) -> bytes:
        """Return ``n_samples`` symbols, one a byte; fewer if the deadline passes first."""
        step = counter_step()
        return bytes(int(delta / step + 0.5) & 0xFF for delta in self._measure(n_samples, deadline_s))

    def read_wide(self, n_samples: int, deadline_s: float | None = None) -> bytes:
        """Return ``n_samples`` deltas at full width, little-endian u64; fewer if the deadline passes first."""
        return b"".join(delta.to_bytes(8, "little") for delta in self._measure(n_samples, deadline_s))

    def _measure(self, n_samples: int, deadline_s: float | None) -> array[int]:
        if n_samples < 1:
            raise InvalidInputError(f"n_samples={n_samples}: ask for at least 1 symbol")
        if deadline_s is not None and not (math.isfinite(deadline_s) and deadline_s > 0):
            raise InvalidInputError(f"deadline_s={deadline_s}: expected a positive number")
        if not take_lock(self._busy, False):
            raise SourceReadError("the sampler is being read by another thread")
        try:
            if self._pages is not None:
                return self._page_deltas(self._pages, n_samples, deadline_s)
            if self._work is _sleep_work:
                _try_to_sleep()
            return self._deltas(n_samples, deadline_s)
        except (
            OSError
        ) as error:  # a sandbox that refuses a call, for example: how long that takes is not what is measured
            raise SourceReadError(f"the work could not be done: {error.strerror or error}") from None
        finally:
            self._busy.release()

    def _page_deltas(self, pages: _PageWork, n_samples: int, deadline_s: float | None) -> array[int]:
        """Lap after lap through the pages; giving them back is no part of a delta."""
        until = math.inf if deadline_s is None else time.monotonic() + deadline_s
        deltas = array("Q")
        while len(deltas) < n_samples and time.monotonic() < until:
            if not pages.symbols_left:
                pages.give_back()
            left = None if deadline_s is None else max(until - time.monotonic(), 0.0)
            deltas += self._deltas(min(pages.symbols_left, n_samples - len(deltas)), left)
        return deltas

    def _deltas(self, n_samples: int, deadline_s: float | None) -> array[int]:
        counter, work, stride = time.perf_counter_ns, self._work, self._stride
        until = math.inf if deadline_s is None else time.monotonic() + deadline_s
        deltas = array("Q")
        before = counter()
        for index in range(n_samples):
            if index % stride == stride - 1 and deadline_s is not None:
                if time.monotonic() >= until:
                    break
                before = counter()  # the look at the clock is no part of a delta
            work()
            now = counter()
            deltas.append(now - before)
            before = now
        return deltas
