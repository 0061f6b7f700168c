"""The compliance map: which requirements of the standards an audit shows to be met, section by section."""

from __future__ import annotations

from collections.abc import Callable

from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.report.findings import Report

__all__ = ["compliance"]


def compliance(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the requirements on the credited sources: section, requirement, whether it is met, and by what."""
    credited = [audit for audit in report.audits if audit.credit > 0]

    def row(section: str, requirement: str, lacking: list[str], by: str) -> tuple[str, str, str, str]:
        met = "yes" if not lacking else f"no: {', '.join(lacking)}"
        return section, requirement, met if credited else "no credited source", by

    def names(fails: Callable[[SourceAudit], bool]) -> list[str]:
        return [audit.name for audit in credited if fails(audit)]

    entries = report.ledger.entries if report.ledger else ()
    weak = [entry.source for entry in entries if entry.h_out < entry.credited_bits - 1e-9]
    by_group: dict[str, set[str]] = {}
    for entry in entries:
        if entry.credited_bits:
            by_group.setdefault(entry.independence_group or entry.source, set()).add(entry.source)
    crowded = [f"{group} credits {', '.join(sorted(one))}" for group, one in by_group.items() if len(one) > 1]
    dependent = [
        f"{pair.first} and {pair.second}"
        for pair in (report.independence.pairs if report.independence else ())
        if pair.dependent and not pair.same_group
    ]
    return [
        row("90B 3.1.1", "1,000,000 consecutive samples", names(lambda a: a.sequential.samples < 10**6), "record"),
        row(
            "90B 3.1.2",
            "IID claims pass the tests of section 5",
            names(lambda a: a.iid is not None and a.iid.passed is not True),
            "permutation, chi-square and longest-repeat tests"
            if any(a.iid is not None for a in credited)
            else "no source claims to be IID",
        ),
        row(
            "90B 3.1.3",
            "the claim is no higher than any estimate",
            names(lambda a: a.h_submitter > a.sequential.h_assessed),
            "the ten estimators on symbols and bitstring",
        ),
        row(
            "90B 3.1.4.1",
            "1000 restarts of 1000 samples",
            names(lambda a: min(a.restart.rows, a.restart.columns) < 1000),
            "fresh processes",
        ),
        row(
            "90B 3.1.4.3",
            "restart sanity check and validation",
            names(lambda a: not a.restart.passed),
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
            names(lambda a: any(test.alarms for test in a.false_alarms)),
            "cutoffs that follow from the claim, two tiers",
        ),
        ("90A 10.1.1", "Hash_DRBG SHA-256", "designed to it; not validated", "docs/sp800-90a.md"),
        ("90C", "RBG2(NP), reseeded within 2^17 output bits", "designed to it; not validated", "RBG2Instance"),
    ]
