"""The registry of noise sources: ours, other packages' by entry point, and what is broken among those."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fakes import Fake, simulated
from places import ROOT

from esoteric_drbg import EntropyPool, errors, noise_sources
from esoteric_drbg.noise_sources import Availability, NoiseSource, registry

BUILT_IN = sorted(registry.BUILT_IN)


def test_registry_of_built_in_sources() -> None:
    assert registry.names(plugins=False) == BUILT_IN
    assert [source.name for source in registry.installed(plugins=False)] == BUILT_IN
    assert {source.name for source in noise_sources.available()} <= set(registry.names())
    assert registry.create("memory_timing") is not registry.create("memory_timing")
    with pytest.raises(errors.InvalidInputError, match=f"'nothing'; installed: {BUILT_IN[0]}, "):
        registry.create("nothing")


class Plugin(Fake):
    """A source of another package."""

    info = simulated("recorded", estimated_rate=1.0)

    def __init__(self, **values: Any) -> None:
        super().__init__(bytes, **values)


class FakeEntry:
    def __init__(self, name: str, made: Any, value: str = "") -> None:
        self.name, self.value, self.made = name, value or f"fake:{name}", made

    def load(self) -> Any:
        if isinstance(self.made, BaseException):
            raise self.made
        return lambda: self.made


def install(monkeypatch: pytest.MonkeyPatch, *entries: FakeEntry) -> dict[str, NoiseSource]:
    """Install entry points and return what the registry makes of them, by name."""
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: list(entries))
    return {source.name: source for source in registry.installed()}


def test_plugins_good_and_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Plugin()
    impostor = Plugin(name="memory_timing")
    found = install(
        monkeypatch,
        FakeEntry("recorded", good),
        FakeEntry("missing", ModuleNotFoundError("no module named gone")),
        FakeEntry("leaving", SystemExit(3)),
        FakeEntry("number", 5),
        FakeEntry("misnamed", Plugin()),
        FakeEntry("memory_timing", impostor),
    )
    assert "SystemExit" in found["leaving"].availability().reason
    assert found["recorded"] is good
    assert "gone" in found["missing"].availability().reason
    assert "not a NoiseSource" in found["number"].availability().reason
    assert "calls itself 'recorded'" in found["misnamed"].availability().reason
    assert found["memory_timing"] is not impostor
    assert "belongs to" in found["memory_timing (fake:memory_timing)"].availability().reason
    assert registry.create("recorded") is good
    with pytest.raises(errors.SourceUnavailableError):
        registry.create("missing").read_raw(1)
    assert good in noise_sources.available()


def test_a_broken_plugin_never_takes_the_place_of_our_own_source(monkeypatch: pytest.MonkeyPatch) -> None:
    found = install(monkeypatch, FakeEntry("memory_timing", ImportError("gone")), FakeEntry("disk_io", 5))
    assert found["memory_timing"].is_available()
    assert type(found["disk_io"]).__name__ == "DiskIoSource"
    assert {"memory_timing (fake:memory_timing)", "disk_io (fake:disk_io)"} <= set(found)


def test_the_first_of_two_plugins_keeps_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Plugin(), Plugin()
    found = install(monkeypatch, FakeEntry("recorded", second, "b:two"), FakeEntry("recorded", first, "a:one"))
    assert found["recorded"] is first
    assert found["recorded (b:two)"].availability().reason == "the name 'recorded' belongs to another plug-in"


class Hollow(NoiseSource):
    """No metadata but its name, and an availability that raises."""

    def __init__(self) -> None:
        self.name = "hollow"

    def availability(self) -> Availability:
        raise OSError("bus gone")

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        return bytes(n_samples)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"description": ""}, "has no description"),
        ({"physics": None}, "has no physics"),
        ({"symbol_bits": 9}, "symbols of 9 bits"),
        ({"estimated_rate": 0.0}, "has no estimated_rate above 0"),
        ({"estimated_rate": float("inf")}, "has no estimated_rate above 0"),
        ({"claim": 0.5}, "has no Claim for symbols of 8 bits"),
        ({"symbol_bits": 4}, "has no Claim for symbols of 4 bits"),
    ],
)
def test_incomplete_metadata_is_a_reason_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    plugin = Plugin()
    for label, value in changes.items():
        setattr(plugin, label, value)
    found = install(monkeypatch, FakeEntry("recorded", plugin), FakeEntry("hollow", Hollow()))
    assert reason in found["recorded"].availability().reason
    assert "has no description" in found["hollow"].availability().reason
    assert not {"recorded", "hollow"} & {source.name for source in noise_sources.available()}
    assert {"recorded", "hollow"} <= {source.name for source in EntropyPool.auto().sources}


def test_an_availability_that_raises_is_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Plugin()
    monkeypatch.setattr(Plugin, "availability", Hollow.availability)
    found = install(monkeypatch, FakeEntry("recorded", plugin))
    assert "OSError: bus gone" in found["recorded"].availability().reason


def test_our_own_sources_are_made_without_a_look_at_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(group: str) -> NoReturn:
        raise AssertionError(group)

    monkeypatch.setattr(importlib.metadata, "entry_points", looked)
    assert registry.create("memory_timing").is_available()
    assert registry.names(plugins=False) == BUILT_IN


@pytest.mark.slow
def test_the_example_package_installs_and_appears(tmp_path: Path) -> None:
    example = ROOT / "examples" / "plugin_source"
    assert (example / "thread_switch_source.py").read_text() in (ROOT / "CONTRIBUTING.md").read_text()
    target = tmp_path / "site"
    copy = shutil.copytree(example, tmp_path / "package")  # the build leaves files beside what it builds
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(target),
        str(copy),
    ]
    subprocess.run(install, check=True)
    code = (
        "from esoteric_drbg.noise_sources import registry\n"
        "from esoteric_drbg import EntropyPool\n"
        "source = registry.create('thread_switch')\n"
        "assert len(source.collect(20)) == 20\n"
        "assert 'thread_switch' in [source.name for source in EntropyPool.auto().sources]\n"
    )
    path = os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
