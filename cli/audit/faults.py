"""``esoteric-drbg audit faults``: induced failures of the health tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar

__all__ = ["faults"]

#: Symbols recorded of an installed source.
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
    documents: list[dict[str, Any]] = []
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
        documents.append(campaign.as_dict())
        if out is not None:
            write_document(faults_file(out, campaign.source), campaign)
        if not as_json:
            _print(documents[-1])
    if as_json:
        emit_json(documents[0] if len(documents) == 1 else {"campaigns": documents})
    if not all(document["passed"] for document in documents):
        raise click.exceptions.Exit(1)


def _print(document: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    out.print(
        f"{document['source']}: H {document['min_entropy']:g}, {document['symbol_bits']} bits a symbol, "
        f"{document['healthy']}, seed {document['seed']}",
        markup=False,
    )
    table = Table("fault", "tier", "test", "found", "median", "95 %", "max", "", box=None, pad_edge=False)
    for row in document["results"]:
        delays = ("" if row[key] is None else f"{row[key]:,.0f}" for key in ("delay_median", "delay_95", "delay_max"))
        verdict = "" if row["passed"] else "MISSED; "
        found = f"{row['detected']}/{row['trials']}"
        table.add_row(row["fault"], row["tier"], row["test"], found, *delays, verdict + row["note"])
    out.print(table)
    out.print("lag: the Lag Predictor Test, developer-defined (SP 800-90B 4.5)", markup=False)
    for row in document["evidence"]:
        out.print(
            f"{row['tier']} {row['test']}: {row['symbols']:,} faulty symbols, {row['detections']} detections",
            markup=False,
        )
    for row in document["false_alarms"]:
        what = "windows" if row["test"] == "APT" else "symbols"
        expected = ("at most " if row["test"] == "lag" else "") + f"{row['expected']:.2g}"
        out.print(
            f"healthy data, {row['tier']} {row['test']}: {row['alarms']} alarms in {row['tested']:,} {what}, "
            f"99 % interval {row['interval'][0]:.2g} to {row['interval'][1]:.2g}, expected {expected}",
            markup=False,
        )
    pool = document["pool"]
    refused = "refused" if pool["alone_refused"] else "GIVEN"
    out.print(
        f"pool: stuck source {pool['state']}, seed without other credit {refused}, "
        f"seed beside a healthy source from {', '.join(pool['seed_from'])}",
        markup=False,
    )
    out.print("passed" if document["passed"] else "FAILED", markup=False)
