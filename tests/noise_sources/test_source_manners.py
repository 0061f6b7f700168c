"""How the sources behave as guests of a process: nothing leaks, nothing is sent or listened to unasked."""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from fakes import Fake, our_threads

from esoteric_drbg.cli.main import cli
from esoteric_drbg.noise_sources import Availability, registry

#: Read cycles of a source.
CYCLES = 200
#: Growth of the resident memory that allocators explain by themselves, in bytes.
SLACK_BYTES = 8 << 20


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts handles in Linux's /proc")
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_many_reads_leak_nothing(name: str) -> None:
    source = registry.create(name)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    for _ in range(20):
        source.collect(2)
    gc.collect()
    threads, open_handles = our_threads(), handles()
    for _ in range(CYCLES):
        assert len(source.collect(2)) == 2
    gc.collect()
    assert handles() <= open_handles
    assert our_threads() <= threads


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux's /proc for the resident memory")
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_a_thousand_reads_leave_no_memory(name: str) -> None:
    """In a process of its own, for what other tests allocate is resident, too."""
    if not registry.create(name).is_available():
        pytest.skip(f"{name}: {registry.create(name).availability().reason}")
    code = (
        "import os\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')\n"
        f"source = registry.create({name!r})\n"
        "for _ in range(100): source.collect(2)\n"
        "before = resident()\n"
        "for _ in range(1000): source.collect(2)\n"
        "print(resident() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert int(done.stdout) < SLACK_BYTES


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts handles in Linux's /proc")
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_a_source_that_is_dropped_leaves_no_handle_and_no_thread(name: str) -> None:
    if not registry.create(name).is_available():
        pytest.skip(f"{name}: {registry.create(name).availability().reason}")
    registry.create(name).collect(2)
    gc.collect()
    threads, open_handles = our_threads(), handles()
    for _ in range(20):
        registry.create(name).collect(2)
    gc.collect()
    assert handles() <= open_handles
    assert our_threads() <= threads


def test_nothing_is_sent_or_listened_to_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sources are asked and, where available, read: no internet socket is opened, and no sensor is available."""
    for variable in ("ESOTERIC_DRBG_SENSORS", "ESOTERIC_DRBG_DNS_SERVERS", "ESOTERIC_DRBG_TCP_TARGETS"):
        monkeypatch.delenv(variable, raising=False)
    opened: list[int] = []

    class Watched(socket.socket):
        def __init__(self, family: int = -1, *rest: int, **named: int) -> None:
            opened.append(family)
            super().__init__(family, *rest, **named)

    monkeypatch.setattr(socket, "socket", Watched)
    for source in registry.installed(plugins=False):
        available, reason = source.availability()
        if source.category in {"network", "sensor"}:
            assert not available, source.name
            assert reason
        elif available:
            source.collect(2)
    assert [family for family in opened if family in (-1, socket.AF_INET, socket.AF_INET6)] == []


def test_scan_ends_although_a_source_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan asks every source, and waits for none that does not answer."""
    release = threading.Event()

    class Mute(Fake):
        def availability(self) -> Availability:
            release.wait()
            return Availability(True)

    monkeypatch.setattr(registry, "installed", lambda **_: [Mute(name="mute"), Fake(name="good")])
    try:
        done = CliRunner().invoke(cli, ["scan", "--json"])
    finally:
        release.set()
    rows = {row["name"]: row["reason"] for row in json.loads(done.stdout)["sources"]}
    assert set(rows) == {"mute", "good"}
    assert "did not say within" in rows["mute"]
