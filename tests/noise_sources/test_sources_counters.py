"""Sources that read the kernel's counters: durations and growth, files that go, forks, discovery."""

from __future__ import annotations

import os
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import simulated

from esoteric_drbg import errors
from esoteric_drbg.health_tests import apt_cutoff, rct_cutoff
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import Availability, registry
from esoteric_drbg.noise_sources.counters import (
    counter_files,
    counter_source,
    interrupts,
    process_table,
    sysctl_counters,
    vmstat,
)
from esoteric_drbg.noise_sources.counters.counter_files import CounterFile, weight
from esoteric_drbg.noise_sources.counters.counter_source import CounterSource
from esoteric_drbg.noise_sources.counters.sysctl_counters import LinuxCounters, SysctlSource

COUNTERS = ("interrupts", "process_table", "sysctl_counters", "vmstat")
LINUX = sys.platform.startswith("linux")
MASK = (1 << 64) - 1


def readable(name: str) -> CounterSource[object]:
    source = registry.create(name)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    assert isinstance(source, CounterSource)
    return source


# Durations and growth.


class Scripted(CounterSource[int]):
    """Reads numbers that take a given time."""

    info = simulated("scripted", estimated_rate=1.0, bounded=True)

    def __init__(self, durations: Iterator[int], growths: Callable[[], int], *, durations_only: bool = False) -> None:
        super().__init__(durations_only=durations_only)
        self.durations, self.growths, self.now = durations, growths, 0

    def availability(self) -> Availability:
        return Availability(True)

    def read_counters(self) -> int:
        self.now += round(next(self.durations) * counter_step())
        return 0

    def growth(self, reading: int) -> int:
        return self.growths()


def scripted(
    monkeypatch: pytest.MonkeyPatch, durations: list[int], growths: list[int] | int, *, durations_only: bool = False
) -> Scripted:
    left = iter(growths) if isinstance(growths, list) else None
    grow = (lambda: next(left)) if left is not None else (lambda: int(str(growths)))
    source = Scripted(iter(durations), grow, durations_only=durations_only)
    monkeypatch.setattr(counter_source, "read_counter", lambda: source.now)
    return source


def test_raw_value_is_duration_plus_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    durations, growths = [100, 300, 70000, 5], [0, 7, 1 << 40, -6]
    source = scripted(monkeypatch, durations, growths)
    wide = source.read_wide(4)
    assert list(wide) == [100, 307, 70000 + (1 << 40), MASK]
    assert source.digitize(wide) == bytes([100, 307 & 0xFF, 70000 & 0xFF, 255])
    alone = scripted(monkeypatch, durations, growths, durations_only=True)
    assert list(alone.read_wide(4)) == durations
    assert scripted(monkeypatch, durations, growths).measure_parts() == (100, 0)


def test_dead_durations_do_not_hide_behind_growing_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = 2.0**-60
    h, window = counter_source.DURATION_ENTROPY, counter_source.DURATION_APT_WINDOW
    cutoff = counter_source.DURATION_RCT_CUTOFF
    assert cutoff == rct_cutoff(h, alpha)
    assert apt_cutoff(h, alpha, window) == counter_source.DURATION_APT_CUTOFF
    growths = [index * 7919 for index in range(5000)]
    stuck = [9] * (cutoff - 1)
    source = scripted(monkeypatch, [*stuck, 8, *stuck, 8, 9, *stuck], growths)
    assert len(source.read_wide(2 * cutoff)) == 2 * cutoff  # C - 1 in a row pass
    with pytest.raises(errors.SourceReadError, match="scripted: the durations of the readings repeat"):
        source.read_wide(cutoff)
    # Three in four alike: no long run, and far more than half of a window.
    mostly = scripted(monkeypatch, [9, 9, 9, 1] * 200, growths)
    with pytest.raises(errors.SourceReadError, match="repeat"):
        mostly.read_wide(window)


