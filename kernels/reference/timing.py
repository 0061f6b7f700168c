"""Reference kernels of the timing samplers: the same work timed with ``time.perf_counter_ns``.

The deltas of an interpreted loop are not those of the Rust kernel: a source carries a claim for each.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import threading
import time
from array import array
from collections.abc import Callable

from esoteric_drbg.errors import InvalidInputError, SourceReadError

__all__ = ["TimingSampler", "counter_step", "read_counter"]

_STEP_READS = 2048
_STEP_BATCHES = 9
_DEADLINE_STRIDE = 64
_LINE_BYTES = 64

_step = 0


def read_counter() -> int:
    """Return the finest counter: ``time.perf_counter_ns``, in ns."""
    return time.perf_counter_ns()


def counter_step() -> int:
    """Return the common factor of the counter's deltas: a coarse counter would otherwise fake a wide symbol.

    The middle of several measurements: the counters of two CPUs may differ by a part of a step, and one move of the
    thread from CPU to CPU then leaves a single delta that no step divides.
    """
    global _step  # noqa: PLW0603 - a property of the machine, found once per process
    if not _step:
        factors = []
        for _ in range(_STEP_BATCHES):
            reads = [time.perf_counter_ns() for _ in range(_STEP_READS)]
            factors.append(math.gcd(*(later - earlier for earlier, later in itertools.pairwise(reads))))
        _step = sorted(factors)[_STEP_BATCHES // 2] or 1
    return _step


def _clock_work() -> None:
    time.monotonic_ns()


def _sleep_work() -> None:
    time.sleep(1e-9)


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
        ``"clock"``, ``"sleep"``, ``"memory"`` or ``"cpu"``.
    buffer_bytes, touches : int
        Size of the private buffer (a power of two), and how many addresses of it one symbol touches.
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
        if kind == "clock":
            self._work = _clock_work
        elif kind == "sleep":
            self._work, self._stride = _sleep_work, 1
        elif kind == "memory":
            self._work = _MemoryWork(buffer_bytes, touches)
        elif kind == "cpu":
            self._work = _CpuWork(buffer_bytes, touches)
        else:
            raise InvalidInputError(f"kind={kind!r}: expected clock, sleep, memory or cpu")

    def read_symbols(self, n_samples: int, deadline_s: float | None = None) -> bytes:
        """Return ``n_samples`` symbols, one a byte; fewer if the deadline passes first."""
        step = counter_step()
        return bytes(delta // step & 0xFF for delta in self._measure(n_samples, deadline_s))

    def read_wide(self, n_samples: int, deadline_s: float | None = None) -> bytes:
        """Return ``n_samples`` deltas at full width, little-endian u64; fewer if the deadline passes first."""
        return b"".join(delta.to_bytes(8, "little") for delta in self._measure(n_samples, deadline_s))

    def _measure(self, n_samples: int, deadline_s: float | None) -> array[int]:
        if n_samples < 1:
            raise InvalidInputError(f"n_samples={n_samples}: ask for at least 1 symbol")
        if deadline_s is not None and not (math.isfinite(deadline_s) and deadline_s > 0):
            raise InvalidInputError(f"deadline_s={deadline_s}: expected a positive number")
        if not self._busy.acquire(blocking=False):
            raise SourceReadError("the sampler is being read by another thread")
        try:
            return self._deltas(n_samples, deadline_s)
        finally:
            self._busy.release()

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
