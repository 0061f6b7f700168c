"""Bluetooth LE: signal strength and arrival time of advertisements from nearby devices."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from array import array
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from esoteric_drbg.extras import missing
from esoteric_drbg.kernels.timing import read_counter, whole_steps
from esoteric_drbg.noise_sources.claims import Claim
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.sensors.sensor import Blocks, SensorSource
from esoteric_drbg.noise_sources.source import Availability
from esoteric_drbg.noise_sources.timer import CPU_COUNTER

__all__ = ["BluetoothBleSource"]

#: Seconds of listening between two checks of adapter and deadline.
SLICE_S = 0.1
#: Signal strengths that a controller can report, in dBm; 127 means none (Core Specification, HCI events).
RSSI_RANGE = range(-126, 21)
#: The system bus, unless ``DBUS_SYSTEM_BUS_ADDRESS`` names another.
SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket"


class BluetoothBleSource(SensorSource):
    """Low 4 bits of the RSSI and low 4 bits of the arrival time of each advertisement that reaches the adapter.

    Nothing else of an advertisement is kept: no address, no name, no data.

    Parameters
    ----------
    opt_in : bool
        True if the user has agreed that the radio is read.

    See docs/sources/bluetooth_ble.md.
    """

    info = SourceInfo(
        name="bluetooth_ble",
        description="Strength and arrival time of Bluetooth LE advertisements",
        category="sensor",
        physics=(
            "Multipath fading, interference and receiver noise vary the strength of each advertisement; advertisers "
            "delay each one by up to 10 ms, and the radio's and the bus's queues add to its arrival time."
        ),
        independence_group=CPU_COUNTER,
        estimated_rate=20.0,
        platforms=("linux", "darwin", "win32"),
        claim=Claim(min_entropy=0.0, health_min_entropy=0.5),
        bounded=True,
        opt_in=True,
    )
    sensor = "a Bluetooth radio"
    stall_s = 10.0

    def device_availability(self) -> Availability:
        """Return whether the Bluetooth library is installed and, on Linux, the system bus exists."""
        if reason := missing("bleak"):
            return Availability(False, reason)
        if sys.platform.startswith("linux"):
            socket = bus_socket(os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM_BUS)
            if socket is not None and not socket.exists():
                return Availability(False, f"there is no D-Bus system bus at {socket}: BlueZ cannot be asked")
        return Availability(True)

    def load(self) -> None:
        """Import the Bluetooth library and, on Linux, the modules that it would import for a scan."""
        import importlib  # noqa: PLC0415

        importlib.import_module("bleak")  # an extra, loaded on consent only
        if sys.platform.startswith("linux"):
            importlib.import_module("bleak.backends.bluezdbus.scanner")

    def blocks(self) -> Blocks:
        """Yield (arrival time in ticks of the CPU's counter) x 256 + (RSSI in dBm mod 256) of each advertisement."""
        import asyncio  # noqa: PLC0415 - not needed on the token path

        with asyncio.Runner() as runner:
            heard = _listen()
            try:
                while True:
                    yield runner.run(anext(heard))
            finally:
                runner.run(heard.aclose())

    def digitize(self, wide: array[int]) -> bytes:
        """Return (RSSI mod 16) x 16 + (arrival time / counter step) mod 16 of each advertisement."""
        return bytes((value & 0xF) << 4 | whole_steps(value >> 8) & 0xF for value in wide)


async def _listen() -> AsyncGenerator[list[int], None]:
    """Scan, and yield what was received in each slice; raise ``OSError`` without a bus or an adapter that is on."""
    import asyncio  # noqa: PLC0415

    from bleak import BleakScanner  # noqa: PLC0415
    from bleak.exc import BleakBluetoothNotAvailableError, BleakError  # noqa: PLC0415

    heard: list[int] = []

    def advertised(_device: Any, data: Any) -> None:
        if data.rssi in RSSI_RANGE:
            heard.append((read_counter() << 8 | data.rssi & 0xFF) & 0xFFFF_FFFF_FFFF_FFFF)

    arguments: dict[str, Any] = {}
    if sys.platform.startswith("linux"):
        # BlueZ reports repeated advertisements of equal content only on request.
        arguments["bluez"] = {"filters": {"DuplicateData": True}}
    try:
        scanner = BleakScanner(advertised, **arguments)
        await scanner.start()
        try:
            while True:
                began = time.monotonic()
                while not heard and time.monotonic() - began < SLICE_S:
                    await asyncio.sleep(SLICE_S / 10)
                values, heard[:] = heard[:], []
                yield values
                await _check_adapter()
        finally:
            # A failure to end the scan must not hide an earlier error; leaving the bus ends the scan, too.
            with contextlib.suppress(Exception):
                await scanner.stop()
    except BleakBluetoothNotAvailableError as error:
        raise OSError(str(error.args[0])) from None
    except BleakError as error:
        raise OSError(str(error)) from None
    finally:
        await _leave_bus()


async def _check_adapter() -> None:
    """Raise if no adapter is on any more, because BlueZ then reports nothing at all."""
    if sys.platform.startswith("linux"):
        from bleak.backends.bluezdbus.manager import get_global_bluez_manager  # noqa: PLC0415

        manager = await get_global_bluez_manager()
        manager.get_default_adapter()


async def _leave_bus() -> None:
    """Close this event loop's connection to the bus, which the Bluetooth library would keep until its next loop."""
    if sys.platform.startswith("linux"):
        import asyncio  # noqa: PLC0415

        from bleak.backends.bluezdbus import manager  # noqa: PLC0415

        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        kept = manager._global_instances.pop(asyncio.get_running_loop(), None)
        if kept is not None and kept._bus is not None:
            kept._bus.disconnect()


def bus_socket(address: str) -> Path | None:
    """Return the socket of a D-Bus address; None if the address is no path in the file system.

    Examples
    --------
    >>> bus_socket("unix:path=/run/bus,guid=1")
    PosixPath('/run/bus')
    """
    from urllib.parse import unquote  # noqa: PLC0415 - not needed on the token path

    for one in address.split(";"):
        transport, _, keys = one.partition(":")
        path = dict(key.partition("=")[::2] for key in keys.split(",")).get("path")
        if transport == "unix" and path:
            return Path(unquote(path))
    return None
