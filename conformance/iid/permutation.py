"""Permutation testing, SP 800-90B 5.1: rounds of permutations on any executor, with checkpoints.

Permutation j depends only on the seed and on j. Statistics are decided only between rounds, and the size of a round
depends only on the counts. So the counts are the same for every executor, any number of workers and after any
interruption.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

import attrs

from esoteric_drbg.atomic_write import read_own, write_file
from esoteric_drbg.conformance.documents import to_document
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.iid import ALL_STATISTICS, COMPRESSION, STATISTICS, iid_permutations, iid_statistics
from esoteric_drbg.progress import Progress

__all__ = ["Checkpoint", "PermutationCounts", "count_permutations", "fail_limit", "permutation_chunk"]

#: Permutations that SP 800-90B 5.1 requires, and the largest number of them on one side at which a statistic fails.
PERMUTATIONS = 10_000
FAILS_UP_TO = 5
#: Permutations in a round: few as long as each may decide the slow compression statistic, many otherwise; without early
#: stop, some seconds of work, which an interrupt loses.
FEWEST_IN_ROUND = 8
MOST_IN_ROUND = 128
EXACT_IN_ROUND = 32
#: Longest time that a kernel call should take, in seconds.
CHUNK_S = 0.06
#: Seconds between checks for an interrupt, and between writes of a checkpoint.
POLL_S = 0.1
CHECKPOINT_S = 1.0

Triple = tuple[int, int, int]


@attrs.frozen(kw_only=True)
class PermutationCounts:
    """The counts of permutation testing so far.

    Attributes
    ----------
    counts : tuple of 19 tuples (greater, equal, less)
        Numbers of permutations whose statistic was greater than, equal to, or less than the original's.
    permutations, compressions : int
        Permutations made, and those for which the compression statistic was computed.
    """

    counts: tuple[Triple, ...] = ((0, 0, 0),) * len(STATISTICS)
    permutations: int = 0
    compressions: int = 0

    def undecided(self, limit: int) -> int:
        """Return the mask of the statistics that may still fail."""
        return sum(
            1 << i
            for i, (greater, equal, less) in enumerate(self.counts)
            if greater + equal <= limit or equal + less <= limit
        )

    def plus(self, counts: tuple[Triple, ...], permutations: int, mask: int) -> PermutationCounts:
        """Return the counts after some more permutations."""
        return PermutationCounts(
            counts=tuple((a + x, b + y, c + z) for (a, b, c), (x, y, z) in zip(self.counts, counts, strict=True)),
            permutations=self.permutations + permutations,
            compressions=self.compressions + (permutations if mask & COMPRESSION else 0),
        )


@attrs.frozen(kw_only=True)
class _Kept:
    """Content of a checkpoint file: what the counts depend on, and the counts."""

    facts: dict[str, str | int | bool]
    counts: tuple[Triple, ...]
    permutations: int
    compressions: int


@attrs.frozen
class Checkpoint:
    """A file that holds the finished rounds of one run; it is always replaced as a whole.

    Attributes
    ----------
    path : Path
        The file.
    facts : dict
        What the counts depend on; a file with different facts is refused.
    """

    path: Path
    facts: dict[str, str | int | bool]

    @staticmethod
    def seed_in(path: Path) -> int | None:
        """Return the seed of the run that the file belongs to; None if there is no file."""
        found = _read(path)
        return None if found is None else int(found.facts["seed"])

    def load(self) -> PermutationCounts:
        """Return the counts of the run so far; if there is no file, those at its beginning.

        Raises
        ------
        InvalidInputError
            If the file belongs to another run, or is not a checkpoint.
        """
        found = _read(self.path)
        if found is None:
            return PermutationCounts()
        if found.facts != self.facts:
            other = [key for key in self.facts if found.facts.get(key) != self.facts[key]]
            raise InvalidInputError(
                f"{self.path} is of another run ({', '.join(other)} differ); remove it to begin anew"
            )
        return PermutationCounts(counts=found.counts, permutations=found.permutations, compressions=found.compressions)

    def save(self, state: PermutationCounts) -> None:
        """Write the file; if that fails, the old one stays whole."""
        document = {"facts": self.facts, **to_document(state)}
        write_file(self.path, json.dumps(document, allow_nan=False) + "\n")


def _read(path: Path) -> _Kept | None:
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: no checkpoint can be written there: {path.parent} is no folder")
    try:
        kept = read_own(path)
    except InvalidInputError as error:
        raise InvalidInputError(f"cannot be read as a checkpoint: {error}") from None
    if kept is None:
        return None
    from esoteric_drbg.conformance.document_files import parse_document  # noqa: PLC0415 - only to continue a run

    try:
        found = parse_document(kept, path, _Kept, "a checkpoint")
    except InvalidInputError as error:
        raise InvalidInputError(f"{path} is no checkpoint of permutation testing: {error}") from None
    if len(found.counts) != len(STATISTICS) or not isinstance(found.facts.get("seed"), int):
        raise InvalidInputError(
            f"{path} is no checkpoint of permutation testing: not {len(STATISTICS)} counts, or no seed"
        )
    return found


def fail_limit(permutations: int) -> int:
    """Return the most permutations on one side at which a statistic fails: 5 of 10,000, and in proportion."""
    return FAILS_UP_TO * permutations // PERMUTATIONS


def permutation_chunk(
    symbols: bytes, original: tuple[int, ...], seed: int, span: tuple[int, int], mask: int
) -> tuple[tuple[Triple, ...], float]:
    """Compare some permutations with the original in a worker; return the counts and the seconds it took."""
    began = time.perf_counter()
    counts = iid_permutations(symbols, original, seed, span, mask)
    return counts, time.perf_counter() - began


def _round_size(done: int, mask: int, early_stop: bool) -> int:
    """Return the number of permutations until the counts are checked; it depends only on the counts."""
    if not early_stop:
        return EXACT_IN_ROUND
    if mask & COMPRESSION:
        return FEWEST_IN_ROUND
    return min(max(FEWEST_IN_ROUND, done // 8), MOST_IN_ROUND)


def count_permutations(
    symbols: bytes,
    *,
    seed: int,
    permutations: int,
    early_stop: bool,
    executor: Executor,
    workers: int,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[tuple[int, ...], PermutationCounts]:
    """Return the keys of the original's statistics and the counts of its permutations.

    Parameters
    ----------
    symbols : bytes
        The samples, one a byte.
    seed : int
        0 to 2^64 - 1.
    permutations : int
        Largest number of permutations to make.
    early_stop : bool
        Whether to leave out statistics that cannot fail any more, and stop when none is left.
    executor : Executor
        Runs the chunks.
    workers : int
        Least number of chunks into which a round is split.
    progress : callable, optional
        ``progress(done, total, text)``, in permutations.
    checkpoint : Checkpoint, optional
        Where finished rounds are kept; it is removed at the end.
    """
    limit = fail_limit(permutations)
    state = PermutationCounts() if checkpoint is None else checkpoint.load()
    original = iid_statistics(symbols)
    pace = CHUNK_S
    written = time.monotonic()
    saved = state
    try:
        while state.permutations < permutations:
            mask = state.undecided(limit) if early_stop else ALL_STATISTICS
            if not mask:
                break
            first = state.permutations
            count = min(_round_size(first, mask, early_stop), permutations - first)
            size = max(1, min(-(-count // workers), int(CHUNK_S / pace)))
            parts = [(start, min(size, first + count - start)) for start in range(first, first + count, size)]
            done = _run(executor, [(symbols, original, seed, part, mask) for part in parts])
            for counts, _ in done:
                state = state.plus(counts, 0, 0)
            state = state.plus(PermutationCounts().counts, count, mask)
            pace = sum(seconds for _, seconds in done) / count
            if checkpoint is not None and time.monotonic() - written > CHECKPOINT_S:
                checkpoint.save(state)
                saved, written = state, time.monotonic()
            if progress is not None:
                left = state.undecided(limit).bit_count()
                progress(state.permutations, permutations, f"{left} of {len(STATISTICS)} statistics undecided")
    except BaseException:
        if checkpoint is not None and state is not saved:
            checkpoint.save(state)
        raise
    if checkpoint is not None:
        checkpoint.path.unlink(missing_ok=True)
    return original, state


def _run(executor: Executor, calls: list[tuple[Any, ...]]) -> list[tuple[tuple[Triple, ...], float]]:
    """Run the chunks of a round; an exception or an interrupt cancels those that have not begun."""
    futures: list[Future[tuple[tuple[Triple, ...], float]]] = []
    try:
        futures += [executor.submit(permutation_chunk, *call) for call in calls]
        waiting = set(futures)
        while waiting:
            finished, waiting = wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
