"""gpu_timing on whatever OpenCL device is here; PoCL makes one of the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path

import pytest

from esoteric_drbg import errors
from esoteric_drbg.health_tests import HealthProfile
from esoteric_drbg.kernels.timing import counter_step, whole_steps
from esoteric_drbg.noise_sources.sensors import gpu_timing
from esoteric_drbg.noise_sources.sensors.gpu_timing import GpuTimingSource
from esoteric_drbg.seeding.slot import SourceSlot


def test_the_symbol_is_the_cpu_counters_part() -> None:
    step = counter_step()
    wide = array(
        "Q", [round(ticks * step) << 24 | nanoseconds for ticks, nanoseconds in [(0, 5), (255, 0xFFFFFF), (256, 1)]]
    )
    assert GpuTimingSource().digitize(wide) == b"\x00\xff\x00"


def test_without_a_driver_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyopencl", reason="the extra gpu is not installed")
    if not sys.platform.startswith("linux"):
        pytest.skip("drivers are listed in files on Linux")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert "there is no OpenCL driver" in GpuTimingSource(opt_in=True).availability().reason


@pytest.fixture
def source() -> GpuTimingSource:
    pytest.importorskip("pyopencl", reason="the extra gpu is not installed")
    source = GpuTimingSource(opt_in=True)
    available, reason = source.availability()
    if available:
        try:
            source.device_label()
        except errors.SourceError as error:
            available, reason = False, str(error)
    if not available:
        pytest.skip(reason)
    return source


@pytest.mark.devices
@pytest.mark.timeout(240)
class TestOnADevice:
    def test_availability_loads_no_driver(self, source: GpuTimingSource) -> None:
        code = (
            "import sys, time\n"
            "from esoteric_drbg.noise_sources.sensors.gpu_timing import GpuTimingSource\n"
            "source = GpuTimingSource(opt_in=True)\n"
            "began = time.perf_counter()\n"
            "assert source.is_available()\n"
            "print(time.perf_counter() - began)\n"
            "assert 'pyopencl' not in sys.modules\n"
        )
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert float(run.stdout) < 1.0  # 1 ms on a quiet machine

    def test_both_durations_of_a_launch(self, source: GpuTimingSource) -> None:
        wide = source.read_wide(200)
        ticks = [value >> 24 for value in wide]
        nanoseconds = [value & 0xFFFFFF for value in wide]
        assert min(ticks) > 0
        assert len(set(ticks)) > 20
        assert max(nanoseconds) > 0
        assert source.digitize(wide) == bytes(whole_steps(tick) & 0xFF for tick in ticks)

    def test_the_device_is_labelled_for_what_it_is(self, source: GpuTimingSource) -> None:
        import pyopencl

        label = source.device_label()
        kind = pyopencl.get_platforms()[0].get_devices()[0].type
        if "Portable Computing Language" in label:
            assert "a CPU, no GPU" in label
        assert ("a CPU, no GPU" in label) or not kind & pyopencl.device_type.CPU
        nobody = GpuTimingSource(device="a device that nobody has", opt_in=True)
        assert "no OpenCL device named" in nobody.availability().reason
        with pytest.raises(errors.SourceUnavailableError, match="no OpenCL device named"):
            nobody.read_raw(1)

    def test_it_passes_its_start_up_test(self, source: GpuTimingSource) -> None:
        slot = SourceSlot(source, source.claim, health_profile=HealthProfile(), deadline_s=60.0)
        assert slot.start(), slot.fault

    def test_a_deadline_ends_a_read(self, source: GpuTimingSource) -> None:
        source.read_raw(1)
        began = time.monotonic()
        assert len(source.read_raw(100_000_000, deadline_s=0.1)) < 100_000_000
        assert time.monotonic() - began < 10

    def test_a_device_that_goes_is_an_error_and_is_opened_anew(
        self, source: GpuTimingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyopencl

        source.read_raw(1)
        launch = source._launch
        assert launch is not None

        def gone(*_: object) -> None:
            # an unusable range is the driver's own error, raised by its own call
            pyopencl.enqueue_nd_range_kernel(launch._queue, launch._kernel, (7,), (5,))

        monkeypatch.setattr(launch, "_enqueue", gone)
        with pytest.raises(errors.SourceReadError, match=r"gpu_timing: (.*enqueue_nd_range_kernel|clEnqueue)"):
            source.read_raw(1)
        assert source._launch is None
        assert len(source.read_raw(2)) == 2

    def test_a_forked_child_is_refused(self, source: GpuTimingSource) -> None:
        code = (
            "import os, sys, warnings\n"
            "warnings.simplefilter('ignore')\n"
            "from esoteric_drbg.errors import SourceUnavailableError\n"
            "from esoteric_drbg.noise_sources.sensors.gpu_timing import GpuTimingSource\n"
            "source = GpuTimingSource(opt_in=True)\n"
            "source.read_raw(2)\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    try:\n"
            "        source.read_raw(1)\n"
            "    except SourceUnavailableError as error:\n"
            "        source.close()\n"
            "        os._exit(0 if 'before this process was forked' in str(error) else 1)\n"
            "    os._exit(2)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
            "assert len(source.read_raw(2)) == 2\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

    def test_a_thousand_reads_leak_nothing(self, source: GpuTimingSource) -> None:
        for _ in range(10):
            source.collect(2)
        handles, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        tasks = len(os.listdir("/proc/self/task"))
        for _ in range(1000):
            source.collect(2)
        for _ in range(5):
            other = GpuTimingSource(opt_in=True)
            other.collect(2)
            other.close()
        assert len(os.listdir("/proc/self/fd")) <= handles
        assert threading.active_count() <= threads
        assert len(os.listdir("/proc/self/task")) <= tasks

    def test_the_drivers_list_is_read_once(self, source: GpuTimingSource) -> None:
        assert source.is_available()
        hits = gpu_timing._devices.cache_info().misses
        for _ in range(10):
            assert source.is_available()
        assert gpu_timing._devices.cache_info().misses == hits
