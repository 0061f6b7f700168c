"""Frozen classes behave as attrs would have made them."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import attrs
import pytest

from esoteric_drbg import SP800_90C, Profile, errors
from esoteric_drbg.conformance.entropy.estimates import Estimate, LRSEstimate, NotEstimated
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.frozen import Frozen
from esoteric_drbg.noise_sources import Claim, Evidence


class Interval(Frozen):
    low: int = 0
    high: int

    def _check(self) -> None:
        if self.low > self.high:
            raise errors.InvalidInputError(f"{self.low} is above {self.high}")


class Named(Interval):
    name: str
    low: int = -1


@attrs.frozen(kw_only=True)
class AttrsInterval:
    low: int = 0
    high: int


@attrs.frozen(kw_only=True)
class AttrsNamed(AttrsInterval):
    name: str
    low: int = -1


@pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    [(Interval, AttrsInterval, {"high": 3}), (Named, AttrsNamed, {"high": 3, "name": "x"})],
)
def test_like_attrs(ours: Any, theirs: Any, values: dict[str, Any]) -> None:
    mine, other = ours(**values), theirs(**values)
    assert repr(mine) == repr(other).replace("Attrs", "")
    assert attrs.asdict(mine) == attrs.asdict(other)
    assert [field.name for field in attrs.fields(ours)] == [field.name for field in attrs.fields(theirs)]
    names = list(inspect.signature(theirs).parameters)
    assert list(inspect.signature(ours).parameters) == names
    assert all(
        inspect.signature(ours).parameters[name].default == inspect.signature(theirs).parameters[name].default
        for name in names
    )
    assert attrs.evolve(mine, low=2) == ours(**{**values, "low": 2}) == mine.replace(low=2)
    assert mine == ours(**values)
    assert hash(mine) == hash(ours(**values))
    assert mine != ours(**{**values, "high": 4})
    assert mine != other
    assert not hasattr(mine, "__dict__")
    for instance in (mine, other):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            instance.high = 4
        with pytest.raises(AttributeError):
            del instance.high
        with pytest.raises(AttributeError):
            instance.new = 4
    for made in (ours, theirs):
        with pytest.raises(TypeError):
            made(**values, other=1)
        with pytest.raises(TypeError):
            made()
        with pytest.raises(TypeError):
            made(3)


def test_a_base_is_another_class() -> None:
    assert Interval(low=0, high=3) != Named(low=0, high=3, name="x")
    assert isinstance(Named(high=3, name="x"), Interval)


@pytest.mark.parametrize(
    "value",
    [
        SP800_90C,
        Claim(
            min_entropy=0.5,
            evidence=Evidence(dataset="d", date="2026-01-01", machine_class="c", assessed=1, method="m"),
        ),
        LRSEstimate(min_entropy=0.5, u=1, v=2, p_hat=0.5, p_u=0.6),
        NotEstimated(reason="none"),
    ],
)
def test_values_travel(value: Frozen) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value


def test_a_copy_with_other_values_is_checked() -> None:
    assert Interval(high=3).replace(low=3).low == 3
    with pytest.raises(errors.InvalidInputError, match="4 is above 3"):
        Interval(high=3).replace(low=4)
    with pytest.raises(errors.InvalidInputError):
        attrs.evolve(SP800_90C, security_strength=100)  # type: ignore[misc]
    with pytest.raises(TypeError, match="misses the keyword-only argument 'seed_output_bits'"):
        Profile(name="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'bits'"):
        Profile(name="x", seed_output_bits=8, bits=1)  # type: ignore[call-arg]


def test_figures_keep_their_order() -> None:
    assert list(LRSEstimate(min_entropy=0.5, u=1, v=2, p_hat=0.5, p_u=0.6).as_dict()) == [
        "min_entropy",
        "u",
        "v",
        "p_hat",
        "p_u",
    ]
    assert NotEstimated(reason="none").as_dict() == {"min_entropy": None, "reason": "none"}
    assert issubclass(NotEstimated, Estimate)


def test_sample_sets_are_equal_to_themselves_alone() -> None:
    one, other = SampleSet.from_symbols(bytes(3)), SampleSet.from_symbols(bytes(3))
    assert one != other
    assert one == one.first(5)
    assert len({one, other}) == 2
    assert one.sha256 == other.sha256
    with pytest.raises(AttributeError):
        one.bits = 2  # type: ignore[misc]
