"""Credit that this machine has earned: evidence that fits, or what fresh symbols show; what each credit rests on."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import ClassVar

import fakes
import numpy as np
import pytest

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import Claim, Evidence, NoiseSource, registry
from esoteric_drbg.noise_sources.evidence import EPYC_25, EPYC_26, measured, recorded
from esoteric_drbg.noise_sources.lowest_estimate import lowest_estimate
from esoteric_drbg.noise_sources.machine import MachineFacts, machine_facts
from esoteric_drbg.noise_sources.timing.memory_timing import MemoryTimingSource
from esoteric_drbg.seeding import credit, gate, machine_profile
from esoteric_drbg.seeding.ledger import Credit

#: The machine that the claims of the Rust kernels were recorded on.
RECORDED = MachineFacts(
    system="linux",
    architecture="x86_64",
    kernels="rust",
    counter="tsc",
    counter_step_ns=10.0,
    counter_read_ns=20.0,
    l2_kib=1024,
)
CREDITED = [
    "memory_timing",
    "cpu_jitter",
    "clock_jitter",
    "sleep_jitter",
    "disk_io",
    "process_table",
    "sysctl_counters",
]
RUST_CLAIMS = {
    name: getattr(registry.create(name), "claims", {}).get("rust") or registry.create(name).claim for name in CREDITED
}


@pytest.fixture(autouse=True)
def _nothing_is_known(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESOTERIC_DRBG_MACHINE_PROFILE", f"{tmp_path}/machine.json")
    monkeypatch.setattr(gate, "_GATES", {})
    # A busy machine takes longer for what a test makes than the gate grants: that is asked where it is the question.
    monkeypatch.setitem(gate.GATE_SECONDS, "rust", 30.0)
    monkeypatch.setitem(gate.GATE_SECONDS, "reference", 30.0)


class Fake(fakes.Fake):
    """A source whose samples a test makes. Never entropy."""

    info = fakes.simulated("fake", bounded=True, claim=Claim(min_entropy=1.0, evidence=recorded(4.0, on=EPYC_26)))

    def __init__(self, make: Callable[[int], bytes], claim: Claim | None = None) -> None:
        super().__init__(make, claim=claim or self.info.claim)


#: Evidence of a machine that this one is not, whatever it is.
ANOTHER = Evidence(
    dataset="d", date="2026-01-01", machine_class="another", assessed=8.0, method="x", architecture="another"
)
ELSEWHERE = RECORDED.replace(architecture="aarch64", counter="cntvct")


def decide(source: NoiseSource, facts: MachineFacts = ELSEWHERE) -> Credit:
    return credit.decide(source, source.claim, source.read_raw, facts=facts)


def uniform(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def never(n: int) -> bytes:
    raise AssertionError("nothing is read where evidence fits")


@pytest.mark.parametrize("name", CREDITED)
def test_evidence_fits_the_machine_that_was_recorded_and_costs_no_symbol(name: str) -> None:
    claim = RUST_CLAIMS[name]
    facts = RECORDED if name in {"memory_timing", "cpu_jitter"} else RECORDED.replace(l2_kib=2048)
    assert claim.fits(facts) == ""
    assert decide(Fake(never, claim), facts) == Credit(claim.min_entropy, "recorded", "")


@pytest.mark.parametrize("name", CREDITED)
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"architecture": "aarch64"}, "architecture aarch64, x86_64 where it was recorded"),
        ({"counter": "cntvct"}, "counter cntvct, tsc where it was recorded"),
        ({"kernels": "reference"}, "kernels reference, rust where it was recorded"),
        ({"system": "darwin"}, "system darwin, linux where it was recorded"),
        ({"counter_step_ns": 15.1}, "the counter moves by 15.1 ns at a time, by 10 ns where it was recorded"),
        ({"counter_step_ns": 6.6}, "the counter moves by 6.6 ns at a time"),
        ({"counter_read_ns": 900.0}, "a read of the counter takes 900 ns: it is not the CPU's own that answers"),
    ],
)
def test_every_difference_takes_the_evidence_away(name: str, changed: dict[str, object], told: str) -> None:
    claim = RUST_CLAIMS[name]
    if name == "disk_io" and "kernels" in changed:
        pytest.skip("recorded with both kernels")
    facts = RECORDED.replace(**changed)
    assert told in claim.fits(facts)
    assert credit.without_reading(Fake(never, claim), claim, facts=facts) is None


@pytest.mark.parametrize("name", ["memory_timing", "cpu_jitter"])
@pytest.mark.parametrize("l2_kib", [0, 256, 2048, 4096])
def test_another_cache_takes_the_evidence_away(name: str, l2_kib: int) -> None:
    assert "second-level cache of" in RUST_CLAIMS[name].fits(RECORDED.replace(l2_kib=l2_kib))


def test_the_smaller_cache_was_recorded_for_one_source() -> None:
    smaller = RECORDED.replace(l2_kib=EPYC_25.l2_kib)
    assert RUST_CLAIMS["memory_timing"].fits(smaller) == ""
    assert RUST_CLAIMS["cpu_jitter"].fits(smaller) != ""


def test_boundaries_of_the_step_and_of_a_read() -> None:
    evidence = recorded(1.0, on=EPYC_26)
    assert evidence.fits(RECORDED.replace(counter_step_ns=15.0, counter_read_ns=400.0)) == ""
    assert evidence.fits(RECORDED.replace(counter_step_ns=15.01)) != ""
    assert evidence.fits(RECORDED.replace(counter_step_ns=10 / 1.5)) == ""
    assert evidence.fits(RECORDED.replace(counter_read_ns=400.1)) != ""


def test_evidence_that_names_no_machine_fits_none() -> None:
    evidence = Evidence(dataset="d", date="2026-01-01", machine_class="m", assessed=8.0, method="x")
    assert evidence.fits(RECORDED) == "the evidence names no machine"
    assert measured(8.0).fits(ELSEWHERE) == ""
    assert Claim(min_entropy=0.5).fits(RECORDED) == "no evidence"


def test_a_claim_is_below_all_of_its_evidence() -> None:
    with pytest.raises(errors.InvalidInputError, match=r"above the 0\.3"):
        Claim(min_entropy=0.5, evidence=measured(2.0), further_evidence=(measured(0.3),))


RANDOM = random.Random(20261128)


def pattern(period: int) -> Callable[[int], bytes]:
    symbols = RANDOM.randbytes(period)
    return lambda n: (symbols * (n // period + 1))[:n]


def drifting(n: int) -> bytes:
    """A slow entrainment: one symbol for long stretches, seldom the next one."""
    out, symbol, rng = bytearray(), 7, random.Random(n)
    for _ in range(n):
        symbol = (symbol + 1) & 0xFF if rng.random() < 0.01 else symbol
        out.append(symbol)
    return bytes(out)


def coarse(n: int) -> bytes:
    """A counter that has moved in one of 40 symbols."""
    rng = random.Random(n)
    return bytes(rng.random() < 0.025 for _ in range(n))


def upper_bits(n: int) -> bytes:
    """A stuck bit beside a counter in the upper bits."""
    return bytes((index << 1) & 0xFE for index in range(n))


@pytest.mark.parametrize(
    ("make", "decides"),
    [
        (lambda n: bytes([42]) * n, "mcv"),
        (pattern(2), "lag"),
        (pattern(3), "lrs"),
        (pattern(100), "lrs"),
        (pattern(700), "lrs"),
        (upper_bits, "lrs"),
        (coarse, "mcv"),
        (drifting, "lag"),
    ],
    ids=["constant", "period 2", "period 3", "period 100", "period 700", "stuck bit", "coarse", "entrainment"],
)
def test_the_gate_refuses_what_the_faults_make(make: Callable[[int], bytes], decides: str) -> None:
    decision = decide(Fake(make))
    assert (decision.bits, decision.basis) == (0.0, "none")
    assert "architecture aarch64, x86_64 where it was recorded; " in decision.reason
    assert "bits per sample cannot be guarded: the Adaptive Proportion Test would fail at 513 of 512" in decision.reason
    assert lowest_estimate(make(2048)).decided_by.endswith(decides)


def test_the_gate_credits_a_quarter_and_never_more_than_the_claim() -> None:
    decision = decide(Fake(uniform(1)))
    assert decision.basis == "gate"
    assert 0.5 < decision.bits <= 1.0  # an eighth of what 2,048 uniform symbols show, or more
    biased = random.Random(2)
    source = Fake(lambda n: bytes(biased.choices([3, 5, 9], [0.5, 0.25, 0.25], k=n)))
    decision = decide(source)
    assert decision.basis == "gate"
    assert 0.05 < decision.bits <= 0.25  # a quarter, or an eighth, of at most 1 bit
    assert "fresh symbols have 0." in decision.reason
    claim = Claim(min_entropy=0.06, evidence=recorded(4.0, on=EPYC_26))
    assert decide(Fake(uniform(3), claim))[:2] == (0.06, "gate")


@pytest.mark.parametrize("width", [1, 3, 8])
def test_narrow_symbols_are_estimated_on_their_own_bits(width: int) -> None:
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid

    symbols = bytes(value & (1 << width) - 1 for value in random.Random(5).randbytes(6000))
    found, full = lowest_estimate(symbols, width), assess_non_iid(symbols, width, threads=1)
    figures = [
        scale * estimate.min_entropy
        for part, scale in ((full.literal, 1), (full.bitstring, width))
        for name, estimate in (part or {}).items()
        if name in {"mcv", "markov", "t_tuple", "lrs", "lag", "multi_mmc"} and estimate.min_entropy is not None
    ]
    assert found.min_entropy == pytest.approx(min(figures), rel=1e-12)


def test_what_cannot_be_guarded_says_the_number() -> None:
    assert gate.guarded(0.059, 8) == ""
    assert gate.guarded(30 / 512, 8) == ""  # p^512 is exactly 2^-30: 512 equal symbols fail
    assert gate.guarded(0.0585, 8).endswith("would fail at 513 of 512 symbols")
    assert gate.guarded(0.0, 1).endswith("would fail at 1025 of 1024 symbols")


def test_more_work_a_symbol_before_giving_up() -> None:
    class Adaptable(Fake):
        adaptable: ClassVar[bool] = True
        times = 1

        def repeat(self, times: int) -> None:
            self.times = times

    coins = np.random.default_rng(4)

    def make(n: int) -> bytes:  # as many coins of 0.1 bit in a symbol as there is work
        return coins.binomial(source.times, 0.07, n).astype(np.uint8).tobytes()

    source = Adaptable(make)
    decision = decide(source)
    assert decision.basis == "gate"
    assert decision.times == source.times > 1
    assert f"each {decision.times} times the work" in decision.reason
    source = Adaptable(bytes)
    assert decide(source).basis == "none"
    assert source.times == 1


def test_real_sources_do_more_work_where_they_can() -> None:
    source = MemoryTimingSource()
    before = source.parameters()
    source.repeat(4)
    assert source.parameters() == {**before, "touches": 12}
    assert len(source.read_raw(100)) == 100
    with pytest.raises(errors.InvalidInputError, match="1000 times the work"):
        source.repeat(1000)
    with pytest.raises(errors.InvalidInputError, match="2 times the work"):
        registry.create("sleep_jitter").repeat(2)  # type: ignore[attr-defined]


def test_a_source_that_is_too_slow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for kernels in gate.GATE_SECONDS:
        monkeypatch.setitem(gate.GATE_SECONDS, kernels, 0.05)

    def make(n: int) -> bytes:
        time.sleep(n * 0.01)
        return bytes(n)

    gate._SLOW.clear()
    source = Fake(make)
    for basis in ("unread", "unread", "none"):  # the first looks may have come in a busy moment
        decision = decide(source)
        assert (decision.bits, decision.basis) == (0, basis)
        assert "too slow for the gate: fewer than 512 symbols in" in decision.reason
    assert source.samples < 3 * 512


def test_a_source_that_cannot_be_read_is_asked_again_with_the_next_seed() -> None:
    source = Fake(uniform(6), Claim(min_entropy=1.0, evidence=ANOTHER))
    pool = EntropyPool([source])
    broken, source.make = source.make, lambda n: b""
    with pytest.raises(errors.EntropyUnavailableError, match=r"fake: returned 0 of 16 samples"):
        pool.get_entropy(64)
    source.make = broken
    pool.get_entropy(64)
    assert pool.last_ledger is not None
    assert pool.last_ledger.entries[0].basis == "gate"


def test_ledger_and_report_name_the_basis_and_cutoffs_follow_from_the_credit() -> None:
    claim = Claim(min_entropy=2.0, evidence=ANOTHER)
    biased = random.Random(7)
    source = Fake(lambda n: bytes(biased.choices(range(3), [0.4, 0.3, 0.3], k=n)), claim)
    pool = EntropyPool([source])
    row = pool.health_report()["sources"][0]
    assert (row["credit"], row["basis"]) == (0.0, "none")
    assert "the gate has not run" in row["basis_reason"]
    pool.get_entropy(256)
    row, ledger = pool.health_report()["sources"][0], pool.health_report()["last_seed"]
    assert row["basis"] == ledger["entries"][0]["basis"] == "gate"
    assert 0.08 < row["credit"] < 0.35
    assert row["claim"] == 2.0
    assert row["credit"] == ledger["entries"][0]["min_entropy"]
    assert "architecture" in ledger["entries"][0]["note"]
    from esoteric_drbg.health_tests import apt_cutoff, rct_cutoff

    assert row["rct_cutoffs"][0] == rct_cutoff(row["credit"], 2**-30)
    assert row["apt_cutoffs"][0] == apt_cutoff(row["credit"], 2**-30, 512)


def test_a_refusal_is_in_the_error_and_in_the_report() -> None:
    claim = Claim(min_entropy=2.0, evidence=ANOTHER)
    pool = EntropyPool([Fake(pattern(5), claim)])
    with pytest.raises(errors.EntropyUnavailableError, match=r"fake: no credit: architecture .* cannot be guarded"):
        pool.get_entropy(64)
    row = pool.health_report()["sources"][0]
    assert (row["credit"], row["basis"]) == (0.0, "none")
    assert "cannot be guarded" in row["basis_reason"]
    assert "cannot be guarded" in row["fault"]


def test_a_certificate_is_configured_and_no_evidence_is_none() -> None:
    source = Fake(uniform(8), Claim(min_entropy=1.0))
    pool = EntropyPool([source], claims={"fake": Claim.by_operator(4.0, certificate="ESV E0")})
    pool.get_entropy(64)
    assert pool.last_ledger is not None
    assert pool.last_ledger.entries[0].basis == "configured"
    row = EntropyPool([source]).health_report()["sources"][0]
    assert (row["basis"], row["basis_reason"]) == ("none", "no evidence, no credit")


@pytest.mark.skipif(kernel_info().name != "rust", reason="a smaller buffer models a larger cache for the Rust kernels")
@pytest.mark.parametrize("buffer_kib", [16, 128])
def test_a_larger_cache_is_credited_with_what_it_shows(buffer_kib: int) -> None:
    from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid

    class LargerCache(MemoryTimingSource):
        buffer_bytes = buffer_kib << 10

    source, seen = LargerCache(), [b""]

    def read(n: int) -> bytes:
        seen.append(source.read_raw(n))
        return seen[-1]

    decision = credit.decide(source, source.claim, read, facts=machine_facts().replace(l2_kib=8192))
    assert decision.basis in {"gate", "none"}
    assert decision.bits <= assess_non_iid(max(reversed(seen), key=len), 8, threads=1).h_assessed / 2


def needs_evidence_that_fits() -> None:
    source = registry.create("memory_timing")
    if source.claim.fits(machine_facts()):
        pytest.skip(f"the evidence does not fit this machine: {source.claim.fits(machine_facts())}")


def test_a_machine_that_fits_is_credited_as_recorded_and_loads_no_estimator() -> None:
    needs_evidence_that_fits()
    code = (
        "import sys, esoteric_drbg\n"
        "esoteric_drbg.token_bytes(32)\n"
        "entry = esoteric_drbg.process_instance().pool.last_ledger.entries[0]\n"
        "print(entry.source, entry.min_entropy, entry.basis)\n"
        "assert 'esoteric_drbg.noise_sources.lowest_estimate' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"memory_timing {registry.create('memory_timing').claim.min_entropy:g} recorded\n".replace(
        "1 recorded", "1.0 recorded"
    )


#: A process on a machine that was not recorded.
UNKNOWN = (
    "from esoteric_drbg.noise_sources import machine\n"
    "found = machine.machine_facts().replace(architecture='unheard of')\n"
    "machine.machine_facts = lambda: found\n"
    "import sys, time, esoteric_drbg\n"
)


def test_a_first_token_elsewhere_rests_on_the_gate_and_loads_no_numpy() -> None:
    code = UNKNOWN + (
        "esoteric_drbg.token_bytes(32)\n"
        "print(esoteric_drbg.process_instance().pool.last_ledger.entries[0].basis)\n"
        "print(sorted({'numpy', 'scipy', 'logging'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "EntropyUnavailableError" in done.stderr:
        pytest.skip("this machine shows too little: " + done.stderr[-400:])
    basis, loaded = done.stdout.splitlines()
    assert basis == "gate"
    if kernel_info().name == "rust":
        assert loaded == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_gate_runs_once_a_process_and_a_forked_child_keeps_it() -> None:
    code = UNKNOWN + (
        "from esoteric_drbg import gate\n"
        "run, runs = gate._run_gate, []\n"
        "gate._run_gate = lambda *a: runs.append(a[0].name) or run(*a)\n"
        "import os, signal\n"
        "esoteric_drbg.EntropyPool.for_tokens().get_entropy(64)\n"
        "first = len(runs)\n"
        "esoteric_drbg.EntropyPool.for_tokens().get_entropy(64)\n"
        "assert len(runs) == first, runs\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(60)\n"
        "    pool = esoteric_drbg.EntropyPool.for_tokens(); pool.get_entropy(64)\n"
        "    os._exit(7 if len(runs) == first and pool.last_ledger.entries[0].basis == 'gate' else 8)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "print(first)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    if "EntropyUnavailableError" in done.stderr:
        pytest.skip("this machine shows too little: " + done.stderr[-400:])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


def test_the_reference_kernels_say_that_the_gate_takes_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from esoteric_drbg.kernels import KernelInfo

    monkeypatch.setattr(gate, "kernel_info", lambda: KernelInfo("reference", "", ""))
    monkeypatch.setitem(gate.GATE_SECONDS, "reference", 0.2)
    with caplog.at_level(logging.WARNING, logger="esoteric_drbg"):
        decide(Fake(uniform(9)))
    assert "fake: architecture aarch64, x86_64 where it was recorded; " in caplog.text
    assert "takes some seconds" in caplog.text


@pytest.mark.skipif(kernel_info().name != "rust", reason="the reference kernels take seconds, and say so")
def test_the_gate_costs_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gate.GATE_SECONDS, "rust", 0.05)
    source = registry.create("memory_timing")
    decide(source)  # what is loaded with the first gate
    gate._GATES.clear()
    began = time.process_time()
    decide(source)
    assert time.process_time() - began < 0.5  # 50 ms on a machine that has time for it


def test_no_profile_is_needed_and_a_profile_is_looked_up_by_machine(tmp_path: object) -> None:
    assert machine_profile.self_assessments() == {}
    assert credit.self_assessed("memory_timing") is None
    assert credit.assessed_here(registry.create("memory_timing")) is None
