"""The rules between the fields of an evidence bundle, one function for each document."""

from __future__ import annotations

import math
from typing import Any

from esoteric_drbg.conformance.audit.plan import FULL_RESTARTS, FULL_SAMPLES, RESTART_SAMPLES
from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy
from esoteric_drbg.conformance.esv.bundle import CONDITIONER, CONDITIONER_NW, FILES, NAME_CHARACTERS, rbg_registration
from esoteric_drbg.errors import InvalidInputError

__all__ = ["Violations", "check_assessment", "check_documents", "check_rbg", "check_registration"]

_REGISTRATION = (
    "primaryNoiseSource",
    "iidClaim",
    "bitsPerSample",
    "hminEstimate",
    "physical",
    "numberOfRestarts",
    "samplesPerRestart",
    "additionalNoiseSources",
    "numberOfOEs",
    "conditioningComponent",
)
_COMPONENT = ("sequencePosition", "vetted", "description", "minNin", "minHin", "nw", "nOut", "hOut")
#: Relative distance at which two figures are the same one, written and read back.
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

    def fields(self, where: str, document: dict[str, Any], expected: tuple[str, ...]) -> None:
        """Every expected field is there, and no other one."""
        for key in expected:
            self.require(key in document, f"{where}: {key} is missing")
        for key in document:
            self.require(key in expected, f"{where}: {key} is no field of it")

    def number(
        self, where: str, document: dict[str, Any], key: str, low: float, high: float = math.inf, *, whole: bool = False
    ) -> float | None:
        """Return the number at a key if it is one and in range."""
        if key not in document:
            return None  # said by fields
        value = document[key]
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            self.found.append(f"{where}: {key} is {value!r}, expected a {'whole ' * whole}number")
            return None
        if not low <= value <= high:
            limit = f"{low:g}" if low == high else f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
            self.found.append(f"{where}: {key} is {value}, expected {limit}")
            return None
        return value

    def boolean(self, where: str, document: dict[str, Any], key: str) -> bool | None:
        """Return the truth value at a key if it is one."""
        if key not in document:
            return None
        value = document[key]
        self.require(isinstance(value, bool), f"{where}: {key} is {value!r}, expected true or false")
        return value if isinstance(value, bool) else None


def check_registration(lint: Violations, facts: dict[str, Any]) -> None:
    """Noise source and conditioning components."""
    where = FILES["registration"]
    lint.fields(where, facts, _REGISTRATION)
    name = facts.get("primaryNoiseSource")
    lint.require(
        isinstance(name, str) and 1 <= len(name) <= NAME_CHARACTERS,
        f"{where}: primaryNoiseSource has to have 1 to {NAME_CHARACTERS} characters",
    )
    for key in ("iidClaim", "physical"):
        lint.boolean(where, facts, key)
    lint.require(
        lint.boolean(where, facts, "additionalNoiseSources") is not True,
        f"{where}: additionalNoiseSources is true, and the bundle has the data of one noise source",
    )
    bits = lint.number(where, facts, "bitsPerSample", 1, 8, whole=True)
    h_min = lint.number(where, facts, "hminEstimate", 0, bits or 8)
    lint.require(h_min != 0, f"{where}: hminEstimate is 0: nothing is claimed")
    for key, expected in (("numberOfRestarts", FULL_RESTARTS), ("samplesPerRestart", RESTART_SAMPLES)):
        lint.number(where, facts, key, expected, expected, whole=True)
    environments = lint.number(where, facts, "numberOfOEs", 1, whole=True)
    lint.require(
        environments in {None, 1}, f"{where}: numberOfOEs is {environments}, and the bundle has the data of one"
    )
    components = facts.get("conditioningComponent")
    if not lint.require(isinstance(components, list), f"{where}: conditioningComponent is no list"):
        return
    assert isinstance(components, list)  # noqa: S101 - for the type checker
    before: tuple[float, float] | None = None
    for index, component in enumerate(components, 1):
        place = f"{where}: conditioningComponent {index}"
        if lint.require(isinstance(component, dict), f"{place} is no object"):
            before = _component(lint, place, component, index, h_min, before)


