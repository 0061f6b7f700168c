"""Reduction of wide samples: at most 256 symbols, functions of the raw value, and bits ranked by what they add."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from esoteric_drbg import errors
from esoteric_drbg.conformance.samples import reduction as module
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.conformance.samples.reduction import Reduction, count_values, reduce_values

VALUES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=600) | st.lists(
    st.integers(0, 900), min_size=1, max_size=600
)
WAYS = st.sampled_from([None, "bits", "bins", "bins=2", "bins=10", "bits=0", "bits=0,1,2,3,4,5,6,7"])


def random_bits(seed: int, n: int, p_one: float = 0.5) -> NDArray[np.uint64]:
    return (np.random.Generator(np.random.PCG64(seed)).random(n) < p_one).astype(np.uint64)


def word(**bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put bits b0, b1, ... into one word."""
    total = np.zeros(len(next(iter(bits.values()))), dtype=np.uint64)
    for name, values in bits.items():
        total |= values << np.uint64(int(name[1:]))
    return total


def by_hand(value: int, how: Reduction) -> int:
    """The symbol of one raw value, from nothing but the record."""
    if how.kind == "bits":
        return int("".join(str(value >> bit & 1) for bit in how.bits), 2)
    return max(symbol for symbol, edge in enumerate(how.lower_edges) if edge <= value)


@given(VALUES, WAYS)
@settings(max_examples=150, deadline=None)
def test_a_reduction_is_a_function_of_the_raw_value(values: list[int], way: str | None) -> None:
    raw_bits = 64 if way and way.startswith("bits=") else None
    symbols, how = reduce_values(np.array(values, dtype=np.uint64), raw_bits, way)
    assert symbols.dtype == np.uint8
    assert [by_hand(value, how) for value in values] == symbols.tolist()
    assert how.alphabet == len(set(symbols.tolist())) <= 256
    assert how.raw_alphabet == len(set(values))
    assert how.raw_bits == raw_bits or max(1, max(values).bit_length())
    assert how.lossless is (len(set(zip(values, symbols.tolist(), strict=True))) == how.alphabet)
    assert how.automatic is (way is None)
    # Whoever guesses the raw value guesses the symbol too: the most likely symbol is at least as likely.
    assert max(Counter(symbols.tolist()).values()) >= max(Counter(values).values())


@given(VALUES, st.integers(2, 256))
@settings(max_examples=150, deadline=None)
def test_bins_keep_the_order_and_have_near_equal_counts(values: list[int], most: int) -> None:
    symbols, how = reduce_values(np.array(values, dtype=np.uint64), reduction=f"bins={most}")
    ordered = [symbol for _, symbol in sorted(zip(values, symbols.tolist(), strict=True))]
    assert ordered == sorted(ordered)
    assert set(ordered) == set(range(how.alphabet))
    assert how.alphabet <= most
    counts = Counter(values)
    # A range has its share, and at most what the values that straddle its two ends add.
    for symbol, count in Counter(ordered).items():
        inside = [value for value in counts if by_hand(value, how) == symbol]
        assert count <= len(values) / most + max(counts[value] for value in inside)


def test_few_values_are_numbered_without_loss() -> None:
    samples = read_samples(np.array([1 << 40, 3, 1 << 40, 77], dtype=np.uint64))
    assert samples.symbols.tolist() == [2, 0, 2, 1]
    how = samples.reduction
    assert how is not None
    assert (how.kind, how.automatic, how.lossless) == ("distinct", True, True)
    assert (how.raw_bits, how.raw_alphabet, how.alphabet) == (41, 3, 3)
    assert how.lower_edges == (3, 77, 1 << 40)
    assert any("without loss" in warning for warning in samples.warnings)
    exactly = np.arange(256, dtype=np.uint16) * 5
    assert read_samples(exactly).symbols.tolist() == list(range(256))
    assert read_samples(np.append(exactly, np.uint16(9999))).reduction != how
    with pytest.raises(errors.InvalidInputError, match="257 different values occur"):
        reduce_values(np.append(exactly, np.uint16(9999)), reduction="distinct")


