"""The rooms of the package: no circle of files, and files that can be read. Doors that open one way: .importlinter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from places import ROOT

FOLDERS = ("drbg", "benchmarks", "cli", "conformance", "health_tests", "kernels", "noise_sources")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "drbg" else parts
    return ".".join(("esoteric_drbg", *(parts[:-1] if parts[-1] == "__init__" else parts)))


FILES = {module_of(path): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """Give every module of ours that a file imports, wherever in the file, for types alone too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in FILES else node.module


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1 or node in graph.get(node, ()):
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_the_search_finds_circles() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a"}}) == [["b", "c"], ["d"]]


def test_no_circle_of_python_files() -> None:
    graph = {module: {other for other in imported(path) if other in FILES} for module, path in FILES.items()}
    assert len(graph) > 200
    # What a package names is loaded when it is asked for: naming is no import of the package's own modules.
    for module, path in FILES.items():
        if path.name == "__init__.py" and "_lazy_names(" in path.read_text():
            graph[module] = {other for other in graph[module] if not other.startswith(f"{module}.")}
    assert circles(graph) == []


def test_files_are_not_long() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in FILES.values() if (n := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_every_file_says_what_it_is_for() -> None:
    for path in FILES.values():
        first = path.read_text().split("\n", 1)[0]
        assert re.match(r'"""\S', first), path
