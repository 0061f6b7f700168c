"""Results of the ten estimators of SP 800-90B 6.3: one frozen class each, with every intermediate figure."""

from __future__ import annotations

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.frozen import Frozen

__all__ = [
    "CollisionEstimate",
    "CompressionEstimate",
    "Estimate",
    "LRSEstimate",
    "MarkovEstimate",
    "MostCommonValueEstimate",
    "NotEstimated",
    "PredictionEstimate",
    "TTupleEstimate",
]


class Estimate(Frozen, Document):
    """Base of all estimates.

    Attributes
    ----------
    min_entropy : float or None
        Bits per sample (literal data) or per bit (bitstring); None if the estimator could not run.
    """

    min_entropy: float | None


class NotEstimated(Estimate):
    """An estimator that could not run, and the reason; it does not affect the assessment."""

    min_entropy: None = None
    reason: str


class MostCommonValueEstimate(Estimate):
    """6.3.1: count of the most common value, its proportion, and the upper bound of the proportion."""

    mode: int
    p_hat: float
    p_u: float


class CollisionEstimate(Estimate):
    """6.3.2: number of collisions, sum, mean, deviation and lower bound of their times, and p (1/2 if not `found`)."""

    v: int
    sum_t: int
    x_bar: float
    sigma_hat: float
    x_bar_prime: float
    found: bool
    p: float


class MarkovEstimate(Estimate):
    """6.3.3: initial and transition probabilities, and the probability of the likeliest 128-bit sequence."""

    p_0: float
    p_1: float
    p_00: float
    p_01: float
    p_10: float
    p_11: float
    p_hat_max: float


class CompressionEstimate(Estimate):
    """6.3.4: mean, deviation and lower bound of the logarithms, and p (1/64 if not `found`)."""

    x_bar: float
    sigma_hat: float
    x_bar_prime: float
    found: bool
    p: float


class TTupleEstimate(Estimate):
    """6.3.5: t, the greatest length at which a tuple occurs at least 35 times, and the probabilities."""

    t: int
    p_hat_max: float
    p_u: float


class LRSEstimate(Estimate):
    """6.3.6: tuple lengths u (the least at which no tuple occurs 35 times) to v (the greatest at which one repeats)."""

    u: int
    v: int
    p_hat: float
    p_u: float


class PredictionEstimate(Estimate):
    """6.3.7 to 6.3.10: N predictions, C correct ones; r is one more than the longest run of correct ones.

    `p_local` is None if it cannot change the result.
    """

    N: int
    C: int
    r: int
    p_global: float
    p_global_prime: float
    p_local: float | None
