"""The sources of a pool in the order in which a seed reads them, and the blocks made of their samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.hash_df import hash_df
from esoteric_drbg.kernels.process import Worker, join
from esoteric_drbg.seeding.ledger import LedgerEntry, SeedLedger
from esoteric_drbg.seeding.slot import SourceSlot

__all__ = ["BLOCK_BITS", "BLOCK_H_IN", "SourceQueue"]

#: Hash_df SHA-256 as the conditioning component: output and narrowest internal width, in bits.
BLOCK_BITS = 256
#: Input min-entropy from which a block counts as full entropy: n_out + 64 (SP 800-90C).
BLOCK_H_IN = 320
#: Most seconds that all sources without credit together may cost a seed.
UNCREDITED_SECONDS = 0.003
#: Raw samples taken from a source without credit.
UNCREDITED_SYMBOLS = 64


class SourceQueue:
    """The sources of one pool; callers hold the pool's lock.

    Attributes
    ----------
    slots : dict of str to SourceSlot
        Every source, by name.
    groups : list of list of SourceSlot
        The credited sources by independence group, the highest credited rate first within and among the groups.
    """

    def __init__(self) -> None:
        self.slots: dict[str, SourceSlot] = {}
        self.groups: list[list[SourceSlot]] = []
        #: Whether a rate was measured after the groups were ordered.
        self.reorder = False

    def add(self, slot: SourceSlot) -> None:
        """Add a source whose name is new."""
        if slot.name in self.slots:
            raise InvalidInputError(f"the pool has a source named {slot.name!r} already")
        self.slots[slot.name] = slot
        self._order_credited_groups()

    def slot(self, name: str) -> SourceSlot:
        """Return the slot of a source, or raise."""
        try:
            return self.slots[name]
        except KeyError:
            raise InvalidInputError(f"no source named {name!r} in the pool ({', '.join(self.slots)})") from None

    def gather(self, bits: int) -> tuple[list[bytes], SeedLedger]:
        """Take blocks group by group until their credit reaches ``bits``; the ledger says whether it does."""
        if self.reorder:
            self._order_credited_groups()
        blocks: list[bytes] = []
        entries: list[LedgerEntry] = []
        missing: list[str] = []
        credited = 0
        for group in self.groups:
            if credited >= bits:
                break
            group_blocks, group_entries = self._from_group(group, bits - credited, missing)
            blocks += group_blocks
            entries += group_entries
            for entry in group_entries:
                credited += entry.credited_bits
        return blocks, SeedLedger(bits, credited, tuple(entries), tuple(missing))

    def uncredited(self) -> tuple[bytes, tuple[LedgerEntry, ...]]:
        """Return conditioned blocks of the sources without credit: defence in depth, counted as 0 bits in every ledger.

        Only sources that answer quickly take part; together they may cost a few milliseconds.
        """
        blocks: list[bytes] = []
        entries: list[LedgerEntry] = []
        left = UNCREDITED_SECONDS
        for slot in self.slots.values():
            cost = slot.seconds_for(UNCREDITED_SYMBOLS + (0 if slot.healthy else slot.startup_samples))
            if slot.credit > 0 or not slot.usable or cost > left or not slot.availability()[0]:
                continue
            left -= cost
            symbols = slot.read_tested(UNCREDITED_SYMBOLS)
            if symbols is not None:
                blocks.append(hash_df(symbols, BLOCK_BITS))
                entries.append(slot.ledger_entry(len(symbols), BLOCK_BITS))
        return b"".join(blocks), tuple(entries)

    def start(self) -> None:
        """Run the start-up test of every available source now, not when its samples are first needed.

        Sources that may block are read in parallel, each within its deadline. A source whose start-up samples take
        longer than that (a radio with a few packets per second) stays in STARTUP, and its fault says so.
        """
        slots = self.slots.values()
        workers = [
            Worker(partial(_start, slot), name=f"esoteric_drbg start {slot.name}")
            for slot in slots
            if not slot.source.bounded
        ]
        for worker in workers:
            worker.start()
        for slot in slots:
            if slot.source.bounded:
                _start(slot)
        for worker in workers:
            join(worker)
        self.reorder = True

    def _order_credited_groups(self) -> None:
        """Order the credited slots by independence group, the highest credited rate first within and among groups."""
        self.reorder = False
        slots = sorted((slot for slot in self.slots.values() if slot.credit > 0), key=SourceSlot.rank, reverse=True)
        groups: dict[str, list[SourceSlot]] = {}
        for slot in slots:
            groups.setdefault(slot.source.independence_group, []).append(slot)
        self.groups = list(groups.values())

    def _from_group(
        self, group: Sequence[SourceSlot], bits: int, missing: list[str]
    ) -> tuple[list[bytes], list[LedgerEntry]]:
        """Take blocks with a credit of ``bits`` from the first source of a group that delivers; only one counts."""
        for slot in group:
            if not slot.decide_credit():
                missing.append(f"{slot.name}: {slot.fault}")
                continue
            while True:
                # If a source fails, all blocks that it gave to this seed are dropped.
                blocks, entries = self._from_slot(slot, -(-bits // BLOCK_BITS))
                if entries:
                    self.reorder = self.reorder or slot.rank_is_stale
                    return blocks, entries
                missing.append(f"{slot.name}: {slot.fault or slot.state}")
                if not slot.awaits_restart:
                    break
        return [], []

    @staticmethod
    def _from_slot(slot: SourceSlot, n_blocks: int) -> tuple[list[bytes], list[LedgerEntry]]:
        """Take ``n_blocks`` blocks from one source, or none."""
        blocks: list[bytes] = []
        entries: list[LedgerEntry] = []
        n_samples = slot.samples_for(BLOCK_H_IN)
        # Several blocks of a fast source are read by one call of the kernel; each block has its own samples.
        many = n_blocks > 2 and slot.seconds_for(n_blocks * n_samples) < slot.deadline_s / 4
        at_once = n_blocks if many else 1
        for _ in range(0, n_blocks, at_once):
            symbols = slot.read_tested(at_once * n_samples)
            if symbols is None:
                return [], []
            entry = slot.ledger_entry(n_samples, BLOCK_BITS)
            if at_once == 1:
                blocks.append(hash_df(symbols, BLOCK_BITS))
                entries.append(entry)
                continue
            with memoryview(symbols) as view:
                for begin in range(0, len(view), n_samples):
                    blocks.append(hash_df(view[begin : begin + n_samples], BLOCK_BITS))
                    entries.append(entry)
        return blocks, entries

    def shortfall(self, ledger: SeedLedger) -> str:
        """Return why a seed falls short, source by source."""
        reasons = list(ledger.missing)
        asked = {slot.name for group in self.groups for slot in group}  # the ledger already lists these
        reasons += [
            f"{slot.name}: {'no credit' if available else reason}"
            for slot, (available, reason) in ((slot, slot.availability()) for slot in self.slots.values())
            if slot.credit == 0 and slot.name not in asked
        ]
        return (
            f"{ledger.requested_bits} bits of min-entropy were asked for and {ledger.credited_bits} could be credited; "
            f"missing: {'; '.join(reasons) or 'the pool has no sources'}"
        )


def _start(slot: SourceSlot) -> None:
    """Run the start-up test of one source of a pool."""
    if slot.availability().available:
        if slot.takes_too_long and not slot.healthy:
            seconds = slot.seconds_for(slot.startup_samples)
            slot.fault = f"start-up test left out: {slot.startup_samples:,} symbols take some {seconds:,.0f} s"
        else:
            slot.start()
