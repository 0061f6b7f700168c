"""Unplug each device while its source reads it, and print as JSON how each read ended (runs inside the guest).

Usage: ``unplug.py SOURCE...``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from esoteric_drbg.errors import SourceError
from esoteric_drbg.noise_sources import NoiseSource, registry

#: Source -> the driver that lets go of its device.
_DRIVERS = {
    "audio_thermal": "platform/drivers/snd_aloop",
    "camera_shot_noise": "platform/drivers/vivid",
    "hwrng": "virtio/drivers/virtio_rng",
    "tpm2": "platform/drivers/tpm_tis",
}


def unplug(name: str) -> None:
    """Take the device of a source away, for good."""
    if name == "bluetooth_ble":
        for process in Path("/proc").glob("[0-9]*/comm"):
            if process.read_text() == "btvirt\n":
                os.kill(int(process.parent.name), signal.SIGKILL)
        return
    driver = Path("/sys/bus", _DRIVERS[name])
    for device in driver.iterdir():
        if device.is_symlink() and device.name != "module":
            # By a process of its own: the kernel disconnects at once, but lets the writer wait until every handle is
            # closed, and PortAudio never closes that of a sound card that has gone.
            subprocess.Popen(["/bin/sh", "-c", f"echo {device.name} > {driver}/unbind"])


def outcome(source: NoiseSource) -> str:
    """Read some symbols, then without an end; return how that ended once the device was unplugged."""
    source.read_exactly(20)
    ended: list[str] = []

    def read() -> None:
        try:
            source.read_exactly(100_000_000)
        except SourceError as error:
            ended.append(f"{type(error).__name__}: {error}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    time.sleep(1.0)
    if not reader.is_alive():
        return f"ended before the device was unplugged: {ended}"
    unplug(source.name)
    reader.join(30.0)
    return ended[0] if ended else "hangs"


if __name__ == "__main__":
    print(json.dumps({name: outcome(registry.create(name)) for name in sys.argv[1:]}), flush=True)
    os._exit(0)  # whatever a driver still holds
