"""Self-tests: SP 800-90A Rev. 1 section 11.3, and start-up checks of what stands before the DRBG.

:func:`check_mechanism` runs before a mechanism is instantiated (once for instantiations in quick succession) and with
the first reseed after an hour, :func:`run_self_tests` on demand. Nothing is remembered of a failure but the failure: a
mechanism that fails is refused, and asked again it is tested again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from esoteric_drbg.errors import (
    DRBGStateError,
    EntropyUnavailableError,
    EsotericDRBGError,
    InvalidInputError,
    RequestTooLargeError,
    ReseedRequiredError,
    SelfTestError,
)
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.health_tests import AdaptiveProportionTest, LagPredictorTest, RepetitionCountTest
from esoteric_drbg.kernels.drbg import new_drbg_state
from esoteric_drbg.mechanisms.base import DRBG, STRENGTHS
from esoteric_drbg.mechanisms.known_answers import HASH_DF, KNOWN_ANSWERS
from esoteric_drbg.mechanisms.limits import (
    CIPHERS,
    HASHES,
    DRBGLimits,
    ctr_drbg_limits,
    hash_drbg_limits,
    hmac_drbg_limits,
)
from esoteric_drbg.seeding.conditioning import hash_df

__all__ = ["SelfTestResult", "all_limits", "check_mechanism", "run_self_tests"]


class SelfTestResult(Frozen):
    """What one self-test said; ``fault`` is empty where it passed."""

    name: str
    fault: str
    seconds: float

    @property
    def passed(self) -> bool:
        """True where nothing was found."""
        return not self.fault


def all_limits() -> list[DRBGLimits]:
    """Return every mechanism of this package, in the standard's order.

    Examples
    --------
    >>> len(all_limits())
    20
    """
    return [
        *(hash_drbg_limits(name) for name in HASHES),
        *(hmac_drbg_limits(name) for name in HASHES),
        *(ctr_drbg_limits(name, derivation_function=df) for name in CIPHERS for df in (True, False)),
    ]


def check_mechanism(limits: DRBGLimits) -> None:
    """Known-answer test of instantiate, generate and reseed, and error handling of each function (11.3.2 to 11.3.5).

    Raises
    ------
    SelfTestError
        If an output differs or an error is not reported. The mechanism then refuses to be instantiated.
    """
    _known_answer_test(limits)
    _error_handling_test(limits)


def run_self_tests(progress: Callable[[str], object] | None = None) -> list[SelfTestResult]:
    """Run every self-test on demand.

    Parameters
    ----------
    progress : callable, optional
        Called with the name of each test before it runs.

    Examples
    --------
    >>> all(result.passed for result in run_self_tests())
    True
    """
    results = []
    for name, test in _tests():
        if progress is not None:
            progress(name)
        began = time.perf_counter()
        try:
            test()
        except EsotericDRBGError as error:
            fault = str(error)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            fault = ""
        results.append(SelfTestResult(name=name, fault=fault, seconds=time.perf_counter() - began))
    return results


def _tests() -> Iterator[tuple[str, Callable[[], None]]]:
    yield "Repetition Count Test", _repetition_count_test
    yield "Adaptive Proportion Test", _adaptive_proportion_test
    yield "Lag Predictor Test (developer-defined)", _lag_predictor_test
    yield "Hash_df SHA-256", _hash_df_test
    for limits in all_limits():
        yield limits.name, lambda limits=limits: check_mechanism(limits)  # type: ignore[misc]


def _require(met: bool, what: str) -> None:
    if not met:
        raise SelfTestError(f"{what}; nothing will be generated")


def _inputs(limits: DRBGLimits) -> tuple[bytes, bytes, bytes]:
    """Return entropy input, nonce, and entropy input for the reseed, of the lengths the mechanism takes."""
    if limits.derivation_function:
        return bytes(range(48)), bytes(range(48, 72)), bytes(range(72, 104))
    assert limits.seedlen is not None  # noqa: S101 - every CTR_DRBG has one
    n_bytes = limits.seedlen // 8
    return bytes(range(n_bytes)), b"", bytes(range(72, 72 + n_bytes))


def _known_answer_test(limits: DRBGLimits) -> None:
    entropy_input, nonce, fresh = _inputs(limits)
    state = new_drbg_state(
        limits.mechanism, limits.primitive, derivation_function=limits.derivation_function, ctr_len=128
    )
    state.instantiate(entropy_input, nonce, b"esoteric_drbg known answer")
    first = state.generate(64)
    state.reseed(fresh, b"reseed")
    second = state.generate(64, b"additional input")
    state.zeroize()
    met = (first.hex(), second.hex()) == KNOWN_ANSWERS[limits.name]
    _require(met, f"{limits.name}: the known-answer test failed")


class _Tested(DRBG):
    """A mechanism in the middle of its own self-test."""

    def _test_unless_passed_within(self, seconds: float) -> None:
        """Do nothing: this is the test."""


def _error_handling_test(limits: DRBGLimits) -> None:
    """Provoke each error of sections 9.1 to 9.4 and require that it is reported and that nothing is output."""
    small = limits.replace(max_personalization_string_length=64, max_additional_input_length=64, reseed_interval=1)
    material, _, _ = _inputs(limits)
    served: list[Any] = []

    def get_entropy_input(_min_entropy: int) -> bytes:
        answer: bytes = served.pop()
        if not answer:
            raise EntropyUnavailableError("a self-test withheld the entropy input")
        return answer

    drbg = _Tested(small, get_entropy_input, verification=True)

    def refused(error: type[EsotericDRBGError], function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except error:
            return
        raise SelfTestError(f"{limits.name}: {function.__name__} did not report an error; nothing will be generated")

    strength = limits.highest_supported_security_strength
    refused(DRBGStateError, drbg.generate, 16)
    refused(DRBGStateError, drbg.reseed)
    refused(InvalidInputError, drbg.instantiate, strength + 1)
    refused(RequestTooLargeError, drbg.instantiate, strength, personalization_string=bytes(9))
    served.append(b"")
    refused(EntropyUnavailableError, drbg.instantiate, strength)
    served.append(bytes(2))
    refused(ReseedRequiredError, drbg.instantiate, strength)
    _require(not drbg.instantiated, f"{limits.name}: instantiated without entropy")
    served.append(material)
    drbg.instantiate(strength)
    refused(DRBGStateError, drbg.instantiate, strength)
    refused(RequestTooLargeError, drbg.generate, limits.max_number_of_bits_per_request // 8 + 1)
    refused(RequestTooLargeError, drbg.generate, 16, additional_input=bytes(9))
    refused(RequestTooLargeError, drbg.reseed, bytes(9))
    refused(InvalidInputError, drbg.generate, 16, security_strength=strength + 1)
    refused(InvalidInputError, drbg.generate, 16, prediction_resistance=True)
    drbg.generate(16)
    served.append(b"")
    refused(EntropyUnavailableError, drbg.generate, 16)  # the reseed interval is over
    served.append(material)
    drbg.generate(16)
    _require(not served, f"{limits.name}: no reseed at the end of the reseed interval")
    drbg.uninstantiate()
    _require(drbg.state.reseed_counter == 0, f"{limits.name}: the working state outlived uninstantiate")
    refused(DRBGStateError, drbg.generate, 16)
    served += [material, material]
    drbg.instantiate(strength, prediction_resistance=True)
    drbg.generate(16, prediction_resistance=True)
    _require(not served, f"{limits.name}: prediction resistance without fresh entropy")
    served.append(b"")
    refused(EntropyUnavailableError, drbg.generate, 16, prediction_resistance=True)
    drbg.fail("self-test")
    refused(DRBGStateError, drbg.generate, 16)
    refused(DRBGStateError, drbg.reseed)
    served.clear()
    _every_instantiation_test(limits, lambda _min_entropy: material)


def _every_instantiation_test(limits: DRBGLimits, get_entropy_input: Callable[[int], bytes]) -> None:
    """Instantiate with every strength and either prediction_resistance_flag; generate by either request (11.3.3)."""
    for strength in STRENGTHS:
        if strength > limits.highest_supported_security_strength:
            break
        for flag, request in ((False, False), (True, False), (True, True)):
            drbg = _Tested(limits, get_entropy_input, verification=True)
            drbg.instantiate(strength, prediction_resistance=flag)
            met = drbg.security_strength == strength and len(drbg.generate(16, prediction_resistance=request)) == 16
            counter = drbg.state.reseed_counter
            drbg.uninstantiate()
            _require(met and counter == 2, f"{limits.name}: strength {strength} with prediction resistance {flag}")


def _repetition_count_test() -> None:
    test = RepetitionCountTest(cutoff=5)
    test.push(bytes([7] * 4))
    _require(test.failures == 0, "the Repetition Count Test fires too early")
    test.push(bytes([7]))
    _require(test.failures == 1, "the Repetition Count Test does not fire")


def _adaptive_proportion_test() -> None:
    test = AdaptiveProportionTest(cutoff=4, window=8)
    test.push(bytes([1, 1, 1, 2, 2, 2, 2, 2]))
    _require(test.failures == 0, "the Adaptive Proportion Test fires too early")
    test.push(bytes([1, 2, 1, 2, 1, 2, 1, 2]))
    _require(test.failures == 1, "the Adaptive Proportion Test does not fire")


def _lag_predictor_test() -> None:
    for cutoffs, place in (((8, 99, 99), "in a row"), ((99, 8, 99), "in a window"), ((99, 99, 8), "in a span")):
        test = LagPredictorTest(cutoffs=cutoffs, window=10, span=2)
        test.push(bytes([1, 2] * 4 + [1, 3]))
        _require(test.failures == 0, f"the Lag Predictor Test fires too early {place}")
        test.reset()
        test.push(bytes([1, 2] * 5))
        _require(test.failures == 1, f"the Lag Predictor Test does not fire {place}")


def _hash_df_test() -> None:
    _require(hash_df(b"esoteric_drbg", 440).hex() == HASH_DF, "Hash_df: the known-answer test failed")
