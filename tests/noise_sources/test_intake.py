"""Sources nobody here wrote: whatever one returns or throws costs only itself, earns nothing, and shows no sample."""

from __future__ import annotations

import copy
import json
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from fakes import our_threads, stream
from hostile import ANSWERS, EVIDENCE, READS, SECRET, Healthy, Hostile, late, shown

from esoteric_drbg import EntropyPool, RBG2Instance, errors
from esoteric_drbg.conformance.recording.recorder import record
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource
from esoteric_drbg.noise_sources.intake import checked_samples, one_line
from esoteric_drbg.seeding.conditioning import hash_df

FAULTS = [*(("read", name) for name in READS), *(("answer", name) for name in ANSWERS)]
IDS = [f"{what} {name}".replace(" ", "-") for what, name in FAULTS]


def hostile(fault: tuple[str, str], good: int = 0) -> Hostile:
    return Hostile(good=good, **{fault[0]: fault[1]})


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_hostile_source_costs_only_itself(fault: tuple[str, str], good: int) -> None:
    """It is first in the queue, for its declared rate, and works for a while; the seed is the healthy source's."""
    pool = EntropyPool([hostile(fault, good), Healthy()], deadline_s=1.0)
    for _ in range(2):
        material, ledger = pool.seed_material(512)
        assert {entry.source for entry in ledger.entries} == {"healthy"}
        assert len(material) == 64
    assert len(RBG2Instance(pool).token_bytes(32)) == 32
    assert len(pool.get_entropy(256)) == 32
    report = pool.health_report()
    row = report["sources"][0]
    assert row["credited_bits"] == 0
    assert row["fault"] or row["reason"]
    assert not shown(json.dumps(report) + repr(report) + repr(ledger) + repr(pool))


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
@pytest.mark.parametrize("good", [0, 2])
def test_a_hostile_source_alone_is_an_error_that_shows_no_sample(fault: tuple[str, str], good: int) -> None:
    source = hostile(fault, good)
    pool = EntropyPool([source], deadline_s=1.0)
    with pytest.raises(errors.EntropyUnavailableError, match="hostile") as caught:
        pool.get_entropy(512)
    assert not shown(str(caught.value))
    assert caught.value.__context__ is None
    with pytest.raises(errors.EntropyUnavailableError):
        RBG2Instance(pool).token_bytes(1)
    pool.start()
    pool.on_demand_test()
    pool.uncredited_material()
    assert not shown(json.dumps(pool.health_report()))


USES: dict[str, Callable[[Hostile, Path], Any]] = {
    "collect": lambda source, _: source.collect(80),
    "read_exactly": lambda source, _: source.read_exactly(80),
    "entropy_quality": lambda source, _: source.entropy_quality(80, progress=lambda *_: None),
    "record": lambda source, folder: record(source, 80, folder / "hostile.bin"),
    "record wide": lambda source, folder: record(source, 80, folder / "hostile.bin", wide=True),
}


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
@pytest.mark.parametrize("use", USES)
def test_the_laboratory_gets_an_error_of_the_family(fault: tuple[str, str], use: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SourceError, match="hostile") as caught:
        USES[use](hostile(fault), tmp_path)
    error: BaseException | None = caught.value
    while error is not None:
        assert not shown(str(error) + repr(error))
        error = error.__context__
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array("B", data), np.frombuffer])
def test_every_honest_buffer_is_taken_as_a_private_copy(make: Callable[[Any], Any]) -> None:
    data = bytearray(SECRET[:80])
    given = np.frombuffer(data, dtype=np.uint8) if make is np.frombuffer else make(data)
    taken = checked_samples(given, 80, 8)
    data[:] = bytes(80)
    assert type(taken) is bytes
    assert taken == SECRET[:80]
    assert taken is not given


class Narrow(Hostile):
    """Stuck at 1, with a counter in the bits above its symbol."""

    info = Hostile.info.replace(
        symbol_bits=1, claim=Claim(min_entropy=0.5, symbol_bits=1, evidence=EVIDENCE.replace(assessed=1.0))
    )

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
        self.reads += 1
        return bytes(2 * index + 1 & 0xFF for index in range(n_samples))


def test_a_symbol_wider_than_its_claim_is_a_fault() -> None:
    pool = EntropyPool([Narrow()])
    with pytest.raises(errors.EntropyUnavailableError, match="a sample is wider than 1 bits"):
        pool.seed_material(512)
    with pytest.raises(errors.SourceReadError, match="wider than 1 bits"):
        Narrow().collect(100)


def test_what_is_hashed_is_what_was_tested() -> None:
    """A view of a live buffer passed the tests, and was hashed after a thread had overwritten it."""

    class Live(Healthy):
        def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
            self.kept = bytearray(super().read_raw(n_samples))
            return memoryview(self.kept)

    source = Live()
    pool = EntropyPool([source])
    monitor = pool._slots["healthy"].monitor
    judge = monitor.test

    def then_overwrite(symbols: Any) -> None:
        judge(symbols)
        source.kept[:] = bytes(len(source.kept))

    monitor.test = then_overwrite  # type: ignore[method-assign]
    assert pool.seed_material(256)[0] == hash_df(stream("healthy 2", 80), 256)


