"""dns_timing and tcp_connect against peers of our own on loopback: answers, losses, deaths, manners."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import our_threads

from esoteric_drbg import errors
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.noise_sources.network import network
from esoteric_drbg.noise_sources.network.dns_timing import ZONE_VARIABLE, DnsTimingSource
from esoteric_drbg.noise_sources.network.network import RATE_VARIABLE, NetworkSource, Target
from esoteric_drbg.noise_sources.network.tcp_connect import TcpConnectSource

dns_message = pytest.importorskip("dns.message", reason="dnspython is not installed (extra network)")

#: Rate that keeps these tests short; all of their traffic stays on loopback.
QUICK = 1e5
NXDOMAIN, SERVFAIL = 3, 2
VARIABLES = ("ESOTERIC_DRBG_DNS_SERVERS", "ESOTERIC_DRBG_TCP_TARGETS", RATE_VARIABLE, ZONE_VARIABLE)


@pytest.fixture(autouse=True)
def nobody_named_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


class DnsResponder:
    """A DNS server on loopback: calls ``answer(number, query)`` for each query and sends the datagrams it returns."""

    def __init__(self, answer: Callable[[int, bytes], list[bytes]], last: int | None = None) -> None:
        self.queries: list[bytes] = []
        self._answer = answer
        self._last = last
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket:
            while not self._stop.is_set() and (self._last is None or len(self.queries) < self._last):
                try:
                    query, sender = self._socket.recvfrom(4096)
                except TimeoutError:
                    continue
                self.queries.append(query)
                for answer in self._answer(len(self.queries) - 1, query):
                    self._socket.sendto(answer, sender)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def rcode(code: int) -> Callable[[int, bytes], list[bytes]]:
    """Answer every query with this response code and no record."""
    return lambda _, query: [query[:2] + bytes([0x81, 0x80 | code]) + query[4:]]


@pytest.fixture
def responder() -> Iterator[Callable[..., DnsResponder]]:
    made: list[DnsResponder] = []

    def make(answer: Callable[[int, bytes], list[bytes]], last: int | None = None) -> DnsResponder:
        made.append(DnsResponder(answer, last))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def listener() -> Iterator[str]:
    """Accept and close connections on loopback; give the address."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    server.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                server.accept()[0].close()
            except TimeoutError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    thread.join()
    server.close()


