"""The speed targets, side by side in one run: ratios, not single timings.

    python benchmarks/speed.py [--rounds N] [--processes N]

In each of several fresh processes every pair is timed in alternation, A B A B ... The script prints the median over
processes of the median ratio, with the range over processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import ssl
import statistics
import subprocess
import sys
import threading
import time
import timeit

import numpy as np

import esoteric_drbg
from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.mechanisms.ctr_drbg import CtrDRBG

#: Label, ours, theirs, calls a round, target for the ratio of their times.
PAIRS = (
    ("token_bytes(32), default profile", "token_bytes(32)", "secrets.token_bytes(32)", 20_480, "target 0.50"),
    ("token_bytes(32), sp800_90a profile", "fast(32)", "secrets.token_bytes(32)", 20_480, ""),
    ("1 MiB, sp800_90a profile, vs os.urandom", "fast(MiB)", "urandom(MiB)", 20, "target 0.20"),
    ("1 MiB, CTR_DRBG AES-256, vs ssl.RAND_bytes", "ctr(MiB)", "RAND_bytes(MiB)", 20, "target 1.25"),
    ("1 MiB, default profile, vs os.urandom", "token_bytes(MiB)", "urandom(MiB)", 20, ""),
    ("SystemRandom().random(), default profile", "random()", "theirs()", 20_000, ""),
    ("one reseed, vs os.urandom(32)", "reseed()", "urandom(32)", 200, ""),
    ("1 MiB by each of two threads, vs by one after the other", "two()", "one_by_one()", 4, "target 0.59"),
    ("10^6 normals, BitGenerator vs PCG64", "normals(ours)", "normals(pcg64)", 1, "target 2.0"),
)


def ctr_drbg() -> CtrDRBG:
    drbg = CtrDRBG(lambda bits: os.urandom(bits // 8))
    drbg.instantiate()
    return drbg


def two_threads() -> None:
    threads = [threading.Thread(target=esoteric_drbg.token_bytes, args=(1 << 20,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_by_one() -> None:
    for _ in range(2):
        thread = threading.Thread(target=esoteric_drbg.token_bytes, args=(1 << 20,))
        thread.start()
        thread.join()


def time_pairs(rounds: int) -> list[list[tuple[float, float]]]:
    """Return, for each of PAIRS, the seconds a call of ours and of theirs, timed in alternation."""
    names: dict[str, object] = {
        "token_bytes": esoteric_drbg.token_bytes,
        "fast": RBG2Instance(EntropyPool.auto(plugins=False), profile=SP800_90A).token_bytes,
        "random": esoteric_drbg.SystemRandom().random,
        "theirs": secrets.SystemRandom().random,
        "reseed": esoteric_drbg.process_instance().reseed,
        "secrets": secrets,
        "urandom": os.urandom,
        "ctr": ctr_drbg().generate_long,
        "RAND_bytes": ssl.RAND_bytes,
        "two": two_threads,
        "one_by_one": one_by_one,
        "normals": lambda generator: generator.standard_normal(1_000_000),
        "ours": np.random.Generator(esoteric_drbg.BitGenerator()),
        "pcg64": np.random.Generator(np.random.PCG64()),
        "MiB": 1 << 20,
    }
    results = []
    for _, ours, theirs, calls, _ in PAIRS:
        timers = [timeit.Timer(statement, globals=names) for statement in (ours, theirs)]
        for timer in timers:
            timer.timeit(max(calls // 10, 1))
        rows = [[timer.timeit(calls) / calls for timer in timers] for _ in range(rounds)]
        results.append([(row[0], row[1]) for row in rows])
    return results


def process_seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="timings of each pair in a process")
    parser.add_argument("--processes", type=int, default=9, help="fresh processes: memory layout differs between them")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(time_pairs(options.rounds)))
        return
    info = kernel_info()
    print(
        f"esoteric_drbg {esoteric_drbg.__version__}, Python {platform.python_version()}, "
        f"kernels: {info.name} ({info.features})"
    )
    command = [sys.executable, __file__, "--child", "--rounds", str(options.rounds)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(options.processes)
    ]
    print(f"{'':<56} {'ours':>13} {'theirs':>13}   time ours / theirs, median (lowest to highest process)")
    for index, (label, _, _, _, target) in enumerate(PAIRS):
        pairs = [pair for run in runs for pair in run[index]]
        ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        by_process = sorted(statistics.median(a / b for a, b in run[index]) for run in runs)
        spread = f"x{statistics.median(by_process):.2f} ({by_process[0]:.2f} to {by_process[-1]:.2f})"
        print(f"{label:<56} {ours * 1e6:>10.3f} us {theirs * 1e6:>10.3f} us   {spread}  {target}")
    token = "import esoteric_drbg; print(esoteric_drbg.token_bytes(32).hex())"
    differences = sorted(process_seconds(token) - process_seconds("pass") for _ in range(15))
    middle = statistics.median(differences)
    print(
        f"a whole process that prints one token, above 'python -c pass': {1e3 * middle:.1f} ms "
        f"({1e3 * differences[0]:.1f} to {1e3 * differences[-1]:.1f})  target 100"
    )


if __name__ == "__main__":
    main()
