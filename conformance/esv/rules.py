"""The rules between the fields of an evidence bundle, one function for each document; shapes are checked before."""

from __future__ import annotations

import math

from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.conformance.esv.bundle import FILES
from esoteric_drbg.conformance.esv.registration import (
    CONDITIONER,
    CONDITIONER_NW,
    ConditioningComponent,
    RBGRegistration,
    Registration,
    rbg_registration,
)
from esoteric_drbg.errors import InvalidInputError

__all__ = ["Violations", "check_assessment", "check_documents", "check_rbg", "check_registration"]

#: Relative difference up to which two figures count as the same one, written and read back.
_SAME = 1e-12
_NON_VETTED = 0.999


class Violations:
    """Collects violations, each with its place."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def require(self, met: bool, violation: str) -> bool:
        """Note a violation unless the rule is met, and return whether it is."""
        if not met:
            self.found.append(violation)
        return met


def check_registration(lint: Violations, facts: Registration) -> None:
    """Check the noise source and the conditioning components."""
    where = FILES["registration"]
    lint.require(
        not facts.additional_noise_sources,
        f"{where}: additionalNoiseSources is true, and the bundle has the data of one noise source",
    )
    lint.require(facts.hmin_estimate > 0, f"{where}: hminEstimate is {facts.hmin_estimate:g}: nothing is claimed")
    lint.require(
        facts.hmin_estimate <= facts.bits_per_sample,
        f"{where}: hminEstimate {facts.hmin_estimate:g} is above bitsPerSample {facts.bits_per_sample}",
    )
    lint.require(
        facts.number_of_oes == 1,
        f"{where}: numberOfOEs is {facts.number_of_oes}, and the bundle has the data of one",
    )
    before: ConditioningComponent | None = None
    for index, component in enumerate(facts.conditioning_component, 1):
        place = f"{where}: conditioningComponent {index}"
        lint.require(component.sequence_position == index, f"{place}: sequencePosition is not {index}")
        _check_component(lint, place, component)
        _check_input(lint, place, component, facts.hmin_estimate, before)
        before = component


def _check_component(lint: Violations, where: str, component: ConditioningComponent) -> None:
    """Check one conditioning component by itself, SP 800-90B 3.1.5."""
    n_in, h_in, n_out, h_out = component.min_nin, component.min_hin, component.n_out, component.h_out
    if component.description == CONDITIONER:
        lint.require(component.vetted, f"{where}: {CONDITIONER} is vetted (SP 800-90B 3.1.5.1.1)")
        lint.require(component.nw == CONDITIONER_NW, f"{where}: nw of {CONDITIONER} is {CONDITIONER_NW}")
        lint.require(n_out == CONDITIONER_NW, f"{where}: nOut: this module's blocks have {CONDITIONER_NW} bits")
    else:
        lint.require(
            not component.vetted,
            f"{where}: description {component.description!r}: this module conditions by {CONDITIONER}",
        )
    lint.require(h_in <= n_in, f"{where}: minHin {h_in:g} is above minNin {n_in:g}")
    lint.require(h_out <= n_out, f"{where}: hOut {h_out:g} is above nOut {n_out:g}")
    try:
        expected = conditioning_output_entropy(n_in, n_out, component.nw, min(h_in, n_in)).h_out
    except InvalidInputError as error:
        lint.found.append(f"{where}: {error}")
        return
    if component.vetted:
        lint.require(
            math.isclose(h_out, expected, rel_tol=_SAME),
            f"{where}: hOut is {h_out!r}, SP 800-90B 3.1.5.1.2 gives {expected!r}",
        )
    else:
        most = min(expected, _NON_VETTED * n_out)
        lint.require(
            h_out <= most * (1 + _SAME), f"{where}: hOut is {h_out!r}, SP 800-90B 3.1.5.2 allows at most {most!r}"
        )


def _check_input(
    lint: Violations, where: str, component: ConditioningComponent, h_min: float, before: ConditioningComponent | None
) -> None:
    """Check the input of a component: raw samples, one a byte, or outputs of the component before it."""
    n_in, h_in = component.min_nin, component.min_hin
    if before is None:
        held = n_in / 8 * h_min
        lint.require(n_in % 8 == 0, f"{where}: minNin {n_in:g} is no whole number of samples of one byte")
        lint.require(h_in <= held + 1e-9, f"{where}: minHin {h_in:g} is above minNin / 8 x hminEstimate = {held:g}")
        return
    held = n_in // before.n_out * before.h_out
    lint.require(
        n_in % before.n_out == 0, f"{where}: minNin {n_in:g} is no multiple of nOut {before.n_out:g} before it"
    )
    lint.require(h_in <= held + 1e-9, f"{where}: minHin {h_in:g} is above hOut {held:g} of the component before it")


def check_rbg(lint: Violations, rbg: RBGRegistration) -> None:
    """Check the RBG construction: first the rules of SP 800-90A and C, then that it is the one of this module."""
    where = FILES["rbg"]
    before = len(lint.found)
    lint.require(rbg.construction.startswith("RBG2"), f"{where}: construction is {rbg.construction}, expected RBG2")
    strength, instantiate = rbg.security_strength, rbg.instantiate_entropy_bits
    needed = strength * 3 / 2
    lint.require(instantiate >= needed, f"{where}: instantiateEntropyBits {instantiate:g} is below {needed:g}")
    lint.require(
        rbg.reseed_entropy_bits >= strength,
        f"{where}: reseedEntropyBits {rbg.reseed_entropy_bits:g} is below the strength {strength:g}",
    )
    said = " ".join(lint.found[before:])
    ours, theirs = to_document(rbg_registration()), to_document(rbg)
    for key, value in ours.items():
        if f" {key} is" not in said:
            lint.require(theirs[key] == value, f"{where}: {key} is {theirs[key]!r}, and this module's is {value!r}")


def check_assessment(lint: Violations, audit: SourceAudit, facts: Registration, hashes: dict[str, str]) -> None:
    """Check the figures of the audit: among themselves, and against the registration and the data files.

    Parameters
    ----------
    lint : Violations
    audit : SourceAudit
        The audit's result.
    facts : Registration
    hashes : dict
        SHA-256 of the data files, by ``raw`` and ``restarts``.
    """
    where = FILES["assessment"]
    sequential, restart = audit.sequential, audit.restart
    for label, found, key, registered in (
        ("h_submitter", audit.h_submitter, "hminEstimate", facts.hmin_estimate),
        ("credit", audit.credit, "hminEstimate", facts.hmin_estimate),
        ("sequential.bits", sequential.bits, "bitsPerSample", facts.bits_per_sample),
        ("restart.rows", restart.rows, "numberOfRestarts", facts.number_of_restarts),
        ("restart.columns", restart.columns, "samplesPerRestart", facts.samples_per_restart),
        ("restart.iid", restart.iid, "iidClaim", facts.iid_claim),
    ):
        lint.require(found == registered, f"{where}: {label} is {found!r}, {key} is {registered!r}")
    for label, sha256, file in (("sequential", sequential.sha256, "raw"), ("restart", restart.sha256, "restarts")):
        lint.require(
            file not in hashes or sha256 == hashes[file], f"{where}: {label}.sha256 is not that of {FILES[file]}"
        )
    samples = sequential.samples
    lint.require(samples == FULL_SAMPLES, f"{where}: sequential.samples is {samples}, expected {FULL_SAMPLES}")
    lint.require(restart.rows == FULL_RESTARTS, f"{where}: restart.rows is {restart.rows}, expected {FULL_RESTARTS}")
    lint.require(
        restart.columns == RESTART_SAMPLES, f"{where}: restart.columns is {restart.columns}, expected {RESTART_SAMPLES}"
    )
    lint.require(audit.verdict == "holds", f"{where}: verdict is {audit.verdict!r}, expected 'holds'")
    lint.require(not audit.left_out, f"{where}: left_out is not empty: the audit is not complete")
    for flag, passed in (("sanity_passed", restart.sanity_passed), ("validation_passed", restart.validation_passed)):
        lint.require(passed, f"{where}: restart.{flag} is {passed!r}")
    if facts.iid_claim:
        lint.require(
            audit.iid is not None and audit.iid.passed is True,
            f"{where}: iid: iidClaim is true, and no passed IID test is here",
        )
    for key, figure, of, same in (
        ("h_original", audit.h_original, "sequential", sequential.h_original),
        ("h_bitstring", audit.h_bitstring, "sequential", sequential.h_bitstring),
        ("h_row", audit.h_row, "restart", restart.h_row),
        ("h_column", audit.h_column, "restart", restart.h_column),
        ("h_initial", audit.h_initial, "restart", restart.h_initial),
    ):
        lint.require(figure == same, f"{where}: {key} is not that of {of}")
    _check_minima(lint, where, audit, facts)


def _check_minima(lint: Violations, where: str, audit: SourceAudit, facts: Registration) -> None:
    """Check the figures that are minima of others, SP 800-90B 3.1.3 to 3.1.4."""
    sequential, restart = audit.sequential, audit.restart
    bitstring = None if sequential.h_bitstring is None else sequential.bits * sequential.h_bitstring
    known = [figure for figure in (sequential.h_original, bitstring) if figure is not None]
    if not lint.require(bool(known), f"{where}: sequential has neither h_original nor h_bitstring"):
        return
    h_assessed = min([*known, *(figure for figure in (restart.h_row, restart.h_column) if figure is not None)])
    for label, value, expected in (
        ("sequential.h_assessed", sequential.h_assessed, min(known)),
        ("h_initial", audit.h_initial, min([*known, audit.h_submitter])),
        ("h_assessed", audit.h_assessed, h_assessed),
    ):
        lint.require(
            math.isclose(value, expected, rel_tol=1e-9), f"{where}: {label} is {value!r}, expected {expected!r}"
        )
    lint.require(
        facts.hmin_estimate <= h_assessed,
        f"hminEstimate {facts.hmin_estimate:g} is above h_assessed {h_assessed:.6f} of {where}",
    )


def check_documents(lint: Violations, report: str, facts: Registration) -> None:
    """Check that the Entropy Assessment Report gives the values of the registration's fields."""
    where = FILES["report"]
    expected = {
        "primaryNoiseSource": ("- Name:", facts.primary_noise_source),
        "physical": ("- Kind:", "physical" if facts.physical else "non-physical"),
        "bitsPerSample": ("- Sample:", f"{facts.bits_per_sample} bits, stored one a byte"),
        "iidClaim": ("| track |", "IID |" if facts.iid_claim else "non-IID |"),
        "hminEstimate": ("| H_submitter |", f"{facts.hmin_estimate:g} |"),
    }
    for key, (label, value) in expected.items():
        lines = [line for line in report.splitlines() if line.startswith(label)]
        if not lint.require(len(lines) == 1, f"{where}: expected one line that begins with {label!r}"):
            continue
        found, name = lines[0].removeprefix(label).strip(), label.strip("-|: ")
        lint.require(found == value, f"{where}: {name} is {found.strip('| ')!r}, and {key} says otherwise")
