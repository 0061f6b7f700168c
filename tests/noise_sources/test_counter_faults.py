"""Counters that time nothing: trapped, stepping, stuck, running backwards. No token rests on one of them."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import CounterFacts
from esoteric_drbg.noise_sources import timer

HERE = Path(__file__).parent
GOOD = CounterFacts("tsc", 26.0, 2.6, 20.0, 18_432, 0, True)

#: A token, what it was credited with, and what all ten estimators find in the symbols that the gate looked at last.
TOKEN = """
try:
    esoteric_drbg.token_bytes(32)
except esoteric_drbg.errors.EntropyUnavailableError as error:
    print("refused:", error)
else:
    entry = esoteric_drbg.process_instance().pool.last_ledger.entries[0]
    assessed = assess_non_iid(looked_at[-1], 8, threads=1).h_assessed
    print("credited:", entry.source, entry.min_entropy, entry.basis, assessed, len(looked_at[-1]))
"""

IMPORTS = """
import ctypes, sys, time
import numpy
import esoteric_drbg
from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.noise_sources import lowest_estimate, registry
looked_at, estimate = [], lowest_estimate.lowest_estimate
def look(symbols, symbol_bits=8):
    looked_at.append(symbols)
    return estimate(symbols, symbol_bits)
lowest_estimate.lowest_estimate = look
"""


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return Python code that loads ``trap(mode, step_ns, slow_ns)``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not (sys.platform == "linux" and platform.machine() == "x86_64"):
        pytest.skip("the counter is trapped on Linux and x86-64 only")
    if compiler is None:
        pytest.skip("no C compiler: Debian's gcc builds the handler that emulates the counter")
    library = tmp_path_factory.mktemp("trap") / "libtrap.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "counter_trap.c")], check=True)
    return (
        f"library = ctypes.CDLL({str(library)!r})\n"
        "library.trap_counter.argtypes = [ctypes.c_int, ctypes.c_double, ctypes.c_double]\n"
        "def trap(mode, step_ns=0.0, slow_ns=0.0):\n"
        "    assert library.trap_counter(mode, step_ns, slow_ns) == 0\n"
    )


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_earned(output: str) -> bool:
    """Return whether a token was refused, or credited with at most half of what an assessment of its symbols finds."""
    if output.startswith("refused:"):
        return True
    _, _, bits, basis, assessed, _ = output.split()
    return basis == "gate" and 0 < float(bits) <= float(assessed) / 2


@pytest.mark.parametrize("step_us", [1, 10, 100])
def test_a_trapped_counter_that_steps_gives_no_token(step_us: int, trap: str) -> None:
    output = run(IMPORTS + trap + f"trap(0, {step_us}e3)\n" + TOKEN)
    assert output.startswith("refused:")
    assert "memory_timing: the counter is " in output
    assert "the counter is coarse: it moves by" in output


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("1", "the counter is stuck: it did not move in"),
        ("2", "the counter runs backwards: "),
        ("0, 0.0, 10e3", "the counter is trapped: one read takes "),
    ],
)
def test_a_counter_that_times_nothing_is_named(arguments: str, fault: str, trap: str) -> None:
    if kernel_info().name == "reference" and arguments != "0, 0.0, 10e3":
        pytest.skip("the operating system's clock corrects its counter")
    output = run(IMPORTS + trap + f"trap({arguments})\n" + TOKEN)
    assert output.startswith("refused:")
    assert f"memory_timing: {fault}" in output
    assert f"sleep_jitter: {fault}" in output


@pytest.mark.skipif(kernel_info().name != "rust", reason="the reference kernels are given a slow clock below")
@pytest.mark.parametrize("step_us", [0.1, 0.4, 1, 10, 100])
def test_what_the_timer_test_lets_through_meets_the_gate(step_us: float, trap: str) -> None:
    limits = "from esoteric_drbg.noise_sources import timer\ntimer.TRAPPED_NS = timer.COARSEST_NS = 1e12\n"
    output = run(IMPORTS + trap + limits + f"trap(0, {step_us}e3)\n" + TOKEN)
    assert is_earned(output), output


@pytest.mark.parametrize("step_ns", [pytest.param(300, marks=pytest.mark.slow), 1_000, 10_000, 100_000, 1_000_000])
def test_reference_kernels_with_a_coarse_clock(step_ns: int) -> None:
    patched = f"real = time.perf_counter_ns\ntime.perf_counter_ns = lambda: real() // {step_ns} * {step_ns}\n"
    switch = "import os; os.environ['ESOTERIC_DRBG_KERNELS'] = 'reference'\n"
    output = run(switch + "import time\n" + patched + IMPORTS + TOKEN)
    assert is_earned(output), output
    if step_ns >= 1000:
        assert f"the counter is coarse: it moves by {step_ns / 1000:g} us at a time" in output


@pytest.mark.parametrize(
    ("passes", "fails", "fault"),
    [
        (GOOD._replace(read_ns=2000.0), GOOD._replace(read_ns=2000.1), "the counter is trapped: one read takes 2.0 us"),
        (GOOD._replace(step=1300.0), GOOD._replace(step=1301.0), "the counter is coarse: it moves by 0.5004 us"),
        (GOOD._replace(backwards=18), GOOD._replace(backwards=19), "the counter runs backwards: 19 of 18,432 reads"),
        (GOOD, GOOD._replace(moved=False), "the counter is stuck: it did not move in 18,432 reads"),
    ],
)
def test_limits_of_the_timer_test(passes: CounterFacts, fails: CounterFacts, fault: str) -> None:
    assert timer.fault_of(passes) == ""
    assert timer.fault_of(fails).startswith(fault)


def test_several_faults_are_all_named() -> None:
    fault = timer.fault_of(GOOD._replace(read_ns=12_300.0, step=26_000.0))
    assert fault == "the counter is trapped: one read takes 12.3 us; the counter is coarse: it moves by 10 us at a time"


def test_this_machine_has_a_counter() -> None:
    assert timer.timer_fault() == ""
