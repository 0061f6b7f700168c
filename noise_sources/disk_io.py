"""Disk I/O: how long direct reads of a private file take."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import time
from array import array

from esoteric_drbg.errors import SourceReadError, SourceUnavailableError
from esoteric_drbg.kernels.timing import counter_step, read_counter
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.evidence import measured
from esoteric_drbg.noise_sources.source import Availability, NoiseSource
from esoteric_drbg.noise_sources.timed import CPU_COUNTER

__all__ = ["DiskIoSource"]

#: Bytes of the private file, and of one read from it.
FILE_BYTES = 4 << 20
READ_BYTES = 4096
#: Distance between two reads: an odd number of blocks, so that every block is visited.
STRIDE_BYTES = 389 * READ_BYTES


class DiskIoSource(NoiseSource):
    """Ticks of the CPU's counter for one 4 KiB read of a private temporary file, past the page cache.

    The file is unlinked as soon as it is made: nothing stays behind. Where the file system has no direct I/O the source
    cannot be read: the claim was not measured on reads that the page cache answers.

    See docs/sources/disk_io.md.
    """

    name = "disk_io"
    description = "Latency of direct reads from storage"
    category = "storage"
    physics = (
        "Controller queues, flash translation, interrupt delivery and the hypervisor's I/O path delay each read by an "
        "amount that depends on all other traffic."
    )
    platforms = ("linux",)
    physical = True
    independence_group = CPU_COUNTER
    estimated_rate = 1.2e4
    claim = Claim(min_entropy=3.0, evidence=measured(6.64))

    def __init__(self) -> None:
        self._file = -1
        self._offset = 0

    def availability(self) -> Availability:
        """Return whether a file can be made in the temporary folder."""
        if not hasattr(os, "O_DIRECT"):
            return Availability(False, f"written for Linux's direct I/O; this is {sys.platform}")
        folder = tempfile.gettempdir()
        if not os.access(folder, os.W_OK | os.X_OK):
            return Availability(False, f"no file can be made in {folder}")
        return Availability(True)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next raw symbols; fewer if ``deadline_s`` passes between two reads."""
        return self.digitize(self.read_wide(n_samples, deadline_s=deadline_s))

    def read_wide(self, n_samples: int, *, deadline_s: float | None = None) -> array[int]:
        """Return the duration of the next reads, in ticks of the counter."""
        self.require_available()
        until = None if deadline_s is None else time.monotonic() + deadline_s
        wide = array("Q")
        try:
            if self._file < 0:
                self._open()
            with mmap.mmap(-1, READ_BYTES) as page:
                for _ in range(n_samples):
                    if until is not None and time.monotonic() >= until:
                        break
                    wide.append(self._timed_read(page))
        except OSError as error:
            self.close()
            raise SourceReadError(f"{self.name}: {error.strerror or error}") from None
        return wide

    def digitize(self, wide: array[int]) -> bytes:
        """Return (duration / counter step) mod 256 of each read."""
        step = counter_step()
        return bytes(value // step & 0xFF for value in wide)

    def close(self) -> None:
        """Close the private file; the next read makes a new one."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()

    def _timed_read(self, page: mmap.mmap) -> int:
        self._offset = (self._offset + STRIDE_BYTES) % FILE_BYTES
        before = read_counter()
        os.preadv(self._file, [page], self._offset)
        return read_counter() - before

    def _open(self) -> None:
        """Make the file, fill it, open it for direct reads, and unlink it."""
        handle, path = tempfile.mkstemp(prefix="esoteric_drbg_")
        try:
            os.write(handle, bytes(FILE_BYTES))
            os.fsync(handle)
            try:
                self._file = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
            except OSError:
                folder = tempfile.gettempdir()
                raise SourceUnavailableError(f"{self.name}: the file system of {folder} has no direct I/O") from None
        finally:
            os.close(handle)
            os.unlink(path)  # noqa: PTH108 - mkstemp gives a string
