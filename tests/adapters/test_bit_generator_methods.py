"""Every drawing method of numpy's Generator: it draws under the lock, and a failure reaches the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import esoteric_drbg
from esoteric_drbg.errors import EntropyUnavailableError

EYE = np.eye(3)
MANY = 5_000

#: Method -> calls that draw, each in a different way inside numpy.
CALLS: dict[str, list[Callable[[np.random.Generator], Any]]] = {
    "beta": [lambda g: g.beta(2, 3), lambda g: g.beta(0.5, 0.5, MANY), lambda g: g.beta([1, 2], 3)],
    "binomial": [lambda g: g.binomial(10, 0.3), lambda g: g.binomial(1000, 0.5, MANY)],
    "bytes": [lambda g: g.bytes(1), lambda g: g.bytes(MANY)],
    "chisquare": [lambda g: g.chisquare(3), lambda g: g.chisquare([1.5, 3], (5, 2))],
    "choice": [
        lambda g: g.choice(10),
        lambda g: g.choice(10, MANY),
        lambda g: g.choice(10, 5, replace=False),
        lambda g: g.choice(10, 5, replace=False, shuffle=False),
        lambda g: g.choice(100_000, 5, replace=False),
        lambda g: g.choice(100_000, 60_000, replace=False),
        lambda g: g.choice(3, p=[0.2, 0.3, 0.5]),
        lambda g: g.choice(["a", "b", "c"], 2, p=[0.2, 0.3, 0.5], replace=False),
        lambda g: g.choice(EYE, 2, axis=1),
    ],
    "dirichlet": [lambda g: g.dirichlet([1, 2, 3]), lambda g: g.dirichlet([0.01, 0.02], 100)],
    "exponential": [lambda g: g.exponential(), lambda g: g.exponential(2.0, MANY)],
    "f": [lambda g: g.f(3, 4), lambda g: g.f(3, 4, 100)],
    "gamma": [lambda g: g.gamma(0.5), lambda g: g.gamma(3.0, size=100)],
    "geometric": [lambda g: g.geometric(0.2), lambda g: g.geometric(0.5, 100)],
    "gumbel": [lambda g: g.gumbel(), lambda g: g.gumbel(size=100)],
    "hypergeometric": [lambda g: g.hypergeometric(5, 6, 4), lambda g: g.hypergeometric(50, 60, 40, 100)],
    "integers": [
        lambda g: g.integers(10),
        lambda g: g.integers(10, size=MANY),
        lambda g: g.integers([3, 4, 5]),
        lambda g: g.integers(1 << 40, size=9),
        lambda g: g.integers(0, 2, size=7, dtype=bool),
        *(lambda g, kind=kind: g.integers(0, 100, size=9, dtype=kind) for kind in ("u1", "i2", "u4", "i8")),
        lambda g: g.integers([0, 1], [1 << 62, 1 << 63], dtype=np.uint64, endpoint=True),
    ],
    "laplace": [lambda g: g.laplace(), lambda g: g.laplace(size=100)],
    "logistic": [lambda g: g.logistic(), lambda g: g.logistic(size=100)],
    "lognormal": [lambda g: g.lognormal(), lambda g: g.lognormal(size=100)],
    "logseries": [lambda g: g.logseries(0.5), lambda g: g.logseries(0.5, 100)],
    "multinomial": [
        lambda g: g.multinomial(10, [0.2, 0.8]),
        lambda g: g.multinomial([10, 20], [0.2, 0.8], size=(50, 2)),
    ],
    "multivariate_hypergeometric": [
        lambda g: g.multivariate_hypergeometric([3, 4, 5], 4),
        lambda g: g.multivariate_hypergeometric([3, 4, 5], 4, 20, method="count"),
    ],
    "multivariate_normal": [lambda g: g.multivariate_normal([0, 0, 0], EYE, 10)],
    "negative_binomial": [lambda g: g.negative_binomial(3, 0.4), lambda g: g.negative_binomial(3, 0.4, 100)],
    "noncentral_chisquare": [lambda g: g.noncentral_chisquare(3, 1), lambda g: g.noncentral_chisquare(3, 1, 100)],
    "noncentral_f": [lambda g: g.noncentral_f(3, 4, 1), lambda g: g.noncentral_f(3, 4, 1, 100)],
    "normal": [lambda g: g.normal(), lambda g: g.normal(1.0, 2.0, MANY), lambda g: g.normal([1, 2], 1)],
    "pareto": [lambda g: g.pareto(3), lambda g: g.pareto(3, 100)],
    "permutation": [lambda g: g.permutation(10), lambda g: g.permutation([1, 2, 3]), lambda g: g.permutation(EYE)],
    "permuted": [lambda g: g.permuted(np.arange(9)), lambda g: g.permuted(EYE, axis=1)],
    "poisson": [lambda g: g.poisson(3), lambda g: g.poisson(300, MANY)],
    "power": [lambda g: g.power(3), lambda g: g.power(3, 100)],
    "random": [
        lambda g: g.random(),
        lambda g: g.random(MANY),
        lambda g: g.random(100, dtype=np.float32),
        lambda g: g.random(dtype=np.float32),
        lambda g: g.random(out=np.empty(100)),
    ],
    "rayleigh": [lambda g: g.rayleigh(), lambda g: g.rayleigh(size=100)],
    "shuffle": [
        lambda g: g.shuffle([1, 2, 3]),
        lambda g: g.shuffle(np.arange(MANY)),
        lambda g: g.shuffle(np.eye(4)),
        lambda g: g.shuffle(np.eye(4), axis=1),
        lambda g: g.shuffle(np.array([1, "a", None], dtype=object)),
        lambda g: g.shuffle(bytearray(b"abc")),
    ],
    "standard_cauchy": [lambda g: g.standard_cauchy(), lambda g: g.standard_cauchy(100)],
    "standard_exponential": [
        lambda g: g.standard_exponential(),
        lambda g: g.standard_exponential(100, method="inv"),
        lambda g: g.standard_exponential(100, dtype=np.float32),
        lambda g: g.standard_exponential(MANY),
    ],
    "standard_gamma": [lambda g: g.standard_gamma(2.0), lambda g: g.standard_gamma(0.3, 100, dtype=np.float32)],
    "standard_normal": [lambda g: g.standard_normal(), lambda g: g.standard_normal(MANY, dtype=np.float32)],
    "standard_t": [lambda g: g.standard_t(3), lambda g: g.standard_t(3, 100)],
    "triangular": [lambda g: g.triangular(0, 1, 2), lambda g: g.triangular(0, 1, 2, 100)],
    "uniform": [lambda g: g.uniform(), lambda g: g.uniform(2, 3, MANY), lambda g: g.uniform([1, 2], 3)],
    "vonmises": [lambda g: g.vonmises(0, 4), lambda g: g.vonmises(0, 4, 100)],
    "wald": [lambda g: g.wald(3, 2), lambda g: g.wald(3, 2, 100)],
    "weibull": [lambda g: g.weibull(3), lambda g: g.weibull(3, 100)],
    "zipf": [lambda g: g.zipf(3), lambda g: g.zipf(3, 100)],
}

EVERY_CALL = [
    pytest.param(call, id=f"{name}-{index}") for name, calls in CALLS.items() for index, call in enumerate(calls)
]


class Failing:
    """Gives ``n_bytes`` bytes, the same ones each time, then none."""

    def __init__(self, n_bytes: int) -> None:
        self.left = n_bytes
        self.given = 0
        self.refused = 0
        self._bytes = np.random.default_rng(1)

    def token_bytes(self, n_bytes: int) -> bytes:
        if n_bytes > self.left:
            self.refused += 1
            raise EntropyUnavailableError("this source is dry")
        self.left -= n_bytes
        self.given += n_bytes
        return self._bytes.bytes(n_bytes)


def test_every_method_that_draws_is_here() -> None:
    public = {name for name in dir(np.random.Generator) if not name.startswith("_")}
    assert public - {"bit_generator", "spawn"} == set(CALLS)


@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_failure_at_the_first_word_reaches_the_caller(
    word_stream: type, call: Callable[[np.random.Generator], Any]
) -> None:
    source = Failing(0)
    generator = np.random.Generator(esoteric_drbg.BitGenerator(source, buffer_bytes=8))
    for attempt in (1, 2):
        with pytest.raises(EntropyUnavailableError, match="dry"):
            call(generator)
        assert source.refused == attempt


@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_failure_in_mid_draw_reaches_the_caller_and_no_later_call(
    word_stream: type, call: Callable[[np.random.Generator], Any]
) -> None:
    plenty = Failing(1 << 30)
    call(np.random.Generator(esoteric_drbg.BitGenerator(plenty, buffer_bytes=8)))
    # The same words again, but for the last one.
    source = Failing(plenty.given - 8)
    generator = np.random.Generator(esoteric_drbg.BitGenerator(source, buffer_bytes=8))
    with pytest.raises(EntropyUnavailableError, match="dry"):
        call(generator)
    assert source.given == plenty.given - 8
    assert source.refused == 1
    source.left = 1 << 30
    call(generator)


@pytest.mark.parametrize("call", EVERY_CALL)
def test_words_are_drawn_under_the_lock(word_stream: type, call: Callable[[np.random.Generator], Any]) -> None:
    free: list[bool] = []

    class Watching(Failing):
        def token_bytes(self, n_bytes: int) -> bytes:
            if len(free) < 2:
                other = threading.Thread(target=lambda: free.append(bits.lock.acquire(blocking=False)))
                other.start()
                other.join()
            return super().token_bytes(n_bytes)

    bits = esoteric_drbg.BitGenerator(Watching(1 << 30), buffer_bytes=1024)
    call(np.random.Generator(bits))
    assert free
    assert not any(free)
