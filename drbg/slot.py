"""One source as the pool holds it: claim in force, health monitor, deadline, and what became of it."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from esoteric_drbg.conditioning import conditioned_credit, output_entropy
from esoteric_drbg.credit import decide, without_reading
from esoteric_drbg.errors import EsotericDRBGError, HealthTestError
from esoteric_drbg.health_tests import HealthMonitor, HealthProfile, HealthState
from esoteric_drbg.ledger import Credit, LedgerEntry
from esoteric_drbg.machine_profile import lowered_claim
from esoteric_drbg.noise_sources import Availability, Claim, NoiseSource

__all__ = ["SourceSlot"]

#: Consecutive failed reads after which a source is retired until an operator resets it.
MAX_READ_FAILURES = 3
#: Narrowest internal width of Hash_df with SHA-256, in bits (SP 800-90B table 1).
NARROWEST_BITS = 256


_T = TypeVar("_T")


def within(task: Callable[[], _T], deadline_s: float, *, name: str = "ask") -> _T | None:
    """Return what ``task`` returns, or None after ``deadline_s`` seconds: its thread is then abandoned."""
    box: list[_T] = []
    worker = threading.Thread(target=lambda: box.append(task()), name=f"esoteric_drbg {name}", daemon=True)
    worker.start()
    worker.join(deadline_s)
    return box.pop() if box else None


def _is_ours(source: NoiseSource) -> bool:
    return type(source).__module__.startswith("esoteric_drbg.")


def _note(claim: Claim) -> str:
    """Return the ledger's remark on a claim: its certificate, or that it is provisional."""
    if claim.evidence is None:
        return "no evidence, no credit"
    if claim.evidence.certificate:
        return f"credited by configuration: {claim.evidence.certificate}"
    return "provisional claim" if claim.evidence.provisional else ""


