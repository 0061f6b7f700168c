"""Data that change while they are read: kernels and assessments work on what they got, or say that it changed."""

from __future__ import annotations

import contextlib
import mmap
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg.kernels import estimators, iid, kernel_info
from esoteric_drbg.kernels.hash_df import hash_df
from esoteric_drbg.kernels.health import new_adaptive_proportion_scan, new_repetition_count_scan
from esoteric_drbg.kernels.table import kernel

# The reference kernels count about as slowly as they read.
SYMBOLS = 200_000 if kernel_info().name == "rust" else 4_000

STATES: list[bytes] = [random.Random(seed).randbytes(SYMBOLS) for seed in (1, 2)] + [
    bytes(range(250)) * (SYMBOLS // 250)
]


@contextlib.contextmanager
def changing(buffer: Any, *states: bytes) -> Iterator[None]:
    """Have another thread put one state after the other into a buffer, each as a whole: it holds the lock."""
    stop = threading.Event()
    view = memoryview(buffer).cast("B")

    def write() -> None:
        while not stop.is_set():
            for state in states:
                view[:] = state

    thread = threading.Thread(target=write)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the writer is there as soon as a kernel lets go of the lock
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
        view.release()


def pushed(new: Callable[[], Any]) -> Callable[[Any], Any]:
    def push(data: Any) -> Any:
        scan = new()
        return scan.push(data), scan.samples, scan.first_failure

    return push


def seeded(step: str, *mechanism: Any) -> Callable[[Any], bytes]:
    """What a DRBG gives after one of its functions has taken the data."""

    def seed(data: Any) -> bytes:
        state = kernel("new_drbg_state")(*mechanism) if mechanism else kernel("HashDrbgState")()
        state.instantiate(
            *{"entropy": (data, b"n"), "nonce": (b"e", data), "text": (b"e", b"n", data)}.get(step, (b"e", b"n"))
        )
        if step in {"reseed", "additional"}:
            state.reseed(*((data,) if step == "reseed" else (b"e", data)))
        if step == "mix":
            state.mix(data)
        return bytes(state.generate(32, data if step == "generate" else None))

    return seed


def texts(n: int, k: int) -> Callable[[Callable[..., Any]], Callable[[Any], Any]]:
    return lambda function: (
        lambda data: tuple(part if isinstance(part, int) else bytes(part) for part in function(data, n, k))
    )


PACKED, BYTES = texts(8 * SYMBOLS, 2), texts(SYMBOLS, 256)
READERS: dict[str, Callable[[Any], Any]] = {
    "bit_counts": lambda data: estimators.bit_counts(data, 8 * SYMBOLS),
    "collision_counts": lambda data: estimators.collision_counts(data, 8 * SYMBOLS),
    "gap_histogram": lambda data: bytes(estimators.gap_histogram(data, 8 * SYMBOLS)),
    "iid_statistics": iid.iid_statistics,
    "iid_permutation": lambda data: iid.iid_permutation(data, 1, 2),
    "iid_permutations": lambda data: iid.iid_permutations(data, iid.iid_statistics(STATES[0]), 1, (0, 1)),
    "RepetitionCountScan": pushed(lambda: new_repetition_count_scan(2)),
    "AdaptiveProportionScan": pushed(lambda: new_adaptive_proportion_scan(5, 512)),
    "hash_df": lambda data: hash_df(data, 256),
    "hash_df sha512": lambda data: hash_df(data, 256, hash_name="sha512"),
}
for name in ("tuple_counts", "multi_mcw", "lag", "multi_mmc", "lz78y"):
    READERS[name + " bits"] = PACKED(getattr(estimators, name))
    READERS[name + " bytes"] = BYTES(getattr(estimators, name))
for step in ("entropy", "nonce", "text", "reseed", "additional", "generate"):
    READERS[f"HashDrbgState {step}"] = seeded(step)
    READERS[f"DrbgState {step}"] = seeded(step, "HMAC_DRBG", "sha256", True, 0)
READERS["HashDrbgState mix"] = seeded("mix")


@pytest.mark.parametrize("name", READERS)
def test_a_kernel_reads_its_data_once(name: str) -> None:
    read = READERS[name]
    expected = [read(state) for state in STATES]
    assert expected.count(expected[0]) < len(STATES)
    buffer = bytearray(STATES[0])
    with changing(buffer, *STATES):
        found = [read(buffer) for _ in range(8)]
    assert all(result in expected for result in found)


def buffers(tmp_path: Path) -> dict[str, Any]:
    """Buffers that others may write, in state 0."""
    path = tmp_path / "mapped"
    path.write_bytes(STATES[0])
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    owned = bytearray(STATES[0])
    return {
        "bytearray": owned,
        "memoryview": memoryview(bytearray(STATES[0])),
        "read-only memoryview": memoryview(bytearray(STATES[0])).toreadonly(),
        "array": np.frombuffer(bytearray(STATES[0]), dtype=np.uint8),
        "mmap": mapped,
        "memmap": np.memmap(path, dtype=np.uint8, mode="r+"),
    }


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "array", "mmap", "memmap"])
def test_every_kind_of_buffer_is_read_once(kind: str, tmp_path: Path) -> None:
    buffer = buffers(tmp_path)[kind]
    read = READERS["multi_mcw bytes"]
    expected = [read(state) for state in STATES]
    with changing(buffer, *STATES):
        found = [read(buffer) for _ in range(6)]
    assert all(result in expected for result in found)
