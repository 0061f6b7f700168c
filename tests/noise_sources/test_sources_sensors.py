"""Sensors: consent, deadlines, devices that fall silent, fail or hang; what becomes of a sample, a frame, a report."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import our_threads, simulated
from places import DOCS

from esoteric_drbg import errors
from esoteric_drbg.health_tests import apt_cutoff, rct_cutoff
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import Availability, NoiseSource, registry
from esoteric_drbg.noise_sources.consent import SENSORS_VARIABLE
from esoteric_drbg.noise_sources.sensors.audio_thermal import AudioThermalSource, samples_to_wide
from esoteric_drbg.noise_sources.sensors.bluetooth_ble import BluetoothBleSource, bus_socket
from esoteric_drbg.noise_sources.sensors.camera_shot_noise import LAYOUTS, CameraShotNoiseSource, pixels
from esoteric_drbg.noise_sources.sensors.gpu_timing import GpuTimingSource
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource

ASKED_FOR = ["audio_thermal", "bluetooth_ble", "camera_shot_noise", "gpu_timing"]
HEAVY = {"av", "bleak", "dbus_fast", "pyopencl", "sounddevice", "numpy", "asyncio"}


class Scripted(SensorSource):
    """Does what a test tells it: blocks of values, pauses (seconds), errors."""

    info = simulated("scripted", category="sensor", estimated_rate=1e3, bounded=True, opt_in=True)
    sensor = "a script"
    stall_s = 0.5

    def __init__(self, *script: object, opt_in: bool = True) -> None:
        super().__init__(opt_in=opt_in)
        self.script = script
        self.opened = 0
        self.closed = 0

    def device_availability(self) -> Availability:
        return Availability(True)

    def blocks(self) -> Blocks:
        self.opened += 1
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    time.sleep(step)
                elif isinstance(step, threading.Event):
                    step.wait()
                elif isinstance(step, list):
                    yield step
            while "ends" not in self.script:
                time.sleep(0.01)
                yield ()
        finally:
            self.closed += 1


@pytest.fixture(autouse=True)
def nobody_consents(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ESOTERIC_DRBG_") and any(word in name for word in ("SENSORS", "AUDIO", "CAMERA")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ASKED_FOR)
def test_nothing_is_read_unless_it_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = registry.create(name)
    available, reason = source.availability()
    assert not available
    assert reason.startswith("opt-in: ")
    assert f"probe {name}" in reason
    assert f"{SENSORS_VARIABLE}={name}" in reason
    with pytest.raises(errors.SourceUnavailableError, match="opt-in"):
        source.read_raw(1)
    monkeypatch.setenv(SENSORS_VARIABLE, name)
    assert not source.availability().reason.startswith("opt-in")
    assert source.claim.credit == 0


@pytest.mark.parametrize(
    ("source", "extra"),
    [
        (AudioThermalSource(opt_in=True), "audio"),
        (BluetoothBleSource(opt_in=True), "ble"),
        (CameraShotNoiseSource(opt_in=True), "camera"),
        (GpuTimingSource(opt_in=True), "gpu"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    source: NoiseSource, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    available, reason = source.availability()
    assert not available
    assert reason.endswith(f' is not installed: pip install "esoteric-drbg[{extra}]"')


def test_listing_the_sources_loads_no_library() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from esoteric_drbg.noise_sources import registry\n"
        "for source in registry.installed(plugins=False): source.availability()\n"
        f"assert not {HEAVY!r} & (set(sys.modules) - before), {HEAVY!r} & set(sys.modules)\n"
        "from esoteric_drbg.noise_sources.sensors.gpu_timing import GpuTimingSource\n"
        "GpuTimingSource(opt_in=True).availability()\n"
        "assert 'pyopencl' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_read_takes_blocks_as_they_come_and_closes_the_device() -> None:
    source = Scripted([1, 2, 257], [], 0.05, [4, 5, 6, 7])
    assert list(source.read_wide(5)) == [1, 2, 257, 4, 5]
    assert (source.opened, source.closed) == (1, 1)
    assert source.collect(3).tolist() == [1, 2, 1]
    assert (source.opened, source.closed) == (2, 2)


def test_a_silent_device_fails_the_read_or_meets_the_deadline() -> None:
    source = Scripted([1, 2])
    with pytest.raises(errors.SourceReadError, match=r"scripted: the device gave no value for 0\.5 s"):
        source.read_raw(3)
    assert source.read_raw(3, deadline_s=0.1) == b"\x01\x02"
    assert source.read_raw(3, deadline_s=0) == b""
    assert source.opened == source.closed


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (OSError(19, "No such device"), "scripted: No such device"),
        (OSError("the adapter has gone"), "scripted: the adapter has gone"),
        (errors.SourceReadError("scripted: torn"), "scripted: torn"),
        (ValueError("odd"), "scripted: ValueError: odd"),
        ("ends", "scripted: the device has ended"),
    ],
)
def test_a_device_that_goes_in_mid_read_is_an_error(trouble: object, message: str) -> None:
    source = Scripted([1], trouble)
    with pytest.raises(errors.SourceReadError, match=message) as caught:
        source.read_raw(2)
    assert caught.value.__cause__ is None
    assert source.opened == source.closed == 1
    assert source.read_raw(1) == b"\x01"


def test_a_driver_that_hangs_costs_one_thread_and_no_more() -> None:
    release = threading.Event()
    source = Scripted([1], release)
    try:
        before = our_threads()
        with pytest.raises(errors.SourceReadError, match="no value"):
            source.read_raw(2)
        for _ in range(3):
            with pytest.raises(errors.SourceReadError, match="busy with an earlier read"):
                source.read_raw(2)
        (hanging,) = our_threads() - before
    finally:
        release.set()
    hanging.join()
    assert source.closed == 1
    assert source.read_raw(1) == b"\x01"


@pytest.mark.slow
def test_a_thousand_reads_leave_no_thread_behind() -> None:
    source = Scripted([1, 2, 3])
    source.collect(2)
    threads = our_threads()
    for _ in range(1000):
        source.collect(2)
    assert our_threads() <= threads
    assert source.opened == source.closed == 1001


@pytest.mark.parametrize(
    ("health_min_entropy", "names", "cutoffs"),
    [
        (0.125, ["camera_shot_noise"], (241, 502)),
        (0.5, ["audio_thermal", "bluetooth_ble"], (61, 422)),
        (1.0, ["gpu_timing"], (31, 325)),
    ],
)
def test_cutoffs_are_those_of_the_pages(health_min_entropy: float, names: list[str], cutoffs: tuple[int, int]) -> None:
    assert (rct_cutoff(health_min_entropy, 2**-30), apt_cutoff(health_min_entropy, 2**-30, 512)) == cutoffs
    pages = DOCS / "sources"
    for name in names:
        assert registry.create(name).claim.cutoff_entropy == health_min_entropy
        page = (pages / f"{name}.md").read_text()
        assert f"RCT cutoff {cutoffs[0]}" in page
        assert f"APT cutoff {cutoffs[1]} of 512" in page


# Sound


def need_sounddevice() -> None:
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"the extra audio: {error}")


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_offset_to_unsigned(width: int, channels: int) -> None:
    full = 1 << (8 * width - 1)
    values = [-full, -1, 0, 1, full - 1]
    data = b"".join(
        value.to_bytes(width, sys.byteorder, signed=True) + b"\x55" * (width * (channels - 1)) for value in values
    )
    wide = samples_to_wide(data, width, channels)
    assert list(wide) == [0, full - 1, full, full + 1, 2 * full - 1]
    assert AudioThermalSource().digitize(wide) == b"\x00\xff\x00\x01\xff"
    assert list(samples_to_wide(data[:-1], width, channels)) == list(wide)[:-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_format": "float32"}, "expected int16, int24 or int32"),
        ({"rate": 0.0}, "expected samples per second"),
        ({"rate": float("nan")}, "expected samples per second"),
    ],
)
def test_bad_audio_settings_are_said(settings: dict[str, object], message: str) -> None:
    need_sounddevice()
    source = AudioThermalSource(opt_in=True, **settings)  # type: ignore[arg-type]
    assert message in source.availability().reason


def test_audio_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    need_sounddevice()
    monkeypatch.setenv("ESOTERIC_DRBG_AUDIO_DEVICE", "a device that nobody has")
    assert "no sound input 'a device that nobody has'" in AudioThermalSource(opt_in=True).availability().reason
    monkeypatch.setenv("ESOTERIC_DRBG_AUDIO_RATE", "fast")
    assert "sample rate 'fast'" in AudioThermalSource(opt_in=True).availability().reason
    monkeypatch.setenv("ESOTERIC_DRBG_AUDIO_FORMAT", "int8")
    assert "sample format 'int8'" in AudioThermalSource(opt_in=True).availability().reason


# Pictures


@pytest.fixture
def av() -> object:
    return pytest.importorskip("av", reason="the extra camera is not installed")


def recording(path: Path, size: tuple[int, int], pixel_format: str, *frames: bytes) -> CameraShotNoiseSource:
    path.write_bytes(b"".join(frames))
    options = {"video_size": f"{size[0]}x{size[1]}", "pixel_format": pixel_format}
    return CameraShotNoiseSource(device=path, container_format="rawvideo", options=options, opt_in=True)


@pytest.mark.parametrize("pixel_format", sorted(LAYOUTS))
def test_every_eighth_pixel_of_every_eighth_row(av: object, pixel_format: str, tmp_path: Path) -> None:
    width, height = 32, 24
    layout = LAYOUTS[pixel_format]
    random_bytes = random.Random(7)
    size = width * height * layout.bytes_per_4 // 4
    frames = [random_bytes.randbytes(size) for _ in range(6)]
    source = recording(tmp_path / "frames", (width, height), pixel_format, *frames)
    expected = [
        int.from_bytes(frame[at : at + layout.width], "little")
        for frame in frames[4:]  # the first four settle
        for row in range(0, height, 8)
        for column in range(0, width, 8)
        for at in [layout.first + (row * width + column) * layout.step]
    ]
    assert source.availability() == (True, "")
    wide = source.read_wide(len(expected))
    assert list(wide) == expected
    assert source.read_raw(len(expected)) == bytes(value & 3 for value in expected)
    with pytest.raises(errors.SourceReadError, match="the device has ended"):
        source.read_raw(len(expected) + 1)


def test_luma_of_yuyv_is_the_luma_ffmpeg_sees(av: object, tmp_path: Path) -> None:
    """FFmpeg's own split of a frame into planes is the peer."""
    import av as library

    frame = random.Random(8).randbytes(32 * 24 * 2)
    source = recording(tmp_path / "frames", (32, 24), "yuyv422", *[frame] * 5)
    plane = library.VideoFrame(32, 24, "yuyv422")
    plane.planes[0].update(frame)
    grey = plane.reformat(format="yuv422p").planes[0]
    luma = bytes(grey)
    assert list(source.read_wide(12)) == [luma[y * grey.line_size + x] for y in (0, 8, 16) for x in (0, 8, 16, 24)]


