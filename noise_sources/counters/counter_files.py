"""Linux's counter files under /proc and /sys: their formats, their keys, and their growth.

There are two views of the same text. :data:`COUNTER_FILES` parses it into named keys, to show which of them fluctuate;
:class:`FileGrowth` compares two readings line by line, whatever the format, fast enough for every sample.
"""

from __future__ import annotations

import glob
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = [
    "COUNTER_FILES",
    "CounterFile",
    "FileGrowth",
    "parse_alternating",
    "parse_fields",
    "parse_headed",
    "parse_pairs",
    "parse_per_cpu",
    "parse_rows",
    "parse_stat",
    "parse_zoneinfo",
    "parse_zones",
    "read_file",
    "readable_files",
    "weight",
]

#: Most bytes that are read of a file: on a machine with hundreds of CPUs /proc/interrupts has a megabyte.
LIMIT_BYTES = 1 << 18
_CHUNK_BYTES = 1 << 16

_CPU_TIMES = b"user nice system idle iowait irq softirq steal guest guest_nice".split()
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")

Keys = Iterator[tuple[str, int]]


def read_file(path: str) -> bytes:
    """Return a file's content, at most ``LIMIT_BYTES``, and leave nothing open.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(handle, _CHUNK_BYTES)
        # The kernel returns whole records, about a page at a time: only an empty read means the end.
        while len(content) < LIMIT_BYTES and (more := os.read(handle, _CHUNK_BYTES)):
            content += more
    finally:
        os.close(handle)
    return content


def _number(token: bytes) -> int | None:
    """Return a token's number, in units of its last digit if it has decimals; None for a word."""
    return int(token.replace(b".", b"")) if _NUMBER.fullmatch(token) else None


def parse_pairs(text: bytes) -> Keys:
    """Yield each line's name and first number: ``name value``, ``name: value kB`` or ``name : value``."""
    for line in text.splitlines():
        name, *rest = line.replace(b":", b" ").split() or [b""]
        value = next((number for token in rest if (number := _number(token)) is not None), None)
        if value is not None:
            yield name.decode("ascii", "replace"), value


def parse_headed(text: bytes) -> Keys:
    """Yield the columns of lines in pairs, ``Tcp: name name`` above ``Tcp: value value``."""
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        label, *columns = names.split() or [b""]
        other, *tokens = values.split() or [b""]
        if label == other:
            yield from _columns(label, columns, tokens)


def parse_per_cpu(text: bytes) -> Keys:
    """Yield the columns of a table whose first line names the CPUs: ``LOC: value value ...  description``."""
    header, *lines = text.splitlines() or [b""]
    cpus = header.lower().split()
    for line in lines:
        label, *tokens = line.split() or [b""]
        yield from _columns(label, cpus, tokens[: len(cpus)])


def parse_rows(columns: str = "", *, skip: int = 0) -> Callable[[bytes], Keys]:
    """Return a parser of rows ``label value value ...`` that leaves out numbers before the label.

    Parameters
    ----------
    columns : str
        Names of the values, separated by blanks; values without a name are numbered.
    skip : int
        How many numbers stand before the label.
    """
    names = columns.encode().split()

    def parse(text: bytes) -> Keys:
        for line in text.splitlines():
            # After the colon of a long interface name the receive counter follows without a blank.
            tokens = line.replace(b":", b": ").split()[skip:]
            if len(tokens) > 1 and not tokens[0].startswith(b"#"):
                row = tokens[1:]
                more = (str(index).encode() for index in range(len(names), len(row)))
                yield from _columns(tokens[0], (*names, *more), row)

    return parse


def parse_alternating(text: bytes) -> Keys:
    """Yield ``label name value name value`` and ``label name=value name=value`` of each line."""
    for line in text.splitlines():
        label, *tokens = line.replace(b"=", b" ").split() or [b""]
        yield from _columns(label, tokens[::2], tokens[1::2])


def parse_fields(columns: str = "") -> Callable[[bytes], Keys]:
    """Return a parser of numbers without labels; those without a name in ``columns`` are numbered."""
    names = columns.split()

    def parse(text: bytes) -> Keys:
        for index, token in enumerate(text.split()):
            value = _number(token)
            if value is not None:
                yield names[index] if index < len(names) else str(index), value

    return parse


def parse_stat(text: bytes) -> Keys:
    """Yield the lines of /proc/stat: ``cpu0 user nice ...`` by name, ``ctxt value``, ``intr total value value ...``."""
    for line in text.splitlines():
        label, *tokens = line.split() or [b""]
        names: Iterable[bytes] = _CPU_TIMES
        if not label.startswith(b"cpu"):
            names = (b"total", *(str(index).encode() for index in range(len(tokens) - 1)))
        yield from _columns(label, names, tokens)


