"""The connection to a TPM 2.0: a device file, or the socket of a software TPM."""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.noise_sources.consent import network_targets
from esoteric_drbg.noise_sources.source import Availability

__all__ = ["TpmTransport"]

#: The header of every response: tag (2 bytes), length of the whole (4), response code (4), big-endian.
HEADER_BYTES = 10
#: The longest response that is accepted; that of TPM2_GetRandom has 12 bytes and a digest.
MAX_RESPONSE_BYTES = 4096


class TpmTransport:
    """One connection to a TPM: it sends a command and returns the response within a bounded time.

    Parameters
    ----------
    address : str
        ``/dev/tpmrm0`` or another device file; ``unix:PATH`` or ``tcp:ADDRESS:PORT`` for the data socket of a software
        TPM such as swtpm.

    Raises
    ------
    InvalidInputError
        If the address is none of these.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._kind, _, rest = address.partition(":")
        self._place: str | tuple[str, int] = rest
        self._file = -1
        self._socket: socket.socket | None = None
        if self._kind == "tcp":
            targets = network_targets(rest)
            if len(targets) != 1:
                raise InvalidInputError(f"TPM address {address!r}: expected one tcp:ADDRESS:PORT")
            self._place = targets[0]
        elif self._kind != "unix":
            self._kind, self._place = "device", address
        if not self._place or (self._kind == "device" and not address.startswith("/")):
            raise InvalidInputError(f"TPM address {address!r}: expected /dev/tpmrm0, unix:PATH or tcp:ADDRESS:PORT")

    def availability(self) -> Availability:
        """Return whether the device or socket exists and may be used; only the first read tries a TCP socket."""
        if not isinstance(self._place, str):
            return Availability(True)
        if not Path(self._place).exists():
            return Availability(False, f"no {self._place}: no TPM 2.0, or no driver for one")
        if not os.access(self._place, os.R_OK | os.W_OK):
            return Availability(
                False, f"{self._place} may not be used by this user: by default root and the group tss may"
            )
        return Availability(True)

    @property
    def is_open(self) -> bool:
        """True while connected."""
        return self._file >= 0

    def open(self, timeout_s: float) -> None:
        """Connect, unless connected."""
        if self.is_open:
            return
        if self._kind == "device":
            self._file = os.open(self.address, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            return
        family = socket.AF_UNIX
        if not isinstance(self._place, str):
            family = socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(max(timeout_s, 1e-3))
            connection.connect(self._place)
            connection.setblocking(False)
        except BaseException:
            connection.close()
            raise
        self._socket, self._file = connection, connection.fileno()

    def close(self) -> None:
        """Disconnect, if connected."""
        file, connection = self._file, self._socket
        self._file, self._socket = -1, None
        if connection is not None:
            connection.close()
        elif file >= 0:
            os.close(file)

    def transact(self, command: bytes, timeout_s: float) -> bytes:
        """Send a command and return its whole response.

        Raises
        ------
        OSError
            If the TPM disappeared, or sent a malformed response; ``TimeoutError`` if it did not answer in time.
        """
        until = time.monotonic() + timeout_s
        self._wait(select.POLLOUT, until)
        if os.write(self._file, command) != len(command):
            raise OSError(0, "the command was taken in part only")
        response = b""
        wanted = HEADER_BYTES
        while len(response) < wanted:
            self._wait(select.POLLIN, until)
            try:
                part = os.read(self._file, MAX_RESPONSE_BYTES)
            except BlockingIOError:
                continue
            if not part:
                raise OSError(0, "the TPM closed the connection")
            response += part
            if len(response) >= HEADER_BYTES:
                wanted = int.from_bytes(response[2:6], "big")
                if not HEADER_BYTES <= wanted <= MAX_RESPONSE_BYTES:
                    raise OSError(0, f"a response claims {wanted} bytes")
        if len(response) != wanted:
            raise OSError(0, f"{len(response)} bytes came for a response of {wanted}")
        return response

    def _wait(self, event: int, until: float) -> None:
        """Wait until the file is ready."""
        poll = select.poll()
        poll.register(self._file, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError(0, "the TPM did not answer in time")
