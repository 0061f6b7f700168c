"""Reference kernels of the two continuous health tests, SP 800-90B sections 4.4.1 and 4.4.2."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["AdaptiveProportionScan", "RepetitionCountScan"]


class RepetitionCountScan:
    """Repetition Count Test, 4.4.1, over a stream in chunks of any size.

    Parameters
    ----------
    cutoff : int
        C, 2 or more. The test fails at every sample that makes a run of C or more equal ones.
    """

    def __init__(self, cutoff: int) -> None:
        if cutoff < 2:
            raise InvalidInputError(f"cutoff={cutoff}: a repetition takes at least 2 samples")
        self.cutoff = cutoff
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self.samples = 0
        self.failures = 0
        self.first_failure = -1
        self.run = 0
        self.longest_run = 0
        self._last = -1

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many of them failed."""
        before = self.failures
        for symbol in contents(symbols):
            self.run = self.run + 1 if symbol == self._last else 1
            self._last = symbol
            self.longest_run = max(self.longest_run, self.run)
            if self.run >= self.cutoff:
                if self.failures == 0:
                    self.first_failure = self.samples
                self.failures += 1
            self.samples += 1
        return self.failures - before


class AdaptiveProportionScan:
    """Adaptive Proportion Test, 4.4.2, over a stream in chunks of any size.

    Parameters
    ----------
    cutoff : int
        C, 2 to ``window``. The test fails once in a window, when its first sample has come C times.
    window : int
        W, in samples; windows follow one another and each counts its first sample as 1.
    """

    def __init__(self, cutoff: int, window: int) -> None:
        if not 2 <= cutoff <= window:
            raise InvalidInputError(f"cutoff={cutoff}: expected 2 to the window of {window} samples")
        self.cutoff = cutoff
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self.samples = 0
        self.failures = 0
        self.first_failure = -1
        self.windows = 0
        self.max_count = 0
        self._first = -1
        self._count = 0
        self._position = 0

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many windows failed in them."""
        before = self.failures
        for symbol in contents(symbols):
            if self._position == 0:
                self._first = symbol
                self._count = 1
            elif symbol == self._first:
                self._count += 1
                if self._count == self.cutoff:
                    if self.failures == 0:
                        self.first_failure = self.samples
                    self.failures += 1
            self.max_count = max(self.max_count, self._count)
            self.samples += 1
            self._position += 1
            if self._position == self.window:
                self._position = 0
                self.windows += 1
        return self.failures - before
