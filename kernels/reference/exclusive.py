"""Base classes of the reference working states: one caller at a time, a seal, and output in one process only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from esoteric_drbg.errors import (
    CloneRefusedError,
    DRBGStateError,
    ForkedStateError,
    RequestTooLargeError,
    StateIntegrityError,
)
from esoteric_drbg.kernels.process import ProcessLock, fork_generation

__all__ = ["MAX_REQUEST_BYTES", "ExclusiveState", "SealedState"]

#: max_number_of_bits_per_request of SP 800-90A tables 2 and 3, in bytes.
MAX_REQUEST_BYTES = (1 << 19) // 8


class ExclusiveState(ABC):
    """A working state that detects changes from outside and gives output only in the process that seeded it.

    Parameters
    ----------
    name : str
        Name of the state in its errors.
    """

    _seal: int

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = ProcessLock()
        # Fork generations: of the process that is in the middle of a function, and of the one that seeded the state.
        self._busy_in = 0
        self._seeded_in = 0
        self._reseed_counter = 0
        self.zeroize()

    @property
    def reseed_counter(self) -> int:
        """Requests since the last (re)seed, counting from 1; 0 when uninstantiated."""
        self._forget_half_done()
        return self._reseed_counter

    @property
    def instantiated(self) -> bool:
        """True between instantiate and zeroize."""
        return self.reseed_counter != 0

    def forked(self) -> bool:
        """Return True if the state was seeded in another process: it must be reseeded before it gives output."""
        return self._seeded_in != fork_generation()

    @abstractmethod
    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        """Answer one Generate request; each mechanism implements it."""

    @abstractmethod
    def zeroize(self) -> None:
        """Forget the state; it is uninstantiated afterwards (9.4). Python cannot overwrite objects in place."""

    @abstractmethod
    def _sealed(self) -> int:
        """Return a value that changes with every change of the state."""

    @contextmanager
    def _seeding(self, generation: int | None, *, instantiated: bool) -> Iterator[None]:
        """Hold the state for a new seed whose entropy input was obtained in the process of that fork generation."""
        with self._opened(instantiated=instantiated):
            here = fork_generation()
            if generation is not None and generation != here:
                raise ForkedStateError("the process was forked after the entropy input was got: a child gets its own")
            yield
            self._seeded_in = here

    @contextmanager
    def _requested(self) -> Iterator[None]:
        """Hold the state for output, in the process that seeded it only."""
        with self._opened(instantiated=True):
            self._require_here()
            yield

    def _require_here(self) -> None:
        if self.forked():
            raise ForkedStateError(f"{self._name} was seeded in another process")

    @contextmanager
    def _opened(self, *, instantiated: bool) -> Iterator[None]:
        """Hold the state exclusively, check its seal and seal it again.

        Other threads wait; a signal handler of the thread that holds the state gets an error.
        """
        here = fork_generation()
        lock = self._lock.take()
        try:
            if self._busy_in == here:
                raise DRBGStateError(f"{self._name} was re-entered from a signal handler in the middle of a request")
            self._forget_half_done()
            self._busy_in = here  # before the check: a change by a signal handler in between would look like a fault
            try:
                self._check(instantiated)
                yield
                self._require_generation(here)
                self._seal = self._sealed()
            except (DRBGStateError, RequestTooLargeError):
                if fork_generation() != here:
                    self.zeroize()
                raise
            except BaseException:
                self.zeroize()  # the function was half done: this state must not be used
                raise
            finally:
                self._busy_in = 0
        finally:
            lock.release()

    def _check(self, instantiated: bool) -> None:
        if self._seal != self._sealed():
            self.zeroize()
            raise StateIntegrityError(f"{self._name}: the working state changed by itself; it is overwritten")
        if instantiated and self._reseed_counter == 0:
            raise DRBGStateError(f"{self._name} is not instantiated")

    def _forget_half_done(self) -> None:
        """In a forked child, overwrite a state that the parent was in the middle of changing."""
        if self._busy_in not in (0, fork_generation()):
            self._busy_in = 0
            self.zeroize()

    def _require_generation(self, generation: int) -> None:
        if fork_generation() != generation:
            raise ForkedStateError(f"{self._name}: the process was forked in the middle of a function")

    @staticmethod
    def _check_request(n_bytes: int) -> None:
        if n_bytes > MAX_REQUEST_BYTES:
            raise RequestTooLargeError(f"{n_bytes} bytes asked for; one request returns at most {MAX_REQUEST_BYTES}")

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("the working state of a DRBG is secret: it is neither copied nor pickled")

    def __repr__(self) -> str:
        return f"<{self._name} state, {'instantiated' if self.instantiated else 'uninstantiated'}>"


class SealedState(ExclusiveState):
    """A working state of two byte strings and reseed_counter: ``_key`` and ``_v`` are Key and V of the standard."""

    def draw(self, n_bytes: int) -> bytes:
        """Return ``n_bytes`` bytes by as many Generate requests as they take."""
        begins = range(0, n_bytes, MAX_REQUEST_BYTES)
        return b"".join(self.generate(min(MAX_REQUEST_BYTES, n_bytes - begin)) for begin in begins)

    def zeroize(self) -> None:
        """Forget the state; it is uninstantiated afterwards (9.4). Python cannot overwrite bytes in place."""
        self._key = self._v = b""
        self._reseed_counter = 0
        self._seal = self._sealed()

    def _sealed(self) -> int:
        return hash((self._key, self._v, self._reseed_counter))
