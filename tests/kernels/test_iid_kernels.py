"""Kernels of the IID track: the standard's examples, three kernels that are equal, permutations, bzip2's sizes."""

from __future__ import annotations

import bz2
import itertools
from collections import Counter
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esoteric_drbg import errors
from esoteric_drbg.kernels.fallback import iid as fallback
from esoteric_drbg.kernels.fallback import iid_shuffle as fast_shuffle
from esoteric_drbg.kernels.iid import (
    ALL_STATISTICS,
    COMPRESSION,
    STATISTICS,
    iid_permutation,
    iid_permutations,
    iid_statistics,
)
from esoteric_drbg.kernels.reference import iid as reference
from esoteric_drbg.kernels.reference import iid_shuffle as plain_shuffle
from esoteric_drbg.kernels.reference.iid_shuffle import Single

SEEDS = st.integers(0, 2**64 - 1)


@st.composite
def sequences(draw: st.DrawFn) -> bytes:
    """Draw sequences over alphabets of every size, some of them periodic."""
    alphabet = draw(
        st.lists(st.integers(0, 255), min_size=1, max_size=draw(st.sampled_from([1, 2, 3, 9, 40])), unique=True)
    )
    symbols = bytes(draw(st.lists(st.sampled_from(alphabet), min_size=1, max_size=300)))
    return symbols * draw(st.sampled_from([1, 1, 2, 7]))


def keys(symbols: bytes) -> dict[str, int]:
    return dict(zip(STATISTICS, iid_statistics(symbols), strict=True))


def text_size(symbols: bytes) -> int:
    return len(bz2.compress(" ".join(map(str, symbols)).encode(), 5))


def test_examples_of_the_standard() -> None:
    assert keys(bytes([2, 15, 4, 10, 9]))["excursion"] == 5 * 6  # 5.1.1: the excursion is 6
    runs = keys(bytes([2, 2, 2, 5, 7, 7, 9, 3, 1, 4, 4]))
    assert [runs[name] for name in STATISTICS[1:4]] == [3, 6, 8]  # 5.1.2 to 5.1.4
    median = keys(bytes([5, 15, 12, 1, 13, 9, 4]))
    assert (median["median_runs"], median["longest_median_run"]) == (5, 2)  # 5.1.5 and 5.1.6
    waits = keys(bytes([2, 1, 1, 2, 0, 1, 0, 1, 1, 2]))
    assert (waits["average_collision"] / 2**52, waits["maximum_collision"]) == (3.0, 4)  # 5.1.7 and 5.1.8
    assert keys(bytes([2, 1, 2, 1, 0, 1, 0, 1, 1, 2]))["periodicity_2"] == 5  # 5.1.9
    assert keys(bytes([5, 2, 6, 10, 12, 3, 1]))["covariance_2"] == 164  # 5.1.10


def test_binary_sequences_are_converted() -> None:
    # Conversion I of the standard's example makes 6, 2; with a third block 1 0 1 (padded), 2.
    bits = bytes([1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1])
    found = keys(bits)
    assert found["covariance_1"] == 4 * 6 + 6 * 2
    assert found["directional_runs"] == 2
    assert found["median_runs"] == len(list(itertools.groupby(bits)))
    wide = keys(bytes(200 if bit else 10 for bit in bits))
    assert wide["excursion"] == 190 * found["excursion"]
    same = set(STATISTICS) - {"excursion", "compression"}
    assert {name: wide[name] for name in same} == {name: found[name] for name in same}


