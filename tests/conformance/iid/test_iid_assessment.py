"""The IID track: NIST's figures, early stop, executors, interruption, and data that break other tools."""

from __future__ import annotations

import _thread
import hashlib
import json
import math
import pickle
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from places import GOLDEN

from esoteric_drbg import errors
from esoteric_drbg.conformance.iid.assessment import FALSE_ALARMS, IidAssessment, assess_iid
from esoteric_drbg.conformance.iid.chi_square import ChiSquare, goodness_of_fit, independence
from esoteric_drbg.conformance.iid.lrs import longest_repeat, longest_repeat_test
from esoteric_drbg.conformance.iid.permutation import PermutationCounts, fail_limit
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.kernels.iid import AVERAGE_SCALE, STATISTICS, iid_statistics

FIGURES: dict[str, Any] = json.loads((GOLDEN / "iid_assessment.json").read_text())
RUNS: dict[str, dict[str, Any]] = {run["dataset"][:3]: run for run in FIGURES["runs"]}
NIST_NAMES = (
    *("excursion", "numDirectionalRuns", "lenDirectionalRuns", "numIncreasesDecreases", "numRunsMedian"),
    *("lenRunsMedian", "avgCollision", "maxCollision"),
    *(f"{kind}({lag})" for kind in ("periodicity", "covariance") for lag in (1, 2, 8, 16, 32)),
    "compression",
)

Symbols = NDArray[np.uint8]


def uniform(n: int, seed: int) -> NDArray[np.float64]:
    raw = np.random.PCG64(seed).random_raw(n)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def data_set(name: str) -> Symbols:
    """Make a data set by its recipe, and check that it is the one."""
    run = RUNS[name]
    if name == "A30":
        symbols = np.full(10_000, 3, dtype=np.uint8)
        symbols[4321] = 5
    elif name == "A22":
        weights = np.cumsum([8, 7, 6, 5, 4, 3, 2, 1])
        symbols = np.searchsorted(weights, uniform(50_000, run["seed"]) * 36, side="right").astype(np.uint8)
    elif name == "A23":
        symbols = (uniform(1000, run["seed"]) < 0.5).astype(np.uint8)
    else:
        n, k = {"A05": (300_000, 3), "A07": (300_000, 16), "A20": (1000, 256), "A21": (5000, 16)}[name]
        symbols = np.floor(k * uniform(n, run["seed"])).astype(np.uint8)
    assert hashlib.sha256(symbols.tobytes()).hexdigest() == run["sha256"]
    return symbols


def values(symbols: Symbols) -> list[float]:
    """Return the 19 statistics as NIST's tool prints them."""
    scale = {"excursion": symbols.size, "average_collision": AVERAGE_SCALE}
    return [key / scale.get(name, 1) for name, key in zip(STATISTICS, iid_statistics(symbols.tobytes()), strict=True)]


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-10, abs=1e-10)


def check_chi_square(result: ChiSquare, expected: list[float] | None) -> None:
    if expected is None:
        assert result.passed is None
        assert result.reason
        return
    assert result.degrees_of_freedom == expected[1]
    assert (result.statistic, result.p_value) == (close(expected[0]), close(expected[2]))


@pytest.mark.parametrize("name", sorted(RUNS))
def test_figures_of_the_golden_runs(name: str) -> None:
    run, symbols = RUNS[name], data_set(name)
    samples = SampleSet.from_symbols(symbols)
    assert values(symbols) == [close(value) for value in run["statistics"]]
    # NIST's tool prints p = 1 for no words at all; the standard has no test there.
    check_chi_square(independence(samples), None if name == "A30" else run["independence"])
    check_chi_square(goodness_of_fit(samples), run["goodness_of_fit"])
    repeat = longest_repeat_test(samples)
    assert (repeat.length, repeat.p_value) == (
        run["longest_repeated_substring"][0],
        close(run["longest_repeated_substring"][1]),
    )


