"""What the operating system grants for the memory that holds secrets."""

from __future__ import annotations

from typing import NamedTuple

from esoteric_drbg.kernels.selection import kernel_info
from esoteric_drbg.kernels.table import kernel

__all__ = ["SecretMemory", "secret_memory"]


class SecretMemory(NamedTuple):
    """The memory that holds working states of DRBGs and buffers of future output.

    Attributes
    ----------
    n_bytes, locked_bytes : int
        Bytes of the pages for secrets, and how many of these are locked in memory, so that they are not swapped.
    excluded_from_dumps : bool
        True if no such page is written to a core dump.
    guard_pages : bool
        True if all of them lie between pages that cannot be accessed.
    slot_bytes : int
        Bytes of the slot of one working state.
    reason : str
        Why not all of the pages are locked; empty if they are.
    """

    n_bytes: int
    locked_bytes: int
    excluded_from_dumps: bool
    guard_pages: bool
    slot_bytes: int
    reason: str

    @property
    def locked(self) -> bool:
        """True if all pages for secrets are locked in memory."""
        return 0 < self.n_bytes == self.locked_bytes

    def describe(self) -> str:
        """Return a one-line description for a person."""
        if not self.n_bytes:
            return self.reason
        if self.locked:
            text = f"locked: {self.n_bytes} bytes"
        else:
            text = f"not locked: {self.n_bytes - self.locked_bytes} of {self.n_bytes} bytes ({self.reason})"
        dumps = "never in a core dump" if self.excluded_from_dumps else "in core dumps"
        return f"{text}; {dumps}; {'between' if self.guard_pages else 'without'} guard pages"


def secret_memory() -> SecretMemory:
    """Return the present state of this process's memory for secrets.

    If the operating system refuses to lock memory, that is no error: it is reported here, in
    ``RBG2Instance.status()`` and by ``esoteric-drbg info``. The limit is ``RLIMIT_MEMLOCK`` (``ulimit -l``).

    Examples
    --------
    >>> from esoteric_drbg.kernels.secret_memory import secret_memory
    >>> isinstance(secret_memory().describe(), str)
    True
    """
    kernels = kernel_info()
    if kernels.name == "unusable":  # `info` explains it
        return SecretMemory(0, 0, False, False, 0, f"no kernels: {kernels.reason}")
    return SecretMemory(*kernel("secret_memory")())