@pytest.mark.parametrize("length", [*range(1, 21), 63, 64, 65, 127, 128, 129, 511, 512, 513, 2048])
@pytest.mark.parametrize("kinds", [1, 2, 3, 256])
def test_all_kernels_are_equal_around_block_edges(native: ModuleType, length: int, kinds: int) -> None:
    symbols = (
        (np.random.default_rng(length).integers(0, kinds, length) * (255 // max(1, kinds - 1)))
        .astype(np.uint8)
        .tobytes()
    )
    for kernels in (fallback, native):
        assert kernels.iid_statistics(symbols, ALL_STATISTICS) == reference.iid_statistics(symbols, ALL_STATISTICS)
        assert kernels.iid_permutation(symbols, 5, 6) == reference.iid_permutation(symbols, 5, 6)


@settings(max_examples=300, deadline=None)
@given(symbols=sequences(), seed=SEEDS, index=SEEDS, mask=st.integers(0, ALL_STATISTICS))
def test_all_kernels_are_equal(native: ModuleType, symbols: bytes, seed: int, index: int, mask: int) -> None:
    original = reference.iid_statistics(symbols, ALL_STATISTICS)
    selected = reference.iid_statistics(symbols, mask)
    permuted = reference.iid_permutation(symbols, seed, index)
    expected = reference.iid_permutations(symbols, original, seed, (index, 3), mask)
    for kernels in (fallback, native):
        assert kernels.iid_statistics(symbols, ALL_STATISTICS) == original
        assert kernels.iid_statistics(symbols, mask) == selected
        assert kernels.iid_permutation(symbols, seed, index) == permuted
        assert kernels.iid_permutations(symbols, original, seed, (index, 3), mask) == expected


@settings(max_examples=100, deadline=None)
@given(symbols=sequences(), seed=SEEDS, index=SEEDS)
def test_short_sequences_too_can_be_arranged(symbols: bytes, seed: int, index: int) -> None:
    """The arrangement of many symbols, which equal kernels choose for long sequences only."""
    arranged = plain_shuffle.arrange_symbols(symbols, seed, index)
    assert fast_shuffle.arrange_symbols(symbols, seed, index) == arranged
    assert sorted(arranged) == sorted(symbols)


@pytest.mark.parametrize("least", [0, 1], ids=["some symbols rare", "evenly"])
def test_many_symbols_are_arranged_alike(native: ModuleType, least: int) -> None:
    rng = np.random.default_rng(4)
    symbols = np.where(rng.random(70_003) < max(least, 1e-3), rng.integers(0, 256, 70_003), 7).astype(np.uint8)
    arranged = [native.iid_permutation(symbols, 5, index) for index in range(3)]
    assert arranged[2] == fallback.iid_permutation(symbols.tobytes(), 5, 2)
    assert arranged[2] == reference.iid_permutation(symbols.tobytes(), 5, 2)
    assert len(set(arranged)) == 3
    for permuted in arranged:
        assert sorted(permuted) == sorted(symbols.tobytes())
        # Pairs side by side come as often as in independent data of these symbols, in any part of the sequence.
        found = np.frombuffer(permuted, dtype=np.uint8)
        shares = np.bincount(found) / found.size
        for part in np.array_split(found, 8):
            equal, expected = float((part[1:] == part[:-1]).mean()), float((shares**2).sum())
            assert abs(equal - expected) < 6 * np.sqrt(max(expected * (1 - expected), 1e-9) / part.size) + 1e-3


def test_a_shuffle_with_a_biased_draw_is_the_same(native: ModuleType) -> None:
    """Of all the half words of these twelve permutations, one is rejected, in number 8."""
    symbols = bytes(range(5)) * 13_107
    bounds: list[int] = []

    def below(_: Single, bound: int) -> int:
        bounds.append(bound)
        return 0

    with mock.patch.object(Single, "below", below):
        plain_shuffle.fisher_yates(symbols, 3, 8)
    assert bounds == [26_268]
    permuted = [kernels.iid_permutation(symbols, 3, 8) for kernels in (reference, fallback, native)]
    assert permuted == permuted[-1:] * 3


@settings(max_examples=300, deadline=None)
@given(symbols=sequences())
def test_the_compression_is_what_bzip2_makes(native: ModuleType, symbols: bytes) -> None:
    assert native.iid_statistics(symbols, COMPRESSION)[-1] == text_size(symbols)


@pytest.mark.parametrize(
    "alphabet",
    [
        (1, 11, 111, 112),
        *(
            pytest.param(more, marks=pytest.mark.slow)
            for more in ((0, 1), (111,), (0,), (7, 77, 255), (255, 111), range(256))
        ),
    ],
    ids=str,
)
def test_the_compression_across_blocks(native: ModuleType, alphabet: range | tuple[int, ...]) -> None:
    """Texts that end within a few characters of a block's end, behind heads that shift them."""
    drawn = np.random.default_rng(len(alphabet)).integers(0, len(alphabet), 260_000)
    symbols = np.array(alphabet, dtype=np.uint8)[drawn]
    ends = np.cumsum([len(str(symbol)) + 1 for symbol in symbols.tolist()])
    whole = int(np.searchsorted(ends, 499_981))
    for more in range(-3, 5):
        for head in (b"", b"\x05", b"\x16"):
            cut = head + symbols[: whole + more].tobytes()
            assert native.iid_statistics(cut, COMPRESSION)[-1] == text_size(cut), (more, head)


@pytest.mark.parametrize(
    "symbols",
    [bytes(range(100)) * 3000, bytes([0, 1]) * 150_000, bytes(300_000), bytes([9] * 200_000 + [10] + [9] * 90_000)],
    ids=["period 100", "period 2", "constant", "one outlier"],
)
def test_the_compression_of_repetitive_texts(native: ModuleType, symbols: bytes) -> None:
    assert native.iid_statistics(symbols, COMPRESSION)[-1] == text_size(symbols)


def test_every_arrangement_comes_equally_often() -> None:
    permuted = Counter(iid_permutation(b"abcd", 7, index) for index in range(4800))
    assert len(permuted) == 24
    chi_square = sum((count - 200) ** 2 / 200 for count in permuted.values())
    assert 5 < chi_square < 50  # 23 degrees of freedom: 0.99994 of all seeds
    bits = Counter(iid_permutation(bytes([3, 3, 3, 8, 8, 3]), 7, index) for index in range(3000))
    assert len(bits) == 15
    chi_square = sum((count - 200) ** 2 / 200 for count in bits.values())
    assert 1.5 < chi_square < 40  # 14 degrees of freedom


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.7, 0.999])
def test_binary_permutations_are_even_along_the_sequence(share: float) -> None:
    symbols = (np.arange(6400) < 6400 * share).astype(np.uint8)
    total = np.zeros(6400)
    for index in range(200):
        permuted = np.frombuffer(iid_permutation(symbols.tobytes(), 11, index), dtype=np.uint8)
        assert permuted.sum() == symbols.sum()
        total += permuted
    parts = total.reshape(64, 100).sum(axis=1)
    variance = 200 * 100 * share * (1 - share)
    assert ((parts - parts.mean()) ** 2 / variance).sum() < 63 + 6 * np.sqrt(2 * 63)


