"""Assessments of many files: processes of this machine, or any executor; what a lost worker was at is done again."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from esoteric_drbg.conformance.parallel import Progress, usable_processors
from esoteric_drbg.errors import EsotericDRBGError, InvalidInputError

__all__ = ["ATTEMPTS", "assess_files"]

Result = TypeVar("Result")

#: How often a file is tried, if workers are lost, before it is given up.
ATTEMPTS = 3
_POLL_S = 0.1


def assess_files(
    function: Callable[[Path], Result],
    paths: Sequence[Path],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Result | EsotericDRBGError]:
    """Call `function` for every path and return the results in order, with an error of our family where it raised one.

    Parameters
    ----------
    function : callable
        A function of a module, or a :func:`functools.partial` of one: it travels to other processes.
    paths : sequence of Path
    jobs : int, optional
        Processes; one for each usable processor if None. One job, or one file, stays in this process.
    executor : concurrent.futures.Executor, optional
        Runs the calls instead: a cluster's, for example.
    progress : callable, optional
        Called with the files done, all files, and the name of the one just done.

    Raises
    ------
    EsotericDRBGError
        If workers keep dying over a file.
    """
    if jobs is not None and jobs < 1:
        raise InvalidInputError(f"jobs={jobs}: at least 1")
    report = progress or (lambda _done, _total, _name: None)
    workers = min(jobs or usable_processors(), len(paths))
    if executor is None and workers <= 1:
        results: list[Result | EsotericDRBGError] = []
        for path in paths:
            results.append(_attempt(function, path))
            report(len(results), len(paths), path.name)
        return results
    found: dict[int, Result | EsotericDRBGError] = {}
    for _ in range(ATTEMPTS):
        waiting = [index for index in range(len(paths)) if index not in found]
        if executor is not None:
            _collect(executor, function, paths, waiting, found, report)
        else:
            # Spawned, not forked: a fork of a process with threads may inherit their locks.
            others = set(multiprocessing.active_children())
            pool = ProcessPoolExecutor(
                workers, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_parent
            )
            try:
                _collect(pool, function, paths, waiting, found, report)
            finally:
                if len(found) < len(paths):  # interrupted or broken: nobody waits for what still runs
                    for child in set(multiprocessing.active_children()) - others:
                        child.terminate()
                pool.shutdown(cancel_futures=True)
        if len(found) == len(paths):
            return [found[index] for index in range(len(paths))]
    lost = ", ".join(str(path) for index, path in enumerate(paths) if index not in found)
    raise EsotericDRBGError(f"workers died {ATTEMPTS} times, and these files were not assessed: {lost}")


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt(function: Callable[[Path], Result], path: Path) -> Result | EsotericDRBGError:
    try:
        return function(path)
    except EsotericDRBGError as error:
        return error


def _collect(
    executor: Executor,
    function: Callable[[Path], Result],
    paths: Sequence[Path],
    waiting: Sequence[int],
    found: dict[int, Result | EsotericDRBGError],
    report: Progress,
) -> None:
    """Run what is waiting; what a lost worker takes with it is left for the next attempt."""
    futures: dict[Future[Any], int] = {}
    try:
        futures.update({executor.submit(_attempt, function, paths[index]): index for index in waiting})
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=_POLL_S)
            for future in done:
                index = futures[future]
                found[index] = future.result()
                report(len(found), len(paths), paths[index].name)
    except (BrokenProcessPool, CancelledError):
        return
    except BaseException as error:
        for future in futures:
            future.cancel()
        if type(error).__name__ == "KilledWorker":  # dask's: the worker died, more often than its scheduler allows
            return
        raise
