"""The guard of foreign sources: a noise source that keeps to the interface, whatever the source behind it does.

The guard reads the metadata once and keeps them, calls the source in threads that are abandoned at the deadline, and
returns only what the :mod:`~esoteric_drbg.noise_sources.intake` has checked. Bounded sources of ours need no guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.intake import Fault, class_name, is_ours, raise_fault, read_inline
from esoteric_drbg.noise_sources.metadata import checked_claim, digitization_of, has_wide_values_of
from esoteric_drbg.noise_sources.raw_source import Availability
from esoteric_drbg.noise_sources.reader import ASK_DEADLINE_S, SHARE, InlineReader, Reader, ThreadReader, said
from esoteric_drbg.noise_sources.source import NoiseSource

if TYPE_CHECKING:
    from array import array

__all__ = [
    "GuardedSource",
    "ask",
    "checked_claim",
    "digitization",
    "guarded",
    "has_wide_values",
    "is_foreign",
    "take",
    "unguarded",
]


class GuardedSource(NoiseSource):
    """The stand-in for a source that is foreign, or cannot bound its reads.

    It is a noise source itself, with the metadata that the source behind it had when it was guarded. Every call goes
    through a :class:`~esoteric_drbg.noise_sources.reader.ThreadReader`.

    Raises
    ------
    InvalidInputError
        If the metadata are not complete; the message names what is missing.
    """

    def __init__(self, source: NoiseSource) -> None:
        self.source = source
        self.reader = ThreadReader(source)
        self.info = self.reader.info

    def _reader(self) -> Reader:
        return self.reader

    def availability(self) -> Availability:
        """Ask the source whether it can be read; without an answer it is unavailable."""
        return said(self.reader.ask(ASK_DEADLINE_S))

    def take(self, n_samples: int, deadline_s: float, *, told_s: float | None = None) -> bytes | Fault:
        """Return a private copy of ``n_samples`` samples, or why there are none; within ``deadline_s`` seconds.

        ``told_s`` is the deadline that is passed to the source itself.
        """
        return self.reader.take(n_samples, deadline_s, told_s=told_s)

    def forget(self) -> None:
        """Forget a read that never returned; for an operator who has repaired the source."""
        self.reader.forget()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return exactly ``n_samples`` checked samples, or raise :class:`~esoteric_drbg.errors.SourceReadError`."""
        outcome = self.reader.read(n_samples, deadline_s)
        if isinstance(outcome, Fault):
            raise_fault(self.name, outcome)
        return outcome

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return a copy of ``n_samples`` raw values at full width."""
        if not self.reader.wide:
            return super().read_wide(n_samples, deadline_s=deadline_s)
        values = self.reader.read_wide(n_samples, deadline_s)
        if isinstance(values, Fault):
            raise_fault(self.name, values)
        return values

    def digitize(self, wide: array[int]) -> bytes:
        """Return the source's digitization of full-width values."""
        samples = self.reader.digitize(wide)
        if isinstance(samples, Fault):
            raise_fault(self.name, samples)
        return samples


def guarded(source: NoiseSource) -> NoiseSource:
    """Return a source of ours that bounds its reads as it is, and any other behind its guard.

    Raises
    ------
    InvalidInputError
        If it is no noise source, or its metadata are incomplete.

    Examples
    --------
    >>> from esoteric_drbg.noise_sources import create
    >>> source = create("memory_timing")
    >>> guarded(source) is source
    True
    """
    if type(source) is GuardedSource or (is_ours(source) and source.bounded):
        return source
    if NoiseSource not in type.__dict__["__mro__"].__get__(type(source)):
        raise InvalidInputError(f"{class_name(source)} is not a NoiseSource")
    return GuardedSource(source)


def unguarded(source: NoiseSource) -> NoiseSource:
    """Return the source behind a guard."""
    return source.source if type(source) is GuardedSource else source


def is_foreign(source: NoiseSource) -> bool:
    """Return True for a source whose class is not one of this package."""
    return source.reader.foreign if type(source) is GuardedSource else not is_ours(source)


def has_wide_values(source: NoiseSource) -> bool:
    """Return whether a source's raw values are wider than its samples."""
    return source.reader.wide if type(source) is GuardedSource else has_wide_values_of(source)


def digitization(source: NoiseSource) -> str:
    """Return the first paragraph of the docstring of a source's class: its digitization."""
    return source.reader.digitization if type(source) is GuardedSource else digitization_of(source)


def ask(source: NoiseSource, deadline_s: float = ASK_DEADLINE_S) -> Availability | Fault:
    """Ask a guarded source, or one of ours, whether it can be read; return its answer, or why there is none."""
    reader = source.reader if type(source) is GuardedSource else InlineReader(source)
    return reader.ask(deadline_s)


def take(source: NoiseSource, n_samples: int, deadline_s: float) -> bytes | Fault:
    """Return ``n_samples`` checked samples of a guarded source, or of one of ours, or why there are none."""
    if type(source) is GuardedSource:
        return source.take(n_samples, deadline_s, told_s=SHARE * deadline_s)
    return read_inline(source, n_samples, source.symbol_bits, deadline_s)
