"""The sidecar of a recording: how it was made, on which machine, and the SHA-256 of its data."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.conformance.document_files import read_document, write_document
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import digitization
from esoteric_drbg.version import __version__

__all__ = [
    "Fact",
    "Sidecar",
    "cpu_model",
    "file_sha256",
    "machine_facts",
    "read_sidecar",
    "sidecar_of",
    "write_sidecar",
]

#: Type of a fact about a machine.
Fact = str | int | float | None


@attrs.frozen(kw_only=True)
class Sidecar:
    """The sidecar fields that an audit reads. A restart matrix has `restarts`, `jobs`, and `samples` of each."""

    source: str
    symbol_bits: int
    samples: int
    sha256: str
    machine: Mapping[str, Fact]
    symbols_per_second: float | None = None
    restarts: int | None = None
    jobs: int = 1


def sidecar_of(path: Path) -> Path:
    """Return the path of a data file's sidecar."""
    return path.with_name(path.name + ".json")


def read_sidecar(path: Path) -> Sidecar:
    """Read the sidecar of a data file.

    Raises
    ------
    InvalidInputError
        If there is none, or it is damaged; the message names file and field.
    """
    if not path.is_file() or not sidecar_of(path).is_file():
        raise InvalidInputError(f"{path}: no recording with its sidecar; record it first")
    return read_document(sidecar_of(path), Sidecar, "the sidecar of a recording")


def machine_facts() -> dict[str, Fact]:
    """Return the facts on which a recording's figures depend: CPU, kernel, clock source, kernels, counter step."""
    return {
        "cpu": cpu_model(),
        "logical_cpus": os.cpu_count(),
        "platform": platform.platform(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "kernels": kernel_info().name,
        "counter_step": counter_step(),
    }


def cpu_model() -> str:
    """Return the operating system's name of the CPU."""
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


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sidecar(source: NoiseSource, path: Path, sha256: str, size: dict[str, Any]) -> dict[str, Any]:
    """Write and return the JSON sidecar of a data file."""
    facts = {
        "source": source.name,
        "version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **size,
        "symbol_bits": source.symbol_bits,
        "digitization": digitization(source),
        "sha256": sha256,
        "machine": machine_facts(),
    }
    write_document(sidecar_of(path), facts)
    return facts
