"""``esoteric-drbg conformance``: ACVP vector sets and CAVP response files of the DRBG mechanisms."""

from __future__ import annotations

import json
from pathlib import Path

import click

from esoteric_drbg.atomic_write import write_file
from esoteric_drbg.cli.output import console, emit_json, fail, json_option
from esoteric_drbg.cli.progress import progress_bar
from esoteric_drbg.errors import InvalidInputError

__all__ = ["conformance"]

file_path = click.Path(path_type=Path)


@click.group()
def conformance() -> None:
    """Replay known-answer vectors of Hash_DRBG, HMAC_DRBG and CTR_DRBG."""


@conformance.command()
@click.argument("prompt", type=file_path)
@click.argument("expected", type=file_path, required=False)
@click.option("-o", "--out", type=file_path, help="Write the response there; otherwise to standard output.")
@json_option
def acvp(prompt: Path, expected: Path | None, out: Path | None, as_json: bool) -> None:
    """Answer the ACVP vector sets in PROMPT (hashDRBG, hmacDRBG, ctrDRBG, revision 1.0).

    With EXPECTED results: a verdict for each test group, and exit code 1 on any difference.
    """
    import attrs
    from rich.table import Table

    from esoteric_drbg.conformance.vectors.acvp import answer, compare, read_vector_sets

    sets = read_vector_sets(prompt)
    theirs = read_vector_sets(expected) if expected is not None else []
    if expected is not None and len(theirs) != len(sets):
        raise InvalidInputError(f"{expected} has {len(theirs)} vector sets, {prompt} has {len(sets)}")
    with progress_bar("answering") as report:
        answered = [answer(vector_set, report) for vector_set in sets]
    responses = [response for response, _ in answered]
    document = json.dumps(responses[0] if len(responses) == 1 else responses, indent=2) + "\n"
    if out is not None:
        write_file(out, document)
    for _, skipped in answered:
        for tg_id, reason in skipped.items():
            click.echo(f"tgId {tg_id} left out: {reason}", err=True)
    if expected is None:
        if out is None:
            click.echo(document, nl=False)
        return
    verdicts = [
        verdict
        for vector_set, (response, skipped), known in zip(sets, answered, theirs, strict=True)
        for verdict in compare(vector_set, response, skipped, known)
    ]
    differing = sum(len(verdict.differing) for verdict in verdicts)
    if as_json:
        emit_json({"passed": not differing, "groups": [attrs.asdict(verdict) for verdict in verdicts]})
    else:
        table = Table("vsId", "tgId", "group", "equal", "verdict", box=None, pad_edge=False, header_style="bold")
        for verdict in verdicts:
            result = "skipped" if verdict.skipped else "passed"
            if verdict.differing:
                result = f"differs: tcId {', '.join(map(str, verdict.differing))}"
            table.add_row(str(verdict.vs_id), str(verdict.tg_id), verdict.name, str(verdict.passed), result)
        console().print(table)
        console().print(f"{sum(verdict.passed for verdict in verdicts)} cases equal, {differing} differ")
    if differing:
        raise SystemExit(1)


@conformance.command()
@click.argument("files", type=file_path, nargs=-1, required=True)
@json_option
def cavp(files: tuple[Path, ...], as_json: bool) -> None:
    """Check NIST's response FILES (.rsp), or folders of them; exit code 1 if a case differs."""
    import attrs
    from rich.table import Table

    from esoteric_drbg.conformance.vectors.cavp import check_response_file

    paths = [path for file in files for path in (sorted(file.rglob("*.rsp")) if file.is_dir() else [file])]
    if not paths:
        fail("no response file (.rsp) in the folders named")
    with progress_bar("replaying") as report:
        results = []
        for done, path in enumerate(paths, 1):
            results.append((path, check_response_file(path)))
            report(done, len(paths), path.name)
    failing = sum(len(section.failing) for _, sections in results for section in sections)
    if as_json:
        emit_json(
            {
                "passed": not failing,
                "files": [
                    {"path": str(path), "sections": [attrs.asdict(section) for section in sections]}
                    for path, sections in results
                ],
            }
        )
    else:
        table = Table("file", "section", "equal", "differ", "skipped", box=None, pad_edge=False, header_style="bold")
        for path, sections in results:
            for section in sections:
                counts = (section.passed, len(section.failing), section.skipped)
                table.add_row(f"{path.parent.name}/{path.name}", section.name, *map(str, counts))
        console().print(table)
        for path, sections in results:
            for section in sections:
                for place in section.failing:
                    console().print(f"{path}: {section.name}, {place} differs", markup=False)
        total = sum(section.passed for _, sections in results for section in sections)
        skipped = sum(section.skipped for _, sections in results for section in sections)
        note = f", {skipped} skipped (primitives absent on purpose)" if skipped else ""
        console().print(f"{total:,} cases equal, {failing} differ{note}")
    if failing:
        raise SystemExit(1)
