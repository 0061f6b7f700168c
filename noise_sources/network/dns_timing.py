"""DNS timing: round-trip times of queries to servers that the user named."""

from __future__ import annotations

import os
import socket
import time

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.extras import missing
from esoteric_drbg.kernels.process import fork_generation
from esoteric_drbg.kernels.timing import read_counter
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.network.network import NetworkSource, Target
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER

__all__ = ["ZONE_VARIABLE", "DnsTimingSource"]

#: Environment variable with the zone of the queried names.
ZONE_VARIABLE = "ESOTERIC_DRBG_DNS_ZONE"
#: Reserved by RFC 6761: nobody owns it, and resolvers themselves answer NXDOMAIN.
DEFAULT_ZONE = "test."
#: Random bytes in a name: too many for an answer to come from a cache.
LABEL_BYTES = 8
#: The largest answer over UDP.
ANSWER_BYTES = 65535


class DnsTimingSource(NetworkSource):
    """Ticks of the CPU's counter from a UDP query for an address record to its answer.

    Each query asks for a new name of 16 random hexadecimal digits under the zone. Any answer to that query counts,
    NXDOMAIN and SERVFAIL included. The source is off until the user names servers, by
    ``ESOTERIC_DRBG_DNS_SERVERS=ADDRESS[:PORT],...`` or by the constructor.

    Parameters
    ----------
    servers, rate
        As in :class:`~esoteric_drbg.noise_sources.network.network.NetworkSource`; the default port is 53.
    zone : str, optional
        The zone of the queried names; by default ``ESOTERIC_DRBG_DNS_ZONE``, or ``test.``

    See docs/sources/dns_timing.md.
    """

    info = SourceInfo(
        name="dns_timing",
        description="Round-trip time of queries to named DNS servers",
        category="network",
        physics=(
            "Queues in network cards and switches, interrupt moderation, and the scheduling and caches of the server "
            "delay each answer; on loopback only this machine does."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1.0e3,
        claim=Claim(min_entropy=0.0, health_min_entropy=2.0),
        bounded=True,
        opt_in=True,
    )
    targets_variable = "ESOTERIC_DRBG_DNS_SERVERS"
    default_port = 53

    def __init__(self, servers: str | None = None, *, zone: str | None = None, rate: float | None = None) -> None:
        super().__init__(servers, rate=rate)
        self._zone = zone
        self._sockets: dict[Target, socket.socket] = {}
        self._process = 0
        if zone is not None and (fault := _zone_fault(zone)):
            raise InvalidInputError(fault)

    def zone(self) -> str:
        """Return the zone of the queried names."""
        return self._zone if self._zone is not None else os.environ.get(ZONE_VARIABLE) or DEFAULT_ZONE

    def availability(self) -> Availability:
        """Return whether servers are named and dnspython is installed; no socket is opened."""
        named = super().availability()
        if not named.available:
            return named
        if reason := missing("dns"):
            return Availability(False, reason)
        if self._zone is None and ZONE_VARIABLE in os.environ and (fault := _zone_fault(self.zone())):
            return Availability(False, f"{fault} ({ZONE_VARIABLE})")
        return named

    def close(self) -> None:
        """Close the sockets; the next read opens new ones."""
        for endpoint in getattr(self, "_sockets", {}).values():
            endpoint.close()
        self._sockets = {}

    def answer_ticks(self, target: Target, patience: float) -> int:
        """Return the ticks until the answer to a new query arrived."""
        import dns.exception  # noqa: PLC0415 - an extra, and slow to import
        import dns.message  # noqa: PLC0415

        query = dns.message.make_query(f"{os.urandom(LABEL_BYTES).hex()}.{self.zone()}", "A")
        wire = query.to_wire()
        endpoint = self._socket(target)
        until = time.monotonic() + patience
        endpoint.settimeout(max(patience, 1e-3))
        before = read_counter()
        endpoint.send(wire)
        while True:
            answer = endpoint.recv(ANSWER_BYTES)
            ticks = read_counter() - before
            try:
                if query.is_response(dns.message.from_wire(answer)):
                    return ticks
            except dns.exception.DNSException:
                pass
            # a late answer to an earlier query, or no answer at all: wait for the rest of the time
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(0, "no answer")
            endpoint.settimeout(left)

    def _socket(self, target: Target) -> socket.socket:
        """Return the connected socket to a server, made at its first use in each process."""
        if self._process != fork_generation():
            self.close()
            self._process = fork_generation()
        endpoint = self._sockets.get(target)
        if endpoint is None:
            endpoint = socket.socket(target.family, socket.SOCK_DGRAM)
            try:
                endpoint.connect(target)
            except OSError:
                endpoint.close()
                raise
            self._sockets[target] = endpoint
        return endpoint


def _zone_fault(zone: str) -> str:
    """Return what is wrong with the text of a zone, or an empty string."""
    labels = zone.removesuffix(".").split(".") if zone != "." else []
    plain = all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "").replace("_", "").isalnum()
        for label in labels
    )
    return "" if plain and len(zone) <= 200 else f"zone {zone!r}: expected a domain name such as {DEFAULT_ZONE!r}"
