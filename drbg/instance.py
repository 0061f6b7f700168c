"""The RBG2 instance: a Hash_DRBG that seeds and reseeds itself from an entropy pool (SP 800-90C, RBG2(NP)).

Threads, forks and the budget of a seed are this module's business, so that no caller has to think of them. The hot
path is the kernel's ``token_bytes``: one Generate request while the granted budget lasts. Everything else comes here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from esoteric_drbg.errors import CloneRefusedError, InvalidInputError
from esoteric_drbg.forks import give_way, hold_across_fork
from esoteric_drbg.hash_drbg import HashDRBG
from esoteric_drbg.kernels.drbg import new_hash_drbg_state
from esoteric_drbg.ledger import SeedLedger
from esoteric_drbg.pool import EntropyPool
from esoteric_drbg.profiles import SP800_90C, Profile
from esoteric_drbg.version import __version__

__all__ = ["RBG2Instance"]

#: Most bytes of one DRBG request, SP 800-90A table 2.
MAX_REQUEST_BYTES = (1 << 19) // 8
#: Bytes of kernel randomness that go into every (re)seed as additional input, with credit 0.
OS_BYTES = 32


class RBG2Instance:
    """An RBG2(NP) construction: one Hash_DRBG SHA-256 instance over one entropy pool.

    Parameters
    ----------
    pool : EntropyPool or callable
        The pool, or a function that makes it when the first seed is due.
    profile : Profile
        How many output bits a seed may give: 2^17 in ``SP800_90C`` (the default).
    construction : str
        What :meth:`status` calls it; :class:`~esoteric_drbg.RBGCInstance` builds on this class.

    Notes
    -----
    Thread-safe. A forked child reseeds before its first byte. Copying and pickling are refused.

    Examples
    --------
    >>> rbg = RBG2Instance(EntropyPool.auto())
    >>> len(rbg.generate(100))
    100
    >>> rbg.uninstantiate()
    """

    #: Its lock comes before the pool's: a request holds it while it asks the pool for a seed.
    fork_order = 0

    def __init__(
        self,
        pool: EntropyPool | Callable[[], EntropyPool],
        *,
        profile: Profile = SP800_90C,
        construction: str = "RBG2(NP)",
    ) -> None:
        self.profile = profile
        self.construction = construction
        self.seeds = 0
        self.last_ledger: SeedLedger | None = None
        self._make_pool = pool if callable(pool) else None
        self._pool = pool if isinstance(pool, EntropyPool) else None
        self._lock = threading.RLock()
        self._state = new_hash_drbg_state("sha256", self._answer)
        self._drbg = HashDRBG(self._get_entropy_input, state=self._state)
        #: ``token_bytes(nbytes=None) -> bytes``: the hot path, with the signature of :func:`secrets.token_bytes`.
        self.token_bytes = self._state.token_bytes
        hold_across_fork(self)

    @property
    def pool(self) -> EntropyPool:
        """The entropy pool behind this instance."""
        with self._lock:
            if self._pool is None:
                assert self._make_pool is not None  # noqa: S101 - one of the two was given to __init__
                self._pool = self._make_pool()
            return self._pool

    def generate(self, n_bytes: int, *, additional_input: bytes = b"", prediction_resistance: bool = False) -> bytes:
        """Return ``n_bytes`` bytes, in as many Generate requests and seeds as they take.

        Parameters
        ----------
        n_bytes : int
            Bytes asked for, 0 or more.
        additional_input : bytes
            Goes into each request; adds no credited entropy.
        prediction_resistance : bool
            Reseed from the noise sources before each request (SP 800-90A 8.8).

        Raises
        ------
        InvalidInputError
            If ``n_bytes`` is negative.
        EntropyUnavailableError
            If a seed is due and the pool falls short. Nothing is returned.
        """
        if n_bytes < 0:
            raise InvalidInputError(f"n_bytes={n_bytes}: negative argument not allowed")
        if not additional_input and not prediction_resistance:
            return self.token_bytes(n_bytes)
        chunks = []
        give_way()
        with self._lock:
            remaining = n_bytes
            while remaining > 0:
                if prediction_resistance:
                    self.reseed(additional_input)
                size = self._reserve(min(remaining, MAX_REQUEST_BYTES))
                chunks.append(self._drbg.generate(size, additional_input=additional_input))
                remaining -= size
        return b"".join(chunks)

    def reseed(self, additional_input: bytes = b"") -> None:
        """Seed the instance afresh from the noise sources now (SP 800-90A 9.2; 9.1 before the first seed).

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short. What was left of the old seed's budget remains usable.
        """
        with self._lock:
            extra = additional_input + _uncredited_bytes()
            if self._drbg.instantiated:
                self._drbg.reseed(extra)
            else:
                mixed, _ = self.pool.uncredited_material()
                self._drbg.instantiate(
                    self.profile.security_strength,
                    personalization_string=_personalization(self.construction) + extra + mixed,
                )
            self.seeds += 1
            self._state.grant(self.profile.seed_output_bits)

    def uninstantiate(self) -> None:
        """Overwrite the working state (9.4). The next request instantiates anew."""
        with self._lock:
            self._drbg.uninstantiate()

    def status(self) -> dict[str, Any]:
        """Return plain figures about the instance; no secret is among them."""
        return {
            "mechanism": "Hash_DRBG SHA-256",
            "construction": self.construction,
            "profile": self.profile.name,
            "security_strength": self._drbg.security_strength,
            "instantiated": self._drbg.instantiated,
            "seeds": self.seeds,
            "requests_since_seed": max(self._state.reseed_counter - 1, 0),
            "budget_bits_left": self._state.budget_bits,
        }

    def _get_entropy_input(self, min_entropy: int) -> bytes:
        """Get_entropy_input of SP 800-90A 9: conditioned material from the pool, or EntropyUnavailableError."""
        material, self.last_ledger = self.pool.seed_material(min_entropy)
        return material

    def _answer(self, n_bytes: int) -> bytes:
        """Answer what the kernel's hot path does not: seeds that are due, large requests, bad lengths."""
        if n_bytes < 0:
            raise InvalidInputError(f"nbytes={n_bytes}: negative argument not allowed")
        give_way()
        with self._lock:
            if n_bytes <= self.profile.seed_output_bits // 8:
                return self._state.draw(self._reserve(n_bytes)) if n_bytes else b""
            answer = bytearray(n_bytes)
            begin = 0
            while begin < n_bytes:
                size = self._reserve(n_bytes - begin)
                answer[begin : begin + size] = self._state.draw(size)
                begin += size
            return bytes(answer)

    def _reserve(self, n_bytes: int) -> int:
        """Take up to ``n_bytes`` off the seed's budget, reseeding if it is used up; return how many were taken.

        Other threads may draw from the same budget meanwhile, so what was seen is not yet what can be had.
        """
        size = min(n_bytes, self.profile.seed_output_bits // 8)
        while not self._state.charge(size):
            self.reseed()
        return size

    def before_fork(self) -> None:
        """Wait until no request is in progress, so that a child never inherits half a state."""
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Let requests go on; in the child, only after a reseed."""
        if child:
            self._state.revoke()
        self._lock.release()

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("an RBG instance holds secret state: it is neither copied nor pickled")

    def __repr__(self) -> str:
        state = "instantiated" if self._drbg.instantiated else "not yet instantiated"
        return f"<RBG2Instance Hash_DRBG SHA-256, {self.profile.name}, {state}>"


def _uncredited_bytes() -> bytes:
    """Return kernel randomness and what tells this process and moment apart: additional input with credit 0."""
    return os.urandom(OS_BYTES) + os.getpid().to_bytes(4, "big") + time.time_ns().to_bytes(8, "big")


def _personalization(construction: str) -> bytes:
    return f"esoteric_drbg {__version__} {construction} Hash_DRBG SHA-256".encode()
