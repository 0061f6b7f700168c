"""bluetooth_ble on python-dbusmock's BlueZ on a private bus: what counts as a sample, and adapters that go."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from esoteric_drbg import errors
from esoteric_drbg.health_tests import HealthProfile
from esoteric_drbg.noise_sources.sensors.bluetooth_ble import BluetoothBleSource
from esoteric_drbg.seeding.slot import SourceSlot

pytestmark = [pytest.mark.devices, pytest.mark.timeout(240)]

PATIENCE_S = 20.0
ADDRESS = "11:22:33:44:55:66"
DEVICE = "/org/bluez/hci0/dev_11_22_33_44_55_66"
ADAPTER1, DEVICE1 = "org.bluez.Adapter1", "org.bluez.Device1"
BUS_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""


class Air:
    """What a radio would bring: speaks to the mock from a thread of its own, and advertises until told to stop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._bus: Any = self._run(self._connect())
        self._advertising: Any = None

    async def _connect(self) -> Any:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        return await MessageBus(bus_type=BusType.SYSTEM).connect()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _call(self, path: str, interface: str, member: str, signature: str, *body: object) -> Any:
        from dbus_fast import Message, MessageType

        message = Message("org.bluez", path, interface, member, signature=signature, body=list(body))
        reply = await self._bus.call(message)
        if reply.message_type is MessageType.ERROR:
            raise OSError(f"{member}: {reply.error_name} {reply.body}")
        return reply.body

    async def _update(self, path: str, interface: str, properties: dict[str, Any]) -> None:
        await self._call(path, "org.freedesktop.DBus.Mock", "UpdateProperties", "sa{sv}", interface, properties)

    def call(self, member: str, signature: str, *body: object) -> Any:
        return self._run(self._call("/", "org.bluez.Mock", member, signature, *body))

    def device(self) -> None:
        """Bring a device near; the template's empty arrays become the dictionaries that BlueZ has."""
        self.call("AddDevice", "sss", "hci0", ADDRESS, "a neighbour")
        self.properties(rssi=None)

    def properties(self, *, rssi: int | None) -> None:
        from dbus_fast import Variant

        changed = {"ManufacturerData": Variant("a{qv}", {}), "ServiceData": Variant("a{sv}", {})}
        if rssi is not None:
            changed["RSSI"] = Variant("n", rssi)
        self._run(self._update(DEVICE, DEVICE1, changed))

    def power(self, on: bool) -> None:
        from dbus_fast import Variant

        self._run(self._update("/org/bluez/hci0", ADAPTER1, {"Powered": Variant("b", on)}))

    def discovering(self) -> bool:
        body = self._run(
            self._call("/org/bluez/hci0", "org.freedesktop.DBus.Properties", "Get", "ss", ADAPTER1, "Discovering")
        )
        return bool(body[0].value)

    def advertise(self, *strengths: int) -> None:
        """Repeat these strengths, some 300 a second."""
        from dbus_fast import Variant

        async def repeat() -> None:
            number = 0
            while True:
                changed = {
                    "RSSI": Variant("n", strengths[number % len(strengths)]),
                    "ManufacturerData": Variant("a{qv}", {1: Variant("ay", bytes([number & 0xFF]))}),
                }
                await self._update(DEVICE, DEVICE1, changed)
                number += 1
                await asyncio.sleep(0.003)

        self._advertising = asyncio.run_coroutine_threadsafe(repeat(), self._loop)

    def close(self) -> None:
        if self._advertising is not None:
            self._advertising.cancel()
        self._loop.call_soon_threadsafe(self._bus.disconnect)
        time.sleep(0.05)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Run a private system bus with the mocked BlueZ on it; yield the bus's process."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("there is no dbus-daemon (Debian: dbus)")
    pytest.importorskip("bleak", reason="the extra ble is not installed")
    pytest.importorskip("dbusmock", reason="python-dbusmock is not installed", exc_type=ImportError)
    logging.getLogger("bleak").setLevel(logging.CRITICAL)
    socket = tmp_path / "bus"
    (tmp_path / "bus.conf").write_text(BUS_CONFIGURATION.format(socket=socket))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={socket}")
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={tmp_path}/bus.conf", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL
    )
    mock: subprocess.Popen[bytes] | None = None
    try:
        _until(socket.exists, "the private bus did not start")
        mock = subprocess.Popen(
            [sys.executable, "-m", "dbusmock", "--system", "--template", "bluez5"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield daemon
    finally:
        for process in (mock, daemon):
            if process is not None:
                process.kill()
                process.wait(PATIENCE_S)


@pytest.fixture
def air(bus: subprocess.Popen[bytes]) -> Iterator[Air]:
    air = Air()
    try:
        _until(lambda: _adapter_added(air), "the mock of BlueZ did not start")
        air.device()
        yield air
    finally:
        air.close()


def _adapter_added(air: Air) -> bool:
    try:
        air.call("AddAdapter", "ss", "hci0", "a computer")
    except OSError:
        return False
    return True


def _until(condition: Any, failure: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, failure
        time.sleep(0.05)


def strengths(wide: Any) -> list[int]:
    return [(value & 0xFF) - 256 if value & 0x80 else value & 0xFF for value in wide]


def test_strengths_and_times_of_advertisements(air: Air) -> None:
    air.advertise(-40, -77, -95, -60, -52)
    source = BluetoothBleSource(opt_in=True)
    assert source.availability() == (True, "")
    wide = source.read_wide(60)
    heard = strengths(wide)
    # each advertisement changes one property or two: runs of a strength, in the order they were sent
    assert set(heard) == {-40, -77, -95, -60, -52}
    distinct = [rssi for rssi, before in zip(heard, [0, *heard], strict=False) if rssi != before]
    order = [-40, -77, -95, -60, -52]
    start = order.index(distinct[0])
    assert distinct == [order[(start + number) % 5] for number in range(len(distinct))]
    times = [value >> 8 for value in wide]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    digitized = source.digitize(wide)
    assert [symbol >> 4 for symbol in digitized] == [rssi & 0xF for rssi in heard]
    _until(lambda: not air.discovering(), "the adapter went on scanning")


def test_a_strength_that_is_not_available_is_no_sample(air: Air) -> None:
    air.advertise(127, -50, 127)
    assert set(strengths(BluetoothBleSource(opt_in=True).read_wide(20))) == {-50}


def test_too_few_advertisers_end_at_the_deadline(air: Air) -> None:
    source = BluetoothBleSource(opt_in=True)
    slot = SourceSlot(source, source.claim, health_profile=HealthProfile(), deadline_s=1.0)
    began = time.monotonic()
    assert not slot.start()
    assert "of 1024 samples" in slot.fault
    assert time.monotonic() - began < PATIENCE_S


def test_an_adapter_that_is_removed_in_mid_read_is_an_error(air: Air) -> None:
    air.advertise(*random.Random(1).choices(range(-90, -40), k=99))
    timer = threading.Timer(1.0, air.call, ["RemoveAdapter", "s", "hci0"])
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.SourceReadError, match="bluetooth_ble: No Bluetooth adapters found"):
        BluetoothBleSource(opt_in=True).read_raw(1_000_000)
    assert time.monotonic() - began < PATIENCE_S
    timer.join()
    with pytest.raises(errors.SourceReadError, match="No Bluetooth adapters found"):
        BluetoothBleSource(opt_in=True).read_raw(1)


def test_an_adapter_that_is_switched_off_is_an_error(air: Air) -> None:
    timer = threading.Timer(1.0, air.power, [False])
    timer.start()
    source = BluetoothBleSource(opt_in=True)
    with pytest.raises(errors.SourceReadError, match="No powered Bluetooth adapters found"):
        source.read_raw(1_000_000)
    timer.join()
    air.power(True)
    air.advertise(-50, -51)
    assert len(source.read_raw(5)) == 5


def test_a_bus_that_dies_in_mid_read_is_an_error(air: Air, bus: subprocess.Popen[bytes]) -> None:
    air.advertise(-50, -51)
    source = BluetoothBleSource(opt_in=True)
    timer = threading.Timer(1.0, bus.kill)
    timer.start()
    began = time.monotonic()
    with pytest.raises(errors.SourceReadError, match="bluetooth_ble: "):
        source.read_raw(1_000_000)
    assert time.monotonic() - began < PATIENCE_S
    timer.join()


def test_reading_inside_a_running_event_loop(air: Air) -> None:
    air.advertise(-50, -51)

    async def read() -> bytes:
        return BluetoothBleSource(opt_in=True).read_raw(5)

    assert len(asyncio.run(read())) == 5


def test_repeated_reads_leak_nothing(air: Air) -> None:
    air.advertise(*random.Random(2).choices(range(-90, -40), k=99))
    source = BluetoothBleSource(opt_in=True)
    for _ in range(3):
        source.collect(2)
    handles, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(100):
        source.collect(2)
    assert len(os.listdir("/proc/self/fd")) <= handles
    assert threading.active_count() <= threads
