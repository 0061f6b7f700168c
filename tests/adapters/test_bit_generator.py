"""The bit generator for numpy: its words are the instance's bytes, and what goes wrong is raised."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esoteric_drbg import BitGenerator
from esoteric_drbg.errors import DRBGStateError, EntropyUnavailableError, InvalidInputError

ULP = 2.0**-53


class Recorded:
    """Gives a byte stream that can be computed again, up to a limit."""

    def __init__(self, limit: int = 1 << 40) -> None:
        self.given = 0
        self.limit = limit

    def token_bytes(self, n_bytes: int) -> bytes:
        if self.given + n_bytes > self.limit:
            secret = b"the frames of this call hold seed material"
            raise EntropyUnavailableError("no more") from ValueError(len(secret))
        self.given += n_bytes
        return stream(self.given)[-n_bytes:]


def stream(n_bytes: int) -> bytes:
    return hashlib.shake_128(b"words").digest(n_bytes)


def generator(source: Any, buffer_bytes: int = 64) -> np.random.Generator:
    return np.random.Generator(BitGenerator(source, buffer_bytes=buffer_bytes))


@given(
    kinds=st.lists(st.sampled_from(["next_uint64", "next_uint32", "next_double"]), max_size=60),
    buffer_bytes=st.sampled_from([8, 16, 24, 64, 4096]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_words_equal_a_model_of_the_byte_stream(word_stream: type, kinds: list[str], buffer_bytes: int) -> None:
    source = Recorded()
    words = word_stream(lambda buffer: fill(source, buffer), lambda _, error: error, buffer_bytes)
    expected, at = stream(8 * len(kinds)), 0
    for kind in kinds:
        size = 4 if kind == "next_uint32" else 8
        model: float = int.from_bytes(expected[at : at + size], "little")
        if kind == "next_double":
            model = (int(model) >> 11) * ULP
        assert getattr(words, kind)() == model
        at += size
    assert words.buffered == (source.given - at if kinds else 0)


def fill(source: Recorded, buffer: bytearray) -> None:
    buffer[:] = source.token_bytes(len(buffer))


def test_numpy_gets_the_bytes_in_order(word_stream: type) -> None:
    numbers = generator(Recorded(), 24)
    words = np.frombuffer(stream(8 * 100), "<u8")
    assert numbers.integers(0, 1 << 64, 10, dtype=np.uint64).tolist() == words[:10].tolist()
    assert numbers.random(20).tolist() == [(int(word) >> 11) * ULP for word in words[10:30]]
    halves = words[30:50].view("<u4")
    assert numbers.integers(0, 1 << 32, 39, dtype=np.uint32).tolist() == halves[:39].tolist()
    # The second half of the last word is not lost: the next word begins with it.
    assert numbers.integers(0, 1 << 64, dtype=np.uint64) == int(halves[39]) | int(words[50:51].view("<u4")[0]) << 32
    assert numbers.bytes(4) == words[50:51].tobytes()[4:]


def test_random_raw() -> None:
    bits = BitGenerator(Recorded(), buffer_bytes=64)
    words = np.frombuffer(stream(8 * 12), "<u8").tolist()
    assert bits.random_raw() == words[0]
    assert isinstance(bits.random_raw(), int)
    table = bits.random_raw((2, 3))
    assert (table.dtype, table.tolist()) == (np.uint64, [words[2:5], words[5:8]])
    assert bits.random_raw(2, output=False) is None
    assert bits.random_raw(output=False) is None
    assert bits.random_raw() == words[11]
    with pytest.raises(EntropyUnavailableError):
        BitGenerator(Recorded(0)).random_raw()


def test_readinto_is_preferred_and_must_fill_the_buffer(word_stream: type) -> None:
    class WithReadinto(Recorded):
        short = 0

        def readinto(self, buffer: memoryview) -> int:
            buffer[:] = super().token_bytes(len(buffer))
            return len(buffer) - self.short

        def token_bytes(self, n_bytes: int) -> bytes:
            raise AssertionError

    source = WithReadinto()
    assert generator(source).integers(0, 1 << 64, dtype=np.uint64) == int.from_bytes(stream(8), "little")
    source.short = 1
    with pytest.raises(InvalidInputError, match="gave 63 of 64 bytes"):
        generator(source).random()


def test_an_error_is_raised_once_and_without_the_frames_it_passed(word_stream: type) -> None:
    source = Recorded(64 * 10)
    numbers = generator(source)
    with pytest.raises(EntropyUnavailableError, match="no more") as caught:
        numbers.standard_normal(10**5)
    for error in (caught.value, caught.value.__cause__, caught.value.__context__):
        assert error is None or "token_bytes" not in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert source.given == 64 * 10
    source.limit = 1 << 30
    assert numbers.standard_normal(3).shape == (3,)


def test_after_an_error_numpy_gets_neither_zeros_nor_a_constant(word_stream: type) -> None:
    numbers = generator(Recorded(0))
    draws: list[tuple[Any, Callable[[Any], Any]]] = [
        (np.zeros(1000), lambda out: numbers.random(out=out)),
        (np.zeros(1000, np.float32), lambda out: numbers.random(out=out, dtype=np.float32)),
        (np.zeros(1000), lambda out: numbers.standard_normal(out=out)),
    ]
    for out, draw in draws:
        with pytest.raises(EntropyUnavailableError):
            draw(out)
        assert np.count_nonzero(out) > 990
        assert len(np.unique(out)) > 990


def test_what_was_drawn_without_the_lock_is_refused_at_the_next_use(word_stream: type) -> None:
    source = Recorded(0)
    bits = BitGenerator(source)
    numbers = np.random.Generator(bits)
    np.random.BitGenerator.random_raw(bits, 2)  # numpy's own method, with a lock of its own
    source.limit = 1 << 30
    with pytest.raises(EntropyUnavailableError):
        numbers.random()
    assert source.given == 0
    assert 0 <= numbers.random() < 1


def test_a_nested_use_that_swallows_the_error_does_not_hide_it(word_stream: type) -> None:
    bits = BitGenerator(Recorded(0))
    numbers = np.random.Generator(bits)

    def swallow() -> None:
        with bits.lock:
            for _ in range(2):
                with pytest.raises(EntropyUnavailableError):
                    numbers.random()

    with pytest.raises(EntropyUnavailableError):
        swallow()
    with pytest.raises(RuntimeError):
        bits.lock.release()


def test_random_state_is_of_no_use_after_a_failure(word_stream: type) -> None:
    source = Recorded(64)
    bits = BitGenerator(source, buffer_bytes=64)
    legacy = np.random.RandomState(bits)
    legacy.random_sample(7)  # one word is left: not enough for the pair of which one would be kept
    with pytest.raises(EntropyUnavailableError):
        legacy.standard_normal()
    source.limit = 1 << 30
    for _ in range(2):
        with pytest.raises(DRBGStateError, match="RandomState"):
            legacy.standard_normal()
    assert generator(source).random() < 1


def test_a_source_that_draws_from_its_own_generator_is_refused(word_stream: type) -> None:
    class Circular(Recorded):
        refusals = 0

        def token_bytes(self, n_bytes: int) -> bytes:
            for use in (numbers.random, bits.discard):
                with pytest.raises(DRBGStateError, match="being filled"):
                    use()
                self.refusals += 1
            return super().token_bytes(n_bytes)

    source = Circular()
    bits = BitGenerator(source, buffer_bytes=64)
    numbers = np.random.Generator(bits)
    words = np.frombuffer(stream(8 * 20), "<u8")
    assert numbers.integers(0, 1 << 64, 20, dtype=np.uint64).tolist() == words.tolist()
    assert source.refusals == 6


def test_ctrl_c_during_a_draw(word_stream: type) -> None:
    class Interrupting(Recorded):
        def token_bytes(self, n_bytes: int) -> bytes:
            if self.given == 640:
                signal.raise_signal(signal.SIGINT)
            return super().token_bytes(n_bytes)

    source = Interrupting()
    numbers = generator(source)
    with pytest.raises(KeyboardInterrupt):
        numbers.random(10**4)
    assert source.given <= 704
    source.given += 64
    assert 0 <= numbers.random() < 1


@pytest.mark.skipif(not hasattr(signal, "SIGVTALRM"), reason="needs interval timers of POSIX")
def test_a_signal_at_any_moment_leaves_no_zero(word_stream: type) -> None:
    class StopError(Exception):
        pass

    class NeverZero:
        def token_bytes(self, n_bytes: int) -> bytes:
            return os.urandom(n_bytes).replace(b"\0", b"\1")

    # The handler raises only while it is armed, and it is armed only inside the try: for a late signal of an earlier
    # attempt there is no moment in between. A finaliser of the garbage collection would swallow what it raises.
    armed: list[bool] = []

    def stop(*_: object) -> None:
        if armed:
            armed.clear()
            raise StopError

    previous = signal.signal(signal.SIGVTALRM, stop)
    size = 3_000 if "reference" in word_stream.__module__ else 300_000
    stopped = 0
    gc.disable()
    try:
        for attempt in range(100):
            numbers = generator(NeverZero(), 4096)
            try:
                armed.append(True)
                signal.setitimer(signal.ITIMER_VIRTUAL, 1e-4 * (1 + attempt % 20))
                words = numbers.integers(0, 1 << 64, size, dtype=np.uint64)
                armed.clear()
            except StopError:
                stopped += 1
            else:
                assert np.all(words)
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
    assert stopped


def test_an_interrupted_callback_of_the_reference_is_noticed() -> None:
    from esoteric_drbg.kernels.reference.bit_generator import WordStream

    words = WordStream(lambda buffer: None, lambda _, error: error, 64)
    bits = np.random.PCG64()
    words.install(bits.capsule)
    numbers = np.random.Generator(bits)
    words._words[0].close()
    drawn = {int(word) for word in numbers.integers(0, 1 << 64, 100, dtype=np.uint64)}
    assert len(drawn) == 100
    for _ in range(2):
        with pytest.raises(DRBGStateError, match="interrupted"), words:
            pass
