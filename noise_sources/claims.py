"""Min-entropy claims and the evidence behind them (SP 800-90B 3.1.3: H_submitter).

A claim without evidence gets no credit: its source is read, tested and mixed in, and counts 0 bits. A claim is at most
half of the figure that its evidence assessed, unless it rests on a certificate that an operator names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.frozen import Frozen

if TYPE_CHECKING:
    from esoteric_drbg.noise_sources.machine import MachineFacts

__all__ = ["ANY_MACHINE", "NATIVE_READ_NS", "STEP_FACTOR", "Claim", "Evidence"]

#: The architecture of evidence that depends on no machine: the noise comes from a separate device.
ANY_MACHINE = "any"
#: Factor by which the counter's step may differ, either way. A step that is coarser by this factor shows at most
#: log2(1.5) = 0.6 bits less of a duration. A finer step is another digitization: low bits that beat with the core's
#: clock on the recorded machine may be constant there. Claims are at most half of what was assessed.
STEP_FACTOR = 1.5
#: Longest read of the counter, in ns, to which recordings of the CPU's own counter apply. The instruction and the call
#: from the programming language take 10 to 300 ns; an exit to a hypervisor or a signal takes at least 500.
NATIVE_READ_NS = 400.0

#: Days of each month.
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e18 < value < 1e18


def _is_date(text: str) -> bool:
    """Return True for a calendar day YYYY-MM-DD, without datetime, which the token path does not load."""
    year, *rest = text.split("-")
    if [len(part) for part in (year, *rest)] != [4, 2, 2] or not all(
        part.isascii() and part.isdigit() for part in (year, *rest)
    ):
        return False
    month, day = (int(part) for part in rest)
    leap = int(year) % 4 == 0 and (int(year) % 100 != 0 or int(year) % 400 == 0)
    return int(year) > 0 and 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and (leap or (month, day) != (2, 29))


class Evidence(Frozen):
    """The evidence of a min-entropy claim: one assessed recording, or a certificate.

    Attributes
    ----------
    dataset : str
        The recording that was assessed: samples, restarts, recipe.
    date : str
        ISO date of the recording.
    machine_class : str
        CPU family, counter and operating system on which the recording was made.
    assessed : float
        Lowest figure of the assessment, in bits per sample; the claim is at most half of it.
    method : str
        Estimators and tests behind ``assessed``.
    provisional : bool
        True while the complete SP 800-90B assessment is not part of the evidence.
    certificate : str
        For noise that this package cannot assess: the certificate that an operator names. Every ledger shows it.
    system, architecture, kernels, counter : str
        The :class:`~esoteric_drbg.noise_sources.machine.MachineFacts` of the recorded machine. Without an architecture
        the evidence fits no machine; with :data:`ANY_MACHINE` it fits all. Other fields that are empty, or 0, do not
        matter to this source.
    counter_step_ns : float
        Step of the counter in ns.
    l2_kib : int
        Second-level cache of a core in KiB.

    Raises
    ------
    InvalidInputError
        If there is no certificate and ``dataset``, ``date``, ``machine_class`` or ``method`` is missing, ``date`` is no
        date, or ``assessed`` is not above 0 and at most 8.
    """

    dataset: str
    date: str
    machine_class: str
    assessed: float
    method: str
    provisional: bool = False
    certificate: str = ""
    system: str = ""
    architecture: str = ""
    kernels: str = ""
    counter: str = ""
    counter_step_ns: float = 0.0
    l2_kib: int = 0

    def fits(self, facts: MachineFacts) -> str:
        """Return why this evidence does not fit a machine; an empty string if it fits.

        Examples
        --------
        >>> from esoteric_drbg.noise_sources.evidence import EPYC_26, recorded
        >>> from esoteric_drbg.noise_sources.machine import MachineFacts
        >>> machine = MachineFacts(
        ...     system="linux",
        ...     architecture="x86_64",
        ...     kernels="rust",
        ...     counter="tsc",
        ...     counter_step_ns=10.0,
        ...     counter_read_ns=20.0,
        ...     l2_kib=1024,
        ... )
        >>> evidence = recorded(0.507, on=EPYC_26, cache=True)
        >>> evidence.fits(machine)
        ''
        >>> evidence.fits(machine.replace(counter_step_ns=100.0))
        'the counter moves by 100 ns at a time, by 10 ns where it was recorded'
        """
        if self.certificate or self.architecture == ANY_MACHINE:
            return ""
        if not self.architecture:
            return "the evidence names no machine"
        for label in ("system", "architecture", "kernels", "counter"):
            recorded, here = getattr(self, label), getattr(facts, label)
            if recorded and recorded != here:
                return f"{label} {here or 'unknown'}, {recorded} where it was recorded"
        step, here_ns = self.counter_step_ns, facts.counter_step_ns
        if step and not step / STEP_FACTOR <= here_ns <= step * STEP_FACTOR:
            return f"the counter moves by {here_ns:.3g} ns at a time, by {step:.3g} ns where it was recorded"
        if self.counter and facts.counter_read_ns > NATIVE_READ_NS:
            return f"a read of the counter takes {facts.counter_read_ns:.0f} ns: it is not the CPU's own that answers"
        if self.l2_kib and self.l2_kib != facts.l2_kib:
            return f"second-level cache of {facts.l2_kib or 'unknown'} KiB, {self.l2_kib} KiB where it was recorded"
        return ""

    def _check(self) -> None:
        by_certificate = isinstance(self.certificate, str) and self.certificate.strip()
        if not _is_number(self.assessed) or self.assessed < 0 or (self.assessed > 8 and not by_certificate):
            raise InvalidInputError(f"assessed={self.assessed}: expected bits per sample, more than 0 and at most 8")
        if by_certificate:
            return
        for label in ("dataset", "date", "machine_class", "method"):
            value = getattr(self, label)
            if not (isinstance(value, str) and value.strip()):
                raise InvalidInputError(f"evidence without {label}: it says what was assessed, when, where and how")
        if not _is_date(self.date):
            raise InvalidInputError(f"date={self.date!r}: expected an ISO date, YYYY-MM-DD")
        if not self.assessed:
            raise InvalidInputError("assessed=0: nothing was found, so this is no evidence")


class Claim(Frozen):
    """H_submitter of one noise source, with its evidence.

    Parameters
    ----------
    min_entropy : float
        Claimed min-entropy in bits per raw sample, from 0 (nothing claimed) to ``symbol_bits``.
    symbol_bits : int
        Width of a raw sample, 1 to 8 bits.
    evidence : Evidence, optional
        What the claim rests on. Without it the credit is 0.
    iid : bool
        Whether the source is claimed to be IID (SP 800-90B 3.1.2). An audit then runs the tests of section 5.
    further_evidence : tuple of Evidence
        Recordings of other machine classes that the claim rests on, too: one that fits is enough.
    health_min_entropy : float, optional
        The H from which health-test cutoffs follow if nothing is claimed (SP 800-90B 4.4 needs H > 0).

    Raises
    ------
    InvalidInputError
        If a figure is outside its range, or the claim is above half of its own evidence.

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
    further_evidence: tuple[Evidence, ...] = ()

    def _check(self) -> None:
        if type(self.symbol_bits) is not int or not 1 <= self.symbol_bits <= 8:
            raise InvalidInputError(f"symbol_bits={self.symbol_bits}: a raw symbol has 1 to 8 bits")
        for label, value in (
            ("min_entropy", self.min_entropy),
            ("health_min_entropy", self.health_min_entropy),
        ):
            if (label == "min_entropy" or value is not None) and not (
                _is_number(value) and 0 <= value <= self.symbol_bits
            ):
                raise InvalidInputError(f"{label}={value}: expected 0 to {self.symbol_bits} bits per sample")
        for evidence in self.all_evidence:
            self._check_evidence(evidence)

    def _check_evidence(self, evidence: Evidence) -> None:
        assessed = evidence.assessed
        if assessed > self.symbol_bits:
            raise InvalidInputError(f"assessed={assessed}: more than a {self.symbol_bits}-bit symbol holds")
        if self.min_entropy > assessed:
            raise InvalidInputError(f"min_entropy={self.min_entropy} is above the {assessed} its evidence assessed")
        if self.min_entropy > assessed / 2 and not evidence.certificate.strip():
            raise InvalidInputError(
                f"min_entropy={self.min_entropy} is above half of the {assessed} its evidence assessed: "
                f"at most {assessed / 2:g} can be claimed"
            )

    @property
    def all_evidence(self) -> tuple[Evidence, ...]:
        """All evidence of the claim; empty if nothing is credited."""
        return () if self.evidence is None else (self.evidence, *self.further_evidence)

    def fits(self, facts: MachineFacts) -> str:
        """Return why no evidence of this claim fits a machine; an empty string if one does."""
        reasons = [evidence.fits(facts) for evidence in self.all_evidence]
        if not reasons:
            return "no evidence"
        return "" if "" in reasons else "; ".join(dict.fromkeys(reasons))

    @property
    def credit(self) -> float:
        """The highest credit per raw sample, in bits: the claim if there is evidence, otherwise 0.

        :mod:`esoteric_drbg.seeding.credit` decides what is credited on this machine.
        """
        return self.min_entropy if self.evidence is not None else 0.0

    @property
    def cutoff_entropy(self) -> float:
        """The H from which health-test cutoffs follow, in bits per sample: always above 0."""
        if self.health_min_entropy:
            return self.health_min_entropy
        return self.min_entropy or self.symbol_bits / 16

    @classmethod
    def by_operator(cls, min_entropy: float, *, certificate: str, symbol_bits: int = 8) -> Claim:
        """Return an operator's claim for conditioned noise, which rests on a certificate.

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
