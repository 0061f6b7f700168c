"""The ledger of a seed: how much each source gave, and by which arithmetic. It holds no secret and can be printed."""

from __future__ import annotations

from typing import Any, NamedTuple

from esoteric_drbg.errors import EntropyUnavailableError

__all__ = ["Credit", "LedgerEntry", "SeedLedger", "require_credit"]


class Credit(NamedTuple):
    """The credit of a source on this machine, and its basis.

    Attributes
    ----------
    bits : float
        Min-entropy credited per raw sample, in bits.
    basis : str
        ``"recorded"``, ``"self-assessed"``, ``"gate"``, ``"configured"``, ``"none"``; ``"unread"`` if the source could
        not be read, so that nothing is decided.
    reason : str
        What the credit rests on, or why nothing is credited.
    times : int
        The factor by which the work per sample was multiplied.
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
        The noise source of the raw samples, and its group.
    symbols : int
        Number of raw samples that went into the conditioning component.
    min_entropy : float
        H credited per raw sample, in bits.
    health : str
        Verdict of the health tests on exactly these samples.
    n_in, n_out, nw : int
        Input, output and narrowest internal width of Hash_df SHA-256, in bits (SP 800-90B 3.1.5).
    h_in, h_out : float
        Min-entropy credited to the input and to the output, in bits.
    credited_bits : int
        Bits that the block counts in the seed: 0 if there is no evidence.
    note : str
        That the claim is provisional, the certificate that an operator named, or what was found on this machine.
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
    """Everything that went into one seed, and its credit.

    Attributes
    ----------
    requested_bits, credited_bits : int
        Min-entropy asked for, and the sum of the credits of the entries.
    entries : tuple of LedgerEntry
        Credited blocks, then blocks mixed in without credit.
    missing : tuple of str
        For each source that is not among the entries, the reason.
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
    """Raise unless a ledger accounts for ``min_entropy`` bits: no object that acts as a pool can seed without that.

    Raises
    ------
    EntropyUnavailableError
        If there is no ledger, if it credits less, or if its entries do not add up to its credit.
    """
    if not isinstance(ledger, SeedLedger):
        raise EntropyUnavailableError(f"a seed came with a {type(ledger).__name__} in place of its ledger")
    listed = sum(entry.credited_bits for entry in ledger.entries)
    if ledger.credited_bits < min_entropy or listed < ledger.credited_bits:
        raise EntropyUnavailableError(
            f"{min_entropy} bits of min-entropy were asked for; the ledger credits {ledger.credited_bits}, and its "
            f"entries {listed}"
        )
