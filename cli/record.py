"""``esoteric-drbg record``: raw samples of a source, and its restart matrix."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar

__all__ = ["record"]


@contextlib.contextmanager
def _kept(name: str) -> Iterator[None]:
    """If a recording is interrupted, print that it can be continued."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"interrupted: what was recorded of {name} is kept; the same command goes on", err=True)
        raise


@click.command()
@click.argument("name")
@click.option("-n", "n_samples", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Symbols.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("recordings"),
    show_default=True,
    help="Folder.",
)
@click.option(
    "--wide/--no-wide",
    default=None,
    help="Keep the raw values at full width too, in NAME.bin.u64; the default where a source has wider ones.",
)
@click.option("--restarts", type=click.IntRange(min=1), help="Record that many restarts instead (1000 for SP 800-90B).")
@click.option(
    "--restart-samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Symbols of each restart."
)
@click.option(
    "--restart-command", help="Program that restarts the device and writes its symbols: the hook for power cycling."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Restarts at the same time.")
@consent_options
@json_option
def record(
    name: str,
    n_samples: int,
    out: Path,
    wide: bool | None,
    restarts: int | None,
    restart_samples: int,
    restart_command: str | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Record raw symbols of the source NAME, through the object that seeding reads, before any health test.

    Writes NAME.bin, its sidecar NAME.bin.json, and the raw values NAME.bin.u64 into the folder; with --restarts
    NAME.restarts.bin, row after row, and NAME.restarts.columns.bin, column after column. Interrupted, it goes on the
    next time.
    """
    from esoteric_drbg.conformance.recording.recorder import has_wide_values, record_restarts
    from esoteric_drbg.conformance.recording.recorder import record as record_symbols
    from esoteric_drbg.conformance.samples.transpose import transpose_file
    from esoteric_drbg.noise_sources import registry
    from esoteric_drbg.noise_sources.guard import guarded

    allow_named((name,))
    source = guarded(registry.create(name))
    out.mkdir(parents=True, exist_ok=True)
    with _kept(name), progress_bar(f"recording {name}") as report:
        if restarts is None:
            path = out / f"{name}.bin"
            facts = record_symbols(
                source,
                n_samples,
                path,
                wide=has_wide_values(source) if wide is None else wide,
                resume=True,
                progress=report,
            )
        else:
            path = out / f"{name}.restarts.bin"
            facts = record_restarts(
                name,
                path,
                restarts=restarts,
                samples=restart_samples,
                command=shlex.split(restart_command) if restart_command else None,
                jobs=jobs,
                progress=report,
            )
            transpose_file(path, out / f"{name}.restarts.columns.bin", rows=restarts, columns=restart_samples)
    if as_json:
        emit_json({"path": str(path), **facts})
        return
    size = f"{facts['restarts']} x {facts['samples']}" if restarts else f"{facts['samples']:,}"
    click.echo(f"{path}: {size} symbols of {name}, SHA-256 {facts['sha256']}")
    if "segments" in facts:
        click.echo(f"in {len(facts['segments'])} segments: the recording was interrupted")
