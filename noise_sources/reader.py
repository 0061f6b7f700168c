"""Readers: the two ways to ask and read a noise source, whatever it does.

A bounded source of ours is called in the caller's own thread. Any other source is called in threads that are abandoned
at the deadline, never two at a time. Readers return only what the :mod:`~esoteric_drbg.noise_sources.intake` has
checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from esoteric_drbg.errors import InvalidInputError, KernelUnavailableError, SourceUnavailableError
from esoteric_drbg.noise_sources.deadline import Call, still_runs, within
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.intake import (
    LONGEST_WAIT_S,
    Fault,
    checked_answer,
    checked_samples,
    checked_values,
    class_name,
    described,
    is_ours,
    raise_fault,
    read_inline,
)
from esoteric_drbg.noise_sources.metadata import (
    checked_metadata,
    digitization_of,
    has_wide_values_of,
    read_metadata,
)
from esoteric_drbg.noise_sources.raw_source import Availability, RawSource

if TYPE_CHECKING:
    from array import array

__all__ = ["InlineReader", "Reader", "ThreadReader", "reader_of", "said"]

#: Seconds that a source may take to answer if no deadline is given.
ASK_DEADLINE_S = 5.0
#: Seconds that a read may take if no deadline is given, in addition to 20 times its expected duration.
READ_TIMEOUT_S = 60.0
#: Share of the deadline that is passed to the source, so that it can return before its thread is abandoned.
SHARE = 0.9


def patience(n_samples: int, rate: float) -> float:
    """Return the seconds that a read may take if no deadline is given, by the rate that the source declares."""
    return min(LONGEST_WAIT_S, READ_TIMEOUT_S + 20 * n_samples / rate)


def said(answer: Availability | Fault, deadline_s: float = ASK_DEADLINE_S) -> Availability:
    """Return the answer; a fault becomes the reason why the source is unavailable."""
    if isinstance(answer, Fault):
        words = f"did not say within {deadline_s:g} s whether it is available" if answer.hung else answer.words
        return Availability(False, words)
    return answer


class InlineReader:
    """Asks and reads a bounded source of ours in the caller's thread."""

    def __init__(self, source: RawSource) -> None:
        self._source = source

    @property
    def info(self) -> SourceInfo:
        """The metadata of the source."""
        return self._source.info

    def ask(self, deadline_s: float) -> Availability | Fault:
        """Ask the source whether it can be read; return its answer, or why there is none."""
        return _ask_inline(self._source)

    def read(self, n_samples: int, deadline_s: float | None) -> bytes | Fault:
        """Return ``n_samples`` checked samples, or why there are none."""
        return read_inline(self._source, n_samples, self._source.symbol_bits, deadline_s)


