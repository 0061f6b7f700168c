"""What kernels take and refuse: the Rust one and the reference alike."""

from __future__ import annotations

import array
import ctypes
import hashlib
from types import ModuleType
from typing import Any

import pytest

from esoteric_drbg import errors
from esoteric_drbg.health_tests import AdaptiveProportionTest, RepetitionCountTest
from esoteric_drbg.kernels.reference import hash_df as reference
from esoteric_drbg.kernels.reference import health
from esoteric_drbg.seeding.conditioning import hash_df

REFUSED: list[Any] = [
    "text",
    5,
    None,
    [1, 2],
    array.array("H", [1, 2]),
    array.array("b", [1, 2]),
    (ctypes.c_ubyte * 2)(*b"ab"),  # format "<B"
    memoryview(b"abcd")[::2],
]
TAKEN: list[Any] = [
    b"ab",
    bytearray(b"ab"),
    memoryview(b"ab"),
    memoryview(b"ab").cast("c"),
    array.array("B", b"ab"),
    memoryview(b"ab").cast("B", (2, 1)),
]


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: type(data).__name__)
def test_both_kernels_refuse_the_same_buffers(native: ModuleType, data: Any) -> None:
    for call in (
        lambda: reference.hash_df(data, 8),
        lambda: native.hash_df(data, 8),
        lambda: health.RepetitionCountScan(5).push(data),
        lambda: native.RepetitionCountScan(5).push(data),
        lambda: health.AdaptiveProportionScan(5, 8).push(data),
        lambda: native.AdaptiveProportionScan(5, 8).push(data),
    ):
        with pytest.raises(errors.InvalidInputError, match="buffer"):
            call()


@pytest.mark.parametrize("data", TAKEN, ids=lambda data: type(data).__name__)
def test_both_kernels_take_the_same_buffers(native: ModuleType, data: Any) -> None:
    assert reference.hash_df(data, 256) == native.hash_df(data, 256) == hash_df(b"ab", 256)
    for module in (health, native):
        scan = module.RepetitionCountScan(5)
        scan.push(data)
        assert (scan.samples, scan.run) == (2, 1)


@pytest.mark.parametrize("number", [8.0, "8", None, 1 << 70, -(1 << 70)])
def test_numbers_that_are_none_or_beyond_any_kernel(number: Any) -> None:
    with pytest.raises(errors.InvalidInputError):
        hash_df(b"ab", number)
    with pytest.raises(errors.InvalidInputError):
        RepetitionCountTest(number)
    if number is not None:
        with pytest.raises(errors.InvalidInputError):
            hash_df(b"ab", 8, data_bits=number)
        with pytest.raises(errors.InvalidInputError):
            AdaptiveProportionTest(3, number)


def test_a_hash_that_hashlib_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str, data: bytes) -> Any:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", lacking)
    with pytest.raises(errors.KernelUnavailableError, match="sha512_224"):
        reference.hash_df(b"ab", 8, hash_name="sha512_224")
