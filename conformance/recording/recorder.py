"""Recording raw data: sequential data sets and restart matrices (SP 800-90B 3.1.1, 3.1.4).

Both read through :meth:`NoiseSource.read_raw`, the very call that seeding uses, and take over what it returns as
seeding does (:mod:`esoteric_drbg.noise_sources.intake`), before any health test. A file appears under its name only
when it is complete; an interrupted restart recording goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from esoteric_drbg.atomic_write import place, read_own, resumable, write_file
from esoteric_drbg.errors import InvalidInputError, SourceReadError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.kernels.timing import counter_step
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.noise_sources.guard import GuardedSource, digitization, guarded, has_wide_values
from esoteric_drbg.noise_sources.intake import LONGEST_WAIT_S, Fault, checked_samples, raise_fault
from esoteric_drbg.noise_sources.restart_worker import WORD
from esoteric_drbg.progress import Progress, silent
from esoteric_drbg.version import __version__

__all__ = ["file_sha256", "has_wide_values", "machine_facts", "record", "record_restarts", "restart_seconds"]

#: Symbols read at a time: about what a seed reads, so that recordings see the same interruptions.
CHUNK_SAMPLES = 1000
#: Seconds after which a restart's process is given up, beside 20 times what its symbols should take.
RESTART_TIMEOUT_S = 120.0
#: The same for a read of a source that cannot bound it by itself, or is foreign.
READ_TIMEOUT_S = 60.0


def machine_facts() -> dict[str, Any]:
    """Return what the figures of a recording depend on: CPU, kernel, clock source, kernels, counter step."""
    return {
        "cpu": _cpu_model(),
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


def record(
    source: NoiseSource,
    n_samples: int,
    path: Path,
    *,
    wide: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Record ``n_samples`` raw symbols, one a byte, with a JSON sidecar.

    Parameters
    ----------
    source : NoiseSource
        The source to read.
    n_samples : int
        How many symbols, 1 or more.
    path : Path
        The data file; the sidecar is ``path`` + ``.json``.
    wide : bool
        Keep the raw values at full width too, as little-endian 64-bit integers in ``path`` + ``.u64``. Then the symbols
        are the source's digitization of these very values.
    resume : bool
        Keep what an interrupted recording has read, and go on from there the next time. The symbols are then
        consecutive within segments of 1,000 or more, which SP 800-90B 3.1.1 allows; the sidecar lists their lengths.
    progress : callable, optional
        ``progress(done, total, "")``, in symbols.

    Returns
    -------
    dict
        The sidecar's content.

    Raises
    ------
    InvalidInputError, SourceError, OSError
        On bad input, a failed read, or a path that cannot be written. No file is left half-written under its name.

    Examples
    --------
    >>> import tempfile
    >>> from esoteric_drbg import noise_sources
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     facts = record(noise_sources.create("memory_timing"), 2000, Path(folder, "memory.bin"), wide=True)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['memory.bin', 'memory.bin.json', 'memory.bin.u64']
    >>> facts["samples"]
    2000
    """
    if n_samples < 1:
        raise InvalidInputError(f"n_samples={n_samples}: record at least 1 symbol")
    report = progress or silent
    source = guarded(source)
    source.require_available()
    endings = {"": 1, ".u64": 8} if wide else {"": 1}
    partials = {ending: path.with_name(f"{path.name}{ending}.partial") for ending in endings}
    plan = path.with_name(f"{path.name}.partial.json")
    begins = _begin(partials, endings, plan, source, n_samples, resume=resume)
    read = _read_wide if wide else _read_symbols
    began, reading = datetime.now(UTC), 0.0
    with contextlib.ExitStack() as stack:
        files = {ending: stack.enter_context(resumable(partial)) for ending, partial in partials.items()}
        try:
            for done in range(begins[-1], n_samples, CHUNK_SAMPLES):
                before = time.perf_counter()
                chunk = read(source, min(CHUNK_SAMPLES, n_samples - done))
                reading += time.perf_counter() - before
                for ending, data in chunk.items():
                    files[ending].write(data)
                report(min(done + CHUNK_SAMPLES, n_samples), n_samples, "")
        except BaseException:
            if not resume:
                for file in (*partials.values(), plan):
                    file.unlink(missing_ok=True)
            raise
    for ending, partial in partials.items():
        place(partial, path.with_name(path.name + ending))
    plan.unlink(missing_ok=True)
    facts: dict[str, Any] = {
        "samples": n_samples,
        "began": began.isoformat(timespec="seconds"),
        "reading_seconds": round(reading, 6),
        "symbols_per_second": round((n_samples - begins[-1]) / reading, 1) if reading else None,
        "read_by": "read_wide, then digitize" if wide else "read_raw",
    }
    if len(begins) > 1:
        facts["segments"] = [end - begin for begin, end in pairwise([*begins, n_samples])]
    if wide:
        facts["sha256_u64"] = file_sha256(path.with_name(path.name + ".u64"))
    return _sidecar(source, path, file_sha256(path), facts)


