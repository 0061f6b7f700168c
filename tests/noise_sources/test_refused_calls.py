"""A sandbox that refuses a system call, or answers it without doing anything: the source says so, and is no noise."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from esoteric_drbg.kernels import kernel_info

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"),
    reason="the filter is written for Linux on x86-64",
)

#: ``refuse(error, numbers...)`` makes these system calls return an error, or 0 and nothing done.
FILTER = """
import ctypes, errno, struct, sys
from esoteric_drbg import EntropyPool, errors
from esoteric_drbg.noise_sources import registry

def refuse(error, *numbers):
    ld, jeq, ret = 0x20, 0x15, 0x06
    code = [(ld, 0, 0, 0)]  # the number of the call
    for index, number in enumerate(numbers):
        code.append((jeq, len(numbers) - index, 0, number))
    code += [(ret, 0, 0, 0x7FFF0000), (ret, 0, 0, 0x00050000 | error)]  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    given = Program(len(code), ctypes.cast(program, ctypes.c_void_p))
    if libc.prctl(22, 2, ctypes.byref(given), 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        print("no filter:", ctypes.get_errno())
        sys.exit()

def read(name, n=300):
    try:
        source.read_raw(n)
    except errors.SourceReadError as error:
        print("refused:", error)
    else:
        print("delivered")
"""

#: Numbers of the calls on x86-64.
CLOCK, SLEEP, ADVICE, OPEN, READ_AT, READ, CLONE = "228", "230, 35", "28", "257, 2", "295, 327", "0", "56, 435"


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FILTER + code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("no filter"):
        pytest.skip(f"this kernel takes no seccomp filter: {done.stdout}")
    return done.stdout


@pytest.mark.parametrize(
    ("name", "calls", "error", "told"),
    [
        ("clock_jitter", CLOCK, "errno.EPERM", "Operation not permitted"),
        ("clock_jitter", CLOCK, "0", "the clock could not be read (clock_gettime)"),
        ("sleep_jitter", SLEEP, "errno.EPERM", "Operation not permitted"),
        ("sleep_jitter", SLEEP, "0", "the thread did not sleep"),
        ("page_fault_timing", ADVICE, "errno.EPERM", "Operation not permitted"),
        ("page_fault_timing", ADVICE, "0", "the kernel kept what it was told to drop"),
        ("thread_lifecycle", CLONE, "errno.EPERM", "no thread could be made"),
        ("process_table", OPEN, "errno.EPERM", "Operation not permitted"),
        ("process_table", READ, "0", "is empty"),
        ("sysctl_counters", OPEN, "errno.EPERM", "no file of counters can be read any more"),
        ("sysctl_counters", READ, "0", "no file of counters can be read any more"),
        ("vmstat", READ, "0", "is empty"),
        ("interrupts", READ, "0", "is empty"),
        ("disk_io", READ_AT, "errno.EPERM", "Operation not permitted"),
        ("disk_io", READ_AT, "0", "0 of 4096 bytes came"),
    ],
)
def test_a_refused_call_fails_the_read(name: str, calls: str, error: str, told: str) -> None:
    if name == "clock_jitter" and kernel_info().name == "reference":
        pytest.skip("Python asks a page of its own for the time")
    output = run(
        f"source = registry.create({name!r})\n"
        "available, reason = source.availability()\n"
        "if not available: print('unavailable:', reason); sys.exit()\n"
        "source.read_raw(300)\n"
        f"refuse({error}, {calls})\n"
        f"read({name!r})\n"
    )
    if output.startswith("unavailable:"):
        pytest.skip(f"{name}: {output}")
    assert output.startswith("refused:"), output
    assert told in output


@pytest.mark.skipif(kernel_info().name != "rust", reason="Python asks a page of its own for the time")
def test_a_pool_drops_a_source_whose_call_is_refused() -> None:
    output = run(
        "source = registry.create('clock_jitter')\n"
        "pool = EntropyPool([source])\n"
        "pool.get_entropy(64)\n"
        f"refuse(errno.EPERM, {CLOCK})\n"
        "for _ in range(3):\n"
        "    try: pool.get_entropy(64); print('credited')\n"
        "    except errors.EntropyUnavailableError as error: print(error)\n"
        "print(pool.health_report()['sources'][0]['state'])\n"
    )
    assert "credited\n" not in output
    assert "the clock could not be read (clock_gettime): Operation not permitted" in output
    assert output.endswith("RETIRED\n")
