"""Auditable randomness from a computer's own noise, behind the interface of :mod:`secrets`.

``import esoteric_drbg as secrets`` works: the functions have the standard library's names, signatures and errors.
Underneath, one process-wide RBG2 instance (Hash_DRBG SHA-256, SP 800-90A) seeds itself from health-tested noise
sources with min-entropy claims (SP 800-90B); it is set up by the first request, not by the import.
:class:`EntropyPool` shows and controls where the entropy comes from.

Designed to SP 800-90A, B and C; never validated: there is no certificate.
"""

import typing

from esoteric_drbg import moved as _moved
from esoteric_drbg.lazy import lazy_names as _lazy_names
from esoteric_drbg.version import __version__

if typing.TYPE_CHECKING:
    from esoteric_drbg import aio as aio
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
        MissingExtraError,
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
    "MissingExtraError",
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

#: The module of each public name. A module is imported when the first of its names is used: the command line and an
#: assessment need neither instance nor pool. __all__ leaves out names that load numpy: star imports load all of it.
__getattr__, __dir__ = _lazy_names(
    __name__,
    {
        **dict.fromkeys(("aio", "conditioning", "conformance", "errors", "health_tests", "noise_sources"), ""),
        **{name: "errors" for name in __all__ if name.endswith("Error")},
        **dict.fromkeys(
            (
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
            "adapters.secrets_api",
        ),
        **dict.fromkeys(("SP800_90A", "SP800_90C", "Profile"), "rbg.profiles"),
        "BitGenerator": "adapters.bit_generator",
        "EntropyPool": "rbg.rbg2",
        "RBG2Instance": "rbg.rbg2",
        "RBGCInstance": "rbg.rbgc",
        "RandomFile": "adapters.streams",
    },
)
_moved.install()
