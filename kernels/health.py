"""Typed face of the health-test kernels."""

from __future__ import annotations

import operator
from typing import Protocol

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.table import kernel

__all__ = [
    "AdaptiveProportionScan",
    "RepetitionCountScan",
    "new_adaptive_proportion_scan",
    "new_repetition_count_scan",
]


#: Most samples that a kernel counts.
_MOST = (1 << 63) - 1


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


def _samples(name: str, value: int) -> int:
    """Read a number of samples that both kernels can hold; each then checks its own range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name}={value!r}: expected a whole number of samples") from None
    if abs(number) > _MOST:
        raise InvalidInputError(f"{name} needs {number.bit_length()} bits: a kernel counts to 2^63 - 1 samples")
    return number


def new_repetition_count_scan(cutoff: int) -> RepetitionCountScan:
    """Return a Repetition Count Test with cutoff C on the kernels of this process."""
    scan: RepetitionCountScan = kernel("RepetitionCountScan")(_samples("cutoff", cutoff))
    return scan


def new_adaptive_proportion_scan(cutoff: int, window: int) -> AdaptiveProportionScan:
    """Return an Adaptive Proportion Test with cutoff C and window W on the kernels of this process."""
    numbers = _samples("cutoff", cutoff), _samples("window", window)
    scan: AdaptiveProportionScan = kernel("AdaptiveProportionScan")(*numbers)
    return scan