def _begin(
    partials: dict[str, Path], endings: dict[str, int], plan: Path, source: NoiseSource, n_samples: int, *, resume: bool
) -> list[int]:
    """Return where the segments of this recording begin, in symbols; the last one is where to go on."""
    facts = {"source": source.name, "wide": len(endings) > 1, "cpu": _cpu_model(), "kernels": kernel_info().name}
    begins = [0]
    kept = read_own(plan) if resume and all(partial.exists() for partial in partials.values()) else None
    if kept is not None:
        found = json.loads(kept)
        begins = found.pop("begins")
        if found != facts:
            raise InvalidInputError(f"{plan} is of {found}, not of {facts}; remove it to begin anew")
        whole = min(partial.stat().st_size // endings[ending] for ending, partial in partials.items())
        whole = min(whole, n_samples) // CHUNK_SAMPLES * CHUNK_SAMPLES
        begins = [begin for begin in begins if begin < whole] + [whole] if whole else [0]
        for ending, partial in partials.items():
            with resumable(partial) as file:
                file.truncate(whole * endings[ending])
    else:
        for partial in partials.values():
            with resumable(partial) as file:
                file.truncate(0)
    write_file(plan, json.dumps({**facts, "begins": begins}) + "\n")
    return begins


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_symbols(source: NoiseSource, n_samples: int) -> dict[str, bytes]:
    """Read the next symbols, as seeding does."""
    if not isinstance(source, GuardedSource):
        return {"": source.read_exactly(n_samples)}
    limit_s = min(LONGEST_WAIT_S, READ_TIMEOUT_S + 20 * n_samples / source.estimated_rate)
    symbols = source.take(n_samples, limit_s)
    if isinstance(symbols, Fault):
        if symbols.hung:
            words = f"a read of {n_samples} symbols did not return within {limit_s:.0f} s"
            raise SourceReadError(f"{source.name}: {words}")
        raise_fault(source.name, symbols)
    return {"": symbols}


def _read_wide(source: NoiseSource, n_samples: int) -> dict[str, bytes]:
    """Read the next raw values at full width, and digitize them."""
    values = source.read_wide(n_samples)
    if len(values) != n_samples:
        raise SourceReadError(f"{source.name}: {len(values)} values came, {n_samples} were asked for")
    symbols = checked_samples(source.digitize(values), n_samples, source.symbol_bits, trusted=True)
    if isinstance(symbols, Fault):
        raise SourceReadError(f"{source.name}: {symbols.words}")
    if sys.byteorder == "big":
        values.byteswap()
    return {"": symbols, ".u64": values.tobytes()}


def record_restarts(
    name: str,
    path: Path,
    *,
    restarts: int = 1000,
    samples: int = 1000,
    command: Sequence[str] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Record a restart matrix: ``restarts`` rows of ``samples`` symbols, each row from a fresh process.

    Rows are appended to ``path`` + ``.partial``; a recording that was interrupted goes on after its last whole row.
    What the rows depend on is kept in ``path`` + ``.partial.json``: rows of another source, length, machine or kernels
    are refused.

    Parameters
    ----------
    name : str
        Name of an installed source.
    path : Path
        The data file; the sidecar is ``path`` + ``.json``.
    restarts, samples : int
        Rows of the matrix, and symbols in a row: 1 or more.
    command : sequence of str, optional
        A program that restarts the device under test and writes the first ``samples`` symbols to its standard output,
        in place of a fresh process here: the hook for power cycling. It finds name and number of symbols in
        ``ESOTERIC_DRBG_SOURCE`` and ``ESOTERIC_DRBG_SAMPLES``.
    jobs : int
        Restarts at the same time. More than one disturbs timing sources, and is said in the sidecar.
    progress : callable, optional
        ``progress(done, total, "")``, in rows.

    Returns
    -------
    dict
        The sidecar's content.

    Raises
    ------
    InvalidInputError, SourceError, OSError
        On bad input, a failed restart, or a path that cannot be written. Whole rows are kept.
    """
    if restarts < 1 or samples < 1 or jobs < 1:
        raise InvalidInputError(f"restarts={restarts}, samples={samples}, jobs={jobs}: expected 1 or more of each")
    source = guarded(registry.create(name))
    if command is None:
        source.require_available()
    partial = path.with_name(path.name + ".partial")
    plan = partial.with_name(partial.name + ".json")
    _claim_partial(
        partial, plan, {"source": name, "samples": samples, "cpu": _cpu_model(), "kernels": kernel_info().name}
    )
    timeout_s = RESTART_TIMEOUT_S + 20 * samples / source.estimated_rate
    report = progress or silent
    restart = functools.partial(_restart, name, samples, source.symbol_bits, command, timeout_s)
    began = datetime.now(UTC)
    with resumable(partial) as file:
        rows = min(file.tell() // samples, restarts)
        file.truncate(rows * samples)
        for row, symbols in enumerate(_in_order(restart, restarts - rows, jobs), start=rows + 1):
            file.write(symbols)
            file.flush()
            report(row, restarts, "")
    place(partial, path)
    plan.unlink(missing_ok=True)
    facts: dict[str, Any] = {
        "restarts": restarts,
        "samples": samples,
        "jobs": jobs,
        "began": began.isoformat(timespec="seconds"),
    }
    if command is not None:
        facts["restart_command"] = shlex.join(command)
    return _sidecar(source, path, file_sha256(path), facts)


def restart_seconds(source: NoiseSource) -> float:
    """Return how long one restart takes beside its symbols: a fresh process, and what the source sets up.

    Raises
    ------
    SourceError
        If the restart failed.
    """
    before = time.perf_counter()
    _restart(source.name, 1, source.symbol_bits, None, RESTART_TIMEOUT_S)
    return time.perf_counter() - before


def _in_order(restart: Callable[[], bytes], rows: int, jobs: int) -> Iterator[bytes]:
    """Yield the rows of as many restarts, ``jobs`` of them under way at the same time."""
    if jobs == 1:
        for _ in range(rows):
            yield restart()
        return
    with ThreadPoolExecutor(jobs) as threads:
        under_way: deque[Future[bytes]] = deque()
        try:
            for _ in range(rows):
                under_way.append(threads.submit(restart))
                if len(under_way) > jobs:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _claim_partial(partial: Path, plan: Path, facts: dict[str, Any]) -> None:
    """Note what an unfinished restart recording consists of, or refuse to go on with one of something else."""
    kept = read_own(plan) if partial.exists() else None
    if kept is not None:
        found = json.loads(kept)
        if found != facts:
            raise InvalidInputError(f"{partial} holds rows of {found}, not of {facts}; remove it to begin anew")
    else:
        with resumable(partial) as file:
            file.truncate(0)
        write_file(plan, json.dumps(facts) + "\n")


def _restart(name: str, samples: int, symbol_bits: int, command: Sequence[str] | None, timeout_s: float) -> bytes:
    """Read one row in a process of its own."""
    program = command or [sys.executable, "-m", "esoteric_drbg.noise_sources.restart_worker", name, str(samples)]
    environment = {**os.environ, "ESOTERIC_DRBG_SOURCE": name, "ESOTERIC_DRBG_SAMPLES": str(samples)}
    try:
        done = subprocess.run(  # noqa: S603 - our worker, or what the operator asked for
            program, capture_output=True, timeout=timeout_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise SourceReadError(f"{name}: a restart did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise InvalidInputError(f"{program[0]}: {error.strerror or error}") from None
    if done.returncode or len(done.stdout) != samples:
        message = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if command is None:  # beside our own word, a source may have printed what it likes
            message = [line.removeprefix(WORD) for line in message if line.startswith(WORD)]
        what = message[-1] if message else f"{len(done.stdout)} of {samples} symbols, exit code {done.returncode}"
        raise SourceReadError(f"{name}: a restart failed: {what}")
    symbols = checked_samples(done.stdout, samples, symbol_bits, trusted=True)
    if isinstance(symbols, Fault):
        raise SourceReadError(f"{name}: a restart failed: {symbols.words}")
    return symbols


def _sidecar(source: NoiseSource, path: Path, sha256: str, size: dict[str, Any]) -> dict[str, Any]:
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
    write_file(path.with_name(path.name + ".json"), json.dumps(facts, indent=2, allow_nan=False) + "\n")
    return facts
