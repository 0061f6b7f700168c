"""Start the guest, run commands in it, and end it: always, whatever happened.

By hand, in ``tests``: ``python -m guest.machine COMMAND...`` boots, runs each command, prints what it wrote, and ends.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from ctypes.util import find_library
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from guest import initramfs

__all__ = ["KERNEL_VARIABLE", "Guest", "GuestError", "Result", "missing_parts"]

#: Names a folder in which Debian's package linux-image-6.1.*-amd64 was unpacked (``dpkg -x``), if it is not installed.
KERNEL_VARIABLE = "ESOTERIC_DRBG_GUEST_KERNEL"

#: Programs the host needs, with Debian's package; the guest runs those of the second table from the host's root.
_HOST_PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "swtpm": "swtpm",
    "depmod": "kmod",
    "setpriv": "util-linux",
}
_GUEST_PROGRAMS = {
    "/bin/busybox": "busybox-static",
    "/usr/bin/aplay": "alsa-utils",
    "/usr/bin/btvirt": "bluez-test-tools",
    "/usr/bin/dbus-daemon": "dbus",
    "/usr/bin/v4l2-ctl": "v4l-utils",
    "/usr/libexec/bluetooth/bluetoothd": "bluez",
}
_MODULES = (
    *("virtio_pci", "virtio_console", "virtio_rng", "9pnet_virtio", "9p", "vivid", "snd_aloop"),
    # Bluetooth's key agreement wants the kernel's default RNG, bluetoothd the algorithms of AF_ALG.
    *("ctr", "sha512_generic", "drbg", "hci_vhci", "algif_hash", "algif_skcipher", "cmac", "ecb"),
)
_COMMAND_LINE = "console=ttyS0 loglevel=4 panic=-1 mitigations=off random.trust_cpu=on"


class GuestError(RuntimeError):
    """The guest did not start, or gave no answer in time."""


class Result(NamedTuple):
    """What a command in the guest left behind."""

    status: int
    stdout: str
    stderr: str


def _kernel() -> tuple[Path, Path] | None:
    """Return the newest installed or unpacked kernel 6.1 of Debian: its image, and the folder of its modules."""
    root = Path(os.environ.get(KERNEL_VARIABLE, "/"))
    found = [
        (image, modules)
        for image in (root / "boot").glob("vmlinuz-6.1.*-amd64")
        if (modules := root / "lib/modules" / image.name.removeprefix("vmlinuz-")).is_dir()
    ]
    return max(found, key=lambda pair: [int(n) for n in pair[1].name.split("-")[1:2]], default=None)


def missing_parts() -> list[str]:
    """Return Debian's names of the packages that the guest would need and that are not here."""
    missing = {package for program, package in _HOST_PROGRAMS.items() if shutil.which(program, path=_PATH) is None}
    missing |= {package for program, package in _GUEST_PROGRAMS.items() if not Path(program).exists()}
    if find_library("portaudio") is None:
        missing.add("libportaudio2")
    if _kernel() is None:
        missing.add(f"linux-image-amd64 6.1 (or {KERNEL_VARIABLE}, a folder with it unpacked)")
    return sorted(missing)


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Guest:
    """The guest, as a context manager: booted on entering, ended on leaving.

    Parameters
    ----------
    boot_s : float
        Seconds within which it must have booted.

    Raises
    ------
    GuestError
        If it does not boot in time, or ends by itself; the message ends with the last lines of its console.
    """

    def __init__(self, *, boot_s: float = 120.0) -> None:
        self._boot_s = boot_s
        self._processes: list[subprocess.Popen[bytes]] = []
        self._socket: socket.socket | None = None
        self._folder = tempfile.TemporaryDirectory(
            prefix="guest-"  # short: a socket's path has at most 107 bytes
        )
        self.boot_seconds = 0.0

    def __enter__(self) -> Self:
        started = time.monotonic()
        try:
            self.start()
            self.run("true", timeout_s=self._boot_s)
        except BaseException:
            self.close()
            raise
        self.boot_seconds = time.monotonic() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The guest's processes on the host."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Start the processes and connect to the guest's port; entering the context waits until it has booted too."""
        folder = Path(self._folder.name)
        kernel = _kernel()
        if kernel is None or missing_parts():
            raise GuestError(f"missing: {', '.join(missing_parts())}")
        image, modules = kernel
        here = Path(__file__).resolve().parent
        archive = initramfs.build(
            Path("/bin/busybox"),
            here / "init",
            initramfs.load_order(modules, _MODULES),
            {"PYTHON": os.path.realpath(sys.executable), "GUEST": str(here)},
        )
        (folder / "initramfs").write_bytes(archive)
        self._spawn(
            *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--terminate"),
            *("--ctrl", f"type=unixio,path={folder}/tpm", "--flags", "not-need-init,startup-clear"),
        )
        self._await(folder / "tpm")
        self._spawn(
            *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "Nehalem,+rdtscp", "-smp", "1", "-m", "2048"),
            *("-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{folder}/console"),
            *("-kernel", str(image), "-initrd", f"{folder}/initramfs", "-append", _COMMAND_LINE),
            *("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=root,mount_tag=host"),
            *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
            *("-chardev", f"socket,id=tpm,path={folder}/tpm", "-tpmdev", "emulator,id=tpm,chardev=tpm"),
            *("-device", "tpm-tis,tpmdev=tpm"),
            *("-chardev", f"socket,id=port,path={folder}/port,server=on,wait=off"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port"),
        )
        self._await(folder / "port")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(folder / "port"))

    def _spawn(self, program: str, *arguments: str) -> None:
        """Start a process that dies with this one, even if this one is killed."""
        path = shutil.which(program, path=_PATH) or program
        log = (Path(self._folder.name) / f"{Path(program).name}.log").open("wb")
        with log:
            self._processes.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", path, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _await(self, path: Path, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() > end or self._processes[-1].poll() is not None:
                raise GuestError(f"{path.name} did not appear\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        """Return the last lines of every log, the guest's console among them."""
        folder = Path(self._folder.name)
        logs = sorted([*folder.glob("*.log"), *folder.glob("console")])
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs)

    def run(self, command: str, *, timeout_s: float = 60.0) -> Result:
        """Run a shell command in the guest, as root; it is ended after ``timeout_s`` seconds (exit status 124).

        Raises
        ------
        GuestError
            If no answer comes: then the guest is of no use any more.
        """
        if self._socket is None:
            raise GuestError("the guest is not running")
        request = f"{max(1, round(timeout_s))}:{base64.b64encode(command.encode()).decode()}\n"
        # Later than the guest's own limit, which ends the command alone.
        self._socket.settimeout(timeout_s + 30.0)
        answer = bytearray()
        try:
            self._socket.sendall(request.encode())
            while not answer.endswith(b"\n"):
                part = self._socket.recv(65536)
                if not part:
                    raise GuestError(f"the guest ended during {command!r}\n{self.log()}")
                answer += part
        except OSError as error:
            raise GuestError(f"no answer to {command!r}: {error}\n{self.log()}") from error
        status, stdout, stderr = answer.decode().strip().split(":")
        return Result(int(status), *(base64.b64decode(text).decode(errors="replace") for text in (stdout, stderr)))

    def close(self) -> None:
        """End the guest and remove its files. The closed port makes it switch off; whatever is left is killed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for process in reversed(self._processes):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self._folder.cleanup()


def main(commands: Sequence[str]) -> int:
    """Run the commands in a new guest; return the last exit status that is not 0."""
    status = 0
    with Guest() as guest:
        print(f"# booted in {guest.boot_seconds:.1f} s", file=sys.stderr)
        for command in commands:
            started = time.monotonic()
            result = guest.run(command, timeout_s=120)
            print(f"# {command}: {result.status} after {time.monotonic() - started:.1f} s", file=sys.stderr)
            print(result.stdout, end="")
            print(result.stderr, end="", file=sys.stderr)
            status = result.status or status
        if not commands:
            print(guest.log())
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
