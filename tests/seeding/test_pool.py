"""The pool: credit rules, ledger, and every way in which a source can fail."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import subprocess
import sys
import threading
import time
import types
from typing import ClassVar

import pytest

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.noise_sources import Availability, Claim, Evidence, NoiseSource
from esoteric_drbg.seeding.conditioning import hash_df, output_entropy
from esoteric_drbg.seeding.ledger import SeedLedger
from esoteric_drbg.seeding.slot import SourceSlot

EVIDENCE = Evidence(
    dataset="seeded generator",
    date="2026-01-01",
    machine_class="test",
    assessed=8.0,
    method="by construction",
    architecture="any",
)


class Scripted(NoiseSource):
    """A source whose symbols, delays and failures a test decides. Never entropy: a counter through SHA-256."""

    description = "Symbols a test made"
    category = "system"
    physics = "none"
    estimated_rate = 1e6
    bounded = True

    def __init__(self, name: str = "scripted", group: str = "alpha", credit: float = 4.0, rate: float = 1e6) -> None:
        self.name = name  # type: ignore[misc]
        self.independence_group = group  # type: ignore[misc]
        self.estimated_rate = rate  # type: ignore[misc]
        self.claim = Claim(min_entropy=credit, evidence=EVIDENCE if credit else None)
        self.reads: list[int] = []
        self.counter = 0
        self.reason = ""

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason)

    def symbols(self, n_samples: int) -> bytes:
        self.counter += 1
        blocks = [hash_df(f"{self.name} {self.counter} {index}".encode(), 256) for index in range(n_samples // 32 + 1)]
        return b"".join(blocks)[:n_samples]

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        self.reads.append(n_samples)
        return self.symbols(n_samples)


class Faulty(Scripted):
    """Works until ``fail_from`` reads have been made, then does ``fault``."""

    def __init__(self, fault: str, fail_from: int = 1, name: str = "faulty", group: str = "alpha") -> None:
        super().__init__(name=name, group=group, rate=1e9)
        self.fault = fault
        self.fail_from = fail_from
        self.release = threading.Event()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        data = super().read_raw(n_samples)
        if len(self.reads) < self.fail_from:
            return data
        if self.fault == "hang":
            self.release.wait(30)
        if self.fault == "raise":
            raise ZeroDivisionError("sensor gone")
        if self.fault == "source error":
            raise errors.SourceReadError("cable unplugged")
        if self.fault == "short":
            return data[:-1]
        if self.fault == "stuck":
            return bytes(n_samples)
        if self.fault == "biased":
            return bytes(0 if value < 245 else value for value in data)
        return data


FAULTS = ["hang", "raise", "source error", "short", "stuck", "biased"]


class Unbounded(Faulty):
    bounded: ClassVar[bool] = False


def make(fault: str, fail_from: int = 1) -> Faulty:
    return (Unbounded if fault == "hang" else Faulty)(fault, fail_from)


def test_seed_material_is_the_conditioned_tested_symbols() -> None:
    source = Scripted()
    pool = EntropyPool([source])
    material, _ = pool.seed_material(256)
    twin = Scripted()
    twin.symbols(1024)  # the start-up test's symbols are discarded
    assert material == hash_df(twin.symbols(80), 256)
    assert source.reads == [1024, 80]
    assert pool.seed_material(384)[0] == hash_df(twin.symbols(80), 256) + hash_df(twin.symbols(80), 256)


def test_ledger_states_the_arithmetic_and_no_secret() -> None:
    pool = EntropyPool([Scripted(credit=0.25)])
    material, ledger = pool.seed_material(256)
    (entry,) = ledger.entries
    assert (entry.source, entry.independence_group, entry.symbols) == ("scripted", "alpha", 1280)
    assert (entry.n_in, entry.n_out, entry.nw) == (10_240, 256, 256)
    assert entry.h_in == 320.0
    assert entry.h_out == output_entropy(10_240, 256, 256, 320.0)
    assert (entry.credited_bits, ledger.credited_bits, ledger.requested_bits) == (256, 256, 256)
    text = json.dumps(ledger.as_dict()) + repr(ledger)
    assert material.hex() not in text
    assert pool.last_ledger == ledger


def test_one_source_per_independence_group_is_credited() -> None:
    fast, slow = Scripted("fast", credit=4, rate=1e6), Scripted("slow", credit=4, rate=1e3)
    _, ledger = EntropyPool([slow, fast]).seed_material(512)
    assert [entry.source for entry in ledger.entries] == ["fast", "fast"]
    assert slow.reads == []


def test_credit_per_second_decides_not_symbols_per_second() -> None:
    many_poor, few_rich = Scripted("poor", credit=0.01, rate=1e6), Scripted("rich", credit=4, rate=1e5)
    _, ledger = EntropyPool([many_poor, few_rich]).seed_material(256)
    assert ledger.entries[0].source == "rich"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fail_from", [1, 2, 3])
def test_a_failing_source_alone_raises_and_names_what_was_missing(fault: str, fail_from: int) -> None:
    source = make(fault, fail_from)
    pool = EntropyPool([source], deadline_s=0.2)
    began = time.perf_counter()
    with pytest.raises(errors.EntropyUnavailableError, match=r"512 bits of min-entropy.*faulty") as caught:
        pool.get_entropy(512)
    assert time.perf_counter() - began < 15  # and not the 30 s that the source hangs
    source.release.set()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    row = pool.health_report()["sources"][0]
    assert row["fault"]
    assert row["credited_bits"] == 0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fail_from", [1, 2, 3])
def test_a_failing_source_costs_the_pool_its_deadline_and_nothing_else(fault: str, fail_from: int) -> None:
    source = make(fault, fail_from)
    backup = Scripted("backup", rate=1e3)
    pool = EntropyPool([source, backup], deadline_s=0.2)
    began = time.perf_counter()
    material, ledger = pool.seed_material(512)
    assert time.perf_counter() - began < 15  # and not the 30 s that the source hangs
    source.release.set()
    twin = Scripted("backup")
    twin.symbols(1024)
    assert material == hash_df(twin.symbols(80), 256) + hash_df(twin.symbols(80), 256)
    assert {entry.source for entry in ledger.entries} == {"backup"}
    assert ledger.missing
    assert ledger.missing[0].startswith("faulty: ")


def test_a_hung_source_is_retired_and_leaks_one_thread_at_most() -> None:
    source = make("hang")
    pool = EntropyPool([source, Scripted("backup")], deadline_s=0.1)
    before = threading.active_count()
    for _ in range(5):
        pool.get_entropy(256)
    assert threading.active_count() <= before + 1
    assert pool.health_report()["sources"][0]["state"] == "RETIRED"
    source.release.set()


def test_an_operator_resets_a_retired_source() -> None:
    source = make("raise", 1)
    pool = EntropyPool([source])
    for _ in range(3):
        with pytest.raises(errors.EntropyUnavailableError, match="sensor gone"):
            pool.get_entropy(256)
    assert pool.health_report()["sources"][0]["state"] == "RETIRED"
    source.fault = ""
    with pytest.raises(errors.EntropyUnavailableError):
        pool.get_entropy(256)
    pool.reset_source("faulty")
    assert len(pool.get_entropy(256)) == 32


def test_a_permanent_failure_needs_an_operator_too() -> None:
    source = make("stuck", 2)
    pool = EntropyPool([source])
    with pytest.raises(errors.EntropyUnavailableError):
        pool.get_entropy(256)
    assert pool.health_report()["sources"][0]["state"] == "FAILED_PERMANENT"
    source.fault = ""
    with pytest.raises(errors.EntropyUnavailableError, match="faulty"):
        pool.get_entropy(256)
    assert not source.reads[3:]
    pool.reset_source("faulty")
    assert len(pool.get_entropy(256)) == 32


class Hiccup(Scripted):
    """One run of 40 in one read: at 1 bit per symbol the intermittent cutoff is 31 and the permanent one 61."""

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        data = super().read_raw(n_samples)
        if len(self.reads) == 3:
            data = data[:100] + bytes(40) + data[140:]
        return data


def test_an_intermittent_failure_recovers_through_a_fresh_start_up_test() -> None:
    source = Hiccup(credit=1.0)
    pool = EntropyPool([source])
    material, ledger = pool.seed_material(512)
    # start-up, a good block, a bad one; then a fresh start-up test and both blocks anew
    assert source.reads == [1024, 320, 320, 1024, 320, 320]
    twin = Scripted()
    blocks = [twin.symbols(size) for size in source.reads]
    assert material == hash_df(blocks[4], 256) + hash_df(blocks[5], 256)
    assert ledger.missing[0].startswith("scripted: intermittent failure")
    row = pool.health_report()["sources"][0]
    assert (row["state"], row["rct_alarms"] + row["apt_alarms"] >= 1) == ("HEALTHY", True)


def test_no_traceback_leads_to_raw_noise_or_seed_material() -> None:
    source = make("stuck", 3)
    pool = EntropyPool([source])
    with pytest.raises(errors.EntropyUnavailableError) as caught:
        pool.get_entropy(512)
    twin = Scripted("faulty")
    known = [twin.symbols(1024), twin.symbols(80), bytes(80)]
    known.append(hash_df(known[1], 256))
    reachable: list[object] = []
    traceback: types.TracebackType | None = caught.value.__traceback__
    while traceback is not None:
        if "esoteric_drbg" in traceback.tb_frame.f_code.co_filename:
            reachable += traceback.tb_frame.f_locals.values()
        traceback = traceback.tb_next
    seen = 0
    while reachable and seen < 10_000:
        thing = reachable.pop()
        seen += 1
        assert not (isinstance(thing, bytes) and thing in known)
        if isinstance(thing, (list, tuple, dict)):
            reachable += gc.get_referents(thing)


def test_unavailable_sources_are_listed_with_their_reason() -> None:
    source = Scripted()
    source.reason = "the crystal is missing"
    pool = EntropyPool([source])
    with pytest.raises(errors.EntropyUnavailableError, match="the crystal is missing"):
        pool.get_entropy(1)
    row = pool.health_report()["sources"][0]
    assert (row["state"], row["available"], row["reason"]) == ("UNAVAILABLE", False, "the crystal is missing")


def test_an_empty_pool_says_so() -> None:
    with pytest.raises(errors.EntropyUnavailableError, match="the pool has no sources"):
        EntropyPool().get_entropy(128)


def test_no_evidence_no_credit_but_mixed_in() -> None:
    bare = Scripted("bare", credit=0)
    pool = EntropyPool([bare])
    with pytest.raises(errors.EntropyUnavailableError, match="bare: no credit"):
        pool.get_entropy(1)
    material, entries = pool.uncredited_material()
    assert len(material) == 32
    assert [(entry.source, entry.credited_bits, entry.h_in) for entry in entries] == [("bare", 0, 0.0)]


def test_an_operator_credits_a_source_by_naming_a_certificate() -> None:
    bare = Scripted("bare", credit=0)
    claim = Claim.by_operator(2.0, certificate="ESV E123")
    pool = EntropyPool([bare], claims={"bare": claim})
    _, ledger = pool.seed_material(256)
    assert ledger.entries[0].symbols == 160
    assert "ESV E123" in ledger.entries[0].note
    assert "ESV E123" in pool.health_report()["sources"][0]["note"]


def test_uncredited_sources_cost_a_seed_only_milliseconds() -> None:
    slow = Scripted("slow", credit=0, rate=100.0)
    pool = EntropyPool([slow])
    assert pool.uncredited_material() == (b"", ())
    assert slow.reads == []


def test_bad_input() -> None:
    pool = EntropyPool([Scripted()])
    with pytest.raises(errors.InvalidInputError, match="bits=0"):
        pool.get_entropy(0)
    with pytest.raises(errors.InvalidInputError, match="already"):
        pool.add_source(Scripted())
    with pytest.raises(errors.InvalidInputError, match="not a NoiseSource"):
        pool.add_source(object())  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidInputError, match="4-bit"):
        pool.add_source(Scripted("other"), claim=Claim(min_entropy=1, symbol_bits=4, evidence=EVIDENCE))
    with pytest.raises(errors.InvalidInputError, match="not in the pool"):
        EntropyPool([Scripted()], claims={"nobody": Claim(min_entropy=0)})
    with pytest.raises(errors.InvalidInputError, match="deadline_s"):
        EntropyPool(deadline_s=0)
    with pytest.raises(errors.InvalidInputError, match="no source named"):
        pool.reset_source("nobody")
    with pytest.raises(errors.InvalidInputError):
        pool.get_random_bytes(-1)


def test_on_demand_test_reads_fresh_symbols() -> None:
    source = Scripted()
    pool = EntropyPool([source])
    assert pool.on_demand_test() == {"scripted": True}
    assert source.reads == [1024, 1024]
    bad = make("stuck", 2)
    pool.add_source(bad)
    assert pool.on_demand_test("faulty") == {"faulty": False}


def test_added_sources_are_used_by_the_next_seed() -> None:
    pool = EntropyPool()
    with pytest.raises(errors.EntropyUnavailableError):
        pool.get_random_bytes(1)
    pool.add_source(Scripted())
    assert len(pool.get_random_bytes(100)) == 100
    assert [source.name for source in pool.sources] == ["scripted"]


def test_pools_are_neither_copied_nor_pickled() -> None:
    pool = EntropyPool([Scripted()])
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(errors.CloneRefusedError):
            attempt(pool)


def test_print_health_and_report(capsys: pytest.CaptureFixture[str]) -> None:
    pool = EntropyPool([Scripted(), Scripted("bare", credit=0)])
    pool.get_random_bytes(1)
    pool.print_health()
    text = capsys.readouterr().out
    assert "scripted" in text
    assert "HEALTHY" in text
    assert "2 of 2 sources healthy" in text.replace("\n", " ")
    report = pool.health_report()
    json.dumps(report, allow_nan=False)
    assert report["last_seed"]["credited_bits"] >= 384
    assert report["instance"]["seeds"] == 1


def test_auto_delivers_on_this_machine() -> None:
    pool = EntropyPool.auto()
    assert len(pool.get_random_bytes(64)) == 64
    assert pool.last_ledger is not None
    assert pool.last_ledger.credited_bits >= 384
    assert pool.last_ledger.entries[0].min_entropy > 0


def test_threads_share_a_pool() -> None:
    pool = EntropyPool([Scripted()])
    blocks: list[bytes] = []

    def work() -> None:
        for _ in range(50):
            blocks.append(pool.get_entropy(256))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(blocks)) == 400


def test_no_credit_is_lost_between_two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread has a seed in the middle of ``credited_bits += ...``, as far as the pool's lock lets it."""
    others: list[threading.Thread] = []

    def count(slot: SourceSlot, bits: int) -> None:
        if bits and not others:
            others.append(threading.Thread(target=pool.seed_material, args=(256,)))
            others[0].start()
            others[0].join(0.5)  # without the lock it is done by then; with it, it waits for this thread
        slot.__dict__["credited_bits"] = bits

    counter = property(lambda slot: slot.__dict__["credited_bits"], count)
    monkeypatch.setattr(SourceSlot, "credited_bits", counter, raising=False)
    pool = EntropyPool([Scripted()])
    pool.seed_material(256)
    others[0].join()
    assert pool.health_report()["sources"][0]["credited_bits"] == 512


