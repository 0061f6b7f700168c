"""The entropy pool: tested raw samples in, credited seed material out (SP 800-90B 3.1, SP 800-90C)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from esoteric_drbg.errors import CloneRefusedError, EntropyUnavailableError, InvalidInputError
from esoteric_drbg.health_tests import HealthProfile
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.process import ProcessLock, in_one_process
from esoteric_drbg.noise_sources import Claim, NoiseSource, registry
from esoteric_drbg.noise_sources.guard import checked_claim, guarded, is_foreign, unguarded
from esoteric_drbg.process.forks import loading
from esoteric_drbg.seeding.health_table import health_text
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger
from esoteric_drbg.seeding.machine_profile import audited_claims
from esoteric_drbg.seeding.machine_profile import load as load_machine_profile
from esoteric_drbg.seeding.own_instance import OwnInstance, make_instance
from esoteric_drbg.seeding.plugin_credit import plugin_credits
from esoteric_drbg.seeding.seed_profile import SP800_90C, Profile
from esoteric_drbg.seeding.slot import SourceSlot
from esoteric_drbg.seeding.source_queue import BLOCK_BITS, BLOCK_H_IN, SourceQueue

__all__ = ["BLOCK_BITS", "BLOCK_H_IN", "EntropyPool"]


class EntropyPool:
    """Noise sources, each with its health tests, that together supply seed material with a stated min-entropy.

    Parameters
    ----------
    sources : iterable of NoiseSource
        The sources, in any order.
    claims : mapping of str to Claim, optional
        Claims that replace the sources' own, by source name; so an operator credits a certified source.
    profile : Profile
        Lifetime of the seeds of this pool's own DRBG instance.
    health_profile : HealthProfile, optional
        False-alarm rates and start-up length of the health tests.
    deadline_s : float
        Seconds after which one read of one source is abandoned.

    Raises
    ------
    InvalidInputError
        If two sources share a name, or a claim names no source.

    Examples
    --------
    >>> pool = EntropyPool.auto()
    >>> len(pool.get_random_bytes(16))
    16
    """

    def __init__(
        self,
        sources: Iterable[NoiseSource] = (),
        *,
        claims: Mapping[str, Claim] | None = None,
        profile: Profile = SP800_90C,
        health_profile: HealthProfile | None = None,
        deadline_s: float = 2.0,
    ) -> None:
        if not (isinstance(deadline_s, (int, float)) and math.isfinite(deadline_s) and deadline_s > 0):
            raise InvalidInputError(f"deadline_s={deadline_s}: expected a positive number of seconds")
        self.profile = profile
        self.last_ledger: SeedLedger | None = None
        self._health_profile = health_profile or HealthProfile()
        self._deadline_s = deadline_s
        self._lock = ProcessLock()
        self._queue = SourceQueue()
        self._slots = self._queue.slots
        self._instance: OwnInstance | None = None
        self._in_reserve: Callable[[], list[NoiseSource]] | None = None
        claims = dict(claims or {})
        for source in map(guarded, sources):
            self.add_source(source, claim=claims.pop(source.name, None))
        if claims:
            raise InvalidInputError(f"claims for sources that are not in the pool: {', '.join(sorted(claims))}")

    @classmethod
    def auto(
        cls,
        *,
        claims: Mapping[str, Claim] | None = None,
        profile: Profile = SP800_90C,
        health_profile: HealthProfile | None = None,
        deadline_s: float = 2.0,
        plugins: bool = True,
        credited_plugins: Iterable[str] = (),
    ) -> EntropyPool:
        """Return a pool of every installed source; sources that this machine lacks are listed with the reason.

        If an audit of this machine was saved (:mod:`esoteric_drbg.seeding.machine_profile`), no source is credited
        with more than the audit found.

        Parameters
        ----------
        claims, profile, health_profile, deadline_s
            As for :class:`EntropyPool`.
        plugins : bool
            Whether to look for sources of other packages (entry points), which costs some 20 ms.
        credited_plugins : iterable of str
            Plug-ins that the operator allows credit, in addition to those in ``ESOTERIC_DRBG_CREDIT_PLUGINS``.
            Each is credited with its claim if that has evidence, but at most with half of what was assessed on this
            machine (``esoteric-drbg self-assess NAME``). Every other plug-in is read, tested and mixed in with credit
            0. A claim in `claims` takes precedence: the program stands for it.

        Raises
        ------
        InvalidInputError
            If a name is not that of an installed plug-in; the message suggests the nearest name.
        """
        sources = registry.guarded_all(registry.installed(plugins=plugins))
        ours = [source for source in sources if not is_foreign(source)]
        decided = plugin_credits(sources, credited_plugins) if plugins or credited_plugins else {}
        told = {**audited_claims(ours, load_machine_profile()), **{name: one.claim for name, one in decided.items()}}
        pool = cls(
            sources,
            claims={**told, **(claims or {})},
            profile=profile,
            health_profile=health_profile,
            deadline_s=deadline_s,
        )
        for name, one in decided.items():
            if name not in (claims or {}):
                pool._slots[name].note = one.note
        return pool

    @classmethod
    def for_tokens(cls) -> EntropyPool:
        """Return the pool behind the functions of :mod:`secrets`, with the sources that seeds are made of.

        It loads no other source, so that a token costs the same however many sources are installed. If these sources
        fall short, the other sources of this package join them, under the same rules of credit, before an error is
        raised.
        """
        sources, profile = registry.seeding(), load_machine_profile()
        pool = cls(sources, claims=audited_claims(sources, profile))
        pool._in_reserve = registry.in_reserve
        return pool

    @property
    def sources(self) -> list[NoiseSource]:
        """The sources of the pool, available here or not."""
        return [unguarded(slot.source) for slot in list(self._slots.values())]  # another thread may add one meanwhile

    def add_source(self, source: NoiseSource, *, claim: Claim | None = None) -> None:
        """Add a source that is read and credited from the next seed on.

        Parameters
        ----------
        source : NoiseSource
            The source; its name must be new to the pool.
        claim : Claim, optional
            The claim that replaces the source's own.

        Raises
        ------
        InvalidInputError
            If it is no noise source, its name is taken, or the claim is for samples of another width.
        """
        source = guarded(source)
        claim = source.claim if claim is None else checked_claim(claim)
        if claim.symbol_bits != source.symbol_bits:
            raise InvalidInputError(
                f"{source.name}: the claim is for {claim.symbol_bits}-bit symbols, the source has {source.symbol_bits}"
            )
        lock = self._lock.take()
        try:
            self._queue.add(SourceSlot(source, claim, health_profile=self._health_profile, deadline_s=self._deadline_s))
        finally:
            lock.release()

    def get_random_bytes(self, n: int) -> bytes:
        """Return ``n`` bytes from this pool's own RBG2 instance (Hash_DRBG SHA-256).

        Raises
        ------
        InvalidInputError
            If ``n`` is negative.
        EntropyUnavailableError
            If a seed is due and the healthy, credited sources fall short. Nothing is output.
        """
        return self.instance.token_bytes(n)

    @property
    def instance(self) -> OwnInstance:
        """This pool's :class:`~esoteric_drbg.RBG2Instance`, instantiated with its first request."""
        lock = self._lock.take()
        try:
            if self._instance is None:
                self._instance = make_instance(self, self.profile)
            return self._instance
        finally:
            lock.release()

    def get_entropy(self, bits: int) -> bytes:
        """Return conditioned seed material that carries at least ``bits`` bits of credited min-entropy.

        Kernel randomness is mixed in with credit 0, as it is in every seed: the blocks of :meth:`seed_material` are
        XORed with as many bytes of ``os.urandom``. These are independent of the blocks, so no block has less entropy
        than the ledger says. Even if a source's claim is false, the result is as good as the kernel's randomness.

        Returns
        -------
        bytes
            Full-entropy blocks of 32 bytes, as many as needed. :attr:`last_ledger` says where they came from.

        Raises
        ------
        InvalidInputError
            If ``bits`` is below 1.
        EntropyUnavailableError
            If the credit falls short.
        """
        material, _ = self.seed_material(bits)
        mixed = int.from_bytes(material, "big") ^ int.from_bytes(os.urandom(len(material)), "big")
        return mixed.to_bytes(len(material), "big")

    def seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        """Return credited blocks with their ledger; nothing else is mixed in.

        This is Get_entropy_input of the RBG2 instances, which take kernel randomness as additional input.
        """
        if not isinstance(bits, int) or bits < 1:
            raise InvalidInputError(f"bits={bits!r}: ask for at least 1 bit of min-entropy")
        return in_one_process(lambda: self._seed_material(bits))

    def _seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        lock = self._lock.take()
        try:
            blocks, ledger = self._queue.gather(bits)
            if ledger.credited_bits < bits and self._in_reserve is not None:
                blocks.clear()
                self._call_reserve(self._in_reserve)
                blocks, ledger = self._queue.gather(bits)
            self.last_ledger = ledger
            if ledger.credited_bits < bits:
                del blocks
                raise EntropyUnavailableError(self._queue.shortfall(ledger))
            for entry in ledger.entries:
                self._slots[entry.source].credited_bits += entry.credited_bits
        finally:
            lock.release()
        return b"".join(blocks), ledger

    def _call_reserve(self, in_reserve: Callable[[], list[NoiseSource]]) -> None:
        """Add the sources that were held in reserve."""
        with loading:
            sources = [source for source in in_reserve() if source.name not in self._slots]
        lowered = audited_claims(sources, load_machine_profile())
        for source in sources:
            self.add_source(source, claim=lowered.get(source.name))
        self._in_reserve = None  # only now: if an exception or a fork interrupts this, it is done again

    def seeds_ahead(self, n_seeds: int) -> list[tuple[bytes, SeedLedger]]:
        """Return up to ``n_seeds`` full-entropy seeds of 256 bits, each with its own noise and its own ledger.

        The noise of all is read in one go. A subclass with its own :meth:`seed_material` gives none, because its
        material need not consist of blocks of one seed each.
        """
        if type(self).seed_material is not EntropyPool.seed_material:
            return []
        material, ledger = self.seed_material(n_seeds * BLOCK_BITS)
        if len(ledger.entries) < n_seeds:
            return []
        seeds = []
        for index, entry in enumerate(ledger.entries[:n_seeds]):
            if entry.credited_bits >= BLOCK_BITS:
                block = material[index * BLOCK_BITS // 8 : (index + 1) * BLOCK_BITS // 8]
                seeds.append((block, SeedLedger(BLOCK_BITS, entry.credited_bits, (entry,), ledger.missing)))
        return seeds

    def uncredited_material(self) -> tuple[bytes, tuple[LedgerEntry, ...]]:
        """Return conditioned blocks of the sources without credit: defence in depth, counted as 0 bits in every ledger.

        Only sources that answer quickly take part; together they may cost a few milliseconds.
        """
        lock = self._lock.take()
        try:
            return self._queue.uncredited()
        finally:
            lock.release()

    def start(self) -> None:
        """Run the start-up test of every available source now, not when its samples are first needed.

        Sources that may block are read in parallel, each within its deadline. A source whose start-up samples take
        longer than that (a radio with a few packets per second) stays in STARTUP, and its fault says so.
        """
        lock = self._lock.take()
        try:
            self._queue.start()
        finally:
            lock.release()

    def on_demand_test(self, name: str | None = None) -> dict[str, bool]:
        """Run the on-demand health test of one source, or of all available ones; return True for each that passed."""
        lock = self._lock.take()
        try:
            chosen = [self._queue.slot(name)] if name is not None else list(self._slots.values())
            self._queue.reorder = True
            return {slot.name: slot.on_demand() for slot in chosen if slot.availability().available}
        finally:
            lock.release()

    def reset_source(self, name: str) -> None:
        """Return a retired or failed source to its start-up test; for an operator, after a repair."""
        lock = self._lock.take()
        try:
            self._queue.slot(name).reset()
        finally:
            lock.release()

    def health_report(self) -> dict[str, Any]:
        """Return the state of every source and of the pool as plain JSON-ready values, without any secret."""
        lock = self._lock.take()
        try:
            rows = [slot.report() for slot in self._slots.values()]
            ledger = self.last_ledger.as_dict() if self.last_ledger is not None else None
            instance = self._instance.status() if self._instance is not None else None
        finally:
            lock.release()
        return {
            "kernels": kernel_info()._asdict(),
            "profile": self.profile.name,
            "sources": rows,
            "healthy": sum(row["state"] == "HEALTHY" for row in rows),
            "credited_groups": sorted(
                {row["independence_group"] for row in rows if row["credit"] > 0 and row["state"] == "HEALTHY"}
            ),
            "last_seed": ledger,
            "instance": instance,
        }

    def print_health(self) -> None:
        """Run any start-up test that is due and print :meth:`health_report` as a table on standard output."""
        self.start()
        print(health_text(self.health_report()))

    def __reduce__(self) -> NoReturn:
        raise CloneRefusedError("an entropy pool is neither copied nor pickled: its copies would share noise")

    def __repr__(self) -> str:
        return f"<EntropyPool of {len(self._slots)} sources, profile {self.profile.name}, process {os.getpid()}>"
