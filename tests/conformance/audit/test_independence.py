"""Independence of sources, on synthetic ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from esoteric_drbg.cli.audit.independence import independence
from esoteric_drbg.conformance.audit.independence import (
    PairResult,
    audit_independence,
    joint_entropy,
)
from esoteric_drbg.conformance.audit.independence_picture import draw_independence
from esoteric_drbg.conformance.faults.induced_failures import FaultySource
from esoteric_drbg.conformance.recording.simultaneous import Recording, pair_symbols, record_together
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources import Claim, registry

N = 10_000
RNG = np.random.default_rng(11)
BASE = RNG.integers(0, 256, N, dtype=np.uint8)
DRIFT = np.cumsum(RNG.normal(0, 0.4, N))


def drifting(seed: int) -> NDArray[np.uint8]:
    values = 128 + DRIFT - DRIFT.mean() + np.random.default_rng(seed).normal(0, 20, N)
    return np.asarray(values.clip(0, 255), dtype=np.uint8)


def recording(name: str, symbols: NDArray[np.uint8], group: str = "") -> Recording:
    return Recording(name=name, group=group or name, symbols=symbols)


def pair(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> PairResult:
    return audit_independence([recording("one", one), recording("other", other)]).pairs[0]


def test_independent_sources_pass() -> None:
    found = pair(BASE, np.random.default_rng(12).integers(0, 256, N, dtype=np.uint8))
    assert not found.dependent
    assert found.joint_passed


def test_an_identical_source_is_found_by_everything() -> None:
    found = pair(BASE, BASE)
    assert (found.dependent, found.lag, found.joint_passed, found.mutual_information_p) == (True, 0, False, 0.001)


def test_the_joint_entropy_of_bits_and_of_constants() -> None:
    bits = np.random.default_rng(16).integers(0, 2, N, dtype=np.uint8)
    turns = np.arange(N, dtype=np.uint8) & np.uint8(1)
    for figure in joint_entropy(turns, turns):
        assert figure == pytest.approx(0.0, abs=0.01)
    joint, single = joint_entropy(bits, np.zeros(N, dtype=np.uint8))
    assert joint == single
    assert joint is not None
    assert 0.8 < joint <= 1.0


@pytest.mark.parametrize("lag", [-700, 37])
def test_a_lagged_copy_is_found_at_its_lag(lag: int) -> None:
    found = pair(BASE, np.roll(BASE, lag))
    assert (found.dependent, found.lag) == (True, lag)


def test_dependence_by_xor_without_correlation_is_found_by_mutual_information() -> None:
    # y is x or its complement, at random: the correlation is 0.
    flip = np.random.default_rng(13).integers(0, 2, N, dtype=np.uint8) * np.uint8(255)
    found = pair(BASE, BASE ^ flip)
    assert found.dependent
    assert found.correlation_p > 0.01
    assert found.mutual_information_p == 0.001
    assert not found.joint_passed


def test_a_common_drift_is_found_and_said_to_be_one() -> None:
    found = pair(drifting(1), drifting(2))
    assert found.dependent
    assert found.serial
    assert "drift" in found.verdict


def test_p_values_of_independent_pairs_are_not_too_small() -> None:
    rng = np.random.default_rng(14)
    small = 0
    for _ in range(60):
        one, other = (recording(name, rng.integers(0, 256, 1000, dtype=np.uint8)) for name in ("a", "b"))
        small += audit_independence([one, other], permutations=99).pairs[0].p_value <= 0.1
    assert small <= 14  # binomial, 60 at 0.1: more with probability 0.001


def remembering(rng: np.random.Generator, n: int, memory: float) -> NDArray[np.uint8]:
    """Return symbols of a source that drifts: an autoregression of the first order."""
    values = np.zeros(n)
    steps = rng.normal(0, 1, n)
    for index in range(1, n):
        values[index] = memory * values[index - 1] + steps[index]
    return np.asarray((128 + 20 * values).clip(0, 255), dtype=np.uint8)


def test_memory_of_each_source_is_no_dependence_between_them() -> None:
    rng = np.random.default_rng(17)
    found = [pair(remembering(rng, 20_000, 0.9), remembering(rng, 20_000, 0.9)) for _ in range(12)]
    assert not any(one.dependent for one in found)
    assert all(one.serial for one in found)
    assert sorted(one.p_value for one in found)[1] > 0.01  # of twelve, two below 0.01: 0.6 % by chance
    one = remembering(rng, 20_000, 0.9)
    assert pair(one, np.roll(one, 5)).dependent


def test_a_symbol_with_many_partners_is_no_dependence() -> None:
    """A fast source that drifts beside one that stands still for 256 of its symbols."""
    rng = np.random.default_rng(18)
    for _ in range(6):
        slow = rng.integers(0, 256, 100, dtype=np.uint8)
        assert not pair(remembering(rng, 25_600, 0.5), np.repeat(slow, 256)).dependent


def test_groups_decide_what_is_a_failure() -> None:
    other = np.random.default_rng(12).integers(0, 256, N, dtype=np.uint8)
    audit = audit_independence([recording("a", BASE, "g"), recording("b", BASE, "g"), recording("c", other, "g")])
    assert audit.passed
    assert [one.dependent for one in audit.pairs] == [True, False, False]
    assert "looks independent" in audit.pairs[1].verdict
    assert not audit_independence([recording("a", BASE), recording("b", BASE)]).passed
    with pytest.raises(InvalidInputError):
        audit_independence([recording("a", BASE)])
    with pytest.raises(InvalidInputError, match="1,000 are needed"):
        audit_independence([recording("a", BASE[:50]), recording("b", BASE[:50])])


def test_pairs_follow_the_time_stamps() -> None:
    slow = Recording(
        name="s", group="s", symbols=np.arange(5, dtype=np.uint8), times=np.arange(0.0, 50.0, 10.0, dtype=np.float64)
    )
    fast = Recording(
        name="f", group="f", symbols=np.arange(41, dtype=np.uint8), times=np.arange(-0.5, 40.0, dtype=np.float64)
    )
    x, y = pair_symbols(slow, fast)
    assert x.tolist() == [0, 1, 2, 3]
    assert y.tolist() == [0, 10, 20, 30]
    assert [side.tolist() for side in pair_symbols(fast, slow)] == [y.tolist(), x.tolist()]


def test_each_symbol_is_paired_once_where_enough_are_left() -> None:
    n = 6000
    slow, fast = (
        Recording(
            name=name,
            group=name,
            symbols=np.arange(size, dtype=np.int64).astype(np.uint8),
            times=np.arange(size, dtype=np.float64) * step,
        )
        for name, size, step in (("s", n, 10.0), ("f", 10 * n, 1.0))
    )
    bursts = Recording(name="b", group="b", symbols=fast.symbols, times=np.arange(10 * n, dtype=np.float64) // 8 * 8)
    x, y = pair_symbols(slow, fast)
    assert x.size == y.size == n
    x, y = pair_symbols(slow, bursts)  # ten symbols of a burst share the slow one's time
    assert n * 0.9 < x.size <= n


def test_sources_are_recorded_in_order_and_errors_arrive() -> None:
    claim = Claim(min_entropy=1.0)
    sources = [FaultySource(BASE.tobytes(), claim, "a"), FaultySource(BASE[::-1].tobytes(), claim, "b")]
    first, second = record_together(sources, 100, chunk=10, warm_up=0)
    assert (first.name, second.name) == ("a", "b")
    assert first.times is not None
    assert 100 <= first.symbols.size == first.times.size
    assert first.symbols.tobytes() == BASE[: first.symbols.size].tobytes()
    assert (np.diff(first.times) >= 0).all()
    with pytest.raises(InvalidInputError, match="were read"):
        record_together([FaultySource(b"\x01" * 500, claim), sources[0]], 1000)


def test_the_picture_is_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    audit = audit_independence([recording("a", BASE), recording("b", BASE)])
    for name in ("1.svg", "2.svg", "3.png"):
        draw_independence(audit, tmp_path / name)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert (tmp_path / "3.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InvalidInputError):
        draw_independence(audit, tmp_path / "4.pdf")


def test_the_command_fails_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Claim(min_entropy=1.0)
    rng = np.random.default_rng(15)
    data = {name: rng.integers(0, 256, 4000, dtype=np.uint8).tobytes() for name in ("a", "b")}
    monkeypatch.setattr(registry, "create", lambda name: FaultySource(data[name], claim, name))
    assert CliRunner().invoke(independence, ["a", "a"]).exception is not None
    monkeypatch.setattr(
        "esoteric_drbg.conformance.recording.simultaneous.record_together",
        lambda sources, _n: [recording(one.name, BASE[:4000]) for one in sources],
    )
    result = CliRunner().invoke(independence, ["a", "b", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["pairs"][0]["dependent"] is True
    assert "DEPENDENT" in CliRunner().invoke(independence, ["a", "b"]).stdout
