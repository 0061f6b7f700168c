"""audio_thermal on a private PulseAudio daemon: bit-exact samples, silence, a server that stops or dies."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from esoteric_drbg import errors
from esoteric_drbg.health_tests import HealthProfile
from esoteric_drbg.noise_sources.sensors.audio_thermal import AudioThermalSource
from esoteric_drbg.seeding.pool import EntropyPool
from esoteric_drbg.seeding.slot import SourceSlot

pytestmark = [pytest.mark.devices, pytest.mark.timeout(240)]

RATE = 48_000
#: Seconds that a busy machine may need for anything.
PATIENCE_S = 20.0


class Patient(AudioThermalSource):
    """An idle null sink hands its monitor a block every two seconds only."""

    stall_s = PATIENCE_S


class Server:
    """A PulseAudio daemon with a runtime folder of its own, one null sink and its monitor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
                *("-L", "module-native-protocol-unix"),
                *("-L", f"module-null-sink sink_name=noise format=s16le rate={RATE} channels=2 channel_map=stereo"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < until:
            if b"noise.monitor" in self.ask("list", "short", "sources"):
                return
            time.sleep(0.1)
        self.stop()
        pytest.skip("the private PulseAudio daemon did not start")

    def ask(self, *words: str) -> bytes:
        return subprocess.run(["pactl", *words], capture_output=True, check=False, timeout=PATIENCE_S).stdout

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE_S)

    @contextlib.contextmanager
    def playing(self, path: Path) -> Iterator[None]:
        """Play a file, from when the sink runs until the block ends."""
        player = subprocess.Popen(["paplay", "--device=noise", str(path)], stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + PATIENCE_S
            while b"RUNNING" not in self.ask("list", "short", "sinks") and time.monotonic() < until:
                time.sleep(0.02)
            yield
        finally:
            player.kill()
            player.wait(PATIENCE_S)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for command, package in (
        ("pulseaudio", "pulseaudio"),
        ("paplay", "pulseaudio-utils"),
        ("pactl", "pulseaudio-utils"),
    ):
        if shutil.which(command) is None:
            pytest.skip(f"there is no {command} (Debian: {package})")
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        pytest.skip(f"the extra audio: {error}")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    for name in list(os.environ):
        if name.startswith(("PULSE_", "ESOTERIC_DRBG_AUDIO")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("HOME", str(tmp_path))
    server = Server(tmp_path)
    try:
        # PortAudio makes its list of devices when it is initialized.
        sounddevice._terminate()
        sounddevice._initialize()
        try:
            sounddevice.query_devices("pulse", "input")
        except ValueError:
            pytest.skip("ALSA has no device named pulse (Debian: libasound2-plugins)")
        yield server
    finally:
        server.stop()
        sounddevice._terminate()
        sounddevice._initialize()


def source(rate: float | None = RATE) -> AudioThermalSource:
    return Patient(device="pulse", rate=rate, opt_in=True)


def write_wave(path: Path, seconds: int, seed: int) -> array[int]:
    """Write pseudo-random stereo samples of 16 bits; return those of the left channel."""
    samples = array("h")
    samples.frombytes(random.Random(seed).randbytes(4 * RATE * seconds))
    stored = samples[:]
    if sys.byteorder == "big":
        stored.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(stored.tobytes())
    return samples[::2]


def test_samples_come_bit_for_bit(server: Server, tmp_path: Path) -> None:
    left = write_wave(tmp_path / "noise.wav", 12, 1)
    played = array("Q", [sample + 32768 for sample in left])
    where = {tuple(played[at : at + 4]): at for at in range(len(played) - 4)}
    for attempt in range(4):  # a busy machine may let the player run dry
        with server.playing(tmp_path / "noise.wav"):
            wide = source().read_wide(RATE)
        begin = next((at for at in range(RATE // 2) if tuple(wide[at : at + 4]) in where), None)
        if begin is not None:
            heard = wide[begin:]
            at = where[tuple(heard[:4])]
            if heard == played[at : at + len(heard)]:
                break
            print(f"attempt {attempt}: a gap in the samples")
    else:
        pytest.fail("the samples heard are no stretch of the samples played")
    assert len(heard) >= RATE // 2
    assert source().digitize(heard) == bytes(sample & 0xFF for sample in left[at : at + len(heard)])


def test_silence_fails_the_health_tests(server: Server, tmp_path: Path) -> None:
    write_wave(tmp_path / "noise.wav", 60, 2)
    microphone = source()
    slot = SourceSlot(microphone, microphone.claim, health_profile=HealthProfile(), deadline_s=PATIENCE_S)
    with server.playing(tmp_path / "noise.wav"):
        until = time.monotonic() + PATIENCE_S
        while set(microphone.read_wide(RATE // 100)) == {32768} and time.monotonic() < until:
            pass
        assert slot.start(), slot.fault
        assert slot.read_tested(2000) is not None, slot.fault
    until = time.monotonic() + PATIENCE_S
    while set(microphone.read_wide(RATE // 100)) != {32768} and time.monotonic() < until:
        pass
    assert slot.read_tested(2000) is None
    assert "Repetition Count" in slot.fault
    assert slot.monitor.report().rct_alarms >= 1
    assert not slot.healthy
    pool = EntropyPool([microphone], deadline_s=PATIENCE_S)
    pool.start()
    row = next(row for row in pool.health_report()["sources"] if row["name"] == "audio_thermal")
    assert row["rct_alarms"] >= 1
    assert row["state"].startswith("FAILED") or row["state"] == "RETIRED"
    with pytest.raises(errors.EntropyUnavailableError):
        pool.get_entropy(1)


def test_a_wider_format_than_the_converters_fails_at_once(server: Server, tmp_path: Path) -> None:
    write_wave(tmp_path / "noise.wav", 60, 3)
    with server.playing(tmp_path / "noise.wav"):
        microphone = Patient(device="pulse", rate=RATE, sample_format="int32", opt_in=True)
        until = time.monotonic() + PATIENCE_S
        while len(set(wide := microphone.read_wide(2000))) < 1000 and time.monotonic() < until:
            pass
    assert len(set(wide)) >= 1000
    assert set(AudioThermalSource().digitize(wide)) == {0}


def test_a_server_that_stops_costs_the_stall_time(server: Server) -> None:
    microphone = AudioThermalSource(device="pulse", rate=RATE, opt_in=True)
    timer = threading.Timer(2.5, server.process.send_signal, [signal.SIGSTOP])
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.SourceReadError, match="gave no value for 3 s"):
        microphone.read_raw(100 * RATE)
    assert time.monotonic() - began < 60
    timer.join()
    server.process.send_signal(signal.SIGCONT)
    _wait_for_devices_to_close()


def test_a_server_that_dies_in_mid_read_is_an_error(server: Server) -> None:
    microphone = source()
    timer = threading.Timer(1.0, server.process.kill)
    timer.start()
    with pytest.raises(errors.SourceReadError, match="audio_thermal: input 'pulse'"):
        microphone.read_raw(100 * RATE)
    timer.join()
    with pytest.raises(errors.SourceReadError, match="audio_thermal: input 'pulse'"):
        microphone.read_raw(1)


def test_repeated_reads_leak_nothing(server: Server, tmp_path: Path) -> None:
    write_wave(tmp_path / "noise.wav", 120, 4)
    microphone = source()
    with server.playing(tmp_path / "noise.wav"):
        for _ in range(3):
            microphone.collect(10)
        _wait_for_devices_to_close()
        handles = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            microphone.collect(10)
        _wait_for_devices_to_close()
        assert len(os.listdir("/proc/self/fd")) <= handles


def _wait_for_devices_to_close() -> None:
    until = time.monotonic() + PATIENCE_S
    while any(thread.name.startswith("esoteric_drbg device") for thread in threading.enumerate()):
        assert time.monotonic() < until, "a device stayed open"
        time.sleep(0.05)
