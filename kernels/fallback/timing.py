"""Reference kernels of the timing samplers: the same work timed with ``time.perf_counter_ns``.

The deltas of an interpreted loop differ from those of the Rust kernel: a source has a separate claim for each.
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

# Back-to-back reads of one batch, and the number of batches: the figures of the counter are medians.
_READS = 2048
_FEWEST_READS = 64
_BATCHES = 9
# Nanoseconds that all batches take at most, unless a read takes more than some 20 us, as a trapped one does.
_LONGEST_NS = 1e7
# Nanoseconds, and reads, after which a counter that has not moved counts as stuck.
_STUCK_NS = 5e6
_STUCK_READS = 1 << 18
_DEADLINE_STRIDE = 64
# Bytes. Python cannot flush a cache line: a walk through this much memory evicts most lines before it returns to them.
_EVICTION_BYTES = 32 << 20

# A value is frequent if it is at least one in this many deltas.
_FREQUENT = 200
# A step of fewer ticks than this cannot be told from a counter that shows every tick.
_FINEST = 8.0
# Largest distance, in ticks, of a delta from a multiple of the step: both its ends are rounded, for a clock in ns twice
# each.
_ROUNDING = 1.5
# The same for the middle of neighbouring values.
_MIDDLE = 0.75

# The clock of a thread's run time moves every 16 ms on Windows, and some systems have none.
_FINE_RUN_TIME = sys.platform != "win32" and hasattr(time, "thread_time_ns")

_facts: tuple[str, float, float, float, int, int, bool] | None = None


def read_counter() -> int:
    """Read the finest counter: ``time.perf_counter_ns``, in ns."""
    return time.perf_counter_ns()


def counter_step() -> float:
    """Return the step of the counter in ticks: without it, samples of a coarse counter would look too wide.

    It is the median of several measurements. The counters of two CPUs may differ by a part of a step: if the thread
    moves from CPU to CPU, one delta is not a multiple of the step.
    """
    return counter_facts()[1]


def counter_facts() -> tuple[str, float, float, float, int, int, bool]:
    """Return the properties of the counter: :class:`esoteric_drbg.kernels.timing.CounterFacts` names the values.

    The cost of a read is measured with the run time of this thread, which the operating system's kernel keeps: a
    trapped counter cannot measure its own cost.
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
    # A clock in ns: the operating system sets its rate.
    return "perf_counter", step, 1.0, sorted(costs)[_BATCHES // 2], _BATCHES * n, backwards, moved


def _run_ns() -> int:
    """Return the nanoseconds that this thread has run, or the monotonic clock where that is not known."""
    return time.thread_time_ns() if _FINE_RUN_TIME else time.monotonic_ns()


def _next_step() -> int:
    """Return the ticks by which a slow counter moves at a time; 0 if it does not move twice within some ms."""
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
    """Return the step of a counter, in ticks, from back-to-back deltas in whole ticks.

    The step is the common factor of the deltas (26 ticks: a TSC of 2.6 GHz that moves at 100 MHz). It may not be a
    whole number (24.5 ticks, or a counter scaled by a hypervisor or the operating system). Then each delta is a
    multiple of the step, rounded up or down, and the rounding looks like up to one bit of noise, which it is not. In
    this case the step is the coarsest one of which all frequent values (neighbours count as one) and 99 of 100 deltas
    are multiples. If there is none, the step is 1: the counter shows every tick. A delta of 0 lies between two steps
    and shows only that the step is longer than a read. If a tenth of all deltas are 0 and the others have one value,
    that value is the step.

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
    """Return the distance, in ticks, of a delta from the nearest multiple of the step."""
    return abs(delta - int(delta / step + 0.5) * step)


def _refined(step: float, deltas: Sequence[float]) -> float:
    """Refine the estimate of the step with the deltas that are multiples of it, from the shortest to the longest."""
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
        cache lines that its own walk has evicted; the Rust twin flushes them. ``"beat"``, for which the Rust twin
        counts on a second core, is not available: the interpreter lock lets one thread run at a time.
    buffer_bytes, touches : int
        Size of the private buffer in bytes (a power of two), and how many times the work is repeated for one sample.

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
        """Return ``n_samples`` samples, one a byte; fewer if the deadline passes first."""
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
        ) as error:  # a sandbox that refuses a call, for example: the time of a refusal must not become a sample
            raise SourceReadError(f"the work could not be done: {error.strerror or error}") from None
        finally:
            self._busy.release()

    def _page_deltas(self, pages: PageWork, n_samples: int, deadline_s: float | None) -> array[int]:
        """Touch all pages again and again; the time to give them back is not part of a delta."""
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
                before = counter()  # reading the clock is not part of a delta
            work()
            now = counter()
            deltas.append(now - before)
            before = now
        return deltas
