"""Alarms are data: what an error, a report and a slot carry; nothing reads the words."""

from __future__ import annotations

import ast
import pickle
import random
from pathlib import Path

import pytest
from places import ROOT

from esoteric_drbg import errors
from esoteric_drbg.health_tests import Alarm, Finding, HealthMonitor, HealthProfile
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, SourceInfo
from esoteric_drbg.seeding.slot import SourceSlot

#: Each value four times in 1,024 samples, and no two neighbours equal.
GOOD = b"".join(bytes(random.Random(seed).sample(range(256), 256)) for seed in range(4))
ALARM = b"\x01" + bytes(40)
PACKAGES = ("drbg", "noise_sources", "health_tests", "kernels", "conformance", "cli")


def test_an_alarm_is_data_and_its_words_follow_from_it() -> None:
    monitor = HealthMonitor(1.0, 8, source="coin")
    monitor.start_up(GOOD)
    with pytest.raises(errors.HealthTestError) as caught:
        monitor.test(b"\x05" * 31 + GOOD + b"\x06" * 100)
    error, report = caught.value, monitor.report()
    told = (error.source, error.test, error.tier, error.sample_index, error.cutoff)
    assert told == ("coin", "RCT", "permanent", 1054, 31)
    rct = Finding(test="RCT", tier="permanent", cutoff=31, permanent_cutoff=61, sample_index=1054, reached=100)
    lag = rct.replace(test="lag", cutoff=37, permanent_cutoff=67, sample_index=2116, reached=99, predictor="lag 1")
    assert error.alarm == report.alarm == Alarm(source="coin", tier="permanent", findings=(rct, lag))
    assert str(error) == report.last_alarm
    assert str(error) == report.alarm.text
    again = pickle.loads(pickle.dumps(error))  # errors of other processes arrive whole
    assert (str(again), vars(again)) == (str(error), vars(error))
    with pytest.raises(errors.HealthTestError, match="an operator must reset the source") as refused:
        monitor.start_up(GOOD)
    assert refused.value.alarm is report.alarm


def test_alarms_in_a_row_and_windows_are_data_too() -> None:
    monitor = HealthMonitor(1.0, 8)
    tiers = []
    for _ in range(3):
        monitor.start_up(GOOD)
        with pytest.raises(errors.HealthTestError) as caught:
            monitor.test(ALARM)
        tiers.append((caught.value.tier, caught.value.alarm.in_a_row, caught.value.alarm.first.tier))
    assert tiers == [("intermittent", 0, "intermittent")] * 2 + [("permanent", 3, "intermittent")]
    monitor = HealthMonitor(1.0, 8)
    monitor.start_up(GOOD)
    rng = random.Random(1)
    places = {*range(0, 512, 2), *rng.sample(range(1, 512, 2), 84)}  # 340 zeros of 512, no run of 31
    with pytest.raises(errors.HealthTestError) as caught:
        monitor.test(bytes(0 if index in places else 1 + rng.randrange(255) for index in range(512)))
    found = caught.value.alarm.findings[0]
    assert (found.test, found.tier, found.cutoff, found.window, found.reached) == ("APT", "intermittent", 325, 512, 340)


def test_a_source_that_is_not_healthy_carries_no_alarm() -> None:
    with pytest.raises(errors.HealthTestError) as caught:
        HealthMonitor(1.0, 8, source="coin").test(GOOD)
    error = caught.value
    told = (error.source, error.alarm, error.test, error.tier, error.sample_index, error.cutoff)
    assert told == ("coin", None, "", "", None, None)


class Switched(NoiseSource):
    """Symbols without a run, or one symbol for ever."""

    info = SourceInfo(
        name="switched",
        description="Symbols a test made",
        category="system",
        physics="none",
        independence_group="test",
        estimated_rate=1e6,
        claim=Claim.by_operator(1.0, certificate="by construction"),
        bounded=True,
    )
    stuck = True

    def availability(self) -> Availability:
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        return bytes(n_samples) if self.stuck else (GOOD * (n_samples // len(GOOD) + 1))[:n_samples]


def test_a_slot_keeps_the_alarm_of_the_symbols_it_tested_last() -> None:
    source = Switched()
    slot = SourceSlot(source, source.claim, health_profile=HealthProfile(), deadline_s=2.0)
    assert not slot.start()
    alarm = slot.alarm
    assert alarm is not None
    assert (alarm.source, alarm.first.test, alarm.text) == ("switched", "RCT", slot.fault)
    slot.reset()
    alarms = [slot.alarm]
    source.stuck = False
    assert slot.start()
    assert [*alarms, slot.alarm] == [None, None]


#: Attributes that hold words for people.
WORDS = {"fault", "last_alarm", "reason", "words"}
READING = {"startswith", "endswith", "partition", "rpartition", "split", "find", "index", "removeprefix"}


def says(node: ast.AST) -> bool:
    """Whether an expression is the text of an error, or a text for people."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and node.args:
        named = node.args[0]
        return isinstance(named, ast.Name) and named.id in {"error", "exc", "failure"}
    return (isinstance(node, ast.Attribute) and node.attr in WORDS) or (isinstance(node, ast.Name) and node.id in WORDS)


def readings(tree: ast.AST) -> list[int]:
    """Lines in which such a text is taken apart or searched."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if (node.func.attr in READING and says(node.func.value)) or (of_re and any(map(says, node.args))):
                found.append(node.lineno)
        elif isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            found += [node.lineno for side in node.comparators if says(side)]
    return found


#: msgspec says which field is wrong in its words alone.
ALLOWED = {"conformance/document_files.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_reads_the_words_of_an_error(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := readings(ast.parse(Path(path).read_text())))
    }
    assert set(found) <= ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "re.findall('x', report.last_alarm)",
        "str(error).startswith('x')",
        "'busy' in str(error)",
        "reason.partition(':')[0]",
        "re.search('x', str(error))",
    ],
)
def test_the_search_for_readers_of_words_finds_them(line: str) -> None:
    assert readings(ast.parse(line)) == [1]
