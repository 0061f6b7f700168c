"""The one shape in which long work says what it has done; what draws it is :mod:`esoteric_drbg.cli.progress`."""

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
        """Tell how much is done, of how much, and what was done last; `step` may be empty."""


def silent(_done: int, _total: int, _step: str, /) -> None:
    """Tell nobody: what a function calls that was given no progress."""