def test_compressed_frames_are_refused(av: object, tmp_path: Path) -> None:
    import av as library

    path = tmp_path / "motion.avi"
    with library.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        for _ in range(3):
            container.mux(stream.encode(library.VideoFrame(32, 32, "yuvj420p")))
        container.mux(stream.encode())
    source = CameraShotNoiseSource(device=path, container_format="avi", opt_in=True)
    with pytest.raises(errors.SourceReadError, match="gives mjpeg frames: only uncompressed luma is raw noise"):
        source.read_raw(1)
    rgb = recording(tmp_path / "frames", (32, 24), "rgb24", bytes(32 * 24 * 3 * 5))
    with pytest.raises(errors.SourceReadError, match="gives rgb24 frames"):
        rgb.read_raw(1)


def test_saturated_frames_fail_the_start_up_test(av: object, tmp_path: Path) -> None:
    from esoteric_drbg.health_tests import HealthProfile
    from esoteric_drbg.seeding.slot import SourceSlot

    noise = random.Random(9)
    width, height = 320, 240
    good = recording(tmp_path / "good", (width, height), "gray", *[noise.randbytes(width * height) for _ in range(6)])
    white = recording(tmp_path / "white", (width, height), "gray", *[b"\xff" * (width * height)] * 6)
    # Nine parts of ten saturated: no run is long enough for the Repetition Count Test.
    partly = bytes(noise.choices(range(256), [1] * 255 + [255 * 200], k=width * height))
    clipped = recording(tmp_path / "clipped", (width, height), "gray", *[partly] * 6)
    slots = [
        SourceSlot(source, source.claim, health_profile=HealthProfile(), deadline_s=30.0)
        for source in (good, white, clipped)
    ]
    assert [slot.start() for slot in slots] == [True, False, False]
    assert "Repetition Count" in slots[1].fault
    assert slots[2].monitor.report().rct_alarms + slots[2].monitor.report().apt_alarms > 0