def parse_zones(text: bytes) -> Keys:
    """Yield the lines of /proc/buddyinfo: ``Node 0, zone Normal value value ...``, free blocks by order."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 4 and words[2] == b"zone":
            orders = (str(order).encode() for order in range(len(words) - 4))
            yield from _columns(b"node%s.%s" % (words[1].rstrip(b","), words[3]), orders, words[4:])


def parse_zoneinfo(text: bytes) -> Keys:
    """Yield the numbers of /proc/zoneinfo, each named by its node and zone, its CPU where it has one, and its words."""
    section, cpu = b"", b""
    for line in text.splitlines():
        words = line.replace(b":", b" ").split()
        if words[:1] == [b"Node"] and len(words) == 4:
            section, cpu = b"node%s.%s" % (words[1].rstrip(b","), words[3]), b""
        elif len(words) == 2 and words[0] == b"cpu":
            cpu = b".cpu" + words[1]
        else:
            yield from _columns(section + cpu, [b"_".join(words[:-1])], words[-1:])


def _columns(label: bytes, names: Iterable[bytes], tokens: Iterable[bytes]) -> Keys:
    row = label.rstrip(b":").decode("ascii", "replace")
    for name, token in zip(names, tokens, strict=False):
        value = _number(token)
        if value is not None:
            yield f"{row}.{name.decode('ascii', 'replace')}", value


class CounterFile(NamedTuple):
    """A file of counters, and how it is read.

    Attributes
    ----------
    prefix : str
        The beginning of its keys; the part before the first dot is their category.
    path : str
        Its path; ``*`` stands for any name, and the names found go into the prefix.
    parse : callable
        Function that yields name and value of each counter in the file's text.
    sampled : bool
        Whether raw values come from it. False if reading it holds a lock that others need, takes long, or makes the
        kernel update this thread's run time, which would tell every process when the reading took place.
    """

    prefix: str
    path: str
    parse: Callable[[bytes], Keys]
    sampled: bool = True

    def keys(self) -> dict[str, int]:
        """Return the file's counters by key; none if it cannot be read."""
        try:
            text = read_file(self.path)
        except OSError:
            return {}
        return {f"{self.prefix}.{name}": value for name, value in self.parse(text)}


_DISK = (
    "reads reads_merged sectors_read ms_reading writes writes_merged sectors_written ms_writing in_flight ms_busy "
    "ms_weighted discards discards_merged sectors_discarded ms_discarding flushes ms_flushing"
)
_INTERFACE = (
    "rx_bytes rx_packets rx_errs rx_drop rx_fifo rx_frame rx_compressed rx_multicast "
    "tx_bytes tx_packets tx_errs tx_drop tx_fifo tx_colls tx_carrier tx_compressed"
)

#: The files in reading order: those that change most first, those that take long or are many last.
COUNTER_FILES = (
    CounterFile("vm.vmstat", "/proc/vmstat", parse_pairs),
    CounterFile("kern.stat", "/proc/stat", parse_stat),
    CounterFile("kern.softirqs", "/proc/softirqs", parse_per_cpu),
    CounterFile("hw.interrupts", "/proc/interrupts", parse_per_cpu),
    CounterFile("proc.sched", "/proc/self/sched", parse_pairs, sampled=False),
    CounterFile("proc.schedstat", "/proc/self/schedstat", parse_fields("run_ns wait_ns slices"), sampled=False),
    CounterFile("proc.stat", "/proc/self/stat", parse_fields(), sampled=False),
    CounterFile("proc.status", "/proc/self/status", parse_pairs, sampled=False),
    CounterFile("proc.io", "/proc/self/io", parse_pairs, sampled=False),
    CounterFile("kern.cpuacct", "/sys/fs/cgroup/cpuacct/cpuacct.usage_all", parse_rows("user system"), sampled=False),
    CounterFile("hw.*.*.usage", "/sys/devices/system/cpu/cpu*/cpuidle/state*/usage", parse_fields(), sampled=False),
    CounterFile("hw.*.*.us", "/sys/devices/system/cpu/cpu*/cpuidle/state*/time", parse_fields(), sampled=False),
    CounterFile("net.snmp", "/proc/net/snmp", parse_headed),
    CounterFile("vm.meminfo", "/proc/meminfo", parse_pairs),
    CounterFile("vm.*", "/sys/devices/system/node/node*/vmstat", parse_pairs),
    CounterFile("vm.*.numa", "/sys/devices/system/node/node*/numastat", parse_pairs),
    CounterFile("vm.pressure", "/proc/pressure/memory", parse_alternating),
    CounterFile("vm.zone", "/proc/zoneinfo", parse_zoneinfo, sampled=False),
    CounterFile("vm.buddyinfo", "/proc/buddyinfo", parse_zones, sampled=False),
    CounterFile("net.netstat", "/proc/net/netstat", parse_headed),
    CounterFile("net.dev", "/proc/net/dev", parse_rows(_INTERFACE)),
    CounterFile("net.sockstat", "/proc/net/sockstat", parse_alternating),
    CounterFile("net.snmp6", "/proc/net/snmp6", parse_pairs),
    CounterFile("kern.schedstat", "/proc/schedstat", parse_rows()),
    CounterFile("kern.loadavg", "/proc/loadavg", parse_fields("load1 load5 load15"), sampled=False),
    CounterFile("kern.pressure", "/proc/pressure/cpu", parse_alternating),
    CounterFile("kern.cgroup", "/sys/fs/cgroup/cpu.stat", parse_pairs, sampled=False),
    CounterFile("hw.disk", "/proc/diskstats", parse_rows(_DISK, skip=2)),
    CounterFile("hw.pressure", "/proc/pressure/io", parse_alternating),
    CounterFile("vfs.dentry", "/proc/sys/fs/dentry-state", parse_fields("count unused"), sampled=False),
    CounterFile("vfs.inode", "/proc/sys/fs/inode-state", parse_fields("count free"), sampled=False),
    CounterFile("vfs.file", "/proc/sys/fs/file-nr", parse_fields("open"), sampled=False),
    CounterFile("proc.statm", "/proc/self/statm", parse_fields("size resident shared"), sampled=False),
    CounterFile("proc.*", "/proc/[1-9]*/schedstat", parse_fields("run_ns wait_ns slices"), sampled=False),
    CounterFile("vm.slab", "/proc/slabinfo", parse_rows("active total size per_slab pages"), sampled=False),
)


