"""``esoteric-drbg esv``: the evidence bundle of an Entropy Source Validation, and its lint."""

from __future__ import annotations

from pathlib import Path

import click

from esoteric_drbg.cli.consent import allow_named, consent_options
from esoteric_drbg.cli.output import console, emit_json, json_option
from esoteric_drbg.cli.progress import progress_bar

__all__ = ["esv"]

folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def esv() -> None:
    """Prepare what an Entropy Source Validation asks for. No server is ever contacted."""


@esv.command()
@folder_argument
@click.option("--source", "name", default="memory_timing", show_default=True, help="The noise source.")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("audit"),
    show_default=True,
    help="Folder where the recordings are made, go on, or lie.",
)
@click.option("--reuse", is_flag=True, help="Take the recordings in that folder instead of new ones.")
@consent_options
@json_option
def bundle(folder: Path, name: str, recordings: Path, reuse: bool, as_json: bool) -> None:
    """Audit a source completely and write the bundle into FOLDER: data, registrations, manifest, document skeletons.

    The exit code is 1 if the claim is too high.
    """
    from esoteric_drbg.conformance.audit.claim_audit import audit_source
    from esoteric_drbg.conformance.esv.bundle import registration, write_bundle
    from esoteric_drbg.noise_sources import registry
    from esoteric_drbg.noise_sources.guard import guarded

    allow_named((name,))
    source = guarded(registry.create(name))
    registration(source)  # what cannot be registered is not recorded for minutes first
    with progress_bar(name) as report:
        audit = audit_source(source, recordings, reuse=reuse, progress=report)
    manifest = write_bundle(source, audit, folder)
    if as_json:
        emit_json({"folder": str(folder), "verdict": audit.verdict, "sha256": manifest})
    else:
        click.echo(f"{folder}: {len(manifest) + 1} files; the claim {audit.verdict}. Check it with: esv lint {folder}")
    if audit.verdict == "too high":
        raise SystemExit(1)


@esv.command()
@folder_argument
@click.option("--no-assess", is_flag=True, help="Leave out the assessment of the data.")
@json_option
def lint(folder: Path, no_assess: bool, as_json: bool) -> None:
    """Recompute and cross-check a bundle; name each violation. The exit code is 1 if there is one."""
    from esoteric_drbg.conformance.esv.lint import lint_bundle

    report = lint_bundle(folder, assess=not no_assess)
    if as_json:
        emit_json(
            {"passed": report.passed, "violations": list(report.violations), "open_points": list(report.open_points)}
        )
    else:
        out = console()
        for violation in report.violations:
            out.print(f"violation: {violation}", markup=False)
        for point in report.open_points:
            out.print(f"to be written: {point}", markup=False)
        out.print(f"{len(report.violations)} violations, {len(report.open_points)} points to be written", markup=False)
    if not report.passed:
        raise SystemExit(1)
