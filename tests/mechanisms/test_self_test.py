"""Self-tests fail when they should: wrong known answers, swallowed errors, changed working states."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner

from esoteric_drbg import errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.health_tests import LagPredictorTest
from esoteric_drbg.kernels.table import reference
from esoteric_drbg.mechanisms import base as mechanism
from esoteric_drbg.mechanisms import self_test
from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.envelope import Envelope
from esoteric_drbg.mechanisms.known_answers import KNOWN_ANSWERS
from esoteric_drbg.mechanisms.limits import DRBGLimits, hash_drbg_limits
from esoteric_drbg.mechanisms.self_test import all_limits, check_mechanism
from esoteric_drbg.rbg.self_test import run_self_tests
from esoteric_drbg.seeding import self_test as before_the_drbg

every_mechanism = pytest.mark.parametrize("limits", all_limits(), ids=lambda limits: limits.name)


def entropy(min_entropy: int) -> bytes:
    return bytes(range(-(-min_entropy // 8)))


def test_every_self_test_passes() -> None:
    names: list[str] = []
    results = run_self_tests(names.append)
    assert [result.fault for result in results] == [""] * 24
    assert names == [result.name for result in results]


@every_mechanism
def test_a_wrong_known_answer_stops_the_mechanism(limits: DRBGLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = KNOWN_ANSWERS[limits.name]
    monkeypatch.setitem(KNOWN_ANSWERS, limits.name, (first, f"{int(second[0], 16) ^ 1:x}{second[1:]}"))
    monkeypatch.setattr(mechanism, "_tested", {})
    drbg = DRBG(limits, entropy, verification=True)
    for _ in range(2):
        with pytest.raises(errors.SelfTestError, match=f"{limits.name}: the known-answer test failed"):
            drbg.instantiate()
        assert not drbg.instantiated
        with pytest.raises(errors.DRBGStateError, match="error state"):
            drbg.generate(1)
    assert {result.name for result in run_self_tests() if not result.passed} == {limits.name}
    monkeypatch.setitem(KNOWN_ANSWERS, limits.name, (first, second))
    drbg.instantiate()
    assert len(drbg.generate(1)) == 1


@every_mechanism
def test_known_answers_come_from_the_reference_kernel_too(limits: DRBGLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    def new(name: str, primitive: str, *, derivation_function: bool, ctr_len: int) -> Any:
        return reference("new_drbg_state")(name, primitive, derivation_function, ctr_len)

    monkeypatch.setattr(self_test, "new_drbg_state", new)
    check_mechanism(limits)


@pytest.mark.parametrize("swallowed", ["generate", "reseed", "instantiate"])
def test_a_swallowed_error_is_found(swallowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(Envelope, swallowed)

    def swallowing(self: Envelope, *args: Any, **kwargs: Any) -> bytes:
        try:
            answer: bytes = original(self, *args, **kwargs)
        except errors.DRBGStateError:
            return bytes(16)
        return answer

    swallowing.__name__ = swallowed
    monkeypatch.setattr(Envelope, swallowed, swallowing)
    with pytest.raises(errors.SelfTestError, match=f"{swallowed} did not report an error"):
        check_mechanism(all_limits()[2])


def test_a_dead_health_test_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RepetitionCountTest", "AdaptiveProportionTest"):
        healthy = getattr(before_the_drbg, name)
        monkeypatch.setattr(
            before_the_drbg, name, lambda healthy=healthy, **arguments: healthy(**arguments | {"cutoff": 8})
        )
    monkeypatch.setattr(
        before_the_drbg, "LagPredictorTest", lambda cutoffs, **others: LagPredictorTest((99, 99, 99), **others)
    )
    faults = [result.fault for result in run_self_tests() if not result.passed]
    assert faults == [
        "the Repetition Count Test does not fire; nothing will be generated",
        "the Adaptive Proportion Test does not fire; nothing will be generated",
        "the Lag Predictor Test does not fire in a row; nothing will be generated",
    ]


@pytest.mark.parametrize("limits", all_limits()[7:], ids=lambda limits: limits.name)
@pytest.mark.parametrize("field", ["_key", "_v"])
def test_a_flipped_bit_of_a_reference_state_is_an_error_state(limits: DRBGLimits, field: str) -> None:
    state = reference("new_drbg_state")(limits.mechanism, limits.primitive, limits.derivation_function, limits.ctr_len)
    for attempt in ("generate", "reseed"):
        drbg = DRBG(limits, entropy, state=state, verification=True)
        drbg.instantiate()
        drbg.generate(16)
        value = bytearray(getattr(state, field))
        value[-1] ^= 1
        setattr(state, field, bytes(value))
        with pytest.raises(errors.StateIntegrityError, match="changed by itself"):
            drbg.generate(16) if attempt == "generate" else drbg.reseed()
        assert state._key == b""
        with pytest.raises(errors.DRBGStateError, match="error state"):
            drbg.generate(1)
        with pytest.raises(errors.DRBGStateError, match="error state"):
            drbg.reseed()
        drbg.instantiate()
        assert len(drbg.generate(16)) == 16
        drbg.uninstantiate()


def test_the_command_tells_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = CliRunner().invoke(cli, ["selftest"])
    assert answer.exit_code == 0
    assert "24 of 24 passed" in answer.output
    monkeypatch.setitem(KNOWN_ANSWERS, "HMAC_DRBG SHA-384", ("", ""))
    answer = CliRunner().invoke(cli, ["selftest", "--json"])
    assert answer.exit_code == 1
    document = json.loads(answer.output)
    assert not document["passed"]
    assert [test["name"] for test in document["tests"] if not test["passed"]] == ["HMAC_DRBG SHA-384"]


def test_when_a_mechanism_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before an instantiation, once for those in quick succession, and with the first reseed after an hour."""
    tested: list[str] = []
    monkeypatch.setattr(self_test, "check_mechanism", lambda limits: tested.append(limits.name))
    monkeypatch.setattr(mechanism, "_tested", {})
    limits = hash_drbg_limits("sha384")

    def passed_before(seconds: float) -> None:
        mechanism._tested[limits.name] = time.monotonic() - seconds

    for expected, seconds in ((1, None), (1, 0.0), (2, mechanism.SUCCESSION_S), (2, 0.0)):
        if seconds is not None:
            passed_before(seconds)
        drbg = DRBG(limits, entropy)
        drbg.instantiate()
        assert len(tested) == expected
    for expected, seconds in ((2, mechanism.INTERVAL_S - 60), (3, mechanism.INTERVAL_S), (3, 0.0)):
        passed_before(seconds)
        drbg.reseed()
        assert len(tested) == expected

    def broken(limits: DRBGLimits) -> None:
        raise errors.SelfTestError("broken")

    monkeypatch.setattr(self_test, "check_mechanism", broken)
    passed_before(mechanism.INTERVAL_S)
    with pytest.raises(errors.SelfTestError):
        drbg.reseed()
    with pytest.raises(errors.DRBGStateError, match="error state"):
        drbg.generate(1)


def test_every_strength_and_prediction_resistance_flag_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[int, bool]] = set()
    genuine = Envelope.instantiate

    def instantiate(self: Envelope, strength: int, *, prediction_resistance: bool = False, **kwargs: Any) -> None:
        genuine(self, strength, prediction_resistance=prediction_resistance, **kwargs)
        seen.add((self.security_strength, prediction_resistance))

    monkeypatch.setattr(Envelope, "instantiate", instantiate)
    check_mechanism(hash_drbg_limits("sha256"))
    assert seen == {(strength, flag) for strength in (112, 128, 192, 256) for flag in (False, True)}
