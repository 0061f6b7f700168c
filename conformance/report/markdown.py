"""The report of an audit as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from esoteric_drbg.conformance.report.findings import COLUMNS, Report, compliance, figures, reasons, summary
from esoteric_drbg.version import __version__

__all__ = ["markdown"]


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table; a bar in a cell is escaped."""
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    return lines + [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def markdown(report: Report) -> str:
    """Return the report as Markdown: verdicts first, then each source.

    Parameters
    ----------
    report : Report
        From :func:`esoteric_drbg.conformance.report.findings.read_report`.
    """
    lines = [
        "# Entropy source report",
        "",
        summary(report),
        "",
        "Designed to SP 800-90A, B and C; not validated, no certificate.",
        "",
        *_table(
            ("source", "verdict", *COLUMNS),
            [(audit["name"], audit["verdict"], *figures(audit)) for audit in report.audits],
        ),
    ]
    if report.not_audited:
        rows = [(item["name"], "no evidence", item["reason"]) for item in report.not_audited]
        lines += ["", "Not audited:", "", *_table(("source", "verdict", "why"), rows)]
    for audit in report.audits:
        lines += _source(audit)
    if report.independence is not None:
        pairs = [
            (f"{pair['first']}, {pair['second']}", f"{pair['adjusted_p']:.3g}", pair["verdict"])
            for pair in report.independence["pairs"]
        ]
        lines += ["", "## Independence", "", *_table(("pair", "corrected p", "verdict"), pairs)]
    for campaign in report.faults:
        lines += _faults(campaign)
    if report.ledger is not None:
        lines += ["", "## Ledger of a seed", "", *_ledger(report.ledger)]
    lines += ["", "## Compliance map", "", *_table(("section", "requirement", "met", "by"), compliance(report))]
    machine = report.audits[0].get("machine") or {}
    lines += ["", "## Machine", "", *(f"- {key.replace('_', ' ')}: {value}" for key, value in machine.items())]
    lines += ["", f"esoteric_drbg {__version__}", ""]
    return "\n".join(lines)


def _source(audit: dict[str, Any]) -> list[str]:
    lines = ["", f"## {audit['name']}: {audit['verdict']}", "", f"{reasons(audit)}.", ""]
    if audit["left_out"]:
        lines += [f"Not a complete audit: {'; '.join(audit['left_out'])}.", ""]
    sequential, restart = audit["sequential"], audit["restart"]
    lines += [
        f"- {sequential['samples']:,} consecutive samples of {sequential['bits']} bits, {sequential['alphabet']} "
        f"symbols occur, SHA-256 `{sequential['sha256']}`",
        f"- {restart['rows']:,} restarts of {restart['columns']:,} samples: X_row {restart['x_row']}, X_column "
        f"{restart['x_column']}, cutoffs {restart['row_cutoff']} and {restart['column_cutoff']}",
        f"- decided by {' '.join(reversed(sequential['decided_by']))}",
        "",
    ]
    rows = [
        (
            test["test"],
            test["tier"],
            str(test["cutoff"]),
            f"{test['alarms']} in {test['chances']:,}" if test["can_fail"] else "never: above the window",
            f"{test['rate_below']:.2g}",
            f"{test['alpha']:.2g}",
        )
        for test in audit["false_alarms"]
    ]
    return lines + _table(("health test", "tier", "cutoff", "alarms", "below (95 %)", "made for"), rows)


def _faults(campaign: dict[str, Any]) -> list[str]:
    verdict = "passed" if campaign["passed"] else "FAILED"
    lines = ["", f"## Induced failures: {campaign['source']}, {verdict}", ""]
    lines += [f"H {campaign['min_entropy']:g}, {campaign['healthy']}, seed {campaign['seed']} replays them.", ""]
    rows = [
        (
            row["fault"],
            row["tier"],
            row["test"],
            f"{row['detected']} of {row['trials']}",
            "-" if row["delay_median"] is None else f"{row['delay_median']:,.0f}",
            "-" if row["delay_max"] is None else f"{row['delay_max']:,.0f}",
            ("" if row["passed"] else "MISSED; ") + row["note"],
        )
        for row in campaign["results"]
    ]
    return lines + _table(("fault", "tier", "test", "found", "median delay", "longest", "remark"), rows)


def _ledger(ledger: dict[str, Any]) -> list[str]:
    rows = [
        (
            entry["source"],
            str(entry["symbols"]),
            f"{entry['min_entropy']:g}",
            str(entry["n_in"]),
            f"{entry['h_in']:g}",
            f"{entry['h_out']:.6g}",
            str(entry["credited_bits"]),
        )
        for entry in ledger["entries"]
    ]
    return [
        f"{ledger['credited_bits']} bits credited, {ledger['requested_bits']} asked for.",
        "",
        *_table(("source", "symbols", "H", "n_in", "h_in", "h_out", "credited"), rows),
    ]
