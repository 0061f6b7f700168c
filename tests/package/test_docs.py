"""Documentation runs: docstring examples, the README's Python and its commands."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

import esoteric_drbg
from esoteric_drbg.cli.main import cli

README = (ROOT / "README.md").read_text()
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(esoteric_drbg.__path__, "esoteric_drbg.")
    if not info.name.endswith(("__main__", "_native"))
)
#: A test file's name is found once.
TEST_FILES = {path.name: path for path in ROOT.glob("tests/**/test_*.py")}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_public_examples_exist() -> None:
    counted = sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES)
    assert counted >= 30


@pytest.mark.parametrize("page", [page for page in PAGES if ">>> " in page.read_text()], ids=lambda page: page.name)
def test_examples_of_the_pages(page: Path) -> None:
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_readme_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True, stdout=subprocess.DEVNULL)


def test_readme_opens_with_the_two_commands() -> None:
    opening = README[:900]
    assert "python3 bootstrap.py run" in opening
    assert "python3 bootstrap.py test" in opening
    done = subprocess.run([sys.executable, str(ROOT / "bootstrap.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "bootstrap.py run" in done.stderr
    assert "bootstrap.py test" in done.stderr


def test_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"^\| `esoteric-drbg ([\w-]+)", README, re.MULTILINE))
    assert named == set(cli.commands)


def test_contributing_shows_the_example_package() -> None:
    example = (ROOT / "examples" / "plugin_source" / "thread_switch_source.py").read_text()
    assert example in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_no_claim_of_validation() -> None:
    assert "Not validated" in README
    for page in PAGES:
        for line in page.read_text().splitlines():
            assert not re.search(r"\b(is|are|was|has been) (FIPS|NIST|CMVP|CAVP)?[- ]?(validated|certified)\b", line), (
                line
            )


def test_environment_switches_are_documented() -> None:
    for switch in ("ESOTERIC_DRBG_RUST", "ESOTERIC_DRBG_KERNELS"):
        assert switch in README
    assert "ESOTERIC_DRBG_VECTORS" in (ROOT / "CONTRIBUTING.md").read_text()
    assert os.environ.get("ESOTERIC_DRBG_KERNELS", "auto") in {"auto", "rust", "reference"}


def test_the_map_of_sp800_90a_names_what_exists() -> None:
    rows = [line for line in (ROOT / "docs/sp800-90a.md").read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= 90
    for row in rows:
        _, _, _, where, tests, met, _ = row.split("|")
        assert met.strip()
        for name in re.findall(r"`([\w.]+)`", where):
            pkgutil.resolve_name(f"esoteric_drbg.{name}")
        for file, test in re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests):
            assert re.search(rf"^def {test}\(", TEST_FILES[file].read_text(), re.MULTILINE), (file, test)
        for page in re.findall(r"\]\(([\w.-]+\.md)\)", row):
            assert (ROOT / "docs" / page).exists(), page


def test_the_threat_model_names_what_exists() -> None:
    page = (ROOT / "docs/threat-model.md").read_text()
    rows = [
        line
        for line in page.splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| Asset | Adversary | Promise | Mechanism | Test |"))
    ]
    assert len(rows) >= 60
    for row in rows:
        _, asset, adversary, promise, mechanism, tests, _ = row.split("|")
        assert all(cell.strip() for cell in (asset, adversary, promise)), row
        files = re.findall(r"`([\w/]+\.(?:py|rs))`", mechanism)
        assert files or mechanism.strip() == "all of the above", row
        for file in files:
            assert (ROOT / file).exists(), file
        assert re.search(r"`test_\w+\.py::test_\w+`", tests), row
        assert not re.sub(r"`test_\w+\.py::test_\w+`|[, ]", "", tests), tests
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)
    for file, test in named:
        assert re.search(rf"^(?:async )?def {test}\(", TEST_FILES[file].read_text(), re.MULTILINE), (file, test)
    assert page.count(".py::") == len(named)


def test_the_map_of_the_rooms_names_what_exists() -> None:
    """A newcomer finds every room and every key file that the pages name, and no package is left out."""
    pages = [(ROOT / "docs" / name).read_text() for name in ("architecture.md", "kernels.md")]
    rooms: set[str] = set()
    for row in re.findall(r"^\| `\w[\w/]*/` \|.*$", "\n".join(pages), re.MULTILINE):
        room, _, files = (re.findall(r"`([\w./-]+)`", cell) for cell in row.strip("| ").split(" | "))
        rooms.add(room[0].rstrip("/"))
        for file in ("", *files):
            assert (ROOT / room[0] / file).exists(), (room, file)
    for path in re.findall(r"`((?:\w+/)+(?:\w+\.(?:py|rs))?)`", "\n".join(pages)):
        assert any((ROOT / room / path).exists() for room in ("", *rooms)), path
    tops = ("benchmarks", "cli", "conformance", "drbg", "health_tests", "kernels", "noise_sources")
    packages = {init.parent.relative_to(ROOT).as_posix() for top in tops for init in (ROOT / top).rglob("__init__.py")}
    assert packages - {"cli/assess", "cli/audit", "conformance", "drbg"} == rooms & packages


def test_every_public_package_has_a_page_of_the_reference() -> None:
    texts = [page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md")]
    rendered = {name for text in texts for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    public = ("aio", "conditioning", "conformance", "errors", "health_tests", "noise_sources")
    assert {"esoteric_drbg", *(f"esoteric_drbg.{name}" for name in public)} <= rendered
    for name in rendered:
        assert pkgutil.resolve_name(name).__doc__