def test_bits_are_ranked_by_what_they_add() -> None:
    n = 60_000
    fair = {f"b{bit}": random_bits(bit, n) for bit in (0, 2, 3)}
    biased = {f"b{bit}": random_bits(bit, n, 0.01 * bit) for bit in (10, 12, 14, 16, 18)}
    toggling = np.arange(n, dtype=np.uint64) & np.uint64(1)
    slow = (np.arange(n, dtype=np.uint64) >> np.uint64(10)) & np.uint64(1)
    copies = {"b1": fair["b0"], "b20": fair["b3"], "b21": np.uint64(1) - fair["b2"]}
    values = word(**fair, **biased, **copies, b5=toggling, b6=slow, b7=np.ones(n, dtype=np.uint64))
    symbols, how = reduce_values(values, reduction="bits")
    assert how.bits == (18, 16, 14, 12, 10, 3, 2, 0)
    assert [place.rank for place in how.ranking] == list(range(1, 23))
    assert {place.bit for place in how.ranking[:3]} == {0, 2, 3}
    assert [place.bit for place in how.ranking[3:8]] == [18, 16, 14, 12, 10]
    at = {place.bit: place for place in how.ranking}
    for bit in (1, 20, 21, 5):
        assert at[bit].rank > 8
        assert at[bit].information == 0.0
        assert at[bit].min_entropy > 0.98
    assert 0 < at[6].information < 0.01
    constants = {4, 7, 8, 9, 11, 13, 15, 17, 19}
    assert {place.bit for place in how.ranking[-len(constants) :]} == constants
    assert (at[7].p_one, at[7].min_entropy, at[4].p_one) == (1.0, 0.0, 0.0)
    ones = int(biased["b18"].sum())
    assert at[18].p_one == ones / n
    assert at[18].min_entropy == -math.log2((n - ones) / n)
    kept = (values >> np.uint64(18)) & np.uint64(1)
    assert np.array_equal(symbols >> 7, kept)


def test_a_sum_of_chosen_bits_adds_nothing() -> None:
    one, other = random_bits(1, 20_000), random_bits(2, 20_000)
    values = word(b0=one, b1=other, b2=one ^ other, b3=random_bits(3, 20_000, 0.02), b9=random_bits(4, 20_000))
    how = reduce_values(values, reduction="bits")[1]
    last = [place for place in how.ranking if place.information == 0.0 and place.min_entropy > 0.9]
    assert len(last) == 1
    assert last[0].bit in {0, 1, 2}
    assert last[0].rank == 5


def right_guesses(values: list[int], bit: int, known: list[int]) -> int:
    """How often a bit is guessed right from the known ones and its own past, counted the slow way."""
    seen: dict[tuple[int, ...], Counter[int]] = {}
    for before, now in itertools.pairwise(values):
        context = (before >> bit & 1, *(now >> other & 1 for other in known))
        seen.setdefault(context, Counter())[now >> bit & 1] += 1
    return sum(max(counter.values()) for counter in seen.values())


@given(st.lists(st.integers(0, 4095), min_size=2, max_size=80))
@settings(max_examples=60, deadline=None)
def test_the_ranking_by_its_definition(values: list[int]) -> None:
    how = reduce_values(np.array(values, dtype=np.uint16), 12, "bits")[1]
    n = len(values)
    moving = {bit for bit in range(12) if len({value >> bit & 1 for value in values}) == 2}
    known: list[int] = []
    for place in how.ranking:
        ones = sum(value >> place.bit & 1 for value in values)
        assert place.p_one == ones / n
        if place.bit not in moving:
            assert place.rank > len(moving)
            continue
        score = right_guesses(values, place.bit, known[:8])
        assert place.information == pytest.approx(-math.log2(Fraction(score, n - 1)), abs=1e-12)
        assert score == min(right_guesses(values, bit, known[:8]) for bit in moving - set(known))
        known.append(place.bit)


