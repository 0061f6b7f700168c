"""Reference kernels of the timing samplers: the same work timed with ``time.perf_counter_ns``.

The deltas of an interpreted loop are not those of the Rust kernel: a source carries a claim for each.
"""

from __future__ import annotations

import itertools
import math
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence

from esoteric_drbg.errors import InvalidInputError, SourceReadError, SourceUnavailableError
from esoteric_drbg.kernels.fallback.work import (
    ClockWork,
    CpuWork,
    MemoryWork,
    PageWork,
    sleep_work,
    thread_work,
    try_to_sleep,
)
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
        self._pages: PageWork | None = None
        if kind == "clock":
            self._work = ClockWork(touches)
        elif kind == "sleep":
            self._work, self._stride = sleep_work, 1
        elif kind == "memory":
            self._work = MemoryWork(buffer_bytes, touches)
        elif kind == "cpu":
            self._work = CpuWork(buffer_bytes, touches)
        elif kind == "flush":
            self._work = MemoryWork(max(buffer_bytes, _EVICTION_BYTES), touches)
        elif kind == "pages":
            self._work = self._pages = PageWork(buffer_bytes, touches)
        elif kind == "thread":
            self._work, self._stride = thread_work, 1
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
            if self._work is sleep_work:
                try_to_sleep()
            return self._deltas(n_samples, deadline_s)
        except (
            OSError
        ) as error:  # a sandbox that refuses a call, for example: how long that takes is not what is measured
            raise SourceReadError(f"the work could not be done: {error.strerror or error}") from None
        finally:
            self._busy.release()

    def _page_deltas(self, pages: PageWork, n_samples: int, deadline_s: float | None) -> array[int]:
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
