"""How long assessments take: easy and hard inputs, vector levels, the whole command, and a peer's command beside it.

    python benchmarks/assessment.py [--rounds N] [--peer 'COMMAND {file} {bits}'] [FILE[:BITS] ...]

Data sets are made here from fixed seeds; files named on the command line are measured as well. A peer's command runs in
alternation with ours, `esoteric-drbg assess non-iid`, and the ratio is the median of their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.recording.recorder import machine_facts
from esoteric_drbg.conformance.samples.sample_set import SampleSet

SAMPLES = 1_000_000


def data_sets() -> dict[str, tuple[np.ndarray[Any, np.dtype[np.uint8]], int]]:
    """Return arrays and their bits per sample, by name."""
    rng = np.random.default_rng(20261123)
    uniform: np.ndarray[Any, np.dtype[Any]] = rng.integers(0, 256, SAMPLES)
    outlier = np.zeros(SAMPLES, dtype=np.int64)
    outlier[SAMPLES // 3] = 255
    repeat = uniform.copy()
    repeat[SAMPLES // 2 :] = repeat[: SAMPLES // 2]
    found: dict[str, tuple[np.ndarray[Any, np.dtype[Any]], int]] = {
        "uniform, 8 bits": (uniform, 8),
        "uniform, 1 bit": (rng.integers(0, 2, SAMPLES), 1),
        "uniform, 4 bits": (rng.integers(0, 16, SAMPLES), 4),
        "bytes of bits that are 1 with 0.9": (np.packbits(rng.random(8 * SAMPLES) < 0.9), 8),
        "normal, sigma 20": (np.clip(np.rint(rng.normal(128, 20, SAMPLES)), 0, 255), 8),
        "second half repeats the first": (repeat, 8),
        "period of 1000": (np.resize(rng.integers(0, 256, 1000), SAMPLES), 8),
        "constant with one outlier": (outlier, 8),
    }
    return {name: (array.astype(np.uint8), bits) for name, (array, bits) in found.items()}


def in_process(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of assess_non_iid with two threads, for each data set."""
    return {name: [_seconds(array, bits, 2) for _ in range(rounds)] for name, (array, bits) in data_sets().items()}


def _seconds(array: np.ndarray[Any, np.dtype[np.uint8]], bits: int, threads: int) -> float:
    began = time.perf_counter()
    assess_non_iid(SampleSet.from_symbols(array, bits), threads=threads)
    return time.perf_counter() - began


def measured_elsewhere(rounds: int, **environment: str) -> dict[str, list[float]]:
    """Return what :func:`in_process` measures in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--json", f"--rounds={rounds}"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    result: dict[str, list[float]] = json.loads(done.stdout)
    return result


#: Largest resident size of any of our commands, in KiB.
peaks: list[int] = []


def command_seconds(command: list[str], *, ours: bool = True) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    if ours:
        peaks.append(usage.ru_maxrss)
    return time.perf_counter() - began


def compare(path: Path, bits: int, rounds: int, peer: str | None) -> str:
    """Return one line: our command's time and, in alternation, the peer's."""
    ours = [sys.executable, "-m", "esoteric_drbg", "assess", "non-iid", str(path), str(bits), "--jobs", "2"]
    if peer is None:
        times = [command_seconds(ours) for _ in range(rounds)]
        return f"{path.name:<34} {1e3 * statistics.median(times):8.0f} ms"
    theirs = shlex.split(peer.format(file=shlex.quote(str(path)), bits=bits))
    pairs = [(command_seconds(ours), command_seconds(theirs, ours=False)) for _ in range(rounds)]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return f"{path.name:<34} {1e3 * ours_s:8.0f} ms   peer {1e3 * theirs_s:8.0f} ms   ratio {ratio:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE[:BITS]")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer", help="a command with {file} and {bits}")
    parser.add_argument("--json", action="store_true", help="only the in-process times")
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps(in_process(arguments.rounds)))
        return
    facts = machine_facts()
    print(f"{facts['cpu']}, {facts['logical_cpus']} CPUs, Python {facts['python']}, kernels: {facts['kernels']}")
    print(f"\nassess_non_iid in process, {SAMPLES:,} samples, all bits, two threads: first call, median")
    levels = {level: measured_elsewhere(arguments.rounds, ESOTERIC_DRBG_SIMD=level) for level in ("avx512", "portable")}
    for name in levels["avx512"]:
        best, portable = (levels[level][name] for level in levels)
        print(
            f"{name:<34} {1e3 * best[0]:6.0f} {1e3 * statistics.median(best):6.0f} ms"
            f"   portable {1e3 * portable[0]:6.0f} {1e3 * statistics.median(portable):6.0f} ms"
        )
    print("\nthe whole command, interpreter's start included")
    with tempfile.TemporaryDirectory() as folder:
        for name, (array, bits) in data_sets().items():
            path = Path(folder, name)
            array.tofile(path)
            print(compare(path, bits, arguments.rounds, arguments.peer))
    for file in arguments.files:
        name, _, bits_text = file.partition(":")
        print(compare(Path(name), int(bits_text or 8), arguments.rounds, arguments.peer))
    print(f"\nlargest memory of a command: {max(peaks) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
