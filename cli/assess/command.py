"""``esoteric-drbg assess``: SP 800-90B assessments of recorded data."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.assess.files import QUICK_SAMPLES, Reading, assess_options, assess_several
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
@assess_options(
    verbose="Print every intermediate figure.",
    quick=f"Only the first {QUICK_SAMPLES:,} samples; the result says so.",
    scheduler="Assess several files on a dask cluster.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print one line of CSV a file.")
@json_option
def non_iid(
    files: Reading, verbose: int, quick: bool, jobs: int | None, scheduler: str | None, as_csv: bool, as_json: bool
) -> None:
    """Estimate min-entropy with the ten estimators of 6.3: non-IID track.

    BITS is the number of bits per symbol, as in NIST's tool.
    """
    from esoteric_drbg.conformance.entropy.file_assessment import non_iid_document

    if as_csv and as_json:
        raise InvalidInputError("--csv and --json exclude each other")
    paths = files.paths
    document: Callable[..., dict[str, Any]] = non_iid_document
    make = functools.partial(document, **files.options, quick=QUICK_SAMPLES if quick else None)
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
    """Import the modules for the output after the first estimator, while others still run in their threads."""

    def report(done: int, total: int, step: str) -> None:
        if done == 1:
            for module in modules:
                importlib.import_module(module)
        progress(done, total, step)

    return report
