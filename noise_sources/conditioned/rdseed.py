"""RDSEED / RNDRRS: the CPU's entropy instruction, conditioned by the vendor and so credited 0 unless configured."""

from __future__ import annotations

import functools
import sys
import time

from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import rdseed_bytes, rdseed_supported
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability, NoiseSource

__all__ = ["RdseedSource"]

#: Bytes read between two checks of the deadline: some microseconds, even if the instruction is slow.
CHUNK_BYTES = 64


@functools.cache
def _withdrawn_by_kernel() -> bool:
    """Return True if Linux does not list RDSEED although the CPU reports it: Linux removes it for faulty steppings.

    Only x86 has the line ``flags``.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        # As bytes: text would import a codec, and this runs during a seed.
        with open("/proc/cpuinfo", "rb") as file:  # noqa: PTH123 - without pathlib
            flags = next((line for line in file if line.startswith(b"flags")), b"")
    except OSError:
        return False
    return bool(flags) and b"rdseed" not in flags.split()


class RdseedSource(NoiseSource):
    """Bytes of RDSEED (x86-64) or RNDRRS (aarch64).

    The raw noise behind the instruction cannot be read, so there is no evidence of ours and no credit. An operator may
    credit it by configuration, with a certificate (:meth:`Claim.by_operator`).

    See docs/sources/rdseed.md.
    """

    info = SourceInfo(
        name="rdseed",
        description="The CPU's entropy instruction, RDSEED or RNDRRS",
        category="cpu_rng",
        physics=(
            "A vendor's noise source on the die, conditioned before any software sees it; its raw noise is out of "
            "reach."
        ),
        independence_group="cpu_rng",
        estimated_rate=1.0e7,
        # Health tests need an H above 0: with the usual vendors' claims they would alarm too early, with half not.
        claim=Claim(min_entropy=0.0, health_min_entropy=4.0),
        bounded=True,
    )

    def availability(self) -> Availability:
        """Return whether the Rust kernels run and the CPU reports the instruction."""
        if kernel_info().name != "rust":
            return Availability(False, "the instruction needs the Rust kernels")
        if rdseed_supported():
            if _withdrawn_by_kernel():
                return Availability(False, "the kernel withdrew RDSEED on this CPU (an erratum; see /proc/cpuinfo)")
            return Availability(True)
        import platform  # noqa: PLC0415 - only where a reason is wanted

        machine = platform.machine().lower()
        if machine in {"x86_64", "amd64"}:
            return Availability(False, "the CPU does not report RDSEED (CPUID leaf 7, EBX bit 18)")
        if machine in {"aarch64", "arm64"}:
            return Availability(False, "the CPU does not report FEAT_RNG (RNDRRS)")
        return Availability(False, f"no entropy instruction is known for {machine}")

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next bytes of the instruction; fewer if it gives no value repeatedly or ``deadline_s`` passes."""
        self.require_available()
        until = None if deadline_s is None else time.monotonic() + deadline_s
        data = bytearray()
        while len(data) < n_samples and (until is None or time.monotonic() < until):
            wanted = min(CHUNK_BYTES, n_samples - len(data))
            chunk = rdseed_bytes(wanted)
            data += chunk
            if len(chunk) < wanted:
                break
        return bytes(data)
