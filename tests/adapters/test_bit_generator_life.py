"""The bit generator's life: its memory, threads, forks, and what it refuses."""

from __future__ import annotations

import copy
import gc
import hashlib
import importlib
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import esoteric_drbg
from esoteric_drbg import BitGenerator
from esoteric_drbg.errors import CloneRefusedError, InvalidInputError


class Recorded:
    """Gives a byte stream that can be computed again."""

    def __init__(self) -> None:
        self.given = 0

    def token_bytes(self, n_bytes: int) -> bytes:
        self.given += n_bytes
        return stream(self.given)[-n_bytes:]


def stream(n_bytes: int) -> bytes:
    return hashlib.shake_128(b"words").digest(n_bytes)


def test_bytes_are_overwritten_when_served_dropped_or_freed(word_stream: type) -> None:
    seen = []

    def fill(buffer: bytearray) -> None:
        seen.append(buffer)
        buffer[:] = b"\xff" * len(buffer)

    words = word_stream(fill, lambda _, error: error, 64)
    words.next_uint64()
    words.next_uint32()
    assert bytes(seen[0]) == bytes(12) + b"\xff" * 52
    assert words.buffered == 52
    words.discard()
    assert bytes(seen[0]) == bytes(64)
    assert words.buffered == 0
    words.next_double()
    assert bytes(seen[0]) != bytes(64)
    del words
    gc.collect()
    assert bytes(seen[0]) == bytes(64)


def test_a_generator_keeps_its_words_alive_and_lets_them_go(word_stream: type) -> None:
    bits = BitGenerator(Recorded())
    numbers = np.random.Generator(bits)
    references = [weakref.ref(bits), weakref.ref(bits.lock)]
    del bits
    gc.collect()
    assert 0 <= numbers.random() < 1
    del numbers
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_two_generators_in_two_threads_share_no_word(word_stream: type) -> None:
    bits = BitGenerator(Recorded(), buffer_bytes=4096)
    drawn: list[list[int]] = [[], []]

    def draw(mine: list[int]) -> None:
        numbers = np.random.Generator(bits)
        for _ in range(40):
            mine.extend(numbers.integers(0, 1 << 64, 100, dtype=np.uint64).tolist())

    threads = [threading.Thread(target=draw, args=(mine,)) for mine in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn[0] + drawn[1]) == sorted(np.frombuffer(stream(8 * 8000), "<u8").tolist())


FORK = """
import os, sys, threading, time
import numpy as np, esoteric_drbg
bits = esoteric_drbg.BitGenerator()
numbers = np.random.Generator(bits)
numbers.random()
busy = threading.Thread(target=lambda: [numbers.standard_normal(SIZE) for _ in range(20)])
if THREAD: busy.start(); time.sleep(0.02)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, str(bits.random_raw()).encode())
    os._exit(0)
mine = bits.random_raw()
assert os.waitpid(child, 0)[1] == 0
theirs = int(os.read(reading, 100))
if THREAD: busy.join()
assert mine != theirs, mine
print("ok")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("kernels", ["reference", "rust"])
def test_a_forked_child_has_other_words(kernels: str, threads: bool, request: pytest.FixtureRequest) -> None:
    if kernels == "rust":
        request.getfixturevalue("native")
    size = 2_000_000 if kernels == "rust" else 2_000
    code = FORK.replace("THREAD", str(threads)).replace("SIZE", str(size))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "ESOTERIC_DRBG_KERNELS": kernels},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork beside threads is what is tested
def test_a_fork_in_the_middle_of_another_threads_draw(word_stream: type) -> None:
    parent, entered, go_on = os.getpid(), threading.Event(), threading.Event()

    class Waiting(Recorded):
        def token_bytes(self, n_bytes: int) -> bytes:
            if os.getpid() == parent:
                entered.set()
                assert go_on.wait(60)
            return super().token_bytes(n_bytes)

    bits = BitGenerator(Waiting(), buffer_bytes=64)
    numbers = np.random.Generator(bits)
    thread = threading.Thread(target=lambda: numbers.integers(0, 1 << 64, 3, dtype=np.uint64))
    thread.start()
    assert entered.wait(60)
    child = os.fork()
    if child == 0:
        drawn = [bits.random_raw(), *numbers.integers(0, 1 << 64, 20, dtype=np.uint64).tolist(), numbers.random()]
        os._exit(0 if len(set(drawn)) == 22 and 0 not in drawn else 1)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert numbers.random() > 0


@pytest.mark.parametrize(
    "use",
    [
        pickle.dumps,
        copy.copy,
        lambda bits: copy.deepcopy(np.random.Generator(bits)),
        lambda bits: np.random.Generator(bits).spawn(2),
        lambda bits: bits.spawn(2),
        lambda bits: bits.jumped(),
        lambda bits: bits.state,
        lambda bits: setattr(bits, "state", {}),
        lambda bits: bits.seed_seq,
        lambda bits: bits.ctypes,
        lambda bits: bits.cffi,
        lambda bits: pickle.dumps(bits.lock),
    ],
)
def test_what_would_copy_or_bypass_is_refused(use: Callable[[BitGenerator], Any]) -> None:
    with pytest.raises(CloneRefusedError):
        use(BitGenerator(Recorded()))


@pytest.mark.parametrize("bad", [0, -8, 12, 1 << 27, 8.0, "8"])
def test_arguments_are_checked(bad: Any) -> None:
    with pytest.raises(InvalidInputError, match="buffer_bytes"):
        BitGenerator(Recorded(), buffer_bytes=bad)
    with pytest.raises(InvalidInputError, match="there is no seed"):
        BitGenerator(12345)  # type: ignore[arg-type]


def test_install_wants_a_capsule_of_numpy(word_stream: type) -> None:
    words = word_stream(lambda buffer: None, lambda _, error: error, 64)
    with pytest.raises(ValueError, match="apsule"):
        words.install(importlib.import_module("_datetime").datetime_CAPI)


def test_install_takes_a_capsule_once(native: ModuleType) -> None:
    words = native.WordStream(lambda buffer: None, lambda _, error: error, 64)
    capsule = np.random.PCG64().capsule
    words.install(capsule)
    with pytest.raises(ValueError, match="in use"):
        words.install(capsule)


def test_by_default_it_has_an_instance_of_its_own() -> None:
    bits = BitGenerator()
    assert isinstance(bits.instance, esoteric_drbg.RBGCInstance)
    assert bits.instance.parent is esoteric_drbg.process_instance()
    assert repr(bits).startswith("<BitGenerator over <RBGCInstance")
    assert isinstance(np.random.default_rng(bits).normal(), float)


def test_numpy_is_loaded_when_it_is_asked_for() -> None:
    code = (
        "import sys, esoteric_drbg\n"
        "assert 'BitGenerator' in dir(esoteric_drbg) and 'numpy' not in sys.modules\n"
        "assert esoteric_drbg.BitGenerator is esoteric_drbg.adapters.bit_generator.BitGenerator\n"
        "assert 'numpy' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'BitGenerators'"):
        esoteric_drbg.BitGenerators  # noqa: B018
