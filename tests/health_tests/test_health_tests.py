"""Health tests: exact cutoffs, boundary pairs, induced failures, chunking, and the state machine."""

from __future__ import annotations

import itertools
import json
import math
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDEN

from esoteric_drbg import errors
from esoteric_drbg.health_tests import (
    AdaptiveProportionTest,
    HealthMonitor,
    HealthProfile,
    RepetitionCountTest,
    apt_can_fail,
    apt_cutoff,
    apt_window,
    rct_cutoff,
)
from esoteric_drbg.kernels.reference import health as reference

CUTOFFS: dict[str, Any] = json.loads((GOLDEN / "health_cutoffs.json").read_text())
INDUCED: dict[str, Any] = json.loads((GOLDEN / "induced_failures.json").read_text())


@pytest.mark.parametrize("row", CUTOFFS["rows"], ids=lambda row: f"H{row['H']}-alpha{row['alpha_log2']}-W{row['W']}")
def test_cutoffs_equal_the_exact_table(row: dict[str, Any]) -> None:
    alpha = 2.0 ** row["alpha_log2"]
    forms: list[Any] = [row["H"], Fraction(row["H"])]
    if "/" not in row["H"]:
        forms += [float(row["H"]), Decimal(row["H"])]
    for entropy in forms:
        assert rct_cutoff(entropy, alpha) == row["rct_cutoff"]
        assert apt_cutoff(entropy, alpha, row["W"]) == row["apt_cutoff"]
    assert apt_can_fail(row["H"], alpha, row["W"]) is not row["apt_cutoff_gt_W"]


def test_the_table_is_large_enough() -> None:
    assert len(CUTOFFS["rows"]) >= 100


def test_values_printed_in_the_standard() -> None:
    assert rct_cutoff(2.0, 2**-30) == 16  # 4.4.1
    binary = {"0.2": 941, "0.4": 840, "0.6": 748, "0.8": 664, "1": 589}  # table 2, alpha = 2^-20
    wide = {"0.5": 410, "1": 311, "2": 177, "4": 62, "8": 13}
    assert {entropy: apt_cutoff(entropy, 2**-20, 1024) for entropy in binary} == binary
    assert {entropy: apt_cutoff(entropy, 2**-20, 512) for entropy in wide} == wide
    assert (apt_window(1), apt_window(2), apt_window(8)) == (1024, 512, 512)


def direct_apt_cutoff(entropy: int, alpha: Fraction, window: int) -> int:
    """critbinom by definition, in exact rationals, summing from the bottom."""
    p = Fraction(1, 2**entropy)
    below = Fraction(0)
    for c in range(window + 1):
        below += math.comb(window, c) * p**c * (1 - p) ** (window - c)
        if below >= 1 - alpha:
            return 1 + c
    raise AssertionError("unreachable")


