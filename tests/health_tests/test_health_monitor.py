"""The monitor's two tiers against six independent tests, and what its alarms say."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esoteric_drbg import errors
from esoteric_drbg.health_tests import (
    AdaptiveProportionTest,
    HealthMonitor,
    HealthProfile,
    LagPredictorTest,
    RepetitionCountTest,
    apt_cutoff,
    rct_cutoff,
)

#: Each value four times in 1,024 samples, and no two neighbours equal.
GOOD = b"".join(bytes(random.Random(seed).sample(range(256), 256)) for seed in range(4))
#: Cutoffs at H = 1 close enough to reach often: RCT 5 and 9, APT 275 and 287 of 512, 11 and 15 right in a row.
NEAR = HealthProfile(intermittent_alpha=2.0**-4, permanent_alpha=2.0**-8)
ALARM = b"\x01" + bytes(40)


def verdict_of_six_tests(chunks: list[bytes]) -> tuple[int, str]:
    """Return the chunk that raises the alarm and its tier, by one test for each tier with that tier's own cutoff."""
    low, high = (
        (
            RepetitionCountTest(rct_cutoff(1, alpha)),
            AdaptiveProportionTest(apt_cutoff(1, alpha, 512), 512),
            LagPredictorTest.from_claim(1, alpha),
        )
        for alpha in (2**-4, 2**-8)
    )
    for test in (*low, *high):
        assert test.push(GOOD) == 0
    for index, chunk in enumerate(chunks):
        intermittent = [test.push(chunk) for test in low]
        permanent = [test.push(chunk) for test in high]
        if any(intermittent):
            return index, "FAILED_PERMANENT" if any(permanent) else "FAILED_INTERMITTENT"
        assert not any(permanent)
    return len(chunks), "HEALTHY"


def verdict_of_the_monitor(chunks: list[bytes]) -> tuple[int, str]:
    monitor = HealthMonitor(1.0, 8, profile=NEAR)
    monitor.start_up(GOOD)
    for index, chunk in enumerate(chunks):
        try:
            monitor.test(chunk)
        except errors.HealthTestError:
            return index, monitor.state.name
    return len(chunks), monitor.state.name


