"""``esoteric-drbg audit``: do the min-entropy claims hold on this machine?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from esoteric_drbg.cli.audit_faults import faults
from esoteric_drbg.cli.audit_independence import independence
from esoteric_drbg.cli.output import console, emit_json, fail, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import SourceError

if TYPE_CHECKING:
    from esoteric_drbg.conformance.audit import SourceAudit
    from esoteric_drbg.noise_sources import NoiseSource

__all__ = ["audit"]


class ClaimsByDefault(click.Group):
    """A group whose words are sources, unless the first one names a command."""

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
@click.option("--save", is_flag=True, help="Write the machine profile: seeding then credits no more than was found.")
@json_option
def claims(names: tuple[str, ...], quick: bool, out: Path, save: bool, as_json: bool) -> None:
    """Record, restart, assess and judge the claim of each source; all available ones without a NAME.

    The exit code is 1 if a claim is too high.
    """
    from esoteric_drbg import machine_profile
    from esoteric_drbg.conformance.audit import AuditPlan, audit_source
    from esoteric_drbg.conformance.report import write_audit, write_ledger

    audits: list[SourceAudit] = []
    failed: dict[str, str] = {}
    for source in _sources(names):
        plan = AuditPlan.quick(source) if quick else AuditPlan()
        try:
            with progress_bar(source.name) as report:
                audits.append(audit_source(source, out, plan, progress=report))
            write_audit(out, audits[-1].as_dict())
        except SourceError as error:
            failed[source.name] = str(error)
        else:
            if not as_json:
                _print_verdict(audits[-1])
    if audits:
        write_ledger(out)
    if save:
        found = {
            item.name: {
                "h_assessed": item.h_assessed,
                "verdict": item.verdict,
                "left_out": list(item.left_out),
                "sha256": item.sequential.sha256,
                "machine": item.machine,
            }
            for item in audits
        }
        where = machine_profile.save(found)
    if as_json:
        document: dict[str, Any] = {"audits": [item.as_dict() for item in audits], "failed": failed}
        if save:
            document["machine_profile"] = str(where)
        emit_json(document)
    else:
        _print_table(audits)
        for name, reason in failed.items():
            console().print(f"{name}: could not be audited: {reason}", markup=False)
        if save:
            click.echo(f"saved to {where}: seeding credits no more than was found here")
    if failed and not audits:
        fail("no source could be audited")
    if any(item.verdict == "too high" for item in audits):
        raise SystemExit(1)


def _sources(names: tuple[str, ...]) -> list[NoiseSource]:
    """Return the sources of these names, or all that can be read here."""
    from esoteric_drbg.noise_sources import registry

    if not names:
        return [source for source in registry.installed() if source.is_available()]
    sources = [registry.create(name) for name in dict.fromkeys(names)]
    for source in sources:
        source.require_available()
    return sources


def _print_verdict(item: SourceAudit) -> None:
    style = {"holds": "green", "too high": "red", "no evidence": "yellow"}[item.verdict]
    out = console()
    out.print(f"[bold]{escape(item.name)}[/] [{style}]{item.verdict}[/]: {escape('; '.join(item.reasons))}")
    if item.left_out:
        out.print(f"  [dim]quick: {escape('; '.join(item.left_out))}[/]")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _print_table(audits: list[SourceAudit]) -> None:
    if not audits:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("source", "verdict"):
        table.add_column(heading, no_wrap=True)
    figures = ("claim", "H_orig", "n H_bit", "H_r", "H_c", "assessed", "credited\nbits/s")
    for heading in (*figures, "RCT C\nalarms", "APT C\nalarms"):
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
        )
    console().print(table)
