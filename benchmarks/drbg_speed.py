"""How fast the generators are, side by side in one run."""

from __future__ import annotations

import os
import secrets
import ssl
import statistics
import time
from collections.abc import Callable

import attrs

from esoteric_drbg.adapters.secrets_api import token_bytes
from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.mechanisms.base import DRBG
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.mechanisms.hmac_drbg import HmacDRBG
from esoteric_drbg.rbg.profiles import SP800_90A
from esoteric_drbg.rbg.rbg2 import RBG2Instance
from esoteric_drbg.seeding.pool import EntropyPool

__all__ = ["BASELINE", "GeneratorSpeed", "measure_generators"]

#: The generator with which the others are compared.
BASELINE = "os.urandom"

#: Seconds that one timing of a generator should take.
_TIMING_S = 2e-3


@attrs.frozen(kw_only=True)
class GeneratorSpeed(Document):
    """One generator at one request length.

    Attributes
    ----------
    seconds : float
        Median time of a request, in s.
    times_baseline : float
        Median, over the rounds, of the time of :data:`BASELINE` divided by this generator's: above 1 is faster.
    """

    generator: str
    request_bytes: int
    seconds: float
    times_baseline: float

    shown_last = ("megabytes_per_second",)

    @property
    def megabytes_per_second(self) -> float:
        """Output in 10^6 bytes a second."""
        return self.request_bytes / self.seconds / 1e6


def _seeded(drbg: DRBG) -> Callable[[int], bytes]:
    drbg.instantiate()
    return drbg.generate_long


def _entropy(min_entropy: int) -> bytes:
    """Return entropy input for timing only: the outputs are not used."""
    return os.urandom(-(-min_entropy // 8))


def generators() -> dict[str, Callable[[int], bytes]]:
    """Return every generator that is compared, by name: a function of the number of bytes."""
    from numpy.random import PCG64, Generator

    return {
        "token_bytes, sp800_90c": token_bytes,
        "RBG2 Hash_DRBG SHA-256, sp800_90a": RBG2Instance(
            lambda: EntropyPool.auto(plugins=False), profile=SP800_90A
        ).token_bytes,
        "Hash_DRBG SHA-512": _seeded(HashDRBG(_entropy, hash_name="sha512")),
        "HMAC_DRBG SHA-256": _seeded(HmacDRBG(_entropy)),
        "HMAC_DRBG SHA-512": _seeded(HmacDRBG(_entropy, hash_name="sha512")),
        "CTR_DRBG AES-256": _seeded(CtrDRBG(_entropy)),
        "secrets.token_bytes": secrets.token_bytes,
        BASELINE: os.urandom,
        "ssl.RAND_bytes": ssl.RAND_bytes,
        "numpy PCG64 (not cryptographic)": Generator(PCG64()).bytes,
    }


def _time(function: Callable[[int], bytes], n_bytes: int, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        function(n_bytes)
    return (time.perf_counter() - began) / calls


def measure_generators(
    request_bytes: tuple[int, ...] = (32, 1 << 16, 1 << 20),
    *,
    rounds: int = 15,
    progress: Callable[[str], object] | None = None,
) -> list[GeneratorSpeed]:
    """Time every generator in turn, round after round, so that a disturbance of the machine affects them all.

    Parameters
    ----------
    request_bytes : tuple of int
        Lengths of a request, in bytes.
    rounds : int
        Timings of each generator and length.
    progress : callable, optional
        Called with a line before each length.

    Examples
    --------
    >>> rows = measure_generators((32,), rounds=1)
    >>> [row.generator for row in rows if row.times_baseline == 1]
    ['os.urandom']
    """
    if rounds < 1 or not request_bytes or min(request_bytes) < 1:
        raise InvalidInputError(f"rounds={rounds}, request_bytes={request_bytes}: expected positive numbers")
    compared = generators()
    results = []
    for n_bytes in request_bytes:
        if progress is not None:
            progress(f"requests of {n_bytes:,} bytes")
        calls = {}
        for name, function in compared.items():
            _time(function, n_bytes, 3)  # the first calls seed and allocate memory
            calls[name] = max(1, int(_TIMING_S / max(_time(function, n_bytes, 3), 1e-9)))
        timings = [
            {name: _time(function, n_bytes, calls[name]) for name, function in compared.items()} for _ in range(rounds)
        ]
        results += [
            GeneratorSpeed(
                generator=name,
                request_bytes=n_bytes,
                seconds=statistics.median(timing[name] for timing in timings),
                times_baseline=statistics.median(timing[BASELINE] / timing[name] for timing in timings),
            )
            for name in compared
        ]
    return results
