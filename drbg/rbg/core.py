"""The core of an RBG instance: one seeded Hash_DRBG SHA-256 with the budget of its seed.

This module handles seeds, budget, forks and clones. The hot path is the kernel's ``token_bytes``: one Generate request
while the granted budget lasts. Everything else comes here.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from esoteric_drbg.errors import DRBGStateError, EntropyUnavailableError, InvalidInputError
from esoteric_drbg.kernels import ending
from esoteric_drbg.kernels.drbg import new_hash_drbg_state
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.process import ProcessLocal, ProcessLock, in_one_process
from esoteric_drbg.kernels.secret_memory import secret_memory
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.process.vm_generation import vm_generation
from esoteric_drbg.rbg.profiles import Profile
from esoteric_drbg.seeding.ledger import SeedLedger, require_credit
from esoteric_drbg.seeding.seed_source import SeedSource
from esoteric_drbg.version import __version__

__all__ = ["MIX_INTERVAL_NS", "Answer", "RBGCore"]

#: Most bytes of one DRBG request, SP 800-90A table 2.
MAX_REQUEST_BYTES = (1 << 19) // 8
#: Bytes of kernel randomness that go into every (re)seed as additional input, with credit 0.
OS_BYTES = 32
#: Longest interval between two additions of kernel randomness to the state, in ns.
MIX_INTERVAL_NS = 10_000_000
#: Most seeds of one long request whose noise is read in one go.
MOST_AHEAD = 16
#: Security strength of the seeds that a source hands out ahead, in bits.
AHEAD_BITS = 256

#: ``answer(n_bytes) -> bytes``: what the kernel calls if the budget of its seed does not cover a request.
Answer = Callable[[int], bytes]

_Source = TypeVar("_Source", bound=SeedSource)


class _Here:
    """The part of a core that belongs to one process: a forked child inherits none of it."""

    def __init__(self) -> None:
        self.lock = ProcessLock()
        #: The thread that is seeding the core; it holds the lock.
        self.seeder: int | None = None
        #: Seeds of one long request that were read ahead.
        self.ahead: deque[tuple[bytes, SeedLedger]] = deque()


class RBGCore(Generic[_Source]):
    """One Hash_DRBG SHA-256 instance, what is left of its seed's budget, and the source of its seeds.

    Parameters
    ----------
    make_source : callable
        Returns the source of the seeds; called once, when the first seed is due.
    profile : Profile
        How many output bits a seed may give, and the security strength.
    construction : str
        The name that :meth:`status` gives it; it goes into the personalization string.
    answer : callable, optional
        Answers requests that the budget does not cover; by default :meth:`answer`, which waits for this core.
    """

    def __init__(
        self,
        make_source: Callable[[], _Source],
        *,
        profile: Profile,
        construction: str,
        answer: Answer | None = None,
    ) -> None:
        self.profile = profile
        self.construction = construction
        self.seeds = 0
        self.last_ledger: SeedLedger | None = None
        self._make_source = make_source
        self._source: _Source | None = None
        self._here = ProcessLocal(_Here)
        self.state = new_hash_drbg_state("sha256", answer or self.answer)
        self.state.mix_every(MIX_INTERVAL_NS)
        self.drbg = HashDRBG(self._get_entropy_input, state=self.state)
        self._vm_generation = vm_generation()

    @property
    def source(self) -> _Source:
        """Where the seeds come from."""
        if self._source is None:
            lock = self.lock.take()
            try:
                if self._source is None:
                    self._source = self._make_source()
                return self._source
            finally:
                lock.release()
        return self._source

    @property
    def lock(self) -> ProcessLock:
        """The lock of this process, held while a thread draws from the core or seeds it."""
        return self._here.get().lock

    @property
    def seeded_by_this_thread(self) -> bool:
        """True in a signal handler that has interrupted its own thread while that was seeding this core."""
        return self._here.get().seeder == threading.get_ident()

    def generate(self, n_bytes: int, additional_input: bytes, *, prediction_resistance: bool) -> bytes:
        """Return ``n_bytes`` bytes by requests with additional input, or by requests with a fresh seed each."""
        return in_one_process(lambda: self._generate(n_bytes, additional_input, prediction_resistance))

    def _generate(self, n_bytes: int, additional_input: bytes, prediction_resistance: bool) -> bytes:
        chunks = []
        lock = self.lock.take()
        try:
            self._mix_if_due()
            remaining = n_bytes
            while remaining > 0:
                extra = additional_input
                if prediction_resistance:
                    self._reseed(additional_input)
                    extra = b""  # the reseed has used it, and a request uses it once (9.3.1 step 7.3)
                size = self._reserve(min(remaining, MAX_REQUEST_BYTES))
                chunks.append(self.drbg.generate(size, additional_input=extra))
                remaining -= size
        finally:
            lock.release()
        return b"".join(chunks)

    def reseed(self, additional_input: bytes = b"") -> None:
        """Seed the core afresh now (SP 800-90A 9.2; 9.1 before the first seed)."""
        in_one_process(lambda: self._reseed(additional_input))

    def _reseed(self, additional_input: bytes = b"") -> None:
        here = self._here.get()
        lock = here.lock.take()
        try:
            if self.drbg.failed:
                raise DRBGStateError(f"the instance is in its error state ({self.drbg.failed}); call instantiate()")
            if here.seeder is not None:
                raise DRBGStateError(
                    "this very thread is seeding the instance: a signal handler asks again later, and an instance "
                    "never seeds itself"
                )
            here.seeder = threading.get_ident()
            try:
                self._seed(additional_input + _uncredited_bytes())
            finally:
                here.seeder = None
        finally:
            lock.release()

    def _seed(self, extra: bytes) -> None:
        vm_at_begin = vm_generation()
        if self.drbg.instantiated:
            self.drbg.reseed(extra)
        else:
            mixed, _ = self.source.uncredited_material()
            personalization = _personalization(self.construction) + extra + mixed
            self.drbg.instantiate(self.profile.security_strength, personalization_string=personalization)
        self.seeds += 1
        # Only now: if the reseed after a clone fails, the seed stays due.
        self._vm_generation = vm_at_begin
        self.state.grant(self.profile.seed_output_bits)

    def instantiate(self) -> None:
        """Instantiate anew, whatever the state: the way out of the error state (11.3.6)."""
        in_one_process(self._instantiate_anew)

    def _instantiate_anew(self) -> None:
        lock = self.lock.take()
        try:
            self.forget()
            self._reseed()
        finally:
            lock.release()

    def forget(self) -> None:
        """Overwrite the working state and leave the error state: the next request instantiates anew."""
        lock = self.lock.take()
        try:
            self.drbg.clear_error()
            self.drbg.uninstantiate()
        finally:
            lock.release()

    def uninstantiate(self) -> None:
        """Overwrite the working state (9.4)."""
        lock = self.lock.take()
        try:
            self.drbg.uninstantiate()
        finally:
            lock.release()

    def read_into(self, octets: memoryview) -> None:
        """Fill a buffer of unsigned bytes; on failure it is overwritten with zeros."""
        try:
            in_one_process(lambda: self._read_into(octets))
        except BaseException:
            octets[:] = bytes(len(octets))
            raise

    def _read_into(self, octets: memoryview) -> None:
        lock = self.lock.take()
        try:
            self._mix_if_due()
            self._fill(octets)
        finally:
            lock.release()

    def _fill(self, octets: memoryview) -> None:
        """Fill a buffer from as many seeds as needed; the noise of several seeds is read in one go."""
        ahead = self._here.get().ahead
        seed_bytes = self.profile.seed_output_bits // 8
        begin = 0
        try:
            while begin < len(octets):
                left = len(octets) - begin
                if left > seed_bytes and not ahead and self.state.instantiated:
                    self._read_ahead(ahead, min(left // seed_bytes, MOST_AHEAD))
                size = self._reserve(left)
                with octets[begin : begin + size] as piece:
                    self.drbg.guarded(partial(self.state.draw_into, piece))
                begin += size
        finally:
            ahead.clear()

    def _read_ahead(self, ahead: deque[tuple[bytes, SeedLedger]], n_seeds: int) -> None:
        if self.profile.security_strength == AHEAD_BITS:
            ahead.extend(self.source.seeds_ahead(n_seeds))

    def _reserve(self, n_bytes: int) -> int:
        """Charge up to ``n_bytes`` to the seed's budget, reseeding if it is used up; return how many were charged.

        Other threads may draw from the same budget meanwhile, so a budget that was read may be gone at the next moment.
        """
        size = min(n_bytes, self.profile.seed_output_bits // 8)
        while not self.drbg.guarded(lambda: self.state.charge(size)):
            self._reseed()
        return size

    def _get_entropy_input(self, min_entropy: int) -> bytes:
        """Get_entropy_input of SP 800-90A 9: credited seed material, or EntropyUnavailableError."""
        ahead = self._here.get().ahead
        if ahead and min_entropy == AHEAD_BITS:
            material, ledger = ahead.popleft()
        else:
            material, ledger = self.source.seed_material(min_entropy)
        require_credit(ledger, min_entropy)
        self.last_ledger = ledger
        return material

    def answer(self, n_bytes: int) -> bytes:
        """Answer what the kernel's hot path does not: requests with a seed due, large requests, bad lengths."""
        if n_bytes < 0:
            raise InvalidInputError(f"nbytes={n_bytes}: negative argument not allowed")
        return in_one_process(lambda: self.answer_in_turn(n_bytes))

    def answer_in_turn(self, n_bytes: int) -> bytes:
        """Answer a request as soon as no other thread uses the core."""
        lock = self.lock.acquire(timeout_s=1 if ending() else math.inf)
        if lock is None:
            raise EntropyUnavailableError("the interpreter ends, and a thread that it has stopped holds this instance")
        try:
            return self._answer(n_bytes)
        finally:
            lock.release()

    def answer_if_free(self, n_bytes: int) -> bytes | None:
        """Answer a request now; return None if another thread uses the core, or this thread is seeding it."""
        here = self._here.get()
        if lock := here.lock.acquire(timeout_s=0):
            try:
                # A signal handler gets this lock even if it has interrupted its own thread during a seed.
                if here.seeder is None:
                    return self._answer(n_bytes)
            finally:
                lock.release()
        return None

    def _answer(self, n_bytes: int) -> bytes:
        self._mix_if_due()
        if n_bytes <= self.profile.seed_output_bits // 8:
            if not n_bytes:
                return b""
            take = partial(self.state.take, n_bytes)
            while (token := self.drbg.guarded(take)) is None:
                self._reseed()
            return token
        with OutOfMemoryIsOurs(f"{n_bytes} bytes"):
            answer = bytearray(n_bytes)
            with memoryview(answer) as octets:
                self._fill(octets)
            return bytes(answer)

    def is_free(self) -> bool:
        """Return True if no thread uses the core at this moment."""
        here = self._here.get()
        if lock := here.lock.acquire(timeout_s=0):
            lock.release()
            return here.seeder is None
        return False

    def _mix_if_due(self) -> None:
        """Diverge from clones: a restored virtual machine repeats its state, but not kernel randomness.

        Once in :data:`MIX_INTERVAL_NS`, kernel randomness goes into the state as additional input, with credit 0. If
        the kernel shows a new generation of the virtual machine, the core reseeds at once.
        """
        if not self.state.mixing_due() or not self.state.instantiated or self.state.forked():
            return
        if not self.part_from_clone():
            self.drbg.guarded(partial(self.state.mix, _uncredited_bytes()))

    def part_from_clone(self) -> bool:
        """Reseed and return True if the kernel shows that the virtual machine was cloned since the last seed."""
        if not self.revoke_after_clone():
            return False
        self.reseed()
        return True

    def revoke_after_clone(self) -> bool:
        """Revoke the seed's budget and return True if the virtual machine was cloned since that seed."""
        if not self.drbg.instantiated or vm_generation() == self._vm_generation:
            return False
        self.state.revoke()
        return True

    def status(self) -> dict[str, Any]:
        """Return plain figures about the core, without any secret."""
        return {
            "mechanism": "Hash_DRBG SHA-256",
            "construction": self.construction,
            "profile": self.profile.name,
            "security_strength": self.drbg.security_strength,
            "instantiated": self.drbg.instantiated,
            "seeds": self.seeds,
            "requests_since_seed": max(self.state.reseed_counter - 1, 0),
            "budget_bits_left": self.state.budget_bits,
            "lanes": 1,
            "secret_memory": secret_memory().describe(),
            "vm_generation": "not exposed by this kernel" if self._vm_generation is None else self._vm_generation,
        }


def _uncredited_bytes() -> bytes:
    """Return kernel randomness, process id and time: additional input with credit 0."""
    return os.urandom(OS_BYTES) + os.getpid().to_bytes(4, "big") + time.time_ns().to_bytes(8, "big")


def _personalization(construction: str) -> bytes:
    return f"esoteric_drbg {__version__} {construction} Hash_DRBG SHA-256".encode()