class ThreadReader:
    """Asks and reads a source that is foreign, or cannot bound its reads, in separate threads.

    Its metadata are those that the source had when the reader was made; later changes are ignored. Every method ends:
    within the deadline, or within a time that suits the declared rate.

    Raises
    ------
    InvalidInputError
        If the metadata are not complete; the message names what is missing.
    """

    def __init__(self, source: RawSource) -> None:
        self._source = source
        self.foreign = not is_ours(source)
        if self.foreign:
            found: Any = self._call(lambda: read_metadata(source), ASK_DEADLINE_S, "look at")
            if isinstance(found, Fault):
                raise InvalidInputError(f"{class_name(source)}: {found.words}")
            self.info = checked_metadata(found, class_name(source))
            self.wide: bool = found["wide"]
            self.digitization: str = found["digitization"]
        else:
            self.info, self.wide = source.info, has_wide_values_of(source)
            self.digitization = digitization_of(source)
        self._reading: Call | None = None

    def _call(self, task: Callable[[], Any], deadline_s: float, verb: str) -> Any:
        return within(task, deadline_s, name=f"{verb} {class_name(self._source)}", ours=not self.foreign)

    def ask(self, deadline_s: float) -> Availability | Fault:
        """Ask the source whether it can be read; return its answer, or why there is none."""
        if not self.foreign:
            return _ask_inline(self._source)
        source = self._source
        answer: Availability | Fault = self._call(lambda: checked_answer(source.availability()), deadline_s, "ask")
        return answer

    def read(self, n_samples: int, deadline_s: float | None) -> bytes | Fault:
        """Return ``n_samples`` checked samples, or why there are none."""
        limit, told_s = self._deadlines(n_samples, deadline_s)
        return self.take(n_samples, limit, told_s=told_s)

    def take(self, n_samples: int, deadline_s: float, *, told_s: float | None = None) -> bytes | Fault:
        """Return a private copy of ``n_samples`` samples, or why there are none; within ``deadline_s`` seconds.

        ``told_s`` is the deadline that is passed to the source itself.
        """
        bits = self.info.symbol_bits
        samples: bytes | Fault = self._read(
            lambda: checked_samples(self._source.read_raw(n_samples, deadline_s=told_s), n_samples, bits), deadline_s
        )
        return samples

    def read_wide(self, n_samples: int, deadline_s: float | None) -> array[int] | Fault:
        """Return a copy of ``n_samples`` raw values at full width, or why there are none."""
        limit, told_s = self._deadlines(n_samples, deadline_s)
        values: array[int] | Fault = self._read(
            lambda: checked_values(self._source.read_wide(n_samples, deadline_s=told_s), n_samples), limit
        )
        return values

    def digitize(self, wide: array[int]) -> bytes | Fault:
        """Return the source's digitization of full-width values, or why there is none."""
        count, mine, bits = len(wide), wide[:], self.info.symbol_bits
        samples: bytes | Fault = self._call(
            lambda: checked_samples(self._source.digitize(mine), count, bits),
            patience(count, self.info.estimated_rate),
            "digitize",
        )
        return samples

    def forget(self) -> None:
        """Forget a read that never returned; for an operator who has repaired the source."""
        self._reading = None

    def _read(self, task: Callable[[], Any], deadline_s: float) -> Any:
        """Make a call that reads, never two at a time: a foreign source need not support that."""
        if self._reading is not None and still_runs(self._reading, deadline_s):
            return Fault("an earlier read has not returned yet", hung=True)
        self._reading = call = Call(task, f"read {self.info.name}", ours=not self.foreign)
        return call.result(deadline_s)

    def _deadlines(self, n_samples: int, deadline_s: float | None) -> tuple[float, float | None]:
        """Return the deadline of a read, and the deadline that is passed to the source."""
        if deadline_s is None:
            return patience(n_samples, self.info.estimated_rate), None
        return deadline_s, SHARE * deadline_s


Reader = InlineReader | ThreadReader


def reader_of(source: RawSource) -> Reader:
    """Return the reader of a source: inline for a bounded source of ours, in threads for any other.

    Raises
    ------
    InvalidInputError
        If its metadata are not complete.
    """
    return InlineReader(source) if is_ours(source) and source.bounded else ThreadReader(source)


def read_exactly(reader: Reader, n_samples: int, deadline_s: float | None = None) -> bytes:
    """Return exactly ``n_samples`` raw samples, or raise; see :meth:`NoiseSource.read_exactly`."""
    if n_samples < 1:
        raise InvalidInputError(f"n_samples={n_samples}: ask for at least 1 sample")
    require_available(reader)
    outcome = reader.read(n_samples, deadline_s)
    if isinstance(outcome, Fault):
        raise_fault(reader.info.name, outcome)
    return outcome


def require_available(reader: Reader) -> None:
    """Raise :class:`~esoteric_drbg.errors.SourceUnavailableError` if the source cannot be read here."""
    available, reason = said(reader.ask(ASK_DEADLINE_S))
    if not available:
        raise SourceUnavailableError(f"{reader.info.name}: {reason}")


def _ask_inline(source: RawSource) -> Availability | Fault:
    """Ask a source of ours in this thread."""
    try:
        answer = source.availability()
    except KernelUnavailableError:  # not the source's fault: nothing works without the kernels
        raise
    except Exception as error:
        return described(error, ours=True)
    if type(answer) is Availability and answer[0] is True and answer[1] == "":
        return answer
    return checked_answer(answer)
