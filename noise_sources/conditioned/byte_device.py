"""Sources that read bytes from a device: opened by the first read, read in chunks, and closed when a chunk fails."""

from __future__ import annotations

import abc
import time

from esoteric_drbg.errors import SourceReadError
from esoteric_drbg.noise_sources.source import NoiseSource

__all__ = ["ByteDeviceSource"]


class ByteDeviceSource(NoiseSource):
    """Bytes of a device that conditions its noise: there is no evidence of ours, and so no credit.

    An operator may credit it by configuration, with a certificate (:meth:`Claim.by_operator`). A subclass defines
    :meth:`availability`, :meth:`place`, :meth:`open`, :meth:`read_chunk` and :meth:`close`.
    """

    #: Most bytes asked for at once.
    chunk_bytes: int = 32

    @abc.abstractmethod
    def place(self) -> str:
        """Return the name of the device, for messages."""

    @abc.abstractmethod
    def open(self) -> None:
        """Prepare for a read; raise ``OSError`` if the device cannot be opened."""

    @abc.abstractmethod
    def read_chunk(self, wanted: int, until: float | None) -> bytes:
        """Return 1 to ``wanted`` bytes; none if ``until``, a time of the monotonic clock, passes first.

        Raises
        ------
        OSError
            If the device fails, ends, or is silent for too long.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the device, if it is open; the next read opens it again."""

    def __del__(self) -> None:
        self.close()

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Return the next bytes of the device; fewer if ``deadline_s`` passes.

        Raises
        ------
        SourceUnavailableError
            If the device cannot be used here.
        SourceReadError
            If it disappears, fails, stays silent, or gives a malformed answer.
        """
        self.require_available()
        until = None if deadline_s is None else time.monotonic() + deadline_s
        data = bytearray()
        try:
            self.open()
            while len(data) < n_samples and (until is None or time.monotonic() < until):
                chunk = self.read_chunk(min(self.chunk_bytes, n_samples - len(data)), until)
                if not chunk:
                    break
                data += chunk
        except OSError as error:
            self.close()
            raise SourceReadError(f"{self.name}: {self.place()}: {error.strerror or error}") from None
        return bytes(data)
