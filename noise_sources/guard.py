"""Foreign sources behind a guard: a noise source that keeps to the interface, whatever the one behind it does.

The guard reads the metadata once and keeps to them, asks and reads in threads that are abandoned at the deadline, and
hands over nothing but what the :mod:`~esoteric_drbg.noise_sources.intake` has checked. Bounded sources of ours need no
guard.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from esoteric_drbg.errors import InvalidInputError, KernelUnavailableError, SourceUnavailableError
from esoteric_drbg.kernels.process import fork_generation
from esoteric_drbg.kernels.process import join as wait_for
from esoteric_drbg.noise_sources.claims import Claim, Evidence
from esoteric_drbg.noise_sources.intake import (
    SHARE,
    Call,
    Fault,
    checked_answer,
    checked_samples,
    checked_values,
    class_name,
    described,
    is_ours,
    one_line,
    patience,
    raise_fault,
    read_inline,
    within,
)
from esoteric_drbg.noise_sources.source import Availability, NoiseSource

if TYPE_CHECKING:
    from array import array

__all__ = ["GuardedSource", "ask", "checked_claim", "guarded", "has_wide_values", "read_checked", "take", "unguarded"]

#: Seconds that a source may take to answer, where nobody gave a deadline.
ASK_DEADLINE_S = 5.0
#: Fastest rate that is believed before it was measured, in samples per second.
FASTEST_DECLARED = 1e7
#: Longest name of a source, in characters.
LONGEST_NAME = 200


class GuardedSource(NoiseSource):
    """What the package deals with in place of a source that is foreign, or cannot bound its reads.

    Its metadata are those that the source told when it was guarded; should the source tell others later, nobody hears
    of it. Every method ends: within the deadline, or within a time that suits the declared rate.

    Raises
    ------
    InvalidInputError
        If the metadata are not complete; the message names what is missing.
    """

    def __init__(self, source: NoiseSource) -> None:
        self.source = source
        self.foreign = not is_ours(source)
        found: Any = (
            self._call(lambda: _metadata(source), ASK_DEADLINE_S, "look at") if self.foreign else _metadata(source)
        )
        if isinstance(found, Fault):
            raise InvalidInputError(f"{class_name(source)}: {found.words}")
        fault = _fault(found)
        if fault:
            raise InvalidInputError(f"{_label(found) or class_name(source)} {fault}")
        self.name: str = found["name"]  # type: ignore[misc]
        self.description: str = one_line(found["description"])  # type: ignore[misc]
        self.category: str = one_line(found["category"])  # type: ignore[misc]
        self.physics: str = one_line(found["physics"], 4 * LONGEST_NAME)  # type: ignore[misc]
        self.independence_group: str = one_line(found["independence_group"])  # type: ignore[misc]
        self.physical: bool = found["physical"]  # type: ignore[misc]
        self.symbol_bits: int = found["symbol_bits"]  # type: ignore[misc]
        declared = float(found["estimated_rate"])
        self.estimated_rate: float = min(declared, FASTEST_DECLARED) if self.foreign else declared  # type: ignore[misc]
        self.claim = found["claim"]
        self.opt_in: bool = found["opt_in"]
        self.wide: bool = found["wide"]
        self.digitization: str = found["digitization"]
        self._reading: Call | None = None

    def _call(self, task: Callable[[], Any], deadline_s: float, verb: str) -> Any:
        return within(task, deadline_s, name=f"{verb} {class_name(self.source)}", ours=not self.foreign)

    def ask(self, deadline_s: float) -> Availability | Fault:
        """Return the source's word on whether it can be read, or why there is none."""
        if not self.foreign:
            return _ask_inline(self.source)
        answer: Availability | Fault = self._call(lambda: checked_answer(self.source.availability()), deadline_s, "ask")
        return answer

    def availability(self) -> Availability:
        """Return the source's word on whether it can be read; no word is a reason why not."""
        return _said(self.ask(ASK_DEADLINE_S), ASK_DEADLINE_S)

    def take(self, n_samples: int, deadline_s: float, *, told_s: float | None = None) -> bytes | Fault:
        """Return a private copy of ``n_samples`` samples, or why there are none; within ``deadline_s`` seconds.

        ``told_s`` is the deadline that the source itself is told.
        """
        symbols: bytes | Fault = self._read(
            lambda: checked_samples(self.source.read_raw(n_samples, deadline_s=told_s), n_samples, self.symbol_bits),
            deadline_s,
        )
        return symbols

    def _read(self, task: Callable[[], Any], deadline_s: float) -> Any:
        """Make a call that reads, never two at a time: a foreign source need not bear that."""
        before = self._reading
        if before is not None and before.generation == fork_generation() and before.is_alive():
            wait_for(before, deadline_s)
            if before.generation == fork_generation() and before.is_alive():
                return Fault("an earlier read has not returned yet", hung=True)
        self._reading = call = Call(task, f"read {self.name}", ours=not self.foreign)
        return call.result(deadline_s)

    def forget(self) -> None:
        """Give up a read that never returned: an operator says that the source is well again."""
        self._reading = None

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return exactly ``n_samples`` checked samples, or raise :class:`~esoteric_drbg.errors.SourceReadError`."""
        limit, told = self._deadlines(n_samples, deadline_s)
        outcome = self.take(n_samples, limit, told_s=told)
        if isinstance(outcome, Fault):
            raise_fault(self.name, outcome)
        return outcome

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return a copy of ``n_samples`` raw values at full width."""
        if not self.wide:
            return super().read_wide(n_samples, deadline_s=deadline_s)
        limit, told = self._deadlines(n_samples, deadline_s)
        values: array[int] | Fault = self._read(
            lambda: checked_values(self.source.read_wide(n_samples, deadline_s=told), n_samples), limit
        )
        if isinstance(values, Fault):
            raise_fault(self.name, values)
        return values

    def digitize(self, wide: array[int]) -> bytes:
        """Return the source's digitization of full-width values."""
        count, mine = len(wide), wide[:]
        symbols: bytes | Fault = self._call(
            lambda: checked_samples(self.source.digitize(mine), count, self.symbol_bits),
            patience(count, self.estimated_rate),
            "digitize",
        )
        if isinstance(symbols, Fault):
            raise_fault(self.name, symbols)
        return symbols

    def _deadlines(self, n_samples: int, deadline_s: float | None) -> tuple[float, float | None]:
        """Return when a read is given up, and what the source is told."""
        if deadline_s is None:
            return patience(n_samples, self.estimated_rate), None
        return deadline_s, SHARE * deadline_s


