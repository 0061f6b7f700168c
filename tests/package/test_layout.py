"""The folder mapping and its traps: every cure of the design is in place."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

import esoteric_drbg

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("drbg", "benchmarks", "cli", "conformance", "health_tests", "kernels", "noise_sources")
BARE_NAMES = FOLDERS


def test_every_folder_with_python_in_it_is_a_package() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def found_by_setup() -> dict[str, str]:
    """Return what setup.py finds, without the build tools that it imports."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    wanted: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Assign | ast.FunctionDef)]
    names: dict[str, Any] = {"Path": Path, "__file__": str(ROOT / "setup.py"), "RustExtension": object}
    exec(compile(ast.fix_missing_locations(ast.Module(wanted, [])), "setup.py", "exec", dont_inherit=True), names)
    folders: dict[str, str] = names["package_dir"]()
    return folders


def test_setup_finds_every_package_and_nothing_else() -> None:
    package_dir = found_by_setup()
    found = {path.parent.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")}
    assert {Path(folder) for folder in package_dir.values()} == found
    for name, folder in package_dir.items():
        parts = Path(folder).parts
        assert name == ".".join(("esoteric_drbg", *(parts[1:] if parts[0] == "drbg" else parts)))
    installed = {info.name for info in pkgutil.walk_packages(esoteric_drbg.__path__, "esoteric_drbg.") if info.ispkg}
    assert installed == set(package_dir) - {"esoteric_drbg"}


def test_bare_names_never_enter_sys_modules() -> None:
    code = (
        "import sys, pkgutil, importlib, esoteric_drbg\n"
        "for info in pkgutil.walk_packages(esoteric_drbg.__path__, 'esoteric_drbg.'):\n"
        "    if not info.name.endswith('__main__'): importlib.import_module(info.name)\n"
        f"print([name for name in {BARE_NAMES!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_installed_package_is_tested_not_the_checkout() -> None:
    assert Path(esoteric_drbg.__file__).parent.name == "esoteric_drbg"


def test_nothing_in_health_tests_looks_like_a_test_to_pytest() -> None:
    for path in (ROOT / "health_tests").rglob("*.py"):
        assert not path.name.startswith("test_")
        assert not path.name.endswith("_test.py")
        tree = ast.parse(path.read_text())
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        assert not [name for name in names if name.startswith("Test")], path


def test_the_version_is_written_once() -> None:
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    cargo = tomllib.loads((ROOT / "native" / "Cargo.toml").read_text())
    assert cargo["workspace"]["package"]["version"] == "0.0.0"
    version = esoteric_drbg.__version__
    hits = [
        path.relative_to(ROOT)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if f'"{version}"' in path.read_text()
    ]
    assert hits == [Path("drbg/version.py")]


def test_the_sdist_never_carries_built_binaries() -> None:
    manifest = (ROOT / "MANIFEST.in").read_text()
    assert "prune native/target" in manifest
    assert "global-exclude *.so" in manifest


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_use_absolute_package_imports(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        assert not [module for module in modules if module.split(".")[0] in BARE_NAMES], path
