"""TCP connect: how long a connection to a target that the user named takes."""

from __future__ import annotations

import errno
import os
import socket
import struct

from esoteric_drbg.kernels.timing import read_counter
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.network.network import NetworkSource, Target
from esoteric_drbg.noise_sources.timer import CPU_COUNTER

__all__ = ["TcpConnectSource"]

#: SO_LINGER on, 0 seconds: close() resets the connection, so that neither side keeps it in TIME_WAIT.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
#: What connect_ex returns when the socket's timeout has expired, or when the kernel has given up.
_TIMED_OUT = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS, errno.ETIMEDOUT})


class TcpConnectSource(NetworkSource):
    """Ticks of the CPU's counter from the SYN to the peer's SYN-ACK, or to its RST.

    A refused connection is an answer like an accepted one. No byte is sent or read over the connection, and it is reset
    at once. The source is off until the user names targets, by ``ESOTERIC_DRBG_TCP_TARGETS=ADDRESS:PORT,...`` or by the
    constructor.

    See docs/sources/tcp_connect.md.
    """

    info = SourceInfo(
        name="tcp_connect",
        description="Time until a named TCP target accepts or refuses",
        category="network",
        physics=(
            "Queues in network cards, switches and the peer's kernel, interrupt moderation and scheduling delay the "
            "handshake; on loopback only the local kernel does."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.0e3,
        claim=Claim(min_entropy=0.0, health_min_entropy=2.0),
        bounded=True,
        opt_in=True,
    )
    targets_variable = "ESOTERIC_DRBG_TCP_TARGETS"

    def answer_ticks(self, target: Target, patience: float) -> int:
        """Return the ticks of one connect."""
        with socket.socket(target.family, socket.SOCK_STREAM) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            # 0 would mean not to wait at all: no answer is that fast
            connection.settimeout(max(patience, 1e-3))
            before = read_counter()
            failure = connection.connect_ex(target)
            ticks = read_counter() - before
        if failure in _TIMED_OUT:
            raise TimeoutError(failure, "no answer")
        if failure not in {0, errno.ECONNREFUSED}:
            raise OSError(failure, os.strerror(failure))
        return ticks
