"""Assessments as text: tables, CSV, and one sentence that says what the result means."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from esoteric_drbg.cli.output import console, print_table

__all__ = ["csv_of", "print_non_iid"]

_NAMES = {
    "mcv": "Most Common Value",
    "collision": "Collision",
    "markov": "Markov",
    "compression": "Compression",
    "t_tuple": "t-Tuple",
    "lrs": "LRS",
    "multi_mcw": "MultiMCW",
    "lag": "Lag",
    "multi_mmc": "MultiMMC",
    "lz78y": "LZ78Y",
}


#: Columns of a terminal below which the table has no room for reasons.
NARROW = 80


def print_non_iid(document: dict[str, Any], *, verbose: bool) -> None:
    """Print the document of one non-IID assessment."""
    out = console()
    literal, bitstring = document["literal"], document["bitstring"]
    out.print(f"[bold]{escape(document['file'])}[/]: {_data(document)}, {document['track']} track")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("estimator\n(SP 800-90B 6.3)", no_wrap=True)
    for name, there in (("literal\nbits/sample", literal), ("bitstring\nbits/bit", bitstring)):
        if there is not None:
            table.add_column(name, justify="right", no_wrap=True)
    # On a narrow terminal the mark comes first, and the reasons, whose column would be too narrow, are left out.
    narrow = out.width < NARROW
    if not narrow:
        table.add_column("", overflow="fold")
    part, decisive = document["decided_by"]
    for number, (name, title) in enumerate(_NAMES.items(), 1):
        mark = (">" if name == decisive else " ") if narrow else ""
        cells = [f"{mark}{number:>2} {title}"]
        reasons = []
        for there in (literal, bitstring):
            if there is None:
                continue
            value = there[name]["min_entropy"]
            cells.append("-" if value is None else f"{value:.6f}")
            if value is None and there[name]["reason"] not in reasons:
                reasons.append(there[name]["reason"])
        both = bitstring is not None and literal is not None
        note = "[bold]<- decides[/]" + (f" ({part})" if both else "")
        reason = f"[dim]{escape('; '.join(reasons))}[/]"
        table.add_row(*cells, *([] if narrow else [note if name == decisive else reason]))
    print_table(out, table)
    if verbose:
        for title, there in (("literal", literal), ("bitstring", bitstring)):
            for name, figures in (there or {}).items():
                line = ", ".join(f"{key} {_figure(value)}" for key, value in figures.items() if value is not None)
                out.print(f"{title} {name}: {line}", markup=False)
    out.print(_totals(document), markup=False)
    out.print(_meaning(document), markup=False)
    _print_ranking(out, document["reduction"])
    for warning in document["warnings"]:
        out.print(f"[yellow]note:[/] {escape(warning)}")
    out.print(f"sha256 {document['sha256']}; kernels: {document['kernels']}", markup=False)


def _print_ranking(out: Console, reduction: dict[str, Any] | None) -> None:
    """Print how the bits of wide samples were ranked, the kept ones marked."""
    if reduction is None or not reduction["ranking"]:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rank", "bit", "P(1)", "min-entropy", "information"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for bit in reduction["ranking"]:
        figures = (f"{bit[name]:.6f}" for name in ("p_one", "min_entropy", "information"))
        table.add_row(str(bit["rank"]), str(bit["bit"]), *figures, "kept" if bit["bit"] in reduction["bits"] else "")
    print_table(out, table)


def _data(document: dict[str, Any]) -> str:
    return (
        f"{document['samples']:,} samples, {document['alphabet']} different symbols of {document['bits']} "
        f"bit{'s' if document['bits'] > 1 else ''}"
    )


def _totals(document: dict[str, Any]) -> str:
    parts = []
    if document["h_original"] is not None:
        parts.append(f"H_original {document['h_original']:.6f}")
    if document["h_bitstring"] is not None:
        bits, h = document["bits"], document["h_bitstring"]
        parts.append(f"H_bitstring {h:.6f} x {bits} = {bits * h:.6f} ({document['bitstring_bits']:,} bits)")
    return "; ".join(parts)


def _meaning(document: dict[str, Any]) -> str:
    part, name = document["decided_by"]
    what = f"{_NAMES[name]} on the {'bitstring' if part == 'bitstring' else 'symbols'}"
    if document["track"] == "conditioned":
        return (
            f"Assessed: {document['h_assessed']:.6f} bits per sample, decided by {what}: h' of SP 800-90B 3.1.5.2 is "
            f"{document['h_bitstring']:.6f} a bit of this conditioner's output."
        )
    return (
        f"Assessed: {document['h_assessed']:.6f} bits of min-entropy per sample, decided by {what}. "
        "No more than that may be claimed for this source, and the restart tests have yet to confirm it."
    )


def _figure(value: Any) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def csv_of(documents: list[dict[str, Any]]) -> str:
    """Return a header and one line for each document: totals first, then every estimate."""
    import csv
    import io

    totals = [
        "file",
        "track",
        "samples",
        "alphabet",
        "bits",
        "bitstring_bits",
        "h_original",
        "h_bitstring",
        "h_assessed",
    ]
    parts = ("literal", "bitstring")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*totals, "decided_by", *(f"{part}.{name}" for part in parts for name in _NAMES), "sha256"])
    for document in documents:
        estimates = [(document[part] or {}).get(name, {}).get("min_entropy") for part in parts for name in _NAMES]
        row = [*(document[name] for name in totals), " ".join(document["decided_by"]), *estimates, document["sha256"]]
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()
