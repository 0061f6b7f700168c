"""Ctrl-C of the command line: exit code 130 and no traceback, from the first line of ``main`` to the process' last.

While modules are imported nothing can be left behind, and SIGINT ends the process at once. A command has files and
processes to put in order: there SIGINT raises KeyboardInterrupt, as Python has it, but only once, and not even the
places where Python prints or forgets an exception (callbacks, ``__del__``, modules of C being loaded) lose it. A SIGINT
that the parent has set to be ignored (``nohup``, ``command &`` in a script) stays ignored.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["INTERRUPTED", "exit_at_once", "interrupted", "raise_once"]

#: Exit code of a command that was interrupted.
INTERRUPTED = 130
#: Seconds after an interrupt in which another is taken for the same; later ones are of somebody who will not wait.
SAME_S = 0.2
#: Seconds until an interrupt that Python threw away comes again.
AGAIN_S = 0.01

#: When SIGINT raised KeyboardInterrupt; at most one entry.
_raised: list[float] = []


def exit_at_once() -> None:
    """Let SIGINT end the process with exit code 130, whatever it is doing."""
    _install(_exit)


def raise_once() -> None:
    """Let SIGINT raise KeyboardInterrupt in the main thread, once, and print nothing of it."""
    sys.unraisablehook = _unraisable
    sys.excepthook = _uncaught
    if _install(_raise):
        # When all threads have ended and Python takes itself apart, the exit code is settled.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def interrupted() -> bool:
    """Whether SIGINT has raised KeyboardInterrupt: whatever else was raised then is due to it."""
    return bool(_raised)


def _install(handler: Callable[[int, FrameType | None], Any]) -> bool:
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _exit, _raise):
        try:
            signal.signal(signal.SIGINT, handler)
        except ValueError:  # not the main thread: signals are none of its business
            return False
        return True
    return False


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _raise(_number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    if not _raised:
        _raised.append(now)
        raise KeyboardInterrupt
    if now - _raised[0] > SAME_S:
        os._exit(INTERRUPTED)


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Send SIGINT again if Python could not raise it where it was."""
    if not issubclass(found.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(found)
        return
    _raised.clear()
    _thread.start_new_thread(_send_again, ())


def _send_again() -> None:
    time.sleep(AGAIN_S)
    os.kill(os.getpid(), signal.SIGINT)


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Keep quiet about a KeyboardInterrupt that code in C prints before it raises an error of its own."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
