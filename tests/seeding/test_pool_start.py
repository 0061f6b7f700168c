"""Starting many sources at once: one that hangs, raises or is slow costs its deadline and holds up no other."""

from __future__ import annotations

import os
import threading
import time

import pytest
from fakes import simulated

from esoteric_drbg import EntropyPool
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource


class Foreign(NoiseSource):
    """A source of another package, as far as the pool can tell."""

    def __init__(self, name: str, *, rate: float = 1e6, answer: str = "yes", pause_s: float = 0.0) -> None:
        claim = Claim(min_entropy=0.0, health_min_entropy=4.0)
        self.info = simulated(name, estimated_rate=rate, claim=claim)
        self.answer = answer
        self.pause_s = pause_s
        self.asked = 0
        self.read = 0
        self.release = threading.Event()

    def availability(self) -> Availability:
        self.asked += 1
        if self.answer == "hang":
            self.release.wait(30)
        if self.answer == "raise":
            raise RuntimeError("the driver is broken")
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        self.read += n_samples
        time.sleep(self.pause_s)
        return os.urandom(n_samples)


def states(pool: EntropyPool) -> dict[str, tuple[str, str]]:
    rows = pool.health_report()["sources"]
    return {row["name"]: (row["state"], row["fault"] or row["reason"]) for row in rows}


def test_sources_start_side_by_side() -> None:
    began = time.perf_counter()
    pool = EntropyPool([Foreign(f"source_{i}", pause_s=0.5) for i in range(20)])
    pool.start()
    assert time.perf_counter() - began < 5
    assert all(state == "HEALTHY" for state, _ in states(pool).values())


def test_a_source_that_never_answers_is_asked_once() -> None:
    mute, good = Foreign("mute", answer="hang"), Foreign("good")
    pool = EntropyPool([mute, good], deadline_s=0.3)
    began = time.perf_counter()
    pool.start()
    found = states(pool)
    assert time.perf_counter() - began < 5
    assert found["good"][0] == "HEALTHY"
    assert found["mute"][0] == "RETIRED"
    assert "did not say within 0.3 s" in found["mute"][1]
    assert mute.asked == 1
    mute.release.set()
    mute.answer = "yes"
    pool.reset_source("mute")
    pool.start()
    assert states(pool)["mute"][0] == "HEALTHY"


def test_a_source_whose_availability_raises_is_unavailable_with_that_reason() -> None:
    pool = EntropyPool([Foreign("broken", answer="raise"), Foreign("good")])
    pool.start()
    found = states(pool)
    assert found["broken"] == ("UNAVAILABLE", "RuntimeError: the driver is broken")
    assert found["good"][0] == "HEALTHY"


@pytest.mark.parametrize("rate", [10.0, 500.0])
def test_a_slow_source_is_left_untested_and_says_so(rate: float) -> None:
    slow = Foreign("slow", rate=rate)
    pool = EntropyPool([slow], deadline_s=1.0)
    pool.start()
    state, fault = states(pool)["slow"]
    assert state == "STARTUP"
    assert fault == f"start-up test left out: 1,024 symbols take some {1024 / rate:,.0f} s"
    assert slow.read == 0
