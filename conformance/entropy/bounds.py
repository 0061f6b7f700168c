"""Arithmetic of the ten estimators of SP 800-90B 6.3, defined in the kernels, where seeding's gate can use it, too."""

from __future__ import annotations

from esoteric_drbg.kernels.estimate_bounds import (
    MARKOV_STEPS,
    Z_99,
    decreasing_root,
    entropy_of,
    local_probability,
    markov_path,
    prediction_bounds,
    upper_bound,
)

__all__ = [
    "MARKOV_STEPS",
    "Z_99",
    "decreasing_root",
    "entropy_of",
    "local_probability",
    "markov_path",
    "prediction_bounds",
    "upper_bound",
]
