"""The folder of an audit: the names of its files, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from esoteric_drbg.conformance.audit.independence import IndependenceAudit
from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.document_files import write_document
from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.seeding.pool import EntropyPool

__all__ = [
    "AUDIT_FILES",
    "FAULTS_FILES",
    "INDEPENDENCE_FILE",
    "LEDGER_FILE",
    "NOT_AUDITED_FILE",
    "LeftOut",
    "NotAudited",
    "audit_file",
    "faults_file",
    "write_audit",
    "write_independence",
    "write_ledger",
    "write_not_audited",
]

LEDGER_FILE = "seed_ledger.json"
INDEPENDENCE_FILE = "independence.json"
NOT_AUDITED_FILE = "not_audited.json"
#: Name patterns of the files that exist once for each source.
AUDIT_FILES = "*.audit.json"
FAULTS_FILES = "*.faults.json"


@attrs.frozen(kw_only=True)
class NotAudited:
    """A source that an audit left out, and the reason."""

    name: str
    reason: str


@attrs.frozen(kw_only=True)
class LeftOut:
    """The sources that an audit left out: there is no evidence for them."""

    verdict: str = "no evidence"
    sources: tuple[NotAudited, ...] = ()


def audit_file(folder: Path, name: str) -> Path:
    """Return the path of the file with the result of one source's audit."""
    return folder / AUDIT_FILES.replace("*", name)


def faults_file(folder: Path, name: str) -> Path:
    """Return the path of the file with the result of one source's induced failures."""
    return folder / FAULTS_FILES.replace("*", name)


def write_audit(folder: Path, audit: SourceAudit) -> Path:
    """Write the result of one source's audit, atomically."""
    return write_document(audit_file(folder, audit.name), audit)


def write_independence(folder: Path, result: IndependenceAudit) -> Path:
    """Write the result of an independence audit, atomically."""
    return write_document(folder / INDEPENDENCE_FILE, result)


def write_not_audited(folder: Path, reasons_by_name: Mapping[str, str]) -> Path:
    """Write the names of the sources that an audit left out, with the reasons, atomically."""
    sources = tuple(NotAudited(name=name, reason=reasons_by_name[name]) for name in sorted(reasons_by_name))
    return write_document(folder / NOT_AUDITED_FILE, LeftOut(sources=sources))


def write_ledger(folder: Path) -> Path | None:
    """Draw seed material from this machine's sources and write its ledger; return None if their credit falls short."""
    try:
        _, ledger = EntropyPool.auto().seed_material(256)
    except EsotericDRBGError:  # credit falls short, or a machine profile is damaged: seeding reports it
        return None
    return write_document(folder / LEDGER_FILE, ledger)
