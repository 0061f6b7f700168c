"""Reports: the same bytes from the same files, nothing loaded from elsewhere, and pages that a browser shows whole."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance import assess_non_iid, assess_restart
from esoteric_drbg.conformance.audit import false_alarms
from esoteric_drbg.conformance.report import (
    LEDGER_FILE,
    markdown,
    read_report,
    write_audit,
    write_independence,
    write_ledger,
)

ROWS, COLUMNS = 12, 100


def audit_of(folder: Path, name: str, verdict: str, symbols: bytes) -> None:
    """Write a small recording and what an audit of it would have found."""
    (folder / f"{name}.bin").write_bytes(symbols)
    (folder / f"{name}.restarts.bin").write_bytes(symbols[: ROWS * COLUMNS])
    sequential = assess_non_iid(symbols, 8, threads=1)
    restart = assess_restart(symbols[: ROWS * COLUMNS], 0.5, bits=8, rows=ROWS, columns=COLUMNS, threads=1)
    audit: dict[str, Any] = {
        "name": name,
        "verdict": verdict,
        "reasons": ["the reason <b>&</b> more"],
        "h_submitter": 0.5,
        "credit": 0.0 if verdict == "no evidence" else 0.5,
        "h_original": sequential.h_original,
        "h_bitstring": sequential.h_bitstring,
        "h_row": restart.h_row,
        "h_column": restart.h_column,
        "h_assessed": sequential.h_assessed,
        "credited_bits_per_second": 1234.5,
        "left_out": ["most"],
        "sequential": sequential.as_dict(),
        "restart": restart.as_dict(),
        "false_alarms": [attrs.asdict(test) for test in false_alarms(symbols, 0.01)],
        "machine": {"cpu": "a CPU"},
    }
    write_audit(folder, audit)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit")
    generator = random.Random(3)
    audit_of(path, "alpha", "holds", generator.randbytes(6000))
    audit_of(path, "beta", "too high", bytes(generator.choices(range(4), k=6000)))
    audit_of(path, "gamma", "no evidence", generator.randbytes(6000))
    assert write_ledger(path) == path / LEDGER_FILE
    pairs = [
        {"first": "alpha", "second": "beta", "adjusted_p": 0.5, "verdict": "independent"},
        {"first": "alpha", "second": "gamma", "adjusted_p": 1e-9, "verdict": "dependent"},
        {"first": "beta", "second": "gamma", "adjusted_p": 1.0, "verdict": "independent"},
    ]
    write_independence(path, {"passed": False, "sources": ["alpha", "beta", "gamma"], "pairs": pairs})
    return path


def test_markdown_puts_verdicts_first(folder: Path) -> None:
    text = markdown(read_report(folder))
    assert "Claims too high: 1 (beta); claims that hold: 1; sources credited nothing: 1." in text
    assert [line for line in text.splitlines() if line.startswith("## ")][:3] == [
        "## beta: too high",
        "## alpha: holds",
        "## gamma: no evidence",
    ]
    assert "never: above the window" in text
    assert "## Ledger of a seed" in text
    assert "| alpha, gamma | 1e-09 | dependent |" in text
    assert "| 90B 3.1.1 | 1,000,000 consecutive samples | no: beta, alpha | record |" in text
    assert markdown(read_report(folder)) == text


def test_the_page_loads_nothing_and_is_the_same_every_time(folder: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    from esoteric_drbg.conformance.report_page import html

    page = html(read_report(folder))
    assert page == html(read_report(folder))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://|<link|@import|url\(", page)
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert page.count("<img ") == 22
    assert page.count(' alt="') == 22
    assert "The reason &lt;b&gt;&amp;&lt;/b&gt; more" in page
    assert page.index('id="beta"') < page.index('id="alpha"') < page.index('id="gamma"')


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
    from esoteric_drbg.conformance.report_page import html

    shutil.copy(folder / "alpha.audit.json", tmp_path)
    with pytest.raises(errors.InvalidInputError, match=r"alpha\.bin"):
        html(read_report(tmp_path))
    (tmp_path / "alpha.bin").write_bytes(b"short")
    with pytest.raises(errors.InvalidInputError, match="has 5 samples; the audit was of 6,000"):
        html(read_report(tmp_path))


def test_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["report", str(folder)])
    assert answer.exit_code == 0
    assert answer.output.startswith("# Entropy source report\n")
    out = tmp_path / "report.md"
    assert CliRunner().invoke(cli, ["report", str(folder), "-o", str(out)]).exit_code == 0
    assert out.read_text() == answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


@pytest.mark.devices
@pytest.mark.parametrize("width", [360, 800, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_whole_page(folder: Path, tmp_path: Path, width: int, scheme: str) -> None:
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        pytest.skip("no Chromium on this machine")
    from esoteric_drbg.conformance.report_page import html

    page_file = tmp_path / "report.html"
    page_file.write_text(html(read_report(folder)), encoding="utf-8")
    complaints: list[str] = []
    requests: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())
        drawn = page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth > 0).length")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        browser.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    assert drawn == 22
    assert overflow <= 0
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 22, 28)")
    assert json.loads((folder / "beta.audit.json").read_text())["verdict"] == "too high"
