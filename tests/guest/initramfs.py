"""The guest's first file system: busybox, one script, and the kernel modules of its devices, as a cpio archive."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["build", "load_order"]

_TRAILER = "TRAILER!!!"


def load_order(modules: Path, wanted: Iterable[str]) -> list[Path]:
    """Return the files of the wanted modules and of all they need, each after what it needs.

    Parameters
    ----------
    modules : Path
        ``.../lib/modules/VERSION`` of the kernel, whether ``depmod`` ran there or not.
    wanted : iterable of str
        Names of modules.

    Raises
    ------
    FileNotFoundError
        If the kernel has no such module.
    """
    root, version = modules.parents[2], modules.name
    listing = subprocess.run(
        ["depmod", "--dry-run", "--basedir", str(root), version], check=True, capture_output=True, text=True
    )
    needs: dict[str, list[str]] = {}
    for line in listing.stdout.splitlines():
        path, colon, rest = line.partition(":")
        if colon and path.endswith(".ko"):
            needs[path] = rest.split()
    by_name = {Path(path).stem.replace("-", "_"): path for path in needs}
    order: dict[str, None] = {}
    for name in wanted:
        if (found := by_name.get(name.replace("-", "_"))) is None:
            raise FileNotFoundError(f"{modules} has no module {name}")
        # modules.dep lists the needs of needs too: the last one comes first.
        order.update(dict.fromkeys([*reversed(needs[found]), found]))
    return [modules / path for path in order]


def build(busybox: Path, init: Path, modules: Iterable[Path], settings: dict[str, str]) -> bytes:
    """Return an initramfs in cpio's ``newc`` format; ``/modules/order`` names the modules in their order.

    ``/settings`` holds the settings as assignments of a shell.
    """
    modules = list(modules)
    archive = bytearray()
    for number, (name, mode, content) in enumerate(_entries(busybox, init, modules, settings), start=1):
        archive += _record(number, name, mode, content)
    return bytes(archive + _record(0, _TRAILER, 0, b""))


def _entries(
    busybox: Path, init: Path, modules: list[Path], settings: dict[str, str]
) -> Iterator[tuple[str, int, bytes]]:
    for folder in ("bin", "dev", "host", "modules", "proc", "run", "sys"):
        yield folder, 0o040755, b""
    yield "bin/busybox", 0o100755, busybox.read_bytes()
    yield "init", 0o100755, init.read_bytes()
    yield "settings", 0o100644, "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items()).encode()
    yield "modules/order", 0o100644, "".join(f"{path.stem}\n" for path in modules).encode()
    for path in modules:
        yield f"modules/{path.name}", 0o100644, path.read_bytes()


def _record(inode: int, name: str, mode: int, content: bytes) -> bytes:
    """Return one member: a header of 13 fields of eight hexadecimal digits, its name and its content, each padded."""
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
