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
    """What was found out about the counter when it was first read.

    Attributes
    ----------
    kind : str
        ``"tsc"``, ``"cntvct"``, ``"monotonic"``, or ``"perf_counter"`` with the reference kernels.
    step : float
        By how many ticks it moves at a time.
    ticks_per_ns : float
        How fast it runs.
    read_ns : float
        Nanoseconds of this thread's run time that one read takes: the middle of several batches.
    reads, backwards : int
        Back-to-back reads, and how many of them were below the one before.
    moved : bool
        False for a counter that stood still for all these reads and 5 ms more.
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
        """By how many ns the counter moves at a time."""
        return self.step / self.ticks_per_ns


def counter_facts() -> CounterFacts:
    """Return what is known of the counter; found at the first call, in some 0.5 ms, and kept."""
    return CounterFacts(*kernel("counter_facts")())


def counter_step() -> float:
    """Return by how many ticks the counter moves at a time; no whole number where it is scaled."""
    step: float = kernel("counter_step")()
    return step


def whole_steps(ticks: int) -> int:
    """Return how many steps of the counter a duration in ticks is, rounded: a coarse counter fakes a wide symbol."""
    return int(ticks / counter_step() + 0.5)


def read_counter() -> int:
    """Return the finest counter of this process's kernels, in ticks."""
    ticks: int = kernel("read_counter")()
    return ticks


def rdseed_supported() -> bool:
    """Return True if the CPU's entropy instruction can be executed."""
    supported: bool = kernel("rdseed_supported")()
    return supported


def rdseed_bytes(n_bytes: int) -> bytes:
    """Return ``n_bytes`` bytes from the CPU's entropy instruction; fewer if it keeps coming up empty."""
    data: bytes = kernel("rdseed_bytes")(n_bytes)
    return data
