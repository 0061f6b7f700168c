"""The continuous health tests under their standard names, SP 800-90B sections 4.4.1 and 4.4.2."""

from __future__ import annotations

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.health_tests.cutoffs import Real, apt_cutoff, apt_window, rct_cutoff
from esoteric_drbg.kernels.health import new_adaptive_proportion_scan, new_repetition_count_scan

__all__ = ["AdaptiveProportionTest", "RepetitionCountTest"]


class RepetitionCountTest:
    """Repetition Count Test, 4.4.1: fails at every sample that brings a run of equal samples to C or more.

    A stream may be pushed in chunks of any size: where it is split does not change which samples fail.

    Parameters
    ----------
    cutoff : int
        C in samples, 2 or more.

    Examples
    --------
    >>> test = RepetitionCountTest(4)
    >>> test.push(bytes([1, 7, 7, 7])), test.push(bytes([7, 7]))
    (0, 2)
    >>> test.first_failure
    4
    """

    def __init__(self, cutoff: int) -> None:
        self._scan = new_repetition_count_scan(cutoff)

    @classmethod
    def from_claim(cls, min_entropy: Real, alpha: Real) -> RepetitionCountTest:
        """Return the test for a claim of ``min_entropy`` bits per sample and a false-alarm rate ``alpha``."""
        return cls(rct_cutoff(min_entropy, alpha))

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many of them failed."""
        return self._scan.push(symbols)

    def reset(self) -> None:
        """Forget the stream."""
        self._scan.reset()

    @property
    def cutoff(self) -> int:
        """C, in samples."""
        return self._scan.cutoff

    @property
    def samples(self) -> int:
        """Samples tested."""
        return self._scan.samples

    @property
    def failures(self) -> int:
        """Samples that failed."""
        return self._scan.failures

    @property
    def first_failure(self) -> int | None:
        """Index of the first sample that failed, counting from 0; None if none has."""
        return None if self._scan.first_failure < 0 else self._scan.first_failure

    @property
    def longest_run(self) -> int:
        """Longest run of equal samples so far."""
        return self._scan.longest_run


class AdaptiveProportionTest:
    """Adaptive Proportion Test, 4.4.2: fails when the first sample of a window occurs C times in that window.

    Parameters
    ----------
    cutoff : int
        C in samples, 2 to ``window``.
    window : int
        W in samples: 1024 for a binary noise source, 512 for any other.

    Raises
    ------
    InvalidInputError
        If the cutoff exceeds the window: such a test could never fail.

    Examples
    --------
    >>> test = AdaptiveProportionTest(3, window=8)
    >>> test.push(bytes([5, 1, 5, 2, 5, 3, 4, 6]))
    1
    """

    def __init__(self, cutoff: int, window: int = 512) -> None:
        if isinstance(cutoff, int) and isinstance(window, int) and cutoff > window:
            raise InvalidInputError(
                f"cutoff={cutoff} exceeds window={window}: this Adaptive Proportion Test could never fail"
            )
        self._scan = new_adaptive_proportion_scan(cutoff, window)

    @classmethod
    def from_claim(cls, min_entropy: Real, alpha: Real, *, symbol_bits: int = 8) -> AdaptiveProportionTest:
        """Return the test for a claim of ``min_entropy`` bits per sample and a false-alarm rate ``alpha``."""
        window = apt_window(symbol_bits)
        return cls(apt_cutoff(min_entropy, alpha, window), window)

    def push(self, symbols: bytes | bytearray | memoryview) -> int:
        """Test the next samples, one a byte; return how many windows failed in them."""
        return self._scan.push(symbols)

    def reset(self) -> None:
        """Forget the stream."""
        self._scan.reset()

    @property
    def cutoff(self) -> int:
        """C, in samples."""
        return self._scan.cutoff

    @property
    def window(self) -> int:
        """W, in samples."""
        return self._scan.window

    @property
    def samples(self) -> int:
        """Samples tested."""
        return self._scan.samples

    @property
    def windows(self) -> int:
        """Windows completed."""
        return self._scan.windows

    @property
    def failures(self) -> int:
        """Windows that failed."""
        return self._scan.failures

    @property
    def first_failure(self) -> int | None:
        """Index of the sample at which a window first failed, counting from 0; None if none has."""
        return None if self._scan.first_failure < 0 else self._scan.first_failure

    @property
    def max_count(self) -> int:
        """Largest B, the count of a window's first sample, so far."""
        return self._scan.max_count
