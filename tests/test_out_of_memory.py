"""Where memory runs out: every kernel is right or raises OutOfMemoryError, and nothing ends the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from esoteric_drbg.kernels import kernel_info

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
