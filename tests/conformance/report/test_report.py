"""Reports: the same bytes from the same files, nothing loaded from elsewhere, and pages that a browser shows whole."""

from __future__ import annotations

import base64
import hashlib
import html as html_text
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance import assess_non_iid, assess_restart
from esoteric_drbg.conformance.audit.claim_audit import SourceAudit, Verdict, false_alarms
from esoteric_drbg.conformance.audit.folder import (
    LEDGER_FILE,
    faults_file,
    write_audit,
    write_independence,
    write_ledger,
    write_not_audited,
)
from esoteric_drbg.conformance.audit.independence import IndependenceAudit, PairResult
from esoteric_drbg.conformance.document_files import write_document
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.conformance.faults.induced_failures import induce_failures
from esoteric_drbg.conformance.report.findings import read_report
from esoteric_drbg.conformance.report.markdown import markdown
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger

ROWS, COLUMNS = 12, 100


def audit_of(folder: Path, name: str, verdict: Verdict, symbols: bytes) -> None:
    """Write a small recording and what an audit of it would have found."""
    (folder / f"{name}.bin").write_bytes(symbols)
    (folder / f"{name}.restarts.bin").write_bytes(symbols[: ROWS * COLUMNS])
    sequential = assess_non_iid(symbols, 8, threads=1)
    restart = assess_restart(symbols[: ROWS * COLUMNS], 0.5, bits=8, rows=ROWS, columns=COLUMNS, threads=1)
    audit = SourceAudit(
        name=name,
        verdict=verdict,
        reasons=("the reason <b>&</b> more",),
        h_submitter=0.5,
        credit=0.0 if verdict == "no evidence" else 0.5,
        h_original=sequential.h_original,
        h_bitstring=sequential.h_bitstring,
        h_row=restart.h_row,
        h_column=restart.h_column,
        h_assessed=sequential.h_assessed,
        credited_bits_per_second=1234.5,
        left_out=("most",),
        sequential=sequential,
        iid=None,
        restart=restart,
        false_alarms=false_alarms(symbols, 0.01),
        files=(f"{name}.bin", f"{name}.restarts.bin"),
        machine={"cpu": "a CPU", "governor": None},
        independence_group="group",
        date="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        symbols_per_second=4321.0,
        h_initial=0.5,
    )
    write_audit(folder, audit)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit")
    generator = random.Random(3)
    audit_of(path, "alpha", "holds", generator.randbytes(6000))
    audit_of(path, "beta", "too high", bytes(generator.choices(range(4), k=6000)))
    audit_of(path, "gamma", "no evidence", generator.randbytes(6000))
    entry = LedgerEntry("alpha", "group", 640, 0.5, "passed RCT, APT", 5120, 256, 256, 320.0, 256.0, 256, "a <note>")
    write_document(path / LEDGER_FILE, SeedLedger(256, 256, (entry,)))
    write_not_audited(path, {"delta": "not available here: no device & no driver", "alpha": "audited after all"})
    write_document(faults_file(path, "alpha"), attrs.evolve(induce_failures("alpha", trials=5), version="0"))

    def pair(first: str, second: str, adjusted_p: float, *, dependent: bool) -> PairResult:
        return PairResult(
            first=first,
            second=second,
            same_group=False,
            paired=6000,
            max_z=3.3,
            lag=-7,
            correlation_p=adjusted_p,
            serial=False,
            mutual_information=0.01,
            mutual_information_p=adjusted_p,
            joint=None,
            single=7.5,
            joint_passed=True,
            p_value=adjusted_p,
            adjusted_p=adjusted_p,
            dependent=dependent,
            verdict="DEPENDENT across groups" if dependent else "no dependence found",
        )

    pairs = (
        pair("alpha", "beta", 0.5, dependent=False),
        pair("alpha", "gamma", 1e-9, dependent=True),
        pair("beta", "gamma", 1.0, dependent=False),
    )
    found = IndependenceAudit(
        sources=("alpha", "beta", "gamma"),
        groups=("a", "b", "c"),
        alpha=0.01,
        permutations=999,
        seed=1,
        pairs=pairs,
        kernels="rust",
        version="0",
    )
    write_independence(path, found)
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    """Return the page of the folder: drawing its pictures takes seconds."""
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    from esoteric_drbg.conformance.report.page import html

    return html(read_report(folder))


#: Nine pictures of each of three sources, the matrix of independence, delay curves of three tests.
PICTURES = 3 * 9 + 1 + 3


