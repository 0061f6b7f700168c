"""The RBG2 instance: a Hash_DRBG that seeds and reseeds itself from an entropy pool (SP 800-90C, RBG2(NP)).

Threads, forks and the budget of a seed are this module's business, so that no caller has to think of them. The hot
path is the kernel's ``token_bytes``: one Generate request while the granted budget lasts. Everything else comes here.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from esoteric_drbg.errors import CloneRefusedError, DRBGStateError, EntropyUnavailableError, InvalidInputError
from esoteric_drbg.kernels import ending
from esoteric_drbg.kernels.drbg import new_hash_drbg_state
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.process import ProcessLocal, ProcessLock, in_one_process
from esoteric_drbg.kernels.secret_memory import secret_memory
from esoteric_drbg.mechanisms.hash_drbg import HashDRBG
from esoteric_drbg.process.vm_generation import vm_generation
from esoteric_drbg.rbg.profiles import SP800_90C, Profile
from esoteric_drbg.seeding.ledger import SeedLedger, require_credit
from esoteric_drbg.seeding.pool import BLOCK_BITS, EntropyPool
from esoteric_drbg.version import __version__

__all__ = ["RBG2Instance"]

#: Most bytes of one DRBG request, SP 800-90A table 2.
MAX_REQUEST_BYTES = (1 << 19) // 8
#: Bytes of kernel randomness that go into every (re)seed as additional input, with credit 0.
OS_BYTES = 32
#: Longest time between two times that kernel randomness goes into the state, in ns.
MIX_INTERVAL_NS = 10_000_000
#: Most seeds of one long request whose noise is read at once.
MOST_AHEAD = 16
#: Most lanes of an instance: more threads than processors do not draw at the same time.
MOST_LANES = min(os.cpu_count() or 1, 8)


class _Here:
    """What an instance has in one process: a forked child inherits none of it."""

    def __init__(self) -> None:
        self.lock = ProcessLock()
        #: The thread that is seeding the instance at this moment, or 0.
        self.seeding_thread = 0
        self.lanes: list[RBG2Instance] = []
        self.lanes_lock = ProcessLock()
        #: Entropy inputs of the next reseeds of one long request.
        self.ahead: deque[tuple[bytes, SeedLedger]] = deque()


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
    Thread-safe. A forked child reseeds before its first byte, however it was forked off, and never goes on with a seed
    or a request that its parent began: a request that a fork cuts into starts over in the child. Copying and pickling
    are refused.

    Examples
    --------
    >>> rbg = RBG2Instance(EntropyPool.auto())
    >>> len(rbg.generate(100))
    100
    >>> rbg.uninstantiate()
    """

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
        self._here = ProcessLocal(_Here)
        self._is_lane = False
        self._state = new_hash_drbg_state("sha256", self._answer)
        self._state.mix_every(MIX_INTERVAL_NS)
        self._drbg = HashDRBG(self._get_entropy_input, state=self._state)
        self._vm_generation = vm_generation()
        #: ``token_bytes(nbytes=None) -> bytes``: the hot path, with the signature of :func:`secrets.token_bytes`.
        self.token_bytes = self._state.token_bytes

    @property
    def pool(self) -> EntropyPool:
        """The entropy pool behind this instance."""
        lock = self._here.get().lock.take()
        try:
            if self._pool is None:
                assert self._make_pool is not None  # noqa: S101 - one of the two was given to __init__
                self._pool = self._make_pool()
            return self._pool
        finally:
            lock.release()

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
        return in_one_process(lambda: self._generate(n_bytes, additional_input, prediction_resistance))

    def _generate(self, n_bytes: int, additional_input: bytes, prediction_resistance: bool) -> bytes:
        chunks = []
        lock = self._here.get().lock.take()
        try:
            self._mix_if_due()
            remaining = n_bytes
            while remaining > 0:
                extra = additional_input
                if prediction_resistance:
                    self._reseed(additional_input)
                    extra = b""  # it went into the reseed, and goes into a request once (9.3.1 step 7.3)
                size = self._reserve(min(remaining, MAX_REQUEST_BYTES))
                chunks.append(self._drbg.generate(size, additional_input=extra))
                remaining -= size
        finally:
            lock.release()
        return b"".join(chunks)

    def reseed(self, additional_input: bytes = b"") -> None:
        """Seed the instance afresh from the noise sources now (SP 800-90A 9.2; 9.1 before the first seed).

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short. What was left of the old seed's budget remains usable.
        """
        in_one_process(lambda: self._reseed(additional_input))

    def _reseed(self, additional_input: bytes = b"") -> None:
        here = self._here.get()
        lock = here.lock.take()
        try:
            if self._drbg.failed:
                raise DRBGStateError(f"the instance is in its error state ({self._drbg.failed}); call instantiate()")
            if here.seeding_thread:
                raise DRBGStateError(
                    "this very thread is seeding the instance: a signal handler asks again later, and an instance "
                    "never seeds itself"
                )
            here.seeding_thread = threading.get_ident()
            try:
                self._seed(additional_input + _uncredited_bytes())
            finally:
                here.seeding_thread = 0
        finally:
            lock.release()

    def _seed(self, extra: bytes) -> None:
        vm_at_begin = vm_generation()
        if self._drbg.instantiated:
            self._drbg.reseed(extra)
        else:
            mixed, _ = self.pool.uncredited_material()
            personalization = _personalization(self.construction) + extra + mixed
            self._drbg.instantiate(self.profile.security_strength, personalization_string=personalization)
        self.seeds += 1
        # Only now: a machine whose clone could not be seeded owes the seed until it can.
        self._vm_generation = vm_at_begin
        self._state.grant(self.profile.seed_output_bits)

    def instantiate(self) -> None:
        """Instantiate anew from the noise sources, whatever the state: the way out of the error state (11.3.6).

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short.
        SelfTestError
            If the self-test of the mechanism fails.
        """
        in_one_process(self._instantiate_anew)

    def _instantiate_anew(self) -> None:
        lock = self._here.get().lock.take()
        try:
            self._drbg.clear_error()
            self._drbg.uninstantiate()
            self._reseed()
        finally:
            lock.release()

    def uninstantiate(self) -> None:
        """Overwrite the working state (9.4). The next request instantiates anew, unless the instance has failed."""
        here = self._here.get()
        for lane in here.lanes:
            lane.uninstantiate()
        lock = here.lock.take()
        try:
            self._drbg.uninstantiate()
        finally:
            lock.release()

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a writable, contiguous buffer with random bytes, without a copy.

        Returns
        -------
        int
            Number of bytes: the length of the buffer.

        Raises
        ------
        InvalidInputError
            If the buffer is read-only or not contiguous.
        EntropyUnavailableError
            If a seed is due and the pool falls short. The buffer is then overwritten with zeros.
        """
        with memoryview(buffer) as view:
            if view.readonly or not view.c_contiguous:
                raise InvalidInputError("buffer: expected a writable, contiguous buffer")
            with view.cast("B") as octets:
                try:
                    in_one_process(lambda: self._readinto(octets))
                except BaseException:
                    octets[:] = bytes(len(octets))
                    raise
                return len(octets)

    def _readinto(self, octets: memoryview) -> None:
        lock = self._here.get().lock.take()
        try:
            self._mix_if_due()
            self._fill(octets)
        finally:
            lock.release()

    def _fill(self, octets: memoryview) -> None:
        """Fill a buffer by as many seeds as it takes; the noise of several is read at once."""
        here = self._here.get()
        seed_bytes = self.profile.seed_output_bits // 8
        begin = 0
        try:
            while begin < len(octets):
                left = len(octets) - begin
                if left > seed_bytes and not here.ahead and self._state.instantiated:
                    self._read_ahead(here, min(left // seed_bytes, MOST_AHEAD))
                size = self._reserve(left)
                with octets[begin : begin + size] as piece:
                    self._drbg.guarded(partial(self._state.draw_into, piece))
                begin += size
        finally:
            here.ahead.clear()

    def _read_ahead(self, here: _Here, n_seeds: int) -> None:
        """Get the entropy inputs of the next reseeds, each with noise and a ledger of its own."""
        if self.profile.security_strength != BLOCK_BITS or type(self.pool) is not EntropyPool:
            return  # another class's material need not fall into blocks of one seed each
        material, ledger = self.pool.seed_material(n_seeds * BLOCK_BITS)
        if len(ledger.entries) < n_seeds:
            return
        for index in range(n_seeds):
            entry = ledger.entries[index]
            of_one = SeedLedger(BLOCK_BITS, entry.credited_bits, (entry,), ledger.missing)
            block = material[index * BLOCK_BITS // 8 : (index + 1) * BLOCK_BITS // 8]
            if entry.credited_bits >= BLOCK_BITS:
                here.ahead.append((block, of_one))

    def _mix_if_due(self) -> None:
        """Part from clones: a restored virtual machine repeats what its snapshot held, but not kernel randomness.

        Once in :data:`MIX_INTERVAL_NS`, kernel randomness goes into the state as additional input, with credit 0; a
        changed generation of the virtual machine, where the kernel shows one, costs a seed at once.
        """
        if not self._state.mixing_due() or not self._state.instantiated or self._state.forked():
            return
        if not self.part_from_clone():
            self._drbg.guarded(partial(self._state.mix, _uncredited_bytes()))

    def part_from_clone(self) -> bool:
        """Reseed if the kernel shows that this virtual machine is another one since the last seed; return True if so.

        Raises
        ------
        EntropyUnavailableError
            If the pool falls short. Nothing is output until the seed that is owed has been had.
        """
        if not self._drbg.instantiated or vm_generation() == self._vm_generation:
            return False
        self._state.revoke()
        self.reseed()
        return True

    def status(self) -> dict[str, Any]:
        """Return plain figures about the instance; no secret is among them."""
        lanes = self._here.get().lanes
        return {
            "mechanism": "Hash_DRBG SHA-256",
            "construction": self.construction,
            "profile": self.profile.name,
            "security_strength": self._drbg.security_strength,
            "instantiated": self._drbg.instantiated,
            "seeds": self.seeds + sum(lane.seeds for lane in lanes),
            "requests_since_seed": max(self._state.reseed_counter - 1, 0),
            "budget_bits_left": self._state.budget_bits,
            "lanes": 1 + len(lanes),
            "secret_memory": secret_memory().describe(),
            "vm_generation": "not exposed by this kernel" if self._vm_generation is None else self._vm_generation,
        }

    def _get_entropy_input(self, min_entropy: int) -> bytes:
        """Get_entropy_input of SP 800-90A 9: conditioned material from the pool, or EntropyUnavailableError."""
        ahead = self._here.get().ahead
        if ahead and min_entropy == BLOCK_BITS:
            material, ledger = ahead.popleft()
        else:
            material, ledger = (self._pool or self.pool).seed_material(min_entropy)
        require_credit(ledger, min_entropy)
        self.last_ledger = ledger
        return material

    def _answer(self, n_bytes: int) -> bytes:
        """Answer what the kernel's hot path does not: seeds that are due, large requests, bad lengths."""
        if n_bytes < 0:
            raise InvalidInputError(f"nbytes={n_bytes}: negative argument not allowed")
        return in_one_process(lambda: self._answer_once(n_bytes))

    def _answer_once(self, n_bytes: int) -> bytes:
        here = self._here.get()
        if lock := here.lock.acquire(timeout_s=0):
            try:
                # A signal handler passes this lock in the middle of its own thread's seed: it gets another lane.
                if not here.seeding_thread:
                    return self._answer_here(n_bytes)
            finally:
                lock.release()
        lane = self._free_lane(here)
        if lane is not None:
            return lane.token_bytes(n_bytes)
        lock = here.lock.acquire(timeout_s=1 if ending() else math.inf)
        if lock is None:
            raise EntropyUnavailableError("the interpreter ends, and a thread that it has stopped holds this instance")
        try:
            return self._answer_here(n_bytes)
        finally:
            lock.release()

    def _answer_here(self, n_bytes: int) -> bytes:
        """Answer a request from this lane; its lock is held."""
        self._mix_if_due()
        if n_bytes <= self.profile.seed_output_bits // 8:
            if not n_bytes:
                return b""
            take = partial(self._state.take, n_bytes)
            while (token := self._drbg.guarded(take)) is None:
                self._reseed()
            return token
        with OutOfMemoryIsOurs(f"{n_bytes} bytes"):
            answer = bytearray(n_bytes)
            with memoryview(answer) as octets:
                self._fill(octets)
            return bytes(answer)

    def _free_lane(self, here: _Here) -> RBG2Instance | None:
        """Return another lane, an RBG2 of its own with its own pool and seeds, while this one is busy.

        There are lanes where the pool is made by a function, at most one for each processor. None: wait.
        """
        if self._is_lane or self._make_pool is None:
            return None
        lock = here.lanes_lock.take()
        try:
            busy = [here, *(lane._here.get() for lane in here.lanes)]
            in_handler = threading.get_ident() in {each.seeding_thread for each in busy}
            for lane in here.lanes:
                its = lane._here.get()
                if free := its.lock.acquire(timeout_s=0):
                    free.release()
                    if not its.seeding_thread and (lane._state.instantiated or not in_handler):
                        return lane
            # A handler makes no lane: making one starts threads, which its own thread may be in the middle of.
            if in_handler or (1 + len(here.lanes) >= MOST_LANES and not ending()):
                return None
            lane = RBG2Instance(self._make_pool, profile=self.profile, construction=self.construction)
            lane._is_lane = True
            here.lanes.append(lane)
            return lane
        finally:
            lock.release()

    def _reserve(self, n_bytes: int) -> int:
        """Take up to ``n_bytes`` off the seed's budget, reseeding if it is used up; return how many were taken.

        Other threads may draw from the same budget meanwhile, so what was seen is not yet what can be had.
        """
        size = min(n_bytes, self.profile.seed_output_bits // 8)
        while not self._drbg.guarded(lambda: self._state.charge(size)):
            self._reseed()
        return size

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
