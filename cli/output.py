"""Output of all commands: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "emit_json", "fail", "json_option", "print_table", "progress_console"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")


def console() -> Console:
    """Return a console on standard output that keeps its lines whole in a pipe."""
    from rich.console import Console

    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False, width=None if sys.stdout.isatty() else 200)


def print_table(out: Console, table: Table) -> None:
    """Print a table; in a pipe without trailing blanks."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        out.print(line.rstrip(), markup=False)


def progress_console() -> Console:
    """Return a console on standard error, for progress; silent when standard error is no terminal."""
    from rich.console import Console

    return Console(stderr=True, quiet=not sys.stderr.isatty())


def emit_json(document: Any) -> None:
    """Print one JSON document; NaN and infinities are refused rather than printed."""
    import json

    click.echo(json.dumps(document, indent=2, allow_nan=False))


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line on standard error and exit."""
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(code)
