"""``esoteric-drbg self-assess``: what the sources give on this machine, kept for seeding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, fail, json_option, print_table
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import SourceError

if TYPE_CHECKING:
    from esoteric_drbg.conformance.audit.self_assessment import SelfAssessment
    from esoteric_drbg.noise_sources import NoiseSource

__all__ = ["assess_and_keep", "assess_where_needed", "self_assess"]


@click.command("self-assess")
@click.argument("names", nargs=-1)
@click.option("--system", is_flag=True, help="Keep it for all users of this machine: /etc/esoteric_drbg/machine.json.")
@consent_options
@json_option
def self_assess(names: tuple[str, ...], system: bool, as_json: bool) -> None:
    """Assess the sources that seeds are made of on this machine, quiet and loaded, and keep what they give.

    Without a NAME: every available source that has a claim. Seeding then credits half of the lowest estimate, at most
    the shipped claim, as long as this stays the same machine. Takes some ten seconds a source; Ctrl-C keeps what is
    done.
    """
    from esoteric_drbg.noise_sources import registry
    from esoteric_drbg.seeding import machine_profile

    allow_named(names)
    where = Path(machine_profile.SYSTEM_PATH) if system else None
    machine_profile.self_assessments(where)  # a damaged profile cannot be extended: report it before the work
    if names:
        sources = [registry.create(name) for name in dict.fromkeys(names)]
        for source in sources:
            source.require_available()
    else:
        sources = [source for source in registry.installed() if source.claim.credit > 0 and source.is_available()]
    if not sources:
        fail("no source that has a claim is available here")
    found, left_out, path = assess_and_keep(sources, where)
    if as_json:
        document: dict[str, Any] = {
            "assessed": {item.name: {**item.as_dict(), "limit": item.limit} for item in found},
            "not_assessed": left_out,
            "machine_profile": None if path is None else str(path),
        }
        emit_json(document)
    else:
        _print(found, {source.name: source.claim.min_entropy for source in sources})
        for name, reason in left_out.items():
            console().print(f"{name} could not be assessed: {reason}", markup=False)
        if path is not None:
            click.echo(f"kept in {path}: holds as long as CPU, kernel, hypervisor, clock source and kernels stay")
    if not found or (names and left_out):
        fail("could not be assessed: " + ", ".join(left_out))


def assess_and_keep(
    sources: Sequence[NoiseSource], where: Path | None = None
) -> tuple[list[SelfAssessment], dict[str, str], Path | None]:
    """Assess sources one after another and keep the results; return the results, the failures, and the file."""
    from esoteric_drbg.conformance.audit.plan import duration
    from esoteric_drbg.conformance.audit.self_assessment import expected_seconds
    from esoteric_drbg.conformance.audit.self_assessment import self_assess as assess
    from esoteric_drbg.seeding import machine_profile

    seconds = sum(expected_seconds(source) for source in sources)
    click.echo(f"self-assessment of {len(sources)} sources: about {duration(seconds)}", err=True)
    found: list[SelfAssessment] = []
    left_out: dict[str, str] = {}
    path = None
    for source in sources:
        try:
            with progress_bar(source.name) as report:
                found.append(assess(source, progress=report))
        except SourceError as error:
            left_out[source.name] = str(error)
        else:
            path = machine_profile.save_self_assessments({source.name: found[-1].as_dict()}, where)
    return found, left_out, path


def assess_where_needed() -> None:
    """Assess the seeding sources that have neither evidence nor a self-assessment on this machine, if there are any."""
    from esoteric_drbg.conformance.audit.self_assessment import to_be_assessed
    from esoteric_drbg.noise_sources import registry

    sources = to_be_assessed(registry.seeding())
    if not sources:
        return
    click.echo("this machine is none that the claims were recorded on, and nothing is kept about it", err=True)
    try:
        _, _, path = assess_and_keep(sources)
    except OSError as error:
        click.echo(f"the result could not be kept ({error}): every process asks its gate", err=True)
    else:
        if path is not None:
            click.echo(f"kept in {path}", err=True)


def _print(found: list[SelfAssessment], claims: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True)
    for heading in ("symbols", "quiet", "loaded", "half of\nthe lowest", "claim", "credited"):
        table.add_column(heading, justify="right")
    table.add_column("decided by")
    for item in found:
        claim = claims[item.name]
        table.add_row(
            item.name,
            f"{min(item.samples_quiet, item.samples_loaded):,}",
            f"{item.h_quiet:.4f}",
            f"{item.h_loaded:.4f}",
            f"{item.limit:.4f}",
            f"{claim:g}",
            f"{min(claim, item.limit):.4f}",
            " ".join(item.decided_by),
        )
    print_table(console(), table)
