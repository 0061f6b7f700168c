"""Where memory runs out: every kernel is right or raises OutOfMemoryError, and nothing ends the process."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import esoteric_drbg
from esoteric_drbg import errors
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.execution.parallel import Task, run_tasks
from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.restart.assessment import assess_restart
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.table import kernel

limits_bite = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS holds on Linux")
rust = pytest.mark.skipif(kernel_info().name != "rust", reason="a million samples take the Rust kernels")

#: Each call runs in a child of its own that may map so many bytes more; 0: right, 3: OutOfMemoryError, else a fault.
PRELUDE = """
import ctypes, os, pickle, random, resource, sys, threading
from esoteric_drbg import errors
from esoteric_drbg.kernels import estimators, iid

if hasattr(libc := ctypes.CDLL(None), "mallopt"):
    # glibc keeps what was freed, and maps 64 MiB in advance for a thread: here large blocks are mapped and unmapped.
    libc.mallopt(-3, 1 << 16), libc.mallopt(-1, 1 << 16), libc.mallopt(-8, 1)

def elsewhere(call):
    # What the call leaves in this process's memory would be there for the next one.
    ours, theirs = os.pipe()
    if not os.fork():
        with os.fdopen(theirs, "wb") as pipe:
            pickle.dump(call(), pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        result = pickle.load(pipe)
    os.wait()
    return result

def mapped():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

def outcome(call, expected, more):
    child = os.fork()
    if not child:
        code = 9

        def run():
            nonlocal code
            try:
                limit = mapped() + more
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                code = 0 if call() == expected else 1
            except errors.OutOfMemoryError:
                code = 3
            except BaseException:
                code = 4

        # In a thread, as assessments count: the stack of the main one would grow into the same limit.
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def plain(result):
    parts = result if type(result) is tuple else (result,)
    return [part if type(part) in {int, tuple} else bytes(part) for part in parts]
"""

KERNELS = (
    PRELUDE
    + """
N, k, kind, names = 1_000_000, int(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
rng = random.Random(7)
held = N // 8 if k == 2 else N
data = {"noise": rng.randbytes(held), "period": (rng.randbytes(1000) * (held // 1000 + 1))[:held]}[kind]
symbols = bytes(byte & 1 for byte in rng.randbytes(N)) if k == 2 else data
original = elsewhere(lambda: iid.iid_statistics(symbols))
calls = {
    "bit_counts": lambda: estimators.bit_counts(data, held * 8),
    "collision_counts": lambda: estimators.collision_counts(data, held * 8),
    "gap_histogram": lambda: estimators.gap_histogram(data, held * 8),
    "tuple_counts": lambda: estimators.tuple_counts(data, N, k),
    "multi_mcw": lambda: estimators.multi_mcw(data, N, k),
    "lag": lambda: estimators.lag(data, N, k),
    "multi_mmc": lambda: estimators.multi_mmc(data, N, k),
    "lz78y": lambda: estimators.lz78y(data, N, k),
    "iid_statistics": lambda: iid.iid_statistics(symbols),
    "iid_permutation": lambda: iid.iid_permutation(symbols, 1, 2),
    "iid_permutations": lambda: iid.iid_permutations(symbols, original, 1, (0, 1)),
}
steps = [int(2**20 * float(step)) for step in sys.argv[4].split(",")]
for name in names:
    call = lambda: plain(calls[name]())
    expected = elsewhere(call)
    print(name, *[outcome(call, expected, step) for step in steps])
"""
)

ESTIMATORS = "bit_counts,collision_counts,gap_histogram,tuple_counts,multi_mcw,lag,multi_mmc,lz78y"
IID = "iid_statistics,iid_permutation,iid_permutations"
STEPS = [0.5, 1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 45, 90]


def outcomes(arguments: list[str], steps: list[float]) -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", KERNELS, *arguments, ",".join(map(str, steps))],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = (line.split() for line in done.stdout.splitlines())
    return {name: [int(code) for code in codes] for name, *codes in rows}


@rust
@limits_bite
@pytest.mark.parametrize(
    ("kind", "names"),
    [("noise", ESTIMATORS), ("period", "tuple_counts,multi_mmc,lz78y"), ("noise", IID)],
    ids=["estimators", "repetitive", "iid"],
)
@pytest.mark.parametrize("k", [2, 256])
def test_kernels_are_right_or_out_of_memory(k: int, kind: str, names: str) -> None:
    found = outcomes([str(k), kind, names], STEPS)
    assert list(found) == names.split(",")
    for name, codes in found.items():
        assert set(codes) <= {0, 3}, (name, dict(zip(STEPS, codes, strict=True)))
        assert codes[-1] == 0, name
        assert codes == sorted(codes, reverse=True), (name, codes)
    assert any(3 in codes for codes in found.values())


COMMAND = """
import os, resource, sys, threading
from esoteric_drbg.cli.main import main
import esoteric_drbg.conformance.entropy.file_assessment, esoteric_drbg.cli.assess.iid
import esoteric_drbg.conformance.iid.file_assessment
with open("/proc/self/statm") as file:
    mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
limit = mapped + int(2**20 * float(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.argv = ["esoteric-drbg", *sys.argv[2:]]
main()
"""


@limits_bite
@pytest.mark.parametrize("track", ["non-iid", "iid"])
@pytest.mark.parametrize("more", [1, 4, 20, 40, 120, pytest.param(200, marks=pytest.mark.slow)])
def test_a_command_without_memory_is_one_line_and_code_2(track: str, more: float, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    period = random.Random(1).randbytes(1000)
    path.write_bytes(period * 20_000 if track == "non-iid" else period * 60_000)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(more), "assess", track, path, "8"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: there is not enough memory")


def test_what_numpy_and_python_raise_is_ours() -> None:
    with (
        pytest.raises(errors.OutOfMemoryError, match="for a matrix: Unable to allocate"),
        OutOfMemoryIsOurs("a matrix"),
    ):
        np.empty((1 << 28, 1 << 28), dtype=np.uint8)
    with pytest.raises(errors.OutOfMemoryError, match="for a thread: can't start"), OutOfMemoryIsOurs("a thread"):
        raise RuntimeError("can't start new thread")
    with pytest.raises(errors.OutOfMemoryError, match=r"^first$"), OutOfMemoryIsOurs("second"):
        raise errors.OutOfMemoryError("first")
    with pytest.raises(RuntimeError, match="else"), OutOfMemoryIsOurs("something"):
        raise RuntimeError("something else")
    error = errors.OutOfMemoryError("x")
    assert isinstance(error, MemoryError)
    assert isinstance(error, errors.EsotericDRBGError)
    assert esoteric_drbg.OutOfMemoryError is errors.OutOfMemoryError


def too_much(*_arguments: Any, **_options: Any) -> Any:
    return bytearray(1 << 60)


ASSESSMENTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "read": ("samples.files.private_array", lambda: read_samples(bytearray(100))),
    "read_file": ("samples.files.read_words", lambda: read_samples(__file__, format="u8")),
    "non_iid": ("entropy.non_iid.bytes_of", lambda: assess_non_iid(bytes(range(100)) * 50)),
    "iid": ("iid.assessment.independence", lambda: assess_iid(bytes(range(100)) * 10, permutations=100)),
    "restart": (
        "restart.assessment.line_maxima",
        lambda: assess_restart(bytes(range(100)) * 10, 1.0, rows=10, columns=100),
    ),
    "estimator": ("entropy.estimators.kernels.kernel", lambda: assess_non_iid(bytes(range(100)) * 50)),
}


@pytest.mark.parametrize("name", ASSESSMENTS)
def test_assessments_say_that_there_is_no_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, assess = ASSESSMENTS[name]
    monkeypatch.setattr(f"esoteric_drbg.conformance.{place}", too_much)
    with pytest.raises(errors.OutOfMemoryError, match="there is not enough memory for"):
        assess()


def test_threads_without_memory_are_fewer_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [Task(str(number), 1.0, int, (number,)) for number in range(5)]
    start = threading.Thread.start
    room = [2]

    def limited(thread: threading.Thread) -> None:
        if not room[0]:
            raise RuntimeError("can't start new thread")
        room[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert run_tasks(tasks, threads=4) == [0, 1, 2, 3, 4]
    with pytest.raises(errors.OutOfMemoryError, match="for a thread"):
        run_tasks(tasks, threads=4)
    # A thread that ends without a word, as one may that cannot even say so.
    monkeypatch.setattr(threading.Thread, "start", lambda _thread: None)
    with pytest.raises(errors.OutOfMemoryError, match="the threads of an assessment"):
        run_tasks(tasks, threads=2)


HUGE = 1 << 50
REQUESTS: dict[str, Callable[[], Any]] = {
    "token_bytes": lambda: esoteric_drbg.token_bytes(HUGE),
    "token_hex": lambda: esoteric_drbg.token_hex(HUGE),
    "randbytes": lambda: esoteric_drbg.SystemRandom().randbytes(HUGE),
    "RandomFile": lambda: esoteric_drbg.RandomFile().read(HUGE),
}
KERNEL_REQUESTS: dict[str, Callable[[], Any]] = {
    "HashDrbgState": lambda: kernel("HashDrbgState")().draw(HUGE),
    "DrbgState": lambda: kernel("new_drbg_state")("HMAC_DRBG", "sha256", True, 0).draw(HUGE),
    "rdseed": lambda: kernel("rdseed_bytes")(HUGE),
    "TimingSampler": lambda: kernel("TimingSampler")("clock").read_symbols(HUGE),
    "wide": lambda: kernel("TimingSampler")("clock").read_wide(HUGE),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_for_more_than_there_is(name: str) -> None:
    with pytest.raises(errors.OutOfMemoryError, match=f"for {HUGE} bytes"):
        REQUESTS[name]()
    assert len(esoteric_drbg.token_bytes(8)) == 8


@rust
@pytest.mark.parametrize("name", KERNEL_REQUESTS)
def test_a_kernel_is_asked_for_more_than_there_is(name: str) -> None:
    try:
        KERNEL_REQUESTS[name]()
    except errors.OutOfMemoryError as error:
        assert str(HUGE) in str(error)  # noqa: PT017 - where there is no such instruction, that comes first
    except errors.SourceUnavailableError:
        assert name == "rdseed"
    else:
        pytest.fail(f"{name}: {HUGE} bytes were found")
