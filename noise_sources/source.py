"""The interface of every noise source (SP 800-90B 2.2.1: noise source and digitization).

A contributor writes a subclass with its metadata, :meth:`NoiseSource.availability` and
:meth:`NoiseSource.read_raw`; everything else is inherited. The complete recipe is in CONTRIBUTING.md.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from esoteric_drbg.noise_sources.claims import Claim

if TYPE_CHECKING:
    from array import array

    import numpy as np
    import numpy.typing as npt

    from esoteric_drbg.progress import Progress

__all__ = ["Availability", "NoiseSource"]


class Availability(NamedTuple):
    """Whether a source can be read here.

    Attributes
    ----------
    available : bool
        True where :meth:`NoiseSource.read_raw` can be called.
    reason : str
        Empty when available; otherwise one sentence that says which part is missing.
    """

    available: bool
    reason: str = ""


class NoiseSource(abc.ABC):
    """One noise source: raw symbols from hardware, with a min-entropy claim. Never conditioned, never whitened.

    Class attributes
    ----------------
    name : str
        Identifier, unique among installed sources: lower case, digits, underscores.
    description : str
        What is measured, in one line of a table.
    category : str
        ``timing``, ``memory``, ``storage``, ``system``, ``cpu_rng``, ``network``, ``sensor`` or ``gpu``.
    physics : str
        What fluctuates and why, in a sentence or two.
    platforms : tuple of str
        Values of ``sys.platform`` the source is written for; empty means every platform.
    physical : bool
        True for a physical noise source, False for a non-physical one (SP 800-90B 2.2.1).
    independence_group : str
        Sources that share a cause of their noise share a group; only one of a group is credited in a seed.
    symbol_bits : int
        Width of a raw symbol in bits, 1 to 8.
    estimated_rate : float
        Raw symbols per second to expect, for planning only: what is measured counts.
    claim : Claim
        H_submitter with its evidence.
    bounded : bool
        True if :meth:`read_raw` honours ``deadline_s`` by itself, whatever the hardware does. The pool reads
        any other source, and every one of another package, in a thread that it abandons at the deadline.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    category: ClassVar[str]
    physics: ClassVar[str]
    platforms: ClassVar[tuple[str, ...]] = ()
    physical: ClassVar[bool] = True
    independence_group: ClassVar[str]
    symbol_bits: ClassVar[int] = 8
    estimated_rate: ClassVar[float]
    claim: Claim = Claim(min_entropy=0.0)
    bounded: ClassVar[bool] = False

    @abc.abstractmethod
    def availability(self) -> Availability:
        """Return whether the source can be read here and, if not, why. Cheap, and free of side effects."""

    @abc.abstractmethod
    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next ``n_samples`` raw symbols, one a byte, in the order they were measured.

        ``bytes``, or a ``bytearray``, ``memoryview``, ``array`` or numpy array of 8-bit unsigned items, which is copied
        at once: nothing else is taken. This is the seed path: it imports no numpy, and what it returns is secret until
        it is discarded.

        Parameters
        ----------
        n_samples : int
            How many symbols, at least 1.
        deadline_s : float, optional
            Seconds after which a source that can tell returns what it has got (its caller treats fewer symbols
            than asked for as a failed read).

        Raises
        ------
        SourceError
            If the source is unavailable or the read failed.
        """

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next ``n_samples`` raw values at full width, before digitization (typecode ``Q``).

        A source whose symbols are all there is returns them unchanged.
        """
        from array import array  # noqa: PLC0415 - not needed on the token path

        return array("Q", list(self.read_raw(n_samples, deadline_s=deadline_s)))

    def digitize(self, wide: array[int]) -> bytes:
        """Return the raw symbols of full-width raw values; by default their low ``symbol_bits`` bits."""
        mask = (1 << self.symbol_bits) - 1
        return bytes(value & mask for value in wide)

    def parameters(self) -> dict[str, str | int]:
        """Return what the raw symbols depend on: a stored self-assessment holds for these values only."""
        return {}

    def is_available(self) -> bool:
        """Return True if the source can be read on this machine."""
        from esoteric_drbg.noise_sources.guard import guarded  # noqa: PLC0415 - it imports this module

        return guarded(self).availability().available

    def collect(self, n_samples: int) -> npt.NDArray[np.uint8]:
        """Return ``n_samples`` raw symbols as a one-dimensional ``uint8`` array.

        Raises
        ------
        InvalidInputError
            If ``n_samples`` is below 1.
        SourceError
            If the source is unavailable, or delivered fewer symbols.
        """
        try:
            import numpy as np  # noqa: PLC0415 - numpy never loads on the token path
        except ModuleNotFoundError as error:
            from esoteric_drbg.extras import or_its_extra  # noqa: PLC0415

            raise or_its_extra(error) from None

        return np.frombuffer(self.read_exactly(n_samples), dtype=np.uint8).copy()

    def read_exactly(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return exactly ``n_samples`` raw symbols from :meth:`read_raw`, or raise.

        Raises
        ------
        InvalidInputError
            If ``n_samples`` is below 1.
        SourceUnavailableError
            If the source cannot be read here.
        SourceReadError
            If the read raised or did not return, something else than so many bytes came, or a symbol is wider than
            ``symbol_bits``; see :mod:`~esoteric_drbg.noise_sources.intake`.
        """
        from esoteric_drbg.noise_sources.guard import read_checked  # noqa: PLC0415 - it imports this module

        return read_checked(self, n_samples, deadline_s=deadline_s)

    def require_available(self) -> None:
        """Raise :class:`~esoteric_drbg.errors.SourceUnavailableError` if the source cannot be read here."""
        from esoteric_drbg.noise_sources.guard import require_available  # noqa: PLC0415 - it imports this module

        require_available(self)

    def entropy_quality(self, n_samples: int = 10_000, *, progress: Progress | None = None) -> dict[str, Any]:
        """Return quick quality figures of freshly read raw symbols; see :mod:`~esoteric_drbg.noise_sources.quality`.

        ``progress`` is called with (symbols read, ``n_samples``, ``""``) some four times a second.

        Returns
        -------
        dict
            ``grade`` (A to F by min-entropy per symbol bit), ``shannon`` and ``min_entropy`` (bits per symbol, the
            latter by the Most Common Value estimate of SP 800-90B 6.3.1), ``compression_ratio``, ``samples``,
            ``seconds``.
        """
        from esoteric_drbg.noise_sources.quality import entropy_quality  # noqa: PLC0415 - loads zlib and math only here

        return entropy_quality(self, n_samples, progress=progress)
