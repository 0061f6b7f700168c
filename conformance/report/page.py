"""The report as one self-contained HTML page: no external loads, no scripts, for desk, phone and paper."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import numpy as np

from esoteric_drbg.conformance.report.findings import COLUMNS, Report, compliance, figure, figures, reasons, summary
from esoteric_drbg.conformance.report.pictures import delay_curves, independence_matrix, source_pictures
from esoteric_drbg.conformance.report.svg import require_report
from esoteric_drbg.conformance.report.template import PAGE, STYLE
from esoteric_drbg.conformance.samples.files import read_file
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.version import __version__

__all__ = ["html"]

_STYLES = {"holds": "holds", "too high": "high", "no evidence": "none"}
_TEST_COLUMNS = ("cutoff", "alarms", "rate below (95 %)", "made for")
_PAIR_COLUMNS = ("paired", "largest |z|", "at lag", "mutual information", "joint / sum", "corrected p")
_FAULT_COLUMNS = ("found", "99 % interval", "planned", "median delay", "95 %", "longest")
_LEDGER_COLUMNS = ("symbols", "H", "n_in", "h_in", "n_out", "h_out", "credited")
#: Above so many sources the matrix keeps its size and is scrolled.
_MANY = 8


def html(report: Report) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    report : Report
        From :func:`esoteric_drbg.conformance.report.findings.read_report`.

    Raises
    ------
    KernelUnavailableError
        If the extra ``report`` (jinja2, matplotlib) is not installed.
    InvalidInputError
        If a recording is missing, or is not the one that was audited.
    """
    require_report()
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - of the extra

    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pairs = (report.independence or {}).get("pairs", [])
    rows = [_row(report, audit) for audit in report.audits]
    sources = list((report.independence or {}).get("sources", []))
    return environment.from_string(PAGE).render(
        style=_safe(STYLE),
        style_hash=digest,
        summary=summary(report),
        version=__version__,
        dates=_dates(report),
        tiles=_tiles(report),
        contents=_contents(report, rows),
        columns=COLUMNS,
        rows=rows,
        family=_family(report),
        not_audited=report.not_audited,
        test_columns=_TEST_COLUMNS,
        pairs=[_pair(pair) for pair in pairs],
        pair_columns=_PAIR_COLUMNS,
        independence_sentence=_independence_sentence(report),
        matrix=_safe(independence_matrix(report.independence)) if report.independence and pairs else "",
        many_sources=len(sources) > _MANY,
        campaigns=[_campaign(campaign) for campaign in report.faults],
        fault_columns=_FAULT_COLUMNS,
        ledger=_ledger(report.ledger),
        ledger_columns=_LEDGER_COLUMNS,
        compliance=compliance(report),
        machine=[(key.replace("_", " "), _text(value)) for key, value in _machine(report.audits[0]).items()],
        other_machines=_other_machines(report),
    )


def _safe(text: str) -> Any:
    from markupsafe import Markup  # noqa: PLC0415 - of the extra

    return Markup(text)  # noqa: S704 - a constant, or a picture whose label is escaped


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _anchor(name: str) -> str:
    return "source-" + re.sub(r"\W+", "-", name)


def _dates(report: Report) -> str:
    """Return from when to when the audits were made, as ISO dates; empty where they do not say."""
    dates = sorted(audit["date"][:10] for audit in report.audits if audit.get("date"))
    return "" if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"


def _tiles(report: Report) -> list[dict[str, str]]:
    """Return the figures that an auditor wants first."""

    def count(verdict: str) -> int:
        return sum(audit["verdict"] == verdict for audit in report.audits)

    nothing = count("no evidence") + len(report.not_audited)
    tiles = [
        {"style": "high" if count("too high") else "", "figure": str(count("too high")), "text": "claims too high"},
        {"style": "holds" if count("holds") else "", "figure": str(count("holds")), "text": "claims that hold"},
        {"style": "", "figure": str(nothing), "text": "sources without evidence, credited nothing"},
    ]
    if report.independence is not None:
        pairs = [pair for pair in report.independence["pairs"] if not pair.get("same_group")]
        dependent = sum(bool(pair.get("dependent")) for pair in pairs)
        style, text = "high" if dependent else "", f"of {len(pairs)} pairs of different groups depend on each other"
        tiles.append({"style": style, "figure": str(dependent), "text": text})
    if report.ledger is not None:
        credited = str(report.ledger["credited_bits"])
        text = f"bits credited to a seed of {report.ledger['requested_bits']}"
        tiles.append({"style": "", "figure": credited, "text": text})
    return tiles


