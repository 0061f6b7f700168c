"""The functions of SP 800-90A section 9 around every mechanism: strengths, limits, error states, forks, threads."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sequences import play

from esoteric_drbg import errors
from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG
from esoteric_drbg.mechanisms.limits import DRBGLimits, ctr_drbg_limits, hash_drbg_limits
from esoteric_drbg.mechanisms.self_test import all_limits

EVERY = all_limits()
every_mechanism = pytest.mark.parametrize("limits", EVERY, ids=lambda limits: limits.name)


class Entropy:
    """Get_entropy_input that hands out prepared bytes, cut to what was asked for, and notes what that was."""

    def __init__(self, *inputs: bytes) -> None:
        self.inputs = deque(inputs)
        self.asked: list[int] = []

    def __call__(self, min_entropy: int) -> bytes:
        self.asked.append(min_entropy)
        return self.inputs.popleft() if self.inputs else bytes([len(self.asked)]) * -(-min_entropy // 8)


def seeded(limits: DRBGLimits, strength: int | None = None, **kwargs: Any) -> tuple[DRBG, Entropy]:
    entropy = Entropy()
    drbg = DRBG(limits, entropy, verification=True)
    drbg.instantiate(strength, **kwargs)
    return drbg, entropy


def test_tables_2_and_3() -> None:
    table = {
        limits.name: (limits.seedlen, limits.highest_supported_security_strength, limits.max_length) for limits in EVERY
    }
    long = 1 << 35
    assert table == {
        "Hash_DRBG SHA-1": (440, 128, long),
        "Hash_DRBG SHA-224": (440, 192, long),
        "Hash_DRBG SHA-256": (440, 256, long),
        "Hash_DRBG SHA-384": (888, 256, long),
        "Hash_DRBG SHA-512": (888, 256, long),
        "Hash_DRBG SHA-512/224": (440, 192, long),
        "Hash_DRBG SHA-512/256": (440, 256, long),
        "HMAC_DRBG SHA-1": (None, 128, long),
        "HMAC_DRBG SHA-224": (None, 192, long),
        "HMAC_DRBG SHA-256": (None, 256, long),
        "HMAC_DRBG SHA-384": (None, 256, long),
        "HMAC_DRBG SHA-512": (None, 256, long),
        "HMAC_DRBG SHA-512/224": (None, 192, long),
        "HMAC_DRBG SHA-512/256": (None, 256, long),
        "CTR_DRBG AES-128": (256, 128, long),
        "CTR_DRBG AES-128 no df": (256, 128, 256),
        "CTR_DRBG AES-192": (320, 192, long),
        "CTR_DRBG AES-192 no df": (320, 192, 320),
        "CTR_DRBG AES-256": (384, 256, long),
        "CTR_DRBG AES-256 no df": (384, 256, 384),
    }
    assert {limits.max_number_of_bits_per_request for limits in EVERY} == {1 << 19}
    assert {limits.reseed_interval for limits in EVERY} == {1 << 48}
    assert ctr_drbg_limits("aes128", ctr_len=4).max_number_of_bits_per_request == 12 * 128
    assert ctr_drbg_limits("aes128", ctr_len=13).max_number_of_bits_per_request == 1 << 19


def test_unknown_primitives_are_named() -> None:
    entropy = Entropy()
    with pytest.raises(errors.InvalidInputError, match="hash_name='md5': expected one of sha1, sha224"):
        HashDRBG(entropy, hash_name="md5")
    with pytest.raises(errors.InvalidInputError, match="hash_name='sha3_256'"):
        HmacDRBG(entropy, hash_name="sha3_256")
    with pytest.raises(errors.InvalidInputError, match="cipher_name='tdea': expected one of aes128"):
        CtrDRBG(entropy, cipher_name="tdea")
    for ctr_len in (3, 129):
        with pytest.raises(errors.InvalidInputError, match=f"ctr_len={ctr_len}"):
            CtrDRBG(entropy, ctr_len=ctr_len)


@pytest.mark.parametrize("mechanism", [HashDRBG, HmacDRBG])
def test_sha1_is_for_verification_alone(mechanism: type[HashDRBG] | type[HmacDRBG]) -> None:
    with pytest.raises(errors.InvalidInputError, match="verification of old vectors alone"):
        mechanism(Entropy(), hash_name="sha1")
    drbg = mechanism(Entropy(), hash_name="sha1", verification=True)
    drbg.instantiate()
    assert drbg.security_strength == 128


@every_mechanism
def test_entropy_asked_for(limits: DRBGLimits) -> None:
    strength = limits.highest_supported_security_strength
    drbg, entropy = seeded(limits)
    drbg.reseed()
    if limits.derivation_function:
        assert entropy.asked == [strength + strength // 2, strength]
        _, with_nonce = seeded(limits, nonce=bytes(strength // 16))
        assert with_nonce.asked == [strength]
    else:
        assert entropy.asked == [limits.seedlen, limits.seedlen]
        with pytest.raises(errors.InvalidInputError, match="takes none"):
            seeded(limits, nonce=bytes(8))


@every_mechanism
def test_strength_is_the_next_of_the_four(limits: DRBGLimits) -> None:
    highest = limits.highest_supported_security_strength
    for asked in (1, 112, 113, 128, 129, 192, 193, 256):
        if asked <= highest:
            drbg, _ = seeded(limits, asked)
            assert drbg.security_strength == min(step for step in (112, 128, 192, 256) if step >= asked)
            with pytest.raises(errors.InvalidInputError, match=f"offers {drbg.security_strength}"):
                drbg.generate(1, security_strength=drbg.security_strength + 1)
            assert drbg.generate(0) == b""
        else:
            with pytest.raises(errors.InvalidInputError, match=f"security_strength={asked}"):
                seeded(limits, asked)


@every_mechanism
def test_length_limits(limits: DRBGLimits) -> None:
    small = limits.replace(
        max_length=8 * 64,
        max_personalization_string_length=8 * 8,
        max_additional_input_length=8 * 8,
        max_number_of_bits_per_request=8 * 16,
    )
    drbg, entropy = seeded(small, personalization_string=bytes(8))
    with pytest.raises(errors.RequestTooLargeError, match="personalization_string has 72 bits"):
        seeded(small, personalization_string=bytes(9))
    with pytest.raises(errors.RequestTooLargeError, match="additional_input"):
        drbg.generate(1, additional_input=bytes(9))
    entropy.inputs.append(bytes(65))
    with pytest.raises(
        (errors.RequestTooLargeError, errors.ReseedRequiredError), match=r"entropy_input has 520 bits|takes exactly"
    ):
        drbg.reseed()
    with pytest.raises(errors.RequestTooLargeError, match="additional_input"):
        drbg.reseed(bytes(9))
    assert len(drbg.generate(16, additional_input=bytes(8))) == 16
    with pytest.raises(errors.RequestTooLargeError, match="at most 128 bits"):
        drbg.generate(17)
    with pytest.raises(errors.InvalidInputError, match="not negative"):
        drbg.generate(-1)


@every_mechanism
def test_largest_request(limits: DRBGLimits) -> None:
    drbg, _ = seeded(limits)
    twin, _ = seeded(limits)
    whole = drbg.generate(65536)
    assert len({whole[begin : begin + 16] for begin in range(0, 65536, 16)}) == 4096
    assert twin.generate(65536) == whole
    with pytest.raises(errors.RequestTooLargeError, match="at most 524288 bits"):
        drbg.generate(65537)


@every_mechanism
def test_requests_of_every_length_are_prefixes(limits: DRBGLimits) -> None:
    whole = seeded(limits)[0].generate(200)
    for n_bytes in (1, 15, 16, 17, 20, 31, 32, 33, 63, 64, 65, 127, 128, 129):
        assert seeded(limits)[0].generate(n_bytes) == whole[:n_bytes]


@every_mechanism
def test_long_output_is_whole_requests_in_a_row(limits: DRBGLimits) -> None:
    drbg, twin = seeded(limits)[0], seeded(limits)[0]
    whole = drbg.generate_long(2 * 65536 + 5)
    assert whole == twin.generate(65536) + twin.generate(65536) + twin.generate(5)
    assert drbg.generate_long(0) == b""
    assert drbg.generate_long(3) == twin.generate(3)
    with pytest.raises(errors.InvalidInputError, match="not negative"):
        drbg.generate_long(-1)
    short, entropy = seeded(limits.replace(reseed_interval=2))
    assert short.generate_long(2 * 65536) == whole[: 2 * 65536]
    short.generate_long(3 * 65536)
    assert len(entropy.asked) == 3


@every_mechanism
def test_reseed_interval_forces_a_reseed(limits: DRBGLimits) -> None:
    drbg, entropy = seeded(limits.replace(reseed_interval=3))
    for _ in range(3):
        drbg.generate(1)
    assert len(entropy.asked) == 1
    assert drbg.state.reseed_counter == 4
    drbg.generate(1)
    assert len(entropy.asked) == 2
    assert drbg.state.reseed_counter == 2


@every_mechanism
def test_prediction_resistance_reseeds_every_request_and_uses_the_additional_input_there(limits: DRBGLimits) -> None:
    drbg, entropy = seeded(limits, prediction_resistance=True)
    twin, _ = seeded(limits, prediction_resistance=True)
    for index in range(3):
        out = drbg.generate(40, prediction_resistance=True, additional_input=b"more")
        twin.reseed(b"more")
        assert out == twin.generate(40)
        assert len(entropy.asked) == index + 2
    plain, _ = seeded(limits)
    with pytest.raises(errors.InvalidInputError, match="prediction_resistance was not asked for"):
        plain.generate(1, prediction_resistance=True)


@every_mechanism
def test_short_entropy_input_is_refused_and_the_state_kept(limits: DRBGLimits) -> None:
    entropy = Entropy(b"short")
    drbg = DRBG(limits, entropy, verification=True)
    with pytest.raises(errors.ReseedRequiredError, match="returned 40 bits"):
        drbg.instantiate()
    assert not drbg.instantiated
    drbg.instantiate()
    entropy.inputs.append(b"short")
    with pytest.raises(errors.ReseedRequiredError, match="returned 40 bits"):
        drbg.reseed()
    assert drbg.state.reseed_counter == 1
    if not limits.derivation_function:
        assert limits.seedlen is not None
        entropy.inputs.append(bytes(limits.seedlen // 8 + 1))
        with pytest.raises(errors.ReseedRequiredError, match=f"exactly {limits.seedlen} bits of full entropy"):
            drbg.reseed()


@every_mechanism
def test_entropy_errors_pass_through_and_leave_the_state(limits: DRBGLimits) -> None:
    drbg, twin = seeded(limits)[0], seeded(limits)[0]

    def failing(min_entropy: int) -> bytes:
        raise errors.EntropyUnavailableError(f"{min_entropy} bits")

    drbg._get_entropy_input = failing
    with pytest.raises(errors.EntropyUnavailableError):
        drbg.reseed()
    assert drbg.generate(32) == twin.generate(32)


@every_mechanism
def test_uninstantiated_and_failed_instances_refuse_everything(limits: DRBGLimits) -> None:
    drbg, _ = seeded(limits)
    with pytest.raises(errors.DRBGStateError, match="already instantiated"):
        drbg.instantiate()
    drbg.uninstantiate()
    assert drbg.state.reseed_counter == 0
    fresh = bytes((limits.seedlen or 256) // 8)
    calls: list[Callable[[], object]] = [partial(drbg.generate, 1), drbg.reseed]
    inner: list[Callable[[], object]] = [partial(drbg.state.generate, 1), partial(drbg.state.reseed, fresh)]
    for call in calls + inner:
        with pytest.raises(errors.DRBGStateError, match="not instantiated"):
            call()
    drbg.instantiate()
    drbg.fail("a test said so")
    for call in calls:
        with pytest.raises(errors.DRBGStateError, match="a test said so"):
            call()
    drbg.uninstantiate()
    with pytest.raises(errors.DRBGStateError, match="a test said so"):
        drbg.generate(1)
    drbg.instantiate()
    assert len(drbg.generate(1)) == 1


@every_mechanism
def test_neither_copied_nor_pickled_nor_shown(limits: DRBGLimits) -> None:
    drbg, _ = seeded(limits)
    for thing in (drbg, drbg.state):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(errors.CloneRefusedError):
                attempt(thing)
        assert "instantiated" in repr(thing) or "strength" in repr(thing)
        assert len(repr(thing)) < 70


@every_mechanism
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_reseeds_before_its_first_byte(limits: DRBGLimits) -> None:
    entropy = Entropy()
    drbg = DRBG(limits, entropy, verification=True)
    drbg.instantiate()
    drbg.generate(1)
    asked = len(entropy.asked)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, drbg.generate(32) + bytes([len(entropy.asked) - asked]))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    assert answer[32] == 1
    assert answer[:32] != drbg.generate(32)
    assert len(entropy.asked) == asked


@pytest.mark.parametrize(
    "limits", [EVERY[4], EVERY[9], EVERY[18], EVERY[19], EVERY[15]], ids=lambda limits: limits.name
)
def test_threads_share_one_instance(limits: DRBGLimits) -> None:
    drbg, _ = seeded(limits)
    outputs: list[bytes] = []
    sizes = (16, 40000, 100, 65536)

    def draw() -> None:
        for index in range(20):
            outputs.append(drbg.generate(sizes[index % 4])[:16])

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outputs) == len(set(outputs)) == 160
    assert drbg.state.reseed_counter == 161


def replay(sequence: dict[str, Any]) -> None:
    """Run one operation sequence through the section 9 functions and compare every output."""
    primitive = sequence["primitive"].lower().replace("-", "").replace("/", "_")
    entropy = Entropy()
    drbg: DRBG
    if sequence["mechanism"] == "CTR":
        drbg = CtrDRBG(entropy, cipher_name=primitive, derivation_function=sequence["df"])
    else:
        mechanism = {"Hash": HashDRBG, "HMAC": HmacDRBG}[sequence["mechanism"]]
        drbg = mechanism(entropy, hash_name=primitive, verification=True)
    play(drbg, entropy.inputs, sequence["ops"])


def test_every_recorded_sequence(vectors: Path) -> None:
    lines = (vectors / "drbg" / "sequences_pub.jsonl").read_text().splitlines()
    seen = set()
    for line in lines:
        sequence = json.loads(line)
        replay(sequence)
        seen.add((sequence["mechanism"], sequence["primitive"], sequence["df"]))
    assert len(seen) == len(EVERY)


def test_short_counters_wrap_within_ctr_len() -> None:
    """With ctr_len = 4 the upper 124 bits of V stay between two updates: Block_Encrypt of each V is the output."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    from esoteric_drbg.kernels.reference.ctr_drbg import CtrDrbgState

    state = CtrDrbgState("aes128", ctr_len=4)
    state.instantiate(bytes(range(32)), b"")
    key, v = state._key, int.from_bytes(state._v, "big")
    out = state.generate(12 * 16)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    for index in range(12):
        counter = (v & ~15) | ((v + 1 + index) & 15)
        assert encryptor.update(counter.to_bytes(16, "big")) == out[16 * index : 16 * index + 16]
    drbg = CtrDRBG(Entropy(), cipher_name="aes128", ctr_len=4)
    drbg.instantiate()
    assert len(drbg.generate(192)) == 192
    with pytest.raises(errors.RequestTooLargeError):
        drbg.generate(193)


def test_hash_drbg_limits_take_a_name() -> None:
    assert hash_drbg_limits("sha512_256").name == "Hash_DRBG SHA-512/256"


def test_long_output_with_a_short_counter() -> None:
    drbg, twin = CtrDRBG(Entropy(), ctr_len=4), CtrDRBG(Entropy(), ctr_len=4)
    drbg.instantiate()
    twin.instantiate()
    assert drbg.generate_long(200) == twin.generate(192) + twin.generate(8)
