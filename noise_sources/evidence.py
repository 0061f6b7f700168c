"""The evidence behind the claims of our own sources; docs/sources/ has the same figures with their circumstances."""

from __future__ import annotations

from esoteric_drbg.frozen import Frozen
from esoteric_drbg.noise_sources.claims import ANY_MACHINE, Evidence

__all__ = ["EPYC_25", "EPYC_26", "MachineClass", "measured", "recorded"]


class MachineClass(Frozen):
    """A class of machines on which recordings were made.

    Attributes
    ----------
    words : str
        Description for people.
    counter_step_ns : float
        Step of the CPU's counter, and of the clock that the reference kernels read, in ns.
    l2_kib : int
        Second-level cache of a core in KiB.
    """

    words: str
    counter_step_ns: float
    l2_kib: int


#: The machine classes that the claims were measured on.
EPYC_25 = MachineClass(
    words="AMD EPYC family 25, KVM guest, TSC of 2450 MHz stepping at 100 MHz, Linux 6.18",
    counter_step_ns=10.0,
    l2_kib=512,
)
EPYC_26 = MachineClass(
    words="AMD EPYC family 26, KVM guest, TSC stepping at 100 MHz, Linux 6.18", counter_step_ns=10.0, l2_kib=1024
)

_DATASET = "1,000,000 consecutive symbols, and a 1000 x 1000 restart matrix by rows and by columns"
_METHOD = "SP 800-90B 6.3.1 to 6.3.10 on symbols and bitstring"
_COUNTERS = {"rust": "tsc", "reference": "perf_counter"}


def recorded(
    assessed: float, *, on: MachineClass, kernels: str = "rust", date: str = "2026-11-23", cache: bool = False
) -> Evidence:
    """Return the evidence of recordings on a machine class, assessed at ``assessed`` bits per sample.

    Parameters
    ----------
    assessed : float
        The lowest figure of the assessment.
    on : MachineClass
        The machine class that was recorded.
    kernels : str
        The kernels of the recording: they read different counters and time different work.
    date : str
        ISO date of the recording.
    cache : bool
        Whether the durations depend on the size of the second-level cache.
    """
    return Evidence(
        dataset=_DATASET,
        date=date,
        machine_class=on.words,
        assessed=assessed,
        method=_METHOD,
        system="linux",
        architecture="x86_64",
        kernels=kernels,
        counter=_COUNTERS[kernels],
        counter_step_ns=on.counter_step_ns,
        l2_kib=on.l2_kib if cache else 0,
    )


def measured(assessed: float, *, machine_class: str = "any machine", date: str = "2026-11-23") -> Evidence:
    """Return evidence that depends on no machine, for example of simulated noise in a test."""
    return Evidence(
        dataset=_DATASET,
        date=date,
        machine_class=machine_class,
        assessed=assessed,
        method=_METHOD,
        architecture=ANY_MACHINE,
    )
