"""The table that pairs each Rust kernel with its specification and with the Python kernel that replaces it."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from esoteric_drbg.extras import or_its_extra
from esoteric_drbg.kernels.selection import native, require_usable

__all__ = ["FALLBACKS", "REFERENCES", "fallback", "kernel", "load_for_seeds", "reference"]

_REFERENCE = "esoteric_drbg.kernels.reference"
_FALLBACK = "esoteric_drbg.kernels.fallback"

#: Kernel name -> module of its specification in Python. The Rust twin has the same name in ``_native``.
REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "AdaptiveProportionScan": f"{_REFERENCE}.health",
        "HashDrbgState": f"{_REFERENCE}.hash_drbg",
        "LagPredictorScan": f"{_REFERENCE}.lag_predictor",
        "RepetitionCountScan": f"{_REFERENCE}.health",
        "WordStream": f"{_REFERENCE}.bit_generator",
        "bit_counts": f"{_REFERENCE}.bit_statistics",
        "collision_counts": f"{_REFERENCE}.bit_statistics",
        "fork_generation": f"{_REFERENCE}.fork_guard",
        "gap_histogram": f"{_REFERENCE}.bit_statistics",
        "hash_df": f"{_REFERENCE}.hash_df",
        "iid_permutation": f"{_REFERENCE}.iid",
        "iid_permutations": f"{_REFERENCE}.iid",
        "iid_statistics": f"{_REFERENCE}.iid",
        "lag": f"{_REFERENCE}.lag",
        "lz78y": f"{_REFERENCE}.lz78y",
        "multi_mcw": f"{_REFERENCE}.multi_mcw",
        "multi_mmc": f"{_REFERENCE}.multi_mmc",
        "new_drbg_state": f"{_REFERENCE}.mechanisms",
        "secret_memory": f"{_REFERENCE}.secret_memory",
        "tuple_counts": f"{_REFERENCE}.tuples",
    }
)

#: Kernel name -> module of the Python kernel that replaces Rust where the specification does not. It equals the
#: specification and is fast enough for a million samples, or the kernel has no specification.
FALLBACKS: Mapping[str, str] = MappingProxyType(
    {
        "TimingSampler": f"{_FALLBACK}.timing",
        "bit_counts": f"{_FALLBACK}.bit_statistics",
        "counter_facts": f"{_FALLBACK}.timing",
        "counter_step": f"{_FALLBACK}.timing",
        "gap_histogram": f"{_FALLBACK}.bit_statistics",
        "iid_permutation": f"{_FALLBACK}.iid",
        "iid_permutations": f"{_FALLBACK}.iid",
        "iid_statistics": f"{_FALLBACK}.iid",
        "lag": f"{_FALLBACK}.predictors",
        "lz78y": f"{_FALLBACK}.context_predictors",
        "multi_mcw": f"{_FALLBACK}.predictors",
        "multi_mmc": f"{_FALLBACK}.context_predictors",
        "rdseed_bytes": f"{_FALLBACK}.rdseed",
        "rdseed_supported": f"{_FALLBACK}.rdseed",
        "read_counter": f"{_FALLBACK}.timing",
        "tuple_counts": f"{_FALLBACK}.tuples",
    }
)


def reference(name: str) -> Any:
    """Return the specification of a kernel that has one."""
    return _twin(REFERENCES[name], name)


def fallback(name: str) -> Any:
    """Return the Python kernel that runs where Rust is missing: the fallback, or the specification if there is none."""
    return _twin(FALLBACKS[name] if name in FALLBACKS else REFERENCES[name], name)


def _twin(path: str, name: str) -> Any:
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise or_its_extra(error) from None
    return getattr(module, name)


@functools.cache
def kernel(name: str) -> Any:
    """Return the kernel that runs in this process: the Rust twin where it is loaded, otherwise the fallback."""
    require_usable()
    return fallback(name) if native is None else getattr(native, name)


def load_for_seeds() -> None:
    """Import the kernels that a seed needs, so that no fork in the middle of a seed interrupts an import."""
    for name in (
        "AdaptiveProportionScan",
        "LagPredictorScan",
        "RepetitionCountScan",
        "TimingSampler",
        "counter_facts",
        "hash_df",
        "rdseed_supported",
    ):
        kernel(name)