def test_permutations_depend_on_seed_and_index_alone() -> None:
    symbols = bytes(range(200))
    assert iid_permutation(symbols, 1, 2) == iid_permutation(symbols, 1, 2)
    assert len({iid_permutation(symbols, seed, index) for seed in range(20) for index in range(20)}) == 400
    original = iid_statistics(symbols)
    whole = iid_permutations(symbols, original, 9, (100, 12))
    halves = [iid_permutations(symbols, original, 9, (first, 6)) for first in (100, 106)]
    assert whole == tuple((a[0] + b[0], a[1] + b[1], a[2] + b[2]) for a, b in zip(*halves, strict=True))
    assert all(sum(triple) == 12 for triple in whole)


def test_biased_draws_are_rejected() -> None:
    """With 3/4 of the range as the bound, a draw without rejection would give the first third half the time."""
    bound = 3 << 62
    stream = Single(1)
    draws = [stream.below(bound) for _ in range(3000)]
    assert all(0 <= draw < bound for draw in draws)
    assert 900 < sum(draw < bound // 3 for draw in draws) < 1100


def test_masks_select() -> None:
    symbols = bytes(range(50)) * 3
    every = iid_statistics(symbols)
    for place in range(len(STATISTICS)):
        alone = iid_statistics(symbols, 1 << place)
        assert alone == tuple(key if other == place else 0 for other, key in enumerate(every))
        counts = iid_permutations(symbols, every, 1, (0, 4), 1 << place)
        assert [sum(triple) for triple in counts] == [4 * (other == place) for other in range(len(STATISTICS))]


def test_bad_input_is_refused() -> None:
    for bad in (b"", "text", memoryview(bytes(8))[::2]):
        with pytest.raises(errors.InvalidInputError):
            iid_statistics(bad)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidInputError, match="mask"):
        iid_statistics(b"ab", ALL_STATISTICS + 1)
    with pytest.raises(errors.InvalidInputError, match="seed"):
        iid_permutation(b"ab", -1, 0)
    with pytest.raises(errors.InvalidInputError, match="index"):
        iid_permutation(b"ab", 0, 2**64)
    with pytest.raises(errors.InvalidInputError, match="expected 19"):
        iid_permutations(b"ab", [1, 2], 0, (0, 1))
    with pytest.raises(errors.InvalidInputError, match="whole number"):
        iid_permutations(b"ab", [0.5] * 19, 0, (0, 1))  # type: ignore[list-item]
