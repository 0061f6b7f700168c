"""A noise source as users see it: the interface that a contributor implements, and checked reads.

A contributor writes a subclass that states ``info``, :meth:`NoiseSource.availability` and
:meth:`NoiseSource.read_raw`; everything else is inherited. The complete recipe is in CONTRIBUTING.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esoteric_drbg.extras import load
from esoteric_drbg.noise_sources import reader as readers
from esoteric_drbg.noise_sources.raw_source import Availability, RawSource

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from esoteric_drbg.progress import Progress

__all__ = ["Availability", "NoiseSource"]


class NoiseSource(RawSource):
    """One noise source: raw samples from hardware, never conditioned or whitened, with a min-entropy claim.

    Attributes
    ----------
    info : SourceInfo
        The metadata, a :class:`~esoteric_drbg.noise_sources.SourceInfo` set by the class, or by an instance that knows
        more. Each of its values (``name``, ``claim``, ...) is an attribute of the source, too.
    """

    def _reader(self) -> readers.Reader:
        return readers.reader_of(self)

    def is_available(self) -> bool:
        """Return True if the source can be read on this machine."""
        return readers.said(self._reader().ask(readers.ASK_DEADLINE_S)).available

    def collect(self, n_samples: int) -> npt.NDArray[np.uint8]:
        """Return ``n_samples`` raw samples as a one-dimensional ``uint8`` array.

        Raises
        ------
        InvalidInputError
            If ``n_samples`` is below 1.
        SourceError
            If the source is unavailable, or delivered fewer samples.
        """
        numpy = load("numpy")  # never loaded on the token path
        found: npt.NDArray[np.uint8] = numpy.frombuffer(self.read_exactly(n_samples), dtype=numpy.uint8).copy()
        return found

    def read_exactly(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return exactly ``n_samples`` raw samples from :meth:`read_raw`, or raise an error.

        Raises
        ------
        InvalidInputError
            If ``n_samples`` is below 1.
        SourceUnavailableError
            If the source cannot be read here.
        SourceReadError
            If the read raised an error or did not return, did not return ``n_samples`` bytes, or a sample is wider than
            ``symbol_bits``; see :mod:`~esoteric_drbg.noise_sources.intake`.
        """
        return readers.read_exactly(self._reader(), n_samples, deadline_s)

    def require_available(self) -> None:
        """Raise :class:`~esoteric_drbg.errors.SourceUnavailableError` if the source cannot be read here."""
        readers.require_available(self._reader())

    def entropy_quality(self, n_samples: int = 10_000, *, progress: Progress | None = None) -> dict[str, Any]:
        """Return quick quality figures of freshly read raw samples; see :mod:`~esoteric_drbg.noise_sources.quality`.

        ``progress`` is called with (samples read, ``n_samples``, ``""``) some four times a second.

        Returns
        -------
        dict
            ``grade`` (A to F by min-entropy per symbol bit), ``shannon`` and ``min_entropy`` (bits per sample, the
            latter by the Most Common Value estimate of SP 800-90B 6.3.1), ``compression_ratio``, ``samples``,
            ``seconds``.
        """
        from esoteric_drbg.noise_sources.quality import entropy_quality  # noqa: PLC0415 - loads zlib and math only here

        info = self._reader().info
        return entropy_quality(
            self.read_exactly,
            n_samples,
            symbol_bits=info.symbol_bits,
            estimated_rate=info.estimated_rate,
            progress=progress,
        )
