"""The facts of this machine on which a claim's evidence depends; read in a few 100 us, and kept by the process."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from esoteric_drbg.frozen import Frozen
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import counter_facts

__all__ = ["MachineFacts", "MachineIdentity", "machine_facts", "machine_identity"]

_CPU = "/sys/devices/system/cpu/cpu0/cache"
_CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#: Names of other systems for an architecture.
_SYNONYMS = {"amd64": "x86_64", "arm64": "aarch64"}


class MachineFacts(Frozen):
    """The facts of a machine that evidence is compared with.

    Attributes
    ----------
    system, architecture : str
        Operating system as :data:`sys.platform` names it, and instruction set: ``"linux"``, ``"x86_64"``.
    kernels : str
        ``"rust"`` or ``"reference"``: they time different work.
    counter : str
        The counter that is read: ``"tsc"``, ``"cntvct"``, ``"monotonic"``, ``"perf_counter"``.
    counter_step_ns, counter_read_ns : float
        The counter's step, and the duration of one read, in ns.
    l2_kib : int
        Second-level cache of the first CPU in KiB; 0 if unknown.
    """

    system: str
    architecture: str
    kernels: str
    counter: str
    counter_step_ns: float
    counter_read_ns: float
    l2_kib: int

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name."""
        return self._values()


class MachineIdentity(Frozen):
    """What a stored self-assessment depends on besides :class:`MachineFacts`: if it changes, a new one is needed.

    Attributes
    ----------
    cpu : str
        Model, family and stepping of the CPU.
    kernel : str
        Release of the operating system's kernel.
    hypervisor : str
        The hypervisor's name, ``"unknown"`` if only the CPU's flag shows that there is one, or empty.
    clock_source : str
        The kernel's clock source.
    """

    cpu: str
    kernel: str
    hypervisor: str
    clock_source: str

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name."""
        return self._values()


@functools.cache
def machine_facts() -> MachineFacts:
    """Return the facts of this machine, determined at the first call."""
    counter = counter_facts()
    return MachineFacts(
        system=sys.platform,
        architecture=_architecture(),
        kernels=kernel_info().name,
        counter=counter.kind,
        counter_step_ns=counter.step_ns,
        counter_read_ns=counter.read_ns,
        l2_kib=_l2_kib(),
    )


@functools.cache
def machine_identity() -> MachineIdentity:
    """Return the identity of this machine, needed where a self-assessment is stored or made."""
    facts = _first_cpu()
    if facts:
        names = ("vendor_id", "model name", "cpu family", "model", "stepping", "CPU implementer", "CPU part")
        cpu = ", ".join(f"{name} {facts[name]}" for name in names if name in facts)
    else:
        cpu = os.environ.get("PROCESSOR_IDENTIFIER", "") or _sysctl(b"machdep.cpu.brand_string") or _architecture()
    hypervisor = _text("/sys/hypervisor/type") or _text("/sys/class/dmi/id/sys_vendor")
    if not hypervisor and "hypervisor" in facts.get("flags", "").split():
        hypervisor = "unknown"
    kernel = os.uname().release if hasattr(os, "uname") else str(sys.getwindowsversion()[:3])  # type: ignore[attr-defined,unused-ignore]
    return MachineIdentity(cpu=cpu, kernel=kernel, hypervisor=hypervisor, clock_source=_text(_CLOCK))


def _architecture() -> str:
    name = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
    name = name.lower()
    if sys.maxsize < 1 << 32:  # a 32-bit interpreter on a 64-bit kernel
        name += " (32 bits)"
    return _SYNONYMS.get(name, name)


def _l2_kib() -> int:
    """Return the size of the first CPU's second-level cache in KiB, or 0."""
    if sys.platform == "darwin":
        return _sysctl_int(b"hw.perflevel0.l2cachesize") // 1024 or _sysctl_int(b"hw.l2cachesize") // 1024
    for index in (2, 1, 3, 0, 4):  # on most machines 0 and 1 are first-level caches and 2 is the second level
        if _text(f"{_CPU}/index{index}/level") == "2":
            size = _text(f"{_CPU}/index{index}/size")
            if size[:-1].isdigit() and size[-1:] in {"K", "M"}:
                return int(size[:-1]) * (1024 if size[-1] == "M" else 1)
    return 0


def _first_cpu() -> dict[str, str]:
    """Return the kernel's entry of its first CPU; no more is read, because the kernel writes the file as it is read."""
    facts: dict[str, str] = {}
    for line in _text("/proc/cpuinfo", 4096).splitlines():
        if not line.strip() and facts:
            break
        key, colon, value = line.partition(":")
        if colon:
            facts.setdefault(key.strip(), value.strip())
    return facts


def _text(path: str, at_most: int = 256) -> str:
    """Return the beginning of a small file of the kernel, stripped of blanks; empty if it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return ""
    try:
        return os.read(handle, at_most).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(handle)


def _sysctl(name: bytes) -> str:
    """Return a value of macOS's sysctl as text; empty on other systems or if it is unknown."""
    return _sysctl_bytes(name).rstrip(b"\0").decode("utf-8", "replace")


def _sysctl_int(name: bytes) -> int:
    return int.from_bytes(_sysctl_bytes(name), sys.byteorder)


def _sysctl_bytes(name: bytes) -> bytes:
    if sys.platform == "darwin":
        import ctypes  # noqa: PLC0415 - macOS only

        from esoteric_drbg.noise_sources.libsystem import libsystem, libsystem_fault  # noqa: PLC0415 - macOS only

        if libsystem_fault("sysctlbyname"):
            return b""
        value, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
        if libsystem().sysctlbyname(name, value, ctypes.byref(size), None, 0) == 0:
            return value.raw[: size.value]
    return b""
