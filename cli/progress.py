"""Progress with the time left, on standard error, for people who look at it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from esoteric_drbg.cli.output import progress_console

__all__ = ["Bar", "progress_bar"]

#: Seconds before a bar appears: short work needs none.
DELAY_S = 0.5


class Bar:
    """What has been done, drawn once the work has taken half a second."""

    def __init__(self, title: str) -> None:
        # Standard output is not rich's to redirect: what is printed meanwhile may go to a file.
        self._bar = Progress(
            TextColumn("{task.fields[title]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[step]}"),
            console=progress_console(),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", title=title, step="", total=None)
        self._started = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int, step: str) -> None:
        """Tell what has been done, of how much, and what was last."""
        if not self._shown and time.monotonic() - self._started > DELAY_S:
            self._bar.start()
            self._shown = True
        self._bar.update(self._task, completed=done, total=total, step=step)

    def hide(self) -> None:
        """Take the bar off the terminal, for others to print; the next step draws it again."""
        if self._shown:
            self._shown = False
            self._bar.stop()


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Bar]:
    """Return a callable (done, total, what was just done) that draws a bar once the work has taken half a second."""
    bar = Bar(title)
    try:
        yield bar
    finally:
        bar.hide()