@pytest.mark.parametrize("name", COUNTERS)
def test_live_values_are_the_sum_of_their_parts(name: str) -> None:
    source = readable(name)
    assert not source.physical
    assert source.independence_group == "cpu_counter"
    assert source.claim.credit == 0 or source.claim.evidence is not None
    parts = [source.measure_parts() for _ in range(50)] if len(source.read_raw(2)) == 2 else []
    assert all(0 < duration < 10**9 and 0 <= growth <= MASK for duration, growth in parts)
    source.durations_only = True
    assert max(source.read_wide(50)) < 10**9
    with_option = type(source)(durations_only=True)
    assert with_option.durations_only
    assert len(with_option.read_raw(20)) == 20


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="needs the scheduler's statistics")
@pytest.mark.parametrize("name", COUNTERS)
def test_readings_do_not_publish_when_they_were(name: str) -> None:
    source = readable(name)
    source.read_raw(200)
    schedstat = Path("/proc/thread-self/schedstat")

    def run_times_seen(read: Callable[[], object]) -> int:
        seen = set()
        for _ in range(300):
            read()
            seen.add(schedstat.read_bytes().split()[0])
        return len(seen)

    # Ticks and preemption alone bring the run time up to date that everybody can read; a look at one's CPU clock would.
    assert run_times_seen(time.thread_time_ns) > 250
    assert min(run_times_seen(source.measure_parts) for _ in range(5)) < 150


# Files that cannot be read, and platforms that have none.


@pytest.mark.parametrize("name", [*COUNTERS, "mach_timing"])
def test_other_platforms_are_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("sys.platform", "sunos5")
    available, reason = registry.create(name).availability()
    assert not available
    assert "sunos5" in reason
    with pytest.raises(errors.SourceUnavailableError, match="sunos5"):
        registry.create(name).read_raw(1)


@pytest.mark.skipif(not LINUX, reason="needs Linux's /proc")
def test_unreadable_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    monkeypatch.setattr(vmstat, "PATH", gone)
    assert vmstat.VmstatSource().availability() == (False, f"{gone} cannot be read")
    monkeypatch.setattr(interrupts, "PATHS", ("/proc/softirqs", gone))
    assert interrupts.InterruptsSource().availability() == (False, f"{gone} cannot be read")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "/proc/vmstat" in SysctlSource().availability().reason
    monkeypatch.setattr(process_table, "_PROC", tmp_path)
    assert "no scheduler statistics" in process_table.ProcessTableSource().availability().reason


