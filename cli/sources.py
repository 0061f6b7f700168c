"""``esoteric-drbg scan``, ``probe`` and ``bench``: the noise sources of this machine."""

from __future__ import annotations

from typing import Any

import click
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from esoteric_drbg.cli.bench_drbg import bench_drbg
from esoteric_drbg.cli.output import console, emit_json, json_option, progress_console
from esoteric_drbg.errors import SourceError
from esoteric_drbg.health_table import summary
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.pool import EntropyPool

__all__ = ["bench", "probe", "scan"]


@click.command()
@json_option
def scan(as_json: bool) -> None:
    """List every source: available or why not, its claim, its credit, its health."""
    entropy_pool = EntropyPool.auto()
    entropy_pool.start()
    report = entropy_pool.health_report()
    if as_json:
        emit_json(report)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    table.add_column("what is measured", overflow="fold")
    table.add_column("available", overflow="fold")
    table.add_column("claim", justify="right")
    table.add_column("credit", justify="right")
    table.add_column("health", overflow="fold")
    for row in report["sources"]:
        table.add_row(
            f"[bold]{escape(row['name'])}[/]",
            escape(row["description"]),
            "yes" if row["available"] else f"no: {escape(row['reason'])}",
            f"{row['claim']:.3f}",
            f"{row['credit']:.3f}",
            row["state"] + (f": {escape(row['fault'])}" if row["fault"] and row["available"] else ""),
        )
    out = console()
    out.print(table)
    out.print("claim and credit in bits of min-entropy per raw symbol. " + summary(report), markup=False)


@click.command()
@click.argument("name")
@click.option("--samples", type=click.IntRange(1000, 10_000_000), default=10_000, show_default=True)
@json_option
def probe(name: str, samples: int, as_json: bool) -> None:
    """Read one source and grade its raw symbols."""
    source = registry.create(name)
    source.require_available()
    figures = _measure(source, samples)
    if as_json:
        emit_json(figures)
        return
    out = console()
    out.print(f"{source.name}  {source.description}", markup=False)
    out.print(f"  {source.physics}", markup=False)
    for key, value in figures.items():
        if key != "name":
            out.print(f"  {key.replace('_', ' '):<26} {_text(value)}", markup=False)


@click.group(invoke_without_command=True)
@click.option("--fast", is_flag=True, help="2,000 symbols a source instead of 20,000.")
@click.option("--all", "show_all", is_flag=True, help="List the unavailable sources too.")
@json_option
@click.pass_context
def bench(context: click.Context, fast: bool, show_all: bool, as_json: bool) -> None:
    """Measure every available source and rank them by credited bits per second.

    With the word drbg: time the generators instead.
    """
    if context.invoked_subcommand is not None:
        if fast or show_all or as_json:
            raise click.UsageError(f"options belong after the word {context.invoked_subcommand}", context)
        return
    samples = 2_000 if fast else 20_000
    rows: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    sources = registry.installed()
    for source in track(sources, "measuring", console=progress_console(), transient=True):
        available, reason = source.availability()
        if not available:
            missing.append({"name": source.name, "reason": reason})
            continue
        budgeted = max(1_000, min(samples, int(source.estimated_rate)))
        try:
            rows.append(_measure(source, budgeted))
        except SourceError as error:
            missing.append({"name": source.name, "reason": str(error)})
    rows.sort(key=lambda row: (row["credited_bits_per_second"], row["min_entropy"]), reverse=True)
    if as_json:
        emit_json({"sources": rows, "unavailable": missing})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    table.add_column("grade")
    for heading in (
        "min-entropy\n(MCV)",
        "Shannon",
        "compression\nratio",
        "symbols/s",
        "credit\nbits/symbol",
        "credited\nbits/s",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["name"],
            row["grade"],
            f"{row['min_entropy']:.3f}",
            f"{row['shannon']:.3f}",
            f"{row['compression_ratio']:.3f}",
            f"{row['symbols_per_second']:,.0f}",
            f"{row['credit']:.3f}",
            f"{row['credited_bits_per_second']:,.0f}",
        )
    out = console()
    out.print(table)
    if show_all:
        for item in missing:
            out.print(f"{item['name']}: unavailable: {item['reason']}", markup=False)
    elif missing:
        out.print(f"{len(missing)} not measured (--all says why)", markup=False)


bench.add_command(bench_drbg)


def _measure(source: NoiseSource, samples: int) -> dict[str, Any]:
    """Return the source's quality figures together with its rate and credit."""
    quality = source.entropy_quality(samples)
    rate = quality["samples"] / quality["seconds"] if quality["seconds"] > 0 else 0.0
    return {
        "name": source.name,
        **quality,
        "symbols_per_second": rate,
        "claim": source.claim.min_entropy,
        "credit": source.claim.credit,
        "credited_bits_per_second": rate * source.claim.credit,
    }


def _text(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
