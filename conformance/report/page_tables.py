"""The tables of the HTML page: headings, and the rows as text."""

from __future__ import annotations

import attrs

from esoteric_drbg.conformance.audit.independence import PairResult
from esoteric_drbg.conformance.audit.results import FalseAlarms
from esoteric_drbg.conformance.faults.results import FaultResult
from esoteric_drbg.conformance.report.findings import KeptEntry

__all__ = [
    "FAULT_COLUMNS",
    "LEDGER_COLUMNS",
    "PAIR_COLUMNS",
    "TEST_COLUMNS",
    "Row",
    "fault_row",
    "ledger_row",
    "pair_row",
    "test_row",
]

TEST_COLUMNS = ("cutoff", "alarms", "rate below (95 %)", "made for")
PAIR_COLUMNS = ("paired", "largest |z|", "at lag", "mutual information", "joint / sum", "corrected p")
FAULT_COLUMNS = ("found", "99 % interval", "planned", "median delay", "95 %", "longest")
LEDGER_COLUMNS = ("symbols", "H", "n_in", "h_in", "n_out", "h_out", "credited")


@attrs.frozen(kw_only=True)
class Row:
    """A row of a table: its labels, its figures, and a remark."""

    labels: tuple[str, ...]
    cells: tuple[str, ...]
    remark: str = ""


def test_row(test: FalseAlarms) -> Row:
    """Return the row of a health test on the recording."""
    return Row(
        labels=(test.test, test.tier),
        cells=(
            str(test.cutoff),
            f"{test.alarms:,} in {test.chances:,}" if test.can_fail else "cannot fail: above the window",
            f"{test.rate_below:.2g}" if test.can_fail else "-",
            f"{test.alpha:.2g}",
        ),
    )


def pair_row(pair: PairResult) -> Row:
    """Return the row of a pair of sources that were recorded at the same time."""
    single = "-" if pair.single is None else f"{pair.single:.2f}"
    return Row(
        labels=(pair.first, pair.second),
        cells=(
            f"{pair.paired:,}",
            f"{pair.max_z:.2f}",
            str(pair.lag),
            f"{pair.mutual_information:.4f}",
            "-" if pair.joint is None else f"{pair.joint:.2f} / {single}",
            f"{pair.adjusted_p:.3g}",
        ),
        remark=pair.verdict,
    )


def fault_row(result: FaultResult) -> Row:
    """Return the row of one test and one induced failure."""
    delays = (result.delay_median, result.delay_95, result.delay_max)
    return Row(
        labels=(result.fault, result.tier, result.test),
        cells=(
            f"{result.detected} of {result.trials}",
            f"{result.interval[0]:.2f} to {result.interval[1]:.2f}",
            f"{result.planned:.3g}",
            *("-" if delay is None else f"{delay:,.0f}" for delay in delays),
        ),
        remark=("" if result.passed else "MISSED. ") + result.note,
    )


def ledger_row(entry: KeptEntry) -> Row:
    """Return the row of a source's contribution to a seed."""
    return Row(
        labels=(entry.source, entry.independence_group or "-"),
        cells=(
            f"{entry.symbols:,}",
            f"{entry.min_entropy:g}",
            f"{entry.n_in:,}",
            f"{entry.h_in:g}",
            "-" if entry.n_out is None else str(entry.n_out),
            f"{entry.h_out:.6g}",
            str(entry.credited_bits),
        ),
        remark="; ".join(text for text in (entry.health, entry.note) if text),
    )
