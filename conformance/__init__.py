"""Conformance: records raw data and assesses it, from the side of the seed path."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
    from esoteric_drbg.conformance.iid.assessment import assess_iid
    from esoteric_drbg.conformance.restart.assessment import assess_restart
    from esoteric_drbg.conformance.samples.files import read_samples

__all__ = ["assess_iid", "assess_non_iid", "assess_restart", "conditioning_output_entropy", "read_samples"]

#: Where the public names are at home; a module is imported when its name is asked for. One assessment needs not all.
_HOME_OF = {
    "assess_iid": "iid.assessment",
    "assess_non_iid": "entropy.non_iid",
    "assess_restart": "restart.assessment",
    "conditioning_output_entropy": "entropy.conditioning_entropy",
    "read_samples": "samples.files",
}


def __getattr__(name: str) -> typing.Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"esoteric_drbg.conformance.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
