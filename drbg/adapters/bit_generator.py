"""The bit generator for numpy: ``numpy.random.Generator(esoteric_drbg.BitGenerator())``.

The words come from a buffer that an instance fills. A numpy method raises the error that the instance raised meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
from typing import Any, NoReturn

import numpy as np

from esoteric_drbg.adapters.byte_source import ByteSource, filler
from esoteric_drbg.adapters.secrets_api import process_instance
from esoteric_drbg.errors import CloneRefusedError, InvalidInputError
from esoteric_drbg.kernels.bit_generator import WordStream, new_word_stream
from esoteric_drbg.rbg.core import MIX_INTERVAL_NS
from esoteric_drbg.rbg.profiles import SP800_90A
from esoteric_drbg.rbg.rbg2 import RBG2Instance
from esoteric_drbg.rbg.rbgc import RBGCInstance

__all__ = ["BitGenerator"]

#: Largest buffer: a larger one would only keep more secret bytes in memory.
MAX_BUFFER_BYTES = 1 << 26


class BitGenerator(np.random.BitGenerator):
    """A :class:`numpy.random.BitGenerator` whose words are the output of an RBG instance.

    Parameters
    ----------
    instance : object, optional
        Where the words come from: an :class:`~esoteric_drbg.RBG2Instance`, or any object whose ``token_bytes(n)``
        returns n random bytes. Without one, a child of the process-wide instance in the profile ``SP800_90A``.
    buffer_bytes : int
        Bytes requested from the instance at a time: a multiple of 8, up to 2^26.

    Raises
    ------
    InvalidInputError
        If ``instance`` has no ``token_bytes`` (a seed, for example), or ``buffer_bytes`` is outside its range.

    Notes
    -----
    *Words.* The instance's bytes are used in order, little-endian, each once: 8 for a 64-bit word and for a double (its
    upper 53 bits times 2^-53), 4 for a 32-bit word.

    *Errors.* The numpy method raises the instance's error, once; the next call asks the instance again. No array is
    returned. An array passed as ``out=`` or to ``shuffle`` then holds numbers that must not be used.

    *Secrets.* Up to ``buffer_bytes`` of future output lie in memory. Each word is overwritten when it is served, the
    rest when the generator is freed or by :meth:`discard`. A forked child begins with an empty buffer. If the instance
    is one of this package, words that are 10 ms old at the beginning of a draw are dropped: that is how long a clone of
    a virtual machine may share them. So a buffer larger than what is drawn in 10 ms is wasted.

    *Threads.* Several generators may share one bit generator; numpy takes its lock. Copying, pickling, ``spawn`` and
    ``jumped`` are refused.

    Without the Rust kernels the callbacks go through ctypes: the same numbers, some hundred times slower.

    Examples
    --------
    >>> import numpy as np
    >>> generator = np.random.Generator(BitGenerator())
    >>> generator.standard_normal(3).shape
    (3,)
    """

    def __init__(self, instance: ByteSource | None = None, *, buffer_bytes: int = 1 << 16) -> None:
        if not isinstance(buffer_bytes, int) or not 0 < buffer_bytes <= MAX_BUFFER_BYTES or buffer_bytes % 8:
            raise InvalidInputError(f"buffer_bytes={buffer_bytes!r}: expected a multiple of 8, from 8 to 2^26")
        self._instance = _own_instance() if instance is None else instance
        self._buffer_bytes = buffer_bytes
        ours = isinstance(self._instance, (RBG2Instance, RBGCInstance))
        self._stream = new_word_stream(
            filler(self._instance), _failure, buffer_bytes, MIX_INTERVAL_NS if ours else None
        )
        super().__init__(0)  # the base class makes an unused SeedSequence from it
        self._stream.install(self.capsule)

    @property
    def lock(self) -> Any:  # type: ignore[override]
        """The lock that numpy holds while it draws; releasing it raises any error that occurred meanwhile."""
        return self._stream

    @property
    def instance(self) -> ByteSource:
        """Where the words come from."""
        return self._instance

    def random_raw(self, size: Any = None, output: bool = True) -> Any:
        """Return the next 64-bit words: an int, or an array of uint64 with shape ``size``.

        Parameters
        ----------
        size : int or tuple of int, optional
            Without it, one word is returned as an int.
        output : bool
            False draws the words and returns None.
        """
        if size is None:
            words: Any = self._stream.next_uint64()
        else:
            words = np.random.Generator(self).integers(0, 1 << 64, size, dtype=np.uint64)
        return words if output else None

    def discard(self) -> None:
        """Overwrite the words in the buffer; the next draw asks the instance again."""
        self._stream.discard()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise CloneRefusedError(
            "the state of an RBG instance is secret: it is not read, set, copied, spawned or jumped"
        )

    def _refuse_addresses(self) -> NoReturn:
        raise CloneRefusedError(
            "callers of the bare functions cannot be told of an error: draw through numpy.random.Generator"
        )

    state = property(_refuse, _refuse)
    seed_seq = property(_refuse)
    spawn = jumped = __reduce__ = __getstate__ = __setstate__ = _refuse
    ctypes = cffi = property(_refuse_addresses)

    def __repr__(self) -> str:
        return f"<BitGenerator over {self._instance!r}, buffer of {self._buffer_bytes} bytes>"


def _own_instance() -> RBGCInstance:
    return RBGCInstance(process_instance(), profile=SP800_90A)


def _failure(stream: WordStream, error: BaseException | None) -> BaseException | None:
    """Return the error to raise, without its traceback: variables of the frames may hold seed material.

    ``error`` is None if the stream begins in a forked child: a RandomState then drops the normal that it had kept.
    """
    if error is None:
        for user in gc.get_referrers(stream):
            if isinstance(user, np.random.RandomState):
                with contextlib.suppress(CloneRefusedError):  # by our own setter, which comes after that of the normal
                    user.set_state({"bit_generator": type(user).__name__, "state": {}, "has_gauss": 0, "gauss": 0.0})
        return None
    pending, seen = [error], set[int]()
    while pending:
        link = pending.pop()
        if id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            pending += [other for other in (link.__cause__, link.__context__) if other is not None]
    # RandomState keeps the second normal of each pair for the next call, which would then neither draw nor raise.
    if any(isinstance(user, np.random.RandomState) for user in gc.get_referrers(stream)):
        stream.retire("a RandomState may keep a worthless number of the failed draw: make a new one, or use Generator")
    return error
