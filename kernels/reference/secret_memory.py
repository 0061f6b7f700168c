"""Reference of the report on memory for secrets: Python cannot choose or lock the memory of its integers."""

from __future__ import annotations

__all__ = ["secret_memory"]


def secret_memory() -> tuple[int, int, bool, bool, int, str]:
    """Return the fields of :class:`esoteric_drbg.kernels.secret_memory.SecretMemory`: no memory is locked."""
    return 0, 0, False, False, 0, "reference kernels: not locked"