def test_torn_frames_and_missing_cameras_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="a frame of 16 x 8 came with 127 bytes"):
        pixels(bytes(127), 16, 8, LAYOUTS["gray"])
    pytest.importorskip("av", reason="the extra camera is not installed")
    monkeypatch.setenv("ESOTERIC_DRBG_CAMERA", str(tmp_path / "video0"))
    assert "video0: No such file" in CameraShotNoiseSource(opt_in=True).availability().reason
    (tmp_path / "video0").write_bytes(b"x")
    assert "is not a device" in CameraShotNoiseSource(opt_in=True).availability().reason
    source = CameraShotNoiseSource(device=tmp_path / "video0", container_format="rawvideo", opt_in=True)
    with pytest.raises(errors.SourceReadError, match=r"camera_shot_noise: camera .*video0: Invalid argument"):
        source.read_raw(1)


def test_a_thousand_reads_of_frames_leak_nothing(av: object, tmp_path: Path) -> None:
    frames = [random.Random(10).randbytes(32 * 24) for _ in range(6)]
    source = recording(tmp_path / "frames", (32, 24), "gray", *frames)
    for _ in range(10):
        source.collect(5)
    handles, threads, memory = len(os.listdir("/proc/self/fd")), threading.active_count(), _resident_kib()
    for _ in range(1000):
        source.collect(5)
    assert len(os.listdir("/proc/self/fd")) == handles
    assert threading.active_count() <= threads
    assert _resident_kib() - memory < 20_000


