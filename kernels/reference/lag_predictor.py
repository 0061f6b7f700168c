"""Reference kernel of the Lag Predictor Test, which is developer-defined (SP 800-90B 4.5)."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.health import LAG_PREDICTORS, LAGS
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["LagPredictorScan"]

_RUN, _WINDOW, _SPAN = range(3)
#: Stands before the data: a symbol that never occurs, so that no prediction from it is correct.
_NONE = -1
#: Lags that the vote chooses from: it looks back three times as far.
_VOTING_LAGS = LAGS // 3
#: Most samples in a span.
_MOST = 1 << 20


class LagPredictorScan:
    """Lag Predictor Test on a stream in chunks of any size.

    Each predictor predicts each sample from earlier samples only:

    - predictor d, 1 to 64: the sample d before;
    - predictor 65, the straight line: the last sample plus the last difference, modulo 2^symbol_bits;
    - predictor 66, the vote: the value of two or more of the samples b, 2b and 3b before, otherwise the sample b
      before. b is the lag up to 21 with the most correct predictions in the window before, the shortest if several
      have as many; 1 in the first window.

    Parameters
    ----------
    run_cutoff : int
        The test fails at every sample at which a predictor has made this many correct predictions in a row, or more.
    window_cutoff : int
        It fails once in a window, when a predictor has made this many correct predictions in the window.
    span_cutoff : int
        It fails once in a span, at the end of a window, when a predictor has made this many in the span.
    window : int
        W, in samples; windows follow one another.
    span : int
        Windows in a span; spans follow one another.
    symbol_bits : int
        Width of a sample in bits, 1 to 8.
    """

    def __init__(
        self, run_cutoff: int, window_cutoff: int, span_cutoff: int, window: int, span: int, symbol_bits: int
    ) -> None:
        if min(run_cutoff, window_cutoff, span_cutoff) < 1:
            raise InvalidInputError(
                f"cutoffs={run_cutoff}, {window_cutoff}, {span_cutoff}: a prediction is right at least once"
            )
        if not (1 <= window <= _MOST and 1 <= span <= _MOST and window * span <= _MOST):
            raise InvalidInputError(f"window={window}, span={span}: expected 1 to {_MOST} samples in a span")
        if not 1 <= symbol_bits <= 8:
            raise InvalidInputError(f"symbol_bits={symbol_bits}: a symbol has 1 to 8 bits")
        self.run_cutoff, self.window_cutoff, self.span_cutoff = run_cutoff, window_cutoff, span_cutoff
        self.window, self.span, self.symbol_bits = window, span, symbol_bits
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self.samples = 0
        self.windows = 0
        self._failures = [0, 0, 0]
        self._first_failures = [-1, -1, -1]
        self._first_predictors = [0, 0, 0]
        self._highest = [0, 0, 0]
        self._past = [_NONE] * LAGS  # the newest sample first
        self._best = 1
        self._last_wrong = [-1] * LAG_PREDICTORS
        self._in_window = [0] * LAG_PREDICTORS
        self._in_span = [0] * LAG_PREDICTORS
        self._position = 0
        self._window_failed = self._span_failed = False

    @property
    def failures(self) -> tuple[int, int, int]:
        """Samples, windows and spans that failed."""
        run, window, span = self._failures
        return run, window, span

    @property
    def first_failures(self) -> tuple[int, int, int]:
        """Index of the sample at which a run, a window and a span first failed; -1 if none has."""
        run, window, span = self._first_failures
        return run, window, span

    @property
    def first_predictors(self) -> tuple[int, int, int]:
        """Predictor, 1 to 66, of each of these failures; 0 if there is none."""
        run, window, span = self._first_predictors
        return run, window, span

    @property
    def highest(self) -> tuple[int, int, int]:
        """Most correct predictions of one predictor in a row, in a window, and in a span counted at ends of windows."""
        run, window, span = self._highest
        return run, window, span

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many samples, windows and spans failed in them."""
        before = sum(self._failures)
        for symbol in contents(symbols):
            self._judge(symbol, self._predictions())
            self._past.insert(0, symbol)
            self._past.pop()
            self._position += 1
            if self._position == self.window:
                self._end_window()
            self.samples += 1
        return sum(self._failures) - before

    def _predictions(self) -> list[int]:
        past, best = self._past, self._best
        line = (2 * past[0] - past[1]) % (1 << self.symbol_bits) if past[1] != _NONE else _NONE
        near, middle, far = past[best - 1], past[2 * best - 1], past[3 * best - 1]
        return [*past, line, middle if middle == far else near]

    def _judge(self, symbol: int, predictions: list[int]) -> None:
        sample, last_wrong, counts = self.samples, self._last_wrong, self._in_window
        longest = most = at_run = at_count = 0
        for index, prediction in enumerate(predictions):
            if prediction != symbol:
                last_wrong[index] = sample
                continue
            run = sample - last_wrong[index]
            if run > longest:
                longest, at_run = run, index
            count = counts[index] = counts[index] + 1
            if count > most:
                most, at_count = count, index
        self._highest[_RUN] = max(self._highest[_RUN], longest)
        self._highest[_WINDOW] = max(self._highest[_WINDOW], most)
        if longest >= self.run_cutoff:
            self._fail(_RUN, 1 + at_run)
        if most >= self.window_cutoff and not self._window_failed:
            self._window_failed = True
            self._fail(_WINDOW, 1 + at_count)

    def _end_window(self) -> None:
        counts = self._in_window[:_VOTING_LAGS]
        self._best = 1 + counts.index(max(counts))
        self._in_span = [total + count for total, count in zip(self._in_span, self._in_window, strict=True)]
        self._in_window = [0] * LAG_PREDICTORS
        self._position = 0
        self._window_failed = False
        self.windows += 1
        most = max(self._in_span)
        self._highest[_SPAN] = max(self._highest[_SPAN], most)
        if most >= self.span_cutoff and not self._span_failed:
            self._span_failed = True
            self._fail(_SPAN, 1 + self._in_span.index(most))
        if self.windows % self.span == 0:
            self._in_span = [0] * LAG_PREDICTORS
            self._span_failed = False

    def _fail(self, what: int, predictor: int) -> None:
        if self._failures[what] == 0:
            self._first_failures[what] = self.samples
            self._first_predictors[what] = predictor
        self._failures[what] += 1