def test_a_buffer_that_goes_on_changing_is_no_crash() -> None:
    source = Hostile()
    source.read_raw = lambda n_samples, **_: late(n_samples)  # type: ignore[method-assign]
    pool = EntropyPool([source, Healthy()])
    for _ in range(5):
        assert len(pool.get_entropy(512)) == 64


class Hanging(Hostile):
    """Says that it bounds its reads, and does not."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.release = threading.Event()

    def availability(self) -> Any:
        if self.where == "availability":
            self.release.wait(600)
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
        if self.where == "second read" and not self.reads:
            return super().read_raw(n_samples)
        self.reads += 1
        self.release.wait(600)
        return SECRET[:n_samples]


@pytest.mark.parametrize("where", ["availability", "read", "second read"])
def test_a_source_that_ignores_its_deadline_is_left_behind(where: str) -> None:
    source = Hanging(where)
    pool = EntropyPool([source, Healthy()], deadline_s=0.3)
    before = our_threads()
    for _ in range(5):
        assert {entry.source for entry in pool.seed_material(256)[1].entries} == {"healthy"}
        assert not shown(json.dumps(pool.health_report()))
    (left_behind,) = our_threads() - before
    assert left_behind.is_alive()
    assert pool.health_report()["sources"][0]["state"] == "RETIRED"
    source.release.set()
    pool.reset_source("hostile")


def test_an_interrupt_of_the_user_passes_and_one_of_the_source_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C arrives in the thread that waits for a foreign source, or in an inline read of one of ours."""
    pool = EntropyPool([Hostile("KeyboardInterrupt"), Healthy()])
    assert len(pool.get_entropy(256)) == 32
    source = Hanging("read")
    waiting = EntropyPool([source, Healthy()], deadline_s=20.0)
    join = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "esoteric_drbg read hostile":
            raise KeyboardInterrupt
        join(thread, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            waiting.seed_material(256)
    source.release.set()
    assert len(waiting.get_entropy(256)) == 32
    from esoteric_drbg.noise_sources.timing.memory_timing import MemoryTimingSource

    for thrown in (KeyboardInterrupt, SystemExit):
        ours = EntropyPool([MemoryTimingSource()])
        with monkeypatch.context() as patch:
            patch.setattr(MemoryTimingSource, "read_raw", lambda *_, error=thrown, **__: raise_(error))
            with pytest.raises(thrown):
                ours.seed_material(256)


def raise_(error: type[BaseException]) -> None:
    raise error


class Fickle(Hostile):
    """Metadata that are other ones every time somebody looks, or raise from the second time on."""

    looks: ClassVar[dict[str, int]] = {}
    then: ClassVar[dict[str, Any]] = {}

    def __getattribute__(self, label: str) -> Any:
        then = type(self).then
        if label in then:
            looks = type(self).looks
            looks[label] = looks.get(label, 0) + 1
            if looks[label] > 1:
                if then[label] is SystemExit:
                    raise SystemExit(SECRET.hex())
                return then[label]
        return super().__getattribute__(label)


FICKLE: dict[str, Any] = {
    "name": "healthy",
    "description": SECRET.hex(),
    "symbol_bits": 4,
    "estimated_rate": 1e-30,
    "independence_group": "healthy",
    "claim": Claim(min_entropy=0.001, evidence=EVIDENCE),
    "bounded": SystemExit,
    "info": Healthy.info,
}


@pytest.mark.parametrize("label", FICKLE)
@pytest.mark.parametrize("how", ["changes", "raises"])
def test_metadata_are_read_once(label: str, how: str) -> None:
    Fickle.looks, Fickle.then = {}, {label: FICKLE[label] if how == "changes" else SystemExit}
    pool = EntropyPool([Fickle()])
    assert len(pool.get_entropy(256)) == 32
    row = pool.health_report()["sources"][0]
    assert (row["name"], row["credit"], row["independence_group"]) == ("hostile", 4.0, "hostile")
    assert Fickle.looks.get(label, 0) <= 1
    assert not shown(json.dumps(pool.health_report()))


class Lying(Claim):
    """A claim that credits more than it claims."""

    @property
    def credit(self) -> float:
        return 8.0


def altered() -> Claim:
    claim = copy.copy(Hostile.claim)
    object.__setattr__(claim, "min_entropy", 1e6)
    return claim


@pytest.mark.parametrize(
    ("label", "value", "match"),
    [
        ("name", "", "has no name"),
        ("name", 5, "has no name"),
        ("name", "../../etc/passwd", "has no name that could be one of a file"),
        ("name", "two\nlines", "has no name that could be one of a file"),
        ("category", None, "has no category"),
        ("independence_group", ["a"], "has no independence_group"),
        ("symbol_bits", True, "symbols of"),
        ("symbol_bits", 64, "symbols of 64 bits"),
        ("estimated_rate", float("nan"), "estimated_rate"),
        ("estimated_rate", -1.0, "estimated_rate"),
        ("estimated_rate", "fast", "estimated_rate"),
        ("claim", None, "has no Claim"),
        ("claim", Lying(min_entropy=0.1), "has no Claim"),
        ("claim", altered(), "has no valid Claim"),
    ],
)
def test_impossible_metadata_are_bad_input(label: str, value: Any, match: str) -> None:
    source = Hostile()
    setattr(source, label, value)
    with pytest.raises(errors.InvalidInputError, match=match):
        EntropyPool([source])
    with pytest.raises(errors.InvalidInputError, match=match):
        EntropyPool().add_source(source)
    with pytest.raises(errors.InvalidInputError, match=match):
        source.collect(1)


def test_metadata_that_raise_or_hang_are_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esoteric_drbg.noise_sources.reader.ASK_DEADLINE_S", 0.2)

    class Raising(Hostile):
        @property
        def symbol_bits(self) -> int:  # type: ignore[override]
            raise SystemExit(SECRET.hex())

    class Waiting(Hostile):
        @property
        def estimated_rate(self) -> float:  # type: ignore[override]
            time.sleep(30)
            return 1.0

    for source, match in ((Raising(), "symbol_bits: SystemExit was raised"), (Waiting(), "did not return within")):
        with pytest.raises(errors.InvalidInputError, match=match) as caught:
            EntropyPool([source])
        assert not shown(str(caught.value))


def test_methods_that_a_foreign_class_overrides_are_not_believed(tmp_path: Path) -> None:
    class Overriding(Hostile):
        def read_exactly(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
            return SECRET.hex()

        def require_available(self) -> None:
            raise SystemExit

        def is_available(self) -> Any:
            raise SystemExit

        def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
            return [1] * n_samples

        def digitize(self, wide: Any) -> Any:
            return "x" * len(wide)

    facts = record(Overriding(), 100, tmp_path / "o.bin")
    assert (tmp_path / "o.bin").read_bytes() == stream("hostile 1", 100)
    assert facts["samples"] == 100
    with pytest.raises(errors.SourceReadError, match=r"read_wide\(\) returned a list"):
        record(Overriding(), 100, tmp_path / "w.bin", wide=True)
    Overriding.read_wide = lambda self, n_samples, **_: array("Q", range(n_samples))  # type: ignore[method-assign]
    with pytest.raises(errors.SourceReadError, match="returned a str"):
        record(Overriding(), 100, tmp_path / "w.bin", wide=True)
    Overriding.digitize = lambda self, wide: bytes(len(wide) + 1)  # type: ignore[method-assign]
    with pytest.raises(errors.SourceReadError, match="101 samples came, 100"):
        record(Overriding(), 100, tmp_path / "w.bin", wide=True)


def test_only_words_that_stand_in_the_code_are_repeated() -> None:
    class Plain(Hostile):
        def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
            raise OSError("the cable is loose")

    class Formatted(Hostile):
        def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> Any:
            raise OSError(f"the cable {n_samples} is loose")

    with pytest.raises(errors.SourceReadError, match=r"^hostile: OSError: the cable is loose$"):
        Plain().collect(5)
    with pytest.raises(errors.SourceReadError, match=r"^hostile: OSError was raised$"):
        Formatted().collect(5)
    assert one_line("a\x1b[2J\nb" + "c" * 1000).startswith("a [2J b")
    assert len(one_line("c" * 1000)) == 200


def test_a_reason_is_one_short_line() -> None:
    class Wordy(Hostile):
        def availability(self) -> Any:
            return Availability(False, "no\ndevice\x1b[31m" + "!" * 10_000)

    (row,) = EntropyPool([Wordy()]).health_report()["sources"]
    assert row["reason"].startswith("no device [31m!!!")
    assert len(row["reason"]) == 200


def test_a_foreign_source_is_read_in_threads_whatever_it_says() -> None:
    source = Hostile()
    assert source.bounded
    assert len(EntropyPool([source]).get_entropy(256)) == 32
    assert threading.get_ident() not in source.threads


class Forged(Healthy):
    """A class that says it is one of ours."""


Forged.__module__ = "esoteric_drbg.noise_sources.timing.memory_timing"


def test_a_class_that_calls_itself_ours_is_foreign() -> None:
    from esoteric_drbg.noise_sources.intake import is_ours

    assert not is_ours(Forged())
    assert is_ours(__import__("esoteric_drbg.noise_sources", fromlist=["create"]).create("memory_timing"))


def test_no_thread_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = EntropyPool([Hostile()])

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(errors.EntropyUnavailableError, match="no thread could be started"):
        pool.get_entropy(256)


def test_a_stand_in_takes_the_place_of_what_cannot_be_guarded() -> None:
    from esoteric_drbg.noise_sources import registry

    nameless = Hostile()
    nameless.name = 7  # type: ignore[assignment]
    found: list[NoiseSource] = registry.guarded_all([Healthy(), nameless])
    assert [source.is_available() for source in found] == [True, False]
    assert "has no name" in found[1].availability().reason
