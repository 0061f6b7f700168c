"""What a token costs does not depend on how many sources are installed: those it is not made of are not even loaded."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource, registry
from esoteric_drbg.noise_sources.evidence import measured

#: Twenty-five sources more, of which not one can be imported.
WITH_DUMMIES = (
    "from esoteric_drbg.noise_sources import registry\n"
    "registry.BUILT_IN.update({f'dummy_{index}': 'timing:Dummy' for index in range(25)})\n"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITH_DUMMIES + code], capture_output=True, text=True, check=False)


def test_a_token_loads_only_what_seeds_are_made_of() -> None:
    done = run(
        "import sys, esoteric_drbg\n"
        "for _ in range(1000): esoteric_drbg.token_bytes(32)\n"
        "pool = esoteric_drbg.process_instance().pool\n"
        "assert [source.name for source in pool.sources] == list(registry.SEEDING), pool.sources\n"
        "print(len(esoteric_drbg.SystemRandom().randbytes(7)))\n"
    )
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
    everything = run("import esoteric_drbg; esoteric_drbg.EntropyPool.auto(plugins=False)")
    assert "No module named 'esoteric_drbg.noise_sources.timing.dummy_0'" in everything.stderr


def test_every_seeding_source_is_one_of_ours() -> None:
    assert set(registry.SEEDING) <= set(registry.BUILT_IN)
    loaded = [source.name for source in (*registry.seeding(), *registry.in_reserve())]
    assert sorted(loaded) == sorted(registry.BUILT_IN)


class Spare(NoiseSource):
    """A source in reserve. Never entropy."""

    name = "spare"
    description = "simulated"
    category = "system"
    physics = "none"
    independence_group = "simulated"
    estimated_rate = 1e6
    claim = Claim(min_entropy=4.0, evidence=measured(8.0))
    bounded = True

    def availability(self) -> Availability:
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        return random.Random(n_samples).randbytes(n_samples)


def test_the_reserve_joins_before_a_seed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def in_reserve() -> list[NoiseSource]:
        calls.append(1)
        return [Spare()]

    monkeypatch.setattr(registry, "in_reserve", in_reserve)
    pool = EntropyPool.for_tokens()
    assert pool.seed_material(384)[1].entries[0].source != "spare"
    assert calls == []
    for slot in pool._slots.values():
        slot.retired = True
    _, ledger = pool.seed_material(384)
    assert {entry.source for entry in ledger.entries} == {"spare"}
    assert ledger.credited_bits == 512
    assert any(text.startswith("memory_timing") for text in ledger.missing)
    pool._slots["spare"].retired = True
    with pytest.raises(errors.EntropyUnavailableError, match="spare"):
        pool.seed_material(384)
    assert calls == [1]
