"""Disk I/O: how long direct reads of a private file take."""

from __future__ import annotations

import functools
import mmap
import os
import sys
from array import array

from esoteric_drbg.errors import SourceReadError, SourceUnavailableError
from esoteric_drbg.kernels.timing import read_counter
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import EPYC_26, recorded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.one_at_a_time import OneByOneSource, ticks_to_samples
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER, timer_fault

__all__ = ["DiskIoSource"]

#: Bytes of the private file, and of one read from it.
FILE_BYTES = 4 << 20
READ_BYTES = 4096
#: Distance between two reads: an odd number of blocks, so that every block is visited.
STRIDE_BYTES = 389 * READ_BYTES
#: Where the file is made if the temporary folder is in memory, as it is on many desktops.
SECOND_FOLDER = "/var/tmp"  # noqa: S108 - the file is made by mkstemp
#: File systems without a disk: a read from them is a copy from memory.
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


class DiskIoSource(OneByOneSource):
    """Ticks of the CPU's counter for one 4 KiB read of a private temporary file, past the page cache.

    The file is unlinked as soon as it is made: nothing stays behind. If it would be in memory, or its file system has
    no direct I/O, the source is unavailable: the claim was not measured on copies from memory.

    See docs/sources/disk_io.md.
    """

    info = SourceInfo(
        name="disk_io",
        description="Latency of direct reads from storage",
        category="storage",
        physics=(
            "Controller queues, flash translation, interrupt delivery and the hypervisor's I/O path delay each read "
            "by an amount that depends on all other traffic."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.2e4,
        platforms=("linux",),
        claim=Claim(
            min_entropy=3.0,
            evidence=recorded(6.64, on=EPYC_26),
            further_evidence=(recorded(6.64, on=EPYC_26, kernels="reference"),),
        ),
    )

    def __init__(self) -> None:
        self._file = -1
        self._offset = 0
        self._page = mmap.mmap(-1, READ_BYTES)

    def availability(self) -> Availability:
        """Return whether a file can be made in the temporary folder and its reads can be timed."""
        if fault := timer_fault():
            return Availability(False, fault)
        if not hasattr(os, "O_DIRECT"):
            return Availability(False, f"written for Linux's direct I/O; this is {sys.platform}")
        folder, reason = _folder()
        return Availability(bool(folder), reason)

    def measure(self) -> int:
        """Return the duration of the next read, in ticks of the counter."""
        self._offset = (self._offset + STRIDE_BYTES) % FILE_BYTES
        page = self._page
        before = read_counter()
        read = os.preadv(self._file, [page], self._offset)
        ticks = read_counter() - before
        if read != READ_BYTES:
            raise OSError(0, f"{read} of {READ_BYTES} bytes came at offset {self._offset}")
        return ticks

    def digitize(self, wide: array[int]) -> bytes:
        """Return (duration / counter step) mod 256 of each read."""
        return ticks_to_samples(wide)

    def open(self) -> None:
        """Make the private file, unless it is open."""
        if self._file < 0:
            self._open()

    def close(self) -> None:
        """Close the private file; the next read makes a new one."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        """Make the file, fill it, open it for direct reads, and unlink it."""
        import tempfile  # noqa: PLC0415 - not needed on the token path

        folder, _ = _folder()
        handle, path = tempfile.mkstemp(prefix="esoteric_drbg_", dir=folder)
        try:
            written = os.write(handle, bytes(FILE_BYTES))
            os.fsync(handle)
            if written != FILE_BYTES:
                raise SourceReadError(f"{self.name}: {folder} took {written} of {FILE_BYTES} bytes")
            try:
                self._file = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
            except OSError:
                raise SourceUnavailableError(f"{self.name}: the file system of {folder} has no direct I/O") from None
        finally:
            os.close(handle)
            os.unlink(path)  # noqa: PTH108 - mkstemp gives a string


def _folder() -> tuple[str, str]:
    """Return the folder for the private file, or an empty name and why there is none."""
    import tempfile  # noqa: PLC0415 - not needed on the token path

    reasons = []
    for folder in dict.fromkeys((tempfile.gettempdir(), SECOND_FOLDER)):
        if not os.access(folder, os.W_OK | os.X_OK):
            reasons.append(f"no file can be made in {folder}")
        elif (kind := _file_system(os.stat(folder).st_dev)) in IN_MEMORY:  # noqa: PTH116 - the path is a string
            reasons.append(f"{folder} is in memory ({kind})")
        else:
            return folder, ""
    return "", "; ".join(reasons)


@functools.lru_cache(maxsize=16)
def _file_system(device: int) -> str:
    """Return the kind of file system on a device as ``/proc/self/mountinfo`` names it; empty if it is not listed."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - without pathlib
            lines = file.readlines()
    except OSError:
        return ""
    mounts = (line.partition(" - ") for line in lines)
    return next((after.split()[0] for before, _, after in mounts if before.split()[2] == number), "")