def test_markdown_puts_verdicts_first(folder: Path) -> None:
    text = markdown(read_report(folder))
    assert (
        "Claims too high: 1 (beta); claims that hold: 1; sources credited nothing: 1; not audited: 1. Sources of "
        "different independence groups depend on each other." in text
    )
    assert "| delta | no evidence | not available here: no device & no driver |" in text
    assert "| alpha | no evidence" not in text
    assert "## Induced failures: alpha, passed" in text
    assert "| 90B 3.1.6 | entropy is added up over independent sources only | no: alpha and gamma |" in text
    assert [line for line in text.splitlines() if line.startswith("## ")][:3] == [
        "## beta: too high",
        "## alpha: holds",
        "## gamma: no evidence",
    ]
    assert "never: above the window" in text
    assert "## Ledger of a seed" in text
    assert "| alpha, gamma | 1e-09 | DEPENDENT across groups |" in text
    assert "| 90B 3.1.1 | 1,000,000 consecutive samples | no: beta, alpha | record |" in text
    assert markdown(read_report(folder)) == text


def test_the_page_loads_nothing_and_is_the_same_every_time(folder: Path, page: str) -> None:
    from esoteric_drbg.conformance.report.page import html

    assert page == html(read_report(folder))
    assert not re.search(r"<script|https?:|<link|<img|<image|<iframe|@import|url\((?!#)|\sstyle=|\son\w+=", page)
    assert not re.search(r"(src|href)=\"(?!#)", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert html_text.unescape(policy[1]) == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert page.count('<svg role="img" aria-label="') == page.count("<svg") == PICTURES
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(identifiers)
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", page.lower())
    assert "a &lt;note&gt;" in page
    assert "no device &amp; no driver" in page
    assert "The reason &lt;b&gt;&amp;&lt;/b&gt; more" in page
    assert page.index('id="source-beta"') < page.index('id="source-alpha"') < page.index('id="source-gamma"')


def test_bad_folders_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="has no audit"):
        read_report(tmp_path)
    with pytest.raises(errors.InvalidInputError, match="has no audit"):
        read_report(tmp_path / "missing")
    for text, match in (("{", "alpha.audit.json"), ("[]", "JSON object"), ("{}", "not the result of an audit")):
        (tmp_path / "alpha.audit.json").write_text(text)
        with pytest.raises(errors.InvalidInputError, match=match):
            read_report(tmp_path)
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    from esoteric_drbg.conformance.report.page import html

    shutil.copy(folder / "alpha.audit.json", tmp_path)
    with pytest.raises(errors.InvalidInputError, match=r"alpha\.bin"):
        html(read_report(tmp_path))
    (tmp_path / "alpha.bin").write_bytes(bytes(6000))
    with pytest.raises(errors.InvalidInputError, match="is not the recording that was audited: SHA-256"):
        html(read_report(tmp_path))
    (tmp_path / "alpha.bin").write_bytes(b"short")
    with pytest.raises(errors.InvalidInputError, match="has 5 samples; the audit was of 6,000"):
        html(read_report(tmp_path))


#: What the fields give, and what has a default.
NOT_NEEDED = {"passed", "evidence", "missing", "verdict", "sources"}


def damage(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield a document with one field gone, or of another type, and that field's name."""
    for name in document:
        if name not in NOT_NEEDED:
            yield name, {key: value for key, value in document.items() if key != name}
        yield name, {**document, name: {"of": ["another type"]}}


@pytest.mark.parametrize(
    ("file", "spared"),
    [
        ("alpha.audit.json", set()),
        ("alpha.faults.json", set()),
        ("independence.json", set()),
        ("seed_ledger.json", {"missing"}),
        ("not_audited.json", set()),
    ],
)
def test_a_damaged_file_is_one_error_that_names_file_and_field(
    folder: Path, tmp_path: Path, file: str, spared: set[str]
) -> None:
    for path in folder.glob("*.json"):
        shutil.copy(path, tmp_path)
    for name, document in damage(json.loads((folder / file).read_text())):
        (tmp_path / file).write_text(json.dumps(document))
        if name in spared:  # what is computed anew, what is not shown, and what may be anything
            continue
        with pytest.raises(errors.InvalidInputError) as caught:
            read_report(tmp_path)
        assert re.search(rf"{re.escape(file)}: not .*\b{name}\b", str(caught.value)), caught.value
    (tmp_path / file).write_text('{"sequential": 1')
    answer = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert isinstance(answer.exception, errors.InvalidInputError)
    assert str(answer.exception).startswith(str(tmp_path / file))


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    report = read_report(folder)
    for path, value in (
        (folder / "alpha.audit.json", next(audit for audit in report.audits if audit.name == "alpha").restart),
        (folder / "alpha.faults.json", report.faults[0]),
        (folder / "independence.json", report.independence),
    ):
        kept = json.loads(path.read_text())
        assert to_document(value) == kept.get("restart", kept)


def test_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["report", str(folder)])
    assert answer.exit_code == 0
    assert answer.output.startswith("# Entropy source report\n")
    out = tmp_path / "report.md"
    assert CliRunner().invoke(cli, ["report", str(folder), "-o", str(out)]).exit_code == 0
    assert out.read_text() == answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_a_ledger_is_kept_where_a_seed_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(tmp_path / "machine.json"))
    where = write_ledger(tmp_path)
    assert where is None or json.loads(where.read_text())["credited_bits"] >= 256
    (tmp_path / "machine.json").write_text("broken")
    assert write_ledger(tmp_path) is None


