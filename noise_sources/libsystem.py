"""macOS's system library by ctypes: the C signatures of the functions that sources call, without a subprocess.

It is not loaded on other systems, nor on the token path.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

__all__ = ["declare", "libsystem", "libsystem_fault"]


def declare(library: Any) -> Any:
    """Declare the C signatures of those functions that a library has, and return the library."""
    integers = ctypes.POINTER(ctypes.c_int)
    sizes = ctypes.POINTER(ctypes.c_size_t)
    words = ctypes.POINTER(ctypes.c_uint32)
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "sysctl": (
            ctypes.c_int,
            [integers, ctypes.c_uint, ctypes.c_void_p, sizes, ctypes.c_void_p, ctypes.c_size_t],
        ),
        "sysctlbyname": (
            ctypes.c_int,
            [ctypes.c_char_p, ctypes.c_void_p, sizes, ctypes.c_void_p, ctypes.c_size_t],
        ),
        "mach_host_self": (ctypes.c_uint32, []),
        "host_statistics64": (ctypes.c_int, [ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p, words]),
        "mach_absolute_time": (ctypes.c_uint64, []),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name, None)
        if function is not None:
            function.restype, function.argtypes = result, arguments
    return library


@functools.lru_cache(maxsize=1)
def libsystem() -> Any:
    """Return the C library of this process, its functions declared."""
    return declare(ctypes.CDLL(None, use_errno=True))


def libsystem_fault(*functions: str) -> str:
    """Return why these functions cannot be called; an empty string if they can."""
    try:
        library = libsystem()
    except OSError as error:
        return f"the system library cannot be loaded: {error}"
    missing = [name for name in functions if not hasattr(library, name)]
    return f"the system library has no {' and no '.join(missing)}" if missing else ""
