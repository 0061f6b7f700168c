"""Recording raw data: sequential data sets and restart matrices (SP 800-90B 3.1.1, 3.1.4).

Both read through :meth:`NoiseSource.read_raw`, the very call that seeding uses, before any health test. A file appears
under its name only when it is complete; an interrupted restart recording goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esoteric_drbg.errors import InvalidInputError, SourceReadError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.version import __version__

__all__ = ["machine_facts", "record", "record_restarts"]

#: Symbols read at a time: about what a seed reads, so that recordings see the same interruptions.
CHUNK_SAMPLES = 1000
#: Seconds after which a restart's process is given up.
RESTART_TIMEOUT_S = 120.0

Progress = Callable[[int, int], None]


def machine_facts() -> dict[str, Any]:
    """Return what the figures of a recording depend on: CPU, kernel, clock source, kernels, counter step."""
    return {
        "cpu": _cpu_model(),
        "logical_cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "kernels": kernel_info().name,
        "counter_step": counter_step(),
    }


def _cpu_model() -> str:
    facts: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        facts[key.strip()] = value.strip()
    model = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts:
        model += f" (family {facts['cpu family']}, model {facts.get('model', '?')})"
    return model


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def record(source: NoiseSource, n_samples: int, path: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Record ``n_samples`` consecutive raw symbols, one a byte, with a JSON sidecar.

    Parameters
    ----------
    source : NoiseSource
        The source to read.
    n_samples : int
        How many symbols, 1 or more.
    path : Path
        The data file; the sidecar is ``path`` + ``.json``.
    progress : callable, optional
        ``progress(done, total)``, in symbols.

    Returns
    -------
    dict
        The sidecar's content.

    Raises
    ------
    InvalidInputError, SourceError, OSError
        On bad input, a failed read, or a path that cannot be written. No file is left half-written.
    """
    if n_samples < 1:
        raise InvalidInputError(f"n_samples={n_samples}: record at least 1 symbol")
    digest = hashlib.sha256()
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            for done in range(0, n_samples, CHUNK_SAMPLES):
                symbols = source.read_exactly(min(CHUNK_SAMPLES, n_samples - done))
                file.write(symbols)
                digest.update(symbols)
                if progress is not None:
                    progress(min(done + CHUNK_SAMPLES, n_samples), n_samples)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return _sidecar(source, path, digest.hexdigest(), {"samples": n_samples})


def record_restarts(
    name: str, path: Path, *, restarts: int = 1000, samples: int = 1000, progress: Progress | None = None
) -> dict[str, Any]:
    """Record a restart matrix: ``restarts`` rows of ``samples`` symbols, each row from a fresh process.

    Rows are appended to ``path`` + ``.partial``; a recording that was interrupted goes on after its last whole row.

    Returns
    -------
    dict
        The sidecar's content.
    """
    if restarts < 1 or samples < 1:
        raise InvalidInputError(f"restarts={restarts}, samples={samples}: expected 1 or more of each")
    source = registry.create(name)
    source.require_available()
    partial = path.with_name(path.name + ".partial")
    with partial.open("ab") as file:
        rows = file.tell() // samples
        file.truncate(rows * samples)
        for row in range(rows, restarts):
            file.write(_restart(name, samples))
            file.flush()
            if progress is not None:
                progress(row + 1, restarts)
    partial.replace(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _sidecar(source, path, digest, {"restarts": restarts, "samples": samples})


def _restart(name: str, samples: int) -> bytes:
    """Read one row in a process of its own."""
    command = [sys.executable, "-m", "esoteric_drbg.conformance.restart_worker", name, str(samples)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=RESTART_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise SourceReadError(f"{name}: a restart did not end within {RESTART_TIMEOUT_S:g} s") from None
    if done.returncode or len(done.stdout) != samples:
        message = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SourceReadError(f"{name}: a restart failed: {message[-1] if message else 'no message'}")
    return done.stdout


def _sidecar(source: NoiseSource, path: Path, sha256: str, size: dict[str, int]) -> dict[str, Any]:
    """Write and return the JSON sidecar of a data file."""
    facts = {
        "source": source.name,
        "version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **size,
        "symbol_bits": source.symbol_bits,
        "digitization": " ".join((type(source).__doc__ or "").split("\n\n")[0].split()),
        "sha256": sha256,
        "machine": machine_facts(),
    }
    sidecar = path.with_name(path.name + ".json")
    partial = sidecar.with_name(sidecar.name + ".partial")
    partial.write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(sidecar)
    return facts
