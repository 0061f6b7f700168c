"""What belongs to one process: the fork generation, and objects that a forked child does not inherit.

A forked child has a copy of the whole memory, but only one thread. An object may be half changed by a thread that the
child does not have, and a lock that such a thread held is never released. So no code runs before a fork to wait, or
after one to repair: objects that must not be shared are looked up by fork generation, and a child gets its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.kernels.reference.fork_guard import fork_generation as _reference
from esoteric_drbg.kernels.selection import LOOK_S, in_request, native, stop_if_ending

__all__ = ["Lock", "ProcessLocal", "ProcessLock", "Worker", "fork_generation", "in_one_process", "join", "take_lock"]

_T = TypeVar("_T")

#: ``fork_generation() -> int``: a number that is never 0 and never that of the parent process. It takes some 50 ns.
fork_generation: Callable[[], int] = _reference if native is None else native.fork_generation


class ProcessLocal(Generic[_T]):
    """An object of which each process has its own.

    Parameters
    ----------
    make : callable
        Makes the object when a process first asks for it.

    Examples
    --------
    >>> numbers = ProcessLocal(list)
    >>> numbers.get() is numbers.get()
    True
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._by_generation: dict[int, _T] = {}

    def get(self) -> _T:
        """Return this process's own object."""
        generation = fork_generation()
        try:
            return self._by_generation[generation]
        except KeyError:
            # setdefault is atomic: if two threads come first at once, the object of one of them is dropped.
            found = self._by_generation.setdefault(generation, self._make())
            for other in list(self._by_generation):
                if other != generation:
                    self._by_generation.pop(other, None)
            return found


class Lock(Protocol):
    """What :func:`threading.RLock` returns."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


class ProcessLock:
    """A re-entrant lock; a forked child has its own, which is free.

    A frame may wait for the lock when its process is forked. In the child nobody would release that lock. So a waiting
    frame checks the process every `LOOK_S` seconds, and in a child it waits for the child's lock.

    Examples
    --------
    >>> lock = ProcessLock().take()
    >>> try:
    ...     pass  # other threads wait
    ... finally:
    ...     lock.release()
    """

    def __init__(self) -> None:
        self._lock: ProcessLocal[Lock] = ProcessLocal(threading.RLock)

    def acquire(self, timeout_s: float = math.inf) -> Lock | None:
        """Acquire and return this process's lock, which the caller releases; None after ``timeout_s`` seconds."""
        lock = self._lock.get()
        if take_lock(lock, False):
            return lock
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            lock = self._lock.get()
            if take_lock(lock, True, min(left, LOOK_S)):
                return lock
            stop_if_ending()
        return None

    def take(self) -> Lock:
        """Acquire and return this process's lock, however long that takes; ``try`` ... ``finally`` releases it.

        A ``with`` would call a Python function at its end, and Ctrl-C at its first instruction would leave the lock
        taken.
        """
        while (lock := self.acquire()) is None:
            pass
        return lock


def take_lock(lock: Lock, blocking: bool, timeout: float = -1.0) -> bool:
    """Return True if the lock was acquired; one call acquires and records it, so Ctrl-C cannot come in between."""
    taken: list[bool] = []
    try:
        taken.extend(map(lock.acquire, (blocking,), (timeout,)))
    except BaseException:
        if taken and taken[0]:
            lock.release()
        raise
    return taken[0]


def in_one_process(draw: Callable[[], _T]) -> _T:
    """Return the result of ``draw()``; a child that is forked in the middle of it draws again.

    A signal handler or a finaliser may fork at any point of ``draw``. Its frames then go on in both processes, with the
    same entropy input and the same state. The child drops their result, errors of our family included.

    Examples
    --------
    >>> in_one_process(lambda: 7)
    7
    """
    thread = threading.get_ident()
    outermost = thread not in in_request
    in_request.add(thread)
    try:
        while True:
            stop_if_ending()
            generation = fork_generation()
            try:
                answer = draw()
            except EsotericDRBGError:
                if fork_generation() == generation:
                    raise
            else:
                if fork_generation() == generation:
                    return answer
    finally:
        if outermost:
            in_request.discard(thread)


class _Started:
    """Replaces the event that :meth:`threading.Thread.start` waits for; it never waits for another process's thread.

    A signal handler may fork in the middle of that wait. The child does not have the thread that would end the wait.
    """

    def __init__(self, generation: int) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._set = False
        self._generation = generation

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._lock.release()

    def wait(self) -> None:
        while not self._set and fork_generation() == self._generation:
            self._lock.acquire(timeout=LOOK_S)

    def _at_fork_reinit(self) -> None:
        """Do nothing: a child waits for no thread that its parent was starting."""


class Worker(threading.Thread):
    """A daemon thread whose :meth:`start` also returns in a child that is forked in the middle of it.

    Attributes
    ----------
    generation : int
        Fork generation of the process that made it; no other process has this thread.
    """

    def __init__(self, target: Callable[[], object] | None = None, *, name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.generation = fork_generation()
        self._started = _Started(self.generation)


def join(thread: Worker, seconds: float = math.inf) -> bool:
    """Wait for a thread's end; False if it still runs after ``seconds``, or if another process made it."""
    generation = thread.generation
    until = time.monotonic() + seconds
    while thread.is_alive() and fork_generation() == generation:
        left = until - time.monotonic()
        if left <= 0:
            return False
        thread.join(min(left, LOOK_S))
        stop_if_ending()
    return fork_generation() == generation