@pytest.mark.slow_reference
def test_verdicts_equal_the_tools(vectors: Path) -> None:
    """Data sets that fail by far, or pass by far."""
    arrays = np.load(vectors / "90b" / "datasets.npz")
    runs = json.loads((vectors / "90b" / "expected.json").read_text())
    checked = 0
    for run in runs:
        results = run["results"]
        if run["tool"] != "ea_iid" or not run["complete"] or run["dataset"][:3] not in {"A21", "A22", "A23", "A44"}:
            continue
        found = assess_iid(arrays[run["dataset"]], seed=5, conditioned=run["args"].startswith("-c"))
        assert found.passed is (results["IID permutation tests"] == "Passed")
        per_symbol = found.bits if found.conditioned else 1
        assert found.h_assessed is not None
        assert found.h_assessed * per_symbol == close(results["assessed_min_entropy"])
        checked += 1
    assert checked == 6


def markov_bits(n: int) -> Symbols:
    """Make bits that stay the same nine times out of ten."""
    return (np.cumsum(uniform(n, 1) > 0.9) % 2).astype(np.uint8)


def counts(result: IidAssessment) -> list[tuple[int, int, int]]:
    return [(statistic.greater, statistic.equal, statistic.less) for statistic in result.statistics]


def test_independent_samples_pass() -> None:
    symbols = data_set("A21")
    result = assess_iid(symbols, seed=5)
    assert result.passed is True
    assert result.h_assessed == close(RUNS["A21"]["h_assessed"])
    assert (result.samples, result.alphabet, result.bits) == (5000, 16, 4)
    assert result.sha256 == RUNS["A21"]["sha256"]
    assert 100 < result.permutations < 10_000
    assert 0 < result.compressions <= result.permutations
    assert result.false_alarms == FALSE_ALARMS
    assert "2%" in FALSE_ALARMS
    assert any("1,000,000" in warning for warning in result.warnings)
    assert all(greater + equal > 5 and equal + less > 5 for greater, equal, less in counts(result))


def test_dependent_samples_fail_without_a_min_entropy() -> None:
    result = assess_iid(markov_bits(4000), seed=1, permutations=2000)
    assert result.passed is False
    assert (result.h_original, result.h_bitstring, result.h_assessed) == (None, None, None)
    failed = {statistic.name for statistic in result.statistics if not statistic.passed}
    assert {"median_runs", "average_collision", "compression"} <= failed
    assert result.permutations == 2000


def test_the_conditioned_track_gives_bits_per_bit() -> None:
    symbols = data_set("A21")
    plain, conditioned = assess_iid(symbols, seed=5), assess_iid(symbols, seed=5, conditioned=True)
    assert conditioned.h_assessed == conditioned.h_bitstring == plain.h_bitstring == close(0.9594394759998668)
    assert conditioned.h_original is None
    assert counts(plain) == counts(conditioned)


def test_early_stop_leaves_out_what_is_decided() -> None:
    symbols = data_set("A23")
    stopped = assess_iid(symbols, seed=3)
    exact = assess_iid(symbols, seed=3, exact_count=stopped.permutations)
    assert exact.permutations == exact.compressions == stopped.permutations
    assert all(sum(triple) == exact.permutations for triple in counts(exact))
    for few, many in zip(counts(stopped), counts(exact), strict=True):
        assert all(a <= b for a, b in zip(few, many, strict=True))
        assert few[0] + few[1] > 5 < few[1] + few[2]
    assert sum(map(sum, counts(stopped))) < sum(map(sum, counts(exact))) / 2


def test_a_statistic_fails_at_five_of_ten_thousand() -> None:
    assert [fail_limit(n) for n in (100, 1999, 2000, 9999, 10_000, 100_000)] == [0, 0, 1, 4, 5, 50]
    for triple, undecided in (((5, 0, 900), True), ((6, 0, 900), False), ((3, 3, 2), True), ((3, 3, 3), False)):
        state = PermutationCounts(counts=(triple, *((0, 6, 0),) * 18))
        assert state.undecided(5) == undecided


def test_the_seed_decides() -> None:
    symbols = data_set("A23")
    one, again, other = (assess_iid(symbols, seed=seed, exact_count=200) for seed in (1, 1, 2))
    assert counts(one) == counts(again) != counts(other)
    drawn = assess_iid(symbols, exact_count=100)
    assert counts(assess_iid(symbols, seed=drawn.seed, exact_count=100)) == counts(drawn)


