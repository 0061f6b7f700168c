"""Many captures on worker processes: how much faster are two than one, and is every result the same?

    python benchmarks/scale.py [--captures 200] [--samples 1000000] [--rounds 3] [--dask]

Runs with one and with two workers alternate; the best time of each counts. The captures are made in a temporary folder,
and each is assessed completely, on one thread.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from esoteric_drbg.conformance.entropy.non_iid import assess_non_iid
from esoteric_drbg.conformance.execution.batch import assess_files
from esoteric_drbg.kernels import kernel_info


def assess(path: Path) -> dict[str, Any]:
    """Assess one capture on one thread."""
    return assess_non_iid(path, 8, threads=1).as_dict()


def make_captures(folder: Path, captures: int, samples: int) -> list[Path]:
    """Write captures of different noise, from uniform to strongly biased."""
    paths = []
    for number in range(captures):
        rng = np.random.default_rng(number)
        spread = 4 + 60 * (number % 4) ** 2
        path = folder / f"capture{number:03}.bin"
        rng.normal(128, spread, samples).astype(np.int64).astype(np.uint8).tofile(path)
        paths.append(path)
    return paths


def timed(paths: list[Path], jobs: int) -> tuple[float, list[Any]]:
    """Return the seconds that `jobs` worker processes take, start-up included, and their results."""
    began = time.perf_counter()
    if jobs == 1:
        with ProcessPoolExecutor(1) as one:
            results = assess_files(assess, paths, executor=one)
    else:
        results = assess_files(assess, paths, jobs=jobs)
    return time.perf_counter() - began, list(results)


def on_dask(paths: list[Path]) -> tuple[float, list[Any]]:
    """Return the same for a dask LocalCluster of two workers; its start-up is not counted."""
    from distributed import LocalCluster

    from esoteric_drbg.conformance.execution.cluster import connected

    local = functools.partial(LocalCluster, n_workers=2, threads_per_worker=1, dashboard_address=None)
    with local(host="127.0.0.1", protocol="tcp") as cluster, connected(cluster.scheduler_address) as executor:
        began = time.perf_counter()
        results = assess_files(assess, paths, executor=executor)
        return time.perf_counter() - began, list(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dask", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_captures(Path(folder), options.captures, options.samples)
        times: dict[int, list[float]] = {1: [], 2: []}
        expected: list[Any] = []
        for _ in range(options.rounds):
            for jobs in (1, 2):
                seconds, results = timed(paths, jobs)
                times[jobs].append(seconds)
                expected = expected or results
                if results != expected:
                    raise SystemExit("results differ")
        one, two = min(times[1]), min(times[2])
        print(f"{options.captures} captures of {options.samples:,} samples, {kernel_info().name} kernels")
        print(f"one worker process {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast, the same results")
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        if options.dask:
            seconds, results = on_dask(paths)
            same = "the same results" if results == expected else "RESULTS DIFFER"
            print(f"dask LocalCluster of two workers {seconds:.1f} s: {one / seconds:.2f} times as fast, {same}")


if __name__ == "__main__":
    main()
