"""Named faults of a noise source, as plans compute them and as induced failures inject them."""

from __future__ import annotations

import math
from typing import Any, Literal

import attrs
import numpy as np

from esoteric_drbg.errors import InvalidInputError

__all__ = ["FAULTS", "Fault", "Symbols", "worst_distribution", "worst_symbols"]

Symbols = np.ndarray[Any, np.dtype[np.uint8]]


def worst_distribution(min_entropy: float, symbol_bits: int) -> list[tuple[float, int]]:
    """Return the IID source of a min-entropy that raises the most false alarms, as (probability, number of symbols).

    As many symbols as fit have probability 2^-H, and one has the rest. No other source of this min-entropy has more
    alarms, since the alarm rates are convex in the probabilities as long as 2^-H is below (C - 1)/(C + 1), which holds
    for every cutoff of alpha 2^-4 or less.

    Examples
    --------
    >>> worst_distribution(1.0, 8), worst_distribution(0.5, 8)[0][1]
    ([(0.5, 2)], 1)
    """
    p = 2.0**-min_entropy
    times = min(math.floor(1 / p * (1 + 1e-12)), 1 << symbol_bits)
    rest = 1 - times * p
    return [(p, times), (rest, 1)] if rest > 1e-12 else [(p, times)]


def worst_symbols(rng: np.random.Generator, min_entropy: float, symbol_bits: int, n: int) -> Symbols:
    """Return `n` samples of the IID source of :func:`worst_distribution`.

    Examples
    --------
    >>> int(worst_symbols(np.random.default_rng(1), 1.0, 8, 1000).max())
    1
    """
    weights = [p for p, times in worst_distribution(min_entropy, symbol_bits) for _ in range(times)]
    return np.searchsorted(np.cumsum(weights)[:-1], rng.random(n), side="right").astype(np.uint8)


@attrs.frozen(kw_only=True)
class Fault:
    """One way in which a noise source fails.

    Attributes
    ----------
    name : str
    kind : {"stuck", "biased", "periodic", "entrained", "creeping", "repeated", "loss"}
        Stuck: always one symbol. Biased: one symbol with probability `share`. Periodic: `length` different symbols in
        turn. Entrained: each sample follows a period with probability `share`. Creeping: entrained, with a probability
        that grows from 0 to `share` over half of the faulty samples. Repeated: a block of `length` healthy samples,
        again and again. Loss: `share` times the healthy min-entropy.
    length : int
        Length of a period or block, in samples.
    share : float
        0 to 1.
    step : int
        Step from one symbol of a period to the next, modulo the number of symbols.
    """

    name: str
    kind: Literal["stuck", "biased", "periodic", "entrained", "creeping", "repeated", "loss"]
    length: int = 1
    share: float = 1.0
    step: int = 1

    def __attrs_post_init__(self) -> None:
        if self.length < 1 or not 0 < self.share <= 1 or self.step < 1:
            raise InvalidInputError(f"{self.name}: length={self.length}, share={self.share}: out of range")

    def distribution(self, min_entropy: float, symbol_bits: int) -> list[tuple[float, int]]:
        """Return the IID distribution of a biased source, or of one that lost min-entropy."""
        if self.kind == "loss":
            return worst_distribution(min_entropy * self.share, symbol_bits)
        others = (1 << symbol_bits) - 1
        return [(self.share, 1), ((1 - self.share) / others, others)]

    def inject(
        self, rng: np.random.Generator, healthy: Symbols, onset: int, min_entropy: float, symbol_bits: int
    ) -> Symbols:
        """Return the healthy samples with this fault from `onset` on."""
        symbols = healthy.copy()
        n = symbols.size - onset
        if n < 1:
            return symbols
        alphabet = 1 << symbol_bits
        places = np.arange(n) % self.length * self.step
        turn = ((places + int(rng.integers(alphabet))) % alphabet).astype(np.uint8)
        if self.kind in {"stuck", "periodic"}:
            symbols[onset:] = turn
        elif self.kind == "entrained":
            symbols[onset:] = np.where(rng.random(n) < self.share, turn, symbols[onset:])
        elif self.kind == "creeping":
            share = self.share * np.minimum(np.arange(n) / max(1, n // 2), 1.0)
            symbols[onset:] = np.where(rng.random(n) < share, turn, symbols[onset:])
        elif self.kind == "repeated":
            symbols[onset:] = np.resize(symbols[onset : onset + self.length], n)
        elif self.kind == "loss":
            symbols[onset:] = worst_symbols(rng, min_entropy * self.share, symbol_bits, n)
        else:
            chosen = np.where(rng.random(n) < self.share, 0, rng.integers(1, alphabet, n))
            symbols[onset:] = (chosen + int(rng.integers(alphabet))) % alphabet
        return symbols


#: Default faults of plans and of induced failures.
FAULTS = (
    Fault(name="stuck", kind="stuck"),
    Fault(name="biased to 0.99", kind="biased", share=0.99),
    Fault(name="period 2", kind="periodic", length=2),
    Fault(name="period 7", kind="periodic", length=7),
    Fault(name="entrained 0.95, period 2", kind="entrained", length=2, share=0.95),
    Fault(name="repeated block of 64", kind="repeated", length=64),
    Fault(name="min-entropy halved", kind="loss", share=0.5),
    Fault(name="period 3", kind="periodic", length=3),
    Fault(name="period 5", kind="periodic", length=5),
    Fault(name="period 16", kind="periodic", length=16),
    Fault(name="counter", kind="periodic", length=256),
    Fault(name="stuck bit below a counter", kind="periodic", length=128, step=2),
    Fault(name="period 2, noise 10 %", kind="entrained", length=2, share=0.9),
    Fault(name="slow entrainment, period 5", kind="creeping", length=5, share=0.97),
)
