"""``esoteric-drbg assess iid``: the tests of section 5."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from esoteric_drbg.cli.assess.files import Reading, assess_options, assess_several, cluster
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import InvalidInputError

__all__ = ["iid"]

#: Permutations that ``--quick`` makes.
QUICK_PERMUTATIONS = 1000


@click.command()
@assess_options(
    click.option(
        "--seed", type=click.IntRange(0, 2**64 - 1), help="Of the permutations: the same seed, the same result."
    ),
    click.option(
        "--exact-count", type=click.IntRange(100), help="Make so many permutations of everything, without early stop."
    ),
    click.option("--resume", type=Path, metavar="PATH", help="Checkpoint: an interrupted assessment goes on from it."),
    verbose="Print every statistic, not only those that fail.",
    quick=f"{QUICK_PERMUTATIONS:,} permutations; the result says so.",
    scheduler="Use a dask cluster: one file's permutations, or several files.",
)
@json_option
def iid(
    files: Reading,
    seed: int | None,
    exact_count: int | None,
    resume: Path | None,
    verbose: int,
    quick: bool,
    jobs: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Test whether data are independent and identically distributed: IID track, section 5.

    BITS is the number of bits per symbol, as in NIST's tool. Exit code 1 if a test fails.
    """
    from esoteric_drbg.conformance.iid.file_assessment import iid_document
    from esoteric_drbg.conformance.iid.permutation import PERMUTATIONS

    paths = files.paths
    if resume is not None and len(paths) > 1:
        raise InvalidInputError("--resume is for one file")
    document: Callable[..., dict[str, Any]] = iid_document
    make = functools.partial(
        document,
        **files.options,
        seed=seed,
        permutations=QUICK_PERMUTATIONS if quick else PERMUTATIONS,
        exact_count=exact_count,
    )
    show = None if as_json else functools.partial(_print, verbose=bool(verbose))
    if len(paths) == 1:
        with cluster(scheduler) as executor, progress_bar(paths[0].name) as progress:
            documents = [make(paths[0], threads=jobs, executor=executor, progress=progress, resume=resume)]
        if show is not None:
            show(documents[0])
    else:
        documents = assess_several(make, paths, jobs=jobs, scheduler=scheduler, show=show)
    family = _family(documents) if len(paths) > 1 else None
    if as_json:
        emit_json(documents[0] if family is None else {"assessments": documents, "family": family})
    elif family is not None:
        console().print(f"family of files: {family['family_verdict']}", markup=False)
    if len(documents) < len(paths):
        raise click.exceptions.Exit(2)
    if any(document["passed"] is False for document in documents):
        raise click.exceptions.Exit(1)


def _family(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the verdict on all files together; files without a verdict do not count."""
    from esoteric_drbg.conformance.iid.multiplicity import family_verdict, iid_family_rate

    verdicts = [document["passed"] for document in documents if document["passed"] is not None]
    asked = documents[0]["permutations_asked"] if documents else 10_000
    return family_verdict(verdicts.count(False), len(verdicts), rate=iid_family_rate(asked)[1]).as_dict()


def _print(document: dict[str, Any], *, verbose: bool) -> None:
    out = console()
    out.print(
        f"{document['file']}: {document['samples']:,} samples, {document['alphabet']} different symbols of "
        f"{document['bits']} bit{'s' if document['bits'] > 1 else ''}",
        markup=False,
    )
    failed = [statistic for statistic in document["statistics"] if not statistic["passed"]]
    shown = document["statistics"] if verbose else failed
    if shown:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("permutation statistic (5.1)", no_wrap=True)
        for heading in ("value", "greater", "equal", "less"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("")
        for statistic in shown:
            counts = (f"{statistic[side]:,}" for side in ("greater", "equal", "less"))
            verdict = "" if statistic["passed"] else "[bold red]FAILED[/]"
            table.add_row(statistic["name"], f"{statistic['value']:.10g}", *counts, verdict)
        out.print(table)
    stopped = ", until no statistic could fail any more" if document["early_stop"] else ""
    out.print(
        f"permutation tests: {19 - len(failed)} of 19 passed ({document['permutations']:,} permutations{stopped}; "
        f"seed {document['seed']})",
        markup=False,
    )
    for name in ("independence", "goodness_of_fit"):
        out.print(f"chi-square {name.replace('_', ' ')}: {_test(document[name])}", markup=False)
    repeat = document["longest_repeated_substring"]
    out.print(f"longest repeated substring: {_test(repeat)}", markup=False)
    out.print(_meaning(document), markup=False)
    out.print(document["false_alarms"], markup=False)
    for warning in document["warnings"]:
        out.print(f"note: {warning}", markup=False)
    out.print(f"sha256 {document['sha256']}; kernels: {document['kernels']}", markup=False)


def _test(test: dict[str, Any]) -> str:
    verdict = {True: "passed", False: "FAILED", None: "could not run"}[test["passed"]]
    figures = ", ".join(
        f"{key} {value:.10g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in test.items()
        if key != "passed" and value is not None
    )
    return f"{verdict}: {figures}"


def _meaning(document: dict[str, Any]) -> str:
    if document["passed"] is None:
        return "Not every test could run: nothing is said, and no min-entropy is given."
    if not document["passed"]:
        return "These data are not accepted as IID: no min-entropy is given. Assess the source on the non-IID track."
    unit = "bit" if document["conditioned"] else "symbol"
    return (
        f"No test failed: the IID claim may be made. Assessed by the Most Common Value: {document['h_assessed']:.6f} "
        f"bits of min-entropy per {unit}; the restart tests have yet to confirm it."
    )
