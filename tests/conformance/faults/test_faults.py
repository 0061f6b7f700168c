"""Health-test plans, induced failures and family verdicts."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from places import SCHEMAS

from esoteric_drbg import EntropyPool
from esoteric_drbg.cli.audit.faults import faults
from esoteric_drbg.cli.main import cli
from esoteric_drbg.conformance.faults import induced_failures
from esoteric_drbg.conformance.faults.health_plan import clopper_pearson, parse_alpha, plan_health, rct_within
from esoteric_drbg.conformance.faults.induced_failures import FaultySource, induce_failures
from esoteric_drbg.conformance.faults.models import FAULTS, Fault, worst_symbols
from esoteric_drbg.conformance.iid.multiplicity import family_verdict, holm, iid_family_rate
from esoteric_drbg.errors import EntropyUnavailableError, InvalidInputError
from esoteric_drbg.health_tests import AdaptiveProportionTest, LagPredictorTest, RepetitionCountTest, lag_cutoffs
from esoteric_drbg.noise_sources import Claim

SCHEMA = SCHEMAS / "induced-failures.schema.json"


@pytest.mark.parametrize(("weights", "cutoff", "n"), [((0.5, 0.5), 3, 9), ((0.7, 0.2, 0.1), 4, 9), ((0.9, 0.1), 2, 6)])
def test_the_run_recursion_equals_enumeration(weights: tuple[float, ...], cutoff: int, n: int) -> None:
    total = 0.0
    for row in itertools.product(range(len(weights)), repeat=n):
        if max(len(list(run)) for _, run in itertools.groupby(row)) >= cutoff:
            total += math.prod(weights[symbol] for symbol in row)
    assert rct_within([(weight, 1) for weight in weights], cutoff, n) == pytest.approx(total, rel=1e-12)


def test_the_run_recursion_keeps_tiny_and_distant_probabilities() -> None:
    # One run of 61 needs 61 symbols; far out the probability is that of the closed-form mean delay.
    p = 2.0**-0.5
    worst = [(p, 1), (1 - p, 1)]
    assert rct_within(worst, 61, 61) == pytest.approx(p**61 + (1 - p) ** 61, rel=1e-10)
    mean = 1 / sum(x**61 * (1 - x) / (1 - x**61) for x, _ in worst)
    assert rct_within(worst, 61, 10**9) == pytest.approx(-math.expm1(-(10**9) / mean), rel=1e-6)


def test_planned_powers_are_what_the_tests_do() -> None:
    """Biased data at a reachable cutoff: the exact probability lies in the interval of 400 runs of the real tests."""
    fault = Fault(name="biased", kind="biased", share=0.8)
    plan = plan_health(1.0, 2**-20, faults=(fault,), within=600)
    rng = np.random.default_rng(5)
    hits = {"RCT": 0, "APT": 0, "lag": 0}
    for _ in range(400):
        data = fault.inject(rng, worst_symbols(rng, 1.0, 8, 600), 0, 1.0, 8).tobytes()
        hits["RCT"] += RepetitionCountTest(plan.rct_cutoff).push(data) > 0
        hits["APT"] += AdaptiveProportionTest(plan.apt_cutoff).push(data) > 0
        phase = int(rng.integers(512))  # what the plan simulates begins at any phase of the window
        data = fault.inject(rng, worst_symbols(rng, 1.0, 8, phase + 600), phase, 1.0, 8).tobytes()
        hits["lag"] += LagPredictorTest(plan.lag_cutoffs).push(data) > 0
    for one in plan.detections:
        low, high = clopper_pearson(hits[one.test], 400, 0.999)
        if one.interval is not None:  # simulated: both have an interval
            assert low <= one.interval[1]
            assert one.interval[0] <= high
            continue
        assert low <= one.within <= high
        assert 0.05 < one.within < 0.999


def test_alphas_are_read_exactly() -> None:
    assert parse_alpha("2^-30") == parse_alpha("1/1073741824") == 2**-30
    assert parse_alpha("1e-9") == parse_alpha("1/1000000000")
    for bad in ("", "2^x", "1/0", "0^-1", "2^-99999"):
        with pytest.raises(InvalidInputError):
            parse_alpha(bad)


@pytest.mark.slow_reference
def test_a_campaign_finds_what_it_must_says_what_it_cannot_and_repeats() -> None:
    campaign = induce_failures(trials=5, seed=7)
    document = campaign.as_dict()
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(SCHEMA.read_text()))
    assert campaign.passed
    found = {(row.fault, row.test, row.tier): row for row in campaign.results}
    for tier, cutoff in (("intermittent", 61), ("permanent", 121)):
        stuck = found["stuck", "RCT", tier]
        assert stuck.must_detect
        assert stuck.detected == 5
        assert stuck.delay_median is not None
        assert cutoff - 1 <= stuck.delay_median <= cutoff
        assert found["period 2", "APT", tier].detected == 0
        assert "no symbol comes more than 256 times" in found["period 2", "APT", tier].note
    few = FAULTS[1:5]
    document = induce_failures(faults=few, trials=5, seed=7).as_dict()
    assert document == induce_failures(faults=few, trials=5, seed=7).as_dict()
    assert document != induce_failures(faults=few, trials=5, seed=8).as_dict()


@pytest.mark.slow_reference
@pytest.mark.parametrize("min_entropy", [0.5, 4.0])
def test_by_default_each_test_sees_a_million_faulty_symbols_and_detects(
    min_entropy: float,
) -> None:
    """The numbers of a default campaign, 64 trials of 16,384 symbols for each fault, without their computing time."""
    trials = inspect.signature(induce_failures).parameters["trials"].default
    assert trials * induced_failures.SPAN >= 10**6
    document = induce_failures(min_entropy=min_entropy, trials=5).as_dict()
    assert {(row["test"], row["tier"]) for row in document["evidence"]} == set(
        itertools.product(("RCT", "APT", "lag"), ("intermittent", "permanent"))
    )
    for row in document["evidence"]:
        assert row["symbols"] == 5 * len(FAULTS) * induced_failures.SPAN
        assert row["detections"] >= 5
    assert {fault.kind for fault in FAULTS} >= {"stuck", "biased", "periodic", "entrained", "repeated"}


def test_the_apt_finds_a_period_that_the_rct_cannot_see() -> None:
    campaign = induce_failures(min_entropy=4.0, faults=FAULTS[2:4], trials=5)
    found = {(row.fault, row.test): row for row in campaign.results if row.tier == "intermittent"}
    assert found["period 2", "RCT"].detected == found["period 7", "RCT"].detected == 0
    assert found["period 2", "APT"].detected == 5


#: What neither RCT nor APT can see at H = 0.5.
ONLY_LAG = tuple(
    fault
    for fault in FAULTS
    if fault.kind in {"periodic", "creeping"} or fault.name in {"entrained 0.95, period 2", "period 2, noise 10 %"}
)


def test_faults_that_only_the_lag_predictor_sees() -> None:
    """Through the seeding path: periods of 2 to 16, counters, noise on a period, entrainment that sets in slowly."""
    assert {fault.name for fault in ONLY_LAG} >= {"period 2", "period 3", "period 5", "period 16", "counter"}
    assert len(ONLY_LAG) == 10
    campaign = induce_failures(faults=ONLY_LAG, trials=5)
    assert campaign.passed
    for row in campaign.results:
        assert row.detected == (5 if row.test == "lag" else 0), (row.fault, row.test, row.tier)
        if row.test == "lag" and row.must_detect:
            run = {"intermittent": 73, "permanent": 133}[row.tier]
            assert row.delay_max is not None
            assert row.delay_max <= 16 + run


@pytest.mark.parametrize(
    "block",
    [b"\x03\xc8", b"\x03\xc8\x51", b"noise", bytes(range(256)), bytes(range(0, 256, 2)), bytes(range(1, 64)) + b"\xaa"],
    ids=["period 2", "period 3", "period 5", "counter", "stuck bit below a counter", "period 64"],
)
@pytest.mark.parametrize("min_entropy", [0.25, 1.0])
def test_a_source_that_repeats_itself_seeds_nothing(block: bytes, min_entropy: float) -> None:
    claim = Claim.by_operator(min_entropy, certificate="none: a test")
    pool = EntropyPool([FaultySource(block * 4000, claim)])
    with pytest.raises(EntropyUnavailableError, match=r"Lag Predictor Test \(developer-defined\)"):
        pool.seed_material(256)
    row = pool.health_report()["sources"][0]
    assert (row["state"], row["rct_alarms"], row["apt_alarms"], row["lag_alarms"]) == ("FAILED_PERMANENT", 0, 0, 1)
    assert row["lag_cutoffs"][1]["run"] <= row["lag_highest"][0]


@pytest.mark.parametrize("min_entropy", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("bits", [4, 8])
def test_what_the_plan_says_of_the_lag_predictor_is_what_it_does(min_entropy: float, bits: int) -> None:
    rng = np.random.default_rng(3)
    plan = plan_health(min_entropy, 2**-30, symbol_bits=bits, trials=5, within=2000)
    assert plan.lag_cutoffs == lag_cutoffs(min_entropy, 2**-30, plan.window)
    exact = {one.fault: one for one in plan.detections if one.test == "lag" and one.how == "exact"}
    assert len(exact) == (8 if bits == 8 else 6)
    for fault in FAULTS:
        if fault.name in exact:
            planned = exact[fault.name]
            test = LagPredictorTest.from_claim(min_entropy, 2**-30, symbol_bits=bits)
            test.push(rng.integers(0, 1 << bits, 300, dtype=np.uint8).tobytes())
            clean = np.zeros(2000, dtype=np.uint8)
            test.push(fault.inject(rng, clean, 0, min_entropy, bits).tobytes())
            assert test.first_failure is not None
            assert planned.mean_delay is not None
            assert planned.mean_delay - 8 <= test.first_failure - 300 + 1 <= planned.mean_delay


def test_bounds_of_false_alarms_are_below_alpha() -> None:
    plan = plan_health(0.25, 2**-30, rate=1e5, faults=())
    assert all(0 < bound <= 2**-30 for bound in plan.lag_false_alarms)
    run, window, span = plan.lag_false_alarms
    assert plan.lag_false_alarm == pytest.approx(run + window / 512 + span / 32_768)
    assert plan.lag_false_alarms_per_day == pytest.approx(plan.lag_false_alarm * 1e5 * 86_400)
    assert plan_health(0.25, 2**-30, window=4096, faults=()).span == 16
    result = CliRunner().invoke(cli, ["plan", "--h", "0.01", "--within", "200"])
    assert "never fails" in result.stdout
    assert "developer-defined (SP 800-90B 4.5)" in result.stdout


def test_a_missed_fault_fails_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fault, "inject", lambda _fault, _rng, healthy, *_others: healthy)
    assert not induce_failures(faults=FAULTS[:1], trials=5).passed
    monkeypatch.setattr(
        induce_failures, "__kwdefaults__", (induce_failures.__kwdefaults__ or {}) | {"faults": FAULTS[:1]}
    )
    result = CliRunner().invoke(faults, ["--trials", "5", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["passed"] is False


def test_the_pool_drops_a_stuck_source() -> None:
    pool = induce_failures(faults=(), trials=1).pool
    assert (pool.alone_refused, pool.dropped, pool.state, set(pool.seed_from)) == (
        True,
        True,
        "FAILED_PERMANENT",
        {"healthy"},
    )


def test_recorded_data_are_used_and_exhausted_ones_refused() -> None:
    symbols = worst_symbols(np.random.default_rng(2), 1.0, 8, 40_000).tobytes()
    campaign = induce_failures("mine", min_entropy=1.0, recorded=symbols, faults=FAULTS[:1], trials=5)
    assert campaign.passed
    assert campaign.healthy == "40000 recorded symbols"
    with pytest.raises(InvalidInputError, match="a trial takes"):
        induce_failures(recorded=symbols[:100])
    with pytest.raises(InvalidInputError, match="were read"):
        FaultySource(b"\x01\x02", Claim(min_entropy=1.0)).read_raw(3)


@pytest.mark.slow_reference
def test_plan_and_faults_on_the_command_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["plan", "--h", "0.5", "--alpha", "2^-30", "--rate", "1e5", "--within", "900", "--json"]
    )
    plan: dict[str, Any] = json.loads(result.stdout)
    assert (plan["rct_cutoff"], plan["apt_cutoff"], plan["window"]) == (61, 422, 512)
    assert plan["rct_false_alarms_per_day"] == pytest.approx(plan["rct_false_alarm"] * 1e5 * 86_400)
    table = CliRunner().invoke(cli, ["plan", "--h", "1", "--bits", "1", "--within", "900"])
    assert table.exit_code == 0
    assert "1024" in table.stdout
    text = CliRunner().invoke(faults, ["--trials", "5", "--out", str(tmp_path)]).stdout
    assert "passed" in text
    assert f"permanent RCT: {5 * len(FAULTS) * induced_failures.SPAN:,} faulty symbols, " in text
    assert "lag: the Lag Predictor Test, developer-defined (SP 800-90B 4.5)" in text
    assert json.loads((tmp_path / "simulated.faults.json").read_text())["passed"] is True


def test_holm_and_family_verdicts() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        p = rng.random(6).tolist()
        adjusted = holm(p)
        for level in (0.01, 0.2, 0.6):
            rejected: list[int] = []
            for rank, index in enumerate(np.argsort(p).tolist()):  # step down until one stays
                if p[index] > level / (6 - rank):
                    break
                rejected.append(index)
            assert sorted(rejected) == [index for index in range(6) if adjusted[index] <= level]
    independent, most = iid_family_rate()
    assert most == pytest.approx(19 * 12 / 10_001 + 0.003)
    assert independent == pytest.approx(1 - (1 - 12 / 10_001) ** 19 * 0.999**3)
    verdict = family_verdict(2, 40)
    none, one = (1 - most) ** 40, 40 * most * (1 - most) ** 39
    assert verdict.p_value == pytest.approx(1 - none - one)
    assert verdict.passed
    assert not family_verdict(10, 40).passed


def test_many_files_get_a_family_verdict(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.bin" for index in range(2)]
    for path in paths:
        path.write_bytes(bytes(range(16)) * 80)
    arguments = ["assess", "iid", *map(str, paths), "--quick", "--seed", "1"]
    document = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert document["family"]["failures"] == document["family"]["results"] == 2
    assert document["family"]["passed"] is False
    assert "more than chance explains" in CliRunner().invoke(cli, arguments).stdout
