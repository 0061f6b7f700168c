"""The report as one self-contained HTML page: no external loads, no scripts, readable in print, on a phone, in the dark."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np

from esoteric_drbg.conformance.report import Report, compliance, figure, reasons, summary
from esoteric_drbg.conformance.report_pictures import independence_matrix, require_matplotlib, source_pictures
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.version import __version__

__all__ = ["html"]

_STYLE = """
:root { color-scheme: light dark; --text: #1d2733; --back: #ffffff; --line: #d5dbe3; --soft: #5b6775; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8ee; --back: #11161c; --line: #2e3844; --soft: #9aa7b5; --card: #1a212a; }
  .picture img { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
.lead { font-size: 1.1rem; } .soft { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.text td { white-space: normal; }
.verdict { font-weight: 600; } .holds { color: #2d7d46; } .high { color: #c1121f; } .none { color: #96690a; }
@media (prefers-color-scheme: dark) { .holds { color: #6fd08c; } .high { color: #ff7b84; } .none { color: #e3b341; } }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem; margin: 1rem 0; }
.picture { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
.picture img { display: block; width: 100%; height: auto; } figcaption { font-size: .85rem; color: var(--soft); }
nav a { margin-right: .8rem; } a { color: inherit; }
@media print { body { max-width: none; font-size: 11px; } .picture { break-inside: avoid; } h2 { break-after: avoid; } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'sha256-{{ style_hash }}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entropy source report</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Entropy source report</h1>
<p class="lead">{{ summary }}</p>
<p class="soft">Designed to SP 800-90A, B and C; not validated, no certificate. esoteric_drbg {{ version }}.</p>
<div class="wide"><table>
<thead><tr><th>source</th><th>verdict</th>{% for name in columns %}<th class="number">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}
<tr><td><a href="#{{ row.name }}">{{ row.name }}</a></td><td class="verdict {{ row.style }}">{{ row.verdict }}</td>
{%- for cell in row.cells %}<td class="number">{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>
{% for row in rows %}
<h2 id="{{ row.name }}">{{ row.name }} <span class="verdict {{ row.style }}">{{ row.verdict }}</span></h2>
<p>{{ row.reasons }}.{% if row.left_out %} <span class="soft">A quick audit: {{ row.left_out }}.</span>{% endif %}</p>
<div class="pictures">{% for picture in row.pictures %}
<figure class="picture"><img alt="{{ picture.title }}: {{ picture.caption }}" src="{{ picture.data }}" width="520" height="290">
<figcaption><b>{{ picture.title }}.</b> {{ picture.caption }}.</figcaption></figure>{% endfor %}
</div>
<div class="wide"><table>
<thead><tr><th>health test</th><th>tier</th><th class="number">cutoff</th><th class="number">alarms</th><th class="number">made for</th></tr></thead>
<tbody>{% for test in row.tests %}
<tr><td>{{ test.test }}</td><td>{{ test.tier }}</td><td class="number">{{ test.cutoff }}</td>
<td class="number">{{ test.alarms }}</td><td class="number">{{ test.alpha }}</td></tr>{% endfor %}
</tbody></table></div>
<p class="soft">SHA-256 of the sequential data: {{ row.sha256 }}</p>
{% endfor %}
{% if pairs %}
<h2>Independence</h2>
<div class="pictures"><figure class="picture"><img alt="Independence: corrected p-value of every pair of sources" src="{{ matrix }}" width="520" height="420">
<figcaption><b>Independence.</b> Corrected p-value of every pair; dark means dependent.</figcaption></figure></div>
<div class="wide"><table>
<thead><tr><th>pair</th><th class="number">corrected p</th><th>verdict</th></tr></thead>
<tbody>{% for pair in pairs %}
<tr><td>{{ pair.first }}, {{ pair.second }}</td><td class="number">{{ "%.3g"|format(pair.adjusted_p) }}</td><td>{{ pair.verdict }}</td></tr>{% endfor %}
</tbody></table></div>
{% endif %}
<h2>Compliance map</h2>
<div class="wide"><table class="text">
<thead><tr><th>section</th><th>requirement</th><th>met</th><th>by</th></tr></thead>
<tbody>{% for section, requirement, met, by in compliance %}
<tr><td>{{ section }}</td><td>{{ requirement }}</td><td>{{ met }}</td><td>{{ by }}</td></tr>{% endfor %}
</tbody></table></div>
{% if ledger %}
<h2>Ledger of a seed</h2>
<p>{{ ledger.credited_bits }} bits credited, {{ ledger.requested_bits }} asked for.</p>
<div class="wide"><table>
<thead><tr><th>source</th><th class="number">symbols</th><th class="number">H</th><th class="number">n_in</th>
<th class="number">h_in</th><th class="number">h_out</th><th class="number">credited</th></tr></thead>
<tbody>{% for entry in ledger.entries %}
<tr><td>{{ entry.source }}</td><td class="number">{{ entry.symbols }}</td><td class="number">{{ entry.min_entropy }}</td>
<td class="number">{{ entry.n_in }}</td><td class="number">{{ "%g"|format(entry.h_in) }}</td>
<td class="number">{{ "%.6g"|format(entry.h_out) }}</td><td class="number">{{ entry.credited_bits }}</td></tr>{% endfor %}
</tbody></table></div>
{% endif %}
<h2>What this rests on</h2>
<p>Each source was read through the call that seeding uses, before any health test: consecutive samples, and restarts from
fresh processes. The estimators are those of SP 800-90B section 6.3 on symbols and bitstring, the restart tests those of
3.1.4, the health tests those of section 4.4 at the cutoffs that follow from the claim. A claim holds where no figure is below it.</p>
<div class="wide"><table><tbody>{% for key, value in machine %}
<tr><th>{{ key }}</th><td>{{ value }}</td></tr>{% endfor %}
</tbody></table></div>
</body>
</html>
"""

_STYLES = {"holds": "holds", "too high": "high", "no evidence": "none"}


def html(report: Report) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    report : Report
        From :func:`esoteric_drbg.conformance.report.read_report`.

    Raises
    ------
    KernelUnavailableError
        If the extra ``report`` (jinja2, matplotlib) is not installed.
    InvalidInputError
        If a recording is missing or has another size than the audit says.
    """
    require_matplotlib()
    from jinja2 import Environment  # noqa: PLC0415 - of the extra

    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    environment = Environment(autoescape=True)
    return environment.from_string(_PAGE).render(
        style=_safe(_STYLE),
        style_hash=digest,
        summary=summary(report),
        version=__version__,
        columns=("claim", "H_original", "n x H_bitstring", "H_r", "H_c", "assessed", "credited bits/s"),
        rows=[_row(report, audit) for audit in report.audits],
        ledger=report.ledger,
        compliance=compliance(report),
        pairs=(report.independence or {}).get("pairs", []),
        matrix=_matrix(report),
        machine=[(key.replace("_", " "), value) for key, value in (report.audits[0].get("machine") or {}).items()],
    )


def _matrix(report: Report) -> str:
    """Return the picture of the independence check as a data URI; empty where none was kept."""
    if report.independence is None:
        return ""
    pairs = report.independence["pairs"]
    return _data_uri(independence_matrix(list(report.independence["sources"]), pairs))


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _safe(text: str) -> Any:
    from markupsafe import Markup  # noqa: PLC0415 - of the extra

    return Markup(text)  # noqa: S704 - a constant of this module


def _recording(report: Report, name: str, ending: str, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    path = report.folder / f"{name}{ending}"
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror or error}") from None
    if data.size != size:
        raise InvalidInputError(f"{path} has {data.size:,} samples; the audit was of {size:,}")
    return data


def _row(report: Report, audit: dict[str, Any]) -> dict[str, Any]:
    sequential, restart = audit["sequential"], audit["restart"]
    symbols = _recording(report, audit["name"], ".bin", sequential["samples"])
    matrix = _recording(report, audit["name"], ".restarts.bin", restart["rows"] * restart["columns"])
    pictures = source_pictures(symbols, matrix.reshape(restart["rows"], restart["columns"]), audit)
    bitstring = None if audit["h_bitstring"] is None else sequential["bits"] * audit["h_bitstring"]
    return {
        "name": audit["name"],
        "verdict": audit["verdict"],
        "style": _STYLES[audit["verdict"]],
        "reasons": reasons(audit),
        "left_out": "; ".join(audit["left_out"]),
        "sha256": sequential["sha256"],
        "cells": (
            f"{audit['h_submitter']:g}",
            figure(audit["h_original"]),
            figure(bitstring),
            figure(audit["h_row"]),
            figure(audit["h_column"]),
            figure(audit["h_assessed"]),
            f"{audit['credited_bits_per_second']:,.0f}",
        ),
        "pictures": [
            {
                "title": title,
                "caption": caption,
                "data": _data_uri(picture),
            }
            for title, (caption, picture) in pictures.items()
        ],
        "tests": [
            {
                **test,
                "alarms": f"{test['alarms']} in {test['chances']:,}" if test["can_fail"] else "never: above the window",
                "alpha": f"{test['alpha']:.2g}",
            }
            for test in audit["false_alarms"]
        ],
    }
