"""The generation of this virtual machine, where the kernel shows it: it changes when a snapshot is restored.

Linux's own vmgenid driver keeps the identifier to itself and reseeds its random generator; kernels with the system
generation driver show a counter in a device that can be mapped.
"""

from __future__ import annotations

import functools
import mmap
import os

__all__ = ["vm_generation"]

#: Where the counter is; ``ESOTERIC_DRBG_VM_GENERATION`` names another place.
DEVICE = "/dev/sysgenid"
_COUNTER_BYTES = 4


@functools.cache
def _mapped(path: str) -> mmap.mmap | None:
    """Return the counter's page, mapped once, or None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return mmap.mmap(handle, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
    except (OSError, ValueError):
        return None
    finally:
        os.close(handle)


def vm_generation() -> int | None:
    """Return the generation counter of this virtual machine; None where the kernel shows none.

    Examples
    --------
    >>> vm_generation() is None or vm_generation() >= 0
    True
    """
    page = _mapped(os.environ.get("ESOTERIC_DRBG_VM_GENERATION") or DEVICE)
    return None if page is None else int.from_bytes(page[:_COUNTER_BYTES], "little")
