"""The speed targets, side by side in one run: ratios, not single timings.

    python benchmarks/speed.py [--rounds N]

Every pair is timed in alternation, A B A B ..., and the median of the ratios pair by pair is printed with its range.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import esoteric_drbg
from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance
from esoteric_drbg.kernels import kernel_info

Timed = Callable[[], object]


def seconds_per_call(function: Timed, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls


def compare(label: str, ours: Timed, theirs: Timed, calls: int, rounds: int, target: str) -> None:
    """Print ours, theirs and the ratio of one pair; ``ours`` over ``theirs`` in time."""
    ours()
    theirs()
    pairs = [(seconds_per_call(ours, calls), seconds_per_call(theirs, calls)) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    a, b = statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
    middle = statistics.median(ratios)
    print(f"{label:<58} {a * 1e6:>10.3f} us {b * 1e6:>10.3f} us   x{middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})  {target}")


def process_seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    info = kernel_info()
    print(f"esoteric_drbg {esoteric_drbg.__version__}, kernels: {info.name} ({info.features}), Python {platform.python_version()}")
    token_bytes = esoteric_drbg.token_bytes
    fast = RBG2Instance(EntropyPool.auto(plugins=False), profile=SP800_90A)
    bulk = fast.token_bytes
    mebibyte = 1 << 20
    print(f"{'':<58} {'ours':>13} {'theirs':>13}   time ours / theirs (range)")
    compare("token_bytes(32), default profile, vs secrets", lambda: token_bytes(32), lambda: secrets.token_bytes(32), 20_480, rounds, "target 0.60")
    compare("token_bytes(32), sp800_90a profile, vs secrets", lambda: bulk(32), lambda: secrets.token_bytes(32), 20_480, rounds, "")
    compare("1 MiB, sp800_90a profile, vs os.urandom", lambda: bulk(mebibyte), lambda: os.urandom(mebibyte), 20, rounds, "target 0.40")
    compare("1 MiB, default profile, vs os.urandom", lambda: token_bytes(mebibyte), lambda: os.urandom(mebibyte), 20, rounds, "")
    compare("SystemRandom().random(), default profile", esoteric_drbg.SystemRandom().random, secrets.SystemRandom().random, 20_000, rounds, "")
    compare("one reseed, vs os.urandom(32)", esoteric_drbg.process_instance().reseed, lambda: os.urandom(32), 200, rounds, "")
    token = "import esoteric_drbg; print(esoteric_drbg.token_bytes(32).hex())"
    differences = sorted(process_seconds(token) - process_seconds("pass") for _ in range(rounds))
    middle = statistics.median(differences)
    print(
        f"a whole process that prints one token, above 'python -c pass': {1e3 * middle:.1f} ms "
        f"({1e3 * differences[0]:.1f} to {1e3 * differences[-1]:.1f})  target 100"
    )


if __name__ == "__main__":
    main()
