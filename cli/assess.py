"""``esoteric-drbg assess``: SP 800-90B assessments of recorded data."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.assess_files import QUICK_SAMPLES, cluster, input_options, split_bits
from esoteric_drbg.cli.lazy_commands import LazyCommands
from esoteric_drbg.cli.output import emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

if TYPE_CHECKING:
    from esoteric_drbg.conformance.parallel import Progress

__all__ = ["assess"]


_COMMANDS = LazyCommands(
    {
        "iid": "assess_iid:iid",
        "restart": "assess_restart:restart",
        "transpose": "assess_restart:transpose",
        "conditioning": "assess_restart:conditioning",
    }
)


@click.group(commands=_COMMANDS)
def assess() -> None:
    """Assess recorded raw data by SP 800-90B."""


@assess.command("non-iid")
@click.argument("files", nargs=-1, required=True, metavar="FILE... [BITS]")
@click.option("-i/-c", "--initial/--conditioned", "initial", default=True, help="Raw data, or a conditioner's output.")
@click.option("-a/-t", "--all-bits/--truncated", "all_bits", default=True, help="All bits, or the first 1,000,000.")
@input_options
@click.option("-v", "--verbose", count=True, help="Print every intermediate figure.")
@click.option("--quick", is_flag=True, help=f"Only the first {QUICK_SAMPLES:,} samples; the result says so.")
@click.option("--jobs", type=click.IntRange(1), help="Threads for one file, processes for several.")
@click.option("--scheduler", metavar="ADDRESS", help="Assess several files on a dask cluster.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one line of CSV a file.")
@json_option
def non_iid(
    files: tuple[str, ...],
    initial: bool,
    all_bits: bool,
    bits: int | None,
    subset: tuple[int, int] | None,
    data_format: str,
    column: str | None,
    reduction: str | None,
    verbose: int,
    quick: bool,
    jobs: int | None,
    scheduler: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Estimate min-entropy with the ten estimators of 6.3: non-IID track.

    BITS is the number of bits per symbol, as in NIST's tool.
    """
    if as_csv and as_json:
        raise InvalidInputError("--csv and --json exclude each other")
    paths, bits = split_bits(files, bits)
    options: dict[str, Any] = {
        "bits": bits,
        "conditioned": not initial,
        "bitstring": "all" if all_bits else "truncated",
        "subset": subset,
        "data_format": data_format,
        "column": column,
        "reduction": reduction,
        "quick": QUICK_SAMPLES if quick else None,
    }
    needed = ["hashlib"] if as_json or as_csv else ["hashlib", "esoteric_drbg.cli.assessment_text"]
    documents = run_files(functools.partial(non_iid_document, **options), paths, jobs, scheduler, needed)
    if as_json:
        emit_json(documents[0] if len(paths) == 1 else {"assessments": documents})
    elif as_csv:
        from esoteric_drbg.cli.assessment_text import csv_of

        click.echo(csv_of(documents), nl=False)
    else:
        from esoteric_drbg.cli.assessment_text import print_non_iid

        for document in documents:
            print_non_iid(document, verbose=bool(verbose))
    end(paths, documents)


def end(paths: list[Path], documents: list[dict[str, Any]]) -> None:
    """End the command with exit code 2 if a file is missing among the documents."""
    if len(documents) < len(paths):
        raise click.exceptions.Exit(2)


def non_iid_document(
    path: Path,
    *,
    bits: int | None,
    conditioned: bool,
    bitstring: Any,
    subset: tuple[int, int] | None,
    data_format: str,
    column: str | None,
    reduction: str | None,
    quick: int | None,
    threads: int | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """Assess one file; the document that ``--json`` prints. Runs in other processes, too."""
    from esoteric_drbg.conformance.non_iid import assess_non_iid
    from esoteric_drbg.conformance.sample_files import read_samples

    samples = read_samples(path, bits, format=data_format, column=column, subset=subset, reduction=reduction)
    if quick is not None:
        samples = samples.first(quick)
    result = assess_non_iid(samples, conditioned=conditioned, bitstring=bitstring, threads=threads, progress=progress)
    return {"file": str(path), **result.as_dict()}


def _loading_meanwhile(progress: Progress, *modules: str) -> Progress:
    """Load what the end needs when the first estimator is done: others still count, in their threads."""

    def report(done: int, total: int, step: str) -> None:
        if done == 1:
            for module in modules:
                importlib.import_module(module)
        progress(done, total, step)

    return report


def run_files(
    function: Any, paths: list[Path], jobs: int | None, scheduler: str | None, needed: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Assess the files and return the documents of those that could be; the errors of the others are printed.

    `needed` are modules that the caller is about to import.
    """
    if len(paths) == 1 and scheduler is None:
        with progress_bar(paths[0].name) as progress:
            return [function(paths[0], threads=jobs, progress=_loading_meanwhile(progress, *needed))]
    from esoteric_drbg.conformance.batch import assess_files

    # Each file has its own process: one thread in each.
    alone = functools.partial(function, threads=1)
    with progress_bar("files") as progress, cluster(scheduler) as executor:
        results = assess_files(alone, paths, jobs=jobs, executor=executor, progress=progress)
    for result in results:
        if isinstance(result, EsotericDRBGError):
            click.echo(f"Error: {result}", err=True)
    return [result for result in results if not isinstance(result, EsotericDRBGError)]
