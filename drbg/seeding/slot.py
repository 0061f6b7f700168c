"""One source in a pool, with its claim in force, health monitor, deadline and state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from esoteric_drbg.errors import HealthTestError
from esoteric_drbg.health_tests import Alarm, HealthMonitor, HealthProfile, HealthState
from esoteric_drbg.kernels.process import fork_generation
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource
from esoteric_drbg.noise_sources.guard import GuardedSource, ask, guarded, is_foreign, take
from esoteric_drbg.noise_sources.intake import Fault
from esoteric_drbg.seeding.conditioning import conditioned_credit, output_entropy
from esoteric_drbg.seeding.credit import decide, without_reading
from esoteric_drbg.seeding.ledger import Credit, LedgerEntry
from esoteric_drbg.seeding.machine_profile import lowered_claim

__all__ = ["SourceSlot"]

#: Consecutive failed reads after which a source is retired until an operator resets it.
MAX_READ_FAILURES = 3
#: Factor by which a rate may change before the sources are ordered again: a busy moment is no reason to, because the
#: next source in the queue would first have to pass its start-up test.
RANK_SLACK = 4.0
#: Narrowest internal width of Hash_df with SHA-256, in bits (SP 800-90B table 1).
NARROWEST_BITS = 256


def _note(claim: Claim) -> str:
    """Return the ledger's remark on a claim: its certificate, or that it is provisional."""
    if claim.evidence is None:
        return "no evidence, no credit"
    if claim.evidence.certificate:
        return f"credited by configuration: {claim.evidence.certificate}"
    return "provisional claim" if claim.evidence.provisional else ""


