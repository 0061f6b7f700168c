"""Hash_df and the entropy of its output: exact figures, bit strings, and both kernels alike."""

from __future__ import annotations

import hashlib
import json
import math
import time
from decimal import Context, Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDEN

from esoteric_drbg import errors
from esoteric_drbg.kernels.reference import hash_df as reference
from esoteric_drbg.kernels.reference.sha2_bits import sha2_bits
from esoteric_drbg.seeding.conditioning import conditioned_credit, hash_df, output_entropy

FIGURES = json.loads((GOLDEN / "output_entropy.json").read_text())["rows"]
HASHES = sorted(reference.OUTLEN_BITS)


def by_definition(data: bytes, n_bits: int, hash_name: str) -> bytes:
    """Return Hash_df on whole bytes, written down once more."""
    out = b""
    counter = 1
    while 8 * len(out) < n_bits:
        out += hashlib.new(hash_name, bytes([counter]) + n_bits.to_bytes(4, "big") + data).digest()
        counter += 1
    whole = int.from_bytes(out, "big") >> (8 * len(out) - n_bits)
    return (whole << (-n_bits % 8)).to_bytes(-(-n_bits // 8), "big")


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 100, 224, 256, 257, 440, 512, 888, 2000])
def test_hash_df_equals_its_definition(hash_name: str, n_bits: int) -> None:
    for length in (0, 1, 50, 51, 58, 59, 60, 106, 107, 123, 124, 1000):
        data = bytes(index * 7 & 0xFF for index in range(length))
        assert hash_df(data, n_bits, hash_name=hash_name) == by_definition(data, n_bits, hash_name)


def test_hash_df_takes_any_buffer() -> None:
    data = bytes(range(200))
    expected = hash_df(data, 256)
    assert hash_df(bytearray(data), 256) == hash_df(memoryview(data), 256) == expected
    assert hash_df(data, 256, data_bits=1600) == expected


@given(
    st.binary(max_size=300),
    st.integers(0, 7),
    st.integers(1, 1200),
    st.sampled_from(HASHES),
)
@settings(max_examples=150, deadline=None)
def test_rust_equals_the_reference_on_bit_strings(
    native: ModuleType, data: bytes, spare: int, n_bits: int, hash_name: str
) -> None:
    bits = max(8 * len(data) - spare, 0)
    arguments: dict[str, Any] = {"hash_name": hash_name, "data_bits": bits}
    assert native.hash_df(data, n_bits, **arguments) == reference.hash_df(data, n_bits, **arguments)


@pytest.mark.parametrize("hash_name", HASHES)
def test_the_bit_oriented_reference_equals_hashlib_on_whole_bytes(hash_name: str) -> None:
    for length in (0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 300):
        message = bytes(index * 11 & 0xFF for index in range(length))
        assert sha2_bits(hash_name, message, 8 * length) == hashlib.new(hash_name, message).digest()


def test_acvp_bit_strings(vectors: Path) -> None:
    folder = vectors / "drbg" / "acvp" / "ConditioningComponent-Hash_DF-Sp800-90B"
    answers = {
        test["tcId"]: next(value for value in test.values() if isinstance(value, str))
        for group in json.loads((folder / "expectedResults.json").read_text())["testGroups"]
        for test in group["tests"]
    }
    checked = 0
    for group in json.loads((folder / "prompt.json").read_text())["testGroups"]:
        if not group["hashAlg"].startswith("SHA2"):
            continue
        name = group["hashAlg"].replace("SHA2-", "sha").replace("/", "_")
        for test in group["tests"]:
            expected = bytes.fromhex(answers[test["tcId"]])
            data = bytes.fromhex(test["payload"])
            got = hash_df(data, 8 * len(expected), hash_name=name, data_bits=test["payloadLen"])
            assert got == expected, test["tcId"]
            checked += 1
    assert checked == 30


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_bits": 0}, "n_bits=0"),
        ({"n_bits": -8}, "n_bits=-8"),
        ({"n_bits": 255 * 256 + 1}, "n_bits=65281"),
        ({"n_bits": 8, "hash_name": "md5"}, "hash_name"),
        ({"n_bits": 8, "hash_name": "sha1"}, "hash_name"),
        ({"n_bits": 8, "data_bits": 25}, "data_bits=25"),
        ({"n_bits": 8, "data_bits": 16}, "data_bits=16"),
        ({"n_bits": 8, "data_bits": -1}, "data_bits=-1"),
    ],
)
def test_hash_df_refuses_nonsense(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=match):
        hash_df(b"abc", **arguments)


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: f"{row['n_in']}-{row['n_out']}-{row['nw']}-{row['h_in']:g}")
def test_output_entropy_equals_the_reference_figures(row: dict[str, Any]) -> None:
    got = output_entropy(row["n_in"], row["n_out"], row["nw"], row["h_in"])
    assert got == pytest.approx(float(row["h_out"]), rel=1e-12, abs=1e-300)
    assert math.copysign(1, got) == 1


