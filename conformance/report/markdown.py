"""The report of an audit as Markdown."""

from __future__ import annotations

from esoteric_drbg.conformance.audit.results import FalseAlarms
from esoteric_drbg.conformance.faults.results import FaultResult
from esoteric_drbg.conformance.rendering import render
from esoteric_drbg.conformance.report.compliance import compliance
from esoteric_drbg.conformance.report.findings import COLUMNS, KeptEntry, Report, figures, reasons, summary
from esoteric_drbg.version import __version__

__all__ = ["markdown"]

_TEST_COLUMNS = ("health test", "tier", "cutoff", "alarms", "below (95 %)", "made for")
_FAULT_COLUMNS = ("fault", "tier", "test", "found", "median delay", "longest", "remark")
_LEDGER_COLUMNS = ("source", "symbols", "H", "n_in", "h_in", "h_out", "credited")


def markdown(report: Report) -> str:
    """Return the report as Markdown: verdicts first, then each source.

    Parameters
    ----------
    report : Report
        From :func:`esoteric_drbg.conformance.report.findings.read_report`.
    """
    return render(
        "esoteric_drbg.conformance.report",
        "report.md.j2",
        report=report,
        summary=summary(report),
        columns=COLUMNS,
        figures=figures,
        reasons=reasons,
        test_columns=_TEST_COLUMNS,
        test_row=_test_row,
        fault_columns=_FAULT_COLUMNS,
        fault_row=_fault_row,
        ledger_columns=_LEDGER_COLUMNS,
        ledger_row=_ledger_row,
        compliance=compliance(report),
        version=__version__,
    )


def _test_row(test: FalseAlarms) -> tuple[str, ...]:
    return (
        test.test,
        test.tier,
        str(test.cutoff),
        f"{test.alarms} in {test.chances:,}" if test.can_fail else "never: above the window",
        f"{test.rate_below:.2g}",
        f"{test.alpha:.2g}",
    )


def _fault_row(row: FaultResult) -> tuple[str, ...]:
    return (
        row.fault,
        row.tier,
        row.test,
        f"{row.detected} of {row.trials}",
        "-" if row.delay_median is None else f"{row.delay_median:,.0f}",
        "-" if row.delay_max is None else f"{row.delay_max:,.0f}",
        ("" if row.passed else "MISSED; ") + row.note,
    )


def _ledger_row(entry: KeptEntry) -> tuple[str, ...]:
    return (
        entry.source,
        str(entry.symbols),
        f"{entry.min_entropy:g}",
        str(entry.n_in),
        f"{entry.h_in:g}",
        f"{entry.h_out:.6g}",
        str(entry.credited_bits),
    )
