"""Recording several sources at the same time, and pairing their samples, for tests of independence."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError
from esoteric_drbg.noise_sources import NoiseSource
from esoteric_drbg.noise_sources.guard import guarded

__all__ = ["Recording", "Symbols", "pair_symbols", "record_together"]

#: Samples read at a time: the times of samples follow from the time stamps of their chunk.
CHUNK = 256
#: A fast source records at most this many times the number of samples asked for.
MOST_FACTOR = 64
#: If this many pairs or more remain, each sample is paired only once; otherwise a sample may have many partners.
ONCE = 4000

Symbols = NDArray[np.uint8]


@attrs.frozen(kw_only=True, eq=False)
class Recording:
    """Raw samples of one source.

    Attributes
    ----------
    name, group : str
        The source and its independence group.
    symbols : numpy.ndarray
        uint8, one dimension.
    times : numpy.ndarray or None
        When each sample was read, in ns; None if recordings are paired by index.
    """

    name: str
    group: str
    symbols: Symbols
    times: NDArray[np.float64] | None = None


def record_together(
    sources: Sequence[NoiseSource], n: int, *, chunk: int = CHUNK, warm_up: int = CHUNK
) -> list[Recording]:
    """Record `n` or more raw samples of every source at the same time, with one thread for each source.

    A faster source continues until the slowest has its `n` samples, so that all of them can be paired; it stops at 64
    times `n`, to bound memory. The first `warm_up` samples of each are read before the common start, and dropped. The
    times of samples are spaced evenly between the time stamps before and after their chunk.

    Raises
    ------
    InvalidInputError, SourceError
        If an argument is out of range, or a source failed.
    """
    if n < 1 or chunk < 1:
        raise InvalidInputError(f"n={n}, chunk={chunk}: expected 1 or more")
    sources = [guarded(source) for source in sources]
    for source in sources:
        source.require_available()
    ready = threading.Barrier(len(sources))
    stop = threading.Event()
    done: set[int] = set()
    found: dict[int, Recording | EsotericDRBGError] = {}

    def run(index: int, source: NoiseSource) -> None:
        parts: list[bytes] = []
        times: list[NDArray[np.float64]] = []
        try:
            if warm_up:
                source.read_exactly(warm_up)
        except EsotericDRBGError as error:
            found[index] = error
            stop.set()
        ready.wait()
        if stop.is_set():
            return
        try:
            count = 0
            while not stop.is_set() and (count < n or (len(done) < len(sources) and count < MOST_FACTOR * n)):
                size = chunk if count >= n else min(chunk, n - count)
                start = time.perf_counter_ns()
                parts.append(source.read_exactly(size))
                end = time.perf_counter_ns()
                times.append(start + (end - start) * (np.arange(size) + 1) / size)
                count += size
                time.sleep(0)  # let the other threads read
                if count >= n:
                    done.add(index)
            if count < n:
                return
        except EsotericDRBGError as error:
            found[index] = error
            stop.set()
            return
        found[index] = Recording(
            name=source.name,
            group=source.independence_group,
            symbols=np.frombuffer(b"".join(parts), dtype=np.uint8),
            times=np.concatenate(times),
        )

    threads = [
        threading.Thread(target=run, args=pair, name=f"record {pair[1].name}", daemon=True)
        for pair in enumerate(sources)
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
    finally:
        stop.set()
    recordings = []
    for _, outcome in sorted(found.items()):
        if isinstance(outcome, EsotericDRBGError):
            raise outcome
        recordings.append(outcome)
    return recordings


def pair_symbols(first: Recording, second: Recording) -> tuple[Symbols, Symbols]:
    """Pair two recordings: each sample of the slower one with the last sample of the faster one before it."""
    if first.times is None or second.times is None:
        n = min(first.symbols.size, second.symbols.size)
        return first.symbols[:n], second.symbols[:n]
    begin, end = max(first.times[0], second.times[0]), min(first.times[-1], second.times[-1])
    mine, yours = (np.flatnonzero((times >= begin) & (times <= end)) for times in (first.times, second.times))
    if mine.size <= yours.size:
        yours = np.searchsorted(second.times, first.times[mine], side="right") - 1
        often = yours
    else:
        mine = np.searchsorted(first.times, second.times[yours], side="right") - 1
        often = mine
    once = np.flatnonzero(np.diff(often, prepend=-1))
    if once.size >= ONCE:
        mine, yours = mine[once], yours[once]
    return first.symbols[mine], second.symbols[yours]
