"""The metadata of a source as the package uses them: read once, checked, and copied."""

from __future__ import annotations

from typing import Any

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.claims import Claim, Evidence
from esoteric_drbg.noise_sources.info import TEXTS, SourceInfo, Told, fault_of
from esoteric_drbg.noise_sources.intake import Fault, class_name, described, one_line
from esoteric_drbg.noise_sources.raw_source import RawSource

__all__ = ["Metadata", "checked_claim", "checked_metadata", "digitization_of", "has_wide_values_of"]

#: Highest declared rate that is accepted before the rate was measured, in samples per second.
FASTEST_DECLARED = 1e7
#: Longest name of a source, in characters.
LONGEST_NAME = 200

# Read by ``type`` itself, so that a metaclass cannot interfere.
_MRO = type.__dict__["__mro__"].__get__
_NAMES = type.__dict__["__dict__"].__get__

#: Every value that a source stated, by name.
Metadata = dict[str, Any]


def read_metadata(source: RawSource) -> Metadata:
    """Read ``info`` of a source once, and once every attribute that overrides a value of ``info``.

    This runs in the reader's thread, because the source may do anything meanwhile.
    """
    info = _attribute(source, "info")
    told = info._values() if type(info) is SourceInfo else {}
    found: Metadata = {
        label: _attribute(source, label) if label not in told or _is_overridden(source, label) else told[label]
        for label in (*TEXTS, "symbol_bits", "estimated_rate", "claim", "physical", "opt_in")
    }
    rate = found["estimated_rate"]
    found["estimated_rate"] = float(rate) if isinstance(rate, (int, float)) else None
    found["claim"] = _private(found["claim"])
    found["physical"], found["opt_in"] = bool(found["physical"]), bool(found["opt_in"])
    found["wide"] = has_wide_values_of(source)
    text = type(source).__doc__
    found["digitization"] = one_line(text.split("\n\n")[0], 4 * LONGEST_NAME) if type(text) is str else ""
    return found


def checked_metadata(found: Metadata, label: str) -> SourceInfo:
    """Return the info made from a foreign source's metadata.

    Raises
    ------
    InvalidInputError
        If they are incomplete or impossible; the message begins with the source's name, or else ``label``.
    """
    fault = next((value.words for value in found.values() if type(value) is Fault), "") or _fault(found)
    if fault:
        raise InvalidInputError(f"{one_line(found['name']) or label} {fault}")
    return SourceInfo(
        name=found["name"],
        description=one_line(found["description"]),
        category=one_line(found["category"]),
        physics=one_line(found["physics"], 4 * LONGEST_NAME),
        independence_group=one_line(found["independence_group"]),
        estimated_rate=min(found["estimated_rate"], FASTEST_DECLARED),
        physical=found["physical"],
        symbol_bits=found["symbol_bits"],
        claim=found["claim"],
        opt_in=found["opt_in"],
    )


def has_wide_values_of(source: RawSource) -> bool:
    """Return whether the class of a source says that its raw values are wider than its samples."""
    return type(source).read_wide is not RawSource.read_wide


def digitization_of(source: RawSource) -> str:
    """Return the first paragraph of the docstring of a source's class: its digitization."""
    return " ".join((type(source).__doc__ or "").split("\n\n")[0].split())


def _is_overridden(source: RawSource, label: str) -> bool:
    """Return whether a source overrides a value of ``info`` by an attribute, as sources did before ``info``."""
    if label in object.__getattribute__(source, "__dict__"):
        return True
    return next(type(names[label]) is not Told for cls in _MRO(type(source)) if label in (names := _NAMES(cls)))


def _attribute(source: RawSource, label: str) -> Any:
    try:
        return getattr(source, label, None)
    except BaseException as error:
        return Fault(f"{label}: {described(error).words}")


def checked_claim(claim: Any) -> Claim:
    """Return a copy of a claim, checked again: the original may have been altered unnoticed.

    Raises
    ------
    InvalidInputError
        If it is no :class:`Claim`, or an invalid one.
    """
    if type(claim) is not Claim or type(claim.evidence) not in (Evidence, type(None)):
        raise InvalidInputError(f"{class_name(claim)}: expected a Claim, and Evidence or None in it")
    further = claim.further_evidence
    if type(further) is not tuple or any(type(evidence) is not Evidence for evidence in further):
        raise InvalidInputError(f"{class_name(further)}: expected a tuple of Evidence as further_evidence")
    return Claim(
        **_plain(claim)
        | {
            "evidence": None if claim.evidence is None else Evidence(**_plain(claim.evidence)),
            "further_evidence": tuple(Evidence(**_plain(evidence)) for evidence in further),
        }
    )


def _plain(values: Claim | Evidence) -> dict[str, Any]:
    """Return the values of a claim or of evidence as plain types, since a subclass may compare in its own way."""
    plain: dict[str, Any] = {}
    for label, value in values._values().items():
        if isinstance(value, str):
            plain[label] = str.__str__(value)
        elif isinstance(value, float):
            plain[label] = float.__add__(value, 0.0)
        elif isinstance(value, int) and not isinstance(value, bool):
            plain[label] = int.__add__(value, 0)
        else:
            plain[label] = value
    return plain


def _private(claim: Any) -> Any:
    if type(claim) is not Claim:
        return None
    try:
        return checked_claim(claim)
    except InvalidInputError as error:
        return Fault(f"has no valid Claim: {error}")


def _fault(found: Metadata) -> str:
    """Return what is wrong with the metadata of a foreign source, or an empty string."""
    name = found["name"]
    if type(name) is str and name.strip() and not _could_name_a_file(name):
        return "has no name that could be one of a file"
    return fault_of(found)


def _could_name_a_file(name: str) -> bool:
    return len(name) <= LONGEST_NAME and name.isprintable() and name[0] not in ".-" and not set(name) & set('/\\:"')
