"""Common parts of the assessing commands: how files are named and read, and where the work is done."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import EsotericDRBGError

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["QUICK_SAMPLES", "Reading", "assess_options", "assess_several", "cluster", "split_bits"]

#: Samples that ``--quick`` looks at.
QUICK_SAMPLES = 100_000


def _subset(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        index, samples = (int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}: expected INDEX,SAMPLES") from None
    return index, samples


#: How files are named and read, the same for both tracks; the order is that of ``--help``.
_READING = (
    click.argument("files", nargs=-1, required=True, metavar="FILE... [BITS]"),
    click.option(
        "-i/-c", "--initial/--conditioned", "initial", default=True, help="Raw data, or a conditioner's output."
    ),
    click.option("-a/-t", "--all-bits/--truncated", "all_bits", default=True, help="All bits, or the first 1,000,000."),
    click.option("-b", "--bits", type=click.IntRange(1, 64), help="Bits per symbol; found from the data if absent."),
    click.option(
        "-l",
        "--subset",
        metavar="INDEX,SAMPLES",
        callback=_subset,
        help="Assess the INDEX-th block of SAMPLES samples only.",
    ),
    click.option(
        "--format",
        "data_format",
        default="auto",
        show_default=True,
        type=click.Choice(
            ["auto", "u8", "u16le", "u16be", "u32le", "u32be", "u64le", "u64be", "text", "csv", "npy", "npz"]
        ),
        help="How the file holds its samples; auto goes by the suffix.",
    ),
    click.option("--column", metavar="NAME", help="Column of a CSV file, by name or from 0; member of an .npz file."),
    click.option("--reduction", metavar="HOW", help="Wide symbols: bits, bins, or bits=0,3,5,..."),
)


class Reading(NamedTuple):
    """The files that the options name, and how each is read.

    Attributes
    ----------
    paths : list of Path
        The files.
    options : dict
        Keyword arguments of :mod:`esoteric_drbg.conformance.documents`.
    """

    paths: list[Path]
    options: dict[str, Any]


def assess_options(*own: Any, verbose: str, quick: str, scheduler: str) -> Callable[[Callable[..., None]], Any]:
    """Add all options of an assessment of files: how files are read, its `own` options, and where the work is done.

    The command receives a :class:`Reading` as ``files``, in place of the options that say how files are read.

    Parameters
    ----------
    verbose, quick, scheduler : str
        Help texts of these three options in this command.
    """
    working = (
        click.option("-v", "--verbose", count=True, help=verbose),
        click.option("--quick", is_flag=True, help=quick),
        click.option("--jobs", type=click.IntRange(1), help="Threads; several files share them out to processes."),
        click.option("--scheduler", metavar="ADDRESS", help=scheduler),
    )

    def add(command: Callable[..., None]) -> Any:
        @functools.wraps(command)
        def with_reading(
            files: tuple[str, ...], initial: bool, all_bits: bool, bits: int | None, **values: Any
        ) -> None:
            paths, bits = split_bits(files, bits)
            options = {name: values.pop(name) for name in ("subset", "data_format", "column", "reduction")}
            options |= {"bits": bits, "conditioned": not initial, "bitstring": "all" if all_bits else "truncated"}
            command(files=Reading(paths, options), **values)

        decorated: Any = with_reading
        for option in reversed((*_READING, *own, *working)):
            decorated = option(decorated)
        return decorated

    return add


def split_bits(arguments: tuple[str, ...], bits: int | None) -> tuple[list[Path], int | None]:
    """Take a last argument that is a number, not a file, as bits per symbol: FILE BITS, as in NIST's tool."""
    *files, last = arguments
    if files and bits is None and last.isdecimal() and not Path(last).exists():
        return [Path(name) for name in files], int(last)
    return [Path(name) for name in arguments], bits


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """Yield the executor of the dask scheduler at an address; None without an address."""
    if address is None:
        yield None
        return
    from esoteric_drbg.conformance.execution.cluster import connected

    with connected(address) as executor:
        yield executor


def assess_several(
    function: Callable[..., dict[str, Any]],
    paths: list[Path],
    *,
    jobs: int | None,
    scheduler: str | None,
    show: Callable[[dict[str, Any]], None] | None,
) -> list[dict[str, Any]]:
    """Assess each file in a worker process or on a cluster; return the documents of those that could be assessed.

    `show` prints a document as soon as those of the earlier files have been printed; an error is printed as one line.
    On a cluster, too, a file is one task with one thread: only its path and its result are sent.
    """
    from esoteric_drbg.conformance.execution.batch import assess_files, shares

    threads = shares(len(paths), jobs)[1] if scheduler is None else 1
    documents: list[dict[str, Any]] = []
    with progress_bar("files") as progress, cluster(scheduler) as executor:

        def deliver(_path: Path, result: dict[str, Any] | EsotericDRBGError) -> None:
            if isinstance(result, EsotericDRBGError):
                progress.hide()
                click.echo(f"Error: {result}", err=True)
                return
            documents.append(result)
            if show is not None:
                progress.hide()
                show(result)

        alone = functools.partial(function, threads=threads)
        assess_files(alone, paths, jobs=jobs, executor=executor, progress=progress, deliver=deliver)
    return documents
