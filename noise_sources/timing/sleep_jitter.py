"""Sleep jitter: how late the scheduler wakes a thread from the shortest sleep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import EPYC_26, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["SleepJitterSource"]


class SleepJitterSource(TimedSource):
    """Ticks of the CPU's counter that the shortest sleep really takes.

    See docs/sources/sleep_jitter.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(SleepJitterSource().read_raw(10))
    10
    """

    info = SourceInfo(
        name="sleep_jitter",
        description="Overshoot of the shortest sleep the scheduler grants",
        category="timing",
        physics=(
            "A timer interrupt, the scheduler's run queues, idle-state exit and the hypervisor each add a delay that "
            "depends on everything else the machine does."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.5e4,
        bounded=True,
    )
    kind = "sleep"
    warm_up = 0
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=2.5, evidence=recorded(5.786, on=EPYC_26)),
        "reference": Claim(min_entropy=2.5, evidence=recorded(6.64, on=EPYC_26, kernels="reference")),
    }
