"""Reference kernel of RDSEED: Python cannot execute the instruction, and says so."""

from __future__ import annotations

from esoteric_drbg.errors import SourceUnavailableError

__all__ = ["rdseed_bytes", "rdseed_supported"]


def rdseed_supported() -> bool:
    """Return False: the instruction needs the Rust kernels."""
    return False


def rdseed_bytes(n_bytes: int) -> bytes:
    """Raise: the instruction needs the Rust kernels."""
    raise SourceUnavailableError(f"{n_bytes} bytes asked for; RDSEED and RNDRRS need the Rust kernels")
