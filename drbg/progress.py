"""The one interface by which long work reports its progress; :mod:`esoteric_drbg.cli.progress` draws it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called in the caller's thread after each step; an exception from it ends the work.

    Examples
    --------
    >>> from esoteric_drbg.conformance.faults.induced_failures import FAULTS, induce_failures
    >>> steps = []
    >>> _ = induce_failures(faults=FAULTS[:1], trials=1, progress=lambda *step: steps.append(step))
    >>> steps[0]
    (1, 4, 'intermittent: healthy data')
    """

    def __call__(self, done: int, total: int, step: str, /) -> object:
        """Report how much is done, of how much, and what was done last; `step` may be empty."""


def silent(_done: int, _total: int, _step: str, /) -> None:
    """Report nothing: the progress of a function that was given none."""
