"""Worker processes of this machine: calls that survive the death of a worker and leave no process behind.

Not a ProcessPoolExecutor, nor loky's: both were measured, and make the calls of the other workers again when one dies;
loky's also ends 350 ms after a Ctrl-C, not within 200. Here each worker has a pipe of its own. Workers never hear of a
Ctrl-C, which is the parent's to act upon, not even while they import; and they end by themselves if the parent is gone.
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

#: Seconds between looks for an interrupt that another thread has taken, and for a killed process to be gone.
_POLL_S = 0.1
_GONE_S = 1.0


class LostCallError(Exception):
    """Given in place of a result: every worker that made the call died. Says how the last one did."""


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
    """Call `function` for every argument on so many processes; `done` hears each result, as they come.

    Parameters
    ----------
    function : callable
        A function of a module, or a :func:`functools.partial` of one: it travels to other processes.
    arguments : sequence
        One for each call.
    processes : int
        1 or more.
    attempts : int
        How often a call is made if its worker dies; :class:`LostCallError` is its result then.
    done : callable
        Called in this thread with the number of the argument, and the result.

    Raises
    ------
    Exception
        What `function` raised; calls in progress are given up.
    """
    waiting = deque(range(len(arguments)))
    losses: Counter[int] = Counter()
    crew: list[_Worker] = []
    resource_tracker.ensure_running()  # its start unblocks SIGINT: not while a worker starts
    try:
        while waiting or any(worker.call is not None for worker in crew):
            while waiting and len(crew) < processes:
                _hire(crew, function)
            for worker in crew:
                if worker.call is None and waiting:
                    _assign(worker, waiting.popleft(), arguments)
            busy = {worker.pipe: worker for worker in crew if worker.call is not None}
            for pipe in connection.wait(list(busy), timeout=_POLL_S):
                worker = busy[pipe]  # type: ignore[index]
                number = worker.call
                assert number is not None  # noqa: S101 - for the type checker: it is busy
                try:
                    result, error = worker.pipe.recv()
                except (EOFError, OSError):
                    how = _dismiss(crew, worker)
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
        # Workers that count on are nobody's; those that have nothing to do may still be importing.
        with InterruptsWait():
            for worker in crew:
                worker.process.kill()
            for worker in list(crew):
                _dismiss(crew, worker)


def _hire(crew: list[_Worker], function: Callable[..., Any]) -> None:
    """Start one more worker. Spawned, not forked: a fork of a process with threads may inherit their locks."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    # No interrupt between the start of a process and the note of it; and the process inherits the blocked signal.
    with InterruptsWait():
        process.start()
        crew.append(_Worker(process, ours))
    theirs.close()


def _assign(worker: _Worker, number: int, arguments: Sequence[Any]) -> None:
    worker.call = number
    try:
        worker.pipe.send(arguments[number])
    except OSError:
        return  # it is dead, which the other direction of the pipe will tell


def _dismiss(crew: list[_Worker], worker: _Worker) -> str:
    """Take leave of a worker that is dead or about to be, and return how it ended."""
    crew.remove(worker)
    worker.pipe.close()
    worker.process.kill()
    worker.process.join(_GONE_S)
    code = worker.process.exitcode
    if code is None:
        return "cannot be ended"
    worker.process.close()
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _serve(function: Callable[[Any], Any], pipe: Connection[Any, Any]) -> None:
    """Make calls until the pipe is closed. The whole life of a worker."""
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
