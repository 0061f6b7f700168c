"""What an alarm of the health tests is, as data; :attr:`Alarm.text` is the one place that puts it into words."""

from __future__ import annotations

from esoteric_drbg.frozen import Frozen

__all__ = ["APT", "LAG", "RCT", "Alarm", "Finding"]

#: Short names of the tests, as tables and JSON have them.
RCT, APT, LAG = "RCT", "APT", "lag"

_NAMES = {
    RCT: "Repetition Count Test",
    APT: "Adaptive Proportion Test",
    LAG: "Lag Predictor Test (developer-defined)",
}


class Finding(Frozen):
    """What one test found; it holds no symbol.

    Attributes
    ----------
    test : str
        ``"RCT"``, ``"APT"`` or ``"lag"``.
    tier : str
        ``"intermittent"`` or ``"permanent"``: the highest whose cutoff was reached.
    cutoff : int
        C of the intermittent tier: equal samples (RCT, APT), right predictions (lag).
    permanent_cutoff : int
        C of the permanent tier.
    sample_index : int
        Sample at which `cutoff` was first reached, counting from 0 since the monitor's last (re)start.
    reached : int
        Longest run or largest count since then.
    window : int or None
        Samples among which `reached` were counted; None if they follow one another.
    predictor : str
        The predictor that was right, of the Lag Predictor Test: ``"lag 7"``; otherwise empty.
    """

    test: str
    tier: str
    cutoff: int
    permanent_cutoff: int
    sample_index: int
    reached: int
    window: int | None = None
    predictor: str = ""

    @property
    def text(self) -> str:
        """The finding in words."""
        if self.test == RCT:
            what = f"run of {self.reached}"
        else:
            right = " right" if self.test == LAG else ""
            what = f"{self.reached}{right} " + ("in a row" if self.window is None else f"of {self.window}")
        by = f" by {self.predictor}" if self.predictor else ""
        higher = f", permanent cutoff {self.permanent_cutoff} reached" if self.tier == "permanent" else ""
        return (
            f"{_NAMES[self.test]}: {what}, cutoff {self.cutoff} first reached{by} at sample {self.sample_index}{higher}"
        )


class Alarm(Frozen):
    """One alarm of a :class:`~esoteric_drbg.health_tests.HealthMonitor`; :class:`HealthTestError` carries it.

    Attributes
    ----------
    source : str
        Name of the source, or empty where the monitor was not told it.
    tier : str
        ``"intermittent"`` or ``"permanent"``: what became of the source.
    findings : tuple of Finding
        One or more: a stuck source is found by several tests at once.
    in_a_row : int
        Intermittent alarms in a row that made this one permanent; 0 if a cutoff did, or nothing.

    Examples
    --------
    >>> from esoteric_drbg.errors import HealthTestError
    >>> from esoteric_drbg.health_tests import HealthMonitor
    >>> monitor = HealthMonitor(4.0, 8, source="stuck")
    >>> try:
    ...     monitor.start_up(bytes(1024))
    ... except HealthTestError as error:
    ...     error.source, error.test, error.tier, error.sample_index, error.cutoff
    ('stuck', 'RCT', 'permanent', 8, 9)
    """

    source: str
    tier: str
    findings: tuple[Finding, ...]
    in_a_row: int = 0

    @property
    def first(self) -> Finding:
        """The finding whose cutoff was reached first."""
        return min(self.findings, key=lambda finding: finding.sample_index)

    @property
    def text(self) -> str:
        """The alarm in words: the message of its error."""
        texts = [finding.text for finding in self.findings]
        if self.in_a_row:
            texts.append(f"{self.in_a_row} intermittent failures in a row")
        return f"{self.tier} failure: {'; '.join(texts)}"
