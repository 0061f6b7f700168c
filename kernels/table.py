"""The one table that pairs every Rust kernel with its readable reference."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from esoteric_drbg.extras import or_its_extra
from esoteric_drbg.kernels.selection import native, require_usable

__all__ = ["REFERENCES", "kernel", "load_for_seeds", "reference"]

_REFERENCE = "esoteric_drbg.kernels.reference"
_FALLBACK = "esoteric_drbg.kernels.fallback"

#: Kernel name -> module of its Python reference. The Rust twin has the same name in ``_native``.
REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "AdaptiveProportionScan": f"{_REFERENCE}.health",
        "HashDrbgState": f"{_REFERENCE}.hash_drbg",
        "LagPredictorScan": f"{_REFERENCE}.lag_predictor",
        "RepetitionCountScan": f"{_REFERENCE}.health",
        "TimingSampler": f"{_FALLBACK}.timing",
        "WordStream": f"{_REFERENCE}.bit_generator",
        "bit_counts": f"{_REFERENCE}.bit_statistics",
        "collision_counts": f"{_REFERENCE}.bit_statistics",
        "counter_facts": f"{_FALLBACK}.timing",
        "counter_step": f"{_FALLBACK}.timing",
        "fork_generation": f"{_REFERENCE}.fork_guard",
        "gap_histogram": f"{_REFERENCE}.bit_statistics",
        "hash_df": f"{_REFERENCE}.hash_df",
        "iid_permutation": f"{_REFERENCE}.iid",
        "iid_permutations": f"{_REFERENCE}.iid",
        "iid_statistics": f"{_REFERENCE}.iid",
        "lag": f"{_REFERENCE}.predictors",
        "lz78y": f"{_REFERENCE}.context_predictors",
        "multi_mcw": f"{_REFERENCE}.predictors",
        "multi_mmc": f"{_REFERENCE}.context_predictors",
        "new_drbg_state": f"{_REFERENCE}.mechanisms",
        "rdseed_bytes": f"{_FALLBACK}.rdseed",
        "rdseed_supported": f"{_FALLBACK}.rdseed",
        "read_counter": f"{_FALLBACK}.timing",
        "secret_memory": f"{_REFERENCE}.secret_memory",
        "tuple_counts": f"{_REFERENCE}.tuples",
    }
)


def reference(name: str) -> Any:
    """Return the Python reference of a kernel."""
    try:
        module = importlib.import_module(REFERENCES[name])
    except ModuleNotFoundError as error:
        raise or_its_extra(error) from None
    return getattr(module, name)


@functools.cache
def kernel(name: str) -> Any:
    """Return the kernel that runs in this process: the Rust twin where it is loaded, otherwise the reference."""
    require_usable()
    return reference(name) if native is None else getattr(native, name)


def load_for_seeds() -> None:
    """Load the kernels that a seed runs: one that a fork cuts into must not be in the middle of an import."""
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
