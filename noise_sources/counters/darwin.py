"""macOS's counters: the integers of its sysctl tree, and the memory statistics of host_statistics64.

psutil cannot replace this: it has nothing of the sysctl tree and only a quarter of the fields of ``vm_statistics64``,
without the fault counts.

Untested on hardware: the tests run this code against fakes with the signatures and formats of the real calls. For that
purpose every function takes the library as an argument; by default it is the process's own libSystem.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from typing import Any

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.noise_sources.counters.counter_files import weight
from esoteric_drbg.noise_sources.libsystem import libsystem

__all__ = [
    "VM_FIELDS",
    "VM_STATISTICS64",
    "DarwinCounters",
    "host_vm_info",
    "oid_names",
    "vm_statistics",
]

#: sysctl queries below CTL_UNSPEC (0): name of an OID, the OID after one, and an OID's kind and format.
_NAME, _NEXT, _FORMAT = 1, 2, 4
#: Kinds of integers, the low four bits of an OID's kind (sys/sysctl.h), and the sizes that can be compared.
_INTEGER_KINDS = frozenset({2, 4, 6, 7, 8})
_SIZES = frozenset({4, 8})
_MAX_OID = 128
#: Most OIDs of a tree, so that a list without an end does not hang the walk.
_MAX_KEYS = 20_000

#: Sysctl values that are read for one raw value.
KEYS_PER_READING = 8

#: Flavour and fields of ``host_statistics64`` for virtual memory (mach/vm_statistics.h): 38 words of 32 bits.
_HOST_VM_INFO64 = 4
VM_STATISTICS64 = struct.Struct("=4I9Q2I4Q4IQ")
VM_FIELDS = (
    "free_count",
    "active_count",
    "inactive_count",
    "wire_count",
    "zero_fill_count",
    "reactivations",
    "pageins",
    "pageouts",
    "faults",
    "cow_faults",
    "lookups",
    "hits",
    "purges",
    "purgeable_count",
    "speculative_count",
    "decompressions",
    "compressions",
    "swapins",
    "swapouts",
    "compressor_page_count",
    "throttled_count",
    "external_page_count",
    "internal_page_count",
    "total_uncompressed_pages_in_compressor",
)


def _sysctl(library: Any, oid: tuple[int, ...], size: int) -> bytes | None:
    """Return the answer to an OID of at most ``size`` bytes; None if there is none."""
    name = (ctypes.c_int * len(oid))(*oid)
    answer = ctypes.create_string_buffer(size)
    length = ctypes.c_size_t(size)
    if library.sysctl(name, len(oid), answer, ctypes.byref(length), None, 0):
        return None
    return answer.raw[: length.value]


def oid_names(library: Any) -> list[str]:
    """Return the names of all integers in the kernel's sysctl tree, in its order."""
    found: list[str] = []
    oid: tuple[int, ...] = ()
    for _ in range(_MAX_KEYS):
        following = _sysctl(library, (0, _NEXT, *(oid or (1,))), 4 * _MAX_OID)
        if not following:
            break
        after = struct.unpack(f"={len(following) // 4}i", following[: len(following) // 4 * 4])
        if after == oid:
            break
        oid = after
        kind = _sysctl(library, (0, _FORMAT, *oid), 256)
        name = _sysctl(library, (0, _NAME, *oid), 1024)
        if kind and name and len(kind) >= 4 and struct.unpack_from("=I", kind)[0] & 0xF in _INTEGER_KINDS:
            found.append(name.split(b"\0")[0].decode("ascii", "replace"))
    return found


class DarwinCounters:
    """The integers of macOS's sysctl tree, in parts of ``KEYS_PER_READING``.

    The walk leaves out keys that this process cannot read as 4 or 8 bytes.

    Parameters
    ----------
    library : optional
        The library to call; by default the process's own.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = libsystem() if library is None else library
        self._buffer = ctypes.create_string_buffer(8)
        self._length = ctypes.c_size_t(8)
        self.names = [name for name in oid_names(self._library) if self._read(name.encode()) is not None]
        encoded = [name.encode() for name in self.names]
        self._parts = [encoded[at : at + KEYS_PER_READING] for at in range(0, len(encoded), KEYS_PER_READING)]
        self._next = 0
        self._last: dict[bytes, int] = {}
        self._gone: set[bytes] = set()

    def _read(self, name: bytes) -> bytes | None:
        self._length.value = 8
        if self._library.sysctlbyname(name, self._buffer, ctypes.byref(self._length), None, 0):
            return None
        return self._buffer.raw[: self._length.value] if self._length.value in _SIZES else None

    def parts(self) -> int:
        """Return the number of parts."""
        return len(self._parts)

    def snapshot(self, part: int) -> dict[str, int]:
        """Return a part's values by key; a key that is gone is left out."""
        values = ((name, self._read(name)) for name in self._parts[part])
        return {name.decode(): int.from_bytes(value, "little") for name, value in values if value is not None}

    def read_next(self) -> tuple[str, bytes]:
        """Return the number of the next part and its values, 8 bytes each; zeros for a key that is gone.

        Raises
        ------
        SourceReadError
            If the tree has no integer that this process may read.
        """
        if not self._parts:
            raise SourceReadError("sysctl_counters: no sysctl integer can be read")
        self._next = (self._next + 1) % len(self._parts)
        content = b""
        for name in self._parts[self._next]:
            value = self._read(name)
            if value is None:
                self._gone.add(name)
            content += (value or b"").ljust(8, b"\0")
        return str(self._next), content

    def growth(self, reading: tuple[str, bytes]) -> int:
        """Return the weighted growth of a part's values since it was last read, modulo 2^64; 0 the first time."""
        part, content = reading
        growth = 0
        for name, value in zip(self._parts[int(part)], struct.unpack(f"<{len(content) // 8}Q", content), strict=True):
            if name not in self._gone:
                growth += weight(name, 0) * (value - self._last.get(name, value))
                self._last[name] = value
        return growth & (1 << 64) - 1


@functools.lru_cache(maxsize=1)
def _host(library: Any, process: int) -> int:
    """Return the port of this host, asked once per process: each call of mach_host_self adds a reference."""
    port: int = library.mach_host_self()
    return port


def host_vm_info(library: Any = None) -> bytes:
    """Return the host's ``vm_statistics64`` structure.

    Raises
    ------
    OSError
        If the kernel refuses, with its return code.
    """
    library = libsystem() if library is None else library
    buffer = ctypes.create_string_buffer(4 * 64)
    count = ctypes.c_uint32(VM_STATISTICS64.size // 4)
    code = library.host_statistics64(_host(library, os.getpid()), _HOST_VM_INFO64, buffer, ctypes.byref(count))
    if code or count.value < VM_STATISTICS64.size // 4:
        raise OSError(code, f"host_statistics64 returned {code} and {count.value} words")
    return buffer.raw[: VM_STATISTICS64.size]


def vm_statistics(content: bytes) -> dict[str, int]:
    """Return the fields of a ``vm_statistics64`` structure by name, in pages or events."""
    return dict(zip(VM_FIELDS, VM_STATISTICS64.unpack(content), strict=True))