def _contents(report: Report, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    parts = [
        ("verdicts", "Verdicts", True),
        *((row["anchor"], row["name"], True) for row in rows),
        ("independence", "Independence", bool(report.independence and report.independence["pairs"])),
        ("faults", "Induced failures", bool(report.faults)),
        ("ledger", "Ledger of a seed", report.ledger is not None),
        ("compliance", "Compliance map", True),
        ("basis", "What this rests on", True),
    ]
    return [(anchor, title) for anchor, title, shown in parts if shown]


def _family(report: Report) -> str:
    """Return how many of the restart sanity checks fail by chance, and whether that explains those that did."""
    from esoteric_drbg.conformance.audit.claim_audit import restart_family  # noqa: PLC0415 - loads the estimators

    return restart_family([audit["restart"]["sanity_passed"] for audit in report.audits]).text


def _recording(report: Report, name: str, ending: str, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    path = report.folder / f"{name}{ending}"
    data = np.frombuffer(read_file(path), dtype=np.uint8)
    if data.size != size:
        raise InvalidInputError(f"{path} has {data.size:,} samples; the audit was of {size:,}")
    return data


def _checked(report: Report, name: str, ending: str, size: int, sha256: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a recording, which has to be the one that was audited."""
    data = _recording(report, name, ending, size)
    if sha256 and hashlib.sha256(data.tobytes()).hexdigest() != sha256:
        raise InvalidInputError(f"{report.folder / (name + ending)} is not the recording that was audited: SHA-256")
    return data


def _row(report: Report, audit: dict[str, Any]) -> dict[str, Any]:
    sequential, restart, name = audit["sequential"], audit["restart"], audit["name"]
    symbols = _checked(report, name, ".bin", sequential["samples"], sequential["sha256"])
    shape = restart["rows"], restart["columns"]
    matrix = _checked(report, name, ".restarts.bin", shape[0] * shape[1], restart.get("sha256") or "")
    return {
        "name": name,
        "anchor": _anchor(name),
        "verdict": audit["verdict"],
        "style": _STYLES[audit["verdict"]],
        "reasons": reasons(audit),
        "left_out": "; ".join(audit["left_out"]),
        "cells": figures(audit),
        "facts": _facts(audit),
        "hashes": [
            ("SHA-256 of the consecutive samples", sequential["sha256"]),
            *([("SHA-256 of the restarts", restart["sha256"])] if restart.get("sha256") else []),
        ],
        "pictures": [
            {"title": one.title, "caption": one.caption, "svg": _safe(one.svg)}
            for one in source_pictures(symbols, matrix.reshape(shape), audit)
        ],
        "tests": [
            {
                "test": test["test"],
                "tier": test["tier"],
                "cells": (
                    str(test["cutoff"]),
                    f"{test['alarms']:,} in {test['chances']:,}"
                    if test["can_fail"]
                    else "cannot fail: above the window",
                    f"{test['rate_below']:.2g}" if test["can_fail"] else "-",
                    f"{test['alpha']:.2g}",
                ),
            }
            for test in audit["false_alarms"]
        ],
    }


def _facts(audit: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what an auditor looks up first about a source."""
    sequential, restart = audit["sequential"], audit["restart"]
    part, estimator = sequential["decided_by"]
    facts = [
        ("Claim, H_submitter", f"{audit['h_submitter']:g} bits per symbol"),
        ("Credited", f"{audit['credit']:g} bits per symbol"),
        ("Assessed", f"{figure(audit['h_assessed'])} bits per symbol"),
        ("Decided by", f"{estimator.replace('_', ' ')}, {part}"),
        ("H_I of the restart tests", figure(audit.get("h_initial"))),
        ("Consecutive samples", f"{sequential['samples']:,} of {sequential['bits']} bits"),
        ("Symbols that occur", f"{sequential['alphabet']:,}"),
        ("Restarts", f"{restart['rows']:,} x {restart['columns']:,} samples"),
        (
            "Restart sanity check",
            f"X_row {restart['x_row']} (cutoff {restart['row_cutoff']}), X_column {restart['x_column']} "
            f"(cutoff {restart['column_cutoff']})",
        ),
    ]
    if audit.get("symbols_per_second"):
        facts.append(("Rate while recording", f"{audit['symbols_per_second']:,.0f} symbols/s"))
    if audit.get("independence_group"):
        facts.append(("Independence group", str(audit["independence_group"])))
    if audit.get("iid") is not None:
        facts.append(("IID tests", "passed" if audit["iid"]["passed"] else "failed"))
    if audit.get("date"):
        facts.append(("Audited", audit["date"][:16].replace("T", " ") + " UTC"))
    return facts


def _pair(pair: dict[str, Any]) -> dict[str, Any]:
    def shown(key: str, form: str) -> str:
        return "-" if pair.get(key) is None else format(pair[key], form)

    joint = "-" if pair.get("joint") is None else f"{pair['joint']:.2f} / {shown('single', '.2f')}"
    return {
        "first": pair["first"],
        "second": pair["second"],
        "verdict": pair["verdict"],
        "cells": (
            shown("paired", ","),
            shown("max_z", ".2f"),
            shown("lag", "d"),
            shown("mutual_information", ".4f"),
            joint,
            f"{pair['adjusted_p']:.3g}",
        ),
    }


def _independence_sentence(report: Report) -> str:
    if report.independence is None:
        return ""
    if report.independence["passed"]:
        return "No dependence was found between sources of different independence groups."
    return "Sources of different independence groups depend on each other: their credit must not be added up."


def _campaign(campaign: dict[str, Any]) -> dict[str, Any]:
    """Return the view of one source's induced failures; the curves are of the intermittent tier."""
    name = campaign["source"]
    curves = []
    for test, title in (
        ("RCT", "Repetition count test"),
        ("APT", "Adaptive proportion test"),
        ("lag", "Lag predictor test (developer-defined)"),
    ):
        found = [row for row in campaign["results"] if row["test"] == test and row["tier"] == "intermittent"]
        if any(row["curve"] for row in found):
            curves.append((title, _safe(delay_curves(name, found, title))))
    pool = campaign["pool"]
    alarms = (
        f"{row['alarms']} alarms of the {row['tier']} {row['test']} in {row['tested']:,} "
        f"{'windows' if row['test'] == 'APT' else 'symbols'}"
        for row in campaign["false_alarms"]
    )
    evidence = (
        f"{row['detections']} detections by the {row['tier']} {row['test']} in {row['symbols']:,} faulty symbols"
        for row in campaign["evidence"]
    )
    sentence = (
        f"{campaign['trials']} injections of each fault at random phases, {campaign['span']:,} faulty symbols each, "
        f"through the slot and the monitor that seeding uses; H {campaign['min_entropy']:g}, {campaign['healthy']}. "
        f"Seed {campaign['seed']} replays them. In all: {'; '.join(evidence)}. On healthy data {'; '.join(alarms)}. "
        f"A pool with a stuck source alone "
        f"{'refused the seed' if pool['alone_refused'] else 'GAVE A SEED'}; beside a healthy one the seed came from "
        f"{', '.join(pool['seed_from'])}."
    )
    return {
        "source": name,
        "verdict": "finds what it must" if campaign["passed"] else "missed a fault",
        "style": "holds" if campaign["passed"] else "high",
        "sentence": sentence,
        "curves": curves,
        "rows": [
            {
                "fault": row["fault"],
                "tier": row["tier"],
                "test": row["test"],
                "remark": ("" if row["passed"] else "MISSED. ") + row["note"],
                "cells": (
                    f"{row['detected']} of {row['trials']}",
                    f"{row['interval'][0]:.2f} to {row['interval'][1]:.2f}",
                    f"{row['planned']:.3g}",
                    *(
                        "-" if row[key] is None else f"{row[key]:,.0f}"
                        for key in ("delay_median", "delay_95", "delay_max")
                    ),
                ),
            }
            for row in campaign["results"]
        ],
    }


def _ledger(ledger: dict[str, Any] | None) -> dict[str, Any] | None:
    if ledger is None:
        return None
    return {
        "requested_bits": ledger["requested_bits"],
        "credited_bits": ledger["credited_bits"],
        "rows": [
            {
                "source": entry["source"],
                "group": entry.get("independence_group", "-"),
                "remark": "; ".join(text for text in (entry.get("health", ""), entry.get("note", "")) if text),
                "cells": (
                    f"{entry['symbols']:,}",
                    f"{entry['min_entropy']:g}",
                    f"{entry['n_in']:,}",
                    f"{entry['h_in']:g}",
                    _text(entry.get("n_out")),
                    f"{entry['h_out']:.6g}",
                    str(entry["credited_bits"]),
                ),
            }
            for entry in ledger["entries"]
        ],
    }


def _machine(audit: dict[str, Any]) -> dict[str, Any]:
    return dict(audit.get("machine") or {})


def _other_machines(report: Report) -> str:
    """Return a warning where the audits were not made on one machine."""
    kinds = {tuple(_text(_machine(audit).get(key)) for key in ("cpu", "platform")) for audit in report.audits}
    if len(kinds) == 1:
        return ""
    return f"The audits are of {len(kinds)} machines or systems; the table is of {report.audits[0]['name']}."
