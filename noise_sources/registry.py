"""The installed noise sources: ours, and those of other packages.

Another package adds a source by an entry point in the group ``esoteric_drbg.noise_sources`` that names a
:class:`~esoteric_drbg.noise_sources.NoiseSource` subclass. A plug-in that cannot be loaded is listed as unavailable
with the reason; it never stops the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from esoteric_drbg.errors import InvalidInputError, SourceUnavailableError
from esoteric_drbg.noise_sources.deadline import within
from esoteric_drbg.noise_sources.guard import ask, guarded, unguarded
from esoteric_drbg.noise_sources.info import SourceInfo
from esoteric_drbg.noise_sources.intake import Fault, class_name, is_ours, one_line
from esoteric_drbg.noise_sources.source import Availability, NoiseSource

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "ENTRY_POINT_GROUP",
    "SEEDING",
    "available",
    "create",
    "guarded_all",
    "in_reserve",
    "installed",
    "load_seeding",
    "names",
    "seeding",
]

ENTRY_POINT_GROUP = "esoteric_drbg.noise_sources"
#: Seconds that loading one plug-in may take.
LOAD_DEADLINE_S = 30.0

#: Our own sources: name -> room and class. The module has the source's name and is imported at its first use.
BUILT_IN = {
    "audio_thermal": "sensors:AudioThermalSource",
    "bluetooth_ble": "sensors:BluetoothBleSource",
    "camera_shot_noise": "sensors:CameraShotNoiseSource",
    "clock_jitter": "timing:ClockJitterSource",
    "counter_beat": "timing:CounterBeatSource",
    "cpu_jitter": "timing:CpuJitterSource",
    "disk_io": "timing:DiskIoSource",
    "dns_timing": "network:DnsTimingSource",
    "dram_refresh": "timing:DramRefreshSource",
    "gpu_timing": "sensors:GpuTimingSource",
    "hwrng": "conditioned:HwrngSource",
    "interrupts": "counters:InterruptsSource",
    "mach_timing": "timing:MachTimingSource",
    "memory_timing": "timing:MemoryTimingSource",
    "page_fault_timing": "timing:PageFaultTimingSource",
    "process_table": "counters:ProcessTableSource",
    "rdseed": "conditioned:RdseedSource",
    "sleep_jitter": "timing:SleepJitterSource",
    "sysctl_counters": "counters:SysctlSource",
    "tcp_connect": "network:TcpConnectSource",
    "thread_lifecycle": "timing:ThreadLifecycleSource",
    "tpm2": "conditioned:Tpm2Source",
    "vmstat": "counters:VmstatSource",
}


#: The sources of ours that seeds are made of. A process that wants tokens loads no other source, however many exist,
#: unless these fall short.
SEEDING = (
    "clock_jitter",
    "cpu_jitter",
    "disk_io",
    "memory_timing",
    "process_table",
    "rdseed",
    "sleep_jitter",
)


class BrokenPlugin(NoiseSource):
    """Stand-in for a plug-in that could not be loaded, so that it is listed with the reason."""

    def __init__(self, name: str, reason: str) -> None:
        self.info = SourceInfo(
            name=name if name.strip() else "a plug-in without a name",
            description="A plug-in that cannot be loaded",
            category="system",
            physics="unknown",
            physical=False,
            independence_group="broken plug-ins",
            estimated_rate=1.0,
            bounded=True,
        )
        self._reason = reason

    def availability(self) -> Availability:
        """Return why the plug-in could not be loaded."""
        return Availability(False, self._reason)

    def read_raw(self, n_samples: int, *, deadline_s: float | None = None) -> bytes:
        """Raise: there is nothing to read."""
        raise SourceUnavailableError(f"{self.name}: {self._reason}")


def _built_in(name: str) -> NoiseSource:
    source: NoiseSource = _class_of(name)()
    return source


def _class_of(name: str) -> type[NoiseSource]:
    room, _, class_name_ = BUILT_IN[name].partition(":")
    module = importlib.import_module(f"esoteric_drbg.noise_sources.{room}.{name}")
    found: type[NoiseSource] = getattr(module, class_name_)
    return found


def _made(entry: EntryPoint) -> NoiseSource | Fault:
    """Return a new source of an entry point, or the full reason why there is none: no sample was read yet."""
    try:
        source: NoiseSource = entry.load()()
    except BaseException as error:
        try:
            words = one_line(str(error))
        except BaseException:
            words = ""
        return Fault(f"raised {class_name(error)}: {words}")
    return source


def _load(entry: EntryPoint) -> NoiseSource:
    """Return the source that an entry point names, or a stand-in with the reason why it cannot be used."""
    label = f"plug-in {one_line(entry.value)}"
    source: Any = within(lambda: _made(entry), LOAD_DEADLINE_S, name=f"load {entry.name}")
    if type(source) is Fault:  # isinstance would ask the source for its __class__
        return BrokenPlugin(entry.name, f"{label} {source.words}")
    if is_ours(source):  # it would be credited by our claim, or by one that replaced ours
        return BrokenPlugin(entry.name, f"{label} is of a class of esoteric_drbg: a plug-in brings its own")
    try:
        guard = guarded(source)
    except InvalidInputError as error:
        return BrokenPlugin(entry.name, f"{label}: {error}")
    if guard.name != entry.name:
        return BrokenPlugin(entry.name, f"{label} calls itself {guard.name!r}")
    answer = ask(guard)
    if isinstance(answer, Fault):
        return BrokenPlugin(entry.name, f"{label}: {answer.words}")
    found: NoiseSource = source
    return found


def guarded_all(sources: Iterable[NoiseSource]) -> list[NoiseSource]:
    """Return sources behind guards; a source that cannot be guarded is listed as unavailable with the reason."""
    found: list[NoiseSource] = []
    for source in sources:
        try:
            found.append(guarded(source))
        except InvalidInputError as error:
            found.append(BrokenPlugin(f"{class_name(source)} {len(found)}", str(error)))
    return found


def _plugins() -> dict[str, NoiseSource]:
    """Load the sources of other packages, the first of each name; reading their metadata takes some 20 ms."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - off the token path

    found: dict[str, NoiseSource] = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)):
        if entry.name in BUILT_IN or entry.name in found:
            owner = "a source of esoteric_drbg" if entry.name in BUILT_IN else "another plug-in"
            label = f"{entry.name} ({entry.value})"
            found[label] = BrokenPlugin(label, f"the name {entry.name!r} belongs to {owner}")
        else:
            found[entry.name] = _load(entry)
    return found


