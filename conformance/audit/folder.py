"""The folder of an audit: what each of its files is called, and how they are kept."""

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
#: Patterns of the files that each source has of its own.
AUDIT_FILES = "*.audit.json"
FAULTS_FILES = "*.faults.json"


@attrs.frozen(kw_only=True)
class NotAudited:
    """A source that an audit left out, and why."""

    name: str
    reason: str


@attrs.frozen(kw_only=True)
class LeftOut:
    """The sources that an audit left out: no evidence."""

    verdict: str = "no evidence"
    sources: tuple[NotAudited, ...] = ()


def audit_file(folder: Path, name: str) -> Path:
    """Return where the result of one source's audit is kept."""
    return folder / AUDIT_FILES.replace("*", name)


def faults_file(folder: Path, name: str) -> Path:
    """Return where the result of induced failures of one source is kept."""
    return folder / FAULTS_FILES.replace("*", name)


def write_audit(folder: Path, audit: SourceAudit) -> Path:
    """Keep the result of one source's audit, atomically."""
    return write_document(audit_file(folder, audit.name), audit)


def write_independence(folder: Path, result: IndependenceAudit) -> Path:
    """Keep the result of an independence check of sources, atomically."""
    return write_document(folder / INDEPENDENCE_FILE, result)


def write_not_audited(folder: Path, reasons_by_name: Mapping[str, str]) -> Path:
    """Keep which sources an audit left out, and why, atomically."""
    sources = tuple(NotAudited(name=name, reason=reasons_by_name[name]) for name in sorted(reasons_by_name))
    return write_document(folder / NOT_AUDITED_FILE, LeftOut(sources=sources))


def write_ledger(folder: Path) -> Path | None:
    """Keep the ledger of a seed that the sources of this machine give now; None where they fall short."""
    try:
        _, ledger = EntropyPool.auto().seed_material(256)
    except EsotericDRBGError:  # sources fall short, or a machine profile is broken: seeding says so itself
        return None
    return write_document(folder / LEDGER_FILE, ledger)
