"""Noise sources: metadata, claims and their pages, the reading contract. Never a p-value of live noise."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from fakes import Fake, our_threads, simulated
from places import ROOT

from esoteric_drbg import errors
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import Claim, Evidence, NoiseSource, registry
from esoteric_drbg.noise_sources.quality import entropy_quality, grade, most_common_value, shannon

BUILT_IN = sorted(registry.BUILT_IN)
INDEX = (ROOT / "docs" / "sources" / "README.md").read_text()
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
def test_pages_state_the_very_claims_of_the_code(name: str) -> None:
    page = (ROOT / "docs" / "sources" / f"{name}.md").read_text()
    source = registry.create(name)
    assert page.startswith(f"# {name}\n")
    assert f"roup `{source.independence_group}`" in page.replace("\n", " ")
    claims = list(getattr(source, "claims", {0: source.claim}).values())
    credited = [claim for claim in claims if claim.credit > 0]
    stated = {float(figure) for figure in re.findall(r"\*\*[Cc]laim:? ([0-9.]+)\*\*", page)}
    assert stated == {claim.min_entropy for claim in credited}
    figures = {float(figure) for figure in re.findall(r"(?:Assessed:|lowest figure) ([0-9]+\.[0-9]+)", page)}
    for claim in credited:
        assert claim.evidence is not None
        assert claim.evidence.assessed in figures
        assert claim.evidence.provisional == ("provisional" in page)
        assert claim.evidence.date in page
        assert claim.evidence.machine_class in page
        assert claim.min_entropy <= claim.evidence.assessed / 2
    # No claim is above half of any figure that the page has for a data set.
    rows = re.findall(r"^\| (?:1,000,000|restarts).*", page, re.MULTILINE)
    cells = [float(cell) for row in rows for cell in re.findall(r"\| ([0-9]+\.[0-9]+)", row)]
    if credited:
        assert len(cells) >= 6
        assert min(claim.min_entropy for claim in credited) <= min(cells) / 2
    row = re.search(rf"^\| \[{name}\]\({name}\.md\) \|.*", INDEX, re.MULTILINE)
    assert row is not None
    _, _, group, physical, claim_text, _ = (cell.strip() for cell in row[0].split("|"))
    assert group == f"`{source.independence_group}`"
    assert physical == ("yes" if source.physical else "no")
    assert {float(figure) for figure in re.findall(r"[0-9]+(?:\.[0-9]+)?", claim_text)} == stated


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
    got = source.read_raw(200_000_000 if name != "rdseed" else 10, deadline_s=0.05)
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


class Recorded(Fake):
    """Samples out of a fixed list."""

    info = simulated("recorded", estimated_rate=1.0)

    def __init__(self, data: bytes, reason: str = "") -> None:
        super().__init__(lambda n: data[:n], reason=reason)


class Crashing(Recorded):
    """Raises an error of its own instead of one of ours."""

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        raise ZeroDivisionError


class Narrow(Recorded):
    """Declares samples of 4 bits."""

    info = Recorded.info.replace(symbol_bits=4, claim=Claim(min_entropy=0.0, symbol_bits=4))


def test_defaults_a_contributor_inherits() -> None:
    source = Recorded(bytes(range(100)))
    assert source.is_available()
    assert source.collect(5).tolist() == [0, 1, 2, 3, 4]
    assert list(source.read_wide(3)) == [0, 1, 2]
    assert source.digitize(array("Q", [257, 1 << 40])) == b"\x01\x00"
    assert source.claim.credit == 0
    with pytest.raises(errors.SourceReadError, match="100 samples came, 101"):
        source.collect(101)
    with pytest.raises(errors.SourceUnavailableError, match="no device"):
        Recorded(b"x", "no device").collect(1)
    with pytest.raises(errors.SourceReadError, match="recorded: ZeroDivisionError"):
        Crashing(b"x").collect(1)
    with pytest.raises(errors.SourceReadError, match="wider than 4 bits"):
        Narrow(bytes([15, 16])).collect(2)
    assert Narrow(bytes([15, 15])).collect(2).tolist() == [15, 15]
    assert entropy_quality(Recorded(bytes(1000)).read_exactly, 1000)["grade"] == "F"


def test_wide_values_digitize_to_symbols() -> None:
    step = counter_step()
    assert step >= 1
    source = registry.create("memory_timing")
    wide = source.read_wide(2000)
    # the counters of two CPUs may differ by a part of a step: a delta across a move of the thread is no multiple
    assert sum(abs(value - round(value / step) * step) > 1 for value in wide) <= len(wide) // 20
    shown = array("Q", [round(steps * step) for steps in (0, 1, 255, 256, 300)])
    assert source.digitize(shown) == bytes([0, 1, 255, 0, 44])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc/self/fd to count handles")
@pytest.mark.parametrize("name", BUILT_IN)
def test_no_handle_thread_or_file_leaks(name: str) -> None:
    source = readable(name)
    source.collect(5)
    handles, threads = len(os.listdir("/proc/self/fd")), our_threads()
    for _ in range(100):
        source.collect(2)
    assert len(os.listdir("/proc/self/fd")) == handles
    assert our_threads() <= threads
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
