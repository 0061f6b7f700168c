"""``esoteric-drbg bench drbg``: this package's generators beside those of the machine."""

from __future__ import annotations

import click

from esoteric_drbg.cli.output import console, emit_json, json_option, progress_console
from esoteric_drbg.kernels import kernel_info

__all__ = ["bench_drbg"]


def _size(n_bytes: int) -> str:
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n_bytes % scale == 0:
            return f"{n_bytes // scale} {unit}"
    return f"{n_bytes} B"


@click.command("drbg")
@click.option("--fast", is_flag=True, help="3 rounds instead of 15.")
@json_option
def bench_drbg(fast: bool, as_json: bool) -> None:
    """Time the DRBGs beside secrets, os.urandom, ssl.RAND_bytes and numpy's PCG64, in one run.

    Each line's last column is how many times as fast as os.urandom the generator is.
    """
    from rich.table import Table

    from esoteric_drbg.benchmarks.drbg_speed import BASELINE, measure_generators

    with progress_console().status("measuring") as status:
        rows = measure_generators(rounds=3 if fast else 15, progress=status.update)
    if as_json:
        emit_json({"kernels": kernel_info().name, "baseline": BASELINE, "generators": [row.as_dict() for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("request", no_wrap=True)
    table.add_column("generator", no_wrap=True)
    for heading in ("us", "MB/s", f"x {BASELINE}"):
        table.add_column(heading, justify="right")
    shown = 0
    for row in rows:
        if shown and row.request_bytes != shown:
            table.add_section()
        label = "" if row.request_bytes == shown else _size(row.request_bytes)
        shown = row.request_bytes
        times = f"{row.times_baseline:.2f}"
        table.add_row(label, row.generator, f"{1e6 * row.seconds:,.2f}", f"{row.megabytes_per_second:,.0f}", times)
    console().print(table)
    console().print(f"medians of one run, {kernel_info().name} kernels", highlight=False)
