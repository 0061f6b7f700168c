"""Data that change while they are read: kernels and assessments work on what they got, or say that it changed."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from esoteric_drbg import errors
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.restart.matrix import restart_data_sets
from esoteric_drbg.conformance.samples import files as sample_files
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.conformance.samples.transpose import transpose_file
from esoteric_drbg.kernels import estimators, iid, kernel_info
from esoteric_drbg.kernels.hash_df import hash_df
from esoteric_drbg.kernels.health import new_adaptive_proportion_scan, new_repetition_count_scan
from esoteric_drbg.kernels.table import kernel

# The reference kernels count about as slowly as they read.
SYMBOLS = 200_000 if kernel_info().name == "rust" else 4_000

STATES: list[bytes] = [random.Random(seed).randbytes(SYMBOLS) for seed in (1, 2)] + [
    bytes(range(250)) * (SYMBOLS // 250)
]


@contextlib.contextmanager
def changing(buffer: Any, *states: bytes) -> Iterator[None]:
    """Have another thread put one state after the other into a buffer, each as a whole: it holds the lock."""
    stop = threading.Event()
    view = memoryview(buffer).cast("B")

    def write() -> None:
        while not stop.is_set():
            for state in states:
                view[:] = state

    thread = threading.Thread(target=write)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the writer is there as soon as a kernel lets go of the lock
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
        view.release()


def pushed(new: Callable[[], Any]) -> Callable[[Any], Any]:
    def push(data: Any) -> Any:
        scan = new()
        return scan.push(data), scan.samples, scan.first_failure

    return push


def seeded(step: str, *mechanism: Any) -> Callable[[Any], bytes]:
    """What a DRBG gives after one of its functions has taken the data."""

    def seed(data: Any) -> bytes:
        state = kernel("new_drbg_state")(*mechanism) if mechanism else kernel("HashDrbgState")()
        state.instantiate(
            *{"entropy": (data, b"n"), "nonce": (b"e", data), "text": (b"e", b"n", data)}.get(step, (b"e", b"n"))
        )
        if step in {"reseed", "additional"}:
            state.reseed(*((data,) if step == "reseed" else (b"e", data)))
        if step == "mix":
            state.mix(data)
        return bytes(state.generate(32, data if step == "generate" else None))

    return seed


def texts(n: int, k: int) -> Callable[[Callable[..., Any]], Callable[[Any], Any]]:
    return lambda function: (
        lambda data: tuple(part if isinstance(part, int) else bytes(part) for part in function(data, n, k))
    )


PACKED, BYTES = texts(8 * SYMBOLS, 2), texts(SYMBOLS, 256)
READERS: dict[str, Callable[[Any], Any]] = {
    "bit_counts": lambda data: estimators.bit_counts(data, 8 * SYMBOLS),
    "collision_counts": lambda data: estimators.collision_counts(data, 8 * SYMBOLS),
    "gap_histogram": lambda data: bytes(estimators.gap_histogram(data, 8 * SYMBOLS)),
    "iid_statistics": iid.iid_statistics,
    "iid_permutation": lambda data: iid.iid_permutation(data, 1, 2),
    "iid_permutations": lambda data: iid.iid_permutations(data, iid.iid_statistics(STATES[0]), 1, (0, 1)),
    "RepetitionCountScan": pushed(lambda: new_repetition_count_scan(2)),
    "AdaptiveProportionScan": pushed(lambda: new_adaptive_proportion_scan(5, 512)),
    "hash_df": lambda data: hash_df(data, 256),
    "hash_df sha512": lambda data: hash_df(data, 256, hash_name="sha512"),
}
for name in ("tuple_counts", "multi_mcw", "lag", "multi_mmc", "lz78y"):
    READERS[name + " bits"] = PACKED(getattr(estimators, name))
    READERS[name + " bytes"] = BYTES(getattr(estimators, name))
for step in ("entropy", "nonce", "text", "reseed", "additional", "generate"):
    READERS[f"HashDrbgState {step}"] = seeded(step)
    READERS[f"DrbgState {step}"] = seeded(step, "HMAC_DRBG", "sha256", True, 0)
READERS["HashDrbgState mix"] = seeded("mix")


@pytest.mark.parametrize("name", READERS)
def test_a_kernel_reads_its_data_once(name: str) -> None:
    read = READERS[name]
    expected = [read(state) for state in STATES]
    assert expected.count(expected[0]) < len(STATES)
    buffer = bytearray(STATES[0])
    with changing(buffer, *STATES):
        found = [read(buffer) for _ in range(8)]
    assert all(result in expected for result in found)


def buffers(tmp_path: Path) -> dict[str, Any]:
    """Buffers that others may write, in state 0."""
    path = tmp_path / "mapped"
    path.write_bytes(STATES[0])
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    owned = bytearray(STATES[0])
    return {
        "bytearray": owned,
        "memoryview": memoryview(bytearray(STATES[0])),
        "read-only memoryview": memoryview(bytearray(STATES[0])).toreadonly(),
        "array": np.frombuffer(bytearray(STATES[0]), dtype=np.uint8),
        "mmap": mapped,
        "memmap": np.memmap(path, dtype=np.uint8, mode="r+"),
    }


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "array", "mmap", "memmap"])
def test_every_kind_of_buffer_is_read_once(kind: str, tmp_path: Path) -> None:
    buffer = buffers(tmp_path)[kind]
    read = READERS["multi_mcw bytes"]
    expected = [read(state) for state in STATES]
    with changing(buffer, *STATES):
        found = [read(buffer) for _ in range(6)]
    assert all(result in expected for result in found)


def big(path: Path) -> Path:
    """A file large enough that it was mapped once; it takes no room on the disk."""
    with path.open("wb") as file:
        file.write(b"\1\2")
        file.truncate(1 << 26)
    return path


def test_a_file_that_becomes_shorter_after_it_was_read_does_not_matter(tmp_path: Path) -> None:
    path = big(tmp_path / "a.bin")
    code = (
        "import os, sys\n"
        "from esoteric_drbg.conformance.samples.files import read_samples\n"
        "samples = read_samples(sys.argv[1])\n"
        "os.truncate(sys.argv[1], 100)\n"
        "print(samples.sha256, int(samples.symbols.sum()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.returncode
    assert done.stdout.split()[1] == "3"


def test_assessments_share_one_private_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    for name in ("multi_mcw", "lag", "multi_mmc", "lz78y", "tuple_counts"):

        def noted(count: Callable[..., Any], data: Any, n: int, k: int) -> Any:
            seen.append(data)
            return count(data, n, k)

        monkeypatch.setattr(estimators, name, functools.partial(noted, getattr(estimators, name)))
    owned = bytearray(random.Random(3).randbytes(5000))
    expected = assess_non_iid(bytes(owned)).as_dict()
    seen.clear()
    assert assess_non_iid(owned).as_dict() == expected
    assert len(seen) == 10
    assert {type(data) for data in seen} == {bytes}
    assert len({id(data) for data in seen}) == 1  # bytes are their own bitstring, too


def test_an_assessment_is_of_one_state(tmp_path: Path) -> None:
    states = [random.Random(seed).randbytes(20_000) for seed in (1, 2)]
    expected = {assess_non_iid(state).sha256: assess_non_iid(state).as_dict() for state in states}
    path = tmp_path / "mapped"
    path.write_bytes(states[0])
    for buffer in (bytearray(states[0]), np.memmap(path, dtype=np.uint8, mode="r+")):
        with changing(buffer, *states):
            found = [assess_non_iid(buffer) for _ in range(3)]
        for result in found:
            # A mapped file may have changed in the middle of the copy; its figures are those of the copy.
            assert result.as_dict() == expected.get(result.sha256, result.as_dict())
        assert isinstance(buffer, np.memmap) or all(result.sha256 in expected for result in found)


def shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"7\n")


def rewritten(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"9")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # clocks of file systems are coarse


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


CHANGES: dict[Callable[[Path], None], str] = {
    shorter: "bytes became",
    longer: "bytes became",
    rewritten: "written to",
    replaced: "its name",
}
FORMATS = {
    "a.bin": bytes(range(100)) * 10,
    "a.txt": b"1 2 3 4 5\n" * 100,
    "a.csv": b"17\n" * 332,
}


def change_meanwhile(monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[Path], None]) -> None:
    """Have the file changed once it is open, before it is read."""
    once = [change]
    status = os.fstat

    def changing_status(descriptor: int) -> os.stat_result:
        found = status(descriptor)
        if once:
            once.pop()(path)
        return found

    monkeypatch.setattr(os, "fstat", changing_status)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_an_error(
    change: Callable[[Path], None], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(FORMATS[name])
    change_meanwhile(monkeypatch, path, change)
    with pytest.raises(
        errors.InvalidInputError, match=f"{name}: the file changed while it was read: .*{CHANGES[change]}"
    ):
        read_samples(path)
    read_samples(path)  # now it stands still


def test_every_reader_of_files_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npy"
    readers: list[Callable[[], Any]] = [
        lambda: read_samples(path),
        lambda: restart_data_sets(path, rows=20, columns=50),
        lambda: assess_non_iid(path),
        lambda: sample_files.read_file(path),
        lambda: transpose_file(path, tmp_path / "turned", rows=len(path.read_bytes()), columns=1),
    ]
    for read in readers:
        np.save(path, np.arange(1000, dtype=np.uint16) % 200)
        with monkeypatch.context() as patch:
            change_meanwhile(patch, path, rewritten)
            with pytest.raises(errors.InvalidInputError, match="changed while it was read"):
                read()
    assert not (tmp_path / "turned").exists()


def test_a_file_whose_name_is_gone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"\1\2\3")
    change_meanwhile(monkeypatch, path, Path.unlink)
    assert read_samples(path).octets == b"\1\2\3"


@pytest.mark.parametrize("change", [shorter, rewritten])
@pytest.mark.parametrize(
    "command",
    [("assess", "non-iid"), ("assess", "iid"), ("assess", "restart", "5"), ("assess", "transpose")],
    ids=" ".join,
)
def test_the_command_says_that_a_file_changed(
    command: tuple[str, ...], change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(random.Random(4).randbytes(1_000_000))
    arguments = [*command[:2], str(path), *command[2:], *([str(tmp_path / "out")] if "transpose" in command else [])]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pathlib, pytest, test_changing_data as changing\n"
        "patch = pytest.MonkeyPatch()\n"
        "changing.change_meanwhile(patch, pathlib.Path(sys.argv[2]), getattr(changing, sys.argv[3]))\n"
        "sys.argv = ['esoteric-drbg', *sys.argv[4:]]\n"
        "from esoteric_drbg.cli.main import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, Path(__file__).parent, path, change.__name__, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {path}: the file changed while it was read")
