"""Timing and CPU-instruction kernels: the Rust twin and the reference keep one contract."""

from __future__ import annotations

import itertools
import os
import random
import resource
import subprocess
import sys
import threading
import time
from types import ModuleType
from typing import Any

import pytest

from esoteric_drbg import errors
from esoteric_drbg.kernels.fallback import timing as reference
from esoteric_drbg.noise_sources import registry

KINDS = ["clock", "sleep", "memory", "cpu", "flush", "pages", "thread", "beat"]


def new_sampler(module: Any, kind: str, **parameters: int) -> Any:
    """Return a sampler, or skip the test with the kernel's own reason."""
    try:
        return module.TimingSampler(kind, **parameters)
    except errors.SourceUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("twin", ["native", "reference"])
def test_samplers_keep_one_contract(kind: str, twin: str, request: pytest.FixtureRequest) -> None:
    module: Any = request.getfixturevalue("native") if twin == "native" else reference
    sampler = new_sampler(module, kind, buffer_bytes=4096, touches=2)
    assert len(sampler.read_symbols(70)) == 70
    wide = sampler.read_wide(70)
    assert len(wide) == 560
    assert all(int.from_bytes(wide[begin : begin + 8], "little") > 0 for begin in range(0, 560, 8))
    began = time.perf_counter()
    # a beat has no symbol while the system keeps its second core from counting
    assert (0 if kind == "beat" else 1) <= len(sampler.read_symbols(50_000_000, 0.02)) < 50_000_000
    assert time.perf_counter() - began < 20
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
        ("pages", {"touches": 1025}),
        ("flush", {"buffer_bytes": 3 << 20}),
    ):
        with pytest.raises(errors.InvalidInputError):
            module.TimingSampler(arguments[0], **arguments[1])


@pytest.mark.parametrize("twin", ["native", "reference"])
def test_a_symbol_of_clock_reads_takes_as_long_as_they_are_many(twin: str, request: pytest.FixtureRequest) -> None:
    module: Any = request.getfixturevalue("native") if twin == "native" else reference

    def shortest(reads: int) -> int:
        wide = module.TimingSampler("clock", touches=reads).read_wide(500)
        return min(int.from_bytes(wide[begin : begin + 8], "little") for begin in range(0, len(wide), 8))

    assert 10 * shortest(8) < shortest(1024) < 2000 * shortest(8)


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
@pytest.mark.parametrize("touches", [1, 3])
@pytest.mark.parametrize("twin", ["native", "reference"])
def test_every_touched_page_faults(touches: int, twin: str, request: pytest.FixtureRequest) -> None:
    module: Any = request.getfixturevalue("native") if twin == "native" else reference
    sampler = module.TimingSampler("pages", buffer_bytes=1 << 16, touches=touches)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert len(sampler.read_wide(2000)) == 16000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before >= 2000 * touches


@pytest.mark.skipif(sys.platform != "linux", reason="limits the process with Linux's prlimit")
@pytest.mark.parametrize("kernels", ["rust", "reference"])
def test_what_the_system_refuses_is_an_error_and_no_symbol(kernels: str, native: ModuleType) -> None:
    code = (
        "import resource\n"
        "from esoteric_drbg import errors\n"
        "from esoteric_drbg.kernels.timing import counter_step, new_timing_sampler\n"
        "sampler = new_timing_sampler('thread')\n"
        "counter_step()\n"
        "in_use = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "from esoteric_drbg.kernels import kernel_info\n"
        "room = 1 << 20 if kernel_info().name == 'reference' else 0  # for the interpreter's own objects\n"
        "size = in_use + room\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "for make in (lambda: new_timing_sampler('pages', buffer_bytes=1 << 30), lambda: sampler):\n"
        "    try:\n"
        "        for _ in range(3): make().read_symbols(1)\n"
        "        raise SystemExit('a symbol came')\n"
        "    except errors.SourceReadError as error: print(error)\n"
    )
    environment = {**os.environ, "ESOTERIC_DRBG_KERNELS": kernels}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("no memory could be mapped")
    assert second.startswith("no thread could be made")


@pytest.mark.parametrize("read", ["read_symbols", "read_wide"])
def test_a_length_without_memory_is_refused_not_fatal(native: ModuleType, read: str) -> None:
    sampler = native.TimingSampler("clock")
    for n_samples in (1 << 50, (1 << 63) - 1):
        with pytest.raises(errors.OutOfMemoryError, match=f"not enough memory for {n_samples} symbols"):
            getattr(sampler, read)(n_samples, 0.01)
    assert len(sampler.read_symbols(3)) == 3


def test_one_sampler_read_by_two_threads_fails_rather_than_waits() -> None:
    source = registry.create("sleep_jitter")
    source.read_raw(1)
    stop = threading.Event()

    def hold() -> None:
        while not stop.is_set():
            try:
                source.read_raw(100_000, deadline_s=0.1)
            except errors.SourceReadError:  # this thread met the other one
                continue

    worker = threading.Thread(target=hold)
    worker.start()
    try:
        with pytest.raises(errors.SourceReadError, match="another thread"):  # noqa: PT012 - some reads may fall in between
            until = time.monotonic() + 30
            while time.monotonic() < until:
                source.read_raw(1)
    finally:
        stop.set()
        worker.join()
    assert len(source.read_raw(1)) == 1


def test_step_of_the_native_counter_divides_it(native: ModuleType) -> None:
    step = native.counter_step()
    reads = [native.read_counter() for _ in range(1000)]
    assert reads == sorted(reads)
    deltas = [later - earlier for earlier, later in itertools.pairwise(reads)]
    broken = sum(abs(delta - round(delta / step) * step) > 1 for delta in deltas)
    assert broken <= len(reads) // 20  # a move of the thread to another CPU


def shown(step: float) -> list[int]:
    """Back-to-back deltas of a counter that moves by ``step`` ticks a time and shows whole ones."""
    rng = random.Random(3)
    steps = (rng.choice([14, 15, 15, 16, 17]) + 900 * (rng.random() < 0.002) for _ in range(2049))
    at = list(itertools.accumulate(steps))
    return [int(later * step) - int(earlier * step) for earlier, later in itertools.pairwise(at)]


@pytest.mark.parametrize("step", [26.0, 24.5, 24.45426, 10.0003, 25.99, 8.7])
def test_a_scaled_counters_step_is_a_real_number(step: float) -> None:
    found = reference.step_of(shown(step))
    assert found == pytest.approx(step, rel=2e-5)
    # ... and good enough that the counter's rounding leaves no trace in the symbols
    assert [int(int(steps * step) / found + 0.5) for steps in range(10_000)] == list(range(10_000))


def test_a_counter_that_shows_every_tick_has_step_1() -> None:
    rng = random.Random(4)
    assert reference.step_of([rng.randrange(300, 400) for _ in range(2048)]) == 1.0
    assert reference.step_of([0] * 100) == 1.0
    assert reference.step_of([rng.choice([0, 1]) for _ in range(2048)]) == 1.0
    assert reference.step_of(shown(1.0)) == 1.0


def test_rdseed_kernel_agrees_with_the_cpu(native: ModuleType) -> None:
    if not native.rdseed_supported():
        with pytest.raises(errors.SourceUnavailableError):
            native.rdseed_bytes(8)
    else:
        assert len(native.rdseed_bytes(20)) <= 20
