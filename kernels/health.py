"""Typed face of the health-test kernels."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Protocol

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.table import kernel

if TYPE_CHECKING:  # the reference declares what a scan is; its Rust twin has the same attributes
    from esoteric_drbg.kernels.reference.health import AdaptiveProportionScan, RepetitionCountScan

__all__ = [
    "LAGS",
    "LAG_PREDICTORS",
    "LagPredictorScan",
    "new_adaptive_proportion_scan",
    "new_lag_predictor_scan",
    "new_repetition_count_scan",
]

#: Longest lag of the Lag Predictor Test, in samples. A page has 64 cache lines: the longest period of a plain walk.
LAGS = 64
#: Number of predictors of the Lag Predictor Test: the lags, the straight line and the vote.
LAG_PREDICTORS = LAGS + 2


#: Largest number of samples that a kernel can count.
_MOST = (1 << 63) - 1


class LagPredictorScan(Protocol):
    """Streaming Lag Predictor Test; see :mod:`esoteric_drbg.kernels.reference.lag_predictor`."""

    @property
    def run_cutoff(self) -> int: ...  # noqa: D102
    @property
    def window_cutoff(self) -> int: ...  # noqa: D102
    @property
    def span_cutoff(self) -> int: ...  # noqa: D102
    @property
    def window(self) -> int: ...  # noqa: D102
    @property
    def span(self) -> int: ...  # noqa: D102
    @property
    def symbol_bits(self) -> int: ...  # noqa: D102
    @property
    def samples(self) -> int: ...  # noqa: D102
    @property
    def windows(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> tuple[int, int, int]: ...  # noqa: D102
    @property
    def first_failures(self) -> tuple[int, int, int]: ...  # noqa: D102
    @property
    def first_predictors(self) -> tuple[int, int, int]: ...  # noqa: D102
    @property
    def highest(self) -> tuple[int, int, int]: ...  # noqa: D102
    def push(self, symbols: bytes | bytearray | memoryview) -> int: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


def _samples(name: str, value: int) -> int:
    """Read a number of samples that fits both kernels; each kernel then checks its own range."""
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


def new_lag_predictor_scan(cutoffs: tuple[int, int, int], window: int, span: int, symbol_bits: int) -> LagPredictorScan:
    """Return a Lag Predictor Test with cutoffs for run, window and span on the kernels of this process."""
    if len(cutoffs) != 3:
        raise InvalidInputError(f"cutoffs={cutoffs!r}: expected those of run, window and span")
    run, in_window, in_span = (_samples("cutoff", cutoff) for cutoff in cutoffs)
    numbers = _samples("window", window), _samples("span", span), _samples("symbol_bits", symbol_bits)
    scan: LagPredictorScan = kernel("LagPredictorScan")(run, in_window, in_span, *numbers)
    return scan
