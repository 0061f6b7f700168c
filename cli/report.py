"""``esoteric-drbg report``: what an audit found, as Markdown or as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.cli.output import progress_console

__all__ = ["report"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("audit"))
@click.option("--html", "as_html", is_flag=True, help="One self-contained HTML page with pictures (extra: report).")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; standard output without it."
)
def report(folder: Path, as_html: bool, out: Path | None) -> None:
    """Report what the audit in FOLDER found, verdicts first: the same files give the same bytes."""
    from esoteric_drbg.conformance.report.findings import read_report
    from esoteric_drbg.conformance.report.markdown import markdown

    if as_html:
        from esoteric_drbg.conformance.report.page import html
        from esoteric_drbg.conformance.report.svg import require_report

        require_report()  # before a file is read
    found = read_report(folder)
    if as_html:
        with progress_console().status("drawing"):
            text = html(found)
    else:
        text = markdown(found)
    if out is None:
        click.echo(text, nl=False)
        return
    write_file(out, text)
    click.echo(f"{out}: {len(text.encode()):,} bytes", err=True)
