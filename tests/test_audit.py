"""Claim audits: verdicts that follow the figures, health tests on the recording, the profile that seeding uses."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from esoteric_drbg import EntropyPool, errors, machine_profile
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance import audit as module
from esoteric_drbg.conformance.audit import AuditPlan, audit_source, false_alarms
from esoteric_drbg.noise_sources import Claim, NoiseSource, registry
from esoteric_drbg.noise_sources.evidence import measured
from esoteric_drbg.noise_sources.source import Availability

SMALL = AuditPlan(samples=20_000, restarts=12)


class Biased(NoiseSource):
    """Simulated symbols: 0 with probability 1/2, otherwise any byte. Min-entropy about 1 bit."""

    name = "biased"
    description = "simulated"
    category = "system"
    physics = "simulated"
    independence_group = "simulated"
    estimated_rate = 1e5
    bounded: ClassVar[bool] = True

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._random = random.Random(1)

    def availability(self) -> Availability:
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        return bytes(self._random.randrange(256) if self._random.random() < 0.5 else 0 for _ in range(n_samples))


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let restarts of the simulated source come from it, not from a process that does not know it."""

    def record_restarts(name: str, path: Path, *, restarts: int, samples: int, jobs: int, progress: Any) -> None:
        source = Biased(Claim(min_entropy=0))
        path.write_bytes(source.read_raw(restarts * samples))
        progress(restarts, restarts)

    monkeypatch.setattr(module, "record_restarts", record_restarts)
    return lambda min_entropy, assessed: Biased(
        Claim(min_entropy=min_entropy, evidence=measured(assessed) if assessed else None)
    )


@pytest.mark.parametrize(
    ("claimed", "assessed", "verdict", "reason"),
    [
        (0.4, 4.0, "holds", "every figure is at or above the claim"),
        (3.0, 4.0, "too high", "the sequential data have"),
        (0.0, 0.0, "no evidence", "nothing is credited"),
        (3.0, 0.0, "no evidence", "nothing is credited"),
    ],
)
def test_verdicts(simulated: Any, tmp_path: Path, claimed: float, assessed: float, verdict: str, reason: str) -> None:
    steps: list[tuple[int, int, str]] = []
    result = audit_source(
        simulated(claimed, assessed), tmp_path, SMALL, threads=1, progress=lambda *step: steps.append(step)
    )
    assert result.verdict == verdict
    assert reason in result.reasons[0]
    assert 0.4 < result.h_assessed < 1.1
    assert result.h_initial == min([result.sequential.h_assessed, *([claimed] if claimed else [])])
    assert result.left_out == ("20,000 of 1,000,000 consecutive samples (3.1.1)", "12 of 1,000 restarts (3.1.4.1)")
    assert result.credited_bits_per_second == result.symbols_per_second * result.credit
    assert steps[-1][0] == steps[-1][1]
    json.dumps(result.as_dict(), allow_nan=False)


def test_a_source_that_repeats_after_a_restart_fails(
    simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same_every_time(name: str, path: Path, *, restarts: int, samples: int, **_: Any) -> None:
        path.write_bytes(Biased(Claim(min_entropy=0)).read_raw(samples) * restarts)

    monkeypatch.setattr(module, "record_restarts", same_every_time)
    result = audit_source(simulated(0.4, 4.0), tmp_path, AuditPlan(samples=20_000, restarts=100), threads=1)
    assert result.verdict == "too high"
    assert "the restart sanity check failed: column" in result.reasons[0]
    assert result.h_assessed == 0


def test_false_alarms_count_what_fires() -> None:
    healthy = random.Random(2).randbytes(100_000)
    tests = {(test.test, test.tier): test for test in false_alarms(healthy, 6.0)}
    assert [test.alarms for test in tests.values()] == [0] * 4
    rct = tests["RCT", "intermittent"]
    assert (rct.cutoff, rct.chances) == (6, 100_000)
    assert rct.rate_below == pytest.approx(1 - 0.05 ** (1 / 100_000))
    stuck = false_alarms(healthy + bytes(2000), 6.0)
    assert all(test.alarms > 0 for test in stuck)
    weak = {(test.test, test.tier): test for test in false_alarms(healthy, 0.01)}
    assert not weak["APT", "permanent"].can_fail
    assert weak["APT", "permanent"].alarms == 0


def test_quick_plans_take_seconds() -> None:
    for source in registry.installed(plugins=False):
        plan = AuditPlan.quick(source)
        seconds = plan.samples / source.estimated_rate + plan.restarts * (0.1 + 1000 / source.estimated_rate)
        assert seconds < 15
    with pytest.raises(errors.InvalidInputError, match="samples=10"):
        AuditPlan(samples=10)


def test_a_real_source_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(tmp_path / "machine.json"))
    monkeypatch.setattr(AuditPlan, "quick", classmethod(lambda cls, source: SMALL))
    command = ["audit", "memory_timing", "--quick", "--out", str(tmp_path / "audit"), "--save"]
    answer = CliRunner().invoke(cli, [*command, "--json"])
    document = json.loads(answer.stdout)
    result = document["audits"][0]
    assert (answer.exit_code == 1) == (result["verdict"] == "too high")
    assert result["restart"]["rows"] == 12
    assert machine_profile.load() == {"memory_timing": result["h_assessed"]}
    answer = CliRunner().invoke(cli, command)
    assert "memory_timing" in answer.stdout
    assert "quick: 20,000 of 1,000,000" in answer.stdout
    answer = CliRunner().invoke(cli, ["audit", "no_such_source"])
    assert isinstance(answer.exception, errors.InvalidInputError)
    assert CliRunner().invoke(cli, ["audit", "--help"]).exit_code == 0


def test_seeding_credits_no_more_than_was_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.json"
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(path))
    shipped = {slot["name"]: slot["credit"] for slot in EntropyPool.auto(plugins=False).health_report()["sources"]}
    machine_profile.save({"memory_timing": {"h_assessed": 0.05}, "cpu_jitter": {"h_assessed": 7.0}})
    machine_profile.save({"sleep_jitter": {"h_assessed": 0}})
    lowered = {slot["name"]: slot["credit"] for slot in EntropyPool.auto(plugins=False).health_report()["sources"]}
    assert lowered["memory_timing"] == 0.05
    assert lowered["cpu_jitter"] == shipped["cpu_jitter"] > 0
    assert lowered["sleep_jitter"] == 0
    assert sorted(item.name for item in tmp_path.iterdir()) == ["machine.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "sources": {}}',
        '{"format": 1, "sources": {"x": {}}}',
        '{"format": 1, "sources": 1}',
    ]
    + [
        f'{{"format": 1, "sources": {{"x": {{"h_assessed": {value}}}}}}}'
        for value in ("-1", "NaN", '"a"', "null", "99")
    ],
)
def test_a_broken_profile_stops_seeding(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(path))
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        EntropyPool.auto(plugins=False)
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        machine_profile.save({})
    assert path.read_text() == text


def test_where_the_profile_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESOTERIC_DRBG_MACHINE_PROFILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert machine_profile.default_path() == tmp_path / "esoteric_drbg" / "machine.json"
    assert machine_profile.load() == {}
    path = machine_profile.save({"x": {"h_assessed": 1}})
    assert path == machine_profile.default_path()
    assert machine_profile.load() == {"x": 1.0}
