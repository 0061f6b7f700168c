"""Reference kernel of the random words for numpy: the four callbacks of a ``bitgen_t``, through ctypes.

numpy calls them in the middle of its own loops, where a callback cannot report an error. So the error is kept, and the
callbacks return worthless numbers. numpy holds a lock around every draw; releasing this lock raises the kept error.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import operator
import threading
import time
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, NoReturn, cast

from esoteric_drbg.errors import CloneRefusedError, DRBGStateError, InvalidInputError
from esoteric_drbg.kernels.process import fork_generation, take_lock

__all__ = ["WordStream"]

_NAME = b"BitGenerator"
_ULP = 2.0**-53
_REENTERED = (
    "random words were drawn while the buffer was being filled: by a signal handler, a finaliser or the source itself"
)
_MASK = (1 << 64) - 1

_Uint64 = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)
_Uint32 = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
_Double = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)


class _Bitgen(ctypes.Structure):
    """``bitgen_t`` of numpy/random/bitgen.h."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("next_uint64", _Uint64),
        ("next_uint32", _Uint32),
        ("next_double", _Double),
        ("next_raw", _Uint64),
    )


def _mix(counter: int) -> int:
    """Return 64 bits that only look random: some distributions draw again until a number suits them."""
    word = counter * 0x9E3779B97F4A7C15 & _MASK
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _MASK
    return word ^ word >> 31


def _uint32(word: int) -> int:
    return word & 0xFFFFFFFF


def _uint64(word: int) -> int:
    return word


def _double(word: int) -> float:
    return (word >> 11) * _ULP


_CONVERSIONS: tuple[Callable[[int], Any], ...] = (_uint64, _uint32, _double)


