"""The rates of all sources: what was once promised, and what this machine gives.

    python benchmarks/source_rates.py [--samples N] [--seconds S] [NAME ...]

For each source, the table shows the rate promised in the catalogue from which this project started (bits per second),
measured raw samples per second, the min-entropy that the non-IID track of SP 800-90B assesses on the samples just read,
the credit in force, and credited bits per second. Slow sources are read for about S seconds; fewer samples give lower
bounds, and the table shows their number. Sensors and network sources take part once they are allowed
(ESOTERIC_DRBG_SENSORS, ...). Run it on an idle machine: other load raises the figures.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console

from esoteric_drbg.conformance import assess_non_iid
from esoteric_drbg.errors import EsotericDRBGError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import NoiseSource, registry

#: Bits per second that the original catalogue estimated, if it did.
PROMISED = {
    "clock_jitter": 500,
    "memory_timing": 1_500,
    "disk_io": 800,
    "sleep_jitter": 200,
    "process_table": 400,
    "sysctl_counters": 5_000,
}
#: Fewer samples than this are not assessed.
FEWEST = 5_000


def row(source: NoiseSource, samples: int, seconds: float) -> str:
    promised = f"{PROMISED[source.name]:,}" if source.name in PROMISED else ""
    available, reason = source.availability()
    if not available:
        return f"| {source.name} | {promised} | not here: {reason} | | | | |"
    try:
        source.read_exactly(100)
        wanted = max(100, min(samples, int(source.estimated_rate * seconds)))
        began = time.perf_counter()
        symbols = source.read_exactly(wanted)
        rate = wanted / (time.perf_counter() - began)
    except EsotericDRBGError as error:
        return f"| {source.name} | {promised} | failed: {error} | | | | |"
    assessed = ""
    if len(symbols) >= FEWEST:
        result = assess_non_iid(symbols, source.symbol_bits)
        assessed = f"{result.h_assessed:.3f}"
    credit = source.claim.credit
    return (
        f"| {source.name} | {promised} | {rate:,.0f} | {len(symbols):,} | {assessed} | {credit:g} "
        f"| {rate * credit:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="all sources without")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="most seconds of reading a source")
    options = parser.parse_args()
    sources = [registry.create(name) for name in options.names] if options.names else registry.installed()
    console = Console(stderr=True)
    print(f"Kernels: {kernel_info().name}.\n")
    print("| source | promised b/s | raw samples/s | samples read | assessed bits/sample | credit | credited b/s |")
    print("|---|---|---|---|---|---|---|")
    for source in sources:
        with console.status(source.name):
            line = row(source, options.samples, options.seconds)
        print(line, flush=True)


if __name__ == "__main__":
    main()
