"""The health report of a pool as a table in plain text; the command line shows the same rows in colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["COLUMNS", "health_rows", "health_summary", "health_text"]

#: Heading of each column, its parts one below the other, and whether it holds numbers.
COLUMNS = (
    ("source", False),
    ("state", False),
    ("credit\nbits/sample", True),
    ("tested\nsymbols", True),
    ("alarms\nRCT/APT\n/lag", True),
    ("group", False),
    ("remark", False),
)


def health_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return one row for each source of a :meth:`~esoteric_drbg.EntropyPool.health_report`."""
    return [
        (
            row["name"],
            row["state"],
            f"{row['credit']:.3f}",
            f"{row['samples_tested']:,}",
            f"{row['rct_alarms']}/{row['apt_alarms']}/{row['lag_alarms']}",
            row["independence_group"],
            row["fault"] or row["reason"] or row["note"],
        )
        for row in report["sources"]
    ]


def health_summary(report: Mapping[str, Any]) -> str:
    """Return the one sentence under the table."""
    groups = ", ".join(report["credited_groups"]) or "none"
    return (
        f"{report['healthy']} of {len(report['sources'])} sources healthy; credited independence groups: {groups}; "
        f"kernels: {report['kernels']['name']}; profile: {report['profile']}"
    )


def health_text(report: Mapping[str, Any]) -> str:
    """Return table and summary as lines of text.

    Examples
    --------
    >>> from esoteric_drbg import EntropyPool
    >>> print(health_text(EntropyPool().health_report()))  # doctest: +ELLIPSIS
    source  state       credit   tested   alarms  group  remark
                   bits/sample  symbols  RCT/APT
                                            /lag
    0 of 0 sources healthy; credited independence groups: none; kernels: ...; profile: sp800_90c
    """
    headings = [heading.split("\n") for heading, _ in COLUMNS]
    depth = max(map(len, headings))
    lines = [
        *zip(*([*heading, *[""] * (depth - len(heading))] for heading in headings), strict=True),
        *health_rows(report),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = [
        "  ".join(
            cell.rjust(width) if numbers else cell.ljust(width)
            for cell, width, (_, numbers) in zip(line, widths, COLUMNS, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, health_summary(report)])
