"""Sources that measure one raw value after another, in Python."""

from __future__ import annotations

import abc
import time
from array import array

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.kernels.timing import whole_steps
from esoteric_drbg.noise_sources.deadline import seconds_left
from esoteric_drbg.noise_sources.source import NoiseSource

__all__ = ["OneByOneSource", "ticks_to_samples"]


def ticks_to_samples(wide: array[int]) -> bytes:
    """Return, for each duration in ticks of the CPU's counter, duration / counter step, rounded, mod 256."""
    return bytes(whole_steps(ticks) & 0xFF for ticks in wide)


class OneByOneSource(NoiseSource):
    """A source that measures one raw value after another, each by a call of :meth:`measure`.

    A subclass defines :meth:`availability`, :meth:`measure` and, if a device or file stays open between reads,
    :meth:`open` and :meth:`close`. An ``OSError`` during a read closes the source and is raised as
    :class:`~esoteric_drbg.errors.SourceReadError`; the next read opens it again. A measurement that has to wait waits
    for at most :meth:`patience` seconds and then raises ``TimeoutError``. If the read's deadline has expired, the read
    returns what it has.

    Attributes
    ----------
    until : float, optional
        When the current read must end, on the monotonic clock.
    """

    until: float | None = None

    @abc.abstractmethod
    def measure(self) -> int:
        """Return the next raw value at full width, 0 to 2^64 - 1."""

    def open(self) -> None:
        """Open what the measurements need, if it is not open yet."""

    def close(self) -> None:
        """Close what :meth:`open` opened, if anything; the next read opens it again."""

    def __del__(self) -> None:
        self.close()

    def patience(self, at_most: float) -> float:
        """Return how many seconds a measurement may wait now: at most ``at_most``, and not beyond the deadline."""
        return seconds_left(self.until, at_most)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next raw samples; fewer if ``deadline_s`` passes between two measurements."""
        return self.digitize(self.read_wide(n_samples, deadline_s=deadline_s))

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next raw values at full width; fewer if ``deadline_s`` passes between two measurements."""
        self.require_available()
        until = self.until = None if deadline_s is None else time.monotonic() + deadline_s
        wide = array("Q")
        try:
            self.open()
            for _ in range(n_samples):
                if until is not None and time.monotonic() >= until:
                    break
                wide.append(self.measure())
        except OSError as error:
            self.close()
            if isinstance(error, TimeoutError) and until is not None and time.monotonic() >= until:
                return wide
            raise SourceReadError(f"{self.name}: {error.strerror or error}") from None
        return wide
