"""Auditable randomness from a computer's own noise, behind the interface of :mod:`secrets`.

``import esoteric_drbg as secrets`` works: the functions have the standard library's names, signatures and errors.
Underneath, one process-wide RBG2 instance (Hash_DRBG SHA-256, SP 800-90A) seeds itself from health-tested noise
sources with min-entropy claims (SP 800-90B); it is set up by the first request, not by the import.
:class:`EntropyPool` shows and controls where the entropy comes from.

Designed to SP 800-90A, B and C; never validated: there is no certificate.
"""

from esoteric_drbg import command_start as command_start  # isort: skip - before anything that takes time
import typing

from esoteric_drbg.chain import RBGCInstance
from esoteric_drbg.errors import (
    CloneRefusedError,
    DRBGError,
    DRBGStateError,
    EntropyUnavailableError,
    EsotericDRBGError,
    HealthTestError,
    InvalidInputError,
    KernelUnavailableError,
    RequestTooLargeError,
    ReseedRequiredError,
    SelfTestError,
    SourceError,
    SourceReadError,
    SourceTimeoutError,
    SourceUnavailableError,
    StateIntegrityError,
)
from esoteric_drbg.instance import RBG2Instance
from esoteric_drbg.pool import EntropyPool
from esoteric_drbg.profiles import SP800_90A, SP800_90C, Profile
from esoteric_drbg.secrets_api import (
    DEFAULT_ENTROPY,
    SystemRandom,
    choice,
    compare_digest,
    process_instance,
    randbelow,
    randbits,
    token_bytes,
    token_hex,
    token_urlsafe,
)
from esoteric_drbg.streams import RandomFile
from esoteric_drbg.version import __version__

if typing.TYPE_CHECKING:
    from esoteric_drbg import aio as aio
    from esoteric_drbg.bit_generator import BitGenerator as BitGenerator

__all__ = [
    "DEFAULT_ENTROPY",
    "SP800_90A",
    "SP800_90C",
    "CloneRefusedError",
    "DRBGError",
    "DRBGStateError",
    "EntropyPool",
    "EntropyUnavailableError",
    "EsotericDRBGError",
    "HealthTestError",
    "InvalidInputError",
    "KernelUnavailableError",
    "Profile",
    "RBG2Instance",
    "RBGCInstance",
    "RandomFile",
    "RequestTooLargeError",
    "ReseedRequiredError",
    "SelfTestError",
    "SourceError",
    "SourceReadError",
    "SourceTimeoutError",
    "SourceUnavailableError",
    "StateIntegrityError",
    "SystemRandom",
    "__version__",
    "choice",
    "compare_digest",
    "process_instance",
    "randbelow",
    "randbits",
    "token_bytes",
    "token_hex",
    "token_urlsafe",
]


def __getattr__(name: str) -> typing.Any:
    # Only who asks for them loads numpy and asyncio; for the same reason they are not in __all__.
    if name == "BitGenerator":
        from esoteric_drbg.bit_generator import BitGenerator  # noqa: PLC0415

        return BitGenerator
    if name == "aio":
        import esoteric_drbg.aio  # noqa: PLC0415

        return esoteric_drbg.aio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "BitGenerator", "aio"})
