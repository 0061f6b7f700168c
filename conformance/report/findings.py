"""The report of an audit: what was found, verdicts first, from the files that an audit left in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError
from esoteric_drbg.seeding.pool import EntropyPool

__all__ = [
    "INDEPENDENCE_FILE",
    "LEDGER_FILE",
    "NOT_AUDITED_FILE",
    "Report",
    "audit_file",
    "compliance",
    "figure",
    "figures",
    "read_report",
    "reasons",
    "summary",
    "write_audit",
    "write_faults",
    "write_independence",
    "write_ledger",
    "write_not_audited",
]

LEDGER_FILE = "seed_ledger.json"
INDEPENDENCE_FILE = "independence.json"
NOT_AUDITED_FILE = "not_audited.json"
#: Headings of what :func:`figures` returns.
COLUMNS = ("claim", "assessed", "H_original", "n x H_bitstring", "H_r", "H_c", "credited bits/s")
_VERDICT_ORDER = {"too high": 0, "holds": 1, "no evidence": 2}


@attrs.frozen(kw_only=True)
class Report:
    """What a report is made of; the same files give the same report, byte for byte.

    Attributes
    ----------
    folder : Path
        Where the recordings are.
    audits : tuple of dict
        Results of :func:`esoteric_drbg.conformance.audit.claim_audit.audit_source`, verdicts that ask for action first.
    ledger : dict or None
        A seed's ledger, if one was kept.
    independence : dict or None
        The result of an independence check, if one was kept.
    not_audited : tuple of dict
        Sources that were left out, by ``name`` and ``reason``: no evidence.
    faults : tuple of dict
        Results of :func:`esoteric_drbg.conformance.faults.induced_failures.induce_failures` that were kept.
    """

    folder: Path
    audits: tuple[dict[str, Any], ...]
    ledger: dict[str, Any] | None
    independence: dict[str, Any] | None
    not_audited: tuple[dict[str, Any], ...] = ()
    faults: tuple[dict[str, Any], ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the sources whose claim is too high."""
        return tuple(item["name"] for item in self.audits if item["verdict"] == "too high")


def audit_file(folder: Path, name: str) -> Path:
    """Return where the result of one source's audit is kept."""
    return folder / f"{name}.audit.json"


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
    return path


def write_independence(folder: Path, result: dict[str, Any]) -> Path:
    """Keep the result of an independence check of sources, atomically."""
    return _write(folder / INDEPENDENCE_FILE, result)


def write_audit(folder: Path, audit: dict[str, Any]) -> Path:
    """Keep the result of one source's audit, atomically."""
    return _write(audit_file(folder, audit["name"]), audit)


def write_not_audited(folder: Path, reasons_by_name: dict[str, str]) -> Path:
    """Keep which sources an audit left out, and why, atomically."""
    sources = [{"name": name, "reason": reasons_by_name[name]} for name in sorted(reasons_by_name)]
    return _write(folder / NOT_AUDITED_FILE, {"verdict": "no evidence", "sources": sources})


def write_faults(folder: Path, campaign: dict[str, Any]) -> Path:
    """Keep the result of induced failures of one source, atomically."""
    return _write(folder / f"{campaign['source']}.faults.json", campaign)


def write_ledger(folder: Path) -> Path | None:
    """Keep the ledger of a seed that the sources of this machine give now; None where they fall short."""
    try:
        _, ledger = EntropyPool.auto().seed_material(256)
    except EsotericDRBGError:  # sources fall short, or a machine profile is broken: seeding says so itself
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
        for name in (LEDGER_FILE, INDEPENDENCE_FILE, NOT_AUDITED_FILE)
    }
    audited = {audit["name"] for audit in audits}
    left_out = (optional[NOT_AUDITED_FILE] or {}).get("sources", [])
    return Report(
        folder=folder,
        audits=tuple(audits),
        ledger=optional[LEDGER_FILE],
        independence=optional[INDEPENDENCE_FILE],
        not_audited=tuple(item for item in left_out if item["name"] not in audited),
        faults=tuple(_document(path) for path in sorted(folder.glob("*.faults.json"))),
    )