def crowded(zeros: int, length: int = 512) -> bytes:
    """Zeros first and at every other place, the rest of them scattered: no run, no period, but many of them."""
    rng = random.Random(zeros)
    places = {*range(0, length, 2), *rng.sample(range(1, length, 2), zeros - length // 2)}
    return bytes(0 if index in places else 1 + rng.randrange(255) for index in range(length))


def entrained(right: int, length: int = 512) -> bytes:
    """Noise in which so many samples are those of 7 before; no value is frequent."""
    rng = random.Random(right)
    chosen = set(rng.sample(range(length), right))
    symbols = list(rng.randbytes(7))
    for index in range(length):
        symbols.append(symbols[-7] if index in chosen else rng.randrange(256))
    return bytes(symbols[7:])


patterns = st.lists(st.integers(0, 2), min_size=2, max_size=9).map(bytes)
streams = st.lists(st.tuples(patterns, st.integers(1, 80)).map(lambda part: part[0] * part[1]), max_size=4).map(
    b"".join
)


@given(streams, st.lists(st.integers(0, 2900), max_size=8))
@example(crowded(285), [100, 512, 700])  # 285 of 512: intermittent
@example(crowded(308), [])  # 308 of 512: permanent in one chunk
@example(crowded(308), list(range(0, 512, 10)))  # intermittent first, what follows is not tested
@example(b"\x00\x01" * 6 + GOOD, [])  # period 2: 10 right in a row
@example(b"\x00\x01" * 7 + GOOD, [])  # 12: intermittent
@example(b"\x00\x01" * 20 + GOOD, [])  # 38: permanent
@example(entrained(350), [100, 300])  # a lag, in a window
@example(ALARM[:9], [])  # a run of 8
@example(ALARM[:10], [])  # a run of 9
@settings(max_examples=150, deadline=None)
def test_the_tiers_are_those_of_separate_tests_whatever_the_chunks(stream: bytes, cuts: list[int]) -> None:
    borders = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(borders)]
    assert verdict_of_the_monitor(chunks) == verdict_of_six_tests(chunks)


def test_the_examples_reach_every_verdict() -> None:
    assert [
        verdict_of_six_tests([stream])[1]
        for stream in (
            *(ALARM[:5], crowded(285), crowded(308), ALARM[:9], ALARM[:10]),
            *(b"\x00\x01" * 6 + GOOD, b"\x00\x01" * 7 + GOOD, b"\x00\x01" * 20 + GOOD),
        )
    ] == [
        *("HEALTHY", "FAILED_INTERMITTENT", "FAILED_PERMANENT", "FAILED_INTERMITTENT", "FAILED_PERMANENT"),
        *("HEALTHY", "FAILED_INTERMITTENT", "FAILED_PERMANENT"),
    ]


@pytest.mark.parametrize(("entropy", "bits"), [(0.1, 1), (0.5, 1), (1.0, 1), (0.1, 8), (0.64, 8), (1.74, 8), (4.0, 8)])
@pytest.mark.parametrize("tier", [0, 1])
def test_boundary_pairs_of_both_tiers_in_the_monitor(entropy: float, bits: int, tier: int) -> None:
    """C - 1 stays below the tier and C reaches it, for binary and wide symbols, down to cutoffs close to the window."""
    below, reached = (("HEALTHY", "FAILED_INTERMITTENT"), ("FAILED_INTERMITTENT", "FAILED_PERMANENT"))[tier]
    report = HealthMonitor(entropy, bits).report()
    good = bytes(random.Random(1).choices((0, 1), k=1024)) if bits == 1 else GOOD
    for count, expected in ((report.rct_cutoffs[tier] - 1, below), (report.rct_cutoffs[tier], reached)):
        if count > 500:  # longer than a window: the APT would speak first
            continue
        assert state_after(entropy, bits, good, b"\x01\x00" + b"\x01" * count + b"\x00") == expected
    if not report.apt_can_fail[tier] or entropy < 0.5:
        return  # so many equal symbols in a window make a run that the RCT sees: see the tests of continuous.py
    for count, expected in ((report.apt_cutoffs[tier] - 1, below), (report.apt_cutoffs[tier], reached)):
        rng = random.Random(count)
        others = [1 + rng.randrange((1 << bits) - 1) for _ in range(report.apt_window - count)]
        window = bytes([0, *rng.sample([0] * (count - 1) + others, report.apt_window - 1)])
        assert window[0] == 0
        assert window.count(0) == count
        assert state_after(entropy, bits, good, window) == expected


def state_after(entropy: float, bits: int, good: bytes, stream: bytes) -> str:
    monitor = HealthMonitor(entropy, bits)
    monitor.start_up(good)
    try:
        monitor.test(stream)
    except errors.HealthTestError:
        assert monitor.state.name != "HEALTHY"
    return monitor.state.name


def test_an_alarm_names_test_tier_cutoff_and_the_sample_where_that_cutoff_was_reached() -> None:
    monitor = HealthMonitor(1.0, 8)
    monitor.start_up(GOOD)
    # A run at the intermittent cutoff, then one far above the permanent one: the index is that of the first.
    with pytest.raises(errors.HealthTestError) as caught:
        monitor.test(b"\x05" * 31 + GOOD + b"\x06" * 100)
    assert (
        str(caught.value)
        == monitor.report().last_alarm
        == (
            "permanent failure: Repetition Count Test: run of 100, "
            "cutoff 31 first reached at sample 1054, permanent cutoff 61 reached; "
            "Lag Predictor Test (developer-defined): 99 right in a row, "
            "cutoff 37 first reached by lag 1 at sample 2116, permanent cutoff 67 reached"
        )
    )
    monitor.reset()
    monitor.start_up(GOOD)
    with pytest.raises(errors.HealthTestError, match=r"^intermittent failure: .* run of 40, .* at sample 1055; Lag"):
        monitor.test(ALARM)


def test_testing_nothing_forgives_nothing() -> None:
    monitor = HealthMonitor(1.0, 8)
    for expected in ("FAILED_INTERMITTENT", "FAILED_INTERMITTENT", "FAILED_PERMANENT"):
        monitor.start_up(GOOD)
        monitor.test(b"")
        with pytest.raises(errors.HealthTestError):
            monitor.test(ALARM)
        assert monitor.state.name == expected


def test_a_refused_buffer_leaves_no_source_healthy_that_was_not() -> None:
    monitor = HealthMonitor(1.0, 8)
    bad: Any = "x" * 1024
    with pytest.raises(errors.InvalidInputError):
        monitor.start_up(bad)
    assert monitor.state.name == "STARTUP"
    monitor.start_up(GOOD)
    with pytest.raises(errors.InvalidInputError):
        monitor.test(bad)
    monitor.test(GOOD)


@pytest.mark.parametrize("arguments", [("x", 8), (None, 8), (1.0, "8"), (1.0, 2.5), (float("inf"), 8), (1e-20, 8)])
def test_monitors_refuse_what_is_no_number_or_needs_an_impossible_cutoff(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(errors.InvalidInputError):
        HealthMonitor(*arguments)


def test_start_up_and_on_demand_tests_begin_on_a_fresh_state() -> None:
    monitor = HealthMonitor(1.0, 8)
    monitor.start_up(GOOD)
    monitor.test(crowded(200, 300) + bytes(29))  # an unfinished window and unfinished runs
    assert monitor.report().max_count > 200
    assert monitor.report().lag_highest[0] >= 28
    monitor.on_demand(bytes(2) + GOOD[2:])
    report = monitor.report()
    assert (report.longest_run, report.max_count, report.samples) == (2, 4, 2377)
    assert report.lag_highest[0] < 5
    with pytest.raises(errors.HealthTestError):
        monitor.test(ALARM)
    monitor.start_up(GOOD)
    report = monitor.report()
    assert (report.longest_run, report.max_count, report.rct_alarms, report.lag_alarms) == (1, 2, 1, 1)


@pytest.mark.parametrize(
    ("right", "state"),
    [(36, "HEALTHY"), (37, "FAILED_INTERMITTENT"), (66, "FAILED_INTERMITTENT"), (67, "FAILED_PERMANENT")],
)
@pytest.mark.parametrize("period", [2, 3, 16, 64])
def test_boundary_pairs_of_the_lag_predictor_in_the_monitor(right: int, state: str, period: int) -> None:
    """Start-up, continuous and on-demand tests run it, at the cutoffs of both tiers."""
    block = random.Random(period).sample(range(256), period)
    stream = bytes(block[index % period] for index in range(period + right)) + GOOD
    for when in ("start_up", "test", "on_demand"):
        monitor = HealthMonitor(1.0, 8)
        assert (monitor.report().lag_cutoffs[0].run, monitor.report().lag_cutoffs[1].run) == (37, 67)
        if when != "start_up":
            monitor.start_up(GOOD)
        if state == "HEALTHY":
            getattr(monitor, when)(stream)
        else:
            with pytest.raises(errors.HealthTestError) as caught:
                getattr(monitor, when)(stream)
            at = period + 36 + (1024 if when == "test" else 0)
            tier = "permanent" if state == "FAILED_PERMANENT" else "intermittent"
            assert str(caught.value).startswith(
                f"{tier} failure: Lag Predictor Test (developer-defined): {right} right in a row, "
                f"cutoff 37 first reached by lag {period} at sample {at}"
            )
            assert (monitor.report().lag_alarms, monitor.report().rct_alarms, monitor.report().apt_alarms) == (1, 0, 0)
        assert monitor.state.name == state


def test_windows_and_spans_of_the_lag_predictor_alarm_too() -> None:
    """332 and 360 of 512 are the cutoffs at H = 1; 16,987 of 32,768 those of a span."""
    for right, state in ((340, "FAILED_INTERMITTENT"), (400, "FAILED_PERMANENT")):
        monitor = HealthMonitor(1.0, 8)
        monitor.start_up(GOOD)
        with pytest.raises(
            errors.HealthTestError, match=r"\(developer-defined\): \d+ right of 512, cutoff 332 .* lag 7 "
        ):
            monitor.test(entrained(right))
        assert monitor.state.name == state
    monitor = HealthMonitor(1.0, 8)
    monitor.start_up(GOOD)
    for index in range(60):
        monitor.test(entrained(283 + index % 3))  # 55 %: no window alarms
    text = "right of 32768, cutoff 16987 first reached by lag 7 at sample 32255"  # the last sample of the 63rd window
    with pytest.raises(errors.HealthTestError, match=text):
        monitor.test(entrained(283))
    assert monitor.state.name == "FAILED_INTERMITTENT"
    assert monitor.report().lag_highest[1] < 332


def test_what_the_lag_predictor_can_never_see_is_said() -> None:
    report = HealthMonitor(0.02, 8).report()
    assert report.lag_can_fail == ((True, False, True), (True, False, True))
    assert HealthMonitor(0.1, 8).report().lag_can_fail == ((True, True, True), (True, False, True))
