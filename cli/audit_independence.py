"""``esoteric-drbg audit independence``: pairwise tests of sources recorded at the same time."""

from __future__ import annotations

from pathlib import Path

import click

from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.errors import InvalidInputError

__all__ = ["independence"]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME...")
@click.option("-n", "samples", type=click.IntRange(1000), default=20_000, show_default=True, help="Symbols of each.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the permutations.")
@click.option("--picture", type=Path, metavar="PATH", help="Draw the matrix, .svg or .png; needs matplotlib.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of an audit, for its report."
)
@json_option
def independence(
    names: tuple[str, ...], samples: int, seed: int, picture: Path | None, out: Path | None, as_json: bool
) -> None:
    """Record sources at the same time and test every pair for independence.

    Exit code 1 if two sources of different independence groups depend on each other.
    """
    from rich.table import Table

    from esoteric_drbg.conformance.independence import audit_independence, record_together
    from esoteric_drbg.noise_sources import registry

    if len(set(names)) < max(2, len(names)):
        raise InvalidInputError("give two or more different sources")
    audit = audit_independence(record_together([registry.create(name) for name in names], samples), seed=seed)
    if picture is not None:
        from esoteric_drbg.conformance.independence_picture import draw_independence

        draw_independence(audit, picture)
    if out is not None:
        from esoteric_drbg.conformance.report import write_independence

        write_independence(out, audit.as_dict())
    if as_json:
        emit_json(audit.as_dict())
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
    if not audit.passed:
        raise click.exceptions.Exit(1)
