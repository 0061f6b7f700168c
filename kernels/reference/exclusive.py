"""What the reference working states of HMAC_DRBG and CTR_DRBG share: one caller at a time, and a seal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from esoteric_drbg.errors import CloneRefusedError, DRBGStateError, RequestTooLargeError, StateIntegrityError

__all__ = ["MAX_REQUEST_BYTES", "SealedState"]

#: max_number_of_bits_per_request of SP 800-90A tables 2 and 3, in bytes.
MAX_REQUEST_BYTES = (1 << 19) // 8


class SealedState:
    """A working state of two byte strings and reseed_counter, which notices when it was changed from outside.

    ``_key`` and ``_v`` are Key and V of the standard.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._key = self._v = b""
        self._reseed_counter = 0
        self._seal = self._sealed()
        self._lock = threading.RLock()
        self._in_use = False

    @property
    def reseed_counter(self) -> int:
        """Requests since the last (re)seed, counting from 1; 0 when uninstantiated."""
        return self._reseed_counter

    @property
    def instantiated(self) -> bool:
        """True between instantiate and zeroize."""
        return self._reseed_counter != 0

    def generate(self, n_bytes: int, additional_input: bytes | None = None) -> bytes:
        """One Generate request; each mechanism has its own."""
        raise NotImplementedError

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

    @contextmanager
    def _opened(self, *, instantiated: bool = True) -> Iterator[None]:
        """Hold the state alone, check its seal and seal it again.

        Another thread waits; a signal handler that re-enters its own thread is refused.
        """
        with self._lock:
            if self._in_use:
                raise DRBGStateError(f"{self._name} was re-entered from a signal handler in the middle of a request")
            if instantiated and not self.instantiated:
                raise DRBGStateError(f"{self._name} is not instantiated")
            if self._seal != self._sealed():
                self.zeroize()
                raise StateIntegrityError(f"{self._name}: the working state changed by itself; it is overwritten")
            self._in_use = True
            try:
                yield
                self._seal = self._sealed()
            except BaseException:
                self.zeroize()  # half a function was done: nothing may come of it
                raise
            finally:
                self._in_use = False

    @staticmethod
    def _check_request(n_bytes: int) -> None:
        if n_bytes > MAX_REQUEST_BYTES:
            raise RequestTooLargeError(f"{n_bytes} bytes asked for; one request returns at most {MAX_REQUEST_BYTES}")

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("the working state of a DRBG is secret: it is neither copied nor pickled")

    def __repr__(self) -> str:
        return f"<{self._name} state, {'instantiated' if self.instantiated else 'uninstantiated'}>"