def readable_files() -> list[CounterFile]:
    """Return the counter files that this process may read, one for each name that a ``*`` stands for."""
    return [file for entry in COUNTER_FILES for file in _expand(entry) if os.access(file.path, os.R_OK)]


def _expand(entry: CounterFile) -> Iterator[CounterFile]:
    if "*" not in entry.path:
        yield entry
        return
    starred = [index for index, part in enumerate(entry.path.split("/")) if "*" in part]
    for path in sorted(glob.glob(entry.path)):  # noqa: PTH207 - strings in, strings out
        prefix = entry.prefix
        for index in starred:
            prefix = prefix.replace("*", path.split("/")[index], 1)
        yield entry._replace(path=path, prefix=prefix)


class FileGrowth:
    """The growth of the counters of one file from reading to reading.

    A line is identified by its words, and a number of a line by its place. Each number's growth, negative if it has
    shrunk, is multiplied by an odd factor that follows from words and place, so that counters that grow together do not
    cancel; the sum is taken modulo 2^64. Lines that are new, gone or of another shape count 0.

    Examples
    --------
    >>> growth = FileGrowth()
    >>> growth.update(b"pgfault 100"), growth.update(b"pgfault 100")
    (0, 0)
    >>> growth.update(b"pgfault 107") == 7 * weight(b"pgfault", 0)
    True
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def update(self, text: bytes) -> int:
        """Return the growth since the last text, modulo 2^64; 0 the first time."""
        before, self._lines = self._lines, text.splitlines()
        if not before:
            return 0
        growth = 0
        if len(before) == len(self._lines):
            changed = [(old, new) for old, new in zip(before, self._lines, strict=True) if old != new]
            pairs = [(_dissect(old), _dissect(new)) for old, new in changed]
            if all(old[0] == new[0] for old, new in pairs):
                growth = sum(_line_growth(name, old, new) for (name, old), (_, new) in pairs)
                return growth & _MASK
        known = dict(map(_dissect, before))
        for name, new in map(_dissect, self._lines):
            if name in known:
                growth += _line_growth(name, known[name], new)
        return growth & _MASK


_MASK = (1 << 64) - 1
_weights: dict[bytes, list[int]] = {}


def weight(name: bytes, place: int) -> int:
    """Return the odd factor of a counter: the same in every process, whatever else the file holds."""
    return zlib.crc32(b"%s %d" % (name, place)) << 1 | 1


def _dissect(line: bytes) -> tuple[bytes, list[int]]:
    """Return a line's words as one name, and its numbers."""
    words, numbers = [], []
    for token in line.replace(b"=", b" ").split():
        if token.isdigit():
            numbers.append(int(token))
        elif (number := _number(token)) is not None:
            numbers.append(number)
        else:
            words.append(token)
    return b" ".join(words), numbers


def _line_growth(name: bytes, old: list[int], new: list[int]) -> int:
    if len(old) != len(new):
        return 0
    factors = _weights.get(name)
    if factors is None or len(factors) < len(new):
        factors = _weights[name] = [weight(name, place) for place in range(len(new))]
    return sum(
        factor * (later - earlier)
        for factor, earlier, later in zip(factors, old, new, strict=False)
        if later != earlier
    )
