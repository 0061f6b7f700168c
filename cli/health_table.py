"""``print_health()``: the health report as a table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["health_table", "print_health"]

_STYLES = {
    "HEALTHY": "green",
    "STARTUP": "yellow",
    "FAILED_INTERMITTENT": "red",
    "FAILED_PERMANENT": "bold red",
}


def health_table(report: dict[str, Any]) -> Table:
    """Return the sources of a :meth:`~esoteric_drbg.EntropyPool.health_report` as a rich table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("credit\nbits/symbol", justify="right")
    table.add_column("tested\nsymbols", justify="right")
    table.add_column("alarms\nRCT/APT\n/lag", justify="right")
    table.add_column("group")
    table.add_column("remark", overflow="fold")
    for row in report["sources"]:
        state = row["state"]
        style = _STYLES.get(state, "dim")
        table.add_row(
            escape(row["name"]),
            f"[{style}]{state}[/]",
            f"{row['credit']:.3f}",
            f"{row['samples_tested']:,}",
            f"{row['rct_alarms']}/{row['apt_alarms']}/{row['lag_alarms']}",
            escape(row["independence_group"]),
            escape(row["fault"] or row["reason"] or row["note"]),
        )
    return table


def summary(report: dict[str, Any]) -> str:
    """Return the one sentence under the table."""
    groups = ", ".join(report["credited_groups"]) or "none"
    return (
        f"{report['healthy']} of {len(report['sources'])} sources healthy; credited independence groups: {groups}; "
        f"kernels: {report['kernels']['name']}; profile: {report['profile']}"
    )


def print_health(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the table and its summary."""
    console = console or Console()
    console.print(health_table(report))
    console.print(summary(report), highlight=False, soft_wrap=True)
