"""SystemRandom: a full random.Random over an RBG instance, as random.SystemRandom is over the kernel's."""

from __future__ import annotations

import copy
import hashlib
import inspect
import pickle
import random
import unittest
from typing import Any

import pytest

from esoteric_drbg import RBG2Instance, SystemRandom
from esoteric_drbg.errors import EntropyUnavailableError

#: Every drawing method of random.Random with arguments; of those that a Python version lacks, the rest is tested.
CALLS: dict[str, tuple[Any, ...]] = {
    "betavariate": (2, 3),
    "binomialvariate": (1000, 0.3),
    "choice": ("abc",),
    "choices": ("abc", [1, 2, 3]),
    "expovariate": (2.0,),
    "gammavariate": (2.0, 1.0),
    "gauss": (0.0, 1.0),
    "getrandbits": (100,),
    "lognormvariate": (0.0, 1.0),
    "normalvariate": (0.0, 1.0),
    "paretovariate": (3.0,),
    "randbytes": (9,),
    "randint": (1, 6),
    "random": (),
    "randrange": (1, 100, 3),
    "sample": (range(100), 5),
    "shuffle": ([1, 2, 3, 4],),
    "triangular": (0, 1, 0.5),
    "uniform": (1, 2),
    "vonmisesvariate": (0, 4),
    "weibullvariate": (1, 2),
}


class Recorded:
    """Gives a known byte stream up to a limit."""

    def __init__(self, limit: int = 1 << 40) -> None:
        self.given = 0
        self.limit = limit

    def token_bytes(self, n_bytes: int) -> bytes:
        if self.given + n_bytes > self.limit:
            raise EntropyUnavailableError("no more")
        self.given += n_bytes
        return hashlib.shake_128(b"random").digest(self.given)[-n_bytes:] if n_bytes else b""


def test_every_method_of_random_is_here() -> None:
    public = {name for name, _ in inspect.getmembers(random.Random, callable) if not name.startswith("_")}
    assert public - {"seed", "getstate", "setstate"} <= set(CALLS) | {"VERSION"}


@pytest.mark.parametrize("name", [name for name in CALLS if hasattr(random.Random, name)])
def test_methods_draw_from_the_instance_that_was_given(name: str) -> None:
    source = Recorded()
    first = getattr(SystemRandom(instance=source), name)(*copy.copy(CALLS[name]))
    assert source.given > 0
    assert getattr(SystemRandom(instance=Recorded()), name)(*copy.deepcopy(CALLS[name])) == first or name == "shuffle"
    with pytest.raises(EntropyUnavailableError):
        getattr(SystemRandom(instance=Recorded(0)), name)(*copy.deepcopy(CALLS[name]))


def test_an_error_leaves_no_half_of_a_gaussian_pair_behind() -> None:
    source = Recorded(7)
    generator = SystemRandom(instance=source)
    for _ in range(2):
        with pytest.raises(EntropyUnavailableError):
            generator.gauss()
        source.given = 0


def test_a_seed_is_taken_and_ignored() -> None:
    for generator in (SystemRandom(1), SystemRandom(seed="text"), SystemRandom([1, 2]), SystemRandom(1, instance=None)):
        before = generator.random()
        generator.seed(1)
        assert generator.random() != before
    assert SystemRandom(5, instance=Recorded()).random() == SystemRandom(6, instance=Recorded()).random()


def test_subclasses_may_have_arguments_of_their_own() -> None:
    class Dice(SystemRandom):
        def __init__(self, sides: int, *, name: str) -> None:
            super().__init__()
            self.sides, self.name = sides, name

        def roll(self) -> int:
            return self.randint(1, self.sides)

    assert {Dice(6, name="d6").roll() for _ in range(200)} == set(range(1, 7))


@pytest.mark.parametrize("use", [copy.copy, copy.deepcopy, pickle.dumps, SystemRandom.getstate])
def test_the_state_is_nobodys(use: Any) -> None:
    with pytest.raises(NotImplementedError):
        use(SystemRandom())
    with pytest.raises(NotImplementedError):
        SystemRandom().setstate(())


def test_an_rbg2_instance_can_be_given() -> None:
    from esoteric_drbg import EntropyPool

    rbg = RBG2Instance(EntropyPool.auto(plugins=False))
    assert 0 <= SystemRandom(instance=rbg).random() < 1
    assert rbg.seeds == 1


def test_cpythons_own_tests_of_system_random_pass() -> None:
    theirs: Any = pytest.importorskip("test.test_random", reason="this Python ships without its test package")

    class Tests(theirs.SystemRandom_TestBasicOps):  # type: ignore[misc]
        gen = SystemRandom()

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Tests).run(result)
    assert result.testsRun >= 30
    assert result.wasSuccessful(), result.failures + result.errors