def _component(
    lint: Violations,
    where: str,
    component: dict[str, Any],
    index: int,
    h_min: float | None,
    before: tuple[float, float] | None,
) -> tuple[float, float] | None:
    """Check one conditioning component and return its nOut and hOut, for the next one."""
    lint.fields(where, component, _COMPONENT)
    position = lint.number(where, component, "sequencePosition", 1, whole=True)
    lint.require(position == index, f"{where}: sequencePosition is not {index}")
    vetted = lint.boolean(where, component, "vetted")
    n_in, n_out, nw = (lint.number(where, component, key, 1, whole=True) for key in ("minNin", "nOut", "nw"))
    h_in, h_out = (lint.number(where, component, key, 0) for key in ("minHin", "hOut"))
    description = component.get("description")
    if description == CONDITIONER:
        lint.require(vetted is True, f"{where}: {CONDITIONER} is vetted (SP 800-90B 3.1.5.1.1)")
        lint.require(nw == CONDITIONER_NW, f"{where}: nw of {CONDITIONER} is {CONDITIONER_NW}")
        lint.require(n_out == CONDITIONER_NW, f"{where}: nOut: this module's blocks have {CONDITIONER_NW} bits")
    else:
        lint.require(
            not vetted and isinstance(description, str) and bool(description),
            f"{where}: description {description!r}: this module conditions by {CONDITIONER}",
        )
    if n_in is None or n_out is None or nw is None or h_in is None or h_out is None:
        return None
    lint.require(h_in <= n_in, f"{where}: minHin {h_in:g} is above minNin {n_in:g}")
    lint.require(h_out <= n_out, f"{where}: hOut {h_out:g} is above nOut {n_out:g}")
    if before is None and h_min:
        held = n_in / 8 * h_min  # one byte a sample
        lint.require(n_in % 8 == 0, f"{where}: minNin {n_in:g} is no whole number of samples of one byte")
        lint.require(h_in <= held + 1e-9, f"{where}: minHin {h_in:g} is above minNin / 8 x hminEstimate = {held:g}")
    elif before is not None:
        blocks = n_in // before[0]
        lint.require(n_in % before[0] == 0, f"{where}: minNin {n_in:g} is no multiple of nOut {before[0]:g} before it")
        lint.require(
            h_in <= blocks * before[1] + 1e-9,
            f"{where}: minHin {h_in:g} is above hOut {blocks * before[1]:g} of the component before it",
        )
    try:
        expected = conditioning_output_entropy(int(n_in), int(n_out), int(nw), min(h_in, n_in)).h_out
    except InvalidInputError as error:
        lint.found.append(f"{where}: {error}")
        return n_out, h_out
    if vetted:
        lint.require(
            math.isclose(h_out, expected, rel_tol=_SAME),
            f"{where}: hOut is {h_out!r}, SP 800-90B 3.1.5.1.2 gives {expected!r}",
        )
    else:
        most = min(expected, _NON_VETTED * n_out)
        lint.require(
            h_out <= most * (1 + _SAME), f"{where}: hOut is {h_out!r}, SP 800-90B 3.1.5.2 allows at most {most!r}"
        )
    return n_out, h_out


def check_rbg(lint: Violations, rbg: dict[str, Any]) -> None:
    """The RBG construction: the rules of SP 800-90A and C first, then that it is the one of this module."""
    where = FILES["rbg"]
    ours = rbg_registration()
    before = len(lint.found)
    lint.fields(where, rbg, tuple(ours))
    construction = str(rbg.get("construction"))
    lint.require(construction.startswith("RBG2"), f"{where}: construction is {construction}, expected RBG2")
    strength = lint.number(where, rbg, "securityStrength", 112, 256, whole=True)
    instantiate = lint.number(where, rbg, "instantiateEntropyBits", 1, whole=True)
    reseed = lint.number(where, rbg, "reseedEntropyBits", 1, whole=True)
    lint.number(where, rbg, "reseedOutputBits", 1, 1 << 17, whole=True)
    lint.number(where, rbg, "maxBitsPerRequest", 1, 1 << 19, whole=True)
    if strength and instantiate:
        needed = strength * 3 / 2
        lint.require(instantiate >= needed, f"{where}: instantiateEntropyBits {instantiate:g} is below {needed:g}")
    if strength and reseed:
        lint.require(reseed >= strength, f"{where}: reseedEntropyBits {reseed:g} is below the strength {strength:g}")
    said = " ".join(lint.found[before:])
    for key, value in ours.items():
        same = rbg.get(key) == value and type(rbg.get(key)) is type(value)
        if key in rbg and f" {key} is" not in said:
            lint.require(same, f"{where}: {key} is {rbg[key]!r}, and this module's is {value!r}")


