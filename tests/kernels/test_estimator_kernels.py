"""The estimators' kernels: the specification, the faster Python ones and Rust are equal, on everything."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esoteric_drbg.conformance.entropy.non_iid import estimate_all
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import table
from esoteric_drbg.kernels.fallback import context_predictors, predictors
from esoteric_drbg.kernels.reference import lz78y, multi_mcw, multi_mmc
from esoteric_drbg.kernels.reference.prediction import count_correct, update_scoreboard

Symbols = np.ndarray[Any, np.dtype[np.uint8]]

OF_BITS = ("bit_counts", "collision_counts", "gap_histogram")
OF_SYMBOLS = ("tuple_counts", "multi_mcw", "lag", "multi_mmc", "lz78y")
#: The specification counts tuples of every length, and a window anew for every symbol: too slow beyond this.
SPECIFIED_UP_TO = 300


def _kernels(native: ModuleType, name: str) -> list[Callable[..., Any]]:
    return [table.reference(name), table.fallback(name), getattr(native, name)]


def _check(native: ModuleType, symbols: Symbols, k: int) -> None:
    n = symbols.size
    data = np.packbits(symbols) if k == 2 else symbols
    for name in OF_SYMBOLS:
        kernels = _kernels(native, name)[0 if n <= SPECIFIED_UP_TO else 1 :]
        counts = [kernel(data, n, k) for kernel in kernels]
        assert counts == counts[-1:] * len(counts), (name, n, k)
    if k == 2:
        for name in OF_BITS:
            counts = [kernel(data, n) for kernel in _kernels(native, name)]
            assert counts == counts[-1:] * 3, (name, n)


@st.composite
def texts(draw: st.DrawFn) -> tuple[Symbols, int]:
    """Symbols of an alphabet: random, periodic, repeated blocks, runs, outliers, and mixtures of them."""
    k = draw(st.sampled_from([2, 2, 2, 3, 4, 5, 16, 17, 200, 256]))
    n = draw(st.integers(1, 300) | st.sampled_from([63, 64, 65, 127, 128, 129, 1000, 4095, 4096, 6050, 9000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["random", "biased", "periodic", "block", "runs", "outlier", "noisy"]))
    if kind == "random":
        symbols = rng.integers(0, k, n)
    elif kind == "biased":
        symbols = (rng.random(n) < draw(st.floats(0.001, 0.3))) * (k - 1)
    elif kind == "periodic":
        symbols = np.resize(rng.integers(0, k, draw(st.integers(1, 300))), n)
    elif kind == "block":
        symbols = rng.integers(0, k, n)
        symbols[n // 2 : n // 2 + n // 3] = symbols[: n // 3]
    elif kind == "runs":
        symbols = np.repeat(rng.integers(0, k, n), rng.integers(1, 40, n))[:n]
    elif kind == "outlier":
        symbols = np.zeros(n, dtype=np.int64)
        symbols[rng.integers(0, n)] = k - 1
    else:
        symbols = np.resize(rng.integers(0, k, draw(st.integers(2, 200))), n)
        changed = rng.random(n) < 0.02
        symbols[changed] = rng.integers(0, k, int(changed.sum()))
    return symbols.astype(np.uint8), k


@given(texts())
@settings(deadline=None, max_examples=150)
def test_all_kernels_are_equal(native: ModuleType, text: tuple[Symbols, int]) -> None:
    _check(native, *text)


@pytest.mark.parametrize("n", [*range(1, 67), 127, 128, 129, 191, 192, 193, 255, 256, 257])
def test_all_kernels_are_equal_at_every_short_length(native: ModuleType, n: int) -> None:
    rng = np.random.default_rng(n)
    for k in (2, 3, 256):
        _check(native, rng.integers(0, k, n).astype(np.uint8), k)
        _check(native, np.zeros(n, dtype=np.uint8), k)
        _check(native, np.resize(rng.integers(0, k, 7), n).astype(np.uint8), k)


@pytest.mark.parametrize("k", [2, 5, 256])
def test_all_predictors_are_equal_once_every_window_is_full(native: ModuleType, k: int) -> None:
    rng = np.random.default_rng(k)
    symbols = np.resize(rng.integers(0, k, 300), 4_600)
    symbols[rng.random(symbols.size) < 0.1] = k - 1
    data = np.packbits(symbols) if k == 2 else symbols.astype(np.uint8)
    for name in ("multi_mcw", "lag", "multi_mmc", "lz78y"):
        counts = [kernel(data, symbols.size, k) for kernel in _kernels(native, name)]
        assert counts == counts[-1:] * 3, name


@given(texts(), st.integers(1, 40))
@settings(deadline=None, max_examples=100)
def test_the_specification_equals_the_fallback_where_tables_fill_up(text: tuple[Symbols, int], most: int) -> None:
    symbols, k = text[0][:SPECIFIED_UP_TO], text[1]
    data = (np.packbits(symbols) if k == 2 else symbols).tobytes()
    with mock.patch.object(context_predictors, "_MOST_PAIRS", most):
        found = table.fallback("multi_mmc")(data, symbols.size, k)
    assert count_correct(multi_mmc.correct_predictions(symbols.tobytes(), max_entries=most)) == found
    with mock.patch.object(context_predictors, "_MOST_CONTEXTS", most):
        found = table.fallback("lz78y")(data, symbols.size, k)
    assert count_correct(lz78y.correct_predictions(symbols.tobytes(), max_dictionary_size=most)) == found


@given(texts(), st.sampled_from([(1, 3, 5, 7), (3, 5, 7, 9), (3, 9, 31, 63), (5, 5, 5, 5)]))
@settings(deadline=None, max_examples=100)
def test_the_specification_equals_the_fallback_on_short_windows(text: tuple[Symbols, int], w: tuple[int, ...]) -> None:
    symbols, k = text[0][:SPECIFIED_UP_TO], text[1]
    data = (np.packbits(symbols) if k == 2 else symbols).tobytes()
    with mock.patch.object(predictors, "_WINDOWS", w):
        found = table.fallback("multi_mcw")(data, symbols.size, k)
    assert count_correct(multi_mcw.correct_predictions(symbols.tobytes(), w)) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multi_mmc", "lz78y"])
def test_the_specification_fills_its_tables(native: ModuleType, name: str) -> None:
    text = np.random.default_rng(9).integers(0, 256, 110_000).astype(np.uint8)
    text[-3_000:] = text[:3_000]
    counts = [kernel(text, text.size, 256) for kernel in _kernels(native, name)]
    assert counts == counts[-1:] * 3


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 3, 7, 256])
def test_rust_equals_the_fallback_where_tables_fill_up(native: ModuleType, k: int) -> None:
    rng = np.random.default_rng(k)
    _check(native, rng.integers(0, k, 300_000).astype(np.uint8), k)
    _check(native, np.repeat(rng.integers(0, k, 60_000), rng.integers(1, 6, 60_000)).astype(np.uint8), k)
    noisy = np.resize(rng.integers(0, k, 700), 250_000).astype(np.uint8)
    noisy[rng.random(noisy.size) < 0.01] = 0
    _check(native, noisy, k)


def test_orders_that_fill_up_one_after_another(native: ModuleType) -> None:
    # No context comes twice until orders are full: the shorter ones fill up first, step by step. Then what was met in
    # those steps comes again.
    rng = np.random.default_rng(5)
    start = rng.integers(0, 256, 100_020).astype(np.uint8)
    text = np.concatenate((start, start[-60:], start[-40:], np.full(50, 7, np.uint8), start[:3000], start[-80:]))
    assert native.multi_mmc(text, text.size, 256) == table.fallback("multi_mmc")(text, text.size, 256)
    assert native.lz78y(text, text.size, 256) == table.fallback("lz78y")(text, text.size, 256)


@pytest.mark.parametrize(("n", "block", "k"), [(300_000, 5_000, 256), (400_000, 6_000, 2), (200_000, 60_000, 5)])
def test_long_blocks_that_come_three_times(native: ModuleType, n: int, block: int, k: int) -> None:
    text = np.random.default_rng(n).integers(0, k, n + 2 * block).astype(np.uint8)
    text[n // 2 : n // 2 + block] = text[-block:] = text[:block]
    data = np.packbits(text) if k == 2 else text
    assert native.tuple_counts(data, text.size, k) == table.fallback("tuple_counts")(data, text.size, k)


@given(st.lists(st.integers(0, 2**4 - 1), min_size=1, max_size=80), st.integers(1, 90))
@settings(deadline=None)
def test_the_fast_scoreboard_is_that_of_the_specification(steps: list[int], chunk: int) -> None:
    right = np.array([[step >> d & 1 for step in steps] for d in range(4)], dtype=bool)
    board = predictors.Scoreboard(4)
    for start in range(0, len(steps), chunk):
        board.play(right[:, start : start + chunk])
    scoreboard, winner, correct = [0] * 5, 1, []
    for step in steps:
        subpredictions = [None, *(1 if step >> d & 1 else None for d in range(4))]
        correct.append(int(subpredictions[winner] == 1))
        winner = update_scoreboard(scoreboard, winner, subpredictions, 1)
    assert (board.correct, board.longest_run) == count_correct(correct)


@pytest.mark.parametrize("name", [*OF_SYMBOLS, *OF_BITS])
def test_kernels_refuse_what_they_cannot_count(native: ModuleType, name: str) -> None:
    for kernel in _kernels(native, name):
        for data, n, k in ((b"", 0, 2), (b"\x00", 9, 2), (b"\x00\x00", 8, 2), ("text", 4, 2)):
            arguments = (data, n) if name in OF_BITS else (data, n, k)
            with pytest.raises(InvalidInputError):
                kernel(*arguments)
    if name in OF_SYMBOLS:
        for kernel in _kernels(native, name):
            for data, n, k in ((b"\x03", 1, 3), (b"\x00", 1, 1), (b"\x00", 1, 257), (b"\x00\x01", 3, 5)):
                with pytest.raises(InvalidInputError):
                    kernel(data, n, k)


@given(texts(), st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_estimates_stay_in_range_and_more_symbols_never_crash(text: tuple[Symbols, int], more: int) -> None:
    symbols, k = text
    for longer in (symbols, np.concatenate((symbols, symbols[:more]))):
        data = np.packbits(longer) if k == 2 else longer
        for name, estimate in estimate_all(data, longer.size, k).items():
            if estimate.min_entropy is not None:
                assert 0.0 <= estimate.min_entropy <= np.log2(k) + 1e-12, name
                assert str(estimate.min_entropy) != "-0.0"