@pytest.mark.parametrize("exact_count", [None, 150])
def test_the_result_is_the_same_on_every_executor(exact_count: int | None) -> None:
    symbols = data_set("A23")
    expected = assess_iid(symbols, seed=8, exact_count=exact_count, threads=1)
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        pools: list[Executor] = [threads, processes]
        for pool in pools:
            found = assess_iid(symbols, seed=8, exact_count=exact_count, executor=pool, threads=5)
            assert found.as_dict() == expected.as_dict()
        assert pools[0].submit(int).result() == 0  # a pool that is lent stays open
    assert assess_iid(symbols, seed=8, exact_count=exact_count, threads=7).as_dict() == expected.as_dict()


class StopError(Exception):
    """Raised in the middle of an assessment."""


def test_an_interrupted_assessment_goes_on_where_it_was(tmp_path: Path) -> None:
    symbols, path = data_set("A23"), tmp_path / "iid.json"
    expected = assess_iid(symbols, seed=4, exact_count=300)
    told: list[int] = []

    def stop(done: int, total: int, text: str) -> None:
        assert total == 300
        assert "undecided" in text
        told.append(done)
        if done > 100:
            raise StopError

    with pytest.raises(StopError):
        assess_iid(symbols, seed=4, exact_count=300, progress=stop, resume=path)
    kept = json.loads(path.read_text())
    assert kept["permutations"] == told[-1]
    first: list[int] = []
    # The seed comes from the file.
    result = assess_iid(symbols, exact_count=300, resume=path, progress=lambda done, *_: first.append(done))
    assert first[0] > told[-1]
    assert result.as_dict() == expected.as_dict()
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    symbols, path = data_set("A23"), tmp_path / "iid.json"

    def stop(*_: Any) -> None:
        raise StopError

    with pytest.raises(StopError):
        assess_iid(symbols, seed=4, progress=stop, resume=path)
    for seed, permutations, exact_count in ((5, 10_000, None), (4, 9000, None), (4, 10_000, 10_000)):
        with pytest.raises(errors.InvalidInputError, match="another run"):
            assess_iid(symbols, seed=seed, permutations=permutations, exact_count=exact_count, resume=path)
    with pytest.raises(errors.InvalidInputError, match="sha256"):
        assess_iid(symbols[:-1], resume=path)
    kept = json.loads(path.read_text())
    many = json.dumps({**kept, "permutations": "many"})
    words = json.dumps({**kept, "counts": [["a", "b", "c"]] * len(kept["counts"])})
    for text in ("", "[]", "{}", '{"facts": 1, "counts": [], "permutations": 1, "compressions": 1}', many, words):
        path.write_text(text)
        with pytest.raises(errors.InvalidInputError, match="no checkpoint"):
            assess_iid(symbols, resume=path)


def test_a_checkpoint_that_cannot_be_is_refused_before_any_work(tmp_path: Path) -> None:
    for path, what in ((tmp_path / "nowhere" / "state", "no folder"), (tmp_path, "cannot be read as a checkpoint")):
        with pytest.raises(errors.InvalidInputError, match=what):
            assess_iid(bytes(range(16)) * 40, resume=path)


def test_an_interrupt_is_heeded_at_once() -> None:
    symbols = (uniform(200_000, 9) * 64).astype(np.uint8)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the timer may not strike before
        threading.Timer(0.5, _thread.interrupt_main).start()
        assess_iid(symbols, seed=1, exact_count=1_000_000)
    # A fraction of a second, or what the original's statistics take the reference kernels; the work takes hours.
    assert time.monotonic() - began < 30


DEGENERATE: dict[str, bytes] = {
    "constant": bytes([65]) * 2000,
    "all distinct": bytes(range(256)),
    "balanced": bytes(range(10)) * 100,
    "balanced bits": bytes([0, 1]) * 500,
    "copied block": bytes(np.random.default_rng(1).integers(0, 256, 3000).astype(np.uint8)) * 2,
    "one outlier": bytes(999) + b"\xff",
    **{f"{n} samples": bytes(np.random.default_rng(n).integers(0, 5, n).astype(np.uint8)) for n in range(1, 21)},
}


