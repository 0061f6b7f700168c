"""Assessments of many files, on processes of this machine or any executor; the work of a lost worker is done again."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from esoteric_drbg.conformance.execution.parallel import usable_processors
from esoteric_drbg.conformance.execution.workers import LostCallError, call_on_processes
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError
from esoteric_drbg.progress import Progress

__all__ = ["ATTEMPTS", "assess_files", "shares"]

Result = TypeVar("Result")

#: Attempts at a file, if workers are lost, before it is given up.
ATTEMPTS = 3
_POLL_S = 0.1


def shares(files: int, jobs: int | None = None) -> tuple[int, int]:
    """Return the number of processes that assess `files` files, and the number of threads of each, at least 1.

    `jobs` is the number of threads of all processes together; the number of usable processors if None.

    >>> from esoteric_drbg.conformance.execution.batch import shares
    >>> shares(100, 8), shares(3, 8), shares(100, 1)
    ((8, 1), (3, 2), (1, 1))
    """
    if jobs is not None and jobs < 1:
        raise InvalidInputError(f"jobs={jobs}: at least 1")
    all_threads = jobs or usable_processors()
    processes = max(1, min(all_threads, files))
    return processes, all_threads // processes


def assess_files(
    function: Callable[[Path], Result],
    paths: Sequence[Path],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    deliver: Callable[[Path, Result | EsotericDRBGError], None] | None = None,
) -> list[Result | EsotericDRBGError]:
    """Call `function` for every path and return the results in order, with an error of our family where it raised one.

    Parameters
    ----------
    function : callable
        A function of a module, or a :func:`functools.partial` of one: it is sent to other processes.
    paths : sequence of Path
    jobs : int, optional
        Processes; one for each usable processor if None. One job, or one file, stays in this process.
    executor : concurrent.futures.Executor, optional
        Runs the calls instead: a cluster's, for example.
    progress : callable, optional
        Called with the files done, all files, and the name of the one just done.
    deliver : callable, optional
        Called with each path and its result, in the order of the paths, as soon as those before have been delivered.

    Returns
    -------
    list
        One item for each path. A file at which :data:`ATTEMPTS` workers died has an error of our family, too.
    """
    processes, _ = shares(len(paths), jobs)
    results: _Results[Result] = _Results(paths=paths, progress=progress, deliver=deliver)
    if executor is not None:
        _on_executor(executor, function, paths, results.add)
    elif processes > 1:
        attempt = functools.partial(_attempt, function)
        call_on_processes(attempt, paths, processes=processes, attempts=ATTEMPTS, done=results.add)
    else:
        for index, path in enumerate(paths):
            results.add(index, _attempt(function, path))
    return [results.found[index] for index in range(len(paths))]


@attrs.define(kw_only=True)
class _Results(Generic[Result]):
    """The results so far: reported as they arrive, and delivered in order."""

    paths: Sequence[Path]
    progress: Progress | None
    deliver: Callable[[Path, Result | EsotericDRBGError], None] | None
    found: dict[int, Result | EsotericDRBGError] = attrs.field(factory=dict)
    delivered: int = 0

    def add(self, index: int, result: Result | EsotericDRBGError | LostCallError) -> None:
        """Add the result of a path."""
        path = self.paths[index]
        if isinstance(result, LostCallError):
            result = EsotericDRBGError(f"{path}: not assessed, {ATTEMPTS} workers died over it; the last one {result}")
        self.found[index] = result
        if self.progress is not None:
            self.progress(len(self.found), len(self.paths), path.name)
        while self.delivered in self.found:
            if self.deliver is not None:
                self.deliver(self.paths[self.delivered], self.found[self.delivered])
            self.delivered += 1


def _attempt(function: Callable[[Path], Result], path: Path) -> Result | EsotericDRBGError:
    try:
        return function(path)
    except EsotericDRBGError as error:
        return error


def _on_executor(
    executor: Executor,
    function: Callable[[Path], Result],
    paths: Sequence[Path],
    add: Callable[[int, Result | EsotericDRBGError | LostCallError], None],
) -> None:
    """Run all calls on an executor; calls that were lost with a worker are submitted again."""
    losses: Counter[int] = Counter()
    futures: dict[Future[Result | EsotericDRBGError], int] = {}
    waiting = list(range(len(paths)))
    try:
        while waiting or futures:
            for index in waiting:
                try:
                    futures[executor.submit(_attempt, function, paths[index])] = index
                except BrokenExecutor as error:  # a pool that has lost a process cannot be used again
                    add(index, LostCallError(f"took the executor with it: {error}"))
            waiting = []
            done, _ = wait(futures, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                index = futures.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    if not _is_loss(error):
                        raise
                    losses[index] += 1
                    if losses[index] < ATTEMPTS:
                        waiting.append(index)
                    else:
                        add(index, LostCallError(f"was lost: {error}"))
                else:
                    add(index, result)
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _is_loss(error: Any) -> bool:
    """Return whether a future failed because its worker died. dask raises KilledWorker after too many deaths."""
    return isinstance(error, (BrokenExecutor, CancelledError)) or type(error).__name__ == "KilledWorker"
