"""macOS's calls, on stand-ins with the C signatures of the real ones. Nothing here has run on a Mac."""

from __future__ import annotations

import ctypes
import itertools
import re
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from esoteric_drbg import errors
from esoteric_drbg.noise_sources import libsystem
from esoteric_drbg.noise_sources.counters import darwin, vmstat
from esoteric_drbg.noise_sources.counters.counter_files import weight
from esoteric_drbg.noise_sources.counters.sysctl_counters import SysctlSource
from esoteric_drbg.noise_sources.timing.mach_timing import CALLS, MachTimingSource

#: What ``sysctl -a`` prints, here with OID, kind (1 node, 2 int, 3 string, 4 quad, 5 opaque) and size in front.
SYSCTL = """
1.1 3 7 kern.ostype: Darwin
1.29 2 4 kern.num_files: 8231
1.66 2 4 kern.num_vnodes: 122004
2.101 2 4 vm.page_free_count: 10234
2.102 4 8 vm.pages_grabbed: 4294967999
2.5 5 16 vm.loadavg: { 1.81 1.93 2.02 }
4.2.0.9 2 4 net.inet.tcp.pcbcount: 61
4.2.0.11 4 8 net.inet.mptcp.dss_csum: 3
6.3 2 4 hw.ncpu: 8
6.99 2 2 hw.narrow: 7
6.100 2 4 hw.denied: 1
"""

#: What ``vm_stat`` prints.
VM_STAT = """
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10234.
Pages active:                            401122.
Pages inactive:                          398002.
Pages speculative:                         2101.
Pages throttled:                              0.
Pages wired down:                        130911.
Pages purgeable:                           6023.
"Translation faults":                 912345678.
Pages copy-on-write:                   34567890.
Pages zero filled:                    512345678.
Pages reactivated:                      2345678.
Pages purged:                            345678.
File-backed pages:                       210345.
Anonymous pages:                         590880.
Pages stored in compressor:              401234.
Pages occupied by compressor:            120345.
Decompressions:                         3456789.
Compressions:                           5678901.
Pageins:                                7890123.
Pageouts:                                 12345.
Swapins:                                   1234.
Swapouts:                                  2345.
"""

#: Field of the structure for each line of ``vm_stat``; its "Pages free" leaves the speculative pages out.
VM_STAT_FIELDS = {
    "Pages free": "free_count",
    "Pages active": "active_count",
    "Pages inactive": "inactive_count",
    "Pages speculative": "speculative_count",
    "Pages throttled": "throttled_count",
    "Pages wired down": "wire_count",
    "Pages purgeable": "purgeable_count",
    "Translation faults": "faults",
    "Pages copy-on-write": "cow_faults",
    "Pages zero filled": "zero_fill_count",
    "Pages reactivated": "reactivations",
    "Pages purged": "purges",
    "File-backed pages": "external_page_count",
    "Anonymous pages": "internal_page_count",
    "Pages stored in compressor": "total_uncompressed_pages_in_compressor",
    "Pages occupied by compressor": "compressor_page_count",
    "Decompressions": "decompressions",
    "Compressions": "compressions",
    "Pageins": "pageins",
    "Pageouts": "pageouts",
    "Swapins": "swapins",
    "Swapouts": "swapouts",
}

Oid = tuple[int, ...]


