"""Credit that a review by attack got without having earned it, and profiles and claims that broke a seed."""

from __future__ import annotations

import importlib.metadata
import json
import random
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fakes import CREDITED, Fake, simulated

import esoteric_drbg.seeding.credit as credit_module
import esoteric_drbg.seeding.gate as gate_module
import esoteric_drbg.seeding.slot as slot_module
from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.noise_sources import Claim, NoiseSource, create
from esoteric_drbg.noise_sources.evidence import measured
from esoteric_drbg.noise_sources.guard import checked_claim
from esoteric_drbg.noise_sources.machine import machine_facts
from esoteric_drbg.noise_sources.timing.memory_timing import MemoryTimingSource
from esoteric_drbg.seeding.credit import description_of_machine
from esoteric_drbg.seeding.ledger import Credit
from esoteric_drbg.seeding.machine_profile import lowered_claim
from esoteric_drbg.version import __version__


def borrowed() -> NoiseSource:
    """Return what a plug-in may make of a class of ours: another name, claim and noise."""
    source: Any = MemoryTimingSource()
    source.name, source.independence_group = "borrowed", "borrowed"
    source.claim = Claim(min_entropy=4.0, evidence=measured(8.0))
    source.read_raw = lambda n_samples, deadline_s=None: random.Random(1).randbytes(n_samples)
    found: NoiseSource = source
    return found


def test_a_plug_in_does_not_pass_for_a_source_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, value = "borrowed", "other:borrowed"

        def load(self) -> Any:
            return borrowed

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Entry()])
    pool = EntropyPool.auto()
    assert "borrowed" not in {entry.source for entry in pool.seed_material(512)[1].entries}
    row = next(row for row in pool.health_report()["sources"] if row["name"] == "borrowed")
    assert (row["credit"], row["available"]) == (0.0, False)
    assert "brings its own" in row["reason"]


class Flexible(float):
    """A number that is never above another one, except above nothing."""

    def __gt__(self, other: float) -> bool:
        return other <= 0

    def __lt__(self, other: float) -> bool:
        return True

    __le__ = __lt__


def test_a_claim_is_compared_as_a_plain_number() -> None:
    """As the guard of a plug-in takes it over; half of what was assessed is the most."""
    claim = Claim(min_entropy=Flexible(8.0), evidence=measured(8.0))
    with pytest.raises(errors.InvalidInputError, match="above half"):
        checked_claim(claim)
    assert type(checked_claim(Claim(min_entropy=Flexible(2.0), evidence=measured(8.0))).min_entropy) is float


class Unfit:
    """What plays evidence."""

    assessed, certificate = 8.0, ""

    def fits(self, facts: object) -> str:
        raise RuntimeError("no evidence at all")


class Claimant(Fake):
    """A foreign source."""

    info = simulated(
        "claimant",
        claim=Claim(min_entropy=0.5, evidence=measured(8.0), further_evidence=(Unfit(),)),  # type: ignore[arg-type]
    )


def test_further_evidence_is_evidence() -> None:
    with pytest.raises(errors.InvalidInputError, match="further_evidence"):
        EntropyPool([Claimant()])


class ClasslessError(Exception):
    """Answers no question for its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("secret samples")


class Unclassed(Claimant):
    """As the exception that it raises."""

    info = simulated("unclassed", claim=CREDITED)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("secret samples")

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        raise ClasslessError("no device")


def test_nobody_is_asked_for_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``__class__`` raised came out of the thread that reads, or of ``EntropyPool.auto``."""

    class Entry:
        name, value = "unclassed", "other:Unclassed"

        def load(self) -> Any:
            return Unclassed

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Entry()])
    pool = EntropyPool.auto()
    assert "unclassed" in {row["name"] for row in pool.health_report()["sources"]}
    alone = EntropyPool([Unclassed()])
    with pytest.raises(errors.EntropyUnavailableError, match="ClasslessError: no device"):
        alone.get_entropy(256)


HUGE = 10**400


@pytest.mark.parametrize("where", ["h_assessed", "h_lowest", "counter_step_ns", "counter_read_ns"])
def test_a_profile_with_huge_numbers(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = create("memory_timing")
    record = {
        "h_lowest": HUGE if where == "h_lowest" else 1.0,
        "parameters": source.parameters(),
        "package": __version__,
        "machine": {**description_of_machine(), **({where: HUGE} if where.startswith("counter") else {})},
    }
    document: dict[str, Any] = {"format": 2, "self_assessed": {"memory_timing": [record]}}
    if where == "h_assessed":
        document = {"format": 2, "sources": {"memory_timing": {"h_assessed": HUGE}}}
    profile = tmp_path / "machine.json"
    profile.write_text(json.dumps(document), encoding="utf-8")
    profile.chmod(0o600)
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(profile))
    if where.startswith("counter"):
        found = credit_module.credit_here(source)
        assert found.basis != "self-assessed"
        return
    with pytest.raises(errors.InvalidInputError, match="machine profile"):
        EntropyPool.for_tokens().get_entropy(256)


def test_an_exception_in_the_middle_of_a_decision_credits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at any line of it: the claim is not credited where the decision was for less."""
    monkeypatch.setattr(slot_module, "decide", lambda *_, **__: Credit(0.0, "none", "nothing was found"))
    for number in range(1, 100):
        pool = EntropyPool([create("memory_timing")])
        if not _interrupted_decision(pool, number):
            break
        with pytest.raises(errors.EntropyUnavailableError, match="nothing was found"):
            pool.seed_material(256)
    assert number > 10


def _interrupted_decision(pool: EntropyPool, number: int) -> bool:
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line" and frame.f_code.co_name in {"decide_credit", "lowered_claim"}:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        pool.seed_material(256)
    except KeyboardInterrupt:
        return True
    except errors.EntropyUnavailableError:
        return False
    finally:
        sys.settrace(None)
    return False


def test_pools_that_share_a_source_have_it_do_the_work_that_they_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pool's gate, for a lower claim, may come to less work a symbol, or to nothing."""
    facts = machine_facts()
    monkeypatch.setattr(credit_module, "machine_facts", lambda: facts.replace(l2_kib=1, counter_step_ns=450.0))
    monkeypatch.setattr(gate_module, "_GATES", {})

    def run_gate(source: NoiseSource, claim: Claim, *_: object) -> Credit:
        times = 8 if claim.min_entropy > 0.2 else 1
        gate_module.repeat(source, times)
        return Credit(0.1 if times == 8 else 0.0, "gate", "simulated", times)

    monkeypatch.setattr(gate_module, "_run_gate", run_gate)
    source: Any = MemoryTimingSource()
    source.claim = source.claim.replace(min_entropy=0.25)
    first = EntropyPool([source])
    second = EntropyPool([source], claims={"memory_timing": lowered_claim(source.claim, 0.1)})
    again = EntropyPool([source])
    slots = [next(iter(pool._slots.values())) for pool in (first, second, again)]
    assert slots[0].decide_credit()
    assert source.parameters()["touches"] == 8 * source.touches
    assert not slots[1].decide_credit()
    assert slots[0].decide_credit()
    assert source.parameters()["touches"] == 8 * source.touches
    assert slots[2].decide_credit()
    assert source.parameters()["touches"] == 8 * source.touches
    assert len(gate_module._GATES) == 2
