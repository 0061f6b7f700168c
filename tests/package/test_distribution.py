"""What an installation needs and brings: a core without dependencies, extras, floors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from places import ROOT

from esoteric_drbg.extras import EXTRA_OF, or_its_extra

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]
#: By the name of a package where it is imported, its name where it is installed, if that is another.
DISTRIBUTIONS = {"attr": "attrs", "dns": "dnspython"}
#: Extras whose floors CI tests: the others' need devices.
FLOORS_OF = ("cli", "lab", "cluster", "network", "report", "test")


def requirements(names: list[str]) -> dict[str, Requirement]:
    found = [Requirement(text) for text in names]
    return {one.name: one for one in found if one.name != "esoteric-drbg"}


def test_the_core_needs_nothing() -> None:
    assert PYPROJECT["project"]["dependencies"] == []


def test_the_extras_are_those_that_are_documented() -> None:
    documented = {"audio", "camera", "ble", "gpu", "network", "report", "cluster", "test", "dev", "cli", "lab"}
    assert set(EXTRAS) >= documented


@pytest.mark.parametrize("package", EXTRA_OF)
def test_every_package_comes_with_the_extra_that_errors_name(package: str) -> None:
    assert DISTRIBUTIONS.get(package, package) in requirements(EXTRAS[EXTRA_OF[package]])


@pytest.mark.parametrize("group", ["test", "dev"])
def test_groups_and_extras_list_the_same_tools(group: str) -> None:
    grouped: list[str] = [text for text in PYPROJECT["dependency-groups"][group] if isinstance(text, str)]
    assert grouped == [text for text in EXTRAS[group] if not text.startswith("esoteric-drbg")]


def test_the_floors_that_are_tested_are_those_that_are_declared() -> None:
    declared = {}
    for extra in FLOORS_OF:
        for name, one in requirements(EXTRAS[extra]).items():
            (floor,) = [part.version for part in one.specifier if part.operator == ">="]
            declared[name] = Version(floor)
    tested = {}
    for line in (ROOT / "constraints" / "floors.txt").read_text().splitlines():
        name, equals, version = line.partition("==")
        if equals:
            tested[name] = Version(version)
    assert tested == declared


def test_a_package_of_no_extra_is_not_explained() -> None:
    error = ModuleNotFoundError("No module named 'nothing'", name="nothing")
    assert or_its_extra(error) is error


WITHOUT = "import sys\nfor name in {names!r}: sys.modules[name] = None\n"
#: Everything that the core promises, and what it says where an extra is needed.
CORE = """
import asyncio, esoteric_drbg
from esoteric_drbg import EntropyPool, aio
from esoteric_drbg.noise_sources import registry
assert len(esoteric_drbg.token_bytes(32)) == 32 and esoteric_drbg.randbelow(6) < 6
assert len(asyncio.run(aio.token_bytes(16))) == 16
assert len(esoteric_drbg.RandomFile().read(100)) == 100
pool = EntropyPool.for_tokens()
assert len(pool.get_random_bytes(8)) == 8 and pool.health_report()["sources"]
def says(act, extra):
    try:
        act()
    except esoteric_drbg.EsotericDRBGError as error:
        assert f'pip install "esoteric-drbg[{extra}]"' in str(error), error
    else:
        raise AssertionError(extra)
says(lambda: esoteric_drbg.BitGenerator, "lab")
says(lambda: __import__("esoteric_drbg.conformance").conformance.assess_iid, "lab")
says(lambda: pool.sources[0].collect(8), "lab")
print("fine")
"""


def run(code: str, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-W", "error", "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_core_works_without_any_extra_and_says_what_needs_one() -> None:
    done = run(WITHOUT.format(names=tuple(EXTRA_OF)) + CORE)
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("click", "info"),
        ("rich", "scan"),
        ("numpy", "assess non-iid {path}"),
        ("attrs", "assess iid {path}"),
        ("scipy", "plan --h 1"),
    ],
)
def test_a_command_without_its_extra_is_one_line_and_code_2(package: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / "noise.bin"
    path.write_bytes(bytes(range(256)) * 8)
    names = (package, "attr") if package == "attrs" else (package,)
    code = WITHOUT.format(names=names) + "from esoteric_drbg.__main__ import main\nmain()\n"
    done = run(code, *command.format(path=path).split())
    assert (done.returncode, done.stdout) == (2, "")
    said = re.fullmatch(r'Error: (\w+) is not installed: pip install "esoteric-drbg\[(\w+)\]"\n', done.stderr)
    assert said is not None, done.stderr
    assert said.groups() in {(name, EXTRA_OF[name]) for name in names}
    assert sorted(os.listdir(tmp_path)) == ["noise.bin"]


@pytest.mark.slow
def test_a_wheel_of_the_core_gives_tokens_in_a_fresh_environment(tmp_path: Path) -> None:
    """Build it without Rust, from a copy in which an editable install left its extension, and install it alone."""
    source, wheels, fresh = tmp_path / "source", tmp_path / "wheels", tmp_path / "fresh"
    hidden = shutil.ignore_patterns(".*", "build", "target", "tests", "docs", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=hidden)
    (source / "kernels" / "_native.abi3.so").write_bytes(b"stale")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(source)]
    done = subprocess.run(
        build, env={**os.environ, "ESOTERIC_DRBG_RUST": "off"}, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".so", ".pyd"))]
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    assert [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text] == []
    assert set(metadata.get_all("Provides-Extra", [])) == set(EXTRAS)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True, timeout=60)
    python = str(fresh / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([*pip, "--python", python, "install", "--quiet", "--no-index", wheel], check=True, timeout=120)
    # -I: what PYTHONPATH names is not in a user's environment.
    user = {name: value for name, value in os.environ.items() if not name.startswith("ESOTERIC_DRBG_")}
    done = subprocess.run(
        [python, "-I", "-c", CORE], capture_output=True, text=True, check=False, timeout=120, env=user
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
    command = [python, "-I", "-m", "esoteric_drbg", "info"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=user)
    assert done.returncode == 2
    assert done.stderr == 'Error: click is not installed: pip install "esoteric-drbg[cli]"\n'
