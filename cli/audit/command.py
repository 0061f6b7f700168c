"""``esoteric-drbg audit``: do the min-entropy claims hold on this machine?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.audit.faults import faults
from esoteric_drbg.cli.audit.independence import independence
from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, fail, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

if TYPE_CHECKING:
    from esoteric_drbg.conformance.audit.claim_audit import SourceAudit
    from esoteric_drbg.conformance.audit.plan import AuditPlan
    from esoteric_drbg.noise_sources import NoiseSource

__all__ = ["audit"]

#: Seconds of recording above which an audit says beforehand how long it takes.
ANNOUNCED_S = 30.0


class ClaimsByDefault(click.Group):
    """A group whose arguments are sources, unless the first one names a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command ``claims`` first where none is named."""
        if not args or (args[0] not in self.commands and args[0] not in {"-h", "--help"}):
            args = ["claims", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ClaimsByDefault)
def audit() -> None:
    """Audit the min-entropy claims of the sources: audit [NAME...] [--quick] is audit claims [NAME...] [--quick]."""


audit.add_command(faults)
audit.add_command(independence)


@audit.command()
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Under 20 s for a fast source; says what it leaves out.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("audit"),
    show_default=True,
    help="Folder of the recordings.",
)
@click.option("--reuse", is_flag=True, help="Judge the recordings in the folder (see record) instead of new ones.")
@click.option(
    "--save",
    is_flag=True,
    help="Write the machine profile, a self-assessment included: seeding then credits no more than was found.",
)
@consent_options
@json_option
def claims(names: tuple[str, ...], quick: bool, out: Path, reuse: bool, save: bool, as_json: bool) -> None:
    """Record, restart, assess and judge the claim of each source.

    Without a NAME: all that are available, are not opt-in, and are fast enough. The exit code is 1 if a claim is too
    high, and 2 if a source that was named could not be audited.
    """
    from esoteric_drbg.conformance.audit.claim_audit import audit_source, restart_family
    from esoteric_drbg.conformance.audit.folder import write_audit, write_ledger, write_not_audited
    from esoteric_drbg.conformance.audit.plan import select_sources
    from esoteric_drbg.conformance.recording.recorder import machine_facts
    from esoteric_drbg.noise_sources import registry
    from esoteric_drbg.seeding import machine_profile

    if quick and reuse:
        raise click.UsageError("--quick records anew; with --reuse the recordings are what they are")
    allow_named(names)
    if save:
        machine_profile.load()  # a damaged profile cannot be extended: report it before minutes of recording
    found = [registry.create(name) for name in dict.fromkeys(names)] if names else registry.installed()
    sources = registry.guarded_all(found)
    if reuse:
        chosen, left_out = _with_recordings(sources, out, named=bool(names))
    else:
        selection = select_sources(sources, named=bool(names), quick=quick)
        chosen, left_out = list(selection.chosen), dict(selection.left_out)
    audits: list[SourceAudit] = []
    for source, plan, seconds in chosen:
        _announce(source.name, seconds)
        try:
            with progress_bar(source.name) as report:
                audits.append(audit_source(source, out, plan, reuse=reuse, progress=report))
            write_audit(out, audits[-1])
        except EsotericDRBGError as error:
            left_out[source.name] = f"could not be audited: {error}"
        except KeyboardInterrupt:
            click.echo(f"interrupted: what was recorded of {source.name} is kept; the same command goes on", err=True)
            raise
        else:
            if not as_json:
                _print_verdict(audits[-1])
    if audits:
        write_ledger(out)
        write_not_audited(out, left_out)
    where = None
    if save and audits:
        here = machine_facts()["cpu"]
        if any(item.machine.get("cpu") != here for item in audits):
            raise InvalidInputError("--save: a recording is of another machine; its audit says nothing of this one")
        where = machine_profile.save({item.name: _profile(item) for item in audits})
        _self_assess([source for source, _, _ in chosen if source.claim.credit > 0], left_out)
    family = restart_family([item.restart.sanity_passed for item in audits])
    if as_json:
        document: dict[str, Any] = {
            "audits": [item.as_dict() for item in audits],
            "not_audited": {name: {"verdict": "no evidence", "reason": reason} for name, reason in left_out.items()},
            "restart_family": family.as_dict(),
        }
        if where is not None:
            document["machine_profile"] = str(where)
        emit_json(document)
    else:
        _print_table(audits)
        for name, reason in left_out.items():
            console().print(f"{name} no evidence: {reason}", markup=False)
        if audits:
            click.echo(family.text)
            click.echo(f"recordings and results are in {out}: esoteric-drbg report {out}")
        if where is not None:
            click.echo(f"saved to {where}: seeding credits no more than was found here")
    if any(item.verdict == "too high" for item in audits):
        raise SystemExit(1)
    if not audits or (names and left_out):
        fail("could not be audited: " + ", ".join(left_out) if left_out else "no source could be audited")


def _self_assess(sources: list[NoiseSource], left_out: dict[str, str]) -> None:
    """Self-assess the audited sources, too, for machines on which the claims were not recorded."""
    from esoteric_drbg.cli.audit.self_assess import assess_and_keep

    sources = [source for source in sources if source.name not in left_out and source.is_available()]
    if sources:
        for name, reason in assess_and_keep(sources)[1].items():
            click.echo(f"{name}: no self-assessment is kept: {reason}", err=True)


def _profile(item: SourceAudit) -> dict[str, Any]:
    """Return the record of an audit that the machine profile keeps."""
    return {
        "h_assessed": item.h_assessed,
        "verdict": item.verdict,
        "left_out": list(item.left_out),
        "sha256": item.sequential.sha256,
        "date": item.date,
        "machine": dict(item.machine),
    }


def _with_recordings(
    sources: list[NoiseSource], out: Path, *, named: bool
) -> tuple[list[tuple[NoiseSource, AuditPlan, float]], dict[str, str]]:
    """Return the sources with both recordings in a folder, and, if sources were named, why the others are left out."""
    from esoteric_drbg.conformance.audit.plan import AuditPlan

    chosen: list[tuple[NoiseSource, AuditPlan, float]] = []
    left_out: dict[str, str] = {}
    for source in sources:
        missing = [name for name in (f"{source.name}.bin", f"{source.name}.restarts.bin") if not (out / name).exists()]
        if not missing:
            chosen.append((source, AuditPlan(), 0.0))
        else:
            left_out[source.name] = f"no {' and no '.join(missing)} in {out}"
    return chosen, left_out if named else {}


def _announce(name: str, seconds: float) -> None:
    """Print how long a source takes, if that is long."""
    from esoteric_drbg.conformance.audit.plan import duration

    if seconds > ANNOUNCED_S:
        click.echo(f"{name}: recording takes about {duration(seconds)}; Ctrl-C keeps what is recorded", err=True)


def _print_verdict(item: SourceAudit) -> None:
    from rich.markup import escape

    style = {"holds": "green", "too high": "red", "no evidence": "yellow"}[item.verdict]
    out = console()
    out.print(f"[bold]{escape(item.name)}[/] [{style}]{item.verdict}[/]: {escape('; '.join(item.reasons))}")
    if item.left_out:
        out.print(f"  [dim]left out: {escape('; '.join(item.left_out))}[/]")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _print_table(audits: list[SourceAudit]) -> None:
    if not audits:
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("source", "verdict"):
        table.add_column(heading, no_wrap=True)
    figures = ("claim", "H_orig", "n H_bit", "H_r", "H_c", "assessed", "credited\nbits/s")
    for heading in (*figures, "RCT C\nalarms", "APT C\nalarms", "lag\nalarms"):
        table.add_column(heading, justify="right")
    for item in audits:
        first_tier = {test.test: test for test in item.false_alarms if test.tier == "intermittent"}
        bits = None if item.h_bitstring is None else item.sequential.bits * item.h_bitstring
        table.add_row(
            item.name,
            item.verdict,
            f"{item.h_submitter:g}",
            _figure(item.h_original),
            _figure(bits),
            _figure(item.h_row),
            _figure(item.h_column),
            _figure(item.h_assessed),
            f"{item.credited_bits_per_second:,.0f}",
            *(f"{first_tier[test].cutoff}\n{first_tier[test].alarms}" for test in ("RCT", "APT")),
            str(sum(test.alarms for name, test in first_tier.items() if name.startswith("lag"))),
        )
    console().print(table)
