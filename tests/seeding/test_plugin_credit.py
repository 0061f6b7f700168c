"""Credit of sources nobody here wrote: evidence that says something, the operator's word, an assessment here."""

from __future__ import annotations

import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hostile import EVIDENCE, Healthy, Hostile, stream

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.cli.main import cli
from esoteric_drbg.noise_sources import Claim, Evidence, NoiseSource, registry
from esoteric_drbg.seeding import plugin_credit
from esoteric_drbg.seeding.conditioning import hash_df


class Constant(Hostile):
    """Gives the same symbols in every process, at a rate that nothing reaches."""

    name = "constant"


class Entry:
    def __init__(self, source: type[NoiseSource]) -> None:
        self.name, self.value, self.load = source.name, f"test:{source.name}", lambda: source


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Install two plug-ins, one of them broken, and no machine profile."""

    class Broken(Healthy):
        name = "broken"

        def __init__(self) -> None:
            raise ImportError("its library is missing")

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Entry(Constant), Entry(Broken)])
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", str(tmp_path / "machine.json"))
    monkeypatch.delenv(plugin_credit.CREDIT_PLUGINS_VARIABLE, raising=False)


def assess(monkeypatch: pytest.MonkeyPatch, figures: dict[str, float]) -> None:
    monkeypatch.setattr(plugin_credit, "assessed_here", figures.get)


def row(pool: EntropyPool, name: str = "constant") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in pool.health_report()["sources"] if one["name"] == name)
    return found


def credited(pool: EntropyPool) -> set[str]:
    return {entry.source for entry in pool.seed_material(512)[1].entries}


def test_a_plugin_earns_nothing_by_its_own_word() -> None:
    """With 10^12 symbols a second it was the only source credited, and two pools gave equal entropy."""
    pools = [EntropyPool.auto(), EntropyPool.auto()]
    assert all(credited(pool).isdisjoint({"constant"}) for pool in pools)
    assert row(pools[0])["credit"] == 0
    assert "nobody named it in ESOTERIC_DRBG_CREDIT_PLUGINS" in row(pools[0])["note"]
    assert pools[0].get_entropy(256) != pools[1].get_entropy(256)


def test_the_word_of_the_operator_is_not_enough() -> None:
    pool = EntropyPool.auto(credited_plugins=["constant"])
    assert row(pool)["credit"] == 0
    assert "run esoteric-drbg self-assess constant" in row(pool)["note"]


def test_an_assessment_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assess(monkeypatch, {"constant": 8.0})
    assert row(EntropyPool.auto())["credit"] == 0


@pytest.mark.parametrize(("assessed", "credit"), [(8.0, 4.0), (3.0, 1.5), (0.0, 0.0)])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_both_credit_the_less_of_the_claim_and_half_of_what_was_assessed(
    monkeypatch: pytest.MonkeyPatch, assessed: float, credit: float, by: str
) -> None:
    assess(monkeypatch, {"constant": assessed})
    if by == "environment":
        monkeypatch.setenv(plugin_credit.CREDIT_PLUGINS_VARIABLE, " broken, constant ,")
    pool = EntropyPool.auto(credited_plugins=("constant",) if by == "argument" else ())
    assert row(pool)["credit"] == credit
    assert f"half of {assessed:g} assessed here" in row(pool)["note"]
    pool.start()  # its rate was measured now
    _, ledger = pool.seed_material(512)
    assert all(entry.min_entropy == credit for entry in ledger.entries if entry.source == "constant")


def test_the_figure_comes_from_the_profile_of_this_machine() -> None:
    from esoteric_drbg.seeding import machine_profile
    from esoteric_drbg.seeding.credit import description_of_machine
    from esoteric_drbg.version import __version__

    assert plugin_credit.assessed_here("constant") is None
    record = {
        "h_lowest": 5.0,
        "date": "2026-11-28",
        "package": __version__,
        "machine": description_of_machine(),
        "parameters": {},
    }
    machine_profile.save_self_assessments({"constant": record})
    assert plugin_credit.assessed_here("constant") == 5.0
    assert row(EntropyPool.auto(credited_plugins={"constant"}))["credit"] == 2.5


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["constnat"], "no plug-in named 'constnat' is installed; the nearest is 'constant'"),
        (["memory_timing"], "memory_timing is a source of esoteric_drbg"),
        ("constant", "expected names"),
        ([7], "no plug-in named 7"),
    ],
)
def test_a_name_that_nobody_has_is_an_error(names: Any, match: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=match):
        EntropyPool.auto(credited_plugins=names)


def test_a_typo_in_the_environment_is_an_error_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugin_credit.CREDIT_PLUGINS_VARIABLE, "constan")
    for command in (["scan"], ["bench", "--fast"]):
        answer = CliRunner().invoke(cli, command)
        assert isinstance(answer.exception, errors.InvalidInputError) or answer.exit_code == 2
        assert "'constant'" in answer.output + str(answer.exception)
    with pytest.raises(errors.InvalidInputError, match="'constant'"):
        EntropyPool.auto()
    assert len(EntropyPool.auto(plugins=False).sources) == len(registry.BUILT_IN)


def test_bench_and_probe_show_the_credit_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"memory_timing": "timing:MemoryTimingSource"})
    for named, credit in (("", 0.0), ("constant", 1.0)):
        monkeypatch.setenv(plugin_credit.CREDIT_PLUGINS_VARIABLE, named)
        assess(monkeypatch, {"constant": 2.0})
        probed = json.loads(CliRunner().invoke(cli, ["probe", "constant", "--json"]).stdout)
        benched = json.loads(CliRunner().invoke(cli, ["bench", "--fast", "--json"]).stdout)
        found = next(one for one in benched["sources"] if one["name"] == "constant")
        assert (probed["credit"], found["credit"], found["claim"]) == (credit, credit, 4.0)
        assert (found["credited_bits_per_second"] > 0) == (credit > 0)


def test_a_source_that_the_program_hands_over_is_vouched_for() -> None:
    assert credited(EntropyPool([Constant()])) == {"constant"}
    pool = EntropyPool()
    pool.add_source(Constant(), claim=Claim(min_entropy=2.0, evidence=EVIDENCE))
    assert credited(pool) == {"constant"}
    pool = EntropyPool.auto(claims={"constant": Claim.by_operator(2.0, certificate="E1")})
    assert row(pool)["credit"] == 2.0
    assert "E1" in row(pool)["note"]


def test_two_pools_of_one_lying_source_never_give_equal_entropy() -> None:
    first, second = EntropyPool([Constant()]), EntropyPool([Constant()])
    assert first.seed_material(512)[0] == second.seed_material(512)[0]  # what it is credited for
    assert first.get_entropy(512) != second.get_entropy(512)


def test_entropy_is_the_credited_blocks_xored_with_kernel_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def urandom(n: int) -> bytes:
        asked.append(n)
        return bytes(range(n))

    pool = EntropyPool([Healthy()])
    monkeypatch.setattr("esoteric_drbg.seeding.pool.os.urandom", urandom)
    entropy = pool.get_entropy(384)
    blocks = [hash_df(stream(f"healthy {read}", 80), 256) for read in (2, 3)]
    assert asked == [64]
    assert bytes(one ^ other for one, other in zip(entropy, bytes(range(64)), strict=True)) == b"".join(blocks)
    assert pool.last_ledger is not None
    assert pool.last_ledger.credited_bits == 512


def evidence(**changes: Any) -> dict[str, Any]:
    return {"dataset": "d", "date": "2026-01-31", "machine_class": "c", "assessed": 8.0, "method": "m", **changes}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dataset": ""}, "without dataset"),
        ({"dataset": None}, "without dataset"),
        ({"date": " "}, "without date"),
        ({"machine_class": ""}, "without machine_class"),
        ({"method": ""}, "without method"),
        ({"date": "yesterday"}, "ISO date"),
        ({"date": "2026-02-29"}, "ISO date"),
        ({"date": "2026-13-01"}, "ISO date"),
        ({"date": "20260131"}, "ISO date"),
        ({"assessed": 0.0}, "assessed=0"),
        ({"assessed": -1.0}, "assessed=-1"),
        ({"assessed": 8.1}, "assessed=8.1"),
        ({"assessed": float("nan")}, "assessed=nan"),
        ({"assessed": "8"}, "assessed=8"),
        ({"assessed": True}, "assessed=True"),
        ({"dataset": "", "certificate": " "}, "without dataset"),
    ],
)
def test_evidence_says_what_when_where_and_how(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(errors.InvalidInputError, match=match):
        Evidence(**evidence(**changes))
    assert Evidence(**evidence()).assessed == 8.0


def test_a_claim_is_at_most_half_of_what_was_assessed() -> None:
    half = Evidence(**evidence(assessed=3.0))
    assert Claim(min_entropy=1.5, evidence=half).credit == 1.5
    with pytest.raises(errors.InvalidInputError, match=r"above half of the 3\.0"):
        Claim(min_entropy=1.5000001, evidence=half)
    with pytest.raises(errors.InvalidInputError, match="above half"):
        EntropyPool([Healthy()]).add_source(Hostile(), claim=Claim(min_entropy=2.9, evidence=half))
    with pytest.raises(errors.InvalidInputError, match="2-bit symbol"):
        Claim(min_entropy=1.0, symbol_bits=2, evidence=half)
    assert Claim.by_operator(3.0, certificate="E1").credit == 3.0
    for source in registry.installed(plugins=False):
        claim = source.claim
        assert claim.evidence is None or claim.min_entropy <= claim.evidence.assessed / 2


class Paced(Healthy):
    """Takes its time, and says what it likes about it."""

    def __init__(self, name: str, declared: float, pause_s: float = 0.0) -> None:
        super().__init__()
        self.name = self.independence_group = name  # type: ignore[misc]
        self.estimated_rate = declared  # type: ignore[misc]
        self.pause_s = pause_s

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        time.sleep(self.pause_s)
        return super().read_raw(n_samples)


def test_a_declared_rate_jumps_no_queue() -> None:
    ours = registry.create("memory_timing")
    boaster = Paced("boaster", 1e12)
    assert credited(EntropyPool([boaster, ours])) == {"memory_timing"}
    assert boaster.reads == 0
    known = Paced("known", 1e3)
    pool = EntropyPool([known])
    pool.start()
    pool.add_source(Paced("boaster", 1e12))
    assert credited(pool) == {"known"}


def test_the_order_follows_what_was_measured() -> None:
    slow, fast = Paced("slow", 1e6, pause_s=0.5), Paced("fast", 1e3)
    pool = EntropyPool([slow, fast])
    assert [group[0].name for group in pool._queue.groups] == ["slow", "fast"]  # nobody has measured yet
    pool.start()
    assert credited(pool) == {"fast"}
    assert slow.reads == 1  # its start-up test


def test_a_rate_that_falls_is_noticed() -> None:
    first, second = Paced("first", 1e6), Paced("second", 1e5, pause_s=0.02)
    pool = EntropyPool([first, second])
    pool.start()
    assert credited(pool) == {"first"}
    first.pause_s = 0.5
    pool.seed_material(256)
    pool.seed_material(256)
    assert credited(pool) == {"second"}
