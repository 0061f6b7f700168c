"""hwrng and tpm2: scripted devices in the fast tier; the machine's own and swtpm in the devices tier."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import our_threads

from esoteric_drbg import errors
from esoteric_drbg.noise_sources import Claim, NoiseSource, registry
from esoteric_drbg.noise_sources.conditioned import hwrng, tpm2
from esoteric_drbg.noise_sources.conditioned.hwrng import HwrngSource
from esoteric_drbg.noise_sources.conditioned.tpm2 import ADDRESS_VARIABLE, Tpm2Source, parse_response

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="both sources are written for Linux")

GET_RANDOM = bytes.fromhex("80010000000c0000017b")


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)


def thousand_cycles_leave_nothing(source: NoiseSource) -> None:
    def state() -> tuple[int, set[threading.Thread], int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), our_threads(), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for _ in range(20):
            source.collect(2)
        handles, threads, memory = state()
        for _ in range(1000):
            source.collect(2)
        after = state()
    finally:
        tracemalloc.stop()
    assert after[:2] == (handles, threads)
    assert after[2] - memory < 100_000


# hwrng


class Fifo(NamedTuple):
    """A named pipe in the place of a device."""

    path: str
    writer: int


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    path = tmp_path / "hwrng"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield Fifo(str(path), writer)
    os.close(writer)


def test_hwrng_says_why_it_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HwrngSource(str(tmp_path / "none"))
    assert "has no driver" in source.availability().reason
    with pytest.raises(errors.SourceUnavailableError, match="hwrng: no "):
        source.read_raw(1)
    here = tmp_path / "device"
    here.touch()
    assert HwrngSource(str(here)).is_available()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "only root" in HwrngSource(str(here)).availability().reason
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    (tmp_path / "rng_current").write_text("none\n")
    monkeypatch.setattr(hwrng, "CURRENT", tmp_path / "rng_current")
    monkeypatch.setattr(hwrng, "DEVICE", str(here))
    assert "says none" in HwrngSource(str(here)).availability().reason
    (tmp_path / "rng_current").write_text("virtio_rng.0\n")
    assert HwrngSource(str(here)).is_available()
    (tmp_path / "rng_current").unlink()
    assert HwrngSource(str(here)).is_available()
    monkeypatch.setattr("sys.platform", "darwin")
    assert "darwin" in HwrngSource(str(here)).availability().reason


def test_hwrng_gives_the_bytes_in_order(fifo: Fifo) -> None:
    source = HwrngSource(fifo.path)
    data = bytes(range(256))
    os.write(fifo.writer, data)
    assert source.read_raw(100) == data[:100]
    assert list(source.read_wide(28)) == list(data[100:128])
    assert source.collect(128).tolist() == list(data[128:])


def test_hwrng_waits_no_longer_than_it_may(fifo: Fifo, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HwrngSource(fifo.path)
    os.write(fifo.writer, b"abc")
    assert source.read_raw(10, deadline_s=0.05) == b"abc"
    # The source is told nine tenths of the deadline: the rest is for a busy machine.
    monkeypatch.setattr(hwrng, "SILENCE_SECONDS", 60.0)
    with pytest.raises(errors.SourceReadError, match="0 samples came"):
        source.read_exactly(1, deadline_s=4.0)
    monkeypatch.setattr(hwrng, "SILENCE_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(errors.SourceReadError, match="no byte came in 0"):
        source.read_raw(1)
    assert time.monotonic() - began >= 0.2


def test_hwrng_reads_what_comes_late(fifo: Fifo) -> None:
    source = HwrngSource(fifo.path)
    timer = threading.Timer(0.1, os.write, [fifo.writer, b"xyz"])
    timer.start()
    assert source.read_raw(3) == b"xyz"
    timer.join()


def test_hwrng_unplugged_fails_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "hwrng"
    path.write_bytes(b"ab")
    source = HwrngSource(str(path))
    handles = len(os.listdir("/proc/self/fd"))
    with pytest.raises(errors.SourceReadError, match="it ended"):
        source.read_raw(3)
    assert len(os.listdir("/proc/self/fd")) == handles
    path.write_bytes(b"abc")
    assert source.read_raw(3) == b"abc"
    path.unlink()
    path.mkdir()
    with pytest.raises(errors.SourceReadError, match="directory"):
        HwrngSource(str(path)).read_raw(1)


def test_hwrng_leaves_nothing_behind() -> None:
    thousand_cycles_leave_nothing(HwrngSource("/dev/zero"))


@pytest.mark.parametrize("name", ["hwrng", "tpm2"])
def test_no_credit_unless_an_operator_gives_it(name: str) -> None:
    source = registry.create(name)
    assert source.claim.credit == 0
    assert source.claim.cutoff_entropy == 3.5
    assert source.independence_group == registry.create("rdseed").independence_group
    assert Claim.by_operator(4, certificate="E1").credit == 4


@pytest.mark.devices
def test_the_hwrng_of_this_machine() -> None:
    source = HwrngSource()
    available, reason = source.availability()
    if not available:
        pytest.skip(reason)
    symbols = source.read_exactly(1100, deadline_s=30)
    assert len(set(symbols)) > 100
    thousand_cycles_leave_nothing(source)


# tpm2


def response(data: bytes = b"", code: int = 0) -> bytes:
    body = b"" if code else len(data).to_bytes(2, "big") + data
    return b"\x80\x01" + (10 + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body


class FakeTpm:
    """Answers GetRandom commands over a file; each answer is a list of parts, written one by one."""

    def __init__(self, answer: Callable[[int, int], list[bytes]]) -> None:
        self.commands: list[bytes] = []
        self._answer = answer
        self.device, self.theirs = os.openpty()
        tty.setraw(self.device)
        tty.setraw(self.theirs)
        self.path = os.ttyname(self.theirs)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while (command := os.read(self.device, 12)) != b"end":
            self.commands.append(command)
            assert command[:10] == GET_RANDOM
            for part in self._answer(len(self.commands) - 1, int.from_bytes(command[10:], "big")):
                os.write(self.device, part)
                time.sleep(0.001)

    def close(self) -> None:
        os.write(self.theirs, b"end")
        self._thread.join()
        os.close(self.device)
        os.close(self.theirs)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[int, int], list[bytes]]], FakeTpm]]:
    monkeypatch.setattr(tpm2, "PAUSE_SECONDS", 1e-5)
    made: list[FakeTpm] = []

    def make(answer: Callable[[int, int], list[bytes]]) -> FakeTpm:
        made.append(FakeTpm(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


MakeFake = Callable[[Callable[[int, int], list[bytes]]], FakeTpm]


def test_tpm2_asks_in_small_parts_and_takes_short_answers(fake: MakeFake) -> None:
    device = fake(lambda number, wanted: [response(bytes([number]) * min(wanted, 20))])
    source = Tpm2Source(device.path)
    assert source.read_raw(70) == b"\0" * 20 + b"\1" * 20 + b"\2" * 20 + b"\3" * 10
    assert [int.from_bytes(command[10:], "big") for command in device.commands] == [32, 32, 30, 10]


def test_tpm2_answers_in_pieces(fake: MakeFake) -> None:
    whole = response(bytes(range(32)))
    source = Tpm2Source(fake(lambda _number, _wanted: [whole[:3], whole[3:11], whole[11:]]).path)
    assert source.read_raw(32) == bytes(range(32))


@pytest.mark.parametrize("code", [0x922, 0x908, 0x90A])
def test_tpm2_repeats_a_busy_command(code: int, fake: MakeFake) -> None:
    device = fake(lambda number, wanted: [response(code=code) if number % 3 else response(bytes(wanted))])
    assert Tpm2Source(device.path).read_raw(64) == bytes(64)
    assert len(device.commands) == 4
    source = Tpm2Source(fake(lambda _number, _wanted: [response(code=code)]).path)
    with pytest.raises(errors.SourceReadError, match=f"response code 0x{code:03x}, TPM_RC_"):
        source.read_raw(1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response(code=0x101), "0x101, TPM_RC_FAILURE"),
        (response(code=0x100), "0x100, TPM_RC_INITIALIZE"),
        (response(code=0x9A2), "0x9a2, an error"),
        (response(b""), "10 answers without a byte"),
        (response(bytes(33)), "33 random ones; 32 were asked for"),
        (b"\x80\x02" + response(bytes(4))[2:], "tag 0x8002"),
        (response(bytes(4))[:-1] + b"xyz", "16 bytes|18 bytes|claims"),
        (b"\x80\x01\0\0\0\x09" + bytes(4), "claims 9 bytes"),
        (b"\x80\x01\xff\xff\xff\xff" + bytes(4), "claims 4294967295 bytes"),
        (b"\x80\x01\0\0\0\x0a" + bytes(4), "is not TPM2_GetRandom's"),
        (b"\x80\x01\0\0\0\x0e\0\0\0\0\0\x03ab", "holds 3"),
    ],
)
def test_tpm2_errors_and_nonsense(answer: bytes, why: str, fake: MakeFake) -> None:
    device = fake(lambda _number, _wanted: [answer])
    source = Tpm2Source(device.path)
    with pytest.raises(errors.SourceReadError, match=why):
        source.read_raw(32)
    assert len(device.commands) in {1, 10}


def test_tpm2_responses_are_parsed() -> None:
    assert parse_response(response(b"abc"), 3) == (0, b"abc")
    assert parse_response(response(code=0x922), 3) == (0x922, b"")
    with pytest.raises(OSError, match="claims"):
        parse_response(response(b"abc") + b"d", 32)


def test_tpm2_waits_no_longer_than_it_may(fake: MakeFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpm2, "RESPONSE_SECONDS", 0.3)
    source = Tpm2Source(fake(lambda number, wanted: [] if number else [response(bytes(wanted))]).path)
    assert source.read_raw(100, deadline_s=0.1) == bytes(32)
    with pytest.raises(errors.SourceReadError, match="did not answer in time"):
        source.read_raw(1)
    with pytest.raises(errors.SourceReadError, match="0 samples came"):
        source.read_exactly(1, deadline_s=0.1)


def test_tpm2_says_why_it_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "tpmrm0")
    assert "no TPM 2.0" in Tpm2Source(missing).availability().reason
    with pytest.raises(errors.SourceUnavailableError, match="tpm2: no "):
        Tpm2Source(missing).read_raw(1)
    for bad in ("tpmrm0", "unix:", "tcp:127.0.0.1", "tcp:a:1,b:2", ""):
        with pytest.raises(errors.InvalidInputError, match=r"TPM address|target"):
            Tpm2Source(bad)
    source = Tpm2Source()
    monkeypatch.setenv(ADDRESS_VARIABLE, "nonsense")
    assert ADDRESS_VARIABLE in source.availability().reason
    monkeypatch.setenv(ADDRESS_VARIABLE, f"unix:{missing}")
    assert missing in source.availability().reason
    Path(missing).touch()
    assert source.is_available()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "group tss" in source.availability().reason


def test_tpm2_finds_nobody_at_a_tcp_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        source = Tpm2Source(f"tcp:127.0.0.1:{taken.getsockname()[1]}")
        assert source.is_available()
        with pytest.raises(errors.SourceReadError, match="refused"):
            source.read_raw(1)


def test_tpm2_leaves_nothing_behind(fake: MakeFake) -> None:
    device = fake(lambda _number, wanted: [response(bytes(wanted))])
    source = Tpm2Source(device.path)
    source.read_raw(1)
    device.commands = type("Dropping", (list,), {"append": lambda self, item: None})()
    thousand_cycles_leave_nothing(source)


class Swtpm(NamedTuple):
    """A software TPM and where it listens."""

    process: subprocess.Popen[bytes]
    address: str


@pytest.fixture
def start_swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Swtpm]]:
    program = shutil.which("swtpm")
    if program is None:
        pytest.skip("swtpm is not installed (Debian: swtpm)")
    processes: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *, flags: str = "startup-clear,not-need-init") -> Swtpm:
        folder = tmp_path_factory.mktemp("swtpm")
        if kind == "unix":
            server, address = f"type=unixio,path={folder}/s", f"unix:{folder}/s"
        else:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            server, address = f"type=tcp,port={port},bindaddr=127.0.0.1", f"tcp:127.0.0.1:{port}"
        words = ["socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server", server, "--flags", flags]
        process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.append(process)
        until = time.monotonic() + 20
        while True:
            assert process.poll() is None, "swtpm ended"
            try:
                transport = Tpm2Source(address).transport()
                transport.open(1.0)
                transport.close()
                break
            except OSError:
                assert time.monotonic() < until, "swtpm does not listen"
                time.sleep(0.02)
        return Swtpm(process, address)

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.devices
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_swtpm(kind: str, start_swtpm: Callable[..., Swtpm], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, start_swtpm(kind).address)
    source = registry.create("tpm2")
    assert source.is_available()
    symbols = source.read_exactly(1100, deadline_s=30)
    assert len(set(symbols)) > 200
    assert source.collect(50).shape == (50,)
    thousand_cycles_leave_nothing(source)


@pytest.mark.devices
@pytest.mark.parametrize("event", [signal.SIGSTOP, signal.SIGKILL])
def test_swtpm_that_hangs_or_dies_fails_the_read(event: signal.Signals, start_swtpm: Callable[..., Swtpm]) -> None:
    process, address = start_swtpm("unix")
    source = Tpm2Source(address)
    assert len(source.read_raw(40)) == 40
    timer = threading.Timer(0.1, process.send_signal, [event])
    timer.start()
    with pytest.raises(errors.SourceReadError, match=r"in time|closed the connection|reset|Broken pipe"):
        source.read_exactly(50_000_000, deadline_s=60)
    timer.join()
    handles = len(os.listdir("/proc/self/fd"))
    with pytest.raises(errors.SourceReadError):
        source.read_exactly(1, deadline_s=0.2)
    assert len(os.listdir("/proc/self/fd")) == handles


@pytest.mark.devices
def test_swtpm_that_was_not_started_is_named(start_swtpm: Callable[..., Swtpm]) -> None:
    source = Tpm2Source(start_swtpm("unix", flags="not-need-init").address)
    with pytest.raises(errors.SourceReadError, match="TPM_RC_INITIALIZE"):
        source.read_raw(1)
