"""The monitor's two tiers against four independent tests, and what its alarms say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esoteric_drbg import errors
from esoteric_drbg.health_tests import (
    AdaptiveProportionTest,
    HealthMonitor,
    HealthProfile,
    RepetitionCountTest,
    apt_cutoff,
    rct_cutoff,
)

GOOD = bytes(range(256)) * 4
#: Cutoffs at H = 1 close enough to reach often: RCT 5 and 9, APT 275 and 287 of 512.
NEAR = HealthProfile(intermittent_alpha=2.0**-4, permanent_alpha=2.0**-8)
ALARM = b"\x01" + bytes(40)


def verdict_of_four_tests(chunks: list[bytes]) -> tuple[int, str]:
    """Return the chunk that raises the alarm and its tier, by one test for each tier with that tier's own cutoff."""
    low = (RepetitionCountTest(rct_cutoff(1, 2**-4)), AdaptiveProportionTest(apt_cutoff(1, 2**-4, 512), 512))
    high = (RepetitionCountTest(rct_cutoff(1, 2**-8)), AdaptiveProportionTest(apt_cutoff(1, 2**-8, 512), 512))
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


def periodic(zeros: int, period: int, length: int) -> bytes:
    """Zeros first in each period, at every other place while the places last."""
    places = [*range(0, period, 2), *range(1, period, 2)][:zeros]
    return bytes(0 if index % period in places else 1 + index % 200 for index in range(length))


patterns = st.lists(st.integers(0, 2), min_size=2, max_size=9).map(bytes)
streams = st.lists(st.tuples(patterns, st.integers(1, 80)).map(lambda part: part[0] * part[1]), max_size=4).map(
    b"".join
)


@given(streams, st.lists(st.integers(0, 2900), max_size=8))
@example(periodic(5, 9, 1024), [100, 512, 700])  # 285 of 512: intermittent
@example(periodic(6, 10, 512), [])  # 308 of 512: permanent in one chunk
@example(periodic(6, 10, 512), list(range(0, 512, 10)))  # intermittent first, what follows is not tested
@example(ALARM[:9], [])  # a run of 8
@example(ALARM[:10], [])  # a run of 9
@settings(max_examples=150, deadline=None)
def test_the_tiers_are_those_of_separate_tests_whatever_the_chunks(stream: bytes, cuts: list[int]) -> None:
    borders = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(borders)]
    assert verdict_of_the_monitor(chunks) == verdict_of_four_tests(chunks)


def test_the_examples_reach_every_verdict() -> None:
    assert [
        verdict_of_four_tests([stream])[1]
        for stream in (ALARM[:5], periodic(5, 9, 1024), periodic(6, 10, 512), ALARM[:9], ALARM[:10])
    ] == ["HEALTHY", "FAILED_INTERMITTENT", "FAILED_PERMANENT", "FAILED_INTERMITTENT", "FAILED_PERMANENT"]


@pytest.mark.parametrize(("entropy", "bits"), [(0.1, 1), (0.5, 1), (1.0, 1), (0.1, 8), (0.64, 8), (1.74, 8), (4.0, 8)])
@pytest.mark.parametrize("tier", [0, 1])
def test_boundary_pairs_of_both_tiers_in_the_monitor(entropy: float, bits: int, tier: int) -> None:
    """C - 1 stays below the tier and C reaches it, for binary and wide symbols, down to cutoffs close to the window."""
    below, reached = (("HEALTHY", "FAILED_INTERMITTENT"), ("FAILED_INTERMITTENT", "FAILED_PERMANENT"))[tier]
    report = HealthMonitor(entropy, bits).report()
    good = b"\x00\x01" * 512 if bits == 1 else GOOD
    for count, expected in ((report.rct_cutoffs[tier] - 1, below), (report.rct_cutoffs[tier], reached)):
        if count > 500:  # longer than a window: the APT would speak first
            continue
        assert state_after(entropy, bits, good, b"\x01\x00" + b"\x01" * count + b"\x00") == expected
    if not report.apt_can_fail[tier] or entropy < 0.5:
        return  # so many equal symbols in a window make a run that the RCT sees: see the tests of continuous.py
    for count, expected in ((report.apt_cutoffs[tier] - 1, below), (report.apt_cutoffs[tier], reached)):
        gap, other = report.apt_window - count, 1
        # `count` zeros and `gap` others, the others dealt out evenly.
        window = bytes(
            other if (index + 1) * gap // report.apt_window > index * gap // report.apt_window else 0
            for index in range(report.apt_window)
        )
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
            "cutoff 31 first reached at sample 1054, permanent cutoff 61 reached"
        )
    )
    monitor.reset()
    monitor.start_up(GOOD)
    with pytest.raises(errors.HealthTestError, match=r"^intermittent failure: .* run of 40, .* at sample 1055$"):
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
    monitor.test(periodic(6, 10, 300) + bytes(29))  # an unfinished window and an unfinished run
    assert monitor.report().max_count > 200
    monitor.on_demand(bytes(2) + GOOD[2:])
    report = monitor.report()
    assert (report.longest_run, report.max_count, report.samples) == (2, 3, 2377)
    with pytest.raises(errors.HealthTestError):
        monitor.test(ALARM)
    monitor.start_up(GOOD)
    report = monitor.report()
    assert (report.longest_run, report.max_count, report.rct_alarms) == (1, 2, 1)
