"""The findings of an audit, verdicts first, read from the files in its folder."""

from __future__ import annotations

from pathlib import Path

import attrs

from esoteric_drbg.conformance.audit.folder import (
    AUDIT_FILES,
    FAULTS_FILES,
    INDEPENDENCE_FILE,
    LEDGER_FILE,
    NOT_AUDITED_FILE,
    LeftOut,
    NotAudited,
)
from esoteric_drbg.conformance.audit.independence import IndependenceAudit
from esoteric_drbg.conformance.audit.results import SourceAudit, Verdict
from esoteric_drbg.conformance.document_files import read_document
from esoteric_drbg.conformance.faults.results import FaultCampaign
from esoteric_drbg.errors import InvalidInputError

__all__ = ["COLUMNS", "KeptEntry", "KeptLedger", "Report", "figure", "figures", "read_report", "reasons", "summary"]

#: Headings of the columns that :func:`figures` returns.
COLUMNS = ("claim", "assessed", "H_original", "n x H_bitstring", "H_r", "H_c", "credited bits/s")
_VERDICT_ORDER: dict[Verdict, int] = {"too high": 0, "holds": 1, "no evidence": 2}


@attrs.frozen(kw_only=True)
class KeptEntry:
    """The part of a ledger entry that a report shows; see :class:`esoteric_drbg.seeding.ledger.LedgerEntry`."""

    source: str
    independence_group: str = ""
    symbols: int
    min_entropy: float
    health: str = ""
    n_in: int
    n_out: int | None = None
    h_in: float
    h_out: float
    credited_bits: int
    note: str = ""


@attrs.frozen(kw_only=True)
class KeptLedger:
    """The part of a seed's stored ledger that a report shows."""

    requested_bits: int
    credited_bits: int
    entries: tuple[KeptEntry, ...]


@attrs.frozen(kw_only=True)
class Report:
    """The contents of a report; the same files give the same report, byte for byte.

    Attributes
    ----------
    folder : Path
        Folder with the recordings.
    audits : tuple of SourceAudit
        All audits, those that ask for action first.
    ledger : KeptLedger or None
        A seed's ledger, if one was kept.
    independence : IndependenceAudit or None
        The result of an independence audit, if one was kept.
    not_audited : tuple of NotAudited
        Sources that were left out: there is no evidence for them.
    faults : tuple of FaultCampaign
        Induced failures that were kept.
    """

    folder: Path
    audits: tuple[SourceAudit, ...]
    ledger: KeptLedger | None
    independence: IndependenceAudit | None
    not_audited: tuple[NotAudited, ...] = ()
    faults: tuple[FaultCampaign, ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the sources whose claim is too high."""
        return tuple(audit.name for audit in self.audits if audit.verdict == "too high")

    def count(self, verdict: Verdict) -> int:
        """Return how many audits ended with a verdict."""
        return sum(audit.verdict == verdict for audit in self.audits)


def read_report(folder: Path) -> Report:
    """Read the results of an audit from its folder.

    Raises
    ------
    InvalidInputError
        If there is no audit, or a file of it cannot be read or is damaged; the message names file and field.
    """
    files = sorted(folder.glob(AUDIT_FILES)) if folder.is_dir() else []
    if not files:
        raise InvalidInputError(f"{folder} has no audit: run `esoteric-drbg audit --out {folder}` first")
    audits = [read_document(path, SourceAudit, "the result of an audit") for path in files]
    audits.sort(key=lambda audit: (_VERDICT_ORDER[audit.verdict], audit.name))
    ledger, independence, left_out = (folder / name for name in (LEDGER_FILE, INDEPENDENCE_FILE, NOT_AUDITED_FILE))
    audited = {audit.name for audit in audits}
    not_audited: tuple[NotAudited, ...] = ()
    if left_out.exists():
        not_audited = read_document(left_out, LeftOut, "a list of sources that were left out").sources
    return Report(
        folder=folder,
        audits=tuple(audits),
        ledger=read_document(ledger, KeptLedger, "the ledger of a seed") if ledger.exists() else None,
        independence=(
            read_document(independence, IndependenceAudit, "the result of an independence check")
            if independence.exists()
            else None
        ),
        not_audited=tuple(item for item in not_audited if item.name not in audited),
        faults=tuple(
            read_document(path, FaultCampaign, "the result of induced failures")
            for path in sorted(folder.glob(FAULTS_FILES))
        ),
    )


def summary(report: Report) -> str:
    """Return a summary of the report in one or two sentences."""
    if report.failing:
        text = f"Claims too high: {len(report.failing)} ({', '.join(report.failing)})"
    else:
        text = "No claim is too high"
    text += f"; claims that hold: {report.count('holds')}; sources credited nothing: {report.count('no evidence')}"
    if report.not_audited:
        text += f"; not audited: {len(report.not_audited)}"
    if report.independence is not None and not report.independence.passed:
        text += ". Sources of different independence groups depend on each other"
    failed = [campaign.source for campaign in report.faults if not campaign.passed]
    if failed:
        text += f". Induced failures were missed: {', '.join(failed)}"
    return text + "."


def reasons(audit: SourceAudit) -> str:
    """Return the reasons for a verdict as the beginning of a sentence."""
    text = "; ".join(audit.reasons)
    return text[:1].upper() + text[1:]


def figure(value: float | None, digits: int = 4) -> str:
    """Return a figure as text for a table."""
    return "-" if value is None else f"{value:.{digits}f}"


def figures(audit: SourceAudit) -> tuple[str, ...]:
    """Return the figures of an audit for a table with :data:`COLUMNS`."""
    bitstring = None if audit.h_bitstring is None else audit.sequential.bits * audit.h_bitstring
    return (
        f"{audit.h_submitter:g}",
        figure(audit.h_assessed),
        figure(audit.h_original),
        figure(bitstring),
        figure(audit.h_row),
        figure(audit.h_column),
        f"{audit.credited_bits_per_second:,.0f}",
    )
