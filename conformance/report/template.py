"""The HTML of a report: style sheet and Jinja template. No script, no image, no style attribute, nothing from elsewhere."""

from __future__ import annotations

from esoteric_drbg.conformance.report.svg import COLOURS

__all__ = ["PAGE", "STYLE"]

_LIGHT = " ".join(f"--{name}: {colour};" for name, colour in COLOURS.items())

STYLE = (
    ":root { color-scheme: light dark; --back: #ffffff; --card: #f7f9fb; --good: #1d6b39; --good-back: #e3f4e8;"
    " --bad: #a50f19; --bad-back: #fdeaea; --unsure: #7a5200; --unsure-back: #fdf3dc; "
    + _LIGHT
    + """ }
@media screen and (prefers-color-scheme: dark) {
  :root { --back: #10151b; --card: #171e26; --good: #7fd99b; --good-back: #14301e; --bad: #ff8f96; --bad-back: #3d171a;
    --unsure: #f0c465; --unsure-back: #362a0f; --ink: #e4e9ef; --soft: #9eabb9; --grid: #2c3743; --one: #5db0e6;
    --two: #f0a04b; --claim: #ff6b74; --three: #86c873; --four: #b99ce6; --five: #4fc4c4; --six: #e08ab3; --seven: #c3c66a; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: clamp(1.6rem, 1.2rem + 2vw, 2.2rem); line-height: 1.15; letter-spacing: -.015em; margin: 0 0 .6rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3.2rem 0 .7rem; padding-top: .8rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
p { margin: .5rem 0; max-width: 48rem; text-wrap: pretty; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: .18em; }
.lead { font-size: 1.15rem; line-height: 1.45; }
.soft, caption, figcaption, dt { color: var(--soft); }
.small { font-size: .875rem; }
code { font: .82em/1.4 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.4rem 0; padding: 0; line-height: 1.35; }
.tiles div { background: var(--card); border: 1px solid var(--grid); border-radius: .6rem; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.6rem; line-height: 1.2; font-weight: 650; }
.tiles .holds b { color: var(--good); } .tiles .high b { color: var(--bad); } .tiles .none b { color: var(--unsure); }
nav { margin: 1rem 0; line-height: 1.9; } nav a { margin-right: 1rem; white-space: nowrap; }
.chip { display: inline-block; padding: .05em .6em; border-radius: 1em; font-weight: 600; font-size: .85em; white-space: nowrap; }
h2 .chip { font-size: .62em; vertical-align: .2em; margin-left: .4em; }
.chip.holds { color: var(--good); background: var(--good-back); }
.chip.high { color: var(--bad); background: var(--bad-back); }
.chip.none { color: var(--unsure); background: var(--unsure-back); }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.4; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--grid); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { color: var(--ink); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding: .45rem 0 .45rem .9rem; }
td.number + td:not(.number), th.number + th:not(.number) { padding-left: 1.5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.75rem, 1fr)); gap: .7rem 1.25rem; margin: 1rem 0; line-height: 1.4; }
dl div { min-width: 0; } dl .all { grid-column: 1 / -1; } dt { font-size: .82rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20.5rem), 1fr)); gap: 1rem; margin: 1.2rem 0; }
figure { margin: 0; background: var(--card); border: 1px solid var(--grid); border-radius: .6rem; padding: .8rem .9rem .9rem;
  min-width: 0; break-inside: avoid; }
figure h3 { margin: 0 0 .5rem; } figcaption { font-size: .85rem; line-height: 1.45; margin-top: .5rem; }
figure.matrix { overflow-x: auto; } figure.matrix svg { width: auto; max-width: 100%; margin: 0 auto; }
figure.matrix.large svg { max-width: none; } td.prose { min-width: 13rem; }
svg { display: block; width: 100%; height: auto; } svg text { font-family: inherit; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; vertical-align: -.05em; margin-right: .3em; }
@media screen and (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  table.cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.cards, table.cards tbody, table.cards tr, table.cards td, table.cards th { display: block; text-align: left; }
  table.cards tr { padding: .7rem 0; border-bottom: 1px solid var(--grid); }
  table.cards td, table.cards tbody th { display: flex; gap: 1rem; justify-content: space-between; align-items: baseline;
    padding: .14rem 0 !important; border: 0; white-space: normal; min-width: 0; }
  table.cards td[data-label]::before { content: attr(data-label); color: var(--soft); flex: none; max-width: 60%; }
  table.cards td.prose { display: block; text-align: left; } table.cards td.prose::before { display: block; }
  table.cards td.number { text-align: right; }
}
@media screen and (max-width: 62rem) {
  table.broad thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.broad, table.broad tbody, table.broad tr, table.broad td, table.broad th { display: block; text-align: left; }
  table.broad tr { padding: .7rem 0; border-bottom: 1px solid var(--grid); }
  table.broad td, table.broad tbody th { display: flex; gap: 1rem; justify-content: space-between; align-items: baseline;
    padding: .14rem 0 !important; border: 0; white-space: normal; min-width: 0; }
  table.broad td[data-label]::before { content: attr(data-label); color: var(--soft); flex: none; max-width: 60%; }
  table.broad td.prose { display: block; text-align: left; } table.broad td.prose::before { display: block; }
  table.broad td.number { text-align: right; }
  table.broad tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 0 2rem; }
}
@page { size: A4; margin: 15mm 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 9.5pt; } nav { display: none; } a { text-decoration: none; }
  h1 { font-size: 20pt; } h2 { font-size: 13pt; margin-top: 1.4rem; break-after: avoid; } h3 { break-after: avoid; }
  .source { break-before: page; } .source h2 { margin-top: 0; border-top: 0; padding-top: 0; }
  .pictures { grid-template-columns: repeat(2, 1fr); gap: .5rem; } figure, .tiles div { background: none; padding: .5rem .6rem; }
  table { font-size: 8.5pt; } tr, dl div, .tiles div { break-inside: avoid; } thead { display: table-header-group; }
  th, td, td.number, th.number { padding-top: .25rem; padding-bottom: .25rem; } .wide, figure.matrix { overflow: visible; }
  figure.matrix.large svg { max-width: 100%; } td.prose { min-width: 0; } .tiles { grid-template-columns: repeat(5, 1fr); }
  .chip { border: .5pt solid currentColor; }
}
"""
)

