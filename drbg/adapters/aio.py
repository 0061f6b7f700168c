"""Random tokens in coroutines: ``await esoteric_drbg.adapters.aio.token_bytes(32)``.

A small request that the current seed still covers is answered at once, in some microseconds. A request that needs a
new seed, or is large, is answered by a thread while the event loop goes on. Any event loop with asyncio's interface
works.
"""

from __future__ import annotations

import asyncio
import base64
import operator
import threading
import time
from typing import Any

from esoteric_drbg.adapters.byte_source import ByteSource
from esoteric_drbg.adapters.secrets_api import DEFAULT_ENTROPY, process_instance

__all__ = ["token_bytes", "token_hex", "token_urlsafe"]

#: Largest request answered in the event loop: 0.1 ms with the reference kernels, some microseconds in Rust.
INLINE_BYTES = 1 << 12
#: Bytes that a thread draws before it releases the interpreter to the event loop: two seeds of the default profile.
PIECE_BYTES = 1 << 15
#: Pause between two pieces; without it the thread would take the interpreter back before the loop wakes up.
PAUSE_S = 50e-6


async def token_bytes(nbytes: int | None = None, *, instance: ByteSource | None = None) -> bytes:
    """Return ``nbytes`` (32) random bytes, as :func:`esoteric_drbg.token_bytes` does.

    Parameters
    ----------
    nbytes : int, optional
        Bytes asked for, 0 or more.
    instance : object, optional
        An :class:`~esoteric_drbg.RBG2Instance` or another object with ``token_bytes(n)``; without one, the process-wide
        instance. The budget of an object without ``status()`` is unknown, so a thread answers all its requests.

    Raises
    ------
    InvalidInputError
        If ``nbytes`` is negative.
    EntropyUnavailableError
        If a seed is due and cannot be obtained.

    Notes
    -----
    A cancelled request ends within a piece of 32 KiB; what it had drawn is dropped.

    Examples
    --------
    >>> import asyncio
    >>> len(asyncio.run(token_bytes(16)))
    16
    """
    source = process_instance() if instance is None else instance
    length = DEFAULT_ENTROPY if nbytes is None else operator.index(nbytes)
    if length < 0 or (length <= INLINE_BYTES and 8 * length <= _budget_bits(source)):
        return source.token_bytes(length)
    cancelled = threading.Event()
    try:
        return await asyncio.to_thread(_draw, source, length, cancelled)
    finally:
        cancelled.set()


async def token_hex(nbytes: int | None = None, *, instance: ByteSource | None = None) -> str:
    """Return ``nbytes`` (32) random bytes in hexadecimal, two digits a byte."""
    return (await token_bytes(nbytes, instance=instance)).hex()


async def token_urlsafe(nbytes: int | None = None, *, instance: ByteSource | None = None) -> str:
    """Return ``nbytes`` (32) random bytes in URL-safe Base64 without padding."""
    return base64.urlsafe_b64encode(await token_bytes(nbytes, instance=instance)).rstrip(b"=").decode("ascii")


def _budget_bits(source: Any) -> int:
    """Return the output bits that the current seed still covers; 0 if it is not known."""
    try:
        return int(source.status()["budget_bits_left"])
    except (AttributeError, KeyError):
        return 0


def _draw(source: ByteSource, n_bytes: int, cancelled: threading.Event) -> bytes:
    if n_bytes <= PIECE_BYTES:
        return source.token_bytes(n_bytes)
    pieces = []
    for begin in range(0, n_bytes, PIECE_BYTES):
        if cancelled.is_set():
            return b""
        pieces.append(source.token_bytes(min(PIECE_BYTES, n_bytes - begin)))
        time.sleep(PAUSE_S)
    return b"".join(pieces)  # a long join lets other threads run; filling one large buffer does not
