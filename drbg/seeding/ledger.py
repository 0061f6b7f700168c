"""The ledger of a seed: which source gave how much, and by which arithmetic. It holds no secret and can be printed."""

from __future__ import annotations

from typing import Any, NamedTuple

from esoteric_drbg.errors import EntropyUnavailableError

__all__ = ["Credit", "LedgerEntry", "SeedLedger", "require_credit"]


class Credit(NamedTuple):
    """What a source is credited with on this machine, and what that rests on.

    Attributes
    ----------
    bits : float
        Credited per raw symbol.
    basis : str
        ``"recorded"``, ``"self-assessed"``, ``"gate"``, ``"configured"``, ``"none"``; ``"unread"`` where the
        source could not be read, so that nothing is decided.
    reason : str
        What it rests on, or why nothing is credited.
    times : int
        By how much the work of a symbol was multiplied.
    """

    bits: float
    basis: str
    reason: str
    times: int = 1


class LedgerEntry(NamedTuple):
    """One conditioned block of a seed.

    Attributes
    ----------
    source, independence_group : str
        Where the raw symbols came from.
    symbols : int
        Raw symbols that went into the conditioning component.
    min_entropy : float
        H credited per raw symbol, in bits.
    health : str
        Verdict of the health tests on exactly these symbols.
    n_in, n_out, nw : int
        Input, output and narrowest internal width of Hash_df SHA-256, in bits (SP 800-90B 3.1.5).
    h_in, h_out : float
        Min-entropy credited to the input and to the output, in bits.
    credited_bits : int
        What the block counts in the seed: 0 where there is no evidence.
    note : str
        Whether the claim is provisional, which certificate an operator named, or what was found on this machine.
    basis : str
        What H rests on: ``"recorded"`` (evidence that fits this machine), ``"self-assessed"``, ``"gate"``,
        ``"configured"`` (an operator's certificate) or ``"none"``.
    """

    source: str
    independence_group: str
    symbols: int
    min_entropy: float
    health: str
    n_in: int
    n_out: int
    nw: int
    h_in: float
    h_out: float
    credited_bits: int
    note: str
    basis: str = "none"


class SeedLedger(NamedTuple):
    """Everything that went into one seed, and what it was credited with.

    Attributes
    ----------
    requested_bits, credited_bits : int
        Min-entropy asked for, and the sum of what the entries were credited with.
    entries : tuple of LedgerEntry
        Credited blocks, then what was mixed in without credit.
    missing : tuple of str
        Source by source, why it is not among the entries.
    """

    requested_bits: int
    credited_bits: int
    entries: tuple[LedgerEntry, ...]
    missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger as plain JSON-ready values."""
        return {
            "requested_bits": self.requested_bits,
            "credited_bits": self.credited_bits,
            "entries": [entry._asdict() for entry in self.entries],
            "missing": list(self.missing),
        }


def require_credit(ledger: object, min_entropy: int) -> None:
    """Raise unless a ledger accounts for ``min_entropy`` bits: whatever played the pool, no seed goes without.

    Raises
    ------
    EntropyUnavailableError
        If there is no ledger, it credits less, or its entries do not add up to what it credits.
    """
    if not isinstance(ledger, SeedLedger):
        raise EntropyUnavailableError(f"a seed came with a {type(ledger).__name__} in place of its ledger")
    listed = sum(entry.credited_bits for entry in ledger.entries)
    if ledger.credited_bits < min_entropy or listed < ledger.credited_bits:
        raise EntropyUnavailableError(
            f"{min_entropy} bits of min-entropy were asked for; the ledger credits {ledger.credited_bits}, and its "
            f"entries {listed}"
        )