def exact(n_in: int, n_out: int, nw: int, h_in: float) -> Decimal:
    """Return the formula of 3.1.5.1.2 in 600 digits."""
    context = Context(prec=600, Emin=-(10**9), Emax=10**9)
    two = Decimal(2)
    x = context.power(two, -Decimal(h_in))
    n = min(n_out, nw, n_in)
    p_low = context.divide(context.subtract(Decimal(1), x), context.power(two, n_in) - 1)
    spread = context.power(two, n_in - n)
    psi = context.add(context.multiply(spread, p_low), x)
    root = context.sqrt(context.multiply(context.multiply(Decimal(2 * n), spread), context.ln(two)))
    omega = context.multiply(context.add(spread, root), p_low)
    return context.divide(-context.ln(max(psi, omega)), context.ln(two))


@given(st.integers(1, 900), st.integers(1, 600), st.integers(1, 600), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_output_entropy_equals_600_digits(n_in: int, n_out: int, nw: int, share: float) -> None:
    h_in = n_in * share
    if h_in < 1e-3:
        return
    expected = float(max(exact(n_in, n_out, nw, h_in), Decimal(0)))
    got = output_entropy(n_in, n_out, nw, h_in)
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert 0 <= got <= min(n_out, nw, n_in)


def test_extremes_are_right_and_instant() -> None:
    began = time.perf_counter()
    assert output_entropy(1 << 20, 256, 256, 0.0) == 0.0
    assert output_entropy(1 << 20, 256, 256, float(1 << 20)) == 256.0
    assert output_entropy(1 << 20, 256, 256, 1.0) == pytest.approx(1.0, rel=1e-12)
    assert output_entropy(1, 1, 1, 0) == 0.0
    assert output_entropy(1, 1, 1, 1e-300) >= 0.0
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1, 1, 0),
        (1, 0, 1, 0),
        (1, 1, 0, 0),
        (8, 8, 8, 9),
        (8, 8, 8, -1),
        (8, 8, 8, float("nan")),
        (8.5, 8, 8, 1),
        (8, 8, 8, "1"),
        (True, 8, 8, 1),
    ],
)
def test_output_entropy_refuses_nonsense(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(errors.InvalidInputError):
        output_entropy(*arguments)


def test_credit_of_a_block() -> None:
    assert conditioned_credit(5000, 256, 256, 320) == 256
    assert conditioned_credit(5000, 256, 256, 319.999) == 255
    assert conditioned_credit(5000, 256, 256, 100) == 99
    assert conditioned_credit(5000, 256, 256, 0) == 0
    # The exact h_out is just below nw, and the nearest double is nw itself.
    assert output_entropy(5000, 512, 256, 600) == 256
    assert conditioned_credit(5000, 512, 256, 600) == 255


@pytest.mark.parametrize(
    "arguments", [(100, -5, 256, 80.0), (200, 2.5, 256, 80.0), (8, 8, 8, 80.0), (400, 8, math.inf, 80.0)]
)
def test_credit_refuses_nonsense(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(errors.InvalidInputError):
        conditioned_credit(*arguments)
