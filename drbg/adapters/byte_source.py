"""What the adapters draw from: any object with ``token_bytes``, and ``readinto`` if it has that method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from esoteric_drbg.errors import InvalidInputError

__all__ = ["Buffer", "ByteSource", "filler"]

Buffer = bytearray | memoryview

#: Bytes of one call; between two of them the interpreter answers a Ctrl-C.
PIECE_BYTES = 1 << 18


class ByteSource(Protocol):
    """An :class:`~esoteric_drbg.RBG2Instance`, or another object whose ``token_bytes(n)`` returns n random bytes.

    A method ``readinto(buffer) -> int``, if there is one, fills a writable buffer without a copy.
    """

    @property
    def token_bytes(self) -> Callable[[int], bytes]:
        """``token_bytes(n) -> bytes``."""


def filler(source: ByteSource) -> Callable[[Buffer], None]:
    """Return a function that overwrites a buffer of unsigned bytes with bytes from ``source``, or raises.

    Raises
    ------
    InvalidInputError
        If ``source`` has no ``token_bytes``.
    """
    token_bytes = getattr(source, "token_bytes", None)
    if not callable(token_bytes):
        raise InvalidInputError(f"instance={source!r}: expected an RBG instance, with token_bytes; there is no seed")
    readinto: Callable[[memoryview], int] = getattr(source, "readinto", None) or _reader(token_bytes)

    def fill(buffer: Buffer) -> None:
        with memoryview(buffer) as octets:
            for begin in range(0, len(octets), PIECE_BYTES):
                with octets[begin : begin + PIECE_BYTES] as piece:
                    if (n_bytes := readinto(piece)) != len(piece):
                        raise InvalidInputError(f"the instance gave {n_bytes} of {len(piece)} bytes")

    return fill


def _reader(token_bytes: Callable[[int], bytes]) -> Callable[[memoryview], int]:
    def readinto(piece: memoryview) -> int:
        answer = token_bytes(len(piece))
        piece[: len(answer)] = answer[: len(piece)]
        return len(answer)

    return readinto