@pytest.mark.skipif(not LINUX, reason="needs Linux's /proc")
@pytest.mark.parametrize("name", ["vmstat", "interrupts"])
def test_a_file_that_goes_fails_the_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = readable(name)
    source.read_raw(5)

    def gone(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    module = vmstat if name == "vmstat" else interrupts
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_file", gone)
        with pytest.raises(errors.SourceReadError, match=f"{name}: Permission denied"):
            source.read_raw(5)
    assert len(source.read_raw(5)) == 5


def test_sysctl_goes_on_with_the_files_that_are_left(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.write_text("x 1\n")
    files = [CounterFile("vm", str(path), counter_files.parse_pairs, path.name != "c") for path in paths]
    counters = LinuxCounters(files)
    assert counters.sampled == [str(path) for path in paths[:2]]
    assert {counters.read_next()[0] for _ in range(4)} == set(counters.sampled)
    paths[1].unlink()
    assert [counters.read_next() for _ in range(3)] == [(str(paths[0]), b"x 1\n")] * 3
    assert counters.snapshot(1) == {}
    assert counters.snapshot(2) == {"vm.x": 1}
    assert counters.growth((str(paths[0]), b"x 1\n")) == 0
    assert counters.growth((str(paths[0]), b"x 3\n")) == 2 * weight(b"x", 0)
    paths[0].unlink()
    with pytest.raises(errors.SourceReadError, match="no file of counters"):
        counters.read_next()


@pytest.mark.skipif(not LINUX, reason="needs os.fork and Linux's /proc")
@pytest.mark.parametrize("name", COUNTERS)
def test_a_forked_child_shares_no_open_file(name: str) -> None:
    source = readable(name)
    handles = os.listdir("/proc/self/fd")
    source.read_raw(30)
    assert len(os.listdir("/proc/self/fd")) == len(handles)
    child = os.fork()
    if child == 0:
        os._exit(0 if len(source.read_raw(30)) == 30 else 1)
    assert len(source.read_raw(30)) == 30
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Discovery.


class Tape:
    """Counters of two parts that were written down."""

    def __init__(self, *rounds: dict[str, int]) -> None:
        self.rounds = list(rounds)
        self.looks = 0

    def parts(self) -> int:
        return 1

    def snapshot(self, part: int) -> dict[str, int]:
        assert part == 0
        self.looks += 1
        return self.rounds[min(self.looks, len(self.rounds)) - 1]

    def read_next(self) -> sysctl_counters.CounterReading:
        return "0", b""

    def growth(self, reading: sysctl_counters.CounterReading) -> int:
        return 0


def test_discovery_finds_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SysctlSource()
    tape = Tape(
        {"vm.a": 1, "net.b": 2, "kern.c": 3, "hw.gone": 4},
        {"vm.a": 2, "net.b": 2, "kern.c": 3, "vfs.new": 1},
        {"vm.a": 1, "net.b": 2, "kern.c": 2},
    )
    monkeypatch.setattr(source, "require_available", lambda: None)
    monkeypatch.setattr(source, "_counters", tape)
    assert source.discover_fluctuating_keys(0.1) == ["kern.c", "vm.a"]
    assert tape.looks >= 3
    assert source.categorize_keys() == {"kern": ["kern.c"], "vm": ["vm.a"]}
    assert source.categorize_keys(["vm.b", "net.x", "vm.a"]) == {"net": ["net.x"], "vm": ["vm.a", "vm.b"]}
    assert source.categorize_keys([]) == {}
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(errors.InvalidInputError, match="seconds"):
            source.discover_fluctuating_keys(bad)


def test_categories_discover_when_nothing_was_discovered(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SysctlSource()
    monkeypatch.setattr(source, "require_available", lambda: None)
    monkeypatch.setattr(source, "_counters", Tape({"vm.a": 1}, {"vm.a": 2}))
    assert source.categorize_keys() == {"vm": ["vm.a"]}


@pytest.mark.skipif(not LINUX, reason="needs Linux's /proc")
def test_fifty_keys_fluctuate_within_a_fifth_of_a_second() -> None:
    source = SysctlSource()
    if not source.is_available():
        pytest.skip(source.availability().reason)
    for _ in range(20):  # other load takes its share of the time
        keys = source.discover_fluctuating_keys(0.2)
        if len(keys) >= 50 and {"vm", "kern", "hw"} <= set(source.categorize_keys()):
            break
    assert len(keys) >= 50
    assert keys == sorted(set(keys))
    categories = source.categorize_keys()
    assert {"vm", "kern", "hw"} <= set(categories)
    assert sorted(key for group in categories.values() for key in group) == keys


def test_process_table_adds_growth_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    books = {"7": [b"50 1 1", b"60 4 1", b"55 4 1"], "8": [b"9 0 1", b"9 0 1", b""], "9": [b"", b"x", b"1 1 1"]}
    monkeypatch.setattr(process_table, "_schedstat", lambda pid: books[pid].pop(0))
    monkeypatch.setattr("os.listdir", lambda path: ["7", "8", "version", "9"])
    monkeypatch.setattr(process_table, "LOOK_UPS", 3)
    source = process_table.ProcessTableSource()
    monkeypatch.setattr(source, "require_available", lambda: None)
    # Seen for the first time, or gone, a process adds nothing; one whose number was given anew may have shrunk.
    assert [source.measure_parts()[1] for _ in range(3)] == [0, 13, -5 & MASK]
    empty = process_table.ProcessTableSource()
    monkeypatch.setattr(empty, "require_available", lambda: None)
    monkeypatch.setattr("os.listdir", lambda path: ["version"])
    with pytest.raises(errors.SourceReadError, match="no process is listed"):
        empty.read_raw(1)


@pytest.mark.skipif(not LINUX, reason="needs Linux's /proc")
def test_processes_that_end_are_looked_up_without_error() -> None:
    assert process_table._schedstat(str((1 << 22) + 1)) == b""
    assert len(process_table._schedstat(str(os.getpid())).split()) == 3


@pytest.mark.skipif(not LINUX, reason="needs Linux's /proc")
def test_restarts_of_durations_alone(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from esoteric_drbg.noise_sources.restart_worker import main

    readable("vmstat")
    assert main(["vmstat", "50", "durations"]) == 0
    assert len(capfdbinary.readouterr().out) == 50
    assert main(["memory_timing", "5", "durations"]) == 2
    assert main(["vmstat", "5", "else"]) == 2
    assert capfdbinary.readouterr().out == b""


def test_digitization_takes_the_low_byte() -> None:
    assert SysctlSource().digitize(array("Q", [0, 255, 256, MASK])) == bytes([0, 255, 0, 255])
