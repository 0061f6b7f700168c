"""A fork waits while a part of the package is loaded: a child could never finish an import that another thread began.

Nothing else waits for a fork, and no lock is held across one: what a child must not share with its parent is asked for
by the fork generation (:mod:`esoteric_drbg.kernels.process`).
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["loading"]

#: Longest time that a fork waits for a load, in seconds: one that takes longer waits for something itself.
LONGEST_WAIT_S = 10.0


class _Loading:
    """A re-entrant lock, ``with loading:`` around every load; a fork waits while another thread holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        # In slices: a frame that waits when its process is forked goes on in the child, with the child's lock.
        while True:
            entry, taken = (threading.get_ident(), self._lock), list[bool]()
            try:
                # One call takes the lock and notes it: a Ctrl-C comes before both or after both.
                taken.extend(map(entry[1].acquire, (True,), (0.05,)))
                if taken[-1]:
                    self._held.append(entry)
                    return
            except BaseException:
                if any(taken):
                    entry[1].release()
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lock = self._held[-1][1]
        try:
            self._held.pop()
        finally:
            lock.release()

    def by_others(self) -> bool:
        """Return True while another thread loads something."""
        return any(thread != threading.get_ident() for thread, _ in self._held)

    def begin_in_child(self) -> None:
        """Let go of what a thread holds that a forked child does not have."""
        if self.by_others():
            self._held.clear()
            self._lock = threading.RLock()


loading = _Loading()


def _before_fork() -> None:
    until = time.monotonic() + LONGEST_WAIT_S
    while loading.by_others() and time.monotonic() < until:
        time.sleep(0.001)  # a handler may raise in here: Python reports that and forks; nothing is held


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=loading.begin_in_child)
