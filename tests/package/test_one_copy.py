"""Ideas that had several copies have one."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from places import ROOT

from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.kernels.estimate_bounds import Z_99, most_common_value
from esoteric_drbg.noise_sources.lowest_estimate import lowest_estimate
from esoteric_drbg.noise_sources.quality import most_common_value as quick_estimate

FOLDERS = ("drbg", "noise_sources", "health_tests", "kernels", "conformance", "cli", "benchmarks")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(Path(path).read_text())


def test_z_is_written_once_and_is_the_nearest_double() -> None:
    found = [
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and 2.57 < node.value < 2.58
    ]
    assert found == ["kernels/estimate_bounds.py"]
    exact = Decimal("2.57582930354890076097")
    assert abs(Decimal(Z_99) - exact) < abs(Decimal(math.nextafter(Z_99, 0)) - exact)


def test_the_copies_of_the_most_common_value_estimate_are_one() -> None:
    symbols = bytes(value * value % 251 for value in range(3000))
    mode = max(map(symbols.count, set(symbols)))
    expected = most_common_value(mode, len(symbols))
    assert quick_estimate(symbols) == expected
    assert lowest_estimate(symbols).min_entropy <= expected
    coins = bytes(value & 1 for value in random.Random(2).randbytes(5000))
    assessed = assess_iid(coins, 1, seed=1, exact_count=100)
    assert assessed.passed
    assert assessed.h_original == quick_estimate(coins)


def test_progress_has_one_shape() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ClassDef) and node.name == "Progress")
        or (isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "Progress" for t in node.targets))
    ]
    assert [place.partition(":")[0] for place in found] == ["drbg/progress.py"]


def test_classes_of_results_have_names_of_their_own() -> None:
    names = [node.name for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert names.count("FalseAlarms") == 1


#: What gives a file its name, or writes one under its name.
WRITING = {"rename", "renames", "replace", "write_text", "write_bytes", "NamedTemporaryFile", "mkstemp"}
#: Modules that may, and why.
ALLOWED = {
    "drbg/atomic_write.py": "the one place",
    "conformance/esv/bundle.py": "inside the private folder of new_folder, which is renamed when it is complete",
    "noise_sources/timing/disk_io.py": "the file whose reads are timed: unlinked at once, it never has a name",
}


def writes(tree: ast.AST) -> list[str]:
    """Calls that write or rename files: of os, of a path, of open."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of_os = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "os"
        if name in WRITING and (name != "replace" or of_os):
            found.append(name)
        if name == "open" and not of_os:
            mode = next((word.value for word in node.keywords if word.arg == "mode"), None) or (
                node.args[-1] if node.args else None
            )
            words = mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""
            if set(words) & set("wax+") and set(words) <= set("wax+bt"):
                found.append(f"open {words}")
    return found


def test_files_are_written_by_atomic_write_alone() -> None:
    assert {name for name, tree in modules() if writes(tree)} == set(ALLOWED)


@pytest.mark.parametrize(
    "line", ["os.replace(a, b)", "path.write_text(x)", "path.open('w')", "open(p, 'ab')", "a.rename(b)"]
)
def test_the_search_for_writers_finds_them(line: str) -> None:
    assert writes(ast.parse(line))
