"""``esoteric-drbg scan``, ``probe`` and ``bench``: the noise sources of this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.lazy_commands import LazyCommands
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import SourceError
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.noise_sources.guard import guarded
from esoteric_drbg.seeding.plugin_credit import claim_in_force, plugin_credits

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["bench", "probe", "scan"]

#: Seconds that one source may take to answer a scan.
SCAN_DEADLINE_S = 1.0
#: Samples that ``probe`` reads by default, and the approximate limit of its time in seconds.
PROBE_SAMPLES, PROBE_SECONDS = 10_000, 5.0
#: Fewest samples whose histogram is meaningful.
FEWEST_SAMPLES = 100


@click.command()
@consent_options
@json_option
def scan(as_json: bool) -> None:
    """List every source: available or why not, its claim, its credit, its health."""
    from esoteric_drbg.seeding.pool import EntropyPool

    entropy_pool = EntropyPool.auto(deadline_s=SCAN_DEADLINE_S)
    entropy_pool.start()
    report = entropy_pool.health_report()
    if as_json:
        emit_json(report)
        return
    from rich.markup import escape
    from rich.table import Table

    from esoteric_drbg.cli.health_table import summary

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
@click.option(
    "--samples",
    type=click.IntRange(FEWEST_SAMPLES, 10_000_000),
    help=f"Symbols to read  [default: {PROBE_SAMPLES:,}, of a slow source what {PROBE_SECONDS:g} s bring]",
)
@consent_options
@json_option
def probe(name: str, samples: int | None, as_json: bool) -> None:
    """Read one source and grade its raw symbols. Naming a sensor allows it to be read."""
    allow_named((name,))
    source = guarded(registry.create(name))
    source.require_available()
    with progress_bar(f"reading {name}") as report:
        figures = _measure(source, samples or _affordable(source, PROBE_SAMPLES, PROBE_SECONDS), report)
    if as_json:
        emit_json(figures)
        return
    out = console()
    out.print(f"{source.name}  {source.description}", markup=False)
    out.print(f"  {source.physics}", markup=False)
    for key, value in figures.items():
        if key != "name":
            out.print(f"  {key.replace('_', ' '):<26} {_text(value)}", markup=False)


@click.group(commands=LazyCommands({"drbg": "bench_drbg:bench_drbg"}), invoke_without_command=True)
@click.option("--fast", is_flag=True, help="2,000 symbols a source instead of 20,000, and half a second at most.")
@click.option("--all", "show_all", is_flag=True, help="List the unavailable sources too.")
@consent_options
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
    samples, seconds = (2_000, 0.5) if fast else (20_000, 2.0)
    rows: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    sources = registry.guarded_all(registry.installed())
    plugin_credits(sources)  # an unknown name is an error before anything is measured
    with progress_bar("measuring") as report:
        for done, source in enumerate(sources):
            report(done, len(sources), source.name)
            available, reason = source.availability()
            if not available:
                missing.append({"name": source.name, "reason": reason})
                continue
            try:
                rows.append(_measure(source, _affordable(source, samples, seconds)))
            except SourceError as error:
                missing.append({"name": source.name, "reason": str(error)})
    rows.sort(key=lambda row: (row["credited_bits_per_second"], row["min_entropy"]), reverse=True)
    if as_json:
        emit_json({"sources": rows, "unavailable": missing})
        return
    out = console()
    out.print(_ranking(rows))
    if show_all:
        for item in missing:
            out.print(f"{item['name']}: unavailable: {item['reason']}", markup=False)
    elif missing:
        out.print(f"{len(missing)} not measured (--all says why)", markup=False)


def _ranking(rows: list[dict[str, Any]]) -> Table:
    """Return the table of a bench, one row a source."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    table.add_column("grade")
    for heading in (
        "min-entropy\n(MCV)",
        "Shannon",
        "compression\nratio",
        "symbols/s",
        "credit\nbits/sample",
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
    return table


def _affordable(source: NoiseSource, samples: int, seconds: float) -> int:
    """Return the number of samples to read: ``samples``, or what ``seconds`` allow by the source's own estimate."""
    return max(FEWEST_SAMPLES, min(samples, int(source.estimated_rate * seconds)))


def _measure(
    source: NoiseSource, samples: int, report: Callable[[int, int, str], None] | None = None
) -> dict[str, Any]:
    """Return the source's quality figures together with its rate and credit."""
    from esoteric_drbg.seeding.credit import credit_here

    quality = source.entropy_quality(samples, progress=report)
    credit = credit_here(source, claim_in_force(source))
    rate = quality["samples"] / quality["seconds"] if quality["seconds"] > 0 else 0.0
    return {
        "name": source.name,
        **quality,
        "symbols_per_second": rate,
        "claim": source.claim.min_entropy,
        "credit": credit.bits,
        "basis": credit.basis,
        "credited_bits_per_second": rate * credit.bits,
    }


def _text(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
