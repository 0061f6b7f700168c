"""``esoteric-drbg assess``: SP 800-90B assessments of recorded data."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.assess.files import QUICK_SAMPLES, assess_several, input_options, split_bits
from esoteric_drbg.cli.lazy_commands import LazyCommands
from esoteric_drbg.cli.output import emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import InvalidInputError

if TYPE_CHECKING:
    from esoteric_drbg.progress import Progress

__all__ = ["assess"]


_COMMANDS = LazyCommands(
    {
        "iid": "assess.iid:iid",
        "restart": "assess.restart:restart",
        "transpose": "assess.restart:transpose",
        "conditioning": "assess.restart:conditioning",
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
@click.option("--jobs", type=click.IntRange(1), help="Threads; several files share them out to processes.")
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
    from esoteric_drbg.conformance.documents import non_iid_document

    if as_csv and as_json:
        raise InvalidInputError("--csv and --json exclude each other")
    paths, bits = split_bits(files, bits)
    make = functools.partial(
        non_iid_document,
        bits=bits,
        conditioned=not initial,
        bitstring="all" if all_bits else "truncated",
        subset=subset,
        data_format=data_format,
        column=column,
        reduction=reduction,
        quick=QUICK_SAMPLES if quick else None,
    )
    show = None if as_json or as_csv else functools.partial(_print, verbose=bool(verbose))
    if len(paths) == 1 and scheduler is None:
        needed = ["hashlib"] if show is None else ["hashlib", "esoteric_drbg.cli.assess.text"]
        with progress_bar(paths[0].name) as progress:
            documents = [make(paths[0], threads=jobs, progress=_loading_meanwhile(progress, *needed))]
        if show is not None:
            show(documents[0])
    else:
        documents = assess_several(make, paths, jobs=jobs, scheduler=scheduler, show=show)
    if as_json:
        emit_json(documents[0] if len(paths) == 1 else {"assessments": documents})
    elif as_csv:
        from esoteric_drbg.cli.assess.text import csv_of

        click.echo(csv_of(documents), nl=False)
    if len(documents) < len(paths):
        raise click.exceptions.Exit(2)


def _print(document: dict[str, Any], *, verbose: bool) -> None:
    from esoteric_drbg.cli.assess.text import print_non_iid

    print_non_iid(document, verbose=verbose)


def _loading_meanwhile(progress: Progress, *modules: str) -> Progress:
    """Load what the end needs when the first estimator is done: others still count, in their threads."""

    def report(done: int, total: int, step: str) -> None:
        if done == 1:
            for module in modules:
                importlib.import_module(module)
        progress(done, total, step)

    return report
