"""The credit of a source's samples on this machine: by evidence that fits it, or by what this machine itself shows.

The claim is credited if one of its recordings is of this class of machine (``"recorded"``). Otherwise nothing is
credited before this machine has shown what it gives: by a stored self-assessment that holds for it
(``"self-assessed"``, half of the lowest of ten estimates in a quiet and in a loaded moment), or by the gate of this
process (``"gate"``, a quarter of the lowest of six estimates of some 50 ms). The credit never exceeds the claim, and is
0 if the health tests cannot guard it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from esoteric_drbg.errors import SourceError
from esoteric_drbg.noise_sources import Claim, NoiseSource
from esoteric_drbg.noise_sources.claims import NATIVE_READ_NS, STEP_FACTOR
from esoteric_drbg.noise_sources.machine import MachineFacts, machine_facts, machine_identity
from esoteric_drbg.process.forks import loading
from esoteric_drbg.seeding import machine_profile
from esoteric_drbg.seeding.ledger import Credit
from esoteric_drbg.seeding.machine_profile import StoredAssessment
from esoteric_drbg.version import __version__

if TYPE_CHECKING:
    from esoteric_drbg.seeding.gate import Read

__all__ = [
    "assessed_here",
    "credit_here",
    "decide",
    "description_of_machine",
    "self_assessed",
    "without_reading",
]

#: The share of a self-assessment's lowest estimate that is credited: half, as in the claims themselves.
ASSESSED_SHARE = 0.5
#: Ten minutes: no step or read of a counter takes as long, but a profile may contain any number.
_MOST_NS = 6e11


def decide(
    source: NoiseSource, claim: Claim, read: Read, *, alpha: float = 2.0**-30, facts: MachineFacts | None = None
) -> Credit:
    """Return the credit of a source on this machine; the gate reads samples only if nothing else decides.

    Parameters
    ----------
    source : NoiseSource
        A source that is available; the gate or a stored self-assessment may make it do more work per sample.
    claim : Claim
        The claim in force.
    read : callable
        ``read(n)`` returns n fresh raw samples, or None.
    alpha : float
        False-alarm probability of the health tests that guard the credit.
    facts : MachineFacts, optional
        Facts to use instead of this machine's own.
    """
    facts = facts or machine_facts()
    found = without_reading(source, claim, alpha=alpha, facts=facts)
    if found is None:
        with loading:  # a forked child cannot finish an import begun by another thread
            from esoteric_drbg.seeding.gate import gate  # noqa: PLC0415 - not needed where evidence fits

        misfit = claim.fits(facts)
        if stale := _looked_up(source, facts)[1]:
            misfit += f"; {stale}"
        return gate(source, claim, read, alpha=alpha, misfit=misfit)
    if found.times > 1:
        with loading:
            from esoteric_drbg.seeding.gate import repeat  # noqa: PLC0415 - as above

        repeat(source, found.times)
    return found


def without_reading(
    source: NoiseSource, claim: Claim, *, alpha: float = 2.0**-30, facts: MachineFacts | None = None
) -> Credit | None:
    """Return the credit if it is known without reading the source; None if the gate has to decide."""
    if claim.credit == 0:
        return Credit(0.0, "none", "no evidence, no credit")
    if certificate := next((evidence.certificate for evidence in claim.all_evidence if evidence.certificate), ""):
        return Credit(claim.credit, "configured", certificate)
    facts = facts or machine_facts()
    stored, stale = _looked_up(source, facts)
    if stored is not None:
        with loading:
            from esoteric_drbg.seeding.gate import if_guarded, rounded_down, shipped_parameters  # noqa: PLC0415 - as above

        shipped = shipped_parameters(source).get("touches", 0)
        times = stored.parameters.get("touches", 0) // shipped if isinstance(shipped, int) and shipped else 1
        bits = rounded_down(min(claim.min_entropy, ASSESSED_SHARE * stored.h_lowest))
        words = f"{stored.h_lowest:.4g} bits were found on {stored.date}"
        return if_guarded(bits, "self-assessed", words, source.symbol_bits, alpha, times)
    if not claim.fits(facts):
        return Credit(claim.credit, "recorded", stale)
    return None


def credit_here(source: NoiseSource, claim: Claim | None = None) -> Credit:
    """Return the credit of an available source on this machine, outside of any pool.

    Parameters
    ----------
    source : NoiseSource
        A source that can be read.
    claim : Claim, optional
        The claim in force instead of the source's own.

    Examples
    --------
    >>> from esoteric_drbg.noise_sources import create
    >>> credit_here(create("rdseed")).basis
    'none'
    """

    def read(n: int) -> bytes | None:
        try:
            return source.read_exactly(n, deadline_s=2.0)
        except SourceError:
            return None

    return decide(source, claim or source.claim, read)


def description_of_machine(facts: MachineFacts | None = None) -> dict[str, Any]:
    """Return the description of this machine that is stored with a self-assessment made now."""
    return {**(facts or machine_facts()).as_dict(), **machine_identity().as_dict()}


def self_assessed(name: str) -> float | None:
    """Return the credit that this machine's stored self-assessments allow, in bits per sample; None if there is none.

    It is half of the lowest estimate; if several self-assessments hold, the lowest counts.
    """
    figures = [
        ASSESSED_SHARE * stored.h_lowest
        for stored in machine_profile.self_assessments().get(name, [])
        if not differs(stored, None, machine_facts())
    ]
    return min(figures, default=None)


def assessed_here(source: NoiseSource, facts: MachineFacts | None = None) -> StoredAssessment | None:
    """Return the lowest stored self-assessment of a source that holds for this machine, or None.

    Raises
    ------
    InvalidInputError
        If there is a profile that cannot be trusted; see
        :func:`esoteric_drbg.seeding.machine_profile.self_assessments`.
    """
    return _looked_up(source, facts or machine_facts())[0]


def _looked_up(source: NoiseSource, facts: MachineFacts) -> tuple[StoredAssessment | None, str]:
    """Return the lowest stored self-assessment that holds, or why the stored ones do not hold."""
    reasons, holding = [], []
    for stored in machine_profile.self_assessments().get(source.name, []):
        if reason := differs(stored, source, facts):
            reasons.append(f"the self-assessment in {stored.where} does not hold: {reason}")
        else:
            holding.append(stored)
    return min(holding, key=lambda one: one.h_lowest, default=None), "" if holding else "; ".join(reasons)


def differs(stored: StoredAssessment, source: NoiseSource | None, facts: MachineFacts) -> str:
    """Return why a stored self-assessment does not hold for this machine and source; an empty string if it does."""
    if stored.package != __version__:
        return f"made by version {stored.package}"
    then, now = stored.machine, description_of_machine(facts)
    for label, value in now.items():
        if label not in {"counter_step_ns", "counter_read_ns"} and then.get(label) != value:
            return f"{label} was {then.get(label)!r} and is {value!r}"
    figures = [then.get("counter_step_ns"), then.get("counter_read_ns")]
    step, read = (ns if isinstance(ns, (int, float)) and 0 <= ns < _MOST_NS else None for ns in figures)
    if step is None or read is None:
        return "it says nothing of the counter"
    if not step / STEP_FACTOR <= facts.counter_step_ns <= step * STEP_FACTOR:
        return f"the counter moved by {step:.3g} ns at a time and moves by {facts.counter_step_ns:.3g} ns"
    if facts.counter_read_ns > max(NATIVE_READ_NS, 2 * read):
        return f"a read of the counter took {read:.0f} ns and takes {facts.counter_read_ns:.0f} ns"
    return _other_parameters(stored.parameters, source) if source is not None else ""


def _other_parameters(then: Mapping[str, Any], source: NoiseSource) -> str:
    """Return which parameter of a source has changed; touches may have been a known multiple of the shipped ones."""
    with loading:
        from esoteric_drbg.seeding.gate import TIMES, shipped_parameters  # noqa: PLC0415 - only where something is stored

    now = shipped_parameters(source)
    for label in sorted(then.keys() | now.keys()):
        old, new = then.get(label), now.get(label)
        multiple = (
            label == "touches" and isinstance(old, int) and isinstance(new, int) and old in {t * new for t in TIMES}
        )
        if old != new and not multiple:
            return f"the source's {label} was {old} and is {new}"
    return ""
