"""How long the IID tests take: with early stop, and all permutations beside the time that bzip2 alone would need.

    python benchmarks/iid.py [--seeds N] [--permutations N] [--peer 'COMMAND {file} {bits}'] [FILE:BITS ...]

SP 800-90B 5.1.11 compresses the text of every permutation with bzip2. A tool that calls libbz2 for it needs at least
the time that libbz2 takes, so that time divided by ours is a lower bound of the speed-up of our whole permutation
tests; the two alternate, on all processors. A peer's command runs in alternation with `esoteric-drbg assess iid`.
"""

from __future__ import annotations

import argparse
import bz2
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from esoteric_drbg.conformance.iid.assessment import assess_iid
from esoteric_drbg.conformance.iid.permutation import PERMUTATIONS
from esoteric_drbg.conformance.recording.recorder import machine_facts
from esoteric_drbg.conformance.samples.files import read_samples
from esoteric_drbg.kernels.iid import iid_permutation, iid_permutations, iid_statistics

SAMPLES = 1_000_000
LEVEL = 5
PROCESSORS = os.cpu_count() or 1


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def early_stop(path: Path, bits: int, seeds: int) -> None:
    for seed in range(1, seeds + 1):
        began = time.perf_counter()
        result = assess_iid(path, bits, seed=seed)
        seconds = time.perf_counter() - began
        print(
            f"{path.name:<20} seed {seed}: {seconds:6.2f} s, "
            f"{result.permutations} permutations, {result.compressions} compressions"
        )


def whole(path: Path, bits: int, permutations: int) -> None:
    """Time permutations of all statistics, and libbz2 on the texts of others; print the time of 10,000."""
    symbols = read_samples(path, bits).symbols.tobytes()
    original = iid_statistics(symbols)
    texts = [" ".join(map(str, iid_permutation(symbols, 1, index))).encode() for index in range(PROCESSORS)]
    share = max(1, permutations // (4 * PROCESSORS))
    ours, theirs = [], []
    with ThreadPoolExecutor(PROCESSORS) as pool:
        for part in range(4):
            spans = [((part * PROCESSORS + worker) * share, share) for worker in range(PROCESSORS)]
            ours.append(
                timed(lambda: list(pool.map(lambda span: iid_permutations(symbols, original, 1, span), spans)))  # noqa: B023
                / (share * PROCESSORS)
            )
            theirs.append(timed(lambda: list(pool.map(lambda text: bz2.compress(text, LEVEL), texts))) / PROCESSORS)
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(
        f"{path.name:<20} all statistics of a permutation {1e3 * a:5.1f} ms, "
        f"of {PERMUTATIONS:,} {a * PERMUTATIONS / 60:4.1f} min; "
        f"libbz2 alone {1e3 * b:5.1f} ms; ratio {ratio:.1f}"
    )


def beside(path: Path, bits: int, peer: str, rounds: int) -> None:
    """Print the time of our command and, in alternation, of a peer's."""
    ours = [sys.executable, "-m", "esoteric_drbg", "assess", "iid", str(path), str(bits)]
    theirs = shlex.split(peer.format(file=shlex.quote(str(path)), bits=bits))

    def run(command: list[str]) -> None:
        # 1: a test failed, which some permutations of good data do
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode > 1:
            raise SystemExit(f"{shlex.join(command)} failed")

    pairs = [(timed(lambda: run(ours)), timed(lambda: run(theirs))) for _ in range(rounds)]
    ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in pairs)
    medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
    print(f"{path.name:<20} command {medians[0]:6.2f} s   peer {medians[1]:6.2f} s   ratio {ratio:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE:BITS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--permutations", type=int, default=160)
    parser.add_argument("--peer", help="a command with {file} and {bits}")
    arguments = parser.parse_args()
    facts = machine_facts()
    print(f"{facts['cpu']}, {facts['logical_cpus']} CPUs, Python {facts['python']}, kernels: {facts['kernels']}")
    with tempfile.TemporaryDirectory() as folder:
        data: list[tuple[Path, int]] = []
        for file in arguments.files:
            name, _, bits_text = file.rpartition(":")
            data.append((Path(name), int(bits_text)))
        for bits in (8, 1) if not data else ():
            path = Path(folder, f"uniform, {bits} bit")
            np.random.default_rng(20261125).integers(0, 2**bits, SAMPLES).astype(np.uint8).tofile(path)
            data.append((path, bits))
        for path, bits in data:
            early_stop(path, bits, arguments.seeds)
        for path, bits in data:
            whole(path, bits, arguments.permutations)
            if arguments.peer is not None:
                beside(path, bits, arguments.peer, arguments.seeds)


if __name__ == "__main__":
    main()