@given(st.integers(1, 8), st.integers(1, 70), st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_apt_cutoff_recomputed_from_its_definition(entropy: int, alpha_log2: int, window: int) -> None:
    alpha = Fraction(1, 2**alpha_log2)
    assert apt_cutoff(entropy, alpha, window) == direct_apt_cutoff(entropy, alpha, window)


def test_ties_with_alpha_are_decided_exactly() -> None:
    # P(X > 29) = 2^-30 for 30 fair bits: exactly alpha, so that c = 29 suffices.
    assert apt_cutoff(1, 2**-30, 30) == 30
    assert apt_cutoff(1, Fraction(1, 2**30) - Fraction(1, 2**200), 30) == 31


@given(st.fractions(Fraction(1, 100), 8), st.integers(1, 80))
@settings(max_examples=200, deadline=None)
def test_rct_cutoff_recomputed_with_integers(entropy: Fraction, alpha_log2: int) -> None:
    cutoff = rct_cutoff(entropy, Fraction(1, 2**alpha_log2))
    runs = cutoff - 1
    assert runs * entropy >= alpha_log2 > (runs - 1) * entropy


def test_rct_cutoff_for_an_alpha_that_is_no_power_of_two() -> None:
    for entropy, alpha in itertools.product([0.3, 1.0, 5.5], [1e-6, 1e-9, 0.01]):
        assert rct_cutoff(entropy, alpha) == 1 + math.ceil(-math.log2(alpha) / entropy)


def test_a_float_entropy_means_its_decimal_form() -> None:
    # As doubles, 0.3 is just below 3/10 and 30 / 0.3 just above 100.
    assert rct_cutoff(0.3, 2**-30) == rct_cutoff("0.3", 2**-30) == 101
    assert rct_cutoff(Fraction(0.3), 2**-30) == 102


@pytest.mark.parametrize("entropy", [0, -1, float("nan"), float("inf"), "x", None, 65, [1]])
def test_bad_entropies(entropy: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="min_entropy"):
        rct_cutoff(entropy, 2**-30)
    with pytest.raises(errors.InvalidInputError, match="min_entropy"):
        apt_cutoff(entropy, 2**-30, 512)


@pytest.mark.parametrize("alpha", [0, 1, -0.5, 2, float("nan"), "x", None])
def test_bad_alphas(alpha: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="alpha"):
        rct_cutoff(1, alpha)
    with pytest.raises(errors.InvalidInputError, match="alpha"):
        apt_cutoff(1, alpha, 512)


@pytest.mark.parametrize("window", [0, -5, 1.5, True, 1 << 17])
def test_bad_windows(window: Any) -> None:
    with pytest.raises(errors.InvalidInputError, match="window"):
        apt_cutoff(1, 2**-30, window)


def window_with(count: int, window: int) -> bytes:
    """One window in which the first symbol comes ``count`` times, never in a run of 2 while others last."""
    others = [1 + index % 200 for index in range(window - count)]
    symbols = [0]
    ones, rest = count - 1, others
    for index in range(window - 1):
        take_zero = ones > 0 and (index % 2 == 1 or not rest)
        symbols.append(0 if take_zero else rest.pop())
        ones -= take_zero
    assert symbols.count(0) == count
    return bytes(symbols)


@pytest.mark.parametrize("alpha_log2", [-20, -30, -60])
@pytest.mark.parametrize("entropy", [0.5, 1.0, 1.7, 4.0, 8.0])
def test_boundary_pairs(entropy: float, alpha_log2: int) -> None:
    alpha = 2.0**alpha_log2
    cutoff = rct_cutoff(entropy, alpha)
    for run, fails in ((cutoff - 1, 0), (cutoff, 1), (cutoff + 1, 2)):
        test = RepetitionCountTest.from_claim(entropy, alpha)
        assert test.push(b"\x01" + bytes(run) + b"\x01") == fails
        assert test.first_failure == (cutoff if fails else None)
        assert test.longest_run == run
    cutoff = apt_cutoff(entropy, alpha, 512)
    if cutoff > 512:
        return
    for count, fails in ((cutoff - 1, 0), (cutoff, 1)):
        proportion = AdaptiveProportionTest.from_claim(entropy, alpha)
        stream = window_with(count, 512)
        assert proportion.push(stream * 2) == 2 * fails
        assert proportion.windows == 2
        assert proportion.max_count == count
        expected = [index for index, symbol in enumerate(stream) if symbol == 0][cutoff - 1] if fails else None
        assert proportion.first_failure == expected


def test_a_cutoff_above_its_window_is_refused() -> None:
    with pytest.raises(errors.InvalidInputError, match="could never fail"):
        AdaptiveProportionTest(513, 512)
    with pytest.raises(errors.InvalidInputError, match="could never fail"):
        AdaptiveProportionTest.from_claim(0.01, 2**-30)
    AdaptiveProportionTest(512, 512)
    with pytest.raises(errors.InvalidInputError):
        RepetitionCountTest(1)


def run_recipe(recipe: list[list[Any]]) -> bytes:
    """Build a stream from its committed recipe: [kind, argument ...] parts, one after another."""
    out = bytearray()
    for kind, *arguments in recipe:
        if kind == "cycle":  # length, period
            out += bytes(index % arguments[1] for index in range(arguments[0]))
        elif kind == "constant":  # length, symbol
            out += bytes([arguments[1]]) * arguments[0]
        elif kind == "window":  # count of the first symbol, window
            out += window_with(*arguments)
        else:
            raise AssertionError(kind)
    return bytes(out)


@pytest.mark.parametrize("case", INDUCED["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize("chunk", [None, 1, 7, 511, 512, 513])
def test_induced_failures_fire_where_their_data_say(case: dict[str, Any], chunk: int | None) -> None:
    stream = run_recipe(case["recipe"])
    size = chunk or len(stream)
    for name, test in (
        ("rct", RepetitionCountTest(case["rct_cutoff"])),
        ("apt", AdaptiveProportionTest(case["apt_cutoff"], case["apt_window"])),
    ):
        failures = sum(test.push(stream[begin : begin + size]) for begin in range(0, len(stream), size))
        assert (test.first_failure, failures) == tuple(case[name]), name
        assert test.samples == len(stream)


def test_recorded_cases_of_the_reference_data(vectors: Path) -> None:
    cases = json.loads((vectors / "health" / "cases.json").read_text())["cases"]
    assert len(cases) == 62
    for case in cases:
        stream = bytes.fromhex(case["samples_hex"])
        rct = RepetitionCountTest(case["rct_cutoff"])
        rct.push(stream)
        assert rct.failures == case["rct_failures"], case["name"]
        assert rct.first_failure == case["rct_first_failure_index"], case["name"]
        assert rct.longest_run == case["rct_longest_run"], case["name"]
        if case["apt_cutoff"] > case["apt_window"]:
            assert case["apt_first_failure_index"] is None
            continue
        apt = AdaptiveProportionTest(case["apt_cutoff"], case["apt_window"])
        apt.push(stream)
        assert apt.windows == case["apt_full_windows"], case["name"]
        assert apt.first_failure == case["apt_first_failure_index"], case["name"]


streams = st.binary(max_size=600) | st.lists(st.sampled_from(b"\x00\x00\x00\x01\x02"), max_size=600).map(bytes)


@given(streams, st.lists(st.integers(0, 600), max_size=6), st.integers(2, 8), st.integers(2, 40), st.data())
@settings(deadline=None)
def test_chunking_never_changes_a_verdict(
    stream: bytes, cuts: list[int], rct: int, window: int, data: st.DataObject
) -> None:
    apt = data.draw(st.integers(2, window))
    borders = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    for make in (lambda: RepetitionCountTest(rct), lambda: AdaptiveProportionTest(apt, window)):
        whole, parts = make(), make()
        total = whole.push(stream)
        assert total == sum(parts.push(stream[a:b]) for a, b in itertools.pairwise(borders))
        for name in ("samples", "failures", "first_failure"):
            assert getattr(whole, name) == getattr(parts, name)


@given(streams, st.integers(2, 8), st.integers(2, 40), st.data())
@settings(deadline=None)
def test_rust_equals_the_reference(
    native: ModuleType, stream: bytes, rct: int, window: int, data: st.DataObject
) -> None:
    apt = data.draw(st.integers(2, window))
    cut = data.draw(st.integers(0, len(stream)))
    pairs: list[tuple[Any, Any, tuple[str, ...]]] = [
        (native.RepetitionCountScan(rct), reference.RepetitionCountScan(rct), ("run", "longest_run")),
        (
            native.AdaptiveProportionScan(apt, window),
            reference.AdaptiveProportionScan(apt, window),
            ("windows", "max_count", "window"),
        ),
    ]
    for fast, readable, extra in pairs:
        for part in (stream[:cut], bytearray(stream[cut:]), memoryview(b"")):
            assert fast.push(part) == readable.push(part)
            for name in ("samples", "failures", "first_failure", "cutoff", *extra):
                assert getattr(fast, name) == getattr(readable, name), name
        fast.reset()
        readable.reset()
        assert (fast.samples, fast.first_failure) == (readable.samples, readable.first_failure) == (0, -1)


def test_scans_take_contiguous_buffers_of_bytes_only() -> None:
    test = RepetitionCountTest(5)
    for bad in ("text", 5, None, [1, 2]):
        with pytest.raises((errors.InvalidInputError, TypeError)):
            test.push(bad)  # type: ignore[arg-type]


#: Each value four times in 1,024 samples, and no two neighbours equal.
GOOD = b"".join(bytes(random.Random(seed).sample(range(256), 256)) for seed in range(4))
PROFILE = HealthProfile()


def started(entropy: float = 1.0, **changes: Any) -> HealthMonitor:
    monitor = HealthMonitor(entropy, 8, profile=HealthProfile(**changes))
    monitor.start_up(GOOD)
    return monitor


def test_life_of_a_healthy_source() -> None:
    monitor = HealthMonitor(1.0, 8)
    assert monitor.state.name == "STARTUP"
    with pytest.raises(errors.HealthTestError, match="not healthy"):
        monitor.test(b"early")
    monitor.start_up(GOOD)
    assert monitor.state.name == "HEALTHY"
    monitor.test(GOOD)
    monitor.on_demand(GOOD)
    report = monitor.report()
    assert (report.samples, report.rct_alarms, report.apt_alarms, report.last_alarm) == (3072, 0, 0, "")
    assert report.rct_cutoffs == (31, 61)
    assert report.apt_can_fail == (True, True)


def test_start_up_takes_1024_samples() -> None:
    monitor = HealthMonitor(1.0, 8)
    with pytest.raises(errors.InvalidInputError, match="1024"):
        monitor.start_up(GOOD[:1023])
    assert monitor.state.name == "STARTUP"
    with pytest.raises(errors.InvalidInputError, match="1024"):
        HealthProfile(startup_samples=1023)


@pytest.mark.parametrize(
    ("run", "state"),
    [(30, "HEALTHY"), (31, "FAILED_INTERMITTENT"), (60, "FAILED_INTERMITTENT"), (61, "FAILED_PERMANENT")],
)
@pytest.mark.parametrize("chunk", [1, 10, 1000])
def test_rct_tiers(run: int, state: str, chunk: int) -> None:
    monitor = started()
    stream = b"\x01" + b"\x07" * run + b"\x02"
    outcome = "HEALTHY"
    for begin in range(0, len(stream), chunk):
        try:
            monitor.test(stream[begin : begin + chunk])
        except errors.HealthTestError:
            outcome = monitor.state.name
            break
    # Symbol by symbol the intermittent alarm comes first, and what follows is not tested.
    if chunk < run and state == "FAILED_PERMANENT":
        state = "FAILED_INTERMITTENT"
    assert outcome == state


def test_apt_tiers_and_texts() -> None:
    low, high = apt_cutoff(1.0, 2**-30, 512), apt_cutoff(1.0, 2**-60, 512)
    for count, state in (
        (low - 1, "HEALTHY"),
        (low, "FAILED_INTERMITTENT"),
        (high - 1, "FAILED_INTERMITTENT"),
        (high, "FAILED_PERMANENT"),
    ):
        monitor = HealthMonitor(1.0, 8, profile=HealthProfile(intermittent_alpha=2**-30))
        monitor.start_up(GOOD)
        # A window's first symbol, spread so that no run reaches the RCT's cutoff.
        if state == "HEALTHY":
            monitor.test(spread(count))
        else:
            with pytest.raises(errors.HealthTestError, match="Adaptive Proportion Test"):
                monitor.test(spread(count))
        assert monitor.state.name == state, count


def spread(count: int, window: int = 512) -> bytes:
    """One window with ``count`` zeros, the first symbol among them, in runs as short as they can be."""
    marks = [(index * count) // window for index in range(window)]
    zeros = [index == 0 or marks[index] != marks[index - 1] for index in range(window)]
    missing = count - sum(zeros)
    symbols = [0 if zero else 1 + index % 200 for index, zero in enumerate(zeros)]
    for index in range(window):
        if missing and symbols[index]:
            symbols[index] = 0
            missing -= 1
    assert symbols.count(0) == count
    return bytes(symbols)


def test_intermittent_failures_escalate_and_a_passed_test_forgives() -> None:
    monitor = started()
    bad = b"\x01" + bytes(40)
    for _ in range(2):
        with pytest.raises(errors.HealthTestError, match="intermittent"):
            monitor.test(bad)
        monitor.restart()
        monitor.start_up(GOOD)
    monitor.test(GOOD)
    for expected in ("FAILED_INTERMITTENT", "FAILED_INTERMITTENT", "FAILED_PERMANENT"):
        with pytest.raises(errors.HealthTestError):
            monitor.test(bad)
        assert monitor.state.name == expected
        if expected == "FAILED_INTERMITTENT":
            monitor.restart()
            assert monitor.state.name == "STARTUP"
            monitor.start_up(GOOD)
    assert "3 intermittent failures in a row" in monitor.report().last_alarm


def test_a_permanent_failure_waits_for_an_operator() -> None:
    monitor = started()
    with pytest.raises(errors.HealthTestError, match="permanent failure: Repetition Count Test: run of 100"):
        monitor.test(b"\x01" + bytes(100))
    for name, arguments in (("test", (GOOD,)), ("start_up", (GOOD,)), ("restart", ()), ("on_demand", (GOOD,))):
        with pytest.raises(errors.HealthTestError):
            getattr(monitor, name)(*arguments)
        assert monitor.state.name == "FAILED_PERMANENT"
    monitor.reset()
    monitor.start_up(GOOD)
    monitor.test(GOOD)
    assert monitor.report().rct_alarms == 1


def test_start_up_and_on_demand_alarms() -> None:
    monitor = HealthMonitor(1.0, 8)
    with pytest.raises(errors.HealthTestError, match="intermittent"):
        monitor.start_up(GOOD[:1000] + bytes(40))
    assert monitor.state.name == "FAILED_INTERMITTENT"
    monitor.restart()
    monitor.start_up(GOOD)
    with pytest.raises(errors.HealthTestError, match="permanent"):
        monitor.on_demand(bytes(1024))
    assert monitor.state.name == "FAILED_PERMANENT"


def test_alarms_never_show_a_symbol() -> None:
    monitor = started()
    with pytest.raises(errors.HealthTestError) as caught:
        monitor.test(b"\x01" + b"\xf7" * 100)
    assert "247" not in str(caught.value)
    assert "f7" not in str(caught.value)


def test_an_apt_that_cannot_fail_is_flagged_not_hidden() -> None:
    monitor = HealthMonitor(0.02, 8)
    report = monitor.report()
    assert report.apt_cutoffs == (513, 513)
    assert report.apt_can_fail == (False, False)
    monitor.start_up(bytes(1024))
    middle = HealthMonitor(0.1, 8).report()
    assert middle.apt_can_fail == (True, False)


@pytest.mark.parametrize(
    ("entropy", "bits"), [(0.0, 8), (-1.0, 8), (8.1, 8), (float("nan"), 8), (1.0, 0), (1.0, 9), (1.5, 1)]
)
def test_monitors_refuse_nonsense(entropy: float, bits: int) -> None:
    with pytest.raises(errors.InvalidInputError):
        HealthMonitor(entropy, bits)


@pytest.mark.parametrize(
    "changes",
    [
        {"intermittent_alpha": 0.0},
        {"permanent_alpha": 0.5},
        {"intermittent_alpha": 1.0},
        {"max_intermittent": 0},
    ],
)
def test_profiles_refuse_nonsense(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError):
        HealthProfile(**changes)
