"""Timing and CPU-instruction kernels: the Rust twin and the reference keep one contract."""

from __future__ import annotations

import itertools
import threading
import time
from types import ModuleType
from typing import Any

import pytest

from esoteric_drbg import errors
from esoteric_drbg.kernels.reference import timing as reference
from esoteric_drbg.noise_sources import registry

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
    ):
        with pytest.raises(errors.InvalidInputError):
            module.TimingSampler(arguments[0], **arguments[1])


@pytest.mark.parametrize("read", ["read_symbols", "read_wide"])
def test_a_length_without_memory_is_refused_not_fatal(native: ModuleType, read: str) -> None:
    sampler = native.TimingSampler("clock")
    for n_samples in (1 << 50, (1 << 63) - 1):
        with pytest.raises(errors.InvalidInputError, match="no memory"):
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
    broken = sum((later - earlier) % step != 0 for earlier, later in itertools.pairwise(reads))
    assert broken <= len(reads) // 20  # a move of the thread to another CPU


def test_rdseed_kernel_agrees_with_the_cpu(native: ModuleType) -> None:
    if not native.rdseed_supported():
        with pytest.raises(errors.SourceUnavailableError):
            native.rdseed_bytes(8)
    else:
        assert len(native.rdseed_bytes(20)) <= 20