class Library(SimpleNamespace):
    """Functions by name; told apart by identity, as a loaded library is."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class Mac:
    """A stand-in for libSystem: C function pointers over a recorded sysctl tree, host statistics and a clock."""

    def __init__(self) -> None:
        self.tree: dict[Oid, tuple[int, int, str]] = {}
        self.values: dict[str, int] = {}
        for line in SYSCTL.strip().splitlines():
            oid, kind, size, name, value = re.split(r" |: ", line, maxsplit=4)
            self.tree[tuple(map(int, oid.split(".")))] = int(kind), int(size), name
            self.values[name] = int(value) if value.isdigit() else 0
        self.sizes = {name: size for _, size, name in self.tree.values()}
        self.denied = {"hw.denied"}
        self.endless = False
        self.calls: list[str] = []
        self.vm = dict.fromkeys(VM_STAT_FIELDS.values(), 0)
        self.code, self.words = 0, 38
        self.ticks: Iterator[int] = itertools.count(1000, 125)
        sysctl = ctypes.CFUNCTYPE(
            ctypes.c_int,
            ctypes.POINTER(ctypes.c_int),
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.POINTER(ctypes.c_size_t),
            ctypes.c_void_p,
            ctypes.c_size_t,
        )
        by_name = ctypes.CFUNCTYPE(
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_void_p,
            ctypes.POINTER(ctypes.c_size_t),
            ctypes.c_void_p,
            ctypes.c_size_t,
        )
        statistics = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32)
        )
        self.library = libsystem.declare(
            Library(
                sysctl=sysctl(self._sysctl),
                sysctlbyname=by_name(self._sysctlbyname),
                host_statistics64=statistics(self._host_statistics64),
                mach_host_self=ctypes.CFUNCTYPE(ctypes.c_uint32)(self._mach_host_self),
                mach_absolute_time=ctypes.CFUNCTYPE(ctypes.c_uint64)(lambda: next(self.ticks)),
            )
        )

    def _answer(self, answer: bytes, buffer: int, size: Any) -> int:
        if len(answer) > size[0]:
            return -1
        ctypes.memmove(buffer, answer, len(answer))
        size[0] = len(answer)
        return 0

    def _sysctl(self, name: Any, length: int, buffer: int, size: Any, new: int | None, new_size: int) -> int:
        assert new is None
        assert new_size == 0
        query, oid = tuple(name[:2]), tuple(name[2:length])
        if query == (0, 2):
            following = next((other for other in sorted(self.tree) if other > oid), oid if self.endless else None)
            return (
                -1 if following is None else self._answer(struct.pack(f"{len(following)}i", *following), buffer, size)
            )
        kind, _, text = self.tree[oid]
        if query == (0, 4):
            return self._answer(struct.pack("I", 0xC0000000 | kind) + b"I\0", buffer, size)
        assert query == (0, 1)
        return self._answer(text.encode() + b"\0", buffer, size)

    def _sysctlbyname(self, name: bytes, buffer: int, size: Any, new: int | None, new_size: int) -> int:
        assert new is None
        text = name.decode()
        if text in self.denied:
            return -1
        width = self.sizes[text]
        return self._answer((self.values[text] & (1 << 8 * width) - 1).to_bytes(width, "little"), buffer, size)

    def _mach_host_self(self) -> int:
        self.calls.append("mach_host_self")
        return 0x403

    def _host_statistics64(self, host: int, flavour: int, buffer: int, count: Any) -> int:
        assert (host, flavour) == (0x403, 4)
        if self.code:
            return self.code
        values = [self.vm.get(field, 0) for field in darwin.VM_FIELDS]
        ctypes.memmove(buffer, darwin.VM_STATISTICS64.pack(*values), 4 * self.words)
        count[0] = self.words
        return 0


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    machine = Mac()
    monkeypatch.setattr("sys.platform", "darwin")
    for module in (libsystem, darwin):
        monkeypatch.setattr(module, "libsystem", lambda: machine.library)
    return machine


def test_the_tree_is_walked_in_its_order(mac: Mac) -> None:
    names = ["kern.num_files", "kern.num_vnodes", "vm.page_free_count", "vm.pages_grabbed"]
    names += ["net.inet.tcp.pcbcount", "net.inet.mptcp.dss_csum", "hw.ncpu", "hw.narrow", "hw.denied"]
    assert sorted(darwin.oid_names(mac.library)) == sorted(names)
    # Neither what the process may not read nor what is no integer of 4 or 8 bytes is kept.
    assert sorted(darwin.DarwinCounters().names) == sorted(set(names) - {"hw.narrow", "hw.denied"})
    mac.endless = True
    assert len(darwin.oid_names(mac.library)) == len(names)


def test_values_and_growth(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(darwin, "KEYS_PER_READING", 100)
    counters = darwin.DarwinCounters()
    assert counters.parts() == 1
    assert counters.snapshot(0)["vm.pages_grabbed"] == 4294967999
    assert counters.growth(counters.read_next()) == 0
    mac.values["vm.pages_grabbed"] += 5
    mac.values["kern.num_files"] -= 1
    grown = 5 * weight(b"vm.pages_grabbed", 0) - weight(b"kern.num_files", 0)
    assert counters.growth(counters.read_next()) == grown & (1 << 64) - 1
    mac.denied.add("vm.page_free_count")  # a key that goes counts no more, and stops nothing
    assert counters.growth(counters.read_next()) == 0
    assert "vm.page_free_count" not in counters.snapshot(0)
    mac.denied.update(mac.values)
    with pytest.raises(errors.SourceReadError, match="no sysctl integer"):
        darwin.DarwinCounters().read_next()


def test_sysctl_source_on_a_mac(mac: Mac) -> None:
    source = SysctlSource()
    assert source.is_available()
    assert len(source.read_raw(20)) == 20
    original = mac.library.sysctlbyname

    def moving(name: bytes, *rest: Any) -> int:
        mac.values["vm.page_free_count"] += 1
        mac.values["net.inet.tcp.pcbcount"] -= 1
        return int(original(name, *rest))

    mac.library.sysctlbyname = moving
    assert source.discover_fluctuating_keys(0.1) == ["net.inet.tcp.pcbcount", "vm.page_free_count"]
    assert source.categorize_keys() == {"net": ["net.inet.tcp.pcbcount"], "vm": ["vm.page_free_count"]}
    del mac.library.sysctlbyname
    assert source.availability() == (False, "the system library has no sysctlbyname")


def test_host_statistics_hold_what_vm_stat_prints(mac: Mac) -> None:
    printed = {name: int(value) for name, value in re.findall(r'^"?([\w -]+)"?: +(\d+)\.$', VM_STAT, re.MULTILINE)}
    assert set(printed) == set(VM_STAT_FIELDS)
    mac.vm = {field: printed[name] for name, field in VM_STAT_FIELDS.items()}
    found = darwin.vm_statistics(darwin.host_vm_info())
    assert {name: found[field] for name, field in VM_STAT_FIELDS.items()} == printed
    assert set(found) - set(mac.vm) == {"lookups", "hits"}
    assert darwin.VM_STATISTICS64.size == 152  # HOST_VM_INFO64_COUNT is 38


def test_vmstat_source_on_a_mac(mac: Mac) -> None:
    source = vmstat.VmstatSource()
    assert source.is_available()
    assert source.measure_parts()[1] == 0
    mac.vm["faults"] += 12
    assert source.measure_parts()[1] == 12 * weight(b"faults", 0)
    assert len(source.read_raw(30)) == 30
    assert mac.calls == ["mach_host_self"]  # each call would leave a reference behind
    mac.words = 15
    with pytest.raises(errors.SourceReadError, match="15 words"):
        source.read_raw(1)
    mac.words, mac.code = 38, 5
    with pytest.raises(errors.SourceReadError, match="host_statistics64 returned 5"):
        source.read_raw(1)
    del mac.library.host_statistics64
    assert source.availability() == (False, "the system library has no host_statistics64")


def scripted_clock(mac: Mac, deltas: Callable[[int], int]) -> None:
    mac.ticks = itertools.accumulate((deltas(index) for index in itertools.count()), initial=10**6)


def test_mach_timing_measures_its_own_calls(mac: Mac) -> None:
    scripted_clock(mac, lambda index: 3 * (1 + index % 7))
    source = MachTimingSource()
    assert source.is_available()
    wide = source.read_wide(4)
    assert all(value % 3 == 0 and 3 * CALLS <= value <= 21 * CALLS for value in wide)
    assert list(source.digitize(wide)) == [value // 3 & 0xFF for value in wide]
    assert MachTimingSource(mac.library).is_available()


def test_mach_timing_notices_a_clock_that_stands_still(mac: Mac) -> None:
    scripted_clock(mac, lambda index: 0)
    with pytest.raises(errors.SourceReadError, match="stands still"):
        MachTimingSource(mac.library).read_raw(1)


def test_what_the_system_library_lacks_is_named(mac: Mac) -> None:
    del mac.library.mach_absolute_time
    assert MachTimingSource().availability() == (False, "the system library has no mach_absolute_time")
    source = SysctlSource()
    del mac.library.sysctl, mac.library.sysctlbyname
    assert "no sysctl and no sysctlbyname" in source.availability().reason
