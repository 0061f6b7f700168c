"""Worker processes of this machine: calls that survive the death of a worker and leave no process behind.

ProcessPoolExecutor and loky's executor were measured and not used: when one worker dies, both repeat the calls of the
other workers, and loky's ends 350 ms after a Ctrl-C, not within 200. Here each worker has its own pipe. Only the parent
acts on a Ctrl-C; workers do not receive it, not even while they import. They end by themselves if the parent is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

import attrs

from esoteric_drbg.process.interrupts import InterruptsWait

__all__ = ["LostCallError", "call_on_processes"]

Argument = TypeVar("Argument")
Result = TypeVar("Result")

#: Seconds between checks for an interrupt that another thread received, and seconds for a killed process to end.
_POLL_S = 0.1
_GONE_S = 1.0


class LostCallError(Exception):
    """Takes the place of a result if every worker that made the call died; says how the last one ended."""


@attrs.define(eq=False)
class _Worker:
    """A process, our end of its pipe, and the number of the call that it makes, if any."""

    process: SpawnProcess
    pipe: Connection[Any, Any]
    call: int | None = None


def call_on_processes(
    function: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    *,
    processes: int,
    attempts: int,
    done: Callable[[int, Result | LostCallError], None],
) -> None:
    """Call `function` for every argument on `processes` processes, and pass each result to `done` as it arrives.

    Parameters
    ----------
    function : callable
        A function of a module, or a :func:`functools.partial` of one: it is sent to other processes.
    arguments : sequence
        One for each call.
    processes : int
        Number of processes, 1 or more.
    attempts : int
        How often a call is tried if its workers die; its result is then a :class:`LostCallError`.
    done : callable
        Called in this thread with the number of the argument, and the result.

    Raises
    ------
    Exception
        What `function` raised; calls in progress are given up.
    """
    waiting = deque(range(len(arguments)))
    losses: Counter[int] = Counter()
    workers: list[_Worker] = []
    resource_tracker.ensure_running()  # starting it unblocks SIGINT, so not while a worker starts
    try:
        while waiting or any(worker.call is not None for worker in workers):
            while waiting and len(workers) < processes:
                _start_worker(workers, function)
            for worker in workers:
                if worker.call is None and waiting:
                    _assign(worker, waiting.popleft(), arguments)
            busy = {worker.pipe: worker for worker in workers if worker.call is not None}
            for pipe in connection.wait(list(busy), timeout=_POLL_S):
                worker = busy[pipe]  # type: ignore[index]
                number = worker.call
                assert number is not None  # noqa: S101 - for the type checker: it is busy
                try:
                    result, error = worker.pipe.recv()
                except (EOFError, OSError):
                    how = _end_worker(workers, worker)
                    losses[number] += 1
                    if losses[number] < attempts:
                        waiting.appendleft(number)
                    else:
                        done(number, LostCallError(how))
                    continue
                worker.call = None
                if error is not None:
                    raise error
                done(number, result)
    finally:
        # The results of busy workers are not needed any more; idle workers may still be importing.
        with InterruptsWait():
            for worker in workers:
                worker.process.kill()
            for worker in list(workers):
                _end_worker(workers, worker)


def _start_worker(workers: list[_Worker], function: Callable[..., Any]) -> None:
    """Start one more worker. Spawned, not forked: a fork of a process with threads may inherit their locks."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    # No interrupt comes between starting a process and noting it, and the process inherits the blocked signal.
    with InterruptsWait():
        process.start()
        workers.append(_Worker(process, ours))
    theirs.close()


def _assign(worker: _Worker, number: int, arguments: Sequence[Any]) -> None:
    worker.call = number
    try:
        worker.pipe.send(arguments[number])
    except OSError:
        return  # it is dead; reading from the pipe will show it


def _end_worker(workers: list[_Worker], worker: _Worker) -> str:
    """Remove a worker that is dead or about to end, and return how it ended."""
    workers.remove(worker)
    worker.pipe.close()
    worker.process.kill()
    worker.process.join(_GONE_S)
    code = worker.process.exitcode
    if code is None:
        return "cannot be ended"
    worker.process.close()
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _serve(function: Callable[[Any], Any], pipe: Connection[Any, Any]) -> None:
    """Make calls until the pipe is closed; this is all that a worker does."""
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    while True:
        try:
            argument = pipe.recv()
        except (EOFError, OSError):
            _end(0)
        error: BaseException | None = None
        result = None
        try:
            result = function(argument)
        except BaseException as raised:
            raised.add_note("In a worker process:\n" + "".join(traceback.format_exception(raised)).rstrip())
            error = raised
        try:
            pipe.send((result, error))
        except OSError:
            _end(0)
        except Exception as unsendable:
            pipe.send((None, TypeError(f"the result of a call cannot be sent: {unsendable}")))


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _end(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
