"""What a slow machine does to the sensors: late libraries, devices that close late, overruns, costly openings."""

from __future__ import annotations

import time
from typing import Any, Self

import pytest

from esoteric_drbg import errors
from esoteric_drbg.noise_sources import quality
from esoteric_drbg.noise_sources.sensors.audio_thermal import AudioThermalSource
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource
from esoteric_drbg.noise_sources.source import Availability


class Slow(SensorSource):
    """Takes its time to load a library, and to close its device."""

    name = "slow"
    description = "slow"
    physics = "none"
    independence_group = "test"
    estimated_rate = 20.0
    sensor = "a test"
    stall_s = 0.4

    def __init__(self, *, load_s: float = 0.0, close_s: float = 0.0) -> None:
        super().__init__(opt_in=True)
        self.load_s, self.close_s = load_s, close_s

    def device_availability(self) -> Availability:
        return Availability(True)

    def load(self) -> None:
        time.sleep(self.load_s)

    def blocks(self) -> Blocks:
        try:
            while True:
                yield [1, 2, 3]
                time.sleep(0.01)
        finally:
            time.sleep(self.close_s)


def test_loading_a_library_is_no_silence_of_the_device() -> None:
    assert Slow(load_s=0.8).read_raw(3) == b"\x01\x02\x03"


def test_a_deadline_holds_while_a_library_loads() -> None:
    source = Slow(load_s=1.5)
    began = time.monotonic()
    assert source.read_raw(3, deadline_s=0.1) == b""
    # The reading thread is given CLOSING_S to end.
    assert time.monotonic() - began < 1.45


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
    source = Slow(close_s=0.4)
    assert source.read_raw(1) == source.read_raw(1) == b"\x01"


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

    def read(n_samples: int, **_: object) -> bytes:
        nonlocal now
        now += 1.0 + n_samples / 20
        parts.append(n_samples)
        return bytes(n_samples)

    source = Slow()
    monkeypatch.setattr(source, "read_exactly", read)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    said: list[tuple[int, int]] = []
    quality.entropy_quality(source, 1000, progress=lambda done, total, _: said.append((done, total)))
    assert parts == [5, 10, 20, 40, 80, 160, 200, 200, 200, 85]
    assert said[-1] == (1000, 1000)
