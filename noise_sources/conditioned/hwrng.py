"""/dev/hwrng: the output of the kernel's hardware RNG driver, conditioned by vendor or host and so credited 0."""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.conditioned.byte_device import ByteDeviceSource
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["HwrngSource"]

DEVICE = "/dev/hwrng"
#: The driver in use; "none" where the last one was unplugged.
CURRENT = Path("/sys/class/misc/hw_random/rng_current")
#: Seconds without a byte after which a read without an earlier deadline fails.
SILENCE_SECONDS = 2.0
#: Seconds between two reads of a device that had no data: the driver does not support poll and always reports "ready".
PAUSE_SECONDS = 0.001


class HwrngSource(ByteDeviceSource):
    """Bytes of the kernel's hardware random number generator: a chip's, a TPM's, or a virtual machine host's.

    Its raw noise cannot be read, so there is no evidence of ours and no credit. A slow generator gives the 32 bytes of
    one read in a fraction of a second.

    Parameters
    ----------
    device : str
        The character device to read.

    See docs/sources/hwrng.md.
    """

    info = SourceInfo(
        name="hwrng",
        description="The kernel's hardware random number generator",
        category="system",
        physics=(
            "Whatever the driver's vendor or the virtual machine's host puts behind /dev/hwrng, conditioned before it "
            "is read; its raw noise is out of reach."
        ),
        independence_group="cpu_rng",  # shared with rdseed and tpm2: on some machines it is the same circuit
        estimated_rate=1.0e4,
        platforms=("linux",),
        # Half of the assessment of 100,000 bytes of a virtio host (docs/sources/hwrng.md): the tests need an H above 0.
        claim=Claim(min_entropy=0.0, health_min_entropy=3.5),
    )

    def __init__(self, device: str = DEVICE) -> None:
        self._device = device
        self._file = -1

    def availability(self) -> Availability:
        """Return whether the device is there, may be read by this user, and has a generator behind it."""
        if not sys.platform.startswith("linux"):
            return Availability(False, f"written for Linux's /dev/hwrng; this is {sys.platform}")
        if not Path(self._device).exists():
            return Availability(False, f"no {self._device}: the kernel has no driver for a hardware generator")
        if not os.access(self._device, os.R_OK):
            return Availability(False, f"{self._device} may not be read by this user: by default only root reads it")
        if self._device == DEVICE and _current() == "none":
            return Availability(False, f"no generator is behind {DEVICE}: {CURRENT} says none")
        return Availability(True)

    def place(self) -> str:
        """Return the path of the device."""
        return self._device

    def open(self) -> None:
        """Open the device, unless it is open."""
        if self._file < 0:
            self._file = os.open(self._device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the device; the next read opens it again."""
        file, self._file = getattr(self, "_file", -1), -1
        if file >= 0:
            os.close(file)

    def read_chunk(self, wanted: int, until: float | None) -> bytes:
        """Return at least one byte, or none if the deadline passes first."""
        silence = time.monotonic() + SILENCE_SECONDS
        stop = silence if until is None else min(silence, until)
        while True:
            try:
                chunk = os.read(self._file, wanted)
            except BlockingIOError:
                chunk = None
            if chunk:
                return chunk
            if chunk is not None:
                raise OSError(0, "it ended")
            if (left := stop - time.monotonic()) <= 0:
                break
            poll = select.poll()
            poll.register(self._file, select.POLLIN)
            poll.poll(left * 1000)
            time.sleep(min(PAUSE_SECONDS, left))
        if stop == silence:
            raise OSError(0, f"no byte came in {SILENCE_SECONDS:g} s")
        return b""


def _current() -> str:
    """Return the name of the driver behind the device, or an empty string if the kernel does not name it."""
    try:
        return CURRENT.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
