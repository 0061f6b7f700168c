"""Deadlines: calls in a thread that is abandoned at the deadline, and the seconds that are left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from esoteric_drbg.kernels.process import Worker, fork_generation
from esoteric_drbg.kernels.process import join as wait_for
from esoteric_drbg.noise_sources.intake import LONGEST_WAIT_S, Fault, described

__all__ = ["Call", "seconds_left", "still_runs", "within"]

_T = TypeVar("_T")


def seconds_left(until: float | None, at_most: float) -> float:
    """Return the seconds until a time of the monotonic clock: at least 0 and at most ``at_most``.

    Examples
    --------
    >>> seconds_left(None, 2.0), seconds_left(0.0, 2.0)
    (2.0, 0.0)
    """
    return at_most if until is None else max(0.0, min(at_most, until - time.monotonic()))


class Call(Worker):
    """One call of a source in its own thread, which never raises an error and may be abandoned."""

    def __init__(self, task: Callable[[], Any], name: str, *, ours: bool) -> None:
        super().__init__(name=f"esoteric_drbg {name}")
        self._task, self._ours = task, ours
        self._outcome: list[Any] = []

    def run(self) -> None:
        """Make the call and keep its outcome."""
        try:
            outcome = self._task()
        except Exception as error:
            outcome = described(error, ours=self._ours)
        except BaseException as error:
            outcome = described(error)
        self._outcome.append(outcome)
        del self._task

    def result(self, deadline_s: float) -> Any:
        """Start the call and return its outcome, or a fault if there is none within ``deadline_s`` seconds."""
        try:
            self.start()
        except (RuntimeError, MemoryError):
            if self.generation == fork_generation():
                return Fault("no thread could be started to read it")
        wait_for(self, min(deadline_s, LONGEST_WAIT_S))
        if self.generation != fork_generation():
            return Fault("the process was forked during the call", forked=True)
        if not self._outcome:
            return Fault(f"did not return within {deadline_s:g} s", hung=True)
        return self._outcome.pop()


def still_runs(thread: Worker, seconds: float) -> bool:
    """Return whether a thread still runs after ``seconds``; a thread of the parent does not run in a forked child."""
    wait_for(thread, seconds)
    return thread.generation == fork_generation() and thread.is_alive()


def within(task: Callable[[], _T], deadline_s: float, *, name: str, ours: bool = False) -> _T | Fault:
    """Return the result of ``task``, or why there is none; its thread is abandoned at the deadline."""
    outcome: _T | Fault = Call(task, name, ours=ours).result(deadline_s)
    return outcome
