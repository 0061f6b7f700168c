"""Auditable randomness from a computer's own noise, behind the interface of :mod:`secrets`.

``import esoteric_drbg as secrets`` works: the functions have the standard library's names, signatures and errors.
Underneath, one process-wide RBG2 instance (Hash_DRBG SHA-256, SP 800-90A) seeds itself from health-tested noise
sources with min-entropy claims (SP 800-90B); it is set up by the first request, not by the import.
:class:`EntropyPool` shows and controls where the entropy comes from.

Designed to SP 800-90A, B and C; never validated: there is no certificate.
"""

from esoteric_drbg.process import command_start as command_start  # isort: skip - before anything that takes time
import importlib
import typing

from esoteric_drbg.process.forks import loading as _loading
from esoteric_drbg.version import __version__

if typing.TYPE_CHECKING:
    from esoteric_drbg.adapters import aio as aio
    from esoteric_drbg.adapters.bit_generator import BitGenerator as BitGenerator
    from esoteric_drbg.adapters.secrets_api import (
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
    from esoteric_drbg.adapters.streams import RandomFile
    from esoteric_drbg.errors import (
        CloneRefusedError,
        DRBGError,
        DRBGStateError,
        EntropyUnavailableError,
        EsotericDRBGError,
        HealthTestError,
        InvalidInputError,
        KernelUnavailableError,
        OutOfMemoryError,
        RequestTooLargeError,
        ReseedRequiredError,
        SelfTestError,
        SourceError,
        SourceReadError,
        SourceTimeoutError,
        SourceUnavailableError,
        StateIntegrityError,
    )
    from esoteric_drbg.rbg.profiles import SP800_90A, SP800_90C, Profile
    from esoteric_drbg.rbg.rbg2 import RBG2Instance
    from esoteric_drbg.rbg.rbgc import RBGCInstance
    from esoteric_drbg.seeding.pool import EntropyPool

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
    "OutOfMemoryError",
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

#: Where the public names are at home. A module is imported when the first of its names is asked for: the command line
#: and an assessment need neither instance nor pool.
_HOMES = {
    "adapters.bit_generator": ("BitGenerator",),
    "rbg.rbgc": ("RBGCInstance",),
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
    "rbg.rbg2": ("RBG2Instance",),
    "seeding.pool": ("EntropyPool",),
    "rbg.profiles": ("SP800_90A", "SP800_90C", "Profile"),
    "adapters.secrets_api": (
        "DEFAULT_ENTROPY",
        "SystemRandom",
        "choice",
        "compare_digest",
        "process_instance",
        "randbelow",
        "randbits",
        "token_bytes",
        "token_hex",
        "token_urlsafe",
    ),
    "adapters.streams": ("RandomFile",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> typing.Any:
    if name in _HOME_OF:
        with _loading:  # a fork waits
            module = importlib.import_module(f"esoteric_drbg.{_HOME_OF[name]}")
            try:
                value = getattr(module, name)
            except AttributeError:
                from esoteric_drbg.errors import DRBGStateError  # noqa: PLC0415

                raise DRBGStateError(f"this very thread is loading {name}: a signal handler asks again later") from None
        globals()[name] = value
        return value
    if not name.startswith("_"):
        path = f"esoteric_drbg.{name}"
        try:
            with _loading:
                return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # Not in __all__, which star imports load: what loads numpy and asyncio.
    return sorted({*globals(), *__all__, "BitGenerator", "aio"})