def _metadata(source: NoiseSource) -> dict[str, Any]:
    """Read every attribute of a source once, as it comes; in the guard's thread."""
    found: dict[str, Any] = {}
    for label in ("name", "description", "category", "physics", "independence_group", "symbol_bits"):
        found[label] = _attribute(source, label)
    rate = _attribute(source, "estimated_rate")
    found["estimated_rate"] = float(rate) if isinstance(rate, (int, float)) else None
    found["claim"] = _private(_attribute(source, "claim"))
    found["physical"] = bool(_attribute(source, "physical"))
    found["opt_in"] = bool(_attribute(source, "opt_in"))
    found["wide"] = type(source).read_wide is not NoiseSource.read_wide
    text = type(source).__doc__
    found["digitization"] = one_line(text.split("\n\n")[0], 4 * LONGEST_NAME) if type(text) is str else ""
    return found


def _attribute(source: NoiseSource, label: str) -> Any:
    try:
        return getattr(source, label, None)
    except BaseException as error:
        return Fault(f"{label}: {described(error).words}")


def checked_claim(claim: Any) -> Claim:
    """Return a copy of a claim, checked anew: it may have been altered behind its back.

    Raises
    ------
    InvalidInputError
        If it is no :class:`Claim`, or an impossible one.
    """
    if type(claim) is not Claim or type(claim.evidence) not in (Evidence, type(None)):
        raise InvalidInputError(f"{class_name(claim)}: expected a Claim, and Evidence or None in it")
    further = claim.further_evidence
    if type(further) is not tuple or any(type(evidence) is not Evidence for evidence in further):
        raise InvalidInputError(f"{class_name(further)}: expected a tuple of Evidence as further_evidence")
    return Claim(
        **_plain(claim)
        | {
            "evidence": None if claim.evidence is None else Evidence(**_plain(claim.evidence)),
            "further_evidence": tuple(Evidence(**_plain(evidence)) for evidence in further),
        }
    )


def _plain(values: Claim | Evidence) -> dict[str, Any]:
    """Return the values of a claim or of evidence; numbers of classes that compare as they like become plain ones."""
    plain: dict[str, Any] = {}
    for label, value in values._values().items():
        if isinstance(value, str):
            plain[label] = str.__str__(value)
        elif isinstance(value, float):
            plain[label] = float.__add__(value, 0.0)
        elif isinstance(value, int) and not isinstance(value, bool):
            plain[label] = int.__add__(value, 0)
        else:
            plain[label] = value
    return plain


def _private(claim: Any) -> Any:
    if type(claim) is not Claim:
        return None
    try:
        return checked_claim(claim)
    except InvalidInputError as error:
        return Fault(f"has no valid Claim: {error}")


