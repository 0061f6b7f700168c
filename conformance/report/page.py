"""The report as one self-contained HTML page: no external loads, no scripts, for desktop, phone and paper."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.audit.verdict import restart_family
from esoteric_drbg.conformance.faults.results import FaultCampaign
from esoteric_drbg.conformance.rendering import render
from esoteric_drbg.conformance.report import page_tables as tables
from esoteric_drbg.conformance.report.compliance import compliance
from esoteric_drbg.conformance.report.findings import COLUMNS, Report, figure, figures, reasons, summary
from esoteric_drbg.conformance.report.pictures import Picture, delay_curves, independence_matrix, source_pictures
from esoteric_drbg.conformance.report.svg import COLOURS, require_report
from esoteric_drbg.conformance.samples.files import read_file
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.version import __version__

if TYPE_CHECKING:
    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

__all__ = ["html"]

_TEMPLATES = "esoteric_drbg.conformance.report"
_STYLES = {"holds": "holds", "too high": "high", "no evidence": "none"}
_CURVES = (
    ("RCT", "Repetition count test"),
    ("APT", "Adaptive proportion test"),
    ("lag", "Lag predictor test (developer-defined)"),
)
#: For more sources than this, the matrix keeps its size and is scrolled.
_MANY = 8


@attrs.frozen(kw_only=True)
class Tile:
    """A figure that an auditor wants first."""

    style: str
    figure: str
    text: str


@attrs.frozen(kw_only=True)
class SourceView:
    """A source's part of the page."""

    audit: SourceAudit
    anchor: str
    style: str
    reasons: str
    cells: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


@attrs.frozen(kw_only=True)
class CampaignView:
    """The induced failures of a source; the curves, with their titles, are of the intermittent tier."""

    campaign: FaultCampaign
    sentence: str
    curves: tuple[tuple[str, str], ...]