class SourceSlot:
    """A noise source in a pool, behind a guard unless it is a bounded source of ours.

    Every read is tested before its samples are used: :meth:`read_tested` returns samples that passed, or None with the
    reason in :attr:`fault`. No fault of a source raises an error here, and no read takes longer than the deadline.
    """

    def __init__(self, source: NoiseSource, claim: Claim, *, health_profile: HealthProfile, deadline_s: float) -> None:
        self.source = guarded(source)
        self.foreign = is_foreign(self.source)
        #: The claim in force: the given one, or a lower one for this machine.
        self.claim = claim
        #: Bits credited per raw sample; 0 without evidence. An upper bound until :meth:`decide_credit` has decided.
        self.credit = claim.credit
        self._decision = None if claim.credit else Credit(0.0, "none", "no evidence, no credit")
        self._handed = claim
        self.deadline_s = deadline_s
        self._health_profile = health_profile
        self.startup_samples = health_profile.startup_samples
        self.fault = ""
        #: The alarm of the last tested samples; None if they passed.
        self.alarm: Alarm | None = None
        self.retired = False
        self.samples_read = 0
        self.seconds_reading = 0.0
        self.credited_bits = 0
        self.note = _note(claim)
        self._monitor: tuple[int, HealthMonitor] | None = None
        self._steady_samples = 0
        self._steady_seconds = 0.0
        self._ranked = (False, 0.0)
        self._read_failures = 0
        self._asked_in_vain = False
        self._entries: dict[tuple[int, int], LedgerEntry] = {}

    @property
    def monitor(self) -> HealthMonitor:
        """The health tests of this source, made at their first use, because exact cutoffs take milliseconds.

        A forked child makes its own monitor, which begins with a start-up test: the parent may have been testing at the
        fork. A permanent failure in the parent holds in the child.
        """
        kept = self._monitor
        generation = fork_generation()
        if kept is None or (kept[0] != generation and kept[1].state is not HealthState.FAILED_PERMANENT):
            fresh = HealthMonitor(
                self.claim.cutoff_entropy,
                self.source.symbol_bits,
                profile=self._health_profile,
                source=self.source.name,
            )
            kept = self._monitor = (generation, fresh)
        return kept[1]

    @property
    def _health(self) -> HealthState:
        """The state of the health tests; STARTUP if there are none yet."""
        return HealthState.STARTUP if self._monitor is None else self.monitor.state

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.source.name

    @property
    def state(self) -> str:
        """One word for tables: the health state, or ``RETIRED`` / ``UNAVAILABLE``."""
        if self.retired:
            return "RETIRED"
        if not self.availability().available:
            return "UNAVAILABLE"
        return self._health.name

    def availability(self) -> Availability:
        """Ask the source whether it can be read; an error that it raises is the reason why not.

        A source that does not answer within the deadline is retired and not asked again.
        """
        if self.retired and self._asked_in_vain:
            return Availability(False, self.fault)
        answer = ask(self.source, self.deadline_s)
        if not isinstance(answer, Fault):
            return answer
        if answer.hung:
            self._asked_in_vain = self.retired = True
            self.fault = f"did not say within {self.deadline_s:g} s whether it is available; retired until reset"
            return Availability(False, self.fault)
        return Availability(False, answer.words)

    @property
    def healthy(self) -> bool:
        """True if the source passed its start-up test and has not failed since."""
        return not self.retired and self._health is HealthState.HEALTHY

    @property
    def usable(self) -> bool:
        """False once the source is retired or has failed permanently."""
        return not self.retired and self._health is not HealthState.FAILED_PERMANENT

    @property
    def awaits_restart(self) -> bool:
        """True after an intermittent alarm: a fresh start-up test may bring the source back."""
        return not self.retired and self.monitor.state is HealthState.FAILED_INTERMITTENT

    def seconds_for(self, n_samples: int) -> float:
        """Return the seconds that ``n_samples`` samples are expected to take, by the measured rate if there is one."""
        return n_samples / self.rate

    @property
    def rate_is_measured(self) -> bool:
        """True once enough samples were read to know their rate."""
        return self.samples_read >= self.startup_samples and self.seconds_reading > 0

    @property
    def rate(self) -> float:
        """Raw samples per second, as measured; before the first measurement, as the source declares.

        The set-up during a source's first read does not count.
        """
        if not self.rate_is_measured:
            return self.source.estimated_rate
        if self._steady_samples and self._steady_seconds > 0:
            return self._steady_samples / self._steady_seconds
        return self.samples_read / self.seconds_reading

    def rank(self) -> tuple[bool, float]:
        """Return the source's rank in the queue, by credited bits per second, highest first; and remember it.

        A rate that a foreign source only declares ranks behind every measured rate and behind all our sources.
        """
        self._ranked = (self.rate_is_measured or not self.foreign, self.credit * self._rate_to_rank_by())
        return self._ranked

    def _rate_to_rank_by(self) -> float:
        """Return the rate; of a source of ours the declared one until a second read: the first one includes set-up."""
        return self.rate if self.foreign or self._steady_samples else self.source.estimated_rate

    @property
    def rank_is_stale(self) -> bool:
        """True if the rate has changed by more than :data:`RANK_SLACK` since the source was ranked."""
        known, value = self._ranked
        bits = self.credit * self._rate_to_rank_by()
        return (
            known != (self.rate_is_measured or not self.foreign)
            or not value <= RANK_SLACK * bits <= RANK_SLACK**2 * value
        )

    def samples_for(self, h_in: float) -> int:
        """Return how many raw samples carry ``h_in`` bits by the claim in force."""
        return math.ceil(h_in / self.credit)

    @property
    def takes_too_long(self) -> bool:
        """True if a start-up test would take longer than one deadline at the source's rate."""
        return self.seconds_for(self.startup_samples) > self.deadline_s

    def decide_credit(self) -> bool:
        """Decide once what is credited on this machine; return True if anything is, else :attr:`fault` says why not.

        Cutoffs follow from the credit: a credit below the claim makes new health tests.
        """
        if self._decision is None:
            if not self.usable:
                return False
            available, reason = self.availability()
            if not available:
                self.fault = reason
                return False
            alpha = self._health_profile.intermittent_alpha
            decision = decide(self.source, self._handed, self._read, alpha=alpha)
            if decision.basis == "unread":  # nothing is decided: the next seed asks again
                self.fault = self.fault or decision.reason
                return False
            if decision.bits != self.credit:
                self.claim = lowered_claim(self._handed, decision.bits)
                self._monitor = None
                self.credit = decision.bits
            if decision.basis != "configured" and decision.reason:
                self.note = "; ".join(filter(None, (_note(self.claim), decision.reason)))
            self._entries.clear()
            self._decision = decision  # last: after an exception of a signal handler, all of it is decided anew
        do_more = getattr(self.source, "repeat", None)
        if self.credit > 0 and do_more is not None:  # another pool with this source may have made it do other work
            do_more(self._decision.times)
        if self.credit == 0 and self._handed.credit > 0:
            self.fault = f"no credit: {self._decision.reason}"
        return self.credit > 0

    def start(self) -> bool:
        """Bring the source to HEALTHY by a start-up test (SP 800-90B 4.3); its samples are discarded.

        After an intermittent failure the start-up test is run again, as often as the health profile allows.
        """
        self.decide_credit()
        while self.usable:
            if self.monitor.state is HealthState.HEALTHY:
                return True
            if self.monitor.state is HealthState.FAILED_INTERMITTENT:
                self.monitor.restart()
            symbols = self._read(self.startup_samples)
            if symbols is None:
                return False
            self._judge(self.monitor.start_up, symbols)
        return False

    def read_tested(self, n_samples: int) -> bytes | None:
        """Return ``n_samples`` raw samples that passed the continuous tests, or None: :attr:`fault` says why."""
        monitor = self.monitor
        if (self.retired or monitor.state is not HealthState.HEALTHY) and not self.start():
            return None
        symbols = self._read(n_samples)
        if symbols is None or not self._judge(monitor.test, symbols):
            return None
        return symbols

    def on_demand(self) -> bool:
        """Run the on-demand test (SP 800-90B 4.3) on fresh samples; return True if they passed."""
        if not self.start():
            return False
        symbols = self._read(self.startup_samples)
        return symbols is not None and self._judge(self.monitor.on_demand, symbols)

    def ledger_entry(self, n_samples: int, block_bits: int) -> LedgerEntry:
        """Return the ledger entry for one Hash_df SHA-256 block made of ``n_samples`` tested samples."""
        key = (n_samples, block_bits)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._new_ledger_entry(n_samples, block_bits)
        return entry

    def _new_ledger_entry(self, n_samples: int, block_bits: int) -> LedgerEntry:
        n_in = 8 * n_samples
        h_in = n_samples * self.credit
        h_out = output_entropy(n_in, block_bits, NARROWEST_BITS, h_in)
        return LedgerEntry(
            source=self.name,
            independence_group=self.source.independence_group,
            symbols=n_samples,
            min_entropy=self.credit,
            health="passed RCT, APT, lag predictor",
            n_in=n_in,
            n_out=block_bits,
            nw=NARROWEST_BITS,
            h_in=h_in,
            h_out=h_out,
            credited_bits=int(conditioned_credit(n_in, block_bits, NARROWEST_BITS, h_in)),
            note=self.note,
            basis=self._decision.basis if self._decision is not None else "none",
        )

    def report(self) -> dict[str, Any]:
        """Return this source's part of :meth:`EntropyPool.health_report`."""
        source = self.source
        monitor = self.monitor.report()
        available, reason = self.availability()
        credit = self._decision
        if credit is None and available:
            credit = without_reading(source, self._handed, alpha=self._health_profile.intermittent_alpha)
        credit = credit or Credit(
            0.0, "none", "not decided yet: no evidence fits this machine, and the gate has not run"
        )
        return {
            "name": source.name,
            "description": source.description,
            "category": source.category,
            "independence_group": source.independence_group,
            "available": available,
            "reason": reason,
            "state": self.state,
            "claim": self._handed.min_entropy,
            "credit": credit.bits,
            "basis": credit.basis,
            "basis_reason": credit.reason,
            "parameters": source.parameters(),
            "note": self.note,
            "rct_cutoffs": list(monitor.rct_cutoffs),
            "apt_cutoffs": list(monitor.apt_cutoffs),
            "apt_window": monitor.apt_window,
            "apt_can_fail": list(monitor.apt_can_fail),
            "lag_cutoffs": [cutoffs._asdict() for cutoffs in monitor.lag_cutoffs],
            "lag_can_fail": [list(tier) for tier in monitor.lag_can_fail],
            "last_alarm": monitor.last_alarm,
            "samples_tested": monitor.samples,
            "rct_alarms": monitor.rct_alarms,
            "apt_alarms": monitor.apt_alarms,
            "lag_alarms": monitor.lag_alarms,
            "longest_run": monitor.longest_run,
            "lag_highest": list(monitor.lag_highest),
            "fault": self.fault,
            "symbols_read": self.samples_read,
            "symbols_per_second": round(self.samples_read / self.seconds_reading) if self.seconds_reading else None,
            "credited_bits": self.credited_bits,
        }

    def reset(self) -> None:
        """Return a retired or failed source to its start-up test; for an operator."""
        self.monitor.reset()
        self.retired = False
        self.fault, self.alarm = "", None
        self._read_failures = 0
        self._asked_in_vain = False
        if isinstance(self.source, GuardedSource):
            self.source.forget()

    def _judge(self, test: Callable[[bytes], None], symbols: bytes) -> bool:
        """Run one health test; of an alarm keep only its data and text, so that no traceback leads to the samples."""
        try:
            test(symbols)
        except HealthTestError as error:
            self.fault, self.alarm = str(error), error.alarm
            return False
        except BaseException:
            # Ctrl-C interrupted the test, so its counts are incomplete; a permanent failure holds all the same.
            if self.monitor.state is not HealthState.FAILED_PERMANENT:
                self._monitor = None
            raise
        self.fault, self.alarm = "", None
        return True

    def _read(self, n_samples: int) -> bytes | None:
        """Read exactly ``n_samples`` within the deadline, or note the fault and return None."""
        available, reason = self.availability()
        if not available:
            self.fault = reason
            return None
        began = time.perf_counter()
        symbols = take(self.source, n_samples, self.deadline_s)
        seconds = time.perf_counter() - began
        self.seconds_reading += seconds
        if isinstance(symbols, Fault):
            self._note_failure(symbols, n_samples)
            return None
        self._read_failures = 0
        if self.samples_read:
            self._steady_samples += n_samples
            self._steady_seconds += seconds
        self.samples_read += n_samples
        return symbols

    def _note_failure(self, fault: Fault, n_samples: int) -> None:
        """Keep the text of a fault; retire a source that hangs or fails repeatedly."""
        self.fault = fault.words if fault.received is None else f"returned {fault.received} of {n_samples} samples"
        if fault.forked:
            return
        self._read_failures += 1
        if fault.hung:
            self.fault += "; retired until reset"
        if fault.hung or self._read_failures >= MAX_READ_FAILURES:
            self.retired = True