def _fault(found: dict[str, Any]) -> str:
    """Return what is wrong with the metadata of a source, or an empty string."""
    for value in found.values():
        if type(value) is Fault:
            return value.words
    for label in ("name", "description", "category", "physics", "independence_group"):
        value = found[label]
        if not (type(value) is str and value.strip()):
            return f"has no {label}"
    name = found["name"]
    if len(name) > LONGEST_NAME or not name.isprintable() or name[0] in ".-" or set(name) & set('/\\:"'):
        return "has no name that could be one of a file"
    bits, claim, rate = found["symbol_bits"], found["claim"], found["estimated_rate"]
    if type(bits) is not int or bits not in range(1, 9):
        return f"has symbols of {bits if type(bits) is int else '?'} bits; 1 to 8 are possible"
    if rate is None or not (math.isfinite(rate) and rate > 0):
        return "has no estimated_rate above 0"
    if claim is None or claim.symbol_bits != bits:
        return f"has no Claim for symbols of {bits} bits"
    return ""


def _label(found: dict[str, Any]) -> str:
    return one_line(found["name"])


def _ask_inline(source: NoiseSource) -> Availability | Fault:
    """Ask a source of ours in this thread."""
    try:
        answer = source.availability()
    except KernelUnavailableError:  # no fault of the source: nothing works with kernels that are not there
        raise
    except Exception as error:
        return described(error, ours=True)
    if type(answer) is Availability and answer[0] is True and answer[1] == "":
        return answer
    return checked_answer(answer)


def _said(answer: Availability | Fault, deadline_s: float) -> Availability:
    """Return an answer; none is a reason why the source is unavailable."""
    if isinstance(answer, Fault):
        words = f"did not say within {deadline_s:g} s whether it is available" if answer.hung else answer.words
        return Availability(False, words)
    return answer


def guarded(source: NoiseSource) -> NoiseSource:
    """Return a source of ours that bounds its reads as it is, and any other behind its guard.

    Raises
    ------
    InvalidInputError
        If it is no noise source, or its metadata are not complete.

    Examples
    --------
    >>> from esoteric_drbg.noise_sources import create
    >>> source = create("memory_timing")
    >>> guarded(source) is source
    True
    """
    if type(source) is GuardedSource or (is_ours(source) and source.bounded):
        return source
    if NoiseSource not in type.__dict__["__mro__"].__get__(type(source)):
        raise InvalidInputError(f"{class_name(source)} is not a NoiseSource")
    return GuardedSource(source)


def unguarded(source: NoiseSource) -> NoiseSource:
    """Return the source behind a guard."""
    return source.source if type(source) is GuardedSource else source


def is_foreign(source: NoiseSource) -> bool:
    """Return True for a source whose class is not one of this package."""
    return source.foreign if type(source) is GuardedSource else not is_ours(source)


def has_wide_values(source: NoiseSource) -> bool:
    """Return whether a source's raw values are wider than its symbols."""
    if type(source) is GuardedSource:
        return source.wide
    return type(source).read_wide is not NoiseSource.read_wide


def digitization(source: NoiseSource) -> str:
    """Return the first paragraph of what the class of a source says of itself."""
    if type(source) is GuardedSource:
        return source.digitization
    return " ".join((type(source).__doc__ or "").split("\n\n")[0].split())


def ask(source: NoiseSource, deadline_s: float = ASK_DEADLINE_S) -> Availability | Fault:
    """Return the word of a guarded source, or of one of ours, on whether it can be read."""
    return source.ask(deadline_s) if type(source) is GuardedSource else _ask_inline(source)


def take(source: NoiseSource, n_samples: int, deadline_s: float) -> bytes | Fault:
    """Return ``n_samples`` checked samples of a guarded source, or of one of ours, or why there are none."""
    if type(source) is GuardedSource:
        return source.take(n_samples, deadline_s, told_s=SHARE * deadline_s)
    return read_inline(source, n_samples, source.symbol_bits, deadline_s)


def read_checked(source: NoiseSource, n_samples: int, *, deadline_s: float | None = None) -> bytes:
    """Return exactly ``n_samples`` raw symbols of a source, whatever it does; see :meth:`NoiseSource.read_exactly`."""
    if n_samples < 1:
        raise InvalidInputError(f"n_samples={n_samples}: ask for at least 1 symbol")
    source = guarded(source)
    require_available(source)
    if type(source) is GuardedSource:
        return source.read_raw(n_samples, deadline_s=deadline_s)
    outcome = read_inline(source, n_samples, source.symbol_bits, deadline_s)
    if isinstance(outcome, Fault):
        raise_fault(source.name, outcome)
    return outcome


def require_available(source: NoiseSource) -> None:
    """Raise :class:`~esoteric_drbg.errors.SourceUnavailableError` if a source cannot be read here."""
    source = guarded(source)
    available, reason = _said(ask(source), ASK_DEADLINE_S)
    if not available:
        raise SourceUnavailableError(f"{source.name}: {reason}")
