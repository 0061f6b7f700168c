"""The health report of a pool as a coloured table on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from esoteric_drbg.seeding.health_table import COLUMNS, health_rows, health_summary

__all__ = ["health_table", "print_health", "summary"]

_STYLES = {
    "HEALTHY": "green",
    "STARTUP": "yellow",
    "FAILED_INTERMITTENT": "red",
    "FAILED_PERMANENT": "bold red",
}

summary = health_summary


def health_table(report: dict[str, Any]) -> Table:
    """Return the sources of a :meth:`~esoteric_drbg.EntropyPool.health_report` as a rich table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, numbers in COLUMNS:
        table.add_column(
            heading,
            justify="right" if numbers else "left",
            no_wrap=heading in {"source", "state"},
            overflow="fold" if heading == "remark" else "ellipsis",
        )
    for name, state, *others in health_rows(report):
        table.add_row(escape(name), f"[{_STYLES.get(state, 'dim')}]{state}[/]", *map(escape, others))
    return table


def print_health(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the table and its summary."""
    console = console or Console()
    console.print(health_table(report))
    console.print(summary(report), highlight=False, soft_wrap=True)
