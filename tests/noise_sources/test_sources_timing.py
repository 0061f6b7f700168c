"""The sources timed by the CPU's counter: contracts, forks, threads, deadlines; nothing stays behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path

import pytest

from esoteric_drbg import errors
from esoteric_drbg.health_tests import apt_cutoff
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing import counter_beat, dram_refresh
from esoteric_drbg.noise_sources.timing.timed import TimedSource

NAMES = ["clock_jitter", "counter_beat", "dram_refresh", "page_fault_timing", "thread_lifecycle"]
TASKS = Path("/proc/self/task")


def readable(name: str) -> TimedSource:
    source = registry.create(name)
    assert isinstance(source, TimedSource)
    available, reason = source.availability()
    if not available:
        pytest.skip(f"{name}: {reason}")
    return source


def native_threads() -> int:
    """Return how many threads the operating system knows of this process."""
    return len(os.listdir(TASKS)) if TASKS.exists() else threading.active_count()


def settles_at(expected: int) -> bool:
    """Return whether so many threads are left soon: a thread that was joined may be listed a moment longer."""
    until = time.monotonic() + 10
    while native_threads() > expected:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def idle_threads() -> int:
    """Return how many threads stay: the fewest that are seen for a while."""
    counts = []
    for _ in range(30):
        counts.append(native_threads())
        time.sleep(0.01)
    return min(counts)


def memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_credited_and_the_health_tests_can_guard(name: str) -> None:
    source = registry.create(name)
    assert source.independence_group == CPU_COUNTER
    assert source.bounded
    if source.claim.evidence is None:
        assert source.claim.credit == 0
    # a cutoff that no window reaches would guard nothing
    for alpha in (2.0**-30, 2.0**-60):
        assert apt_cutoff(source.claim.cutoff_entropy, alpha, 512) <= 512


@pytest.mark.parametrize("name", NAMES)
def test_wide_values_and_symbols_are_one_digitization(name: str) -> None:
    source = readable(name)
    unit = 1 if name == "counter_beat" else counter_step()
    values = array("Q", [0, *(round(steps * unit) for steps in (1, 255, 256, 300))])
    assert source.digitize(values) == bytes([0, 1, 255, 0, 44])
    wide = source.read_wide(64)
    assert len(wide) == 64
    assert all(wide)
    assert len(set(source.read_raw(512))) > 1


@pytest.mark.parametrize("name", NAMES)
def test_deadlines_are_kept_and_what_there_is_comes_back(name: str) -> None:
    source = readable(name)
    source.read_raw(4)
    got = source.read_raw(100_000_000, deadline_s=0.05)
    assert len(got) < 100_000_000
    with pytest.raises(errors.SourceReadError, match="100000000 were asked for"):
        source.read_exactly(100_000_000, deadline_s=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_with_a_source_each_and_with_one(name: str) -> None:
    mine, shared = readable(name), readable(name)
    mine.read_raw(4)
    shared.read_raw(4)
    outcomes: list[str] = []

    def read() -> None:
        own = registry.create(name)
        outcomes.append(f"{len(own.read_raw(50))} of its own")
        try:
            outcomes.append(f"{len(shared.read_raw(50))} of the shared one")
        except errors.SourceReadError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert len(mine.read_raw(50)) == 50
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert outcomes.count("50 of its own") == 2
    busy = "the sampler is being read by another thread"
    assert set(outcomes) <= {"50 of its own", "50 of the shared one", busy}
    assert len(shared.read_raw(4)) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", NAMES)
def test_a_forked_child_reads_while_a_thread_of_its_parent_did(name: str) -> None:
    # In a process of its own: this one may have threads that must not be forked.
    code = (
        "import os, threading, time, warnings\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "warnings.simplefilter('ignore')\n"
        f"source = registry.create({name!r})\n"
        "source.read_raw(4)\n"
        "thread = threading.Thread(target=source.read_raw, args=(100_000_000,), kwargs={'deadline_s': 0.5})\n"
        "thread.start()\n"
        "time.sleep(0.1)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if len(source.read_raw(64, deadline_s=20)) == 64 else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "thread.join()\n"
        "assert len(source.read_raw(64, deadline_s=20)) == 64\n"
    )
    readable(name)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_interpreter_ends_while_a_thread_reads(name: str) -> None:
    code = (
        "import threading, time\n"
        "from esoteric_drbg.noise_sources import registry\n"
        f"source = registry.create({name!r})\n"
        "threading.Thread(target=source.read_raw, args=(100_000_000,), daemon=True).start()\n"
        "time.sleep(0.2)\n"
    )
    readable(name)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not TASKS.exists(), reason="counts handles, threads and memory in /proc/self")
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_cycles_leave_nothing_behind(name: str) -> None:
    source = readable(name)
    for _ in range(50):
        source.collect(2)
    gc.collect()
    handles, threads, memory = len(os.listdir("/proc/self/fd")), idle_threads(), memory_bytes()
    for _ in range(1000):
        source.collect(2)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == handles
    assert settles_at(threads)
    assert memory_bytes() - memory < 8 << 20


@pytest.mark.skipif(not TASKS.exists(), reason="counts memory in /proc/self")
@pytest.mark.parametrize("name", ["page_fault_timing", "dram_refresh"])
def test_dropped_sources_give_their_memory_back(name: str) -> None:
    readable(name).read_raw(4)
    gc.collect()
    memory, maps = memory_bytes(), Path("/proc/self/maps").read_text().count("\n")
    for _ in range(20 if kernel_info().name == "rust" else 3):
        registry.create(name).read_raw(4)
    gc.collect()
    assert memory_bytes() - memory < 64 << 20
    assert Path("/proc/self/maps").read_text().count("\n") - maps < 15


@pytest.mark.skipif(not TASKS.exists(), reason="counts threads in /proc/self")
def test_the_counting_thread_lives_as_long_as_the_read() -> None:
    source = readable("counter_beat")
    source.read_raw(4)
    idle = idle_threads()
    seen: list[int] = []
    reader = threading.Thread(target=source.read_raw, args=(100_000_000,), kwargs={"deadline_s": 1.0})
    reader.start()
    while reader.is_alive():
        seen.append(native_threads())
        time.sleep(0.01)
    assert max(seen) >= idle + 2  # the reader and the one that counts for it
    assert settles_at(idle)  # nobody counts between reads


def test_counter_beat_says_why_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.create("counter_beat")
    if kernel_info().name != "rust":
        assert "interpreter lock" in source.availability().reason
        with pytest.raises(errors.SourceUnavailableError, match="Rust kernels"):
            source.collect(1)
        return
    monkeypatch.setattr(counter_beat, "_processors", lambda: 1)
    assert source.availability() == (False, "1 processor is usable here: no second core can count")
    with pytest.raises(errors.SourceUnavailableError, match="no second core"):
        source.collect(1)
    monkeypatch.setattr(counter_beat, "_processors", lambda: 2)
    assert source.is_available()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_counter_beat_on_one_processor_keeps_its_deadline() -> None:
    # Both threads share a processor: hardly a symbol comes, and nothing hangs.
    code = (
        "import os\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "source = registry.create('counter_beat')\n"
        "assert not source.is_available()\n"
        "got = source.sampler().read_symbols(1_000_000, 0.2)\n"
        "assert len(got) < 1_000_000\n"
    )
    readable("counter_beat")
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


def test_page_faults_are_for_unix(monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.create("page_fault_timing")
    monkeypatch.setattr("sys.platform", "win32")
    assert source.availability() == (False, "written for Unix's mmap and madvise; this is win32")


def test_evictions_earn_no_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    source = dram_refresh.DramRefreshSource()
    assert source.claim.credit == 0
    assert source.claim.cutoff_entropy > 0