def check_assessment(
    lint: Violations, assessment: dict[str, Any], facts: dict[str, Any], hashes: dict[str, str]
) -> None:
    """The figures of the audit: among themselves, and against registration and data files.

    Parameters
    ----------
    lint : Violations
    assessment, facts : dict
        The audit's result, and the registration.
    hashes : dict
        SHA-256 of the data files, by ``raw`` and ``restarts``.
    """
    where = FILES["assessment"]
    try:
        _assessment(lint, where, assessment, facts, hashes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lint.found.append(f"{where}: not the result of an audit: {type(error).__name__}: {error}")


def _assessment(
    lint: Violations, where: str, assessment: dict[str, Any], facts: dict[str, Any], hashes: dict[str, str]
) -> None:
    sequential, restart = assessment["sequential"], assessment["restart"]
    pairs = [
        ("h_submitter", assessment["h_submitter"], "hminEstimate"),
        ("credit", assessment["credit"], "hminEstimate"),
        ("sequential.bits", sequential["bits"], "bitsPerSample"),
        ("restart.rows", restart["rows"], "numberOfRestarts"),
        ("restart.columns", restart["columns"], "samplesPerRestart"),
        ("restart.iid", restart["iid"], "iidClaim"),
    ]
    for label, value, key in pairs:
        if key in facts:
            lint.require(value == facts[key], f"{where}: {label} is {value!r}, {key} is {facts[key]!r}")
    for label, part, key in (("sequential", sequential, "raw"), ("restart", restart, "restarts")):
        lint.require(
            key not in hashes or part["sha256"] == hashes[key], f"{where}: {label}.sha256 is not that of {FILES[key]}"
        )
    samples = sequential["samples"]
    lint.require(samples == FULL_SAMPLES, f"{where}: sequential.samples is {samples}, expected {FULL_SAMPLES}")
    lint.require(assessment["verdict"] == "holds", f"{where}: verdict is {assessment['verdict']!r}, expected 'holds'")
    lint.require(not assessment["left_out"], f"{where}: left_out is not empty: the audit is not complete")
    for flag in ("sanity_passed", "validation_passed", "passed"):
        lint.require(restart[flag] is True, f"{where}: restart.{flag} is {restart[flag]!r}")
    if facts.get("iidClaim") is True:
        iid = assessment["iid"]
        lint.require(
            bool(iid) and iid["passed"] is True, f"{where}: iid: iidClaim is true, and no passed IID test is here"
        )
    for key in ("h_original", "h_bitstring"):
        lint.require(assessment[key] == sequential[key], f"{where}: {key} is not that of sequential")
    for key, inner in (("h_row", "h_row"), ("h_column", "h_column"), ("h_initial", "h_initial")):
        lint.require(assessment[key] == restart[inner], f"{where}: {key} is not that of restart")
    scaled = [sequential["h_original"], _times(sequential["bits"], sequential["h_bitstring"])]
    known = [float(value) for value in scaled if value is not None]
    h_assessed = min([*known, *(value for value in (restart["h_row"], restart["h_column"]) if value is not None)])
    for label, value, expected in (
        ("sequential.h_assessed", sequential["h_assessed"], min(known)),
        ("h_initial", assessment["h_initial"], min([*known, assessment["h_submitter"]])),
        ("h_assessed", assessment["h_assessed"], h_assessed),
    ):
        lint.require(
            math.isclose(value, expected, rel_tol=1e-9), f"{where}: {label} is {value!r}, expected {expected!r}"
        )
    h_min = facts.get("hminEstimate")
    if isinstance(h_min, (int, float)):
        lint.require(h_min <= h_assessed, f"hminEstimate {h_min:g} is above h_assessed {h_assessed:.6f} of {where}")


def _times(bits: int, value: float | None) -> float | None:
    return None if value is None else bits * value


def check_documents(lint: Violations, report: str, facts: dict[str, Any]) -> None:
    """What the Entropy Assessment Report says of fields of the registration is what they say."""
    where = FILES["report"]
    h_min = facts.get("hminEstimate")
    physical, iid = facts.get("physical"), facts.get("iidClaim")
    kind = {"True": "physical", "False": "non-physical"}.get(str(physical))
    track = {"True": "IID |", "False": "non-IID |"}.get(str(iid))
    expected = {
        "primaryNoiseSource": ("- Name:", facts.get("primaryNoiseSource")),
        "physical": ("- Kind:", kind),
        "bitsPerSample": ("- Sample:", f"{facts.get('bitsPerSample')} bits, stored one a byte"),
        "iidClaim": ("| track |", track),
        "hminEstimate": ("| H_submitter |", f"{h_min:g} |" if isinstance(h_min, (int, float)) else None),
    }
    for key, (label, value) in expected.items():
        lines = [line for line in report.splitlines() if line.startswith(label)]
        if not lint.require(len(lines) == 1, f"{where}: expected one line that begins with {label!r}") or value is None:
            continue
        found, name = lines[0].removeprefix(label).strip(), label.strip("-|: ")
        lint.require(found == value, f"{where}: {name} is {found.strip('| ')!r}, and {key} says otherwise")