def installed(*, plugins: bool = True) -> list[NoiseSource]:
    """Return a new instance of every installed source, by name, whether it is available here or not.

    Parameters
    ----------
    plugins : bool
        Whether to look for sources of other packages.
    """
    sources = {name: _built_in(name) for name in BUILT_IN}
    if plugins:
        sources.update(_plugins())
    return [sources[name] for name in sorted(sources)]


def load_seeding() -> None:
    """Load the modules of :data:`SEEDING`, so that no seed that a fork interrupts is importing them."""
    for name in SEEDING:
        _class_of(name)


def seeding() -> list[NoiseSource]:
    """Return a new instance of every source in :data:`SEEDING`."""
    return [_built_in(name) for name in SEEDING]


def in_reserve() -> list[NoiseSource]:
    """Return a new instance of every other source of ours."""
    return [_built_in(name) for name in sorted(BUILT_IN) if name not in SEEDING]


def names(*, plugins: bool = True) -> list[str]:
    """Return the names of all installed sources, sorted.

    Examples
    --------
    >>> "memory_timing" in names()
    True
    """
    return sorted({*BUILT_IN, *(_plugins() if plugins else ())})


def create(name: str) -> NoiseSource:
    """Return a new instance of one source; plug-ins are searched only if no source of ours has the name.

    Raises
    ------
    InvalidInputError
        If no source of that name is installed; the message lists the installed ones.
    """
    if name in BUILT_IN:
        return _built_in(name)
    plugins = _plugins()
    if name not in plugins:
        raise InvalidInputError(
            f"no noise source named {name!r}; installed: {', '.join(sorted({*BUILT_IN, *plugins}))}"
        )
    return plugins[name]


def available() -> list[NoiseSource]:
    """Return a new instance of every source that can be read on this machine.

    Examples
    --------
    >>> from esoteric_drbg import noise_sources
    >>> all(source.is_available() for source in noise_sources.available())
    True
    """
    return [unguarded(source) for source in guarded_all(installed()) if source.availability().available]
