"""Record what the min-entropy claims rest on: per source 1,000,000 symbols and a 1000 x 1000 restart matrix.

    python benchmarks/record_claims.py [--out recordings] [--samples N] [--restarts N] [--no-wide] [NAME ...]

Interrupted restart recordings go on where they stopped. A second sequential recording keeps the deltas at full width.
Run it on an idle machine: other load raises the figures. ESOTERIC_DRBG_KERNELS=reference records the reference kernels.

The limit printed is half of the lowest figure of the subset (6.3.1 to 6.3.3), rounded down. It is an upper limit, no
recommendation: on timing data the other estimators came out lower, by a factor of 2 (memory_timing)
to 25 (clock_jitter).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from esoteric_drbg.conformance.quick_assessment import quick_assess, restart_maximum
from esoteric_drbg.conformance.recording import record, record_restarts
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import registry

TIMED = ["memory_timing", "cpu_jitter", "clock_jitter", "sleep_jitter", "disk_io"]


def assess(path: Path, symbol_bits: int) -> dict[str, Any]:
    return quick_assess(np.fromfile(path, dtype=np.uint8), symbol_bits).as_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=TIMED)
    parser.add_argument("--out", type=Path, default=Path("recordings"))
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--no-wide", action="store_true", help="leave out the recording at full width")
    options = parser.parse_args()
    folder = options.out / kernel_info().name
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    figures: dict[str, Any] = {}
    for name in options.names:
        source = registry.create(name)
        matrix_path = folder / f"{name}.restart.bin"
        with Progress(console=console, transient=True) as progress:

            def shown(label: str, total: int, progress: Progress = progress) -> Callable[[int, int], None]:
                task = progress.add_task(label, total=total)
                return lambda done, _: progress.update(task, completed=done)

            sequential = shown(f"{name}: sequential", options.samples)
            facts = record(source, options.samples, folder / f"{name}.bin", progress=sequential)
            if not options.no_wide:
                wide = shown(f"{name}: full width", options.samples)
                record(source, options.samples, folder / f"{name}.wide.bin", wide=True, progress=wide)
            rows_done = shown(f"{name}: restarts", options.restarts)
            record_restarts(name, matrix_path, restarts=options.restarts, progress=rows_done)
        rows = np.fromfile(matrix_path, dtype=np.uint8).reshape(options.restarts, -1)
        columns = folder / f"{name}.columns.bin"
        np.ascontiguousarray(rows.T).tofile(columns)
        results = {
            "sequential": assess(folder / f"{name}.bin", source.symbol_bits),
            "restart rows": assess(matrix_path, source.symbol_bits),
            "restart columns": assess(columns, source.symbol_bits),
        }
        if not options.no_wide:
            results["sequential, full width"] = assess(folder / f"{name}.wide.bin", source.symbol_bits)
        lowest = min(result["assessed"] for result in results.values())
        figures[name] = {
            "date": facts["date"],
            "machine": facts["machine"],
            **results,
            "lowest": lowest,
            "restart_x_max": restart_maximum(rows),
            "claim_limit": math.floor(lowest * 50) / 100,
        }
        console.print(f"{name}: lowest {lowest:.4f} bits per symbol, claim below {figures[name]['claim_limit']}")
    print(json.dumps(figures, indent=2, allow_nan=False))


if __name__ == "__main__":
    main()
