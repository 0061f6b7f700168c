"""What a slow machine does to the sensors: late libraries, devices that close late, overruns, costly openings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import pytest
from fakes import our_threads, simulated

from esoteric_drbg import errors
from esoteric_drbg.noise_sources import quality
from esoteric_drbg.noise_sources.sensors import sensor
from esoteric_drbg.noise_sources.sensors.audio_thermal import AudioThermalSource
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource
from esoteric_drbg.noise_sources.source import Availability


class Slow(SensorSource):
    """Takes its time to load a library, and to close its device."""

    info = simulated("slow", category="sensor", estimated_rate=20.0, bounded=True, opt_in=True)
    sensor = "a test"
    stall_s = 0.4

    def __init__(
        self, *, load: Callable[[], object] = lambda: None, close: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(opt_in=True)
        self.loads, self.closes = load, close

    def device_availability(self) -> Availability:
        return Availability(True)

    def load(self) -> None:
        self.loads()

    def blocks(self) -> Blocks:
        try:
            while True:
                yield [1, 2, 3]
                time.sleep(0.01)
        finally:
            self.closes()


def test_loading_a_library_is_no_silence_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which loading alone takes time, and more than a device may be silent."""
    now = [0.0]
    monkeypatch.setattr(sensor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    slow = Slow(load=lambda: now.__setitem__(0, 10 * Slow.stall_s))
    assert slow.read_raw(3) == b"\x01\x02\x03"


def test_a_deadline_holds_while_a_library_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The read returns while the library is still loading."""
    monkeypatch.setattr(sensor, "CLOSING_S", 0.05)
    loaded = threading.Event()
    source = Slow(load=loaded.wait)
    before = our_threads()
    assert source.read_raw(3, deadline_s=0.1) == b""
    (loading,) = our_threads() - before
    loaded.set()
    loading.join()


def test_a_library_that_cannot_be_loaded_fails_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ImportError("no such library")

    source = Slow()
    monkeypatch.setattr(source, "load", load)
    with pytest.raises(errors.SourceReadError, match="slow: ImportError: no such library"):
        source.read_raw(1)


def test_a_read_waits_until_the_device_of_the_last_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esoteric_drbg.noise_sources.sensors.sensor.CLOSING_S", 0.05)
    monkeypatch.setattr(Slow, "stall_s", 20.0)
    closed: list[int] = []

    def close() -> None:
        time.sleep(0.4)
        closed.append(1)

    source = Slow(close=close)
    assert source.read_raw(1) == b"\x01"
    assert source.read_raw(1) == b"\x01"
    assert closed


class Stream:
    """A sound input whose first run ends in an overrun: no sample comes until it is started anew."""

    def __init__(self, **_: object) -> None:
        self.starts = 1
        self.read_available = 4800

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def abort(self) -> None: ...

    def start(self) -> None:
        self.starts += 1
        self.read_available = 9600

    def read(self, frames: int) -> tuple[bytes, bool]:
        self.read_available = 9600 if self.starts > 1 else 0
        return bytes(2 * frames), self.starts > 1


def test_sound_goes_on_after_an_overrun(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        RawInputStream = Stream
        PortAudioError = RuntimeError

    def settings(_: object) -> tuple[Any, None, dict[str, Any], str, float]:
        return Library, None, {"name": "an input", "max_input_channels": 1}, "int16", 48000.0

    monkeypatch.setattr(AudioThermalSource, "availability", lambda _: Availability(True))
    monkeypatch.setattr(AudioThermalSource, "_settings", settings)
    # 4,800 samples are dropped after each start while the input settles.
    assert AudioThermalSource(opt_in=True).read_raw(4000) == bytes(4000)


def test_a_source_that_is_slow_to_start_is_read_in_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    parts: list[int] = []

    def read(n_samples: int) -> bytes:
        nonlocal now
        now += 1.0 + n_samples / 20
        parts.append(n_samples)
        return bytes(n_samples)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    said: list[tuple[int, int, str]] = []
    quality.entropy_quality(read, 1000, estimated_rate=20.0, progress=lambda *step: said.append(step))
    assert parts == [5, 10, 20, 40, 80, 160, 200, 200, 200, 85]
    assert said[-1] == (1000, 1000, "")
