"""The self-tests of what precedes the DRBG: the health tests alarm when they should, and Hash_df's known answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from esoteric_drbg.errors import SelfTestError
from esoteric_drbg.health_tests import AdaptiveProportionTest, LagPredictorTest, RepetitionCountTest
from esoteric_drbg.seeding.conditioning import hash_df

__all__ = ["HASH_DF", "SELF_TESTS"]

#: Hash_df SHA-256 of ``b"esoteric_drbg"``, 440 bits.
HASH_DF = (
    "f9180a9f026e2ae2b7dcf4e1ae621939e7f84fb77a0014eccdcc44e3b4e8268f9932ef00e2cd009982e0c99ebbfa4d36e85378a54c7b30"
)


def _require(met: bool, what: str) -> None:
    if not met:
        raise SelfTestError(f"{what}; nothing will be generated")


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


#: The self-tests by displayed name; each returns, or raises :class:`~esoteric_drbg.errors.SelfTestError`.
SELF_TESTS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "Repetition Count Test": _repetition_count_test,
        "Adaptive Proportion Test": _adaptive_proportion_test,
        "Lag Predictor Test (developer-defined)": _lag_predictor_test,
        "Hash_df SHA-256": _hash_df_test,
    }
)
