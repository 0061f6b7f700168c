"""Typed face of the health-test kernels."""

from __future__ import annotations

from typing import Protocol

from esoteric_drbg.kernels.table import kernel

__all__ = [
    "AdaptiveProportionScan",
    "RepetitionCountScan",
    "new_adaptive_proportion_scan",
    "new_repetition_count_scan",
]


class RepetitionCountScan(Protocol):
    """Streaming Repetition Count Test; see :mod:`esoteric_drbg.kernels.reference.health`."""

    @property
    def cutoff(self) -> int: ...  # noqa: D102
    @property
    def samples(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def first_failure(self) -> int: ...  # noqa: D102
    @property
    def run(self) -> int: ...  # noqa: D102
    @property
    def longest_run(self) -> int: ...  # noqa: D102
    def push(self, symbols: bytes | bytearray | memoryview) -> int: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


class AdaptiveProportionScan(Protocol):
    """Streaming Adaptive Proportion Test; see :mod:`esoteric_drbg.kernels.reference.health`."""

    @property
    def cutoff(self) -> int: ...  # noqa: D102
    @property
    def window(self) -> int: ...  # noqa: D102
    @property
    def samples(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def first_failure(self) -> int: ...  # noqa: D102
    @property
    def windows(self) -> int: ...  # noqa: D102
    @property
    def max_count(self) -> int: ...  # noqa: D102
    def push(self, symbols: bytes | bytearray | memoryview) -> int: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


def new_repetition_count_scan(cutoff: int) -> RepetitionCountScan:
    """Return a Repetition Count Test with cutoff C on the kernels of this process."""
    scan: RepetitionCountScan = kernel("RepetitionCountScan")(cutoff)
    return scan


def new_adaptive_proportion_scan(cutoff: int, window: int) -> AdaptiveProportionScan:
    """Return an Adaptive Proportion Test with cutoff C and window W on the kernels of this process."""
    scan: AdaptiveProportionScan = kernel("AdaptiveProportionScan")(cutoff, window)
    return scan
