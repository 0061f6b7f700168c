"""Typed face of the timing and CPU-instruction kernels."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from esoteric_drbg.kernels.table import kernel

__all__ = [
    "CounterFacts",
    "TimingSampler",
    "counter_facts",
    "counter_step",
    "new_timing_sampler",
    "rdseed_bytes",
    "rdseed_supported",
    "read_counter",
    "whole_steps",
]


class TimingSampler(Protocol):
    """A source of timing deltas; see :class:`esoteric_drbg.kernels.fallback.timing.TimingSampler`."""

    def read_symbols(self, n_samples: int, deadline_s: float | None = None) -> bytes: ...  # noqa: D102
    def read_wide(self, n_samples: int, deadline_s: float | None = None) -> bytes: ...  # noqa: D102


def new_timing_sampler(kind: str, *, buffer_bytes: int = 1 << 20, touches: int = 2) -> TimingSampler:
    """Return a sampler of one ``kind`` of deltas on the kernels of this process.

    The kinds and their parameters: :class:`esoteric_drbg.kernels.fallback.timing.TimingSampler`.
    """
    sampler: TimingSampler = kernel("TimingSampler")(kind, buffer_bytes=buffer_bytes, touches=touches)
    return sampler


class CounterFacts(NamedTuple):
    """Properties of the counter, measured when it was first read.

    Attributes
    ----------
    kind : str
        ``"tsc"``, ``"cntvct"``, ``"monotonic"``, or ``"perf_counter"`` with the reference kernels.
    step : float
        Ticks by which the counter moves at a time.
    ticks_per_ns : float
        Rate, in ticks per nanosecond.
    read_ns : float
        Nanoseconds of this thread's run time that one read takes: the median of several batches.
    reads, backwards : int
        Number of back-to-back reads, and how many of them were below the read before.
    moved : bool
        False if the counter stood still for all these reads and 5 ms more.
    """

    kind: str
    step: float
    ticks_per_ns: float
    read_ns: float
    reads: int
    backwards: int
    moved: bool

    @property
    def step_ns(self) -> float:
        """Nanoseconds by which the counter moves at a time."""
        return self.step / self.ticks_per_ns


def counter_facts() -> CounterFacts:
    """Return the properties of the counter; the first call measures them, in some 0.5 ms, and they are kept."""
    return CounterFacts(*kernel("counter_facts")())


def counter_step() -> float:
    """Return the ticks by which the counter moves at a time; not a whole number if the counter is scaled."""
    step: float = kernel("counter_step")()
    return step


def whole_steps(ticks: int) -> int:
    """Convert a duration from ticks to whole steps, rounded: a coarse counter must not make samples look wide."""
    return int(ticks / counter_step() + 0.5)


def read_counter() -> int:
    """Read the finest counter of this process's kernels, in ticks."""
    ticks: int = kernel("read_counter")()
    return ticks


def rdseed_supported() -> bool:
    """Return True if the CPU's entropy instruction can be executed."""
    supported: bool = kernel("rdseed_supported")()
    return supported


def rdseed_bytes(n_bytes: int) -> bytes:
    """Return ``n_bytes`` bytes from the CPU's entropy instruction; fewer if the instruction keeps giving none."""
    data: bytes = kernel("rdseed_bytes")(n_bytes)
    return data