def html(report: Report) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    report : Report
        From :func:`esoteric_drbg.conformance.report.findings.read_report`.

    Raises
    ------
    MissingExtraError
        If the extra ``report`` (jinja2 and matplotlib) is not installed.
    InvalidInputError
        If a recording is missing, or is not the one that was audited.
    """
    require_report()
    style = render(_TEMPLATES, "style.css.j2", colours=COLOURS)
    views = [_view(report, audit) for audit in report.audits]
    return render(
        _TEMPLATES,
        "page.html.j2",
        report=report,
        tables=tables,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        summary=summary(report),
        version=__version__,
        dates=_dates(report),
        tiles=_tiles(report),
        contents=_contents(report, views),
        columns=COLUMNS,
        views=views,
        family=restart_family([audit.restart.sanity_passed for audit in report.audits]).text,
        matrix=independence_matrix(report.independence) if report.independence and report.independence.pairs else "",
        many=_MANY,
        campaigns=[_campaign(campaign) for campaign in report.faults],
        compliance=compliance(report),
        other_machines=_other_machines(report),
    )


def _dates(report: Report) -> str:
    """Return the first and the last date of the audits, as ISO dates."""
    dates = sorted(audit.date[:10] for audit in report.audits)
    return dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"


def _tiles(report: Report) -> list[Tile]:
    """Return the figures that an auditor wants first."""
    high, holds = report.count("too high"), report.count("holds")
    nothing = report.count("no evidence") + len(report.not_audited)
    tiles = [
        Tile(style="high" if high else "", figure=str(high), text="claims too high"),
        Tile(style="holds" if holds else "", figure=str(holds), text="claims that hold"),
        Tile(style="", figure=str(nothing), text="sources without evidence, credited nothing"),
    ]
    if report.independence is not None:
        pairs = [pair for pair in report.independence.pairs if not pair.same_group]
        dependent = sum(pair.dependent for pair in pairs)
        text = f"of {len(pairs)} pairs of different groups depend on each other"
        tiles.append(Tile(style="high" if dependent else "", figure=str(dependent), text=text))
    if report.ledger is not None:
        text = f"bits credited to a seed of {report.ledger.requested_bits}"
        tiles.append(Tile(style="", figure=str(report.ledger.credited_bits), text=text))
    return tiles


def _contents(report: Report, views: list[SourceView]) -> list[tuple[str, str]]:
    parts = [
        ("verdicts", "Verdicts", True),
        *((view.anchor, view.audit.name, True) for view in views),
        ("independence", "Independence", bool(report.independence and report.independence.pairs)),
        ("faults", "Induced failures", bool(report.faults)),
        ("ledger", "Ledger of a seed", report.ledger is not None),
        ("compliance", "Compliance map", True),
        ("basis", "What this rests on", True),
    ]
    return [(anchor, title) for anchor, title, shown in parts if shown]


def _recording(report: Report, name: str, size: int, sha256: str) -> Bytes:
    """Return a recording after checking that it is the one that was audited."""
    path = report.folder / name
    data = np.frombuffer(read_file(path), dtype=np.uint8)
    if data.size != size:
        raise InvalidInputError(f"{path} has {data.size:,} samples; the audit was of {size:,}")
    if hashlib.sha256(data.tobytes()).hexdigest() != sha256:
        raise InvalidInputError(f"{path} is not the recording that was audited: SHA-256")
    return data


def _view(report: Report, audit: SourceAudit) -> SourceView:
    sequential, restart = audit.sequential, audit.restart
    symbols = _recording(report, f"{audit.name}.bin", sequential.samples, sequential.sha256)
    matrix = _recording(report, f"{audit.name}.restarts.bin", restart.rows * restart.columns, restart.sha256)
    return SourceView(
        audit=audit,
        anchor="source-" + re.sub(r"\W+", "-", audit.name),
        style=_STYLES[audit.verdict],
        reasons=reasons(audit),
        cells=figures(audit),
        facts=_facts(audit),
        hashes=(
            ("SHA-256 of the consecutive samples", sequential.sha256),
            ("SHA-256 of the restarts", restart.sha256),
        ),
        pictures=tuple(source_pictures(symbols, matrix.reshape(restart.rows, restart.columns), audit)),
    )


def _facts(audit: SourceAudit) -> tuple[tuple[str, str], ...]:
    """Return the facts about a source that an auditor looks up first."""
    sequential, restart = audit.sequential, audit.restart
    part, estimator = sequential.decided_by
    facts = [
        ("Claim, H_submitter", f"{audit.h_submitter:g} bits per sample"),
        ("Credited", f"{audit.credit:g} bits per sample"),
        ("Assessed", f"{figure(audit.h_assessed)} bits per sample"),
        ("Decided by", f"{estimator.replace('_', ' ')}, {part}"),
        ("H_I of the restart tests", figure(audit.h_initial)),
        ("Consecutive samples", f"{sequential.samples:,} of {sequential.bits} bits"),
        ("Symbols that occur", f"{sequential.alphabet:,}"),
        ("Restarts", f"{restart.rows:,} x {restart.columns:,} samples"),
        (
            "Restart sanity check",
            f"X_row {restart.x_row} (cutoff {restart.row_cutoff}), X_column {restart.x_column} "
            f"(cutoff {restart.column_cutoff})",
        ),
    ]
    if audit.symbols_per_second:
        facts.append(("Rate while recording", f"{audit.symbols_per_second:,.0f} symbols/s"))
    facts.append(("Independence group", audit.independence_group))
    if audit.iid is not None:
        facts.append(("IID tests", "passed" if audit.iid.passed else "failed"))
    facts.append(("Audited", audit.date[:16].replace("T", " ") + " UTC"))
    return tuple(facts)


def _campaign(campaign: FaultCampaign) -> CampaignView:
    """Return the view of one source's induced failures."""
    curves = []
    for test, title in _CURVES:
        found = [row for row in campaign.results if row.test == test and row.tier == "intermittent"]
        if any(row.curve for row in found):
            curves.append((title, delay_curves(campaign.source, found, title)))
    alarms = (
        f"{row.alarms} alarms of the {row.tier} {row.test} in {row.tested:,} "
        f"{'windows' if row.test == 'APT' else 'symbols'}"
        for row in campaign.false_alarms
    )
    evidence = (
        f"{row.detections} detections by the {row.tier} {row.test} in {row.symbols:,} faulty symbols"
        for row in campaign.evidence
    )
    sentence = (
        f"{campaign.trials} injections of each fault at random phases, {campaign.span:,} faulty symbols each, "
        f"through the slot and the monitor that seeding uses; H {campaign.min_entropy:g}, {campaign.healthy}. "
        f"Seed {campaign.seed} replays them. In all: {'; '.join(evidence)}. On healthy data {'; '.join(alarms)}. "
        f"A pool with a stuck source alone "
        f"{'refused the seed' if campaign.pool.alone_refused else 'GAVE A SEED'}; beside a healthy one the seed came "
        f"from {', '.join(campaign.pool.seed_from)}."
    )
    return CampaignView(campaign=campaign, sentence=sentence, curves=tuple(curves))


def _other_machines(report: Report) -> str:
    """Return a warning if the audits were not all made on one machine."""
    kinds = {tuple(audit.machine.get(key) for key in ("cpu", "platform")) for audit in report.audits}
    if len(kinds) == 1:
        return ""
    return f"The audits are of {len(kinds)} machines or systems; the table is of {report.audits[0].name}."
