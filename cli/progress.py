"""Progress with the time left, on standard error, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from esoteric_drbg.cli.output import progress_console

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "progress_bar"]

#: Seconds before a bar appears: short work needs none.
DELAY_S = 0.5


class Bar:
    """A progress bar, drawn once the work has taken half a second, and only on a terminal.

    The library that draws it is imported then, and receives the earlier reports.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._looked_at = sys.stderr.isatty()
        self._began = time.monotonic()
        self._reports: list[tuple[float, int, int, str]] = []
        self._bar: Progress | None = None
        self._shown = False

    def __call__(self, done: int, total: int, step: str) -> None:
        """Report how much is done, of how much, and the last step."""
        if not self._looked_at:
            return
        now = time.monotonic()
        if self._bar is None:
            self._reports.append((now, done, total, step))
            if now - self._began <= DELAY_S:
                return
            self._bar = self._new()
        else:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, step=step)
        if not self._shown:
            self._shown = True
            self._bar.start()

    def hide(self) -> None:
        """Remove the bar from the terminal, so that others can print; the next step draws it again."""
        if self._shown and self._bar is not None:
            self._shown = False
            self._bar.stop()

    def _new(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        # The time left follows from when the steps were done, not from when the bar is told.
        past = [self._began]
        # rich must not redirect standard output: what is printed meanwhile may go to a file.
        bar = Progress(
            TextColumn("{task.fields[title]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[step]}"),
            console=progress_console(),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_time=lambda: past[0] if past else time.monotonic(),
        )
        task = bar.add_task("", title=self._title, step="", total=None)
        for now, done, total, step in self._reports:
            past[0] = now
            bar.update(task, completed=done, total=total, step=step)
        past.clear()
        return bar


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """Return a callable (done, total, what was just done) that draws a bar once the work has taken half a second."""
    bar = Bar(title)
    try:
        yield bar
    finally:
        bar.hide()