class SourceSlot:
    """A noise source in a pool.

    Every read is tested before anybody sees it: :meth:`read_tested` returns symbols that passed, or None and the
    reason in :attr:`fault`. It never raises for what a source does, and never takes longer than the deadline.
    """

    def __init__(self, source: NoiseSource, claim: Claim, *, health_profile: HealthProfile, deadline_s: float) -> None:
        self.source = source
        #: The claim in force: the one handed over, or what is left of it on this machine.
        self.claim = claim
        #: Bits credited per raw symbol; 0 without evidence. At most these until :meth:`decide_credit` has decided.
        self.credit = claim.credit
        self._decision = None if claim.credit else Credit(0.0, "none", "no evidence, no credit")
        self._handed = claim
        self.deadline_s = deadline_s
        self._health_profile = health_profile
        self.startup_samples = health_profile.startup_samples
        self.fault = ""
        self.retired = False
        self.symbols_read = 0
        self.seconds_reading = 0.0
        self.credited_bits = 0
        self.note = _note(claim)
        self._read_failures = 0
        self._answers = False
        self._asked_in_vain = False
        self._entries: dict[tuple[int, int], LedgerEntry] = {}

    @functools.cached_property
    def monitor(self) -> HealthMonitor:
        """The health tests of this source, made when they are first needed: exact cutoffs take milliseconds."""
        return HealthMonitor(self.claim.cutoff_entropy, self.source.symbol_bits, profile=self._health_profile)

    @property
    def _health(self) -> HealthState:
        """The state of the health tests; what has none yet waits for its start-up test."""
        return self.monitor.state if "monitor" in self.__dict__ else HealthState.STARTUP

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
        """Return the source's own word on whether it can be read; what it raises is the reason why not.

        A source of another package is asked in a thread the first time: if it does not answer within the deadline it is
        retired, and not asked again.
        """
        if self.retired and self._asked_in_vain:
            return Availability(False, self.fault)
        if self._answers:
            return self._ask()
        answer = self._ask() if _is_ours(self.source) else within(self._ask, self.deadline_s)
        if answer is None:
            self._asked_in_vain = self.retired = True
            self.fault = f"did not say within {self.deadline_s:g} s whether it is available; retired until reset"
            return Availability(False, self.fault)
        self._answers = True
        return answer

    def _ask(self) -> Availability:
        try:
            answer = self.source.availability()
            return answer if type(answer) is Availability else Availability(*answer)
        except Exception as error:
            return Availability(False, f"{type(error).__name__}: {error}")

    @property
    def healthy(self) -> bool:
        """True if the source passed its start-up test and nothing has happened since."""
        return not self.retired and self._health is HealthState.HEALTHY

    @property
    def usable(self) -> bool:
        """False once the source is retired or has failed permanently."""
        return not self.retired and self._health is not HealthState.FAILED_PERMANENT

    @property
    def awaits_restart(self) -> bool:
        """True after an intermittent alarm: a fresh start-up test may bring the source back."""
        return not self.retired and self.monitor.state is HealthState.FAILED_INTERMITTENT

    def seconds_for(self, n_symbols: int) -> float:
        """Seconds to expect for reading ``n_symbols``, by the measured rate where there is one."""
        rate = self.source.estimated_rate
        if self.symbols_read >= self.startup_samples and self.seconds_reading > 0:
            rate = self.symbols_read / self.seconds_reading
        return n_symbols / rate

    def symbols_for(self, h_in: float) -> int:
        """Raw symbols that carry ``h_in`` bits by the claim in force."""
        return math.ceil(h_in / self.credit)

    @property
    def takes_too_long(self) -> bool:
        """True if a start-up test cannot be had within one deadline, by the rate that the source tells."""
        return self.seconds_for(self.startup_samples) > self.deadline_s

    def decide_credit(self) -> bool:
        """Find out once what is credited on this machine; True if anything is. Otherwise :attr:`fault` says why not.

        Cutoffs follow from what is credited: a decision for less than the claim makes the health tests anew.
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
            self._decision = decision
            if decision.bits != self.credit:
                self.credit = decision.bits
                self.claim = lowered_claim(self._handed, decision.bits)
                self.__dict__.pop("monitor", None)
            if decision.basis != "configured" and decision.reason:
                self.note = "; ".join(filter(None, (_note(self.claim), decision.reason)))
            self._entries.clear()
        if self.credit == 0 and self._handed.credit > 0:
            self.fault = f"no credit: {self._decision.reason}"
        return self.credit > 0

    def start(self) -> bool:
        """Bring the source to HEALTHY by a start-up test (SP 800-90B 4.3); its symbols are discarded.

        An intermittent failure gets a fresh start-up test, as often as the health profile allows.
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

    def read_tested(self, n_symbols: int) -> bytes | None:
        """Return ``n_symbols`` raw symbols that passed the continuous tests, or None; then see :attr:`fault`."""
        monitor = self.monitor
        if (self.retired or monitor.state is not HealthState.HEALTHY) and not self.start():
            return None
        symbols = self._read(n_symbols)
        if symbols is None or not self._judge(monitor.test, symbols):
            return None
        return symbols

    def on_demand(self) -> bool:
        """Run the on-demand test (SP 800-90B 4.3) on fresh symbols; True if they passed."""
        if not self.start():
            return False
        symbols = self._read(self.startup_samples)
        return symbols is not None and self._judge(self.monitor.on_demand, symbols)

    def ledger_entry(self, n_symbols: int, block_bits: int) -> LedgerEntry:
        """Return the ledger's line for one Hash_df SHA-256 block made of ``n_symbols`` tested symbols."""
        key = (n_symbols, block_bits)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._new_ledger_entry(n_symbols, block_bits)
        return entry

    def _new_ledger_entry(self, n_symbols: int, block_bits: int) -> LedgerEntry:
        n_in = 8 * n_symbols
        h_in = n_symbols * self.credit
        h_out = output_entropy(n_in, block_bits, NARROWEST_BITS, h_in)
        return LedgerEntry(
            source=self.name,
            independence_group=self.source.independence_group,
            symbols=n_symbols,
            min_entropy=self.credit,
            health="passed RCT, APT",
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
        """Return what :meth:`EntropyPool.health_report` says of this source."""
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
            "last_alarm": monitor.last_alarm,
            "samples_tested": monitor.samples,
            "rct_alarms": monitor.rct_alarms,
            "apt_alarms": monitor.apt_alarms,
            "longest_run": monitor.longest_run,
            "fault": self.fault,
            "symbols_read": self.symbols_read,
            "symbols_per_second": round(self.symbols_read / self.seconds_reading) if self.seconds_reading else None,
            "credited_bits": self.credited_bits,
        }

    def reset(self) -> None:
        """Put a retired or failed source back to its start-up test: the operator's act."""
        self.monitor.reset()
        self.retired = False
        self.fault = ""
        self._read_failures = 0
        self._answers = self._asked_in_vain = False

    def _judge(self, test: Callable[[bytes], None], symbols: bytes) -> bool:
        """Run one health test; on an alarm keep its text only, so that no traceback leads to the symbols."""
        try:
            test(symbols)
        except HealthTestError as error:
            self.fault = str(error)
            return False
        self.fault = ""
        return True

    def _read(self, n_symbols: int) -> bytes | None:
        """Read exactly ``n_symbols`` within the deadline, or note the fault and return None."""
        available, reason = self._ask() if self._answers else self.availability()
        if not available:
            self.fault = reason
            return None
        began = time.perf_counter()
        outcome = self._read_inline(n_symbols) if self.source.bounded else self._read_in_thread(n_symbols)
        self.seconds_reading += time.perf_counter() - began
        if isinstance(outcome, str):
            self._note_failure(outcome)
            return None
        if len(outcome) != n_symbols:
            self._note_failure(f"returned {len(outcome)} of {n_symbols} symbols")
            return None
        self._read_failures = 0
        self.symbols_read += n_symbols
        return outcome

    def _note_failure(self, fault: str) -> None:
        self.fault = fault
        self._read_failures += 1
        if self._read_failures >= MAX_READ_FAILURES:
            self.retired = True

    def _read_inline(self, n_symbols: int) -> bytes | str:
        try:
            return self.source.read_raw(n_symbols, deadline_s=self.deadline_s)
        except EsotericDRBGError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _read_in_thread(self, n_symbols: int) -> bytes | str:
        """Read in a thread of its own; a read that passes the deadline is abandoned and the source retired."""
        outcome = within(lambda: self._read_inline(n_symbols), self.deadline_s, name=f"read {self.name}")
        if outcome is None:
            self.retired = True
            return f"did not return within {self.deadline_s:g} s; retired until reset"
        return outcome
