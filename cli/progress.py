"""Progress with the time left, on standard error, for people who look at it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from esoteric_drbg.cli.output import progress_console

__all__ = ["progress_bar"]

#: Seconds before a bar appears: short work needs none.
DELAY_S = 0.5


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Return a callable (done, total, what was just done) that draws a bar once the work has taken half a second."""
    bar = Progress(
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[step]}"),
        console=progress_console(),
        transient=True,
    )
    task = bar.add_task("", title=title, step="", total=None)
    started = time.monotonic()
    shown = False

    def report(done: int, total: int, step: str) -> None:
        nonlocal shown
        if not shown and time.monotonic() - started > DELAY_S:
            bar.start()
            shown = True
        bar.update(task, completed=done, total=total, step=step)

    try:
        yield report
    finally:
        if shown:
            bar.stop()
