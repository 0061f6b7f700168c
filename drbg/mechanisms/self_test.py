"""The self-test of a DRBG mechanism: SP 800-90A Rev. 1 section 11.3.

:func:`check_mechanism` runs before a mechanism is instantiated (once for instantiations in quick succession), with the
first reseed after an hour, and on demand (:mod:`esoteric_drbg.rbg.self_test`). A mechanism that fails is refused; the
next attempt to use it tests it again.
"""

from __future__ import annotations

from collections.abc import Callable
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
from esoteric_drbg.kernels.drbg import new_drbg_state
from esoteric_drbg.mechanisms.envelope import STRENGTHS, Envelope
from esoteric_drbg.mechanisms.known_answers import KNOWN_ANSWERS
from esoteric_drbg.mechanisms.limits import (
    CIPHERS,
    HASHES,
    DRBGLimits,
    ctr_drbg_limits,
    hash_drbg_limits,
    hmac_drbg_limits,
)

__all__ = ["all_limits", "check_mechanism"]


def all_limits() -> list[DRBGLimits]:
    """Return the limits of every mechanism of this package, in the standard's order.

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

    drbg = Envelope(small, get_entropy_input, verification=True)

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
    """Instantiate with every strength and prediction_resistance_flag; generate by both kinds of request (11.3.3)."""
    for strength in STRENGTHS:
        if strength > limits.highest_supported_security_strength:
            break
        for flag, request in ((False, False), (True, False), (True, True)):
            drbg = Envelope(limits, get_entropy_input, verification=True)
            drbg.instantiate(strength, prediction_resistance=flag)
            met = drbg.security_strength == strength and len(drbg.generate(16, prediction_resistance=request)) == 16
            counter = drbg.state.reseed_counter
            drbg.uninstantiate()
            _require(met and counter == 2, f"{limits.name}: strength {strength} with prediction resistance {flag}")
