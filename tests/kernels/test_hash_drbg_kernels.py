"""The two Hash_DRBG kernels side by side: Hypothesis drives their whole life cycle and compares every byte."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from esoteric_drbg import errors
from esoteric_drbg.kernels import kernel_info, table
from esoteric_drbg.kernels.reference.hash_drbg import HashDrbgState as ReferenceState

try:
    from esoteric_drbg.kernels import _native
except ImportError:  # the reference alone
    _native = None  # type: ignore[assignment]

lengths = st.integers(0, 300) | st.sampled_from([31, 32, 33, 64, 4096, 32_768, 32_769, 65_535, 65_536])


class LifeCycle(RuleBasedStateMachine):
    """Every operation on both kernels, with a model of counters and budget."""

    @initialize()
    def make(self) -> None:
        self.answered: list[int] = []

        def answer(n_bytes: int) -> bytes:
            self.answered.append(n_bytes)
            return b"answer"

        self.reference = ReferenceState("sha256", answer)
        self.twin: Any = (ReferenceState if _native is None else _native.HashDrbgState)("sha256", answer)
        self.counter = 0
        self.budget = 0

    def both(self, name: str, *arguments: Any) -> Any:
        expected = getattr(self.reference, name)(*arguments)
        assert getattr(self.twin, name)(*arguments) == expected
        return expected

    @rule(
        entropy=st.binary(min_size=32, max_size=64),
        nonce=st.binary(max_size=20),
        text=st.none() | st.binary(max_size=99),
    )
    def instantiate(self, entropy: bytes, nonce: bytes, text: bytes | None) -> None:
        self.both("instantiate", entropy, nonce, text)
        self.counter, self.budget = 1, 0

    @precondition(lambda self: self.counter)
    @rule(entropy=st.binary(min_size=32, max_size=64), extra=st.none() | st.binary(max_size=200))
    def reseed(self, entropy: bytes, extra: bytes | None) -> None:
        self.both("reseed", entropy, extra)
        self.counter, self.budget = 1, 0

    @precondition(lambda self: self.counter)
    @rule(length=lengths, extra=st.none() | st.binary(max_size=200))
    def generate(self, length: int, extra: bytes | None) -> None:
        assert len(self.both("generate", length, extra)) == length
        self.counter += 1

    @rule(bits=st.integers(0, 1 << 20) | st.just((1 << 64) - 1))
    def grant(self, bits: int) -> None:
        self.both("grant", bits)
        self.budget = bits

    @rule()
    def revoke(self) -> None:
        self.both("revoke")
        self.budget = 0

    @precondition(lambda self: self.counter)
    @rule(length=st.integers(0, 40) | st.sampled_from([32_768, 32_769, 100_000]))
    def token_bytes(self, length: int) -> None:
        covered = 0 < length <= 32_768 and 8 * length <= self.budget
        out = self.both("token_bytes", length)
        if covered:
            assert len(out) == length
            self.counter += 1
            self.budget -= 8 * length
        else:
            assert out == b"answer"
            assert self.answered[-2:] == [length, length]

    @precondition(lambda self: self.counter)
    @rule(length=st.integers(1, 200_000))
    def charge_and_draw(self, length: int) -> None:
        if self.both("charge", length):
            assert 8 * length <= self.budget
            self.budget -= 8 * length
            assert len(self.both("draw", length)) == length
            self.counter += -(-length // 65_536)
        else:
            assert 8 * length > self.budget

    @precondition(lambda self: not self.counter)
    @rule()
    def uninstantiated_states_refuse(self) -> None:
        for state in (self.reference, self.twin):
            for name, argument in (("generate", 1), ("reseed", bytes(32)), ("draw", 1)):
                with pytest.raises(errors.DRBGStateError, match="not instantiated"):
                    getattr(state, name)(argument)

    @precondition(lambda self: self.counter)
    @rule(length=st.integers(65_537, 1 << 40))
    def too_large(self, length: int) -> None:
        for state in (self.reference, self.twin):
            with pytest.raises(errors.RequestTooLargeError, match=str(length)):
                state.generate(length)

    @rule()
    def zeroize(self) -> None:
        self.both("zeroize")
        self.counter = self.budget = 0

    @invariant()
    def counters_agree(self) -> None:
        if hasattr(self, "twin"):
            for state in (self.reference, self.twin):
                assert state.reseed_counter == self.counter
                assert state.budget_bits == self.budget
                assert state.instantiated is bool(self.counter)


TestLifeCycle = LifeCycle.TestCase
TestLifeCycle.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_wraparound_of_v_is_modulo_2_440(native: ModuleType) -> None:
    """Long requests step through carries of the 440-bit counter; both kernels must agree in each byte."""
    for seed in range(30):
        pair = [native.HashDrbgState(), ReferenceState()]
        for state in pair:
            state.instantiate(bytes([seed]) * 48, b"")
        for length in (65_536, 1, 20_000):
            assert pair[0].generate(length) == pair[1].generate(length)


def test_without_an_answer_a_used_up_budget_raises(native: ModuleType) -> None:
    for state in (native.HashDrbgState(), ReferenceState()):
        state.instantiate(bytes(48), b"")
        with pytest.raises(errors.ReseedRequiredError):
            state.token_bytes()
        state.grant(256)
        assert len(state.token_bytes()) == 32
        with pytest.raises(errors.ReseedRequiredError):
            state.token_bytes(1)


def test_arguments_are_checked(native: ModuleType) -> None:
    with pytest.raises(errors.InvalidInputError, match="hash_name"):
        native.HashDrbgState("sha512")
    with pytest.raises(errors.InvalidInputError, match="hash_name"):
        ReferenceState("sha3")
    with pytest.raises((errors.InvalidInputError, TypeError)):
        native.HashDrbgState().instantiate("text", b"")
    strided = memoryview(bytes(96))[::2]
    with pytest.raises(errors.InvalidInputError, match="contiguous"):
        native.HashDrbgState().instantiate(strided, b"")


def test_every_rust_kernel_has_its_twin_in_python(native: ModuleType) -> None:
    public = {name for name in dir(native) if not name.startswith("_")}
    assert public - {*table.REFERENCES, *table.FALLBACKS} == {"cpu_features", "end_begins", "refused_paths"}
    # What has no specification times Python's own work.
    unspecified = set(table.FALLBACKS) - set(table.REFERENCES)
    assert {table.FALLBACKS[name].rpartition(".")[2] for name in unspecified} == {"timing", "rdseed"}
    for name in table.REFERENCES:
        assert callable(table.reference(name))
    for name in {*table.REFERENCES, *table.FALLBACKS}:
        assert callable(table.fallback(name))
        assert getattr(native, name).__doc__ or name == "HashDrbgState"


def test_kernel_info_names_what_runs() -> None:
    info = kernel_info()
    expected = os.environ.get("ESOTERIC_DRBG_KERNELS", "auto")
    if expected in {"rust", "reference"}:
        assert info.name == expected
    assert info.reason


def test_native_state_is_collected_with_its_cycle(native: ModuleType) -> None:
    class Owner:
        def __init__(self) -> None:
            self.state = native.HashDrbgState("sha256", self.answer)

        def answer(self, n_bytes: int) -> bytes:
            return bytes(n_bytes)

    before = sum(isinstance(thing, Owner) for thing in gc.get_objects())
    for _ in range(10):
        Owner()
    gc.collect()
    assert sum(isinstance(thing, Owner) for thing in gc.get_objects()) == before


def test_reference_state_survives_a_fork_while_another_thread_uses_it() -> None:
    state = ReferenceState()
    state.instantiate(bytes(48), b"")
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with state._requested():
            inside.set()
            leave.wait(30)

    worker = threading.Thread(target=hold)
    worker.start()
    inside.wait(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: fork in a process with threads
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        # What a thread of the parent had half done is overwritten.
        if state.charge(1) or state.instantiated:
            os._exit(2)
        state.instantiate(bytes(48), b"")
        os._exit(0 if len(state.generate(1)) == 1 else 1)
    leave.set()
    worker.join()
    assert os.waitpid(child, 0)[1] == 0
