"""The Lag Predictor Test: cutoffs a second way, the domination they rest on, boundary pairs, what it sees, kernels."""

from __future__ import annotations

import bisect
import decimal
import itertools
import math
import random
import re
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DOCS

from esoteric_drbg import errors
from esoteric_drbg.health_tests import (
    AdaptiveProportionTest,
    LagCutoffs,
    LagPredictorTest,
    RepetitionCountTest,
    apt_cutoff,
    lag_can_fail,
    lag_cutoffs,
    rct_cutoff,
)
from esoteric_drbg.health_tests import cutoffs as cutoffs_module
from esoteric_drbg.health_tests.lag_predictor import predictor_name
from esoteric_drbg.kernels.health import LAG_PREDICTORS, LAGS, new_lag_predictor_scan
from esoteric_drbg.kernels.reference import lag_predictor as reference

NEVER = 1 << 40
FIGURES = ("samples", "windows", "failures", "first_failures", "first_predictors", "highest")


def exact_tail_cutoff(entropy: int, alpha: Fraction, trials: int) -> int:
    """The smallest C with P(X >= C) <= alpha, X binomial with 2^-entropy, in whole numbers from the top."""
    limit = alpha * (1 << entropy * trials)
    tail, ways, others = 0, 1, (1 << entropy) - 1
    power = 1
    for count in range(trials, -1, -1):
        tail += ways * power
        if tail > limit:
            return count + 1
        ways = ways * count // (trials - count + 1)
        power *= others
    return 0


@pytest.mark.parametrize("alpha_log2", [20, 30, 60])
@pytest.mark.parametrize("entropy", [1, 2, 4, 8])
def test_cutoffs_by_counting_outcomes(entropy: int, alpha_log2: int) -> None:
    alpha = Fraction(1, 2**alpha_log2)
    for window, span in ((512, 4), (1024, 2)):
        cutoffs = lag_cutoffs(entropy, alpha, window, span)
        each = alpha / LAG_PREDICTORS
        assert cutoffs.window == exact_tail_cutoff(entropy, each, window)
        assert cutoffs.span == exact_tail_cutoff(entropy, each, window * span)
        p = Fraction(1, 2**entropy)
        assert LAG_PREDICTORS * p**cutoffs.run <= alpha < LAG_PREDICTORS * p ** (cutoffs.run - 1)


