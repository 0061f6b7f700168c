"""The two continuous health tests of SP 800-90B, sections 4.4.1 and 4.4.2, on a stream in chunks of any size.

Each scan does all steps of its section. :mod:`esoteric_drbg.health_tests` computes the cutoffs and decides what a
failure means for a source.
"""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.buffers import contents

__all__ = ["AdaptiveProportionScan", "RepetitionCountScan"]


class RepetitionCountScan:
    """Repetition Count Test, 4.4.1.

    In the standard's names: C is ``cutoff``, A the sample that repeats, B is ``run``, X the next sample.

    Parameters
    ----------
    cutoff : int
        C, 2 or more. The test fails at every sample that brings a run of equal samples to C or more.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.health import RepetitionCountScan
    >>> scan = RepetitionCountScan(cutoff=3)
    >>> scan.push(bytes([1, 1, 2, 2, 2, 2])), scan.first_failure
    (2, 4)
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
        self._a = -1  # no sample yet

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many of them failed."""
        before = self.failures
        for x in contents(symbols):  # step 3
            if x == self._a:
                # Step 4: one more equal sample; the test fails from the C-th on.
                self.run += 1
                if self.run >= self.cutoff:
                    if self.failures == 0:
                        self.first_failure = self.samples
                    self.failures += 1
            else:
                # Otherwise x is the new A. The same holds for the first sample: steps 1 and 2.
                self._a = x
                self.run = 1
            self.longest_run = max(self.longest_run, self.run)
            self.samples += 1
        return self.failures - before


class AdaptiveProportionScan:
    """Adaptive Proportion Test, 4.4.2.

    In the standard's names: C is ``cutoff``, W is ``window``, A the first sample of a window, B its count.

    Parameters
    ----------
    cutoff : int
        C, 2 to ``window``. The test fails once in a window, when its first sample has occurred C times.
    window : int
        W, in samples; windows follow one another and each counts its first sample as 1.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.health import AdaptiveProportionScan
    >>> scan = AdaptiveProportionScan(cutoff=3, window=4)
    >>> scan.push(bytes([1, 2, 1, 1, 2, 3, 3, 3])), scan.first_failure, scan.windows
    (1, 3, 2)
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
        self._a = -1
        self._b = 0
        self._position = 0

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many windows failed in them."""
        before = self.failures
        for symbol in contents(symbols):
            if self._position == 0:
                # Steps 1 and 2
                self._a = symbol
                self._b = 1
            elif symbol == self._a:
                # Step 3: the test fails when B reaches C, at most once in a window.
                self._b += 1
                if self._b == self.cutoff:
                    if self.failures == 0:
                        self.first_failure = self.samples
                    self.failures += 1
            self.max_count = max(self.max_count, self._b)
            self.samples += 1
            self._position += 1
            if self._position == self.window:
                # Step 4: the next window begins with the next sample.
                self._position = 0
                self.windows += 1
        return self.failures - before
