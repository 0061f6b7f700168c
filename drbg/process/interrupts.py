"""A block that delays Ctrl-C to its end."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

__all__ = ["InterruptsWait"]


class InterruptsWait:
    """A block that delays SIGINT to its end; processes started in it keep SIGINT blocked as long as they live.

    Masking the signal is not enough: another thread, for example one that draws a progress bar, would receive it.
    """

    def __enter__(self) -> None:
        self._came = False
        self._handler: Any = None
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            try:
                signal.signal(signal.SIGINT, self._note)
                self._handler = handler
            except ValueError:  # not the main thread, the only one that handles signals
                pass
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if self._came:
            signal.raise_signal(signal.SIGINT)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
