"""Progress for people: drawn late, from what was reported early, and only where somebody looks."""

from __future__ import annotations

import io
import sys
import time

import pytest

from esoteric_drbg.cli import progress


class Screen(io.StringIO):
    """Standard error, looked at or not."""

    def __init__(self, *, looked_at: bool) -> None:
        super().__init__()
        self._looked_at = looked_at

    def isatty(self) -> bool:
        return self._looked_at


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(looked_at=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "DELAY_S", -1.0)
    with progress.progress_bar("title") as report:
        report(1, 2, "step")
    assert screen.getvalue() == ""


def test_short_work_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(looked_at=True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "DELAY_S", 3600.0)
    with progress.progress_bar("title") as report:
        report(1, 2, "step")
    assert screen.getvalue() == ""


def test_a_late_bar_knows_the_pace_of_the_steps_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(looked_at=True)
    clock = [1000.0]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    bar = progress.Bar("title")
    for done in range(1, 5):
        clock[0] += 0.2  # five steps a second; the bar appears with the third
        bar(done, 100, f"step {done}")
    assert bar._bar is not None
    task = bar._bar.tasks[0]
    assert (task.completed, task.total, task.fields["step"]) == (4, 100, "step 4")
    assert task.speed == pytest.approx(5.0)
    assert task.time_remaining == 20
    bar.hide()
    assert "title" in screen.getvalue()
    bar(5, 100, "step 5")
    assert bar._shown
    bar.hide()
    bar.hide()
