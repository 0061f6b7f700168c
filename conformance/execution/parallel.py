"""Independent tasks on threads that never outlive a Ctrl-C, or on any executor.

A ThreadPoolExecutor alone does not suffice: after a Ctrl-C, the program would wait for its running tasks.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from esoteric_drbg.errors import InvalidInputError, OutOfMemoryError
from esoteric_drbg.progress import Progress, silent

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Task", "run_tasks", "usable_processors"]

Result = TypeVar("Result")


_POLL_S = 0.1


class Task(NamedTuple, Generic[Result]):
    """A call that can be made anywhere: a function of a module, and its arguments.

    Attributes
    ----------
    name : str
        Name for progress reports.
    cost : float
        Expected time in any unit; the most expensive tasks start first.
    """

    name: str
    cost: float
    function: Callable[..., Result]
    arguments: tuple[Any, ...]

    def __call__(self) -> Result:
        """Make the call."""
        return self.function(*self.arguments)


def usable_processors() -> int:
    """Return how many processors this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def run_tasks(
    tasks: Sequence[Task[Result]],
    *,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Run all tasks and return their results in order; the first error ends the rest.

    Parameters
    ----------
    threads : int, optional
        Threads of this process, 1 or more; one for each usable processor if None. Without effect with an `executor`.
    executor : concurrent.futures.Executor, optional
        Runs the tasks instead: processes, or a cluster's.
    progress : callable, optional
        Called in this thread after each task.
    """
    if threads is not None and threads < 1:
        raise InvalidInputError(f"threads={threads}: at least 1")
    order = sorted(range(len(tasks)), key=lambda index: -tasks[index].cost)
    report = progress or silent
    if executor is not None:
        return _on_executor(tasks, order, executor, report)
    workers = min(threads or usable_processors(), len(tasks))
    return _on_threads(tasks, order, workers, report)


def _on_executor(tasks: Sequence[Task[Result]], order: list[int], executor: Executor, report: Progress) -> list[Result]:
    from concurrent.futures import as_completed  # noqa: PLC0415 - not needed for our own threads

    futures = {executor.submit(tasks[index].function, *tasks[index].arguments): index for index in order}
    results: dict[int, Result] = {}
    try:
        for future in as_completed(futures):
            index = futures[future]
            results[index] = future.result()
            report(len(results), len(tasks), tasks[index].name)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return [results[index] for index in range(len(tasks))]


def _on_threads(tasks: Sequence[Task[Result]], order: list[int], workers: int, report: Progress) -> list[Result]:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in order:
        waiting.put(index)
    finished: queue.SimpleQueue[tuple[int, Result | None, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                finished.put((index, tasks[index](), None))
            except BaseException as error:  # noqa: BLE001, RUF100 - raised in the caller's thread
                finished.put((index, None, error))

    # Daemon threads, never the caller's own: a Ctrl-C takes effect at once, and unfinished counts are abandoned.
    started: list[threading.Thread] = []
    for number in range(workers):
        thread = threading.Thread(target=work, name=f"assessment-{number}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no memory for its stack: fewer threads suffice
            if not started:
                raise OutOfMemoryError("there is not enough memory for a thread") from None
            break
        started.append(thread)
    results: dict[int, Any] = {}
    try:
        while len(results) < len(tasks):
            try:
                index, result, error = finished.get(timeout=_POLL_S)
            except queue.Empty:
                if not any(thread.is_alive() for thread in started) and finished.empty():
                    # Without memory a thread may end without reporting an error.
                    raise OutOfMemoryError("there was not enough memory for the threads of an assessment") from None
                continue
            if error is not None:
                raise error
            results[index] = result
            report(len(results), len(tasks), tasks[index].name)
    finally:
        stop.set()
    return [results[index] for index in range(len(tasks))]
