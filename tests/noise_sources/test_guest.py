"""Our own ``scan`` and ``probe`` in a QEMU guest, on real kernel interfaces: camera, sound, TPM, hwrng and Bluetooth.

What these devices deliver is synthetic: the kernel's test pattern, pseudo-random sound, an emulated TPM, the host's
RNG, an emulated radio. The tests prove that the sources *read* what the kernel's interfaces hand out. Their figures say
nothing about entropy and are never evidence for a claim.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from guest.machine import Guest, Result, missing_parts
from places import TESTS

# The limits are for a busy machine: on an idle one the whole takes some two minutes.
pytestmark = [pytest.mark.guest, pytest.mark.timeout(600)]

SENSORS = ("audio_thermal", "bluetooth_ble", "camera_shot_noise")
SOURCES = ("hwrng", "tpm2", *SENSORS)
COMMAND = f"{sys.executable} -m esoteric_drbg"
LIBRARIES = {"audio": "sounddevice", "ble": "bleak", "camera": "av"}  # extra: module


def require_parts() -> None:
    if sys.platform != "linux":
        pytest.skip("the guest needs a Linux host")
    if missing := missing_parts():
        pytest.skip(f"the guest needs Debian's {', '.join(missing)}")
    if extras := [extra for extra, module in LIBRARIES.items() if find_spec(module) is None]:
        pytest.skip(f"the sources in the guest need esoteric-drbg[{','.join(extras)}]")


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    require_parts()
    with Guest() as machine:
        yield machine


def ran(result: Result) -> str:
    assert result.status == 0, f"exit status {result.status}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("v4l2-ctl --device /dev/video0 --get-ctrl test_pattern", "test_pattern: 21 (Noise)\n"),
        # A loop card through which nothing plays records zeros.
        ("arecord -q -t raw -f S16_LE -r 48000 -c 2 -s 4800 | tr -d '\\0' | head -c 9600 | wc -c", "9600\n"),
        ("test -c /dev/tpmrm0 && cat /sys/class/tpm/tpm0/tpm_version_major", "2\n"),
        ("test -c /dev/hwrng && cat /sys/class/misc/hw_random/rng_current", "virtio_rng.0\n"),
        ("bluetoothctl list | wc -l", "2\n"),
        ("touch /usr/esoteric-drbg 2>&1 | grep -o 'Read-only file system'", "Read-only file system\n"),
    ],
    ids=["camera", "sound", "tpm", "hwrng", "bluetooth", "read-only"],
)
def test_the_guest_has_its_devices(guest: Guest, command: str, expected: str) -> None:
    assert ran(guest.run(command)) == expected


def test_scan_shows_the_devices_sources_as_available(guest: Guest) -> None:
    command = f"ESOTERIC_DRBG_SENSORS={','.join(SENSORS)} {COMMAND} scan --json"
    rows = {row["name"]: row for row in json.loads(ran(guest.run(command, timeout_s=240)))["sources"]}
    assert {name: rows[name]["reason"] for name in SOURCES} == dict.fromkeys(SOURCES, "")
    assert all(rows[name]["available"] for name in SOURCES)


def test_no_sensor_is_read_that_nobody_named(guest: Guest) -> None:
    program = (
        "import json; from esoteric_drbg.noise_sources import registry; "
        f"print(json.dumps([registry.create(name).availability() for name in {SENSORS}]))"
    )
    for available, reason in json.loads(ran(guest.run(f'{sys.executable} -c "{program}"'))):
        assert not available
        assert "opt-in" in reason


@pytest.mark.parametrize("name", SOURCES)
def test_probe_reads_symbols(guest: Guest, name: str) -> None:
    figures = json.loads(ran(guest.run(f"{COMMAND} probe {name} --samples 1000 --json", timeout_s=240)))
    assert figures["name"] == name
    assert figures["samples"] == 1000
    assert figures["shannon"] > 0
    # Nobody recorded and assessed this device: whatever it delivers, nothing is credited.
    assert figures["credit"] == 0


def test_an_unplugged_device_is_an_error_and_no_hang(guest: Guest) -> None:
    # The TPM goes first: the kernel would let it stand in for the unplugged hardware RNG.
    program = TESTS / "guest" / "unplug.py"
    names = ["tpm2", "hwrng", *SENSORS]
    command = f"ESOTERIC_DRBG_SENSORS={','.join(SENSORS)} {sys.executable} {program} {' '.join(names)}"
    outcomes = json.loads(ran(guest.run(command, timeout_s=240)))
    assert list(outcomes) == names
    for name, outcome in outcomes.items():
        assert outcome.startswith((f"SourceReadError: {name}: ", f"SourceUnavailableError: {name}: ")), outcomes


def test_a_command_that_takes_too_long_is_ended(guest: Guest) -> None:
    assert guest.run("sleep 60", timeout_s=1).status == 124
    assert guest.run("echo still here").stdout == "still here\n"


def test_a_killed_driver_leaves_no_process_behind(tmp_path: Path) -> None:
    require_parts()
    program = (
        "import time; from guest.machine import Guest; guest = Guest(); guest.start(); "
        "print(*guest.pids, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(tmp_path)}
    driver = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        pids = [int(pid) for pid in driver.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        driver.send_signal(signal.SIGKILL)
    finally:
        driver.kill()
        driver.communicate()
    end = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "the guest outlived its driver"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Return whether the process runs; one that ended and waits to be collected by init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
