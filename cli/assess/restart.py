"""``esoteric-drbg assess restart``, ``transpose`` and ``conditioning``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import InvalidInputError

if TYPE_CHECKING:
    from esoteric_drbg.conformance.samples.sample_set import SampleSet

__all__ = ["conditioning", "restart", "transpose"]

shape_options = (
    click.option("--rows", type=click.IntRange(1), default=1000, show_default=True, help="Restarts."),
    click.option("--columns", type=click.IntRange(1), default=1000, show_default=True, help="Symbols of each restart."),
)


def with_shape(command: Any) -> Any:
    """Add the options for the shape of a matrix."""
    for option in reversed(shape_options):
        command = option(command)
    return command


@click.command()
@click.argument("file", type=Path)
@click.argument("numbers", nargs=-1, required=True, metavar="[BITS] H_I")
@click.option("-n/-i", "--non-iid/--iid", "non_iid", default=True, help="Which track the source is on.")
@with_shape
@click.option("-v", "--verbose", is_flag=True, help="Accepted for habit's sake: everything is printed anyway.")
@click.option("--jobs", type=click.IntRange(1), help="Threads.")
@json_option
def restart(
    file: Path,
    numbers: tuple[str, ...],
    non_iid: bool,
    rows: int,
    columns: int,
    verbose: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Test a matrix of restarts, 3.1.4: sanity check, then validation of H_I.

    FILE holds the symbols of the first restart, then those of the second, and so on. H_I is the initial entropy
    estimate in bits per sample. Exit code 1 if a test fails.
    """
    from esoteric_drbg.conformance.restart.assessment import assess_restart

    if len(numbers) > 2:
        raise InvalidInputError(f"{len(numbers)} numbers: expected H_I, or bits per symbol and H_I")
    try:
        h_initial = float(numbers[-1])
        bits = int(numbers[0]) if len(numbers) == 2 else None
    except ValueError:
        raise InvalidInputError(f"{' '.join(numbers)}: expected H_I, or bits per symbol and H_I") from None
    with progress_bar(file.name) as progress:
        result = assess_restart(
            file,
            h_initial,
            bits=bits,
            rows=rows,
            columns=columns,
            iid=not non_iid,
            iid_test=None if non_iid else functools.partial(_is_iid, threads=jobs),
            threads=jobs,
            progress=progress,
        )
    document = {"file": str(file), **result.as_dict()}
    if as_json:
        emit_json(document)
    else:
        _print_restart(document)
    if not result.passed:
        raise click.exceptions.Exit(1)


def _is_iid(samples: SampleSet, threads: int | None) -> bool:
    """Return whether a data set passes the tests of section 5."""
    from esoteric_drbg.conformance import assess_iid

    return assess_iid(samples, threads=threads).passed is True


def _print_restart(document: dict[str, Any]) -> None:
    out = console()
    rows, columns = document["rows"], document["columns"]
    out.print(
        f"{document['file']}: {rows} restarts of {columns} symbols, {document['alphabet']} different ones of "
        f"{document['bits']} bits; H_I {document['h_initial']:.6f}",
        markup=False,
    )
    verdict = {True: "passed", False: "FAILED"}
    out.print(
        f"sanity check {verdict[document['sanity_passed']]}: the largest count of a symbol is {document['x_row']} in a "
        f"row (cutoff {document['row_cutoff']}) and {document['x_column']} in a column (cutoff "
        f"{document['column_cutoff']}); alpha {document['alpha']:.4g} a line, exact",
        markup=False,
    )
    for line in document["failing"]:
        where = f"{line['line']} {line['index']}"
        out.print(
            f"  {where}: symbol {line['symbol']} occurs {line['count']} times, more than {line['cutoff']}", markup=False
        )
    if document["h_row"] is not None:
        out.print(
            f"validation {verdict[document['validation_passed']]}: H_r {document['h_row']:.6f}, H_c "
            f"{document['h_column']:.6f}; both have to be at least H_I / 2 = {document['h_initial'] / 2:.6f}",
            markup=False,
        )
    if document["row_is_iid"] is not None:
        said = {True: "accept", False: "do not accept"}
        out.print(
            f"the IID tests {said[document['row_is_iid']]} the row data set, and {said[document['column_is_iid']]} "
            "the column data set",
            markup=False,
        )
    if document["h_assessed"] is not None:
        out.print(f"Assessed: min(H_r, H_c, H_I) = {document['h_assessed']:.6f} bits of min-entropy per sample.")
    else:
        out.print("Assessed: nothing. A source that fails a restart test is not validated (3.1.4).")
    for warning in document["warnings"]:
        out.print(f"note: {warning}", markup=False)


@click.command()
@click.argument("source", type=Path)
@click.argument("target", type=Path)
@with_shape
def transpose(source: Path, target: Path, rows: int, columns: int) -> None:
    """Write the transpose of a restart matrix: its column data set."""
    from esoteric_drbg.conformance.samples.transpose import transpose_file

    digest = transpose_file(source, target, rows=rows, columns=columns)
    click.echo(f"{target}: {columns} x {rows}, sha256 {digest}")


@click.command()
@click.argument("n_in", type=int)
@click.argument("n_out", type=int)
@click.argument("nw", type=int)
@click.argument("h_in", type=float)
@click.argument("h_prime", type=float, required=False)
@click.option(
    "-v/-n", "--vetted/--non-vetted", "vetted", default=True, help="One of the components of 3.1.5.1.1, or not."
)
@click.option("--bijective", is_flag=True, help="The component loses nothing: n_out = n_in.")
@json_option
def conditioning(
    n_in: int, n_out: int, nw: int, h_in: float, h_prime: float | None, vetted: bool, bijective: bool, as_json: bool
) -> None:
    """Entropy of a conditioning component's output, 3.1.5. Lengths and entropies in bits.

    A component that is not vetted takes H_PRIME, the assessed entropy per bit of its output.
    """
    from esoteric_drbg.conformance.entropy.conditioning_entropy import conditioning_output_entropy

    result = conditioning_output_entropy(n_in, n_out, nw, h_in, vetted=vetted, h_prime=h_prime, bijective=bijective)
    if as_json:
        emit_json(result.as_dict())
        return
    if result.output_entropy is not None:
        click.echo(f"Output_Entropy({n_in}, {n_out}, {nw}, {h_in:g}) = {result.output_entropy:.15g}")
    click.echo(f"h_out = {result.h_out:.15g} of {n_out} bits ({result.kind}), decided by {result.decided_by}")
    if result.full_entropy:
        click.echo("Full entropy by SP 800-90C: h_in is at least n_out + 64.")