@pytest.mark.parametrize("symbols", [bytes(6000), bytes([0, 1] * 3000), bytes(range(250)) * 24])
def test_extreme_recordings_are_drawn(symbols: bytes, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    from esoteric_drbg.conformance.report.page import html

    audit_of(tmp_path, "extreme", "no evidence", symbols)
    page = html(read_report(tmp_path))
    assert page.count("<svg") == 9
    assert not re.search(r"\b(nan|inf)\b", page)


#: What a browser is asked about a page: how far it overflows, what is cut off, and which pictures show something.
_LOOK = """() => {
  const wide = document.documentElement.clientWidth;
  const inScroller = e => e.closest('.wide, figure.matrix.large') !== null;
  const outside = [...document.body.querySelectorAll('*')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.right > wide + 1 || box.left < -1) && !inScroller(e) && !e.closest('thead');
  }).map(e => e.tagName + ' ' + e.textContent.slice(0, 40));
  const pictures = [...document.querySelectorAll('svg')];
  const drawn = pictures.filter(svg => {
    const box = svg.getBoundingClientRect();
    return box.width > 200 && box.height > 120 && svg.querySelectorAll('path').length > 3 &&
      [...svg.querySelectorAll('text')].length > 3;
  });
  const small = pictures.map(svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * 7.5);
  return {overflow: document.documentElement.scrollWidth - wide, outside, pictures: pictures.length,
    drawn: drawn.length, smallest: Math.min(...small), background: getComputedStyle(document.body).backgroundColor,
    text: getComputedStyle(document.body).color,
    axis: getComputedStyle(document.querySelector('svg text')).fill};
}"""


def look(chromium: tuple[Any, str], file: Path, width: int, scheme: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a browser says of a page, and what it complains of."""
    driver, browser_path = chromium
    complaints: list[str] = []
    browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(file.as_uri())
    found: dict[str, Any] = page.evaluate(_LOOK)
    browser.close()
    return found, complaints


@pytest.fixture(scope="module")
def chromium() -> Any:
    """Return playwright's driver and the browser of this machine."""
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        yield driver, browser_path


@pytest.mark.devices
@pytest.mark.parametrize("width", [360, 820, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_whole_page(
    page: str, tmp_path: Path, chromium: tuple[Any, str], width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    found, complaints = look(chromium, file, width, scheme)
    assert complaints == []
    assert found["overflow"] <= 0
    assert found["outside"] == []
    assert found["drawn"] == found["pictures"] == PICTURES
    assert found["smallest"] >= 8  # CSS pixels of the smallest text in a picture
    back, text = (sum(map(int, re.findall(r"\d+", found[key])[:3])) for key in ("background", "text"))
    axis = sum(map(int, re.findall(r"\d+", found["axis"])[:3]))
    assert (back > 700 and text < 200 and axis < 200) if scheme == "light" else (back < 100 and text > 600 < axis)


@pytest.mark.devices
def test_the_browser_test_would_notice(page: str, tmp_path: Path, chromium: tuple[Any, str]) -> None:
    """Overflow, a blocked load, a style attribute and an empty picture are each seen by the test above."""
    file = tmp_path / "report.html"
    for harm in ("wide", "image", "style", "empty"):
        harmed = {
            "wide": page.replace("<main>", f"<main><p>{'x' * 500}</p>").replace("overflow-wrap: break-word", ""),
            "image": page.replace("<main>", '<main><img alt="" src="https://example.invalid/x.png">'),
            "style": page.replace("<main>", '<main><p style="color: red">x</p>'),
            "empty": re.sub(r"(<svg [^>]*>).*?</svg>", r"\1</svg>", page, count=1, flags=re.DOTALL),
        }[harm]
        if harm == "wide":  # the style sheet has changed: so does its hash
            style = re.search(r"<style>(.*?)</style>", harmed, re.DOTALL)
            assert style is not None
            digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
            harmed = re.sub(r"sha256-[^&']+", f"sha256-{digest}", harmed, count=1)
        file.write_text(harmed, encoding="utf-8")
        found, complaints = look(chromium, file, 820, "light")
        assert harmed != page
        noticed = {
            "wide": found["overflow"] > 0,
            "image": complaints != [],
            "style": complaints != [],
            "empty": found["drawn"] == found["pictures"] - 1,
        }[harm]
        assert noticed, (harm, found, complaints)