@pytest.mark.parametrize("entropy", [0.02, 0.1, 0.15, 0.25, 0.4, 0.5, 0.64, 1.0, 1.74, 2.5, 4.0, 8.0])
@pytest.mark.parametrize("alpha_log2", [20, 30, 40])
def test_cutoffs_against_scipy(entropy: float, alpha_log2: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    each = 2.0**-alpha_log2 / 66
    for window in (512, 1024):
        cutoffs = lag_cutoffs(entropy, 2.0**-alpha_log2, window)
        for cutoff, trials in ((cutoffs.window, window), (cutoffs.span, 64 * window)):
            # sf(k) = P(X > k): at the cutoff the tail is at most alpha, one below it is not.
            assert stats.binom.sf(cutoff - 1, trials, 2.0**-entropy) <= each * (1 + 1e-6)
            assert stats.binom.sf(cutoff - 2, trials, 2.0**-entropy) > each * (1 - 1e-6)
        assert cutoffs.run == math.ceil((alpha_log2 + math.log2(66)) / entropy)


@pytest.mark.parametrize("entropy", ["0.02", "0.25", "1/3", "1", "2.5", "7.9"])
@pytest.mark.parametrize("trials", [1, 2, 7, 512, 4096])
@pytest.mark.parametrize("alpha", [Fraction(1, 3), Fraction(1, 2**30), Fraction(1, 66 * 2**60), Fraction(1, 10**80)])
def test_the_shortened_sum_decides_as_the_complete_one(entropy: str, trials: int, alpha: Fraction) -> None:
    h = Fraction(entropy)
    assert cutoffs_module._long_cutoff(h, alpha, trials) == cutoffs_module._apt_cutoff(h, alpha, trials)


def test_a_tie_with_alpha_goes_through_the_complete_sum() -> None:
    # P(X > 299) of 300 fair bits is 2^-300, exactly alpha: 300 of 300 is the cutoff, and one hair less makes it 301.
    for alpha, cutoff in ((Fraction(1, 2**300), 300), (Fraction(1, 2**300) - Fraction(1, 2**900), 301)):
        assert cutoffs_module._long_cutoff(Fraction(1), alpha, 300) == cutoff


def test_no_cutoff_depends_on_the_decimal_context_of_the_caller() -> None:
    found = []
    for digits in (28, 3):
        for cached in (cutoffs_module._rct_cutoff, cutoffs_module._apt_cutoff, cutoffs_module._long_cutoff):
            cached.cache_clear()
        with decimal.localcontext() as context:
            context.prec = digits
            found.append((rct_cutoff(0.3, 1e-9), apt_cutoff(0.3, 2**-30, 65_536), lag_cutoffs(0.3, 2**-30, 512)))
    assert found == [(101, 53_830, LagCutoffs(run=121, window=470, span=27_083))] * 2


@pytest.mark.parametrize("bad", [{"window": 0}, {"window": 1.5}, {"span": 0}, {"span": True}, {"window": 2048}])
def test_bad_windows_and_spans(bad: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"window|span"):
        lag_cutoffs(1, 2**-30, **{"window": 512, "span": 64} | bad)


def test_what_can_never_fail_says_so() -> None:
    assert LagPredictorTest.from_claim(0.02, 2**-30).can_fail == (True, False, True)
    assert LagPredictorTest.from_claim(0.1, 2**-30).can_fail == (True, True, True)
    assert LagPredictorTest.from_claim(0.0005, 2**-60).can_fail == (True, False, False)
    assert lag_can_fail(LagCutoffs(10, 512, 32_768), 512) == (True, True, True)
    assert lag_can_fail(LagCutoffs(10, 513, 32_769), 512) == (True, False, False)
    stuck = LagPredictorTest.from_claim(0.02, 2**-30)  # 100 % of a window is not enough, 100 % of a span is
    assert (stuck.push(bytes(1803)), stuck.push(b"\x00"), stuck.max_count) == (0, 1, 512)


# What the cutoffs rest on: whatever the source remembers, no predictor does better than coins of 2^-H.


def iid(rng: random.Random, n: int) -> bytes:
    """H = 1 exactly: one value with 1/2, and many others."""
    return bytes(rng.choices(range(9), [8] + [1] * 8, k=n))


def markov(rng: random.Random, n: int) -> bytes:
    """Each value with 1/2 the one before, or the one three before: the likeliest value always has exactly 1/2."""
    out = [0, 1, 2]
    while len(out) < n:
        likely = out[-1] if len(out) % 700 < 350 else out[-3]
        out.append(likely if rng.random() < 0.5 else rng.choice([value for value in range(8) if value != likely]))
    return bytes(out)


def period_of_seven(rng: random.Random, n: int) -> bytes:
    """A period that each sample follows with 1/2: the vote knows it best."""
    return bytes(i % 7 if rng.random() < 0.5 else rng.choice([v for v in range(8) if v != i % 7]) for i in range(n))


@pytest.mark.parametrize("source", [iid, markov, period_of_seven])
def test_no_predictor_beats_coins_of_the_claim(source: Callable[[random.Random, int], bytes]) -> None:
    """Counts of single predictors in windows lie below the binomial's quantiles, and the union keeps to its alpha."""
    stats = pytest.importorskip("scipy.stats")
    rng = random.Random(f"{source.__name__} 1")
    windows, window = 600, 128
    test = new_lag_predictor_scan((NEVER, NEVER, NEVER), window, 1, 8)
    most = []
    for _ in range(windows):
        test.reset()
        test.push(source(rng, window))
        most.append(test.highest[1])
    # P(best of 66 >= C) is at most alpha: for each alpha, how many of 600 windows reached it.
    for alpha_log2 in (1, 2, 4, 6):
        cutoff = lag_cutoffs(1, Fraction(1, 2**alpha_log2), window, 1).window
        reached = sum(count >= cutoff for count in most)
        assert reached <= stats.binom.isf(1e-6, windows, 2.0**-alpha_log2)
    assert max(most) > 0.4 * window  # the bound is not idle


def test_runs_keep_to_their_alpha() -> None:
    alpha = Fraction(1, 2**4)
    cutoff = lag_cutoffs(1, alpha, 512).run
    assert cutoff == 11
    data, reached = markov(random.Random(5), 60_000), 0
    for lag in range(1, LAGS + 1):
        run = 0
        for i in range(lag, len(data)):
            run = run + 1 if data[i] == data[i - lag] else 0
            reached += run == cutoff
    assert 0 < reached <= 60_000 * alpha


# Boundary pairs: C - 1 passes, C fails.


def noise(n: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(n)


@pytest.mark.parametrize("lag", [1, 2, 3, 5, 16, 63, 64])
@pytest.mark.parametrize("cutoff", [9, 33, 127, 128, 129, 200, 255, 256, 300])
def test_boundary_pairs_of_runs(lag: int, cutoff: int) -> None:
    before = noise(300)
    block = bytes(random.Random(lag).sample(range(256), lag))
    for right, fails in ((cutoff - 1, 0), (cutoff, 1), (cutoff + 2, 3)):
        test = LagPredictorTest((cutoff, NEVER, NEVER))
        part = bytes(block[i % lag] for i in range(lag + right))
        other = bytes([part[right] ^ 1])  # ends the run of this lag and of its multiples
        assert test.push(before + part + other + noise(100, 2)) == fails
        assert test.longest_run == right
        assert test.first_failure == (300 + lag + cutoff - 1 if fails else None)
        assert test.first_predictor == (f"lag {lag}" if fails else None)


@pytest.mark.parametrize("lag", [1, 2, 7, 64])
@pytest.mark.parametrize("cutoff", [60, 100, 128, 200])
def test_boundary_pairs_of_windows(lag: int, cutoff: int) -> None:
    """A window of 256 in which one lag is right exactly so often, in the middle of others."""
    for right, fails in ((cutoff - 1, 0), (cutoff, 1)):
        stream = bytearray(noise(256, 3))
        rng = random.Random(right)
        chosen = sorted(rng.sample(range(256), right))
        for i in range(256):
            value = stream[256 + i - lag]
            stream.append(value if i in chosen else (value + 1 + rng.randrange(255)) % 256)
        stream += noise(256, 4)
        test = LagPredictorTest((NEVER, cutoff, NEVER), 256)
        assert test.push(stream) == fails
        assert test.max_count == right
        assert test.first_failure == (256 + chosen[cutoff - 1] if fails else None)
        assert test.first_predictor == (f"lag {lag}" if fails else None)


@pytest.mark.parametrize(("share", "windows"), [(0.6, 2), (0.6, 5)])
def test_boundary_pairs_of_spans(share: float, windows: int) -> None:
    """Spans of four windows: the count is that of the ends of windows, and spans do not share it."""
    rng = random.Random(windows)
    stream = bytearray(noise(8))
    while len(stream) < 64 * 4 * 3:
        value = stream[-5]
        stream.append(value if rng.random() < share else (value + 1 + rng.randrange(255)) % 256)
    counts = [
        sum(stream[i] == stream[i - 5] for i in range(max(5, begin), begin + 64)) for begin in range(0, len(stream), 64)
    ]
    spans = [list(itertools.accumulate(counts[begin : begin + 4])) for begin in range(0, len(counts), 4)]
    cutoff = spans[0][windows - 1] if windows <= 4 else max(span[-1] for span in spans) + 1
    test = LagPredictorTest((NEVER, NEVER, cutoff), 64, span=4)
    test.push(stream)
    failing = [bisect.bisect_left(span, cutoff) for span in spans]
    assert test.failures == sum(place < 4 for place in failing)
    assert test.max_span_count == max(span[-1] for span in spans)
    expected = next((64 * (4 * i + place + 1) - 1 for i, place in enumerate(failing) if place < 4), None)
    assert test.first_failure == expected
    assert windows > 4 or (expected is not None and test.first_predictor == "lag 5")


# What it sees, and RCT and APT do not.


@pytest.mark.parametrize("entropy", [0.25, 0.5, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("period", [2, 3, 5, 16, 37, 64])
def test_a_period_is_found_after_its_length_and_the_run(entropy: float, period: int) -> None:
    cutoffs = lag_cutoffs(entropy, 2**-30, 512)
    block = random.Random(period).sample(range(256), period)
    healthy = noise(700)
    stream = healthy + bytes(block[i % period] for i in range(2000))
    test = LagPredictorTest.from_claim(entropy, 2**-30)
    test.push(stream)
    assert test.first_failure is not None
    assert test.first_failure - len(healthy) + 1 <= period + cutoffs.run
    rct = RepetitionCountTest.from_claim(entropy, 2**-30)
    assert rct.push(stream) == 0
    if period > 512 // apt_cutoff(entropy, 2**-30, 512):
        assert AdaptiveProportionTest.from_claim(entropy, 2**-30).push(stream) == 0


@pytest.mark.parametrize("step", [1, 2, 7, 128, 255])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_counter_is_found_whatever_its_step(step: int, bits: int) -> None:
    test = LagPredictorTest.from_claim(1.0, 2**-30, symbol_bits=bits)
    test.push(bytes(i * step % (1 << bits) for i in range(60)))
    assert test.first_failure is not None
    assert test.first_failure <= 2 + 37
    assert RepetitionCountTest.from_claim(1.0, 2**-30).push(bytes(i * step % 256 for i in range(60))) == 0


def test_a_noisy_period_is_found_by_the_vote_where_no_lag_can() -> None:
    """Period 2 with 10 % noise at H = 0.25: a lag is right in 81 % of all samples, which the claim allows: 84 %."""
    rng = random.Random(8)
    stream = bytes((3, 200)[i % 2] if rng.random() < 0.9 else rng.randrange(256) for i in range(2 * 32_768))
    test = LagPredictorTest.from_claim(0.25, 2**-30)
    test.push(stream)
    assert test.first_predictor == "the vote"
    assert test.first_failure is not None
    assert test.first_failure < 2 * 32_768
    assert RepetitionCountTest.from_claim(0.25, 2**-30).push(stream) == 0
    assert AdaptiveProportionTest.from_claim(0.25, 2**-30).push(stream) == 0


def test_slow_entrainment_is_found_in_a_span() -> None:
    """Each 16th sample more follows its lag of 11: no window is bad enough at H = 0.5, the span is."""
    rng = random.Random(11)
    stream = bytearray(noise(64))
    while len(stream) < 2 * 32_768:
        share = min(0.76, len(stream) / 40_000)
        stream.append(stream[-11] if rng.random() < share else rng.randrange(256))
    test = LagPredictorTest.from_claim(0.5, 2**-30)
    test.push(stream)
    assert test.first_predictor == "lag 11"
    assert test.max_count < test.cutoffs.window
    assert test.max_span_count >= test.cutoffs.span


def test_predictors_have_names() -> None:
    assert [predictor_name(1), predictor_name(64), predictor_name(65), predictor_name(66)] == [
        "lag 1",
        "lag 64",
        "the straight line",
        "the vote",
    ]
    for bad in (0, 67):
        with pytest.raises(errors.InvalidInputError, match="predictor"):
            predictor_name(bad)


# Kernels.

pieces = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.binary(min_size=1, max_size=70), st.integers(1, 40)).map(lambda part: part[0] * part[1]),
    st.tuples(st.integers(0, 255), st.integers(0, 400)).map(
        lambda part: bytes(i * part[0] % 256 for i in range(part[1]))
    ),
    st.lists(st.sampled_from(b"\x00\x00\x00\x00\x01\x02"), max_size=300).map(bytes),
)
streams = st.lists(pieces, max_size=5).map(b"".join)
cutoffs_of_all_sizes = st.tuples(st.integers(1, 400), st.integers(1, 400), st.integers(1, 1000))
shapes = st.tuples(st.sampled_from([1, 3, 64, 100, 128, 130, 512]), st.integers(1, 5), st.integers(1, 8))


@given(streams, st.lists(st.integers(0, 3000), max_size=6), cutoffs_of_all_sizes, shapes)
@settings(deadline=None)
def test_chunking_never_changes_a_figure(
    stream: bytes, cuts: list[int], cutoffs: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    whole, parts = (new_lag_predictor_scan(cutoffs, *shape) for _ in range(2))
    borders = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    assert whole.push(stream) == sum(parts.push(stream[a:b]) for a, b in itertools.pairwise(borders))
    assert [getattr(whole, name) for name in FIGURES] == [getattr(parts, name) for name in FIGURES]


@given(streams, st.integers(0, 3000), cutoffs_of_all_sizes, shapes)
@settings(deadline=None)
def test_rust_equals_the_reference(
    native: ModuleType, stream: bytes, cut: int, cutoffs: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    fast, readable = native.LagPredictorScan(*cutoffs, *shape), reference.LagPredictorScan(*cutoffs, *shape)
    for part in (stream[:cut], bytearray(stream[cut:]), memoryview(b"")):
        assert fast.push(part) == readable.push(part)
        for name in (*FIGURES, "run_cutoff", "window_cutoff", "span_cutoff", "window", "span", "symbol_bits"):
            assert getattr(fast, name) == getattr(readable, name), name
    fast.reset()
    readable.reset()
    assert [getattr(fast, name) for name in FIGURES] == [getattr(readable, name) for name in FIGURES]


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1, 1, 8, 1, 8),
        (1, -5, 1, 8, 1, 8),
        (1, 1, 1, 0, 1, 8),
        (1, 1, 1, 8, 0, 8),
        (1, 1, 1, 8, 1, 9),
        (1, 1, 1, 8, 1, 0),
        (1, 1, 1, 1 << 20, 2, 8),
        (1, 1, 1, 1 << 62, 1 << 62, 8),
    ],
)
def test_both_kernels_refuse_the_same(native: ModuleType, arguments: tuple[int, ...]) -> None:
    texts = []
    for scan in (native.LagPredictorScan, reference.LagPredictorScan):
        with pytest.raises(errors.InvalidInputError) as caught:
            scan(*arguments)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_the_face_refuses_what_no_kernel_holds() -> None:
    for cutoffs in ((1, 2), ("x", 1, 1), (1 << 70, 1, 1)):
        with pytest.raises((errors.InvalidInputError, TypeError)):
            new_lag_predictor_scan(cutoffs, 512, 64, 8)  # type: ignore[arg-type]
    for bad in ("text", 5, None, [1, 2]):
        with pytest.raises((errors.InvalidInputError, TypeError)):
            LagPredictorTest((5, 5, 5)).push(bad)  # type: ignore[arg-type]


def test_the_documented_cutoffs_are_those_computed() -> None:
    page = (DOCS / "health-audit.md").read_text().replace(",", "")
    rows = re.findall(r"^\| ([\d.]+) \| (\d+) / (\d+) \| (\d+) / (\d+) \| (\d+) / (\d+) \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for entropy, *figures in rows:
        tiers = [lag_cutoffs(entropy, alpha, 512) for alpha in (2**-30, 2**-60)]
        assert [int(figure) for figure in figures] == [cutoff for pair in zip(*tiers, strict=True) for cutoff in pair]
