"""``esoteric-drbg selftest``: the self-tests of SP 800-90A 11.3 on demand."""

from __future__ import annotations

import click

from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.kernels import kernel_info

__all__ = ["selftest"]


@click.command()
@json_option
def selftest(as_json: bool) -> None:
    """Run every self-test now: known answers and error handling of each mechanism, health tests, Hash_df.

    The exit code is 1 if one of them fails.
    """
    from esoteric_drbg.rbg.self_test import run_self_tests

    results = run_self_tests()
    failed = [result for result in results if not result.passed]
    if as_json:
        tests = [
            {"name": result.name, "passed": result.passed, "fault": result.fault, "seconds": result.seconds}
            for result in results
        ]
        emit_json({"kernels": kernel_info().name, "passed": not failed, "tests": tests})
    else:
        from rich.table import Table

        table = Table("self-test", "result", "ms", box=None, pad_edge=False)
        for result in results:
            table.add_row(result.name, result.fault or "passed", f"{1e3 * result.seconds:.2f}")
        console().print(table)
        console().print(f"{len(results) - len(failed)} of {len(results)} passed, {kernel_info().name} kernels")
    if failed:
        raise SystemExit(1)