def summary(report: Report) -> str:
    """Return the report in a sentence or two."""
    counts = {verdict: sum(item["verdict"] == verdict for item in report.audits) for verdict in _VERDICT_ORDER}
    if report.failing:
        text = f"Claims too high: {len(report.failing)} ({', '.join(report.failing)})"
    else:
        text = "No claim is too high"
    text += f"; claims that hold: {counts['holds']}; sources credited nothing: {counts['no evidence']}"
    if report.not_audited:
        text += f"; not audited: {len(report.not_audited)}"
    if report.independence is not None and not report.independence["passed"]:
        text += ". Sources of different independence groups depend on each other"
    failed = [campaign["source"] for campaign in report.faults if not campaign["passed"]]
    if failed:
        text += f". Induced failures were missed: {', '.join(failed)}"
    return text + "."


def reasons(audit: dict[str, Any]) -> str:
    """Return what a verdict rests on as the beginning of a sentence."""
    text = "; ".join(audit["reasons"])
    return text[:1].upper() + text[1:]


def figure(value: float | None, digits: int = 4) -> str:
    """Return a figure for a table."""
    return "-" if value is None else f"{value:.{digits}f}"


def figures(audit: dict[str, Any]) -> tuple[str, ...]:
    """Return the figures of an audit for a table with :data:`COLUMNS`."""
    bitstring = None if audit["h_bitstring"] is None else audit["sequential"]["bits"] * audit["h_bitstring"]
    return (
        f"{audit['h_submitter']:g}",
        figure(audit["h_assessed"]),
        figure(audit["h_original"]),
        figure(bitstring),
        figure(audit["h_row"]),
        figure(audit["h_column"]),
        f"{audit['credited_bits_per_second']:,.0f}",
    )


def compliance(report: Report) -> list[tuple[str, str, str, str]]:
    """Return what the audit shows of the requirements on the credited sources: section, requirement, met, by what."""
    credited = [audit for audit in report.audits if audit["credit"] > 0]

    def row(section: str, requirement: str, lacking: list[str], by: str) -> tuple[str, str, str, str]:
        met = "yes" if not lacking else f"no: {', '.join(lacking)}"
        return section, requirement, met if credited else "no credited source", by

    def names(fails: Callable[[dict[str, Any]], bool]) -> list[str]:
        return [audit["name"] for audit in credited if fails(audit)]

    ledger = report.ledger or {"entries": []}
    entries = ledger["entries"]
    weak = [entry["source"] for entry in entries if entry["h_out"] < entry["credited_bits"] - 1e-9]
    by_group: dict[str, set[str]] = {}
    for entry in entries:
        if entry["credited_bits"]:
            by_group.setdefault(entry.get("independence_group", entry["source"]), set()).add(entry["source"])
    crowded = [f"{group} credits {', '.join(sorted(one))}" for group, one in by_group.items() if len(one) > 1]
    dependent = [
        f"{pair['first']} and {pair['second']}"
        for pair in (report.independence or {}).get("pairs", [])
        if pair.get("dependent") and not pair.get("same_group")
    ]
    return [
        row(
            "90B 3.1.1", "1,000,000 consecutive samples", names(lambda a: a["sequential"]["samples"] < 10**6), "record"
        ),
        row(
            "90B 3.1.2",
            "IID claims pass the tests of section 5",
            names(lambda a: a.get("iid") is not None and a["iid"]["passed"] is not True),
            "permutation, chi-square and longest-repeat tests"
            if any(a.get("iid") is not None for a in credited)
            else "no source claims to be IID",
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
        row("90B 3.1.5", "vetted conditioning with its output entropy", weak, "Hash_df SHA-256, the ledger"),
        row(
            "90B 3.1.6",
            "entropy is added up over independent sources only",
            crowded + dependent,
            "one source of a group is credited; "
            + ("every pair was tested" if report.independence else "pairs were not tested: audit independence"),
        ),
        (
            "90B 4.3",
            "start-up tests on 1,024 samples, continuous and on demand",
            "by design",
            "HealthMonitor, docs/health-audit.md",
        ),
        row(
            "90B 4.4",
            "repetition count and adaptive proportion tests, and a developer-defined one (4.5), quiet on healthy data",
            names(lambda a: any(test["alarms"] for test in a["false_alarms"])),
            "cutoffs that follow from the claim, two tiers",
        ),
        ("90A 10.1.1", "Hash_DRBG SHA-256", "designed to it; not validated", "docs/sp800-90a.md"),
        ("90C", "RBG2(NP), reseeded within 2^17 output bits", "designed to it; not validated", "RBG2Instance"),
    ]
