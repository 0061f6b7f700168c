"""``esoteric-drbg audit faults``: induced failures of the health tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar

if TYPE_CHECKING:
    from esoteric_drbg.conformance.faults.results import FaultCampaign

__all__ = ["faults"]

#: Samples recorded of an installed source.
RECORDED = 65_536


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--h", "min_entropy", type=float, default=0.5, show_default=True, help="Of the simulated source.")
@click.option("--bits", type=click.IntRange(1, 8), default=8, show_default=True, help="Of the simulated source.")
@click.option("--trials", type=click.IntRange(5), default=64, show_default=True, help="Injections of every fault.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same report.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of an audit, for its report."
)
@consent_options
@json_option
def faults(
    names: tuple[str, ...], min_entropy: float, bits: int, trials: int, seed: int, out: Path | None, as_json: bool
) -> None:
    """Inject faults into sources and report how soon the health tests find them.

    Without NAME, symbols are simulated. Exit code 1 if a fault was missed that must be found.
    """
    from esoteric_drbg.conformance.audit.folder import faults_file
    from esoteric_drbg.conformance.document_files import write_document
    from esoteric_drbg.conformance.faults.induced_failures import induce_failures
    from esoteric_drbg.noise_sources import registry
    from esoteric_drbg.noise_sources.guard import guarded

    allow_named(names)
    campaigns: list[FaultCampaign] = []
    for name in names or (None,):
        with progress_bar(name or "simulated") as progress:
            if name is None:
                campaign = induce_failures(
                    min_entropy=min_entropy, symbol_bits=bits, trials=trials, seed=seed, progress=progress
                )
            else:
                source = guarded(registry.create(name))
                campaign = induce_failures(
                    name,
                    min_entropy=source.claim.cutoff_entropy,
                    symbol_bits=source.symbol_bits,
                    recorded=source.read_exactly(RECORDED),
                    trials=trials,
                    seed=seed,
                    progress=progress,
                )
        campaigns.append(campaign)
        if out is not None:
            write_document(faults_file(out, campaign.source), campaign)
        if not as_json:
            _print(campaign)
    if as_json:
        documents = [campaign.as_dict() for campaign in campaigns]
        emit_json(documents[0] if len(documents) == 1 else {"campaigns": documents})
    if not all(campaign.passed for campaign in campaigns):
        raise click.exceptions.Exit(1)


def _print(campaign: FaultCampaign) -> None:
    from rich.table import Table

    out = console()
    out.print(
        f"{campaign.source}: H {campaign.min_entropy:g}, {campaign.symbol_bits} bits a symbol, "
        f"{campaign.healthy}, seed {campaign.seed}",
        markup=False,
    )
    table = Table("fault", "tier", "test", "found", "median", "95 %", "max", "", box=None, pad_edge=False)
    for row in campaign.results:
        figures = (row.delay_median, row.delay_95, row.delay_max)
        delays = ("" if delay is None else f"{delay:,.0f}" for delay in figures)
        verdict = "" if row.passed else "MISSED; "
        found = f"{row.detected}/{row.trials}"
        table.add_row(row.fault, row.tier, row.test, found, *delays, verdict + row.note)
    out.print(table)
    out.print("lag: the Lag Predictor Test, developer-defined (SP 800-90B 4.5)", markup=False)
    for total in campaign.evidence:
        out.print(
            f"{total.tier} {total.test}: {total.symbols:,} faulty symbols, {total.detections} detections",
            markup=False,
        )
    for alarms in campaign.false_alarms:
        what = "windows" if alarms.test == "APT" else "symbols"
        expected = ("at most " if alarms.test == "lag" else "") + f"{alarms.expected:.2g}"
        out.print(
            f"healthy data, {alarms.tier} {alarms.test}: {alarms.alarms} alarms in {alarms.tested:,} {what}, "
            f"99 % interval {alarms.interval[0]:.2g} to {alarms.interval[1]:.2g}, expected {expected}",
            markup=False,
        )
    pool = campaign.pool
    refused = "refused" if pool.alone_refused else "GIVEN"
    out.print(
        f"pool: stuck source {pool.state}, seed without other credit {refused}, "
        f"seed beside a healthy source from {', '.join(pool.seed_from)}",
        markup=False,
    )
    out.print("passed" if campaign.passed else "FAILED", markup=False)
