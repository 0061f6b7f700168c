"""What belongs to one process: the fork generation, and objects that a forked child does not inherit.

A forked child has a copy of everything, also of what a thread that it does not have was in the middle of changing, and
of locks that nobody will let go of. So nothing waits for a fork, and nothing is mended after one: what must not be
shared is asked for by the fork generation, and a child gets its own.
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

#: ``fork_generation() -> int``: a number that this process alone has, never 0. It takes some 50 ns.
fork_generation: Callable[[], int] = _reference if native is None else native.fork_generation


class ProcessLocal(Generic[_T]):
    """An object that each process has of its own.

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
            # setdefault is atomic: of two threads that are the first, one makes in vain.
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
    """A re-entrant lock of which a forked child has another one, free.

    A frame that waits for it when its process is forked goes on in the child, where nobody lets go of what it waits
    for: so it looks around now and then, and waits for the child's.

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
        """Return this process's lock, acquired, for the caller to release; None after ``timeout_s`` seconds."""
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
        """Return this process's lock, acquired, however long that takes; ``try`` ... ``finally`` releases it.

        A ``with`` would call a Python function at its end, and Ctrl-C at the beginning of that leaves a lock taken.
        """
        while (lock := self.acquire()) is None:
            pass
        return lock


def take_lock(lock: Lock, blocking: bool, timeout: float = -1.0) -> bool:
    """Acquire a lock and return True, or False; one call takes it and notes it: Ctrl-C comes before or after both."""
    taken: list[bool] = []
    try:
        taken.extend(map(lock.acquire, (blocking,), (timeout,)))
    except BaseException:
        if taken and taken[0]:
            lock.release()
        raise
    return taken[0]


def in_one_process(draw: Callable[[], _T]) -> _T:
    """Return what ``draw()`` returns, drawn anew in a child that is forked off meanwhile.

    A handler of a signal or a finaliser may fork at any point of ``draw``. Its frames then go on in both processes,
    with the same entropy input and the same state; what they come to is dropped in the child, errors of ours included.

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
    """In place of the event that :meth:`threading.Thread.start` waits for: it waits for no thread of another process.

    A handler may fork in the middle of that wait, and the child has not the thread that would end it.
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
        """Do nothing: what a child's thread that did not start had set is not waited for."""


class Worker(threading.Thread):
    """A daemon thread whose :meth:`start` ends in a child that is forked off in the middle of it.

    Attributes
    ----------
    generation : int
        Of the process that made it: in any other, there is no such thread.
    """

    def __init__(self, target: Callable[[], object] | None = None, *, name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.generation = fork_generation()
        self._started = _Started(self.generation)


def join(thread: Worker, seconds: float = math.inf) -> bool:
    """Wait for a thread's end; False if it has not come after ``seconds``, or in a process that has not made it."""
    generation = thread.generation
    until = time.monotonic() + seconds
    while thread.is_alive() and fork_generation() == generation:
        left = until - time.monotonic()
        if left <= 0:
            return False
        thread.join(min(left, LOOK_S))
        stop_if_ending()
    return fork_generation() == generation
