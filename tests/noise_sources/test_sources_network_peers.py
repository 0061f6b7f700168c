"""dns_timing against dnsmasq, tcp_connect against a peer in a network namespace. Nothing leaves this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from esoteric_drbg import errors
from esoteric_drbg.kernels.timing import read_counter
from esoteric_drbg.noise_sources.network import network
from esoteric_drbg.noise_sources.network.dns_timing import DnsTimingSource
from esoteric_drbg.noise_sources.network.tcp_connect import TcpConnectSource

dns_message = pytest.importorskip("dns.message", reason="dnspython is not installed (extra network)")

pytestmark = pytest.mark.devices

#: Rate that keeps these tests short.
QUICK = 1e5
#: Symbols of a start-up test, and a few more.
ENOUGH = 1100


class Datagrams:
    """A UDP service of one thread on loopback."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.seen = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def handle(self, data: bytes, sender: tuple[str, int]) -> None:
        raise NotImplementedError

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                data, sender = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            self.seen += 1
            self.handle(data, sender)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.socket.close()


class Failing(Datagrams):
    """Answers SERVFAIL to everything: the server behind dnsmasq that is out of order."""

    def handle(self, data: bytes, sender: tuple[str, int]) -> None:
        self.socket.sendto(data[:2] + b"\x81\x82" + data[4:], sender)


class Relay(Datagrams):
    """Passes queries on and answers back, after a delay, and drops one query in ``drop_every``."""

    def __init__(self, server_port: int, *, delay_s: float, drop_every: int) -> None:
        self._delay_s = delay_s
        self._drop_every = drop_every
        self._upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._upstream.settimeout(2)
        self._upstream.connect(("127.0.0.1", server_port))
        self.dropped = 0
        super().__init__()

    def handle(self, data: bytes, sender: tuple[str, int]) -> None:
        if self._drop_every and self.seen % self._drop_every == 0:
            self.dropped += 1
            return
        self._upstream.send(data)
        answer = self._upstream.recv(4096)
        time.sleep(self._delay_s)
        self.socket.sendto(answer, sender)

    def close(self) -> None:
        super().close()
        self._upstream.close()


class Dnsmasq(NamedTuple):
    """The process and its port."""

    process: subprocess.Popen[bytes]
    port: int


def response_code(port: int, name: str) -> int:
    query = dns_message.make_query(name, "A")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        client.send(query.to_wire())
        return int(dns_message.from_wire(client.recv(4096)).rcode())


@pytest.fixture
def dnsmasq() -> Iterator[Dnsmasq]:
    """Run dnsmasq on loopback: addresses under test., NXDOMAIN under nx., SERVFAIL from behind under servfail."""
    program = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        pytest.skip("dnsmasq is not installed (Debian: dnsmasq-base)")
    failing = Failing()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (
        f"--keep-in-foreground --conf-file=/dev/null --port={port} --listen-address=127.0.0.1 --bind-interfaces "
        "--no-resolv --no-hosts --address=/test/127.0.0.1 --local=/nx/ --pid-file= --cache-size=0 "
        f"--server=/servfail/127.0.0.1#{failing.port} --user="
    )
    process = subprocess.Popen([program, *options.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            assert process.poll() is None, "dnsmasq ended"
            try:
                response_code(port, "ready.test.")
                break
            except (TimeoutError, ConnectionRefusedError):
                assert time.monotonic() < until, "dnsmasq does not answer"
                time.sleep(0.02)
        yield Dnsmasq(process, port)
    finally:
        process.kill()
        process.wait()
        failing.close()


@pytest.mark.parametrize(("zone", "code"), [("test.", 0), ("nx.", 3), ("servfail.", 2)])
def test_dnsmasq_answers_of_every_kind_are_timings(dnsmasq: Dnsmasq, zone: str, code: int) -> None:
    assert response_code(dnsmasq.port, f"a.{zone}") == code
    source = DnsTimingSource(f"127.0.0.1:{dnsmasq.port}", zone=zone, rate=QUICK)
    wide = source.read_wide(ENOUGH)
    source.close()
    assert len(wide) == ENOUGH
    assert len(set(wide)) > ENOUGH // 20


def test_delay_and_loss_on_the_way(dnsmasq: Dnsmasq) -> None:
    relay = Relay(dnsmasq.port, delay_s=0.01, drop_every=10)
    try:
        source = DnsTimingSource(f"127.0.0.1:{relay.port}", rate=QUICK)
        ticks, seconds = read_counter(), time.monotonic()
        wide = source.read_wide(40)
        per_second = (read_counter() - ticks) / (time.monotonic() - seconds)
        source.close()
        assert len(wide) == 40
        assert min(wide) >= 0.009 * per_second
        assert relay.dropped >= 4
        assert relay.seen - relay.dropped >= 40
    finally:
        relay.close()


@pytest.mark.parametrize("event", [signal.SIGSTOP, signal.SIGKILL])
def test_a_dnsmasq_that_hangs_or_dies_fails_the_read(dnsmasq: Dnsmasq, event: signal.Signals) -> None:
    source = DnsTimingSource(f"127.0.0.1:{dnsmasq.port}", rate=200)
    assert len(source.read_raw(10)) == 10
    timer = threading.Timer(0.2, dnsmasq.process.send_signal, [event])
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.SourceReadError, match="3 attempts failed"):
        source.read_exactly(100_000, deadline_s=60)
    assert time.monotonic() - began < 30
    timer.join()
    source.close()


PEER = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 7001), backlog=512)
print("ready", flush=True)
end = time.monotonic() + 120
server.settimeout(120)
while time.monotonic() < end:
    server.accept()[0].close()
