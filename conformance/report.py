"""The report of an audit: what was found, verdicts first, from the files that an audit left in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.errors import EntropyUnavailableError, InvalidInputError
from esoteric_drbg.pool import EntropyPool
from esoteric_drbg.version import __version__

__all__ = [
    "INDEPENDENCE_FILE",
    "LEDGER_FILE",
    "Report",
    "audit_file",
    "compliance",
    "markdown",
    "read_report",
    "write_audit",
    "write_independence",
    "write_ledger",
]

LEDGER_FILE = "seed_ledger.json"
INDEPENDENCE_FILE = "independence.json"
_VERDICT_ORDER = {"too high": 0, "holds": 1, "no evidence": 2}


@attrs.frozen(kw_only=True)
class Report:
    """What a report is made of; the same files give the same report, byte for byte.

    Attributes
    ----------
    folder : Path
        Where the recordings are.
    audits : tuple of dict
        Results of :func:`esoteric_drbg.conformance.audit.audit_source`, verdicts that ask for action first.
    ledger : dict or None
        A seed's ledger, if one was kept.
    independence : dict or None
        The result of an independence check, if one was kept.
    """

    folder: Path
    audits: tuple[dict[str, Any], ...]
    ledger: dict[str, Any] | None
    independence: dict[str, Any] | None

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the sources whose claim is too high."""
        return tuple(item["name"] for item in self.audits if item["verdict"] == "too high")


def audit_file(folder: Path, name: str) -> Path:
    """Return where the result of one source's audit is kept."""
    return folder / f"{name}.audit.json"


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def write_independence(folder: Path, result: dict[str, Any]) -> Path:
    """Keep the result of an independence check of sources, atomically."""
    return _write(folder / INDEPENDENCE_FILE, result)


def write_audit(folder: Path, audit: dict[str, Any]) -> Path:
    """Keep the result of one source's audit, atomically."""
    return _write(audit_file(folder, audit["name"]), audit)


def write_ledger(folder: Path) -> Path | None:
    """Keep the ledger of a seed that the sources of this machine give now; None where they fall short."""
    try:
        _, ledger = EntropyPool.auto().seed_material(256)
    except EntropyUnavailableError:
        return None
    return _write(folder / LEDGER_FILE, ledger.as_dict())


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInputError(f"{path}: expected a JSON object")
    return document


def read_report(folder: Path) -> Report:
    """Read what an audit left in its folder.

    Raises
    ------
    InvalidInputError
        If there is no audit, or a file of it cannot be read.
    """
    files = sorted(folder.glob("*.audit.json")) if folder.is_dir() else []
    if not files:
        raise InvalidInputError(f"{folder} has no audit: run `esoteric-drbg audit --out {folder}` first")
    audits = [_document(path) for path in files]
    for path, audit in zip(files, audits, strict=True):
        missing = sorted({"name", "verdict", "reasons", "credit", "h_assessed", "sequential", "restart"} - set(audit))
        if missing or audit["verdict"] not in _VERDICT_ORDER:
            raise InvalidInputError(f"{path}: not the result of an audit (no {', '.join(missing) or 'known verdict'})")
    audits.sort(key=lambda audit: (_VERDICT_ORDER[audit["verdict"]], audit["name"]))
    optional = {
        name: _document(folder / name) if (folder / name).exists() else None
        for name in (LEDGER_FILE, INDEPENDENCE_FILE)
    }
    return Report(
        folder=folder,
        audits=tuple(audits),
        ledger=optional[LEDGER_FILE],
        independence=optional[INDEPENDENCE_FILE],
    )


def summary(report: Report) -> str:
    """Return the report in one sentence."""
    counts = {verdict: sum(item["verdict"] == verdict for item in report.audits) for verdict in _VERDICT_ORDER}
    if report.failing:
        begin = f"Claims too high: {len(report.failing)} ({', '.join(report.failing)})"
    else:
        begin = "No claim is too high"
    return f"{begin}; claims that hold: {counts['holds']}; sources credited nothing: {counts['no evidence']}."


def reasons(audit: dict[str, Any]) -> str:
    """Return what a verdict rests on as the beginning of a sentence."""
    text = "; ".join(audit["reasons"])
    return text[:1].upper() + text[1:]


def figure(value: float | None, digits: int = 4) -> str:
    """Return a figure for a table."""
    return "-" if value is None else f"{value:.{digits}f}"


