"""Record the data of the min-entropy claims: 1,000,000 samples and a 1000 x 1000 restart matrix of each source.

    python benchmarks/record_claims.py [--out recordings] [--samples N] [--restarts N] [--no-wide] [--durations]
        [NAME ...]

Interrupted restart recordings continue where they stopped. A second sequential recording keeps the deltas at full
width. Run it on an idle machine: other load raises the figures. ESOTERIC_DRBG_KERNELS=reference records the reference
kernels.

Sources that read the kernel's counters (sysctl_counters, vmstat, interrupts, process_table) combine values that every
process can read with the time that the reading took. Their claims rest on the lower of two assessments: run this twice,
the second time with --durations, which records the durations alone, NAME.durations.bin and NAME.durations.restart.bin.

The script assesses the sequential data (non-IID track, samples and bitstring) and the restart matrix (sanity check
against the exact cutoff of the present claim, H_r, H_c). The limit printed is half of the lowest figure, rounded down.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from esoteric_drbg.conformance import assess_non_iid, assess_restart, read_samples
from esoteric_drbg.conformance.recording.recorder import record, record_restarts
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import registry
from esoteric_drbg.noise_sources.counters.counter_source import CounterSource

#: Samples of each restart.
RESTART_SAMPLES = 1000
COUNTERS = ["interrupts", "process_table", "sysctl_counters", "vmstat"]
TIMED = [
    "memory_timing",
    "cpu_jitter",
    "clock_jitter",
    "sleep_jitter",
    "disk_io",
    "dram_refresh",
    "page_fault_timing",
    "thread_lifecycle",
    "counter_beat",
]


def sequential_figures(path: Path, symbol_bits: int) -> dict[str, Any]:
    result = assess_non_iid(read_samples(path, symbol_bits))
    assert result.literal is not None
    return {
        "samples": result.samples,
        "h_original": result.h_original,
        "h_bitstring": result.h_bitstring,
        "h_assessed": result.h_assessed,
        "decided_by": result.decided_by,
        "mcv": result.literal["mcv"].min_entropy,
    }


def restart_figures(path: Path, restarts: int, claim: float) -> dict[str, Any]:
    result = assess_restart(path, claim, rows=restarts, columns=path.stat().st_size // restarts)
    names = ("h_row", "h_column", "x_row", "x_column", "row_cutoff", "column_cutoff", "sanity_passed")
    return {"restarts": restarts, **{name: getattr(result, name) for name in names}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=TIMED)
    parser.add_argument("--out", type=Path, default=Path("recordings"))
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--no-wide", action="store_true", help="leave out the recording at full width")
    parser.add_argument("--durations", action="store_true", help="counters' sources: record the durations alone")
    options = parser.parse_args()
    folder = options.out / kernel_info().name
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    figures: dict[str, Any] = {}
    for name in options.names:
        source = registry.create(name)
        command = None
        if options.durations:
            if not isinstance(source, CounterSource):
                parser.error(f"{name} reads no counters: --durations is for {', '.join(COUNTERS)}")
            source.durations_only = True
            worker = "esoteric_drbg.noise_sources.restart_worker"
            command = [sys.executable, "-m", worker, name, str(RESTART_SAMPLES), "durations"]
        label = f"{name}.durations" if options.durations else name
        matrix_path = folder / f"{label}.restart.bin"
        with Progress(console=console, transient=True) as progress:

            def shown(title: str, total: int, progress: Progress = progress) -> Callable[[int, int, str], None]:
                task = progress.add_task(title, total=total)
                return lambda done, *_: progress.update(task, completed=done)

            sequential = shown(f"{label}: sequential", options.samples)
            facts = record(source, options.samples, folder / f"{label}.bin", progress=sequential)
            if not options.no_wide:
                wide = shown(f"{label}: full width", options.samples)
                record(source, options.samples, folder / f"{label}.wide.bin", wide=True, progress=wide)
            rows_done = shown(f"{label}: restarts", options.restarts)
            record_restarts(
                name,
                matrix_path,
                restarts=options.restarts,
                samples=RESTART_SAMPLES,
                command=command,
                progress=rows_done,
            )
        sequences = {"sequential": folder / f"{label}.bin"}
        if not options.no_wide:
            sequences["sequential, full width"] = folder / f"{label}.wide.bin"
        results = {title: sequential_figures(path, source.symbol_bits) for title, path in sequences.items()}
        restarted = restart_figures(matrix_path, options.restarts, source.claim.min_entropy)
        found = [result["h_assessed"] for result in results.values()]
        found += [restarted[line] for line in ("h_row", "h_column") if restarted[line] is not None]
        lowest = min(found) if restarted["sanity_passed"] else 0.0
        figures[label] = {
            "date": facts["date"],
            "machine": facts["machine"],
            "claim": source.claim.min_entropy,
            **results,
            "restarts": restarted,
            "lowest": lowest,
            "claim_limit": math.floor(lowest * 50) / 100,
        }
        console.print(f"{label}: lowest {lowest:.4f} bits per sample, claim below {figures[label]['claim_limit']}")
    print(json.dumps(figures, indent=2, allow_nan=False))


if __name__ == "__main__":
    main()
