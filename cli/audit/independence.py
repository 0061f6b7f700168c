"""``esoteric-drbg audit independence``: pairwise tests of sources recorded at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

if TYPE_CHECKING:
    from esoteric_drbg.noise_sources import NoiseSource

__all__ = ["independence"]

#: Seconds beyond which a source is left out unless it is named.
SLOW_S = 60.0


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME NAME...]")
@click.option("-n", "samples", type=click.IntRange(1000), default=20_000, show_default=True, help="Symbols of each.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the permutations.")
@click.option("--picture", type=Path, metavar="PATH", help="Draw the matrix, .svg or .png; needs matplotlib.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of an audit, for its report."
)
@consent_options
@json_option
def independence(
    names: tuple[str, ...], samples: int, seed: int, picture: Path | None, out: Path | None, as_json: bool
) -> None:
    """Record sources at the same time and test every pair for independence.

    Without NAME: all that are available, are not opt-in, and give their symbols within a minute. Exit code 1 if two
    sources of different independence groups depend on each other.
    """
    from rich.table import Table

    from esoteric_drbg.conformance.audit.independence import audit_independence
    from esoteric_drbg.conformance.recording.simultaneous import record_together
    from esoteric_drbg.noise_sources import registry

    if picture is not None:
        from esoteric_drbg.conformance.audit.independence_picture import draw_independence, require_picture

        require_picture(picture)
    allow_named(names)
    left_out: dict[str, str] = {}
    if names:
        if len(set(names)) < max(2, len(names)):
            raise InvalidInputError("give two or more different sources")
        sources = registry.guarded_all(registry.create(name) for name in names)
    else:
        sources, left_out = _fast_sources(samples)
    with progress_bar("independence") as report:
        audit = audit_independence(record_together(sources, samples), seed=seed, progress=report)
    if picture is not None:
        draw_independence(audit, picture)
    if out is not None:
        from esoteric_drbg.conformance.audit.folder import write_independence

        write_independence(out, audit)
    if as_json:
        emit_json({**audit.as_dict(), "left_out": left_out})
    else:
        table = Table("pair", "paired", "max |z|", "lag", "p", "MI bits", "p", "joint/sum", "corrected p", "verdict")
        table.box, table.pad_edge = None, False
        for pair in audit.pairs:
            joint = f"{pair.joint:.2f}/{pair.single:.2f}" if pair.joint is not None and pair.single is not None else "-"
            table.add_row(
                f"{pair.first}, {pair.second}",
                f"{pair.paired:,}",
                f"{pair.max_z:.2f}",
                str(pair.lag),
                f"{pair.correlation_p:.3g}",
                f"{pair.mutual_information:.4f}",
                f"{pair.mutual_information_p:.3g}",
                joint + ("" if pair.joint_passed else " low"),
                f"{pair.adjusted_p:.3g}",
                pair.verdict,
            )
        console().print(table)
        for name, reason in left_out.items():
            console().print(f"{name} left out: {reason}", markup=False)
    if not audit.passed:
        raise click.exceptions.Exit(1)


def _fast_sources(samples: int) -> tuple[list[NoiseSource], dict[str, str]]:
    """Return the sources that give `samples` samples within a minute, and why the others are left out."""
    from esoteric_drbg.conformance.audit.plan import duration, is_opt_in, measured_rate
    from esoteric_drbg.noise_sources import registry

    sources: list[NoiseSource] = []
    left_out: dict[str, str] = {}
    for source in registry.guarded_all(registry.installed()):
        available, reason = source.availability()
        if not available or is_opt_in(source):
            left_out[source.name] = "opt-in: tested only if it is named" if available else f"not available: {reason}"
            continue
        try:
            seconds = samples / measured_rate(source)
        except EsotericDRBGError as error:
            left_out[source.name] = f"could not be read: {error}"
            continue
        if seconds > SLOW_S:
            left_out[source.name] = f"too slow: {samples:,} symbols take about {duration(seconds)}"
        else:
            sources.append(source)
    if len(sources) < 2:
        raise InvalidInputError("fewer than two sources can be recorded here")
    return sources, left_out