def markdown(report: Report) -> str:
    """Return the report as Markdown: verdicts first, then each source.

    Parameters
    ----------
    report : Report
        From :func:`read_report`.
    """
    lines = [
        "# Entropy source report",
        "",
        summary(report),
        "",
        "Designed to SP 800-90A, B and C; not validated, no certificate.",
        "",
        "| source | verdict | claim | H_original | n x H_bitstring | H_r | H_c | assessed | credited bits/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for audit in report.audits:
        bits = audit["sequential"]["bits"]
        bitstring = None if audit["h_bitstring"] is None else bits * audit["h_bitstring"]
        cells = (
            audit["name"],
            audit["verdict"],
            f"{audit['h_submitter']:g}",
            figure(audit["h_original"]),
            figure(bitstring),
            figure(audit["h_row"]),
            figure(audit["h_column"]),
            figure(audit["h_assessed"]),
            f"{audit['credited_bits_per_second']:,.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for audit in report.audits:
        lines += ["", f"## {audit['name']}: {audit['verdict']}", "", f"{reasons(audit)}.", ""]
        if audit["left_out"]:
            lines += [f"A quick audit: {'; '.join(audit['left_out'])}.", ""]
        sequential, restart = audit["sequential"], audit["restart"]
        lines += [
            f"- {sequential['samples']:,} consecutive samples of {sequential['bits']} bits, {sequential['alphabet']} "
            f"symbols occur, SHA-256 `{sequential['sha256']}`",
            f"- {restart['rows']:,} restarts of {restart['columns']:,} samples: X_row {restart['x_row']}, X_column "
            f"{restart['x_column']}, cutoffs {restart['row_cutoff']} and {restart['column_cutoff']}",
            f"- decided by {' '.join(reversed(sequential['decided_by']))}",
            "",
            "| health test | tier | cutoff | alarms | below (95 %) | made for |",
            "|---|---|---|---|---|---|",
        ]
        for test in audit["false_alarms"]:
            alarms = f"{test['alarms']} in {test['chances']:,}" if test["can_fail"] else "never: above the window"
            lines.append(
                f"| {test['test']} | {test['tier']} | {test['cutoff']} | {alarms} | {test['rate_below']:.2g} | "
                f"{test['alpha']:.2g} |"
            )
    if report.independence is not None:
        lines += ["", "## Independence", "", "| pair | corrected p | verdict |", "|---|---|---|"]
        lines += [
            f"| {pair['first']}, {pair['second']} | {pair['adjusted_p']:.3g} | {pair['verdict']} |"
            for pair in report.independence["pairs"]
        ]
    lines += ["", "## Compliance map", "", "| section | requirement | met | by |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in compliance(report)]
    if report.ledger is not None:
        lines += ["", "## Ledger of a seed", "", *_ledger_lines(report.ledger)]
    machine = report.audits[0].get("machine") or {}
    lines += ["", "## Machine", "", *(f"- {key.replace('_', ' ')}: {value}" for key, value in machine.items())]
    lines += ["", f"esoteric_drbg {__version__}", ""]
    return "\n".join(lines)


def compliance(report: Report) -> list[tuple[str, str, str, str]]:
    """Return what the audit shows of the requirements on the credited sources: section, requirement, met, by what."""
    credited = [audit for audit in report.audits if audit["credit"] > 0]

    def row(section: str, requirement: str, lacking: list[str], by: str) -> tuple[str, str, str, str]:
        met = "yes" if not lacking else f"no: {', '.join(lacking)}"
        return section, requirement, met if credited else "no credited source", by

    def names(fails: Callable[[dict[str, Any]], bool]) -> list[str]:
        return [audit["name"] for audit in credited if fails(audit)]

    ledger = report.ledger or {"entries": []}
    weak = [entry["source"] for entry in ledger["entries"] if entry["h_out"] < entry["credited_bits"] - 1e-9]
    return [
        row(
            "90B 3.1.1", "1,000,000 consecutive samples", names(lambda a: a["sequential"]["samples"] < 10**6), "record"
        ),
        row(
            "90B 3.1.3",
            "the claim is no higher than any estimate",
            names(lambda a: a["h_submitter"] > a["sequential"]["h_assessed"]),
            "the ten estimators on symbols and bitstring",
        ),
        row(
            "90B 3.1.4.1",
            "1000 restarts of 1000 samples",
            names(lambda a: min(a["restart"]["rows"], a["restart"]["columns"]) < 1000),
            "fresh processes",
        ),
        row(
            "90B 3.1.4.3",
            "restart sanity check and validation",
            names(lambda a: not a["restart"]["passed"]),
            "exact cutoffs, rows and columns",
        ),
        row("90B 3.1.5", "vetted conditioning with its output entropy", weak, "Hash_df SHA-256, the ledger below"),
        row(
            "90B 4.4",
            "repetition count and adaptive proportion tests, quiet on healthy data",
            names(lambda a: any(test["alarms"] for test in a["false_alarms"])),
            "cutoffs that follow from the claim, two tiers",
        ),
        ("90A 10.1.1", "Hash_DRBG SHA-256", "designed to it; not validated", "docs/sp800-90a.md"),
        ("90C", "RBG2(NP), reseeded within 2^17 output bits", "designed to it; not validated", "RBG2Instance"),
    ]


def _ledger_lines(ledger: dict[str, Any]) -> list[str]:
    lines = [
        f"{ledger['credited_bits']} bits credited, {ledger['requested_bits']} asked for.",
        "",
        "| source | symbols | H | n_in | h_in | h_out | credited |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in ledger["entries"]:
        lines.append(
            f"| {entry['source']} | {entry['symbols']} | {entry['min_entropy']:g} | {entry['n_in']} | "
            f"{entry['h_in']:g} | {entry['h_out']:.6g} | {entry['credited_bits']} |"
        )
    return lines
