"""The rooms of the Rust crates: no circle of files, no Python in the core, no choice at run time without a check."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
CRATES = ("core", "python")
CORE = sorted((NATIVE / "core").rglob("*.rs"))
#: A path of the crate, as code has it: ``super::super::text``, ``crate::memory::{zeros, wipe::{after}}``.
PATHS = re.compile(r"(?<![$\w])((?:crate|self|super)(?:::\w+)*)::(?:(\w+)|(\{[^;]*?\})(?=;))")
MOST_LINES = 420


def code(text: str) -> str:
    return re.sub(r"//[^\n]*", "", text)


def module_of(source: Path, path: Path) -> tuple[str, ...]:
    parts = path.relative_to(source).with_suffix("").parts
    return parts[:-1] if parts[-1] in {"mod", "lib"} else parts


def groups(prefix: str, group: str) -> Iterator[str]:
    """Yield the paths of ``prefix::{a, b::{c, d}}``."""
    depth, item = 0, ""
    for letter in group[1:-1] + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter != "," or depth:
            item += letter
            continue
        name, brace, rest = item.strip().partition("::{")
        if brace:
            yield from groups(f"{prefix}::{name}", "{" + rest)
        elif name:
            yield f"{prefix}::{name}"
        item = ""


def inner_modules(text: str, place: int) -> tuple[str, ...]:
    """Return the modules within a file that a place lies in; the text is formatted."""
    found = []
    for start in re.finditer(r"^( *)(?:pub(?:\(\w+\))? )?mod (\w+) \{$", text[:place], re.MULTILINE):
        end = text.find(f"\n{start[1]}}}\n", start.end())
        if end < 0 or place < end:
            found.append(start[2])
    return tuple(found)


def uses(modules: dict[tuple[str, ...], str], module: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the other files of the crate that one names."""
    text = modules[module]
    named = []
    for match in PATHS.finditer(text):
        base = (*module, *inner_modules(text, match.start()))
        for path in groups(match[1], match[3]) if match[3] else [f"{match[1]}::{match[2]}"]:
            at = base
            for part in path.split("::"):
                at = () if part == "crate" else at[:-1] if part == "super" else at if part == "self" else (*at, part)
            named.append(at)
    children = [other for other in modules if other[:-1] == module and other]
    named += [child for child in children if re.search(rf"(?<![\w:]){child[-1]}::", text)]
    files = {next(at[:n] for n in range(len(at), -1, -1) if at[:n] in modules) for at in named}
    return files - {module}


def circle(edges: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[str]:
    """Return the modules that are in a circle, or lie between two."""
    left = dict(edges)
    while ready := [module for module, used in left.items() if not used & left.keys()]:
        for module in ready:
            del left[module]
    return ["::".join(module) or "lib" for module in sorted(left)]


def crate_edges(files: dict[str, str]) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    modules = {module_of(Path(), Path(name)): code(text) for name, text in files.items()}
    return {module: uses(modules, module) for module in modules}


@pytest.mark.parametrize("crate", CRATES)
def test_no_circle_of_files(crate: str) -> None:
    source = NATIVE / crate / "src"
    edges = crate_edges({str(path.relative_to(source)): path.read_text() for path in source.rglob("*.rs")})
    assert len(edges) > 10
    assert sum(map(len, edges.values())) > len(edges), "the uses were not read"
    assert circle(edges) == []


def test_a_circle_would_be_seen() -> None:
    files = {
        "lib.rs": "mod a;\nmod b;\n",
        "a.rs": "use crate::{b::{one, two}, c};\n",
        "b/mod.rs": "mod inner;\npub use inner::one;\n",
        "b/inner.rs": "#[cfg(test)]\nmod tests {\n    use super::super::super::a::three;\n    use super::*;\n}\n",
        "c.rs": "// use crate::a;\n",
    }
    assert circle(crate_edges(files)) == ["a", "b", "b::inner"]
    assert circle(crate_edges(files | {"b/inner.rs": "fn one() {}\n"})) == []


def test_the_core_knows_no_python() -> None:
    manifest = tomllib.loads((NATIVE / "core" / "Cargo.toml").read_text())
    assert "pyo3" not in manifest["dependencies"]
    assert len(CORE) > 40
    for path in CORE:
        assert not re.search(r"pyo3|Python<|\bPy[A-Z]", code(path.read_text())), path


def test_files_are_short_and_in_rooms() -> None:
    for path in NATIVE.glob("*/src/**/*.rs"):
        assert len(path.read_text().splitlines()) <= MOST_LINES, path
    assert len(list((NATIVE / "core" / "src").glob("*.rs"))) <= 5


def test_every_path_chosen_at_run_time_is_checked_when_paths_are_asked_for() -> None:
    """What a room lists, ``refused_paths`` checks; anything else is checked at its first use, and not announced."""
    source = NATIVE / "core" / "src"
    found = 0
    for path in CORE:
        text = code(path.read_text()).partition("#[cfg(test)]\nmod tests")[0]
        for name in re.findall(r"checked by (\w+): |static (PATH): Path", text):
            room = (path.parent / "mod.rs").read_text()
            listed = rf"&{path.stem}::{''.join(name)}\b"
            assert re.search(listed, room), f"{path.relative_to(source)}: {name} is not in PATHS of its room"
            found += 1
    assert found > 30
    # Who looks at the CPU beside them: RDSEED, which computes nothing, and what overwrites registers.
    choosing = {str(path.relative_to(source)) for path in CORE if "feature_detected!" in code(path.read_text())}
    assert choosing == {"memory/wipe.rs", "rdseed.rs", "sha256/sha_ni.rs", "simd/multiversion.rs"}
