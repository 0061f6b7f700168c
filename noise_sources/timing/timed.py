"""Sources that time work with the CPU's own counter."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.process import ProcessLocal
from esoteric_drbg.kernels.timing import TimingSampler, new_timing_sampler
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.one_at_a_time import ticks_to_samples
from esoteric_drbg.noise_sources.source import Availability, NoiseSource
from esoteric_drbg.noise_sources.timer import timer_fault

if TYPE_CHECKING:
    from array import array

__all__ = ["TimedSource"]

_AVAILABLE = Availability(True)
#: Most repetitions that a sampler takes.
_MOST_TOUCHES = 1024


class TimedSource(NoiseSource):
    """A source whose raw value is a delta of the CPU's counter, in ticks, around work of fluctuating duration.

    Digitization: the delta is divided by the counter's step (26 ticks on a 2.6 GHz TSC that moves at 100 MHz, no whole
    number where the TSC is scaled) and rounded; the low 8 bits are the sample. Higher bits are lost on rare long
    interruptions.

    Class attributes
    ----------------
    kind, buffer_bytes, touches : str, int, int
        Arguments of the kernel's sampler.
    warm_up : int
        Samples read and dropped when a sampler is made: just after its buffer was filled, caches respond too evenly.
    adaptable : bool
        Whether more ``touches`` give a sample of more of the same work, for machines on which few show too little.
    claims : mapping of str to Claim
        The claims for the kernels ``"rust"`` and ``"reference"``: an interpreted loop has other deltas.
    """

    kind: ClassVar[str]
    buffer_bytes: ClassVar[int] = 1 << 20
    touches: ClassVar[int] = 2
    warm_up: ClassVar[int] = 4096
    adaptable: ClassVar[bool] = False
    claims: ClassVar[Mapping[str, Claim]] = {}

    def __init__(self) -> None:
        self.info = self.info.replace(claim=self.claims.get(kernel_info().name, Claim(min_entropy=0.0)))
        self._times = 1
        self._samplers = ProcessLocal(self._new_sampler)

    def availability(self) -> Availability:
        """Return whether the counter has passed its start-up test, which runs once per process."""
        fault = timer_fault()
        return Availability(False, fault) if fault else _AVAILABLE

    def parameters(self) -> dict[str, str | int]:
        """Return what this source's samples depend on: kind of work, buffer, repetitions, digitization."""
        return {
            "kind": self.kind,
            "buffer_bytes": self.buffer_bytes,
            "touches": self.touches * self._times,
            "warm_up": self.warm_up,
        }

    def repeat(self, times: int) -> None:
        """Multiply the shipped work per sample by ``times`` from the next read on, to show more noise on this machine.

        Raises
        ------
        InvalidInputError
            If this source's work does not consist of touches, or there would be more than 1024.
        """
        if not (times == 1 or (self.adaptable and times >= 1 and times * self.touches <= _MOST_TOUCHES)):
            raise InvalidInputError(f"{self.name}: {times} times the work is not possible")
        if times != self._times:
            self._times = times
            self._samplers = ProcessLocal(self._new_sampler)

    def _new_sampler(self) -> TimingSampler:
        touches = self.touches * self._times
        sampler = new_timing_sampler(self.kind, buffer_bytes=self.buffer_bytes, touches=touches)
        if self.warm_up:
            sampler.read_symbols(self.warm_up)
        return sampler

    def sampler(self) -> TimingSampler:
        """Return the kernel's sampler; a forked child has its own, which no thread of the parent can hold."""
        return self._samplers.get()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next raw samples; fewer if ``deadline_s`` passes first."""
        return self._samplers.get().read_symbols(n_samples, deadline_s)

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the next deltas at full width, in ticks of the counter."""
        from array import array  # noqa: PLC0415 - not needed on the token path

        wide = array("Q")
        wide.frombytes(self.sampler().read_wide(n_samples, deadline_s))
        if sys.byteorder == "big":
            wide.byteswap()
        return wide

    def digitize(self, wide: array[int]) -> bytes:
        """Return, for each delta, delta / counter step, rounded, mod 256."""
        return ticks_to_samples(wide)
