"""Claim audits: verdicts that follow the figures, health tests on the recording, the profile that seeding uses."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import fakes
import pytest
from click.testing import CliRunner

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance import assess_iid
from esoteric_drbg.conformance.audit import claim_audit as module
from esoteric_drbg.conformance.audit import plan as audit_plan
from esoteric_drbg.conformance.audit.claim_audit import audit_source, false_alarms
from esoteric_drbg.conformance.audit.plan import AuditPlan, measured_rate, select_sources
from esoteric_drbg.conformance.recording.recorder import machine_facts
from esoteric_drbg.noise_sources import Claim, registry
from esoteric_drbg.noise_sources.evidence import measured
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.seeding import machine_profile

SMALL = AuditPlan(samples=20_000, restarts=12)


class Biased(fakes.Fake):
    """Simulated samples: 0 with probability 1/2, otherwise any byte. Min-entropy about 1 bit."""

    info = fakes.simulated("biased", estimated_rate=1e5, bounded=True)

    def __init__(self, claim: Claim, **values: Any) -> None:
        noise = random.Random(1)
        super().__init__(
            lambda n: bytes(noise.randrange(256) if noise.random() < 0.5 else 0 for _ in range(n)),
            claim=claim,
            **values,
        )


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
        (3.0, 6.0, "too high", "the sequential data have"),
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
    assert result.left_out == (
        "only 20,000 of 1,000,000 consecutive samples (3.1.1)",
        "only 12 of 1,000 restarts (3.1.4.1)",
    )
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
    assert [test.alarms for test in tests.values()] == [0] * 10
    rct = tests["RCT", "intermittent"]
    assert (rct.cutoff, rct.chances) == (6, 100_000)
    assert rct.rate_below == pytest.approx(1 - 0.05 ** (1 / 100_000))
    stuck = false_alarms(healthy + bytes(2000), 6.0)
    assert all(test.alarms > 0 for test in stuck if not test.test.startswith("lag span"))
    assert [test.alarms for test in false_alarms(bytes(70_000), 6.0)][4::5] == [3, 3]  # spans
    assert {test.test for test in stuck} >= {f"lag {what} (developer-defined)" for what in ("run", "window", "span")}
    weak = {(test.test, test.tier): test for test in false_alarms(healthy, 0.01)}
    assert not weak["APT", "permanent"].can_fail
    assert weak["APT", "permanent"].alarms == 0


@pytest.mark.parametrize("rate", [1.5e4, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("process_s", [0.05, 0.5])
def test_quick_plans_take_seconds(rate: float, process_s: float) -> None:
    plan = AuditPlan.quick(rate, process_s)
    assert plan.seconds(rate, process_s) < 15
    assert plan.restarts >= 10


def test_plans_say_what_they_leave_out_and_how_long_they_take() -> None:
    assert AuditPlan().left_out == ()
    assert AuditPlan().seconds(1e4, 0.1) == pytest.approx(100 + 1000 * 0.2)
    slow = AuditPlan.quick(10.0)
    assert (slow.samples, slow.restarts) == (10_000, 2)
    assert slow.seconds(10.0) > 1000
    with pytest.raises(errors.InvalidInputError, match="samples=10"):
        AuditPlan(samples=10)


class Kind(Biased):
    """A source that is as available, opt-in, slow or broken as its test needs it."""

    def __init__(
        self, name: str, *, reason: str = "", opt_in: bool = False, pause_s: float = 0.0, fault: Exception | None = None
    ) -> None:
        super().__init__(Claim(min_entropy=0), name=name, opt_in=opt_in)
        self._reason, self._pause_s, self._fault = reason, pause_s, fault

    def availability(self) -> Availability:
        return Availability(not self._reason, self._reason)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        if self._fault is not None:
            raise self._fault
        time.sleep(self._pause_s * n_samples)
        return super().read_raw(n_samples)


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> dict[str, Kind]:
    """Install sources of every kind, and nothing else."""
    monkeypatch.setattr(audit_plan, "restart_seconds", lambda source: 0.1)
    found = [
        Kind("absent", reason="no device"),
        Kind("asked", opt_in=True),
        Kind("broken", fault=RuntimeError("no answer")),
        Kind("fast"),
        Kind("slow", pause_s=0.05),
    ]
    by_name = {source.name: source for source in found}
    monkeypatch.setattr(registry, "installed", lambda **_: list(by_name.values()))
    monkeypatch.setattr(registry, "create", by_name.__getitem__)
    return by_name


@pytest.mark.parametrize("quick", [True, False])
def test_what_is_not_audited_is_named_with_its_reason(kinds: dict[str, Kind], quick: bool) -> None:
    selection = select_sources(kinds.values(), named=False, quick=quick)
    assert [source.name for source, _, _ in selection.chosen] == ["fast"]
    assert sorted(selection.left_out) == ["absent", "asked", "broken", "slow"]
    assert selection.left_out["absent"] == "not available here: no device"
    assert "opt-in" in selection.left_out["asked"]
    assert "RuntimeError" in selection.left_out["broken"]  # its words are not literals of what raised them
    assert "too slow" in selection.left_out["slow"]
    named = select_sources([kinds["asked"], kinds["slow"]], named=True, quick=quick)
    assert [source.name for source, _, _ in named.chosen] == ["asked", "slow"]
    assert named.chosen[1][2] > 400


def test_a_source_that_hangs_is_noticed(kinds: dict[str, Kind]) -> None:
    with pytest.raises(errors.SourceReadError, match="no two symbols within"):
        measured_rate(Kind("hanging", pause_s=30.0), deadline_s=0.2)
    assert 0 < measured_rate(kinds["slow"], deadline_s=60.0) < 21


def test_the_command_names_what_it_left_out(
    kinds: dict[str, Kind], simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AuditPlan, "quick", classmethod(lambda cls, rate, process_s: SMALL))
    monkeypatch.setattr(audit_plan, "QUICK_LIMIT_S", 100.0)
    command = ["audit", "--quick", "--out", str(tmp_path)]
    answer = CliRunner().invoke(cli, [*command, "--json"])
    assert answer.exit_code == 0
    document = json.loads(answer.stdout)
    assert [item["name"] for item in document["audits"]] == ["fast"]
    assert document["audits"][0]["verdict"] == "no evidence"
    assert document["not_audited"]["absent"] == {"verdict": "no evidence", "reason": "not available here: no device"}
    assert document["restart_family"]["results"] == 1
    text = CliRunner().invoke(cli, command).stdout
    assert "slow no evidence: too slow: at " in text
    text = CliRunner().invoke(cli, ["report", str(tmp_path)]).stdout
    assert "| asked | no evidence | opt-in: audited only if it is named |" in text
    # Named, a source that cannot be audited is an error; the others are audited all the same.
    answer = CliRunner().invoke(cli, [*command[:1], "fast", "absent", *command[1:]])
    assert answer.exit_code == 2
    assert "fast no evidence" in answer.stdout
    assert CliRunner().invoke(cli, [*command[:1], "broken", *command[1:]]).exit_code == 2


def test_constant_data_are_no_evidence_and_no_crash(
    kinds: dict[str, Kind], simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AuditPlan, "quick", classmethod(lambda cls, rate, process_s: SMALL))
    monkeypatch.setattr(Kind, "read_raw", lambda self, n_samples, deadline_s=None: bytes(n_samples))
    answer = CliRunner().invoke(cli, ["audit", "--quick", "--out", str(tmp_path), "--json"])
    document = json.loads(answer.stdout)
    names = [item["name"] for item in document["audits"]]
    assert all(item["verdict"] == "no evidence" for item in document["audits"])
    assert {*names, *document["not_audited"]} == set(kinds)


def test_an_interrupted_audit_goes_on_with_what_it_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulated: Any
) -> None:
    original = vars(module)["record_restarts"]

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "record_restarts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        audit_source(simulated(0.4, 4.0), tmp_path, SMALL, threads=1)
    kept = (tmp_path / "biased.bin").read_bytes()
    monkeypatch.setattr(module, "record_restarts", original)
    first = audit_source(simulated(0.4, 4.0), tmp_path, SMALL, threads=1)
    assert (tmp_path / "biased.bin").read_bytes() == kept
    assert first.symbols_per_second > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["biased.bin", "biased.bin.json", "biased.restarts.bin"]
    # The next audit records anew: this source goes on in its sequence.
    source = simulated(0.4, 4.0)
    source.read_raw(500)
    audit_source(source, tmp_path, SMALL, threads=1)
    assert (tmp_path / "biased.bin").read_bytes() != kept


def test_recordings_that_lie_in_the_folder_are_judged(tmp_path: Path, simulated: Any) -> None:
    source = simulated(0.4, 4.0)
    with pytest.raises(errors.InvalidInputError, match="no recording with its sidecar"):
        audit_source(source, tmp_path, reuse=True)
    symbols = source.read_raw(20_000)

    def sidecar(path: Path, **facts: Any) -> None:
        common = {"source": "biased", "symbol_bits": 8, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        machine = {**machine_facts(), "cpu": "another CPU"}
        path.with_name(path.name + ".json").write_text(json.dumps({**common, "machine": machine, **facts}))

    data, matrix = tmp_path / "biased.bin", tmp_path / "biased.restarts.bin"
    data.write_bytes(symbols)
    matrix.write_bytes(symbols[:12_000])
    sidecar(data, samples=20_000, symbols_per_second=50.0)
    sidecar(matrix, restarts=12, samples=1000, jobs=1)
    result = audit_source(source, tmp_path, reuse=True, threads=1)
    assert (result.verdict, result.symbols_per_second, result.restart.rows) == ("holds", 50.0, 12)
    assert result.left_out[1] == "only 12 of 1,000 restarts (3.1.4.1)"
    assert result.machine["cpu"] == "another CPU"
    sidecar(matrix, restarts=24, samples=500, jobs=1)
    with pytest.raises(errors.InvalidInputError, match="restarts of 500 samples"):
        audit_source(source, tmp_path, reuse=True)
    for change, match in (
        ({"source": "other"}, "a recording of other"),
        ({"sha256": "0"}, "SHA-256"),
        ({"machine": {"kernels": "none"}}, "recorded with the none kernels"),
    ):
        sidecar(data, samples=20_000, **change)
        with pytest.raises(errors.InvalidInputError, match=match):
            audit_source(source, tmp_path, reuse=True)
    sidecar(data, samples=20_000)
    for whose, facts, match in (
        (matrix, {"samples": 1000}, r"restarts\.bin: .* has no field restarts"),
        (matrix, {"samples": "many"}, r"restarts\.bin\.json: not the sidecar of a recording: samples: Expected `int`"),
        (data, {}, r"biased\.bin\.json: not the sidecar of a recording: .*`samples`"),
    ):
        sidecar(whose, **facts)
        with pytest.raises(errors.InvalidInputError, match=match):
            audit_source(source, tmp_path, reuse=True)
        sidecar(data, samples=20_000)


def test_an_iid_claim_has_to_pass_the_iid_tests(
    simulated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "assess_iid", functools.partial(assess_iid, permutations=100, seed=1))
    claim = Claim(min_entropy=0.4, evidence=measured(4.0), iid=True)
    assert audit_source(Biased(claim), tmp_path / "a", SMALL, threads=1).iid is not None

    class Rising(Biased):
        def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
            return bytes(sorted(super().read_raw(n_samples)))

    result = audit_source(Rising(claim), tmp_path / "b", SMALL, threads=1)
    assert result.verdict == "too high"
    assert "the data are not IID, as was claimed" in result.reasons


@pytest.mark.slow_reference
def test_a_real_source_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(tmp_path / "machine.json"))
    monkeypatch.setattr(AuditPlan, "quick", classmethod(lambda cls, rate, process_s: SMALL))
    command = ["audit", "memory_timing", "--quick", "--out", str(tmp_path / "audit"), "--save"]
    answer = CliRunner().invoke(cli, [*command, "--json"])
    document = json.loads(answer.stdout)
    result = document["audits"][0]
    assert (answer.exit_code == 1) == (result["verdict"] == "too high")
    assert result["restart"]["rows"] == 12
    assert machine_profile.load() == {"memory_timing": result["h_assessed"]}
    answer = CliRunner().invoke(cli, command)
    assert "memory_timing" in answer.stdout
    assert "left out: only 20,000 of 1,000,000" in answer.stdout
    answer = CliRunner().invoke(cli, [*(word for word in command if word != "--quick"), "--reuse", "--json"])
    assert json.loads(answer.stdout)["audits"][0]["sequential"]["sha256"] != result["sequential"]["sha256"]
    assert json.loads(answer.stdout)["audits"][0]["restart"]["rows"] == 12
    assert CliRunner().invoke(cli, [*command, "--reuse"]).exit_code == 2
    answer = CliRunner().invoke(cli, ["audit", "no_such_source"])
    assert isinstance(answer.exception, errors.InvalidInputError)
    assert CliRunner().invoke(cli, ["audit", "--help"]).exit_code == 0


def test_seeding_credits_no_more_than_was_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.json"
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(path))
    shipped = {slot["name"]: slot["claim"] for slot in EntropyPool.auto(plugins=False).health_report()["sources"]}
    machine_profile.save({"memory_timing": {"h_assessed": 0.05}, "cpu_jitter": {"h_assessed": 7.0}})
    machine_profile.save({"sleep_jitter": {"h_assessed": 0}})
    lowered = {slot["name"]: slot["claim"] for slot in EntropyPool.auto(plugins=False).health_report()["sources"]}
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
        '{"format": 3, "sources": {}}',
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
