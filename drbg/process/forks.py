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
    """A re-entrant lock, ``with loading:`` around every load; a fork waits while another thread holds it.

    A thread notes that it holds the lock, and then looks for forks; a fork notes that it is near, and then looks for
    holders. So one of them sees the other: no load begins between the last look of a fork and the fork.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held: list[tuple[int, Any]] = []
        #: Threads about to fork, and the time until which a load waits for them.
        self._forks: list[tuple[int, float]] = []

    def __enter__(self) -> None:
        me = threading.get_ident()
        nested = any(thread == me for thread, _ in self._held)
        # In slices: a frame that waits when its process is forked goes on in the child, with the child's lock.
        while True:
            entry, taken = (me, self._lock), list[bool]()
            try:
                # One call takes the lock and notes it: a Ctrl-C comes before both or after both.
                taken.extend(map(entry[1].acquire, (True,), (0.05,)))
                if taken[-1]:
                    self._held.append(entry)
                    if nested or not self._fork_is_near():
                        return
                    self._held.remove(entry)
            except BaseException:
                if any(taken):
                    if not nested and entry in self._held:
                        self._held.remove(entry)
                    entry[1].release()
                raise
            if taken[-1]:
                entry[1].release()
                time.sleep(0.001)

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

    def _fork_is_near(self) -> bool:
        me, now = threading.get_ident(), time.monotonic()
        return any(thread != me and now < until for thread, until in self._forks)

    def begin_fork(self) -> None:
        """Wait until no other thread loads anything, and let none begin before :meth:`end_fork`."""
        me, until = threading.get_ident(), time.monotonic() + LONGEST_WAIT_S
        while True:
            self._forks.append((me, until))
            if not self.by_others() or time.monotonic() >= until:
                return
            self.end_fork()
            time.sleep(0.001)  # a handler may raise in here: Python reports that and forks; nothing is held

    def end_fork(self) -> None:
        """Let the loads of other threads go on."""
        me = threading.get_ident()
        for entry in reversed(self._forks):
            if entry[0] == me:
                self._forks.remove(entry)
                return

    def begin_in_child(self) -> None:
        """Release what a thread holds that a forked child does not have, noted or not."""
        self._forks.clear()
        if not any(thread == threading.get_ident() for thread, _ in self._held):
            self._held.clear()
            self._lock = threading.RLock()


loading = _Loading()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=loading.begin_fork, after_in_parent=loading.end_fork, after_in_child=loading.begin_in_child
    )
