"""What the ten estimators of SP 800-90B 6.3 find: one frozen class each, with every intermediate figure."""

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
        Bits per symbol (literal data) or per bit (bitstring); None if the estimator could not run.
    """

    min_entropy: float | None


class NotEstimated(Estimate):
    """An estimator that could not run, and why. It decides nothing."""

    min_entropy: None = None
    reason: str


class MostCommonValueEstimate(Estimate):
    """6.3.1: count of the most common value, its proportion and the upper bound of that."""

    mode: int
    p_hat: float
    p_u: float


class CollisionEstimate(Estimate):
    """6.3.2: collisions, their times' sum, mean, deviation and lower bound, and p (not `found`: the bound 1/2)."""

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
    """6.3.4: mean, deviation and lower bound of the logarithms, and p (not `found`: the bound 1/64)."""

    x_bar: float
    sigma_hat: float
    x_bar_prime: float
    found: bool
    p: float


class TTupleEstimate(Estimate):
    """6.3.5: the longest tuple that occurs 35 times has t symbols."""

    t: int
    p_hat_max: float
    p_u: float


class LRSEstimate(Estimate):
    """6.3.6: tuple lengths u (the first that never occurs 35 times) to v (the longest that repeats)."""

    u: int
    v: int
    p_hat: float
    p_u: float


class PredictionEstimate(Estimate):
    """6.3.7 to 6.3.10: N predictions, C right ones, r one more than the longest run of right ones.

    `p_local` is None if it cannot change the result.
    """

    N: int
    C: int
    r: int
    p_global: float
    p_global_prime: float
    p_local: float | None
