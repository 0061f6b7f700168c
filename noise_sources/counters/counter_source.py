"""Sources that read the kernel's counters: the duration of a reading plus the growth of the counters."""

from __future__ import annotations

import abc
import sys
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.health import new_adaptive_proportion_scan, new_repetition_count_scan
from esoteric_drbg.kernels.timing import read_counter, whole_steps
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.one_at_a_time import OneByOneSource

__all__ = ["DURATION_APT_CUTOFF", "DURATION_APT_WINDOW", "DURATION_ENTROPY", "DURATION_RCT_CUTOFF", "CounterSource"]

#: The H, in bits per duration, from which the cutoffs of the tests on the durations follow.
DURATION_ENTROPY = 1.0
#: Cutoffs of the Repetition Count and Adaptive Proportion Tests on the durations' low 8 bits, for H = DURATION_ENTROPY
#: and a false alarm in 2^60 (SP 800-90B 4.4.1, 4.4.2), as ``rct_cutoff`` and ``apt_cutoff`` compute them.
DURATION_RCT_CUTOFF = 61
DURATION_APT_CUTOFF = 355
DURATION_APT_WINDOW = 512

_MASK = (1 << 64) - 1

Reading = TypeVar("Reading")


class CounterSource(OneByOneSource, Generic[Reading]):
    """A source that reads counters of the kernel, and times each reading with the CPU's counter.

    The raw value is the duration of the reading, in steps of the CPU's counter, plus the growth of the counters since
    they were last read, modulo 2^64. The sample is its low 8 bits. Every process can read the counters, but none can
    read the duration. So a claim holds against an observer of all counters only if the durations alone carry it;
    ``durations_only`` gives the durations.

    Constant durations would be hidden from the health tests of the samples by the growing counters. So the durations
    have their own Repetition Count and Adaptive Proportion Tests, and an alarm makes the read fail.

    Parameters
    ----------
    durations_only : bool
        Whether the raw values leave the growth out, for assessments.

    A reading waits for no device, because the kernel generates the text: these sources are bounded, non-physical, and
    in the group of all sources that the CPU's counter times. A subclass states that in its ``info``. It defines
    :meth:`read_counters`, the only part that is timed, and :meth:`growth`.
    """

    #: The claim by kernels, as for the timing sources: measured on Linux, and credited only there.
    claims: ClassVar[Mapping[str, Claim]] = {}
    #: Whether raw values are the durations alone, in steps of the CPU's counter.
    durations_only: bool

    def __init__(self, *, durations_only: bool = False) -> None:
        claim = self.claims.get(kernel_info().name, Claim(min_entropy=0.0))
        measured_here = sys.platform.startswith("linux")
        if not measured_here:
            claim = Claim(min_entropy=0.0, health_min_entropy=claim.cutoff_entropy)
        self.info = self.info.replace(claim=claim)
        self.durations_only = durations_only
        self._repetition = new_repetition_count_scan(DURATION_RCT_CUTOFF)
        self._proportion = new_adaptive_proportion_scan(DURATION_APT_CUTOFF, DURATION_APT_WINDOW)

    def set_restart_options(self, *options: str) -> None:
        """Leave the growth out of the raw values if the option ``durations`` is given."""
        if options == ("durations",):
            self.durations_only = True
        else:
            super().set_restart_options(*options)

    @abc.abstractmethod
    def read_counters(self) -> Reading:
        """Return the next reading; only this call is timed."""

    @abc.abstractmethod
    def growth(self, reading: Reading) -> int:
        """Return the growth of a reading's counters since they were last read; 0 the first time."""

    def measure(self) -> int:
        """Return the next raw value."""
        duration, growth = self.measure_parts()
        return duration if self.durations_only else (duration + growth) & _MASK

    def measure_parts(self) -> tuple[int, int]:
        """Return the next reading's duration, in steps of the CPU's counter, and the growth of its counters.

        Raises
        ------
        SourceReadError
            If a test of the durations fails: they have become too regular.
        """
        before = read_counter()
        reading = self.read_counters()
        duration = whole_steps(read_counter() - before) & _MASK
        sample = bytes((duration & 0xFF,))
        if self._repetition.push(sample) or self._proportion.push(sample):
            self._repetition.reset()
            self._proportion.reset()
            raise SourceReadError(f"{self.name}: the durations of the readings repeat")
        return duration, self.growth(reading) & _MASK