"""


class Peer(NamedTuple):
    """A host of its own in a network namespace."""

    address: str
    silent_address: str
    namespace: str


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """Make a namespace with port 7001 open, 7002 closed and 7003 dropping, joined to this one by a veth pair."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool in ("ip", "nft"):
        if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            pytest.skip(f"{tool} is not installed (Debian: iproute2, nftables)")
    number = os.getpid() % 0x2000
    name = f"edrbg-{number:x}"
    # a block of eight addresses of the range for benchmarks (RFC 2544)
    ours, theirs, silent = (f"198.18.{number >> 5}.{number % 32 * 8 + last}" for last in (1, 2, 3))
    server = None
    try:
        try:
            run("ip", "netns", "add", name)
            run("ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace can be made: {error.stderr.decode().strip()}")
        run("ip", "address", "add", f"{ours}/29", "dev", f"{name}a")
        run("ip", "link", "set", f"{name}a", "up")
        inside = ("ip", "netns", "exec", name)
        run("ip", "-n", name, "address", "add", f"{theirs}/29", "dev", f"{name}b")
        run("ip", "-n", name, "link", "set", f"{name}b", "up")
        for command in (
            "add table inet edrbg",
            "add chain inet edrbg input { type filter hook input priority 0 ; }",
            "add set inet edrbg silent { type inet_service ; }",
            "add rule inet edrbg input tcp dport @silent drop",
            "add element inet edrbg silent { 7003 }",
        ):
            run(*inside, "nft", command)
        server = subprocess.Popen([*inside, sys.executable, "-c", PEER, theirs], stdout=subprocess.PIPE)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield Peer(theirs, silent, name)
    finally:
        if server is not None:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
        subprocess.run(["ip", "link", "del", f"{name}a"], check=False, capture_output=True, timeout=30)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=30)


@pytest.mark.parametrize("port", [7001, 7002])
def test_a_peer_that_accepts_or_refuses(peer: Peer, port: int) -> None:
    wide = TcpConnectSource(f"{peer.address}:{port}", rate=QUICK).read_wide(ENOUGH)
    assert len(wide) == ENOUGH
    assert len(set(wide)) > ENOUGH // 20


def test_no_connection_to_the_peer_stays(peer: Peer) -> None:
    TcpConnectSource(f"{peer.address}:7001", rate=QUICK).read_raw(200)
    time.sleep(0.2)
    for namespace in ((), ("ip", "netns", "exec", peer.namespace)):
        table = subprocess.run([*namespace, "cat", "/proc/net/tcp"], check=True, capture_output=True, timeout=30).stdout
        rows = [row.split() for row in table.decode().splitlines()[1:]]
        port = f"{7001:04X}"
        assert not [row for row in rows if row[3] != "0A" and port in {row[1][-4:], row[2][-4:]}]


def test_a_blackholed_peer_is_a_timeout_and_no_symbol(peer: Peer) -> None:
    for target in (f"{peer.address}:7003", f"{peer.silent_address}:7001"):
        source = TcpConnectSource(target, rate=QUICK)
        began = time.monotonic()
        with pytest.raises(errors.SourceReadError, match="3 attempts failed"):
            source.read_raw(5)
        assert time.monotonic() - began < 3 * network.ANSWER_SECONDS + 5
        began = time.monotonic()
        assert source.read_raw(5, deadline_s=0.1) == b""
        assert time.monotonic() - began < 5
        with pytest.raises(errors.SourceReadError):
            TcpConnectSource(f"{peer.address}:7001, {target}", rate=QUICK).read_raw(5)


def test_a_peer_that_goes_away_in_mid_read(peer: Peer) -> None:
    inside = ("ip", "netns", "exec", peer.namespace, "nft")
    source = TcpConnectSource(f"{peer.address}:7002", rate=200)
    assert len(source.read_raw(10)) == 10
    timer = threading.Timer(0.2, run, [*inside, "add element inet edrbg silent { 7002 }"])
    timer.start()
    try:
        with pytest.raises(errors.SourceReadError, match="3 attempts failed, the last one: no answer"):
            source.read_exactly(100_000, deadline_s=60)
    finally:
        timer.join()
        run(*inside, "delete element inet edrbg silent { 7002 }")
    assert len(source.read_raw(10)) == 10
