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
import timeit

import esoteric_drbg
from esoteric_drbg import SP800_90A, EntropyPool, RBG2Instance
from esoteric_drbg.kernels import kernel_info


def compare(
    label: str, ours: str, theirs: str, names: dict[str, object], *, calls: int, rounds: int, target: str
) -> None:
    """Print ours, theirs and the ratio of one pair of statements; ``ours`` over ``theirs`` in time."""
    timers = [timeit.Timer(statement, globals=names) for statement in (ours, theirs)]
    for timer in timers:
        timer.timeit(max(calls // 10, 1))
    pairs = [tuple(timer.timeit(calls) / calls for timer in timers) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    a, b = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    middle = statistics.median(ratios)
    spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"{label:<48} {a * 1e6:>10.3f} us {b * 1e6:>10.3f} us   x{middle:.2f} {spread}  {target}")


def process_seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    info = kernel_info()
    print(
        f"esoteric_drbg {esoteric_drbg.__version__}, Python {platform.python_version()}, "
        f"kernels: {info.name} ({info.features})"
    )
    fast = RBG2Instance(EntropyPool.auto(plugins=False), profile=SP800_90A)
    names: dict[str, object] = {
        "token_bytes": esoteric_drbg.token_bytes,
        "fast": fast.token_bytes,
        "random": esoteric_drbg.SystemRandom().random,
        "theirs": secrets.SystemRandom().random,
        "reseed": esoteric_drbg.process_instance().reseed,
        "secrets": secrets,
        "urandom": os.urandom,
        "MiB": 1 << 20,
    }
    print(f"{'':<48} {'ours':>13} {'theirs':>13}   time ours / theirs (range)")
    for label, ours, theirs, calls, target in (
        ("token_bytes(32), default profile", "token_bytes(32)", "secrets.token_bytes(32)", 20_480, "target 0.60"),
        ("token_bytes(32), sp800_90a profile", "fast(32)", "secrets.token_bytes(32)", 20_480, ""),
        ("1 MiB, sp800_90a profile, vs os.urandom", "fast(MiB)", "urandom(MiB)", 20, "target 0.40"),
        ("1 MiB, default profile, vs os.urandom", "token_bytes(MiB)", "urandom(MiB)", 20, ""),
        ("SystemRandom().random(), default profile", "random()", "theirs()", 20_000, ""),
        ("one reseed, vs os.urandom(32)", "reseed()", "urandom(32)", 200, ""),
    ):
        compare(label, ours, theirs, names, calls=calls, rounds=rounds, target=target)
    token = "import esoteric_drbg; print(esoteric_drbg.token_bytes(32).hex())"
    differences = sorted(process_seconds(token) - process_seconds("pass") for _ in range(rounds))
    middle = statistics.median(differences)
    print(
        f"a whole process that prints one token, above 'python -c pass': {1e3 * middle:.1f} ms "
        f"({1e3 * differences[0]:.1f} to {1e3 * differences[-1]:.1f})  target 100"
    )


if __name__ == "__main__":
    main()
