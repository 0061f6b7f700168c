"""Recording raw data: sequential data sets and restart matrices (SP 800-90B 3.1.1, 3.1.4).

Both read by :meth:`NoiseSource.read_raw`, the call that seeding uses, and copy and check its result as seeding does
(:mod:`esoteric_drbg.noise_sources.intake`), before any health test. A file appears under its name only when it is
complete; an interrupted restart recording is continued where it stopped.
"""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.atomic_write import place, read_own, resumable
from esoteric_drbg.conformance.document_files import parse_document, write_document
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.conformance.recording.restarts import record_restarts, restart_seconds
from esoteric_drbg.conformance.recording.sidecar import cpu_model, file_sha256, machine_facts, write_sidecar
from esoteric_drbg.errors import InvalidInputError, SourceReadError
from esoteric_drbg.kernels import kernel_info
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import GuardedSource, guarded, has_wide_values
from esoteric_drbg.noise_sources.intake import LONGEST_WAIT_S, Fault, checked_samples, raise_fault
from esoteric_drbg.progress import Progress, silent

__all__ = ["file_sha256", "has_wide_values", "machine_facts", "record", "record_restarts", "restart_seconds"]

#: Samples read at a time: about as many as for a seed, so that recordings have the same interruptions.
CHUNK_SAMPLES = 1000
#: Seconds for one read of a plug-in, or of a source that cannot bound it by itself.
READ_TIMEOUT_S = 60.0


@attrs.frozen(kw_only=True)
class Begun:
    """An unfinished recording: what its samples depend on, and where its segments begin, in samples."""

    source: str
    wide: bool
    cpu: str
    kernels: str
    begins: tuple[int, ...]


def record(
    source: NoiseSource,
    n_samples: int,
    path: Path,
    *,
    wide: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Record ``n_samples`` raw samples, one a byte, with a JSON sidecar.

    Parameters
    ----------
    source : NoiseSource
        The source to read.
    n_samples : int
        Number of samples, 1 or more.
    path : Path
        The data file; the sidecar is ``path`` + ``.json``.
    wide : bool
        Keep the raw values at full width too, as little-endian 64-bit integers in ``path`` + ``.u64``. Then the
        recorded samples are the source's digitization of these values.
    resume : bool
        Keep the samples of an interrupted recording, and continue from there the next time. The samples are then
        consecutive within segments of 1,000 or more, which SP 800-90B 3.1.1 allows; the sidecar lists their lengths.
    progress : callable, optional
        ``progress(done, total, "")``, in samples.

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
    return write_sidecar(source, path, file_sha256(path), facts)


def _begin(
    partials: dict[str, Path], endings: dict[str, int], plan: Path, source: NoiseSource, n_samples: int, *, resume: bool
) -> list[int]:
    """Return where the segments of this recording begin, in samples; reading continues at the last one."""
    wide = len(endings) > 1
    facts = Begun(source=source.name, wide=wide, cpu=cpu_model(), kernels=kernel_info().name, begins=())
    begins = [0]
    kept = read_own(plan) if resume and all(partial.exists() for partial in partials.values()) else None
    if kept is not None:
        found = parse_document(kept, plan, Begun, "the plan of a recording (remove it to begin anew)")
        begins = list(found.begins)
        if attrs.evolve(found, begins=()) != facts:
            words = f"{to_document(found)}, not of {to_document(facts)}"
            raise InvalidInputError(f"{plan} is of {words}; remove it to begin anew")
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
    write_document(plan, attrs.evolve(facts, begins=tuple(begins)))
    return begins


def _read_symbols(source: NoiseSource, n_samples: int) -> dict[str, bytes]:
    """Read the next samples, as seeding does."""
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
