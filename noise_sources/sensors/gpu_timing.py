"""OpenCL: how long a small kernel takes on a GPU, or on the CPU if that is the only OpenCL device."""

from __future__ import annotations

import functools
import os
import sys
from array import array
from pathlib import Path
from typing import Any

from esoteric_drbg.errors import SourceUnavailableError
from esoteric_drbg.extras import missing
from esoteric_drbg.kernels.process import fork_generation
from esoteric_drbg.kernels.timing import read_counter
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.consent import SENSORS_VARIABLE, sensor_allowed
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.one_at_a_time import OneByOneSource, ticks_to_samples
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER

__all__ = ["GpuTimingSource"]

#: Work items of one launch, and dependent steps of each.
WORK_ITEMS = 64
STEPS = 64
#: Launches dropped after opening: the first ones build, upload and wake up the device.
WARM_UP = 32
#: Low bits of a wide value that hold the device's own measurement, in ns.
DEVICE_BITS = 24

KERNEL = f"""
__kernel void walk(__global uint *state) {{
    size_t item = get_global_id(0);
    uint x = state[item];
    for (int step = 0; step < {STEPS}; ++step)
        x = state[x % {WORK_ITEMS}] * 1664525u + 1013904223u + (uint)item;
    state[item] = x;
}}
"""