@pytest.fixture
def refusing() -> Iterator[str]:
    """Give an address on loopback whose port is taken but not listened on: every connection is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def blackhole() -> Iterator[str]:
    """Give an address on loopback that answers no SYN: its backlog is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"{address[0]}:{address[1]}"
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("source_class", [DnsTimingSource, TcpConnectSource])
def test_off_until_targets_are_named(
    source_class: type[NetworkSource], refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = source_class.targets_variable
    source = source_class()
    assert not source.is_available()
    assert "opt-in" in source.availability().reason
    assert variable in source.availability().reason
    with pytest.raises(errors.SourceUnavailableError, match="opt-in"):
        source.read_raw(1)
    monkeypatch.setenv(variable, refusing)
    assert source.is_available()
    assert not source_class("").is_available()
    for bad, why in (("127.0.0.1:0", "port"), ("localhost:53", "IP address"), ("127.0.0.1:x", "port")):
        monkeypatch.setenv(variable, bad)
        assert why in source.availability().reason
        assert variable in source.availability().reason
        with pytest.raises(errors.InvalidInputError, match=why):
            source_class(bad)
    monkeypatch.setenv(variable, refusing)
    for rate in ("0", "nan", "x", "1e9"):
        monkeypatch.setenv(RATE_VARIABLE, rate)
        assert RATE_VARIABLE in source.availability().reason
    with pytest.raises(errors.InvalidInputError, match="rate"):
        source_class(refusing, rate=0)


def test_rates_by_default_and_by_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    source = TcpConnectSource("127.0.0.1:9, [::1]:9, 192.0.2.1:9")
    assert [source.rate(target) for target in source.targets()] == [1000, 1000, 100]
    monkeypatch.setenv(RATE_VARIABLE, "7")
    assert source.rate(source.targets()[2]) == 7
    assert TcpConnectSource("192.0.2.1:9", rate=5).rate(Target("192.0.2.1", 9)) == 5
    assert [str(target) for target in source.targets()] == ["127.0.0.1:9", "[::1]:9", "192.0.2.1:9"]
    assert DnsTimingSource("192.0.2.1").targets() == (Target("192.0.2.1", 53),)


def test_all_sources_together_keep_the_rate(refusing: str) -> None:
    sources = [TcpConnectSource(refusing, rate=200) for _ in range(2)]
    began = time.monotonic()
    threads = [threading.Thread(target=source.read_raw, args=(20,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 39 / 200 - 1e-3


def test_a_scan_without_targets_opens_no_internet_socket() -> None:
    code = (
        "import socket, sys\n"
        "def hook(event, arguments):\n"
        "    internet = event == 'socket.__new__' and arguments[1] in (socket.AF_INET, socket.AF_INET6)\n"
        "    if internet or event in ('socket.getaddrinfo', 'socket.sendto', 'socket.gethostbyname'):\n"
        "        raise SystemExit(f'{event} {arguments}')\n"
        "sys.addaudithook(hook)\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "for source in registry.installed(plugins=False):\n"
        "    source.availability()\n"
        "for name in ('dns_timing', 'tcp_connect'):\n"
        "    try: registry.create(name).read_raw(5)\n"
        "    except Exception as error: print(type(error).__name__)\n"
        "from esoteric_drbg.cli.main import main\n"
        "sys.argv = ['esoteric-drbg', 'scan']\n"
        "try: main()\n"
        "except SystemExit as error: assert error.code in (0, None), error\n"
        "try: socket.socket()\n"
        "except SystemExit as error: print('the hook', error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["SourceUnavailableError"] * 2
    assert "the hook socket.__new__" in lines[-1]


@pytest.mark.parametrize("code", [0, NXDOMAIN, SERVFAIL])
def test_every_answer_of_a_server_is_a_timing(code: int, responder: Callable[..., DnsResponder]) -> None:
    server = responder(rcode(code))
    source = DnsTimingSource(server.address, rate=QUICK)
    wide = source.read_wide(50)
    assert len(wide) == len(server.queries) == 50
    assert min(wide) > 0
    assert len(source.read_raw(10)) == 10
    names = [str(dns_message.from_wire(query).question[0].name) for query in server.queries]
    assert len(set(names)) == 60
    assert all(name.endswith(".test.") and len(name) == 22 for name in names)
    source.close()


def test_the_zone_is_configurable(responder: Callable[..., DnsResponder], monkeypatch: pytest.MonkeyPatch) -> None:
    server = responder(rcode(NXDOMAIN))
    source = DnsTimingSource(server.address, zone="entropy.example.org", rate=QUICK)
    source.read_raw(1)
    assert str(dns_message.from_wire(server.queries[0]).question[0].name).endswith(".entropy.example.org.")
    source.close()
    for bad in ("a..b", "", "x" * 64, "sp ace.", "a." * 120):
        with pytest.raises(errors.InvalidInputError, match="zone"):
            DnsTimingSource(server.address, zone=bad)
    monkeypatch.setenv(ZONE_VARIABLE, "no zone")
    assert ZONE_VARIABLE in DnsTimingSource(server.address).availability().reason


def test_a_missing_dnspython_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    reason = DnsTimingSource("127.0.0.1").availability().reason
    assert reason == 'dns is not installed: pip install "esoteric-drbg[network]"'


def test_only_the_answer_to_the_very_query_counts(responder: Callable[..., DnsResponder]) -> None:
    def answer(_: int, query: bytes) -> list[bytes]:
        right = rcode(NXDOMAIN)(0, query)[0]
        other_id = bytes([right[0] ^ 1]) + right[1:]
        other_name = right[:13] + bytes([right[13] ^ 1]) + right[14:]
        return [b"", b"junk", other_id, other_name, query, right]

    source = DnsTimingSource(responder(answer).address, rate=QUICK)
    assert len(source.read_raw(20)) == 20
    source.close()

    def only_wrong(number: int, query: bytes) -> list[bytes]:
        return answer(number, query)[:-1]

    source = DnsTimingSource(responder(only_wrong).address, rate=QUICK)
    with pytest.raises(errors.SourceReadError, match="3 attempts failed, the last one: no answer in"):
        source.read_raw(1)
    source.close()


def test_a_lost_packet_is_asked_again_and_never_a_symbol(
    responder: Callable[..., DnsResponder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ANSWER_SECONDS", 1.0)
    server = responder(lambda number, query: [] if number % 10 == 4 else rcode(NXDOMAIN)(0, query))
    source = DnsTimingSource(server.address, rate=QUICK)
    assert len(source.read_wide(20)) == 20
    lost = len(server.queries) - 20
    assert lost >= 2
    assert lost >= sum(number % 10 == 4 for number in range(len(server.queries)))
    source.close()


def test_late_answers_do_not_answer_the_next_query(
    responder: Callable[..., DnsResponder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ANSWER_SECONDS", 0.4)
    late: list[bytes] = []

    def answer(number: int, query: bytes) -> list[bytes]:
        late.extend(rcode(NXDOMAIN)(0, query))
        return [] if number % 2 == 0 else late[-2:]

    server = responder(answer)
    source = DnsTimingSource(server.address, rate=QUICK)
    assert len(source.read_raw(3)) == 3
    assert len(server.queries) >= 6
    source.close()


@pytest.mark.parametrize("deadline_s", [None, 0.3])
def test_a_server_that_dies_fails_the_read(deadline_s: float | None, responder: Callable[..., DnsResponder]) -> None:
    server = responder(rcode(NXDOMAIN), last=20)
    source = DnsTimingSource(server.address, rate=QUICK)
    with pytest.raises(errors.SourceReadError):
        source.read_exactly(100_000, deadline_s=deadline_s)
    assert len(server.queries) == 20 if deadline_s is None else len(server.queries) <= 20


def test_a_silent_server_costs_the_deadline_and_no_more(responder: Callable[..., DnsResponder], blackhole: str) -> None:
    silent = responder(lambda _number, _query: [])
    for source in (DnsTimingSource(silent.address, rate=QUICK), TcpConnectSource(blackhole, rate=QUICK)):
        assert source.read_raw(10, deadline_s=0.1) == b""
        with pytest.raises(errors.SourceReadError, match="0 samples came"):
            source.read_exactly(10, deadline_s=0.1)
        with pytest.raises(errors.SourceReadError, match="3 attempts failed, the last one: no answer"):
            source.read_raw(1)
        source.close()


def test_the_rate_ends_at_the_deadline(refusing: str) -> None:
    source = TcpConnectSource(refusing, rate=1)
    assert len(source.read_raw(10, deadline_s=0.2)) == 1


def test_accepted_and_refused_connections_are_timings(listener: str, refusing: str) -> None:
    for target in (listener, refusing, f"{listener}, {refusing}"):
        wide = TcpConnectSource(target, rate=QUICK).read_wide(100)
        assert len(wide) == 100
        assert min(wide) > 0
        assert len(set(wide)) > 10


def test_other_failures_are_no_timings() -> None:
    # TCP knows no multicast: the kernel refuses by itself, and nothing is sent
    source = TcpConnectSource("224.0.0.1:9", rate=QUICK)
    with pytest.raises(errors.SourceReadError, match="3 attempts failed"):
        source.read_raw(1)
    handles = len(os.listdir("/dev/fd"))
    # a broadcast address needs a permission that nobody asks for: nothing is sent here either
    with pytest.raises(errors.SourceReadError, match="3 attempts failed"):
        DnsTimingSource("255.255.255.255", rate=QUICK).read_raw(1)
    assert len(os.listdir("/dev/fd")) == handles


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
def test_no_connection_stays_in_time_wait(listener: str) -> None:
    TcpConnectSource(listener, rate=QUICK).read_raw(200)
    port = f"{int(listener.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = [row for row in rows if row[3] == "06" and port in {row[1][-4:], row[2][-4:]}]
    assert not waiting


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc/self/fd to count handles")
@pytest.mark.parametrize("name", ["dns_timing", "tcp_connect", "tcp_connect refused"])
def test_a_thousand_cycles_leave_nothing_behind(
    name: str,
    responder: Callable[..., DnsResponder],
    listener: str,
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(RATE_VARIABLE, str(QUICK))
    monkeypatch.setenv("ESOTERIC_DRBG_TCP_TARGETS", refusing if "refused" in name else listener)
    if name == "dns_timing":
        server = responder(rcode(NXDOMAIN))
        monkeypatch.setenv("ESOTERIC_DRBG_DNS_SERVERS", server.address)
    source = registry.create(name.partition(" ")[0])

    def state() -> tuple[int, set[threading.Thread], int]:
        if name == "dns_timing":
            server.queries.clear()
        gc.collect()
        return len(os.listdir("/proc/self/fd")), our_threads(), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for _ in range(50):
            source.collect(1)
        time.sleep(0.1)  # the listener's last connection
        handles, threads, memory = state()
        for _ in range(1000):
            source.collect(1)
        time.sleep(0.1)
        after = state()
    finally:
        tracemalloc.stop()
    assert after[:2] == (handles, threads)
    assert after[2] - memory < 100_000


def test_a_forked_child_asks_over_sockets_of_its_own(responder: Callable[..., DnsResponder]) -> None:
    server = responder(rcode(NXDOMAIN))
    source = DnsTimingSource(server.address, rate=QUICK)
    source.read_raw(1)
    before = [endpoint.fileno() for endpoint in source._sockets.values()]
    source._process = -1  # as it looks in a forked child
    source.read_raw(1)
    assert len(source._sockets) == len(before) == 1
    assert len(source.read_raw(5)) == 5
    source.close()
    assert not source._sockets
