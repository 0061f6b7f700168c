"""The interface of a noise source (SP 800-90B 2.2.1: noise source and digitization) that a contributor implements."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NamedTuple

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.info import SourceInfo, Told, from_class_attributes, read_through

if TYPE_CHECKING:
    from array import array

    from esoteric_drbg.noise_sources.claims import Claim

__all__ = ["Availability", "RawSource"]


class Availability(NamedTuple):
    """Whether a source can be read here.

    Attributes
    ----------
    available : bool
        True if :meth:`NoiseSource.read_raw` can be called.
    reason : str
        Empty if available; otherwise one sentence that names the missing part.
    """

    available: bool
    reason: str = ""


_TOLD = {label: Told(label) for label in SourceInfo._fields}


def _told(label: str) -> Any:
    return _TOLD[label]


class RawSource(abc.ABC):
    """The interface of a noise source, whose answers are not checked yet.

    Attributes
    ----------
    info : SourceInfo
        The source's metadata. Each of its values is an attribute of the source, too.
    """

    info: SourceInfo

    name: str = _told("name")
    description: str = _told("description")
    category: str = _told("category")
    physics: str = _told("physics")
    independence_group: str = _told("independence_group")
    estimated_rate: float = _told("estimated_rate")
    platforms: tuple[str, ...] = _told("platforms")
    physical: bool = _told("physical")
    symbol_bits: int = _told("symbol_bits")
    claim: Claim = _told("claim")
    bounded: bool = _told("bounded")
    opt_in: bool = _told("opt_in")

    def __init_subclass__(cls, **options: Any) -> None:
        """Take over the metadata of a class that states them as class attributes, the way before ``info``."""
        super().__init_subclass__(**options)
        if from_class_attributes(cls):
            import warnings  # noqa: PLC0415 - only for the deprecated way

            words = "a noise source states info = SourceInfo(...): class attributes are read for one release more"
            warnings.warn(words, DeprecationWarning, stacklevel=3)
        read_through(cls, _TOLD)

    @abc.abstractmethod
    def availability(self) -> Availability:
        """Return whether the source can be read here and, if not, why; fast and without side effects."""

    @abc.abstractmethod
    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next ``n_samples`` raw samples, one per byte, in the order in which they were measured.

        Return ``bytes``, or a ``bytearray``, ``memoryview``, ``array`` or numpy array of 8-bit unsigned items, which is
        copied at once; no other type is accepted. Seeds are made of these samples: the method imports no numpy, and the
        samples stay secret until they are discarded.

        Parameters
        ----------
        n_samples : int
            How many samples, at least 1.
        deadline_s : float, optional
            Seconds after which a source that can do so returns the samples it has. The caller treats fewer samples than
            asked for as a failed read.

        Raises
        ------
        SourceError
            If the source is unavailable or the read failed.
        """

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next ``n_samples`` raw values at full width, before digitization (typecode ``Q``).

        A source without wider values returns its samples.
        """
        from array import array  # noqa: PLC0415 - not needed on the token path

        return array("Q", list(self.read_raw(n_samples, deadline_s=deadline_s)))

    def digitize(self, wide: array[int]) -> bytes:
        """Return the raw samples of full-width raw values; by default their low ``symbol_bits`` bits."""
        mask = (1 << self.symbol_bits) - 1
        return bytes(value & mask for value in wide)

    def parameters(self) -> dict[str, str | int]:
        """Return the parameters on which raw samples depend; a stored self-assessment holds only for these values."""
        return {}

    def set_restart_options(self, *options: str) -> None:
        """Set the options that a restart recording passes to this source (``restart_worker``); by default it has none.

        Raises
        ------
        InvalidInputError
            If this source has no option of that name.
        """
        if options:
            raise InvalidInputError(f"{self.name}: {' '.join(options)} is no option of its restarts")