class GpuTimingSource(OneByOneSource):
    """Ticks of the CPU's counter from the launch of a small OpenCL kernel to its end, and the device's own measurement.

    A GPU is preferred, then an accelerator. A CPU device (for example PoCL) is used if there is nothing else; the
    source then is one more timing of the CPU. :meth:`device_label` names the device. The source is read only when the
    user names it, because loading an OpenCL driver and building the kernel takes long.

    Parameters
    ----------
    device : str, optional
        Part of the name of the device to use.
    opt_in : bool
        True to read it although ``ESOTERIC_DRBG_SENSORS`` does not name it.

    See docs/sources/gpu_timing.md.
    """

    info = SourceInfo(
        name="gpu_timing",
        description="Run time of a small OpenCL kernel on GPU (or CPU: PoCL)",
        category="gpu",
        physics=(
            "The driver's queues, the bus, the device's scheduler and its clock, which is another than the CPU's, "
            "delay the end of each launch; on a CPU device it is threads waking up and contention for caches."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=1e3,
        platforms=("linux", "win32"),
        claim=Claim(min_entropy=0.0, health_min_entropy=1.0),
        opt_in=True,
    )

    def __init__(self, *, device: str | None = None, opt_in: bool = False) -> None:
        self._wanted = device
        self._opt_in = opt_in
        self._launch: _Launch | None = None

    def availability(self) -> Availability:
        """Return whether the user named it and an OpenCL driver is installed; only a read loads the driver."""
        if not (self._opt_in or sensor_allowed(self.name)):
            return Availability(
                False,
                "opt-in: loading an OpenCL driver takes long; read only when named "
                f"(esoteric-drbg probe {self.name}, or {SENSORS_VARIABLE}={self.name})",
            )
        if reason := missing("pyopencl"):
            return Availability(False, reason)
        if sys.platform.startswith("linux") and not _drivers():
            return Availability(False, "there is no OpenCL driver (Debian: pocl-opencl-icd for the CPU)")
        if _loaded_by:  # ask it
            try:
                lacking = self._lacking()
            except OSError as error:
                lacking = str(error)
            return Availability(not lacking, lacking)
        return Availability(True)

    def device_label(self) -> str:
        """Return the device that is timed, its type and its platform; this loads the driver.

        Raises
        ------
        SourceUnavailableError
            If there is no such device.
        """
        device = self._device()
        import pyopencl  # noqa: PLC0415 - an extra, loaded when it is read

        kind = "a CPU, no GPU" if device.type & pyopencl.device_type.CPU else "a GPU or accelerator"
        return f"{device.name.strip()} ({kind}; {device.platform.name.strip()})"

    def measure(self) -> int:
        """Return (ticks of the CPU's counter) x 2^24 + (ns by the device's profiling events mod 2^24) of a launch."""
        launch = self._launch
        if launch is None:
            raise OSError("the OpenCL device is closed")
        return launch.measure()

    def digitize(self, wide: array[int]) -> bytes:
        """Return (duration / counter step) mod 256 of each launch; the device's own measurement is not part of it."""
        return ticks_to_samples(array("Q", [value >> DEVICE_BITS for value in wide]))

    def open(self) -> None:
        """Build the kernel for the device, unless it is built."""
        device = self._device()
        if self._launch is None:
            self._launch = _Launch(device)

    def close(self) -> None:
        """Release the device; a forked child cannot and leaves it to its parent."""
        if self._launch is not None and _forked():
            _of_the_parent.append(self._launch)
        self._launch = None

    def _device(self) -> Any:
        if lacking := self._lacking():
            raise SourceUnavailableError(f"{self.name}: {lacking}")
        return self._fitting()[0]

    def _lacking(self) -> str:
        """Return why there is no device to time, or an empty string; this loads the driver."""
        if _forked():
            return "the OpenCL driver was loaded before this process was forked"
        if not self._fitting():
            return "there is no OpenCL " + ("device" if self._wanted is None else f"device named {self._wanted!r}")
        return ""

    def _fitting(self) -> list[Any]:
        return [device for device in _devices() if self._wanted is None or self._wanted in device.name]


class _Launch:
    """The kernel, built for one device, and its queue."""

    def __init__(self, device: Any) -> None:
        import pyopencl  # noqa: PLC0415

        self._errors: type[Exception] = pyopencl.Error
        try:
            context = pyopencl.Context([device])
            self._queue = pyopencl.CommandQueue(context, properties=pyopencl.command_queue_properties.PROFILING_ENABLE)
            memory = pyopencl.mem_flags
            seed = bytearray(b"".join(item.to_bytes(4, "little") for item in range(WORK_ITEMS)))
            self._state = pyopencl.Buffer(context, memory.READ_WRITE | memory.COPY_HOST_PTR, hostbuf=seed)
            program = pyopencl.Program(context, KERNEL).build(cache_dir=False)
            self._kernel = pyopencl.Kernel(program, "walk")
            self._kernel.set_arg(0, self._state)
            self._enqueue = pyopencl.enqueue_nd_range_kernel
        except pyopencl.Error as error:
            raise OSError(f"{device.name.strip()}: {error}") from None
        for _ in range(WARM_UP):
            self.measure()

    def measure(self) -> int:
        """Launch the kernel once; return its duration by the CPU's counter and by the device."""
        try:
            before = read_counter()
            event = self._enqueue(self._queue, self._kernel, (WORK_ITEMS,), (WORK_ITEMS,))
            event.wait()
            ticks = read_counter() - before
            on_device: int = event.profile.end - event.profile.start
        except self._errors as error:
            raise OSError(str(error)) from None
        wide: int = ticks << DEVICE_BITS | on_device & (1 << DEVICE_BITS) - 1
        return wide & 0xFFFF_FFFF_FFFF_FFFF


#: The process that loaded the OpenCL driver, if any. The driver's threads do not survive a fork.
_loaded_by: list[int] = []
#: Launches of the parent, which a forked child must not release.
_of_the_parent: list[_Launch] = []


def _forked() -> bool:
    """Return True in a child of the process that loaded the driver."""
    return bool(_loaded_by) and _loaded_by[0] != fork_generation()


def _drivers() -> list[Path]:
    """Return the files that tell the OpenCL loader its drivers."""
    folders = [
        Path(os.environ.get("OCL_ICD_VENDORS") or "/etc/OpenCL/vendors"),
        Path(sys.prefix, "etc/OpenCL/vendors"),
    ]
    return [file for folder in folders if folder.is_dir() for file in folder.glob("*.icd")]


@functools.lru_cache(maxsize=1)
def _devices() -> tuple[Any, ...]:
    """Return all OpenCL devices: GPUs, then accelerators, then CPUs."""
    import pyopencl  # noqa: PLC0415

    _loaded_by[:] = [fork_generation()]
    try:
        devices = [device for platform in pyopencl.get_platforms() for device in platform.get_devices()]
    except pyopencl.Error as error:
        raise OSError(f"OpenCL: {error}") from None
    kinds = pyopencl.device_type

    def rank(device: Any) -> int:
        return 0 if device.type & kinds.GPU else 2 if device.type & kinds.CPU else 1

    return tuple(sorted(devices, key=rank))
