"""The Lag Predictor Test, developer-defined (SP 800-90B 4.5): it detects periods, counters and slow entrainment."""

from __future__ import annotations

from collections.abc import Iterable

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.health_tests.cutoffs import (
    SPAN_WINDOWS,
    WIDE_WINDOW,
    LagCutoffs,
    Real,
    apt_window,
    lag_can_fail,
    lag_cutoffs,
)
from esoteric_drbg.kernels.health import LAG_PREDICTORS, LAGS, new_lag_predictor_scan

__all__ = ["LagPredictorTest", "predictor_name"]

#: What fails, in the order of :class:`LagCutoffs`.
WHAT = ("in a row", "in a window", "in a span")


def predictor_name(predictor: int) -> str:
    """Return the name of a predictor, as used in alarms.

    Parameters
    ----------
    predictor : int
        1 to 66.

    Examples
    --------
    >>> predictor_name(2), predictor_name(65), predictor_name(66)
    ('lag 2', 'the straight line', 'the vote')
    """
    if not 1 <= predictor <= LAG_PREDICTORS:
        raise InvalidInputError(f"predictor={predictor}: expected 1 to {LAG_PREDICTORS}")
    return f"lag {predictor}" if predictor <= LAGS else ("the straight line", "the vote")[predictor - LAGS - 1]


class LagPredictorTest:
    """Lag Predictor Test, developer-defined: fails when a fixed predictor is right more often than the claim allows.

    66 predictors predict each sample from the samples before it:

    - predictors 1 to 64, the lags: predictor d repeats the sample d before;
    - the straight line continues the last two samples, modulo 2^symbol_bits;
    - the vote of the samples b, 2b and 3b before, where b is the best lag up to 21 of the last window.

    The test fails when one predictor reaches a cutoff of correct predictions: in a row, in a window of W samples, or
    in a span of 64 windows. :func:`lag_cutoffs` has the proof of the cutoffs.

    A stream may be pushed in chunks of any size: where it is split does not change which samples fail.

    Parameters
    ----------
    cutoffs : tuple of int
        Correct predictions that fail the test: in a row, in a window, in a span. A cutoff above the number of samples
        never fails.
    window : int
        W in samples: 1024 for a binary noise source, 512 for any other.
    span : int
        Windows in a span.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.

    Examples
    --------
    >>> test = LagPredictorTest.from_claim(4.0, 2**-30)
    >>> test.push(bytes([3, 200]) * 5), test.push(bytes([3, 200]))
    (0, 1)
    >>> test.first_failure, test.first_predictor, test.cutoffs.run
    (11, 'lag 2', 10)
    """

    def __init__(
        self,
        cutoffs: Iterable[int],
        window: int = WIDE_WINDOW,
        *,
        span: int = SPAN_WINDOWS,
        symbol_bits: int = 8,
    ) -> None:
        self.cutoffs = LagCutoffs(*cutoffs)
        self._scan = new_lag_predictor_scan(self.cutoffs, window, span, symbol_bits)

    @classmethod
    def from_claim(cls, min_entropy: Real, alpha: Real, *, symbol_bits: int = 8) -> LagPredictorTest:
        """Return the test for a claim of ``min_entropy`` bits per sample and a false-alarm rate ``alpha``.

        ``alpha`` holds for a run that begins at a given sample, for a window, and for a span.
        """
        window = apt_window(symbol_bits)
        return cls(lag_cutoffs(min_entropy, alpha, window), window, symbol_bits=symbol_bits)

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many samples, windows and spans failed in them."""
        return self._scan.push(symbols)

    def reset(self) -> None:
        """Forget the stream."""
        self._scan.reset()

    @property
    def window(self) -> int:
        """W, in samples."""
        return self._scan.window

    @property
    def span(self) -> int:
        """Windows in a span."""
        return self._scan.span

    @property
    def can_fail(self) -> tuple[bool, bool, bool]:
        """For run, window and span, False where the cutoff exceeds the number of samples."""
        return lag_can_fail(self.cutoffs, self.window, self.span)

    @property
    def samples(self) -> int:
        """Samples tested."""
        return self._scan.samples

    @property
    def windows(self) -> int:
        """Windows completed."""
        return self._scan.windows

    @property
    def failures_by_kind(self) -> tuple[int, int, int]:
        """Samples, windows and spans that failed."""
        return self._scan.failures

    @property
    def failures(self) -> int:
        """Samples, windows and spans that failed."""
        return sum(self._scan.failures)

    @property
    def first_failures(self) -> tuple[int | None, int | None, int | None]:
        """For run, window and span, index of the sample that first failed, counting from 0; None if none has."""
        run, window, span = (None if sample < 0 else sample for sample in self._scan.first_failures)
        return run, window, span

    @property
    def first_predictors(self) -> tuple[str | None, str | None, str | None]:
        """For run, window and span, name of the predictor that first failed; None if none has."""
        failed = zip(self._scan.first_failures, self._scan.first_predictors, strict=True)
        run, window, span = (None if sample < 0 else predictor_name(predictor) for sample, predictor in failed)
        return run, window, span

    @property
    def first_failure(self) -> int | None:
        """Index of the sample that first failed a run, window or span, counting from 0; None if none has."""
        return min((sample for sample in self._scan.first_failures if sample >= 0), default=None)

    @property
    def first_predictor(self) -> str | None:
        """Name of the predictor that first failed, such as ``lag 2``; None if none has."""
        failed = zip(self._scan.first_failures, self._scan.first_predictors, strict=True)
        found = min((pair for pair in failed if pair[0] >= 0), default=None)
        return None if found is None else predictor_name(found[1])

    @property
    def highest(self) -> tuple[int, int, int]:
        """Most correct predictions of one predictor so far: in a row, in a window, in a span."""
        return self._scan.highest

    @property
    def longest_run(self) -> int:
        """Most correct predictions of one predictor in a row so far."""
        return self._scan.highest[0]

    @property
    def max_count(self) -> int:
        """Most correct predictions of one predictor in any window so far."""
        return self._scan.highest[1]

    @property
    def max_span_count(self) -> int:
        """Most correct predictions of one predictor in any span so far, counted at the ends of windows."""
        return self._scan.highest[2]