@pytest.mark.parametrize("symbols", DEGENERATE.values(), ids=DEGENERATE)
def test_odd_data_get_an_answer(symbols: bytes) -> None:
    result = assess_iid(symbols, seed=1, permutations=200)
    for test in (result.independence, result.goodness_of_fit, result.longest_repeated_substring):
        assert (test.passed is None) == (test.reason is not None)
        assert test.p_value is None or 0.0 <= test.p_value <= 1.0
    if result.passed is not True:
        assert result.h_assessed is None
    text = json.dumps(result.as_dict(), allow_nan=False)
    assert "-0.0" not in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)
    assert json.loads(text)["passed"] is result.passed
    assert pickle.loads(pickle.dumps(result)) == result


def test_degenerate_data_pass_nothing_by_default() -> None:
    constant = assess_iid(DEGENERATE["constant"], seed=1)
    assert constant.passed is None
    assert "all samples are equal: there is no entropy" in constant.warnings
    assert any("not all of them could run" in warning for warning in constant.warnings)
    distinct = assess_iid(DEGENERATE["all distinct"], seed=1, permutations=200)
    assert distinct.longest_repeated_substring.reason == "no symbol occurs twice"
    assert distinct.independence.passed is None
    copied = assess_iid(DEGENERATE["copied block"], seed=1, permutations=200)
    assert copied.longest_repeated_substring.length == 3000
    assert copied.longest_repeated_substring.p_value == 0.0
    assert copied.passed is False


def naive_longest_repeat(text: bytes) -> int:
    best = 0
    for start in range(len(text)):
        while start + best + 1 <= len(text) and text.find(text[start : start + best + 1], start + 1) >= 0:
            best += 1
    return best


@settings(max_examples=200, deadline=None)
@given(
    text=st.binary(min_size=1, max_size=80) | st.lists(st.sampled_from(b"ab"), min_size=1, max_size=80).map(bytes),
    times=st.integers(1, 3),
)
def test_longest_repeat_equals_a_naive_search(text: bytes, times: int) -> None:
    samples = SampleSet.from_symbols(text * times)
    assert longest_repeat(samples.translated, samples.alphabet) == naive_longest_repeat(text * times)


def test_longest_repeat_of_long_repeats_is_fast() -> None:
    rng = np.random.default_rng(2)
    block = rng.integers(0, 16, 150_000).astype(np.uint8)
    began = time.monotonic()
    assert longest_repeat(np.tile(block, 2), 16) == 150_000
    assert longest_repeat((np.arange(300_000) % 100).astype(np.uint8), 100) == 299_900
    assert longest_repeat((np.arange(300_000) % 2).astype(np.uint8), 2) == 299_998
    assert time.monotonic() - began < 60  # a search that compares takes hours


def test_tiny_collision_probabilities_are_no_error() -> None:
    symbols = np.concatenate([block := np.random.default_rng(3).integers(0, 256, 5000).astype(np.uint8), block])
    result = longest_repeat_test(SampleSet.from_symbols(symbols))
    assert result.collision_probability**result.length == 0.0
    assert (result.p_value, result.passed) == (0.0, False)


def test_bad_input_is_refused() -> None:
    calls: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: assess_iid(b""), "no samples"),
        (lambda: assess_iid(b"ab", permutations=99), "100 or more"),
        (lambda: assess_iid(b"ab", exact_count=0), "100 or more"),
        (lambda: assess_iid(b"ab", threads=0), "threads=0"),
        (lambda: assess_iid(b"ab", seed=-1), "seed=-1"),
        (lambda: assess_iid(b"ab", seed=2**64), "seed="),
        (lambda: assess_iid(SampleSet.from_symbols(b"ab"), bits=8), "bits=8"),
        (lambda: assess_iid(b"ab", bits=2), "does not fit"),
    )
    for call, message in calls:
        with pytest.raises(errors.InvalidInputError, match=message):
            call()


def test_median_is_that_of_the_translated_symbols() -> None:
    for symbols in (b"\x05\x09\x09\x20", b"\x05\x09\x20\x20\x30", b"\x01\x02", bytes(7)):
        result = assess_iid(symbols, seed=1, permutations=100)
        distinct = sorted(set(symbols))
        translated = sorted(distinct.index(symbol) for symbol in symbols)
        middle = (translated[(len(symbols) - 1) // 2] + translated[len(symbols) // 2]) / 2
        assert result.median == (0.5 if len(distinct) == 2 else middle)
        assert result.mean == math.fsum(symbols) / len(symbols)
