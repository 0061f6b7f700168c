"""Min-entropy claims and the evidence behind them (SP 800-90B 3.1.3: H_submitter).

A claim without evidence earns no credit: its sources are read, tested and mixed in, and count 0 bits.
"""

from __future__ import annotations

import math

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

__all__ = ["Claim", "Evidence"]


class Evidence(Frozen):
    """What a min-entropy claim rests on.

    Attributes
    ----------
    dataset : str
        Which recording was assessed: symbols, restarts, recipe.
    date : str
        ISO date of the recording.
    machine_class : str
        CPU family, counter and operating system the recording was made on.
    assessed : float
        Lowest figure of the assessment, in bits per symbol; the claim is at most half of it.
    method : str
        Estimators and tests behind ``assessed``.
    provisional : bool
        True while the complete SP 800-90B assessment is not part of the evidence.
    certificate : str
        For noise that this package cannot reach: the certificate an operator names. Shown in every ledger.
    """

    dataset: str
    date: str
    machine_class: str
    assessed: float
    method: str
    provisional: bool = False
    certificate: str = ""


class Claim(Frozen):
    """H_submitter of one noise source, with its evidence.

    Parameters
    ----------
    min_entropy : float
        Claimed min-entropy in bits per raw symbol, from 0 (nothing claimed) to ``symbol_bits``.
    symbol_bits : int
        Width of a raw symbol, 1 to 8 bits.
    evidence : Evidence, optional
        What the claim rests on. Without it the credit is 0.
    iid : bool
        Whether the source is claimed to be IID (SP 800-90B 3.1.2). An audit then runs the tests of section 5.
    health_min_entropy : float, optional
        The H from which health-test cutoffs follow where nothing is claimed (SP 800-90B 4.4 needs H > 0).

    Raises
    ------
    InvalidInputError
        If a figure is outside its range, or the claim is above its own evidence.

    Examples
    --------
    >>> Claim(min_entropy=0.5, symbol_bits=8).credit
    0.0
    """

    min_entropy: float
    symbol_bits: int = 8
    evidence: Evidence | None = None
    health_min_entropy: float | None = None
    iid: bool = False

    def _check(self) -> None:
        if not 1 <= self.symbol_bits <= 8:
            raise InvalidInputError(f"symbol_bits={self.symbol_bits}: a raw symbol has 1 to 8 bits")
        for label, value in (
            ("min_entropy", self.min_entropy),
            ("health_min_entropy", self.health_min_entropy),
        ):
            if value is not None and not (math.isfinite(value) and 0 <= value <= self.symbol_bits):
                raise InvalidInputError(f"{label}={value}: expected 0 to {self.symbol_bits} bits per symbol")
        if self.evidence is not None and self.min_entropy > self.evidence.assessed:
            raise InvalidInputError(
                f"min_entropy={self.min_entropy} is above the {self.evidence.assessed} its evidence assessed"
            )

    @property
    def credit(self) -> float:
        """Min-entropy credited per raw symbol, in bits: the claim if there is evidence, otherwise 0."""
        return self.min_entropy if self.evidence is not None else 0.0

    @property
    def cutoff_entropy(self) -> float:
        """The H that health-test cutoffs follow from, in bits per symbol: always above 0."""
        if self.health_min_entropy:
            return self.health_min_entropy
        return self.min_entropy or self.symbol_bits / 16

    @classmethod
    def by_operator(cls, min_entropy: float, *, certificate: str, symbol_bits: int = 8) -> Claim:
        """Return a claim that an operator makes for conditioned noise, naming the certificate it rests on.

        Examples
        --------
        >>> Claim.by_operator(4.0, certificate="ESV certificate E0, vendor's RDSEED").credit
        4.0
        """
        if not certificate.strip():
            raise InvalidInputError("certificate is empty: a claim by configuration names what it rests on")
        evidence = Evidence(
            dataset="vendor-conditioned output; raw noise not reachable",
            date="",
            machine_class="as certified",
            assessed=min_entropy,
            method="operator's configuration",
            certificate=certificate.strip(),
        )
        return cls(min_entropy=min_entropy, symbol_bits=symbol_bits, evidence=evidence)
