"""Reads the memory of another process, and of this one: where do secret bytes lie?"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

__all__ = ["Mapping", "Needles", "mappings", "read", "search", "secret_ranges", "slot_of"]

#: Bytes of a piece of memory that is read at once.
PIECE = 1 << 22


class Mapping(NamedTuple):
    """A line of /proc/PID/smaps with its ``VmFlags``."""

    start: int
    end: int
    mode: str
    name: str
    flags: frozenset[str]


def mappings(pid: int | str = "self") -> list[Mapping]:
    """Return the mappings of a process, in ascending order."""
    found: list[Mapping] = []
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="ascii", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        if fields[0] == "VmFlags:":
            found[-1] = found[-1]._replace(flags=frozenset(fields[1:] if len(fields) < 6 else line.split()[1:]))
        elif "-" in fields[0] and not fields[0].endswith(":"):
            start, end = (int(part, 16) for part in fields[0].split("-"))
            found.append(Mapping(start, end, fields[1], fields[5] if len(fields) > 5 else "", frozenset()))
    return found


def secret_ranges(pid: int | str = "self") -> list[Mapping]:
    """Return the pages for secrets: writable, anonymous, never dumped, between two pages that nobody may touch."""
    every = mappings(pid)
    return [
        here
        for before, here, after in zip(every, every[1:], every[2:], strict=False)
        if here.mode.startswith("rw")
        and not here.name
        and "dd" in here.flags
        and before.mode.startswith("---")
        and after.mode.startswith("---")
        and (before.end, after.start) == (here.start, here.end)
    ]


def read(start: int, end: int, pid: int | str = "self") -> Iterator[tuple[int, bytes]]:
    """Yield address and content of pieces that overlap by 7 bytes; what cannot be read is left out."""
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for at in range(start, end, PIECE):
            try:
                yield at, os.pread(descriptor, min(PIECE + 7, end - at), at)
            except OSError:
                continue
    finally:
        os.close(descriptor)


def slot_of(request: Callable[[], object]) -> tuple[ctypes.Array[ctypes.c_ubyte], list[int]]:
    """Return the memory of the one working state that a request changes, writable, and where the request changed it.

    This is a fault of memory in the test's hand. The state tells nobody where it lies; it is looked for.
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("the pages for secrets are found in /proc")
    from esoteric_drbg.kernels import _native  # whichever kernels this process runs

    size = _native.secret_memory()[4]

    def slots() -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for pages in secret_ranges():
            for at, piece in read(pages.start, pages.end):
                found |= {at + begin: piece[begin : begin + size] for begin in range(0, len(piece), size)}
        return found

    before = slots()
    request()
    after = slots()
    # A slot that is all zeros now was given back meanwhile, by the garbage collector.
    changed = [address for address in before if before[address] != after[address] != bytes(size)]
    assert len(changed) == 1, f"{len(changed)} slots changed"
    old, new = before[changed[0]], after[changed[0]]
    places = [index for index in range(size) if old[index] != new[index]]
    return (ctypes.c_ubyte * size).from_address(changed[0]), places


def _forms(window: bytes) -> set[bytes]:
    """Return 8 bytes as they are, as a little-endian 64-bit word, and as two little-endian 32-bit words."""
    return {window, window[::-1], window[3::-1] + window[:3:-1]}


class Needles:
    """Each 8 bytes of some secrets, in every order in which a processor would hold them; found at any address."""

    def __init__(self, secrets: dict[str, bytes], *, public: bytes = b"") -> None:
        self.names: dict[int, str] = {}
        for name, secret in secrets.items():
            for begin in range(len(secret) - 7):
                window = secret[begin : begin + 8]
                if len(set(window)) > 3 and window not in public:
                    for form in _forms(window):
                        self.names[int.from_bytes(form, "little")] = f"{name}[{begin}:{begin + 8}]"
        self._values = np.array(sorted(self.names), dtype=np.uint64)
        self._low = np.zeros(1 << 16, dtype=bool)
        self._low[self._values.astype(np.uint16)] = True

    def find(self, at: int, piece: bytes) -> Iterator[tuple[int, str]]:
        """Yield address and name of every window in a piece of memory that begins at ``at``."""
        for shift in range(8):
            length = (len(piece) - shift) // 8
            words = np.frombuffer(piece, dtype="<u8", count=max(length, 0), offset=min(shift, len(piece)))
            likely = np.flatnonzero(self._low[words.astype(np.uint16)])
            for index in likely[np.isin(words[likely], self._values)]:
                yield at + shift + 8 * int(index), self.names[int(words[index])]


def search(pid: int, everywhere: Needles, elsewhere: Needles, live: Iterable[range]) -> list[tuple[int, str, str]]:
    """Return address, mapping and name of what lies in the writable private memory of a process.

    ``everywhere`` must lie nowhere, ``elsewhere`` may lie in the ranges ``live`` alone.
    """
    kept = list(live)
    found = []
    for mapping in mappings(pid):
        if not mapping.mode.startswith("rw") or mapping.mode[3] != "p" or mapping.name.startswith("[v"):
            continue
        for at, piece in read(mapping.start, mapping.end, pid):
            where = mapping.name or "anonymous"
            found += [(address, where, name) for address, name in everywhere.find(at, piece)]
            for address, name in elsewhere.find(at, piece):
                if not any(address in one for one in kept):
                    found.append((address, where, name))
    return found
