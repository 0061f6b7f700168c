"""How the sources behave as guests of a process: nothing leaks, nothing is sent or listened to unasked."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from esoteric_drbg.noise_sources import registry

#: Read cycles of a source, or as many as it manages in SECONDS.
CYCLES, SECONDS = 1000, 5.0
#: Growth of the resident memory that allocators explain by themselves, in bytes.
SLACK_BYTES = 8 << 20


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts handles in Linux's /proc")
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_a_thousand_reads_leak_nothing(name: str) -> None:
    source = registry.create(name)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    for _ in range(20):
        source.collect(2)
    gc.collect()
    threads, open_handles, memory = threading.active_count(), handles(), resident_bytes()
    until = time.monotonic() + SECONDS
    for cycle in range(CYCLES):
        assert len(source.collect(2)) == 2
        if time.monotonic() > until and cycle > 20:
            break
    gc.collect()
    assert handles() <= open_handles
    assert threading.active_count() <= threads
    assert resident_bytes() < memory + SLACK_BYTES


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts handles in Linux's /proc")
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_a_source_that_is_dropped_leaves_no_handle_and_no_thread(name: str) -> None:
    if not registry.create(name).is_available():
        pytest.skip(f"{name}: {registry.create(name).availability().reason}")
    registry.create(name).collect(2)
    gc.collect()
    threads, open_handles = threading.active_count(), handles()
    for _ in range(20):
        registry.create(name).collect(2)
    gc.collect()
    assert handles() <= open_handles
    assert threading.active_count() <= threads


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


def test_scan_keeps_to_its_deadlines() -> None:
    """Some 0.7 s on a quiet machine, 2 s at most; the limit here allows for a busy one and for no source that hangs."""
    command = [sys.executable, "-m", "esoteric_drbg", "scan"]
    best = 60.0
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
        assert b"memory_timing" in done.stdout
        best = min(best, time.perf_counter() - began)
        if best < 2:
            break
    assert best < 6
