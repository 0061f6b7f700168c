"""CPU jitter: how long a hash block and some accesses to memory take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import EPYC_26, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.timer import CPU_COUNTER
from esoteric_drbg.noise_sources.timing.timed import TimedSource

__all__ = ["CpuJitterSource"]


class CpuJitterSource(TimedSource):
    """Ticks of the CPU's counter for one SHA-256 block and four dependent accesses in a 1 MiB buffer.

    See docs/sources/cpu_jitter.md for physics, evidence and failure modes.

    Examples
    --------
    >>> len(CpuJitterSource().read_raw(100))
    100
    """

    info = SourceInfo(
        name="cpu_jitter",
        description="Execution time of a hash block and a memory walk",
        category="timing",
        physics=(
            "Out-of-order execution, branch and prefetch state, cache contents and frequency changes make equal work "
            "take unequal time; the counter samples it with the phase noise of its own clock."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.0e7,
        bounded=True,
    )
    kind = "cpu"
    buffer_bytes = 1 << 20
    touches = 4
    adaptable = True
    claims: ClassVar[Mapping[str, Claim]] = {
        "rust": Claim(min_entropy=0.15, evidence=recorded(0.347, on=EPYC_26, cache=True)),
        "reference": Claim(min_entropy=1.0, evidence=recorded(4.665, on=EPYC_26, kernels="reference", cache=True)),
    }