def test_long_data_are_ranked_in_spread_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANKED_VALUES", 1 << 10)
    n = 100_000
    values = word(b0=random_bits(1, n), b9=np.ones(n, dtype=np.uint64))
    values[n // 2 :] |= random_bits(2, n // 2) << np.uint64(4)  # moves in the second half only
    how = reduce_values(values, reduction="bits")[1]
    assert how.ranked_values == 1 << 10
    at = {place.bit: place for place in how.ranking}
    assert at[0].rank == 1
    assert at[4].rank == 2
    assert 0.2 < at[4].p_one < 0.3


def test_named_bits() -> None:
    values = np.array([0b1010_0000_0001, 0b0010_0000_0000], dtype=np.uint16)
    for way in ("bits=0,11,9", "bits=9,0,11"):
        symbols, how = reduce_values(values, reduction=way)
        assert how.bits == (11, 9, 0)
        assert symbols.tolist() == [0b111, 0b010]
        assert len(how.ranking) == 12
    assert read_samples(values, reduction="bits=11,10,9").bits == 3
    assert read_samples(values, 16, reduction="bits=15").symbols.tolist() == [0, 0]
    assert read_samples(np.array([5, 1], dtype=np.uint8), 16, reduction="bits=12,0").symbols.tolist() == [1, 1]
    with pytest.raises(errors.InvalidInputError, match="bit 12 does not exist: the values have bits 0 to 11"):
        reduce_values(values, reduction="bits=12")


@pytest.mark.parametrize(
    "way", ["", "best", "bits=", "bits=1,1", "bits=0,1,2,3,4,5,6,7,8", "bins=1", "bins=257", "bins=2,3", "distinct=3"]
)
def test_unknown_reductions(way: str) -> None:
    with pytest.raises(errors.InvalidInputError, match="reduction="):
        reduce_values(np.arange(300, dtype=np.uint16), reduction=way)


def test_unfit_values() -> None:
    values: Any
    for values in (np.array([1.5]), np.array([1]), np.zeros((2, 2), dtype=np.uint8)):
        with pytest.raises(errors.InvalidInputError, match="unsigned integers in one dimension"):
            reduce_values(values)
    with pytest.raises(errors.InvalidInputError, match="nothing to reduce"):
        reduce_values(np.array([], dtype=np.uint8))
    with pytest.raises(errors.InvalidInputError, match="value 900 does not fit into bits=9"):
        reduce_values(np.array([900], dtype=np.uint16), 9)
    with pytest.raises(errors.InvalidInputError, match="1 to 64 bits"):
        reduce_values(np.array([900], dtype=np.uint16), 65)


@given(VALUES, st.sampled_from(["<u8", ">u8"]))
@settings(max_examples=50, deadline=None)
def test_values_are_counted_exactly(values: list[int], dtype: str) -> None:
    found, counts = count_values(np.array(values, dtype=dtype))
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(values)
    assert found.tolist() == sorted(set(values))
    small = [value % 60_000 for value in values]
    found, counts = count_values(np.array(small, dtype=np.dtype(dtype[0] + "u2")))
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(small)


def test_the_record_is_json() -> None:
    for way in ("bits", "bins", "bits=3,1"):
        how = reduce_values(np.arange(1000, dtype=np.uint16), reduction=way)[1]
        record = json.loads(json.dumps(how.as_dict(), allow_nan=False))
        assert record["kind"] == way[:4]
        assert record["raw_alphabet"] == 1000
        assert record["raw_bits"] == 10
        assert record["bits"] == list(how.bits)
        assert [place["bit"] for place in record["ranking"]] == [place.bit for place in how.ranking]
        assert record["lower_edges"] == list(how.lower_edges)
        assert record["lossless"] is False
        assert "10-bit values, 1000 different ones" in how.describe()