def _resident_kib() -> int:
    lines: Iterator[str] = iter(Path("/proc/self/status").read_text().splitlines())
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


# Radio


def test_symbols_of_advertisements() -> None:
    step = counter_step()
    wide = array(
        "Q", [round(ticks * step) << 8 | rssi & 0xFF for ticks, rssi in [(0, -1), (17, -79), (15, 20), (16, 0)]]
    )
    # strength mod 16 in the high half, time mod 16 in the low half
    assert BluetoothBleSource().digitize(wide) == bytes([0xF0, 0x11, 0x4F, 0x00])


def test_the_system_bus_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bus_socket("unix:abstract=/tmp/x") is None
    assert bus_socket("tcp:host=127.0.0.1,port=1;unix:path=/run/a%20b") == Path("/run/a b")
    pytest.importorskip("bleak", reason="the extra ble is not installed")
    if not sys.platform.startswith("linux"):
        pytest.skip("D-Bus is Linux's")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    available, reason = BluetoothBleSource(opt_in=True).availability()
    assert not available
    assert "no D-Bus system bus" in reason


def test_a_bus_that_is_gone_is_a_read_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bleak", reason="the extra ble is not installed")
    if not sys.platform.startswith("linux"):
        pytest.skip("D-Bus is Linux's")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    source = BluetoothBleSource(opt_in=True)
    monkeypatch.setattr(source, "device_availability", lambda: Availability(True))
    with pytest.raises(errors.SourceReadError, match="bluetooth_ble: No such file or directory"):
        source.read_raw(1)
