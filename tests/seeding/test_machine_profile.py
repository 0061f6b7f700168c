"""The machine profile: self-assessments that hold for one machine, who may have written them, and who makes them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fakes
import pytest
from click.testing import CliRunner

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.cli.audit import self_assess as cli_self_assess
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.audit import self_assessment
from esoteric_drbg.conformance.audit.self_assessment import self_assess
from esoteric_drbg.noise_sources import Claim, Evidence, NoiseSource, registry
from esoteric_drbg.noise_sources import machine as machine_module
from esoteric_drbg.noise_sources.evidence import measured
from esoteric_drbg.noise_sources.machine import machine_facts, machine_identity
from esoteric_drbg.seeding import credit, gate, machine_profile
from esoteric_drbg.seeding.ledger import Credit

ANOTHER = Evidence(
    dataset="d", date="2026-01-01", machine_class="another", assessed=8.0, method="x", architecture="another"
)


class Fake(fakes.Fake):
    """A source whose samples a generator makes. Never entropy."""

    info = fakes.simulated("fake", bounded=True, claim=Claim(min_entropy=2.0, evidence=ANOTHER))

    def __init__(self, make: Callable[[int], bytes] | None = None, *, claim: Claim | None = None) -> None:
        super().__init__(make, claim=claim or self.info.claim)
        self.touches = 3

    def parameters(self) -> dict[str, str | int]:
        return {"touches": self.touches}


def never(n: int) -> bytes:
    raise AssertionError("nothing is read where a self-assessment holds")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "machine.json"
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(place))
    monkeypatch.setattr(gate, "_GATES", {})
    return place


def record(h_lowest: float, **changed: Any) -> dict[str, Any]:
    machine = {**credit.description_of_machine(), **changed.pop("machine", {})}
    return {
        "h_lowest": h_lowest,
        "parameters": {"touches": 3},
        "machine": machine,
        "package": machine_profile_version(),
        "date": "2026-11-28",
        **changed,
    }


def machine_profile_version() -> str:
    from esoteric_drbg.version import __version__

    return __version__


def decided(source: NoiseSource | None = None) -> Credit:
    source = source or Fake(never)
    return credit.decide(source, source.claim, source.read_raw)


def test_half_of_a_stored_self_assessment_is_credited_and_never_more_than_the_claim(path: Path) -> None:
    machine_profile.save_self_assessments({"fake": record(1.5)})
    assert decided() == Credit(0.75, "self-assessed", "1.5 bits were found on 2026-11-28")
    assert credit.self_assessed("fake") == 0.75
    assert credit.self_assessed("other") is None
    machine_profile.save_self_assessments({"fake": record(7.9)})
    assert decided().bits == 2.0
    assert len(json.loads(path.read_text())["self_assessed"]["fake"]) == 1  # in place of the older one
    machine_profile.save_self_assessments({"fake": record(0.1)})
    assert decided().bits == 0
    assert "0.05 bits per sample cannot be guarded" in decided().reason


def test_a_self_assessment_lowers_what_evidence_that_fits_would_give() -> None:
    source = Fake(never)
    source.claim = Claim(min_entropy=2.0, evidence=measured(8.0))
    assert decided(source) == Credit(2.0, "recorded", "")
    machine_profile.save_self_assessments({"fake": record(3.0)})
    assert decided(source)[:2] == (1.5, "self-assessed")


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": {"cpu": "another CPU"}},
        {"machine": {"kernel": "5.4.0"}},
        {"machine": {"hypervisor": "another"}},
        {"machine": {"clock_source": "hpet"}},
        {"machine": {"kernels": "other"}},
        {"machine": {"architecture": "aarch64"}},
        {"machine": {"counter_step_ns": 1e6}},
        {"machine": {"counter_step_ns": None}},
        {"package": "0"},
        {"parameters": {"touches": 4}},
        {"parameters": {}},
    ],
    ids=str,
)
def test_on_another_machine_it_does_not_hold_and_the_gate_says_so(changed: dict[str, Any]) -> None:
    machine_profile.save_self_assessments({"fake": record(4.0, **changed)})
    source = Fake()
    found = decided(source)
    assert found.basis == "gate"
    assert "the self-assessment in " in found.reason
    assert " does not hold: " in found.reason
    if "parameters" not in changed:
        assert credit.self_assessed("fake") is None
    source.claim = Claim(min_entropy=2.0, evidence=measured(8.0))
    found = decided(source)
    assert found.basis == "recorded"
    assert " does not hold: " in found.reason


def test_a_slower_counter_takes_a_self_assessment_away(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_profile.save_self_assessments({"fake": record(4.0)})
    slower = machine_facts().replace(counter_read_ns=5000.0)
    monkeypatch.setattr(credit, "machine_facts", lambda: slower)
    assert decided(Fake()).basis == "gate"


def test_assessments_of_several_machines_lie_side_by_side(path: Path) -> None:
    machine_profile.save_self_assessments({"fake": record(1.5)})
    machine_profile.save_self_assessments({"fake": record(6.0, machine={"cpu": "of another image"})})
    machine_profile.save({"memory_timing": {"h_assessed": 0.2}})
    assert decided().bits == 0.75
    document = json.loads(path.read_text())
    assert document["format"] == 2
    assert len(document["self_assessed"]["fake"]) == 2
    assert machine_profile.load() == {"memory_timing": 0.2}


def test_more_work_a_symbol_is_kept_and_used() -> None:
    class Adaptable(Fake):
        adaptable: ClassVar[bool] = True
        times = 1

        def repeat(self, times: int) -> None:
            self.times = times

    machine_profile.save_self_assessments({"fake": record(1.0, parameters={"touches": 12})})
    source = Adaptable(never)
    assert decided(source).times == source.times == 4


def test_the_system_has_a_profile_too_and_the_lower_figure_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESOTERIC_DRBG_MACHINE_PROFILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    system = tmp_path / "etc" / "machine.json"
    monkeypatch.setattr(machine_profile, "SYSTEM_PATH", str(system))
    machine_profile.save_self_assessments({"fake": record(1.5)}, system)
    machine_profile.save({"x": {"h_assessed": 1.0}}, system)
    assert decided().bits == 0.75
    machine_profile.save_self_assessments({"fake": record(1.0)})
    machine_profile.save({"x": {"h_assessed": 2.0}})
    assert decided().bits == 0.5
    assert machine_profile.load() == {"x": 1.0}
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(tmp_path / "no such file"))
    assert decided(Fake()).basis == "gate"  # a named profile is the only one


posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes are those of Unix")


@posix
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_profile_that_others_may_write_is_an_error(mode: int, path: Path) -> None:
    machine_profile.save_self_assessments({"fake": record(4.0)})
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(mode)
    for use in (machine_profile.load, machine_profile.self_assessments, EntropyPool.for_tokens, decided):
        with pytest.raises(errors.InvalidInputError, match="others than its owner may write it: chmod go-w"):
            use()
    path.chmod(0o600)
    assert decided().basis == "self-assessed"


@posix
def test_a_profile_of_another_user_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine_profile.save_self_assessments({"fake": record(4.0)})
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        machine_profile.load()  # root's is trusted
        os.chown(path, 4711, -1)
    with pytest.raises(errors.InvalidInputError, match=r"belongs to user .* neither to this one nor to root"):
        machine_profile.load()


@posix
def test_no_link_no_pipe_and_no_folder_is_a_profile(path: Path) -> None:
    machine_profile.save_self_assessments({"fake": record(4.0)})
    real = path.rename(path.with_name("real.json"))
    path.symlink_to(real)
    with pytest.raises(errors.InvalidInputError, match="a symbolic link; name the file itself"):
        machine_profile.load()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(errors.InvalidInputError, match="no regular file"):  # and nobody waits for a writer
        machine_profile.load()
    path.unlink()
    path.mkdir()
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        machine_profile.load()


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 2, "self_assessed": 1}',
        '{"format": 2, "self_assessed": {"fake": 1}}',
        '{"format": 2, "self_assessed": {"fake": [1]}}',
        '{"format": 2, "self_assessed": {"fake": [{"h_lowest": 1}]}}',
        '{"format": 2, "self_assessed": {"fake": [{"h_lowest": 1, "machine": {}, "parameters": 3}]}}',
        '{"format": 2, "self_assessed": {"fake": [{"h_lowest": -1, "machine": {}, "parameters": {}}]}}',
        '{"format": 2, "self_assessed": {"fake": [{"h_lowest": "x", "machine": {}, "parameters": {}}]}}',
    ],
)
def test_a_broken_self_assessment_is_an_error(text: str, path: Path) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        machine_profile.self_assessments()
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        machine_profile.save_self_assessments({"fake": record(1.0)})
    assert path.read_text() == text


def test_a_self_assessment_asks_both_moments_and_takes_the_lower() -> None:
    biased = random.Random(3)
    found = self_assess(Fake(lambda n: bytes(biased.choices([1, 2], [0.75, 0.25], k=n))), samples=12_000)
    assert found.h_lowest == min(found.h_quiet, found.h_loaded)
    assert found.limit == found.h_lowest / 2
    assert 0.2 < found.h_lowest < 0.42
    assert found.decided_by[0] in {"quiet", "loaded"}
    assert (found.samples_quiet, found.samples_loaded) == (12_000, 12_000)
    assert found.neighbours >= 1
    machine_profile.save_self_assessments({"fake": found.as_dict()})
    assert decided() == Credit(
        int(500 * found.h_lowest) / 1000, "self-assessed", f"{found.h_lowest:.4g} bits were found on {found.date}"
    )


def test_durations_alone_are_assessed_too() -> None:
    class Sum(Fake):
        durations_only = False

        def __init__(self, *, durations_only: bool = False) -> None:
            super().__init__(random.Random(4).randbytes if not durations_only else bytes)
            self.durations_only = durations_only

    assert self_assess(Sum(), samples=10_000).h_lowest == 0


def test_a_source_that_is_too_slow_for_an_assessment_says_so() -> None:
    def slow(n: int) -> bytes:
        time.sleep(0.05)
        return bytes(n)

    with pytest.raises(errors.SourceReadError, match="too few for an assessment"):
        self_assess(Fake(slow), samples=50_000, moment_s=0.1)


def test_the_neighbours_end_with_the_block() -> None:
    with self_assessment.neighbours(2) as crowd:
        assert 1 <= crowd <= 2
    with pytest.raises(ZeroDivisionError), self_assessment.neighbours(2):
        raise ZeroDivisionError


def test_who_is_to_be_assessed(monkeypatch: pytest.MonkeyPatch) -> None:
    fits, certified, unclaimed = Fake(), Fake(), Fake()
    fits.claim = Claim(min_entropy=2.0, evidence=measured(8.0))
    certified.claim = Claim.by_operator(1.0, certificate="E0")
    unclaimed.claim = Claim(min_entropy=0.0)
    needs = Fake()
    assert self_assessment.to_be_assessed([fits, certified, unclaimed, needs]) == [needs]
    machine_profile.save_self_assessments({"fake": record(1.5)})
    assert self_assessment.to_be_assessed([needs]) == []


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        self_assessment, "self_assess", lambda source, progress: self_assess(source, samples=10_000, progress=progress)
    )


def test_the_command_assesses_prints_and_keeps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    answer = CliRunner().invoke(cli, ["self-assess", "memory_timing", "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    item = document["assessed"]["memory_timing"]
    assert document["machine_profile"] == str(path)
    assert item["machine"]["cpu"] == machine_identity().cpu
    assert item["parameters"]["touches"] % registry.create("memory_timing").parameters()["touches"] == 0
    assert "self-assessment of 1 sources: about" in answer.stderr
    assert credit.self_assessed("memory_timing") == item["h_lowest"] / 2
    answer = CliRunner().invoke(cli, ["self-assess", "memory_timing"])
    assert "memory_timing" in answer.stdout
    assert f"kept in {path}" in answer.stdout
    pool = EntropyPool([registry.create("memory_timing")])
    row = pool.health_report()["sources"][0]
    assert row["basis"] == "self-assessed" or "cannot be guarded" in row["basis_reason"]
    answer = CliRunner().invoke(cli, ["self-assess", "no_such_source"])
    assert isinstance(answer.exception, errors.InvalidInputError)


def test_the_command_writes_for_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    system = tmp_path / "etc" / "machine.json"
    monkeypatch.setattr(machine_profile, "SYSTEM_PATH", str(system))
    answer = CliRunner().invoke(cli, ["self-assess", "cpu_jitter", "--system"])
    assert answer.exit_code == 0, answer.output
    assert list(machine_profile.self_assessments(system)) == ["cpu_jitter"]


def test_pool_assesses_a_machine_that_nothing_is_known_about(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    unknown = machine_facts().replace(architecture="unheard of")
    for module in (machine_module, credit, self_assessment):
        monkeypatch.setattr(module, "machine_facts", lambda: unknown)
    monkeypatch.setattr(registry, "seeding", lambda: [registry.create("memory_timing")])
    answer = CliRunner().invoke(cli, ["pool", "--json"])
    assert answer.exit_code == 0, answer.output
    assert "this machine is none that the claims were recorded on" in answer.stderr
    assert "memory_timing" in machine_profile.self_assessments()
    entry = json.loads(answer.stdout)["last_seed"]["entries"][0]
    assert entry["basis"] in {"self-assessed", "gate"}
    answer = CliRunner().invoke(cli, ["pool", "--json"])
    assert "none that the claims" not in answer.stderr  # once


def test_pool_goes_on_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(self_assessment, "to_be_assessed", lambda sources: [Fake()])
    small(monkeypatch)
    monkeypatch.setattr(machine_profile, "save_self_assessments", refuse)
    cli_self_assess.assess_where_needed()
    assert "could not be kept" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_ctrl_c_ends_a_self_assessment_and_its_neighbours() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "esoteric_drbg", "self-assess", "sleep_jitter"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "self-assessment" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors_ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors_
