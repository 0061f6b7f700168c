"""Recording restart matrices, SP 800-90B 3.1.4.1: each row from a fresh process."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.atomic_write import place, read_own, resumable
from esoteric_drbg.conformance.document_files import parse_document, write_document
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.conformance.recording.sidecar import cpu_model, file_sha256, write_sidecar
from esoteric_drbg.errors import InvalidInputError, SourceReadError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import NoiseSource, registry
from esoteric_drbg.noise_sources.guard import guarded
from esoteric_drbg.noise_sources.intake import Fault, checked_samples
from esoteric_drbg.noise_sources.restart_worker import WORD
from esoteric_drbg.progress import Progress, silent

__all__ = ["record_restarts", "restart_seconds"]

#: Seconds after which a restart's process is given up, plus 20 times the expected time for its samples.
RESTART_TIMEOUT_S = 120.0


@attrs.frozen(kw_only=True)
class RowsOf:
    """What the rows of an unfinished recording depend on."""

    source: str
    samples: int
    cpu: str
    kernels: str


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
    """Record a restart matrix: ``restarts`` rows of ``samples`` raw samples, each row from a fresh process.

    Rows are appended to ``path`` + ``.partial``; an interrupted recording is continued after its last whole row.
    ``path`` + ``.partial.json`` keeps what the rows depend on: rows of another source, length, machine or kernels are
    refused.

    Parameters
    ----------
    name : str
        Name of an installed source.
    path : Path
        The data file; the sidecar is ``path`` + ``.json``.
    restarts, samples : int
        Rows of the matrix, and samples in a row: 1 or more.
    command : sequence of str, optional
        A program that restarts the device under test, for example by power cycling, and writes the first ``samples``
        samples to its standard output, in place of a fresh process here. It finds the name and the number of samples in
        ``ESOTERIC_DRBG_SOURCE`` and ``ESOTERIC_DRBG_SAMPLES``.
    jobs : int
        Number of restarts at the same time. More than one disturbs timing sources; the sidecar records the number.
    progress : callable, optional
        ``progress(done, total, "")``, in rows.

    Returns
    -------
    dict
        The sidecar's content.

    Raises
    ------
    InvalidInputError, SourceError, OSError
        On bad input, a failed restart, or a path that cannot be written. The whole rows are kept.
    """
    if restarts < 1 or samples < 1 or jobs < 1:
        raise InvalidInputError(f"restarts={restarts}, samples={samples}, jobs={jobs}: expected 1 or more of each")
    source = guarded(registry.create(name))
    if command is None:
        source.require_available()
    partial = path.with_name(path.name + ".partial")
    plan = partial.with_name(partial.name + ".json")
    _claim_partial(partial, plan, RowsOf(source=name, samples=samples, cpu=cpu_model(), kernels=kernel_info().name))
    timeout_s = RESTART_TIMEOUT_S + 20 * samples / source.estimated_rate
    restart = functools.partial(_restart, name, samples, source.symbol_bits, command, timeout_s)
    report = progress or silent
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
    return write_sidecar(source, path, file_sha256(path), facts)


def restart_seconds(source: NoiseSource) -> float:
    """Return the seconds that one restart takes in addition to its samples: a fresh process, and the source's set-up.

    Raises
    ------
    SourceError
        If the restart failed.
    """
    before = time.perf_counter()
    _restart(source.name, 1, source.symbol_bits, None, RESTART_TIMEOUT_S)
    return time.perf_counter() - before


def _in_order(restart: Callable[[], bytes], rows: int, jobs: int) -> Iterator[bytes]:
    """Yield the rows of as many restarts, ``jobs`` of them running at the same time."""
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


def _claim_partial(partial: Path, plan: Path, facts: RowsOf) -> None:
    """Note what an unfinished restart recording depends on, or refuse to continue a different one."""
    kept = read_own(plan) if partial.exists() else None
    if kept is not None:
        found = parse_document(kept, plan, RowsOf, "the plan of a recording (remove it to begin anew)")
        if found != facts:
            words = f"{to_document(found)}, not of {to_document(facts)}"
            raise InvalidInputError(f"{partial} holds rows of {words}; remove it to begin anew")
    else:
        with resumable(partial) as file:
            file.truncate(0)
        write_document(plan, facts)


def _restart(name: str, samples: int, symbol_bits: int, command: Sequence[str] | None, timeout_s: float) -> bytes:
    """Read one row in a fresh process."""
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
        if command is None:  # a source may have printed text beside our own message
            message = [line.removeprefix(WORD) for line in message if line.startswith(WORD)]
        what = message[-1] if message else f"{len(done.stdout)} of {samples} symbols, exit code {done.returncode}"
        raise SourceReadError(f"{name}: a restart failed: {what}")
    symbols = checked_samples(done.stdout, samples, symbol_bits, trusted=True)
    if isinstance(symbols, Fault):
        raise SourceReadError(f"{name}: a restart failed: {symbols.words}")
    return symbols
