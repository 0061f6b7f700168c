"""The Rust kernels of HMAC_DRBG, CTR_DRBG and Hash_DRBG SHA-512 equal their references, and notice flipped bits."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from process_memory import slot_of

from esoteric_drbg import errors
from esoteric_drbg.kernels.table import reference
from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.limits import DRBGLimits, ctr_drbg_limits, hash_drbg_limits, hmac_drbg_limits

IN_RUST = [
    hash_drbg_limits("sha512"),
    hmac_drbg_limits("sha256"),
    hmac_drbg_limits("sha512"),
    ctr_drbg_limits("aes256"),
    ctr_drbg_limits("aes256", derivation_function=False),
]
every_rust_mechanism = pytest.mark.parametrize("limits", IN_RUST, ids=lambda limits: limits.name)

some_bytes = st.binary(max_size=300)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("generate"), st.integers(0, 400), some_bytes),
        st.tuples(st.just("generate"), st.sampled_from([4095, 4097, 65536]), st.just(b"")),
        st.tuples(st.just("reseed"), st.just(0), some_bytes),
        st.tuples(st.just("draw"), st.sampled_from([0, 1, 65537, 131072]), st.just(b"")),
    ),
    max_size=6,
)


def states(native: ModuleType, limits: DRBGLimits) -> list[Any]:
    arguments = (limits.mechanism, limits.primitive, limits.derivation_function, limits.ctr_len)
    return [native.new_drbg_state(*arguments), reference("new_drbg_state")(*arguments)]


@every_rust_mechanism
@settings(max_examples=60, deadline=None)
@given(data=st.data(), nonce=some_bytes, extra=some_bytes, operations=operations)
def test_rust_equals_the_reference(
    native: ModuleType, limits: DRBGLimits, data: st.DataObject, nonce: bytes, extra: bytes, operations: list[Any]
) -> None:
    longest = 300 if limits.derivation_function else 48
    shortest = 0 if limits.derivation_function else 48
    entropy = st.binary(min_size=shortest, max_size=longest)
    if not limits.derivation_function:
        nonce = b""
    twins = states(native, limits)
    seed = data.draw(entropy)
    for state in twins:
        state.instantiate(seed, nonce, extra[:longest])
    for name, n_bytes, additional in operations:
        additional_input = additional[:longest]
        if name == "reseed":
            seed = data.draw(entropy)
            for state in twins:
                state.reseed(bytearray(seed), memoryview(additional_input))
        elif name == "draw":
            left, right = [state.draw(n_bytes) for state in twins]
            assert left == right
        else:
            left, right = [state.generate(n_bytes, additional_input) for state in twins]
            assert left == right
            assert len(left) == n_bytes
        assert len({state.reseed_counter for state in twins}) == 1


@every_rust_mechanism
def test_life_cycle_is_the_same(native: ModuleType, limits: DRBGLimits) -> None:
    for state in states(native, limits):
        assert not state.instantiated
        with pytest.raises(errors.DRBGStateError, match="not instantiated"):
            state.generate(1)
        with pytest.raises(errors.DRBGStateError, match="not instantiated"):
            state.reseed(bytes(48))
        state.instantiate(bytes(48), b"")
        assert state.instantiated
        assert state.reseed_counter == 1
        with pytest.raises(errors.RequestTooLargeError):
            state.generate(65537)
        assert len(state.generate(65536)) == 65536
        assert state.reseed_counter == 2
        state.zeroize()
        assert not state.instantiated
        if not limits.derivation_function:
            with pytest.raises(errors.InvalidInputError, match="entropy_input has 47 bytes: expected 48"):
                state.instantiate(bytes(47), b"")


@every_rust_mechanism
def test_every_flipped_bit_of_the_working_state_is_noticed(native: ModuleType, limits: DRBGLimits) -> None:
    state = native.new_drbg_state(limits.mechanism, limits.primitive, limits.derivation_function, limits.ctr_len)
    drbg = DRBG(limits, lambda bits: bytes(range(bits // 8)), state=state)
    drbg.instantiate()
    memory, changed = slot_of(lambda: drbg.generate(16))
    assert len(changed) > 24, "Key or V of the object was not found"
    gc.disable()
    try:
        for index in changed:
            for bit in (0, 7):
                memory[index] ^= 1 << bit
                with pytest.raises(errors.StateIntegrityError, match="changed by itself"):
                    drbg.generate(16)
                with pytest.raises(errors.DRBGStateError, match="error state"):
                    drbg.generate(16)
                assert not state.instantiated
                drbg.instantiate()
                drbg.generate(16)
    finally:
        gc.enable()
    assert len(drbg.generate(100)) == 100


def test_what_rust_lacks_is_refused(native: ModuleType) -> None:
    for arguments in (
        ("CTR_DRBG", "aes128", True, 128),
        ("CTR_DRBG", "aes256", True, 64),
        ("HMAC_DRBG", "sha1", True, 128),
    ):
        with pytest.raises(errors.InvalidInputError, match="the Rust kernels do not have it"):
            native.new_drbg_state(*arguments)
    with pytest.raises(errors.InvalidInputError, match="expected Hash_DRBG"):
        reference("new_drbg_state")("XOR_DRBG", "aes128", True, 128)
