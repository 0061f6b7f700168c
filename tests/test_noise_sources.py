"""Noise sources: metadata, the reading contract, the registry and its plug-ins. Never a p-value of live noise."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from esoteric_drbg import errors, noise_sources
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.reference import timing as reference
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import Availability, Claim, Evidence, NoiseSource, registry
from esoteric_drbg.noise_sources import rdseed as rdseed_module
from esoteric_drbg.noise_sources.quality import entropy_quality, grade, most_common_value, shannon
from esoteric_drbg.noise_sources.timed import TimedSource

ROOT = Path(__file__).resolve().parent.parent
BUILT_IN = sorted(registry.BUILT_IN)
CATEGORIES = {"timing", "memory", "storage", "system", "cpu_rng", "network", "sensor", "gpu"}


def readable(name: str) -> NoiseSource:
    source = registry.create(name)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    return source


@pytest.mark.parametrize("name", BUILT_IN)
def test_metadata_is_complete(name: str) -> None:
    source = registry.create(name)
    assert source.name == name
    assert source.description
    assert len(source.description) < 70
    assert source.category in CATEGORIES
    assert len(source.physics) > 40
    assert source.independence_group
    assert 1 <= source.symbol_bits <= 8
    assert source.estimated_rate > 0
    assert source.claim.symbol_bits == source.symbol_bits
    assert 0 < source.claim.cutoff_entropy <= source.symbol_bits
    assert isinstance(source.physical, bool)
    assert "Examples" in (type(source).__doc__ or "") or "docs/sources" in (type(source).__doc__ or "")


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_source_has_its_page_and_the_page_states_the_claim(name: str) -> None:
    page = (ROOT / "docs" / "sources" / f"{name}.md").read_text()
    source = registry.create(name)
    assert f"`{source.independence_group}`" in page
    claims = source.claims if isinstance(source, TimedSource) else {"any": source.claim}
    for claim in claims.values():
        if claim.evidence is None:
            continue
        assert f"{claim.min_entropy:g}" in page
        assert f"{claim.evidence.assessed:g}" in page
        assert claim.evidence.date in page
        assert claim.evidence.machine_class in page
        assert claim.min_entropy <= claim.evidence.assessed / 2


@pytest.mark.parametrize("name", BUILT_IN)
def test_reading_contract(name: str) -> None:
    source = readable(name)
    raw = source.read_raw(50)
    assert isinstance(raw, bytes)
    assert len(raw) == 50
    collected = source.collect(64)
    assert collected.dtype == np.uint8
    assert collected.shape == (64,)
    wide = source.read_wide(20)
    assert isinstance(wide, array)
    assert wide.typecode == "Q"
    assert len(wide) == 20
    digitized = source.digitize(wide)
    assert len(digitized) == 20
    assert max(digitized) < 1 << source.symbol_bits
    for bad in (0, -1):
        with pytest.raises(errors.InvalidInputError, match="n_samples"):
            source.collect(bad)


@pytest.mark.parametrize("name", BUILT_IN)
def test_bounded_sources_honour_their_deadline(name: str) -> None:
    source = readable(name)
    if not source.bounded and name != "disk_io":
        pytest.skip(f"{name} leaves its deadline to the pool")
    source.read_raw(10)
    began = time.perf_counter()
    got = source.read_raw(200_000_000 if name != "rdseed" else 10, deadline_s=0.05)
    assert time.perf_counter() - began < 3
    assert len(got) < 200_000_000


@pytest.mark.parametrize("name", BUILT_IN)
def test_entropy_quality(name: str) -> None:
    figures = readable(name).entropy_quality(1000)
    assert set(figures) == {"grade", "shannon", "min_entropy", "compression_ratio", "samples", "seconds"}
    assert figures["grade"] in "ABCDEF"
    assert 0 <= figures["min_entropy"] <= figures["shannon"] + 1e-9 <= 8 + 1e-9
    assert figures["samples"] == 1000
    assert figures["seconds"] > 0


def test_quality_figures_of_known_data() -> None:
    uniform = bytes(range(256)) * 40
    assert shannon(uniform) == pytest.approx(8)
    assert most_common_value(uniform) == pytest.approx(7.5079, abs=1e-4)
    assert most_common_value(bytes(100)) == shannon(bytes(100)) == 0.0
    assert str(most_common_value(bytes(100))) == "0.0"
    assert [grade(value, 8) for value in (8, 6, 5.9, 4, 2, 0.8, 0.16, 0.15, 0)] == list("AABBCDEFF")
    assert grade(0.5, 1) == "B"


class Recorded(NoiseSource):
    """Symbols out of a fixed list."""

    name = "recorded"
    description = "fixed"
    category = "system"
    physics = "none"
    independence_group = "test"
    estimated_rate = 1.0

    def __init__(self, data: bytes, reason: str = "") -> None:
        self.data = data
        self.reason = reason

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        return self.data[:n_samples]


def test_defaults_a_contributor_inherits() -> None:
    source = Recorded(bytes(range(100)))
    assert source.is_available()
    assert source.collect(5).tolist() == [0, 1, 2, 3, 4]
    assert list(source.read_wide(3)) == [0, 1, 2]
    assert source.digitize(array("Q", [257, 1 << 40])) == b"\x01\x00"
    assert source.claim.credit == 0
    with pytest.raises(errors.SourceReadError, match="100 symbols came, 101"):
        source.collect(101)
    with pytest.raises(errors.SourceUnavailableError, match="no device"):
        Recorded(b"x", "no device").collect(1)
    assert entropy_quality(Recorded(bytes(1000)), 1000)["grade"] == "F"


def test_wide_values_digitize_to_symbols() -> None:
    step = counter_step()
    assert step >= 1
    source = registry.create("memory_timing")
    wide = source.read_wide(2000)
    assert all(value % step == 0 for value in wide) or step == 1
    assert source.digitize(array("Q", [0, step, 255 * step, 256 * step, 300 * step])) == bytes([0, 1, 255, 0, 44])
    assert source.digitize(array("Q", [2 * step - 1])) == bytes([1])


KINDS = ["clock", "sleep", "memory", "cpu"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("twin", ["native", "reference"])
def test_samplers_keep_one_contract(kind: str, twin: str, request: pytest.FixtureRequest) -> None:
    module: Any = request.getfixturevalue("native") if twin == "native" else reference
    sampler = module.TimingSampler(kind, buffer_bytes=4096, touches=2)
    assert len(sampler.read_symbols(70)) == 70
    wide = sampler.read_wide(70)
    assert len(wide) == 560
    assert all(int.from_bytes(wide[begin : begin + 8], "little") > 0 for begin in range(0, 560, 8))
    began = time.perf_counter()
    assert 0 < len(sampler.read_symbols(50_000_000, 0.02)) < 50_000_000
    assert time.perf_counter() - began < 2
    for bad in (0, -5):
        with pytest.raises(errors.InvalidInputError, match="n_samples"):
            sampler.read_symbols(bad)
    for deadline in (0.0, -1.0, float("nan")):
        with pytest.raises(errors.InvalidInputError, match="deadline_s"):
            sampler.read_wide(5, deadline)


@pytest.mark.parametrize("twin", ["native", "reference"])
def test_samplers_refuse_nonsense(twin: str, request: pytest.FixtureRequest) -> None:
    module: Any = request.getfixturevalue("native") if twin == "native" else reference
    for arguments in (
        ("warp", {}),
        ("memory", {"buffer_bytes": 1000}),
        ("memory", {"touches": 0}),
        ("cpu", {"buffer_bytes": 128}),
    ):
        with pytest.raises(errors.InvalidInputError):
            module.TimingSampler(arguments[0], **arguments[1])


def test_one_sampler_read_by_two_threads_fails_rather_than_waits() -> None:
    source = registry.create("sleep_jitter")
    source.read_raw(1)
    worker = threading.Thread(target=source.read_raw, args=(100_000,), kwargs={"deadline_s": 0.5})
    worker.start()
    time.sleep(0.1)
    with pytest.raises(errors.SourceReadError, match="another thread"):
        source.read_raw(1)
    worker.join()
    assert len(source.read_raw(1)) == 1


def test_step_of_the_native_counter_divides_it(native: ModuleType) -> None:
    step = native.counter_step()
    reads = [native.read_counter() for _ in range(1000)]
    assert reads == sorted(reads)
    assert {(later - reads[0]) % step for later in reads} == {0}


def test_rdseed_says_why_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.create("rdseed")
    assert source.claim.credit == 0
    monkeypatch.setattr(rdseed_module, "rdseed_supported", lambda: False)
    available, reason = source.availability()
    assert not available
    assert reason
    with pytest.raises(errors.SourceUnavailableError, match="rdseed"):
        source.read_raw(1)
    if kernel_info().name == "rust":
        monkeypatch.setattr(rdseed_module, "rdseed_supported", lambda: True)
        monkeypatch.setattr(rdseed_module, "_withdrawn_by_kernel", lambda: True)
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        assert "erratum" in source.availability().reason
        monkeypatch.setattr(rdseed_module, "_withdrawn_by_kernel", lambda: False)
        assert source.is_available()
    else:
        assert "Rust kernels" in reason


def test_rdseed_kernel_agrees_with_the_cpu(native: ModuleType) -> None:
    if not native.rdseed_supported():
        with pytest.raises(errors.SourceUnavailableError):
            native.rdseed_bytes(8)
    else:
        assert len(native.rdseed_bytes(20)) <= 20


def test_disk_io_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = registry.create("disk_io")
    source.collect(20)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    missing = registry.create("disk_io")
    assert str(tmp_path / "gone") in missing.availability().reason


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc/self/fd to count handles")
@pytest.mark.parametrize("name", BUILT_IN)
def test_no_handle_thread_or_file_leaks(name: str) -> None:
    source = readable(name)
    source.collect(5)
    handles, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(100):
        source.collect(2)
    assert len(os.listdir("/proc/self/fd")) == handles
    assert threading.active_count() == threads
    for _ in range(20):
        registry.create(name).collect(2)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= handles


def test_the_seed_path_imports_no_numpy() -> None:
    code = (
        "import sys\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "for source in registry.installed(plugins=False):\n"
        "    if source.is_available(): source.read_raw(3)\n"
        "assert 'numpy' not in sys.modules and 'importlib.metadata' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_registry_of_built_in_sources() -> None:
    assert registry.names(plugins=False) == BUILT_IN
    assert [source.name for source in registry.installed(plugins=False)] == BUILT_IN
    assert {source.name for source in noise_sources.available()} <= set(registry.names())
    assert registry.create("memory_timing") is not registry.create("memory_timing")
    with pytest.raises(errors.InvalidInputError, match="'nothing'; installed: clock_jitter"):
        registry.create("nothing")


class FakeEntry:
    def __init__(self, name: str, made: Any) -> None:
        self.name, self.value, self.made = name, f"fake:{name}", made

    def load(self) -> Any:
        if isinstance(self.made, Exception):
            raise self.made
        return lambda: self.made


def test_plugins_good_and_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Recorded(b"abc")
    impostor = Recorded(b"abc")
    impostor.name = "memory_timing"  # type: ignore[misc]
    entries = [
        FakeEntry("recorded", good),
        FakeEntry("missing", ModuleNotFoundError("no module named gone")),
        FakeEntry("number", 5),
        FakeEntry("misnamed", Recorded(b"abc")),
        FakeEntry("memory_timing", impostor),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
    found = {source.name: source for source in registry.installed()}
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


def test_claims_are_checked() -> None:
    evidence = Evidence(dataset="d", date="2026-01-01", machine_class="m", assessed=1.0, method="x")
    assert Claim(min_entropy=0.5, evidence=evidence).credit == 0.5
    assert Claim(min_entropy=0.5).credit == 0
    assert Claim(min_entropy=0.0, symbol_bits=4).cutoff_entropy == 0.25
    assert Claim(min_entropy=0.0, health_min_entropy=2).cutoff_entropy == 2
    with pytest.raises(errors.InvalidInputError, match="above the 1"):
        Claim(min_entropy=1.5, evidence=evidence)
    for bad in (
        {"min_entropy": -1},
        {"min_entropy": 9},
        {"min_entropy": float("nan")},
        {"min_entropy": 1, "symbol_bits": 0},
    ):
        with pytest.raises(errors.InvalidInputError):
            Claim(**bad)
    with pytest.raises(errors.InvalidInputError, match="certificate"):
        Claim.by_operator(1.0, certificate=" ")


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
