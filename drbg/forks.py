"""What must not be in the middle of something when the process forks: instances and pools.

A lock that another thread holds at the fork stays locked in the child for ever, and a state that it was changing stays
half changed. So the fork waits for them, and each is told on both sides when it is over. It waits, too, while a public
name of the package is loaded: the child could never finish an import that another thread began.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

__all__ = ["Forkable", "give_way", "hold_across_fork", "loading"]


class Forkable(Protocol):
    """An object with a lock that a fork must wait for.

    ``fork_order`` says when its lock is acquired, lower ones first: an object that holds its own lock while it asks for
    another's has the lower number.
    """

    fork_order: int

    def before_fork(self) -> None:
        """Acquire the lock."""

    def after_fork(self, *, child: bool) -> None:
        """Release the lock, in the parent and in the child."""


#: Held while a public name is loaded; see ``esoteric_drbg.__getattr__``.
loading = threading.RLock()

_registered: list[weakref.ref[Forkable]] = []
_registry_lock = threading.Lock()
_held: list[Forkable] = []
_waiting = False


def hold_across_fork(thing: Forkable) -> None:
    """Make every later fork of this process wait for ``thing``."""
    with _registry_lock:
        _registered[:] = [reference for reference in _registered if reference() is not None]
        _registered.append(weakref.ref(thing))


def give_way() -> None:
    """Let a fork that is waiting go first: locks are not fair, and busy threads would keep it waiting for minutes.

    To be called before a lock is acquired that a fork waits for.
    """
    if _waiting:
        time.sleep(0.001)


def _before_fork() -> None:
    """Hold everything that is registered, and then the registry.

    Not the registry first: a thread that holds a thing may be making another one, and wait for the registry. What was
    made meanwhile is found under the registry's lock; then everything is let go, and held anew in the right order. The
    same if a thread loads a part of the package: it may need any of these.
    """
    global _waiting  # noqa: PLW0603 - of the process
    _waiting = True
    while True:
        with _registry_lock:
            alive = [thing for thing in (reference() for reference in _registered) if thing is not None]
        for thing in sorted(alive, key=lambda thing: thing.fork_order):
            thing.before_fork()
            _held.append(thing)
        _registry_lock.acquire()
        known = {id(thing) for thing in alive}
        newcomers = [thing for thing in (reference() for reference in _registered) if thing is not None]
        if all(id(thing) in known for thing in newcomers):
            if loading.acquire(blocking=False):
                _waiting = False
                return
            _let_go(child=False)
            time.sleep(0.001)
        else:
            _let_go(child=False)


def _after_fork(*, child: bool) -> None:
    loading.release()
    _let_go(child=child)


def _let_go(*, child: bool) -> None:
    while _held:
        _held.pop().after_fork(child=child)
    _registry_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )
