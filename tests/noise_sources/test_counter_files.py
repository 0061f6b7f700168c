"""Linux's counter files: each format on a small record of ours, growth from reading to reading, what cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from places import DOCS

from esoteric_drbg.noise_sources.counters import counter_files
from esoteric_drbg.noise_sources.counters.counter_files import CounterFile, FileGrowth, weight

LINUX = sys.platform.startswith("linux")
MASK = (1 << 64) - 1

VMSTAT = b"nr_free_pages 1375573\npgfault 42905478\nthp_split_page 0\n"
MEMINFO = b"MemTotal:       24684092 kB\nActive(anon):       1816 kB\nHugePages_Total:       0\n"
SNMP = b"Ip: Forwarding DefaultTTL InReceives\nIp: 2 64 53492\nTcp: RtoAlgorithm MaxConn InSegs\nTcp: 1 -1 52011\n"
NETSTAT = b"TcpExt: SyncookiesSent TW\nTcpExt: 0 17\nMPTcpExt: MPCapableSYNRX\nMPTcpExt: 4\n"
NET_DEV = (
    b"Inter-|   Receive                |  Transmit\n"
    b" face |bytes    packets errs     |bytes    packets errs\n"
    b"    lo:  547030    1489    0    0    0     0          0         0 547031 1490    0    0    0     0    0    0\n"
    b"eth0:2332760677   52020    0    0    0     0          0         0 12 34    0    0    0     0       0          0\n"
)
INTERRUPTS = (
    b"           CPU0       CPU1       \n"
    b" 26:          0         15  IO-APIC   4-edge      ttyS0\n"
    b"LOC:    1040855    1010321   Local timer interrupts\n"
    b"ERR:          7\n"
)
SOFTIRQS = (
    b"                    CPU0       CPU1       \n          HI:          0          3\n"
    b"       TIMER:      76332      97206\n"
)
STAT = (
    b"cpu  390867 10202 46464 51758 1364 0 898 3105 0 0\ncpu0 193962 3554 22296 30603 371 0 48 1496 0 0\n"
    b"intr 2920474 0 15\nctxt 6959194\nsoftirq 1770700 0 191133\n"
)
SCHEDSTAT = b"version 17\ntimestamp 4295568013\ncpu0 0 0 0 0 0 0 8331 2044 16\ndomain0 MC 3 61 5\n"
DISKSTATS = (
    b" 254       0 vda 606238 24433 18296178 524659 67009 234415 25888536 132782 0 68752 665167 1 2 3 4 7915 1571\n"
)
SLABINFO = (
    b"slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n"
    b"bio-312               12     13    320   12    1 : tunables    0    0    0 : slabdata      1      1      0\n"
)
BUDDYINFO = b"Node 0, zone      DMA      0      1\nNode 0, zone   Normal     40   1318\n"
ZONEINFO = (
    b"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 120121\n  pages free     2816\n"
    b"        boost    0\n  pagesets\n    cpu: 0\n              count:    17\n  vm stats threshold: 4\n"
    b"    cpu: 1\n              count:    9\n  node_unreclaimable:  0\nNode 0, zone   Normal\n  pages free     7\n"
)
SOCKSTAT = b"sockets: used 34\nTCP: inuse 7 orphan 0 tw 0 alloc 7 mem 241\n"
PRESSURE = (
    b"some avg10=66.37 avg60=63.67 avg300=72.93 total=1733010570\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
)
SCHED = b"cat (7049, #threads: 1)\n-----\nse.exec_start       :       2704957.660413\nnr_switches   :       12\n"
STATUS = b"Name:\tcat\nState:\tR (running)\nVmRSS:\t    1712 kB\nvoluntary_ctxt_switches:\t3\n"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/proc/vmstat", VMSTAT, {"vm.vmstat.nr_free_pages": 1375573, "vm.vmstat.pgfault": 42905478}),
        ("/proc/meminfo", MEMINFO, {"vm.meminfo.MemTotal": 24684092, "vm.meminfo.Active(anon)": 1816}),
        (
            "/proc/net/snmp",
            SNMP,
            {"net.snmp.Ip.InReceives": 53492, "net.snmp.Tcp.MaxConn": -1, "net.snmp.Tcp.InSegs": 52011},
        ),
        ("/proc/net/netstat", NETSTAT, {"net.netstat.TcpExt.TW": 17, "net.netstat.MPTcpExt.MPCapableSYNRX": 4}),
        (
            "/proc/net/dev",
            NET_DEV,
            {"net.dev.lo.rx_packets": 1489, "net.dev.lo.tx_bytes": 547031, "net.dev.eth0.rx_bytes": 2332760677},
        ),
        (
            "/proc/interrupts",
            INTERRUPTS,
            {"hw.interrupts.26.cpu1": 15, "hw.interrupts.LOC.cpu0": 1040855, "hw.interrupts.ERR.cpu0": 7},
        ),
        ("/proc/softirqs", SOFTIRQS, {"kern.softirqs.HI.cpu1": 3, "kern.softirqs.TIMER.cpu0": 76332}),
        (
            "/proc/stat",
            STAT,
            {
                "kern.stat.cpu.user": 390867,
                "kern.stat.cpu0.softirq": 48,
                "kern.stat.intr.total": 2920474,
                "kern.stat.intr.1": 15,
                "kern.stat.ctxt.total": 6959194,
                "kern.stat.softirq.1": 191133,
            },
        ),
        ("/proc/schedstat", SCHEDSTAT, {"kern.schedstat.cpu0.6": 8331, "kern.schedstat.timestamp.0": 4295568013}),
        (
            "/proc/diskstats",
            DISKSTATS,
            {"hw.disk.vda.reads": 606238, "hw.disk.vda.ms_weighted": 665167, "hw.disk.vda.ms_flushing": 1571},
        ),
        ("/proc/slabinfo", SLABINFO, {"vm.slab.bio-312.active": 12, "vm.slab.bio-312.total": 13}),
        ("/proc/buddyinfo", BUDDYINFO, {"vm.buddyinfo.node0.DMA.1": 1, "vm.buddyinfo.node0.Normal.0": 40}),
        (
            "/proc/zoneinfo",
            ZONEINFO,
            {
                "vm.zone.node0.DMA.nr_inactive_anon": 120121,
                "vm.zone.node0.DMA.pages_free": 2816,
                "vm.zone.node0.DMA.cpu0.count": 17,
                "vm.zone.node0.DMA.cpu1.count": 9,
                "vm.zone.node0.Normal.pages_free": 7,
            },
        ),
        ("/proc/net/sockstat", SOCKSTAT, {"net.sockstat.sockets.used": 34, "net.sockstat.TCP.mem": 241}),
        ("/proc/pressure/cpu", PRESSURE, {"kern.pressure.some.avg10": 6637, "kern.pressure.full.total": 9}),
        ("/proc/self/sched", SCHED, {"proc.sched.se.exec_start": 2704957660413, "proc.sched.nr_switches": 12}),
        ("/proc/self/status", STATUS, {"proc.status.VmRSS": 1712, "proc.status.voluntary_ctxt_switches": 3}),
        ("/proc/self/schedstat", b"123456 789 10\n", {"proc.schedstat.run_ns": 123456, "proc.schedstat.slices": 10}),
    ],
)
def test_each_format_gives_its_keys(
    monkeypatch: pytest.MonkeyPatch, path: str, text: bytes, expected: dict[str, int]
) -> None:
    monkeypatch.setattr(counter_files, "read_file", lambda wanted: {path: text}[wanted])
    (file,) = (file for file in counter_files.COUNTER_FILES if file.path == path)
    keys = file.keys()
    assert {key: keys.get(key) for key in expected} == expected
    assert all(key.startswith(f"{file.prefix}.") for key in keys)


@pytest.mark.parametrize("file", counter_files.COUNTER_FILES, ids=lambda file: file.path)
@pytest.mark.parametrize("text", [b"", b"\n\n", b"\0\xff\xfe", b"a", b"a:", b"1", b"a: b c\na: 1\n", b"Node 0, zone\n"])
def test_odd_text_is_no_error(monkeypatch: pytest.MonkeyPatch, file: CounterFile, text: bytes) -> None:
    monkeypatch.setattr(counter_files, "read_file", lambda _: text)
    assert all(isinstance(value, int) for value in file.keys().values())
    growth = FileGrowth()
    assert growth.update(text) == growth.update(text) == 0


def test_every_category_is_one_that_is_documented() -> None:
    categories = {file.prefix.partition(".")[0] for file in counter_files.COUNTER_FILES}
    assert categories == {"vm", "net", "kern", "hw", "vfs", "proc"}
    page = (DOCS / "sources" / "sysctl_counters.md").read_text()
    assert all(f"`{category}`" in page for category in categories)


def test_stars_name_the_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for cpu, state in ((0, 0), (0, 1), (1, 0)):
        folder = tmp_path / f"cpu{cpu}" / "cpuidle" / f"state{state}"
        folder.mkdir(parents=True)
        (folder / "usage").write_text(f"{cpu}{state}\n")
    entry = CounterFile("hw.*.*.usage", f"{tmp_path}/cpu*/cpuidle/state*/usage", counter_files.parse_fields())
    monkeypatch.setattr(counter_files, "COUNTER_FILES", (entry,))
    keys = {key: value for file in counter_files.readable_files() for key, value in file.keys().items()}
    assert keys == {"hw.cpu0.state0.usage.0": 0, "hw.cpu0.state1.usage.0": 1, "hw.cpu1.state0.usage.0": 10}


# Growth.


def test_growth_is_the_weighted_sum_of_what_changed() -> None:
    growth = FileGrowth()
    assert growth.update(b"a 1 2\nb 5\n") == 0
    assert growth.update(b"a 1 2\nb 5\n") == 0
    assert growth.update(b"a 4 2\nb 6\n") == 3 * weight(b"a", 0) + weight(b"b", 0)
    assert growth.update(b"a 4 9\nb 6\n") == 7 * weight(b"a", 1)


def test_a_counter_that_falls_or_wraps_counts_modulo_2_to_the_64() -> None:
    growth = FileGrowth()
    growth.update(b"nr_dirty 10")
    assert growth.update(b"nr_dirty 7") == -3 * weight(b"nr_dirty", 0) & MASK
    growth.update(b"nr_dirty %d" % MASK)
    assert growth.update(b"nr_dirty 0") == weight(b"nr_dirty", 0)  # one step across the end


def test_counters_that_move_together_do_not_cancel() -> None:
    growth = FileGrowth()
    growth.update(b"nr_free 100\nnr_used 100")
    assert growth.update(b"nr_free 99\nnr_used 101") & 0xFF != 0
    names = [f"key{index}".encode() for index in range(500)]
    assert all(weight(name, place) % 2 == 1 and weight(name, place) < 1 << 33 for name in names for place in range(3))
    assert len({weight(name, 0) for name in names}) == 500
    assert weight(b"pgfault", 0) == 2388283647  # the same in every process


def test_keys_that_vanish_or_come_between_two_reads_count_nothing() -> None:
    growth = FileGrowth()
    growth.update(b"a 1\nb 2\nc 3\n")
    assert growth.update(b"a 1\nc 5\n") == 2 * weight(b"c", 0)  # b has gone
    assert growth.update(b"a 1\nd 1000\nc 6\n") == weight(b"c", 0)  # d has come
    assert growth.update(b"e 7\nd 1001\nc 6\n") == weight(b"d", 0)  # e in the place of a
    assert growth.update(b"e 8 9\nd 1001\nc 6\n") == 0  # e in another shape
    assert growth.update(b"") == growth.update(b"e 100") == 0


def test_files_are_read_to_their_end_or_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 1024)
    assert counter_files.read_file(str(path)) == path.read_bytes()
    monkeypatch.setattr(counter_files, "LIMIT_BYTES", 1000)
    monkeypatch.setattr(counter_files, "_CHUNK_BYTES", 300)
    assert counter_files.read_file(str(path)) == path.read_bytes()[:1200]
    with pytest.raises(FileNotFoundError):
        counter_files.read_file(str(tmp_path / "none"))
    if LINUX:
        handles = os.listdir("/proc/self/fd")
        with pytest.raises(IsADirectoryError):
            counter_files.read_file(str(tmp_path))
        assert len(os.listdir("/proc/self/fd")) == len(handles)