def test_a_shortfall_is_told_while_the_pool_is_locked() -> None:
    """The sources are asked for their reasons: no other thread reads or adds one meanwhile."""
    source = Scripted(credit=0)
    pool = EntropyPool([source])
    waited: list[bool] = []

    def availability() -> Availability:
        thread = threading.Thread(target=pool.uncredited_material)
        if not waited:
            waited.append(False)
            thread.start()
            thread.join(0.2)
            waited[0] = thread.is_alive()
        return Availability(True)

    source.availability = availability  # type: ignore[method-assign]
    with pytest.raises(errors.EntropyUnavailableError, match="scripted: no credit"):
        pool.seed_material(256)
    assert waited == [True]


class OwnMaterial(EntropyPool):
    """A pool that makes of its sources' material what it likes."""

    def seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        material, ledger = super().seed_material(bits)
        return hash_df(material, 8 * len(material)), ledger


def test_seeds_ahead_are_those_of_one_request_each() -> None:
    seeds = EntropyPool([Scripted()]).seeds_ahead(3)
    twin = Scripted()
    twin.symbols(1024)  # the start-up test
    symbols = twin.symbols(3 * 80)
    assert [material for material, _ in seeds] == [hash_df(symbols[n : n + 80], 256) for n in (0, 80, 160)]
    assert [(ledger.requested_bits, ledger.credited_bits, len(ledger.entries)) for _, ledger in seeds] == [
        (256, 256, 1)
    ] * 3
    assert OwnMaterial([Scripted()]).seeds_ahead(3) == []
    with pytest.raises(errors.EntropyUnavailableError):
        EntropyPool().seeds_ahead(3)


@pytest.mark.parametrize(
    "load",
    [
        "from esoteric_drbg import EntropyPool",
        "from esoteric_drbg.rbg.rbg2 import EntropyPool",
        "import warnings; warnings.simplefilter('ignore'); from esoteric_drbg.pool import EntropyPool",
    ],
)
def test_a_pool_alone_has_its_own_instance(load: str) -> None:
    code = f"{load}\npool = EntropyPool.auto()\nprint(len(pool.get_random_bytes(8)), type(pool.instance).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "8 RBG2Instance\n"), done.stderr


def test_a_pool_without_a_maker_of_instances_says_what_to_load() -> None:
    code = "from esoteric_drbg.seeding.pool import EntropyPool\nEntropyPool().get_random_bytes(8)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DRBGStateError: a pool's own instance needs esoteric_drbg.rbg.rbg2" in done.stderr