PAGE = """<!doctype html>
{% macro chip(verdict, style) %}<span class="chip {{ style }}">{{ verdict }}</span>{% endmacro -%}
{% macro number(label, text) %}<td class="number" data-label="{{ label }}">{{ text }}</td>{% endmacro -%}
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{{ style_hash }}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entropy source report</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>Entropy source report</h1>
<p class="lead">{{ summary }}</p>
<p class="soft small">{% if dates %}Audited {{ dates }}. {% endif %}esoteric_drbg {{ version }}. Designed to SP 800-90A, B and C; not
validated, no certificate.</p>
<div class="tiles">{% for tile in tiles %}
<div class="{{ tile.style }}"><b>{{ tile.figure }}</b>{{ tile.text }}</div>{% endfor %}
</div>
<nav aria-label="Contents">{% for anchor, title in contents %}<a href="#{{ anchor }}">{{ title }}</a> {% endfor %}</nav>
</header>
<main>
<section id="verdicts">
<h2>Verdicts</h2>
<p>A claim holds where no figure is below it. Min-entropy in bits per symbol.</p>
<div class="wide"><table class="cards">
<thead><tr><th>source</th><th>verdict</th>{% for name in columns %}<th class="number">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}
<tr><th scope="row"><a href="#{{ row.anchor }}">{{ row.name }}</a></th><td data-label="verdict">{{ chip(row.verdict, row.style) }}</td>
{%- for cell in row.cells %}{{ number(columns[loop.index0], cell) }}{% endfor %}</tr>{% endfor %}
</tbody></table></div>
{% if family %}<p class="small">{{ family }}</p>{% endif %}
{% if not_audited %}<h3>Not audited, so no evidence</h3>
<div class="wide"><table class="cards">
<thead><tr><th>source</th><th>verdict</th><th>why</th></tr></thead>
<tbody>{% for item in not_audited %}
<tr><th scope="row">{{ item.name }}</th><td data-label="verdict">{{ chip("no evidence", "none") }}</td><td class="prose">{{ item.reason }}</td></tr>{% endfor %}
</tbody></table></div>{% endif %}
</section>
{% for row in rows %}
<section class="source" id="{{ row.anchor }}">
<h2>{{ row.name }} {{ chip(row.verdict, row.style) }}</h2>
<p>{{ row.reasons }}.{% if row.left_out %} <span class="soft">Not a complete audit: {{ row.left_out }}.</span>{% endif %}</p>
<dl>{% for term, text in row.facts %}
<div><dt>{{ term }}</dt><dd>{{ text }}</dd></div>{% endfor %}{% for term, text in row.hashes %}
<div class="all"><dt>{{ term }}</dt><dd><code>{{ text }}</code></dd></div>{% endfor %}
</dl>
<div class="pictures">{% for picture in row.pictures %}
<figure><h3>{{ picture.title }}</h3>{{ picture.svg }}<figcaption>{{ picture.caption }}</figcaption></figure>{% endfor %}
</div>
<h3>Health tests on the recording</h3>
<div class="wide"><table class="cards">
<thead><tr><th>test</th><th>tier</th>{% for name in test_columns %}<th class="number">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for test in row.tests %}
<tr><th scope="row">{{ test.test }}</th><td data-label="tier">{{ test.tier }}</td>
{%- for cell in test.cells %}{{ number(test_columns[loop.index0], cell) }}{% endfor %}</tr>{% endfor %}
</tbody></table></div>
</section>
{% endfor %}
{% if pairs %}
<section id="independence">
<h2>Independence of the sources</h2>
<p>{{ independence_sentence }}</p>
<figure class="matrix{% if many_sources %} large{% endif %}">{{ matrix }}
<figcaption>Corrected p-value of every pair of sources that were recorded at the same time. Bold and coloured: below 0.01, the two
depend on each other. Sources of one independence group may: only one of a group is credited.</figcaption></figure>
<div class="wide"><table class="cards broad">
<thead><tr><th>pair</th>{% for name in pair_columns %}<th class="number">{{ name }}</th>{% endfor %}<th>verdict</th></tr></thead>
<tbody>{% for pair in pairs %}
<tr><th scope="row">{{ pair.first }}, {{ pair.second }}</th>
{%- for cell in pair.cells %}{{ number(pair_columns[loop.index0], cell) }}{% endfor %}<td class="prose">{{ pair.verdict }}</td></tr>{% endfor %}
</tbody></table></div>
</section>
{% endif %}
{% if campaigns %}
<section id="faults">
<h2>Induced failures</h2>
{% for campaign in campaigns %}
<h3>{{ campaign.source }} {{ chip(campaign.verdict, campaign.style) }}</h3>
<p class="small">{{ campaign.sentence }}</p>
<div class="pictures">{% for title, svg in campaign.curves %}
<figure><h3>{{ title }}</h3>{{ svg }}<figcaption>Share of the injections that the test has found, by symbols since the onset. A fault that
is missing here is one that this test cannot see, or saw never; the table says which.</figcaption></figure>{% endfor %}
</div>
<div class="wide"><table class="cards broad">
<thead><tr><th>fault</th><th>tier</th><th>test</th>{% for name in fault_columns %}<th class="number">{{ name }}</th>{% endfor %}<th>remark</th></tr></thead>
<tbody>{% for row in campaign.rows %}
<tr><th scope="row">{{ row.fault }}</th><td data-label="tier">{{ row.tier }}</td><td data-label="test">{{ row.test }}</td>
{%- for cell in row.cells %}{{ number(fault_columns[loop.index0], cell) }}{% endfor %}<td class="prose">{{ row.remark }}</td></tr>{% endfor %}
</tbody></table></div>
{% endfor %}
</section>
{% endif %}
{% if ledger %}
<section id="ledger">
<h2>Ledger of a seed</h2>
<p>What a seed of this machine was made of: {{ ledger.requested_bits }} bits asked for, {{ ledger.credited_bits }} credited. Each source is
conditioned on its own by Hash_df SHA-256; a block counts as full entropy from 320 bits of credited input.</p>
<div class="wide"><table class="cards broad">
<thead><tr><th>source</th><th>group</th>{% for name in ledger_columns %}<th class="number">{{ name }}</th>{% endfor %}<th>remark</th></tr></thead>
<tbody>{% for entry in ledger.rows %}
<tr><th scope="row">{{ entry.source }}</th><td data-label="group">{{ entry.group }}</td>
{%- for cell in entry.cells %}{{ number(ledger_columns[loop.index0], cell) }}{% endfor %}<td class="prose">{{ entry.remark }}</td></tr>{% endfor %}
</tbody></table></div>
</section>
{% endif %}
<section id="compliance">
<h2>Compliance map</h2>
<div class="wide"><table class="cards">
<thead><tr><th>section</th><th>requirement</th><th>met</th><th>by</th></tr></thead>
<tbody>{% for section, requirement, met, by in compliance %}
<tr><th scope="row">{{ section }}</th><td class="prose">{{ requirement }}</td><td class="prose" data-label="met">{{ met }}</td><td class="prose" data-label="by">{{ by }}</td></tr>{% endfor %}
</tbody></table></div>
</section>
<section id="basis">
<h2>What this rests on</h2>
<p>Each source was read through the call that seeding uses, before any health test: consecutive samples, and restarts, each from a
fresh process. The estimators are those of SP 800-90B section 6.3 on symbols and bitstring, the restart tests those of 3.1.4, the
health tests those of section 4.4 at the cutoffs that follow from the claim. The recordings lie beside the results that this page
shows; their SHA-256 was checked when it was made.</p>
<p><b>H_submitter</b>, the claim, is what the makers of a source stand for; it is credited only with evidence. <b>H_original</b> and
<b>H_bitstring</b> are the lowest estimates on symbols and on their bits, <b>H_r</b> and <b>H_c</b> those on the restarts, row after row and column
after column. <b>Assessed</b> is the least of all. No figure here proves that a source is noisy: that argument is in docs/sources.</p>
<div class="wide"><table><tbody>{% for key, value in machine %}
<tr><th scope="row">{{ key }}</th><td>{{ value }}</td></tr>{% endfor %}
</tbody></table></div>
{% if other_machines %}<p><b>{{ other_machines }}</b></p>{% endif %}
</section>
</main>
</body>
</html>
"""
