"""Ctrl-C on the command line: exit code 130 and no traceback, from the first line of ``main`` to the process' end.

While modules are imported, there is nothing to clean up, and SIGINT ends the process at once. A command has files and
processes to clean up: there SIGINT raises KeyboardInterrupt, as usual in Python, but only once. It is not lost where
Python prints or discards an exception (callbacks, ``__del__``, C modules being loaded). If the parent has set SIGINT to
be ignored (``nohup``, ``command &`` in a script), it stays ignored.
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
#: Seconds after an interrupt in which another counts as the same; a later one ends the process at once.
SAME_S = 0.2
#: Seconds until an interrupt that Python discarded is sent again.
AGAIN_S = 0.01

#: When SIGINT raised KeyboardInterrupt; at most one entry.
_raised: list[float] = []


def exit_at_once() -> None:
    """Let SIGINT end the process with exit code 130, whatever it is doing."""
    _install(_exit)


def raise_once() -> None:
    """Let SIGINT raise KeyboardInterrupt in the main thread, once, and print no traceback of it."""
    sys.unraisablehook = _unraisable
    sys.excepthook = _uncaught
    if _install(_raise):
        # When all threads have ended and the interpreter shuts down, the exit code is already decided.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def interrupted() -> bool:
    """Return whether SIGINT has raised KeyboardInterrupt: any other error raised since then is due to it."""
    return bool(_raised)


def _install(handler: Callable[[int, FrameType | None], Any]) -> bool:
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _exit, _raise):
        try:
            signal.signal(signal.SIGINT, handler)
        except ValueError:  # only the main thread can set signal handlers
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
    """Send SIGINT again if Python could not raise KeyboardInterrupt at that place."""
    if not issubclass(found.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(found)
        return
    _raised.clear()
    _thread.start_new_thread(_send_again, ())


def _send_again() -> None:
    time.sleep(AGAIN_S)
    os.kill(os.getpid(), signal.SIGINT)


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Suppress the printing of a KeyboardInterrupt by C code that then raises its own error."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