class WordStream:
    """A stream of random words, with the lock and the callbacks through which numpy draws from it.

    Parameters
    ----------
    fill : callable
        ``fill(buffer)`` overwrites a whole ``bytearray`` with random bytes, or raises.
    on_failure : callable
        ``on_failure(stream, error) -> error`` is called once for each failure; releasing the lock raises its result.
        ``on_failure(stream, None)`` is called once in a forked child, before its first word.
    buffer_bytes : int
        Bytes asked for at a time: a positive multiple of 8.
    max_age_ns : int, optional
        Words of this age or older are dropped when numpy takes the lock; by default they are kept.

    Notes
    -----
    The words are the bytes of ``fill`` in their order, little-endian: 4 for ``next_uint32``, 8 for ``next_uint64`` and
    for ``next_double``, which is the upper 53 bits times 2^-53. Each byte is used once and then overwritten. A forked
    child begins with an empty buffer.

    The reference has one weakness that the Rust twin does not have. If a signal handler raises while the lock is being
    released, this thread keeps the lock. No number is lost or repeated, but other threads wait.
    """

    def __init__(
        self,
        fill: Callable[[bytearray], object],
        on_failure: Callable[[WordStream, BaseException | None], BaseException | None],
        buffer_bytes: int,
        max_age_ns: int | None = None,
    ) -> None:
        if buffer_bytes <= 0 or buffer_bytes % 8:
            raise InvalidInputError(f"buffer_bytes={buffer_bytes}: expected a positive multiple of 8")
        self._fill = fill
        self._on_failure = on_failure
        self._buffer = bytearray(buffer_bytes)
        self._position = buffer_bytes
        self._max_age_ns = math.inf if max_age_ns is None else max_age_ns
        self._filled_at_ns = 0
        # Fork generations: of the process that owns the words, that fills the buffer, and that owns the lock.
        self._process = self._filling = 0
        self._generation = fork_generation()
        self._failed = False
        self._error: BaseException | None = None
        self._retired = ""
        self._depth = 0
        self._owner = 0
        self._lock = threading.RLock()
        self._junk = itertools.count(1)
        self._words = [self._endless(convert) for convert in _CONVERSIONS]
        # The callbacks get one argument, the state; next() takes it as its default, which an endless iterator never
        # needs. Each word comes from the iterator that is in the list at that moment: a forked child may replace it.
        uint64, uint32, double = (
            functools.partial(
                next,
                itertools.chain(
                    map(next, map(operator.getitem, itertools.repeat(self._words), itertools.repeat(index))),
                    map(convert, map(_mix, itertools.count(1))),
                ),
            )
            for index, convert in enumerate(_CONVERSIONS)
        )
        self._bitgen = _Bitgen(None, _Uint64(uint64), _Uint32(uint32), _Double(double), _Uint64(uint64))

    @property
    def buffered(self) -> int:
        """Bytes that the buffer still has for this process."""
        return len(self._buffer) - self._position if self._process == fork_generation() else 0

    def install(self, capsule: Any) -> None:
        """Write the callbacks into the ``bitgen_t`` of a capsule; the caller keeps this object as long as that one."""
        prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
        address = prototype(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, _NAME)
        ctypes.memmove(address, ctypes.byref(self._bitgen), ctypes.sizeof(_Bitgen))

    def _endless(self, convert: Callable[[int], Any]) -> GeneratorType[Any, None, None]:
        """Return an iterator with a word for every callback.

        A generator that waits inside its ``try`` catches every exception, even a Ctrl-C between two statements. A plain
        function would miss an exception before its first statement, and ctypes would return 0.
        """

        def words() -> Generator[Any, None, None]:
            word = convert(0)
            while True:
                try:
                    while True:
                        yield word
                        word = convert(self._draw(4 if convert is _uint32 else 8))
                except GeneratorExit:
                    return
                except BaseException as error:  # numpy accepts no exception here; release() raises it
                    self._fail(error)
                    word = convert(_mix(next(self._junk)))

        generator = words()
        next(generator)
        return cast("GeneratorType[Any, None, None]", generator)

    def _draw(self, n_bytes: int) -> int:
        if self._failed:
            return _mix(next(self._junk))
        if n_bytes == 4 or self.buffered >= 8:
            return self._take(n_bytes)
        return self._take(4) | self._take(4) << 32

    def _take(self, n_bytes: int) -> int:
        """Return the next 4 or 8 bytes as an integer."""
        while True:
            if self.buffered < n_bytes:
                self._refill()
            begin, self._position = self._position, self._position + n_bytes
            word = int.from_bytes(self._buffer[begin : begin + n_bytes], "little")
            self._buffer[begin : begin + n_bytes] = bytes(n_bytes)
            if self._process == fork_generation():  # no fork since the words were filled
                return word

    def _refill(self) -> None:
        try:
            while True:
                process = self._filling = fork_generation()
                self._fill(self._buffer)
                # If the process was forked during the fill, parent and child would have the same bytes.
                if process == fork_generation():
                    break
        finally:
            self._filling = 0
        self._filled_at_ns = time.monotonic_ns()
        self._process = process
        self._position = 0

    def _is_filling(self) -> bool:
        """Return True while this process fills the buffer; a fill that its parent had begun does not count."""
        return self._filling == fork_generation()

    def _forget(self) -> None:
        """Overwrite the buffer, unless it is being filled."""
        if not self._is_filling():
            self._position = len(self._buffer)
            self._buffer[:] = bytes(len(self._buffer))

    def _fail(self, error: BaseException) -> None:
        """Keep an error until the lock is released; the first error is kept."""
        self._failed = True
        if self._error is None:
            self._error = error
        self._forget()

    def _take_failure(self) -> BaseException | None:
        """End the failure and return the error that it raises."""
        if any(words.gi_frame is None for words in self._words):
            self.retire("a callback was interrupted twice over; make a new bit generator")
            self._fail(DRBGStateError(self._retired))
        error, self._error, self._failed = self._error, None, False
        return None if error is None else self._on_failure(self, error)

    def discard(self) -> None:
        """Forget the buffered words."""
        with self:
            self._forget()

    def retire(self, reason: str) -> None:
        """Refuse every later use with ``DRBGStateError(reason)``."""
        self._retired = reason

    def _begin_in_child(self) -> None:
        """In a forked child: forget the parent's words, and its lock if a thread that no longer exists holds it."""
        # A waiting thread may have taken the lock just before the fork, before it could record that.
        if self._lock.acquire(blocking=False):
            self._lock.release()
            own = self._owner == threading.get_ident()
        else:
            self._lock = threading.RLock()
            self._owner = self._depth = 0
            self._failed = own = False
            self._error = None
        if not own or any(words.gi_running for words in self._words):
            # A thread of the parent, or a caller of this frame that may never go on, is in the middle of an iterator.
            self._words[:] = [self._endless(convert) for convert in _CONVERSIONS]
        self._forget()

    def next_uint64(self) -> int:
        """Return the next 8 bytes, little-endian."""
        with self:
            return next(self._words[0])  # type: ignore[no-any-return]

    def next_uint32(self) -> int:
        """Return the next 4 bytes, little-endian."""
        with self:
            return next(self._words[1])  # type: ignore[no-any-return]

    def next_double(self) -> float:
        """Return the upper 53 of the next 64 bits, times 2^-53."""
        with self:
            return next(self._words[2])  # type: ignore[no-any-return]

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take the lock, as :meth:`threading.RLock.acquire` does.

        Raises
        ------
        DRBGStateError
            After :meth:`retire`, or while this thread fills the buffer.
        """
        here = fork_generation()
        if self._generation != here:
            self._generation = here
            self._begin_in_child()
            self._on_failure(self, None)
        me = threading.get_ident()
        depth = self._depth if self._owner == me else 0
        if not take_lock(self._lock, blocking, timeout):
            return False
        self._depth = depth + 1
        self._owner = me
        try:
            self._refuse_or_forget()
        except BaseException:
            if self._owner == me and self._depth > depth:  # Ctrl-C, before the lock was released
                self._depth = depth
                self._owner = me if depth else 0
                self._lock.release()
            raise
        return True

    def _refuse_or_forget(self) -> None:
        """As the lock's owner, raise if nothing may be drawn, and drop words that are too old."""
        if any(words.gi_running for words in self._words):
            self.release()
            raise DRBGStateError(_REENTERED)
        # A failure without the lock could not be raised at once; it is raised before anything more is drawn.
        if self._retired or (self._depth == 1 and self._failed):
            self.release()
            raise DRBGStateError(self._retired)
        if self._depth == 1 and time.monotonic_ns() - self._filled_at_ns >= self._max_age_ns:
            self._forget()

    def release(self) -> None:
        """Release the lock and raise the kept error: at every level of a nested use; the outermost ends the failure."""
        failure = None
        if self._owner == threading.get_ident():
            try:
                failure = self._take_failure() if self._depth == 1 else self._error
            finally:
                self._depth -= 1
                self._owner = self._owner if self._depth else 0
                self._lock.release()
        else:
            self._lock.release()  # raises RuntimeError
        if failure is not None:
            raise failure

    #: The same function, so one frame: Ctrl-C between two frames would leave the lock taken.
    __enter__ = acquire

    def __exit__(self, *exception: object) -> None:
        self.release()

    def __del__(self) -> None:
        self._buffer[:] = bytes(len(self._buffer))

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("buffered random words are secret: they are neither copied nor pickled")
