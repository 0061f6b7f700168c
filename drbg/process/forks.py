"""A lock around imports for which a fork waits: a child cannot finish an import that another thread began.

A fork waits for nothing else, and no lock is held across a fork: by the fork generation a child recognises what it must
not share with its parent (:mod:`esoteric_drbg.kernels.process`).
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["loading"]

#: Longest time that a fork waits for a load, in seconds: a load that takes longer is itself waiting for something.
LONGEST_WAIT_S = 10.0


class _Loading:
    """A re-entrant lock, ``with loading:`` around every load; a fork waits while another thread holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        # Wait in slices: a frame that waits while its process is forked goes on in the child, with the child's lock.
        while True:
            entry, taken = (threading.get_ident(), self._lock), list[bool]()
            try:
                # One call takes the lock and notes that: Ctrl-C comes before both or after both.
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
        """Replace the lock if it is held by a thread that does not exist in the forked child."""
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
