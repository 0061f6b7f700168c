"""Progress with the time left, on standard error, for people who look at it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from esoteric_drbg.cli.output import progress_console

__all__ = ["progress_bar"]

#: Seconds before a bar appears: short work needs none.
DELAY_S = 0.5


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Return a callable (done, total, what was just done) that draws a bar once the work has taken half a second."""
    if not sys.stderr.isatty():
        yield _nobody_looks
        return
    bar = _LateBar(title)
    try:
        yield bar.report
    finally:
        bar.stop()


def _nobody_looks(_done: int, _total: int, _step: str) -> None:
    pass


class _LateBar:
    """A bar that is made, and its library loaded, when it appears; then it is told what was reported before."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._appears = time.monotonic() + DELAY_S
        self._reports: list[tuple[float, int, int, str]] = []
        self._stop: Callable[[], None] | None = None
        self._update: Callable[[int, int, str], None] | None = None

    def report(self, done: int, total: int, step: str) -> None:
        """Draw, or keep for later."""
        if self._update is not None:
            self._update(done, total, step)
            return
        now = time.monotonic()
        self._reports.append((now, done, total, step))
        if now > self._appears:
            self._appear()

    def stop(self) -> None:
        """Remove what was drawn."""
        if self._stop is not None:
            self._stop()

    def _appear(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        # The time left follows from when the steps were done, not from when the bar was told.
        past: list[float] = []
        bar = Progress(
            TextColumn("{task.fields[title]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[step]}"),
            console=progress_console(),
            transient=True,
            get_time=lambda: past[-1] if past else time.monotonic(),
        )
        past.append(self._appears - DELAY_S)
        task = bar.add_task("", title=self._title, step="", total=None)

        def update(done: int, total: int, step: str) -> None:
            bar.update(task, completed=done, total=total, step=step)

        for now, done, total, step in self._reports:
            past.append(now)
            update(done, total, step)
        past.clear()
        bar.start()
        self._stop, self._update = bar.stop, update
