"""The source of an instance's seeds, which gives seed material with a ledger: an entropy pool or a parent instance."""

from __future__ import annotations

from typing import Protocol

from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger

__all__ = ["SeedSource"]


class SeedSource(Protocol):
    """Get_entropy_input of SP 800-90A 9, with a ledger for what it returns.

    Implemented by :class:`~esoteric_drbg.seeding.pool.EntropyPool` over noise sources and by
    :class:`~esoteric_drbg.rbg.rbgc.ParentSeeds` over a parent instance.
    """

    def seed_material(self, bits: int) -> tuple[bytes, SeedLedger]:
        """Return material with at least ``bits`` bits of credited min-entropy, and its ledger.

        Raises
        ------
        EntropyUnavailableError
            If the credit falls short.
        """

    def seeds_ahead(self, n_seeds: int) -> list[tuple[bytes, SeedLedger]]:
        """Return seeds of 256 bits for one long request, read in one go, each with its own ledger.

        At most ``n_seeds``; none if the source gives one seed at a time.
        """

    def uncredited_material(self) -> tuple[bytes, tuple[LedgerEntry, ...]]:
        """Return the material that goes into the first seed with credit 0, and its ledger entries."""
